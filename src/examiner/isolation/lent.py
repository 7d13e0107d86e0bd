"""What a test lends, as student code sees it: functions, and objects of its own classes, which stay where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from examiner.isolation.objects import OPERATIONS, Elsewhere

CallBack = Callable[[int, Any, Any], Any]


class Lent:
    """A function of the examiner's: a call is a message. `asks` whether its name and docstring are asked for."""

    __slots__ = ("__weakref__", "_asks", "_call_back", "_number")

    def __init__(self, call_back: CallBack, number: int, asks: bool) -> None:
        object.__setattr__(self, "_call_back", call_back)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_asks", asks)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call_back(self._number, args, kwargs)

    def _ask(self, operation: str, *args: Any) -> Any:
        return self._call_back(self._number, (operation, *args), None)

    @property
    def __name__(self) -> str:
        return (self._ask("name") if self._asks else None) or "function"

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._ask("doc") if self._asks else None

    def __getattr__(self, name: str) -> Any:
        if name == "__qualname__":
            return self.__name__
        raise AttributeError(name)

    def __repr__(self) -> str:
        return "<function>"


class LentThing(Elsewhere, Lent):
    """An object of a class of the test's, or a mock: whatever is done with it is done there."""

    __slots__ = ()
    _ask = Lent._ask

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._ask("getattr", name)

    def __hash__(self) -> int:
        return id(self)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return self._ask("exit", None) is True


def _passed_on(operation: str) -> Callable[..., Any]:
    return lambda self, *args: self._ask(operation, *args)


for _operation in OPERATIONS - {"call", "hash", "exit"}:
    setattr(LentThing, f"__{_operation}__", _passed_on(_operation))
