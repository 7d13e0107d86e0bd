"""Results that are kept: a killed run goes on, and what has not changed is not graded again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

import workshop
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.result import Result
from examiner.isolation.files import write_atomically


def grader_digest() -> str:
    """A hash of all that decides a mark besides submission and assignment: the grader's code and numpy's version."""
    digest = hashlib.sha256(f"{platform.python_version()} numpy {importlib.metadata.version('numpy')}".encode())
    here = Path(__file__).parents[1]
    folders = (here / "isolation", here / "grading", here / "notebooks", Path(workshop.__file__).parent)
    files = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    for file in files:
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
        parts, tests = [assignment.name, *["one process"] * assignment.one_process], {}
        for cell in assignment.cells:
            if cell.kind == "test":
                others = [assignment.cells[number].source for number in cell.shares.tests]
                whole = repr((cell.points, cell.source, *others))
                tests[cell.grade_id] = hashlib.sha256(whole.encode()).hexdigest()
                parts.append(repr((cell.grade_id, cell.question)))
            elif cell.kind not in ("text", "ungraded"):
                source = "" if cell.kind == "written" else cell.source
                parts.append(repr((cell.grade_id, cell.kind, cell.question, cell.points, source, cell.release_source)))
        known = Marking(hashlib.sha256("\0".join(parts).encode()).hexdigest(), tests)
        _markings[assignment.name, assignment.digest] = known
    return known


def course_secret(folder: Path) -> bytes:
    """The course's secret, from which fresh problems are drawn; made on first use.

    Its owner alone may read it; where a group may write to the folder, several tutors grade, and so may they.
    """
    path = folder / "secret"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f".secret.{os.getpid()}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if folder.stat().st_mode & stat.S_IWGRP:
                os.fchmod(descriptor, 0o660)
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
