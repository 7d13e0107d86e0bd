"""Grade a class: many submissions at once, each result as soon as it is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from examiner.batch.cluster import Cluster
from examiner.batch.job import Job, failed_result, no_submission
from examiner.batch.journal import Journal
from examiner.batch.local import Local
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.result import Result


def unjudged_result(assignment: Assignment, why: str) -> Result:
    """The result of a submission whose marks a person must give, for a reason that is no student's fault."""
    result = failed_result(b"", assignment, why)
    return replace(result, marks=tuple(replace(mark, score=None) for mark in result.marks))


@dataclass
class _Task:
    """A submission to be graded, and the jobs (students) that handed in exactly these bytes."""

    submission: bytes
    assignment: Assignment
    jobs: list[Job]
    before: Result | None = None  # of an earlier run
    changed: tuple[str, ...] = ()  # the tests that are other ones since; the marks of all others stand
    again: bool = False  # whether the grader itself failed on it once

    @property
    def known(self) -> Result | None:
        """What of the earlier result stands."""
        if self.before is None:
            return None
        return replace(self.before, marks=tuple(m for m in self.before.marks if m.grade_id not in self.changed))

    def turned(self, result: Result) -> bool:
        """Whether a changed test went the other way than before: what later tests excuse may then be another."""
        old = {mark.grade_id: mark.score == mark.points for mark in self.before.marks} if self.before else {}
        new = {mark.grade_id: mark.score == mark.points for mark in result.marks}
        return any(old.get(name) != new.get(name) for name in self.changed)


Graded = tuple[Job, str, Result]
Progress = Callable[[str, Job], None]  # called with "start" or "done" and the job


def grade_class(
    jobs: Iterable[Job],
    assignments: Mapping[str, Assignment],
    secret: bytes,
    journal: Journal,
    *,
    limits: Limits | None = None,
    sandbox: str = "auto",
    hidden: tuple[str, ...] = (),
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress = lambda event, job: None,
) -> Grading:
    """Each job with its key and its result, in the order in which they are done; every job comes exactly once.

    What the journal holds is not graded again. `workers` submissions (default: the processors this process may use)
    are graded side by side, or those of the Dask cluster at `scheduler`. Grading begins before the first result is
    asked for, and runs a few submissions ahead.
    """
    arguments = (secret, limits or Limits(), sandbox, hidden)

    def start() -> Local | Cluster:
        return Cluster(scheduler, arguments) if scheduler else Local(workers, arguments)

    return Grading(iter(jobs), assignments, journal, start, progress)


class Grading:
    """One run over a class: its results, each as soon as there is one. `close` breaks it off."""

    def __init__(
        self,
        jobs: Iterator[Job],
        assignments: Mapping[str, Assignment],
        journal: Journal,
        start: Callable[[], Local | Cluster],
        progress: Progress,
    ) -> None:
        self.jobs, self.assignments, self.journal = jobs, assignments, journal
        self.start, self.progress = start, progress
        self.executor: Local | Cluster | None = None
        self.waiting: dict[str, _Task] = {}
        self.ready: deque[Graded] = deque()
        self.failed = 0  # how many the grader itself could not grade
        self._fill()

    def _fill(self) -> None:
        """Hand out submissions until enough are under way; what is known already is ready."""
        while len(self.ready) < AHEAD and not (self.executor and self.executor.full()):
            job = next(self.jobs, None)
            if job is None:
                return
            self._begin(job)

    def _begin(self, job: Job) -> None:
        assignment = self.assignments[job.assignment]
        if job.path is None:
            self._done(job, self.journal.key(b"", assignment), no_submission(assignment))
            return
        try:
            submission = job.read()
        except OSError as error:  # the others go on
            self.failed += 1
            why = f"The grader could not read this submission: {error}."
            self._done(job, self.journal.key(b"", assignment), failed_result(b"", assignment, why))
            return
        key = self.journal.key(submission, assignment)
        known, changed = self.journal.get(submission, assignment)
        if known is not None and not changed:
            self._done(job, key, known)
        elif key in self.waiting:
            self.waiting[key].jobs.append(job)
        else:
            if self.executor is None:
                self.executor = self.start()
            task = self.waiting[key] = _Task(submission, assignment, [job], known, tuple(changed))
            self.progress("start", job)
            self.executor.submit(key, submission, assignment, task.known)

    def _done(self, job: Job, key: str, result: Result) -> None:
        self.progress("done", job)
        self.ready.append((job, key, result))

    def __iter__(self) -> Iterator[Graded]:
        try:
            while self.ready or self.waiting:
                while self.ready:
                    yield self.ready.popleft()
                    self._fill()
                if self.waiting and self.executor is not None:
                    for key, result in self.executor.done():
                        self._take(key, result)
                self._fill()
        finally:
            self.close()

    def close(self) -> None:
        """Let the workers go; what they had not finished is graded in the next run."""
        executor, self.executor = self.executor, None  # a second time there is nothing to let go
        if executor is not None:
            executor.close()

    def _take(self, key: str, result: Result) -> None:
        task = self.waiting[key]
        failed = grader_failed(result)
        if failed and not task.again and self.executor is not None:
            task.again = True
            self.executor.submit(key, task.submission, task.assignment, task.known)
            return
        if task.before is not None and task.turned(result) and not failed and self.executor is not None:
            task.before = None  # all of it anew
            self.executor.submit(key, task.submission, task.assignment, None)
            return
        if failed:  # it is tried again in the next run
            self.failed += len(task.jobs)
        else:
            self.journal.put(task.submission, task.assignment, result)
        del self.waiting[key]
        for job in task.jobs:
            self._done(job, key, result)


AHEAD = 64  # results that may wait to be taken


def grader_failed(result: Result) -> bool:
    """Whether it is the result of the grader's own failure, and no mark of the student's."""
    return not result.sandbox or any("the examiner's process" in why for why in result.needs_eye)
