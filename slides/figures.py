"""Every figure of the slides by name: the curves are drawn here, the computation graphs by `graphs`."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import contourpy
import numpy as np
from graphs import VECTORS, Arrival, Back, Collect, backward, forward, nudge_figure, spoken, still, vector_form
from ink import BLUE, INK, ORANGE, PAPER, RED, SIZE, SMALL, SOFT, Figure, Layer, Point, line, number, tex, words

from workshop import nudge
from workshop.nudge import Graph


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

    def frame(self, x_ticks: Sequence[float], y_ticks: Sequence[float], x_name: str, y_name: str) -> Layer:
        """Axes with ticks, and what is drawn along them."""
        bottom, right = self.top + self.height, self.left + self.width
        marks = [line([(self.left, self.top), (self.left, bottom), (right, bottom)], SOFT, 2)]
        for tick in x_ticks:
            x, _ = self.place(tick, self.y[0])
            marks += [line([(x, bottom), (x, bottom + 7)], SOFT, 2), tex(f"{tick:g}", (x, bottom + 26), SMALL, SOFT)]
        for tick in y_ticks:
            _, y = self.place(self.x[0], tick)
            marks += [line([(self.left - 7, y), (self.left, y)], SOFT, 2)]
            marks += [tex(f"{tick:g}", (self.left - 14, y), SMALL, SOFT, "end")]
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
    first.append(line([axes.place(-4, 0), axes.place(4, 0)], "#c9d0d6", 1.5))
    first += [axes.curve(function, INK), tex("y", axes.place(3.4, 0.84), SIZE)]
    step = [axes.curve(slope, RED, 'stroke-dasharray="12 7"')]
    step.append(tex(r"\dfrac{dy}{dx}", axes.place(-2.1 if not low else -1.6, 0.28 if not low else 0.62), SIZE, RED))
    return Figure(560, 440, f"The {name} of x from −4 to 4, and its slope, which is largest at 0.", [first, step])


def losses() -> Figure:
    """Log-loss against ŷ for the two labels: a step each."""
    axes = Axes(70, 44, 470, 320, (0, 1), (0, 4))
    figure = Figure(560, 440, "Log-loss against y hat: it rises without bound as y hat nears the wrong label.")
    figure.layers[0] = axes.frame([0, 0.5, 1], [0, 2, 4], r"\hat{y}", "L")
    left, right = (
        axes.curve(lambda p: -math.log(p) if p else math.inf, BLUE),
        axes.curve(_loss_of_zero, ORANGE, 'stroke-dasharray="12 7"'),
    )
    figure.layers.append([left, tex("y = 1", axes.place(0.27, 2.6), SIZE, BLUE)])
    figure.layers.append([right, tex("y = 0", axes.place(0.73, 2.6), SIZE, ORANGE)])
    return figure


def _loss_of_zero(p: float) -> float:
    return -math.log(1 - p) if p < 1 else math.inf


Weights = tuple[float, float]


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
            first.append(line([axes.place(x, y) for x, y in piece], "#b9c3cc", 1.5))
    first += axes.frame([-1, 0, 1, 2], [0, 1, 2, 3], "w_1", "w_2")
    x, y = axes.place(*start)
    first.append(words("start", (x, y - 24), SMALL, INK))
    figure = Figure(1180, 524, "Contours of one objective, and three paths of forty steps across them.", [first])
    kinds = [
        (20, INK, "Gradient descent", "20 points a step: straight downhill"),
        (5, BLUE, "Mini-batches", "5 points a step: a little restless"),
        (1, ORANGE, "Online", "1 point a step: cheap and noisy"),
    ]
    for i, (batch, colour, name, remark) in enumerate(kinds):
        path = descend(points, batch, STEPS, eta, start)[: STEPS + 1]
        at = [axes.place(*w) for w in path]
        dots = "".join(f'<circle cx="{number(px)}" cy="{number(py)}" r="3.5" fill="{colour}"/>' for px, py in at)
        top = 70 + 118 * i
        figure.layers.append(
            [
                line(at, colour, 2.5, more='class="path" pathLength="1"'),
                dots,
                f'<circle cx="{number(at[-1][0])}" cy="{number(at[-1][1])}" r="9" fill="{colour}" stroke="{PAPER}"/>',
                f'<rect x="760" y="{top - 12}" width="28" height="24" rx="4" fill="{colour}"/>',
                words(name, (804, top), 30, colour, "start"),
                words(remark, (804, top + 38), SMALL, INK, "start"),
            ]
        )
    return figure


def demo_still() -> Figure:
    """What the live demo shows: points with the boundary found, and the objective for three step sizes."""
    points, start = small_problem(), (-1.0, 2.4)
    left = Axes(60, 44, 460, 370, (-6, 6), (-2.5, 2.5))
    w = descend(points, len(points), 200, 0.6, start)[-1]
    marks = left.frame([-4, 0, 4], [-2, 0, 2], "x_1", "x_2")
    slope = -w[0] / w[1]
    reach = min(6.0, 2.5 / abs(slope))
    marks.append(line([left.place(-reach, -reach * slope), left.place(reach, reach * slope)], INK, 4))
    for point in points:
        x, y = left.place(point["x1"], point["x2"])
        if not point["y"]:  # the live demo's colours and shapes
            marks.append(f'<circle cx="{number(x)}" cy="{number(y)}" r="9" fill="{BLUE}"/>')
        else:
            marks.append(f'<path d="M{number(x)} {number(y - 11)}l11 20h-22z" fill="{ORANGE}"/>')
    right = Axes(680, 44, 420, 370, (0, 40), (0, 2.5))
    marks += right.frame([0, 20, 40], [0, 1, 2], r"\mathrm{step}", r"\mathrm{obj}")
    dash = 'stroke-dasharray="12 7"'
    for eta, colour, more, label in [
        (0.05, ORANGE, dash, (27, 1.15)),
        (0.6, BLUE, "", (27, 0.28)),
        (12, RED, "", (9, 2.3)),
    ]:
        heights = [mean_loss(points, w) for w in descend(points, len(points), 40, eta, start)]
        inside = next((i for i, height in enumerate(heights) if height > right.y[1]), len(heights))
        track = [right.place(i, height) for i, height in enumerate(heights[:inside])]
        if inside < len(heights):  # it leaves through the top
            share = (right.y[1] - heights[inside - 1]) / (heights[inside] - heights[inside - 1])
            track.append(right.place(inside - 1 + share, right.y[1]))
        marks.append(line(track, colour, 3.5, head=inside < len(heights), more=more))
        marks.append(tex(rf"\eta = {eta}", right.place(*label), SIZE, colour))
    says = "Twenty points of two classes and the straight boundary found; beside it the objective for three step sizes."
    return Figure(1180, 490, says, [marks])


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
        line([axes.place(-2, exact), axes.place(2, exact)], RED, 3),
        axes.curve(one_sided, BLUE),
        axes.curve(central, ORANGE, 'stroke-dasharray="12 7"'),
    ]
    derivative = rf"\dfrac{{\partial L}}{{\partial {symbol}}}"
    columns = [690, 880, 1070]
    heads = [r"\delta", r"\dfrac{L(+\delta) - L}{\delta}", r"\dfrac{L(+\delta) - L(-\delta)}{2\delta}"]
    colours = [INK, BLUE, ORANGE]
    marks += [tex(head, (x, 40), SMALL, c) for head, x, c in zip(heads, columns, colours, strict=True)]
    for x, colour, more in [(880, BLUE, ""), (1070, ORANGE, 'stroke-dasharray="12 7"')]:
        marks.append(line([(x - 50, 94), (x + 50, 94)], colour, 4, more=more))
    for row, delta in enumerate([1, 0.1, 0.01, 0.001]):
        cells = [f"{delta}", f"{one_sided(delta):.5f}", f"{central(delta):.5f}"]
        y = 136 + 52 * row
        marks += [tex(cell, (x, y), SIZE, c) for cell, x, c in zip(cells, columns, colours, strict=True)]
    marks += [line([(640, 346), (1170, 346)], SOFT, 1.5), tex(f"{derivative} = {exact:.5f}", (905, 396), SIZE, RED)]
    says = f"The change of L divided by delta, for a nudge of {spoken(name)}: near the derivative for small delta only."
    return Figure(1180, 474, says, [marks])


ERROR = r"(\hat{y} - y)"
AT_LOSS = Arrival("L", rf"+{ERROR}\delta", "below", "end")  # of a nudge that reached s as δ
D, SHORT = r"\dfrac{\partial L}{\partial %s}", r"\partial L/\partial %s"
BOLD = {letter: rf"\mathbf{{{letter}}}" for letter in VECTORS}


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
        "nudge-logistic": ratios(nudge.logistic_regression(), "w1", "w_1"),
        "nudge-network": ratios(nudge.one_hidden_layer(), "v11", "v_{11}"),
    }


def logistic_figures() -> dict[str, Figure]:
    """The graph of logistic regression, step by step."""
    one = nudge.logistic_regression()
    return {
        "logistic-forward": forward(one),
        "logistic-nudge-s": nudge_figure(one, "s", [Arrival("y_hat", r"+\hat{y}(1 - \hat{y})\delta"), AT_LOSS]),
        "logistic-nudge-b": nudge_figure(
            one, "b", [Arrival("s", r"+\delta"), Arrival("y_hat", r"+\hat{y}(1 - \hat{y})\delta"), AT_LOSS]
        ),
        "logistic-nudge-w1": nudge_figure(
            one,
            "w1",
            [
                Arrival("s", r"+x_1\delta"),
                Arrival("y_hat", r"+x_1\hat{y}(1 - \hat{y})\delta"),
                Arrival("L", rf"+x_1{ERROR}\delta", "below", "end"),
            ],
        ),
        "logistic-backward": backward(
            one,
            [
                Collect((Back("y_hat", "L"), Back("s", "y_hat", SHORT % "s", (0, 34))), (D % "s" + r" = \hat{y} - y",)),
                Collect((Back("one", "s", SHORT % "b", (62, 22), 14, True),), (D % "b" + r" = \hat{y} - y",)),
                Collect((Back("x1", "s", SHORT % "w_1", (66, -22), -14, True),), (D % "w_1" + " = x_1 " + D % "b",)),
                Collect((Back("x2", "s", SHORT % "w_2", (-160, 22), 14, True),), (D % "w_2" + " = x_2 " + D % "b",)),
            ],
            "Red arrows run from L back to s, then to b, w 1 and w 2.",
            4,
        ),
        "logistic-vector": still(vector_form(one), "Logistic regression with x as one vector box and w on its arrow."),
    }


def network_figures() -> dict[str, Figure]:
    """The graph of the network with two hidden units, step by step."""
    two = nudge.one_hidden_layer()
    slope = r"h_1(1 - h_1)"
    both = r"+(v_{11}\dfrac{\partial L}{\partial t_1} + v_{12}\dfrac{\partial L}{\partial t_2})\delta"
    return {
        "network-forward": forward(two),
        "network-nudge-s": nudge_figure(two, "s", [AT_LOSS]),
        "network-backward-top": backward(
            vector_form(two),
            [
                Collect((Back("y_hat", "L"), Back("s", "y_hat")), ()),
                Collect((Back("one", "s", SHORT % "b", (66, 22), 14, True),), (D % "b" + r" = \hat{y} - y",)),
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
                Arrival("L", rf"+{slope}w_1{ERROR}\delta", "below", "end"),
            ],
        ),
        "network-nudge-v11": nudge_figure(
            two,
            "v11",
            [
                Arrival("t1", r"+x_1\delta"),
                Arrival("h1", rf"+x_1{slope}\delta"),
                Arrival("s", rf"+x_1{slope}w_1\delta"),
                Arrival("L", rf"+x_1{slope}w_1{ERROR}\delta", "below", "end"),
            ],
        ),
        "network-nudge-x1": nudge_figure(
            two,
            "x1",
            [
                Arrival("t1", r"+v_{11}\delta"),
                Arrival("t2", r"+v_{12}\delta", "below"),
                Arrival("L", both, "below", "end"),
            ],
        ),
        "network-backward": backward(
            vector_form(two),
            [
                Collect((Back("y_hat", "L"), Back("s", "y_hat", SHORT % "s", (0, 34))), (D % "s" + r" = \hat{y} - y",)),
                Collect((Back("one", "s", SHORT % "b", (66, 22), 14, True),), (D % "b" + " = " + D % "s",)),
                Collect(
                    (Back("h", "s", SHORT % BOLD["w"], (0, -24), -14, True),),
                    (D % BOLD["w"] + rf" = {BOLD['h']}^\top " + D % "s",),
                ),
                Collect(
                    (Back("h", "s", SHORT % BOLD["h"], (-50, 26)),),
                    (D % BOLD["h"] + " = " + D % "s" + rf" {BOLD['w']}^\top",),
                ),
                Collect(
                    (Back("t", "h", SHORT % BOLD["t"], (0, 34)),),
                    (D % BOLD["t"] + r" = \mathbf{h}(1 - \mathbf{h}) \odot " + D % BOLD["h"],),
                ),
                Collect(
                    (Back("one", "t", SHORT % BOLD["c"], (66, 22), 14, True),), (D % BOLD["c"] + " = " + D % BOLD["t"],)
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


def _sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


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
