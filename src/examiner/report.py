"""Pages that people read: a student's feedback and the class report, each one file that needs no network."""

from __future__ import annotations

import ast
import hashlib
import html
import io
import itertools
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from . import markup
from .grade import Assignment, Result
from .markup import LONGEST_TEXT, POLICY, markdown_to_html, output_text, python_to_html

TEMPLATES = Path(__file__).parent / "templates"


def sentence(text: str) -> str:
    """A note as a sentence."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def number(value: float | None) -> str:
    """A mark as people write it: 3, 2.5, never 2.50."""
    return "–" if value is None else f"{round(value, 2):g}"


# --- a student's feedback ---


@dataclass
class Line:
    """One graded cell as feedback shows it. `score` is None while a person has yet to mark it."""

    grade_id: str
    question: str
    score: float | None
    points: float
    message: str = ""
    comment: str = ""
    auto_message: bool = True  # False where a person's mark has replaced the automatic one
    mistake: str | None = None

    @property
    def written(self) -> bool:
        """Whether a person marks it: it is no test."""
        return not self.grade_id.startswith("test_")

    @property
    def part(self) -> str:
        """The part of the question, as in `, w` for test_gradient_w; nothing where the question is one piece."""
        rest = self.grade_id.removeprefix(f"test_{self.question}").strip("_").replace("_", " ")
        return "" if self.written or not rest else f", {rest}"

    @property
    def state(self) -> str:
        """full, part, none or waiting: the name of its colour."""
        if self.score is None:
            return "waiting"
        return "full" if self.score >= self.points else "part" if self.score > 0 else "none"


@dataclass
class Question:
    """A question with its graded cells."""

    name: str
    lines: list[Line] = field(default_factory=list)

    @property
    def points(self) -> float:
        return sum(line.points for line in self.lines)

    @property
    def score(self) -> float | None:
        scores = [line.score for line in self.lines if line.score is not None]
        return sum(scores) if scores else None

    @property
    def waiting(self) -> bool:
        return any(line.score is None for line in self.lines)

    @property
    def state(self) -> str:
        if self.waiting:
            return "waiting"
        score = self.score or 0.0
        return "full" if score >= self.points else "part" if score > 0 else "none"


HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS.*?(### END HIDDEN TESTS|\Z)", re.DOTALL)


def questions_of(nb: NotebookNode) -> list[Question]:
    """The questions of a marked notebook, in its order, from the marks in its cells' metadata."""
    questions: dict[str, Question] = {}
    for cell in nb.cells:
        info = cell.metadata.get("nbgrader", {})
        if not info.get("grade"):
            continue
        own = cell.metadata.get("workshop", {})
        name = own.get("question") or re.sub(r"^test_", "", info["grade_id"])
        score = info.get("score")
        if own.get("waiting"):
            score = None
        line = Line(
            info["grade_id"],
            name,
            None if score is None else float(score),
            float(info.get("points", 0)),
            own.get("message") or "",
            info.get("comment") or "",
            not own.get("by_hand"),
            own.get("mistake"),
        )
        questions.setdefault(name, Question(name)).lines.append(line)
    return list(questions.values())


def _pieces(nb: NotebookNode) -> Iterable[dict[str, Any]]:
    """The notebook's cells as the template wants them. Test cells give their verdict, never their code."""
    lines = {line.grade_id: line for question in questions_of(nb) for line in question.lines}
    for cell in nb.cells:
        info, own = cell.metadata.get("nbgrader", {}), cell.metadata.get("workshop", {})
        if own.get("kind") == "guide":
            continue
        line = lines.get(info.get("grade_id"))
        solution = bool(info.get("solution"))
        piece: dict[str, Any] = {"line": line, "comment": info.get("comment") or "", "solution": solution}
        if line is not None and not solution:
            yield piece | {"kind": "verdict"}
        elif cell.cell_type == "markdown":
            ours = bool(info.get("locked")) or own.get("kind") == "text"
            body = (
                _our_html(cell.source) if ours else markdown_to_html(cell.source, attachments=cell.get("attachments"))
            )
            yield piece | {"kind": "text", "html": body, "mine": solution}
        elif cell.cell_type == "code":
            outputs = [output_text(output) for output in cell.get("outputs", [])]
            yield piece | {
                "kind": "code",
                "html": python_to_html(HIDDEN.sub("", cell.source)),
                "outputs": [text for text in outputs if text],
                "mine": not info.get("locked"),
            }
        else:
            yield piece | {"kind": "code", "html": python_to_html(cell.source), "outputs": [], "mine": True}


@lru_cache(maxsize=4096)
def _our_html(text: str) -> str:
    return markdown_to_html(text, ours=True)


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["first_lines"] = first_lines
    environment.filters["number"] = number
    environment.filters["sentence"] = sentence
    environment.filters["folded"] = folded
    environment.filters["markdown"] = lambda text: Markup(markdown_to_html(text))
    environment.globals["policy"] = POLICY
    return environment


@lru_cache(maxsize=1)
def look() -> str:
    """A hash of what pages are made with, so that a page made by another version is made anew."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + Path(markup.__file__).read_bytes())
    for file in sorted(TEMPLATES.glob("*.*")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def feedback_html(
    nb: NotebookNode, *, student: str, assignment: str, late_penalty: float = 0.0, stamp: str = ""
) -> str:
    """A student's feedback: marks by question, what went wrong in words, comments, and the work itself.

    `nb` is a marked notebook with `score`, `points` and `comment` in its cells' nbgrader metadata, as nbgrader's own
    GetGrades leaves it. The page is one file: maths is MathML, there is no script and nothing to load.
    """
    questions = questions_of(nb)
    scores = [question.score or 0.0 for question in questions]
    return (
        _templates()
        .get_template("feedback.html.j2")
        .render(
            student=student,
            assignment=assignment,
            questions=questions,
            waiting=any(question.waiting for question in questions),
            total=sum(scores) - late_penalty,
            points=sum(question.points for question in questions),
            late_penalty=late_penalty,
            notes=nb.metadata.get("workshop", {}).get("notes", []),
            pieces=list(_pieces(nb)),
            stamp=stamp,
            pygments=HtmlFormatter().get_style_defs(".code"),
        )
    )


class FeedbackExporter(Exporter):
    """What `nbgrader generate_feedback` and formgrader's feedback button write: the same page as `workshop grade`."""

    file_extension = ".html"
    output_mimetype = "text/html"

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: Any = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        nb, resources = super().from_notebook_node(nb, resources, **kwargs)
        about = resources.get("nbgrader", {})
        page = feedback_html(
            nb,
            student=about.get("student", ""),
            assignment=about.get("assignment", about.get("notebook", "")),
            late_penalty=float(about.get("late_penalty") or 0.0),
        )
        return page, resources


# --- the class: rows, the table in the terminal ---


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
    wide = max([len(row.student) for row in rows] + [12])
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
        lines.append(line(row.student, cells, total))
    wrong: list[str] = []
    for row in rows:
        notes = folded(row.notes)
        said = [f"note: {note}" for note in notes]
        alike: dict[str, list[str]] = {}
        for question in row.questions:
            for message in _told(question):
                if message not in notes:
                    alike.setdefault(message, []).append(
                        f"{question.name} {number(question.score)}/{number(question.points)}"
                    )
        said += [f"{', '.join(asked)}: {message}" for message, asked in alike.items()]
        if said:
            wrong.append(f"  {row.student}")
            for text in said:
                wrong += ["    " + piece for piece in _wrapped(text, 110, "    ")]
    return "\n".join([*lines, *(["", "What went wrong", *wrong] if wrong else [])]) + "\n"


def _told(question: Question) -> list[str]:
    """What was said of a question's lost marks, each message once."""
    lost = [line for line in question.lines if line.state in ("part", "none") and line.message]
    return list(dict.fromkeys(first_lines(line.message) for line in lost))


def first_lines(message: str) -> str:
    """What a message says is wrong, on one line, without the indented figures that stand between its sentences."""
    lines = [line.strip() for line in message.strip().split("\n\n")[0].split("\n") if line[:2] != "  "]
    text = " ".join(lines)
    return text if len(text) <= 300 else text[:297].rsplit(" ", 1)[0] + " …"


def folded(notes: Sequence[str]) -> list[str]:
    """Notes as sentences, with those that say the same of many cells folded into one."""
    alike: dict[str, list[str]] = {}
    for note in notes:
        about = re.fullmatch(r"[Tt]he cell \S+ (had lost its id|was missing|was there).*", note)
        alike.setdefault(about[1] if about else note, []).append(note)
    return [
        sentence(same[0]) if len(same) < 4 else f"{sentence(same[0])[:-1]} – and {len(same) - 1} other cells likewise."
        for same in alike.values()
    ]


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False) or [""]


def in_a_line(assignment: str, rows: Sequence[Row]) -> str:
    """The class in a line."""
    if not rows:
        return f"{assignment}: nobody handed it in."
    most = sum(line.points for line in rows[0].lines)
    waiting = sum(bool(row.marked.waiting) for row in rows)
    eyes = sum(bool(row.needs_eye) for row in rows)
    mean = statistics.fmean(row.score for row in rows)
    return (
        f"{assignment}: {len(rows)} graded, mean {number(round(mean, 1))} of {number(most)}; "
        f"{waiting} wait for hand marks, {eyes} need a person's eye."
    )


# --- the class report ---

COLOURS = {"full": "#0072b2", "part": "#e69f00", "none": "#d55e00", "waiting": "#a0a7ae"}
WORDS = {"full": "full marks", "part": "part of the marks", "none": "no marks", "waiting": "waits for a person"}
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
            _templates()
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
            "rungs": Counter(row.sandbox or "not run" for row in rows).most_common(),
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
    for session in _in_order(rows, sessions):
        mine = [row for row in rows if row.session == session]
        if not mine:
            found.append((session or "no session", 0, 0.0, 0.0, ""))
            continue
        share, worst = min(((statistics.fmean(s), q) for q, s in _scores(mine).items()), default=(1.0, ""))
        scores = [row.score for row in mine]
        hardest = worst if share < 1 else "none"
        found.append((session or "no session", len(mine), statistics.fmean(scores), statistics.median(scores), hardest))
    return found


def _in_order(rows: Sequence[Row], sessions: Sequence[str]) -> list[str]:
    others = sorted({row.session for row in rows} - set(sessions))
    return [*sessions, *[session for session in others if session], *([""] if "" in others else [])]


# --- pictures ---


def _svg(figure: Any, described: str) -> str:
    """A matplotlib figure as inline SVG, the same bytes each time."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": described, "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    salt = hashlib.sha256(described.encode()).hexdigest()[:6]  # ids must differ between the pictures of one page
    svg = re.sub(r'(id="|url\(#|xlink:href="#)', lambda match: match[1] + salt, svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(described)}"', 1)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def by_question_picture(shares: Mapping[str, Mapping[str, float]]) -> str:
    """A bar for each question, in the order of the notebook: what share of the class got what."""
    figure, axes = _figure(8.2, 0.9 + 0.34 * len(shares))
    names = list(shares)
    left = [0.0] * len(names)
    for state, colour in COLOURS.items():
        widths = [100 * shares[name][state] for name in names]
        axes.barh(range(len(names)), widths, left=left, color=colour, label=WORDS[state], height=0.72)
        for i, width in enumerate(widths):
            if width >= 8:
                ink = "white" if state in ("full", "none") else "black"
                axes.text(left[i] + width / 2, i, f"{width:.0f}", ha="center", va="center", color=ink, fontsize=9)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("per cent of the class")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="upper center", ncols=4, frameon=False, bbox_to_anchor=(0.5, 1.04)
    )
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    return _svg(figure, "Marks by question: " + ", ".join(names))


def totals_picture(scores: Sequence[float], most: float) -> str:
    """How many students have how many marks."""
    figure, axes = _figure(8.2, 2.4)
    step = max(1, round(most / 20))
    axes.hist(scores, bins=[i - 0.5 for i in range(0, int(most) + step + 1, step)], color="#0072b2", rwidth=0.9)
    axes.set_xlabel(f"marks of {number(most)}, without what waits for a person")
    axes.set_ylabel("students")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlim(-1, most + 1)
    figure.tight_layout()
    return _svg(figure, f"Total marks of {number(most)}")


def by_session_picture(rows: Sequence[Row], sessions: Sequence[str], most: float) -> str:
    """The marks in each session: a box for the middle half, a dot for each student."""
    names = [name for name in _in_order(rows, sessions) if any(row.session == name for row in rows)]
    figure, axes = _figure(8.2, 0.9 + 0.42 * len(names))
    scores = [[row.score for row in rows if row.session == name] for name in names]
    axes.boxplot(
        scores,
        orientation="horizontal",
        showfliers=False,
        widths=0.55,
        boxprops={"color": "#9aa5b1"},
        whiskerprops={"color": "#9aa5b1"},
        capprops={"color": "#9aa5b1"},
        medianprops={"color": "#d55e00", "linewidth": 2},
    )
    for i, some in enumerate(scores, 1):
        offsets = [i + 0.32 * ((k * 0.618034) % 1 - 0.5) for k in range(len(some))]
        axes.plot(sorted(some), offsets, ".", color="#0072b2", alpha=0.6, markersize=8, markeredgewidth=0, zorder=3)
    axes.set_yticks(
        range(1, len(names) + 1),
        [f"{name or 'no session'} ({len(s)})" for name, s in zip(names, scores, strict=True)],
        parse_math=False,  # a group's name may be of its own choice, and broken maths stops the picture
    )
    axes.invert_yaxis()
    axes.set_xlim(-0.5, most + 0.5)
    axes.set_xlabel(f"marks of {number(most)}, without what waits for a person")
    figure.tight_layout()
    return _svg(figure, "Marks by session: " + ", ".join(names))
