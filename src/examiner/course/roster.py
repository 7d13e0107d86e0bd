"""Who is in the course: the class list, and the lists of who is who that a tutor may write."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from examiner.batch.job import ClassError
from examiner.course.columns import dialect_of, find_columns, is_no_header, said_before
from examiner.course.ids import fold, valid_id


@dataclass(frozen=True)
class Enrolled:
    """A row of the roster."""

    student: str
    session: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    others: tuple[str, ...] = ()  # ids of other kinds: a user name, a student number
    team: str = ""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


NOBODY = ("Points Possible", "Student, Test")  # rows of Canvas's own gradebook export that are no students


def read_roster(path: Path, sessions: Sequence[str] = ()) -> dict[str, Enrolled]:
    """The class list by student id, from a CSV with a header row: student_id, session, and names if it has them."""
    header, rows = _read_table(path, "roster")
    cells = [row for _, row in rows]
    at, others = find_columns(header, cells)
    if at["student"] is None or is_no_header(header):
        raise ClassError(_no_ids(path, header, cells))
    word = said_before(row[at["student"]] for row in cells if at["student"] < len(row))
    roster: dict[str, Enrolled] = {}
    folded: dict[str, str] = {}
    unknown: dict[str, int] = {}
    for line, row in rows:

        def cell(role: str, row: list[str] = row) -> str:
            index = at[role]
            return row[index].strip() if index is not None and index < len(row) else ""

        if cell("name") in NOBODY:
            continue
        student = unicodedata.normalize("NFC", cell("student").removeprefix(word))
        if not student:
            if not cell("name") and not cell("last_name"):  # Canvas's row `Manual Posting`, a footer
                continue
            raise ClassError(f"The roster {path} has no student id in line {line}.")
        first, last = _first_and_last(cell("name"))
        session = session_of(cell("session"), sessions)
        if session is None:
            unknown[cell("session")] = line
            session = ""
        enrolled = Enrolled(
            student,
            session,
            cell("first_name") or first,
            cell("last_name") or last,
            cell("email"),
            tuple(row[i].strip() for i in others if i < len(row) and row[i].strip()),
            cell("team"),
        )
        first_row = roster.setdefault(student, enrolled)  # of several, one for each of a student's groups
        if folded.setdefault(fold(student), student) != student or not _same(first_row, enrolled):
            raise ClassError(
                f"The roster {path} has {student} twice, the second time in line {line}, and not as the same person. "
                "Take out the row that is wrong, or correct its id. Nothing was changed."
            )
    if unknown:
        lines = ", ".join(f"{name!r} (line {line})" for name, line in unknown.items())
        there = "; ".join(f"{i} {session}" for i, session in enumerate(sessions, 1))
        raise ClassError(f"The roster {path} names sessions that the timetable lacks: {lines}. It has: {there}.")
    if not roster:
        raise ClassError(f"The roster {path} has nobody on it.")
    return roster


def _read_table(path: Path, what: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header in lower case, and the rows that are not empty, each with its line."""
    try:
        raw = path.read_bytes()
        text = raw.decode(encoding_of(raw))
    except FileNotFoundError:
        raise ClassError(f"There is no {what} at {path}.") from None
    except UnicodeDecodeError:
        raise ClassError(f"The {what} {path} is no CSV in UTF-8. Save it as such: in Excel, as “CSV UTF-8”.") from None
    except OSError as error:
        raise ClassError(f"The {what} {path} can't be read: {error.strerror}.") from error
    whole = text.splitlines()
    above = 1 if whole and whole[0].startswith("sep=") else 0  # a hint for Excel
    rows = list(csv.reader(whole[above:], dialect=dialect_of(whole[above:])))
    if not rows:
        raise ClassError(f"The {what} {path} is empty.")
    header = [unicodedata.normalize("NFC", column.strip().lower()) for column in rows[0]]
    return header, [(i, row) for i, row in enumerate(rows[1:], 2 + above) if any(cell.strip() for cell in row)]


def _no_ids(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Why a roster is refused that has no ids, or no line of columns' names: what was seen, and what to do."""
    if is_no_header(header):
        return (
            f"The first line of the roster {path} is somebody's ({', '.join(header)}): it needs a line above it that "
            "names the columns, student_id,session and names if you like."
        )
    samples = [*(rows[0] if rows else []), *[""] * len(header)]
    seen = [
        f"{name} ({sample.strip()})" if sample.strip() else name for name, sample in zip(header, samples, strict=False)
    ]
    apart = "" if len(header) > 1 else " Columns are parted by commas, semicolons or tabs."
    return (
        f"The roster {path} has no column student_id, and none in which each row has an id or e-mail address of its "
        f"own. Its columns are: {', '.join(seen)}.{apart} Call the one that holds the ids student_id in the first line."
    )


def encoding_of(raw: bytes) -> str:
    """How a table is written: in UTF-8, or as Blackboard writes it."""
    return "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _same(one: Enrolled, other: Enrolled) -> bool:
    """Whether two rows are one person's, in two groups: by more than the id, which may be mistyped."""
    bare = [replace(row, session="", team="") for row in (one, other)]
    return one is other or (bare[0] == bare[1] and bool(one.name or one.email))


def _first_and_last(name: str) -> tuple[str, str]:
    """A whole name taken apart: `Ada Lovelace`, or `Lovelace, Ada`."""
    last, comma, first = name.partition(", ")
    if not comma:
        first, _, last = name.rpartition(" ")
    return first, last


def session_of(name: str, sessions: Sequence[str]) -> str | None:
    """The session of the timetable that a roster means: by its number or its name; any where there is no timetable."""
    if not name or not sessions:
        return name
    number = name.removesuffix(".0")  # as spreadsheets may write it
    if number.isdigit() and 1 <= int(number) <= len(sessions):
        return sessions[int(number) - 1]

    def plain(text: str) -> str:
        text = re.sub(r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]*", r"\1", text.casefold())  # Tue, Tues, Tuesday
        return re.sub(r"[\s–—\-*·,]+", "", text)

    wanted = {
        plain(one) for one in [name, *re.split(r",? and |, |; ", name)]
    }  # Canvas lists all of a student's sections
    return next((session for session in sessions if plain(session) in wanted), None)


def check_roster(roster: Mapping[str, Enrolled], students: Collection[str]) -> None:
    """Raise a ClassError naming those who handed in but are not on the roster."""
    strangers = sorted(set(students) - set(roster))
    if strangers:
        nobody = bool(roster) and not set(students) & set(roster)
        shown = ", ".join(strangers[:20]) + (f" and {len(strangers) - 20} others" if len(strangers) > 20 else "")
        hint = f" ({next(iter(roster))} is the first id on it; are these the same kind of id?)" if nobody else ""
        raise ClassError(
            f"Not on the roster, but handed in: {shown}{hint}. Add them to it, say who they are with --people, or "
            "grade them as they are with --unknown-students. Nothing was changed."
        )


def read_aliases(path: Path) -> dict[str, list[str]]:
    """A tutor's list of who is who, a CSV with came_as and student_id: by a folded name, the students whom it means.

    A team has a row for each member.
    """
    header, rows = _read_table(path, "list")
    if not {"came_as", "student_id"} <= set(header):
        raise ClassError(f"The list {path} needs the columns came_as and student_id; it has: {', '.join(header)}.")
    told: dict[str, list[str]] = {}
    for line, row in rows:
        cells = dict(zip(header, (unicodedata.normalize("NFC", cell.strip()) for cell in row), strict=False))
        came, student = cells.get("came_as", ""), cells.get("student_id", "")
        if not came or not valid_id(student):
            raise ClassError(f"The list {path} has no name or no usable student id in line {line}.")
        members = told.setdefault(fold(came), [])
        if student not in members:
            members.append(student)
    return told
