"""How a test ended, and what the student is told of it: nothing that stands in a hidden line."""

from __future__ import annotations

from typing import Any, NamedTuple

from examiner.isolation.messages import without_numbers
from workshop._errors import in_words


class Verdict(NamedTuple):
    """How a test ended."""

    message: str | None  # for the student; None where the answer is right
    mistake: str | None = None  # the short key of a known mistake
    eye: str = ""  # why a person should look at it
    score: float | None = 0.0  # None: a person marks it
    line: int = 0  # of the test cell, where it failed

    def mark(self, grade_id: str, seconds: float = 0.0, lent: bool = False) -> dict[str, Any]:
        """The mark as the examiner tells it; `lent`: whether right answers stood in the place of earlier ones."""
        return {
            "grade_id": grade_id,
            "right": self.message is None,
            "score": self.score,
            "line": self.line,
            "message": self.message or "",
            "mistake": self.mistake,
            "seconds": seconds,
            "eye": self.eye,
            "lent": lent,
        }


HELD_UP = Verdict(
    "What your code gave takes too long to look at.",
    "too slow",
    "what the answer gave held the test up until it was ended",
)
BROKE = Verdict(
    "The test could not be brought to its end with what your code gave.",
    "ended or hung",
    "the test ended twice before it came to a verdict",
)
_NOT_TRIED = "it was not tried: the time for the notebook was up, or its process had ended too often"
NOT_TRIED = Verdict(
    "The time was up, or the cells ended the process too often, or gave what can't be read.", "no time", _NOT_TRIED
)
NOT_TRIED_THERE = Verdict("This test could not be run.", "no time", _NOT_TRIED)


def partial(score: float, points: float, eye: str = "") -> Verdict:
    """The marks that a test's last line gives."""
    if score == points:
        return Verdict(None, eye=eye, score=points)
    if 0 <= score < points:
        return Verdict(f"The test gave {score:g} of {points:g} marks.", eye=eye, score=score)
    why = f"its last line gives {score:g} of {points:g} marks"
    return Verdict("A person looks at the mark of this test.", eye=why, score=None)


def failed(error: Exception, line: int, secret: bool) -> Verdict:
    """What an error in a line of a test cell means for the student; `secret`: whether it is a hidden line."""
    if getattr(error, "student_traceback", None) is not None:
        message, mistake = _of_the_students_code(error)
        return Verdict(message, mistake, line=line)
    if isinstance(error, NameError) and getattr(error, "name", None):
        message = f"There is no `{error.name}` in the notebook: is its cell written, and free of errors?"
        return Verdict(message, "missing", line=line)
    kind, text = type(error).__name__, str(error)
    if isinstance(error, AssertionError):
        told = without_numbers(text.strip()) if secret else text
        return Verdict(told or "A test of this answer failed.", getattr(error, "mistake", None), line=line)
    shown = f": {text}" if text and not secret else ""
    message = f"The test could not work with what your code gave ({kind}{shown})."
    return Verdict(message, f"test {kind}", f"{kind} in a test{shown}", line=line)


def _of_the_students_code(error: Any) -> tuple[str, str]:
    """The message and the mistake where the student's own code has raised an error."""
    kind, text, lines = type(error).__name__, str(error), error.student_traceback
    if kind == "NotImplementedError":
        return f"This answer is not written yet{f' ({text})' if text else ''}.", "not written"
    if kind == "TimeoutError":
        return f"Your code was stopped: {text}.\n{lines}".strip(), "too slow"
    said = f"Your code raised {kind}{f': {text}' if text else ''}\n{lines}\n{in_words(kind, text)}"
    return said.strip(), f"raised {kind}"
