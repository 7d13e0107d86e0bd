"""`workshop grade --watch` grades what arrives, at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from examiner.cli import watching as watching_module
from mini_course import ENVIRONMENT, answered, hand_in, make_course, rows

LONG = 120  # seconds, on a machine that is busy


@contextmanager
def watching(course: Path, *options: str) -> Iterator[None]:
    """`workshop grade --watch` at work in a course, ended by Ctrl-C."""
    command = [sys.executable, "-m", "examiner", "grade", "--watch", "--course", str(course), *options]
    with open(course / "said", "w") as said, subprocess.Popen(command, stdout=said, stderr=said, env=ENVIRONMENT) as it:
        try:
            until(lambda: "Watching" in (course / "said").read_text())
            yield
        finally:
            it.send_signal(signal.SIGINT)
            status = it.wait(LONG)
    assert status == 0, (course / "said").read_text()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def says(page: Path, what: str) -> bool:
    return page.exists() and what in page.read_text(encoding="utf-8")


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return make_course(tmp_path / "course")


def test_the_first_to_hand_in_and_a_better_attempt_are_graded(course: Path) -> None:
    page = course / "feedback" / "ada" / "mini" / "mini.html"
    with watching(course):
        hand_in(course, "ada", answered(double="return x"))
        until(lambda: says(page, "Did you forget to double?"))
        hand_in(course, "ada", answered())
        until(lambda: page.exists() and not says(page, "Did you forget to double?"))
    assert [row["score"] for row in rows(course / "grades.csv")] == ["4.0"]


def test_tables_and_report_follow_what_arrives(course: Path) -> None:
    hand_in(course, "ada", answered())
    report = course / "class_report.html"
    with watching(course):
        hand_in(course, "bob", answered(double="return x"))
        until(lambda: says(report, "bob") and says(report, "data-renewed"))
        assert {row["student_id"] for row in rows(course / "grades.csv")} == {"ada", "bob"}
        until(lambda: "question 1 double is right for 1, the fewest" in (course / "said").read_text())
    assert not says(report, "data-renewed")  # it is not renewed any more


def test_a_folder_of_from_is_watched_and_a_zip_that_cannot_be_read_stops_nothing(course: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with watching(course, "--from", str(inbox)):
        (inbox / "broken.zip").write_bytes(b"PK\x03\x04")
        until(lambda: "broken.zip" in (course / "said").read_text())
        (inbox / "broken.zip").unlink()
        with zipfile.ZipFile(inbox / "new.zip", "w") as archive:
            archive.writestr("leebruce_008_12_mini.ipynb", json.dumps(answered()))
        until(lambda: bool(list((course / "feedback").glob("*/mini/mini.html"))))


def test_what_is_written_without_end_is_taken_after_a_while_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(watching_module.time, "monotonic", lambda: now[0])
    settled, taken = watching_module.Settled(), []
    for look in range(300):  # thirty seconds, in which each look finds it changed
        now[0] = look * watching_module.PAUSE
        if settled(look):
            taken.append(look)
    assert 2 <= len(taken) <= 3


def test_it_is_not_for_a_cluster(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from examiner.cli.command import main

    assert main(["grade", "--course", str(course), "--watch", "--scheduler", "tcp://localhost:1"]) == 1
    assert "leave out --scheduler" in capsys.readouterr().err
