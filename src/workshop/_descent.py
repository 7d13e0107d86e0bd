"""Descent for the live demo: settings come in, what to draw goes out; every number is the student's functions' own.

Nothing here runs by itself. The page asks for one picture after the other (`Descent.reply`), so a page that is closed,
hidden or slow leaves nothing running in the kernel, and a newer setting never waits behind an older one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from workshop._models import Floats
from workshop._page import SETTINGS
from workshop._training import Training
from workshop._trouble import Diverged, Trouble, explain, quiet

GRIDS = (100, 80, 60, 44, 32, 24, 16)
"""Points on a side of the grid, the finest first; slow answers get a coarser one."""

SETTLE = 0.012  # seconds of retraining behind one picture,
FIRST = 0.004  # and behind the first after a change, for which somebody waits
PLAY = 0.03  # seconds of training behind one picture while it plays
FIELD = 0.012  # seconds for the grid of one picture; FINE once nothing moves any more
FINE = 0.3
TOGETHER = 0.014  # seconds after which no further picture is put into the same answer
CONTOUR = 0.003  # seconds of one picture that go into the contours of the next
CONTOUR_SIDE = 33
WIDTHS = (4.0, 6.0, 10.0, 15.0, 25.0, 40.0, 60.0, 100.0)  # how far the contours reach; as far as the path, if they can
KEPT = ("curve", "freshCurve", "path", "contours")  # what the page keeps, and is sent no second time


class Contours:
    """The objective over (w₁, w₂) at one b, worked out a part with each picture, so that none has to wait for it."""

    def __init__(self) -> None:
        self.values: list[float] = []  # row by row from the top, as far as they are worked out
        self.at: tuple[Any, ...] = ()  # what they are worked out for: how far they reach, the points, lam and b
        self.b = 0.0
        self.wide = WIDTHS[0]  # how far they are to reach

    @property
    def _complete(self) -> bool:
        """Whether all of them are there."""
        return len(self.values) == CONTOUR_SIDE**2

    def _go_on(self, training: Training, place: tuple[float, ...], seconds: float) -> None:
        """Work for so long on the contours around a place (w₁, w₂, b), anew where they are of something else."""
        far = max(abs(value) for row in training.path.rows[-200:] for value in row) if training.path.rows else 0.0
        self.wide = max(self.wide, next((wide for wide in WIDTHS if far < 0.95 * wide), WIDTHS[-1]))
        lam = training.settings["lam"]
        at = (self.wide, training.drawn, lam)
        moved = abs(place[2] - self.b) > 0.04 * self.wide  # b, by enough to be seen
        if self.at[:3] != at or (moved and self._complete):
            self.values, self.b = [], place[2]
            self.at = (*at, place[2])
        ticks = np.linspace(-self.at[0], self.at[0], CONTOUR_SIDE)
        deadline = time.perf_counter() + seconds
        while not self._complete and time.perf_counter() < deadline:
            row, column = divmod(len(self.values), CONTOUR_SIDE)
            params = (np.array([ticks[column], -ticks[row]]), self.b)
            self.values.append(training.model.objective(params, training.X, training.y, lam))

    def tell(
        self, training: Training, content: dict[str, Any], buffers: list[bytes], message: Mapping[str, Any]
    ) -> None:
        """Put into a picture where the parameters are, and the contours once all are there, if the page lacks them."""
        place = training.model.place(training.params)
        if not place:
            return
        self._go_on(training, place, FINE if message.get("fine") else CONTOUR)
        content |= {"wide": self.wide, "place": place}
        whole = [training.run, self.at]
        if not self._complete:
            content["more"] = content["more"] or message["do"] != "play"
        elif (message.get("have") or {}).get("contours") != _plain(whole):
            content["contours"] = {"now": _plain(whole), "wide": self.at[0], "side": CONTOUR_SIDE}
            content["order"].append("contours")
            buffers.append(np.asarray(self.values, dtype=np.float32).tobytes())


class Field:
    """P(y = 1) over the picture, on as fine a grid as there is time for."""

    def __init__(self) -> None:
        self._cost = 1e-7  # seconds that one point of the grid takes, as measured last

    def taken(self, training: Training, seconds: float) -> tuple[bytes, int]:
        """The values as uint16, row by row from the top, and how many there are in a row."""
        side = next((n for n in GRIDS if n * n * self._cost <= seconds), GRIDS[-1])
        began = time.perf_counter()
        proba = training.model.proba(training.params, grid(training.radius, side))
        self._cost = max((time.perf_counter() - began) / side**2, 1e-8)
        return (np.clip(proba, 0.0, 1.0) * 65535).astype(np.uint16).tobytes(), side


class Descent(Training):
    """One demo: a training, and what the page is owed of it."""

    target: float  # the epochs that a paused demo trains up to; 0 when it is there

    def __init__(self, kind: str, names: Mapping[str, Any], start: Mapping[str, Any]) -> None:
        super().__init__(kind, names, {**SETTINGS[kind], **start})
        self.told = ""  # that it diverged, until somebody changes something
        self.reach = 30 if kind == "logistic" else 100  # epochs that a paused demo shows
        self.field = Field()

    def reset(self) -> None:
        """Forget the training and its pictures; the start and the draws of the next one are the same."""
        super().reset()
        self.target, self.contours = 0.0, Contours()

    def reply(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Do what the page asks and return pictures: words and numbers as JSON, arrays as bytes, in the order given.

        message: {"do": "play" | "step" | "restart" | "train" | "look", "settings": {...}, "epochs": how many a picture
        while it plays (0: one step), "pictures": how many at once while it plays, "have": what the page has already,
        "fine": whether to take time for the grid}.
        """
        pictures: list[dict[str, Any]] = []
        buffers: list[bytes] = []
        deadline = time.perf_counter() + TOGETHER
        have = dict(message.get("have") or {})
        for _ in range(int(message.get("pictures", 1))):
            picture, arrays = self._reply({**message, "have": have})
            pictures.append(picture)
            buffers += arrays
            have |= {"points": picture["points"]} | {name: picture[name]["now"] for name in KEPT if name in picture}
            if picture["words"] or time.perf_counter() > deadline:
                break
        return {"id": message.get("id"), "pictures": pictures}, buffers

    def _reply(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """One picture; if the student's code fails, what there is to say and what could still be drawn."""
        began = time.perf_counter()
        said: dict[str, Any] = {"words": "", "waiting": ""}
        content: dict[str, Any] = {}
        buffers: list[bytes] = []
        try:
            with quiet():
                self._change(message.get("settings", {}), playing=message["do"] == "play")
                try:
                    self._act(message)
                except Diverged as diverged:
                    self.told, self.target = str(diverged), 0.0
                said["words"] = self.told
                content, buffers = self._picture(message)
        except Trouble as trouble:
            said |= {"words": str(trouble), "waiting": trouble.waiting}
        except Exception as error:  # the student's code may raise anything; what it was is told in words
            told = explain(error, self.model.answers)
            said |= {"words": str(told), "waiting": told.waiting}
        if not content:  # the page keeps the picture that it has
            self.target = 0.0
            content = {"order": [], "more": False, "fine": True}
            self._points(content, buffers, message)
        return content | said | {"seconds": time.perf_counter() - began}, buffers

    def _change(self, settings: Mapping[str, Any], playing: bool) -> None:
        changed = {key for key, value in settings.items() if value != self.settings.get(key)}
        if changed:
            self.told = ""
        self.settings.update(settings)
        self.settings["batch_size"] = max(1, min(int(self.settings["batch_size"]), len(self.y)))
        if changed & {"dataset", "noise", "seed", "gap"}:
            everything = self.settings["batch_size"] == len(self.y)
            self.draw()
            n = len(self.y)
            self.settings["batch_size"] = n if everything else min(self.settings["batch_size"], n)
        if changed & {"dataset", "noise", "seed", "gap", "n_hidden", "start"} or (changed and not playing):
            self.reset()
            self.target = 0.0 if playing else float(self.reach)
        elif "batch_size" in changed:
            self.epoch = None
        if "lam" in changed:
            self.contours.at = ()

    def _act(self, message: Mapping[str, Any]) -> None:
        do = message["do"]
        if do != "look":
            self.told = ""
        if do == "restart":
            self.reset()
            self.reach = 30 if self.kind == "logistic" else 100
        if do in ("play", "step"):
            self.target = 0.0
            epochs = 0 if do == "step" else int(message.get("epochs", 1))
            if epochs:
                self.advance(math.floor(self.seen / len(self.y) + 1e-9) + epochs, time.perf_counter() + PLAY)
            else:
                self.advance(math.inf, 0.0)
            self.reach = max(1, math.ceil(self.seen / len(self.y)))
        elif do == "train" and not self.step and not self.target:
            self.target = float(self.reach)
        if self.target and do != "restart":
            self.advance(self.target, time.perf_counter() + (SETTLE if self.step else FIRST))
            if self.seen >= self.target * len(self.y):
                self.target = 0.0

    def _picture(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        self.begin()
        proba, fresh = self.model.proba(self.params, self.X), self.model.proba(self.params, self.fresh)
        field, side = self.field.taken(self, FINE if message.get("fine") else FIELD)
        objective = self.model.objective(self.params, self.X, self.y, self.settings["lam"])
        content: dict[str, Any] = {
            "step": self.step,
            "epoch": self.seen / len(self.y),
            "objective": objective if math.isfinite(objective) else None,
            "accuracy": float(np.mean((proba >= 0.5) == self.y)),
            "fresh": float(np.mean((fresh >= 0.5) == self.fresh_y)),
            "side": side,
            "fine": side == GRIDS[0] or bool(message.get("fine")),
            "more": bool(self.target),
            **self.model.inside(self.params),
            "order": ["field"],
        }
        buffers = [field]
        self._points(content, buffers, message)
        have = message.get("have") or {}
        for name, history in (("curve", self.curve), ("freshCurve", self.fresh_curve), ("path", self.path)):
            version, start = have.get(name) or (None, 0)
            if version != [self.run, history.version] or start > len(history.rows):
                start = 0
            content[name] = {"now": [[self.run, history.version], len(history.rows)], "from": start}
            content["order"].append(name)
            buffers.append(history.since(start))
        self.contours.tell(self, content, buffers, message)
        return content, buffers

    def _points(self, content: dict[str, Any], buffers: list[bytes], message: Mapping[str, Any]) -> None:
        """The points themselves, where the page does not have these yet."""
        n = len(self.y)
        content |= {"radius": self.radius, "n": n, "points": self.drawn, "settings": dict(self.settings)}
        if (message.get("have") or {}).get("points") != self.drawn:
            for name, X, y in (("points", self.X, self.y), ("freshPoints", self.fresh, self.fresh_y)):
                content["order"].append(name)
                buffers.append(np.column_stack([X, y]).astype(np.float32).tobytes())


def grid(radius: float, side: int) -> Floats:
    """The middle points of side × side squares over [-radius, radius]², row by row from the top: (side², 2)."""
    ticks = radius * ((np.arange(side) + 0.5) * 2 / side - 1)
    across, down = np.meshgrid(ticks, -ticks)
    return np.column_stack([across.ravel(), down.ravel()])


def _plain(value: Any) -> Any:
    """Tuples as the lists that JSON makes of them."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
