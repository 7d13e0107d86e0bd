"""Exceptions as plain data, and back."""

from __future__ import annotations

import builtins
import sys
from typing import Any


def describe_error(error: BaseException) -> tuple[str, str, tuple[Any, ...]]:
    """An exception as data: the name of the nearest built-in kind, its message, and room for the student's lines."""
    for kind in type(error).__mro__:
        if kind.__module__ == "builtins" and getattr(sys.modules["builtins"], kind.__name__, None) is kind:
            break
    try:
        message = str(error.args[0] if isinstance(error, KeyError) and len(error.args) == 1 else error)[:2000]
    except BaseException:
        message = ""
    return kind.__name__, message, ()


def revive(described: Any) -> BaseException:
    """An exception of the built-in kind that a description names."""
    kind, message = described[:2]
    if not type(kind) is type(message) is str:  # the text of lists that share may have no end
        raise TypeError("no description")
    found = getattr(builtins, kind, None)
    plain = isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, UnicodeError)
    try:
        error: BaseException = found(message) if plain else RuntimeError(f"{kind}: {message}")  # type: ignore[misc]
    except TypeError:  # a kind that wants more than a message
        error = RuntimeError(f"{kind}: {message}")
    if len(described) > 3:
        error.examiner_number = described[3]  # type: ignore[attr-defined]
    return error
