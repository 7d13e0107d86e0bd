"""nbgrader's own commands follow, copy and believe nothing among a student's files that is not the student's to say."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from examiner.course.guard import Collect
from mini_course import SETTINGS, answered, grade, hand_in, make_course, nbgrader, scores

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such files")
WRONG = json.dumps(answered("return 3 * x", "return 0"))


def _notebook_is(make: Callable[[Path, Path], None], of: str) -> Callable[[Path, Path], None]:
    def place(root: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
        make(root / of, folder / "mini.ipynb")

    return place


def _folder_is_a_link(root: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.symlink_to(root / "submitted" / "right" / "mini")


def _student_is_a_link(root: Path, folder: Path) -> None:
    folder.parent.symlink_to(root / "submitted" / "right")


def _beside(name: str, make: Callable[[Path, Path], None], of: str = "") -> Callable[[Path, Path], None]:
    def place(root: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "mini.ipynb").write_text(WRONG)
        (folder / name).parent.mkdir(exist_ok=True)
        make(root / of, folder / name)

    return place


def _symlink(target: Path, link: Path) -> None:
    link.symlink_to(target)


def _hard_link(target: Path, link: Path) -> None:
    link.hardlink_to(target)


def _pipe(_: Path, path: Path) -> None:
    os.mkfifo(path)


def _endless(_: Path, path: Path) -> None:
    path.symlink_to("/dev/zero")


def _says(text: str) -> Callable[[Path, Path], None]:
    return lambda _, path: path.write_text(text) and None  # type: ignore[func-returns-value]


ANSWERS, OTHERS, SOURCE = "answers.ipynb", "submitted/right/mini/mini.ipynb", "source/mini/mini.ipynb"
PLACED: dict[str, Callable[[Path, Path], None]] = {
    "links-to-the-source": _notebook_is(_symlink, SOURCE),
    "links-to-another": _notebook_is(_symlink, OTHERS),
    "links-hard": _notebook_is(_hard_link, ANSWERS),
    "folder-is-a-link": _folder_is_a_link,
    "student-is-a-link": _student_is_a_link,
    "tests-linked-beside": _beside("notes.txt", _symlink, SOURCE),
    "tests-linked-hard-beside": _beside("notes.txt", _hard_link, "tests.txt"),
    "tests-linked-below": _beside("data/notes.txt", _symlink, SOURCE),
    "gradebook-linked-beside": _beside("notes.db", _symlink, "gradebook.db"),
    "a-page-beside": _beside("page.html", _says("<script>SECRET_OF_THE_TEST</script>")),
    "time-is-a-link": _beside("timestamp.txt", _symlink, "early.txt"),
    "time-is-a-hard-link": _beside("timestamp.txt", _hard_link, "early too.txt"),
    "time-is-no-time": _beside("timestamp.txt", _says("soon")),
}
HANGS = {
    "a-pipe-beside": _beside("data.csv", _pipe),
    "time-is-a-pipe": _beside("timestamp.txt", _pipe),
    "time-never-ends": _beside("timestamp.txt", _endless),
}
EVERY = PLACED | HANGS


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_course(tmp_path_factory.mktemp("course"))
    (root / "nbgrader_config.py").write_text(SETTINGS)
    nbgrader(root, "generate_assignment", "mini")
    (root / ANSWERS).write_text(json.dumps(answered()))
    shutil.copy(root / SOURCE, root / "tests.txt")
    for name in ("early.txt", "early too.txt"):
        (root / name).write_text("2001-01-01 00:00:00 UTC")
    hand_in(root, "right", json.dumps(answered()))
    (root / "submitted" / "right" / "mini" / "timestamp.txt").write_text("2026-03-01 12:00:00 UTC")
    for student, place in EVERY.items():
        place(root, root / "submitted" / student / "mini")
    nbgrader(root, "autograde", "mini")
    nbgrader(root, "generate_feedback", "mini")
    return root


@pytest.mark.parametrize("student", EVERY)
def test_no_link_earns_a_mark(course: Path, student: str) -> None:
    marks = scores(course)[student]
    assert not any(marks.values()), marks


@pytest.mark.parametrize("student", EVERY)
def test_nothing_of_a_students_is_carried_beside_the_notebook(course: Path, student: str) -> None:
    for step in ("autograded", "feedback"):
        there = {path.name for path in (course / step / student).rglob("*") if not path.is_dir()}
        assert there <= {"mini.ipynb", "mini.html", "timestamp.txt"}
    feedback = "".join(path.read_text() for path in (course / "feedback" / student).rglob("*") if path.is_file())
    assert "SECRET_OF_THE_TEST" not in feedback


@pytest.mark.parametrize("student", EVERY)
def test_no_link_or_pipe_tells_the_time(course: Path, student: str) -> None:
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        assert gradebook.find_submission("mini", student).timestamp is None


def test_the_time_that_collect_wrote_counts_and_goes_on_to_the_feedback(course: Path) -> None:
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        assert str(gradebook.find_submission("mini", "right").timestamp) == "2026-03-01 12:00:00"
    assert (course / "feedback" / "right" / "mini" / "timestamp.txt").read_text() == "2026-03-01 12:00:00 UTC"


@pytest.mark.parametrize("student", list(EVERY)[:5])
def test_a_person_is_told_of_the_link(course: Path, student: str) -> None:
    marked = json.loads((course / "autograded" / student / "mini" / "mini.ipynb").read_text())
    assert "link" in " ".join(marked["metadata"]["workshop"]["needs_eye"])


# --- nbgrader collect ---


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """submitted/ after `nbgrader collect`, of an exchange where students made what they liked."""
    root = make_course(tmp_path_factory.mktemp("course"))
    (root / ANSWERS).write_text(json.dumps(answered()))
    inbound = root / "exchange" / "comp90051" / "inbound"

    def hand(student: str, time: str = "2026-03-01 12:00:00.000000") -> Path:
        folder = inbound / f"{student}+mini+{time} UTC+r4nd0m"
        folder.mkdir(parents=True)
        (folder / "mini.ipynb").write_text(WRONG)
        (folder / "timestamp.txt").write_text("2001-01-01 00:00:00 UTC")
        (folder / "submission_secret.txt").write_text("secret")
        return folder

    (hand("linker") / "notes.txt").symlink_to(root / "source" / "mini" / "mini.ipynb")
    (hand("hard") / "notes.txt").hardlink_to(root / ANSWERS)
    (hand("folders") / "data").symlink_to(root / "source")
    os.mkfifo(hand("pipe") / "data.csv")
    (hand("large") / "data.csv").write_bytes(b"x" * 3_000_000)
    (inbound / "whole+mini+2026-03-01 12:00:00 UTC+x").symlink_to(hand("other"))
    hand("honest")
    if os.getuid() == 0:
        os.chown(hand("bob", "2030-01-01 00:00:00.000000"), 1, 1)  # another user has made it in Bob's name
    config = Config()
    exec(compile(SETTINGS, "config", "exec"), {"get_config": lambda: config})
    config.CourseDirectory.root, config.Exchange.root = str(root), str(root / "exchange")
    config.CourseDirectory.assignment_id, config.CourseDirectory.max_dir_size = "mini", 2000
    Collect(coursedir=CourseDirectory(config=config), config=config).start()
    return root / "submitted"


def test_collect_copies_plain_files_alone(collected: Path) -> None:
    there = {path.relative_to(collected).as_posix() for path in collected.rglob("*") if not path.is_dir()}
    own = ("mini.ipynb", "timestamp.txt", "submission_secret.txt")
    students = ("linker", "hard", "folders", "pipe", "other", "honest")
    assert there - {"whole/mini/timestamp.txt"} == {f"{student}/mini/{name}" for student in students for name in own}
    assert not any(path.is_symlink() for path in collected.rglob("*"))


def test_collect_writes_the_time_itself(collected: Path) -> None:
    assert (collected / "honest" / "mini" / "timestamp.txt").read_text() == "2026-03-01 12:00:00.000000 UTC"


@pytest.mark.skipif(os.getuid() != 0, reason="only an administrator can make another's file")
def test_collect_takes_nothing_that_another_user_made_in_a_students_name(collected: Path) -> None:
    assert not (collected / "bob").exists()


def test_nbgrader_releases_the_feedback_that_workshop_grade_wrote(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    (root / "nbgrader_config.py").write_text(SETTINGS)
    folder = hand_in(root, "ada", answered()).parent
    for name in ("timestamp.txt", "submission_secret.txt"):
        (folder / name).write_text("2026-03-01 12:00:00 UTC")
    grade(root)
    (root / "feedback" / "ada" / "mini" / "mini.html").chmod(0o660)  # as where a group of tutors grades
    exchange = tmp_path / "exchange"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)
    nbgrader(root, "release_feedback", "mini", f"--Exchange.root={exchange}")
    (released,) = exchange.rglob("feedback/*.html")
    assert released.stat().st_mode & 0o777 == 0o664
    assert released.read_text() == (root / "feedback" / "ada" / "mini" / "mini.html").read_text()
