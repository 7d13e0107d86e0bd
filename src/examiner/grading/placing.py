"""A submission's cells beside the source's: which is the answer to which question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher

from examiner.grading.assignment import Assignment, Cell
from examiner.grading.result import Result
from examiner.grading.source import top_level_names
from examiner.grading.submission import Submitted


@dataclass(frozen=True)
class Placed:
    """A cell of the restored notebook: from the submission (`index`), from the source (`cell`), or both."""

    index: int | None
    cell: Cell | None
    submitted: Submitted | None

    @property
    def kind(self) -> str:
        """The source cell's kind, or "own" for a student's own cell."""
        return self.cell.kind if self.cell else "own"


def place(cells: list[Submitted], assignment: Assignment) -> tuple[list[Placed], list[str]]:
    """The restored notebook: the student's cells in their order, and every cell of the source where it belongs.

    Cells are known by their grade_id; where that is lost, by their text, by the function they define, or by what
    stands before and after them. Copies of a test cell go, missing cells come back.
    """
    notes: list[str] = []
    defined = _definitions(cells)
    match = _by_id(cells, assignment, defined, notes)
    _by_text(cells, assignment, match, defined, notes)
    at: dict[int, int] = {number: index for index, number in match.items() if number >= 0}
    placed = [
        Placed(i, assignment.cells[match[i]] if match.get(i, -1) >= 0 else None, cell)
        for i, cell in enumerate(cells)
        if match.get(i, -1) != _COPY
    ]
    before = -1  # the position of the last source cell that is in place
    for number, cell in enumerate(assignment.cells):
        if number in at:
            found = next(i for i, p in enumerate(placed) if p.index == at[number])
            if cell.kind == "test" and found <= before < len(placed) and _question_at(placed, cell) > found:
                placed.insert(before, placed.pop(found))
                notes.append(f"the test cell {cell.grade_id} stood before its answer; it was moved behind it")
                found = before
            before = max(before, found) if cell.kind in ("solution", "test") else found
        elif cell.grade_id:
            above = placed[before].cell if before >= 0 else None
            before += 1
            answered = cell.kind == "test" or (above is not None and above.kind == "written")
            while answered and before < len(placed) and placed[before].cell is None:
                before += 1  # the answer may be in a cell of the student's own, and stays next to its box
            placed.insert(before, Placed(None, cell, None))
            if cell.kind != "ungraded":
                notes.append(f"the cell {cell.grade_id} was missing; it was put back")
    return placed, notes


_COPY = -2


def _question_at(placed: list[Placed], test: Cell) -> int:
    return max((i for i, p in enumerate(placed) if p.cell and p.cell.grade_id == test.question), default=-1)


MOST_READ = 500_000  # characters of a submission in which answers are looked for
Defined = Callable[[int], set[str]]


def _definitions(cells: list[Submitted]) -> Defined:
    """What the code cell of a number defines; nothing once too much has been read."""
    known: dict[int, set[str]] = {}
    left = MOST_READ

    def defined(index: int) -> set[str]:
        nonlocal left
        if index not in known:
            code = cells[index].cell_type == "code"
            left -= len(cells[index].source) if code else 0
            known[index] = set(top_level_names(cells[index].source)) if code and left >= 0 else set()
        return known[index]

    return defined


def _by_id(cells: list[Submitted], assignment: Assignment, defined: Defined, notes: list[str]) -> dict[int, int]:
    """Which submitted cell is which source cell, by the grade_id it claims: {index: number, or _COPY}."""
    numbers = {cell.grade_id: number for number, cell in enumerate(assignment.cells) if cell.grade_id}
    answers = {name for cell in assignment.cells for name in cell.defines}
    claimed: dict[int, list[int]] = {}
    for index, submitted in enumerate(cells):
        if submitted.claims in numbers:
            number = numbers[submitted.claims]
            cell = assignment.cells[number]
            locked = cell.kind in ("test", "setup", "tools", "ungraded") and submitted.cell_type == "code"
            changed = locked and submitted.source != cell.release_source
            if changed and answers & defined(index):
                notes.append(f"an answer stood in the locked cell {cell.grade_id}; it was run as a cell of its own")
                continue
            claimed.setdefault(number, []).append(index)
            if submitted.cell_type != cell.cell_type:
                notes.append(f"the cell {cell.grade_id} had become {submitted.cell_type}; it is {cell.cell_type} again")
            if cell.points and submitted.points is not None and submitted.points != cell.points:
                notes.append(
                    f"the points of the cell {cell.grade_id} are not those of the notebook handed in; the source's hold"
                )
    match: dict[int, int] = {}
    for number, indices in claimed.items():
        cell = assignment.cells[number]
        chosen = indices[0]
        if cell.kind in ("solution", "written"):
            written = [i for i in indices if normalised(cells[i].source) != normalised(cell.release_source)]
            chosen = (written or indices)[-1]
        elif cell.kind == "test":
            answer = max(claimed.get(numbers.get(cell.question, -1), [-1]))
            chosen = next((i for i in indices if i > answer), indices[-1])
        match[chosen] = number
        if len(indices) > 1:
            notes.append(f"the cell {cell.grade_id} was there {len(indices)} times")
            if cell.kind in ("test", "setup", "tools", "ungraded"):
                match |= {i: _COPY for i in indices if i != chosen}
    return match


def _by_text(
    cells: list[Submitted], assignment: Assignment, match: dict[int, int], defined: Defined, notes: list[str]
) -> None:
    """Find the source cells that no grade_id led to, and add them to `match`."""
    taken = {number for number in match.values() if number >= 0}
    missing = [n for n, cell in enumerate(assignment.cells) if n not in taken]
    free = [i for i, cell in enumerate(cells) if i not in match]
    if not missing or not free:
        return
    texts = {i: normalised(cells[i].source) for i in free}

    def pair(number: int, index: int, how: str = "") -> None:
        match[index] = number
        missing.remove(number)
        free.remove(index)
        if how and assignment.cells[number].grade_id:
            notes.append(f"the cell {assignment.cells[number].grade_id} had lost its id; it was known by {how}")

    for number in list(missing):
        cell = assignment.cells[number]
        wanted = normalised(cell.release_source)
        same = next((i for i in free if texts[i] == wanted), None) if wanted else None
        if same is not None:
            pair(number, same, "its text" if cell.kind != "text" else "")
    for number in list(missing):
        cell = assignment.cells[number]
        if cell.kind == "solution":
            defining = [i for i in free if defined(i) & set(cell.defines)]
            if defining:
                pair(number, defining[0], f"its `{cell.defines[0]}`")
    for number in list(missing):
        cell = assignment.cells[number]
        if cell.kind != "text" and len(free) <= MOST_COMPARED:
            wanted = normalised(cell.release_source)
            near = max(((_likeness(texts[i], wanted), -i) for i in free), default=(0.0, 0))
            if near[0] > 0.7:
                pair(number, -near[1], "its text")
    for number in list(missing):
        if assignment.cells[number].kind == "written":
            between = _between(number, match, free, len(cells))
            answers = [i for i in between if cells[i].cell_type != "code" and texts[i]]
            if answers:
                pair(number, answers[0], "its place")


MOST_COMPARED = 100  # cells without an id that are compared with each missing cell


def _between(number: int, match: dict[int, int], free: list[int], end: int) -> list[int]:
    """The unclaimed cells between the neighbours of a source cell."""
    before = max((i for i, n in match.items() if 0 <= n < number), default=-1)
    after = min((i for i, n in match.items() if n > number and i > before), default=end)
    return [i for i in free if before < i < after]


def normalised(source: str) -> str:
    """A cell's text without empty lines and spaces at ends, and with stubs that don't say what is to be written."""
    lines = [line.rstrip() for line in source.strip().split("\n") if line.strip()]
    return "\n".join(STUB + "()" if line.strip().startswith(STUB) else line for line in lines)


STUB = "raise NotImplementedError"


def _likeness(one: str, other: str) -> float:
    """How much of two texts is the same, from 0 to 1, by their first lines."""
    lines = one.split("\n")[:200], other.split("\n")[:200]
    return SequenceMatcher(None, *lines, autojunk=False).ratio() if one and other else 0.0


def unanswered(assignment: Assignment, result: Result) -> set[str]:
    """The answers that are as they were given out, or missing: nbgrader's comment on them is *No response*."""
    theirs = {cell.grade_id: normalised(cell.source) for cell in result.cells if cell.grade_id}
    waits = {mark.grade_id for mark in result.marks if mark.score is None}  # as an answer below its box
    return {
        cell.grade_id
        for cell in assignment.cells
        if cell.kind in ("solution", "written")
        and (cell.grade_id not in waits or STUB in cell.release_source)
        and theirs.get(cell.grade_id) in (None, normalised(cell.release_source))
    }


def untouched_stubs(assignment: Assignment, result: Result) -> set[str]:
    """The code stubs of a notebook that came just as it was given out: nbgrader's gradebook has none of them wait."""
    given = {"", *(normalised(cell.release_source) for cell in assignment.cells)}
    locked = {cell.grade_id for cell in assignment.cells if cell.kind not in ("solution", "written")}
    if any(cell.grade_id not in locked and normalised(cell.source) not in given for cell in result.cells):
        return set()
    return {cell.grade_id for cell in assignment.cells if cell.kind == "solution" and STUB in cell.release_source}
