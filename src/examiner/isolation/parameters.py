"""A function's parameters, as the student's process tells of them and as a test sees them."""

from __future__ import annotations

import functools
import inspect
from types import FunctionType, MethodType
from typing import Any

_KINDS = list(inspect._ParameterKind)  # by the number that travels


def signature_of(told: Any) -> inspect.Signature:
    """The signature that was told, parameter by parameter."""
    found = [
        inspect.Parameter(name, _KINDS[kind], default=default[0] if default else inspect.Parameter.empty)
        for name, kind, *default in told
    ]
    return inspect.Signature(found)


def parameters_of(value: Any) -> tuple[tuple[Any, ...], ...]:
    """A function's parameters: name and kind; where there is a default, that too, None for what is no plain number."""
    try:
        parameters = list(inspect.signature(_bare(value)).parameters.values())
    except (TypeError, ValueError):
        return ()
    defaults = [
        () if p.default is p.empty else (p.default if type(p.default) in (int, float) else None,) for p in parameters
    ]
    return tuple((p.name, int(p.kind), *default) for p, default in zip(parameters, defaults, strict=True))


def _bare(function: Any) -> Any:
    """A callable as its code is, without what it says of itself: `__signature__`, `__wrapped__`."""
    if type(function) is FunctionType:
        code, defaults, closure = function.__code__, function.__defaults__, function.__closure__
        bare = FunctionType(code, {}, function.__name__, defaults, closure)
        bare.__kwdefaults__ = function.__kwdefaults__
        return bare
    if type(function) is functools.partial:
        return functools.partial(_bare(function.func), *function.args, **function.keywords)
    if type(function) is MethodType:
        return MethodType(_bare(function.__func__), function.__self__)
    if isinstance(getattr(type(function), "__call__", None), FunctionType):  # noqa: B004
        return MethodType(_bare(type(function).__call__), function)
    raise TypeError("no function of Python's own kind")
