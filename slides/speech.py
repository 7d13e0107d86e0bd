"""A formula in words, for a screen reader, and in one line of plain text, for a search: both from its TeX.

>>> spoken(r"\\frac{1}{1 + e^{-x}}")
'1 over open bracket 1 plus e to the minus x close bracket'
>>> plain(r"\\frac{\\partial L}{\\partial w_1} = x_1 (\\hat{y} - y)")
'∂L/∂w₁ = x₁(ŷ − y)'
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKEN = re.compile(r"\\[a-zA-Z]+|\\\\|\\.|\d+\.\d+|\d|[a-zA-Z]|\S| ")
SPACE = {" ", "\\,", "\\;", "\\!", "\\displaystyle", "\\left", "\\right"}
LETTERS = {"eta": "η", "lambda": "λ", "delta": "δ", "sigma": "σ", "epsilon": "ε", "theta": "θ", "Delta": "Δ"}
WORDS = {  # a sign → its words
    **{"=": "equals", "+": "plus", "-": "minus", "/": "over", "<": "is less than", ">": "is greater than", "?": "what"},
    **{"\\partial": "d", "\\Delta": "the change of", "\\odot": "times, entry by entry,", "\\leftarrow": "becomes"},
    **{"\\to": "goes to", "\\mid": "given", "\\in": "in", "\\ldots": "and so on to", "\\approx": "is about", ";": ";"},
    **{"(": "open bracket", ")": "close bracket", "[": "open bracket", "]": "close bracket", "\\cdot": "times"},
    **{
        "\\quad": ",",
        "\\qquad": ",",
        "\\infty": "infinity",
        "\\times": "times",
        "\\le": "is at most",
        "\\log": "log of",
    },
    **{"\\pm": "plus or minus"},
}
SIGNS = {  # a sign → how it is typed
    **{"\\partial": "∂", "\\odot": " ⊙ ", "\\leftarrow": " ← ", "\\to": " → ", "\\mid": " | ", "\\in": " ∈ "},
    **{"\\ldots": "…", "\\approx": " ≈ ", "-": " − ", "+": " + ", "=": " = ", "\\quad": "  ", "\\qquad": "  "},
    **{"\\infty": "∞", "\\times": " × ", "\\cdot": " · ", ",": ", ", ";": "; ", "<": " < ", ">": " > ", "\\le": " ≤ "},
    **{"\\log": "log ", "\\pm": "±"},
}
FUNCTIONS = {"\\sigma", "\\tanh", "f", "L", "R", "p"}
LOW, HIGH = str.maketrans("0123456789ij", "₀₁₂₃₄₅₆₇₈₉ᵢⱼ"), str.maketrans("0123456789−+x", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ˣ")


@dataclass(frozen=True)
class Part:
    """A piece of a formula: a sign by itself, or a construction with its parts."""

    kind: str  # "sign", "group", "frac", "low", "high", "hat", "bold", "size", "text", "word", "matrix", "cases"
    text: str = ""
    parts: tuple[Part, ...] = ()
    rows: tuple[tuple[Part, ...], ...] = ()


@dataclass
class _Reader:
    tokens: list[str]
    at: int = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def run(self, *ends: str) -> Part:
        """What stands up to one of `ends`, which is left where it is."""
        parts: list[Part] = []
        while self.peek() and self.peek() not in ends:
            token = self.take()
            if token in SPACE:
                continue
            if token in "^_":
                base = parts.pop() if parts else Part("group")
                parts.append(Part("high" if token == "^" else "low", parts=(base, self.argument())))
            else:
                parts.append(self.made(token))
        return Part("group", parts=tuple(parts))

    def argument(self) -> Part:
        while self.peek() == " ":
            self.take()
        token = self.take()
        return self.made(token)

    def raw(self) -> str:
        """A braced group as it is written."""
        self.take()
        text = ""
        while self.peek() != "}":
            text += self.take()
        self.take()
        return text

    def made(self, token: str) -> Part:
        if token == "{":
            inner = self.run("}")
            self.take()
            return inner
        if token in ("\\frac", "\\dfrac", "\\tfrac"):
            return Part("frac", parts=(self.argument(), self.argument()))
        if token == "\\hat":
            return Part("hat", parts=(self.argument(),))
        if token == "\\mathbf":
            return Part("bold", parts=(self.argument(),))
        if token in ("\\text", "\\texttt", "\\operatorname"):
            return Part("text", self.raw().strip())
        if token == "\\mathrm":
            return Part("word", self.raw())
        if token == "|":
            inner = self.run("|")
            self.take()
            return Part("size", parts=(inner,))
        if token == "\\begin":
            return self.table(self.raw())
        return Part("sign", token)

    def table(self, kind: str) -> Part:
        rows: list[list[Part]] = [[]]
        while True:
            rows[-1].append(self.run("&", "\\\\", "\\end"))
            mark = self.take()
            if mark == "\\\\":
                rows.append([])
            if mark == "\\end":
                self.raw()
                return Part("cases" if kind == "cases" else "matrix", rows=tuple(map(tuple, rows)))


def parse(formula: str) -> Part:
    """The formula as a tree."""
    return _Reader(TOKEN.findall(formula)).run()


def _single(part: Part) -> bool:
    """Whether it needs no brackets when something is done to it as a whole."""
    if part.kind != "group":
        return part.kind != "frac"
    parts = part.parts
    slope = bool(parts) and parts[0] in (Part("sign", "\\partial"), Part("sign", "d"))
    digits = all(p.kind == "sign" and re.fullmatch(r"[\d.]+", p.text) for p in parts)
    return len(parts) <= 1 or slope or digits or (len(parts) == 2 and parts[0] == Part("sign", "-"))


def spoken(formula: str) -> str:
    """A formula in words; brackets that only the layout shows are said too."""
    text = " ".join(_say(parse(formula)).split())
    return re.sub(r"(\s*[,;:])+", lambda found: found.group().strip()[0], text).strip(" ,")


def _bracketed(part: Part) -> str:
    return _say(part) if _single(part) else f"open bracket {_say(part)} close bracket"


def _say(part: Part) -> str:
    if part.kind == "group":
        return _say_row(part.parts)
    if part.kind == "frac":
        return f" {_bracketed(part.parts[0])} over {_bracketed(part.parts[1])} "
    if part.kind == "high":
        base, power = part.parts
        if base.kind == "low" and base.parts[0] == Part("sign", "\\sum"):
            return f"{_say(base).removesuffix(' of')} to {_say(power)} of"
        if power == Part("sign", "\\top"):
            return f"{_say(base)} transposed"
        if power == Part("sign", "2"):
            return f"{_say(base)} squared"
        return f"{_say(base)} to the {_bracketed(power)}"
    if part.kind == "low":
        return _say_low(*part.parts)
    if part.kind == "hat":
        return f"{_say(part.parts[0])} hat"
    if part.kind == "bold":
        letter = _say(part.parts[0])
        return f"{'matrix' if letter.isupper() else 'vector'} {letter}"
    if part.kind == "size":
        return f"the size of {_say(part.parts[0])}"
    if part.kind in ("text", "word"):
        return part.text
    if part.kind == "cases":
        return " or ".join(" ".join(map(_say, row)) for row in part.rows).join(["either ", ""])
    if part.kind == "matrix":
        rows = [f"row {i}: {', '.join(map(_say, row))}" for i, row in enumerate(part.rows, 1)]
        return f" the matrix, {'; '.join(rows)}, end of matrix "
    name = part.text.removeprefix("\\")
    return WORDS.get(part.text, "the sum of" if name == "sum" else name)


def _say_row(parts: tuple[Part, ...]) -> str:
    if all(p.kind == "sign" and re.fullmatch(r"[\d.]+", p.text) for p in parts):
        return "".join(p.text for p in parts)
    said = ""
    for part, after in zip(parts, [*parts[1:], Part("group")], strict=True):
        digits = part.text.isdigit() and said[-1:].isdigit() and said[-2:-1] in ("", " ", *"0123456789")
        said += ("" if digits else " ") + _say(part)
        if after.text == "(" and (part.text in FUNCTIONS or part.kind == "word"):
            said += " of"
    return said


def _say_low(base: Part, below: Part) -> str:
    if base == Part("sign", "\\sum"):
        return f"the sum over {_say(below).replace('equals', 'from')} of"
    if base == Part("sign", "\\min"):
        return f"the minimum over {_say(below)} of"
    return f"{_say(base)} {' '.join(map(_say, below.parts or (below,)))}"


def plain(formula: str) -> str:
    """A formula in one line, as a person would type it into a search."""
    return re.sub(r" {2,}", "  ", _type(parse(formula))).strip()


def _type(part: Part) -> str:
    if part.kind == "group":
        return _type_row(part.parts)
    if part.kind == "frac":
        return "/".join(_type(p) if _single(p) else f"({_type(p)})" for p in part.parts)
    if part.kind in ("high", "low"):
        return _type_script(*part.parts, part.kind)
    if part.kind == "hat":
        return {"y": "ŷ"}.get(_type(part.parts[0]), _type(part.parts[0]) + "\u0302")
    if part.kind == "bold":
        return _type(part.parts[0])
    if part.kind == "size":
        return f"|{_type(part.parts[0])}|"
    if part.kind == "text":
        return f" {part.text} "
    if part.kind == "word":
        return part.text
    if part.rows:
        return f"[{'; '.join(' '.join(map(_type, row)) for row in part.rows)}]"
    name = part.text.removeprefix("\\")
    return SIGNS.get(
        part.text, {"sum": "Σ", "min": "min", "tanh": "tanh", "top": "ᵀ"}.get(name, LETTERS.get(name, name))
    )


def _type_row(parts: tuple[Part, ...]) -> str:
    typed = ""
    for part in parts:
        unary = part.text in ("+", "-") and (not typed or typed.rstrip()[-1] in "=([,;:→|")
        name = part.text in ("\\log", "\\tanh") or part.kind == "word"
        typed += " " if name and typed and (typed[-1].isalpha() or typed[-1] in ")₀₁₂") else ""
        typed += _type(part).strip() if unary else _type(part)
    return typed.replace("log (", "log(")


def _type_script(base: Part, script: Part, kind: str) -> str:
    if script == Part("sign", "\\top"):
        return f"{_type(base)}ᵀ"
    text = _type(script).replace(" ", "")
    table = HIGH if kind == "high" else LOW
    if base == Part("sign", "\\sum"):
        return f" Σ_({text}) " if len(text) > 1 else f" Σ_{text} "
    if base.kind == "low" and base.parts[0] == Part("sign", "\\sum"):
        return f"{_type(base).rstrip()}^{text} "
    if base == Part("sign", "\\min"):
        return f"min_{text} "
    if all(ord(c) in table for c in text):
        return _type(base) + text.translate(table)
    return f"{_type(base)}{'^' if kind == 'high' else '_'}{text if len(text) == 1 else f'({text})'}"
