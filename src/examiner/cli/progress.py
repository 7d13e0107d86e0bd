"""How far grading is: a bar, or lines in a log."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from examiner.batch.job import Job
from examiner.batch.local import available_cores
from examiner.batch.run import Progress
from examiner.cli.terminal import say


@contextmanager
def progress_of(jobs: Sequence[Job], options: argparse.Namespace) -> Iterator[Progress]:
    """A bar that names what is being graded, with the time left; where there is no terminal a line now and then."""
    workers = (
        f"the cluster at {options.scheduler}"
        if options.scheduler
        else f"{options.workers or available_cores()} at once"
    )
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        say(f"Grading {len(jobs)} notebooks, {workers}.", sys.stderr)
        yield _counted(len(jobs))
        return
    bar = tqdm(total=len(jobs), desc=f"Grading, {workers}", unit="nb", mininterval=0.3, dynamic_ncols=True)
    running: dict[Job, None] = {}

    def progress(event: str, job: Job) -> None:
        if event == "start":
            running[job] = None
        else:
            running.pop(job, None)
            bar.update()
        now = ", ".join(f"{job.student}/{job.assignment}" for job in list(running)[:2])
        bar.set_postfix_str(now, refresh=event == "start")
        if bar.n == len(jobs):
            bar.close()

    with bar:
        yield progress


def _counted(total: int) -> Progress:
    """Progress as lines in a log, ten of them at most."""
    done, step = itertools.count(1), max(10, -(-total // 10))

    def progress(event: str, job: Job) -> None:
        if event != "start" and ((now := next(done)) % step == 0 or now == total):
            say(f"Graded {now} of {total}.", sys.stderr)

    return progress
