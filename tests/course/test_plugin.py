"""nbgrader's own commands grade with the examiner, and none of nbgrader's traps reaches a student."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from mini_course import SETTINGS, answered, hand_in, make_course, nbgrader, scores


def without_test(nb: Any) -> Any:
    nb.cells = [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") != "test_double"]
    return nb


def doubled_tests(nb: Any) -> Any:
    nb.cells = [copy for c in nb.cells for copy in ((c, c) if c.get("id", "").startswith("test") else (c,))]
    return nb


def dumped(nb: Any) -> str:
    return json.dumps(nb)


STUB = "raise NotImplementedError()"
RIGHT = {"test_double": 2, "test_shift_right": 1, "test_shift_left": 1, "explain": None}
CLASS: dict[str, tuple[Callable[[], Any], dict[str, float | None]]] = {
    "right": (answered, RIGHT),
    "blank": (
        lambda: answered(STUB, STUB, "YOUR ANSWER HERE"),
        dict.fromkeys(RIGHT, 0) | {"explain": 0},
    ),
    "warns": (lambda: answered("import sys; print('overflow', file=sys.stderr); return 2 * x"), RIGHT),
    "shows": (lambda: answered("get_ipython().displayhook(10.0); return 3 * x"), {**RIGHT, "test_double": 0}),
    "deleted": (lambda: without_test(answered()), RIGHT),
    "doubled": (lambda: doubled_tests(answered()), RIGHT),
    "broken": (lambda: dumped(answered())[:-30], dict.fromkeys(RIGHT, 0)),
    "hangs": (lambda: answered("import os; os._exit(1)"), {**RIGHT, "test_double": 0}),
}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_course(tmp_path_factory.mktemp("course"))
    (root / "nbgrader_config.py").write_text(SETTINGS)
    nbgrader(root, "generate_assignment", "mini")
    for student, (make, _) in CLASS.items():
        hand_in(root, student, make())
    (root / "autograded" / "right" / "mini").mkdir(parents=True)  # what a killed run leaves
    nbgrader(root, "autograde", "mini")
    return root


@pytest.mark.parametrize("student", CLASS)
def test_autograde_gives_the_marks_that_grade_decides(course: Path, student: str) -> None:
    assert scores(course)[student] == CLASS[student][1]


def test_the_marked_notebook_says_why_in_the_test_cell(course: Path) -> None:
    marked = json.loads((course / "autograded" / "shows" / "mini" / "mini.ipynb").read_text())
    tests = [c for c in marked["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == "test_double"]
    assert len(tests) == 1 and "double(2) is not 4" in json.dumps(tests[0]["outputs"])


def test_a_second_run_changes_nothing_and_force_gives_the_same(course: Path) -> None:
    before = scores(course)
    assert "Skipping existing" in nbgrader(course, "autograde", "mini")
    nbgrader(course, "autograde", "mini", "--student=right", "--force")
    assert scores(course) == before


def test_force_grades_anew_what_a_broken_run_would_take_from_the_journal(course: Path) -> None:
    def journal() -> set[tuple[Path, int]]:
        return {(path, path.stat().st_mtime_ns) for path in (course / ".workshop" / "journal").rglob("*.json")}

    before = journal()
    shutil.rmtree(course / "autograded" / "right")
    nbgrader(course, "autograde", "mini")
    assert journal() == before
    nbgrader(course, "autograde", "mini", "--student=right", "--force")
    assert len(journal() - before) == 1


def by_api(course: Path, student: str, **settings: Any) -> Any:
    """The autograded notebook of a student, graded as formgrader's button does it."""
    config = Config()
    exec(compile(SETTINGS, "config", "exec"), {"get_config": lambda: config})
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.db_url = f"sqlite:///{course}/gradebook.db"
    config.Grade.update(settings)
    result = NbGraderAPI(CourseDirectory(config=config), config=config).autograde("mini", student)
    assert result["success"], result.get("error", "") + result.get("log", "")
    return json.loads((course / "autograded" / student / "mini" / "mini.ipynb").read_text())


def test_the_api_and_so_formgraders_button_grade_the_same_way(course: Path) -> None:
    hand_in(course, "late", answered("return 3 * x"))
    by_api(course, "late")
    assert scores(course)["late"] == {**RIGHT, "test_double": 0}


def test_whom_the_grader_fails_has_a_row_and_a_reason_and_is_graded_by_the_next_run(course: Path) -> None:
    hand_in(course, "unlucky", answered())
    marked = by_api(course, "unlucky", sandbox="a level that there is not")
    assert scores(course)["unlucky"] == dict.fromkeys(RIGHT)
    assert "no sandbox is called" in json.dumps([cell.get("outputs") for cell in marked["cells"]])
    by_api(course, "unlucky")
    assert scores(course)["unlucky"] == RIGHT


def test_a_notebook_that_can_not_be_read_stops_nobody(course: Path) -> None:
    hand_in(course, "odd", answered()).unlink()
    (course / "submitted" / "odd" / "mini" / "mini.ipynb").mkdir()
    marked = by_api(course, "odd")
    assert scores(course)["odd"] == dict.fromkeys(RIGHT) and "could not read" in json.dumps(marked)


def test_without_its_source_an_assignment_is_not_graded_and_the_notebook_says_so(course: Path) -> None:
    hand_in(course, "early", answered())
    source = course / "source" / "mini" / "mini.ipynb"
    kept = source.rename(source.with_suffix(".kept"))
    marked = by_api(course, "early")
    kept.rename(source)
    assert "FileNotFoundError" in json.dumps(marked["cells"][0]) and "early" in scores(course)
