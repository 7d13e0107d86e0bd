"""A student's names as the tests see them: calling one is a message to the student's process.

To ordinary test code a proxy is the function itself: arguments changed in place are changed, a random generator
goes on where the student left it, an exception raised by a function that was handed in arrives as it was raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, Protocol

from examiner.isolation.decoding import Decoder
from examiner.isolation.errors import revive
from examiner.isolation.heard import Heard
from examiner.isolation.loans import Loans
from examiner.isolation.messages import kind_of
from examiner.isolation.objects import Line as Objects
from examiner.isolation.objects import Raised
from examiner.isolation.parameters import signature_of
from examiner.isolation.values import DEEPEST, MAX_ASKED, MAX_DEPTH, ByNumber, Malformed, NoNumbers, unfolded

LONGEST_VALUE = 1 << 20  # bytes of a value that is kept for the tests


class Caller(Protocol):
    """Who passes on what a test does with things of the student's."""

    @property
    def generation(self) -> int: ...
    def call(self, target: Proxy, names: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def ask(self, what: str, number: int, generation: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...


_OF_FUNCTIONS = {
    *("__name__", "__qualname__", "__code__", "__closure__", "__defaults__", "__kwdefaults__"),
    *("__annotations__", "__dict__", "__wrapped__"),
}


class Proxy(ByNumber):
    # One of the student's callables. It has the student's own docstring, or none.

    told_as = "function"
    __module__ = "__main__"

    def __init__(self, caller: Caller, number: int, generation: int, called: str, named: bool = True) -> None:
        self._caller, self._number, self._generation, self._called = caller, number, generation, called
        if named:  # as the test knows it; else it is asked, since a decorator hands on another's
            self.__name__ = self.__qualname__ = called

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._caller.call(self, {}, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "__signature__" and (told := self._caller.ask("parameters", self._number, self._generation, (), {})):
            return signature_of(told)
        if name.startswith("_") and name not in _OF_FUNCTIONS:
            raise AttributeError(name)
        return self._caller.ask("getattr", self._number, self._generation, (name,), {})

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return FunctionType

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return self._caller.ask("getattr", self._number, self._generation, ("__doc__",), {})

    def __call_with__(self, names: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call it with `names` in place of the student's own for this one call."""
        return self._caller.call(self, names, args, kwargs)

    def __repr__(self) -> str:
        return f"<the student's {self._called}>"


Proxy.__name__ = "function"  # for a test that asks for its type's


class Imports:
    """What comes from a student's process, as a test sees it: proxies, plain values, errors that tell what they may.

    With `numbers_only`, a callable is another proxy each time it comes, and calls of lent functions are looked at no
    further once there is more in them than such functions take. `line_text(cell, line)` is a line of the student's.
    """

    def __init__(
        self,
        caller: Caller,
        loans: Loans,
        heard: Heard,
        line_text: Callable[[int, int], str],
        classes: Mapping[str, Sequence[str]],
        numbers_only: bool,
    ) -> None:
        self._caller, self._loans, self._heard, self._line_text = caller, loans, heard, line_text
        self._numbers_only = numbers_only
        self.objects = Objects(caller.ask, classes)
        self._proxies: dict[tuple[int, int], Proxy] = {}

    def decoder(self, message: bytes, name: str, **kwargs: Any) -> Decoder:
        """What reads a message in which a callable is to be called `name`."""
        kwargs |= {"revive": self._revived, "stand_for": self._standing_for, "rich": not self._numbers_only}
        return Decoder(message, adopt=self._adopter(name), **kwargs)

    def _standing_for(self, is_class: bool, number: int, told: Any) -> Any:
        make = self.objects.class_of if is_class else self.objects.object_of
        return make(number, self._caller.generation, told)

    def _adopter(self, name: str) -> Callable[[int, int], Any]:
        def adopt(owner: int, number: int) -> Any:
            if owner:
                return self._loans.thing(number)
            generation = self._caller.generation
            made = Proxy(self._caller, number, generation, name or "function", self._numbers_only)
            # The same one each time: a test may compare two functions.
            return made if self._numbers_only else self._proxies.setdefault((generation, number), made)

        return adopt

    def values(self, found: Any, names: Sequence[str]) -> dict[str, Any]:
        """What the names are bound to, of the messages that tell of each; Malformed where one can't be read."""
        if not isinstance(found, list) or len(found) != len(names):
            raise Malformed("no list of values")
        values: dict[str, Any] = {}
        for name, message in zip(names, found, strict=True):
            if not isinstance(message, bytes) or len(message) > LONGEST_VALUE:
                raise Malformed("no message")
            if message:
                try:
                    values[name] = self._value(name, message)
                except Exception as error:  # of any kind: an iterator of theirs ends in the error that they choose
                    raise Malformed("no value") from error
        return values

    def _value(self, name: str, message: bytes) -> Any:
        decoder = self.decoder(message, name)
        value, parameters = decoder.message()
        self._heard.add(decoder.texts)
        unfolded(value, deepest=MAX_DEPTH if self._numbers_only else DEEPEST)
        if isinstance(value, Proxy) and parameters:
            proxy: Any = value
            proxy.__signature__ = signature_of(parameters)
        return value

    def request(self, message: bytes) -> Any:
        """The student's call of a lent function; NoNumbers where it hands over more than such a function takes."""
        decoder = self.decoder(message, "", numbers=self._numbers_only)
        request = decoder.message()
        if len(message) > MAX_ASKED:
            raise NoNumbers("takes no more than a megabyte")
        self._heard.add(decoder.texts)
        return request

    def error(self, described: Any) -> BaseException:
        """The exception that a description means: the very one that a lent function raised, or the student's own."""
        error: Any = self._loans.error(described[3])
        if error is None:
            error = self._revived(described)
            if len(described) == 5 and isinstance(described[4], Raised):
                described[4].args = error.args  # type: ignore[attr-defined]
                error = described[4]
        told = [self._line_text(cell, line) for cell, line in described[2][-3:]]
        error.student_traceback = "\n".join(filter(None, told)) or "    (not in a line of yours)"
        return error

    def _revived(self, described: Any) -> BaseException:
        """The student's exception, with no word in it that may not be told."""
        kind, message = described[:2]
        if not type(kind) is type(message) is str:
            raise Malformed("no description")
        error = revive((kind_of(kind), self._heard.of_an_error(message)))
        error.student_traceback = ""  # type: ignore[attr-defined]
        return error
