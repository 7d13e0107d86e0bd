"""Which assignment a notebook answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import PurePosixPath

from examiner.grading.assignment import Assignment
from examiner.grading.submission import Unreadable, read_submission


@dataclass(frozen=True)
class Found:
    """A notebook whose student is known."""

    student: str
    origin: str
    content: bytes = b""
    timestamp: datetime | None = None
    late: bool = False  # the learning-management system says so
    attempt: int = 0
    declared: str = ""  # the assignment where the folders tell it
    dated: float = 0.0

    @property
    def order(self) -> list[float]:
        """What tells which of two attempts is the newer: the time, the attempt's number, the date in the zip."""
        return [self.timestamp.replace(tzinfo=UTC).timestamp() if self.timestamp else 0.0, self.attempt, self.dated]


IdsAndTexts = tuple[set[str], set[str]]


def likeness(cells: IdsAndTexts, assignment: Assignment) -> float:
    """How much a notebook is a copy of an assignment's release: the share of its cells that are found, 0 to 1."""
    ids, texts = cells
    known = [cell for cell in assignment.cells if cell.kind != "text"]
    if not known:
        return 0.0
    hits = sum(
        1.0 if cell.grade_id in ids and _squeezed(cell.release_source) in texts
        else 0.9 if _squeezed(cell.release_source) in texts
        else 0.5 if cell.grade_id in ids
        else 0.0
        for cell in known
    )  # fmt: skip
    return hits / len(known)


SURE = 0.15  # a notebook less like an assignment's release is not known by its cells


def worked_on(content: bytes, assignment: Assignment) -> tuple[bool, int]:
    """Whether a notebook is a copy of the release, and then how many answers are no longer as they were handed out."""
    cells = _ids_and_texts(content)
    if likeness(cells, assignment) < SURE:
        return False, 0
    asked = [cell for cell in assignment.cells if cell.kind in ("solution", "written")]
    return True, sum(_squeezed(cell.release_source) not in cells[1] for cell in asked)


@lru_cache(maxsize=1)  # a notebook is first asked for its assignment, then for how much of it was worked on
def _ids_and_texts(content: bytes) -> IdsAndTexts:
    """The grade_ids and the texts without spaces of a notebook's cells; none where it is no notebook."""
    try:
        cells, _ = read_submission(content)
    except Unreadable:
        return set(), set()
    return {cell.claims for cell in cells if cell.claims}, {_squeezed(cell.source) for cell in cells}


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def assignment_by_cells(content: bytes, assignments: Mapping[str, Assignment]) -> str | None:
    cells = _ids_and_texts(content)
    scores = {name: likeness(cells, assignment) for name, assignment in assignments.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= SURE else None


def assignment_by_name(found: Found, assignments: Mapping[str, Assignment]) -> str | None:
    if found.declared in assignments:
        return found.declared
    stem = PurePosixPath(found.origin).stem.lower()
    named = {
        name: SequenceMatcher(None, name.lower(), stem).ratio() + 2 * (name.lower() in stem) for name in assignments
    }
    best = max(named, key=lambda name: named[name])
    return best if named[best] >= 0.6 else None
