"""A submission to grade, where it lies, and the error that a tutor reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from examiner.grading.assignment import Assignment, Limits
from examiner.grading.parts import bundled
from examiner.grading.result import Mark, Result
from examiner.grading.submission import without_outputs
from examiner.isolation.files import NotPlain, read_regular

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
    notebooks: tuple[tuple[str, Path], ...] = ()  # by name, where the assignment has several; `path` is one of them

    def read(self) -> bytes:
        """The bytes as handed in, a large notebook without its saved outputs; empty where there is none or a link."""
        if self.notebooks:
            return bundled({name: self._read(path) for name, path in self.notebooks})
        return self._read(self.path)

    def _read(self, path: Path | None) -> bytes:
        try:
            content = read_regular(path, LARGEST_SUBMISSION + 1, self.root) if path else b""
        except NotPlain:
            return b""
        return without_outputs(content) if len(content) > Limits.submission else content


def failed_result(submission: bytes, assignment: Assignment, why: str) -> Result:
    """The result of a submission that the grader could not grade: no marks, and a person must look."""
    marks = tuple(
        Mark(cell.grade_id, cell.question, cell.points, *((None, "") if cell.by_hand else (0.0, why)))
        for cell in assignment.graded
    )
    digest = hashlib.sha256(submission).hexdigest()
    return Result(assignment.name, marks, (why,), (why,), "", 0, digest, 0.0)


def no_submission(assignment: Assignment) -> Result:
    """The result of a student who handed in no notebook for this assignment: zero for every question."""
    result = failed_result(b"", assignment, "No notebook was handed in.")
    return replace(result, marks=tuple(replace(mark, score=0.0) for mark in result.marks))
