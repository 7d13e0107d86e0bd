"""The class report: what the class misunderstood."""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.metadata
import itertools
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import quote

from pygments.formatters import HtmlFormatter

from examiner.grading.assignment import Assignment
from examiner.grading.result import Result
from examiner.pages import standing
from examiner.pages.feedback import look, page_templates
from examiner.pages.markup import LONGEST_TEXT, POLICY, python_to_html
from examiner.pages.questions import Line, sentence
from examiner.pages.terminal import Row

SHOWN_ANSWERS = 25  # of each mistake
COMMONEST = 10
FOLDED = 10  # rows of a list; the others open on a click


@dataclass
class Answer:
    """An answer that shows a mistake, as HTML, with all who wrote it, and what was said of the first one's."""

    students: list[str]
    code: str
    message: str


@dataclass
class Mistake:
    """One mistake in one question, and the answers that show it."""

    assignment: str
    question: str
    name: str
    message: str  # without any student's numbers; "" where nothing is left
    students: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)  # the same code once

    @property
    def anchor(self) -> str:
        """What a link to it is called."""
        whole = f"{self.assignment}\0{self.question}\0{self.name}"
        return f"m{hashlib.sha256(whole.encode()).hexdigest()[:12]}"


class Summary:
    """What the class did, gathered result by result, so that results themselves need not stay in memory."""

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
        self._rows: list[Row] = []
        self._work: dict[tuple[str, str], dict[str, str]] = {}  # by (assignment, student), the answers
        self._once: dict[str, str] = {}  # each text of an answer is kept once
        self._given = {n: {c.grade_id: c.release_source for c in a.cells} for n, a in assignments.items()}
        self._written = {n: {c.grade_id for c in a.cells if c.kind == "written"} for n, a in assignments.items()}
        self._messages: dict[tuple[str, str, str, str], str] = {}  # the last is the student
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
                name = line.mistake or in_general(line.message) or "a mistake without a name"
                key = (row.assignment, line.question, name)
                students = found.setdefault(key, {}).setdefault(code, [])
                if row.student not in students:
                    students.append(row.student)
                self._messages.setdefault((*key, row.student), line.message)
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
        for key, answers in self._mistakes.items():
            mistake = Mistake(*key, "")
            for code, students in sorted(answers.items(), key=lambda item: (-len(item[1]), item[1])):
                said = self._messages[(*key, students[0])]
                mistake.students += [student for student in students if student not in mistake.students]
                mistake.answers.append(Answer(sorted(students), python_to_html(code), said))
            general = (in_general(self._messages[(*key, student)]) for student in mistake.students)
            mistake.message = next(filter(None, general), "")
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
            f"{look()}\0{self.course}\0{self.sessions}\0{sorted(self.session_of.items())}\0{self.ungraded}"
            f"\0{sorted(self.names.items())}".encode()
        )
        for row in self.rows():
            digest.update(repr((row.student, row.assignment, row.lines, row.notes, row.needs_eye, row.score)).encode())
            digest.update(repr(sorted(self._work[row.assignment, row.student].items())).encode())
        return digest.hexdigest()

    def page(self) -> str:
        """The class report as one HTML file."""
        rows = self.rows()
        by_assignment = {name: [row for row in rows if row.assignment == name] for name in self.assignments}
        environment = page_templates().overlay()
        own = {"question": self.label, "person": self.person, "links": self._links}
        environment.filters = environment.filters | own
        parts = [self._part(name, mine) for name, mine in by_assignment.items() if mine]
        risky = standing.at_risk(rows, list(self.assignments), self.session_of)
        return environment.get_template("report.html.j2").render(
            parts=parts,
            assignments=list(self.assignments),
            at_risk=risky,
            missing=Counter(sum(mark is None for mark in marks) for marks in risky.values()),
            students=len({row.student for row in rows} | set(self.session_of)),
            ungraded=self.ungraded,
            course=self.course,
            today=f"{datetime.now():%-d %B %Y}",
            version=importlib.metadata.version("statml-workshop"),
            session_of=self.session_of,
            shown_answers=SHOWN_ANSWERS,
            folded_at=FOLDED,
            states=standing.STATES,
            script=SCRIPT,
            policy=REPORT_POLICY,
            pygments=HtmlFormatter().get_style_defs(".code"),
        )

    def person(self, student: str) -> str:
        """A student's name and id, or the id alone."""
        name = self.names.get(student, "")
        return f"{name} ({student})" if name and name != student else student

    def label(self, question: str, assignment: str) -> str:
        """A question's number in its notebook, and its name."""
        order = list(dict.fromkeys(cell.question for cell in self.assignments[assignment].graded))
        return f"{order.index(question) + 1} {question.replace('_', ' ')}" if question in order else question

    def _links(self, student: str, assignment: str) -> dict[str, str]:
        """Where a student's feedback and marked notebook are, and the work in formgrader while JupyterLab runs here."""
        whose, work = quote(student, safe=""), quote(assignment, safe="")
        submission = self._submissions.get((assignment, student), "")
        links = {
            "feedback": f"feedback/{whose}/{work}/{work}.html",
            "notebook": f"{JUPYTER}/lab/tree/autograded/{whose}/{work}/{work}.ipynb",
        }
        return links | ({"formgrader": f"{JUPYTER}/formgrader/submissions/{submission}/"} if submission else {})

    @cached_property
    def _submissions(self) -> dict[tuple[str, str], str]:
        return {(row.assignment, row.student): row.marked.submission for row in self._rows}

    def _part(self, name: str, rows: list[Row]) -> dict[str, Any]:
        """What the report says of one assignment."""
        values = standing.shares(rows) or [0.0]
        means = [(question, statistics.fmean(found)) for question, found in standing.scores(rows).items()]
        mine = [mistake for mistake in self.mistakes() if mistake.assignment == name]
        order = list(dict.fromkeys(cell.question for cell in self.assignments[name].graded))
        seconds = [row.seconds for row in rows if row.seconds] or [0.0]  # a row of an earlier run took none
        eyes: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            for why in self._in_words(name, row.needs_eye):
                eyes[why].append(row)
        return {
            "name": name,
            "rows": rows,
            "most": sum(cell.points for cell in self.assignments[name].graded),
            "marked": statistics.median(standing.so_far(row)[1] for row in rows),
            "mean": statistics.fmean(values),
            "median": statistics.median(values),
            "waiting": sum(bool(row.marked.waiting) for row in rows),
            "absent": sorted(set(self.session_of) - {row.student for row in rows}),
            "by_question": standing.by_question(rows),
            "tenths": standing.tenths(values),
            "sessions": standing.by_session(rows, self.sessions) if self.session_of else [],
            "hardest": sorted((item for item in means if item[1] < 1), key=lambda item: item[1])[:5],
            "means": dict(means),
            "commonest": [mistake for mistake in mine if len(mistake.students) > 1][:COMMONEST],
            "mistakes": {question: [m for m in mine if m.question == question] for question in order},
            "unanswered": {question: len(self.unanswered()[name][question]) for question in order},
            "eyes": sorted(eyes.items(), key=lambda item: (-len(item[1]), item[0])),
            "noted": [row for row in rows if row.notes and not row.needs_eye],
            "alike": [group for group in self.alike() if group[0] == name],
            "typical": statistics.median(seconds),
            "longest": max(rows, key=lambda row: row.seconds),
            "all_seconds": sum(seconds),
            "levels": Counter(row.sandbox or "not run" for row in rows).most_common(),
        }

    def _in_words(self, assignment: str, reasons: Sequence[str]) -> list[str]:
        """Why a person should look, with questions in the place of their tests."""
        question = {cell.grade_id: cell.question for cell in self.assignments[assignment].graded}
        said: list[str] = []
        for reason in reasons:
            test, colon, rest = reason.partition(": ")
            about = f"{self.label(question[test], assignment)}: {rest}" if colon and test in question else reason
            said.append(sentence(about))
        return list(dict.fromkeys(said))


JUPYTER = "http://localhost:8888"  # where `make lab` serves the course
SCRIPT = """
const box = document.getElementById('search'), told = document.getElementById('found');
box.closest('.search').hidden = false;
box.addEventListener('input', () => {
  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let count = 0;
  for (const one of document.querySelectorAll('details.mistake, tr.person')) {
    const text = one.textContent.toLowerCase();
    one.hidden = !words.every(word => text.includes(word));
    count += !one.hidden;
  }
  for (const more of document.querySelectorAll('details.more')) more.open = words.length > 0;
  told.textContent = words.length ? count + ' found' : '';
});
"""
_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
REPORT_POLICY = f"{POLICY}; script-src 'sha256-{_HASH}'"  # this one script, and no other


_CALL = re.compile(r"(?<=\w)\([^()]*\)")
_COUNT = re.compile(r" in \d+ of its \d+ entries")
_WRONG = re.compile(r"(.+?)(,? (after|for|of|when|where|with) .*\d.*)? is wrong\.?")
_CLAUSE = re.compile(r"(?<=[.?!:;])\s+")


def in_general(message: str) -> str:
    """What a message says of everybody who makes this mistake: its clauses without a student's own numbers."""
    lines = [line.strip() for line in message.split("\n") if line[:2] != "  "]
    clauses = _CLAUSE.split(_COUNT.sub("", _CALL.sub("", " ".join(filter(None, lines)))))
    wrong = {clause: f"{match[1]} is wrong." for clause in clauses if (match := _WRONG.fullmatch(clause))}
    told = [wrong.get(clause, clause) for clause in clauses]
    kept = [clause for clause in told if not re.search(r"\d", clause)]
    explained = [clause for clause in kept if clause not in wrong.values()]
    return " ".join(explained or kept).strip().rstrip(":;")[:300]


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
