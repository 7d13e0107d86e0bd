"""The process that runs student code: a shell without a kernel, whose functions the examiner calls.

Nothing in here is trusted once a student's first cell has run.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import enum
import functools
import inspect
import operator
import os
import random
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Container, Iterator
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from examiner.isolation.decoding import Decoder, renew
from examiner.isolation.encoding import Encoder, describe_error
from examiner.isolation.objects import OPERATIONS, REFLECTED
from examiner.isolation.shell import Printed, close_figures, definitions_alone
from examiner.isolation.values import Described, Opaque, WireError
from examiner.isolation.wire import Line, decode, encode
from workshop.gradcheck import places, standing_in

CALLBACK_GONE = "this function was lent for one call of yours, and that call is over"


class TimeUp(BaseException):
    """A cell or a call has run for as long as it may. Not an Exception, so that a loop's `except` lets it pass."""


class Lent:
    """A function of the examiner's, as student code sees it: a call is a message."""

    __name__ = __qualname__ = "function"

    def __init__(self, student: Student, number: int) -> None:
        self._student, self._number = student, number

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._student.call_back(self._number, args, kwargs)

    def __repr__(self) -> str:
        return "<function>"


def _turned(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda x, y: operation(y, x)


LONGEST_PRINTED = 100_000  # characters that one call prints
VALUES = (int, float, complex, str, bytes, tuple, list, dict, set, frozenset)
OPERATE: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, f"__{name}__") for name in OPERATIONS if hasattr(operator, f"__{name}__")},
    **{f"r{name}": _turned(getattr(operator, f"__{name}__")) for name in REFLECTED},
    **{f.__name__: f for f in (getattr, setattr, delattr, len, iter, next, repr, str, format, int, float, complex)},
    **{f.__name__: f for f in (hash, bool, abs, round, divmod, reversed)},
    "call": lambda f, *args, **kwargs: f(*args, **kwargs),
    "enter": lambda x: type(x).__enter__(x),
    "exit": lambda x, *args: type(x).__exit__(x, None, None, None),
    "place": lambda f: (cell_number(f.__code__.co_filename), f.__code__.co_firstlineno),
}
"""What a test may ask of a thing of the student's."""

MISSING = """def {0}(*args, **kwargs): raise NameError("name '{0}' is not defined")"""
MOST_KEPT = 1 << 20  # bytes of the contents that are kept of arrays, and as many entries of lists, at one place


class _Place:
    """A place in the notebook: what the names are bound to there, and what is in the data that they reach."""

    def __init__(self, names: dict[str, Any], hidden: Container[str]) -> None:
        self._names = dict(names)
        self._kept: list[tuple[Any, Callable[[Any], None]]] = []  # a content, and what puts it back
        held, left = list(places([{name: names[name] for name in names if name not in hidden}], names)), MOST_KEPT
        for thing in {id(value): value for value, _ in held}.values():
            if type(thing) is np.random.Generator:
                generator = thing.bit_generator
                self._kept.append((generator.state, functools.partial(setattr, generator, "state")))
            elif type(thing) in (list, dict, set, np.ndarray):
                left -= thing.nbytes if type(thing) is np.ndarray else len(thing)
                if left > 0:
                    self._kept.append((copy.copy(thing), functools.partial(renew, thing)))
        self._kept += held

    def put_back(self, names: dict[str, Any]) -> None:
        """Have all of it as it was."""
        for name in names.keys() - self._names.keys():
            del names[name]
        names.update(self._names)
        for content, put in self._kept:
            with contextlib.suppress(Exception):
                put(content)


class Student:
    """One student's namespace, and the answers to the examiner's requests."""

    def __init__(self, line: socket.socket, shell: Any) -> None:
        self.line, self.shell, self.names = Line(line), shell, shell.user_ns
        self.lock = threading.RLock()
        self.on_line = False  # the alarm must not tear a message
        self.working = False  # whether there is anything that it may stop
        self.places: dict[int, _Place] = {}  # each test's, in the notebook
        self.lending = contextlib.ExitStack()  # what stands in the place of names of its own until the test is over
        self.missing: dict[str, Any] = {}  # what stands in the place of answers that are not there
        self.classes: frozenset[str] = frozenset()  # names of the source's own: their objects travel by number
        self.rich: dict[str, Any] = {}  # how values travel where tests ask for more than numbers
        self.printed: list[tuple[str, str]] = []  # by the call under way, where a test listens
        self.callables: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.skipped: dict[int, int] = {}  # the empty lines at the head of each cell, which IPython does not count
        signal.signal(signal.SIGALRM, self._alarm)

    # The examiner's requests

    def serve(self) -> None:
        """Say that the process is up, and answer until the examiner hangs up."""
        self._send(b"H", b"")
        while True:
            self._answer(*self._receive())

    def _answer(self, kind: bytes, message: bytes) -> None:
        sys.settrace(None)
        sys.setprofile(None)
        if kind == b"x":
            self._send(b"R", encode(self._run(*decode(message))))
        elif kind == b"n":
            number, names = decode(message)
            self.places[number] = _Place(self.names, self.shell.user_ns_hidden)
            self._send(b"R", self._look_up(names))
        elif kind == b"b":
            self.lending.close()  # what an earlier test has lent is gone
            self.places[decode(message)].put_back(self.names)
            self._send(b"R", encode(None))
        elif kind == b"g":
            self._send(b"R", self._look_up(decode(message)))
        elif kind == b"c":
            answer = self._call(message)
            if self.printed:
                self._send(b"O", encode("".join(text for _, text in self.printed)))
                self.printed = []
            self._send(*answer)
        elif kind == b"f":
            for path, content in decode(message):
                os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content)
            if os.getcwd() not in sys.path:
                sys.path.insert(0, os.getcwd())
            self._send(b"R", encode(None))
        elif kind == b"F":
            self._send(b"R", encode(tuple(_files())))
        elif kind == b"k":
            self.classes = frozenset(decode(message))
            self.rich = {"describe": self._describe, "rich": True}
            self._send(b"R", encode(None))
        elif kind == b"p":
            self._send(b"R", message)
        else:
            raise EOFError

    def _run(self, number: int, source: str, room: int, asked: list[str]) -> tuple[Any, ...]:
        """Run a cell: its printed parts, and its error (kind, message, lines) or None.

        Should a cell fail in which names are `asked`, its definitions are made all the same: a check of an earlier
        answer at its head is not to cost this one. In the place of names still missing stands what may be replaced.
        """
        parts: list[tuple[str, str]] = []
        left = [room]
        error: BaseException | None = None
        self.skipped[number] = source[: len(source) - len(source.lstrip())].count("\n")
        self.shell.begin(number, parts, left)
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = Printed(parts, "stdout", left), Printed(parts, "stderr", left)
        try:
            self.working = True
            result = self.shell.run_cell(source, store_history=False)
            error = result.error_before_exec or result.error_in_exec
            if asked and error is not None and not isinstance(error, TimeUp):
                self.shell.run_cell(definitions_alone(source), store_history=False)
        except BaseException as failure:
            error = failure
        finally:
            self._rest()
            sys.stdout, sys.stderr = before
        close_figures()
        for name in asked:
            if name not in self.names and name.isidentifier():
                exec(MISSING.format(name), self.names)
                self.missing[name] = self.names[name]
        return tuple(_joined(parts)), None if error is None else self._described(error)[:4]

    def _look_up(self, names: list[str]) -> bytes:
        """Of each name a message: its value and its parameters; no bytes where there is no such name."""
        found: list[bytes] = []
        for name in names:
            if name not in self.names or self.names[name] is self.missing.get(name):
                found.append(b"")
                continue
            try:
                self.working = True
                value = self.names[name]
                found.append(encode((value, _parameters(value)), export=self._export, **self.rich))
            except BaseException:
                found.append(encode((Opaque(type(self.names[name]).__name__), ())))
            finally:
                self._rest()
        return encode(found)

    def _call(self, message: bytes) -> tuple[bytes, bytes]:
        """Call one of the student's functions: its value, or its error, and what it changed in place."""
        decoder = Decoder(message, adopt=self._adopt, revive=revive)
        target, args, pairs, names, more = decoder.message()
        objects, before = decoder.objects, decoder.entries
        encoder = Encoder(export=self._export, known=objects, **self.rich)
        if decoder.adopted:
            before = Encoder(export=self._export, known=objects).entries()
        streams = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = Printed([], "", [0])
        if more is not None and more[0]:
            sys.stdout = Printed(self.printed, "", [LONGEST_PRINTED])
        outer, self.working = self.working, False
        try:
            if names is not None:
                self.lending.close()
                called = self._target(target) if type(target) is int else self.callables[target[1]]
                self.lending.enter_context(standing_in(dict(names), self.names, called))
            if more is not None:
                self._as_the_test_has_it(more[1], more[2])
            self.working = True
            # As the notebook's own check does: warnings never cost a mark, nor do they where a cell made them errors.
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = self._target(target)(*args, **dict(pairs))
                return b"R", encoder.message(value, before)
        except BaseException as error:
            self._rest()  # whoever makes this endless is ended with the process
            described = self._described(error)
            encoder = Encoder(export=self._export, known=objects, **self.rich)
            with contextlib.suppress(WireError):
                return b"E", encoder.message(described, before)
            return b"E", Encoder(known=objects).message(described[:4], Encoder(known=objects).entries())
        finally:
            self._rest()
            sys.stdout, sys.stderr = streams
            self.working = outer

    def _target(self, target: Any) -> Callable[..., Any]:
        if type(target) is int:
            return self.callables[target]
        operation, number = target
        return functools.partial(OPERATE[operation], self.callables[number])

    def _as_the_test_has_it(self, removed: tuple[str, ...], drawn: tuple[Any, Any]) -> None:
        """Names that the test has removed are gone until it is over; random numbers go on from its seed."""
        gone = {name: self.names.pop(name) for name in removed if name in self.names}
        self.lending.callback(self.names.update, gone)
        if drawn[0] is not None:
            np.random.set_state(drawn[0])
        if drawn[1] is not None:
            random.setstate(drawn[1])

    def call_back(self, number: int, args: Any, kwargs: Any) -> Any:
        """Call a function of the examiner's from student code."""
        message = encode((number, args, kwargs), export=self._export, **self.rich)
        with self.lock:
            self._send(b"C", message)
            while True:
                kind, message = self._receive()
                if kind in (b"r", b"e"):
                    break
                self._answer(kind, message)
        value = decode(message, adopt=self._adopt, revive=revive)
        if kind == b"r":
            return value
        raise revive(value)

    # Callables by number

    def _export(self, thing: Any) -> tuple[int, int]:
        if type(thing) is Lent:
            return 1, thing._number
        number = self.numbers.get(id(thing))
        if number is None:
            number = self.numbers[id(thing)] = len(self.callables)
            self.callables.append(thing)
        return 0, number

    def _adopt(self, owner: int, number: int) -> Any:
        return Lent(self, number) if owner == 0 else self.callables[number]

    # The notebook's own objects and classes by number

    def _describe(self, x: Any, whatever: bool) -> Described | None:
        """The class of a thing that travels by number: of one of the source's own classes, or of any."""
        kind = x if isinstance(x, type) else type(x)
        own = kind.__name__ in self.classes and kind.__module__ == "__main__"
        if not own and (not whatever or kind is object):
            return None
        named = issubclass(kind, tuple) and "_fields" in vars(kind)
        if own and issubclass(kind, VALUES) and not (isinstance(x, type) or issubclass(kind, enum.Enum) or named):
            return None  # by value, as what it builds on
        return Described(
            kind, (kind.__name__, "tuple", (), tuple(vars(kind)["_fields"])) if named else self._told(kind)
        )

    def _told(self, kind: type) -> tuple[Any, ...]:
        error = next((base.__name__ for base in kind.__mro__ if getattr(builtins, base.__name__, None) is base), "")
        kinds = kind.__mro__[:-1]
        has = [name for name in sorted(OPERATIONS) if any(f"__{name}__" in vars(base) for base in kinds)]
        bases = tuple(Described(base, self._told(base)) for base in kind.__bases__ if base.__module__ == "__main__")
        others = tuple((base.__module__, base.__name__) for base in kinds if base.__module__ not in ("__main__", "abc"))
        return kind.__name__, error if issubclass(kind, BaseException) else "", bases, tuple(has), others

    # The line

    def _send(self, kind: bytes, message: bytes) -> None:
        self.on_line = True
        try:
            self.line.send(kind, message)
        finally:
            self.on_line = False

    def _receive(self) -> tuple[bytes, bytes]:
        self.on_line = True
        try:
            return self.line.receive()
        finally:
            self.on_line = False

    def _alarm(self, *_: Any) -> None:
        """The examiner's word that the time is up; it says so again until this one has stopped or is ended."""
        if self.working and not self.on_line:
            raise TimeUp

    def _rest(self) -> None:
        """No alarm from here on."""
        while self.working:
            with contextlib.suppress(TimeUp):
                self.working = False

    def _described(self, error: BaseException) -> tuple[Any, ...]:
        """An exception as data: the nearest built-in kind, the message, the student's lines, the examiner's number."""
        kind, message, _ = describe_error(error)
        if isinstance(error, TimeUp):
            kind, message = "TimeoutError", "it was still running when its time was up"
        lines: list[tuple[int, int]] = []
        if isinstance(error, SyntaxError) and (cell := cell_number(error.filename)) is not None:
            lines.append((cell, (error.lineno or 1) + self.skipped.get(cell, 0)))
        trace = error.__traceback__
        while trace is not None and len(lines) < 50:
            cell = cell_number(trace.tb_frame.f_code.co_filename)
            if cell is not None:
                lines.append((cell, trace.tb_lineno + self.skipped.get(cell, 0)))
            trace = trace.tb_next
        own = type(error).__name__ in self.classes and type(error).__module__ == "__main__"
        told = kind, message, tuple(lines), getattr(error, "examiner_number", -1)
        return (*told, error) if own else told


MOST_FILES, LARGEST_FILES = 500, 16 << 20


def _files() -> Iterator[tuple[str, bytes]]:
    """The files in the working folder, as many as a test may look at."""
    number = size = 0
    for folder, _, names in os.walk("."):
        for name in names:
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                number, size = number + 1, size + os.path.getsize(path)
                if number > MOST_FILES or size > LARGEST_FILES:
                    return
                with open(path, "rb") as file:
                    yield os.path.relpath(path), file.read()


def _parameters(value: Any) -> tuple[tuple[Any, ...], ...]:
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


def cell_number(filename: Any) -> int | None:
    """The cell that a code object's file name tells of."""
    if isinstance(filename, str) and filename.startswith("<cell ") and filename[6:-1].isdigit():
        return int(filename[6:-1])
    return None


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


def _joined(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbouring pieces of one stream, as one."""
    joined: list[tuple[str, list[str]]] = []
    for kind, text in parts:
        if joined and joined[-1][0] == kind and kind != "result":
            joined[-1][1].append(text)
        else:
            joined.append((kind, [text]))
    return [(kind, "".join(texts)) for kind, texts in joined]
