"""The stage for the attacks: a course with a wrong answer, a right answer, a gradebook, another student, and witnesses.

`python tests/attacks/stage.py` plays every attack and prints the table (`make attacks`).
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
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

from attacks.attacks import GROUPS, Attack
from examiner.grade import Assignment, Limits, Result, grade, nursery

SECRET_NAME, SECRET_NUMBER = "SECRET_OF_THE_TEST", "271.828"
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
        _cell("test_shift_left", "assert shift(1, -2) == -1", points=1, grade=True, locked=True),
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
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._hear, daemon=True).start()
        names = {"{port}": str(self.server.getsockname()[1]), "{outside}": str(self.outside)}
        self.names = {**names, "{course}": str(self.course), "{other}": str(other)}

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                self.server.accept()[0].close()
                self.calls.append("connection")

    def _hear(self) -> None:
        with suppress(OSError):
            while True:
                self.datagrams.recv(100)
                self.calls.append("datagram")

    def submission(self, attack: Attack) -> bytes:
        """The bytes that the attack hands in."""
        answer, first = attack.answer, attack.first
        for name, value in self.names.items():
            answer, first = answer.replace(name, value), first.replace(name, value)
        notebook = handed_in(answer, first=first)
        made = attack.notebook(notebook) if attack.notebook else notebook
        return made if isinstance(made, bytes) else json.dumps(made).encode()

    def prints(self) -> str:
        """A hash of everything in the course's folder and the places an attack aims at."""
        digest = hashlib.sha256()
        for path in sorted(self.home.rglob("*")):
            digest.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
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
    stage.calls.clear()
    began = time.monotonic()
    result = grade(submission, ASSIGNMENT, KEY, LIMITS, sandbox)
    seconds = time.monotonic() - began
    marks = {mark.grade_id: mark.score for mark in result.marks}
    faults = []
    if marks.get("test_double") or marks.get("test_double_hidden"):
        faults.append("earned marks")
    if set(marks) != {cell.grade_id for cell in ASSIGNMENT.graded}:
        faults.append("a mark is missing")
    if attack.spares and (marks.get("test_shift_right"), marks.get("test_shift_left")) != (1, 1):
        faults.append("cost other answers their marks")
    given = result.to_json() + "".join(cell.error for cell in result.cells)
    own = stage.submission(attack).decode("utf-8", "replace")
    for secret in (SECRET_NAME, SECRET_NUMBER, "OTHER STUDENT'S", KEY.decode()):
        if secret in given and secret not in own:
            faults.append(f"learnt {secret}")
    if stage.prints() != before:
        faults.append("changed files")
    if stage.calls:
        faults.append(f"reached the network ({stage.calls[0]})")
    if leftovers(sandbox):
        faults.append("left processes behind")
    if result.seconds > LIMITS.total_seconds + 10:
        faults.append("took too long")
    if grade(HONEST, ASSIGNMENT, KEY, LIMITS, sandbox).score != 7:
        faults.append("harmed the next submission")
    if not any(mark.message for mark in result.marks):
        faults.append("said nothing")
    return Outcome(attack, result, tuple(faults), seconds)


def leftovers(sandbox: str = "auto") -> list[int]:
    """The processes under the nursery, but for the one that forks examiners, once they have had a moment to end."""
    family: list[int] = []
    students, examiners = nursery(sandbox).pids
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


def main(only: str = "") -> int:
    """Play every attack and print the table."""
    successes = played = 0
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        stage = Stage(Path(folder))
        for group, attacks in GROUPS.items():
            print(f"\n{group}")
            for attack in attacks:
                if only not in attack.name:
                    continue
                outcome = play(attack, stage)
                played += 1
                successes += bool(outcome.faults)
                verdict = "; ".join(outcome.faults).upper() or "repelled"
                print(f"  {attack.name:<52} {verdict:<10} {outcome.seconds:5.1f} s  {outcome.told[:110]}", flush=True)
        names = Counter(attack.name for attacks in GROUPS.values() for attack in attacks)
        assert max(names.values()) == 1, "two attacks of one name"
        print(f"\n{played} attacks, {successes} successes. Student code ran in {nursery().rung}.")
    return 1 if successes else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
