"""The examiner's end of the line to a student's process: what is asked of it, and its functions' calls by the tests."""

from __future__ import annotations

import contextlib
import marshal
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import PurePath
from typing import Any

import numpy as np

from examiner.isolation.connection import STARTING, Connection, StudentFailed
from examiner.isolation.encoding import Encoder
from examiner.isolation.heard import Heard
from examiner.isolation.loans import Loans
from examiner.isolation.proxies import Imports, Proxy
from examiner.isolation.values import (
    DEEPEST,
    LARGEST_FILES,
    MAX_DEPTH,
    MOST_FILES,
    Malformed,
    NoNumbers,
    WireError,
    unfolded,
)
from examiner.isolation.watch import Watch
from examiner.isolation.wire import decode, encode

MOST_PARTS = 50
LARGEST_LOOKED_AT = 20_000  # bytes of a value that is looked at before each call: has the test changed it?
DOUBT = "it was stopped though it had hardly computed: it slept, or waited for the machine"


class StudentProcess(Connection):
    """A student's process as the examination sees it: cells run in it, names are noted, files put and fetched.

    With `numbers_only`, answers come as plain values, and the functions that a test lends take nothing but numbers.
    `line_text(cell, line)` is a line of what the student handed in, `words` are the notebook's: no other may be told.
    Whatever is asked of it raises a StudentFailed where it is not answered as it should be.
    """

    def __init__(
        self,
        start: Callable[[], tuple[socket.socket, socket.socket]],
        line_text: Callable[..., str],
        words: Set[str] = frozenset(),
        classes: Mapping[str, Sequence[str]] | None = None,
        files: Mapping[str, bytes] | None = None,
        numbers_only: bool = True,
    ) -> None:
        super().__init__(start)
        self.numbers_only, self.files = numbers_only, dict(files or {})  # beside the notebook
        self.heard, self.loans = Heard(words), Loans(rich=not numbers_only)
        self.calls = Calls(self)
        self.imports = Imports(self.calls, self.loans, self.heard, line_text, classes or {}, numbers_only)
        self.objects = self.imports.objects
        self.begin_test(1.0, 1.0)

    def start(self) -> None:
        """A fresh process, with nothing run in it yet; NotStarted if none comes up."""
        super().start()
        self.calls.forget_names()
        if not self.numbers_only:
            self.ask(b"k", list(self.objects.known), STARTING)
        if self.files:
            self.put(self.files)

    def begin_test(self, call_seconds: float, test_seconds: float) -> None:
        """The limits of the calls to come: each one's, and of all together."""
        self.call_seconds = call_seconds
        self.broken = None
        self.hung = self.doubtful = False  # whether it was stopped, and whether not for what it had computed
        for part in (self.heard, self.loans, self.objects):
            part.begin_test()
        self.calls.begin_test(test_seconds)

    def end_test(self) -> None:
        """Make sure that the last answer was the last: nothing more is on the line."""
        if self.alive:
            token = os.urandom(16)
            if self.ask(b"p", token) != token:
                raise self._lost("malformed")

    def run(self, number: int, source: str, seconds: float, room: int, asked: Sequence[str] = ()) -> tuple[Any, Any]:
        """Run a cell, in which the names `asked` are to be defined: its printed parts, and its error or None.

        An error is (kind, message, lines, -1).
        """
        self.doubtful = False
        answer = self.ask(b"x", (number, source, room, list(asked)), seconds)
        if not _well_run(answer, room):
            raise self._lost("malformed")
        if not self.in_bounds():
            raise self._lost("ended")
        return answer

    def put(self, files: Mapping[str, bytes | None]) -> None:
        """Write files into its working folder, or remove them (None); a path that ends in a slash is a folder."""
        self.ask(b"f", tuple(files.items()), STARTING)

    def fetch(self) -> dict[str, bytes]:
        """The files in its working folder."""
        found = self.ask(b"F", None)
        if type(found) is not tuple or not all(type(f) is tuple and list(map(type, f)) == [str, bytes] for f in found):
            raise self._lost("malformed")
        if len(found) > MOST_FILES or sum(len(content) for _, content in found) > LARGEST_FILES:
            raise self._lost("malformed")
        return dict(found)

    def enter(self, number: int) -> None:
        """Bind the student's names as they were at the place of a test."""
        self.ask(b"b", number)

    def note(self, number: int, names: list[str]) -> dict[str, Any]:
        """What these names are bound to at a test's place: plain values as they are, callables as proxies."""
        return self._values(self.ask(b"n", (number, names)), names)

    def now(self, names: Sequence[str]) -> dict[str, Any]:
        """What these names are bound to at present."""
        return self._values(self.ask(b"g", list(names)), names)

    def _values(self, found: Any, names: Sequence[str]) -> dict[str, Any]:
        try:
            return self.imports.values(found, names)
        except Malformed:
            raise self._lost("malformed") from None

    def ask(self, kind: bytes, request: Any, seconds: float | None = None) -> Any:
        """The answer to a request of this kind, for which it has so long; as long as for a call by default."""
        watch = self.watch(self.call_seconds if seconds is None else seconds)
        return self.converse(kind, encode(request), watch, [], "")

    def converse(self, kind: bytes, message: bytes, watch: Watch, objects: list[Any], name: str) -> Any:
        """Send a request and take the answer, serving the student's calls of lent functions on the way."""
        asked = kind
        try:
            while True:
                assert self._line is not None
                watch.resume()
                self._line.send(kind, message, watch.look)
                answer, data = self._line.receive(watch.look)
                while answer == b"O" and asked == b"c":
                    self.heard.show(decode(data))
                    answer, data = self._line.receive(watch.look)
                watch.pause()
                if answer != b"C":
                    break
                kind, message = self._serve(data)
            decoder = self.imports.decoder(data, name, known=objects)
            value = decoder.message()
            if asked == b"c" and answer == b"R":
                self.heard.add(decoder.texts)
            if decoder.folded:
                unfolded([value, *objects], deepest=MAX_DEPTH if self.numbers_only else DEEPEST)
        except TimeoutError:
            self.hung = True
            raise self._lost("hung") from None
        except (EOFError, ConnectionError, BrokenPipeError):
            raise self._lost("ended") from None
        except WireError:
            raise self._lost("malformed") from None
        finally:
            self._asleep += watch.asleep
            self.doubtful = self.doubtful or watch.doubtful
        if answer == b"R":
            return value
        raise self._error(value) if (answer, asked) == (b"E", b"c") else self._lost("malformed")  # no other may end so

    def _serve(self, data: bytes) -> tuple[bytes, bytes]:
        """Call a lent function for the student: the frame that answers."""
        try:
            request = self.imports.request(data)
        except NoNumbers as error:
            return self.loans.raising(TypeError(f"the function that you were given {error}"))
        return self.loans.serve(request)

    def _error(self, described: Any) -> BaseException:
        """The student's exception, or the very one that a lent function raised."""
        if not _well_described(described):
            return self._lost("malformed")
        if described[0] == "TimeoutError" and self.loans.error(described[3]) is None:
            self.hung, self.call_seconds = True, min(self.call_seconds, 2.0)
        return self.imports.error(described)


class Calls:
    """A test's calls of the student's functions; with each goes what the test has replaced and seeded by then.

    All of a test's calls together have so much time; a call within another finds what is lent to the outer one.
    """

    def __init__(self, student: StudentProcess) -> None:
        self._student = student
        self.before_call: Callable[[], None] = lambda: None
        self.after_call: Callable[[], None] = lambda: None
        self.replaced: Callable[[], tuple[dict[str, Any], tuple[str, ...]]] = lambda: ({}, ())
        self.drawn: Callable[[], tuple[Any, Any]] = lambda: (None, None)
        self.here = ""  # the tests' working folder, and a slash
        self.live: Sequence[str] = ()  # variables that calls may change
        self.may_end_loops = False  # whether the test knows of StopIteration
        self.hears_warnings = False  # whether it has to do with warnings or logs
        self.changed: Callable[[dict[str, Any]], None] = lambda values: None
        self.observer: Callable[..., Callable[[Any], None]] | None = None  # told of each call, and then of its value

    def begin_test(self, seconds: float) -> None:
        """The time that all calls to come have together."""
        self.budget = seconds
        self._within = 0  # calls under way
        self._parts: dict[Any, Any] = {}  # lists, dicts and sets that the test got of things of the student's
        self._quiet = sys.stdout, sys.stderr  # what a test writes where it does not listen
        self.forget_names()

    def forget_names(self) -> None:
        """The student's process has not been told of any name that the test has replaced."""
        self._bound: dict[str, Any] | None = None  # the names that it was told of last

    @property
    def generation(self) -> int:
        """The number of the process that is called."""
        return self._student.generation

    def call(self, target: Proxy, names: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call one of the student's functions, with `names` in place of the student's own."""
        return self._call(target._number, target._generation, target._called, names, args, kwargs)

    def ask(self, what: str, number: int, generation: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do something with a thing of the student's: one of what `student.OPERATE` names."""
        value = self._call((what, number), generation, "an object", {}, args, kwargs)
        if what in ("getattr", "getitem") and type(value) in (list, dict, set) and not self._student.numbers_only:
            if len(before := self.as_bytes(value)) < LARGEST_LOOKED_AT:
                self._parts[what, number, str(args)] = (what, number, args), value, before
            if len(self._parts) > MOST_PARTS:
                self._parts.pop(next(iter(self._parts)))
        return value

    def draw(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call this function of `matplotlib.pyplot` in the student's process."""
        return self._call(("pyplot", function), self.generation, f"pyplot.{function}", {}, args, kwargs)

    def _there(self, argument: Any) -> Any:
        """A path in the tests' working folder, as one in the student's."""
        if self.here and isinstance(argument, str | PurePath) and str(argument).startswith(self.here):
            return type(argument)(str(argument)[len(self.here) :])
        return argument

    def _hand_over_parts(self) -> None:
        """Where the test has changed in place what it got of a thing of the student's, it is changed there."""
        for key, ((what, number, args), value, before) in list(self._parts.items()):
            now = self.as_bytes(value)
            if now != before:
                self._parts[key] = (what, number, args), value, now
                self._call(("refill", number), self.generation, "an object", {}, (what, args, value), {})

    def as_bytes(self, value: Any) -> bytes:
        """What tells whether a value was changed in place; Python's own way to write out plain ones takes no time."""
        if type(value) is not np.ndarray:
            with contextlib.suppress(ValueError):
                return marshal.dumps(value, 2)  # as it is, whoever else refers to its parts
        try:
            return Encoder(export=self._student.loans.lend, rich=True).message(value)
        except WireError:
            return b""

    def _call(
        self, target: Any, generation: int, called: str, names: dict[str, Any], args: Any, kwargs: dict[str, Any]
    ) -> Any:
        student, loans = self._student, self._student.loans
        if student.broken is not None:
            raise student.broken
        if generation != student.generation or not student.alive:
            raise StudentFailed(f"{called} is of a process that has ended")
        if self.budget <= 0:
            raise StudentFailed("the time for this test was up")
        if not self._within:
            self.before_call()
            if self._parts and not (type(target) is tuple and target[0] == "refill"):
                self._hand_over_parts()
        replaced, removed = self.replaced()
        listens = sys.stdout is not self._quiet[0], sys.stderr is not self._quiet[1], self.hears_warnings
        drawn = self.drawn()
        more = (listens, removed, drawn) if any(listens) or removed or drawn != (None, None) else None
        args, kwargs = tuple(map(self._there, args)), {key: self._there(value) for key, value in kwargs.items()}
        names = {**replaced, **names}
        loans.lend_names(names)
        outer = loans.lent()
        watch = student.watch(min(student.call_seconds, self.budget))
        note = self.observer(called, args, kwargs) if self.observer and not self._within else None
        bound = {name: id(thing) for name, thing in names.items()} | dict.fromkeys(removed, 0)
        told = None if self._within or bound == self._bound else tuple(names.items())
        self._within += 1
        try:
            encoder = Encoder(export=loans.lend, rich=not student.numbers_only)
            message = encoder.message((target, args, tuple(kwargs.items()), told, more))
            self._bound = self._bound if told is None else bound
            value = student.converse(b"c", message, watch, encoder.objects, called)
            if note:
                note(value)
            return value
        except StopIteration as end:  # it would end `zip(map(f, ...), ...)` in a test, as if all were well
            if self.may_end_loops or (type(target) is tuple and target[0] == "next"):
                raise
            error: Any = RuntimeError(f"StopIteration: {end}")
            error.student_traceback = getattr(end, "student_traceback", "")
            raise error from None
        finally:
            self.budget -= watch.spent()
            self._within -= 1
            loans.lend_only(outer)
            student.heard.warn()
            if not self._within and student.alive:
                self.after_call()
                if self.live:
                    self.changed(student.now(self.live))


def _well_run(answer: Any, room: int) -> bool:
    if not (type(answer) is tuple and len(answer) == 2 and _well_printed(answer[0], room)):
        return False
    return answer[1] is None or _well_described(answer[1])


def _well_printed(parts: Any, room: int) -> bool:
    if type(parts) is not tuple or not all(type(part) is tuple and len(part) == 2 for part in parts):
        return False
    if not all(type(kind) is type(text) is str and kind in ("stdout", "stderr", "result") for kind, text in parts):
        return False
    return sum(len(text) + 1 for _, text in parts) <= room + 1


def _well_described(described: Any) -> bool:
    if not (type(described) is tuple and len(described) in (4, 5)):
        return False
    kind, message, lines, number = described[:4]
    if not (
        type(kind) is str and len(kind) < 100 and type(message) is str and type(lines) is tuple and type(number) is int
    ):
        return False
    return all(type(line) is tuple and len(line) == 2 and all(type(n) is int for n in line) for line in lines)
