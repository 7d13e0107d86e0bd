"""A class is graded whole: nothing lost, nothing twice, and a person's marks stay."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from examiner.batch import local, run
from examiner.batch.job import Job, no_submission
from examiner.batch.journal import Journal, course_secret
from examiner.batch.run import grade_class
from examiner.cli.command import main
from examiner.cli.opening import one_run
from examiner.course import gradebook as books
from examiner.course.database import newest_schema
from examiner.course.gradebook import read_marks
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.grade import forkserver
from examiner.grading.result import GraderFailed, Result
from examiner.isolation import linux
from mini_course import TEST_SHIFT_LEFT, answered, hand_in, make_course, source_notebook


def grade(root: Path, *more: str) -> int:
    return main(["grade", "--course", str(root), *more])


def scores(root: Path) -> dict[str, dict[str, float]]:
    with Gradebook(f"sqlite:///{root}/gradebook.db", "comp90051") as book:
        return {name: marked.scores for name, marked in read_marks(book, "mini").items()}


def rows(root: Path, name: str) -> list[dict[str, str]]:
    with open(root / name, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course that has been graded once."""
    root = make_course(tmp_path_factory.mktemp("course"))
    hand_in(root, "right", answered())
    hand_in(root, "wrong", answered(double="return x", shift="return x - by"))
    hand_in(root, "renamed", answered(), "Untitled (3).ipynb")
    hand_in(root, "broken", "{not json")
    (root / "submitted" / "empty" / "mini").mkdir(parents=True)
    assert grade(root) == 0
    return root


def test_marks_are_in_nbgraders_gradebook(course: Path) -> None:
    found = scores(course)
    assert found["right"] == {"test_double": 2, "test_shift_right": 1, "test_shift_left": 1, "explain": 0}
    assert sum(found["wrong"].values()) == 0
    assert found["renamed"] == found["right"]


def test_none_vanishes_and_none_stops_another(course: Path) -> None:
    students = {"right", "wrong", "renamed", "broken", "empty"}
    assert {row["student_id"] for row in rows(course, "grades.csv")} == students
    assert {path.parent.parent.name for path in (course / "feedback").rglob("*.html")} == students
    assert {path.parent.parent.name for path in (course / "autograded").rglob("mini.ipynb")} == students


def test_nbgraders_own_export_agrees_with_grades_csv(course: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nbgrader", "export", "--to", str(tmp_path / "export.csv")]
    subprocess.run(command, cwd=course, check=True, capture_output=True)
    with open(tmp_path / "export.csv", newline="") as file:
        theirs = {row["student_id"]: (row["score"], row["max_score"]) for row in csv.DictReader(file)}
    assert theirs == {row["student_id"]: (row["score"], row["max_score"]) for row in rows(course, "grades.csv")}


def test_a_second_run_grades_nothing_and_changes_no_file(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def everything() -> dict[Path, tuple[float, bytes]]:
        folders = [course / name for name in ("autograded", "feedback", ".workshop/journal")]
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = everything()
    monkeypatch.setattr(run, "Local", None)  # to start one would fail
    assert grade(course) == 0
    assert everything() == before


def test_hand_marks_and_comments_survive_a_regrade(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    hand_in(root, "ada", answered(double="return x"))
    assert grade(root) == 0
    with Gradebook(f"sqlite:///{root}/gradebook.db", "comp90051") as book:
        book.find_grade("explain", "mini", "mini", "ada").manual_score = 1.5
        book.find_grade("test_double", "mini", "mini", "ada").manual_score = 0.5
        book.find_grade("explain", "mini", "mini", "ada").needs_manual_grade = False
        book.find_comment("explain", "mini", "mini", "ada").manual_comment = "Well put: $2x$."
        book.db.commit()
    assert grade(root) == 0
    assert scores(root)["ada"] == {"explain": 1.5, "test_double": 0.5, "test_shift_right": 1, "test_shift_left": 1}
    page = (root / "feedback" / "ada" / "mini" / "mini.html").read_text()
    assert "Well put" in page and "1.5 / 2" in page
    hand_in(root, "ada", answered(explain="Something new."))
    assert grade(root) == 0
    assert scores(root)["ada"]["explain"] == 1.5
    with Gradebook(f"sqlite:///{root}/gradebook.db", "comp90051") as book:
        assert book.find_grade("explain", "mini", "mini", "ada").needs_manual_grade  # a person should look again
        assert book.find_comment("explain", "mini", "mini", "ada").manual_comment == "Well put: $2x$."


def test_a_changed_test_sends_no_hand_mark_back(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    hand_in(root, "ada", answered())
    assert grade(root) == 0
    with Gradebook(f"sqlite:///{root}/gradebook.db", "comp90051") as book:
        row = book.find_grade("explain", "mini", "mini", "ada")
        row.manual_score, row.needs_manual_grade = 1.5, False
        book.db.commit()
    source = source_notebook()
    source.cells[6].source = TEST_SHIFT_LEFT.replace("== -1", "== 3").rstrip()
    make_course(root, source)
    assert grade(root) == 0
    with Gradebook(f"sqlite:///{root}/gradebook.db", "comp90051") as book:
        assert not book.find_grade("explain", "mini", "mini", "ada").needs_manual_grade


def test_what_the_grader_fails_on_is_said_and_graded_in_the_next_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_course(tmp_path)
    hand_in(root, "ada", answered())

    def fails(*_: object) -> Result:
        raise GraderFailed("no student's process came up")

    monkeypatch.setattr(local, "grade", fails)
    assert grade(root) == 1
    assert "failed on 1 of these" in says(capsys)
    monkeypatch.undo()
    assert grade(root) == 0
    assert scores(root)["ada"]["test_double"] == 2


def test_the_late_penalty_is_nbgraders_own(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    with open(root / "nbgrader_config.py", "a") as file:
        file.write("\nc.LateSubmissionPlugin.penalty_method = 'zero'\n")
    for student, day in (("early", 24), ("late", 26)):
        hand_in(root, student, answered()).with_name("timestamp.txt").write_text(f"2017-08-{day} 04:00:00 UTC")
    assert grade(root) == 0
    with Gradebook(f"sqlite:///{root}/gradebook.db", "comp90051") as book:
        book.update_or_create_assignment("mini", duedate="2017-08-25 00:00:00 UTC")
    assert grade(root) == 0
    found = {row["student_id"]: (row["raw_score"], row["score"]) for row in rows(root, "grades.csv")}
    assert found == {"early": ("4.0", "4.0"), "late": ("4.0", "0.0")}
    assert "late penalty of 4" in (root / "feedback" / "late" / "mini" / "mini.html").read_text()


def test_a_changed_test_regrades_and_a_changed_text_does_not(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    hand_in(root, "ada", answered(shift="return x + abs(by)"))
    assert grade(root) == 0
    assert scores(root)["ada"]["test_shift_left"] == 0
    source = source_notebook()
    source.cells[0].source += " More words."
    make_course(root, source)
    entries = list((root / ".workshop" / "journal").rglob("*.json"))
    assert grade(root) == 0
    assert list((root / ".workshop" / "journal").rglob("*.json")) == entries
    source.cells[6].source = TEST_SHIFT_LEFT.replace("== -1", "== 3").rstrip()
    make_course(root, source)
    assert grade(root) == 0
    assert scores(root)["ada"]["test_shift_left"] == 1


@pytest.mark.parametrize(
    ("test", "again"),
    [
        (TEST_SHIFT_LEFT.rstrip() + "  # said better", {"test_shift_left"}),
        # A test that turns may change what a later one accepts.
        (TEST_SHIFT_LEFT.rstrip().replace("== -1", "== 3"), {"test_double", "test_shift_right", "test_shift_left"}),
    ],
    ids=["with the same outcome", "with another outcome"],
)
def test_a_changed_test_is_run_again_with_what_it_touches(tmp_path: Path, test: str, again: set[str]) -> None:
    root = make_course(tmp_path)
    submission = hand_in(root, "ada", answered()).read_bytes()
    assert grade(root) == 0
    journal = Journal(root / ".workshop" / "journal", course_secret(root / ".workshop"), Limits())

    def assignment() -> Assignment:
        return Assignment.from_notebook(nbformat.writes(source).encode(), "mini")

    def kept() -> Result:
        result, _ = journal.get(submission, assignment())
        assert result is not None
        return result

    source = source_notebook()
    before = kept()
    marked = tuple(replace(mark, seconds=-1.0) for mark in before.marks)  # no test takes this long
    journal.put(submission, assignment(), replace(before, marks=marked))
    source.cells[6].source = test
    make_course(root, source)
    assert grade(root) == 0
    assert {m.grade_id for m in kept().marks if m.seconds >= 0 and m.grade_id != "explain"} == again


def test_the_journal_knows_submission_assignment_grader_and_secret(tmp_path: Path) -> None:
    assignment = Assignment.from_notebook(json.dumps(source_notebook()).encode(), "mini")
    other = Assignment.from_notebook(
        json.dumps(source_notebook()).replace("return 2 * x", "return x * 2").encode(), "mini"
    )
    journal = Journal(tmp_path, b"secret", Limits())
    key = journal.key(b"a", assignment)
    assert key == Journal(tmp_path, b"secret", Limits()).key(b"a", assignment)
    assert key != journal.key(b"b", assignment)
    assert key != journal.key(b"a", other)
    assert key != Journal(tmp_path, b"other", Limits()).key(b"a", assignment)
    assert key != Journal(tmp_path, b"secret", Limits(), grader="newer").key(b"a", assignment)


def test_what_is_damaged_in_the_journal_counts_as_not_there(tmp_path: Path) -> None:
    assignment = Assignment.from_notebook(json.dumps(source_notebook()).encode(), "mini")
    journal = Journal(tmp_path, b"secret", Limits())
    result = no_submission(assignment)
    journal.put(b"a", assignment, result)
    assert journal.get(b"a", assignment) == (result, [])
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(path.read_bytes().replace(b"0.0", b"9.0"))
    assert journal.get(b"a", assignment) == (None, [])
    path.write_bytes(b"")
    assert journal.get(b"a", assignment) == (None, [])


def files(root: Path) -> dict[str, str]:
    """The files that people use, which must be the same however often a run was broken."""
    folders = [*(root / "autograded").rglob("*"), *(root / "feedback").rglob("*")]
    found = [*folders, root / "grades.csv", root / "marks.csv", root / "feedback.zip"]
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found if path.is_file()
    }


def outcome(root: Path) -> dict[str, str]:
    """These files and the marks."""
    return files(root) | {"marks": json.dumps(scores(root), sort_keys=True)}


def class_of(students: int, root: Path) -> Path:
    """A course in which so many have handed in, with the same secret wherever it is."""
    make_course(root)
    for i in range(students):
        hand_in(root, f"s{i:03}", answered(double="return x" if i % 3 else "return 2 * x", explain=f"Answer {i}."))
    (root / ".workshop").mkdir()
    (root / ".workshop" / "secret").write_text("the same for both")
    return root


def broken_runs(tmp_path: Path, kills: int, students: int) -> None:
    """Kill grading at random moments, finish it, and compare with a run that was left alone."""
    courses = [class_of(students, tmp_path / name) for name in ("unbroken", "broken")]
    random.seed(90051)
    started = time.monotonic()
    assert grade(courses[0], "--no-report") == 0
    whole = time.monotonic() - started
    killed = 0
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            os.setsid()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os._exit(grade(courses[1], "--no-report"))
        time.sleep(random.uniform(0, 1.2 * whole))
        os.kill(child, signal.SIGKILL)
        killed += os.waitpid(child, 0)[1] == signal.SIGKILL
        if killed and killed % 7 == 0:  # begin again from nothing: the first moments matter too
            for path in (courses[1] / ".workshop" / "journal").rglob("*.json"):
                path.unlink()
            (courses[1] / "gradebook.db").unlink(missing_ok=True)
    assert killed
    assert grade(courses[1], "--no-report") == 0
    assert outcome(courses[1]) == outcome(courses[0])


def test_what_a_killed_run_was_about_to_write_goes(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    hand_in(root, "ada", answered())
    left = root / "feedback" / "ada" / ".mini.html.1.2.part"
    left.parent.mkdir(parents=True)
    left.write_text("half a page")
    (root / ".workshop").mkdir()
    (root / ".workshop" / "unfinished").touch()
    assert grade(root) == 0
    assert not left.exists() and not (root / ".workshop" / "unfinished").exists()


def test_a_killed_run_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    broken_runs(tmp_path, kills=4, students=6)


@pytest.mark.slow
def test_fifty_killed_runs_go_on_and_end_the_same(tmp_path: Path) -> None:
    broken_runs(tmp_path, kills=50, students=10)


@pytest.mark.parametrize("victim", [0, 1], ids=["of students", "of examiners"])
def test_grading_processes_that_are_killed_cost_no_mark(tmp_path: Path, victim: int) -> None:
    assignment = Assignment.from_notebook(json.dumps(source_notebook()).encode(), "mini")
    jobs = [
        Job(f"s{i}", "mini", hand_in(tmp_path, f"s{i}", json.dumps(answered(explain=f"Answer {i}."))))
        for i in range(12)
    ]
    journal = Journal(tmp_path / "journal", b"s", Limits())
    found: dict[str, Result] = {}
    for job, _, result in grade_class(jobs, {"mini": assignment}, b"s", journal, workers=2):
        found[job.student] = result
        if len(found) == 2:
            os.kill(forkserver().pids[victim], signal.SIGKILL)
    assert {name: result.score for name, result in found.items()} == {job.student: 4 for job in jobs}
    assert not any(result.needs_eye for result in found.values())


# --- a disk that fills up ---

# What fills the disk is a file that is taken away again: to change a mounted disk's size works on few systems alike.
ON_A_SMALL_DISK = """mount -t tmpfs -o size=64m none room && mkdir room/disk && cp -r fresh/. room/disk
head -c $(((65536 - $1) * 1024)) /dev/zero > room/filler
"$2" -m examiner grade --course room/disk --no-report
echo $? > status
cp -r room/disk/. left
rm room/filler
"$2" -m examiner grade --course room/disk --no-report && cp -r room/disk/. again"""


def kilobytes(root: Path) -> int:
    """The room that a folder's files take on a disk."""
    return sum(-(-path.stat().st_size // 4096) * 4 for path in root.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = class_of(6, tmp_path_factory.mktemp("unbroken"))
    assert grade(root, "--no-report") == 0
    return root


@dataclass
class Filled:
    """A run on a disk that filled up: how it ended, what it left, and what a run with more room made of that."""

    status: str
    said: str
    left: Path
    again: Path


@pytest.fixture(scope="module", params=[0.2, 0.6, 0.95])
def filled(request: pytest.FixtureRequest, unbroken: Path, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """The disk holds what was handed in and this share of what grading writes."""
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody but root make a small disk (unshare -Urm)")
    here = tmp_path_factory.mktemp("disk")
    for name in ("room", "left", "again"):
        (here / name).mkdir()
    start = kilobytes(class_of(6, here / "fresh"))
    size = start + request.param * (kilobytes(unbroken) - start)
    command = ["unshare", "-Urm", "sh", "-c", ON_A_SMALL_DISK, "sh", str(int(size)), sys.executable]
    run = subprocess.run(command, cwd=here, capture_output=True, text=True)
    return Filled((here / "status").read_text().strip(), run.stderr, here / "left", here / "again")


def test_a_full_disk_is_said_in_a_line(filled: Filled) -> None:
    disk = filled.left.with_name("room") / "disk"
    told = f"workshop: the disk is full ({disk}). What is written is whole; free some space and run again to go on."
    assert (filled.status, told in filled.said, "Traceback" in filled.said) == ("1", True, False)


def test_what_a_full_disk_leaves_is_whole(filled: Filled, unbroken: Path) -> None:
    assert files(filled.left).items() <= files(unbroken).items()
    assert not list(filled.left.rglob("*.part"))


def test_with_room_again_a_run_ends_as_if_unbroken(filled: Filled, unbroken: Path) -> None:
    assert outcome(filled.again) == outcome(unbroken)


# --- bad input: a clear error, and all is as it was ---


def says(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_nothing_to_grade_says_how_to_bring_it_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert grade(make_course(tmp_path)) == 1
    assert "workshop grade --from" in says(capsys)


def test_an_old_gradebook_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    root = make_course(tmp_path)
    hand_in(root, "ada", answered())
    with sqlite3.connect(root / "gradebook.db") as book:
        book.execute("CREATE TABLE assignment (id VARCHAR, name VARCHAR)")
        book.execute("CREATE TABLE alembic_version (version_num VARCHAR)")
        book.execute("INSERT INTO alembic_version VALUES ('50a4d84c131a')")
    book.close()
    before = (root / "gradebook.db").read_bytes()
    assert grade(root) == 1
    assert "nbgrader db upgrade" in says(capsys)
    assert (root / "gradebook.db").read_bytes() == before


def as_ordinary_user(*command: str) -> subprocess.CompletedProcess[str]:
    """Run the command without root's power to write everywhere."""
    program = [sys.executable, "-m", "examiner", *command]
    return subprocess.run(program, capture_output=True, text=True, preexec_fn=linux.drop_capabilities)


def everything(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [".", "feedback", "gradebook.db"])
def test_what_must_not_be_written_is_named_and_all_is_as_it_was(course: Path, name: str) -> None:
    place, before = course / name, everything(course)
    mode = place.stat().st_mode
    place.chmod(0o555)
    run = as_ordinary_user("grade", "--course", str(course))
    place.chmod(mode)
    assert run.stderr == (
        f"workshop: no permission to read or write {place}. Make it yours (ls -ld shows whose it is) and run again.\n"
    )
    assert everything(course) == before


def test_a_zip_that_must_not_be_read_is_named(course: Path, tmp_path: Path) -> None:
    (tmp_path / "export.zip").touch(0o000)
    run = as_ordinary_user("grade", "--course", str(course), "--from", str(tmp_path / "export.zip"))
    assert f"no permission to read or write {tmp_path / 'export.zip'}" in run.stderr


def test_a_gradebook_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    hand_in(root, "ada", answered())
    url = f"sqlite:///{root}/gradebook.db"
    books.tables.Student.__table__.create(books.sa.create_engine(url))
    assert grade(root) == 0
    with Gradebook(url, "comp90051") as book:
        assert book.db.execute(books.sa.text("SELECT version_num FROM alembic_version")).all() == [(newest_schema(),)]


def test_a_wrong_assignment_is_said(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert grade(course, "nonsense") == 1
    assert "there is mini" in says(capsys)


def test_a_scheduler_that_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_course(tmp_path)
    hand_in(root, "ada", answered())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert grade(root, "--scheduler", address) == 1
    assert f"\nworkshop: No Dask scheduler answers at {address!r} (nothing came" in says(capsys)


def test_cells_taken_away_from_a_graded_assignment_are_explained(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = source_notebook()
    del source.cells[6]  # test_shift_left
    make_course(course, source)
    assert grade(course) == 1
    assert "test_shift_left" in says(capsys)
    make_course(course)
    assert grade(course) == 0


def test_two_runs_at_once_are_refused(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with one_run(course / ".workshop"):
        code = f"from examiner.cli.command import main; raise SystemExit(main(['grade', '--course', {str(course)!r}]))"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert "Another `workshop grade` is at work" in run.stderr


@pytest.mark.parametrize(("folder", "secret"), [(0o755, 0o600), (0o2770, 0o660)])
def test_the_secret_is_its_owners_or_where_a_group_writes_the_groups(tmp_path: Path, folder: int, secret: int) -> None:
    tmp_path.chmod(folder)
    course_secret(tmp_path)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == secret
