"""The two models of the live demo; every number is the student's functions' own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workshop._trouble import Trouble, get, numbers, what

Floats = NDArray[np.float64]
Params = Any  # (w, b) of logistic regression, the dict of the network

CUT = 0.1  # seconds after which an epoch of the student's `train` is cut short
EQUAL = 0.5  # every weight of a network that starts with equal ones


class _Enough(BaseException):
    """Ends the student's `train` early. No Exception, so that an `except Exception` in there lets it through."""

    def __init__(self, params: Params) -> None:
        super().__init__()
        self.params = params


class Model(Protocol):
    """What a training needs to know of a model; `params` are its own affair."""

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
        return numbers("predict_proba", self._get("predict_proba")(X, w.copy(), b), (len(X),))

    def objective(self, params: Params, X: Floats, y: Floats, lam: float) -> float:
        """The student's objective on all the points."""
        w, b = params
        return float(numbers("objective", self._get("objective")(w.copy(), b, X, y, lam), ()))

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
                raise Trouble(f"`sgd_epoch` returned {what(answer)} where the pair (w, b) was expected.")
            params = (numbers("sgd_epoch", answer[0], w.shape, "w"), float(numbers("sgd_epoch", answer[1], (), "b")))
            yield params, len(batch)

    def place(self, params: Params) -> tuple[float, ...]:
        """Where the parameters are on the contours: (w₁, w₂, b)."""
        w, b = params
        return float(w[0]), float(w[1]), float(b)

    def inside(self, params: Params) -> dict[str, Any]:
        """No hidden units, no lines."""
        return {"lines": [], "weights": []}

    def _get(self, name: str) -> Callable[..., Any]:
        return get(self.names, name)


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
        return numbers("forward", self._forward(params, X)["y_hat"], (len(X),), "y_hat")

    def objective(self, params: Params, X: Floats, y: Floats, lam: float) -> float:
        """The student's objective on all the points."""
        answer = self._get("objective")(_copied(params), self._forward(params, X)["s"], y, lam)
        return float(numbers("objective", answer, ()))

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
            raise Trouble(f"`forward` returned {what(cache)} where a dict with the keys t, h, s, y_hat was expected.")
        return cache

    def _checked(self, name: str, params: Any) -> Params:
        if not isinstance(params, Mapping) or not {"V", "c", "w", "b"} <= set(params):
            raise Trouble(f"`{name}` returned {what(params)} where a dict with the keys V, c, w, b was expected.")
        shape = np.shape(params["V"])
        if len(shape) != 2:
            raise Trouble(f"`{name}` returned V of shape {shape} where (d, H) was expected.")
        shapes = {"V": shape, "c": shape[1:], "w": shape[1:], "b": ()}
        checked = {key: numbers(name, params[key], want, key) for key, want in shapes.items()}
        return {**checked, "b": float(checked["b"])}

    def _get(self, name: str) -> Callable[..., Any]:
        return get(self.names, name)


MODELS: dict[str, Callable[[Mapping[str, Any]], Model]] = {"logistic": Logistic, "network": Network}


def _copied(params: Params) -> Params:
    return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in params.items()}
