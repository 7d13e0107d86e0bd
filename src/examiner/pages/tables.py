"""grades.csv, marks.csv and feedback.zip."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from examiner.isolation.files import write_atomically
from examiner.pages.stamps import STAMP, read_stamp

FORMULA = "=+-@"  # what begins so, a spreadsheet computes


def write_tables(state: Path, tables: Mapping[Path, bytes]) -> dict[Path, Path]:
    """Write tables; what somebody has changed in one, or put in its place, is kept aside. Returns what went where."""
    record, kept = state / "tables.json", dict[Path, Path]()
    try:
        known = dict(json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        known = {}
    for path, content in tables.items():
        name = os.path.relpath(path, state.parent)
        before = path.read_bytes() if path.is_file() else content
        if before != content and hashlib.sha256(before).hexdigest() not in known.get(name, []):
            aside = state / "replaced" / f"{path.stem}-{datetime.now():%Y-%m-%d-%H%M%S}{path.suffix}"
            write_atomically(aside, before)
            kept[path] = aside
        # Both are known until the new one is there: a run that is killed in between makes nobody's table a stranger's.
        known[name] = [hashlib.sha256(part).hexdigest() for part in (before, content)]
    write_atomically(record, json.dumps(known))
    for path, content in tables.items():
        write_atomically(path, content)
    return kept


GRADES = [
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
]


def grades_csv(gradebook: Any, summary: Any, students: Collection[str]) -> str:
    """grades.csv: nbgrader's own columns, quoted where needed, then session, answers waiting for a person, and notes.

    Each of `students` has a row for each assignment; one who handed nothing in has zero.
    """
    from nbgrader.api import Student

    from examiner.pages.questions import folded

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*GRADES, "session", "waiting_for_hand_marks", "notes"])
    wanted = set(students)
    people = sorted((s for s in gradebook.db().query(Student) if s.id in wanted), key=lambda student: student.id)
    by_key = {(row.assignment, row.student): row for row in summary.rows()}
    for name, assignment in summary.assignments.items():
        most = sum(cell.points for cell in assignment.graded)
        for student in people:
            row = by_key.get((name, student.id))
            about = (student.last_name, student.first_name, student.email)
            who = [student.id, *[no_formula(text or "") for text in about]]
            session = no_formula(summary.session_of.get(student.id, ""))
            if row is None:
                said = no_formula(" ".join(summary.ungraded.get(student.id, ["nothing handed in"])))
                writer.writerow([name, "", "", *who, 0.0, 0.0, 0.0, most, session, 0, said])
                continue
            marked = row.marked
            raw = sum(marked.scores.values())
            when = [marked.duedate or "", marked.timestamp or ""]
            marks = [raw, marked.late_penalty, marked.score, most, session, len(marked.waiting)]
            writer.writerow([name, *when, *who, *marks, no_formula(" ".join(folded(row.notes)))])
    gradebook.db().rollback()
    return text.getvalue()


def no_formula(text: str) -> str:
    """Text that a spreadsheet does not compute."""
    return f"'{text}" if text.startswith((*FORMULA, "\t", "\r", "\n")) else text


def marks_csv(rows: Iterable[Any]) -> str:
    """marks.csv: a row for each student and graded cell, with what went wrong."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["assignment", "student_id", "question", "grade_id", "score", "max_score", "state", "mistake", "message"]
    )
    for row in rows:
        for line in row.lines:
            score = "" if line.score is None else line.score
            state = "waiting" if line.score is None else "by hand" if not line.auto_message else "automatic"
            details = [
                line.question,
                line.grade_id,
                score,
                line.points,
                state,
                line.mistake or "",
                no_formula(line.message),
            ]
            writer.writerow([row.assignment, row.student, *details])
    return text.getvalue()


def pages_of(folder: Path) -> list[Path]:
    """A student's pages of feedback on an assignment: one for each of its notebooks."""
    return sorted(folder.glob("[!.]*.html")) if folder.is_dir() else []


def zip_feedback(feedback: Path, target: Path, students: Sequence[str], assignments: Sequence[str]) -> bool:
    """A zip of everyone's feedback, a folder for each student. Returns whether it had to be made anew."""
    files = [file for student in students for name in assignments for file in pages_of(feedback / student / name)]
    stamps = [read_stamp(file, STAMP) or "" for file in files]
    whole = hashlib.sha256("\n".join([str(f.relative_to(feedback)) for f in files] + stamps).encode()).hexdigest()
    try:
        with zipfile.ZipFile(target) as archive:
            if archive.comment == whole.encode():
                return False
    except (OSError, zipfile.BadZipFile):
        pass
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for file in files:
                part = f"{file.parent.name}_" if file.stem != file.parent.name else ""
                information = zipfile.ZipInfo(f"{file.parent.parent.name}/{part}{file.name}", (1980, 1, 1, 0, 0, 0))
                information.compress_type = zipfile.ZIP_DEFLATED
                information.external_attr = 0o644 << 16
                archive.writestr(information, file.read_bytes())
            archive.comment = whole.encode()
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return True
