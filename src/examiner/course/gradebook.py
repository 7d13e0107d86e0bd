"""The one writer of nbgrader's gradebook: assignments in, marks in and out, and the notebook that formgrader shows."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from nbformat import NotebookNode
from nbgrader import api as tables
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGrader
from nbgrader.apps.api import NbGraderAPI
from nbgrader.preprocessors import AssignLatePenalties, GetGrades
from traitlets.config import Config

from examiner.batch.job import ClassError
from examiner.course.course import Course, quiet_nbgrader
from examiner.course.settings import read_zone
from examiner.course.timestamps import in_zone, lasting
from examiner.grading.assignment import Assignment
from examiner.grading.parts import notebooks, of_notebook
from examiner.grading.placing import unanswered, untouched_stubs
from examiner.grading.result import Result


def register(course: Course, gradebook: Gradebook, assignment: Assignment) -> bool:
    """Bring the gradebook's picture of an assignment up to date through nbgrader's own release step.

    Returns whether anything had to be done. release/ itself is left alone.
    """
    if _is_registered(gradebook, assignment):
        return False
    hung_on = _what_marks_hang_on(gradebook, assignment)
    if changed := _cells_changed_under_marks(gradebook, assignment):
        raise ClassError(
            f"Cells were added to or removed from {assignment.name} ({', '.join(changed)}), but the gradebook holds "
            "marks for it. Bring the cells back, or begin a new gradebook: move gradebook.db aside and run again."
        )
    with tempfile.TemporaryDirectory() as release, quiet_nbgrader(course.app) as said:
        settings = Config(course.app.config)
        settings.CourseDirectory.root = str(course.root)
        settings.CourseDirectory.db_url = course.db_url
        settings.CourseDirectory.release_directory = release
        settings.CourseDirectory.course_id = course.course_id
        app = NbGrader(log_level=logging.ERROR, config=settings)
        app.coursedir = type(course.app.coursedir)(parent=app)
        before = Path.cwd()
        os.chdir(course.root)
        try:
            outcome = NbGraderAPI(app.coursedir, parent=app).generate_assignment(assignment.name, force=True)
        finally:
            os.chdir(before)
    if not outcome["success"]:
        reason = "\n".join(filter(None, (said.getvalue(), outcome.get("log"), outcome.get("error"))))
        if "KeyboardInterrupt" in reason:  # nbgrader takes Ctrl-C for an error of the notebook's
            raise KeyboardInterrupt
        if "No space left on device" in reason:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), release)
        raise ClassError(f"nbgrader would not take assignment {assignment.name}: {reason.strip()[-2000:]}")
    gradebook.db.expire_all()
    after = _what_marks_hang_on(gradebook, assignment)
    _ask_again(gradebook, assignment, {name for name, what in hung_on.items() if after.get(name, what) != what})
    return True


def _what_marks_hang_on(gradebook: Gradebook, assignment: Assignment) -> dict[str, tuple[float, str]]:
    """The points of each graded cell as the gradebook has them, and its text if it is a test."""
    if assignment.parts:
        return {
            f"{part.notebook}/{name}": what
            for part in assignment.parts
            for name, what in _what_marks_hang_on(gradebook, part).items()
        }
    try:
        notebook = gradebook.find_notebook(assignment.notebook, assignment.name)
    except MissingEntry:
        return {}
    tests = {cell.grade_id for cell in assignment.cells if cell.kind == "test"}
    sources = {cell.name: cell.source for cell in notebook.source_cells if cell.name in tests}
    return {cell.name: (cell.max_score, sources.get(cell.name, "")) for cell in notebook.grade_cells}


def _ask_again(gradebook: Gradebook, assignment: Assignment, changed: set[str]) -> None:
    """Have a person look again at the marks that were given by hand on cells whose points or test have changed."""
    db, t = gradebook.db(), tables
    changed = {name.removeprefix(f"{part.notebook}/") for name in changed for part in notebooks(assignment)}
    if changed:
        cells = (
            sa.select(t.BaseCell.id)
            .join(t.Notebook, t.BaseCell.notebook_id == t.Notebook.id)
            .join(t.Assignment, t.Notebook.assignment_id == t.Assignment.id)
            .where(t.Assignment.name == assignment.name, t.BaseCell.name.in_(changed))
        )
        rows = sa.select(t.Grade).where(t.Grade.manual_score.is_not(None), t.Grade.cell_id.in_(cells))
        for row in db.scalars(rows):
            row.needs_manual_grade = True
    db.commit()
    db.expire_all()


def _cells_changed_under_marks(gradebook: Gradebook, assignment: Assignment) -> list[str]:
    """The cells by which source and gradebook differ, where nbgrader would refuse that because marks hang on them."""
    if assignment.parts:
        return [name for part in assignment.parts for name in _cells_changed_under_marks(gradebook, part)]
    try:
        notebook = gradebook.find_notebook(assignment.notebook, assignment.name)
    except MissingEntry:
        return []
    if not notebook.submissions:
        return []
    there = {(cell.name, "graded") for cell in notebook.grade_cells} | {(c.name, "") for c in notebook.solution_cells}
    wanted = {(cell.grade_id, "graded") for cell in assignment.graded}
    wanted |= {(cell.grade_id, "") for cell in assignment.cells if cell.metadata.get("solution")}
    known = {cell.name for cell in notebook.source_cells}
    others = known ^ {cell.grade_id for cell in _kept(assignment)}
    return sorted({name for name, _ in there ^ wanted} | others)


def _kept(assignment: Assignment) -> list[Any]:
    """The cells that nbgrader keeps in its gradebook."""
    named = [cell for cell in assignment.cells if cell.grade_id]
    return [c for c in named if c.metadata.get("locked") or c.metadata.get("grade") or c.metadata.get("solution")]


def _is_registered(gradebook: Gradebook, assignment: Assignment) -> bool:
    if assignment.parts:
        return all(_is_registered(gradebook, part) for part in assignment.parts)
    try:
        notebook = gradebook.find_notebook(assignment.notebook, assignment.name)
    except MissingEntry:
        return False
    sources = {cell.name: cell.source for cell in notebook.source_cells}
    points = {cell.name: cell.max_score for cell in notebook.grade_cells}
    kept = _kept(assignment)
    locked = {c.grade_id: c.source for c in kept if c.kind not in ("solution", "written")}
    return (
        set(sources) == {cell.grade_id for cell in kept}
        and all(sources.get(name) == source for name, source in locked.items())
        and points == {cell.grade_id: cell.points for cell in assignment.graded}
    )


# --- marks in ---
@dataclass(frozen=True)
class Entry:
    """What is to be in the gradebook for one student; `changed` where the autograded folder lacks this result."""

    student: str
    result: Result
    timestamp: datetime | None
    changed: bool
    before: Mapping[str, str] = field(default_factory=dict)  # what the cells held that were marked last


def save(
    gradebook: Gradebook, assignment: Assignment, entries: Sequence[Entry], late: LatePenalty | None = None
) -> None:
    """Write results into the gradebook in one transaction.

    Marks and comments given by hand are never touched. A hand mark on work that has changed since is flagged for a
    second look, as nbgrader does.
    """
    if assignment.parts:
        for part in assignment.parts:
            save(gradebook, part, [_of_notebook(entry, part) for entry in entries], late)
        return
    db = gradebook.db()
    try:
        notebook = gradebook.find_notebook(assignment.notebook, assignment.name)
        cells = db.execute(
            sa.select(tables.BaseCell.id, tables.BaseCell.name, tables.BaseCell.type).where(
                tables.BaseCell.notebook_id == notebook.id
            )
        ).all()
        graded = {name: id_ for id_, name, type_ in cells if type_ in ("GradeCell", "TaskCell")}
        commented = {name: id_ for id_, name, type_ in cells if type_ in ("SolutionCell", "TaskCell")}
        students = [entry.student for entry in entries]
        _add_students(db, students)
        submitted = _submissions(db, notebook, entries)
        ids = [submitted[student] for student in students]
        grades = _rows_by(db, tables.Grade, ids)
        comments = _rows_by(db, tables.Comment, ids)
        for entry in entries:
            where = submitted[entry.student]
            _save_grades(db, where, entry, assignment, graded, grades)
            blank = unanswered(assignment, entry.result)
            for name, cell_id in commented.items():
                note = comments.get((where, cell_id))
                if note is None:
                    note = tables.Comment(notebook_id=where, cell_id=cell_id)
                    db.add(note)
                note.auto_comment = "No response." if name in blank else None
        db.flush()
        if late is not None:
            late.apply(db, [(entry.student, submitted[entry.student]) for entry in entries])
        db.commit()
    except BaseException:
        db.rollback()
        raise
    finally:
        db.expunge_all()


def _save_grades(
    db: Any, where: str, entry: Entry, assignment: Assignment, graded: Mapping[str, str], rows: Mapping[Any, Any]
) -> None:
    """Write the scores of one submitted notebook; `graded` are the cells' ids by name, `rows` what is there already."""
    points = {cell.grade_id: cell.points for cell in assignment.graded}
    marks = {mark.grade_id: mark for mark in entry.result.marks}
    theirs = {cell.grade_id: cell.source for cell in entry.result.cells}
    stubs = untouched_stubs(assignment, entry.result) if entry.result.cells else ()
    for name, cell_id in graded.items():
        mark = marks.get(name)
        score = mark.score if mark else 0.0
        row = rows.get((where, cell_id))
        if row is None:
            row = tables.Grade(notebook_id=where, cell_id=cell_id)
            db.add(row)
        if row.manual_score is None:
            row.needs_manual_grade = score is None and name not in stubs
        elif (
            row.manual_score > points[name]
            or (entry.changed and row.auto_score != score)
            or (entry.changed and score is None and entry.before.get(name) != theirs.get(name, ""))
        ):
            row.needs_manual_grade = True
        row.auto_score = score


def _of_notebook(entry: Entry, part: Assignment) -> Entry:
    before = {name.removeprefix(f"{part.notebook}/"): text for name, text in entry.before.items()}
    return replace(entry, result=of_notebook(entry.result, part), before=before)


def _add_students(db: Any, students: Sequence[str]) -> None:
    there = set(db.scalars(sa.select(tables.Student.id).where(tables.Student.id.in_(students))))
    new = [student for student in dict.fromkeys(students) if student not in there]
    db.add_all([tables.Student(id=student) for student in new])
    db.flush()


def _submissions(db: Any, notebook: Any, entries: Sequence[Entry]) -> dict[str, str]:
    """The id of each student's SubmittedNotebook, made where it is missing."""
    students = [entry.student for entry in entries]
    assignment_id = notebook.assignment_id
    found = db.scalars(
        sa.select(tables.SubmittedAssignment).where(
            tables.SubmittedAssignment.assignment_id == assignment_id,
            tables.SubmittedAssignment.student_id.in_(students),
        )
    )
    handed_in = {row.student_id: row for row in found}
    for entry in entries:
        row = handed_in.get(entry.student)
        if row is None:
            row = tables.SubmittedAssignment(
                id=tables.new_uuid(), assignment_id=assignment_id, student_id=entry.student, timestamp=entry.timestamp
            )
            db.add(row)
            handed_in[entry.student] = row
        elif entry.timestamp is not None:
            row.timestamp = entry.timestamp
    db.flush()
    rows = db.execute(
        sa.select(tables.SubmittedNotebook.assignment_id, tables.SubmittedNotebook.id).where(
            tables.SubmittedNotebook.notebook_id == notebook.id,
            tables.SubmittedNotebook.assignment_id.in_([row.id for row in handed_in.values()]),
        )
    ).all()
    there = {assignment: id_ for assignment, id_ in rows}
    for row in handed_in.values():
        if row.id not in there:
            there[row.id] = tables.new_uuid()
            db.add(tables.SubmittedNotebook(id=there[row.id], assignment_id=row.id, notebook_id=notebook.id))
    db.flush()
    return {student: there[row.id] for student, row in handed_in.items()}


def _rows_by(db: Any, table: Any, notebooks: Sequence[str]) -> dict[tuple[str, str], Any]:
    rows = db.scalars(sa.select(table).where(table.notebook_id.in_(notebooks)))
    return {(row.notebook_id, row.cell_id): row for row in rows}


class LatePenalty:
    """nbgrader's own late-submission plugin, as nbgrader_config.py sets it, asked for each late submission."""

    def __init__(self, course: Course):
        self._preprocessor = AssignLatePenalties(parent=course.app)
        self._preprocessor.init_plugin()

    def apply(self, db: Any, submitted: Sequence[tuple[str, str]]) -> None:
        ids = [notebook_id for _, notebook_id in submitted]
        rows = db.scalars(sa.select(tables.SubmittedNotebook).where(tables.SubmittedNotebook.id.in_(ids))).all()
        for row in rows:
            penalty = None
            if row.assignment.duedate is not None and row.assignment.total_seconds_late > 0:
                scores = db.scalars(sa.select(tables.Grade.score).where(tables.Grade.notebook_id == row.id))
                score = sum(value or 0.0 for value in scores)
                late = row.assignment.total_seconds_late
                penalty = self._preprocessor.plugin_inst.late_submission_penalty(row.assignment.student_id, score, late)
                if penalty is not None:
                    penalty = min(max(float(penalty), 0.0), score)
            row.late_submission_penalty = penalty


def mark_by_hand(
    gradebook: Gradebook, assignment: str, notebook: str, student: str, cell: str, score: float, comment: str = ""
) -> None:
    """A person's mark for a cell, and a comment if there is one, as formgrader writes them."""
    grade = gradebook.find_grade(cell, notebook, assignment, student)
    grade.manual_score, grade.needs_manual_grade = score, False
    if comment:
        gradebook.find_comment(cell, notebook, assignment, student).manual_comment = comment
    gradebook.db.commit()


# --- marks out ---
@dataclass
class Marked:
    """A student's marks for one assignment, as the gradebook has them: a person's marks stand before the grader's."""

    student: str
    timestamp: datetime | None = None
    late_penalty: float = 0.0
    penalties: dict[str, float] = field(default_factory=dict)  # of it, each notebook's, where there are several
    duedate: datetime | None = None
    scores: dict[str, float] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    by_hand: set[str] = field(default_factory=set)
    comments: dict[str, str] = field(default_factory=dict)
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    submission: str = ""  # the id of the submitted notebook, by which formgrader shows it

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def of_notebook(self, before: str) -> Marked:
        """The marks of the cells whose names have this before them, without it."""

        def own(names: set[str]) -> set[str]:
            return {name.removeprefix(before) for name in names if name.startswith(before)}

        scores = {name.removeprefix(before): s for name, s in self.scores.items() if name.startswith(before)}
        comments = {name.removeprefix(before): c for name, c in self.comments.items() if name.startswith(before)}
        penalty = self.penalties.get(before, self.late_penalty)
        found = replace(self, scores=scores, comments=comments, late_penalty=penalty)
        return replace(found, waiting=own(self.waiting), by_hand=own(self.by_hand))

    @property
    def score(self) -> float:
        return max(0.0, sum(self.scores.values()) - self.late_penalty)


def read_marks(
    gradebook: Gradebook, assignment: str, students: Sequence[str] | None = None, notebook: str = ""
) -> dict[str, Marked]:
    """Everyone's marks for an assignment, or those of `students`.

    Where the assignment has several notebooks that bear marks, the names of cells have their notebook's before them,
    unless one notebook's alone are asked for.
    """
    db, t = gradebook.db(), tables
    graded = sa.select(t.BaseCell.notebook_id).where(t.BaseCell.type.in_(("GradeCell", "TaskCell")))
    names = sa.select(t.Notebook.name).join(t.Assignment, t.Notebook.assignment_id == t.Assignment.id)
    names = names.where(t.Assignment.name == assignment)
    bearing = list(db.scalars(names.where(t.Notebook.id.in_(graded)))) or list(db.scalars(names))
    wanted_notebooks = [notebook] if notebook else bearing
    chosen = sa.true() if students is None else t.SubmittedAssignment.student_id.in_(students)
    base = (
        sa.select(
            t.SubmittedNotebook.id,
            t.SubmittedNotebook.late_submission_penalty,
            t.SubmittedAssignment.student_id,
            t.SubmittedAssignment.timestamp,
            t.SubmittedAssignment.extension,
            t.Assignment.duedate,
            t.Student.first_name,
            t.Student.last_name,
            t.Student.email,
            t.Notebook.name,
        )
        .join(t.SubmittedAssignment, t.SubmittedNotebook.assignment_id == t.SubmittedAssignment.id)
        .join(t.Assignment, t.SubmittedAssignment.assignment_id == t.Assignment.id)
        .join(t.Student, t.SubmittedAssignment.student_id == t.Student.id)
        .join(t.Notebook, t.SubmittedNotebook.notebook_id == t.Notebook.id)
        .where(t.Assignment.name == assignment, t.Notebook.name.in_(wanted_notebooks), chosen)
        .order_by(t.Notebook.name)
    )
    by_notebook: dict[str, tuple[Marked, str]] = {}
    by_student: dict[str, Marked] = {}
    for id_, penalty, student, timestamp, extension, duedate, first, last, email, name in db.execute(base):
        due = duedate + extension if duedate and extension else duedate
        marked = by_student.setdefault(student, Marked(student, timestamp, duedate=due, submission=id_))
        before = f"{name}/" if len(wanted_notebooks) > 1 else ""
        marked.late_penalty += penalty or 0.0
        marked.penalties[before] = penalty or 0.0
        marked.first_name, marked.last_name, marked.email = first or "", last or "", email or ""
        by_notebook[id_] = marked, before
    wanted = sa.select(base.with_only_columns(t.SubmittedNotebook.id).order_by(None).subquery().c.id)
    _read_grades(db, wanted, by_notebook)
    _read_comments(db, wanted, by_notebook)
    db.rollback()
    return by_student


def _read_grades(db: Any, notebooks: Any, by_notebook: Mapping[str, tuple[Marked, str]]) -> None:
    t = tables
    unmarked = sa.and_(t.Grade.auto_score.is_(None), t.Grade.manual_score.is_(None))
    waits = sa.or_(t.Grade.needs_manual_grade, unmarked)
    grades = (
        sa.select(t.Grade.notebook_id, t.BaseCell.name, waits, t.Grade.manual_score, t.Grade.score)
        .join(t.BaseCell, t.Grade.cell_id == t.BaseCell.id)
        .where(t.Grade.notebook_id.in_(notebooks))
    )
    for where, name, waits, manual, score in db.execute(grades):
        marked, before = by_notebook[where]
        name = before + name
        marked.scores[name] = float(score or 0.0)
        if manual is not None:
            marked.by_hand.add(name)
        if waits:  # for the first time, or again: the work under a hand mark has changed since
            marked.waiting.add(name)


def _read_comments(db: Any, notebooks: Any, by_notebook: Mapping[str, tuple[Marked, str]]) -> None:
    t = tables
    comments = (
        sa.select(t.Comment.notebook_id, t.BaseCell.name, t.Comment.auto_comment, t.Comment.manual_comment)
        .join(t.BaseCell, t.Comment.cell_id == t.BaseCell.id)
        .where(t.Comment.notebook_id.in_(notebooks))
    )
    for where, name, automatic, manual in db.execute(comments):
        text = manual if manual is not None else automatic
        if text:
            marked, before = by_notebook[where]
            marked.comments[before + name] = text


def apply_marks(nb: NotebookNode, marked: Marked, zone: tzinfo = UTC) -> NotebookNode:
    """Put the gradebook's marks and comments into a marked notebook's metadata, as nbgrader's GetGrades does.

    And the student's name, and when the work came and was due, in the course's zone.
    """
    late = marked.timestamp - marked.duedate if marked.timestamp and marked.duedate else timedelta(0)
    nb.metadata.setdefault("workshop", NotebookNode()).update(
        name=marked.name,
        handed_in=in_zone(marked.timestamp, zone),
        due=in_zone(marked.duedate, zone),
        late=lasting(late) if late > timedelta(0) else "",
    )
    for cell in nb.cells:
        info = cell.metadata.get("nbgrader")
        if info is None:
            continue
        name = info["grade_id"]
        own = cell.metadata.setdefault("workshop", NotebookNode())
        if info.get("solution"):
            info["comment"] = marked.comments.get(name)
        if info.get("grade"):
            info["score"] = marked.scores.get(name, 0.0)
            own["waiting"], own["by_hand"] = name in marked.waiting, name in marked.by_hand
    return nb


class GetMarks(GetGrades):
    """nbgrader's GetGrades, which also says what still waits for a person: for GenerateFeedback.preprocessors."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        nb, resources = super().preprocess(nb, resources)
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            marks = read_marks(gradebook, about["assignment"], [about["student"]], about["notebook"])
        if about["student"] in marks:
            apply_marks(nb, marks[about["student"]], read_zone(Path.cwd()))
        return nb, resources
