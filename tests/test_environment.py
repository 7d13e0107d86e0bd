"""An environment belongs to its folder and its Python, has what its groups need, and says why it can't be made."""

from __future__ import annotations

import ast
import errno
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import environment

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment that has nothing in it."""
    root = tmp_path_factory.mktemp("course")
    environment.make_venv(str(root / ".venv"), str(root), "")
    return root


def why(root: Path, wanted: str = "") -> str:
    return environment.why_anew(str(root / ".venv"), str(root), wanted)


def test_one_that_fits_is_kept(course: Path) -> None:
    assert why(course) == why(course, HERE) == ""


def test_another_python_that_was_asked_for_is_a_reason(course: Path) -> None:
    assert why(course, "3.99") == f"it has Python {HERE}, and Python 3.99 is asked for"


def test_a_copied_folder_gets_one_of_its_own(course: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", course, copy], check=True)
    assert why(copy) == f"it was made for the folder {course}"
    environment.make_venv(str(copy / ".venv"), str(copy), "")
    assert why(copy) == why(course) == ""


def test_a_python_that_is_gone_is_noticed(course: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", course, copy], check=True)
    state = environment.read_state(copy / ".venv")
    environment.write_state(copy / ".venv", state | {"course": str(copy)})
    (copy / ".venv" / "bin" / "python").unlink()
    assert why(copy) == f"its Python {HERE} is gone"


def test_what_somebody_else_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "mine").touch()
    with pytest.raises(environment.Trouble, match="did not make it"):
        environment.make_venv(str(tmp_path / ".venv"), str(tmp_path), "")
    assert (tmp_path / ".venv" / "mine").exists()


def test_it_starts_on_old_pythons_too_to_say_that_they_are_too_old() -> None:
    ast.parse((ROOT / "tools" / "environment.py").read_text(), feature_version=(3, 7))


@pytest.mark.parametrize("group", ["grade", "lab", "lite", "cluster", "slides", "tools", "test"])
def test_the_part_of_the_lock_for_a_group_is_whole(group: str) -> None:
    names = environment.roots(PROJECT, {*environment.ALWAYS, group})
    part = environment.part_of_lock(names)
    inside = set(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", part, re.M))
    inside = {environment.canonical(name) for name in inside}
    assert names <= inside
    for name in inside:
        try:
            needs = importlib.metadata.distribution(name).requires or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another system or another Python
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                assert environment.canonical(need.name) in {*inside, *environment.WITHOUT}, (name, need.name)


def test_grading_needs_no_page_of_jupyterlab_and_no_tool() -> None:
    part = environment.part_of_lock(environment.roots(PROJECT, {*environment.ALWAYS, "grade"}))
    assert not re.search(r"^(jupyterlab|notebook|distributed|mypy|uv|playwright|pytest|jupyterlite-core)==", part, re.M)


def test_an_index_that_can_not_be_reached_is_the_cause(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-cache-dir",
        "-d",
        str(tmp_path),
        "--retries=0",
        "--timeout=1",
    ]
    command += ["--isolated", "--index-url", "http://127.0.0.1:9/simple", "numpy"]
    said = environment.run(command, str(tmp_path), {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""})
    told = environment.why_not_installed(said, str(tmp_path))
    assert told.startswith("the package index could not be reached") and "run the same command again" in told.lower()


def test_the_disk_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {str(tmp_path): 10**12, "/full": 0}
    monkeypatch.setattr(environment.tempfile, "gettempdir", lambda: "/full")
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda place: _Usage(free[place]))
    told = environment.why_not_installed("OSError: [Errno 28] No space left on device", str(tmp_path))
    assert told.startswith("the disk of /full is full")


class _Usage:
    """What a disk has."""

    def __init__(self, free: int):
        self.free = free


def test_a_disk_that_can_only_be_read_is_the_cause() -> None:
    told = environment.about_disk(OSError(errno.EROFS, "Read-only file system"), "/cdrom/course")
    assert "/cdrom/course is on a disk that can only be read" in told
