"""A computation graph as data: values forward, a nudge of δ travelling on to L, derivatives back.

The slides' two graphs are `logistic_regression()` on a point (x₁, x₂), and `one_hidden_layer()` with two units.
The figures of the slides and the live nudge draw and compute from the same description. Every quantity is one number.

>>> graph = logistic_regression()
>>> before = evaluate(graph)
>>> after = nudged(graph, before, "w1", 1e-6)
>>> ratio = (after["L"] - before["L"]) / 1e-6
>>> abs(ratio - derivatives(graph, before)["w1"]) < 1e-5
True
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Node:
    """A quantity that is drawn as a box, and the operation (a circle on its left) that makes it."""

    name: str  # "x1", "y_hat": the key of its value everywhere in this module
    symbol: str  # as the slides write it, in TeX: "x_1", r"\hat{y}"
    op: str  # "" for what is given; "+" sums source·weight over its edges; "sigmoid"; "log-loss" of (ŷ, y)
    at: tuple[float, float]  # centre of the box: columns rightwards, rows downwards
    op_at: tuple[float, float] | None = None  # centre of the circle, where one is drawn


@dataclass(frozen=True)
class Edge:
    """An arrow between two boxes; with a weight it carries source·weight, without one it carries source."""

    source: str
    target: str
    weight: str = ""  # the name of the parameter on the arrow, such as "w1"
    symbol: str = ""  # that parameter in TeX
    label_at: float = 0.5  # where along the arrow the parameter is written: 0 source, 1 target
    via: tuple[tuple[float, float], ...] = ()  # corners on the way, for an arrow that goes round something


@dataclass(frozen=True)
class Graph:
    """Boxes in an order in which they can be worked out, arrows, and numbers to begin with."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    given: Mapping[str, float] = field(default_factory=dict)  # inputs, label and parameters

    def node(self, name: str) -> Node:
        """The box called `name`; KeyError if there is none (a parameter lies on an edge and has no box)."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def into(self, name: str) -> tuple[Edge, ...]:
        """The arrows that end at `name`."""
        return tuple(edge for edge in self.edges if edge.target == name)


def evaluate(graph: Graph, given: Mapping[str, float] | None = None) -> dict[str, float]:
    """Forward pass: every quantity of the graph, parameters too, by name. `given` replaces graph.given in part."""
    return _forward(graph, {**graph.given, **(given or {})}, {})


def nudged(graph: Graph, values: Mapping[str, float], name: str, delta: float) -> dict[str, float]:
    """Every quantity after `name` alone was moved by `delta`; only what lies downstream differs from `values`.

    `name` may be anything: a parameter, an input, or a quantity in the middle such as "s".
    """
    if name not in values:
        raise KeyError(name)
    given = {key: values[key] for key in graph.given}
    return _forward(graph, given, {name: values[name] + delta})


def downstream(graph: Graph, name: str) -> tuple[str, ...]:
    """The boxes that move when `name` is nudged, in the order in which it reaches them; `name` is not among them."""
    moved = {name}
    for node in graph.nodes:
        if any(edge.source in moved or edge.weight in moved for edge in graph.into(node.name)):
            moved.add(node.name)
    return tuple(node.name for node in graph.nodes if node.name in moved and node.name != name)


def slopes(graph: Graph, values: Mapping[str, float], edge: Edge) -> dict[str, float]:
    """Local derivatives of edge.target by what the arrow brings: by edge.source and, if it has one, by edge.weight."""
    op = graph.node(edge.target).op
    if op == "+":
        by_source = values[edge.weight] if edge.weight else 1.0
        by_weight = {edge.weight: values[edge.source]} if edge.weight else {}
        return {edge.source: by_source, **by_weight}
    if op == "sigmoid":
        out = values[edge.target]
        return {edge.source: out * (1 - out)}
    y_hat, y = values["y_hat"], values["y"]
    if edge.source == "y":
        return {"y": _log_loss(y_hat, 1.0) - _log_loss(y_hat, 0.0)}
    terms = [(1 - y, 1 - y_hat), (-y, y_hat)]
    return {edge.source: sum(share / p if p else math.copysign(math.inf, share) for share, p in terms if share != 0)}


def derivatives(graph: Graph, values: Mapping[str, float]) -> dict[str, float]:
    """∂L/∂(each quantity) by backpropagation: each arrow hands back its slope times what came back to its target.

    Where ŷ has been rounded to 0 or 1 against the label, L is infinite and the derivatives are inf or nan.
    """
    grads = {name: 0.0 for name in values}
    grads[graph.nodes[-1].name] = 1.0
    for node in reversed(graph.nodes):
        for edge in graph.into(node.name):
            for name, slope in slopes(graph, values, edge).items():
                grads[name] += slope * grads[node.name]
    return grads


def describe(graph: Graph) -> dict[str, Any]:
    """The graph as plain JSON data: {"name", "nodes": [...], "edges": [...], "given": {...}}, named as above."""
    return asdict(graph)


def _forward(graph: Graph, given: Mapping[str, float], pinned: Mapping[str, float]) -> dict[str, float]:
    """Work out the boxes in order; a pinned quantity keeps its number, whatever leads to it."""
    values = {**given, **{name: number for name, number in pinned.items() if name in given}}
    for node in graph.nodes:
        if node.name in pinned:
            values[node.name] = pinned[node.name]
        elif node.op == "+":
            brought = graph.into(node.name)
            values[node.name] = sum(values[e.source] * (values[e.weight] if e.weight else 1.0) for e in brought)
        elif node.op == "sigmoid":
            values[node.name] = _sigmoid(values[graph.into(node.name)[0].source])
        elif node.op == "log-loss":
            values[node.name] = _log_loss(values["y_hat"], values["y"])
    return values


def _sigmoid(x: float) -> float:
    """1/(1 + e⁻ˣ) of one number."""
    return 1 / (1 + math.exp(min(-x, 700.0)))


def _log_loss(y_hat: float, y: float) -> float:
    """The loss from ŷ itself; nan where ŷ was nudged out of [0, 1], inf where ŷ says the label cannot be."""
    if not 0 <= y_hat <= 1:
        return math.nan
    terms = [(1 - y, 1 - y_hat), (y, y_hat)]
    return sum(math.inf if p == 0 else -share * math.log(p) for share, p in terms if share != 0)


def logistic_regression() -> Graph:
    """s = x₁w₁ + x₂w₂ + b, ŷ = σ(s), L: drawn about 8 columns by 3 rows."""
    return Graph(
        name="logistic regression",
        nodes=(
            Node("y", "y", "", (0, 0)),
            Node("x1", "x_1", "", (0, 1)),
            Node("x2", "x_2", "", (0, 2)),
            Node("one", "1", "", (0, 3)),
            Node("s", "s", "+", (4, 2), (2.8, 2)),
            Node("y_hat", r"\hat{y}", "sigmoid", (6.4, 2), (5.2, 2)),
            Node("L", "L", "log-loss", (8.2, 2)),
        ),
        edges=(
            Edge("x1", "s", "w1", "w_1"),
            Edge("x2", "s", "w2", "w_2"),
            Edge("one", "s", "b", "b"),
            Edge("s", "y_hat"),
            Edge("y_hat", "L"),
            Edge("y", "L", via=((8.2, 0),)),
        ),
        given={"y": 1.0, "x1": 2.0, "x2": -1.0, "one": 1.0, "w1": 0.5, "w2": 1.5, "b": 0.25},
    )


def one_hidden_layer() -> Graph:
    """t = xV + c, h = σ(t), s = hw + b, ŷ = σ(s), L with two inputs, two hidden units: about 11 columns by 3 rows."""
    inputs = {"y": 1.0, "x1": 2.0, "x2": -1.0, "one": 1.0}
    first_layer = {"v11": 0.5, "v12": -1.0, "v21": 1.5, "v22": 0.75, "c1": 0.25, "c2": 1.5}
    return Graph(
        name="one hidden layer",
        nodes=(
            Node("y", "y", "", (0, 0)),
            Node("x1", "x_1", "", (0, 1)),
            Node("x2", "x_2", "", (0, 2)),
            Node("one", "1", "", (0, 3)),
            Node("t1", "t_1", "+", (3.4, 1), (2.6, 1)),
            Node("t2", "t_2", "+", (3.4, 2), (2.6, 2)),
            Node("h1", "h_1", "sigmoid", (5, 1), (4.2, 1)),
            Node("h2", "h_2", "sigmoid", (5, 2), (4.2, 2)),
            Node("s", "s", "+", (7.7, 2), (6.9, 2)),
            Node("y_hat", r"\hat{y}", "sigmoid", (9.3, 2), (8.5, 2)),
            Node("L", "L", "log-loss", (10.6, 2)),
        ),
        edges=(
            Edge("x1", "t1", "v11", "v_{11}", 0.7),
            Edge("x2", "t1", "v21", "v_{21}", 0.2),
            Edge("one", "t1", "c1", "c_1", 0.22),
            Edge("x1", "t2", "v12", "v_{12}", 0.2),
            Edge("x2", "t2", "v22", "v_{22}", 0.75),
            Edge("one", "t2", "c2", "c_2", 0.45),
            Edge("t1", "h1"),
            Edge("t2", "h2"),
            Edge("h1", "s", "w1", "w_1"),
            Edge("h2", "s", "w2", "w_2"),
            Edge("one", "s", "b", "b", 0.88, ((5.4, 3),)),
            Edge("s", "y_hat"),
            Edge("y_hat", "L"),
            Edge("y", "L", via=((10.6, 0),)),
        ),
        given=inputs | first_layer | {"w1": 1.25, "w2": -2.0, "b": 0.5},
    )
