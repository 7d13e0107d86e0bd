"""What the class did, gathered result by result."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from examiner.grading.assignment import Assignment
from examiner.grading.result import Result
from examiner.pages.alike import groups_alike, shape_of, shape_of_text
from examiner.pages.feedback import look
from examiner.pages.mistakes import Mistake, Mistakes, Unanswered
from examiner.pages.questions import Line
from examiner.pages.terminal import Row


class Summary:
    """What the class did. What is kept of each result is small, so that results themselves need not stay in memory."""

    def __init__(
        self,
        assignments: Mapping[str, Assignment],
        session_of: Mapping[str, str] | None = None,
        sessions: Sequence[str] = (),
        course: str = "",
    ):
        self.assignments = assignments
        self.session_of = dict(session_of or {})
        self.sessions = list(sessions)
        self.course = course  # its code, title and semester
        self.names: dict[str, str] = {}  # by student, where they are known
        self.ungraded: dict[str, list[str]] = {}  # by student, what came that can't be graded
        self.renewed = False  # whether the page is written anew while it is looked at
        self._rows: dict[tuple[str, str], Row] = {}  # by (assignment, student)
        self._work: dict[tuple[str, str], dict[str, str]] = {}  # by (assignment, student), the answers
        self._once: dict[str, str] = {}  # each text of an answer is kept once
        self._given = {n: {c.grade_id: c.release_source for c in a.cells} for n, a in assignments.items()}
        self._written = {n: {c.grade_id for c in a.cells if c.kind == "written"} for n, a in assignments.items()}

    def add(self, assignment: Assignment, student: str, result: Result, marked: Any) -> None:
        """Take a result and the student's marks as the gradebook has them; they replace earlier ones."""
        lines = []
        by_hand = {cell.grade_id for cell in assignment.graded if cell.by_hand}
        for mark in result.marks:
            score = None if mark.grade_id in marked.waiting else marked.scores.get(mark.grade_id, mark.score)
            lines.append(
                Line(
                    mark.grade_id,
                    mark.question,
                    score,
                    mark.points,
                    mark.message,
                    marked.comments.get(mark.grade_id, ""),
                    mark.grade_id not in marked.by_hand,
                    mark.mistake,
                    mark.grade_id in by_hand,
                )
            )
        row = Row(
            student,
            assignment.name,
            self.session_of.get(student, ""),
            lines,
            result.notes,
            result.needs_eye,
            result.seconds,
            result.sandbox,
            marked,
        )
        self._rows[assignment.name, student] = row
        source = {cell.grade_id: cell.source for cell in result.cells if cell.grade_id}
        asked = [cell.grade_id for cell in assignment.cells if cell.kind in ("solution", "written")]
        answers = {name: source[name] for name in asked if name in source}
        self._work[assignment.name, student] = {k: self._once.setdefault(v, v) for k, v in answers.items()}
        for found in ("_mistakes", "_answers"):
            self.__dict__.pop(found, None)

    def rows(self) -> list[Row]:
        """Every row, by assignment in the course's order, then by student."""
        order = {name: i for i, name in enumerate(self.assignments)}
        return sorted(self._rows.values(), key=lambda row: (order[row.assignment], row.student))

    @cached_property
    def _mistakes(self) -> Mistakes:
        return Mistakes(self.rows(), self._work, self._given)

    def mistakes(self) -> list[Mistake]:
        """The mistakes, by assignment, those that most students made first."""
        return self._mistakes.commonest_first()

    def unanswered(self) -> Unanswered:
        """By assignment and question, those who left it as it was."""
        return self._mistakes.unanswered

    def alike(self) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """Groups whose answers are nearly identical where others differ: (assignment, students, questions)."""
        return sorted((name, *group) for name in self.assignments for group in groups_alike(self._answers[name]))

    @cached_property
    def _answers(self) -> dict[str, dict[str, dict[str, list[str]]]]:
        """By assignment and question, who wrote an answer of each shape."""
        found: dict[str, dict[str, dict[str, list[str]]]]
        found = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        for (name, student), source in self._work.items():
            for question, answer in source.items():
                if answer.strip() != self._given[name][question].strip():
                    written = question in self._written[name]
                    if shape := shape_of_text(answer) if written else shape_of(answer):
                        found[name][question][shape].append(student)
        return found

    def person(self, student: str) -> str:
        """A student's name and id, or the id alone."""
        name = self.names.get(student, "")
        return f"{name} ({student})" if name and name != student else student

    def label(self, question: str, assignment: str) -> str:
        """A question's number in its notebook, and its name."""
        order = list(dict.fromkeys(cell.question for cell in self.assignments[assignment].graded))
        return f"{order.index(question) + 1} {question.replace('_', ' ')}" if question in order else question

    def stamp(self) -> str:
        """A hash of all that the page shows, but for the seconds that grading took."""
        digest = hashlib.sha256(
            f"{look()}\0{self.course}\0{self.sessions}\0{sorted(self.session_of.items())}\0{self.ungraded}"
            f"\0{sorted(self.names.items())}\0{self.renewed}".encode()
        )
        for row in self.rows():
            digest.update(repr((row.student, row.assignment, row.lines, row.notes, row.needs_eye, row.score)).encode())
            digest.update(repr(sorted(self._work[row.assignment, row.student].items())).encode())
        return digest.hexdigest()
