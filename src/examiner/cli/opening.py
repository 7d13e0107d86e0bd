"""A course is opened: its lock, its gradebook, and that its folders can be written."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from examiner.batch.job import ClassError


@contextmanager
def opened_gradebook(course: Any) -> Iterator[Any]:
    from nbgrader.api import Gradebook

    from examiner.course.database import make_database

    make_database(course.db_url)
    with Gradebook(course.db_url, course.course_id) as gradebook:
        yield gradebook


def must_be_writable(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".writable-{os.getpid()}"
    probe.touch()
    probe.unlink()


@contextmanager
def one_run(state: Path, *written: Path) -> Iterator[None]:
    """Hold the course's lock: two runs at once would write over each other. The lock goes with the process.

    What a killed run was about to write in the folders `written` is removed.
    """
    state.mkdir(parents=True, exist_ok=True)
    with open(state / "lock", "a+") as file:
        try:
            import fcntl
        except ImportError:  # Windows: no lock, as with nbgrader itself
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClassError("Another `workshop grade` is at work in this course. Wait for it, or stop it.") from None
        unfinished = state / "unfinished"  # it stays where a run was killed
        if unfinished.exists():
            for left in itertools.chain(state.parent.glob(".*.part"), *(f.rglob(".*.part") for f in (state, *written))):
                left.unlink(missing_ok=True)
        unfinished.touch()
        try:
            yield
        finally:
            unfinished.unlink(missing_ok=True)
