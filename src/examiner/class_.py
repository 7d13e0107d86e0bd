"""Grade many submissions: a journal of results, local workers, a Dask cluster. The only file that knows Dask."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import itertools
import json
import os
import platform
import secrets
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import workshop

from .files import NotPlain, read_regular
from .grade import Assignment, Limits, Mark, Result, close_nurseries, grade, without_outputs
from .sandbox import NoSandbox

LARGEST_SUBMISSION = 128 << 20  # bytes, saved outputs and all; a notebook beyond this is graded as unreadable


class ClassError(Exception):
    """Something a tutor can mend; its text says what to do."""


@dataclass(frozen=True)
class Job:
    """One student's notebook for one assignment; `path` is None where the student handed in no notebook."""

    student: str
    assignment: str
    path: Path | None
    root: Path | None = None  # below which no folder on the path's way may be a link

    def read(self) -> bytes:
        """The bytes as handed in, a large notebook without its saved outputs; empty where there is none or a link."""
        try:
            content = read_regular(self.path, LARGEST_SUBMISSION + 1, self.root) if self.path else b""
        except NotPlain:
            return b""
        return without_outputs(content) if len(content) > Limits.submission else content


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write `path` so that a reader, or a run after a crash, sees all of the new content or none of it."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:80]}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def grader_digest() -> str:
    """A hash of all that decides a mark besides submission and assignment: the grader's code and numpy's version."""
    digest = hashlib.sha256(f"{platform.python_version()} numpy {importlib.metadata.version('numpy')}".encode())
    here, helper = Path(__file__).parent, Path(workshop.__file__).parent
    names = ("grade", "linux", "messages", "sandbox", "stand_ins", "student", "watch", "wire")
    files = [here / f"{name}.py" for name in names]
    files += sorted(helper.glob("*.py"))
    for file in files:
        if file.exists():
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


@dataclass(frozen=True)
class Marking:
    """Hashes of what in an assignment can change a mark: not its texts, nor its marking guides."""

    cells: str  # what student code runs among
    tests: dict[str, str]  # each test cell by itself, by grade_id


_markings: dict[tuple[str, str], Marking] = {}


def marking(assignment: Assignment) -> Marking:
    """What decides the marks of an assignment."""
    known = _markings.get((assignment.name, assignment.digest))
    if known is None:
        parts, tests = [assignment.name], {}
        for cell in assignment.cells:
            if cell.kind == "test":
                tests[cell.grade_id] = hashlib.sha256(repr((cell.points, cell.source)).encode()).hexdigest()
                parts.append(repr((cell.grade_id, cell.question)))
            elif cell.kind not in ("text", "ungraded"):
                source = "" if cell.kind == "written" else cell.source
                parts.append(repr((cell.grade_id, cell.kind, cell.question, cell.points, source, cell.release_source)))
        known = Marking(hashlib.sha256("\0".join(parts).encode()).hexdigest(), tests)
        _markings[assignment.name, assignment.digest] = known
    return known


def course_secret(folder: Path) -> bytes:
    """The course's secret, from which fresh problems are drawn; made on first use, readable by its owner alone."""
    path = folder / "secret"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f".secret.{os.getpid()}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(new, path)  # fails where another run was first: its secret stands
        except FileExistsError:
            pass
        except OSError:  # a disk without hard links
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)
    return path.read_bytes().strip()


class Journal:
    """Results on disk, each known by its submission, assignment, grader, secret and limits.

    A result is one file, written whole or not at all, so a run that is killed at any moment loses only what was
    being graded, and the next run goes on from there. A file that can't be read counts as not there.
    """

    def __init__(self, folder: Path, secret: bytes, limits: Limits, grader: str | None = None):
        self.folder = folder
        common = f"{grader or grader_digest()}\0{limits!r}\0{hashlib.sha256(secret).hexdigest()}"
        self._common = hashlib.sha256(common.encode()).hexdigest()

    def key(self, submission: bytes, assignment: Assignment) -> str:
        """The key of a submission's result: another one as soon as anything changes that a mark depends on."""
        tests = repr(sorted(marking(assignment).tests.items()))
        return hashlib.sha256(f"{self._path(submission, assignment).stem}\0{tests}".encode()).hexdigest()

    def _path(self, submission: bytes, assignment: Assignment) -> Path:
        digest = hashlib.sha256(submission).hexdigest()
        whole = f"{digest}\0{marking(assignment).cells}\0{self._common}"
        name = hashlib.sha256(whole.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.json"

    def get(self, submission: bytes, assignment: Assignment) -> tuple[Result | None, list[str]]:
        """The result of an earlier run, or None, and the tests that are other ones since."""
        path = self._path(submission, assignment)
        try:
            record = json.loads(path.read_bytes())
            check = hashlib.sha256(f"{path.stem}{record['tests']}{record['result']}".encode()).hexdigest()
            if record["check"] != check:
                return None, []
            tests = json.loads(record["tests"])
            changed = [name for name, digest in marking(assignment).tests.items() if tests.get(name) != digest]
            return Result.from_json(record["result"]), changed
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None, []

    def put(self, submission: bytes, assignment: Assignment, result: Result) -> None:
        """Keep a result."""
        path, text, tests = self._path(submission, assignment), result.to_json(), json.dumps(marking(assignment).tests)
        check = hashlib.sha256(f"{path.stem}{tests}{text}".encode()).hexdigest()
        write_atomically(path, json.dumps({"check": check, "tests": tests, "result": text}))

    def forget(self, submission: bytes, assignment: Assignment) -> None:
        """Have it graded anew."""
        self._path(submission, assignment).unlink(missing_ok=True)


def failed_result(submission: bytes, assignment: Assignment, why: str) -> Result:
    """The result of a submission that the grader could not grade: no marks, and a person must look."""
    marks = tuple(
        Mark(
            grade_id=cell.grade_id,
            question=cell.question,
            points=cell.points,
            score=None if cell.kind == "written" else 0.0,
            message="" if cell.kind == "written" else why,
            mistake=None,
            seconds=0.0,
        )
        for cell in assignment.cells
        if cell.kind in ("test", "written")
    )
    return Result(
        assignment=assignment.name,
        marks=marks,
        notes=(why,),
        needs_eye=(why,),
        sandbox="",
        seed=0,
        digest=hashlib.sha256(submission).hexdigest(),
        seconds=0.0,
        cells=(),
    )


def unjudged_result(assignment: Assignment, why: str) -> Result:
    """The result of a submission whose marks a person must give, for a reason that is no student's fault."""
    result = failed_result(b"", assignment, why)
    return replace(result, marks=tuple(replace(mark, score=None) for mark in result.marks))


def no_submission(assignment: Assignment) -> Result:
    """The result of a student who handed in no notebook for this assignment: zero for every question."""
    result = failed_result(b"", assignment, "No notebook was handed in.")
    return replace(result, marks=tuple(replace(mark, score=0.0) for mark in result.marks))


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

    def start() -> _Local | _Cluster:
        return _Cluster(scheduler, arguments) if scheduler else _Local(workers, arguments)

    return Grading(iter(jobs), assignments, journal, start, progress)


class Grading:
    """One run over a class: its results, each as soon as there is one. `close` breaks it off."""

    def __init__(
        self,
        jobs: Iterator[Job],
        assignments: Mapping[str, Assignment],
        journal: Journal,
        start: Callable[[], _Local | _Cluster],
        progress: Progress,
    ) -> None:
        self.jobs, self.assignments, self.journal = jobs, assignments, journal
        self.start, self.progress = start, progress
        self.executor: _Local | _Cluster | None = None
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


class _Local:
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
            close_nurseries()
        self.pool.shutdown(wait=True)


def available_cores() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# --- a Dask cluster ---


class _Mismatch(Exception):
    """The worker's grader is not ours."""


def grader_versions() -> dict[str, str]:
    """What must be the same on every machine for marks to be the same."""
    packages = ("numpy", "statml-workshop")
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "grader": grader_digest()[:16],
        **{name: importlib.metadata.version(name) for name in packages},
    }


What = tuple[bytes, Assignment, bytes, Limits, str, tuple[str, ...], "Result | None"]  # the arguments of grade()


def _grade_on_worker(what: What, versions: dict[str, str]) -> str:
    """Grade on a Dask worker: in a child of the worker, which in turn runs the student's code in its sandbox."""
    if grader_versions() != versions:
        raise _Mismatch(f"this worker has {grader_versions()}, the tutor's machine {versions}")
    child: _Child | None = getattr(_children, "child", None)
    if child is None or not child.alive():
        child = _children.child = _Child()
    return child.grade(what)


_children = threading.local()


class _Child:
    """One grading process for each thread of a worker, spoken to over its standard input and output."""

    def __init__(self) -> None:
        import subprocess

        self.process = subprocess.Popen(
            [sys.executable, "-m", "examiner.class_"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def alive(self) -> bool:
        return self.process.poll() is None

    def grade(self, what: What) -> str:
        import pickle

        assert self.process.stdin is not None and self.process.stdout is not None
        message = pickle.dumps(what)
        try:
            self.process.stdin.write(len(message).to_bytes(8, "big") + message)
            self.process.stdin.flush()
            length = self.process.stdout.read(8)
            answer = self.process.stdout.read(int.from_bytes(length, "big")) if len(length) == 8 else b""
        except BrokenPipeError:
            answer = b""
        if answer.startswith(b"refused: "):
            raise NoSandbox(answer.decode().removeprefix("refused: "))
        if not answer:
            self.process.kill()
            why = "The grader's own process was ended while it graded this submission."
            return failed_result(what[0], what[1], why).to_json()
        return answer.decode()


def _serve_grades() -> None:
    """The child's main loop: pickled arguments from the worker (who is trusted) in, a result as JSON out."""
    import pickle

    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing but results may go to the worker
    while len(length := source.read(8)) == 8:
        what: What = pickle.loads(source.read(int.from_bytes(length, "big")))
        try:
            answer = grade(*what).to_json().encode()
        except NoSandbox as error:
            answer = f"refused: {error}".encode()
        except Exception as error:
            answer = (
                failed_result(what[0], what[1], f"The grader itself failed on this one: {error!r}.").to_json().encode()
            )
        sink.write(len(answer).to_bytes(8, "big") + answer)
        sink.flush()


async def _find_scheduler(address: str) -> None:
    """Raise an OSError or a ValueError where no scheduler answers; a Client waits long for what is none."""
    from distributed.core import rpc

    try:
        async with asyncio.timeout(10), rpc(address, timeout=10) as found:
            kind = (await found.identity())["type"]
    except TimeoutError:
        raise OSError("nothing came within 10 seconds") from None
    if kind != "Scheduler":
        raise ValueError(f"a {kind.lower()} answers there")


class _Cluster:
    """The workers of a Dask cluster. No shared disk: submissions and results travel. A lost worker's are redone."""

    def __init__(self, address: str, arguments: tuple[bytes, Limits, str, tuple[str, ...]]):
        try:
            from distributed import Client, as_completed
        except ImportError as error:
            raise ClassError("--scheduler needs dask.distributed: pip install distributed") from error
        try:
            asyncio.run(_find_scheduler(address))
            self.client: Any = Client(address, timeout="10s", set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClassError(
                f"No Dask scheduler answers at {address!r} ({error}). Give the address that `dask scheduler` prints, "
                "as in tcp://10.0.0.5:8786, and see that this machine may connect to it."
            ) from error
        self.arguments, self.versions = arguments, grader_versions()
        self.numbers = itertools.count()
        self.running: dict[Any, tuple[str, bytes, Assignment]] = {}
        self.finished: Any = as_completed(loop=self.client.loop)
        try:
            self._check_workers()
        except BaseException:
            self.client.close()
            raise

    def _check_workers(self) -> None:
        if not self.client.scheduler_info(n_workers=-1)["workers"]:
            raise ClassError("The Dask scheduler has no workers yet. Start some with `dask worker ADDRESS`.")
        try:
            found = self.client.run(grader_versions, on_error="return")
        except Exception as error:
            found = {"the cluster": error}
        wrong = {worker: versions for worker, versions in found.items() if versions != self.versions}
        if wrong:
            lines = "\n".join(f"  {worker}: {versions}" for worker, versions in wrong.items())
            raise ClassError(
                f"These workers would not grade as this machine does ({self.versions}):\n{lines}\n"
                "Install the same requirements.lock and the same version of this repository on them."
            )

    def threads(self) -> int:
        return max(1, sum(self.client.nthreads().values()))

    def submit(self, key: str, submission: bytes, assignment: Assignment, known: Result | None) -> None:
        what = (submission, assignment, *self.arguments, known)
        name = f"grade-{key}-{next(self.numbers)}"  # a second try is no old result
        future = self.client.submit(_grade_on_worker, what, self.versions, key=name, retries=2)
        self.running[future] = (key, submission, assignment)
        self.finished.add(future)

    def full(self) -> bool:
        return len(self.running) >= 4 * self.threads()

    def done(self) -> Iterator[tuple[str, Result]]:
        future = next(self.finished)
        key, submission, assignment = self.running.pop(future)
        try:
            result = Result.from_json(future.result())
        except _Mismatch as error:
            raise ClassError(f"A worker would not grade as this machine does: {error}.") from None
        except NoSandbox as error:
            raise ClassError(f"A worker can't shut student code in: {error}") from None
        except CancelledError:
            raise ClassError(
                "The connection to the Dask scheduler was lost. What was graded is kept; run again to go on."
            ) from None
        except Exception as error:
            result = failed_result(submission, assignment, f"The cluster could not grade this submission: {error!r}.")
        yield key, result

    def close(self) -> None:
        self.client.cancel(list(self.running))
        self.client.close()


if __name__ == "__main__":
    _serve_grades()
