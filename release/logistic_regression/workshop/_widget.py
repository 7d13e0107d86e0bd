"""The live demo's widgets: their traits, what the page asks of the kernel, and what stays when there is no kernel."""

from __future__ import annotations

import base64
import html
import io
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anywidget
import numpy as np
import traitlets
from IPython import get_ipython
from IPython.display import display

from workshop import _page, nudge
from workshop._descent import Descent, grid

BLUE, VERMILION = "#0072B2", "#D55E00"  # of Okabe and Ito: told apart by colour-blind eyes too
NUDGE, DERIVATIVE, CENTRAL = "#0067a5", "#b3261e", "#b35c00"  # as on the slides
OFTEN = 0.1  # seconds between two reports of step, objective and accuracy while it plays

ONLY_ONE = """<style>
.jp-OutputArea-child:has(.workshop-demo-note) + .jp-OutputArea-child:not(:has(.workshop-demo)) { display: none; }
.jp-OutputArea-child:has(.workshop-demo-note):has(+ .jp-OutputArea-child .workshop-demo) { display: none; }
.jp-OutputArea-child:has(.workshop-demo) + .jp-OutputArea-child:has(.workshop-still) { display: none; }
.workshop-still iframe { border: 0; width: 100%; height: 40em; }
.workshop-still:has(iframe) img { display: none; }
@media print { .workshop-still iframe { display: none; } .workshop-still:has(iframe) img { display: block; } }
</style>"""
"""Just one of three is seen: the widget where it lives, else the page, and on paper the picture."""


class Live(anywidget.AnyWidget):
    """What both widgets have in common: the script, and how they are displayed."""

    _esm = _page.module()
    _css = _page.HERE / "live.css"

    parts: Any = traitlets.List().tag(sync=True)
    me: Any = traitlets.Unicode().tag(sync=True)  # its own id, by which the page asks whether the kernel still knows it

    def __init__(self, part: Mapping[str, Any], **more: Any) -> None:
        me = uuid.uuid4().hex
        super().__init__(parts=[dict(part)], me=me, model_id=me, **more)

    def picture(self) -> tuple[bytes, str]:
        """A still picture as PNG, and what there is to say beside it."""
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        """Show the widget, and behind it what remains in a saved notebook; under grading nobody watches."""
        if os.environ.get("NBGRADER_EXECUTION"):
            return
        still, words = self.picture()
        note = f'{ONLY_ONE}<p class="workshop-demo-note">{html.escape(words)}</p>'
        display({"text/html": note, "text/plain": words}, raw=True)
        _replace(self)
        bundle, metadata = self._repr_mimebundle_() or ({}, {})
        display({**bundle, "text/plain": ""}, metadata=metadata, raw=True)
        coded = base64.b64encode(still).decode()
        image = (
            f'<img alt="{html.escape(f"Still picture of the live demo. {words}")}" src="data:image/png;base64,{coded}">'
        )
        frame = f'<iframe title="The live demo" loading="lazy" srcdoc="{html.escape(self._alone())}"></iframe>'
        whole = f'<div class="workshop-still">{frame}{image}</div>'
        display({"text/html": whole, "image/png": coded, "text/plain": ""}, raw=True)

    def _alone(self) -> str:
        """The page that goes on without a kernel, with functions of its own."""
        return _page.page(self.parts, call="alone")


class LiveDescent(Live):
    """A model as it learns. Each setting, and what has come of it, is a trait: set it, observe it, link it."""

    kind = "logistic"

    dataset: Any = traitlets.Enum(list(_page.DATA)).tag(sync=True)
    eta: Any = traitlets.Float(min=1e-6).tag(sync=True)
    batch_size: Any = traitlets.Int(min=1).tag(sync=True)
    lam: Any = traitlets.Float(min=0.0).tag(sync=True)
    noise: Any = traitlets.Float(min=0.01).tag(sync=True)
    gap: Any = traitlets.Float().tag(sync=True)
    seed: Any = traitlets.Int(min=0).tag(sync=True)
    playing: Any = traitlets.Bool(False).tag(sync=True)
    step: Any = traitlets.Int(0).tag(sync=True)
    objective: Any = traitlets.Float(None, allow_none=True).tag(sync=True)
    accuracy: Any = traitlets.Float(None, allow_none=True).tag(sync=True)

    def __init__(self, names: Mapping[str, Any], **settings: Any) -> None:
        start = _page.SETTINGS[self.kind] | settings
        self._names = names
        self._changed: dict[str, Any] = {}  # by Python, and not yet told to the descent
        self._telling = False
        self._told_at = 0.0
        super().__init__(_page.descent_part(self.kind, start), **start)
        self._descents = {self.kind: Descent(self.kind, names, start)}
        self.observe(self._note, list(start))
        self.on_msg(self._asked)

    def picture(self) -> tuple[bytes, str]:
        """The picture after the same training as the page begins with."""
        demo = self._descents[self.kind]
        words = train(demo)
        self._tell(demo, {"step": demo.step})
        return descent_picture(demo, words), words or "The live demo: run this cell to play with it."

    def _note(self, change: Any) -> None:
        if not self._telling:
            self._changed[change["name"]] = change["new"]

    def _asked(self, _widget: Any, message: Mapping[str, Any], _buffers: Any) -> None:
        """Answer the page, in every view of this widget. A second demo beside the first has a key of its own."""
        key = message["key"]
        if key not in self._descents:
            self._descents[key] = Descent(self.kind, self._names, self._descents[self.kind].settings)
        demo, settings = self._descents[key], message["settings"]
        if key == self.kind:
            settings, self._changed = self._changed | settings, {}
        content, buffers = demo.reply({**message, "settings": settings})
        self.send({"key": key, **content}, buffers)
        now = time.perf_counter()
        if key == self.kind and (message["do"] != "play" or now - self._told_at > OFTEN):
            self._told_at = now
            self._tell(demo, content["pictures"][-1])

    def _tell(self, demo: Descent, picture: Mapping[str, Any]) -> None:
        """Put into the traits what the descent has come to.

        Its settings are no news to the page: a late echo would undo what has been moved there since.
        """
        with self._quietly(), self._lock_property(**demo.settings), self.hold_sync():
            for name, value in demo.settings.items():
                setattr(self, name, value)
            for name in ("step", "objective", "accuracy"):
                if name in picture:
                    setattr(self, name, picture[name])

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        self._telling = True
        try:
            yield
        finally:
            self._telling = False


class LogisticDemo(LiveDescent):
    """Logistic regression as it learns."""


class NetworkDemo(LiveDescent):
    """The network with one hidden layer as it learns."""

    kind = "network"

    n_hidden: Any = traitlets.Int(min=1, max=64).tag(sync=True)
    start: Any = traitlets.Enum(list(_page.STARTS)).tag(sync=True)


class NudgeDemo(Live):
    """A computation graph with numbers. The page does its arithmetic; no function of a student is in it."""

    def __init__(self, name: str) -> None:
        super().__init__(_page.nudge_part(name))
        self._graph = {"logistic": nudge.logistic_regression, "network": nudge.one_hidden_layer}[name]()

    def picture(self) -> tuple[bytes, str]:
        """ΔL/δ against δ for the first weight."""
        return nudge_picture(self._graph), "The nudge: run this cell to play with it."


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
        curve.set_title(f"step size {eta:g}, {size}", fontsize="medium")
    else:
        curve.axis("off")
        curve.text(0.5, 0.5, words, ha="center", va="center", wrap=True)
    return _png(figure)


def nudge_picture(graph: nudge.Graph) -> bytes:
    """PNG of ΔL/δ against δ for the first weight, beside its derivative."""
    from matplotlib.figure import Figure

    edge = graph.edges[0]
    before = nudge.evaluate(graph)
    deltas = np.linspace(-_page.REACH, _page.REACH, 80)  # zero is not among them
    up, down = ([nudge.nudged(graph, before, edge.weight, sign * d)["L"] for d in deltas] for sign in (1, -1))
    figure = Figure(figsize=(6.5, 3.2), layout="constrained")
    axes = figure.subplots()
    symbol = f"${edge.symbol}$"
    axes.plot(deltas, (np.array(up) - before["L"]) / deltas, color=NUDGE, label="ΔL/δ: one-sided")
    central = (np.array(up) - np.array(down)) / (2 * deltas)
    axes.plot(deltas, central, color=CENTRAL, linestyle="--", label="(L(+δ) − L(−δ))/2δ: central")
    exact = nudge.derivatives(graph, before)[edge.weight]
    axes.axhline(exact, color=DERIVATIVE, linewidth=1.5, label="∂L/∂" + symbol + " by backpropagation")
    axes.set(xlabel=f"δ, added to {symbol}", ylabel="slope")
    axes.legend(fontsize="small")
    return _png(figure)


_shown: dict[str, Live] = {}


def _replace(widget: Live) -> None:
    """Close the widget that an earlier run of the same cell left behind."""
    shell = get_ipython()
    cell = shell.get_parent().get("metadata", {}).get("cellId") if hasattr(shell, "get_parent") else None
    if cell:
        key = f"{cell} {widget.parts[0]['key']}"
        if key in _shown and _shown[key] is not widget:
            _shown.pop(key).close()
        _shown[key] = widget


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return file.getvalue()
