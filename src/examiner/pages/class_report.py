"""The class report: what the class misunderstood."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.metadata
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pygments.formatters import HtmlFormatter

from examiner.grading.assignment import Assignment
from examiner.grading.parts import notebooks
from examiner.grading.result import NOT_APART
from examiner.pages import standing
from examiner.pages.feedback import TEMPLATES, page_templates
from examiner.pages.markup import POLICY
from examiner.pages.questions import sentence
from examiner.pages.summary import Summary
from examiner.pages.terminal import Row

SHOWN_ANSWERS = 25  # of each mistake
COMMONEST = 10
RENEWED = 5  # seconds after which a browser loads a page again that is written anew meanwhile
FOLDED = 10  # rows of a list; the others open on a click
JUPYTER = "http://localhost:8888"  # where `make lab` serves the course, unless the reader says otherwise
SCRIPT = (TEMPLATES / "report.js").read_text(encoding="utf-8")
_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
REPORT_POLICY = f"{POLICY}; script-src 'sha256-{_HASH}'"  # this one script, and no other


def report_html(summary: Summary) -> str:
    """The class report as one HTML file."""
    rows = summary.rows()
    by_assignment = {name: [row for row in rows if row.assignment == name] for name in summary.assignments}
    submissions = {(row.assignment, row.student): row.marked.submission for row in rows}
    environment = page_templates().overlay()
    links = functools.partial(_links, summary.assignments, submissions)
    own = {"question": summary.label, "person": summary.person, "links": links}
    environment.filters = environment.filters | own
    parts = [_part(summary, name, mine) for name, mine in by_assignment.items() if mine]
    risky = standing.at_risk(rows, list(summary.assignments), summary.session_of)
    return environment.get_template("report.html.j2").render(
        parts=parts,
        assignments=list(summary.assignments),
        at_risk=risky,
        missing=Counter(sum(mark is None for mark in marks) for marks in risky.values()),
        students=len({row.student for row in rows} | set(summary.session_of)),
        ungraded=summary.ungraded,
        course=summary.course,
        today=f"{datetime.now():%-d %B %Y}",
        version=importlib.metadata.version("statml-workshop"),
        session_of=summary.session_of,
        shown_answers=SHOWN_ANSWERS,
        folded_at=FOLDED,
        states=standing.STATES,
        renewed=RENEWED if summary.renewed else 0,
        script=SCRIPT,
        jupyter=JUPYTER,
        policy=REPORT_POLICY,
        pygments=HtmlFormatter().get_style_defs(".code"),
    )


def _links(
    assignments: Mapping[str, Assignment], submissions: Mapping[tuple[str, str], str], student: str, assignment: str
) -> dict[str, str]:
    """Where a student's feedback and marked notebook are, and the work in formgrader while JupyterLab runs here."""
    whose, work = quote(student, safe=""), quote(assignment, safe="")
    submission = submissions.get((assignment, student), "")
    first = notebooks(assignments[assignment])[0]
    notebook = quote(first.notebook, safe="")
    page = notebook if first.of_several else work
    links = {
        "feedback": f"feedback/{whose}/{work}/{page}.html",
        "notebook": f"{JUPYTER}/lab/tree/autograded/{whose}/{work}/{notebook}.ipynb",
    }
    return links | ({"formgrader": f"{JUPYTER}/formgrader/submissions/{submission}/"} if submission else {})


def _tests_waiting(assignment: Assignment, rows: list[Row]) -> list[tuple[str, int]]:
    """The test cells that wait for a person, and for how many students: most first."""
    tests = {cell.grade_id for cell in assignment.cells if cell.kind == "test"}
    waiting = Counter(line.grade_id for row in rows for line in row.lines if line.score is None)
    return [(test, count) for test, count in waiting.most_common() if test in tests]


def _part(summary: Summary, name: str, rows: list[Row]) -> dict[str, Any]:
    """What the report says of one assignment."""
    values = standing.shares(rows) or [0.0]
    means = [(question, statistics.fmean(found)) for question, found in standing.scores(rows).items()]
    mine = [mistake for mistake in summary.mistakes() if mistake.assignment == name]
    order = list(dict.fromkeys(cell.question for cell in summary.assignments[name].graded))
    seconds = [row.seconds for row in rows if row.seconds] or [0.0]  # a row of an earlier run took none
    eyes: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for why in _in_words(summary, name, row.needs_eye):
            eyes[why].append(row)
    return {
        "name": name,
        "tests_waiting": _tests_waiting(summary.assignments[name], rows),
        "not_apart": any(row.sandbox.endswith(NOT_APART) for row in rows),
        "rows": rows,
        "most": sum(cell.points for cell in summary.assignments[name].graded),
        "marked": statistics.median(standing.so_far(row)[1] for row in rows),
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "waiting": sum(bool(row.marked.waiting) for row in rows),
        "absent": sorted(set(summary.session_of) - {row.student for row in rows}),
        "by_question": standing.by_question(rows),
        "tenths": standing.tenths(values),
        "sessions": standing.by_session(rows, summary.sessions) if summary.session_of else [],
        "hardest": sorted((item for item in means if item[1] < 1), key=lambda item: item[1])[:5],
        "means": dict(means),
        "commonest": [mistake for mistake in mine if len(mistake.students) > 1][:COMMONEST],
        "mistakes": {question: [m for m in mine if m.question == question] for question in order},
        "unanswered": {question: len(summary.unanswered()[name][question]) for question in order},
        "eyes": sorted(eyes.items(), key=lambda item: (-len(item[1]), item[0])),
        "noted": [row for row in rows if row.notes and not row.needs_eye],
        "alike": [group for group in summary.alike() if group[0] == name],
        "typical": statistics.median(seconds),
        "longest": max(rows, key=lambda row: row.seconds),
        "all_seconds": sum(seconds),
        "levels": Counter(row.sandbox or "not run" for row in rows).most_common(),
    }


def _in_words(summary: Summary, assignment: str, reasons: Sequence[str]) -> list[str]:
    """Why a person should look, with questions in the place of their tests."""
    question = {cell.grade_id: cell.question for cell in summary.assignments[assignment].graded}
    said: list[str] = []
    for reason in reasons:
        test, colon, rest = reason.partition(": ")
        about = f"{summary.label(question[test], assignment)}: {rest}" if colon and test in question else reason
        said.append(sentence(about))
    return list(dict.fromkeys(said))
