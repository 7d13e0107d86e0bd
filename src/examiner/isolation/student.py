"""The process that runs student code: a shell without a kernel, whose functions the examiner calls.

Nothing in here is trusted once a student's first cell has run.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import shutil
import socket
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from examiner.isolation.alarm import AlarmedLine
from examiner.isolation.decoding import Decoder
from examiner.isolation.encoding import Encoder
from examiner.isolation.errors import revive
from examiner.isolation.exports import Exports
from examiner.isolation.lending import standing_in
from examiner.isolation.lent import Lent, LentThing
from examiner.isolation.namespace import Namespace
from examiner.isolation.shell import Printed
from examiner.isolation.values import LARGEST_FILES, MOST_FILES, MOST_WARNINGS, WireError
from examiner.isolation.wire import decode, encode

LONGEST_PRINTED = 100_000  # characters that one call prints


class Student:
    """The answers to the examiner's requests."""

    def __init__(self, line: socket.socket, shell: Any) -> None:
        self.line = AlarmedLine(line)
        self.lock = threading.RLock()
        self.exports = Exports(lambda thing: thing._number if type(thing) in (Lent, LentThing) else None)
        self.lent: dict[int, LentThing] = {}
        self.namespace = Namespace(shell, self.line, self.exports)
        self.lending = contextlib.ExitStack()  # what stands in the place of names of its own until the test is over
        self.printed: list[tuple[str, str]] = []  # by the call under way, where a test listens
        self.warned: list[tuple[Any, ...]] = []  # its warnings (kind, text) and logs (logger, level, text), likewise

    def serve(self) -> None:
        """Say that the process is up, and answer until the examiner hangs up."""
        self.line.send(b"H", b"")
        while True:
            self._answer(*self.line.receive())

    def _answer(self, kind: bytes, message: bytes) -> None:
        sys.settrace(None)
        sys.setprofile(None)
        if kind == b"x":
            self.line.send(b"R", encode(self.namespace.run(*decode(message))))
        elif kind == b"n":
            number, names = decode(message)
            self.namespace.keep(number)
            self.line.send(b"R", self.namespace.look_up(names))
        elif kind == b"b":
            self.lending.close()  # what an earlier test has lent is gone
            self.namespace.put_back(decode(message))
            self.line.send(b"R", encode(None))
        elif kind == b"g":
            self.line.send(b"R", self.namespace.look_up(decode(message)))
        elif kind == b"c":
            answer = self._call(message)
            if self.printed or self.warned:
                streams = ("stdout", "stderr")
                texts = tuple("".join(text for kind, text in self.printed if kind == stream) for stream in streams)
                self.line.send(b"O", encode((*texts, tuple(self.warned))))
                self.printed, self.warned = [], []
            self.line.send(*answer)
        elif kind == b"f":
            _write_files(decode(message))
            self.line.send(b"R", encode(None))
        elif kind == b"F":
            self.line.send(b"R", encode(tuple(_files())))
        elif kind == b"k":
            self.exports.more_than_numbers(decode(message))
            self.line.send(b"R", encode(None))
        elif kind == b"p":
            self.line.send(b"R", message)
        else:
            raise EOFError

    def _call(self, message: bytes) -> tuple[bytes, bytes]:
        """Call one of the student's functions: its value, or its error, and what it changed in place."""
        decoder = Decoder(message, adopt=self._adopt, revive=revive)
        target, args, pairs, names, more = decoder.message()
        objects, before = decoder.objects, decoder.entries
        encoder = Encoder(known=objects, **self.exports.how)
        if decoder.adopted:
            before = Encoder(export=self.exports.export, known=objects).entries()
        streams = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = Printed([], "", [0])
        if more is not None and more[0][0]:
            sys.stdout = Printed(self.printed, "stdout", [LONGEST_PRINTED])
        if more is not None and more[0][1]:
            sys.stderr = Printed(self.printed, "stderr", [LONGEST_PRINTED])
        outer, self.line.working = self.line.working, False
        try:
            if names is not None:
                self.lending.close()
                called = self.exports.thing_of(target)
                own = {name: thing for name, thing in names if "." not in name}
                self.lending.enter_context(standing_in(own, self.namespace.names, called))
                self._patch({name: thing for name, thing in names if "." in name})
            if more is not None:
                self._as_the_test_has_it(more[1], more[2])
            self.line.working = True
            # As the notebook's own check does: warnings never cost a mark, nor do they where a cell made them errors.
            with _taken_down(self.warned) if more is not None and more[0][2] else _silenced():
                value = self.exports.callable_for(target)(*args, **dict(pairs))
                return b"R", encoder.message(value, before)
        except BaseException as error:
            self.line.rest()  # whoever makes this endless is ended with the process
            described = self.namespace.described(error)
            encoder = Encoder(known=objects, **self.exports.how)
            with contextlib.suppress(WireError):
                return b"E", encoder.message(described, before)
            return b"E", Encoder(known=objects).message(described[:4], Encoder(known=objects).entries())
        finally:
            self.line.rest()
            sys.stdout, sys.stderr = streams
            self.line.working = outer

    def _patch(self, replaced: dict[str, Any]) -> None:
        """Have a test's things in the place of a library's, by module and name, for as long as they are lent."""
        for dotted, thing in replaced.items():
            module, _, name = dotted.rpartition(".")
            if module in sys.modules:
                before = getattr(sys.modules[module], name, None)
                self.lending.callback(setattr, sys.modules[module], name, before)
                setattr(sys.modules[module], name, thing)

    def _as_the_test_has_it(self, removed: tuple[str, ...], drawn: tuple[Any, Any]) -> None:
        """Names that the test has removed are gone until it is over; random numbers go on from its seed."""
        gone = {name: self.namespace.names.pop(name) for name in removed if name in self.namespace.names}
        self.lending.callback(self.namespace.names.update, gone)
        if drawn[0] is not None:
            np.random.set_state(drawn[0])
        if drawn[1] is not None:
            random.setstate(drawn[1])

    def call_back(self, number: int, args: Any, kwargs: Any) -> Any:
        """Call a function of the examiner's from student code."""
        message = encode((number, args, kwargs), **self.exports.how)
        with self.lock:
            self.line.send(b"C", message)
            while True:
                kind, message = self.line.receive()
                if kind in (b"r", b"e"):
                    break
                self._answer(kind, message)
        value = decode(message, adopt=self._adopt, revive=revive)
        if kind == b"r":
            return value
        raise revive(value)

    def _adopt(self, owner: int, number: int) -> Any:
        if owner == 1:
            return self.exports.thing(number)
        if owner == 0:
            return Lent(self.call_back, number, bool(self.exports.how.get("rich")))
        return self.lent.setdefault(number, LentThing(self.call_back, number, True))


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Nothing warns."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _taken_down(told: list[tuple[Any, ...]]) -> Iterator[None]:
    """What warns is told, by the nearest kind of Python's own, and so is what is logged."""
    root, handler = logging.getLogger(), logging.Handler()
    handler.emit = lambda record: told.append((record.name, record.levelno, record.getMessage()))  # type: ignore[method-assign]
    level = root.level
    with np.errstate(all="warn"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        root.addHandler(handler)
        root.setLevel(1)  # the test's own logger says which it takes
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
            for warning in caught:
                kinds = (kind.__name__ for kind in warning.category.__mro__ if kind.__module__ == "builtins")
                told.append((next(kinds), str(warning.message)))
            del told[MOST_WARNINGS:]


def _write_files(files: Iterable[tuple[str, bytes | None]]) -> None:
    """Write files into the working folder, where code can import them too, or remove them."""
    for path, content in files:
        if content is None:
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.endswith("/") else os.remove(path)
            continue
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if not path.endswith("/"):
            with open(path, "wb") as file:
                file.write(content)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def _files() -> Iterator[tuple[str, bytes]]:
    """The files in the working folder, as many as a test may look at."""
    number = size = 0
    for folder, _, names in os.walk("."):
        for name in names:
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                with open(path, "rb") as file:
                    content = file.read(LARGEST_FILES + 1)
                number, size = number + 1, size + len(content)
                if number > MOST_FILES or size > LARGEST_FILES:
                    return
                yield os.path.relpath(path), content
