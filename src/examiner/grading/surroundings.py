"""What a test finds around it besides the student's names: files, random numbers, `input`, the text of functions.

In a notebook all of these are one with the student's. Here they are the examiner's own, and what a test does to them is
told to the student's process with the next call: names that it replaces, seeds that it sets, files that it writes.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import functools
import importlib
import inspect
import os
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np

from examiner.grading.texts import lines_of, source_of
from examiner.isolation import linux
from examiner.isolation.heard import Heard
from examiner.isolation.student_process import LARGEST_LOOKED_AT, StudentProcess
from examiner.isolation.values import WireError

_INPUT, _PRINT, _STDIN = builtins.input, builtins.print, sys.stdin
_LISTENS = re.compile(r"[Ww]arn|\blogging\b|\bassertLogs\b|\bassertNoLogs\b")
_PATCHES = re.compile(r"[Pp]atch\b|\bsetattr\b|\w\.\w+ *=[^=]")
_OURS = ("__main__", "builtins", "sys", "matplotlib.pyplot")  # what is replaced in these is told otherwise, or not
_NOT_TAKEN = (".py", ".pyc", ".pth", ".so", ".pkl", ".pickle", ".ipynb")  # written by a student's process


class Surroundings:
    """Those of the tests of one submission."""

    def __init__(
        self,
        student: StudentProcess,
        space: dict[str, Any],
        steps: Sequence[Mapping[str, Any]],
        files: dict[str, bytes],
    ) -> None:
        self.student, self.space, self.steps, self.files = student, space, steps, files
        self.step: Mapping[str, Any] = {}
        self.found: dict[str, Any] = {}
        self.seeded: dict[str, bool] = {}
        self.modules: dict[str, dict[str, Any]] = {}  # what was in those that a test may change, by name
        self.plain: dict[str, tuple[bytes, Any]] = {}  # what functions read: as it was, and a copy since it was changed
        self.folder = ""
        self.seen: dict[str, bytes] = {}  # the files that both sides have

    def install(self) -> None:
        """Be there for whatever the tests of this process ask."""
        inspect.getsource = source_of(inspect.getsource, self.student, self.steps)  # type: ignore[assignment]
        inspect.getsourcelines = lines_of(inspect.getsourcelines)  # type: ignore[assignment]
        np.random.seed = self._noted("numpy", np.random.seed)
        random.seed = self._noted("random", random.seed)
        calls = self.student.calls
        calls.replaced, calls.drawn, calls.changed = self._replaced, self._drawn, self._changed
        if not self.student.numbers_only or self.files or any(step.get("files") for step in self.steps):
            self.folder = tempfile.mkdtemp(prefix="examiner-", dir=os.getcwd())
            beside, work = Path(self.folder, "beside"), Path(self.folder, "work")
            for place in (beside, work):
                place.mkdir()
                for path, content in self.files.items():
                    _write(place, path, content)
            sys.path.insert(0, str(beside))
            os.chdir(work)
            tempfile.tempdir = str(work)  # where the student's process has it too
            calls.here = f"{work}{os.sep}"
            sys.addaudithook(_refuser(self.student.heard))

    def shut_in(self, readable: Sequence[str]) -> None:
        """From here on no test can reach a file but these and its own, whatever it does with what a student gave."""
        if self.folder and readable:
            linux.keep_to(readable, [self.folder, os.devnull])

    def remove(self) -> None:
        """Clear away the files."""
        if self.folder:
            os.chdir("/")
            tempfile.tempdir = None
            shutil.rmtree(self.folder, ignore_errors=True)

    def begin(self, step: Mapping[str, Any], found: dict[str, Any], reads_words: bool) -> None:
        """Another test is about to run."""
        self.step, self.found, self.seeded, source = step, dict(found), {}, step.get("source", "")
        self.modules = {} if self.student.numbers_only else _patchable(source, self.space)
        self.plain = {
            name: (plain, None)
            for name in (() if self.student.numbers_only else step.get("read", ()))
            if type(found.get(name)) in (list, dict, set, np.ndarray)
            and len(plain := self.student.calls.as_bytes(found[name])) < LARGEST_LOOKED_AT
        }
        calls, student_files = self.student.calls, bool(step["files"]) and bool(self.folder)
        calls.live, self.student.heard.reads_words = step["live"], reads_words
        calls.may_end_loops = "StopIteration" in source
        calls.hears_warnings = not self.student.numbers_only and bool(_LISTENS.search(source))
        calls.before_call = self._hand_over_files if student_files else lambda: None
        calls.after_call = self._take_files if student_files else lambda: None
        builtins.input, builtins.print, sys.stdin = _INPUT, _PRINT, _STDIN
        if student_files:
            self._take_files()

    # What a test has replaced

    def _replaced(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        names: dict[str, Any] = {}
        removed = []
        for module, known in self.modules.items():
            there = vars(sys.modules[module])
            names |= {f"{module}.{key}": x for key, x in there.items() if key in known and known[key] is not x}
        for name in self.step.get("replaced", ()):
            if name in self.space:
                if self.space[name] is not self.found.get(name):
                    names[name] = self.space[name]
            elif name in self.found:
                removed.append(name)
        for name, (before, _) in list(self.plain.items()):
            if name not in names and name in self.space and self.space[name] is self.found.get(name):
                now = self.student.calls.as_bytes(self.space[name])
                if now != before:  # a copy: what was told before is another thing
                    self.plain[name] = now, copy.copy(self.space[name])
                if self.plain[name][1] is not None:
                    names[name] = self.plain[name][1]
        if builtins.print is not _PRINT:
            names.setdefault("print", builtins.print)
        if builtins.input is not _INPUT:
            names.setdefault("input", builtins.input)
        elif sys.stdin is not _STDIN:
            names.setdefault("input", _read_line)
        return names, tuple(removed)

    def _changed(self, values: dict[str, Any]) -> None:
        """Variables of the notebook's, as they are after a call."""
        for name, value in values.items():
            if self.space.get(name) is self.found.get(name):
                self.space[name] = self.found[name] = value
                if name in self.plain:
                    self.plain[name] = self.student.calls.as_bytes(value), None

    # Random numbers

    def _noted(self, which: str, seed: Callable[..., None]) -> Callable[..., None]:
        def seeded(*args: Any, **kwargs: Any) -> None:
            seed(*args, **kwargs)
            self.seeded[which] = True

        return seeded

    def _drawn(self) -> tuple[Any, Any]:
        """The states of the generators that the test has seeded since the last call."""
        if not self.seeded:
            return None, None
        wanted, self.seeded = self.seeded, {}
        numpy = np.random.get_state() if "numpy" in wanted else None
        return numpy, random.getstate() if "random" in wanted else None

    # Files

    def _hand_over_files(self) -> None:
        """Give the student's process what the test has written."""
        here = _read(Path.cwd())
        new: dict[str, bytes | None] = {
            path: content for path, content in here.items() if self.seen.get(path) != content
        }
        new |= dict.fromkeys(self.seen.keys() - here.keys())
        if new:
            self.student.put(new)
            self.seen = here

    def _take_files(self) -> None:
        """Have the files that the student's process has, and no others, but for such as could run here."""
        found = self.student.fetch()
        for path in [path for path in self.seen if path not in found and path[-1:] != "/"]:
            del self.seen[path]
            with contextlib.suppress(OSError):
                os.remove(path)
        for path, content in found.items():
            known = path in self.files or self.seen.get(path) == content or path.endswith(_NOT_TAKEN)
            if not known and _write(Path.cwd(), path, content):
                self.seen[path] = content


def share_figures(student: StudentProcess, *sources: str) -> None:
    """Where a test has to do with pyplot, its figures are the student's, those too that the test makes itself."""
    if student.numbers_only or not any("pyplot" in source for source in sources):
        return
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    for name, function in list(vars(pyplot).items()):
        if inspect.isfunction(function) and function.__module__ == pyplot.__name__ and name[0] != "_":
            setattr(pyplot, name, functools.partial(_draw_there, student, name))


def _draw_there(student: StudentProcess, name: str, /, *args: Any, **kwargs: Any) -> Any:
    return student.calls.draw(name, args, kwargs)


def _patchable(source: str, space: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is in the modules of which a test may replace something, where it may: those that it names."""
    if not _PATCHES.search(source):
        return {}
    modules: set[Any] = set()
    for word in set(re.findall(r"\w[\w.]*", source)):
        thing: Any = None
        for part in word.split("."):
            thing = getattr(thing, part, None) if thing else space.get(part, sys.modules.get(part))
            if not isinstance(thing, ModuleType):
                break
            modules.add(thing)
    return {module.__name__: dict(vars(module)) for module in modules if module.__name__ not in _OURS}


def _refuser(heard: Heard) -> Callable[[str, tuple[Any, ...]], None]:
    """What Python asks before it reads a pickle that names something to run, and before it compiles a text.

    What is only to be parsed, as by `ast.literal_eval`, has no file's name.
    """

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "pickle.find_class":
            raise WireError("a pickle is not read in the examiner's process: it could run anything")
        if event == "compile" and arguments[1] != "<unknown>" and heard.has_code_in(arguments[0]):
            raise WireError("a text of the student's is not run in the examiner's process: it could do anything")

    return refuse


def _read_line(prompt: str = "") -> str:
    """What `input` gives where a test has put another text in the place of the keyboard."""
    line = sys.stdin.readline()
    if not line:
        raise EOFError("EOF when reading a line")
    return line.removesuffix("\n")


def _read(folder: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return found | {f"{p.relative_to(folder)}/": b"" for p in folder.rglob("*") if p.is_dir()}


def _write(folder: Path, path: str, content: bytes) -> bool:
    """Write a file below a folder, and say whether it is there; a path that leads out of it is left out."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or "\0" in path or len(parts) > 10:
        return False
    with contextlib.suppress(OSError):
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return True
    return False
