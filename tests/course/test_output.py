"""A command that writes a folder removes and replaces nothing that it did not make itself."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from examiner.batch.job import ClassError
from examiner.cli.command import main
from examiner.course import output
from mini_course import answered, hand_in, make_course


def everything(root: Path) -> dict[str, str]:
    """Each file, folder and link below `root`, with what is in it."""
    found = {}
    for path in sorted(root.rglob("*")):
        inside = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(root))] = hashlib.sha256(os.fsencode(inside)).hexdigest()
    return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a course in it, and other people's things beside it; the working folder is the course."""
    course = make_course(tmp_path / "course")
    hand_in(course, "ann", answered())
    (course / ".git").mkdir()
    (course / ".git" / "HEAD").write_text("ref")
    (course / "gradebook.db").write_text("marks")
    (course / "empty").mkdir()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    for folder in (course / "build" / "sample-class", course / "tests"):
        folder.mkdir(parents=True)
        (folder / "mine").touch()
    output.publish(tmp_path / "thesis", tmp_path / "made", "student-bundle")
    (course / "to-build").symlink_to(course / "build")
    (course / "link").symlink_to(tmp_path / "thesis")
    (course / "nowhere").symlink_to(tmp_path / "none")
    monkeypatch.chdir(course)
    return tmp_path


PLACES = [".", "./", "", "..", "../course", "../thesis", "link", "nowhere", "source", "source/mini", "source/new"]
PLACES += ["submitted", "submitted/new", "autograded", "autograded/new", ".git", ".git/new", ".workshop/new"]
PLACES += ["gradebook.db", "gradebook.db/new", "link/../course/source", "/", "empty/../source"]
PLACES += ["build", "build/.", "build/sample-class/new", "tests/new", "../made/new", "empty/../build", "to-build"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", ["student-bundle", "lite", "solutions"])
def test_what_is_there_stays(world: Path, command: str, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(world)
    assert main([command, "--to", place]) == 1
    assert everything(world) == before
    said = capsys.readouterr().err
    assert said.startswith("workshop: ") and "Traceback" not in said


@pytest.mark.parametrize("place", [".", "..", "/", "source", "submitted/ann", "autograded", ".workshop/replaced"])
def test_submissions_do_not_come_from_the_course_itself(
    world: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "course" / "gradebook.db").unlink()
    (world / "course" / place).mkdir(parents=True, exist_ok=True)
    assert main(["grade", "--from", place]) == 1
    assert "submissions come from elsewhere" in capsys.readouterr().err
    assert [path.name for path in (world / "course" / "submitted").iterdir()] == ["ann"]


@pytest.mark.parametrize("command", [["grade"], ["students"], ["export", "mini"], ["feedback"], ["student-bundle"]])
def test_nothing_is_written_where_there_is_no_course(world: Path, command: list[str]) -> None:
    before = everything(world)
    assert main([*command, "--course", "../thesis"]) == 1
    assert everything(world) == before


def made(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_what_the_command_made_is_renewed(tmp_path: Path) -> None:
    target = tmp_path / "out"
    output.publish(made(tmp_path / "old", a="1", b="2"), target, "lite")
    output.publish(made(tmp_path / "new", b="3", c="4"), output.target_folder(target, "lite", tmp_path), "lite")
    assert {path.name: path.read_text() for path in target.iterdir() if path.name != output.MARKER} == {
        "b": "3",
        "c": "4",
    }


@pytest.mark.parametrize("change", ["a file more", "a changed file", "a link", "another command"])
def test_a_folder_that_somebody_worked_in_is_refused(tmp_path: Path, change: str) -> None:
    target = tmp_path / "out"
    output.publish(made(tmp_path / "new", a="1"), target, "lite")
    if change == "a file more":
        (target / "notes.txt").write_text("mine")
    elif change == "a changed file":
        (target / "a").write_text("mine")
    elif change == "a link":
        (target / "a").unlink()
        (target / "a").symlink_to("/etc/hostname")
    with pytest.raises(ClassError, match="did not make"):
        output.target_folder(target, "solutions" if change == "another command" else "lite", tmp_path)


def test_a_marker_that_lists_what_is_elsewhere_removes_nothing_there(tmp_path: Path) -> None:
    target, outside = tmp_path / "bundle", tmp_path / "thesis.tex"
    outside.write_text("mine")
    output.publish(made(tmp_path / "first", a="1"), target, "lite")
    marker = target / output.MARKER
    listed = json.loads(marker.read_text())
    listed["files"] |= {"../thesis.tex": [], str(outside): []}
    marker.write_text(json.dumps(listed))
    output.publish(made(tmp_path / "second", a="2"), target, "lite")
    assert outside.read_text() == "mine"


def test_a_run_that_was_stopped_half_way_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, new = tmp_path / "out", made(tmp_path / "new", a="3", b="4")
    output.publish(made(tmp_path / "old", a="1", b="2"), target, "lite")
    copy, done = output.shutil.copy, []

    def stopped(source: Path, to: Path) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(copy(source, to))

    monkeypatch.setattr(output.shutil, "copy", stopped)
    with pytest.raises(KeyboardInterrupt):
        output.publish(new, target, "lite")
    monkeypatch.undo()
    output.publish(new, output.target_folder(target, "lite", tmp_path), "lite")
    assert [(target / name).read_text() for name in "ab"] == ["3", "4"]


@pytest.mark.parametrize("change", ["none", "a file more", "a link"])
def test_a_zip_is_replaced_only_as_the_command_made_it(tmp_path: Path, change: str) -> None:
    archive = tmp_path / "out.zip"
    output.zip_folder(made(tmp_path / "out", a="1"), archive, "student-bundle")
    if change == "a file more":
        with zipfile.ZipFile(archive, "a") as file:
            file.writestr("mine", "2")
    elif change == "a link":
        archive = tmp_path / "link.zip"
        archive.symlink_to(tmp_path / "out.zip")
    with nullcontext() if change == "none" else pytest.raises(ClassError, match="did not make it"):
        output.target_zip(archive, "student-bundle")


def test_the_build_folder_is_no_commands_own_even_where_it_is_new(world: Path) -> None:
    shutil.rmtree(world / "course" / "build")
    assert main(["student-bundle", "--to", "build"]) == 1
    assert not (world / "course" / "build").exists()


def test_a_zip_of_somebody_else_is_not_replaced(world: Path) -> None:
    (world / "out.zip").write_text("mine")
    assert main(["student-bundle", "--to", "../out"]) == 1
    assert (world / "out.zip").read_text() == "mine" and not (world / "out").exists()
