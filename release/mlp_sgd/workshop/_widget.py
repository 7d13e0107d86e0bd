"""The live demo's widget: passes what the page asks on to a `Descent` or a nudge, and leaves a still picture behind."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from IPython import get_ipython
from IPython.display import display

from workshop import nudge
from workshop._descent import DATA, Descent, grid

BLUE, VERMILION = "#0072B2", "#D55E00"  # of Okabe and Ito: told apart by colour-blind eyes too

ONLY_ONE = """<style>
.jp-OutputArea-child:has(.workshop-demo-note) + .jp-OutputArea-child:not(:has(.workshop-demo)) { display: none; }
.jp-OutputArea-child:has(.workshop-demo-note):has(+ .jp-OutputArea-child .workshop-demo) { display: none; }
.jp-OutputArea-child:has(.workshop-demo) + .jp-OutputArea-child:has(.workshop-still) { display: none; }
</style>"""
"""Of the widget and the still picture just one is seen: the widget where it lives, else the picture."""


class Live(anywidget.AnyWidget):
    """One or more demos on the page; each message names the demo that it is for."""

    _esm = Path(__file__).with_name("live.js")
    _css = Path(__file__).with_name("live.css")

    parts: Any = traitlets.List().tag(sync=True)
    projector: Any = traitlets.Bool(False).tag(sync=True)

    def __init__(self, demos: Mapping[str, LiveDescent | Nudge], *, projector: bool = False) -> None:
        parts = [{"key": key, **demo.describe()} for key, demo in demos.items()]
        super().__init__(parts=parts, projector=projector)
        self.demos = dict(demos)
        self.on_msg(self._asked)

    def _asked(self, _widget: Any, message: Mapping[str, Any], _buffers: Any) -> None:
        """Answer the page; the answer goes to every view of this widget."""
        content, buffers = self.demos[message["key"]].reply(message)
        self.send({"key": message["key"], **content}, buffers)


class LiveDescent(Descent):
    """A `Descent` that the page can be told about."""

    def describe(self) -> dict[str, Any]:
        """What the page needs to build the controls."""
        return {"kind": self.kind, "settings": self.settings, "n": len(self.y), "data": DATA}


class Nudge:
    """A computation graph with numbers, for the page."""

    REACH = 2.0  # the largest nudge

    def __init__(self, name: str) -> None:
        self.graph = {"logistic": nudge.logistic_regression, "network": nudge.one_hidden_layer}[name]()
        self.before = nudge.evaluate(self.graph)
        self.gradient = nudge.derivatives(self.graph, self.before)

    def describe(self) -> dict[str, Any]:
        """The graph and its numbers."""
        return {"kind": "nudge", "graph": nudge.describe(self.graph), "values": self.before, "reach": self.REACH}

    def reply(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """message: {"name": quantity, "delta": how far}. Returns all values after it, and ΔL/δ for every δ."""
        name, delta = message["name"], float(message["delta"])
        deltas = np.linspace(-self.REACH, self.REACH, 81)
        ratios = [self._slope(name, d) for d in deltas]
        middle = [(self._loss(name, d) - self._loss(name, -d)) / (2 * d) if d else self.gradient[name] for d in deltas]
        content = {
            "id": message.get("id"),
            "name": name,
            "delta": delta,
            "values": _told(nudge.nudged(self.graph, self.before, name, delta)),
            "downstream": nudge.downstream(self.graph, name),
            "gradient": self.gradient[name],
            "ratio": _told({"": self._slope(name, delta)})[""],
        }
        return content, [np.asarray([deltas, ratios, middle], dtype=np.float32).tobytes()]

    def _loss(self, name: str, delta: float) -> float:
        return nudge.nudged(self.graph, self.before, name, delta)["L"]

    def _slope(self, name: str, delta: float) -> float:
        return (self._loss(name, delta) - self.before["L"]) / delta if delta else self.gradient[name]


def show_descent(kind: str, names: Mapping[str, Any], start: Mapping[str, Any]) -> None:
    """Display the widget and, for the saved notebook, the still picture after the same training."""
    demo = LiveDescent(kind, names, start)
    words = train(demo)
    _display(Live({kind: demo}), descent_picture(demo, words), words or "The live demo: run this cell to play with it.")


def show_nudge(graph: str) -> None:
    """Display the nudge, and the still picture of one."""
    demo = Nudge(graph)
    _display(Live({"nudge": demo}), nudge_picture(demo), "The nudge: run this cell to play with it.")


def show_projector(logistic: Mapping[str, Any], network: Mapping[str, Any]) -> None:
    """Display all the demos on the whole window, without a still picture."""
    demos: dict[str, LiveDescent | Nudge] = {
        "logistic": LiveDescent("logistic", logistic, _START["logistic"]),
        "network": LiveDescent("network", network, _START["network"]),
        "nudge-logistic": Nudge("logistic"),
        "nudge-network": Nudge("network"),
    }
    display(Live(demos, projector=True))


_START: dict[str, dict[str, Any]] = {
    "logistic": {"data": "blobs", "eta": 0.5, "batch_size": 8, "lam": 0.01},
    "network": {"data": "s_shape", "eta": 2.0, "batch_size": 8, "lam": 0.0, "hidden": 8},
}


def train(demo: Descent, seconds: float = 0.5) -> str:
    """Train as the page would at first, for so long at most; return what there is to say if that does not work."""
    deadline = time.perf_counter() + seconds
    while True:
        (content,) = demo.reply({"do": "train", "settings": {}})[0]["pictures"]
        if content["words"] or not content["more"] or time.perf_counter() > deadline:
            return str(content["words"])


def descent_picture(demo: Descent, words: str = "") -> bytes:
    """PNG of the boundary and the objective, as far as the demo has come; of the points alone if it could not start."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    plane, curve = figure.subplots(1, 2, width_ratios=(1, 1.25))
    if demo.params is not None and not words:
        side, r = 100, demo.radius
        proba = demo.model.proba(demo.params, grid(r, side)).reshape(side, side)
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("classes", ["#5aa9d6", "#f7f7f7", "#eb9a5f"])
        plane.imshow(proba, extent=(-r, r, -r, r), cmap=colours, vmin=0, vmax=1)
        centres = r * ((np.arange(side) + 0.5) * 2 / side - 1)
        plane.contour(centres, -centres, proba, levels=[0.5], colors="black", linewidths=2)
    for label, colour, marker in ((0, BLUE, "o"), (1, VERMILION, "s")):
        chosen = demo.X[demo.y == label]
        plane.scatter(*chosen.T, c=colour, marker=marker, edgecolors="white", linewidths=0.8, label=f"y = {label}")
    plane.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(-demo.radius, demo.radius), ylim=(-demo.radius, demo.radius))
    plane.set_aspect("equal")
    plane.legend(loc="upper right", fontsize="small")
    if demo.curve.rows and not words:
        curve.plot(*zip(*demo.curve.rows, strict=True), color="black")
        curve.set(xlabel="epoch", ylabel="objective", ylim=(0, None))
        curve.grid(alpha=0.3)
        eta, batch, n = demo.settings["eta"], demo.settings["batch_size"], len(demo.y)
        size = {1: "online", n: "all points: gradient descent"}.get(batch, f"batches of {batch}")
        curve.set_title(f"learning rate {eta:g}, {size}", fontsize="medium")
    else:
        curve.axis("off")
        curve.text(0.5, 0.5, words, ha="center", va="center", wrap=True)
    return _png(figure)


def nudge_picture(demo: Nudge) -> bytes:
    """PNG of ΔL/δ against δ for the first weight, beside its derivative."""
    from matplotlib.figure import Figure

    name = demo.graph.edges[0].weight
    content, (curves,) = demo.reply({"name": name, "delta": 1.0})
    deltas, ratios, middle = np.frombuffer(curves, dtype=np.float32).reshape(3, -1)
    figure = Figure(figsize=(6.5, 3.2), layout="constrained")
    axes = figure.subplots()
    symbol = f"${demo.graph.edges[0].symbol}$"
    axes.plot(deltas, ratios, color=VERMILION, label="ΔL/δ: one-sided")
    axes.plot(deltas, middle, color=BLUE, linestyle="--", label="(L(+δ) − L(−δ))/2δ: central")
    axes.axhline(content["gradient"], color="black", linewidth=1, label="∂L/∂" + symbol + " by backpropagation")
    axes.set(xlabel=f"δ, added to {symbol}", ylabel="slope")
    axes.legend(fontsize="small")
    return _png(figure)


def _display(widget: Live, still: bytes, words: str) -> None:
    note = f'{ONLY_ONE}<p class="workshop-demo-note">{_escaped(words)}</p>'
    display({"text/html": note, "text/plain": words}, raw=True)
    _replace(widget)
    bundle, metadata = widget._repr_mimebundle_() or ({}, {})
    display({**bundle, "text/plain": ""}, metadata=metadata, raw=True)
    coded = base64.b64encode(still).decode()
    alt = _escaped(f"Still picture of the live demo. {words}")
    html = f'<img class="workshop-still" alt="{alt}" src="data:image/png;base64,{coded}">'
    display({"text/html": html, "image/png": coded, "text/plain": ""}, raw=True)


_shown: dict[tuple[str, str], Live] = {}


def _replace(widget: Live) -> None:
    """Close the widget that an earlier run of the same cell left behind."""
    shell = get_ipython()
    cell = shell.get_parent().get("metadata", {}).get("cellId") if hasattr(shell, "get_parent") else None
    if cell:
        key = (cell, widget.parts[0]["key"])
        if key in _shown:
            _shown.pop(key).close()
        _shown[key] = widget


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return file.getvalue()


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _told(values: Mapping[str, float]) -> dict[str, float | None]:
    """The values, None in place of what JSON has no number for."""
    return {key: value if np.isfinite(value) else None for key, value in values.items()}
