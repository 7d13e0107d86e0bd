"""A small course on disk for tests of the class's paths: one assignment, two coded questions, one written answer."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbformat import v4
from nbgrader.api import Gradebook

from examiner.cli.command import main

CONFIG = Path(__file__).resolve().parent.parent / "nbgrader_config.py"  # the course's own settings
SETTINGS = CONFIG.read_text()
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}

DOUBLE = '''def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION
'''
SHIFT = '''def shift(x, by):
    """x moved by `by`."""
    ### BEGIN SOLUTION
    return x + by
    ### END SOLUTION
'''
TEST_DOUBLE = """import numpy as np
assert double(2) == 4, "double(2) is not 4. Did you forget to double?"
### BEGIN HIDDEN TESTS
SECRET_OF_THE_TEST = np.arange(3.0)
answer = np.asarray(double(SECRET_OF_THE_TEST))
assert answer.shape == (3,) and np.allclose(answer, [0, 2, 4]), "double is wrong for arrays"
### END HIDDEN TESTS
"""
TEST_SHIFT_RIGHT = 'assert shift(1, 2) == 3, "shift goes the wrong way to the right"\n'
TEST_SHIFT_LEFT = 'assert shift(1, -2) == -1, "shift goes the wrong way to the left"\n'
GUIDE = """Why does doubling stretch? Use $x \\mapsto 2x$.

=== BEGIN MARK SCHEME ===
One mark for the *slope* $\\frac{dy}{dx} = 2$, one for saying so in words.
=== END MARK SCHEME ===
"""


def cell(kind: str, grade_id: str, source: str, points: int = 0, **flags: bool) -> Any:
    make = v4.new_code_cell if kind == "code" else v4.new_markdown_cell
    about: dict[str, Any] = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    about |= flags | {"grade_id": grade_id}
    if about["grade"]:
        about["points"] = points
    return make(source.rstrip("\n"), id=grade_id.replace("_", "-"), metadata={"nbgrader": about})


def source_notebook() -> Any:
    """The source notebook of the assignment `mini`."""
    cells = [
        v4.new_markdown_cell("# Mini\n\nThe map is $f(x) = 2x$, and $\\sigma(x) = \\frac{1}{1 + e^{-x}}$.", id="intro"),
        cell("code", "setup", "import numpy as np", locked=True),
        cell("code", "double", DOUBLE, solution=True),
        cell("code", "test_double", TEST_DOUBLE, 2, grade=True, locked=True),
        cell("code", "shift", SHIFT, solution=True),
        cell("code", "test_shift_right", TEST_SHIFT_RIGHT, 1, grade=True, locked=True),
        cell("code", "test_shift_left", TEST_SHIFT_LEFT, 1, grade=True, locked=True),
        cell("markdown", "explain", GUIDE, 2, grade=True, solution=True),
    ]
    about = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    return v4.new_notebook(cells=cells, metadata=about)


def make_course(root: Path, source: Any = None) -> Path:
    """Write the course into `root`: its configuration and source/mini/mini.ipynb."""
    (root / "source" / "mini").mkdir(parents=True, exist_ok=True)
    (root / "nbgrader_config.py").write_text(CONFIG.read_text())
    nbformat.write(source or source_notebook(), root / "source" / "mini" / "mini.ipynb")
    return root


def answered(double: str = "return 2 * x", shift: str = "return x + by", explain: str = "It stretches.") -> Any:
    """A submission: the release with these answers."""
    notebook = source_notebook()
    for one in notebook.cells:
        name = one.metadata.get("nbgrader", {}).get("grade_id")
        if name == "double":
            one.source = f"def double(x):\n    {double}"
        elif name == "shift":
            one.source = f"def shift(x, by):\n    {shift}"
        elif name == "explain":
            one.source = explain
        elif name == "test_double":
            one.source = TEST_DOUBLE.split("### BEGIN")[0].rstrip()
    return notebook


def hand_in(root: Path, student: str, notebook: Any, name: str = "mini.ipynb") -> Path:
    """Put a submission where nbgrader expects it."""
    path = root / "submitted" / student / "mini" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook))
    return path


def grade(root: Path, *options: str) -> None:
    """`workshop grade`, without the report."""
    assert main(["grade", "--course", str(root), "--no-report", *options]) == 0


def rows(path: Path) -> list[dict[str, str]]:
    """A table's rows."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def row(root: Path, student: str, assignment: str = "mini") -> dict[str, str]:
    """A student's row of grades.csv."""
    (found,) = [r for r in rows(root / "grades.csv") if (r["student_id"], r["assignment"]) == (student, assignment)]
    return found


def nbgrader(root: Path, *words: str) -> str:
    """Run one of nbgrader's commands; gives what it says on stderr."""
    command = [sys.executable, "-m", "nbgrader", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env=ENVIRONMENT, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def scores(root: Path) -> dict[str, dict[str, float | None]]:
    """The automatic marks in the gradebook, by student and test."""
    with Gradebook(f"sqlite:///{root}/gradebook.db") as gradebook:
        found: dict[str, dict[str, float | None]] = {}
        for submission in gradebook.assignment_submissions("mini"):
            grades = submission.notebooks[0].grades
            found[submission.student.id] = {grade.name: grade.auto_score for grade in grades}
        return found
