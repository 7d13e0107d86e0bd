"""A model of the live demo as it learns: its data, its parameters, and what came of them so far."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from workshop import points
from workshop._models import MODELS, Floats, Params
from workshop._trouble import Diverged

HISTORY = 3000  # points of a curve; beyond, every other one is dropped
FRESH = 400  # fresh points, or a few more


class History:
    """Rows of numbers that grow, thinned by half when there are too many; `version` changes when old rows do."""

    def __init__(self, width: int) -> None:
        self.rows: list[tuple[float, ...]] = []
        self.width, self.version, self.every, self.count = width, 0, 1, 0

    def add(self, *row: float) -> None:
        """Keep the row, or pass it over if the rows have been thinned."""
        self.count += 1
        if self.count % self.every == 0:
            self.rows.append(row)
            if len(self.rows) > HISTORY:
                self.rows = self.rows[::2]
                self.every *= 2
                self.version += 1

    def since(self, start: int) -> bytes:
        """The rows from `start` on, as float32."""
        return np.asarray(self.rows[start:], dtype=np.float32).tobytes()


class Training:
    """One model and its points, and how far it has learnt. Nothing here runs by itself: `advance` takes the steps."""

    params: Params
    epoch: Iterator[Any] | None  # the steps of the epoch at hand that are still to take

    def __init__(self, kind: str, names: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        self.kind = kind
        self.model = MODELS[kind](names)
        self.settings: dict[str, Any] = dict(settings)
        self.drawn = self.run = 0  # how many samples there were, and how many trainings: what the page has may be older
        self.draw()
        self.reset()

    def draw(self) -> None:
        """Points from the seeded generator, standardised, and fresh ones like them."""
        self.X, self.y = self._sample(self.settings["seed"])
        draws = [self._sample([self.settings["seed"], 1 + i]) for i in range(-(-FRESH // len(self.y)))]
        like = self.X
        self.X = points.standardise(like)
        self.fresh = points.standardise(np.concatenate([X for X, _ in draws]), like)
        self.fresh_y = np.concatenate([y for _, y in draws])
        self.radius = round(1.12 * float(np.abs(self.X).max()), 3)
        self.drawn += 1

    def _sample(self, seed: Any) -> tuple[Floats, Floats]:
        make = getattr(points, self.settings["dataset"])
        usual = inspect.signature(make).parameters["noise"].default
        more = {"gap": self.settings["gap"]} if self.settings["dataset"] == "s_shape" else {}
        X, y = make(np.random.default_rng(seed), noise=self.settings["noise"] * usual, **more)
        return X, y

    def reset(self) -> None:
        """Forget the training; the start and the draws of the next one are the same."""
        self.params = None
        self.step, self.seen, self.epochs_begun = 0, 0, 0
        self.epoch = None
        self.curve, self.fresh_curve, self.path = History(2), History(2), History(2)
        self.run += 1

    def begin(self) -> None:
        """Have parameters: those of the start, if there are none yet."""
        if self.params is None:
            params = self.model.start(self.settings)
            self.model.proba(params, self.X)  # what is wrong in there is told before it makes something else go wrong
            self.params = params
            self._record(every=1)

    def advance(self, epochs: float, deadline: float) -> None:
        """Take steps until `epochs` epochs are full or the time is up; at least one step."""
        self.begin()
        n = len(self.y)
        every = max(1, -(-n // self.settings["batch_size"]) // 8)
        while self.seen < epochs * n:
            if self.epoch is None:
                seed = [self.settings["seed"], 7, self.epochs_begun]
                self.epoch = self.model.steps(self.params, self.X, self.y, self.settings, seed)
                self.epochs_begun += 1
            try:
                params, used = next(self.epoch)
            except StopIteration:
                self.epoch = None
                continue
            except BaseException:
                self.epoch = None
                raise
            if not _finite(params):
                self.epoch = None
                raise Diverged(
                    f"Diverged: step {self.step + 1} made the parameters infinite or nan. "
                    "The step size is too large, or a gradient is wrong."
                )
            self.params = params
            self.step += 1
            self.seen += used
            self._record(every)
            if time.perf_counter() > deadline:
                break

    def _record(self, every: int) -> None:
        place = self.model.place(self.params)
        if place:
            self.path.add(*place[:2])
        if self.step % every == 0:
            value = self.model.objective(self.params, self.X, self.y, self.settings["lam"])
            self.curve.add(self.seen / len(self.y), value)
        if self.seen % len(self.y) == 0:
            value = self.model.objective(self.params, self.fresh, self.fresh_y, self.settings["lam"])
            self.fresh_curve.add(self.seen / len(self.y), value)


def _finite(params: Params) -> bool:
    values = params.values() if isinstance(params, Mapping) else params
    return all(bool(np.isfinite(value).all()) for value in values)
