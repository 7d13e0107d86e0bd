"""An assignment of several notebooks: each is graded by itself, and all are one submission with one result.

In what is of the whole, a cell's name has its notebook's before it: `problem1/test_mean`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from examiner.grading.assignment import Assignment, Cell
from examiner.grading.result import CellOutput, Mark, Result


def whole(name: str, parts: Sequence[Assignment]) -> Assignment:
    """The assignment that these notebooks are together; a single one is that itself."""
    if len(parts) == 1:
        return parts[0]
    cells: list[Cell] = []
    for part in parts:
        first = len(cells)
        cells += [_within(part.notebook, cell, first) for cell in part.cells]
    digest = hashlib.sha256("\0".join(part.notebook + part.digest for part in parts).encode()).hexdigest()
    return Assignment(name, tuple(cells), digest, parts=tuple(parts))


def notebooks(assignment: Assignment) -> tuple[Assignment, ...]:
    """The notebooks of an assignment, each as one by itself."""
    return assignment.parts or (assignment,)


def _within(notebook: str, cell: Cell, first: int) -> Cell:
    """A cell as one of the whole, in which its notebook's cells begin with number `first`."""
    return replace(
        cell,
        grade_id=f"{notebook}/{cell.grade_id}" if cell.grade_id else "",
        question=f"{notebook}/{cell.question}" if cell.question else "",
        shares=replace(cell.shares, tests=tuple(first + number for number in cell.shares.tests)),
    )


def bundled(contents: Mapping[str, bytes]) -> bytes:
    """The bytes of several notebooks, by name, as those of one submission."""
    return json.dumps({name: content.decode("latin-1") for name, content in contents.items()}).encode()


def unbundled(submission: bytes) -> dict[str, bytes]:
    """The notebooks of a submission, by name."""
    contents: dict[str, str] = json.loads(submission or b"{}")
    return {name: content.encode("latin-1") for name, content in contents.items()}


def together(assignment: Assignment, submission: bytes, results: Mapping[str, Result]) -> Result:
    """The result of a submission from those of its notebooks, by name."""
    marks: list[Mark] = []
    cells: list[CellOutput] = []
    notes: list[str] = []
    eyes: list[str] = []
    for name, result in results.items():
        marks += [replace(m, grade_id=f"{name}/{m.grade_id}", question=f"{name}/{m.question}") for m in result.marks]
        cells += [replace(c, grade_id=c.grade_id and f"{name}/{c.grade_id}") for c in result.cells]
        notes += [f"{name}: {note}" for note in result.notes]
        known = {mark.grade_id for mark in result.marks}
        eyes += [f"{name}{'/' if why.split(':')[0] in known else ': '}{why}" for why in result.needs_eye]
    first = next(iter(results.values()))
    return Result(
        assignment.name,
        tuple(marks),
        tuple(notes),
        tuple(eyes),
        next((result.sandbox for result in results.values() if result.sandbox), ""),
        first.seed,
        hashlib.sha256(submission).hexdigest(),
        round(sum(result.seconds for result in results.values()), 6),
        tuple(cells),
    )


def of_notebook(result: Result, part: Assignment) -> Result:
    """What a result says of one notebook, by its own names."""
    if not part.of_several:
        return result
    before = f"{part.notebook}/"

    def own(text: str) -> str:
        return text.removeprefix(before)

    marks = [m for m in result.marks if m.grade_id.startswith(before)]
    order = [cell.grade_id for cell in result.cells]
    mine = [i for i, name in enumerate(order) if name and name.startswith(before)]
    others = [i for i, name in enumerate(order) if name and not name.startswith(before)]
    first = max((i + 1 for i in others if mine and i < mine[0]), default=0)
    last = min((i for i in others if mine and i > mine[-1]), default=len(order))
    shown = result.cells[first:last] if mine else ()
    about = f"{part.notebook}: "
    return replace(
        result,
        marks=tuple(replace(m, grade_id=own(m.grade_id), question=own(m.question)) for m in marks),
        notes=tuple(note.removeprefix(about) for note in result.notes if note.startswith(about)),
        needs_eye=tuple(
            why.removeprefix(about).removeprefix(before) for why in result.needs_eye if why.startswith((about, before))
        ),
        cells=tuple(replace(c, grade_id=c.grade_id and own(c.grade_id)) for c in shown),
    )
