"""An environment belongs to its folder and its Python, has what its groups need, and says why it can't be made."""

from __future__ import annotations

import ast
import errno
import importlib.metadata
import os
import re
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import environment

ROOT = Path(__file__).parents[2]
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
    assert why(copy) == f"it has no Python {HERE} that runs"


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("a folder", "holds what these commands did not make"),
        ("a file", "is a file"),
        ("a link to a folder", "link to a folder that has no environment"),
        ("a link to another course's", "was made for the folder"),
        ("a link to nowhere", "link that leads nowhere"),
    ],
)
def test_what_somebody_else_made_is_left_alone(course: Path, tmp_path: Path, kind: str, says: str) -> None:
    (tmp_path / "root").mkdir()
    venv, elsewhere = tmp_path / "root" / ".venv", tmp_path / "elsewhere"
    if kind == "a folder":
        venv.mkdir()
        (venv / "mine").touch()
    elif kind == "a file":
        venv.touch()
    else:
        venv.symlink_to(course / ".venv" if "another" in kind else elsewhere)
        if kind == "a link to a folder":
            elsewhere.mkdir()
    before = {path: os.lstat(path) for path in [venv, *tmp_path.rglob("*"), *(course / ".venv").iterdir()]}
    with pytest.raises(environment.Trouble, match=says):
        environment.make_venv(str(venv), str(tmp_path / "root"), "")
    after = {path: os.lstat(path) for path in [venv, *tmp_path.rglob("*"), *(course / ".venv").iterdir()]}
    assert {path: about.st_mtime_ns for path, about in after.items()} == {p: a.st_mtime_ns for p, a in before.items()}


def test_one_whose_making_was_stopped_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*command: object) -> str:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(environment, "run", stopped)
        environment.make_venv(str(tmp_path / ".venv"), str(tmp_path), "")
    assert why(tmp_path) == "making it was stopped half-way"
    environment.make_venv(str(tmp_path / ".venv"), str(tmp_path), "")
    subprocess.run([tmp_path / ".venv" / "bin" / "python", "-m", "pip", "--version"], check=True)
    assert why(tmp_path) == ""


def test_what_a_run_leaves_that_is_stopped_as_it_begins_is_gone_on_from(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / f"{environment.STATE}.part").touch()
    environment.make_venv(str(tmp_path / ".venv"), str(tmp_path), "")
    assert why(tmp_path) == ""


def test_two_at_once_go_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []

    def second() -> None:
        with environment.alone(str(tmp_path)):
            order.append("second")

    with environment.alone(str(tmp_path)):
        other = threading.Thread(target=second)
        other.start()
        other.join(0.5)
        order.append("first")
    other.join()
    assert order == ["first", "second"] and not list(tmp_path.iterdir())
    assert "Another set-up of this folder is running" in capsys.readouterr().out


@pytest.mark.parametrize("python", ["/bin/false", "/bin/true", "/", "/no such", ""])
def test_what_is_no_python_is_said_to_be_none(python: str) -> None:
    run = subprocess.run(["make", "-s", f"PYTHON={python}", "for-grading"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode != 0
    assert run.stderr.startswith(f'Set-up stopped: PYTHON is "{python}", and that is no Python 3. Python 3.11 to 3.14')


@pytest.mark.parametrize(
    "variable",
    ["PYTHONHOME", "PYTHONPATH", "PYTHONOPTIMIZE", "PYTHONDONTWRITEBYTECODE", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"],
)
def test_what_would_lead_python_or_pip_out_of_the_environment_does_not_reach_them(
    variable: str, tmp_path: Path
) -> None:
    python, told = tmp_path / "python", tmp_path / "told"  # stands in for a Python: notes what it was told
    python.write_text(f'#!/bin/sh\necho 3\necho "${{{variable}-}}" >>"{told}"\n')
    python.chmod(0o755)
    subprocess.run(
        ["make", "-s", f"PYTHON={python}", "for-grading"],
        cwd=ROOT,
        env={**os.environ, variable: "2"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert set(told.read_text().split()) <= {"0"}


def test_it_needs_no_docstring_since_python_may_leave_them_out() -> None:
    said = subprocess.run([sys.executable, "-OO", "tools/environment.py", "--help"], cwd=ROOT, capture_output=True)
    assert said.returncode == 0, said.stderr.decode()


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


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"PIP_INDEX_URL": "http://127.0.0.1:9/simple"}, "could not be reached"),
        ({"PIP_NO_INDEX": "1"}, "lacks what is"),
    ],
)
def test_the_index_is_the_cause_and_the_user_can_go_on(
    course: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, str], says: str
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"PIP_CONFIG_FILE": os.devnull, **setting}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(environment.Trouble, match=rf"^the package index {says}.* the same command again to go on"):
        environment.ask_index(str(course / ".venv"))


def test_an_index_that_is_silent_can_not_be_reached(tmp_path: Path) -> None:
    said = environment.run(["sleep", "100"], str(tmp_path), patience=0.1)
    assert environment.why_not_installed(said, str(tmp_path)).startswith("the package index could not be reached")


def test_the_disk_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scratch := tmp_path / "scratch").mkdir()
    free = {str(tmp_path): 10**12, str(scratch): 0}
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda place: _Usage(free[place]))
    told = environment.why_not_installed("OSError: [Errno 28] No space left on device", str(tmp_path))
    assert told.startswith(f"the disk of {scratch} is full")


class _Usage:
    """What a disk has."""

    def __init__(self, free: int):
        self.free = free


@pytest.mark.parametrize(
    ("code", "file", "says"),
    [
        (errno.EROFS, "", "the folder {} is on a disk that can only be read"),
        (errno.EACCES, "tmpk2x", "you may not write to {} "),
        (errno.EACCES, ".venv/made-for.json.part", "you may not write to {}/.venv "),
    ],
)
def test_a_folder_that_can_not_be_written_is_named_and_no_file_of_ours(
    tmp_path: Path, code: int, file: str, says: str
) -> None:
    (tmp_path / ".venv").mkdir()
    told = environment.about_disk(OSError(code, os.strerror(code), str(tmp_path / file)), str(tmp_path))
    assert told.startswith(says.format(tmp_path))


def test_a_folder_with_a_colon_in_its_name_is_refused_in_words(tmp_path: Path) -> None:
    course = tmp_path / "week 5: SGD"
    course.mkdir()
    with pytest.raises(environment.Trouble, match="Rename it"):
        environment.make_venv(str(course / ".venv"), str(course), "")
    assert not list(course.iterdir())
