"""Descent for the live demo: settings come in, what to draw goes out; every number is the student's functions' own.

Nothing here runs by itself. The page asks for one picture after the other (`Descent.reply`), so a page that is closed,
hidden or slow leaves nothing running in the kernel, and a newer setting never waits behind an older one.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import math
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workshop import points
from workshop._page import SETTINGS

Floats = NDArray[np.float64]
Params = Any  # (w, b) of logistic regression, the dict of the network

GRIDS = (100, 80, 60, 44, 32, 24, 16)
"""Points on a side of the grid, the finest first; slow answers get a coarser one."""

SETTLE = 0.012  # seconds of retraining behind one picture,
FIRST = 0.004  # and behind the first after a change, for which somebody waits
PLAY = 0.03  # seconds of training behind one picture while it plays
CUT = 0.1  # seconds after which an epoch of the student's `train` is cut short
FIELD = 0.012  # seconds for the grid of one picture; FINE once nothing moves any more
FINE = 0.3
TOGETHER = 0.014  # seconds after which no further picture is put into the same answer
CONTOUR = 0.003  # seconds of one picture that go into the contours of the next
CONTOUR_SIDE = 33
WIDTHS = (4.0, 6.0, 10.0, 15.0, 25.0, 40.0, 60.0, 100.0)  # how far the contours reach; as far as the path, if they can
KEPT = ("curve", "freshCurve", "path", "contours")  # what the page keeps, and is sent no second time
HISTORY = 3000  # points of a curve; beyond, every other one is dropped
FRESH = 400  # fresh points, or a few more
EQUAL = 0.5  # every weight of a network that starts with equal ones


class Trouble(Exception):
    """What went wrong, in words for the person who moves the sliders. `waiting`: the answer that is not written yet."""

    def __init__(self, words: str, waiting: str = "") -> None:
        super().__init__(words)
        self.waiting = waiting


class Diverged(Trouble):
    """The parameters left the finite numbers: what came before is still worth a picture."""


class _Enough(BaseException):
    """Ends the student's `train` early. No Exception, so that an `except Exception` in there lets it through."""

    def __init__(self, params: Params) -> None:
        super().__init__()
        self.params = params


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


class Model(Protocol):
    """What `Descent` needs to know of a model; `params` are its own affair."""

    answers: tuple[str, ...]  # the names of the contract that an error is put down to

    def start(self, settings: Mapping[str, Any]) -> Params: ...
    def proba(self, params: Params, X: Floats) -> Floats: ...
    def objective(self, params: Params, X: Floats, y: Floats, lam: float) -> float: ...
    def steps(self, params: Params, X: Floats, y: Floats, settings: Mapping[str, Any], seed: Any) -> Iterator[Any]: ...
    def place(self, params: Params) -> tuple[float, ...]: ...
    def inside(self, params: Params) -> dict[str, Any]: ...


class Logistic:
    """Logistic regression by the student's functions; params are the pair (w, b)."""

    answers: tuple[str, ...] = ("sigmoid", "decision_function", "predict_proba", "log_loss", "objective", "gradient")
    answers += ("minibatches", "sgd_epoch")

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names

    def start(self, settings: Mapping[str, Any]) -> Params:
        """Where every training starts: a line that separates nothing, so that there is something to see."""
        return np.array([-1.5, 2.5]), 0.0

    def proba(self, params: Params, X: Floats) -> Floats:
        """P(y = 1) for each row of X, by the student's `predict_proba`."""
        w, b = params
        return _numbers("predict_proba", self._get("predict_proba")(X, w.copy(), b), (len(X),))

    def objective(self, params: Params, X: Floats, y: Floats, lam: float) -> float:
        """The student's objective on all the points."""
        w, b = params
        return float(_numbers("objective", self._get("objective")(w.copy(), b, X, y, lam), ()))

    def steps(self, params: Params, X: Floats, y: Floats, settings: Mapping[str, Any], seed: Any) -> Iterator[Any]:
        """One epoch, a step at a time: yields (params, number of points used). Reads eta and lam anew in each step."""
        gradient, sgd_epoch = self._get("gradient"), self._get("sgd_epoch")
        batches = self._get("minibatches")(len(y), settings["batch_size"], np.random.default_rng(seed))
        if batches is None:
            raise Trouble("`minibatches` returned None: does it end with `return`, or yield its batches?")
        seen = 0
        for batch in batches:
            seen += len(batch)
            if seen > len(y) or not len(batch):
                raise Trouble("`minibatches` goes on for too long: one epoch uses every point once.")

            def on_batch(w: Floats, b: float, X_batch: Floats, y_batch: Floats) -> Any:
                return gradient(w, b, X_batch, y_batch, settings["lam"])

            w, b = params
            answer = sgd_epoch(w.copy(), b, on_batch, X, y, [batch], settings["eta"])
            if not isinstance(answer, tuple) or len(answer) != 2:
                raise Trouble(f"`sgd_epoch` returned {_what(answer)} where the pair (w, b) was expected.")
            params = (_numbers("sgd_epoch", answer[0], w.shape, "w"), float(_numbers("sgd_epoch", answer[1], (), "b")))
            yield params, len(batch)

    def place(self, params: Params) -> tuple[float, ...]:
        """Where the parameters are on the contours: (w₁, w₂, b)."""
        w, b = params
        return float(w[0]), float(w[1]), float(b)

    def inside(self, params: Params) -> dict[str, Any]:
        """No hidden units, no lines."""
        return {"lines": [], "weights": []}

    def _get(self, name: str) -> Callable[..., Any]:
        return _get(self.names, name)


class Network:
    """The network with one hidden layer by the student's functions; params are the dict with V, c, w, b."""

    answers: tuple[str, ...] = (
        "sigmoid",
        "sigmoid_slope",
        "init_params",
        "forward",
        "objective",
        "backward",
        "sgd_step",
        "train",
    )

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names

    def start(self, settings: Mapping[str, Any]) -> Params:
        """The student's `init_params`, from the same seed each time; larger than by default, so that it soon moves.

        Where the weights are to start equal, or at zero, they are put in the place of those that it drew.
        """
        make = self._get("init_params")
        rng = np.random.default_rng(settings["seed"])
        params = self._checked("init_params", make(2, settings["n_hidden"], rng, 1.0))
        if settings["start"] != "random":
            weight = EQUAL if settings["start"] == "equal" else 0.0
            params |= {key: np.full_like(params[key], weight) for key in ("V", "w")}
        return params

    def proba(self, params: Params, X: Floats) -> Floats:
        """P(y = 1) for each row of X: `y_hat` of the student's `forward`."""
        return _numbers("forward", self._forward(params, X)["y_hat"], (len(X),), "y_hat")

    def objective(self, params: Params, X: Floats, y: Floats, lam: float) -> float:
        """The student's objective on all the points."""
        answer = self._get("objective")(_copied(params), self._forward(params, X)["s"], y, lam)
        return float(_numbers("objective", answer, ()))

    def steps(self, params: Params, X: Floats, y: Floats, settings: Mapping[str, Any], seed: Any) -> Iterator[Any]:
        """One epoch of the student's `train`: yields (params, number of points used) for each step.

        `train` runs to its end before the first step is handed on, unless that takes longer than CUT: then it is
        stopped where it is (the next epoch draws its mini-batches anew).
        """
        train, backward = self._get("train"), self._get("backward")
        done: list[tuple[Params, int]] = []
        used: list[int] = []
        deadline = time.perf_counter() + CUT

        def on_batch(params: Params, X_batch: Floats, y_batch: Floats) -> Any:
            if used:
                done.append((_copied(params), used[-1]))
                if time.perf_counter() > deadline:
                    raise _Enough(params)
            if sum(used) + len(X_batch) > len(y):
                raise Trouble("`train` goes on for too long: one epoch uses every point once.")
            used.append(len(X_batch))
            return backward(params, X_batch, y_batch, self._forward(params, X_batch), settings["lam"])

        rng = np.random.default_rng(seed)
        with contextlib.suppress(_Enough):
            answer = train(_copied(params), on_batch, X, y, settings["eta"], settings["batch_size"], 1, rng)
            if not used:
                raise Trouble("`train` never asked for a gradient: call `gradient(params, X_batch, y_batch)`.")
            done.append((self._checked("train", answer), used[-1]))
        yield from done

    def place(self, params: Params) -> tuple[float, ...]:
        """No picture of all these weights."""
        return ()

    def inside(self, params: Params) -> dict[str, Any]:
        """For each hidden unit (v₁, v₂, c), for its t is zero where v₁x₁ + v₂x₂ + c is; and the weight of each in s."""
        lines = [[float(v[0]), float(v[1]), float(c)] for v, c in zip(params["V"].T, params["c"], strict=True)]
        return {"lines": lines, "weights": [float(weight) for weight in params["w"]]}

    def _forward(self, params: Params, X: Floats) -> Mapping[str, Any]:
        cache = self._get("forward")(params, X)
        if not isinstance(cache, Mapping) or not {"s", "y_hat"} <= set(cache):
            raise Trouble(f"`forward` returned {_what(cache)} where a dict with the keys t, h, s, y_hat was expected.")
        return cache

    def _checked(self, name: str, params: Any) -> Params:
        if not isinstance(params, Mapping) or not {"V", "c", "w", "b"} <= set(params):
            raise Trouble(f"`{name}` returned {_what(params)} where a dict with the keys V, c, w, b was expected.")
        shape = np.shape(params["V"])
        if len(shape) != 2:
            raise Trouble(f"`{name}` returned V of shape {shape} where (d, H) was expected.")
        shapes = {"V": shape, "c": shape[1:], "w": shape[1:], "b": ()}
        checked = {key: _numbers(name, params[key], want, key) for key, want in shapes.items()}
        return {**checked, "b": float(checked["b"])}

    def _get(self, name: str) -> Callable[..., Any]:
        return _get(self.names, name)


MODELS: dict[str, Callable[[Mapping[str, Any]], Model]] = {"logistic": Logistic, "network": Network}


class Descent:
    """One demo: the model, its data, how far it has learnt, and what the page is owed."""

    params: Params
    epoch: Iterator[Any] | None  # the steps of the epoch at hand that are still to take
    target: float  # the epochs that a paused demo trains up to; 0 when it is there
    contour: list[float]  # the objective over (w₁, w₂), row by row, as far as it is worked out
    contour_at: tuple[Any, ...]  # what it is worked out for
    contour_b: float

    def __init__(self, kind: str, names: Mapping[str, Any], start: Mapping[str, Any]) -> None:
        self.kind = kind
        self.model = MODELS[kind](names)
        self.settings: dict[str, Any] = {**SETTINGS[kind], **start}
        self.told = ""  # that it diverged, until somebody changes something
        self.reach = 30 if kind == "logistic" else 100  # epochs that a paused demo shows
        self.cost = 1e-7  # seconds that one point of the grid takes, as measured last
        self._draw()
        self._reset()

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
            with _quiet():
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
            told = _explain(error, self.model.answers)
            said |= {"words": str(told), "waiting": told.waiting}
        if not content:  # the page keeps the picture that it has
            self.target = 0.0
            content = {"order": [], "more": False, "fine": True}
            self._points(content, buffers, message)
        return content | said | {"seconds": time.perf_counter() - began}, buffers

    # What is asked ------------------------------------------------------------------------------------------------

    def _change(self, settings: Mapping[str, Any], playing: bool) -> None:
        changed = {key for key, value in settings.items() if value != self.settings.get(key)}
        if changed:
            self.told = ""
        self.settings.update(settings)
        self.settings["batch_size"] = max(1, min(int(self.settings["batch_size"]), len(self.y)))
        if changed & {"dataset", "noise", "seed", "gap"}:
            everything = self.settings["batch_size"] == len(self.y)
            self._draw()
            n = len(self.y)
            self.settings["batch_size"] = n if everything else min(self.settings["batch_size"], n)
        if changed & {"dataset", "noise", "seed", "gap", "n_hidden", "start"} or (changed and not playing):
            self._reset()
            self.target = 0.0 if playing else float(self.reach)
        elif "batch_size" in changed:
            self.epoch = None
        if "lam" in changed:
            self.contour_at = ()

    def _act(self, message: Mapping[str, Any]) -> None:
        do = message["do"]
        if do != "look":
            self.told = ""
        if do == "restart":
            self._reset()
            self.reach = 30 if self.kind == "logistic" else 100
        if do in ("play", "step"):
            self.target = 0.0
            epochs = 0 if do == "step" else int(message.get("epochs", 1))
            if epochs:
                self._advance(math.floor(self.seen / len(self.y) + 1e-9) + epochs, time.perf_counter() + PLAY)
            else:
                self._advance(math.inf, 0.0)
            self.reach = max(1, math.ceil(self.seen / len(self.y)))
        elif do == "train" and not self.step and not self.target:
            self.target = float(self.reach)
        if self.target and do != "restart":
            self._advance(self.target, time.perf_counter() + (SETTLE if self.step else FIRST))
            if self.seen >= self.target * len(self.y):
                self.target = 0.0

    # Learning -----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Points from the seeded generator, standardised, and fresh ones like them."""
        self.X, self.y = self._sample(self.settings["seed"])
        draws = [self._sample([self.settings["seed"], 1 + i]) for i in range(-(-FRESH // len(self.y)))]
        like = self.X
        self.X = points.standardise(like)
        self.fresh = points.standardise(np.concatenate([X for X, _ in draws]), like)
        self.fresh_y = np.concatenate([y for _, y in draws])
        self.radius = round(1.12 * float(np.abs(self.X).max()), 3)
        self.drawn = getattr(self, "drawn", 0) + 1

    def _sample(self, seed: Any) -> tuple[Floats, Floats]:
        make = getattr(points, self.settings["dataset"])
        usual = inspect.signature(make).parameters["noise"].default
        more = {"gap": self.settings["gap"]} if self.settings["dataset"] == "s_shape" else {}
        X, y = make(np.random.default_rng(seed), noise=self.settings["noise"] * usual, **more)
        return X, y

    def _reset(self) -> None:
        """Forget the training; the start and the draws of the next one are the same."""
        self.params = None
        self.step, self.seen, self.epochs_begun = 0, 0, 0
        self.target = 0.0
        self.epoch = None
        self.curve, self.fresh_curve, self.path = History(2), History(2), History(2)
        self.run = getattr(self, "run", 0) + 1
        self.contour = []
        self.contour_at, self.contour_b = (), 0.0
        self.wide = WIDTHS[0]

    def _begin(self) -> None:
        if self.params is None:
            params = self.model.start(self.settings)
            self.model.proba(params, self.X)  # what is wrong in there is told before it makes something else go wrong
            self.params = params
            self._record(every=1)

    def _advance(self, epochs: float, deadline: float) -> None:
        """Take steps until `epochs` epochs are full or the time is up; at least one step."""
        self._begin()
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
                    "The learning rate is too large, or a gradient is wrong."
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

    # The picture --------------------------------------------------------------------------------------------------

    def _picture(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        self._begin()
        proba, fresh = self.model.proba(self.params, self.X), self.model.proba(self.params, self.fresh)
        field, side = self._field(FINE if message.get("fine") else FIELD)
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
        place = self.model.place(self.params)
        if place:
            self._contours(content, buffers, place, message)
        return content, buffers

    def _points(self, content: dict[str, Any], buffers: list[bytes], message: Mapping[str, Any]) -> None:
        """The points themselves, where the page does not have these yet."""
        n = len(self.y)
        content |= {"radius": self.radius, "n": n, "points": self.drawn, "settings": dict(self.settings)}
        if (message.get("have") or {}).get("points") != self.drawn:
            for name, X, y in (("points", self.X, self.y), ("freshPoints", self.fresh, self.fresh_y)):
                content["order"].append(name)
                buffers.append(np.column_stack([X, y]).astype(np.float32).tobytes())

    def _field(self, seconds: float) -> tuple[bytes, int]:
        """P(y = 1) over the picture as uint16, row by row from the top; as fine as `seconds` allow."""
        side = next((n for n in GRIDS if n * n * self.cost <= seconds), GRIDS[-1])
        began = time.perf_counter()
        proba = self.model.proba(self.params, grid(self.radius, side))
        self.cost = max((time.perf_counter() - began) / side**2, 1e-8)
        return (np.clip(proba, 0.0, 1.0) * 65535).astype(np.uint16).tobytes(), side

    def _contours(
        self, content: dict[str, Any], buffers: list[bytes], place: tuple[float, ...], message: Mapping[str, Any]
    ) -> None:
        """The objective over (w₁, w₂) at the present b, a part with each picture, so that none has to wait for it."""
        far = max(abs(value) for row in self.path.rows[-200:] for value in row) if self.path.rows else 0.0
        self.wide = max(self.wide, next((wide for wide in WIDTHS if far < 0.95 * wide), WIDTHS[-1]))
        at = (self.wide, self.drawn, self.settings["lam"])
        moved = abs(place[2] - self.contour_b) > 0.04 * self.wide  # b, by enough to be seen
        if self.contour_at[:3] != at or (moved and len(self.contour) == CONTOUR_SIDE**2):
            self.contour, self.contour_b = [], place[2]
            self.contour_at = (*at, place[2])
        wide, ticks = self.contour_at[0], np.linspace(-self.contour_at[0], self.contour_at[0], CONTOUR_SIDE)
        deadline = time.perf_counter() + (FINE if message.get("fine") else CONTOUR)
        while len(self.contour) < CONTOUR_SIDE**2 and time.perf_counter() < deadline:
            row, column = divmod(len(self.contour), CONTOUR_SIDE)
            params = (np.array([ticks[column], -ticks[row]]), self.contour_b)
            self.contour.append(self.model.objective(params, self.X, self.y, self.settings["lam"]))
        content |= {"wide": self.wide, "place": place}
        whole = [self.run, self.contour_at]
        if len(self.contour) < CONTOUR_SIDE**2:
            content["more"] = content["more"] or message["do"] != "play"
        elif (message.get("have") or {}).get("contours") != _plain(whole):
            content["contours"] = {"now": _plain(whole), "wide": wide, "side": CONTOUR_SIDE}
            content["order"].append("contours")
            buffers.append(np.asarray(self.contour, dtype=np.float32).tobytes())


def grid(radius: float, side: int) -> Floats:
    """The middle points of side × side squares over [-radius, radius]², row by row from the top: (side², 2)."""
    ticks = radius * ((np.arange(side) + 0.5) * 2 / side - 1)
    across, down = np.meshgrid(ticks, -ticks)
    return np.column_stack([across.ravel(), down.ravel()])


# Words ----------------------------------------------------------------------------------------------------------------


def _get(names: Mapping[str, Any], name: str) -> Callable[..., Any]:
    function = names.get(name)
    if function is None:
        raise Trouble(f"The demo waits for your answer `{name}`.", waiting=name)
    if not callable(function):
        raise Trouble(f"`{name}` is {_what(function)} now, no function. Run the cell of your answer again.")
    return function


def _explain(error: Exception, answers: tuple[str, ...]) -> Trouble:
    """The error in words: which answer it came from, at which line of its cell."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if frame.name in answers and frame.filename != __file__]  # fmt: skip
    name = frames[-1].name if frames else ""
    if isinstance(error, NotImplementedError):
        named = name or "the one that raises NotImplementedError"
        return Trouble(f"The demo waits for your answer `{named}`.", waiting=named)
    where = f"`{name}` stopped at line {frames[-1].lineno} of its cell" if frames else "Your code stopped"
    said = str(error).strip().splitlines()
    return Trouble(f"{where}: {type(error).__name__}{': ' + said[0][:200] if said else ''}")


def _numbers(name: str, answer: Any, shape: tuple[int, ...], part: str = "") -> Floats:
    """The answer as floats of the shape that the contract names; Trouble in the order None, kind, shape."""
    named = f"`{name}` returned {part + ' = ' if part else ''}"
    if answer is None:
        raise Trouble(f"{named}None: is a `return` missing?")
    try:
        numbers = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        raise Trouble(f"{named}{_what(answer)} where numbers were expected.") from None
    if numbers.shape != shape:
        raise Trouble(f"{named}an array of shape {numbers.shape} where {shape} was expected.")
    return numbers


def _what(answer: Any) -> str:
    return "None" if answer is None else f"something of type {type(answer).__name__}"


def _finite(params: Params) -> bool:
    values = params.values() if isinstance(params, Mapping) else params
    return all(bool(np.isfinite(value).all()) for value in values)


def _copied(params: Params) -> Params:
    return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in params.items()}


def _plain(value: Any) -> Any:
    """Tuples as the lists that JSON makes of them."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


class _Nowhere(io.TextIOBase):
    """Swallows what an answer prints: sixty pictures a second would flood the notebook."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(_Nowhere()):
        warnings.simplefilter("ignore")
        yield
