"""What goes back to the learning-management system: its own table with the marks in it, and feedback by its names."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from examiner.batch.job import ClassError
from examiner.course.columns import dialect_of, find_columns, said_before
from examiner.course.people import People
from examiner.course.roster import NOBODY, encoding_of
from examiner.course.systems import Owner
from examiner.pages.tables import pages_of


def fill_in(
    path: Path, people: People, marks: Mapping[str, float], assignment: str, most: float, column: str = ""
) -> tuple[bytes, str, list[str]]:
    """A system's own table (Canvas, Moodle, Blackboard) with an assignment's marks in it, fit to be imported as it is.

    Returns the file's bytes, the column that was filled in, and the students whom the table lacks.
    """
    raw = path.read_bytes()
    encoding = encoding_of(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        raise ClassError(f"{path} is no CSV in UTF-8 or UTF-16. Export it again.") from None
    lines = text.splitlines()
    dialect = dialect_of(lines)
    rows = list(csv.reader(io.StringIO(text), dialect=dialect))
    if not rows or len(rows[0]) < 2:
        raise ClassError(f"{path} is no table with a header row.")
    header = rows[0]
    at = _column(header, assignment, column)
    if at == len(header):
        header.append(column or _new_name(header, assignment, most))
    who = _who(header, rows[1:], people)
    missing = set(marks)
    for row in rows[1:]:
        row += [""] * (len(header) - len(row))
        if "Points Possible" in (cell.strip() for cell in row):
            row[at] = f"{most:g}"
            continue
        student = who(row)
        if student in marks:
            row[at] = f"{marks[student]:g}"
            missing.discard(student)
    made = io.StringIO()
    csv.writer(made, dialect=dialect, lineterminator="\n").writerows(rows)
    plain = encoding == "utf-8-sig" and not raw.startswith(b"\xef\xbb\xbf")
    return made.getvalue().encode("utf-8" if plain else encoding), header[at], sorted(missing)


def _column(header: Sequence[str], assignment: str, column: str) -> int:
    """Where the marks go: the named column, or one called as the assignment, or Moodle's `Grade`; else a new one."""
    names = [name.strip() for name in header]
    if column:
        if column in names:
            return names.index(column)
        close = [i for i, name in enumerate(names) if name.startswith(column)]
        return close[0] if len(close) == 1 else len(header)
    plain = re.sub(r"[\W_]+", "", assignment.casefold())
    found = [i for i, name in enumerate(names) if plain in re.sub(r"[\W_]+", "", name.casefold())]
    if not found and {"Identifier", "Grade"} <= set(names):
        found = [names.index("Grade")]
    if len(found) > 1:
        raise ClassError(
            f"Several columns may be meant: {', '.join(names[i] for i in found)}. Say which with --column."
        )
    return found[0] if found else len(header)


def _new_name(header: Sequence[str], assignment: str, most: float) -> str:
    """What a new column is called: Blackboard wants the points in its name."""
    names = {name.strip().casefold() for name in header}
    return f"{assignment} [Total Pts: {most:g}]" if {"username", "last access"} <= names else assignment


def _who(header: Sequence[str], rows: Sequence[Sequence[str]], people: People) -> Callable[[Sequence[str]], str]:
    """What finds a row's student, by any of its ids, its e-mail address or its name."""
    at, others = find_columns([name.strip().casefold() for name in header], rows)
    ids = [at["student"], *others]
    words = [said_before(row[i] for row in rows if i < len(row)) if i is not None else "" for i in ids]

    def who(row: Sequence[str]) -> str:
        def cell(i: int | None) -> str:
            return row[i].strip() if i is not None and i < len(row) else ""

        name = cell(at["name"]) or f"{cell(at['first_name'])} {cell(at['last_name'])}".strip()
        if name in NOBODY:
            return ""
        for i, word in zip(ids, words, strict=True):
            number = cell(i).removeprefix(word)
            if number and (found := people.find(Owner(number, system="Moodle" if word else "", name=name))):
                return found
        email = cell(at["email"])
        return people.find(Owner("", name, email=email)) if name or email else ""

    return who


def zip_feedback(
    feedback: Path, people: People, students: Sequence[str], assignments: Sequence[str], system: str
) -> tuple[bytes, int]:
    """Feedback as a zip whose names a system knows for its own, so that it can be uploaded as it is; how many pages."""
    count = 0
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for student in students:
            for name in assignments:
                for file in pages_of(feedback / student / name):
                    whole = file.stem == name
                    sender = people.sent.get(f"{student}/{name}" if whole else f"{student}/{name}/{file.stem}", ())
                    page = name if whole else f"{name}_{file.stem}"
                    archive.writestr(_name_for(system, people, student, page, sender), file.read_bytes())
                    count += 1
    return made.getvalue(), count


def came_from(system: str, people: People, student: str) -> bool:
    """Whether a student's work came from a system; where none is named, from anywhere."""
    return not system or any(one[0].casefold() == system for one in people.seen.get(student, []))


def _name_for(system: str, people: People, student: str, assignment: str, sender: Sequence[str]) -> str:
    """Moodle's folder, or Canvas's file name, as this very work came from there; else a folder by id.

    Moodle has another number for a student in each activity, and takes feedback under that activity's alone.
    """
    came = [one for one in (*people.seen.get(student, []), sender) if one and one[0].casefold() == system]
    if not came:
        return f"{student}/{assignment}.html"
    _, number, name, *_ = came[-1]
    if system == "moodle":
        return f"{name or 'Participant'}_{number}_assignsubmission_file_/{assignment}.html"
    return f"{name}_{number}_{assignment}.html" if name else f"anon_{number}_{assignment}.html"
