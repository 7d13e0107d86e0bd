"""Where a notebook keeps its own answers, and right ones in their place for as long as a test lends them."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CellType, FunctionType, MethodType
from typing import Any

import numpy as np


def call_with(function: Callable[..., Any], given: Mapping[str, Any], args: Sequence[Any]) -> Any:
    """``function(*args)`` while the names in ``given`` are bound in the function's own namespace."""
    elsewhere = getattr(type(function), "__call_with__", None)
    if elsewhere is not None:  # the function lives in another process, and so does its namespace
        return elsewhere(function, dict(given), tuple(args), {})
    with standing_in(given, _namespace(function), function):
        return function(*args)


@contextlib.contextmanager
def standing_in(given: Mapping[str, Any], namespace: dict[str, Any], called: Any) -> Iterator[None]:
    """For as long as it lasts, ``given`` stands in the place of the namespace's own answers while one is ``called``.

    That is so under their names, and wherever else what is in the namespace keeps them: under another name, as a
    default, in a closure, a container, an object or a class of the student's.
    """
    absent = [name for name in given if name not in namespace]
    kept = {name: namespace[name] for name in given if name in namespace}
    own = {_known_by(f): given[name] for name, f in kept.items() if f is not called and _made_here(f, namespace)}
    with contextlib.ExitStack() as undo:
        for value, replace in list(places([namespace, called], namespace)) if own else []:
            instead = own.get(_known_by(value), value)
            if type(value) is tuple and any(_known_by(part) in own for part in value[:MOST_HELD]):
                instead = tuple(own.get(_known_by(part), part) for part in value)
            if instead is not value:
                undo.callback(replace, value)
                replace(instead)
        namespace.update(given)
        try:
            yield
        finally:
            for name in absent:
                namespace.pop(name, None)
            namespace.update(kept)


def _made_here(thing: Any, namespace: dict[str, Any]) -> bool:
    """Whether it is a function of the namespace's own: another module's may be meant where else it stands."""
    made = type(thing) in (functools.partial, np.vectorize, MethodType)
    return callable(thing) and (made or getattr(thing, "__module__", None) == namespace.get("__name__"))


def _known_by(thing: Any) -> Any:
    """What tells a thing from all others: a function by its code and what it closes over, so that a copy is known."""
    if type(thing) is FunctionType:
        return thing.__code__, *map(id, thing.__closure__ or ())
    return id(thing)


MOST_HELD = 1000  # values of a container in which an answer is looked for


def places(roots: list[Any], namespace: dict[str, Any]) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    """Every value that is kept where another can be put, in what the roots reach, and what puts another there."""
    seen: dict[int, Any] = {}
    while roots and len(seen) < 10_000:
        thing = roots.pop()
        if id(thing) in seen or (isinstance(thing, list | tuple | set | dict) and len(thing) > MOST_HELD):
            continue
        seen[id(thing)] = thing
        places: list[tuple[Any, Callable[[Any], None]]] = []
        if type(thing) in (dict, list, deque):
            pairs = thing.items() if type(thing) is dict else enumerate(thing)
            places = [(value, functools.partial(thing.__setitem__, key)) for key, value in pairs]
        elif type(thing) is FunctionType and thing.__globals__ is namespace:
            cells = [cell for cell in thing.__closure__ or () if cell != CellType()]
            places = [(cell.cell_contents, functools.partial(setattr, cell, "cell_contents")) for cell in cells]
            defaults = thing.__defaults__ or ()
            places += [(value, functools.partial(_set_default, thing, i)) for i, value in enumerate(defaults)]
            roots += [thing.__kwdefaults__, vars(thing)]
        elif type(thing) is functools.partial:
            held = [thing.func, *thing.args]
            places = [(value, functools.partial(_set_held, thing, i)) for i, value in enumerate(held)]
            roots.append(thing.keywords)
        elif type(thing) in (MethodType, staticmethod):
            roots += [thing.__func__, getattr(thing, "__self__", None)]
        elif type(thing) in (tuple, set):
            roots += thing
        elif isinstance(thing, type) and thing.__module__ == namespace.get("__name__"):
            for name, value in vars(thing).items():
                bare = type(value) is staticmethod
                put = functools.partial(_set_static if bare else setattr, thing, name)
                places.append((value.__func__ if bare else value, put))
        elif type(thing) is np.vectorize or type(thing).__module__ == namespace.get("__name__"):
            roots += [type(thing), getattr(thing, "__dict__", None)]
        yield from places
        roots += [value for value, _ in places]


def _set_default(function: FunctionType, i: int, value: Any) -> None:
    defaults = function.__defaults__ or ()
    function.__defaults__ = (*defaults[:i], value, *defaults[i + 1 :])


def _set_held(partial: functools.partial[Any], i: int, value: Any) -> None:
    held = [partial.func, *partial.args]
    held[i] = value
    partial.__setstate__((held[0], tuple(held[1:]), partial.keywords, vars(partial)))  # type: ignore[attr-defined]


def _set_static(kind: type, name: str, value: Any) -> None:
    setattr(kind, name, staticmethod(value))


def _namespace(function: Any) -> dict[str, Any]:
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    for candidate in (function, getattr(function, "__wrapped__", None), getattr(type(function), "__call__", None)):  # noqa: B004
        found = getattr(candidate, "__globals__", None)
        if isinstance(found, dict):
            return found
    return vars(sys.modules["__main__"])
