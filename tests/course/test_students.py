"""The gradebook and the tables say the same, whatever was graded, moved, merged, or changed under a mark."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from examiner.cli.command import main
from mini_course import answered, grade, hand_in, make_course, row, rows, source_notebook


def students(root: Path, *options: str) -> int:
    return main(["students", *options, "--course", str(root)])


def mark(root: Path, student: str, score: float, cell: str = "explain", comment: str | None = None) -> None:
    """What formgrader does when a person marks a cell."""
    with Gradebook(f"sqlite:///{root}/gradebook.db") as gradebook:
        grade = gradebook.find_grade(cell, "mini", "mini", student)
        grade.manual_score, grade.needs_manual_grade = score, False
        if comment:
            gradebook.find_comment(cell, "mini", "mini", student).manual_comment = comment
        gradebook.db.commit()


def marked(root: Path, student: str) -> tuple[float, str]:
    return float(row(root, student)["score"]), row(root, student)["waiting_for_hand_marks"]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Ada and Bob, graded."""
    root = make_course(tmp_path / "course")
    for student in ("ada", "bob"):
        hand_in(root, student, answered())
    grade(root)
    return root


def change_source(root: Path, grade_id: str, points: int | None = None, source: str | None = None) -> None:
    notebook = source_notebook()
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
            cell.metadata.nbgrader["points"] = points or cell.metadata.nbgrader["points"]
            cell.source = source or cell.source
    nbformat.write(notebook, root / "source" / "mini" / "mini.ipynb")


def test_work_that_changed_under_a_hand_mark_waits_again_everywhere(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark(course, "ada", 2)
    grade(course)
    assert marked(course, "ada") == (6.0, "0")
    hand_in(course, "ada", answered(explain="Something else."))
    capsys.readouterr()
    grade(course)
    assert marked(course, "ada") == (6.0, "1")
    assert "hand marks" in next(line for line in capsys.readouterr().out.split("\n") if line.startswith("ada"))
    assert "a person marks this one" in (course / "feedback" / "ada" / "mini" / "mini.html").read_text()


@pytest.mark.parametrize("points", [1, 4])
def test_points_that_changed_under_a_hand_mark_are_flagged_and_no_students_doing(course: Path, points: int) -> None:
    mark(course, "ada", 1.5)
    grade(course)
    change_source(course, "explain", points)
    grade(course)
    assert row(course, "ada")["waiting_for_hand_marks"] == "1"
    assert "changed" not in row(course, "ada")["notes"]


def test_a_test_that_was_mended_under_a_hand_mark_is_shown_to_a_person(course: Path) -> None:
    mark(course, "ada", 0.5, "test_double")
    change_source(course, "test_double", source="assert double(3) == 6\n")
    grade(course)
    assert row(course, "ada")["waiting_for_hand_marks"] == "2"  # with the written answer
    assert row(course, "bob")["waiting_for_hand_marks"] == "1"


def test_who_left_the_folder_or_is_graded_elsewhere_keeps_the_marks(course: Path) -> None:
    mark(course, "bob", 2)
    shutil.rmtree(course / "submitted" / "bob")
    grade(course)
    assert marked(course, "bob") == (6.0, "0") and "Not in submitted/ any more" in row(course, "bob")["notes"]
    shutil.rmtree(course / "autograded" / "bob")
    grade(course)
    assert marked(course, "bob") == (6.0, "0")


def test_one_assignment_graded_alone_leaves_the_others_rows(course: Path) -> None:
    shutil.copytree(course / "source" / "mini", course / "source" / "maxi")
    (course / "source" / "maxi" / "mini.ipynb").rename(course / "source" / "maxi" / "maxi.ipynb")
    path = course / "submitted" / "ada" / "maxi" / "maxi.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(answered(double="return x")))
    grade(course)
    before = (course / "grades.csv").read_text(), (course / "marks.csv").read_text()
    grade(course, "maxi")
    assert ((course / "grades.csv").read_text(), (course / "marks.csv").read_text()) == before


def test_off_the_roster_is_off_the_table(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roster = course / "roster.csv"
    roster.write_text("student_id\nada\nbob\n9991\n")
    grade(course, "--roster", str(roster))
    assert float(row(course, "9991")["score"]) == 0
    roster.write_text("student_id\nada\nbob\n")
    capsys.readouterr()
    grade(course, "--roster", str(roster))
    assert "9991" not in {r["student_id"] for r in rows(course / "grades.csv")}
    assert "Not on the roster, and so not in grades.csv: 9991." in capsys.readouterr().out


def test_an_empty_from_is_an_error(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", "--course", str(course), "--from", ""]) == 1
    assert "--from is empty" in capsys.readouterr().err


def test_merge_rename_remove_and_undo(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mark(course, "ada", 2, comment="Well said.")
    grade(course)
    before = (course / "grades.csv").read_text()
    assert students(course, "rename", "ada", "alovelace", "--yes") == 0
    grade(course)
    assert marked(course, "alovelace") == (6.0, "0")
    assert "Well said." in (course / "feedback" / "alovelace" / "mini" / "mini.html").read_text()
    assert {r["student_id"] for r in rows(course / "grades.csv")} == {"alovelace", "bob"}
    assert students(course, "undo", "--yes") == 0
    grade(course)
    assert (course / "grades.csv").read_text() == before
    assert students(course, "remove", "bob", "--yes") == 0
    grade(course)
    assert {r["student_id"] for r in rows(course / "grades.csv")} == {"ada"}
    assert students(course, "undo", "--yes") == 0
    assert students(course, "merge", "ada", "bob", "--yes") == 0
    grade(course)
    assert marked(course, "bob") == (6.0, "1")  # the mark went along, onto other work
    assert {r["student_id"] for r in rows(course / "grades.csv")} == {"bob"}
    capsys.readouterr()
    assert students(course) == 0 and capsys.readouterr().out.startswith("bob")


def test_who_is_merged_or_renamed_has_one_row_and_keeps_the_rosters_session(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def in_table() -> list[tuple[str, str]]:
        return [(one["student_id"], one["session"]) for one in rows(course / "grades.csv")]

    roster = course / "roster.csv"
    roster.write_text("student_id,first name,last name,session\nada,Ada,L,Tue\nbob,Bob,B,Fri\n")
    assert main(["grade", "--course", str(course), "--roster", str(roster), "--no-report"]) == 0
    assert students(course, "rename", "ada", "alovelace", "--yes") == 0
    for _ in range(2):  # the second time with the roster as it was
        assert main(["grade", "--course", str(course), "--roster", str(roster), "--no-report"]) == 0
        assert in_table() == [("alovelace", "Tue"), ("bob", "Fri")]
    assert students(course, "merge", "bob", "alovelace", "--yes") == 0
    assert students(course, "rename", "alovelace", "ada", "--yes") == 0
    grade(course)
    assert in_table() == [("ada", "Tue")]
    capsys.readouterr()
    assert students(course, "remove", "ada", "--yes") == 0
    assert "still on the roster" in capsys.readouterr().out


def test_marks_given_since_are_not_undone(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert students(course, "rename", "ada", "alovelace", "--yes") == 0
    mark(course, "alovelace", 2)
    assert students(course, "undo", "--yes") == 1
    assert "would lose them" in capsys.readouterr().err


def test_a_change_that_makes_no_sense_changes_nothing(course: Path) -> None:
    before = sorted(path for path in course.rglob("*") if ".workshop" not in path.parts)
    for change in ("merge ada", "merge ada zoe", "rename ada bob", "rename ada a/b", "remove zoe", "undo"):
        assert students(course, *change.split(), "--yes") == 1
    assert students(course, "remove", "ada") == 1  # nobody can be asked
    assert sorted(path for path in course.rglob("*") if ".workshop" not in path.parts) == before
