"""The shell in which a student's cells run: IPython's, with nothing that outlives a cell."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import ctypes
import functools
import gc
import importlib
import io
import os
import pkgutil
import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np


class Printed(io.TextIOBase):
    """A stream that keeps the first characters printed to it, and forgets the rest."""

    def __init__(self, parts: list[tuple[str, str]], kind: str, room: list[int]) -> None:
        self._parts, self._kind, self._room = parts, kind, room

    def write(self, text: str) -> int:
        """Keep what there is room for."""
        if self._room[0] > 0:
            kept = str(text)[: self._room[0]]
            self._room[0] -= len(kept) + 1
            self._parts.append((self._kind, kept))
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True


def make_shell() -> Any:
    """IPython's shell with nothing that outlives a cell: no history, no pictures, no programs."""
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.autocall = 0
    config.InteractiveShell.xmode = "Minimal"
    shell: Any = _shell_class().instance(config=config)
    shell.display_formatter.active_types = ["text/plain"]
    shell.compile.get_code_name = lambda *_: f"<cell {shell.number}>"
    return shell


def _shell_class() -> Any:
    """The shell's class, made where it is needed: IPython takes long to import."""
    from IPython.core.interactiveshell import InteractiveShell

    hook, publisher = _output_classes()

    class Shell(InteractiveShell):
        displayhook_class = hook
        display_pub_class = publisher
        number = 0
        display_formatter: Any

        def begin(self, number: int, parts: list[tuple[str, str]], left: list[int]) -> None:
            """Name the cell that runs next, and where its output goes."""
            self.number, self.parts, self.left = number, parts, left

        def note(self, kind: str, text: str) -> None:
            """Keep a piece of output."""
            Printed(self.parts, kind, self.left).write(text)

        def plain(self, result: Any) -> str:
            """What a value looks like as text."""
            return str(self.display_formatter.formatters["text/plain"](result))

        def system(self, cmd: str) -> None:
            """Shell commands don't run in grading."""

        system_raw = system_piped = system

        def getoutput(self, *args: Any, **kwargs: Any) -> list[str]:
            """Shell commands don't run in grading."""
            return []

        def enable_gui(self, gui: Any = None) -> None:
            """There is no screen."""

        def enable_matplotlib(self, gui: Any = None) -> tuple[str, str]:
            """There is no screen; figures are made and thrown away."""
            return "agg", "agg"

        def showtraceback(self, *args: Any, **kwargs: Any) -> None:
            """The examiner tells of errors."""

        showsyntaxerror = showindentationerror = showtraceback

        def init_virtualenv(self) -> None:
            """The environment is the grader's."""

    return Shell


def _output_classes() -> tuple[Any, Any]:
    """What takes a cell's result, and what takes what it displays: both note it as text."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher

    class Hook(DisplayHook):
        shell: Any

        def __call__(self, result: Any = None) -> None:
            if result is not None and not self.quiet():
                self.shell.note("result", self.shell.plain(result))
                self.shell.user_ns["_"] = result

    class Publisher(DisplayPublisher):
        shell: Any

        def publish(self, data: Any, *args: Any, **kwargs: Any) -> None:
            self.shell.note("result", str(data.get("text/plain", "")))

    return Hook, Publisher


def seed_modules(seed: int) -> None:
    """Make everything random begin the same way, what has no seed too, and all machines have one core.

    A submission is to get the same marks wherever and whenever it is graded.
    """
    np.random.seed(seed % (1 << 32))
    entropy, begin = random.Random(seed), random.Random.seed

    def seeded(self: random.Random, a: Any = None, version: int = 2) -> None:
        begin(self, entropy.getrandbits(256) if a is None else a, version)

    random.Random.seed = seeded  # type: ignore[method-assign]
    random.seed = random._inst.seed
    random.seed(seed)
    np.random.bit_generator.randbits = lambda bits: entropy.getrandbits(bits)  # type: ignore[attr-defined]
    replacements: dict[str, Callable[..., Any]] = {
        "urandom": lambda size: entropy.randbytes(size),
        "getrandom": lambda size, flags=0: entropy.randbytes(size),
        "sched_getaffinity": lambda pid: {0},
        "cpu_count": lambda: 1,
        "process_cpu_count": lambda: 1,
    }
    for name, replacement in replacements.items():
        if hasattr(os, name):
            setattr(os, name, replacement)
    random._urandom = os.urandom  # type: ignore[attr-defined]  # what `secrets` and SystemRandom draw from


class _Lasting(asyncio.SelectorEventLoop):
    """An event loop that can be used again after it was closed: a process that is shut in makes no other."""

    def close(self) -> None:
        self._asyncgens_shutdown_called = self._executor_shutdown_called = False
        _loops.append(self)


_loops: list[asyncio.AbstractEventLoop] = []


def make_loops() -> None:
    """Event loops for `asyncio.run`: they have sockets, and once shut in, a process makes none."""
    make = asyncio.events.new_event_loop
    _loops.extend(_Lasting() for _ in range(3))
    asyncio.new_event_loop = asyncio.events.new_event_loop = lambda: _loops.pop() if _loops else make()


def prepared_shell() -> Any:
    """Import all that a notebook may need, once for all students."""
    warnings.simplefilter("ignore")
    for name in (
        "matplotlib.pyplot",
        "matplotlib.backends.backend_agg",
        "ipywidgets",
        "anywidget",
        "asyncio",
        "secrets",
    ):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    import workshop

    for module in pkgutil.iter_modules(workshop.__path__):
        with contextlib.suppress(Exception):
            importlib.import_module(f"workshop.{module.name}")
    with contextlib.suppress(ImportError, AttributeError, OSError):
        keep_databases_in_scratch()
    shell = make_shell()
    shell.run_cell("1 + 1", store_history=False)
    close_figures()
    warnings.resetwarnings()
    warnings.simplefilter("default")
    gc.collect()
    gc.freeze()
    return shell


def keep_databases_in_scratch() -> None:
    """Have SQLite neither lock files nor wait for the disk, which a process that is shut in can't: they are its own."""
    import _sqlite3
    import sqlite3

    connect = sqlite3.connect

    @functools.wraps(connect)
    def connected(*args: Any, **kwargs: Any) -> Any:
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    for module in (sqlite3, sqlite3.dbapi2):
        module.__dict__["connect"] = connected
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.c_void_p
    without = library.sqlite3_vfs_find(b"unix-none")
    if without:
        library.sqlite3_vfs_register(ctypes.c_void_p(without), 1)


def close_figures() -> None:
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    if helpers is not None:
        with contextlib.suppress(BaseException):
            helpers.Gcf.figs.clear()


LONGEST_PARSED = 100_000  # characters of a cell: to parse more would take as much memory as somebody wants


def definitions_alone(source: str) -> str:
    """Of a cell that must not run again: its functions, classes, imports and plain assignments."""
    if len(source) > LONGEST_PARSED:
        return ""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    kept: list[ast.stmt] = []
    for node in body:
        simple = isinstance(node, ast.Assign) and not any(isinstance(part, ast.Call) for part in ast.walk(node.value))
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom) or simple:
            kept.append(node)
    lines = source.split("\n")
    blank = [""] * len(lines)
    for node in kept:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        blank[first - 1 : node.end_lineno] = lines[first - 1 : node.end_lineno]
    return "\n".join(blank)
