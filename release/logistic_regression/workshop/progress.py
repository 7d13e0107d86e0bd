"""How far a student has come: one plain line where an answer is missing, and the visible marks added up.

The set-up cell of a notebook calls :func:`begin`, its last cell :func:`summary`. Nothing happens under grading.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple


class Question(NamedTuple):
    """A question that tests mark."""

    number: int  # among all that bear marks, in the notebook's order
    name: str  # of its solution cell
    marks: float  # that its visible and hidden tests share
    defines: tuple[str, ...]  # what its solution cell defines


FILE = Path(__file__).with_name("questions.json")
"""The questions of each notebook, which the examiner writes down when it makes a release."""


def questions(notebook: str) -> list[Question]:
    """The questions of a notebook that tests mark, in its order; none where it has not been released yet."""
    known = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    return [Question(number, name, marks, tuple(names)) for number, name, marks, names in known.get(notebook, [])]


ABOVE = "Run → Run All Above Selected Cell"


class _Notebook:
    """The notebook at hand: its questions, and the marks of the visible tests that passed when they were last run."""

    def __init__(self, name: str) -> None:
        self.questions = questions(name)
        self.passed: dict[str, float] = {}  # by the title of the test: its marks, or 0

    def note(self, result: Any) -> None:
        """IPython calls this after each cell; what counts is whether a test cell ran to its end."""
        title = re.match(r"# Test: (.+) \(([\d.]+) marks?\)", result.info.raw_cell or "")
        if title:
            self.passed[title[1].replace(" ", "_")] = float(title[2]) if result.success else 0

    def marks_of(self, question: Question) -> float:
        """The visible marks of a question so far."""
        return sum(marks for test, marks in self.passed.items() if self._question_of(test) == question)

    def _question_of(self, test: str) -> Question | None:
        """The question with the longest name that the test's begins with."""
        fits = [q for q in self.questions if test == q.name or test.startswith(f"{q.name}_")]
        return max(fits, key=lambda q: len(q.name), default=None)

    def told(self, error: BaseException) -> str:
        """One line for a missing answer; "" where the traceback says more."""
        if isinstance(error, NotImplementedError):
            name = str(error).removesuffix(" is still to be written")
            where = self._where(name)
            return f"This cell waits for your answer to question {where}: {error}." if where else ""
        name = getattr(error, "name", None) or ""
        if where := self._where(name):
            first = f"run the cell of question {where} first, with your answer in it"
            return f"{name} is not defined yet: {first} ({ABOVE})."
        if name and not _in_a_function(error.__traceback__):
            return f"{name} is not defined yet: run the cell above that makes it first ({ABOVE})."
        return ""

    def _where(self, name: str) -> int | None:
        return next((q.number for q in self.questions if name in q.defines), None)


_now: _Notebook | None = None


def begin(name: str) -> None:
    """Begin the notebook `name`: from now on a missing answer gets one line, and the tests that pass are counted."""
    global _now
    shell = _shell()
    if shell is None:
        return
    if _now is not None:
        shell.events.unregister("post_run_cell", _note)
    _now = _Notebook(name)
    shell.events.register("post_run_cell", _note)
    shell.set_custom_exc((NameError, NotImplementedError), _explain)


def summary() -> None:
    """Print the marks of the visible tests, and what is not right yet."""
    if _now is None or not _now.questions:
        return
    marks = {question: _now.marks_of(question) for question in _now.questions}
    print(f"{sum(marks.values()):g} of {sum(q.marks for q in marks):g} visible marks.")
    for question, got in marks.items():
        if got < question.marks:
            print(f"    not yet: question {question.number} ({question.name}), {got:g} of {question.marks:g}")
    print("The marker runs these tests on other numbers and sizes too, and a person reads what you answered in words.")


def _note(result: Any) -> None:
    if _now is not None:
        _now.note(result)


def _explain(shell: Any, kind: Any, error: BaseException, tb: Any, tb_offset: int | None = None) -> None:
    """What IPython calls in place of printing a traceback. The cell has failed all the same, and is seen to fail."""
    line = _now.told(error) if _now is not None else ""
    if line:
        shell._showtraceback(kind, error, [line])
    else:
        stb = shell.InteractiveTB.structured_traceback(kind, error, tb, tb_offset=tb_offset or 1)
        shell._showtraceback(kind, error, stb)


def _in_a_function(tb: TracebackType | None) -> bool:
    """Whether an error was raised in a function, not in the cell itself."""
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb is not None and tb.tb_frame.f_code.co_name != "<module>"


def _shell() -> Any:
    """IPython's shell where a person works in a notebook; None elsewhere, and under grading."""
    if os.environ.get("NBGRADER_EXECUTION"):
        return None
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
