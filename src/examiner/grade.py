"""One submission in, one result out: the pure heart of the examiner, which knows no nbgrader, database or shared disk."""

from __future__ import annotations

import ast
import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_GUIDE, END_GUIDE = "=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ==="


@dataclass(frozen=True)
class Cell:
    """A cell of the source notebook that grading knows by its grade_id."""

    grade_id: str
    kind: str  # "setup", "solution", "test", "ungraded", "written" or "text"
    question: str  # what a test belongs to; for the other kinds the grade_id itself
    points: float
    source: str  # with answers and hidden tests: never shown to a student
    release_source: str  # what the student was given
    cell_type: str = "code"
    defines: tuple[str, ...] = ()  # the top-level functions and variables of a solution cell
    metadata: dict[str, Any] = field(default_factory=dict)  # nbgrader's, as in the source


@dataclass(frozen=True)
class Assignment:
    """An assignment as plain, picklable data, read from its source notebook."""

    name: str
    cells: tuple[Cell, ...]
    digest: str  # sha256 of the source notebook's bytes

    @classmethod
    def from_notebook(cls, source_ipynb: bytes, name: str) -> Assignment:
        """Read the assignment `name` from the bytes of its source notebook."""
        notebook = json.loads(source_ipynb)
        raw = [cell for cell in notebook["cells"] if "grade_id" in cell.get("metadata", {}).get("nbgrader", {})]
        questions = [c["metadata"]["nbgrader"]["grade_id"] for c in raw if c["metadata"]["nbgrader"].get("solution")]
        cells = tuple(_read_cell(cell, questions) for cell in raw)
        return cls(name, cells, hashlib.sha256(source_ipynb).hexdigest())

    def seed(self, submission: bytes, secret: bytes) -> int:
        """The seed of the fresh random problems of one submission: the same whenever it is graded again."""
        message = self.name.encode() + hashlib.sha256(submission).digest()
        return int.from_bytes(hmac.new(secret, message, hashlib.sha256).digest()[:8], "big")

    @property
    def graded(self) -> tuple[Cell, ...]:
        """The cells that bear marks, in the order of the notebook."""
        return tuple(cell for cell in self.cells if cell.kind in ("test", "written"))


@dataclass(frozen=True)
class Mark:
    """The mark of one test cell or written answer."""

    grade_id: str
    question: str
    points: float  # the most there is to earn
    score: float | None  # None: a person marks it
    message: str = ""  # plain words for the student, empty when right
    mistake: str | None = None  # the short key of a known mistake
    seconds: float = 0.0


@dataclass(frozen=True)
class CellOutput:
    """What a submitted cell was, and what it printed when it ran for grading."""

    grade_id: str | None
    cell_type: str
    source: str
    outputs: tuple[tuple[str, str], ...] = ()  # ("stdout", "stderr" or "result", text)
    error: str = ""


@dataclass(frozen=True)
class Result:
    """Everything that grading one submission found out."""

    assignment: str
    marks: tuple[Mark, ...]
    notes: tuple[str, ...]  # what was odd about the submission
    needs_eye: tuple[str, ...]  # why a person should look at it
    sandbox: str  # the rung of the ladder that student code ran on
    seed: int
    digest: str  # sha256 of the submission's bytes
    seconds: float
    cells: tuple[CellOutput, ...] = ()

    @property
    def score(self) -> float:
        """The marks earned so far; what a person marks is not in it."""
        return sum(mark.score or 0.0 for mark in self.marks)

    def to_json(self) -> str:
        """The result as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Result:
        """The result that `to_json` wrote."""
        data = json.loads(text)
        data["marks"] = tuple(Mark(**mark) for mark in data["marks"])
        data["cells"] = tuple(
            CellOutput(**{**cell, "outputs": tuple((kind, text) for kind, text in cell["outputs"])})
            for cell in data["cells"]
        )
        data["notes"], data["needs_eye"] = tuple(data["notes"]), tuple(data["needs_eye"])
        return cls(**data)


@dataclass(frozen=True)
class Limits:
    """What one submission may use; seconds are wall time, sizes are bytes."""

    cell_seconds: float = 30.0  # one of the student's cells
    call_seconds: float = 10.0  # one call of a student's function by a test
    test_seconds: float = 30.0  # all calls of one test cell
    total_seconds: float = 300.0  # the whole submission
    memory: int = 2 << 30
    file_size: int = 32 << 20
    open_files: int = 128
    output: int = 100_000  # characters kept of one cell's printed output
    submission: int = 20 << 20  # a larger notebook is not read

    def to_json(self) -> str:
        """The limits as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Limits:
        """The limits that `to_json` wrote."""
        return cls(**json.loads(text))


def question_of(test_id: str, questions: Iterable[str]) -> str:
    """The longest question Q that a test belongs to: its grade_id is test_Q or starts with test_Q_ ("" if none fits)."""
    fits = [q for q in questions if test_id == f"test_{q}" or test_id.startswith(f"test_{q}_")]
    return max(fits, key=len, default="")


def _read_cell(raw: dict[str, Any], questions: list[str]) -> Cell:
    meta = raw["metadata"]["nbgrader"]
    source = raw["source"] if isinstance(raw["source"], str) else "".join(raw["source"])
    graded, solution = bool(meta.get("grade")), bool(meta.get("solution"))
    if raw["cell_type"] != "code":
        kind = "written" if graded or meta.get("task") else "text"
    elif solution:
        kind = "solution"
    elif graded:
        kind = "test"
    else:
        kind = "ungraded" if "ungraded" in raw["metadata"].get("tags", []) else "setup"
    grade_id = meta["grade_id"]
    return Cell(
        grade_id=grade_id,
        kind=kind,
        question=question_of(grade_id, questions) if kind == "test" else grade_id,
        points=float(meta.get("points", 0)) if graded or meta.get("task") else 0.0,
        source=source,
        release_source=released(source, written=kind == "written"),
        cell_type=raw["cell_type"],
        defines=_top_level_names(source) if kind == "solution" else (),
        metadata=dict(meta),
    )


def released(source: str, written: bool = False) -> str:
    """A source cell as the student gets it: no hidden tests, no marking guide, no answer."""
    source = _cut(source, BEGIN_HIDDEN, END_HIDDEN)
    source = _cut(source, BEGIN_GUIDE, END_GUIDE)
    stub = "YOUR ANSWER HERE" if written else "# YOUR CODE HERE\nraise NotImplementedError()"
    return _cut(source, BEGIN_SOLUTION, END_SOLUTION, stub)


def _cut(source: str, begin: str, end: str, stub: str = "") -> str:
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


def _top_level_names(source: str) -> tuple[str, ...]:
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    names: list[str] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return tuple(dict.fromkeys(names))
