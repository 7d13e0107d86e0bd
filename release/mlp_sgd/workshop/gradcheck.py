"""Compare an answer with the truth, entry by entry, and say in plain words what went wrong.

Visible tests, hidden tests and the student's own gradient check all end here. A value is looked at in the order
None, type, shape, value, and the first that fails is reported: it is the true cause. Where the answer and the truth
are related in a telling way (a constant ratio, a difference proportional to the weights), :func:`diagnose` says so;
it sees the two arrays, the parameters and the sizes alone, so it can give no formula away.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workshop import _known
from workshop._answers import Answer, Guarded, kind_of
from workshop._answers import WrongAnswer as WrongAnswer
from workshop._answers import fail as fail
from workshop._diagnosis import NOTHING, Facts, Finding
from workshop._seen import Floats, Seen, agree, judged, looked_at, show


class Marker(Protocol):
    """What grading adds to a test: right answers in the place of earlier ones, and the known mistakes."""

    def call(self, answer: Answer, args: Sequence[Any]) -> Any:
        """Call a student's answer."""

    def named(self, test: Callable[..., None], seen: Sequence[Seen]) -> Finding:
        """The known mistake that shows the test what it has seen, or NOTHING."""


marker: Marker | None = None


# Running an answer ------------------------------------------------------------------------------------------------


def check(test: Callable[..., None], *answers: Callable[..., Any], untouched: bool = True) -> None:
    """Run ``test`` on the student's ``answers``; raise :class:`WrongAnswer` where it fails.

    The answers reach the test guarded: they get copies of their arguments, an error in one becomes a failed test that
    shows the student's own line, warnings are kept quiet, and, if ``untouched``, an argument changed in place is a
    failure. Nothing is said before the test has seen all that it looks at. ``test`` is called after its cell and leaves
    no name behind.
    """
    try:
        call = marker.call if marker else _plain_call
        watch = Watch()
        watch.run(test, [Guarded(name, f, untouched, call) for name, f in zip(names_of(test), answers, strict=True)])
        if any(thing.wrong for thing in watch.seen):
            raise judged(watch.seen, _named(test, watch.seen))
    except WrongAnswer as wrong:
        wrong.table_shown = show(wrong.table)
        raise wrong.with_traceback(None) from None
    finally:
        getattr(test, "__globals__", {}).pop(test.__name__, None)


def _plain_call(answer: Answer, args: Sequence[Any]) -> Any:
    return answer(*args)


def _named(test: Callable[..., None], seen: Sequence[Seen]) -> Finding:
    if not any(thing.wrong if thing.got is None else np.isfinite(thing.got).any() for thing in seen):
        return NOTHING  # nothing but nan: that many mistakes would give
    return marker.named(test, seen) if marker else _known.named(test.__name__, seen)


def names_of(test: Callable[..., None]) -> list[str]:
    """The names of the answers that a test is of: its parameters."""
    return list(inspect.signature(test).parameters)


class Watch:
    """All that a test sees of the answers that it is run on."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def run(self, test: Callable[..., None], answers: Iterable[Callable[..., Any]]) -> None:
        """Run the test; a comparison that fails does not end it, anything else that is wrong does."""
        global _watch
        outer, _watch = _watch, self
        try:
            test(*answers)
        except WrongAnswer as wrong:
            self.see(Seen("", None, None, None, wrong))
        finally:
            _watch = outer

    def right(self, want: Any) -> Floats:
        """The right values of the next comparison."""
        return np.asarray(want() if callable(want) else want, dtype=np.float64)

    def see(self, thing: Seen) -> None:
        """Note what a test sees next."""
        self.seen.append(thing)


_watch: Watch | None = None


def see(thing: Seen) -> None:
    """Let the test under way see a thing. Where none is, what is wrong is raised at once."""
    if _watch is not None:
        _watch.see(thing)
    elif thing.wrong:
        raise judged([thing], NOTHING)


def note(value: Any) -> None:
    """Let a test see numbers that it doesn't compare: they tell one mistake from another."""
    with contextlib.suppress(WrongAnswer):  # what are no numbers tells nothing
        see(Seen("", as_array("it", value), None, None, None))


def miss(message: str, mistake: str | None = None) -> None:
    """Say that the answer is wrong, as `fail` does, and let the test go on."""
    see(Seen("", None, None, None, WrongAnswer(message, mistake)))


def right_so_far() -> bool:
    """Whether the test under way has seen nothing wrong yet."""
    return _watch is None or not any(thing.wrong for thing in _watch.seen)


def beside(want: Any, part: Callable[[], Any]) -> None:
    """Let a test see whether ``part`` of the answer, which has a test of its own, is ``want``.

    It costs nothing here. But no mistake is named that would make it wrong where it is right, and one that explains
    this part too is named before all that don't.
    """
    right, got = False, None
    try:
        got = as_array("it", part())
        want = np.asarray(want() if callable(want) else want, dtype=np.float64)
        right = got.shape == want.shape and bool(agree(got, want).all())
    except WrongAnswer as wrong:
        if wrong.mistake == "changes its argument":
            raise
    see(Seen("", None, None, None, None, right, got))


# Looking at a value -----------------------------------------------------------------------------------------------


def unpack(name: str, result: Any, *parts: str) -> list[Any]:
    """The parts of a result that is a tuple, as (grad_w, grad_b) is."""
    asked = f"({', '.join(parts)})"
    if result is None:
        fail(f"{name} returned None where {asked} is asked: is the return missing?", "returns None")
    if isinstance(result, Iterator | ValuesView):
        result = list(result)
    pair = isinstance(result, np.ndarray) and result.ndim == 1 and result.dtype == object
    if not isinstance(result, tuple | list) and not pair:
        fail(f"{name} must return {asked}, but returned {kind_of(result)}.", "wrong type")
    if len(result) != len(parts):
        fail(f"{name} must return {asked}: {len(parts)} values, but returned {len(result)}.", "wrong number of values")
    return list(result)


MOST_KEYS = 8  # of a dict that are named; a key that is no name could be anything, a test's own numbers too
_NAME = re.compile(r"[^\W\d]\w*([ -]\w+)*")


def lookup(name: str, result: Any, key: str) -> Any:
    """The value under ``key`` of a result that is a dict."""
    if result is None:
        fail(f"{name} returned None where a dict is asked: is the return missing?", "returns None")
    if not isinstance(result, Mapping):
        fail(f"{name} must return a dict, but returned {kind_of(result)}.", "wrong type")
    if key not in result:
        keys = sorted({k if isinstance(k, str) and _NAME.fullmatch(k) else kind_of(k) for k in result})
        more = f" and {len(keys) - MOST_KEYS} more" if len(keys) > MOST_KEYS else ""
        fail(f'{name} returned a dict without the key "{key}"; it has {keys[:MOST_KEYS]}{more}.', "missing key")
    if result[key] is None:
        fail(f'{name} returned a dict in which "{key}" is None: numbers are asked.', "returns None")
    return result[key]


MOST_UNITS = 5000  # of a network that is marked


def network(name: str, params: Any, d: int) -> dict[str, Floats]:
    """The parameters of a network of d inputs as arrays, whose shapes fit together and whose numbers are finite."""
    arrays = {key: as_array(f'{name}["{key}"]', lookup(name, params, key)) for key in "Vcwb"}
    H = arrays["c"].size
    for key, shape in [("V", (d, H)), ("c", (H,)), ("w", (H,)), ("b", ())]:
        if arrays[key].shape != shape:
            told = f'{name}["{key}"] has shape {arrays[key].shape}; for H = {H} it must be {shape}.'
            fail(told, "wrong shape")
        if not np.all(np.isfinite(arrays[key])):
            fail(f'{name}["{key}"] is not finite: if training led there, take a smaller eta.', "not finite")
    if H > MOST_UNITS:
        fail(f"{name} has {H} hidden units. At most {MOST_UNITS} can be marked; a few are enough.")
    return arrays


@dataclass(frozen=True)
class Step:
    """One step of a training: with what gradient was called there, and the slopes that it gave."""

    params: dict[str, Floats]
    X_batch: Floats
    y_batch: Floats
    grads: dict[str, Floats]
    X: Floats

    @property
    def points(self) -> list[int]:
        """The rows of X that its batch holds."""
        if self.X_batch.ndim != 2 or self.X_batch.shape[1] != self.X.shape[1]:
            told = f"gradient is given X_batch of shape {self.X_batch.shape}; {self.X.shape[1]} columns are right."
            fail(told, "wrong shape")
        number = {tuple(row): i for i, row in enumerate(self.X.tolist())}
        found = [number.get(tuple(row), -1) for row in self.X_batch.tolist()]
        if -1 in found:
            fail("gradient is given points that are not in X.", "wrong points")
        return found


def steps_walked(walk: Answer, moves: Sequence[Sequence[float]], eta: float, tol: float, max_steps: int) -> Any:
    """The steps that gradient_descent counts, where step k would move the weights, and last b, by ``moves[k]``."""
    places: list[tuple[float, ...]] = []

    def slopes(w: Any, b: Any) -> tuple[Floats, float]:
        here = (*map(float, w), float(b))  # b may be an array of no sides, which a step changes in place
        if here not in places:
            places.append(here)
        *by_w, by_b = moves[min(len(places), len(moves)) - 1]
        return np.array(by_w) / eta, by_b / eta

    result = walk(slopes, np.zeros(len(moves[0]) - 1), 0.0, eta, tol, max_steps)
    *end, n_steps = unpack("gradient_descent", result, "w", "b", "n_steps")
    for value in (len(places), *end):
        note(value)
    return n_steps


def steps_of(
    train: Callable[..., Any], params: dict[str, Any], X: Floats, y: Floats, eta: float, batch_size: int, epochs: int,
    rng: np.random.Generator, size: float = 1.0,
) -> tuple[list[Step], Any]:  # fmt: skip
    """Every step that train takes where all slopes are random numbers of a size, and what it returns."""
    steps: list[Step] = []
    slopes = np.random.default_rng(7)
    right = epochs * -(-len(y) // batch_size)
    most = 20 * max(right, 1)

    def gradient(params: Any, X_batch: Any, y_batch: Any) -> dict[str, Floats]:
        if len(steps) >= most:
            told = f"train asks for slopes {most} times and goes on, where {right} are right: a loop of its never ends."
            fail(told, "endless loop")
        if not isinstance(params, Mapping):
            fail(f"gradient is called with {kind_of(params)} where params, a dict, is asked.", "wrong type")
        here = {key: np.array(value, dtype=float) for key, value in params.items()}
        step = Step(here, np.array(X_batch, dtype=float), np.array(y_batch, dtype=float), {}, X)
        again = steps and _equal(steps[-1].params, here) and np.array_equal(steps[-1].X_batch, step.X_batch)
        for key in reversed(list(here)):
            new = size * slopes.standard_normal(np.shape(here[key]))
            step.grads[key] = steps[-1].grads[key] if again else new  # at the same place there are the same slopes
        steps.append(step)
        return {key: value.copy() for key, value in step.grads.items()}

    result = train(params, gradient, X, y, eta, batch_size, epochs, rng)
    if result is None and not steps:
        told = "train returned None, and never asked for a slope: is it written?"
        if not epochs:
            told = "train returned None with epochs = 0: is its return inside a loop? The params handed in are asked."
        fail(told, "returns None")
    if len(steps) > right:
        # Some slopes may have been asked for and not followed: to print them, perhaps.
        ends = [*(step.params for step in steps[1:]), result]
        followed = [step for step, end in zip(steps, ends, strict=True) if not _equal(step.params, end)]
        steps = followed if followed or not epochs else steps
    return steps, result


def _equal(params: Mapping[str, Any], others: Any) -> bool:
    return isinstance(others, Mapping) and all(
        np.array_equal(value, np.asarray(others.get(key))) for key, value in params.items()
    )


def as_batches(name: str, result: Any, most: int) -> list[list[int]]:
    """A result that is an iterable of mini-batches, each a sequence of indices; ``most`` of them: it may never end."""
    if result is None:
        fail(f"{name} returned None: is the return (or the yield) missing?", "returns None")
    try:
        batches = [_indices(batch) for batch in itertools.islice(result, most)]
    except TypeError:
        fail(f"{name} must return an iterable of batches, but returned {kind_of(result)}.", "wrong type")
    except Exception as error:
        kind = type(error).__name__
        fail(f"{name} raised {kind} while its batches were taken one by one.", f"raised {kind}")
    for batch in batches:
        if batch.ndim != 1 or (batch.size and batch.dtype.kind not in "iu"):
            kinds = {"f": "fractions", "b": "truth values", "O": "no numbers", "U": "text"}
            what = f"{kinds[batch.dtype.kind]}, of shape" if batch.dtype.kind in kinds else "of shape"
            told = "Each mini-batch must be a sequence of whole numbers: the indices of its points."
            fail(f"{told} One of {len(batches)} is {what} {batch.shape}.", "wrong type")
    return [batch.tolist() for batch in batches]


def _indices(batch: Any) -> NDArray[Any]:
    try:
        return np.array(batch)
    except ValueError:  # its parts differ in length
        return np.array(None)


def as_array(name: str, value: Any) -> Floats:
    """``value`` as an array of floats: a number, an array, or nested lists and tuples of numbers."""
    if value is None:
        fail(f"{name} is None where numbers are asked: is the return missing?", "returns None")
    if isinstance(value, Iterator | ValuesView):
        value = list(value)
    if isinstance(value, Mapping | str | bytes | set | frozenset) or callable(value):
        fail(f"{name} must be numbers, but is {kind_of(value)}.", "wrong type")
    try:
        array = np.asarray(value)
        if array.dtype == object:
            array = np.asarray(_plain(value))
    except (ValueError, TypeError):
        fail(f"{name} can't be read as an array: its rows differ in length, or it holds no numbers.", "wrong type")
    if array.dtype.kind not in "biuf":
        fail(f"{name} must hold real numbers, but holds {kind_of(value)} of type {array.dtype}.", "wrong type")
    return array.astype(np.float64)


def compare(name: str, got: Any, want: Any, *, truth: str = "should be", of: str | None = None, **facts: Any) -> None:
    """Raise :class:`WrongAnswer` unless ``got`` is ``want``: not None, numbers, of the same shape, of the same value.

    ``want`` may be a function that gives the right values: it is called only where they are not known yet. ``truth``
    heads them in the message: "finite difference" for a gradient. ``of`` names the parameter that ``got`` is the
    gradient of. ``facts`` is what a diagnosis may use: integers are sizes (``N=50``), arrays and floats are parameters
    (``w=w``, ``lam=0.1``).
    """
    array = as_array(name, got)
    right = (_watch or Watch()).right(want)
    sizes = {k: int(v) for k, v in facts.items() if isinstance(v, int)}
    parameters = {k: np.asarray(v, dtype=np.float64) for k, v in facts.items() if not isinstance(v, int)}
    see(looked_at(name, array, right, Facts(truth, of, sizes, parameters), several=isinstance(got, tuple)))


def _plain(value: Any) -> Any:
    """Nested lists of Python numbers, from whatever mixture of sequences and numbers; TypeError for anything else."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, int | float | np.generic):
        return value
    if hasattr(type(value), "__float__"):  # a Fraction, a Decimal, a class of the student's own
        return float(value)
    raise TypeError(f"not a number: {value!r}")


# The student's own gradient check ---------------------------------------------------------------------------------


def report(analytic: Mapping[str, Any], numeric: Mapping[str, Any], **facts: Any) -> None:
    """Show a gradient beside its finite differences, parameter by parameter, with what their relation tells.

    ``analytic`` and ``numeric`` have the parameters' names as keys: ``report({"w": grad_w}, {"w": numerical_gradient(
    ...)}, N=80, lam=0.1, w=w)``. ``facts`` as in :func:`compare`.
    """

    def report() -> None:
        for name, numbers in numeric.items():
            compare(f"gradient of {name}", analytic.get(name), numbers, truth="finite difference", of=name, **facts)

    watch = Watch()
    watch.run(report, ())
    wrong = [thing for thing in watch.seen if thing.wrong]
    finding = _named(report, watch.seen) if wrong else NOTHING
    for thing in watch.seen:
        if thing.wrong:
            told = judged([thing], finding)
            if not show(told.table):
                print(told)
        else:
            assert thing.got is not None and thing.want is not None
            error = np.abs(thing.got - thing.want) / np.maximum(np.abs(thing.want), 1e-8)
            worst = float(np.max(error, initial=0.0))
            print(f"{thing.name}: agrees with the finite differences (largest relative error {worst:.1e}).")
