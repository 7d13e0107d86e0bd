"""Grade many submissions: a journal of results, local workers, a Dask cluster. The only file that knows Dask."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import platform
import secrets
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import workshop

from .grade import Assignment, Limits, Mark, Result, grade
from .sandbox import NoSandbox

LARGEST_SUBMISSION = 32 * 1024 * 1024  # bytes; a notebook beyond this is graded as unreadable


class ClassError(Exception):
    """Something a tutor can mend; its text says what to do."""


@dataclass(frozen=True)
class Job:
    """One student's notebook for one assignment; `path` is None where the student handed in no notebook."""

    student: str
    assignment: str
    path: Path | None

    def read(self) -> bytes:
        """The bytes as handed in, cut after LARGEST_SUBMISSION; empty where there is no notebook."""
        if self.path is None:
            return b""
        with open(self.path, "rb") as file:
            return file.read(LARGEST_SUBMISSION + 1)


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
    files = [here / f"{name}.py" for name in ("grade", "sandbox", "stand_ins", "student", "wire")]
    files += sorted(helper.glob("*.py"))
    for file in files:
        if file.exists():
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


_marking_digests: dict[tuple[str, str], str] = {}


def marking_digest(assignment: Assignment) -> str:
    """A hash of what in an assignment can change a mark: not its texts, nor its marking guides."""
    known = _marking_digests.get((assignment.name, assignment.digest))
    if known is None:
        parts = [assignment.name]
        for cell in assignment.cells:
            if cell.kind not in ("text", "ungraded"):
                source = "" if cell.kind == "written" else cell.source
                parts.append(repr((cell.grade_id, cell.kind, cell.question, cell.points, source, cell.release_source)))
        known = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        _marking_digests[assignment.name, assignment.digest] = known
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
    """Results on disk, each under a key made of its submission, assignment, grader, secret and limits.

    A result is one file, written whole or not at all, so a run that is killed at any moment loses only what was
    being graded, and the next run goes on from there. A file that can't be read counts as not there.
    """

    def __init__(self, folder: Path, secret: bytes, limits: Limits, grader: str | None = None):
        self.folder = folder
        common = f"{grader or grader_digest()}\0{limits!r}\0{hashlib.sha256(secret).hexdigest()}"
        self._common = hashlib.sha256(common.encode()).hexdigest()

    def key(self, submission: bytes, assignment: Assignment) -> str:
        """The key of a submission's result."""
        digest = hashlib.sha256(submission).hexdigest()
        return hashlib.sha256(f"{digest}\0{marking_digest(assignment)}\0{self._common}".encode()).hexdigest()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def get(self, key: str) -> Result | None:
        """The result under `key`, or None."""
        try:
            record = json.loads(self._path(key).read_bytes())
            if record["key"] != key or record["check"] != hashlib.sha256(record["result"].encode()).hexdigest():
                return None
            return Result.from_json(record["result"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def put(self, key: str, result: Result) -> None:
        """Keep `result` under `key`."""
        text = result.to_json()
        check = hashlib.sha256(text.encode()).hexdigest()
        write_atomically(self._path(key), json.dumps({"key": key, "check": check, "result": text}))


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


def no_submission(assignment: Assignment) -> Result:
    """The result of a student who handed in no notebook for this assignment: zero for every question."""
    result = failed_result(b"", assignment, "No notebook was handed in.")
    return replace(result, marks=tuple(replace(mark, score=0.0) for mark in result.marks))


def _die_with_parent() -> None:
    """In a worker: end this process when the process that started it ends, however it ends."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass
class _Task:
    """A submission to be graded, and the jobs (students) that handed in exactly these bytes."""

    key: str
    jobs: list[Job]
    attempts: int = 0


Progress = Callable[[str, Job], None]  # called with "start" or "done" and the job


def grade_class(
    jobs: Iterable[Job],
    assignments: Mapping[str, Assignment],
    secret: bytes,
    journal: Journal,
    *,
    limits: Limits | None = None,
    sandbox: str = "auto",
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress = lambda event, job: None,
) -> Iterator[tuple[Job, str, Result]]:
    """Each job with its key and its result, in the order in which they are done; every job comes exactly once.

    What the journal holds is not graded again. `workers` processes (default: the processors this process may use)
    grade side by side, or the workers of the Dask cluster at `scheduler`, a few submissions ahead of each.
    """
    limits = limits or Limits()
    executor: _Local | _Cluster | None = None
    waiting: dict[str, _Task] = {}
    try:
        for job in jobs:
            if job.path is None:
                result = no_submission(assignments[job.assignment])
                progress("done", job)
                yield job, journal.key(b"", assignments[job.assignment]), result
                continue
            submission, assignment = job.read(), assignments[job.assignment]
            key = journal.key(submission, assignment)
            known = journal.get(key)
            if known is not None:
                progress("done", job)
                yield job, key, known
            elif key in waiting:
                waiting[key].jobs.append(job)
            else:
                if executor is None:
                    arguments = (secret, limits, sandbox)
                    executor = _Cluster(scheduler, arguments) if scheduler else _Local(workers, arguments)
                waiting[key] = _Task(key, [job])
                progress("start", job)
                executor.submit(key, submission, assignment)
                while executor.full():
                    yield from _finish(executor, waiting, journal, progress)
        while executor is not None and waiting:
            yield from _finish(executor, waiting, journal, progress)
    finally:
        if executor is not None:
            executor.close()


def _finish(
    executor: _Local | _Cluster, waiting: dict[str, _Task], journal: Journal, progress: Progress
) -> Iterator[tuple[Job, str, Result]]:
    for key, result in executor.done():
        task = waiting.pop(key)
        if not _failed_in_the_machinery(result):  # such a one is tried again in the next run
            journal.put(key, result)
        for job in task.jobs:
            progress("done", job)
            yield job, key, result


def _failed_in_the_machinery(result: Result) -> bool:
    return not result.sandbox or any("the examiner's process" in why for why in result.needs_eye)


class _Local:
    """Worker processes on this machine. One that dies takes only its own submission with it, tried once more alone."""

    def __init__(self, workers: int | None, arguments: tuple[bytes, Limits, str]):
        self.workers = workers or available_cores()
        self.arguments = arguments
        self.pool: ProcessPoolExecutor | None = None
        self.running: dict[Future[Result], tuple[str, bytes, Assignment]] = {}
        self.again: list[tuple[str, bytes, Assignment]] = []

    def _start(self, key: str, submission: bytes, assignment: Assignment) -> None:
        for _ in range(2):
            if self.pool is None:
                context = multiprocessing.get_context("spawn")
                self.pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_die_with_parent)
            try:
                future = self.pool.submit(grade, submission, assignment, *self.arguments)
            except BrokenProcessPool:  # broken by another submission; that one is dealt with in done()
                self.pool = None
                continue
            self.running[future] = (key, submission, assignment)
            return
        raise ClassError("The grading processes end as soon as they are started. Is there memory left?")

    def submit(self, key: str, submission: bytes, assignment: Assignment) -> None:
        self._start(key, submission, assignment)

    def full(self) -> bool:
        return len(self.running) + len(self.again) >= 2 * self.workers

    def done(self) -> Iterator[tuple[str, Result]]:
        if self.running:
            finished, _ = wait(self.running, return_when=FIRST_COMPLETED)
            for future in finished:
                task = self.running.pop(future)
                try:
                    yield task[0], future.result()
                except BrokenProcessPool:
                    self.pool = None
                    self.again.append(task)
                except NoSandbox as error:
                    raise ClassError(str(error)) from None
                except Exception as error:  # grade() promises not to raise; if it does, the others go on
                    yield task[0], failed_result(task[1], task[2], f"The grader itself failed on this one: {error!r}.")
            return
        while self.again:  # each by itself, so that the guilty one is known
            key, submission, assignment = self.again.pop()
            self._start(key, submission, assignment)
            (future,) = self.running
            try:
                result = future.result()
            except BrokenProcessPool:
                self.pool = None
                result = failed_result(
                    submission, assignment, "The grader's own process was ended while it graded this submission."
                )
            except Exception as error:
                result = failed_result(submission, assignment, f"The grader itself failed on this one: {error!r}.")
            del self.running[future]
            yield key, result

    def close(self) -> None:
        if self.pool is not None:
            for future in self.running:
                future.cancel()
            self.pool.shutdown(wait=True, cancel_futures=True)


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


def _grade_on_worker(
    submission: bytes, assignment: Assignment, secret: bytes, limits: Limits, sandbox: str, versions: dict[str, str]
) -> str:
    """Grade on a Dask worker: in a child of the worker, which in turn runs the student's code in its sandbox."""
    if grader_versions() != versions:
        raise _Mismatch(f"this worker has {grader_versions()}, the tutor's machine {versions}")
    return _worker_child(secret, limits, sandbox).grade(submission, assignment)


_children = threading.local()


def _worker_child(secret: bytes, limits: Limits, sandbox: str) -> _Child:
    child: _Child | None = getattr(_children, "child", None)
    if child is None or not child.alive():
        child = _children.child = _Child()
    child.settings = (secret, limits, sandbox)
    return child


class _Child:
    """One grading process for each thread of a worker, spoken to over its standard input and output."""

    settings: tuple[bytes, Limits, str]

    def __init__(self) -> None:
        import subprocess

        self.process = subprocess.Popen(
            [sys.executable, "-m", "examiner.class_"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def alive(self) -> bool:
        return self.process.poll() is None

    def grade(self, submission: bytes, assignment: Assignment) -> str:
        import pickle

        assert self.process.stdin is not None and self.process.stdout is not None
        message = pickle.dumps((submission, assignment, *self.settings))
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
            return failed_result(submission, assignment, why).to_json()
        return answer.decode()


def _serve_grades() -> None:
    """The child's main loop: pickled arguments from the worker (who is trusted) in, a result as JSON out."""
    import pickle

    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing but results may go to the worker
    while len(length := source.read(8)) == 8:
        submission, assignment, secret, limits, sandbox = pickle.loads(source.read(int.from_bytes(length, "big")))
        try:
            answer = grade(submission, assignment, secret, limits, sandbox).to_json().encode()
        except NoSandbox as error:
            answer = f"refused: {error}".encode()
        except Exception as error:
            why = f"The grader itself failed on this one: {error!r}."
            answer = failed_result(submission, assignment, why).to_json().encode()
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

    def __init__(self, address: str, arguments: tuple[bytes, Limits, str]):
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

    def submit(self, key: str, submission: bytes, assignment: Assignment) -> None:
        future = self.client.submit(
            _grade_on_worker, submission, assignment, *self.arguments, self.versions, key=f"grade-{key}", retries=2
        )
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
