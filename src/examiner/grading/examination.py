"""The examiner's process: the tests, run against the student's process."""

from __future__ import annotations

import ast
import base64
import contextlib
import importlib
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from examiner.grading import marking
from examiner.grading.assignment import BEGIN_HIDDEN, END_HIDDEN, Limits, without_region
from examiner.grading.replay import Calls, shown
from examiner.grading.sharing import without_magics
from examiner.grading.source import LONGEST_ANSWER, hidden_lines, numbers_in
from examiner.grading.surroundings import Surroundings
from examiner.isolation.connection import NotStarted, StudentFailed
from examiner.isolation.messages import printable, without_numbers
from examiner.isolation.sandbox import limit_memory
from examiner.isolation.shell import definitions_alone
from examiner.isolation.student_process import DOUBT, StudentProcess
from examiner.isolation.values import ByNumber, WireError
from workshop._errors import in_words
from workshop.gradcheck import WrongAnswer


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
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):  # what is imported from a package may be a module too
                names = [node.module or "", *(f"{node.module}.{name}" for name in names)]
            for name in names:
                with contextlib.suppress(Exception):  # the test itself will tell
                    importlib.import_module(name)
        hidden = hidden_lines(source, BEGIN_HIDDEN, END_HIDDEN)
        reads_words = any(map(_reads_words, ast.walk(tree)))
        last = tree.body.pop() if _shows_a_value(tree, source) else None
        shown = compile(ast.Expression(last.value), _TEST, "eval") if isinstance(last, ast.Expr) else None
        known = _learnt[source] = _Test(compile(tree, _TEST, "exec"), shown, hidden, reads_words)
    return known


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


def examine(line: socket.socket) -> None:
    """Run one submission's restored notebook: student cells over there, test cells here. Marks go out as decided."""
    first, handed, _, _ = socket.recv_fds(line, 1 << 16, 2)
    job = json.loads(_read_line(line, first))
    waiting = [tuple(socket.socket(fileno=descriptor) for descriptor in handed)]
    limits, first_step = Limits(**job["limits"]), job.get("from", 0)
    signal.setitimer(signal.ITIMER_REAL, limits.given_up - 5)  # this process ends before it is given up
    signal.signal(signal.SIGPROF, _test_too_long)
    limit_memory(limits.memory)  # and takes no more than a student's may

    def start() -> tuple[socket.socket, ...]:
        if waiting:
            return waiting.pop()
        line.sendall(b'{"need":"student"}\n')
        _, handed, _, _ = socket.recv_fds(line, 1, 2)
        return tuple(socket.socket(fileno=descriptor) for descriptor in handed)

    def tell(**message: Any) -> None:
        line.sendall(json.dumps(message).encode() + b"\n")

    tell(pid=os.getpid())
    steps, examination = job["steps"], _Examination(job, limits, start)
    examination.go_on(first_step, job.get("state", {}))
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    examination.surroundings.install()
    marking.SEED = job["seed"]
    try:
        for at, number in list(enumerate(in_source_order(steps)))[first_step:]:
            step, testing = steps[number], at >= len(steps)
            if at == len(steps):
                examination.tests_begin()
            if step["kind"] != "skip":
                tell(at=at, within=examination.own_work(step) + OVERTIME, state=examination.state())
            if testing:
                tell(mark=examination.test(number, step))
            elif any((ran := examination.run(number, step)).values()):
                tell(cell=number, **ran)
        tell(done=examination.notes)
    except NotStarted as failure:
        tell(failed=str(failure))
    finally:
        examination.surroundings.remove()


def in_source_order(steps: list[dict[str, Any]]) -> list[int]:
    """The numbers of the steps in the order in which they are come to.

    First all of the notebook: the student's cells are run, before any test has lent anything, and each test's names are
    noted at its place. Then the tests, in the source's order: what a question's tests lend, others asked for before.
    """
    tests = [(step["order"], number) for number, step in enumerate(steps) if step["kind"] == "test"]
    return [*range(len(steps)), *(number for _, number in sorted(tests))]


_CARRIED = ("instead", "there", "until", "room", "notes", "starts", "doubt")
TOO_LONG = "What your code gave takes too long to look at."
HELD_UP = "what the answer gave held the test up until it was ended"
BROKEN = "The test could not be brought to its end with what your code gave."
BROKE = "the test ended twice before it came to a verdict"
NOT_TRIED = "it was not tried: the time for the notebook was up, or its process had ended too often"
_COMPLEX = re.compile(r"\d\.?(e[-+]?\d+)?j\b|\.imag\b|\bcomplex(\d+|\()|[=(,] *complex\b")


class _Examination:
    """The state of one examination: the student's process, what has run in it, and the time that is left."""

    def __init__(self, job: dict[str, Any], limits: Limits, start: Any) -> None:
        steps, tools = job["steps"], job["tools"]
        self.steps, self.limits = steps, limits
        sys.modules["__main__"] = space = ModuleType("__main__")
        self.space = vars(space)  # what the tests share
        self.tools: dict[str, Any] = {"__name__": "__main__"}  # what the notebook's hidden tests share
        for source in tools:
            exec(learn(source).code, self.tools)
        told = [without_region(step["source"], BEGIN_HIDDEN, END_HIDDEN) for step in steps]
        self.words = {word for source in told for word in re.findall(r"\w+", source)}
        code = "\n".join(step["source"] for step in steps if step["kind"] == "run")
        answers = [step["source"] for step in steps if "asked" in step]
        marking.NUMBERS = frozenset(number for source in answers for number in numbers_in(source))
        self.complex_numbers = bool(_COMPLEX.search(re.sub(r"#.*", "", code)))
        files = {path: base64.b64decode(content) for path, content in job["files"].items()}
        numbers_only = any("gradcheck" in s for s in (*tools, *(s["source"] for s in steps if s["kind"] == "test")))
        self.student = StudentProcess(start, self.line_text, self.words, job["classes"], files, numbers_only)
        self.surroundings = Surroundings(self.student, self.space, steps, files)
        self.ran: dict[int, str | list[str]] = {}  # what a fresh process does again: run a cell, note names
        self.instead: dict[str, str] = {}  # by number, what it gets of a cell that must not run again
        self.one_process = job["one_process"]
        self.there: dict[str, Any] = {}  # by number, what a test printed and raised that ran in the student's process
        self.found: dict[int, dict[str, Any]] = {}  # what the names were bound to at each test's place
        self.before = 0.0  # seconds that an earlier examiner's students have spent
        self.until = limits.total_seconds
        self.room = 10 * limits.output  # characters of output of all cells together
        self.notes: list[str] = []
        self.slow: set[str] = set()  # questions with an answer that hung, or held a test up
        self.starts = 0
        self.line = 0  # of the test under way, where it failed
        self.doubt = ""  # why a person should look at what fails from here on

    def own_work(self, step: dict[str, Any]) -> float:
        """Seconds that the examiner itself may work on a step: little, where an answer has held it up already."""
        most = self.limits.test_seconds if step["kind"] == "test" else self.limits.cell_seconds
        return most if step.get("question") not in self.slow else min(3.0, most)

    def state(self) -> dict[str, Any]:
        """What another examiner must know to go on from here."""
        return {"before": self.spent(), "slow": [*self.slow], **{name: getattr(self, name) for name in _CARRIED}}

    def go_on(self, first: int, state: dict[str, Any]) -> None:
        """Take over before the step `first` from an examiner that has ended there, and left this state."""
        for name in _CARRIED if state else ():
            setattr(self, name, state[name])
        self.before, self.slow = state.get("before", 0.0), set(state.get("slow", ()))
        for number, step in enumerate(self.steps[:first]):
            if step["kind"] != "skip" and (source := self.instead.get(str(number), step["source"])):
                self.ran[number] = self._names(step) if self._is_place(step) else source

    def _is_place(self, step: dict[str, Any]) -> bool:
        """Whether a step of the notebook is a test's, which runs apart and later."""
        return bool(step["kind"] == "test") and not self.one_process

    def _names(self, step: dict[str, Any]) -> list[str]:
        """What a test takes from the student."""
        return [name for name in step["names"] if name not in self.tools]

    def line_text(self, number: int, line: int) -> str:
        """A line of the student's, for messages: "line 3: `w -= eta * g`"."""
        if not 0 <= number < len(self.steps) or self.steps[number]["kind"] != "run":
            return ""
        lines = self.steps[number]["source"].split("\n")
        return f"    line {line}: {lines[line - 1].strip()[:200]}" if 0 < line <= len(lines) else ""

    def spent(self) -> float:
        """Seconds that the student's processes have worked or slept."""
        return self.before + self.student.spent()

    def tests_begin(self) -> None:
        """The tests have as much time and as many processes as the cells had, whatever these used up."""
        self.until, self.starts = self.spent() + self.limits.total_seconds, 0

    def left(self) -> float:
        """Seconds left for the cells, or for the tests."""
        return self.until - self.spent()

    def ready(self) -> bool:
        """Have a student's process in which all has run that came before; False if there is none to be had."""
        while not self.student.alive:
            self.starts += 1
            if self.starts > 30 or self.left() <= 0:
                return False
            self.student.start()
            for number, done in list(self.ran.items()):
                if self.left() <= 0:
                    self.student.stop()
                    return False
                try:
                    if isinstance(done, str):
                        seconds = min(self.limits.cell_seconds, max(self.left(), 1))
                        self.student.run(number, done, seconds, 0, self.steps[number].get("asked", ()))
                    else:
                        self._take(number, done)
                except StudentFailed:
                    self._guilty(number)
                    break
        return True

    def _guilty(self, number: int) -> None:
        """A cell that ended the process: the next one gets its definitions, or nothing of it."""
        whole = self.steps[number]["source"] if self.steps[number]["kind"] == "run" else ""
        smaller = definitions_alone(whole)
        if smaller.strip() and smaller != self.ran.get(number):
            self.ran[number] = self.instead[str(number)] = smaller
        else:
            self.ran.pop(number, None)
            self.instead[str(number)] = ""

    def _take(self, number: int, names: list[str]) -> None:
        """Note a place's names. Values stay as before any test had lent anything, functions are the last process's."""
        if gives := self.steps[number]["gives"]:
            self.student.run(number, gives, self.limits.cell_seconds, 0)
        found = self.student.note(number, names)
        first = self.found.setdefault(number, found)
        first.update({name: value for name, value in found.items() if issubclass(type(first.get(name)), ByNumber)})

    def run(self, number: int, step: dict[str, Any]) -> dict[str, Any]:
        """Run a cell of the student's, or a locked one, or take what a test's names are: {"outputs", "error"}."""
        place = self._is_place(step)
        if step["kind"] == "skip" or (self.left() <= 0 and not place) or not self.ready():
            return {"outputs": [], "error": ""}
        self.ran[number] = self._names(step) if place else step["source"]
        seconds = min(self.limits.cell_seconds, max(self.left(), 0.1))
        try:
            with _own_work(seconds):
                if place:
                    self._take(number, self._names(step))
                    return {"outputs": [], "error": ""}
                room, asked = min(self.limits.output, self.room), step.get("asked", ())
                outputs, error = self.student.run(number, step["source"], seconds, room, asked)
            self.room = max(self.room - sum(len(text) + 1 for _, text in outputs), 0)
            told = "" if error is None else self._told(error, step["source"])
            if step["kind"] == "test":
                self.there[str(number)] = [list(pair) for pair in outputs if pair[0] == "result"], told
                return {"outputs": [], "error": ""}
            if error is not None and error[0] == "TimeoutError" and "time was up" in error[1]:
                self._guilty(number)
                self.notes.append(f"{step['name']} ran for {seconds:.0f} s and was stopped")
                self._doubt(step["name"])
        except (StudentFailed, _TooLong) as failure:
            self.student.stop()
            self._guilty(number)
            self._doubt(step["name"])
            why = "what came back from it takes too long to look at" if isinstance(failure, _TooLong) else failure
            self.notes.append(f"{step['name']}: {why}; the process was started again without what broke it")
            return {"outputs": [], "error": f"Running this cell, {why}."}
        return {"outputs": [list(pair) for pair in outputs], "error": told}

    def _doubt(self, name: str) -> None:
        """A cell was stopped, perhaps through no fault of its own: a person looks at what fails after it."""
        if self.student.doubtful:
            self.doubt = self.doubt or f"{name} was stopped before this: {DOUBT}"

    def _told(self, error: Any, source: str) -> str:
        kind, message, lines, _ = error
        told = [self.line_text(cell, line) for cell, line in lines[-3:]]
        shown = message[:2000]
        if kind in ("SyntaxError", "IndentationError", "TabError"):
            shown = _syntax_error(source) or shown
        return printable("\n".join([*filter(None, told), f"{kind}: {shown}" if shown else kind]))

    def test(self, number: int, step: dict[str, Any]) -> dict[str, Any]:
        """Run a test cell: {"grade_id", "right", "score", "message", "mistake", "seconds", "eye", "lent"}.

        The score is None where a person must mark it.
        """
        began, calls = time.monotonic(), Calls()
        self.student.calls.observer = calls.begin if step.get("replay") else None
        message, mistake, eye, score = self._tested(number, step)
        if self.student.hung:
            self.slow.add(step["question"])
        if message is not None and not eye:
            eye = DOUBT if self.student.doubtful else self.doubt
        return {
            "grade_id": step["grade_id"],
            "right": message is None,
            "score": score,
            "line": self.line,
            "message": printable(self.student.heard.tellable((message or "")[:6000])),
            "mistake": mistake,
            "seconds": round(time.monotonic() - began, 6),
            "eye": self.student.heard.tellable(eye),
            "lent": bool(self.student.loans.stand_for),
            **({"calls": calls.made, "values": self._values(number)} if step.get("replay") else {}),
        }

    def _values(self, number: int) -> dict[str, str]:
        """What a test takes from the student that is no function."""
        found = self.found.get(number, {})
        return {name: shown(value) for name, value in found.items() if not issubclass(type(value), ByNumber)}

    def _tested(self, number: int, step: dict[str, Any]) -> tuple[str | None, str | None, str, float | None]:
        self.line = 0
        if self.one_process:
            return self._told_there(number, step)
        limit = self.limits.call_seconds if step["question"] not in self.slow else min(3.0, self.limits.call_seconds)
        marking.begin(step["own"])
        self.student.begin_test(limit, min(self.limits.test_seconds, max(self.left(), 0.1)))
        if not self.ready() or number not in self.found:
            why = "The time was up, or the cells ended the process too often, or gave what can't be read."
            return why, "no time", NOT_TRIED, 0.0
        hidden: set[int] = set()
        try:
            test = learn(step["source"])
            hidden = test.hidden
            with _own_work(self.own_work(step)):
                self.student.enter(number)
                self._bind(number, step)
                self.surroundings.begin(step, self.found[number], test.reads_words)
                exec(test.code, self.space)
                value = eval(test.last, self.space) if test.last else None
            self.student.end_test()
        except _TooLong:
            self.student.stop()  # it may have been in the middle of a message
            self.slow.add(step["question"])
            return TOO_LONG, "too slow", HELD_UP, 0.0
        except WrongAnswer as wrong:
            self.line = _test_line(wrong)
            return str(wrong) or "The answer is wrong.", wrong.mistake, "", 0.0
        except StudentFailed as failure:
            return f"Your code could not be tested: {failure}.", "ended or hung", "", 0.0
        except Exception as error:
            self.line = _test_line(error)
            message, mistake, eye = _explained(error, hidden)
            if self._waits(error):
                why = self.student.objects.doubt or f"{eye or type(error).__name__}"
                return "A person looks at this test: it could not work with what your code gave.", mistake, why, None
            return message, mistake, eye, 0.0
        except BaseException as error:
            stopped = f"{step['grade_id']}: {type(error).__name__}"
            return f"The test stopped ({type(error).__name__}).", None, stopped, 0.0
        eye = marking.for_a_person(self.student.loans.asked, self.complex_numbers) or self.student.objects.doubt
        if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
            return _partial(float(value), step["points"], eye)
        return None, None, eye, step["points"]

    def _told_there(self, number: int, step: dict[str, Any]) -> tuple[str | None, str | None, str, float | None]:
        """The mark of a test that ran in the student's process, as stock nbgrader takes it."""
        if str(number) not in self.there:
            return "This test could not be run.", "no time", NOT_TRIED, 0.0
        shown, error = self.there[str(number)]
        if error:
            secret = bool(hidden_lines(step["source"], BEGIN_HIDDEN, END_HIDDEN))
            return "A test of this answer failed." if secret else error, None, "", 0.0
        with contextlib.suppress(ValueError, IndexError):
            return _partial(float(shown[-1][1]), step["points"], "")
        return None, None, "", step["points"]

    def _waits(self, error: Exception) -> bool:
        """Whether a test failed perhaps for what can't be brought over from the student's process."""
        if isinstance(error, WireError) or (isinstance(error, AssertionError) and self.student.objects.doubt):
            return True
        theirs = getattr(error, "student_traceback", None) is not None
        return self.student.objects.met and not theirs and not isinstance(error, AssertionError | NameError)

    def _bind(self, number: int, step: dict[str, Any]) -> None:
        """Bind what a test uses: the student's names as found at its place, and the examiner's own."""
        for name in step["names"]:
            self.space.pop(name, None)
        self.space |= {**self.found[number], **self.tools}
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


def _partial(score: float, points: float, eye: str) -> tuple[str | None, str | None, str, float | None]:
    """The mark that a test's last line gives."""
    if score == points:
        return None, None, eye, points
    if 0 <= score < points:
        return f"The test gave {score:g} of {points:g} marks.", None, eye, score
    why = f"its last line gives {score:g} of {points:g} marks"
    return "A person looks at the mark of this test.", None, why, None


_TEST = "<test>"


class _TooLong(BaseException):
    """A test has worked for too long on what a student's code gave it."""


def _test_too_long(*_: Any) -> None:
    raise _TooLong


@contextlib.contextmanager
def _own_work(seconds: float) -> Iterator[None]:
    """Let this process work for so long; waiting for a student's process is not counted."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        with contextlib.suppress(_TooLong):
            signal.setitimer(signal.ITIMER_PROF, 0)


def _syntax_error(source: str) -> str:
    """What Python says of a cell that is no Python, by our own reading of it."""
    try:
        ast.parse(source[:LONGEST_ANSWER])
    except SyntaxError as error:
        return error.msg
    except (ValueError, RecursionError, MemoryError):
        pass
    return ""


def _explained(error: Exception, hidden: set[int]) -> tuple[str, str | None, str]:
    """What an error in a test cell means for the student; nothing of a hidden line is in it."""
    kind = type(error).__name__
    secret = _test_line(error) in hidden
    text = str(error)
    told = getattr(error, "student_traceback", None)
    if told is not None:  # it comes from the student's code
        if kind == "NotImplementedError":
            return (
                f"This answer is not written yet ({text})." if text else "This answer is not written yet.",
                "not written",
                "",
            )
        if kind == "TimeoutError":
            return f"Your code was stopped: {text}.\n{told}".strip(), "too slow", ""
        words = in_words(kind, text)
        return f"Your code raised {kind}{f': {text}' if text else ''}\n{told}\n{words}".strip(), f"raised {kind}", ""
    if isinstance(error, NameError) and getattr(error, "name", None):
        return f"There is no `{error.name}` in the notebook: is its cell written, and free of errors?", "missing", ""
    if isinstance(error, AssertionError):
        mistake = getattr(error, "mistake", None)
        if text:
            told = without_numbers(text.strip()) if secret else text
            return told or "A test of this answer failed.", mistake, ""
        return "A test of this answer failed.", mistake, ""
    shown = f": {text}" if text and not secret else ""
    return (
        f"The test could not work with what your code gave ({kind}{shown}).",
        f"test {kind}",
        f"{kind} in a test{shown}",
    )


def _test_line(error: BaseException) -> int:
    """The line of the test cell where an error passed."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _TEST:
            line = line or trace.tb_lineno
        trace = trace.tb_next
    return line


def _read_line(line: socket.socket, first: bytes) -> bytes:
    parts = [first]
    while not parts[-1].endswith(b"\n"):
        parts.append(line.recv(1 << 20))
        if not parts[-1]:
            raise EOFError
    return b"".join(parts)


OVERTIME = 5.0  # seconds of its own that an examiner may work on a step beyond those in which it stops by itself
