"""Every formula of the slides, in the text and in the figures, is worked out on a real network and compared.

What a derivative is comes from central differences of a forward pass written out here; what the slides say of it is
read from their own TeX by `read_tex`. A formula that is only typeset fails, as does one that is wrong.
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from read_tex import evaluate, sides
from workshop import nudge

SLIDES = Path(__file__).parents[2] / "slides"
sys.path.insert(0, str(SLIDES))
import build  # noqa: E402

Values = dict[str, Any]
OBJ = r"\mathrm{OBJ}"
STEP = 1e-5
HAT = r"\hat{y}"


def sigma(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def forward(p: Mapping[str, Any], add: Mapping[str, Any]) -> Values:
    """Every quantity of the model that p describes, with add[name] added to each as it is made."""

    def moved(name: str, value: Any) -> Any:
        return value + add.get(name, 0.0)

    q = {name: moved(name, p[name]) for name in p}
    if "V" in p:
        q["t"] = moved("t", q["x"] @ q["V"] + q["c"])
        q["h"] = moved("h", sigma(q["t"]))
    q["s"] = moved("s", q.get("h", q["x"]) @ q["w"] + q["b"])
    q[HAT] = moved(HAT, sigma(q["s"]))
    q["L"] = moved("L", -(1 - q["y"]) * np.log(1 - q[HAT]) - q["y"] * np.log(q[HAT]))
    return q


def difference(p: Mapping[str, Any], name: str, entry: tuple[int, int], at: str = "L") -> Any:
    """Central difference of quantity `at` by one entry of `name`, times STEP."""
    bump = np.zeros_like(forward(p, {})[name])
    bump[entry] = STEP
    up, down = forward(p, {name: bump})[at], forward(p, {name: -bump})[at]
    return (up - down) / 2


def model(kind: str, p: Mapping[str, Any]) -> Values:
    """Symbols of the slides → values: quantities, their entries, and derivatives by central differences."""
    q = forward(p, {})
    values: Values = {name: value for name, value in q.items()}
    for name, value in q.items():
        slope = np.zeros_like(value)
        for entry in np.ndindex(value.shape):
            slope[entry] = difference(p, name, entry)[0, 0] / STEP
        values[f"dL/d{name}"] = slope
        for (i, j), number in np.ndenumerate(value):
            symbol = f"v_{{{i + 1}{j + 1}}}" if name == "V" else f"{name}_{max(i, j) + 1}"
            values[symbol], values[f"dL/d{symbol}"] = number, slope[i, j]
    values["p"] = q[HAT] if q["y"][0, 0] else 1 - q[HAT]
    values["e"] = np.e
    values[rf"d{HAT}/ds"] = difference(p, "s", (0, 0), HAT) / STEP
    return values


def from_graph(graph: nudge.Graph) -> Values:
    """The numbers of the figures, as arrays."""
    g = graph.given
    one = {name: np.array([[g[name]]]) for name in ("y", "b")}
    p = {**one, "x": np.array([[g["x1"], g["x2"]]]), "w": np.array([[g["w1"]], [g["w2"]]])}
    if "v11" in g:
        p |= {"V": np.array([[g["v11"], g["v12"]], [g["v21"], g["v22"]]]), "c": np.array([[g["c1"], g["c2"]]])}
    return p


def at_random(kind: str, y: float) -> Values:
    """A model of the same shape with other numbers."""
    draw = np.random.default_rng(int(90051 + y)).normal
    p = {"y": np.array([[y]]), "b": draw(size=(1, 1)), "x": draw(size=(1, 2)), "w": draw(size=(2, 1))}
    return p | ({"V": draw(size=(2, 2)), "c": draw(size=(1, 2))} if kind == "network" else {})


GIVEN = {"logistic": from_graph(nudge.logistic_regression()), "network": from_graph(nudge.one_hidden_layer())}


def models(kind: str) -> list[Values]:
    """The figures' own numbers first, then other ones with either label."""
    return [model(kind, p) for p in (GIVEN[kind], at_random(kind, 0.0), at_random(kind, 1.0))]


def squashing(name: str) -> list[Values]:
    """x, y and the slope of a squashing function."""
    function: Callable[[Any], Any] = {"sigmoid": sigma, "tanh": np.tanh}[name]
    made = []
    for x in (-1.3, 0.0, 0.7):
        slope = (function(x + STEP) - function(x - STEP)) / (2 * STEP)
        made.append({"x": x, "e": np.e, "y": function(x), "dy/dx": slope})
    return made


def descent(points_of_a_step: str) -> list[Values]:
    """The objective of logistic regression without bias, with grad for all points, for one, or for a subset S."""
    draw = np.random.default_rng(5)
    X, y, w, lam = draw.normal(size=(7, 3)), draw.integers(0, 2, 7), draw.normal(size=(3, 1)), 0.3
    subset, one = [1, 4, 6], 2

    def loss(w: Any, i: int) -> float:
        s = (X[i] @ w).item()
        return float(np.log1p(np.exp(s)) - y[i] * s)

    def penalty(w: Any) -> float:
        return 0.5 * float((w**2).sum())

    def slope(f: Callable[[Any], float]) -> Any:
        bumps = [STEP * np.eye(3)[:, [k]] for k in range(3)]
        return np.array([[(f(w + bump) - f(w - bump)) / (2 * STEP)] for bump in bumps])

    used = {"all": list(range(7)), "one": [one], "subset": subset}[points_of_a_step]

    def objective(w: Any) -> float:
        return sum(loss(w, i) for i in used) / len(used) + lam * penalty(w)

    def of(i: int | None) -> int:
        return one if i is None else i

    grad = slope(objective)
    return [
        {
            **{"points": range(7), "S": subset, "N": 7.0, "|S|": 3.0, r"\lambda": lam, r"\eta": 0.1, "w": w},
            **{OBJ: objective(w), "R": penalty(w), "dR/dw": slope(penalty), r"\mathrm{grad}": grad},
            **{"L": lambda i: loss(w, of(i)), "dL_i/dw": lambda i: slope(lambda w: loss(w, of(i)))},
            r"d\mathrm{obj}/dw": grad,
            "AFTER": w - 0.1 * grad,
        }
    ]


def stacked(each: list[Values], name: str) -> Any:
    """A row for each point."""
    return np.vstack([values[name] for values in each])


def one_by_one(each: list[Values], name: str) -> Callable[[int], Any]:
    """Point i's own value."""
    return lambda i: each[i][name]


def batch() -> list[Values]:
    """Both models on several points; derivatives of one point i by central differences, and rows that stack them."""
    made = []
    for kind in ("logistic", "network"):
        draw = np.random.default_rng(7)
        rows = [at_random(kind, float(i % 2)) | {"x": draw.normal(size=(1, 2))} for i in range(5)]
        each = [model(kind, rows[0] | {"x": row["x"], "y": row["y"]}) for row in rows]

        values: Values = {"points": range(5), "N": 5.0, "X": stacked(each, "x"), "w": each[0]["w"], "b": each[0]["b"]}
        values |= {name: stacked(each, name) for name in ("s", "y", HAT, "dL/db")}
        values |= {f"{name}_i": one_by_one(each, name) for name in ("x", "y", HAT)}
        values |= {f"dL_i/d{name}": one_by_one(each, f"dL/d{name}") for name in ("w", "b")}
        if kind == "network":
            values |= {
                "h": stacked(each, "h"),
                "h_i": one_by_one(each, "h"),
                "dL/dt": stacked(each, "dL/dt"),
                "dL_i/dt_i": one_by_one(each, "dL/dt"),
            }
            values |= {f"dL_i/d{name}": one_by_one(each, f"dL/d{name}") for name in ("V", "c")}
        made.append(values)
    return made


PLACES = [  # the first that fits the slide's title says what its symbols mean
    ("What we minimise", lambda: descent("all")),
    ("What too large a step does", lambda: descent("all")),
    ("From one point to a batch", lambda: batch()[:1]),
    ("The network on a batch", lambda: batch()[1:]),
    ("Gradient descent", lambda: descent("all")),
    ("SGD, online", lambda: descent("one")),
    ("SGD, mini-batch", lambda: descent("subset")),
    ("Sigmoid", lambda: squashing("sigmoid")),
    ("Tanh", lambda: squashing("tanh")),
]
# Read as they stand: a name is put for what is no arithmetic.
NAMES = {
    r"\min_\mathbf{w}\; \mathrm{obj}(\mathbf{w})": OBJ,
    r"L(f(\mathbf{x}_i; \mathbf{w}), y_i)": "L",
    r"R(\mathbf{w})": "R",
    r"p(y = y_i \mid \mathbf{x} = \mathbf{x}_i; \mathbf{W})": "p",
    r"p(y = 1 \mid \mathbf{x}; \mathbf{W})": HAT,
    r"f(\mathbf{x}; \mathbf{w}, b)": "s",
}
# The question of a heading, how indices run, and the shape of a check that works for any objective.
NO_ARITHMETIC = ("{?}", r"i = 1, 2, \ldots N")
DEFINITIONS = (
    "L_i =",
    "|S| =",
    r"\eta =",
    r"\lambda =",
    r"\delta =",
)  # what a letter stands for in the same slide's words


def slides() -> Iterator[tuple[int, str, str]]:
    """Number, title and text of each slide."""
    for number, text in enumerate(build.slides_of(build.markdown()), 1):
        title = re.search(r"^##? (.+)$", text, re.M)
        yield number, title.group(1) if title else "", text


def meaning(number: int, title: str) -> list[Values]:
    """The values of the symbols on a slide."""
    for start, make in PLACES:
        if title.startswith(start):
            return make()
    layer = next(n for n, _, text in slides() if 'aria-current="step">Networks' in text)
    return models("network" if number > layer else "logistic")


def split(text: str) -> list[str]:
    """Several equations on a line, each by itself."""
    return [part.strip(" ,") for part in re.split(r",?\s*\\q?quad(?![^{]*\\end)", text) if part.strip(" ,")]


def equations() -> list[Any]:
    """All equations of the slides' text."""
    found = []
    for number, title, text in slides():
        columns = title == "Side by side"
        for formula in build.formulas(text):
            if "=" not in formula and r"\leftarrow" not in formula:
                continue
            if any(piece in formula for piece in NO_ARITHMETIC) or formula.startswith(DEFINITIONS):
                continue
            for equation in split(formula):
                where = "mini-batch" if columns and "S" in equation else title
                found.append(pytest.param(number, where, equation, id=f"{number}: {equation}"))
    return found


def agree(equation: str, values: Values) -> None:
    """Every side of the equation has the same value; a number that is written out is right to its last digit."""
    for phrase, name in NAMES.items():
        equation = equation.replace(phrase, name)
    parts = sides(equation)
    results = [np.asarray(evaluate(part, values), float) for part in parts]
    for part, result in zip(parts[1:], results[1:], strict=True):
        written = re.fullmatch(r"[\s\\;]*(-?\s*\d*\.(\d+)(?:\s*[-+]\s*\d*\.\d+)*)[\s\\;]*", part)
        count = len(re.findall(r"\d\.", part))  # numbers that were rounded, each by itself
        tolerance = 0.5 * count * 10 ** -len(written.group(2)) + 1e-9 if written else 1e-8
        assert result.size == results[0].size, f"{part} has shape {result.shape}, {parts[0]} has {results[0].shape}"
        if results[0].size > 1:
            assert result.shape == results[0].shape
        np.testing.assert_allclose(result.ravel(), results[0].ravel(), rtol=1e-6, atol=tolerance)


@pytest.mark.parametrize(("number", "title", "equation"), equations())
def test_a_formula_of_the_text_holds(number: int, title: str, equation: str) -> None:
    places = descent("subset") if title == "mini-batch" else descent("all") if title == "Side by side" else None
    places = places or meaning(number, title)
    if r"\leftarrow" in equation:
        values = places[0]
        np.testing.assert_allclose(evaluate(equation.split(r"\leftarrow")[1], values), values["AFTER"], atol=1e-8)
        return
    literal = re.search(r"= *(\\; *)?-?[\d.]+$|pmatrix\} -?[\d.]+ ", equation)
    for values in places[:1] if literal else places:
        agree(equation, values)


def drawn() -> Iterator[tuple[str, str, str]]:
    """Figure, TeX and remaining attributes of every formula in a figure."""
    for file in sorted((SLIDES / "figures").glob("*.svg")):
        for tex, about in re.findall(r'data-tex="([^"]*)" data-size="[\d.]+" ([^>]*)', file.read_text("utf-8")):
            yield file.stem, html.unescape(tex), about


def kind_of(figure: str) -> str:
    return "network" if "network" in figure else "logistic"


FORMULAS = sorted({(kind_of(f), tex) for f, tex, _ in drawn() if "=" in tex and "partial" in tex})
AMOUNTS = [
    pytest.param(f, tex, *[*re.findall(r'data-(?:nudged|at|via)="(\w+)"', about), ""][:3], id=f"{f}: {tex}")
    for f, tex, about in drawn()
    if "data-nudged" in about
]


@pytest.mark.parametrize(("kind", "equation"), FORMULAS)
def test_a_formula_of_a_figure_holds(kind: str, equation: str) -> None:
    literal = re.search(r"= -?[\d.]+$", equation)
    for values in models(kind)[: 1 if literal else None]:
        agree(equation, values)


def locate(name: str) -> tuple[str, tuple[int, int]]:
    """A quantity of the graph as an array and an entry of it: v12 → V[0, 1]."""
    if name == "y_hat":
        return HAT, (0, 0)
    letter, index = name.rstrip("12"), name[len(name.rstrip("12")) :]
    if len(index) == 2:
        return "V", (int(index[0]) - 1, int(index[1]) - 1)
    at = int(index or 1) - 1
    return letter, (at, 0) if letter == "w" else (0, at)


@pytest.mark.parametrize(("figure", "amount", "start", "at", "via"), AMOUNTS)
def test_a_nudge_arrives_in_the_size_that_is_written(figure: str, amount: str, start: str, at: str, via: str) -> None:
    kind = kind_of(figure)
    for p in (GIVEN[kind], at_random(kind, 0.0), at_random(kind, 1.0)):
        written = evaluate(amount, {**model(kind, p), r"\delta": STEP})
        name, entry = locate(start)
        target, target_entry = locate(at)
        arrived = difference(p, name, entry, target)[target_entry]
        if via:  # the share of one path: what reached the box on it, sent on from there alone
            through, place = locate(via)
            arrived = (
                difference(p, name, entry, through)[place] / STEP * difference(p, through, place, target)[target_entry]
            )
        assert np.asarray(written).item() == pytest.approx(arrived, rel=1e-6, abs=1e-13)


def test_every_derivative_in_a_figure_stands_in_an_equation_or_is_the_label_of_an_arrow() -> None:
    for figure, tex, about in drawn():
        if "partial" in tex and "=" not in tex and "data-nudged" not in about:
            assert re.fullmatch(r"\\partial L/\\partial ([A-Za-z](_\d)?|\\mathbf\{[A-Za-z]\})", tex), (figure, tex)


def test_a_wrong_formula_is_found_out() -> None:
    for wrong in (
        r"\frac{\partial L}{\partial w} = \frac{\partial L}{\partial b} x",
        r"\frac{\partial L}{\partial t} = h(1 + h) \odot \frac{\partial L}{\partial h}",
        r"\frac{\partial L}{\partial x_1} = v_{11} \frac{\partial L}{\partial t_1}",
    ):
        with pytest.raises(AssertionError):
            agree(wrong, models("network")[0])
