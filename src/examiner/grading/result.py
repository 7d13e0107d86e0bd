"""What grading one submission gives: marks, messages, outputs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

NOT_APART = ", in one process with the tests"  # what is told of a level of the sandbox where they were not apart


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
    line: int = 0  # of the test cell's source, where it failed


@dataclass(frozen=True)
class CellOutput:
    """What a submitted cell was, and what it printed when it ran for grading."""

    grade_id: str | None
    cell_type: str
    source: str
    outputs: tuple[tuple[str, str], ...] = ()  # ("stdout", "stderr" or "result", text)
    error: str = ""
    pictures: dict[str, dict[str, str]] = field(default_factory=dict)  # a text's, or what code had drawn


@dataclass(frozen=True)
class Result:
    """Everything that grading one submission found out."""

    assignment: str
    marks: tuple[Mark, ...]
    notes: tuple[str, ...]  # what was odd about the submission
    needs_eye: tuple[str, ...]  # why a person should look at it
    sandbox: str  # the level of the ladder that student code ran on
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


class GraderFailed(RuntimeError):
    """The grader itself could not work; no submission is to blame, and none gets a mark for it."""
