"""What goes wrong in a student's answers while the live demo uses them, told in words."""

from __future__ import annotations

import contextlib
import io
import os
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Trouble(Exception):
    """What went wrong, in words for the person who moves the sliders. `waiting`: the answer that is not written yet."""

    def __init__(self, words: str, waiting: str = "") -> None:
        super().__init__(words)
        self.waiting = waiting


class Diverged(Trouble):
    """The parameters left the finite numbers: what came before is still worth a picture."""


def get(names: Mapping[str, Any], name: str) -> Callable[..., Any]:
    """The answer of this name; Trouble where it is not written yet, or no function."""
    function = names.get(name)
    if function is None:
        raise Trouble(f"The demo waits for your answer `{name}`.", waiting=name)
    if not callable(function):
        raise Trouble(f"`{name}` is {what(function)} now, no function. Run the cell of your answer again.")
    return function


def explain(error: Exception, answers: tuple[str, ...]) -> Trouble:
    """The error in words: which answer it came from, at which line of its cell."""
    here = os.path.dirname(__file__)  # a model's methods have the names of the answers that they ask
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if frame.name in answers and os.path.dirname(frame.filename) != here]  # fmt: skip
    name = frames[-1].name if frames else ""
    if isinstance(error, NotImplementedError):
        named = name or "the one that raises NotImplementedError"
        return Trouble(f"The demo waits for your answer `{named}`.", waiting=named)
    where = f"`{name}` stopped at line {frames[-1].lineno} of its cell" if frames else "Your code stopped"
    said = str(error).strip().splitlines()
    return Trouble(f"{where}: {type(error).__name__}{': ' + said[0][:200] if said else ''}")


def numbers(name: str, answer: Any, shape: tuple[int, ...], part: str = "") -> NDArray[np.float64]:
    """The answer as floats of the shape that the contract names; Trouble in the order None, kind, shape."""
    named = f"`{name}` returned {part + ' = ' if part else ''}"
    if answer is None:
        raise Trouble(f"{named}None: is a `return` missing?")
    try:
        numbers = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        raise Trouble(f"{named}{what(answer)} where numbers were expected.") from None
    if numbers.shape != shape:
        raise Trouble(f"{named}an array of shape {numbers.shape} where {shape} was expected.")
    return numbers


def what(answer: Any) -> str:
    """What a value is, in words."""
    return "None" if answer is None else f"something of type {type(answer).__name__}"


class _Nowhere(io.TextIOBase):
    """Swallows what an answer prints: sixty pictures a second would flood the notebook."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No answer prints or warns."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(_Nowhere()):
        warnings.simplefilter("ignore")
        yield
