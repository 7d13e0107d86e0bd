"""The wheel of this repository, installed elsewhere, grades another course."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from mini_course import answered, hand_in, make_course

ROOT = Path(__file__).parents[2]
PLAIN = "c = get_config()\nc.CourseDirectory.course_id = 'other'\n"
BY_NBGRADER = PLAIN + (
    'c.Autograde.exporter_class = "examiner.course.plugin.LenientExporter"\n'
    'c.Autograde.sanitize_preprocessors = ["examiner.course.plugin.Restore"]\n'
    'c.Autograde.autograde_preprocessors = ["examiner.course.plugin.Grade"]\n'
)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; what it depends on is seen where it is installed already."""
    folder = tmp_path_factory.mktemp("elsewhere")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    wheel = next(folder.glob("*.whl"))
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    subprocess.run(install, check=True)
    packages = next((venv / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return venv / "bin"


def course(root: Path, settings: str) -> Path:
    make_course(root)
    (root / "nbgrader_config.py").write_text(settings)
    hand_in(root, "ada", answered())
    hand_in(root, "bob", answered(double="return x"))
    hand_in(root, "eve", answered(double="import examiner.notebooks.logistic; return 2 * x"))  # it is not there to read
    return root


def test_workshop_grades_there(elsewhere: Path, tmp_path: Path) -> None:
    root = course(tmp_path / "course", PLAIN)
    subprocess.run([elsewhere / "workshop", "grade"], cwd=root, check=True, capture_output=True)
    with open(root / "grades.csv", newline="") as file:
        marks = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert marks == {"ada": 4, "bob": 2, "eve": 2}


def test_nbgrader_marks_by_its_plugin_there(elsewhere: Path, tmp_path: Path) -> None:
    root = course(tmp_path / "course", BY_NBGRADER)
    path = os.pathsep.join([str(elsewhere), str(Path(sys.executable).parent), os.environ["PATH"]])  # it calls alembic
    for step in ("generate_assignment", "autograde"):
        command = [elsewhere / "python", "-m", "nbgrader", step, "mini"]
        run = subprocess.run(command, cwd=root, env=os.environ | {"PATH": path}, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
    read = "from nbgrader.api import Gradebook; b = Gradebook('sqlite:///gradebook.db', 'other'); "
    read += "print([(s.student.id, s.score) for s in b.assignment_submissions('mini')])"
    shown = subprocess.run(
        [elsewhere / "python", "-c", read], cwd=root, check=True, capture_output=True, text=True
    ).stdout
    assert "('ada', 4.0)" in shown and "('bob', 2.0)" in shown and "('eve', 2.0)" in shown
