"""The student's own callables, objects and classes by number, and what a test may do with one."""

from __future__ import annotations

import asyncio
import builtins
import copy
import enum
import functools
import importlib
import operator
from collections.abc import Callable, Iterable
from types import GeneratorType
from typing import Any

from examiner.isolation.errors import revive
from examiner.isolation.in_place import renew
from examiner.isolation.objects import OPERATIONS, REFLECTED
from examiner.isolation.parameters import parameters_of
from examiner.isolation.values import Described

VALUES = (int, float, complex, str, bytes, tuple, list, dict, set, frozenset)


def cell_number(filename: Any) -> int | None:
    """The cell that a code object's file name tells of."""
    if isinstance(filename, str) and filename.startswith("<cell ") and filename[6:-1].isdigit():
        return int(filename[6:-1])
    return None


def _turned(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda x, y: operation(y, x)


def _left(x: Any, told: Any) -> bool:
    """Whether a context manager keeps the error to itself that ended its block."""
    error = revive(told) if type(told) is tuple else told
    return bool(type(x).__exit__(x, None if error is None else type(error), error, None))


def _refill(x: Any, what: str, args: tuple[Any, ...], value: Any) -> None:
    """What a test did to a list, dict or set that it had got of a thing, done to the thing's own."""
    renew(OPERATE[what](x, *args), value)


def _awaited(x: Any) -> Any:
    """What an awaitable gives, run to its end here."""

    async def waiting() -> Any:
        return await x

    return asyncio.run(waiting())


OPERATE: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, f"__{name}__") for name in OPERATIONS if hasattr(operator, f"__{name}__")},
    **{f"r{name}": _turned(getattr(operator, f"__{name}__")) for name in REFLECTED},
    **{f.__name__: f for f in (getattr, setattr, delattr, len, iter, next, repr, str, format, int, float, complex)},
    **{f.__name__: f for f in (hash, bool, abs, round, divmod, reversed)},
    "call": lambda f, *args, **kwargs: f(*args, **kwargs),
    "enter": lambda x: type(x).__enter__(x),
    "exit": _left,
    "refill": _refill,
    "plain": lambda x: next(base(x) for base in (list, dict, set) if isinstance(x, base)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "await": _awaited,
    "parameters": parameters_of,
    "dir": dir,
    "place": lambda f: (cell_number(f.__code__.co_filename), f.__code__.co_firstlineno),
}
"""What a test may ask of a thing of the student's."""


class Exports:
    """The things that the examiner knows by number. `lent` gives the number there of a function that it has lent."""

    def __init__(self, lent: Callable[[Any], int | None]) -> None:
        self._lent = lent
        self._things: list[Any] = []
        self._numbers: dict[int, int] = {}  # by id
        self.classes: frozenset[str] = frozenset()  # names of the source's own: their objects travel by number
        self.how: dict[str, Any] = {"export": self.export}  # how values travel: what an Encoder is told

    def more_than_numbers(self, classes: Iterable[str]) -> None:
        """From here on, values travel as what they are, and objects of these classes by number."""
        self.classes = frozenset(classes)
        self.how |= {"describe": self._describe, "rich": True}

    def export(self, thing: Any) -> tuple[int, int]:
        """Whose a thing is (0: the student's, 1: the examiner's) and its number there."""
        if (lent := self._lent(thing)) is not None:
            return 1, lent
        number = self._numbers.get(id(thing))
        if number is None:
            number = self._numbers[id(thing)] = len(self._things)
            self._things.append(thing)
        return 0, number

    def thing(self, number: int) -> Any:
        """The thing that went by this number."""
        return self._things[number]

    def thing_of(self, target: Any) -> Any:
        """The thing that is called, or with which something is done; None where it is none of the student's."""
        number = target if type(target) is int else target[1]
        return self._things[number] if type(number) is int else None

    def callable_for(self, target: Any) -> Callable[..., Any]:
        """What is to be called: a function by its number, (operation, number) for what is done with a thing, or
        ("pyplot", name)."""
        if type(target) is int:
            function: Callable[..., Any] = self._things[target]
            return function
        operation, number = target
        if operation == "pyplot":
            found: Callable[..., Any] = getattr(importlib.import_module("matplotlib.pyplot"), number)
            return found
        return functools.partial(OPERATE[operation], self._things[number])

    def is_own(self, kind: type) -> bool:
        """Whether it is one of the source's own classes."""
        return kind.__name__ in self.classes and (kind.__module__ == "__main__" or kind is GeneratorType)

    def _describe(self, x: Any, whatever: bool) -> Described | None:
        """The class of a thing that travels by number: of one of the source's own classes, or of any."""
        kind = x if isinstance(x, type) else type(x)
        own = self.is_own(kind)
        fields = getattr(kind, "_fields", None) if issubclass(kind, tuple) else None
        if not own and (not whatever or kind is object):
            return None
        whole = isinstance(x, type) or issubclass(kind, (enum.Enum, list, dict, set)) or fields
        if own and issubclass(kind, VALUES) and not whole:
            return None  # by value, as what it builds on
        return Described(kind, (kind.__name__, "tuple", (), tuple(fields)) if fields else self._told(kind))

    def _told(self, kind: type) -> tuple[Any, ...]:
        error = next((base.__name__ for base in kind.__mro__ if getattr(builtins, base.__name__, None) is base), "")
        kinds = kind.__mro__[:-1]
        has = [name for name in sorted(OPERATIONS) if any(f"__{name}__" in vars(base) for base in kinds)]
        bases = tuple(Described(base, self._told(base)) for base in kind.__bases__ if base.__module__ == "__main__")
        others = tuple((base.__module__, base.__name__) for base in kinds if base.__module__ not in ("__main__", "abc"))
        fields = tuple(getattr(kind, "__dataclass_fields__", ()))
        return kind.__name__, error if issubclass(kind, BaseException) else "", bases, tuple(has), others, fields
