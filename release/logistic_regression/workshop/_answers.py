"""A student's answer as a test calls it: with copies of its arguments, in silence, its errors told in plain words."""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from workshop._errors import in_words

Answer = Callable[..., Any]
OURS = ("workshop", "examiner")  # the packages that call a student's functions
Call = Callable[[Answer, Sequence[Any]], Any]


class WrongAnswer(AssertionError):
    """An answer that is not right. The text says why; ``mistake`` is a short name of the cause where it is known."""

    def __init__(self, message: str, mistake: str | None = None, table: str = "") -> None:
        super().__init__(message)
        self.mistake = mistake
        self.table = table
        self.table_shown = False

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback: the message alone, or its first line below the table."""
        return str(self).split("\n")[: 1 if self.table_shown else None]


def fail(message: str, mistake: str | None = None) -> NoReturn:
    """Say that the answer is wrong, and why."""
    raise WrongAnswer(message, mistake)


class Guarded:
    """A student's function, called with care (see :func:`workshop.gradcheck.check`).

    ``call(function, args)`` calls it: marking puts right answers in the place of earlier ones meanwhile.
    """

    def __init__(self, name: str, function: Answer, untouched: bool, call: Call) -> None:
        self.name, self.untouched, self.call = name, untouched, call
        self.function = self.__wrapped__ = function
        if not callable(function):
            fail(f"{name} is not a function: it is {kind_of(function)}.", "not a function")

    def __call__(self, *args: Any) -> Any:
        handed_in = [_copied(arg) for arg in args]
        try:
            with quiet():
                result = self.call(self.function, handed_in)
        except WrongAnswer:
            raise
        except NotImplementedError as error:
            own = not str(error) or str(error).startswith(self.name)
            what = "is not written yet" if own else f"had to stop: {error}"
            fail(f"{self.name} {what}.", "not written")
        except (Exception, SystemExit) as error:
            raise raised(self.name, error, _line_of(error)) from None
        if self.untouched:
            for i, (before, after) in enumerate(zip(args, handed_in, strict=True)):
                if not _same(before, after):
                    told = (
                        f"{self.name} changes its argument {self._argument(i)} in place. Whoever calls it still needs "
                    )
                    told += "the old value: make a new array (a = a - b, not a -= b) or work on a copy."
                    if isinstance(before, dict):
                        told += " A copy of a dict, as by dict(...) or .copy(), holds the same arrays."
                    fail(told, "changes its argument")
        return result

    def _argument(self, i: int) -> str:
        try:
            parameters = list(inspect.signature(self.function).parameters.values())
            if all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters):
                return parameters[i].name
        except (TypeError, ValueError, IndexError):
            pass
        return f"number {i + 1}"


def raised(name: str, error: BaseException, where: str = "") -> WrongAnswer:
    """What is wrong with an answer that raised an error; ``where``: in which line."""
    kind, why = type(error).__name__, re.sub(r"[\w.]+\.<locals>\.", "", f": {error}" if str(error) else "")
    told = [f"{name} raised {kind}{why}{where}", in_words(kind, str(error))]
    return WrongAnswer("\n".join(filter(None, told)), f"raised {kind}")


class _Nowhere(io.TextIOBase):
    """A stream that forgets what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, and nothing on stderr: nbgrader takes a mark for either."""
    with np.errstate(all="ignore"), warnings.catch_warnings(), contextlib.redirect_stderr(_Nowhere()):
        warnings.simplefilter("ignore")
        yield


def _copied(value: Any) -> Any:
    """A deep copy of the data in an argument; functions and generators are handed over as they are."""
    if isinstance(value, list):
        return [_copied(v) for v in value]
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return copy.deepcopy(value) if isinstance(value, np.ndarray) else value


def _same(before: Any, after: Any) -> bool:
    """Whether data is as it was, but for the rounding that adding and taking away the same number leaves."""
    if isinstance(before, np.ndarray):
        return (
            isinstance(after, np.ndarray)
            and before.shape == after.shape
            and (np.array_equal(before, after) or np.allclose(before, after, rtol=1e-12, atol=1e-12, equal_nan=True))
        )
    if isinstance(before, list):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_same(before[k], after[k]) for k in before)
    return True


def _line_of(error: BaseException) -> str:
    """The student's own line that raised, where it is known."""
    told = getattr(error, "student_traceback", None)
    if told:
        return f"\n{told}"
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    frames = zip(modules, traceback.extract_tb(error.__traceback__), strict=True)
    theirs = [frame for module, frame in frames if module.split(".")[0] not in OURS]
    theirs = [frame for frame in theirs if "site-packages" not in frame.filename and frame.line]
    return f"\n    in {theirs[-1].name}: {theirs[-1].line}" if theirs else ""


def kind_of(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    name = getattr(type(value), "told_as", type(value).__name__)
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
