"""Which assignment a notebook answers, and which of its notebooks it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import PurePosixPath

from examiner.grading.assignment import Assignment
from examiner.grading.parts import notebooks
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
    sender: tuple[str, ...] = ()  # the system, and the number and name that it came under there

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


def notebooks_by_name(assignments: Mapping[str, Assignment]) -> dict[str, Assignment]:
    """All notebooks that may come in: ASSIGNMENT, or ASSIGNMENT/NOTEBOOK where the assignment has several."""
    return {
        f"{name}/{part.notebook}" if assignment.parts else name: part
        for name, assignment in assignments.items()
        for part in notebooks(assignment)
    }


def by_cells(content: bytes, known: Mapping[str, Assignment]) -> list[str]:
    """Which of the `known` notebooks one is, by its cells: several where it is as much the one as the other."""
    cells = _ids_and_texts(content)
    return _best({name: likeness(cells, assignment) for name, assignment in known.items()}, SURE)


def by_name(found: Found, known: Mapping[str, Assignment]) -> list[str]:
    """The same by its name, and by the folder that is named after the assignment."""
    declared = [name for name in known if name.partition("/")[0] == found.declared]
    if len(declared) == 1:
        return declared
    stem = PurePosixPath(found.origin).stem.lower()
    named = {}
    for name in declared or known:
        title = name.rpartition("/")[2].lower()
        named[name] = SequenceMatcher(None, title, stem).ratio() + 2 * (title in stem)
    return _best(named, 0.6)


def _best(scores: Mapping[str, float], least: float) -> list[str]:
    best = max(scores.values(), default=0.0)
    return [name for name, score in scores.items() if score == best >= least]
