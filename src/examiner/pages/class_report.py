"""The class report: what the class misunderstood."""

from __future__ import annotations

import ast
import hashlib
import itertools
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from pygments.formatters import HtmlFormatter

from examiner.grading.assignment import Assignment
from examiner.grading.result import Result
from examiner.pages.feedback import look, page_templates
from examiner.pages.markup import LONGEST_TEXT, python_to_html
from examiner.pages.pictures import COLOURS, by_question_picture, by_session_picture, sessions_in_order, totals_picture
from examiner.pages.questions import Line, first_lines
from examiner.pages.terminal import Row

SHOWN_ANSWERS = 25  # of each mistake


@dataclass
class Mistake:
    """One mistake in one question, and the answers that show it."""

    assignment: str
    question: str
    name: str
    message: str
    students: list[str] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)  # (students, code as HTML), same code once


class Summary:
    """What the class did, gathered result by result, so that results themselves need not stay in memory."""

    def __init__(
        self,
        assignments: Mapping[str, Assignment],
        session_of: Mapping[str, str] | None = None,
        sessions: Sequence[str] = (),
    ):
        self.assignments = assignments
        self.session_of = dict(session_of or {})
        self.sessions = list(sessions)
        self.ungraded: dict[str, list[str]] = {}  # by student, what came that can't be graded
        self._rows: list[Row] = []
        self._work: dict[tuple[str, str], dict[str, str]] = {}  # by (assignment, student), the answers
        self._once: dict[str, str] = {}  # each text of an answer is kept once
        self._given = {n: {c.grade_id: c.release_source for c in a.cells} for n, a in assignments.items()}
        self._written = {n: {c.grade_id for c in a.cells if c.kind == "written"} for n, a in assignments.items()}
        self._messages: dict[tuple[str, str, str], str] = {}
        self._unanswered: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def add(self, assignment: Assignment, student: str, result: Result, marked: Any) -> None:
        """Take a result and the student's marks as the gradebook has them."""
        lines = []
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
        self._rows.append(row)
        source = {cell.grade_id: cell.source for cell in result.cells if cell.grade_id}
        asked = [cell.grade_id for cell in assignment.cells if cell.kind in ("solution", "written")]
        answers = {name: source[name] for name in asked if name in source}
        self._work[assignment.name, student] = {k: self._once.setdefault(v, v) for k, v in answers.items()}

    @cached_property
    def _mistakes(self) -> dict[tuple[str, str, str], dict[str, list[str]]]:
        """By (assignment, question, mistake), the answers that show it, each with its students."""
        found: dict[tuple[str, str, str], dict[str, list[str]]] = {}
        for row in self.rows():
            given, source = self._given[row.assignment], self._work[row.assignment, row.student]
            for line in row.lines:
                if not line.message or line.state not in ("none", "part") or line.mistake == "unreadable":
                    continue
                code = source.get(line.question, "")[:4000]
                if code.strip() in ("", given.get(line.question, "").strip()):
                    self._unanswered[row.assignment][line.question].add(row.student)
                    continue
                key = (row.assignment, line.question, line.mistake or _unnamed(line.message))
                students = found.setdefault(key, {}).setdefault(code, [])
                if row.student not in students:
                    students.append(row.student)
                self._messages.setdefault(key, first_lines(line.message))
        return found

    @cached_property
    def _answers(self) -> dict[tuple[str, str], dict[str, list[str]]]:
        """By (assignment, question), who wrote an answer of each shape."""
        found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for (name, student), source in self._work.items():
            for question, answer in source.items():
                if answer.strip() != self._given[name][question].strip():
                    written = question in self._written[name]
                    if shape := shape_of_text(answer) if written else shape_of(answer):
                        found[name, question][shape].append(student)
        return found

    def rows(self) -> list[Row]:
        """Every row, by assignment in the course's order, then by student."""
        order = {name: i for i, name in enumerate(self.assignments)}
        return sorted(self._rows, key=lambda row: (order[row.assignment], row.student))

    def mistakes(self) -> list[Mistake]:
        """The mistakes, those that most students made first."""
        found = []
        for (assignment, question, name), answers in self._mistakes.items():
            mistake = Mistake(assignment, question, name, self._messages[assignment, question, name])
            for code, students in sorted(answers.items(), key=lambda item: (-len(item[1]), item[1])):
                mistake.students += students
                mistake.answers.append((", ".join(sorted(students)), python_to_html(code)))
            found.append(mistake)
        order = {name: i for i, name in enumerate(self.assignments)}
        return sorted(found, key=lambda m: (order[m.assignment], -len(m.students), m.question, m.name))

    def unanswered(self) -> dict[str, dict[str, set[str]]]:
        """By assignment and question, those who left it as it was."""
        _ = self._mistakes  # which finds both
        return self._unanswered

    def alike(self) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """Groups whose answers are nearly identical where others differ: (assignment, students, questions).

        Two students are put together when, apart from names, comments and layout, they share answers to two questions
        or more (or a written answer) that at most one in twenty of those who answered, and at most eight, have.
        """
        return sorted(group for name in self.assignments for group in self._alike(name))

    def _alike(self, name: str) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        shared: dict[tuple[str, str], set[str]] = defaultdict(set)  # by pair of students, the questions
        written: set[tuple[str, str]] = set()
        for (assignment, question), shapes in self._answers.items():
            answered = sum(len(students) for students in shapes.values())
            for shape, students in shapes.items() if assignment == name else ():
                if 2 <= len(students) <= max(2, min(8, answered // 20)):
                    for pair in itertools.combinations(sorted(students), 2):
                        shared[pair].add(question)
                        if shape.startswith("text:"):
                            written.add(pair)
        group_of: dict[str, set[str]] = {}
        questions: dict[int, set[str]] = defaultdict(set)
        pairs = [pair for pair, found in shared.items() if len(found) >= 2 or pair in written]
        for one, other in pairs:
            group = group_of.get(one, {one}) | group_of.get(other, {other})
            for student in group:
                group_of[student] = group
        for pair in pairs:
            questions[id(group_of[pair[0]])] |= shared[pair]
        groups = {id(group): group for group in group_of.values()}
        return [(name, tuple(sorted(group)), tuple(sorted(questions[key]))) for key, group in groups.items()]

    def stamp(self) -> str:
        """A hash of all that the page shows, but for the seconds that grading took."""
        digest = hashlib.sha256(
            f"{look()}\0{self.sessions}\0{sorted(self.session_of.items())}\0{self.ungraded}".encode()
        )
        for row in self.rows():
            digest.update(repr((row.student, row.assignment, row.lines, row.notes, row.needs_eye, row.score)).encode())
            digest.update(repr(sorted(self._work[row.assignment, row.student].items())).encode())
        return digest.hexdigest()

    def page(self) -> str:
        """The class report as one HTML file."""
        rows = self.rows()
        by_assignment = {name: [row for row in rows if row.assignment == name] for name in self.assignments}
        return (
            page_templates()
            .get_template("report.html.j2")
            .render(
                parts=[self._part(name, mine) for name, mine in by_assignment.items() if mine],
                students=len({row.student for row in rows}),
                ungraded=self.ungraded,
                shown_answers=SHOWN_ANSWERS,
                pygments=HtmlFormatter().get_style_defs(".code"),
            )
        )

    def _part(self, name: str, rows: list[Row]) -> dict[str, Any]:
        """What the report says of one assignment."""
        most = sum(cell.points for cell in self.assignments[name].graded)
        means = [(question, statistics.fmean(scores)) for question, scores in _scores(rows).items()]
        seconds = [row.seconds for row in rows if row.seconds] or [0.0]  # a row of an earlier run took none
        return {
            "name": name,
            "rows": rows,
            "most": most,
            "mean": statistics.fmean(row.score for row in rows),
            "median": statistics.median(row.score for row in rows),
            "waiting": sum(bool(row.marked.waiting) for row in rows),
            "absent": sorted(set(self.session_of) - {row.student for row in rows}),
            "by_question": by_question_picture(_shares(rows)),
            "totals": totals_picture([row.score for row in rows], most),
            "by_session": by_session_picture(rows, self.sessions, most) if self.session_of else "",
            "session_rows": _session_rows(rows, self.sessions) if self.session_of else [],
            "hardest": sorted((item for item in means if item[1] < 1), key=lambda item: item[1])[:5],
            "mistakes": [m for m in self.mistakes() if m.assignment == name and len(m.students) > 1],
            "single": [m for m in self.mistakes() if m.assignment == name and len(m.students) == 1],
            "unanswered": {question: len(who) for question, who in self.unanswered()[name].items()},
            "eyes": [row for row in rows if row.needs_eye],
            "noted": [row for row in rows if row.notes and not row.needs_eye],
            "alike": [group for group in self.alike() if group[0] == name],
            "typical": statistics.median(seconds),
            "longest": max(rows, key=lambda row: row.seconds),
            "all_seconds": sum(seconds),
            "levels": Counter(row.sandbox or "not run" for row in rows).most_common(),
        }


def _unnamed(message: str) -> str:
    """A mistake that has no name: the message with its numbers taken out, so that the like come together."""
    text = re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "#", first_lines(message))
    return text.replace("# of its # entries", "some of its entries")[:120]


@lru_cache(maxsize=65536)
def shape_of(source: str) -> str:
    """Python code without comments, docstrings, layout and the author's names, hashed; "" where there is no telling."""
    try:
        return _shape_of(ast.parse(source)) if len(source) <= LONGEST_TEXT else ""
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a sum of a thousand terms can be too deep to walk
        return ""


def _shape_of(tree: ast.Module) -> str:
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names: dict[str, str] = {}
    size = 0
    for node in ast.walk(tree):
        size += 1
        body = getattr(node, "body", None)
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and isinstance(body, list) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                body[:] = body[1:] or [ast.Pass()]
        if isinstance(node, ast.Name) and node.id in own:
            node.id = names.setdefault(node.id, f"v{len(names)}")
        elif isinstance(node, ast.arg):
            node.arg = names.setdefault(node.arg, f"v{len(names)}")
            node.annotation = None
    if size < 60:
        return ""
    return "code:" + hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:24]


def shape_of_text(text: str) -> str:
    """A written answer in lower case without punctuation, hashed; "" where it has fewer than fifteen words."""
    words = re.findall(r"\w+", text.casefold())
    return "text:" + hashlib.sha256(" ".join(words).encode()).hexdigest()[:24] if len(words) >= 15 else ""


def _shares(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """By question, the share of the class in each state."""
    states: dict[str, Counter[str]] = {}
    for row in rows:
        for question in row.questions:
            states.setdefault(question.name, Counter())[question.state] += 1
    return {name: {state: count[state] / len(rows) for state in COLOURS} for name, count in states.items()}


def _scores(rows: Sequence[Row]) -> dict[str, list[float]]:
    """By question, each student's share of its marks; a written answer counts once a person has marked it."""
    scores: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for question in row.questions:
            unmarked = any(line.written and line.auto_message for line in question.lines)
            if not unmarked and question.points:
                scores[question.name].append((question.score or 0.0) / question.points)
    return scores


def _session_rows(rows: Sequence[Row], sessions: Sequence[str]) -> list[tuple[str, int, float, float, str]]:
    """By session: name, students, mean, median, and the question that went worst there."""
    found = []
    for session in sessions_in_order(rows, sessions):
        mine = [row for row in rows if row.session == session]
        if not mine:
            found.append((session or "no session", 0, 0.0, 0.0, ""))
            continue
        share, worst = min(((statistics.fmean(s), q) for q, s in _scores(mine).items()), default=(1.0, ""))
        scores = [row.score for row in mine]
        hardest = worst if share < 1 else "none"
        found.append((session or "no session", len(mine), statistics.fmean(scores), statistics.median(scores), hardest))
    return found
