"""Draws the computation graphs of `workshop.nudge`: forward pass, a nudge that travels, derivatives that come back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ink import (
    CIRCLE,
    INK,
    NUDGE,
    NUDGE_PALE,
    PAPER,
    SIZE,
    SLOPE,
    SLOPE_PALE,
    SMALL,
    SOFT,
    WIDTH,
    Figure,
    Layer,
    Point,
    line,
    number,
    outline,
    pulse,
    tex,
    value,
)

from workshop import nudge
from workshop.nudge import Edge, Graph, Node

ROW = 104  # px between the rows of a graph's layout
BOX = (84, 72)  # width and height of a quantity's box
RADIUS = 22  # of an operation's circle
MARGIN = {"logistic regression": 60}  # px on the right, where a label reaches beyond L
PLACES = {"logistic regression": {("x2", "s"): 0.3}, "one hidden layer": {("one", "s"): 0.66}}


@dataclass(frozen=True)
class Canvas:
    """Where the layout of a graph lies on the page."""

    graph: Graph
    unit: Point
    origin: Point = (46, 50)

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
        points[0] = rim(points[0], points[1], False)
        points[-1] = rim(points[-1], points[-2], round_)
        return points

    def last_leg(self, node: Node) -> list[Point]:
        """The arrow from a node's circle to its box."""
        (x0, y0), (x1, y1) = self.entry(node)[0], self.place(node.at)
        return [(x0 + RADIUS, y0), (x1 - BOX[0] / 2 - 3, y1)]


def rim(centre: Point, towards: Point, round_: bool) -> Point:
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
        f'<circle cx="{number(x)}" cy="{number(y)}" r="{RADIUS}" fill="{CIRCLE}" stroke="{INK}" stroke-width="2.5"/>'
    )
    sign = {"+": "+", "sigmoid": r"\sigma"}[node.op]
    return [
        circle,
        tex(sign, (x, y - (2 if sign != "+" else 0)), SIZE, behind=CIRCLE),
        line(canvas.last_leg(node), head=True),
    ]


def draw_edge(canvas: Canvas, edge: Edge) -> str:
    """The arrow alone; what stands on it is drawn later, above all arrows."""
    return line(canvas.route(edge), head=True)


def draw_weight(canvas: Canvas, edge: Edge, colour: str = INK, fill: str = PAPER) -> str:
    """The parameter on its arrow, on a patch that hides the line behind it."""
    x, y = weight_at(canvas, edge)
    _, (x0, _), (x1, _) = outline(edge.symbol, SIZE)
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
    unit = ((WIDTH - 92 - MARGIN.get(graph.name.split(",")[0], 0)) / columns, ROW)
    height = max(node.at[1] for node in graph.nodes) * ROW + 100
    here = PLACES.get(graph.name, {})  # where a parameter is written so that there is room beside it
    edges = [replace(edge, label_at=here.get((edge.source, edge.target), edge.label_at)) for edge in graph.edges]
    return Canvas(replace(graph, edges=tuple(edges)), unit), WIDTH, round(height)


def forward(graph: Graph) -> Figure:
    """The forward pass: first what is given, then each quantity as it is worked out."""
    canvas, width, height = canvas_of(graph)
    graph, values = canvas.graph, nudge.evaluate(graph)
    given = [node for node in graph.nodes if not node.op]
    boxes: Layer = [draw_box(canvas, node, None if node.name == "one" else value(values[node.name])) for node in given]
    figure = Figure(
        width, height, f"Computation graph of {graph.name}, worked out from left to right.", [boxes], "graph"
    )
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
    level: int = 1  # lines away from the box
    via: str = ""  # where two paths meet: the share that came by this box


def nudge_figure(graph: Graph, start: str, arrivals: Sequence[Arrival], delta: float = 0.1) -> Figure:
    """δ is added to `start` and travels to L: each arrival is a step, in which the numbers of its boxes change."""
    canvas, width, height = canvas_of(graph)
    moved = nudge.downstream(graph, start)
    values = nudge.evaluate(graph)
    after = nudge.nudged(graph, values, start, delta)
    says = f"{graph.name}: {spoken(start)} is nudged by delta, which moves {', '.join(map(spoken, moved))}."
    figure = Figure(width, height, says, [base(canvas, numbers=True)], "graph")
    figure.layers.append(_nudge_start(canvas, start, delta))
    reached = {start}
    columns: dict[float, list[Arrival]] = {}
    for arrival in arrivals:
        columns.setdefault(graph.node(arrival.name).at[0], []).append(arrival)
    for column, together in columns.items():
        step: Layer = []
        for name in [n for n in moved if n not in reached and graph.node(n).at[0] <= column]:
            step += _travel(canvas, name, reached)
            reached.add(name)
            step.append(draw_box(canvas, graph.node(name), value(after[name]), NUDGE, NUDGE_PALE))
        lowest = {name: min(a.level for a in together if a.name == name) for name in {a.name for a in together}}
        for arrival in together:
            step += _amount(canvas, start, arrival, 1 < arrival.level == lowest[arrival.name])
        figure.layers.append(step)
    ratio = (after["L"] - values["L"]) / delta
    sentence = rf"\delta = {delta}\,: \quad L = {values['L']:.5f} \;\to\; {after['L']:.5f}, \qquad "
    sentence += rf"\Delta L\,/\,\delta = {ratio:.3f}"
    figure.layers[-1].append(tex(sentence, (width, height - 16), SMALL, NUDGE, "end"))
    return figure


def _travel(canvas: Canvas, name: str, reached: set[str]) -> Layer:
    """The arrows by which a nudge comes to a box, from what it has reached before."""
    marks: Layer = []
    for edge in canvas.graph.into(name):
        if edge.source not in reached and edge.weight not in reached:
            continue
        route = from_weight(canvas, edge) if edge.weight in reached else canvas.route(edge)
        marks.append(line(route, NUDGE, 4, head=True))
        if edge.symbol:
            marks.append(draw_weight(canvas, edge, NUDGE if edge.weight in reached else INK))
        marks.append(pulse([*route, canvas.box(name)]))
    node = canvas.graph.node(name)
    return [*marks, line(canvas.last_leg(node), NUDGE, 4, head=True)] if node.op_at else marks


def _amount(canvas: Canvas, start: str, arrival: Arrival, led: bool) -> Layer:
    """What arrived, written beside the box, or with a line that leads to it."""
    (x, y), up = canvas.box(arrival.name), -1 if arrival.side == "above" else 1
    rim_y, middle = y + up * BOX[1] / 2, x
    if arrival.anchor != "middle":
        x += BOX[0] / 2 * (1 if arrival.anchor == "end" else -1)
    at = rim_y + up * ((36 if "frac" in arrival.amount else 24) + 36 * (arrival.level - 1))
    about = f'data-nudged="{start}" data-at="{arrival.name}"' + (f' data-via="{arrival.via}"' if arrival.via else "")
    lead = [(middle, rim_y + up * 3), (middle, at - up * 22)]
    marks = [line(lead, NUDGE, 1.5)] if led else []
    return [*marks, tex(arrival.amount, (x, at), SIZE - 2, NUDGE, arrival.anchor, about)]


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
            return [draw_weight(canvas, edge, NUDGE, NUDGE_PALE), tex(mark, at, SIZE, NUDGE)]
    node = canvas.graph.node(start)
    x, y = canvas.box(start)
    shown = value(nudge.evaluate(canvas.graph)[start] + delta)
    at = (x, y - BOX[1] / 2 - 22) if node.op else (x + BOX[0] / 2 + 34, y - 26)  # inputs stand one above the other
    return [draw_box(canvas, node, shown, NUDGE, NUDGE_PALE), tex(mark, at, SIZE, NUDGE)]


SPOKEN = {"y_hat": "y hat", "one": "one"}


def spoken(name: str) -> str:
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
    figure = Figure(width, height + 78 * math.ceil(count / columns), says, [base(canvas, numbers)], "graph")
    written, reached = 0, set[str]()
    for group in steps:
        step: Layer = []
        for back in group.arrows:
            edge = next(e for e in canvas.graph.edges if (e.source, e.target) == (back.source, back.target))
            target = graph.node(back.target)
            route = from_weight(canvas, edge) if back.to_weight else canvas.route(edge)
            if target.op_at and not back.to_weight:
                route = [*route[:-1], canvas.last_leg(target)[-1]] if _level(route) else route
            route = _beside(route[::-1], back.side)
            if back.to_weight:
                reached.add(edge.weight)
                step.append(line(_beside(canvas.last_leg(target)[::-1], 13), SLOPE, 3.5))
            step += [line(route, SLOPE, 3.5, head=True), pulse(route, SLOPE), *draw_op(canvas, target)[:2]]
            if edge.symbol:
                step.append(draw_weight(canvas, edge, *((SLOPE, SLOPE_PALE) if edge.weight in reached else ())))
            if back.label:
                x, y = along(route, 0.5)
                step.append(tex(back.label, (x + back.shift[0], y + back.shift[1]), SMALL, SLOPE))
        for formula in group.formulas:
            row, column = divmod(written, columns)
            across = width / min(columns, count - row * columns)
            step.append(tex(formula, (across * (column + 0.5), height + 39 + 78 * row), SIZE, SLOPE))
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


def family(name: str) -> str:
    """What a quantity is an entry of: x1 → x, v12 → V."""
    letter = name.rstrip("12")
    return {"v": "V"}.get(letter, letter)


def vector_form(graph: Graph) -> Graph:
    """The same graph with x₁, x₂ as one box x, the hidden units as t and h, and the weights as V, c, w.

    A vector's box stands in the middle of the boxes that it takes the place of; all others stay where they are.
    """

    def row(name: str) -> float:
        rows = [node.at[1] for node in graph.nodes if family(node.name) == name]
        return sum(rows) / len(rows)

    nodes: dict[str, Node] = {}
    for node in graph.nodes:
        name = family(node.name)
        symbol = rf"\mathbf{{{name}}}" if name != node.name else node.symbol
        op_at = (node.op_at[0], row(name)) if node.op_at else None
        nodes.setdefault(name, replace(node, name=name, symbol=symbol, at=(node.at[0], row(name)), op_at=op_at))
    edges: dict[tuple[str, str], Edge] = {}
    for edge in graph.edges:
        ends = family(edge.source), family(edge.target)
        weight = family(edge.weight)
        edges.setdefault(
            ends,
            Edge(
                *ends,
                weight,
                rf"\mathbf{{{weight}}}" if weight and weight in VECTORS else weight,
                {"b": 0.88 if edge.via else 0.5, "c": 0.5}.get(weight, 0.5),
                edge.via,
            ),
        )
    return Graph(f"{graph.name}, in vectors", tuple(nodes.values()), tuple(edges.values()))


def becoming_vectors(graph: Graph) -> Figure:
    """The graph entry by entry; at a key press the entries glide together into vectors. On paper: the vectors."""
    canvas, width, height = canvas_of(graph)
    whole = vector_form(graph)
    after, _, _ = canvas_of(whole)
    before: Layer = [draw_edge(canvas, edge) for edge in graph.edges]
    before += [mark for node in graph.nodes for mark in draw_op(canvas, node)]
    before += [draw_weight(canvas, edge) for edge in canvas.graph.edges if edge.symbol]
    for node in graph.nodes:
        down = after.box(family(node.name))[1] - canvas.box(node.name)[1]
        glide = f'<g class="glide" style="--to: translate(0px, {number(down)}px)">' if down else "<g>"
        before.append(f"{glide}{draw_box(canvas, node, None)}</g>")
    says = f"{graph.name} entry by entry, which then becomes the same graph in vectors."
    held = ["\n".join(['<g class="before">', *before, "</g>"])]
    return Figure(width, height, says, [held, base(after, numbers=False)], "graph becoming")
