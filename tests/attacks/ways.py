"""All attacks at once, as a class with an honest student, by each way of grading and on each isolation level.

`python tests/attacks/ways.py [NAME [LEVEL…]]` prints the table (`make attacks`). What one attack does by itself, and to
the grader's time and processes, `stage` looks at.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from nbgrader.api import Gradebook

from attacks.attacks import FRAUDS, GROUPS
from attacks.stage import (
    HONEST,
    KEY,
    LIMITS,
    SECRET_LETTERS,
    SECRET_NAME,
    SECRET_NUMBER,
    SOURCE,
    Stage,
    fraudulent,
)
from dask_cluster import Cluster
from examiner.isolation.sandbox import LEVELS, best_level, readable_paths

PATH = [path for path in [os.environ.get("PYTHONPATH")] if path]
ROOT = Path(__file__).parents[2]
BRIEF = f"import examiner.grading.grade as grade\ngrade.Limits.__init__.__defaults__ = {astuple(LIMITS)}\n"


class Course:
    """A course in which each attack was handed in by a student of its own; `by[student]` is the attack."""

    def __init__(self, home: Path, stage: Stage, only: str) -> None:
        self.root, self.stage = home, stage
        home.mkdir()
        (home / "nbgrader_config.py").write_text((ROOT / "nbgrader_config.py").read_text())
        (home / "brief").mkdir()
        (home / "brief" / "sitecustomize.py").write_text(BRIEF)  # the limits of the stage
        for name in ("logistic_regression", "mlp_sgd"):
            shutil.copytree(ROOT / "source" / name, home / "source" / name)
        (home / "source" / "mini").mkdir()
        (home / "source" / "mini" / "mini.ipynb").write_text(json.dumps(SOURCE))
        self.attacks = {}
        for attack in (attack for attacks in GROUPS.values() for attack in attacks if only in attack.name):
            self._hand_in(attack, "mini", stage.submission(attack))
        for fraud in (fraud for fraud in FRAUDS if only in fraud.name):
            self._hand_in(fraud, fraud.assignment, fraudulent(fraud))
        self._hand_in(None, "mini", HONEST)

    def _hand_in(self, attack: object, assignment: str, submission: bytes) -> None:
        student = f"s{len(self.attacks):03}" if attack else "honest"
        path = self.root / "submitted" / student / assignment / f"{assignment}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(submission)
        self.attacks[student] = attack

    def command(self, *words: str) -> None:
        """Run a command of the course's folder as a tutor does."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(self.root / "brief"), *PATH])}
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} failed: {(done.stderr or done.stdout)[-2000:]}")

    def scores(self) -> dict[str, dict[str, float]]:
        """By student, what each test gave; only assignments that have been graded."""
        found: dict[str, dict[str, float]] = {student: {} for student in self.attacks}
        with Gradebook(f"sqlite:///{self.root}/gradebook.db") as gradebook:
            for name in ("mini", "logistic_regression", "mlp_sgd"):
                for submission in gradebook.assignment_submissions(name):
                    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
                    found[submission.student.id] |= {grade.name: grade.auto_score or 0.0 for grade in grades}
        return found

    def faults(self) -> Iterator[tuple[str, str]]:
        """What the attacks have come to: the attack's name and the fault."""
        scores = self.scores()
        if sum(scores["honest"].values()) != 7:
            yield "all together", "harmed the honest student"
        for student, attack in self.attacks.items():
            marks, folder = scores[student], self.root / "submitted" / student
            if attack is None:
                continue
            if "mini" in os.listdir(folder):
                earned = [name for name in ("test_double", "test_double_hidden") if marks.get(name)]
                if attack.spares and (marks.get("test_shift_right"), marks.get("test_shift_left")) != (1, 1):
                    yield attack.name, "cost other answers their marks"
            else:
                earned = [name for name, score in marks.items() if score and name.startswith(attack.fails)]
                for name, score in marks.items():
                    if attack.keeps and name.startswith(attack.keeps) and not score:
                        yield attack.name, f"cost {name} its mark"
            if earned or not marks:
                yield attack.name, f"earned {', '.join(earned)}" if marks else "has no marks"
            own = b"".join(path.read_bytes() for path in folder.rglob("*.ipynb"))
            for path in self.root.glob(f"feedback/{student}/*/*.html"):  # what the student gets; the rest is for staff
                given = path.read_bytes()
                for secret in (SECRET_NAME, SECRET_NUMBER, SECRET_LETTERS, "OTHER STUDENT'S", KEY.decode()):
                    if secret.encode() in given and secret.encode() not in own:
                        yield attack.name, f"learnt {secret}"


@contextmanager
def _cluster(root: Path) -> Iterator[Cluster]:
    cluster = Cluster(root)
    try:
        for _ in range(2):
            cluster.worker()
        cluster.wait_for(2)
        yield cluster
    finally:
        cluster.close()


def by_workshop(course: Course, level: str) -> None:
    """`workshop grade`."""
    course.command("examiner", "grade", "--sandbox", level)


def by_nbgrader(course: Course, level: str) -> None:
    """`nbgrader autograde`, of each assignment."""
    for assignment in {path.name for path in course.root.glob("submitted/*/*")}:
        course.command("nbgrader", "generate_assignment", assignment, "--force")
        course.command("nbgrader", "autograde", assignment, f"--Grade.sandbox={level}")
        course.command("nbgrader", "generate_feedback", assignment)


def by_dask(course: Course, level: str) -> None:
    """`workshop grade` on a cluster."""
    with _cluster(course.root / "brief") as cluster:
        course.command("examiner", "grade", "--sandbox", level, "--scheduler", cluster.address)


WAYS: dict[str, Callable[[Course, str], None]] = {
    "workshop grade": by_workshop,
    "nbgrader autograde": by_nbgrader,
    "Dask": by_dask,
}


def main(only: str = "", *levels: str) -> int:
    """Grade the attacks whose name has `only` in it by each way on each level that the machine has."""
    total = 0
    print(f"\n{'way':<20} {'isolation level':<22} attacks  successes")
    for level in levels or [level for level in LEVELS if best_level(readable_paths(), level)[0]]:
        for way, graded in WAYS.items():
            with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
                stage = Stage(Path(folder))
                course = Course(Path(folder, "graded"), stage, only)
                before = stage.prints("course")
                graded(course, level)
                faults = list(course.faults())
                faults += [("all together", "changed files")] * (stage.prints("course") != before)
                faults += [("all together", f"reached the network ({call})") for call in stage.calls[:1]]
            total += len(faults)
            print(f"{way:<20} {level:<22} {len(course.attacks) - 1:7}  {len(faults):9}", flush=True)
            for name, fault in faults:
                print(f"  {name}: {fault.upper()}", flush=True)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
