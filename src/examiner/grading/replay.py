"""One test once more, with its calls written down: the very problem that an answer failed, and what is right there."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

MOST_CALLS = 40  # of one test; it ends at the call that fails, so the last ones are kept
LONGEST_SHOWN = 4000  # characters of one value


class Calls:
    """What a test calls of the answer: by call the name, what goes in, and what comes out, all as text."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def begin(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[[Any], None]:
        """Note a call before it is made, since it may change what it is given; returns what notes its value."""
        call: dict[str, Any] = {"name": name, "args": [shown(value) for value in args]}
        call |= {"kwargs": {key: shown(value) for key, value in kwargs.items()}, "value": None}
        self.made = [*self.made[-MOST_CALLS + 1 :], call]

        def end(value: Any) -> None:
            call["value"] = shown(value)

        return end


def shown(value: Any) -> str:
    """A value as text: arrays in rows, dicts and tuples part by part."""
    return _shown(value, 0)[:LONGEST_SHOWN]


def _shown(value: Any, depth: int) -> str:
    if isinstance(value, np.ndarray | np.generic):
        with np.printoptions(threshold=400, edgeitems=4, linewidth=76):
            return repr(value) if isinstance(value, np.ndarray) else repr(value.item())
    if isinstance(value, float | int | bool | None):
        return repr(value)
    if isinstance(value, Mapping) and depth < 3:
        parts = [f"{str(key)[:80]!r}: {_shown(part, depth + 1)}" for key, part in list(value.items())[:20]]
        return "{" + ",\n ".join(parts) + "}"
    if isinstance(value, list | tuple) and depth < 3:
        parts = [_shown(part, depth + 1) for part in value[:60]] + (["…"] if len(value) > 60 else [])
        between = ",\n" if any("\n" in part for part in parts) else ", "
        return "(["[isinstance(value, list)] + between.join(parts) + ")]"[isinstance(value, list)]
    if isinstance(value, np.random.Generator):
        return "rng"
    if callable(value):
        return f"<function {getattr(value, '__name__', '')[:80]}>"
    return reprlib.repr(value)
