"""Workers on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from examiner.batch.job import ClassError, failed_result
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.grade import close_forkservers, grade
from examiner.grading.result import Result
from examiner.isolation.sandbox import NoSandbox


class Local:
    """Threads that hand submissions to this machine's grading processes, as many as there are cores."""

    def __init__(self, workers: int | None, arguments: tuple[bytes, Limits, str, tuple[str, ...]]):
        self.workers = workers or available_cores()
        self.arguments = arguments
        self.pool = ThreadPoolExecutor(self.workers, "grading")
        self.running: dict[Future[Result], tuple[str, bytes, Assignment]] = {}

    def submit(self, key: str, submission: bytes, assignment: Assignment, known: Result | None) -> None:
        future = self.pool.submit(grade, submission, assignment, *self.arguments, known)
        self.running[future] = (key, submission, assignment)

    def full(self) -> bool:
        return len(self.running) >= 8 * self.workers  # enough to do while a batch is being written

    def done(self) -> Iterator[tuple[str, Result]]:
        finished, _ = wait(self.running, return_when=FIRST_COMPLETED)
        for future in finished:
            key, submission, assignment = self.running.pop(future)
            try:
                yield key, future.result()
            except NoSandbox as error:
                raise ClassError(str(error)) from None
            except Exception as error:  # grade() promises not to raise; if it does, the others go on
                yield key, failed_result(submission, assignment, f"The grader itself failed on this one: {error!r}.")

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
        if self.running:  # broken off: end what is being graded
            close_forkservers()
        self.pool.shutdown(wait=True)


def available_cores() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
