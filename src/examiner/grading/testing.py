"""The test cells of a submission, run against what its own cells have left in the student's process."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib
import inspect
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import numpy as np

from examiner.grading import marking
from examiner.grading.assignment import BEGIN_HIDDEN, END_HIDDEN
from examiner.grading.budget import TooLong, own_work
from examiner.grading.cells import Cells
from examiner.grading.replay import Calls, shown
from examiner.grading.sharing import without_magics
from examiner.grading.source import complex_numbers, hidden_lines, imported
from examiner.grading.surroundings import Surroundings, share_figures
from examiner.grading.verdict import HELD_UP, NOT_TRIED, NOT_TRIED_THERE, Verdict, failed, partial
from examiner.isolation.connection import StudentFailed
from examiner.isolation.messages import printable
from examiner.isolation.shell import definitions_alone
from examiner.isolation.student_process import DOUBT
from examiner.isolation.values import ByNumber, WireError
from workshop.gradcheck import WrongAnswer

_FILE = "<test>"  # what Python calls a test cell in a traceback


@dataclass(frozen=True)
class _Test:
    """A test cell, ready to run."""

    code: CodeType
    last: CodeType | None  # its last line, if that is an expression: a number there is its mark
    hidden: set[int]  # the numbers of its hidden lines
    reads_words: bool  # whether it looks at what an error says


_learnt: dict[str, _Test] = {}


def learn(source: str) -> _Test:
    """Get a test cell ready to run, and import what it imports, once for all submissions."""
    known = _learnt.get(source)
    if known is None:
        tree = ast.parse(without_magics(source))
        for name in imported(tree):
            with contextlib.suppress(Exception):  # the test itself will tell
                importlib.import_module(name)
        hidden = hidden_lines(source, BEGIN_HIDDEN, END_HIDDEN)
        reads_words = any(map(_reads_words, ast.walk(tree)))
        last = tree.body.pop() if _shows_a_value(tree, source) else None
        value = _compiled(ast.Expression(last.value), "eval") if isinstance(last, ast.Expr) else None
        known = _learnt[source] = _Test(_compiled(tree, "exec"), value, hidden, reads_words)
    return known


def _compiled(tree: ast.Module | ast.Expression, mode: str) -> CodeType:
    """A cell's code, in which `await` may stand by itself, as in a notebook."""
    return compile(tree, _FILE, mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def _executed(code: CodeType | None, space: dict[str, Any]) -> Any:
    """The value of a cell's code, run to its end; None where there is none."""
    value: Any = eval(code, space) if code else None
    return asyncio.run(value) if code and code.co_flags & inspect.CO_COROUTINE else value


def _reads_words(node: ast.AST) -> bool:
    """Whether a part of a test looks at the words of an error, and not just at its kind."""
    if isinstance(node, ast.ExceptHandler) and node.name:
        return any(isinstance(part, ast.Name) and part.id == node.name for s in node.body for part in ast.walk(s))
    if isinstance(node, ast.Call):
        return any(keyword.arg == "match" for keyword in node.keywords) or "Regex" in ast.unparse(node.func)
    return False


def _shows_a_value(tree: ast.Module, source: str) -> bool:
    """Whether a notebook would show the value of a cell's last line."""
    return bool(tree.body) and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";")


def marking_tools(sources: Sequence[str]) -> tuple[dict[str, Any], str]:
    """What the notebook's marking tools bind, for all tests to find, and what is wrong with them, or ""."""
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for source in sources:
            exec(learn(source).code, names)
    except Exception as error:
        return names, tools_fault(error, names)
    return names, ""


def tools_fault(error: Exception, tools: Mapping[str, Any]) -> str:
    """What is wrong with the marking tools where an error is theirs, with its line; "" where it is not.

    It is theirs where they raised it, or called what raised it, and where they lack what a test asks of them.
    """
    if isinstance(error, marking.ToolsFault):
        return str(error)
    told = f"{type(error).__name__}: {error}"
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if _is_cell(frame)]
    if frames and frames[-1][0].f_globals is tools:
        frame, line = frames[-1]
        return f"the marking tools fail in line {line}, in {frame.f_code.co_name}: {told}"
    if isinstance(error, SyntaxError):
        return f"the marking tools can't be read, line {error.lineno}: {told}"
    if isinstance(error, AttributeError) and any(error.obj is value for value in tools.values()):
        return f"the marking tools lack what the test asks of them: {told}"
    return ""


def _unreadable(error: Exception) -> str:
    """What is wrong with a test cell that is no Python for a process of its own, or ""."""
    if not isinstance(error, SyntaxError) or error.filename != _FILE:
        return ""
    return f"the test can't be read, line {error.lineno}: {error.msg}"


def _is_cell(frame: FrameType) -> bool:
    """Whether a frame is of a test cell or of the marking tools."""
    return frame.f_code.co_filename == _FILE


class Tests:
    """The tests of one submission. `tools` is what the marking tools bind, `space` what all tests run in.

    `fault` is what was wrong with the tools when they were run.
    """

    def __init__(self, cells: Cells, tools: Mapping[str, Any], space: dict[str, Any], fault: str = "") -> None:
        self.cells, self.tools, self.space, self.fault = cells, tools, space, fault
        self.student, self.budget = cells.student, cells.budget
        self.surroundings = Surroundings(cells.student, space, cells.steps, cells.student.files)
        self.complex_numbers = complex_numbers(step["source"] for step in cells.steps if step["kind"] == "run")

    def mark(self, number: int, step: dict[str, Any]) -> dict[str, Any]:
        """Run a test cell: see `Verdict.mark`. If it is a replay, "calls" and "values" are told too."""
        began, calls, replay = time.monotonic(), Calls(), step.get("replay")
        self.student.calls.observer = calls.begin if replay else None
        verdict = self._ran_there(number, step) if self.cells.one_process else self._run(number, step)
        if self.student.hung:
            self.budget.slow.add(step["question"])
        if verdict.message is not None and not verdict.eye:
            verdict = verdict._replace(eye=DOUBT if self.student.doubtful else self.cells.doubt)
        seconds, lent = round(time.monotonic() - began, 6), bool(self.student.loans.stand_for)
        mark, tellable = verdict.mark(step["grade_id"], seconds, lent), self.student.heard.tellable
        mark |= {"message": printable(tellable(mark["message"][:6000])), "eye": tellable(mark["eye"])}
        return mark | ({"calls": calls.made, "values": self._values(number)} if replay else {})

    def _values(self, number: int) -> dict[str, str]:
        """What a test takes from the student that is no function."""
        found = self.cells.found.get(number, {})
        return {name: shown(value) for name, value in found.items() if not issubclass(type(value), ByNumber)}

    def _run(self, number: int, step: dict[str, Any]) -> Verdict:
        """Run a test here, in the examiner's process."""
        budget, limits = self.budget, self.budget.limits
        marking.begin(step["own"])
        call_seconds = budget.patience(limits.call_seconds, step["question"])
        self.student.begin_test(call_seconds, budget.seconds(limits.test_seconds))
        if not self.cells.ready() or number not in self.cells.found:
            return NOT_TRIED
        hidden: set[int] = set()
        try:
            test = learn(step["source"])
            hidden = test.hidden
            with own_work(budget.own_seconds(step)):
                self.student.enter(number)
                share_figures(self.student, step["source"], *step["prelude"])
                self._bind(number, step)
                self.surroundings.begin(step, self.cells.found[number], test.reads_words)
                _executed(test.code, self.space)
                value = _executed(test.last, self.space)
            self.student.end_test()
        except TooLong:
            self.student.stop()  # it may have been in the middle of a message
            budget.slow.add(step["question"])
            return HELD_UP
        except WrongAnswer as wrong:
            return Verdict(str(wrong) or "The answer is wrong.", wrong.mistake, line=_line(wrong))
        except StudentFailed as failure:
            return Verdict(f"Your code could not be tested: {failure}.", "ended or hung")
        except Exception as error:
            return self._failed(error, hidden)
        except BaseException as error:
            kind = type(error).__name__
            return Verdict(f"The test stopped ({kind}).", eye=f"{step['grade_id']}: {kind}")
        eye = marking.for_a_person(self.student.loans.asked, self.complex_numbers) or self.student.objects.doubt
        if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
            return partial(float(value), step["points"], eye)
        return Verdict(None, eye=eye, score=step["points"])

    def _bind(self, number: int, step: dict[str, Any]) -> None:
        """Bind what a test uses: the student's names as found at its place, and the examiner's own."""
        for name in step["names"]:
            self.space.pop(name, None)
        self.space |= {**self.cells.found[number], **self.tools}
        for statement in step["prelude"]:
            with contextlib.suppress(Exception):  # the test itself will tell
                exec(learn(statement).code, self.space)
        for source in step["needs"]:  # of a test that did not run here, or not to its end
            if any(name not in self.space for name in step["owns"]):
                with contextlib.suppress(Exception):
                    made = {**self.space}
                    exec(learn(definitions_alone(source)).code, made)
                    self.space.update(
                        {name: made[name] for name in step["owns"] if name in made and name not in self.space}
                    )

    def _failed(self, error: Exception, hidden: set[int]) -> Verdict:
        """A test's error: a person looks at it if it is perhaps for what can't be brought over from the student."""
        line, objects = _line(error), self.student.objects
        theirs = getattr(error, "student_traceback", None) is not None
        ours = not theirs and not isinstance(error, AssertionError | WireError)
        fault = (self.fault or _unreadable(error) or tools_fault(error, self.tools)) if ours else ""
        if fault:
            return Verdict("A person looks at this test: it could not be run.", eye=fault, score=None, line=line)
        verdict = failed(error, line, secret=line in hidden)
        if isinstance(error, AssertionError):
            waits = bool(objects.doubt)
        else:
            waits = objects.met and not theirs and not isinstance(error, NameError)
        if not waits and not isinstance(error, WireError):
            return verdict
        message = "A person looks at this test: it could not work with what your code gave."
        why = objects.doubt or verdict.eye or type(error).__name__
        return verdict._replace(message=message, eye=why, score=None)

    def _ran_there(self, number: int, step: dict[str, Any]) -> Verdict:
        """The verdict of a test that ran in the student's process, as stock nbgrader takes it."""
        if str(number) not in self.cells.there:
            return NOT_TRIED_THERE
        results, error = self.cells.there[str(number)]
        if error:
            secret = bool(hidden_lines(step["source"], BEGIN_HIDDEN, END_HIDDEN))
            return Verdict("A test of this answer failed." if secret else error)
        with contextlib.suppress(ValueError, IndexError):
            return partial(float(results[-1][1]), step["points"])
        return Verdict(None, score=step["points"])


def _line(error: BaseException) -> int:
    """The line of the test cell where an error passed."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if _is_cell(trace.tb_frame):
            line = line or trace.tb_lineno
        trace = trace.tb_next
    return line
