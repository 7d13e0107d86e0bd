"""An assignment, read from its source notebook: cells, marks, what students got, and the limits."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from examiner.grading.sharing import Shares, classes, deals_in_numbers, keeps_state, shares
from examiner.grading.source import top_level_names
from examiner.isolation import watch

BEGIN_HIDDEN, END_HIDDEN = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"  # as in nbgrader, however many # are before them
BEGIN_SOLUTION, END_SOLUTION = "BEGIN SOLUTION", "END SOLUTION"
BEGIN_GUIDE, END_GUIDE = "BEGIN MARK SCHEME", "END MARK SCHEME"


class NotForUs(ValueError):
    """A source notebook that the examiner can't mark; the message says why."""


@dataclass(frozen=True)
class Cell:
    """A cell of the source notebook."""

    grade_id: str  # "" for a text cell that nbgrader does not know
    kind: str  # "setup", "given", "solution", "test", "tools", "ungraded", "written" or "text"
    question: str  # what a test belongs to; for the other kinds the grade_id itself
    points: float
    source: str  # with answers and hidden tests: never shown to a student
    release_source: str  # what the student was given
    cell_type: str = "code"
    defines: tuple[str, ...] = ()  # the top-level functions and variables of a solution cell
    metadata: dict[str, Any] = field(default_factory=dict)  # nbgrader's, as in the source
    shares: Shares = field(default_factory=Shares)  # what a test needs beside itself

    @property
    def by_hand(self) -> bool:
        """Whether a person marks it."""
        return self.kind == "written" or (self.kind == "solution" and bool(self.metadata.get("grade")))


@dataclass(frozen=True)
class Assignment:
    """An assignment as plain, picklable data, read from its source notebook."""

    name: str
    cells: tuple[Cell, ...]
    digest: str  # sha256 of the source notebook's bytes
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)  # its own, with their special methods
    files: tuple[tuple[str, bytes], ...] = ()  # beside the source notebook: path below its folder, content
    notebook: str = ""  # the name of its notebook: the assignment's own, where none is given
    language: str = ""  # of its kernel, where the source names one
    parts: tuple[Assignment, ...] = ()  # its notebooks, where it has several (see `parts`)
    of_several: bool = False  # whether it is such a part
    numbers_only: bool = False  # whether what comes and goes in its tests is plain numbers (see `deals_in_numbers`)
    one_process: bool = False  # whether tests run among the student's cells, as stock nbgrader has it, and not apart

    def __post_init__(self) -> None:
        if not self.notebook:
            object.__setattr__(self, "notebook", self.name)

    @classmethod
    def from_notebook(cls, source_ipynb: bytes, name: str, files: Mapping[str, bytes] | None = None) -> Assignment:
        """Read the assignment `name` from the bytes of its source notebook, and the files beside it."""
        notebook = json.loads(source_ipynb)
        language = str(notebook.get("metadata", {}).get("kernelspec", {}).get("language") or "").lower()
        if language not in ("", "python"):
            raise NotForUs(f"it is written in {language}, and the examiner marks Python")
        marked = [cell.get("metadata", {}).get("nbgrader", {}) for cell in notebook["cells"]]
        questions = [meta["grade_id"] for meta in marked if meta.get("solution")]
        cells, last = [], ""
        for raw in notebook["cells"]:
            cell = _read_cell(raw, questions)
            if cell.kind == "test" and not cell.question:
                cell = replace(cell, question=last)
            last = cell.grade_id if cell.kind == "solution" else last
            cells.append(cell)
        read = [(cell.kind if cell.cell_type == "code" else "text", cell.source) for cell in cells]
        stateless = [
            path for path, content in (files or {}).items() if not (path[-3:] == ".py" and keeps_state(content))
        ]
        beside = frozenset(path.split("/")[0].removesuffix(".py") for path in stateless)
        visible = [without_region(cell.source, BEGIN_HIDDEN, END_HIDDEN) for cell in cells]
        needs = shares(read, visible, beside)
        cells = [replace(cell, shares=need) for cell, need in zip(cells, needs, strict=True)]
        digest = hashlib.sha256(source_ipynb)
        for path, content in sorted((files or {}).items()):
            digest.update(path.encode() + hashlib.sha256(content).digest())
        beside_it = tuple(sorted((files or {}).items()))
        return cls(
            name,
            tuple(cells),
            digest.hexdigest(),
            classes(read),
            beside_it,
            language=language,
            numbers_only=deals_in_numbers(read, needs),
        )

    def in_one_process(self) -> Assignment:
        """The same, its tests to run in the student's own process, within the sandbox."""
        parts = tuple(part.in_one_process() for part in self.parts)
        return replace(self, one_process=True, digest=f"{self.digest} in one process", parts=parts)

    def seed(self, submission: bytes, secret: bytes) -> int:
        """The seed of the fresh random problems of one submission: the same whenever it is graded again."""
        message = self.name.encode() + hashlib.sha256(submission).digest()
        return int.from_bytes(hmac.new(secret, message, hashlib.sha256).digest()[:8], "big")

    @property
    def graded(self) -> tuple[Cell, ...]:
        """The cells that bear marks, in the order of the notebook."""
        return tuple(cell for cell in self.cells if cell.kind == "test" or cell.by_hand)


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Seconds are the student's own processor time (see `watch`), sizes are bytes."""

    cell_seconds: float = 30.0  # one of the student's cells
    call_seconds: float = 10.0  # one call of a student's function by a test
    test_seconds: float = 30.0  # all calls of one test cell
    total_seconds: float = 300.0  # the whole submission
    memory: int = 2 << 30
    file_size: int = 32 << 20
    open_files: int = 128
    output: int = 100_000  # characters kept of one cell's printed output, and ten times as many of all cells'
    submission: int = 20 << 20  # a larger notebook is not read

    @property
    def given_up(self) -> float:
        """Seconds on the wall after which a submission is given up, however slow the machine."""
        return watch.GUARD * self.total_seconds + 30

    def to_json(self) -> str:
        """The limits as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Limits:
        """The limits that `to_json` wrote."""
        return cls(**json.loads(text))


def question_of(test_id: str, questions: Iterable[str]) -> str:
    """The longest question Q that a test belongs to: its grade_id is test_Q or starts with test_Q_; "" if none fits."""
    fits = [q for q in questions if test_id == f"test_{q}" or test_id.startswith(f"test_{q}_")]
    return max(fits, key=len, default="")


def _read_cell(raw: dict[str, Any], questions: list[str]) -> Cell:
    meta = raw.get("metadata", {}).get("nbgrader", {})
    source = raw["source"] if isinstance(raw["source"], str) else "".join(raw["source"])
    graded, solution = bool(meta.get("grade")), bool(meta.get("solution"))
    if raw["cell_type"] != "code":
        kind = "written" if graded or meta.get("task") else "text"
    elif solution:
        kind = "solution"
    elif graded:
        kind = "test"
    elif meta.get("locked") and _hidden_as_a_whole(source):
        kind = "tools"
    elif "ungraded" in raw.get("metadata", {}).get("tags", []):
        kind = "ungraded"
    else:
        kind = "setup" if meta.get("locked") else "given"
    grade_id = meta.get("grade_id", "")
    names = top_level_names(source) if kind == "solution" else []
    return Cell(
        grade_id=grade_id,
        kind=kind,
        question=question_of(grade_id, questions) if kind == "test" else grade_id,
        points=float(meta.get("points") or 0) if graded or meta.get("task") else 0.0,
        source=source,
        release_source=released(source, grade_id, kind == "written", solution),
        cell_type=raw["cell_type"],
        defines=tuple(names),
        metadata=dict(meta),
    )


def _hidden_as_a_whole(source: str) -> bool:
    """Whether students see no more of a cell than comments."""
    seen = without_region(source, BEGIN_HIDDEN, END_HIDDEN).split("\n")
    return BEGIN_HIDDEN in source and all(not line.strip() or line.lstrip().startswith("#") for line in seen)


def released(source: str, grade_id: str = "", written: bool = False, solution: bool = False) -> str:
    """A source cell as the student gets it: no hidden tests, no marking guide, no answer.

    As nbgrader does, a `solution` cell that does not say where its answer begins is an answer as a whole.
    """
    stub = "YOUR ANSWER HERE" if written else "# YOUR CODE HERE\nraise NotImplementedError()"
    if solution and BEGIN_SOLUTION not in source:
        return name_tasks(stub, grade_id)
    source = without_region(source, BEGIN_HIDDEN, END_HIDDEN)
    source = without_region(source, BEGIN_GUIDE, END_GUIDE)
    return name_tasks(without_region(source, BEGIN_SOLUTION, END_SOLUTION, stub), grade_id)


def name_tasks(source: str, grade_id: str) -> str:
    """A stub whose bare NotImplementedError says what is to be written: the function that it stands in."""
    task, lines = grade_id, []
    for line in source.split("\n"):
        if found := re.match(r"def (\w+)", line):
            task = found.group(1)
        if line.strip() == "raise NotImplementedError()":
            line = line.replace("()", f'("{task} is still to be written")')
        lines.append(line)
    return "\n".join(lines)


def without_region(source: str, begin: str, end: str, stub: str = "") -> str:
    lines: list[str] = []
    inside = False
    for line in source.split("\n"):
        if begin in line:
            inside = True
            if stub:
                indent = re.match(r"\s*", line).group()  # type: ignore[union-attr]
                lines += [indent + part for part in stub.split("\n")]
        elif end in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)
