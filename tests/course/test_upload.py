"""Marks and feedback go back to the systems under the systems' own names."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path

import pytest

from examiner.batch.job import ClassError
from examiner.cli.administration import listed
from examiner.cli.command import main
from examiner.course.intake import take_in
from examiner.course.people import People
from examiner.course.roster import Enrolled
from examiner.course.upload import fill_in, zip_feedback
from examiner.grading.assignment import Assignment
from mini_course import answered, make_course, row

PEOPLE = People(
    {
        "4711": Enrolled("4711", "", "Ada", "Lovelace", "ada@uni.edu", ("alovelace",)),
        "4712": Enrolled("4712", "", "Bob", "Bee"),
    },
    {"101": [("Moodle", "101", "Cat Cee", "")], "4711": [], "4712": []},
)
MARKS = {"4711": 30.5, "4712": 0.0, "101": 12.0}

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Week 5 (7788),mlp_sgd (7789)
,,,,,Manual Posting,
    Points Possible,,,,,58,1
"Lovelace, Ada",4711,u1,alovelace,Tue,,
"Bee, Bob",4712,u2,bbee,Tue,3,
"Student, Test",4799,,x,Tue,,
"""
CANVAS_AFTER = """Student,ID,SIS User ID,SIS Login ID,Section,Week 5 (7788),mlp_sgd (7789)
,,,,,Manual Posting,
    Points Possible,,,,,58,34
"Lovelace, Ada",4711,u1,alovelace,Tue,,30.5
"Bee, Bob",4712,u2,bbee,Tue,3,0
"Student, Test",4799,,x,Tue,,
"""
MOODLE = "Identifier,Full name,Email address,Status,Grade,Maximum Grade\nParticipant 245,Cat Cee,,Submitted,,34\n"
BLACKBOARD = '"Last Name"\t"First Name"\t"Username"\t"Last Access"\nLovelace\tAda\talovelace\t2017\n'


def filled(tmp_path: Path, table: str, encoding: str = "utf-8", column: str = "") -> tuple[str, list[str]]:
    (tmp_path / "table.csv").write_bytes(table.encode(encoding))
    content, _, missing = fill_in(tmp_path / "table.csv", PEOPLE, MARKS, "mlp_sgd", 34, column)
    return content.decode(encoding), missing


def test_canvass_gradebook_comes_back_with_one_column_filled(tmp_path: Path) -> None:
    assert filled(tmp_path, CANVAS) == (CANVAS_AFTER, ["101"])


def test_the_tutor_may_name_the_column(tmp_path: Path) -> None:
    text, _ = filled(tmp_path, CANVAS, column="Week 5")
    assert '"Lovelace, Ada",4711,u1,alovelace,Tue,30.5,\n' in text


def test_moodles_worksheet_is_filled_by_name_where_the_numbers_are_others(tmp_path: Path) -> None:
    text, _ = filled(tmp_path, MOODLE)
    assert text.endswith("Participant 245,Cat Cee,,Submitted,12,34\n")


def test_blackboards_table_keeps_its_letters_and_gets_its_kind_of_column(tmp_path: Path) -> None:
    text, _ = filled(tmp_path, BLACKBOARD, "utf-16")
    assert text.split("\n")[0].endswith("Last Access\tmlp_sgd [Total Pts: 34]") and text.split("\n")[1].endswith(
        "\t30.5"
    )


def test_a_doubt_about_the_column_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ClassError, match="Say which with --column"):
        filled(tmp_path, "ID,mlp_sgd (1),mlp_sgd (2)\n4711,,\n")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two Moodle students in two sessions."""
    root = make_course(tmp_path_factory.mktemp("course"))
    with zipfile.ZipFile(root / "class.zip", "w") as archive:
        for name in ("Ada L_1", "Bob B_2"):
            archive.writestr(f"{name}_assignsubmission_file_/mini.ipynb", json.dumps(answered()))
            archive.writestr(f"{name}_assignsubmission_file_/timestamp.txt", "2017-08-29 05:00:00 UTC")
    (root / "roster.csv").write_text("student_id,first name,last name,session\n1,Ada,L,Tue\n2,Bob,B,Fri\n")
    command = ["grade", "--course", str(root), "--from", str(root / "class.zip"), "--roster", str(root / "roster.csv")]
    assert main([*command, "--no-report"]) == 0
    return root


def test_feedback_of_a_session_by_moodles_names(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = course / "fri.zip"
    command = ["feedback", "--course", str(course), "--session", "Fri", "--for", "moodle", "--to", str(target)]
    assert main(command) == 0
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["Bob B_2_assignsubmission_file_/mini.html"]
    assert main(command) == 1 and "already" in capsys.readouterr().err  # nothing is written over


def test_each_activitys_feedback_has_that_activitys_number(tmp_path: Path) -> None:
    both = {name: Assignment.from_notebook(json.dumps(answered()).encode(), name) for name in ("one", "two")}
    people = People()
    for name, number in (("one", 101), ("two", 245)):
        folder = tmp_path / name / f"Ada L_{number}_assignsubmission_file_"
        folder.mkdir(parents=True)
        (folder / "mine.ipynb").write_text(json.dumps(answered()))
        take_in([folder.parent], tmp_path / "in", tmp_path / "old", {name: both[name]}, people)
        (tmp_path / "feedback" / "101" / name).mkdir(parents=True)
        (tmp_path / "feedback" / "101" / name / f"{name}.html").touch()
    content, _ = zip_feedback(tmp_path / "feedback", people, ["101"], list(both), "moodle")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        numbers = ["Ada L_101_assignsubmission_file_/one.html", "Ada L_245_assignsubmission_file_/two.html"]
        assert archive.namelist() == numbers


def test_feedback_is_not_named_for_a_system_that_nobody_came_from(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = course / "canvas.zip"
    assert main(["feedback", "--course", str(course), "--for", "canvas", "--to", str(target)]) == 1
    assert "came from Canvas" in capsys.readouterr().err and not target.exists()


def test_an_id_may_hold_the_comma_that_parts_a_list() -> None:
    there = ["a,b;c", "d", "Lovelace, Ada"]
    assert listed("d, a,b;c,Lovelace, Ada, zoe", there) == ["d", "a,b;c", "Lovelace, Ada", "zoe"]


def test_a_file_in_build_that_somebody_changed_is_kept_aside(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["feedback", "--course", str(course)]
    assert main(command) == main(command) == 0
    assert "kept as" not in capsys.readouterr().out
    (course / "build" / "feedback.zip").write_text("mine")
    assert main(command) == 0
    assert "it is kept as" in capsys.readouterr().out
    assert [path.read_text() for path in (course / ".workshop" / "replaced").glob("feedback-*.zip")] == ["mine"]


def test_one_student_may_have_more_time(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from nbgrader.api import Gradebook
    from nbgrader.utils import parse_utc

    (course / "slides").mkdir(exist_ok=True)
    (course / "slides" / "course.yml").write_text("timezone: Australia/Melbourne\nsessions: []\n")
    assert main(["extend", "1", "mini", "2017-08-30 17:00 UTC", "--course", str(course)]) == 1
    (course / "slides" / "course.yml").unlink()
    advised = parse_utc(capsys.readouterr().err.split("--duedate='")[1].split("'")[0])
    assert f"{advised:%d %H:%M:%S}" == "28 07:00:00"  # as nbgrader reads what is advised
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        gradebook.update_or_create_assignment("mini", duedate="2017-08-28 17:00:00 UTC")
    assert main(["extend", "1", "mini", "2017-08-30 17:00 UTC", "--course", str(course)]) == 0
    assert main(["grade", "--course", str(course), "--no-report"]) == 0
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        gradebook.add_student("3")  # who has handed in nothing
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["extend", "3", "mini", "2017-08-30 17:00 UTC", "--course", str(course)]) == 0
    due = [row(course, student)["duedate"] for student in ("1", "2")]
    assert due == ["2017-08-30 17:00:00", "2017-08-28 17:00:00"]
    assert main(["extend", "1", "mini", "09/10/2017", "--course", str(course)]) == 1  # whose 9 and whose 10?
    assert main(["extend", "1", "mini", "2017-08-01", "--course", str(course)]) == 1
    assert main(["extend", "zoe", "mini", "none", "--course", str(course)]) == 1
