"""What a test lends the student: functions that student code may call back, and the errors that they raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from examiner.isolation.connection import StudentFailed
from examiner.isolation.encoding import is_the_tests_own
from examiner.isolation.errors import describe_error
from examiner.isolation.exports import OPERATE
from examiner.isolation.objects import OPERATIONS
from examiner.isolation.values import ByNumber, Malformed, WireError
from examiner.isolation.wire import encode

_LETS = OPERATIONS - {"call"} | {"getattr", "setattr", "delattr", "str", "repr"}
CALLBACK_GONE = "this function was lent for one call of yours, and that call is over"


def _may_be_told(thing: Any, operation: str, args: tuple[Any, ...]) -> bool:
    """Whether student code may have, or change, this attribute: no method, and nothing by which a mock judges."""
    name = args[0]
    if type(name) is not str or name.startswith("_"):
        return False
    found = getattr(type(thing), name, None)
    if operation == "getattr":
        return not (type(thing).__module__ == "unittest.mock" and callable(found))
    return not callable(found) and (found is None or type(thing).__module__ != "unittest.mock")


class Loans:
    """The things lent, each by a number of its own: for the length of a call, or until the test is over.

    `rich`: values travel back to the student as what they are, and not as the nearest plain ones; and what is handed in
    stays lent for the test, since a decorator or an object may keep it.
    """

    def __init__(self, rich: bool) -> None:
        self._rich = rich
        self._lent: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}  # by id
        self._next_number = 0
        self.begin_test()

    def begin_test(self) -> None:
        """Nothing is lent yet."""
        self._lent.clear()
        self._numbers.clear()
        self.stand_for: dict[int, str] = {}  # the name that a lent function stands in the place of
        self.asked: set[str] = set()  # those that the student's code has called

    def lend(self, thing: Any) -> tuple[int, int]:
        """Whose the thing is (0: the test's, 1: the student's own) and its number there."""
        if isinstance(thing, ByNumber):
            return 1, ByNumber.number_of(thing)
        number = self._numbers.get(id(thing))
        if number is None:
            number = self._next_number
            self._next_number += 1
            self._lent[number] = thing
            self._numbers[id(thing)] = number
        return 0, number

    def lend_names(self, names: Mapping[str, Any]) -> None:
        """Lend what stands in the place of names of the student's, which is told of once in a test."""
        for name, thing in names.items():
            self.stand_for[self.lend(thing)[1]] = name

    def lent(self) -> tuple[dict[int, Any], dict[int, int]]:
        """What is lent now: before a call, what remains lent after it."""
        return (self._lent, self._numbers) if self._rich else (dict(self._lent), dict(self._numbers))

    def lend_only(self, lent: tuple[dict[int, Any], dict[int, int]]) -> None:
        """Lend that much, and nothing more."""
        self._lent, self._numbers = lent

    def thing(self, number: int) -> Any:
        """What was lent by this number; Malformed where nothing is."""
        if number not in self._lent:
            raise Malformed("a function that was not lent")
        return self._lent[number]

    def error(self, number: int) -> BaseException | None:
        """The error of a lent function's that has this number."""
        thing = self._lent.get(number)
        return thing if isinstance(thing, BaseException) else None

    def serve(self, request: Any) -> tuple[bytes, bytes]:
        """Call a lent function for the student: the frame that answers. Malformed where the request is no call."""
        if not (isinstance(request, tuple) and len(request) == 3):
            raise Malformed("no call")
        number, args, kwargs = request
        if kwargs is None and self._rich and type(number) is int and type(args) is tuple and args:
            return self._asked(self._lent.get(number), *args)
        if not (type(number) is int and type(args) is tuple and type(kwargs) is dict):
            raise Malformed("no call")
        if not all(type(key) is str for key in kwargs):
            raise Malformed("no call")
        function = self._lent.get(number)
        if number in self.stand_for:
            self.asked.add(self.stand_for[number])
        if function is None or isinstance(function, BaseException):
            return b"e", encode(("RuntimeError", CALLBACK_GONE, (), -1))
        try:
            return b"r", encode(function(*args, **kwargs), export=self.lend, rich=self._rich)
        except StudentFailed:
            raise
        except Exception as error:
            return self.raising(error)

    def _asked(self, thing: Any, operation: Any, *args: Any) -> tuple[bytes, bytes]:
        """What student code asks of a thing lent, or does with one of the test's own classes."""
        try:
            if operation in ("name", "doc"):
                told = getattr(thing, f"__{operation}__", None)
                return b"r", encode(told if type(told) is str else None)
            if not is_the_tests_own(thing) or type(operation) is not str or operation not in _LETS:
                raise Malformed("no operation")
            if operation in ("getattr", "setattr", "delattr") and not _may_be_told(thing, operation, args):
                raise AttributeError(str(args[0])[:100])
            return b"r", encode(OPERATE[operation](thing, *args), export=self.lend, rich=True)
        except (StudentFailed, WireError):
            raise
        except Exception as error:
            return self.raising(error)

    def raising(self, error: Exception) -> tuple[bytes, bytes]:
        """The frame that raises an error in the student's code, and lets it come back as it was raised."""
        kind, message, _ = describe_error(error)
        return b"e", encode((kind, message, (), self.lend(error)[1]))
