"""Draws every figure of the slides as SVG: the computation graphs from `workshop.nudge`, and the few curves.

A figure is a list of layers. The first is always seen; each later one is a step that a key press brings in.
Formulas are set by matplotlib's mathtext as outlines, so that a figure needs no font, and the TeX stays beside
the outline in `data-tex`, where the tests read it. The same inputs give the same bytes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path

import contourpy
import matplotlib as mpl
import numpy as np
from matplotlib.textpath import TextPath

from workshop import nudge
from workshop.nudge import Edge, Graph, Node

INK, SOFT, PAPER = "#1b1f24", "#5b6570", "#ffffff"
BLUE, RED, ORANGE = "#0067a5", "#b3261e", "#b35c00"  # nudge, derivative, third curve: told apart by colour-blind eyes
SIZE = 28  # of a formula, in px of a 1280 × 720 slide; nothing is set smaller than SMALL
SMALL = 24
PALE_BLUE, PALE_RED = "#e6f1f8", "#fbeae8"
ROW = 112  # px between the rows of a graph's layout
BOX = (84, 72)
RADIUS = 22

Point = tuple[float, float]
Layer = list[str]


@dataclass
class Figure:
    """Layers of SVG on a canvas of `width` × `height` px; `says` is read out by a screen reader."""

    width: int
    height: int
    says: str
    layers: list[Layer] = field(default_factory=lambda: [[]])

    def svg(self) -> str:
        """The whole figure, one step a group."""
        first, *steps = ["\n".join(layer) for layer in self.layers]
        groups = "".join(f'<g class="step" data-marpit-fragment="{i}">\n{s}\n</g>\n' for i, s in enumerate(steps, 1))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img" aria-label="{escape(self.says)}">\n'
            f"{first}\n{groups}</svg>\n"
        )


# ---------------------------------------------------------------- marks on paper


def number(x: float) -> str:
    """A coordinate with one decimal, and no minus zero."""
    text = f"{x:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def value(x: float) -> str:
    """A quantity to two decimals, in TeX."""
    return f"{x:.2f}".rstrip("0").rstrip(".") if x == round(x, 2) else f"{x:.2f}"


@cache
def _outline(source: str, size: float) -> tuple[str, Point, Point]:
    """The outline of a formula as SVG path data, and its lower left and upper right corner (y upwards)."""
    with mpl.rc_context({"mathtext.fontset": "cm"}):
        drawn = source.replace(r"\top", r"{\mathsf{T}}")  # mathtext keeps ⊤ far off, as it would a relation
        path = TextPath((0, 0), f"${drawn}$", size=size)
    if not len(path.vertices):
        return "", (0, 0), (0, 0)
    letters = {1: "M", 2: "L", 3: "Q", 4: "C"}
    pieces = []
    for points, code in path.iter_segments(simplify=False, curves=True):
        if code == 79:
            pieces.append("Z")
        else:
            pieces.append(letters[code] + " ".join(number(-p if i % 2 else p) for i, p in enumerate(points)))
    box = path.get_extents()
    return "".join(pieces), (box.x0, box.y0), (box.x1, box.y1)


def tex(
    source: str,
    at: Point,
    size: float = SIZE,
    colour: str = INK,
    anchor: str = "middle",
    more: str = "",
    behind: str = PAPER,
) -> str:
    """A formula with its middle, start or end at the point; a halo in the colour behind it keeps lines away."""
    data, (x0, y0), (x1, y1) = _outline(source, size)
    x = at[0] - {"start": x0, "middle": (x0 + x1) / 2, "end": x1}[anchor]
    tall = y1 - y0 > 1.3 * size  # a fraction is centred on itself, a line on the height of its letters
    y = at[1] + ((y0 + y1) / 2 if tall else 0.24 * size)
    halo = f'stroke="{behind}" stroke-width="6" stroke-linejoin="round" paint-order="stroke"'
    return (
        f'<path class="tex" data-tex="{escape(source)}" data-size="{number(size)}" {more} fill="{colour}" {halo} '
        f'transform="translate({number(x)} {number(y)})" d="{data}"/>'
    ).replace("  ", " ")


def words(source: str, at: Point, size: float = SMALL, colour: str = INK, anchor: str = "middle") -> str:
    """A plain text label, in the font of the slides."""
    return (
        f'<text class="words" data-size="{number(size)}" x="{number(at[0])}" y="{number(at[1] + 0.35 * size)}" '
        f'font-family="Source Sans 3, Source Sans Pro, sans-serif" font-size="{number(size)}" fill="{colour}" '
        f'text-anchor="{anchor}">{escape(source)}</text>'
    )


def line(points: Sequence[Point], colour: str = INK, width: float = 2.5, head: bool = False, more: str = "") -> str:
    """A polyline, with an arrow head at its end if asked for."""
    data = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
    stroke = f'stroke="{colour}" stroke-width="{number(width)}" stroke-linejoin="round"'
    text = f'<path fill="none" {stroke} {more} d="{data}"/>'
    if head:
        (x0, y0), (x1, y1) = points[-2:]
        length = math.hypot(x1 - x0, y1 - y0) or 1
        ux, uy, size = (x1 - x0) / length, (y1 - y0) / length, 6 + 3 * width
        corners = [
            (x1 - size * ux + side * 0.45 * size * uy, y1 - size * uy - side * 0.45 * size * ux) for side in (1, -1)
        ]
        path = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in [corners[0], (x1, y1), corners[1]])
        text += f'<path fill="{colour}" stroke="{colour}" stroke-linejoin="round" d="{path}Z"/>'
    return text.replace("  ", " ")


def pulse(points: Sequence[Point], colour: str = BLUE) -> str:
    """A dot that runs along the line once when its step comes in; unseen on paper."""
    data = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return f'<circle class="pulse" r="10" fill="{colour}" opacity="0" style="offset-path:path(\'{data}\')"/>'


# ---------------------------------------------------------------- graphs


@dataclass(frozen=True)
class Canvas:
    """Where the layout of a graph lies on the page."""

    graph: Graph
    unit: Point
    origin: Point = (46, 56)

    def place(self, at: Point) -> Point:
        return self.origin[0] + at[0] * self.unit[0], self.origin[1] + at[1] * self.unit[1]

    def box(self, name: str) -> Point:
        return self.place(self.graph.node(name).at)

    def entry(self, node: Node) -> tuple[Point, bool]:
        """Where arrows to a node end, and whether that is a circle."""
        return (self.place(node.op_at), True) if node.op_at else (self.place(node.at), False)

    def route(self, edge: Edge) -> list[Point]:
        """The arrow from the rim of the source's box to the rim of the target's circle (or box)."""
        source, (end, round_) = self.box(edge.source), self.entry(self.graph.node(edge.target))
        points = [source, *map(self.place, edge.via), end]
        points[0] = _rim(points[0], points[1], False)
        points[-1] = _rim(points[-1], points[-2], round_)
        return points

    def last_leg(self, node: Node) -> list[Point]:
        """The arrow from a node's circle to its box."""
        (x0, y0), (x1, y1) = self.entry(node)[0], self.place(node.at)
        return [(x0 + RADIUS, y0), (x1 - BOX[0] / 2 - 3, y1)]


def _rim(centre: Point, towards: Point, round_: bool) -> Point:
    """The point on the rim of a circle or a box at `centre` that looks at `towards`."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    length = math.hypot(dx, dy) or 1
    if round_:
        reach = (RADIUS + 3) / length
    else:
        reach = min((BOX[0] / 2 + 3) / abs(dx) if dx else math.inf, (BOX[1] / 2 + 3) / abs(dy) if dy else math.inf)
    return centre[0] + dx * reach, centre[1] + dy * reach


def along(points: Sequence[Point], share: float) -> Point:
    """The point at that share of a polyline's length."""
    lengths = [math.dist(a, b) for a, b in pairwise(points)]
    rest = share * sum(lengths)
    for (a, b), length in zip(pairwise(points), lengths, strict=True):
        if rest <= length:
            return a[0] + (b[0] - a[0]) * rest / length, a[1] + (b[1] - a[1]) * rest / length
        rest -= length
    return points[-1]


def draw_box(canvas: Canvas, node: Node, shown: str | None, colour: str = INK, fill: str = PAPER) -> str:
    """A quantity: its symbol, and its number below where there is one."""
    x, y = canvas.place(node.at)
    rect = (
        f'<rect x="{number(x - BOX[0] / 2)}" y="{number(y - BOX[1] / 2)}" width="{BOX[0]}" height="{BOX[1]}" rx="8" '
        f'fill="{fill}" stroke="{colour}" stroke-width="2.5"/>'
    )
    if shown is None:
        return rect + tex(node.symbol, (x, y), SIZE + 4)
    symbol = tex(node.symbol, (x, y - 16), SIZE, behind=fill)
    return rect + symbol + tex(shown, (x, y + 18), SMALL, SOFT if colour == INK else colour, behind=fill)


def draw_op(canvas: Canvas, node: Node) -> list[str]:
    """The circle of a node's operation, and the arrow from it to the box."""
    if not node.op_at:
        return []
    x, y = canvas.place(node.op_at)
    circle = (
        f'<circle cx="{number(x)}" cy="{number(y)}" r="{RADIUS}" fill="#eef1f4" stroke="{INK}" stroke-width="2.5"/>'
    )
    sign = {"+": "+", "sigmoid": r"\sigma"}[node.op]
    return [circle, tex(sign, (x, y - (2 if sign != "+" else 0)), SIZE), line(canvas.last_leg(node), head=True)]


def draw_edge(canvas: Canvas, edge: Edge) -> str:
    """The arrow alone; what stands on it is drawn later, above all arrows."""
    return line(canvas.route(edge), head=True)


def draw_weight(canvas: Canvas, edge: Edge, colour: str = INK, fill: str = PAPER) -> str:
    """The parameter on its arrow, on a patch that hides the line behind it."""
    x, y = weight_at(canvas, edge)
    _, (x0, _), (x1, _) = _outline(edge.symbol, SIZE)
    across, down = x1 - x0 + 12, 34
    patch = (
        f'<rect x="{number(x - across / 2)}" y="{number(y - down / 2)}" width="{number(across)}" height="{down}" '
        f'rx="6" fill="{fill}"/>'
    )
    return patch + tex(edge.symbol, (x, y), SIZE, colour, behind=fill)


def weight_at(canvas: Canvas, edge: Edge) -> Point:
    """Where the parameter of an edge stands: upon the arrow."""
    return along(canvas.route(edge), edge.label_at)


def base(canvas: Canvas, numbers: bool) -> Layer:
    """The whole graph at rest."""
    values = nudge.evaluate(canvas.graph) if numbers else {}
    marks: Layer = []
    marks += [draw_edge(canvas, edge) for edge in canvas.graph.edges]
    for node in canvas.graph.nodes:
        marks += draw_op(canvas, node)
        shown = None if node.name == "one" or not numbers else value(values[node.name])
        marks.append(draw_box(canvas, node, shown))
    marks += [draw_weight(canvas, edge) for edge in canvas.graph.edges if edge.symbol]
    return marks


def canvas_of(graph: Graph) -> tuple[Canvas, int, int]:
    """A canvas as wide as the graph needs."""
    columns = max(node.at[0] for node in graph.nodes)
    unit = (min(134, 1106 / columns), ROW)
    width = columns * unit[0] + 92
    height = max(node.at[1] for node in graph.nodes) * ROW + 112
    return Canvas(graph, unit), round(width), round(height)


def forward(graph: Graph) -> Figure:
    """The forward pass: first what is given, then each quantity as it is worked out."""
    canvas, width, height = canvas_of(graph)
    values = nudge.evaluate(graph)
    given = [node for node in graph.nodes if not node.op]
    boxes: Layer = [draw_box(canvas, node, None if node.name == "one" else value(values[node.name])) for node in given]
    figure = Figure(width, height, f"Computation graph of {graph.name}, worked out from left to right.", [boxes])
    for column in sorted({node.at[0] for node in graph.nodes if node.op}):
        step: Layer = []
        made = [node for node in graph.nodes if node.op and node.at[0] == column]
        edges = [edge for node in made for edge in graph.into(node.name)]
        step += [draw_edge(canvas, edge) for edge in edges]
        step += [draw_weight(canvas, edge) for edge in edges if edge.symbol]
        for node in made:
            step += [*draw_op(canvas, node), draw_box(canvas, node, value(values[node.name]))]
        step += [pulse([*canvas.route(edge), canvas.box(edge.target)], SOFT) for edge in edges]
        figure.layers.append(step)
    return figure


@dataclass(frozen=True)
class Arrival:
    """What a nudge amounts to when it reaches a box: TeX of the amount, and where it is written beside the box."""

    name: str
    amount: str
    side: str = "above"  # or "below"
    anchor: str = "middle"


def nudge_figure(graph: Graph, start: str, arrivals: Sequence[Arrival], delta: float = 0.1) -> Figure:
    """δ is added to `start` and travels to L: each arrival is a step, in which the numbers of its boxes change."""
    canvas, width, height = canvas_of(graph)
    moved = nudge.downstream(graph, start)
    values = nudge.evaluate(graph)
    after = nudge.nudged(graph, values, start, delta)
    says = f"{graph.name}: {_spoken(start)} is nudged by delta, which moves {', '.join(map(_spoken, moved))}."
    figure = Figure(width, height, says, [base(canvas, numbers=True)])
    figure.layers.append(_nudge_start(canvas, start, delta))
    reached = {start}
    columns: dict[float, list[Arrival]] = {}
    for arrival in arrivals:
        columns.setdefault(graph.node(arrival.name).at[0], []).append(arrival)
    for together in columns.values():
        step: Layer = []
        names = [arrival.name for arrival in together]
        between = [n for n in moved if n not in reached and graph.node(n).at[0] <= graph.node(names[0]).at[0]]
        for name in between:
            node = graph.node(name)
            for edge in graph.into(name):
                if edge.source in reached or edge.weight in reached:
                    route = canvas.route(edge)
                    if edge.weight in reached:  # it starts where the parameter stands
                        route = from_weight(canvas, edge)
                    step.append(line(route, BLUE, 4, head=True))
                    if edge.symbol:
                        step.append(draw_weight(canvas, edge, BLUE if edge.weight in reached else INK))
                    step.append(pulse([*route, canvas.box(name)]))
            if node.op_at:
                step.append(line(canvas.last_leg(node), BLUE, 4, head=True))
            reached.add(name)
            step.append(draw_box(canvas, node, value(after[name]), BLUE, PALE_BLUE))
        for arrival in together:
            x, y = canvas.box(arrival.name)
            if arrival.anchor != "middle":
                x += BOX[0] / 2 * (1 if arrival.anchor == "end" else -1)
            high = r"frac" in arrival.amount
            gap = BOX[1] / 2 + (36 if high else 24)
            about = f'data-nudged="{start}" data-at="{arrival.name}"'
            at = (x, y - gap if arrival.side == "above" else y + gap)
            step.append(tex(arrival.amount, at, SIZE - 2, BLUE, arrival.anchor, about))
        figure.layers.append(step)
    ratio = (after["L"] - values["L"]) / delta
    sentence = rf"\delta = {delta}\,: \quad L = {values['L']:.4f} \;\to\; {after['L']:.4f}, \qquad "
    sentence += rf"\Delta L\,/\,\delta = {ratio:.3f}"
    figure.layers[-1].append(tex(sentence, (width, height - 16), SMALL, BLUE, "end"))
    return figure


def from_weight(canvas: Canvas, edge: Edge) -> list[Point]:
    """The rest of an edge's arrow, from the rim of the parameter that stands on it."""
    route = canvas.route(edge)
    rest = [weight_at(canvas, edge), route[-1]]
    rest[0] = along(rest, min(0.5, 28 / (math.dist(*rest) or 1)))
    return rest


def _nudge_start(canvas: Canvas, start: str, delta: float) -> Layer:
    """+δ beside the quantity that is nudged."""
    mark = r"+\delta"
    for edge in canvas.graph.edges:
        if edge.weight == start:
            x, y = weight_at(canvas, edge)
            rising = canvas.route(edge)[0][1] > canvas.route(edge)[-1][1]
            at = (x + 4, y + (36 if rising else -36))
            return [draw_weight(canvas, edge, BLUE, PALE_BLUE), tex(mark, at, SIZE, BLUE)]
    node = canvas.graph.node(start)
    x, y = canvas.box(start)
    shown = value(nudge.evaluate(canvas.graph)[start] + delta)
    at = (x, y - BOX[1] / 2 - 22) if node.op else (x + BOX[0] / 2 + 34, y - 26)  # inputs stand one above the other
    return [draw_box(canvas, node, shown, BLUE, PALE_BLUE), tex(mark, at, SIZE, BLUE)]


SPOKEN = {"y_hat": "y hat", "one": "one"}


def _spoken(name: str) -> str:
    """A quantity's name as it is read out: x1 → x 1."""
    return SPOKEN.get(name) or " ".join(name)


@dataclass(frozen=True)
class Back:
    """A red arrow against the flow along an edge (source, target): to the source, or to the parameter on the edge."""

    source: str
    target: str
    label: str = ""
    shift: Point = (0, 30)  # of the label from the middle of the arrow
    side: float = 13  # px between the arrow and the edge, below; negative for above
    to_weight: bool = False


@dataclass(frozen=True)
class Collect:
    """One step of a backward figure: its arrows, and the formulas that then join the lines below the graph."""

    arrows: tuple[Back, ...]
    formulas: tuple[str, ...]


def backward(graph: Graph, steps: Sequence[Collect], says: str, columns: int, numbers: bool = False) -> Figure:
    """Derivatives collected from right to left; the formulas fill the lines below, `columns` in a line."""
    canvas, width, height = canvas_of(graph)
    count = sum(len(step.formulas) for step in steps)
    figure = Figure(width, height + 92 * math.ceil(count / columns), says, [base(canvas, numbers)])
    written, reached = 0, set[str]()
    for group in steps:
        step: Layer = []
        for back in group.arrows:
            edge = next(e for e in graph.edges if (e.source, e.target) == (back.source, back.target))
            target = graph.node(back.target)
            route = from_weight(canvas, edge) if back.to_weight else canvas.route(edge)
            if target.op_at and not back.to_weight:
                route = [*route[:-1], canvas.last_leg(target)[-1]] if _level(route) else route
            route = _beside(route[::-1], back.side)
            if back.to_weight:
                reached.add(edge.weight)
                step.append(line(_beside(canvas.last_leg(target)[::-1], 13), RED, 3.5))
            step += [line(route, RED, 3.5, head=True), pulse(route, RED), *draw_op(canvas, target)[:2]]
            if edge.symbol:
                step.append(draw_weight(canvas, edge, *((RED, PALE_RED) if edge.weight in reached else ())))
            if back.label:
                x, y = along(route, 0.5)
                step.append(tex(back.label, (x + back.shift[0], y + back.shift[1]), SMALL, RED))
        for formula in group.formulas:
            row, column = divmod(written, columns)
            across = width / min(columns, count - row * columns)
            step.append(tex(formula, (across * (column + 0.5), height + 48 + 92 * row), SIZE, RED))
            written += 1
        figure.layers.append(step)
    return figure


def _level(route: Sequence[Point]) -> bool:
    return len(route) == 2 and abs(route[0][1] - route[1][1]) < 1


def _beside(route: Sequence[Point], offset: float) -> list[Point]:
    """The route moved to one side of its straight line, so that it does not cover the arrow it runs against."""
    (x0, y0), (x1, y1) = route[0], route[-1]
    length = math.dist(route[0], route[-1]) or 1
    nx, ny = -(y1 - y0) / length * offset, (x1 - x0) / length * offset
    return [(x - nx, y - ny) for x, y in route]


VECTORS = "xVcthw"  # set in bold where they stand for all their entries


def vector_form(graph: Graph) -> Graph:
    """The same graph with x₁, x₂ as one box x, the hidden units as t and h, and the weights as V, c, w."""

    def family(name: str) -> str:
        letter = name.rstrip("12")
        return {"v": "V"}.get(letter, letter)

    nodes: dict[str, Node] = {}
    for node in graph.nodes:
        name = family(node.name)
        row = {"y": 0.0, "one": 2.4}.get(name, 1.0)
        symbol = rf"\mathbf{{{name}}}" if name != node.name else node.symbol
        op_at = (node.op_at[0], row) if node.op_at else None
        nodes.setdefault(name, replace(node, name=name, symbol=symbol, at=(node.at[0], row), op_at=op_at))
    edges: dict[tuple[str, str], Edge] = {}
    for edge in graph.edges:
        ends = family(edge.source), family(edge.target)
        weight = family(edge.weight)
        via = tuple((column, 2.4 if ends[0] == "one" else row) for column, row in edge.via)
        edges.setdefault(
            ends,
            Edge(
                *ends,
                weight,
                rf"\mathbf{{{weight}}}" if weight and weight in VECTORS else weight,
                {"b": 0.8 if via else 0.5, "c": 0.45}.get(weight, 0.5),
                via,
            ),
        )
    return Graph(f"{graph.name}, in vectors", tuple(nodes.values()), tuple(edges.values()))


def still(graph: Graph, says: str) -> Figure:
    """A graph at rest, without numbers, in one layer."""
    canvas, width, height = canvas_of(graph)
    return Figure(width, height, says, [base(canvas, numbers=False)])


# ---------------------------------------------------------------- curves


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
        for piece in lines.lines(float(level)):
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
    says = (
        f"The change of L divided by delta, for a nudge of {_spoken(name)}: near the derivative for small delta only."
    )
    return Figure(1180, 474, says, [marks])


# ---------------------------------------------------------------- the figures of the deck


def all_figures() -> dict[str, Figure]:
    """Every figure by the name of its file."""
    one, two = nudge.logistic_regression(), nudge.one_hidden_layer()
    error = r"(\hat{y} - y)"
    down = Arrival("L", rf"+{error}\delta", "below", "end")
    to_t = r"h_1(1 - h_1)"
    both = r"+(v_{11}\dfrac{\partial L}{\partial t_1} + v_{12}\dfrac{\partial L}{\partial t_2})\delta"
    d = r"\dfrac{\partial L}{\partial %s}"
    short = r"\partial L/\partial %s"
    bold = {letter: rf"\mathbf{{{letter}}}" for letter in VECTORS}
    figures = {
        "sigmoid": squashing("sigmoid", _sigma, lambda x: _sigma(x) * (1 - _sigma(x)), 0),
        "tanh": squashing("hyperbolic tangent", math.tanh, lambda x: 1 - math.tanh(x) ** 2, -1),
        "log-loss": losses(),
        "paths": paths(),
        "demo": demo_still(),
        "nudge-logistic": ratios(one, "w1", "w_1"),
        "nudge-network": ratios(two, "v11", "v_{11}"),
        "logistic-forward": forward(one),
        "logistic-nudge-s": nudge_figure(one, "s", [Arrival("y_hat", r"+\hat{y}(1 - \hat{y})\delta"), down]),
        "logistic-nudge-b": nudge_figure(
            one, "b", [Arrival("s", r"+\delta"), Arrival("y_hat", r"+\hat{y}(1 - \hat{y})\delta"), down]
        ),
        "logistic-nudge-w1": nudge_figure(
            one,
            "w1",
            [
                Arrival("s", r"+x_1\delta"),
                Arrival("y_hat", r"+x_1\hat{y}(1 - \hat{y})\delta"),
                Arrival("L", rf"+x_1{error}\delta", "below", "end"),
            ],
        ),
        "logistic-backward": backward(
            one,
            [
                Collect((Back("y_hat", "L"), Back("s", "y_hat", short % "s", (0, 34))), (d % "s" + r" = \hat{y} - y",)),
                Collect((Back("one", "s", short % "b", (62, 22), 14, True),), (d % "b" + r" = \hat{y} - y",)),
                Collect((Back("x1", "s", short % "w_1", (66, -22), -14, True),), (d % "w_1" + " = x_1 " + d % "b",)),
                Collect((Back("x2", "s", short % "w_2", (-160, 22), 14, True),), (d % "w_2" + " = x_2 " + d % "b",)),
            ],
            "Red arrows run from L back to s, then to b, w 1 and w 2.",
            4,
        ),
        "logistic-vector": still(vector_form(one), "Logistic regression with x as one vector box and w on its arrow."),
        "network-forward": forward(two),
        "network-nudge-s": nudge_figure(two, "s", [down]),
        "network-backward-top": backward(
            vector_form(two),
            [
                Collect((Back("y_hat", "L"), Back("s", "y_hat")), ()),
                Collect((Back("one", "s", short % "b", (66, 22), 14, True),), (d % "b" + r" = \hat{y} - y",)),
                Collect(
                    (Back("h", "s", short % bold["w"], (0, -24), -14, True),),
                    (d % bold["w"] + rf" = {bold['h']}^\top " + d % "b",),
                ),
                Collect(
                    (Back("h", "s", short % bold["h"], (-50, 26)),),
                    (d % bold["h"] + " = " + d % "b" + rf" {bold['w']}^\top",),
                ),
            ],
            "Red arrows run from L back to s, then to b, to w and to h.",
            3,
        ),
        "network-nudge-t1": nudge_figure(
            two,
            "t1",
            [
                Arrival("h1", rf"+{to_t}\delta"),
                Arrival("s", rf"+{to_t}w_1\delta"),
                Arrival("L", rf"+{to_t}w_1{error}\delta", "below", "end"),
            ],
        ),
        "network-nudge-v11": nudge_figure(
            two,
            "v11",
            [
                Arrival("t1", r"+x_1\delta"),
                Arrival("h1", rf"+x_1{to_t}\delta"),
                Arrival("s", rf"+x_1{to_t}w_1\delta"),
                Arrival("L", rf"+x_1{to_t}w_1{error}\delta", "below", "end"),
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
                Collect((Back("y_hat", "L"), Back("s", "y_hat", short % "s", (0, 34))), (d % "s" + r" = \hat{y} - y",)),
                Collect((Back("one", "s", short % "b", (66, 22), 14, True),), (d % "b" + " = " + d % "s",)),
                Collect(
                    (Back("h", "s", short % bold["w"], (0, -24), -14, True),),
                    (d % bold["w"] + rf" = {bold['h']}^\top " + d % "s",),
                ),
                Collect(
                    (Back("h", "s", short % bold["h"], (-50, 26)),),
                    (d % bold["h"] + " = " + d % "s" + rf" {bold['w']}^\top",),
                ),
                Collect(
                    (Back("t", "h", short % bold["t"], (0, 34)),),
                    (d % bold["t"] + r" = \mathbf{h}(1 - \mathbf{h}) \odot " + d % bold["h"],),
                ),
                Collect(
                    (Back("one", "t", short % bold["c"], (66, 22), 14, True),), (d % bold["c"] + " = " + d % bold["t"],)
                ),
                Collect(
                    (Back("x", "t", short % bold["V"], (0, -24), -14, True),),
                    (d % bold["V"] + rf" = {bold['x']}^\top " + d % bold["t"],),
                ),
                Collect(
                    (Back("x", "t", short % bold["x"], (-52, 26)),),
                    (d % bold["x"] + " = " + d % bold["t"] + rf" {bold['V']}^\top",),
                ),
            ],
            "All the red arrows: from L back to s, b, w, h, t, c, V and x.",
            4,
        ),
    }
    return figures


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
