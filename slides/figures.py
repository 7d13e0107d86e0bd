"""Every figure of the slides by name: the curves are drawn here, the computation graphs by `graphs`."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import contourpy
import numpy as np
from graphs import (
    VECTORS,
    Arrival,
    Back,
    Collect,
    backward,
    becoming_vectors,
    forward,
    nudge_figure,
    spoken,
    vector_form,
)
from ink import (
    CENTRAL,
    CLASSES,
    CONTOUR,
    DASHED,
    INK,
    NUDGE,
    PAPER,
    SIZE,
    SLOPE,
    SMALL,
    SOFT,
    TRACES,
    WIDTH,
    Figure,
    Layer,
    Point,
    line,
    number,
    outline,
    tex,
    words,
)
from numpy.typing import NDArray

from workshop import nudge, points
from workshop.nudge import Graph
from workshop.plots import CLASS_MARKERS


def alike(numbers: Sequence[float]) -> list[str]:
    """Numbers with as many decimals as the one that needs most, so that an axis reads as one."""
    most = max((len(f"{x:g}".partition(".")[2]) for x in numbers), default=0)
    return [f"{x:.{most}f}" for x in numbers]


@dataclass(frozen=True)
class Axes:
    """A rectangle of the page and the numbers at its edges."""

    left: float
    top: float
    width: float
    height: float
    x: Point
    y: Point

    def place(self, x: float, y: float) -> Point:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + across * self.width, self.top + (1 - up) * self.height

    def frame(
        self,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        x_name: str,
        y_name: str,
        y_shown: Sequence[str] = (),
    ) -> Layer:
        """Axes with ticks, and what is drawn along them; `y_shown` is written at the ticks of y in place of numbers."""
        bottom, right = self.top + self.height, self.left + self.width
        marks = [line([(self.left, self.top), (self.left, bottom), (right, bottom)], SOFT, 2)]
        for tick, shown in zip(x_ticks, alike(x_ticks), strict=True):
            x, _ = self.place(tick, self.y[0])
            marks += [line([(x, bottom), (x, bottom + 7)], SOFT, 2), tex(shown, (x, bottom + 26), SMALL, SOFT)]
        for tick, shown in zip(y_ticks, y_shown or alike(y_ticks), strict=True):
            _, y = self.place(self.x[0], tick)
            marks += [line([(self.left - 7, y), (self.left, y)], SOFT, 2)]
            marks += [tex(shown, (self.left - 14, y), SMALL, SOFT, "end")]
        marks.append(tex(x_name, (right, bottom + 56), SIZE, INK, "end"))
        if y_name:
            marks.append(tex(y_name, (self.left, self.top - 24), SIZE))
        return marks

    def curve(self, function: Callable[[float], float], colour: str, more: str = "") -> str:
        """A function's graph, cut off where it leaves the frame."""
        xs = [self.x[0] + (self.x[1] - self.x[0]) * i / 120 for i in range(121)]
        points = [(x, function(x)) for x in xs]
        return line([self.place(x, y) for x, y in points if self.y[0] <= y <= self.y[1]], colour, 4, more=more)


def squashing(name: str, function: Callable[[float], float], slope: Callable[[float], float], low: float) -> Figure:
    """A squashing function, then its slope."""
    axes = Axes(70, 30, 470, 330, (-4, 4), (low, 1))
    first = axes.frame([-4, -2, 0, 2, 4], [low, 0, 1] if low else [0, 0.5, 1], "x", "")
    first.append(line([axes.place(-4, 0), axes.place(4, 0)], CONTOUR, 1.5))
    first += [axes.curve(function, INK), tex("y", axes.place(3.4, 0.84), SIZE)]
    step = [axes.curve(slope, SLOPE)]
    step.append(tex(r"\dfrac{dy}{dx}", axes.place(-2.1 if not low else -1.6, 0.28 if not low else 0.62), SIZE, SLOPE))
    return Figure(560, 440, f"The {name} of x from minus 4 to 4, and its slope, which is largest at 0.", [first, step])


def losses() -> Figure:
    """Log-loss against ŷ for the two labels: a step each."""
    axes = Axes(70, 44, 470, 320, (0, 1), (0, 4))
    figure = Figure(560, 440, "Log-loss against y hat: it rises without bound as y hat nears the wrong label.")
    figure.layers[0] = axes.frame([0, 0.5, 1], [0, 2, 4], r"\hat{y}", "L")
    zero = axes.curve(_loss_of_zero, CLASSES[0])
    one = axes.curve(lambda p: -math.log(p) if p else math.inf, CLASSES[1], DASHED)
    figure.layers.append([zero, tex("y = 0", axes.place(0.73, 2.6), SIZE, CLASSES[0])])
    figure.layers.append([one, tex("y = 1", axes.place(0.27, 2.6), SIZE, CLASSES[1])])
    return figure


def _loss_of_zero(p: float) -> float:
    return -math.log(1 - p) if p < 1 else math.inf


Weights = tuple[float, float]
Array = NDArray[np.float64]


def small_problem() -> list[dict[str, float]]:
    """Twenty points of two overlapping classes, as what is given to the graph of logistic regression."""
    draw = random.Random(5)
    points = []
    for i in range(20):
        y = float(i % 2)
        points.append(
            {"y": y, "x1": draw.gauss(2.2 * (y - 0.5), 2.0), "x2": draw.gauss(1.1 * (y - 0.5), 0.7), "b": 0.0}
        )
    return points


def mean_loss(points: Sequence[dict[str, float]], w: Weights, lam: float = 0.02) -> float:
    """The objective of the deck for weights w, no bias."""
    graph = nudge.logistic_regression()
    total = sum(nudge.evaluate(graph, {**point, "w1": w[0], "w2": w[1]})["L"] for point in points)
    return total / len(points) + lam * 0.5 * (w[0] ** 2 + w[1] ** 2)


def mean_slope(points: Sequence[dict[str, float]], w: Weights, lam: float = 0.02) -> Weights:
    """Its derivatives, by backpropagation on the graph of each point."""
    graph = nudge.logistic_regression()
    grads = [nudge.derivatives(graph, nudge.evaluate(graph, {**p, "w1": w[0], "w2": w[1]})) for p in points]
    by = [sum(grad[name] for grad in grads) / len(points) for name in ("w1", "w2")]
    return by[0] + lam * w[0], by[1] + lam * w[1]


def descend(points: Sequence[dict[str, float]], batch: int, epochs: int, eta: float, start: Weights) -> list[Weights]:
    """The weights after each step; mini-batches are drawn anew every epoch."""
    draw, w = random.Random(1), start
    path = [w]
    for _ in range(epochs):
        order = list(points)
        draw.shuffle(order)
        for first in range(0, len(order), batch):
            by = mean_slope(order[first : first + batch], w)
            w = (w[0] - eta * by[0], w[1] - eta * by[1])
            path.append(w)
    return path


STEPS = 40


def paths() -> Figure:
    """Gradient descent, mini-batches and online SGD, the same number of steps from the same start, on one objective."""
    points, start, eta = small_problem(), (-1.0, 2.4), 0.6
    axes = Axes(70, 44, 640, 400, (-1.6, 2.2), (-0.6, 3.0))
    xs, ys = np.linspace(*axes.x, 41), np.linspace(*axes.y, 41)
    grid = np.array([[mean_loss(points, (float(x), float(y))) for x in xs] for y in ys])
    lines = contourpy.contour_generator(xs, ys, grid)
    first: Layer = []
    for level in np.quantile(grid, [0.02, 0.07, 0.14, 0.23, 0.34, 0.46, 0.6, 0.75, 0.9]):
        for piece in cast("list[list[Point]]", lines.lines(float(level))):
            first.append(line([axes.place(x, y) for x, y in piece], CONTOUR, 1.5))
    first += axes.frame([-1, 0, 1, 2], [0, 1, 2, 3], "w_1", "w_2")
    x, y = axes.place(*start)
    first.append(words("start", (x, y - 24), SMALL, INK))
    figure = Figure(1180, 524, "Contours of one objective, and three paths of forty steps across them.", [first])
    kinds = [
        (20, "Gradient descent", "20 points a step: smooth"),
        (5, "Mini-batches", "5 points a step: a little restless"),
        (1, "Online", "1 point a step: cheap and noisy"),
    ]
    for i, ((batch, name, remark), (colour, _)) in enumerate(zip(kinds, TRACES, strict=False)):
        path = descend(points, batch, STEPS, eta, start)[: STEPS + 1]
        at = [axes.place(*w) for w in path]
        marks = [mark(i, px, py, 4, colour) for px, py in at] + [mark(i, *at[-1], 10, colour)]
        top = 70 + 118 * i
        figure.layers.append(
            [
                line(at, colour, 2.5, more='class="path" pathLength="1"'),
                *marks,
                line([(752, top), (812, top)], colour, 3),
                mark(i, 782, top, 10, colour),
                words(name, (828, top), 30, INK, "start"),
                words(remark, (828, top + 38), SMALL, INK, "start"),
            ]
        )
    return figure


RATES = {0.01: "crawls", 0.5: "arrives", 32: "bounces for ever", 220: "grows without end"}  # kept true by a test
LAMBDA = 0.01


def gradient_descent(X: Array, y: Array, eta: float, steps: int, lam: float = LAMBDA) -> tuple[Array, float, Array]:
    """Logistic regression from w = 0, b = 0: w, b and the objective before each step and after the last."""
    w, b, heights = np.zeros(X.shape[1]), 0.0, []
    for _ in range(steps + 1):
        s = X @ w + b
        heights.append(float(np.mean(np.logaddexp(0, s) - y * s) + lam * 0.5 * w @ w))
        error = 0.5 * (1 + np.tanh(s / 2)) - y  # σ(s) − y, for any s
        w, b = w - eta * (X.T @ error / len(y) + lam * w), b - eta * float(np.mean(error))
    return w, b, np.array(heights)


def train_network(X: Array, y: Array, n_hidden: int, seed: int, epochs: int = 500) -> dict[str, Array]:
    """A network with one hidden layer after so many epochs of SGD."""
    eta, batch, lam = 1.0, 10, 1e-4
    draw = np.random.default_rng(seed)
    V, c = draw.normal(0, 0.5, (X.shape[1], n_hidden)), np.zeros(n_hidden)
    w, b = draw.normal(0, 0.5, n_hidden), np.zeros(())
    for _ in range(epochs):
        order = draw.permutation(len(y))
        for first in range(0, len(y), batch):
            x, truth = X[order[first : first + batch]], y[order[first : first + batch]]
            h = _sigma(x @ V + c)
            by_s = (_sigma(h @ w + b) - truth) / len(truth)
            by_t = h * (1 - h) * by_s[:, None] * w
            w, b = w - eta * (h.T @ by_s + lam * w), b - eta * by_s.sum()
            V, c = V - eta * (x.T @ by_t + lam * V), c - eta * by_t.sum(axis=0)
    return {"V": V, "c": c, "w": w, "b": b}


def mark(shape: int, x: float, y: float, radius: float, colour: str) -> str:
    """A circle, a square or a triangle."""
    fill = f'fill="{colour}" stroke="{PAPER}" stroke-width="1.5"'
    if shape == 0:
        return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" {fill}/>'
    near, far = 0.9 * radius, 1.15 * radius
    corners = [(x - near, y - near), (x + near, y - near), (x + near, y + near), (x - near, y + near)]
    if shape == 2:
        corners = [(x, y - far), (x + far, y + 0.8 * far), (x - far, y + 0.8 * far)]
    return f'<path d="M{"L".join(f"{number(a)} {number(b)}" for a, b in corners)}Z" {fill}/>'


def dots(axes: Axes, X: Array, y: Array, radius: float = 8) -> Layer:
    """The points: each class has its colour and its shape."""
    shapes = ["os^".index(marker) for marker in CLASS_MARKERS]
    return [
        mark(shapes[int(label)], *axes.place(float(x1), float(x2)), radius, CLASSES[int(label)])
        for (x1, x2), label in zip(X, y, strict=True)
    ]


def key_to_classes(x: float, y: float) -> Layer:
    """What the shapes stand for, in one line."""
    marks: Layer = []
    for label in (0, 1):
        here = Axes(x + 110 * label, y, 0, 0, (0, 1), (0, 1))
        marks += dots(here, np.zeros((1, 2)), np.array([label]))
        marks.append(tex(f"y = {label}", (x + 18 + 110 * label, y), SMALL, INK, "start"))
    return marks


def demo_still() -> Figure:
    """What the live demo shows: points with the boundary found, and the objective for four step sizes."""
    X, y = points.blobs(rng=5, noise=1.4)
    X = points.standardise(X)
    w, b, _ = gradient_descent(X, y, 0.5, 200)
    left = Axes(60, 60, 400, 350, (-2.5, 2.5), (-2.5, 2.5))
    marks = left.frame([-2, 0, 2], [-2, 0, 2], "x_1", "x_2")
    ends = [(-(b + w[1] * x2) / w[0], x2) for x2 in left.y]
    marks += [line([left.place(float(x1), x2) for x1, x2 in ends], INK, 4), *dots(left, X, y), *key_to_classes(250, 36)]
    right = Axes(640, 60, 290, 350, (0, STEPS), (-1, 3))
    shown = ["0.1", "1", "10", "100", r"1\,000"]
    marks += right.frame([0, 20, 40], [-1, 0, 1, 2, 3], r"\mathrm{step}", r"\mathrm{obj}", shown)
    ends_at: list[float] = []
    for eta, (colour, dash) in zip(RATES, TRACES, strict=True):
        heights = np.log10(gradient_descent(X, y, eta, STEPS)[2])
        inside = [(float(i), float(height)) for i, height in enumerate(heights) if height <= right.y[1]]
        if len(inside) <= STEPS:  # it leaves through the top
            low, high = heights[len(inside) - 1 : len(inside) + 1]
            inside.append((len(inside) - 1 + (right.y[1] - low) / (high - low), right.y[1]))
        marks.append(line([right.place(*at) for at in inside], colour, 3.5, head=len(inside) <= STEPS, more=dash))
        ends_at.append(right.place(*inside[-1])[1])
    free = 420.0  # labels stand in the order of the lines' ends, and none on another
    for end, (eta, says), (colour, dash) in sorted(zip(ends_at, RATES.items(), TRACES, strict=True), reverse=True):
        free = max(70.0, min(free - 68, end))
        marks += [line([(948, free - 14), (992, free - 14)], colour, 4, more=dash)]
        marks.append(tex(rf"\eta = {eta}", (1004, free - 14), SMALL, INK, "start"))
        marks.append(words(says, (1004, free + 16), SMALL, SOFT, "start"))
    what = "The points of the first notebook and the straight boundary found; beside it the objective by step, for "
    what += ", ".join(f"eta {eta}: {says}" for eta, says in RATES.items())
    return Figure(WIDTH, 500, what + ".", [marks])


def network_still() -> Figure:
    """What the live demo of the network shows: S-shaped points, with boundaries of few hidden units."""
    X, y = points.s_shape(rng=38, gap=5.0)
    X = points.standardise(X)
    figure = Figure(WIDTH, 480, "The S-shaped points, with the boundary of one, of two and of three hidden units.")
    grid = np.linspace(-2.2, 2.2, 61)
    plane = np.stack(np.meshgrid(grid, grid), axis=-1)
    for i, n_hidden in enumerate((1, 2, 3)):
        axes = Axes(60 + 400 * i, 50, 320, 320, (-2.2, 2.2), (-2.2, 2.2))
        p = train_network(X, y, n_hidden, 2)

        def s(x: Array, p: dict[str, Array] = p) -> Array:
            return np.asarray(_sigma(x @ p["V"] + p["c"]) @ p["w"] + p["b"])

        marks = axes.frame([-2, 0, 2], [-2, 0, 2], "x_1", "x_2")
        for piece in cast("list[list[Point]]", contourpy.contour_generator(grid, grid, s(plane)).lines(0.0)):
            marks.append(line([axes.place(x1, x2) for x1, x2 in piece], INK, 4))
        right = float(np.mean((s(X) > 0) == (y == 1)))
        marks += [*dots(axes, X, y, 6), tex(f"H = {n_hidden}", (60 + 400 * i + 160, 24), SIZE)]
        marks.append(words(f"{100 * right:.1f} % right", (60 + 400 * i, 450), SMALL, INK, "start"))
        figure.layers[0] += marks
    return figure


def ratios(graph: Graph, name: str, symbol: str) -> Figure:
    """ΔL/δ against δ, one-sided and central, with the derivative: how they part as δ grows."""
    values = nudge.evaluate(graph)
    exact = nudge.derivatives(graph, values)[name]

    def moved(delta: float) -> float:
        return nudge.nudged(graph, values, name, delta)["L"]

    def one_sided(delta: float) -> float:
        return (moved(delta) - values["L"]) / delta if delta else exact

    def central(delta: float) -> float:
        return (moved(delta) - moved(-delta)) / (2 * delta) if delta else exact

    curves = [one_sided(-2), one_sided(2), central(2), exact]
    low, high = min(curves), max(curves)
    margin = 0.1 * (high - low)
    axes = Axes(90, 44, 500, 350, (-2, 2), (low - margin, high + margin))
    gap = next(step for step in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if (high - low) / step <= 5)
    ticks = [gap * i for i in range(math.ceil(axes.y[0] / gap), math.floor(axes.y[1] / gap) + 1)]
    marks = axes.frame([-2, -1, 0, 1, 2], ticks, r"\delta", r"\Delta L\,/\,\delta")
    marks += [
        line([axes.place(-2, exact), axes.place(2, exact)], SLOPE, 3),
        axes.curve(one_sided, NUDGE),
        axes.curve(central, CENTRAL, DASHED),
    ]
    derivative = rf"\dfrac{{\partial L}}{{\partial {symbol}}}"
    columns = [690, 880, 1070]
    heads = [r"\delta", r"\dfrac{L(+\delta) - L}{\delta}", r"\dfrac{L(+\delta) - L(-\delta)}{2\delta}"]
    colours = [INK, NUDGE, CENTRAL]
    marks += [tex(head, (x, 40), SMALL, c) for head, x, c in zip(heads, columns, colours, strict=True)]
    for x, colour, more in [(880, NUDGE, ""), (1070, CENTRAL, DASHED)]:
        marks.append(line([(x - 50, 94), (x + 50, 94)], colour, 4, more=more))
    for row, delta in enumerate([1, 0.1, 0.01, 0.001]):
        y = 136 + 52 * row
        cells = [f"{one_sided(delta):.5f}", f"{central(delta):.5f}"]
        marks += [tex(cell, (x, y), SIZE, c) for cell, x, c in zip(cells, columns[1:], colours[1:], strict=True)]
        marks.append(_by_its_point(f"{delta:g}", (columns[0] - 24, y)))
    marks += [line([(640, 346), (1170, 346)], SOFT, 1.5), tex(f"{derivative} = {exact:.5f}", (905, 396), SIZE, SLOPE)]
    says = f"The change of L divided by delta, for a nudge of {spoken(name)}: near the derivative for small delta only."
    return Figure(1180, 474, says, [marks])


def _by_its_point(written: str, at: Point) -> str:
    """A number whose decimal point, or place for one, stands at the point given: a column of them is aligned."""
    _, (x0, _), (x1, _) = outline(written.partition(".")[0], SIZE)
    return tex(written, (at[0] - (x1 - x0), at[1]), SIZE, INK, "start")


ERROR = r"(\hat{y} - y)"
SLOPE_OUT = r"\hat{y}(1 - \hat{y})"
D, SHORT = r"\dfrac{\partial L}{\partial %s}", r"\partial L/\partial %s"
BOLD = {letter: rf"\mathbf{{{letter}}}" for letter in VECTORS}


@cache
def all_figures() -> dict[str, Figure]:
    """Every figure by the name of its file."""
    return {**curve_figures(), **logistic_figures(), **network_figures()}


def curve_figures() -> dict[str, Figure]:
    """The figures that are no graphs."""
    return {
        "sigmoid": squashing("sigmoid", _sigma, lambda x: _sigma(x) * (1 - _sigma(x)), 0),
        "tanh": squashing("hyperbolic tangent", math.tanh, lambda x: 1 - math.tanh(x) ** 2, -1),
        "log-loss": losses(),
        "paths": paths(),
        "demo": demo_still(),
        "demo-network": network_still(),
        "nudge-logistic": ratios(nudge.logistic_regression(), "w1", "w_1"),
        "nudge-network": ratios(nudge.one_hidden_layer(), "v11", "v_{11}"),
    }


def from_s(factor: str, level: int, anchor: str = "middle") -> list[Arrival]:
    """What becomes of a nudge that has reached s as factor·δ: on ŷ, `level` lines above it, and on L."""
    return [
        Arrival("y_hat", rf"+{factor}{SLOPE_OUT}\delta", "above", "middle" if level == 1 else "end", level),
        Arrival("L", rf"+{factor}{ERROR}\delta", "below", anchor, 1 if anchor == "middle" else 2),
    ]


def logistic_figures() -> dict[str, Figure]:
    """The graph of logistic regression, step by step."""
    one = nudge.logistic_regression()
    return {
        "logistic-forward": forward(one),
        "logistic-nudge-s": nudge_figure(one, "s", from_s("", 1)),
        "logistic-nudge-b": nudge_figure(one, "b", [Arrival("s", r"+\delta"), *from_s("", 1)]),
        "logistic-nudge-w1": nudge_figure(one, "w1", [Arrival("s", r"+x_1\delta"), *from_s("x_1", 1)]),
        "logistic-backward": backward(
            one,
            [
                Collect((Back("y_hat", "L"), Back("s", "y_hat", SHORT % "s", (0, 34))), (D % "s" + r" = \hat{y} - y",)),
                Collect((Back("one", "s", SHORT % "b", (56, 20), 14, True),), (D % "b" + r" = \hat{y} - y",)),
                Collect((Back("x1", "s", SHORT % "w_1", (66, -22), -14, True),), (D % "w_1" + " = x_1 " + D % "b",)),
                Collect((Back("x2", "s", SHORT % "w_2", (-119, 25), 14, True),), (D % "w_2" + " = x_2 " + D % "b",)),
            ],
            "Red arrows run from L back to s, then to b, w 1 and w 2.",
            4,
        ),
        "logistic-vector": becoming_vectors(one),
    }


def both_paths() -> list[Arrival]:
    """A nudge of x₁, which goes by both hidden units: the share of each, and their sum at L."""
    arrivals = []
    for k in (1, 2):
        come, side = rf"+v_{{1{k}}}", "above" if k == 1 else "below"
        hidden = rf"h_{k}(1 - h_{k})"
        arrivals += [Arrival(f"t{k}", rf"{come}\delta", side), Arrival(f"h{k}", rf"{come}{hidden}\delta", side)]
    for k in (1, 2):
        share = rf"+v_{{1{k}}}h_{k}(1 - h_{k})w_{k}"
        arrivals.append(Arrival("s", rf"{share}\delta", level=3 - k, via=f"t{k}"))
        arrivals.append(Arrival("y_hat", rf"{share}{SLOPE_OUT}\delta", "above", "end", 5 - k, via=f"t{k}"))
    both = r"+(v_{11}\dfrac{\partial L}{\partial t_1} + v_{12}\dfrac{\partial L}{\partial t_2})\delta"
    return [*arrivals, Arrival("L", both, "below", "end")]


def network_figures() -> dict[str, Figure]:
    """The graph of the network with two hidden units, step by step."""
    two = nudge.one_hidden_layer()
    slope = r"h_1(1 - h_1)"
    return {
        "network-forward": forward(two),
        "network-nudge-s": nudge_figure(two, "s", from_s("", 1, "end")),
        "network-vector": becoming_vectors(two),
        "network-backward-top": backward(
            vector_form(two),
            [
                Collect((Back("y_hat", "L"), Back("s", "y_hat")), ()),
                Collect((Back("one", "s", SHORT % "b", (52, 18), 14, True),), (D % "b" + r" = \hat{y} - y",)),
                Collect(
                    (Back("h", "s", SHORT % BOLD["w"], (0, -24), -14, True),),
                    (D % BOLD["w"] + rf" = {BOLD['h']}^\top " + D % "b",),
                ),
                Collect(
                    (Back("h", "s", SHORT % BOLD["h"], (-50, 26)),),
                    (D % BOLD["h"] + " = " + D % "b" + rf" {BOLD['w']}^\top",),
                ),
            ],
            "Red arrows run from L back to s, then to b, to w and to h.",
            3,
        ),
        "network-nudge-t1": nudge_figure(
            two,
            "t1",
            [
                Arrival("h1", rf"+{slope}\delta"),
                Arrival("s", rf"+{slope}w_1\delta"),
                *from_s(rf"{slope}w_1", 2, "end"),
            ],
        ),
        "network-nudge-v11": nudge_figure(
            two,
            "v11",
            [
                Arrival("t1", r"+x_1\delta"),
                Arrival("h1", rf"+x_1{slope}\delta"),
                Arrival("s", rf"+x_1{slope}w_1\delta"),
                *from_s(rf"x_1{slope}w_1", 2, "end"),
            ],
        ),
        "network-nudge-x1": nudge_figure(two, "x1", both_paths()),
        "network-backward": backward(
            vector_form(two),
            [
                Collect((Back("y_hat", "L"), Back("s", "y_hat", SHORT % "s", (0, 34))), (D % "s" + r" = \hat{y} - y",)),
                Collect((Back("one", "s", SHORT % "b", (52, 18), 14, True),), (D % "b" + " = " + D % "s",)),
                Collect(
                    (Back("h", "s", SHORT % BOLD["w"], (0, -24), -14, True),),
                    (D % BOLD["w"] + rf" = {BOLD['h']}^\top " + D % "b",),
                ),
                Collect(
                    (Back("h", "s", SHORT % BOLD["h"], (-50, 26)),),
                    (D % BOLD["h"] + " = " + D % "b" + rf" {BOLD['w']}^\top",),
                ),
                Collect(
                    (Back("t", "h", SHORT % BOLD["t"], (0, 34)),),
                    (D % BOLD["t"] + r" = \mathbf{h}(1 - \mathbf{h}) \odot " + D % BOLD["h"],),
                ),
                Collect(
                    (Back("one", "t", SHORT % BOLD["c"], (52, 18), 14, True),), (D % BOLD["c"] + " = " + D % BOLD["t"],)
                ),
                Collect(
                    (Back("x", "t", SHORT % BOLD["V"], (0, -24), -14, True),),
                    (D % BOLD["V"] + rf" = {BOLD['x']}^\top " + D % BOLD["t"],),
                ),
                Collect(
                    (Back("x", "t", SHORT % BOLD["x"], (-52, 26)),),
                    (D % BOLD["x"] + " = " + D % BOLD["t"] + rf" {BOLD['V']}^\top",),
                ),
            ],
            "All the red arrows: from L back to s, b, w, h, t, c, V and x.",
            4,
        ),
    }


def _sigma(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def write(folder: Path) -> None:
    """Write every figure to the folder, and take away drawings that no figure makes any more."""
    folder.mkdir(exist_ok=True)
    made = {f"{name}.svg": figure.svg() for name, figure in all_figures().items()}
    for old in folder.glob("*.svg"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parent / "figures")
