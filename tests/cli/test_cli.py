"""One command takes a class from zip to marks, feedback and report."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from nbgrader.api import Gradebook

from examiner.cli.command import main
from examiner.course import gradebook
from examiner.grading.assignment import Assignment
from examiner.pages import feedback
from examiner.pages.tables import no_formula
from mini_course import answered, cell, grade, hand_in, make_course, rows, source_notebook

COURSE_YML = "sessions:\n  - {day: Tuesday, time: 12–1, room: A}\n  - {day: Friday, time: 2–3, room: B, star: true}\n"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course graded from a Canvas zip with a roster."""
    root = make_course(tmp_path_factory.mktemp("course"))
    (root / "slides").mkdir()
    (root / "slides" / "course.yml").write_text(COURSE_YML, encoding="utf-8")
    with zipfile.ZipFile(root / "class.zip", "w") as archive:
        archive.writestr("bondjames_007_11_mini.ipynb", json.dumps(answered()))
        archive.writestr("leebruce_LATE_008_12_mine (2).ipynb", json.dumps(answered(double="return x")))
    people = (
        'student_id,last_name,first_name,session\n007,"Bond, Jr",James,1\n008,Lee,Brüce,Friday 2-3 B\n009,Absent,A,2\n'
    )
    (root / "roster.csv").write_text(people, encoding="utf-8")
    command = ["grade", "--course", str(root), "--from", str(root / "class.zip"), "--roster", str(root / "roster.csv")]
    assert main(command) == 0
    return root


@pytest.mark.parametrize("text", ["=1+1", "+x", "-rf", "@SUM(A1)", "\t=1"])
def test_no_spreadsheet_computes_what_a_student_wrote(text: str) -> None:
    assert no_formula(text) == "'" + text and no_formula("Lee-Bruce = 1") == "Lee-Bruce = 1"


def test_ids_and_names_come_out_as_they_came_in(course: Path) -> None:
    found = {row["student_id"]: row for row in rows(course / "grades.csv")}
    assert set(found) == {"007", "008", "009"}
    assert found["007"]["last_name"] == "Bond, Jr"
    assert (found["008"]["first_name"], found["008"]["session"]) == ("Brüce", "Friday 2–3 B")


def test_who_handed_in_nothing_has_a_row_of_zeros(course: Path) -> None:
    absent = next(row for row in rows(course / "grades.csv") if row["student_id"] == "009")
    assert (float(absent["score"]), absent["notes"]) == (0.0, "nothing handed in")


def test_late_and_renamed_are_told(course: Path) -> None:
    late = next(row for row in rows(course / "grades.csv") if row["student_id"] == "008")
    assert "marked it late" in late["notes"] and "mine (2).ipynb" in late["notes"]


def test_the_zip_of_feedback_has_a_folder_for_each_student(course: Path) -> None:
    with zipfile.ZipFile(course / "feedback.zip") as archive:
        assert sorted(archive.namelist()) == ["007/mini.html", "008/mini.html"]
        page = (course / "feedback" / "007" / "mini" / "mini.html").read_bytes()
        assert archive.read("007/mini.html") == page


def test_marks_csv_tells_what_went_wrong(course: Path) -> None:
    wrong = [row for row in rows(course / "marks.csv") if row["score"] == "0.0"]
    assert [(row["student_id"], row["grade_id"]) for row in wrong] == [("008", "test_double")]
    assert "Did you forget to double?" in wrong[0]["message"]


def test_the_report_has_the_sessions(course: Path) -> None:
    page = (course / "class_report.html").read_text(encoding="utf-8")
    assert "Tuesday 12–1 A" in page and "Friday 2–3 B" in page


def test_the_roster_is_remembered(course: Path) -> None:
    assert main(["grade", "--course", str(course)]) == 0
    found = {row["student_id"]: row["session"] for row in rows(course / "grades.csv")}
    assert found["007"] == "Tuesday 12–1 A"
    assert "Friday 2–3 B" in (course / "class_report.html").read_text(encoding="utf-8")


def test_who_handed_in_no_notebook_is_in_the_marks_and_the_report(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    with zipfile.ZipFile(root / "class.zip", "w") as archive:
        archive.writestr("bondjames_007_11_mini.ipynb", json.dumps(answered()))
        archive.writestr("leebruce_008_12_essay.pdf", "%PDF")
    assert main(["grade", "--course", str(root), "--from", str(root / "class.zip")]) == 0
    assert main(["grade", "--course", str(root)]) == 0
    (row,) = [row for row in rows(root / "grades.csv") if row["student_id"] == "008"]
    assert row["notes"] == "handed in no notebook, but leebruce_008_12_essay.pdf."
    assert "essay.pdf" in (root / "class_report.html").read_text(encoding="utf-8")
    hand_in(root, "008", answered())
    assert main(["grade", "--course", str(root)]) == 0
    assert "essay.pdf" not in (root / "class_report.html").read_text(encoding="utf-8")


def test_a_log_gets_lines_and_no_bar(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", "--course", str(course)]) == 0
    begun, *_, last = capsys.readouterr().err.splitlines()
    assert begun.startswith("Grading 2 notebooks, ") and last == "Graded 2 of 2."


def test_a_stranger_to_the_roster_stops_it_unless_allowed(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_in(course, "eve", answered())
    command = ["grade", "--course", str(course), "--roster", str(course / "roster.csv")]
    before = (course / "grades.csv").read_bytes()
    assert main(command) == 1
    assert "eve" in capsys.readouterr().err
    assert (course / "grades.csv").read_bytes() == before
    assert main([*command, "--unknown-students"]) == 0
    assert "eve" in {row["student_id"] for row in rows(course / "grades.csv")}


def test_nbgraders_exchange_is_taken_in(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    settings = f"\nc.Exchange.root = {str(tmp_path / 'exchange')!r}\n"
    (root / "nbgrader_config.py").write_text((root / "nbgrader_config.py").read_text() + settings)
    for stamp, notebook in {
        "2017-08-28 10:00:00": answered(double="return x"),
        "2017-08-28 11:00:00": answered(),
    }.items():
        folder = tmp_path / "exchange" / "comp90051" / "inbound" / f"ada+mini+{stamp}.000000 UTC+r4nd0m"
        folder.mkdir(parents=True)
        (folder / "mini.ipynb").write_text(json.dumps(notebook))
    assert main(["grade", "--course", str(root), "--from", "exchange"]) == 0
    (row,) = rows(root / "grades.csv")
    assert (row["student_id"], float(row["score"]), row["timestamp"]) == ("ada", 4.0, "2017-08-28 11:00:00")


@pytest.mark.parametrize(
    ("file", "says"), [("source/mini/mini.ipynb", "its JSON is broken"), ("slides/course.yml", "timetable")]
)
def test_a_broken_file_of_the_course_is_named_in_plain_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, says: str
) -> None:
    root = make_course(tmp_path)
    hand_in(root, "ada", answered())
    (root / "slides").mkdir(exist_ok=True)
    (root / file).write_text("{sessions: [")
    assert main(["grade", "--course", str(root)]) == 1
    said = capsys.readouterr().err
    assert says in said and file in said and "object at" not in said


def test_help_reads_well() -> None:
    run = subprocess.run([sys.executable, "-m", "examiner", "grade", "--help"], capture_output=True, text=True)
    assert run.returncode == 0
    assert "run again" in " ".join(run.stdout.split()) and "--roster" in run.stdout


def test_a_table_that_somebody_changed_is_kept_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_course(tmp_path)
    hand_in(root, "ada", answered())
    assert main(["grade", "--course", str(root)]) == 0
    assert main(["grade", "--course", str(root)]) == 0
    assert "is kept as" not in capsys.readouterr().out
    (root / "grades.csv").write_text("mine")
    assert main(["grade", "--course", str(root)]) == 0
    assert "grades.csv was changed since" in capsys.readouterr().out
    assert [path.read_text() for path in (root / ".workshop" / "replaced").glob("grades-*.csv")] == ["mine"]
    assert "ada" in (root / "grades.csv").read_text()


@pytest.mark.parametrize(
    ("module", "name", "whose", "marked"),
    [
        (feedback, "feedback_html", lambda *args, student, **options: [student], "4.0"),
        (gradebook, "save", lambda db, a, entries, *more: [e.student for e in entries if e.result.score], "0.0"),
    ],
    ids=["feedback", "marks"],
)
def test_work_that_can_not_be_written_stops_nobody_else(
    module: Any,
    name: str,
    whose: Callable[..., list[str]],
    marked: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = make_course(tmp_path)
    for student in ("ada", "bob", "eve"):
        hand_in(root, student, answered(explain=f"I am {student}."))
    write = getattr(module, name)

    def but_bobs(*args: Any, **options: Any) -> Any:
        if "bob" in whose(*args, **options):
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return write(*args, **options)

    monkeypatch.setattr(module, name, but_bobs)
    assert main(["grade", "--course", str(root)]) == 0
    table = {row["student_id"]: row for row in rows(root / "grades.csv")}
    assert "could not be written" in table["bob"]["notes"] and table["ada"]["notes"] == table["eve"]["notes"] == ""
    assert table["ada"]["score"] == table["eve"]["score"] == "4.0" and table["bob"]["score"] == marked
    pages = {who: (root / "feedback" / who / "mini" / "mini.html").exists() for who in table}
    assert pages == {"ada": True, "bob": module is gradebook, "eve": True}


def test_an_assignment_of_several_notebooks_is_one_row_with_the_marks_and_feedback_of_each(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    first = root / "source" / "mini" / "mini.ipynb"
    (first.with_name("one.ipynb")).write_bytes(first.read_bytes())
    first.rename(first.with_name("two.ipynb"))
    for student, notebooks in {"both": ("one.ipynb", "two.ipynb"), "half": ("two.ipynb",)}.items():
        for name in notebooks:
            hand_in(root, student, answered(double="return x" if name == "one.ipynb" else "return 2 * x"), name)
    assert main(["grade", "--course", str(root)]) == 0
    found = {r["student_id"]: float(r["raw_score"]) for r in rows(root / "grades.csv")}
    assert found == {"both": 6, "half": 4} and len(rows(root / "grades.csv")) == 2
    marks = {(r["student_id"], r["grade_id"]): r["score"] for r in rows(root / "marks.csv")}
    assert marks["both", "one/test_double"] == "0.0" and marks["both", "two/test_double"] == "2.0"
    assert marks["both", "one/explain"] == "" and marks["half", "one/explain"] == "0.0"
    pages = root / "feedback" / "both" / "mini"
    assert {page.stem for page in pages.glob("*.html")} == {"one", "two"}
    assert "double(2) is not 4" in (pages / "one.html").read_text()
    assert "double(2) is not 4" not in (pages / "two.html").read_text()
    with zipfile.ZipFile(root / "feedback.zip") as archive:
        assert "both/mini_one.html" in archive.namelist()
    before = (root / "grades.csv").read_bytes()
    assert main(["grade", "--course", str(root)]) == 0 and (root / "grades.csv").read_bytes() == before
    assert main(["mark", "--course", str(root)]) == 0
    assert "It stretches." in (root / "build" / "marking.html").read_text()


def test_a_new_workshop_is_sound_from_its_first_minute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "linear_regression", "--course", str(tmp_path)]) == 0
    assert main(["check", "--course", str(tmp_path)]) == 0
    assert "linear_regression: 1 test cell, none to look at." in capsys.readouterr().out
    assert main(["release", "--course", str(tmp_path)]) == 0
    given = tmp_path / "release" / "linear_regression"
    assert "predict is still to be written" in given.joinpath("linear_regression.ipynb").read_text()
    told = {
        name: json.loads((given / "workshop" / name).read_text()) for name in ("questions.json", "known_mistakes.json")
    }
    assert told["questions.json"] == {"linear_regression": [[1, "predict", 2, ["predict"]]]}
    assert "b is left out." in told["known_mistakes.json"]["sentences"]
    assert main(["student-bundle", "--course", str(tmp_path)]) == 0  # without a lock of its own
    assert "The course has no requirements.lock" in capsys.readouterr().out
    required = (tmp_path / "build" / "student-bundle" / "requirements.txt").read_text()
    assert f"numpy=={numpy.__version__}\n" in required
    assert main(["new", "linear_regression", "--course", str(tmp_path)]) == 1
    assert main(["new", "../x", "--course", str(tmp_path)]) == 1


def test_a_question_that_is_spelt_wrong_is_told_before_anything_is_released(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "line", "--course", str(tmp_path)]) == 0
    notebook = tmp_path / "source" / "line" / "line.ipynb"
    notebook.write_text(notebook.read_text().replace('mark(\\"predict\\")', 'mark(\\"predcit\\")'))
    for command in ("release", "check"):
        assert main([command, "--course", str(tmp_path)]) == 1
        said = "".join(capsys.readouterr())
        assert "test_predict" in said and "There is no question `predcit` to mark; known are predict." in said
    assert not (tmp_path / "release").exists()


def test_code_that_a_person_marks_waits_for_one_though_it_is_the_stub_that_was_given_out(tmp_path: Path) -> None:
    source = source_notebook()
    source.cells.append(
        cell("code", "sketch", "### BEGIN SOLUTION\nprint(1)\n### END SOLUTION", 3, grade=True, solution=True)
    )
    root = make_course(tmp_path, source)
    touched, stub = answered(), "# YOUR CODE HERE\nraise NotImplementedError()"
    given = Assignment.from_notebook(json.dumps(source).encode(), "mini")
    blank = source_notebook()
    for one, known in zip(blank.cells, given.cells, strict=False):
        one.source = known.release_source
    for notebook in (touched, blank):
        notebook.cells.append(cell("code", "sketch", stub, 3, grade=True, solution=True))
    hand_in(root, "ada", touched)
    hand_in(root, "bob", blank)
    grade(root)
    marks = {(r["student_id"], r["grade_id"]): r["score"] for r in rows(root / "marks.csv")}
    assert marks["ada", "sketch"] == marks["bob", "sketch"] == "" and marks["bob", "explain"] == "0.0"
    with Gradebook(f"sqlite:///{root}/gradebook.db") as book:
        flags = {who: book.find_grade("sketch", "mini", "mini", who).needs_manual_grade for who in ("ada", "bob")}
        said = book.find_comment("sketch", "mini", "mini", "bob").comment
    assert flags == {"ada": True, "bob": False} and said == "No response."  # as nbgrader's own tests have it


def test_the_command_begins_without_the_libraries_that_it_may_not_need() -> None:
    slow = {"nbformat", "nbconvert", "sqlalchemy", "matplotlib"}
    code = f"import sys, examiner.cli.command; print(*{slow} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_no_grammar_of_web_addresses_is_made_at_each_start() -> None:
    code = "import sys; from examiner.__main__ import main; sys.argv = ['workshop', '--help']\n"
    code += "try: main()\nexcept SystemExit: import nbformat; print(sys.modules.get('lark'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "None"
