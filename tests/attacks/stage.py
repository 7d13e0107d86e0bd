"""The stage for the attacks: a course with a wrong answer, a right answer, a gradebook, another student, and witnesses.

`python tests/attacks/stage.py [NAME [SANDBOX]]` plays every attack and prints the table (`make attacks`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from attacks.attacks import FRAUDS, GROUPS, Attack, Fraud
from examiner.course.gradebook import Marked
from examiner.course.notebook import marked_notebook, notebook_text
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.grade import forkserver, grade
from examiner.grading.result import Result
from examiner.pages.feedback import feedback_html
from examiner.pages.summary import Summary
from examiner.pages.tables import marks_csv
from examiner.pages.terminal import table

SECRET_NAME, SECRET_NUMBER = "SECRET_OF_THE_TEST", "271.828"
SECRET_LETTERS = "".join("abcdefghijklmnop"[b >> 4] + "abcdefghijklmnop"[b & 15] for b in struct.pack("<d", 271.828))
SECRET_SPELT = re.compile(r"2\D{0,2}7\D{0,2}1\D{0,2}8\D{0,2}2\D{0,2}8")  # in pieces
LIMITS = Limits(cell_seconds=2, call_seconds=1, test_seconds=3, total_seconds=40, memory=1 << 31)
KEY = b"the course's secret"


def _cell(grade_id: str, source: str, kind: str = "code", points: int = 0, **flags: bool) -> dict[str, Any]:
    about = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3, **flags}
    about |= {"grade_id": grade_id, **({"points": points} if points else {})}
    cell = {"cell_type": kind, "id": grade_id.replace("_", "-"), "metadata": {"nbgrader": about}, "source": source}
    return {**cell, "outputs": [], "execution_count": None} if kind == "code" else cell


SOURCE = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "cells": [
        {"cell_type": "markdown", "id": "intro", "metadata": {}, "source": "# Mini"},
        _cell("setup", "import numpy as np", locked=True),
        _cell(
            "double", "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION", solution=True
        ),
        _cell(
            "test_double",
            "import numpy as np\nfrom workshop.gradcheck import check, compare\n\n"
            "def visible(double):\n    compare('double(2)', double(2), 4)\n\ncheck(visible, double)",
            points=2,
            grade=True,
            locked=True,
        ),
        _cell(
            "test_double_hidden",
            "import numpy as np\nassert double is not None\n### BEGIN HIDDEN TESTS\n"
            f"{SECRET_NAME} = np.array([{SECRET_NUMBER}, -1.5])\n"
            f"from workshop.gradcheck import check\ncheck(lambda double: double({SECRET_NAME}) is None, double)\n"
            f"np.testing.assert_allclose(double({SECRET_NAME}), 2 * {SECRET_NAME})\n### END HIDDEN TESTS",
            points=3,
            grade=True,
            locked=True,
        ),
        _cell(
            "shift", "def shift(x, by):\n    ### BEGIN SOLUTION\n    return x + by\n    ### END SOLUTION", solution=True
        ),
        _cell("test_shift_right", "assert shift(1, 2) == 3", points=1, grade=True, locked=True),
        _cell(
            "test_shift_left",
            "from workshop.gradcheck import check, compare\n### BEGIN HIDDEN TESTS\n"
            "from examiner.grading.marking import Marker\n"
            "Marker(dict(double=lambda x: 2 * x, shift=None), {}).mark('shift')\n### END HIDDEN TESTS\n"
            "check(lambda shift: compare('shift(1, -2)', shift(1, -2), -1), shift)",
            points=1,
            grade=True,
            locked=True,
        ),
    ],
}
ASSIGNMENT = Assignment.from_notebook(json.dumps(SOURCE).encode(), "mini")


def handed_in(double: str, shift: str = "def shift(x, by):\n    return x + by", first: str = "") -> dict[str, Any]:
    """A submission with these answers, and a cell of the student's own before them."""
    cells = []
    for cell in ASSIGNMENT.cells:
        raw = next(c for c in SOURCE["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id", "") == cell.grade_id)
        answers = {"double": double, "shift": shift}
        if cell.grade_id == "double" and first:
            own = {
                "cell_type": "code",
                "id": "own",
                "metadata": {},
                "source": first,
                "outputs": [],
                "execution_count": None,
            }
            cells.append(own)
        cells.append(
            {
                **raw,
                "metadata": json.loads(json.dumps(raw["metadata"])),
                "source": answers.get(cell.grade_id, cell.release_source),
            }
        )
    return {**SOURCE, "metadata": dict(SOURCE["metadata"]), "cells": cells}


HONEST = json.dumps(handed_in("def double(x):\n    return 2 * x")).encode()
SLOW = """
def double(x):
    import time
    began = time.process_time()
    while time.process_time() - began < 0.15: pass
    return 2 * x
"""


@dataclass
class Stage:
    """A course folder with witnesses of everything that an attack must not touch."""

    home: Path
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.course, self.outside = self.home / "course", self.home / "outside.txt"
        other = self.course / "submitted" / "other" / "mini" / "mini.ipynb"
        for path, content in {
            self.course / "source" / "mini" / "mini.ipynb": json.dumps(SOURCE),
            self.course / "gradebook.db": "a gradebook " + SECRET_NAME,
            self.course / ".workshop" / "secret": KEY.decode(),
            other: json.dumps(handed_in("pass  # THE OTHER STUDENT'S ANSWER")),
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        os.chmod(self.home, 0o755)  # nothing but the sandbox keeps a student out
        self.server = socket.create_server(("127.0.0.1", 0))
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(self.server.getsockname())
        self.local = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.local.bind(str(self.home / "socket"))
        threading.Thread(target=self._listen, daemon=True).start()
        for heard in (self.datagrams, self.local):
            threading.Thread(target=self._hear, args=(heard,), daemon=True).start()
        names = {"{port}": str(self.server.getsockname()[1]), "{outside}": str(self.outside)}
        names["{socket}"] = str(self.home / "socket")
        self.names = {**names, "{course}": str(self.course), "{other}": str(other)}

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                self.server.accept()[0].close()
                self.calls.append("connection")

    def _hear(self, heard: socket.socket) -> None:
        with suppress(OSError):
            while True:
                heard.recv(100)
                self.calls.append("datagram")

    def submission(self, attack: Attack) -> bytes:
        """The bytes that the attack hands in."""
        answer, first = attack.answer, attack.first
        for name, value in self.names.items():
            answer, first = answer.replace(name, value), first.replace(name, value)
        notebook = handed_in(answer, first=first)
        made = attack.notebook(notebook) if attack.notebook else notebook
        return made if isinstance(made, bytes) else json.dumps(made).encode()

    def prints(self, part: str = "") -> str:
        """A hash of everything in the course's folder and the places an attack aims at, or in a part of them."""
        digest = hashlib.sha256()
        for path in sorted((self.home / part).rglob("*")):
            about = path.lstat()
            digest.update(f"{path} {about.st_mode} {about.st_mtime_ns}".encode())
            digest.update(path.read_bytes() if path.is_file() else b"")
        return digest.hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What came of an attack."""

    attack: Attack
    result: Result
    faults: tuple[str, ...]
    seconds: float

    @property
    def told(self) -> str:
        """What the grader says happened, in a line."""
        words = [*self.result.notes, *(mark.message for mark in self.result.marks if mark.message)]
        return " ".join((words or ["no word"])[0].split())


def play(attack: Attack, stage: Stage, sandbox: str = "auto") -> Outcome:
    """Grade one attack, then an honest submission, and look for everything that must not have happened."""
    submission, before = stage.submission(attack), stage.prints()
    scratches = _scratches(sandbox)
    stage.calls.clear()
    faults = []
    neighbour = Neighbour(sandbox) if attack.beside else None
    began = time.monotonic()
    try:
        result = grade(submission, ASSIGNMENT, KEY, LIMITS, sandbox)
    except Exception as error:
        result = Result("mini", (), (), (), "", 0, "", 0.0)
        faults.append(f"stopped the grader ({type(error).__name__})")
    seconds = time.monotonic() - began
    if neighbour and neighbour.score() != 7:
        faults.append("harmed the submission beside it")
    marks = {mark.grade_id: mark.score for mark in result.marks}
    if marks.get("test_double") or marks.get("test_double_hidden"):
        faults.append("earned marks")
    if set(marks) != {cell.grade_id for cell in ASSIGNMENT.graded}:
        faults.append("a mark is missing")
    if attack.spares and (marks.get("test_shift_right"), marks.get("test_shift_left")) != (1, 1):
        faults.append("cost other answers their marks")
    given = result.to_json() + "".join(cell.error for cell in result.cells)
    own = stage.submission(attack).decode("utf-8", "replace")
    for secret in (SECRET_NAME, SECRET_NUMBER, SECRET_LETTERS, "OTHER STUDENT'S", KEY.decode()):
        if secret in given and secret not in own:
            faults.append(f"learnt {secret}")
    if SECRET_SPELT.search(given) and not SECRET_SPELT.search(own):
        faults.append("learnt the digits of a hidden input")
    if stage.prints() != before:
        faults.append("changed files")
    if stage.calls:
        faults.append(f"reached the network ({stage.calls[0]})")
    if leftovers(sandbox):
        faults.append("left processes behind")
    if _scratches(sandbox) - scratches:
        faults.append("left files behind")
    if any("examiner" in why for why in result.needs_eye):
        faults.append("ended the examiner")
    began = time.monotonic()
    if grade(HONEST, ASSIGNMENT, KEY, LIMITS, sandbox).score != 7:
        faults.append("harmed the next submission")
        with suppress(Exception):
            forkserver(sandbox).close()
    # An honest submission takes half a second at most; where it takes longer the machine is busy, and all takes longer.
    if seconds > attack.within * max(1.0, 2 * (time.monotonic() - began)):
        faults.append("took too long")
    if not any(mark.message for mark in result.marks):
        faults.append("said nothing")
    return Outcome(attack, result, (*faults, *harm_to_pages(result)), seconds)


def _scratches(sandbox: str) -> set[Path]:
    """The scratch folders that are there."""
    return set(Path(forkserver(sandbox)._home).glob("student-*"))


class Neighbour:
    """An honest submission that takes some computing, graded while an attack is."""

    def __init__(self, sandbox: str) -> None:
        self._scores: list[float] = []
        self._thread = threading.Thread(target=self._grade, args=(sandbox,))
        self._thread.start()

    def _grade(self, sandbox: str) -> None:
        time.sleep(0.3)
        self._scores.append(grade(json.dumps(handed_in(SLOW)).encode(), ASSIGNMENT, KEY, LIMITS, sandbox).score)

    def score(self) -> float:
        """Its marks, once it is done."""
        self._thread.join()
        return sum(self._scores)


UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ACTIVE = re.compile(r"<(script|img|iframe|object|link)|<style>\*|<[^>]*(javascript:|\son\w+=)", re.IGNORECASE)


def harm_to_pages(result: Result) -> list[str]:
    """What a result does to the pages, tables and files that are made of it."""
    scores = {mark.grade_id: mark.score or 0.0 for mark in result.marks}
    summary, began = Summary({"mini": ASSIGNMENT}), time.process_time()
    try:
        nb = marked_notebook(ASSIGNMENT, result, "key", "student")
        page = feedback_html(nb, student="student", assignment="mini")
        summary.add(ASSIGNMENT, "student", result, Marked("student", scores=scores))
        summary.mistakes(), summary.alike()
        terminal, sheet = table(ASSIGNMENT, summary.rows()), marks_csv(summary.rows())
        (notebook_text(nb) + page + terminal + sheet).encode()
    except Exception as error:
        return [f"stopped the report ({type(error).__name__})"]
    body = re.sub(r"<style>.*?</style>", "", page, count=1, flags=re.DOTALL)
    harm = {
        "held the report up": time.process_time() - began > 3,
        "reached the terminal": UNSEEN.search(terminal),
        "put markup in": ACTIVE.search(body),
    }
    return [what for what, done in harm.items() if done]


def _answered(name: str, answers: dict[str, str]) -> tuple[Assignment, Any]:
    """One of the workshop's notebooks with these answers, and all others left as they were given out."""
    path = Path(__file__).parents[2] / "source" / name / f"{name}.ipynb"
    assignment, notebook = Assignment.from_notebook(path.read_bytes(), name), json.loads(path.read_text())
    for cell, raw in zip(assignment.cells, notebook["cells"], strict=True):
        raw["source"] = answers.get(cell.grade_id, cell.release_source)
    return assignment, notebook


def graded(name: str, answers: dict[str, str], limits: Limits | None = None) -> Result:
    """What these answers to one of the workshop's notebooks get, with all others left as they were given out."""
    assignment, notebook = _answered(name, answers)
    return grade(json.dumps(notebook).encode(), assignment, KEY, limits)


def fraudulent(fraud: Fraud) -> bytes:
    """The bytes that a fraud hands in."""
    assignment, notebook = _answered(fraud.assignment, fraud.answers)
    moved = [c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == fraud.last]
    own = [{"cell_type": "code", "metadata": {}, "source": source} for source in fraud.cells(assignment)]
    if own:  # they are looked at where cells have lost their ids
        notebook["cells"] = [{**c, "metadata": {}} for c in notebook["cells"][:8]]
    notebook["cells"] = [*[c for c in notebook["cells"] if c not in moved], *moved, *own]
    return json.dumps(notebook).encode()


def play_fraud(fraud: Fraud) -> tuple[list[str], float]:
    """Grade a wrong answer to one of the workshop's notebooks: the tests that it passes and must not, the seconds."""
    began = time.monotonic()
    limits = Limits(call_seconds=3, test_seconds=9)  # what holds up does so for as long as it may
    result = grade(fraudulent(fraud), _answered(fraud.assignment, {})[0], KEY, limits)
    seconds = time.monotonic() - began
    passed = [m.grade_id for m in result.marks if m.score and m.grade_id.startswith(fraud.fails)]
    lost = [m.grade_id for m in result.marks if fraud.keeps and m.grade_id.startswith(fraud.keeps) and not m.score]
    faults = passed + [f"cost {name} its mark" for name in lost]
    return faults + ["took too long"] * (seconds > fraud.within), seconds


def leftovers(sandbox: str = "auto") -> list[int]:
    """The processes under the forkserver, but for the one that forks examiners, once they have had a moment to end."""
    family: list[int] = []
    students, examiners = forkserver(sandbox).pids
    for _ in range(60):
        family = [pid for pid in _descendants(students) if pid != examiners]
        if not family:
            break
        time.sleep(0.05)
    return family


def _descendants(pid: int) -> list[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            after = path.read_text().rpartition(")")[2].split()
            if after[0] != "Z":
                parents[int(path.parent.name)] = int(after[1])
    family, new = [], {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        family += sorted(new)
    return family


def main(only: str = "", sandbox: str = "auto") -> int:
    """Play every attack whose name has `only` in it, and print the table."""
    successes = played = 0
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        stage = Stage(Path(folder))
        for group, attacks in GROUPS.items():
            print(f"\n{group}")
            for attack in attacks:
                if only not in attack.name:
                    continue
                outcome = play(attack, stage, sandbox)
                played += 1
                successes += bool(outcome.faults)
                verdict = "; ".join(outcome.faults).upper() or "repelled"
                print(f"  {attack.name:<52} {verdict:<10} {outcome.seconds:5.1f} s  {outcome.told[:110]}", flush=True)
        print("\nthe workshop's own notebooks")
        for fraud in FRAUDS:
            if only in fraud.name:
                faults, seconds = play_fraud(fraud)
                played += 1
                successes += bool(faults)
                verdict = f"PASSED {', '.join(faults)}" if faults else "no mark"
                print(f"  {fraud.name:<52} {verdict:<10} {seconds:5.1f} s", flush=True)
        names = Counter(attack.name for attacks in [*GROUPS.values(), FRAUDS] for attack in attacks)
        assert max(names.values()) == 1, "two attacks of one name"
        print(f"\n{played} attacks, {successes} successes. Student code ran in {forkserver(sandbox).level}.")
    return 1 if successes else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
