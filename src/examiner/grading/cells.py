"""The cells of a submission, run in a student's process, and what is noted there at the place of each test.

A process may end. A fresh one then does again all that had been done, but for the cell that broke the one before it.
"""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Container
from typing import Any

from examiner.grading.assignment import BEGIN_HIDDEN, END_HIDDEN, Limits, without_region
from examiner.grading.budget import Budget, TooLong, own_work
from examiner.grading.source import LONGEST_ANSWER
from examiner.isolation.connection import StudentFailed
from examiner.isolation.messages import printable
from examiner.isolation.shell import definitions_alone
from examiner.isolation.student_process import DOUBT, StudentProcess
from examiner.isolation.values import ByNumber

_CARRIED = ("instead", "there", "notes", "doubt")  # to another examiner that goes on


class Cells:
    """The cells of one submission, and the student's process in which they have run.

    `own` are the names that come from the marking tools, and not from the student.
    """

    def __init__(self, job: dict[str, Any], limits: Limits, start: Any, own: Container[str]) -> None:
        self.steps, self.limits, self.own = job["steps"], limits, own
        told = [without_region(step["source"], BEGIN_HIDDEN, END_HIDDEN) for step in self.steps]
        words = {word for source in told for word in re.findall(r"\w+", source)}
        files = {path: base64.b64decode(content) for path, content in job["files"].items()}
        self.student = StudentProcess(start, self._line_text, words, job["classes"], files, job["numbers_only"])
        self.budget = Budget(limits, self.student.spent)
        self.one_process = job["one_process"]
        self.ran: dict[int, str | list[str]] = {}  # what a fresh process does again: run a cell, note names
        self.instead: dict[str, str] = {}  # by number, what it gets of a cell that must not run again
        self.there: dict[str, Any] = {}  # by number, what a test printed and raised that ran in the student's process
        self.found: dict[int, dict[str, Any]] = {}  # what the names were bound to at each test's place
        self.notes: list[str] = []
        self.doubt = ""  # why a person should look at what fails from here on

    def state(self) -> dict[str, Any]:
        """What another examiner must know to go on from here."""
        return self.budget.state() | {name: getattr(self, name) for name in _CARRIED}

    def take_over(self, first: int, state: dict[str, Any]) -> None:
        """Go on before the step `first`, where another examiner has ended and left this state."""
        self.budget.take_over(state)
        for name in _CARRIED:
            setattr(self, name, state[name])
        for number, step in enumerate(self.steps[:first]):
            if step["kind"] != "skip" and (source := self.instead.get(str(number), step["source"])):
                self.ran[number] = self._names(step) if self._is_place(step) else source

    def ready(self) -> bool:
        """Have a student's process in which all has run that came before; False if there is none to be had."""
        if self.student.alive and not self.student.in_bounds():
            self.student.stop()  # by what a test called: the next is not to pay for it
        while not self.student.alive:
            if not self.budget.may_start():
                return False
            self.student.start()
            for number, done in list(self.ran.items()):
                if self.budget.left() <= 0:
                    self.student.stop()
                    return False
                try:
                    if isinstance(done, str):
                        seconds = self.budget.seconds(self.limits.cell_seconds, least=1)
                        self.student.run(number, done, seconds, 0, self.steps[number].get("asked", ()))
                    else:
                        self._note(number, done)
                except StudentFailed:
                    self._not_again(number)
                    break
        return True

    def run(self, number: int, step: dict[str, Any]) -> dict[str, Any]:
        """Run a cell of the student's, or a locked one, or note what a test's names are: {"outputs", "error"}."""
        place = self._is_place(step)
        if step["kind"] == "skip" or (self.budget.left() <= 0 and not place) or not self.ready():
            return {"outputs": [], "error": ""}
        self.ran[number] = self._names(step) if place else step["source"]
        seconds = self.budget.seconds(self.limits.cell_seconds)
        try:
            with own_work(seconds):
                if place:
                    self._note(number, self._names(step))
                    return {"outputs": [], "error": ""}
                room, asked = min(self.limits.output, self.budget.room), step.get("asked", ())
                outputs, error = self.student.run(number, step["source"], seconds, room, asked)
            self.budget.room = max(self.budget.room - sum(len(text) + 1 for _, text in outputs), 0)
            told = "" if error is None else self._told(error, step["source"])
            if step["kind"] == "test":
                self.there[str(number)] = [list(pair) for pair in outputs if pair[0] == "result"], told
                return {"outputs": [], "error": ""}
            if error is not None and error[0] == "TimeoutError" and "time was up" in error[1]:
                self._blame(number, f"{step['name']} ran for {seconds:.0f} s and was stopped")
        except (StudentFailed, TooLong) as failure:
            self.student.stop()
            why = "what came back from it takes too long to look at" if isinstance(failure, TooLong) else failure
            self._blame(number, f"{step['name']}: {why}; the process was started again without what broke it")
            return {"outputs": [], "error": f"Running this cell, {why}."}
        return {"outputs": [list(pair) for pair in outputs], "error": told}

    # What is noted at a test's place

    def _is_place(self, step: dict[str, Any]) -> bool:
        """Whether a step of the notebook is a test's, which runs apart and later."""
        return bool(step["kind"] == "test") and not self.one_process

    def _names(self, step: dict[str, Any]) -> list[str]:
        """What a test takes from the student."""
        return [name for name in step["names"] if name not in self.own]

    def _note(self, number: int, names: list[str]) -> None:
        """Note a place's names. Values stay as before any test had lent anything, functions are the last process's."""
        if gives := self.steps[number]["gives"]:
            self.student.run(number, gives, self.limits.cell_seconds, 0)
        found = self.student.note(number, names)
        first = self.found.setdefault(number, found)
        first.update({name: value for name, value in found.items() if issubclass(type(first.get(name)), ByNumber)})

    # A cell that had to be stopped, or ended the process

    def _blame(self, number: int, why: str) -> None:
        """A cell was stopped, perhaps through no fault of its own: then a person looks at what fails after it."""
        self._not_again(number)
        self.notes.append(why)
        if self.student.doubtful:
            self.doubt = self.doubt or f"{self.steps[number]['name']} was stopped before this: {DOUBT}"

    def _not_again(self, number: int) -> None:
        """A cell that ended the process: the next one gets its definitions, or nothing of it."""
        whole = self.steps[number]["source"] if self.steps[number]["kind"] == "run" else ""
        smaller = definitions_alone(whole)
        if smaller.strip() and smaller != self.ran.get(number):
            self.ran[number] = self.instead[str(number)] = smaller
        else:
            self.ran.pop(number, None)
            self.instead[str(number)] = ""

    # What the student is told of a cell's error

    def _told(self, error: Any, source: str) -> str:
        kind, message, lines, _ = error
        told = [self._line_text(cell, line) for cell, line in lines[-3:]]
        shown = message[:2000]
        if kind in ("SyntaxError", "IndentationError", "TabError"):
            shown = _syntax_error(source) or shown
        return printable("\n".join([*filter(None, told), f"{kind}: {shown}" if shown else kind]))

    def _line_text(self, number: int, line: int) -> str:
        """A line of the student's: "line 3: `w -= eta * g`"."""
        if not 0 <= number < len(self.steps) or self.steps[number]["kind"] != "run":
            return ""
        lines = self.steps[number]["source"].split("\n")
        return f"    line {line}: {lines[line - 1].strip()[:200]}" if 0 < line <= len(lines) else ""


def _syntax_error(source: str) -> str:
    """What Python says of a cell that is no Python, by our own reading of it."""
    try:
        ast.parse(source[:LONGEST_ANSWER])
    except SyntaxError as error:
        return error.msg
    except (ValueError, RecursionError, MemoryError):
        pass
    return ""
