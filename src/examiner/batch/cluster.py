"""Workers on a Dask cluster."""

from __future__ import annotations

import asyncio
import importlib.metadata
import itertools
import os
import platform
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

from examiner.batch.job import ClassError, failed_result
from examiner.batch.journal import grader_digest
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.grade import grade
from examiner.grading.result import Result
from examiner.isolation.sandbox import NoSandbox


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
            [sys.executable, "-m", "examiner.batch.cluster"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
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


class Cluster:
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
