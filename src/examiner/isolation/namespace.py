"""What a student's cells have bound: cells run in it, what is bound at a test's place is kept, names are looked up."""

from __future__ import annotations

import contextlib
import copy
import functools
import os
import sys
from collections.abc import Callable, Container
from types import ModuleType
from typing import Any

import numpy as np

from examiner.isolation.alarm import AlarmedLine, TimeUp
from examiner.isolation.errors import describe_error
from examiner.isolation.exports import Exports, cell_number
from examiner.isolation.in_place import renew
from examiner.isolation.lending import places
from examiner.isolation.parameters import parameters_of
from examiner.isolation.shell import Printed, close_figures, definitions_alone
from examiner.isolation.values import Opaque
from examiner.isolation.wire import encode

MISSING = """def {0}(*args, **kwargs): raise NameError("name '{0}' is not defined")"""
MOST_KEPT = 1 << 20  # bytes of the contents that are kept of arrays, and as many entries of lists, at one place


def _modules_beside() -> list[ModuleType]:
    """The modules that were imported from the working folder."""
    here = os.path.join(os.getcwd(), "")
    return [m for m in list(sys.modules.values()) if str(getattr(m, "__file__", None) or "").startswith(here)]


class _Place:
    """A place in the notebook: what the names are bound to there, and what is in the data that they reach."""

    def __init__(self, names: dict[str, Any], hidden: Container[str]) -> None:
        self._names = dict(names)
        self._kept: list[tuple[Any, Callable[[Any], None]]] = []  # a content, and what puts it back
        roots = [{name: names[name] for name in names if name not in hidden}]
        for module in _modules_beside():  # a module beside the notebook keeps things too
            own = {name: value for name, value in vars(module).items() if not name.startswith("__")}
            self._kept += [(value, functools.partial(setattr, module, name)) for name, value in own.items()]
            roots.append(own)
        held, left = list(places(roots, names)), MOST_KEPT
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


class Namespace:
    """One student's names, as the cells that have run have left them."""

    def __init__(self, shell: Any, line: AlarmedLine, exports: Exports) -> None:
        self.shell, self.names, self.line, self.exports = shell, shell.user_ns, line, exports
        self._places: dict[int, _Place] = {}  # each test's, in the notebook
        self._missing: dict[str, Any] = {}  # what stands in the place of answers that are not there
        self._skipped: dict[int, int] = {}  # the empty lines at the head of each cell, which IPython does not count

    def run(self, number: int, source: str, room: int, asked: list[str]) -> tuple[Any, ...]:
        """Run a cell: its printed parts, and its error (kind, message, lines) or None.

        Should a cell fail in which names are `asked`, its definitions are made all the same: a check of an earlier
        answer at its head is not to cost this one. In the place of names still missing stands what may be replaced.
        """
        parts: list[tuple[str, str]] = []
        left = [room]
        error: BaseException | None = None
        self._skipped[number] = source[: len(source) - len(source.lstrip())].count("\n")
        self.shell.begin(number, parts, left)
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = Printed(parts, "stdout", left), Printed(parts, "stderr", left)
        try:
            self.line.working = True
            result = self.shell.run_cell(source, store_history=False)
            error = result.error_before_exec or result.error_in_exec
            if asked and error is not None and not isinstance(error, TimeUp):
                self.shell.run_cell(definitions_alone(source), store_history=False)
        except BaseException as failure:
            error = failure
        finally:
            self.line.rest()
            sys.stdout, sys.stderr = before
        close_figures()
        for name in asked:
            if name not in self.names and name.isidentifier():
                exec(MISSING.format(name), self.names)
                self._missing[name] = self.names[name]
        return tuple(_joined(parts)), None if error is None else self.described(error)[:4]

    def keep(self, number: int) -> None:
        """Keep what the names are bound to, as that of a test's place."""
        self._places[number] = _Place(self.names, self.shell.user_ns_hidden)

    def put_back(self, number: int) -> None:
        """Bind the names as they were at a test's place."""
        self._places[number].put_back(self.names)

    def look_up(self, names: list[str]) -> bytes:
        """Of each name a message: its value and its parameters; no bytes where there is no such name."""
        found: list[bytes] = []
        for name in names:
            if name not in self.names or (name in self._missing and self.names[name] is self._missing[name]):
                found.append(b"")
                continue
            try:
                self.line.working = True
                value = self.names[name]
                found.append(encode((value, parameters_of(value)), **self.exports.how))
            except BaseException:
                found.append(encode((Opaque(type(self.names[name]).__name__), ())))
            finally:
                self.line.rest()
        return encode(found)

    def described(self, error: BaseException) -> tuple[Any, ...]:
        """An exception as data: the nearest built-in kind, the message, the student's lines, the examiner's number."""
        kind, message, _ = describe_error(error)
        if isinstance(error, TimeUp):
            kind, message = "TimeoutError", "it was still running when its time was up"
        lines: list[tuple[int, int]] = []
        if isinstance(error, SyntaxError) and (cell := cell_number(error.filename)) is not None:
            lines.append((cell, (error.lineno or 1) + self._skipped.get(cell, 0)))
        trace = error.__traceback__
        while trace is not None and len(lines) < 50:
            cell = cell_number(trace.tb_frame.f_code.co_filename)
            if cell is not None:
                lines.append((cell, trace.tb_lineno + self._skipped.get(cell, 0)))
            trace = trace.tb_next
        told = kind, message, tuple(lines), getattr(error, "examiner_number", -1)
        return (*told, error) if self.exports.is_own(type(error)) else told


def _joined(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbouring pieces of one stream, as one."""
    joined: list[tuple[str, list[str]]] = []
    for kind, text in parts:
        if joined and joined[-1][0] == kind and kind != "result":
            joined[-1][1].append(text)
        else:
            joined.append((kind, [text]))
    return [(kind, "".join(texts)) for kind, texts in joined]
