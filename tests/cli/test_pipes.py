"""Whoever reads what a command says may stop reading: it ends there, without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mini_course import ENVIRONMENT, answered, hand_in, make_course


def unread(*words: str, stream: str = "stdout") -> subprocess.CompletedProcess[str]:
    """The command, with nobody at the other end of the pipe that it writes to."""
    command = [sys.executable, "-m", "examiner", *words]
    reader, writer = os.pipe()
    os.close(reader)
    other = "stderr" if stream == "stdout" else "stdout"
    try:
        streams = {stream: writer, other: subprocess.PIPE}
        return subprocess.run(command, text=True, env=ENVIRONMENT, timeout=240, check=False, **streams)  # type: ignore[call-overload, no-any-return]
    finally:
        os.close(writer)


def test_what_nobody_reads_on_ends_quietly(tmp_path: Path) -> None:
    hand_in(make_course(tmp_path / "course"), "ada", answered())
    done = unread("grade", "--course", str(tmp_path / "course"))
    assert done.returncode == 141 and "ipe" not in done.stderr and "Traceback" not in done.stderr


def test_so_does_help() -> None:
    assert unread("students", "--help").stderr == ""  # argparse itself lets a broken pipe pass


def test_so_do_complaints_that_nobody_reads(tmp_path: Path) -> None:
    assert unread("grade", "--course", str(tmp_path / "nowhere"), stream="stderr").returncode == 141
