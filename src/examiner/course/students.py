"""Who is in the course: list them, put two that are one together, give another id, take one out; and undo it.

Folders, marks (those given by hand too) and what is remembered of how people's work came all go along.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from nbgrader import api as t
from nbgrader.api import Gradebook

from examiner.batch.job import ClassError
from examiner.course.course import Course
from examiner.course.ids import fold, valid_id
from examiner.course.intake import is_older
from examiner.course.notebook import notebook_text
from examiner.course.people import People
from examiner.course.roster import Enrolled
from examiner.course.timestamps import read_timestamp
from examiner.isolation.files import write_atomically

TABLES = (t.Student, t.SubmittedAssignment, t.SubmittedNotebook, t.Grade, t.Comment)  # a table after what it hangs on


def listed(course: Course, gradebook: Gradebook, people: People, sessions: Mapping[str, Enrolled]) -> list[str]:
    """A line for each student: id, name, session, what is there, and under which names it came."""
    db = gradebook.db()
    names = {row.id: f"{row.first_name or ''} {row.last_name or ''}".strip() for row in db.query(t.Student)}
    there: dict[str, list[str]] = {}
    pairs = sa.select(t.SubmittedAssignment.student_id, t.Assignment.name).join(
        t.Assignment, t.SubmittedAssignment.assignment_id == t.Assignment.id
    )
    for student, assignment in db.execute(pairs):
        there.setdefault(student, []).append(assignment)
    lines = []
    for student in sorted({*names, *there, *sessions, *_folders(course)}):
        enrolled = sessions.get(student)
        came = [
            " ".join(filter(None, (system, number, f"({name})" if name else "")))
            for system, number, name, _ in people.seen.get(student, [])
            if (number, name) != (student, "")
        ]
        parts = [
            student,
            names.get(student, "") or (enrolled.name if enrolled else ""),
            (enrolled.session if enrolled else "") if sessions else "",
            ", ".join(sorted(there.get(student, []))) or "nothing graded",
            f"came as {'; '.join(came)}" if came else "",
            "not on the roster" if sessions and not enrolled else "",
        ]
        lines.append("  ".join(part for part in parts if part))
    return lines


def _folders(course: Course) -> set[str]:
    if not course.submitted.is_dir():
        return set()
    return {path.name for path in course.submitted.iterdir() if path.is_dir() and not path.name.startswith(".")}


def exists(course: Course, gradebook: Gradebook, student: str) -> bool:
    """Whether a student has a folder or a row in the gradebook."""
    return student in _folders(course) or gradebook.db().get(t.Student, student) is not None


# --- one change, and the way back ---
def change(course: Course, gradebook: Gradebook, people: People, what: str, one: str, other: str = "") -> None:
    """Merge `one` into `other`, rename `one` to `other`, or remove `one`, so that `undo` can take it back."""
    if not exists(course, gradebook, one):
        raise ClassError(f"There is no student {one}. `workshop students` lists who there is.")
    if what == "merge" and (one == other or not exists(course, gradebook, other)):
        raise ClassError(f"There is no other student {other} to merge {one} into; to give another id: rename.")
    if what == "rename" and exists(course, gradebook, other):
        raise ClassError(f"There is a student {other} already; to put the two together: merge {one} {other}.")
    if what == "rename" and not valid_id(other):
        raise ClassError(f"{other!r} can't be a student's id.")
    students = [student for student in (one, other) if student]
    before = _rows(gradebook, students)
    kept = _fresh(course.state / "undo")
    for step in _steps(course):
        for student in students:
            if (step / student).is_dir():
                shutil.copytree(step / student, kept / step.name / student, symlinks=True)
    for name in ("people.json", "intake.json"):
        if (course.state / name).exists():
            shutil.copy2(course.state / name, kept / name)
    said = f"{what} {' '.join(students)}"
    _write(kept, {"said": said, "students": students, "before": before, "after": None})
    if what == "remove":
        _delete(gradebook, [one])
        for step in _steps(course):
            shutil.rmtree(step / one, ignore_errors=True)
        people.seen.pop(one, None)
        for where in [where for where in people.came if where.split("/")[0] == one]:
            del people.came[where]
            people.sent.pop(where, None)
    else:
        _join(course, gradebook, people, one, other)
    people.write(course.state / "people.json")
    _rename_notes(course.state / "intake.json", one, other)
    _write(kept, {"said": said, "students": students, "before": before, "after": _rows(gradebook, students)})


def undo(course: Course, gradebook: Gradebook) -> str:
    """Take the last change back; returns what it was. Refused where marks have changed since, which would be lost."""
    kept = course.state / "undo"
    try:
        about = json.loads((kept / "what.json").read_text(encoding="utf-8"))
        said, students = str(about["said"]), list(map(str, about["students"]))
    except (OSError, ValueError, KeyError):
        raise ClassError("There is nothing to undo.") from None
    if about["after"] is not None and _hand_marks(_rows(gradebook, students)) != _hand_marks(about["after"]):
        raise ClassError(f"Marks were given by hand since `{said}`; to undo it would lose them. Nothing was changed.")
    _delete(gradebook, students)
    _insert(gradebook, about["before"])
    for step in _steps(course):
        for student in students:
            shutil.rmtree(step / student, ignore_errors=True)
            if (kept / step.name / student).is_dir():
                shutil.copytree(kept / step.name / student, step / student, symlinks=True)
    for name in ("people.json", "intake.json"):
        if (kept / name).exists():
            shutil.copy2(kept / name, course.state / name)
        else:
            (course.state / name).unlink(missing_ok=True)
    shutil.rmtree(kept)
    return said


def _steps(course: Course) -> tuple[Path, ...]:
    return course.submitted, course.autograded, course.feedback


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _write(kept: Path, about: dict[str, Any]) -> None:
    write_atomically(kept / "what.json", json.dumps(about, ensure_ascii=False))


def _rename_notes(path: Path, one: str, other: str) -> None:
    if path.exists():
        lines = json.loads(path.read_text(encoding="utf-8"))
        there = {(student, about) for student, about, _ in lines}
        moved = [[other if s == one else s, about, notes] for s, about, notes in lines if s != one or (
            other and (other, about) not in there
        )]  # fmt: skip
        write_atomically(path, json.dumps(moved, indent=1))


def _join(course: Course, gradebook: Gradebook, people: People, one: str, other: str) -> None:
    """Put what `one` has to what `other` has; of two submissions for one assignment the newer counts."""
    db = gradebook.db()
    mine = db.get(t.Student, one)
    theirs = db.get(t.Student, other)
    if theirs is None:
        theirs = t.Student(id=other)
        db.add(theirs)
    for name in ("first_name", "last_name", "email"):
        if mine is not None and not getattr(theirs, name):
            setattr(theirs, name, getattr(mine, name))
    db.flush()
    newer = {name: _is_newer(course, people, name, one, other) for name in course.assignments()}
    submitted = {row.assignment.name: row for row in _submissions(db, other)}
    for row in _submissions(db, one):
        name = row.assignment.name
        if name in submitted:
            wins, loses = (row, submitted[name]) if newer.get(name) else (submitted[name], row)
            _keep_hand_marks(db, wins, loses)
            wins_id, loses_id = wins.id, loses.id
            _delete_submissions(db, [loses_id])
            db.execute(
                sa.update(t.SubmittedAssignment).where(t.SubmittedAssignment.id == wins_id).values(student_id=other)
            )
        else:
            db.execute(
                sa.update(t.SubmittedAssignment).where(t.SubmittedAssignment.id == row.id).values(student_id=other)
            )
    db.commit()
    db.expunge_all()
    _delete(gradebook, [one])
    for step in _steps(course):
        for folder in sorted((step / one).iterdir()) if (step / one).is_dir() else ():
            target = step / other / folder.name
            if target.exists() and not newer.get(folder.name):
                continue
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(str(folder), target)
            for notebook in target.glob("[!.]*.ipynb"):
                _readdress(notebook, other)
        shutil.rmtree(step / one, ignore_errors=True)
    _remember_as(people, one, other, newer)


def _remember_as(people: People, one: str, other: str, newer: Mapping[str, bool]) -> None:
    """What is remembered of `one` is of `other` from now on."""
    for where in [where for where in people.came if where.split("/")[0] == one]:
        order, sender, name = people.came.pop(where), people.sent.pop(where, ()), where.split("/", 1)[1]
        if newer.get(name, True) or f"{other}/{name}" not in people.came:
            people.came[f"{other}/{name}"], people.sent[f"{other}/{name}"] = order, sender
    came = people.seen.pop(one, [])
    people.seen[other] = list(dict.fromkeys([*people.seen.get(other, []), *came]))
    people.same = {name: [other if s == one else s for s in students] for name, students in people.same.items()}
    people.same[fold(one)] = [other]
    people.moved = {was: other if now == one else now for was, now in people.moved.items() if was != other} | {
        one: other
    }


def _is_newer(course: Course, people: People, name: str, one: str, other: str) -> bool:
    """Whether the submission of `one` counts rather than that of `other`."""
    mine, theirs = (course.submitted / student / name for student in (one, other))
    if not mine.is_dir() or not theirs.is_dir():
        return mine.is_dir()
    orders = []
    for student, folder in ((one, mine), (other, theirs)):
        order = list(people.came.get(f"{student}/{name}", [0.0, 0.0, 0.0]))
        when = read_timestamp(folder)
        orders.append([when.timestamp() if when else 0.0, *order[1:]])
    return is_older(orders[1], orders[0])


def _readdress(path: Path, student: str) -> None:
    """A marked notebook names its student."""
    try:
        nb = json.loads(path.read_text(encoding="utf-8"))
        nb["metadata"]["workshop"]["student"] = student
    except (OSError, ValueError, KeyError, TypeError):
        return
    write_atomically(path, notebook_text(nb))


# --- rows of the gradebook ---
def _submissions(db: Any, student: str) -> list[Any]:
    return list(db.scalars(sa.select(t.SubmittedAssignment).where(t.SubmittedAssignment.student_id == student)))


def _keep_hand_marks(db: Any, wins: Any, loses: Any) -> None:
    """Marks and comments given by hand on the older submission go to the newer, to be looked at again."""
    for notebook in wins.notebooks:
        old = next((n for n in loses.notebooks if n.notebook_id == notebook.notebook_id), None)
        given = {grade.cell_id: grade for grade in old.grades} if old else {}
        for grade in notebook.grades:
            before = given.get(grade.cell_id)
            if before is not None and before.manual_score is not None and grade.manual_score is None:
                grade.manual_score, grade.needs_manual_grade = before.manual_score, True
        said = {comment.cell_id: comment for comment in old.comments} if old else {}
        for comment in notebook.comments:
            earlier = said.get(comment.cell_id)
            if earlier is not None and earlier.manual_comment and not comment.manual_comment:
                comment.manual_comment = earlier.manual_comment
    db.flush()


def _of(students: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    """For each table, what picks the rows of these students."""
    submitted = sa.select(t.SubmittedAssignment.id).where(t.SubmittedAssignment.student_id.in_(students))
    notebooks = sa.select(t.SubmittedNotebook.id).where(t.SubmittedNotebook.assignment_id.in_(submitted))
    yield t.Student, t.Student.id.in_(students)
    yield t.SubmittedAssignment, t.SubmittedAssignment.student_id.in_(students)
    yield t.SubmittedNotebook, t.SubmittedNotebook.assignment_id.in_(submitted)
    yield t.Grade, t.Grade.notebook_id.in_(notebooks)
    yield t.Comment, t.Comment.notebook_id.in_(notebooks)


def _rows(gradebook: Gradebook, students: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Everything that the gradebook has of these students, as plain data."""
    db, found = gradebook.db(), {}
    for table, mine in _of(students):
        own = table.__table__
        rows = db.execute(sa.select(own).where(mine)).mappings()
        found[own.name] = sorted(
            ({k: _plain(v) for k, v in row.items()} for row in rows), key=lambda row: str(row["id"])
        )
    db.rollback()
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    return {"seconds": value.total_seconds()} if isinstance(value, timedelta) else value


def _value(plain: Any) -> Any:
    if isinstance(plain, dict):
        made: Callable[[], Any] = (
            (lambda: datetime.fromisoformat(plain["time"]))
            if "time" in plain
            else lambda: timedelta(seconds=plain["seconds"])
        )
        return made()
    return plain


def _hand_marks(rows: dict[str, list[dict[str, Any]]]) -> list[Any]:
    marks = [(row["cell_id"], row["manual_score"]) for row in rows["grade"] if row["manual_score"] is not None]
    said = [(row["cell_id"], row["manual_comment"]) for row in rows["comment"] if row["manual_comment"]]
    return [sorted(map(list, marks)), sorted(map(list, said))]


def _delete_submissions(db: Any, ids: Sequence[str]) -> None:
    notebooks = sa.select(t.SubmittedNotebook.id).where(t.SubmittedNotebook.assignment_id.in_(ids))
    db.execute(sa.delete(t.Comment.__table__).where(t.Comment.notebook_id.in_(notebooks)))
    db.execute(sa.delete(t.Grade.__table__).where(t.Grade.notebook_id.in_(notebooks)))
    db.execute(sa.delete(t.SubmittedNotebook.__table__).where(t.SubmittedNotebook.assignment_id.in_(ids)))
    db.execute(sa.delete(t.SubmittedAssignment.__table__).where(t.SubmittedAssignment.id.in_(ids)))


def _delete(gradebook: Gradebook, students: Sequence[str]) -> None:
    db = gradebook.db()
    ids = list(db.scalars(sa.select(t.SubmittedAssignment.id).where(t.SubmittedAssignment.student_id.in_(students))))
    _delete_submissions(db, ids)
    db.execute(sa.delete(t.Student.__table__).where(t.Student.id.in_(students)))
    db.commit()
    db.expunge_all()


def _insert(gradebook: Gradebook, rows: dict[str, list[dict[str, Any]]]) -> None:
    db = gradebook.db()
    for table in TABLES:
        own = table.__table__
        values = [{name: _value(value) for name, value in row.items()} for row in rows.get(own.name, [])]
        if values:
            db.execute(sa.insert(own), values)
    db.commit()
    db.expunge_all()
