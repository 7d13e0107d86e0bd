"""The class as lines in the terminal."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from examiner.grading.assignment import Assignment
from examiner.pages.questions import Line, Question, folded, number

LONGEST_NAME = 40  # characters of an id and a name in the table


@dataclass
class Row:
    """One student's outcome in one assignment."""

    student: str
    assignment: str
    session: str
    lines: list[Line]
    notes: tuple[str, ...]
    needs_eye: tuple[str, ...]
    seconds: float
    sandbox: str
    marked: Any  # gradebook.Marked: what the gradebook says, hand marks first

    @property
    def questions(self) -> list[Question]:
        found: dict[str, Question] = {}
        for line in self.lines:
            found.setdefault(line.question, Question(line.question)).lines.append(line)
        return list(found.values())

    @property
    def score(self) -> float:
        return float(self.marked.score)


def table(assignment: Assignment, rows: Sequence[Row]) -> str:
    """Marks by question and student, and below it what went wrong, in plain words."""
    if not rows:
        return ""
    rows = sorted(rows, key=lambda row: row.student)
    questions = rows[0].questions
    called = {row.student: f"{row.student} {row.marked.name}".strip()[:LONGEST_NAME] for row in rows}
    wide = max([len(name) for name in called.values()] + [12])
    most = sum(question.points for question in questions)
    legend = "   ".join(f"{i} {question.name}" for i, question in enumerate(questions, 1))
    header = [str(i) for i in range(1, len(questions) + 1)]
    lines = [f"{assignment.name}: {number(most)} marks", *_wrapped(legend, 110), ""]
    columns = [max(4, len(text) + 1) for text in header]

    def line(name: str, cells: Sequence[str], total: str) -> str:
        body = "".join(text.rjust(width) for text, width in zip(cells, columns, strict=True))
        return f"{name.ljust(wide)} {body}  {total}"

    lines.append(line("question", header, " total"))
    lines.append(line("out of", [number(question.points) for question in questions], f"{number(most):>6}"))
    lines.append("-" * len(lines[-1]))
    for row in rows:
        by_name = {question.name: question for question in row.questions}
        cells = ["…" if by_name[q.name].waiting else number(by_name[q.name].score) for q in questions]
        total = f"{number(row.score):>6}" + (" + hand marks" if row.marked.waiting else "")
        lines.append(line(called[row.student], cells, total))
    wrong: list[str] = []
    for row in rows:
        notes = folded(row.notes)
        said = [f"note: {note}" for note in notes]
        alike: dict[str, list[str]] = {}
        for question in row.questions:
            for message in question.told:
                if message not in notes:
                    alike.setdefault(message, []).append(
                        f"{question.name} {number(question.score)}/{number(question.points)}"
                    )
        said += [f"{', '.join(asked)}: {message}" for message, asked in alike.items()]
        if said:
            wrong.append(f"  {called[row.student]}")
            for text in said:
                wrong += ["    " + piece for piece in _wrapped(text, 110, "    ")]
    return "\n".join([*lines, *(["", "What went wrong", *wrong] if wrong else [])]) + "\n"


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False) or [""]


def in_a_line(assignment: str, rows: Sequence[Row]) -> str:
    """The class in a line."""
    if not rows:
        return f"{assignment}: nobody handed it in."
    most = sum(line.points for line in rows[0].lines)
    waiting = sum(bool(row.marked.waiting) for row in rows)
    tests = sum(line.score is None and not line.written for row in rows for line in row.lines)
    first = f"{tests} tests wait for a person; " if tests else ""
    eyes = sum(bool(row.needs_eye) for row in rows)
    mean = statistics.fmean(row.score for row in rows)
    return (
        f"{assignment}: {first}{len(rows)} graded, mean {number(round(mean, 1))} of {number(most)}; "
        f"{waiting} wait for hand marks, {eyes} need a person's eye."
    )


def in_words(row: Row) -> str:
    """A student's marks in an assignment in a line."""
    most = sum(line.points for line in row.lines)
    waits = " + hand marks" if row.marked.waiting else ""
    return f"{row.student} {row.marked.name}".strip()[:LONGEST_NAME] + (
        f": {row.assignment} {number(row.score)} of {number(most)}{waits}"
    )


def hardest(rows: Sequence[Row], called: Callable[[str], str]) -> str:
    """The question, of those that tests mark, that fewest have right; nothing where all have all."""
    right: dict[str, int] = {}
    for row in rows:
        for question in row.questions:
            if not any(line.written for line in question.lines):
                right[question.name] = right.get(question.name, 0) + (question.score == question.points)
    if not right or min(right.values()) == len(rows):
        return ""
    name = min(right, key=lambda name: right[name])
    return f"{len(rows)} handed in; question {called(name)} is right for {right[name]}, the fewest."
