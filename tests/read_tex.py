"""Reads the TeX of the slides as arithmetic: a formula and the values of its symbols → a number or an array.

Points are row vectors, so x is 1 × d, and w is a column. Two things side by side are multiplied: numbers scale, shapes
that fit as matrices multiply as matrices, equal shapes multiply entry by entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Value = Any  # float or 2-D array
TOKEN = re.compile(r"\\[a-zA-Z]+|\\\\|\\.|\d+\.\d+|[a-zA-Z0-9]|[^\s]")
SPACE = {"\\,", "\\;", "\\!", "\\quad", "\\qquad", "\\displaystyle", "\\left", "\\right"}
FUNCTIONS: dict[str, Callable[[Value], Value]] = {
    "\\sigma": lambda x: 1 / (1 + np.exp(-x)),
    "\\tanh": np.tanh,
    "\\log": np.log,
}


def sides(formula: str) -> list[str]:
    """The parts of an equation, cut at each = that stands outside all brackets."""
    parts, depth, part = [], 0, ""
    for token in re.findall(r"\\begin|\\end|\\[a-zA-Z]+|\\.|[\s\S]", formula):
        depth += {"{": 1, "(": 1, "\\begin": 1, "}": -1, ")": -1, "\\end": -1}.get(token, 0)
        if token == "=" and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += token
    return [part.strip() for part in [*parts, part]]


def product(a: Value, b: Value) -> Value:
    """Two factors side by side."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.size == 1 or b.size == 1:
        return a.reshape(()) * b if a.size == 1 else a * b.reshape(())
    if a.shape[1] == b.shape[0]:
        return a @ b
    assert a.shape == b.shape, f"shapes {a.shape} and {b.shape} do not multiply"
    return a * b


class Reader:
    """One formula's tokens and the place reached in them.

    `values` gives each symbol ("w_1", r"\\hat{y}", "V") and each derivative ("dL/dw_1"); a callable is asked
    with the index of the sum that is being worked out.
    """

    def __init__(self, text: str, values: Mapping[str, Value]) -> None:
        plain = re.sub(r"\\mathbf\{(\w)\}", r" \1", text)
        self.tokens = [token for token in TOKEN.findall(plain) if token not in SPACE]
        self.at = 0
        self.values = values
        self.index: int | None = None

    def read(self) -> Value:
        """The whole formula."""
        value = self.sum()
        assert self.at == len(self.tokens), f"left over: {' '.join(self.tokens[self.at :])}"
        return value

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        assert token and (not wanted or token == wanted), f"expected {wanted or 'more'}, found {token or 'the end'}"
        self.at += 1
        return token

    def group(self) -> list[str]:
        """The tokens of a braced group, or the single token that stands for one."""
        if self.peek() != "{":
            return [self.take()]
        self.take("{")
        found: list[str] = []
        depth = 1
        while depth:
            token = self.take()
            depth += {"{": 1, "}": -1}.get(token, 0)
            found.append(token)
        return found[:-1]

    def inner(self, tokens: list[str]) -> Value:
        """The value of some tokens by themselves."""
        reader = Reader("", self.values)
        reader.tokens, reader.index = tokens, self.index
        return reader.read()

    def sum(self) -> Value:
        sign = 1.0
        if self.peek() in "+-" and self.peek():
            sign = -1.0 if self.take() == "-" else 1.0
        total = sign * np.asarray(self.term())
        while self.peek() in ("+", "-"):
            sign = 1.0 if self.take() == "+" else -1.0
            term = sign * np.asarray(self.term())
            assert total.size == 1 or term.size == 1 or total.shape == term.shape
            total = total + term
        return total

    def term(self) -> Value:
        value = self.factor()
        while self.peek() not in ("", "+", "-", ")", "}", "&", "\\\\", "\\end", "]", ",", "="):
            if self.peek() == "\\odot":
                self.take()
                value = np.asarray(value) * np.asarray(self.factor())
            else:
                value = product(value, self.factor())
        return value

    def factor(self) -> Value:
        value = self.atom()
        while self.peek() == "^":
            self.take()
            power = self.group()
            value = np.asarray(value).T if power == ["\\top"] else np.asarray(value) ** self.inner(power)
        return value

    def atom(self) -> Value:
        token = self.take()
        if token == "(":
            value = self.sum()
            self.take(")")
            return value
        if re.fullmatch(r"[\d.]+", token):
            while re.fullmatch(r"\d", self.peek()):
                token += self.take()
            return float(token)
        if token in ("\\frac", "\\dfrac"):
            return self.fraction()
        if token in FUNCTIONS:
            return FUNCTIONS[token](np.asarray(self.factor()))
        if token == "\\sum":
            return self.series()
        if token == "\\begin":
            return self.matrix()
        return self.symbol(token)

    def fraction(self) -> Value:
        above, below = self.group(), self.group()
        if above[0] in ("\\partial", "d") and len(above) > 1:
            name = f"d{''.join(above[1:])}/d{''.join(below[1:])}"
            return self.look_up(name)
        return self.inner(above) / self.inner(below)

    def series(self) -> Value:
        self.take("_")
        below = self.group()
        if self.peek() == "^":
            self.take()
            self.group()
            indices = range(len(self.values["points"]))
        else:
            assert below[-1] == "S"
            indices = self.values["S"]
        start, outer, total = self.at, self.index, 0.0
        for self.index in indices:
            self.at = start
            total = total + self.term()
        self.index = outer
        return total

    def matrix(self) -> Value:
        kind = "".join(self.group())
        rows: list[list[Value]] = [[]]
        while True:
            rows[-1].append(self.sum() if kind == "pmatrix" or not rows[-1] else self.condition())
            mark = self.take()
            if mark == "\\end":
                self.group()
                break
            if mark == "\\\\":
                rows.append([])
        if kind == "cases":
            return next(value for value, holds in rows if holds)
        return np.block([[np.atleast_2d(cell) for cell in cells] for cells in rows])

    def condition(self) -> bool:
        """The right column of cases: "if y = 0"."""
        while self.peek() not in ("\\\\", "\\end"):
            if self.take() == "=":
                return bool(np.asarray(self.look_up("y")).item() == float(self.take()))
        raise AssertionError("a case without a condition")

    def symbol(self, token: str) -> Value:
        name = token
        if token in ("\\hat", "\\mathrm"):
            name = f"{token}{{{''.join(self.group())}}}"
        if token == "|":
            name = f"|{self.take()}{self.take('|')}"
        if self.peek() == "_":
            self.take()
            below = "".join(self.group())
            name += f"_{below}" if len(below) == 1 else f"_{{{below}}}"
        return self.look_up(name)

    def look_up(self, name: str) -> Value:
        assert name in self.values, f"no value for {name}"
        value = self.values[name]
        return value(self.index) if callable(value) else value


def evaluate(formula: str, values: Mapping[str, Value]) -> Value:
    """The value of one side of an equation."""
    return Reader(formula, values).read()
