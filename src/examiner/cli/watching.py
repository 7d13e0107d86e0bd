"""`workshop grade --watch`: what arrives is graded at once, until Ctrl-C."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from examiner.batch.job import ClassError, Job
from examiner.batch.local import available_cores
from examiner.batch.run import Graded
from examiner.cli.terminal import say

PAUSE = 0.1  # seconds between two looks
PATIENCE = 10.0  # seconds after which a change is taken though it goes on: who writes without end holds nobody up
Who = tuple[str, str]  # student and assignment
State = Any  # of files: equal where none has changed


class Settled:
    """Whether something is another than when it was last taken, and stands still: the same at two looks in turn."""

    def __init__(self, taken: State = None) -> None:
        self.taken = self.last = taken
        self._since: float | None = None  # when it was first seen as another

    def __call__(self, now: State) -> bool:
        """Take it, where that is so, or where it has not come to stand still for long."""
        still, self.last, at = now == self.last, now, time.monotonic()
        if now == self.taken:
            self._since = None
            return False
        self._since = at if self._since is None else self._since
        if not still and at - self._since < PATIENCE:
            return False
        self.taken, self._since = now, None
        return True


def states(jobs: Iterable[Job]) -> dict[Who, State]:
    """What is seen of each job's files from outside."""
    return {(job.student, job.assignment): _state(job) for job in jobs}


def _state(job: Job) -> State:
    paths = [path for _, path in job.notebooks] or [path for path in (job.path,) if path]
    return [_about(path) for path in paths]


def folders(roots: Iterable[Path]) -> State:
    """What is seen of all files below some folders, and of files themselves, from outside."""
    found = {}
    for root in roots:
        found[str(root)] = _about(root)
        for where, _, names in os.walk(root):
            found |= {path: _about(path) for path in (os.path.join(where, name) for name in names)}
    return found


def _about(path: str | Path) -> State:
    try:
        about = os.lstat(path)
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def watch(
    known: Mapping[Who, State],
    look: Callable[[], Sequence[Job]],
    grade: Callable[[Job], Sequence[Graded]],
    write: Callable[[Sequence[Graded]], None],
    renew: Callable[[], None],
    workers: int | None = None,
) -> None:
    """Grade each job that `look` finds new or changed since `known`, some at once, and write what comes of it.

    `write` gets each result as soon as it is there; `renew` is called where something was written and nothing else is
    done. It goes on until it is interrupted: what was being graded then is graded in the next run.
    """
    settled = {who: Settled(state) for who, state in known.items()}
    running: dict[Future[Sequence[Graded]], Who] = {}
    pool, owed, told = ThreadPoolExecutor(workers or available_cores(), "watching"), False, ""
    try:
        while True:
            try:
                jobs, trouble = look(), ""
            except ClassError as error:  # a zip that can't be read, say: the next may
                jobs, trouble = [], str(error)
            if trouble and trouble != told:
                say(trouble)
            told = trouble
            for job in jobs:
                who = (job.student, job.assignment)
                if who not in running.values() and settled.setdefault(who, Settled())(_state(job)):
                    running[pool.submit(grade, job)] = who
            done, _ = wait(running, PAUSE, FIRST_COMPLETED)
            for future in done:
                del running[future]
                write(future.result())
                owed = True
            if owed and not done:
                renew()
                owed = False
            elif not running:
                time.sleep(PAUSE)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
