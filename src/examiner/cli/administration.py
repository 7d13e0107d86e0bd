"""What follows grading: students, exports, feedback, extensions."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from examiner.batch.job import ClassError
from examiner.cli.opening import one_run, opened_gradebook
from examiner.cli.terminal import own_command, say
from examiner.cli.whole_class import MOST_NAMED
from examiner.course.people import People
from examiner.course.roster import read_roster, session_of
from examiner.course.settings import read_sessions, read_zone
from examiner.grading.assignment import Assignment
from examiner.pages.tables import write_tables

STUDENTS_NEEDED = {"merge": 2, "rename": 2, "remove": 1}  # ids


# --- who is in the course ---
def students_command(options: argparse.Namespace) -> int:
    """List the students, or change who is who."""
    from examiner.course import students
    from examiner.course.course import open_course
    from examiner.course.database import check_database

    needed = STUDENTS_NEEDED.get(options.action, 0)
    if len(options.who) != needed:
        raise ClassError(f"`workshop students {options.action}` takes {needed} ids, as in the list of students.")
    course = open_course(options.course, options.db_url)
    course.assignments()  # where there are none it is no course, and nothing is written
    check_database(course.db_url)
    path, given_last = course.state / "people.json", course.state / "roster.csv"
    with one_run(course.state, course.autograded, course.feedback), opened_gradebook(course) as gradebook:
        roster = read_roster(given_last, read_sessions(course.root)) if given_last.exists() else {}
        people = People.read(path, roster)
        if options.action == "list":
            for line in students.listed(course, gradebook, people, people.roster):
                say(line)
            return 0
        if not options.yes and not _agreed(options):
            say("Nothing was changed.")
            return 1
        if options.action == "undo":
            say(f"Undone: {students.undo(course, gradebook)}.")
        else:
            students.change(course, gradebook, people, options.action, *options.who)
            say(f"Done: {options.action} {' '.join(options.who)}. `workshop students undo` takes it back.")
            if options.action == "remove" and options.who[0] in people.roster:
                say("They are still on the roster, and keep a row there; take them off it and give it anew (--roster).")
    say("Run `workshop grade` to have it in grades.csv, feedback and the report.")
    return 0


def _agreed(options: argparse.Namespace) -> bool:
    if not sys.stdin.isatty():
        raise ClassError("This changes the gradebook: say --yes where nobody can be asked. Nothing was changed.")
    asked = {
        "merge": "Put all work and marks of {0} to those of {1}?",
        "rename": "Give {0} the id {1}?",
        "remove": "Take {0} out, with folders and marks?",
        "undo": "Take the last change back?",
    }[options.action].format(*options.who)
    return input(f"{asked} [y/N] ").strip().lower() in ("y", "yes")


# --- marks and feedback for others ---
@contextmanager
def marked_course(options: argparse.Namespace) -> Iterator[tuple[Any, Any, People]]:
    """The course, its gradebook, and who is in it."""
    from examiner.course.course import open_course
    from examiner.course.database import check_database

    course = open_course(options.course, options.db_url)
    course.assignments()  # where there are none it is no course, and nothing is written
    check_database(course.db_url)
    given_last = course.state / "roster.csv"
    roster = read_roster(given_last, read_sessions(course.root)) if given_last.exists() else {}
    with opened_gradebook(course) as gradebook:
        yield course, gradebook, People.read(course.state / "people.json", roster)


def known_assignment(course: Any, name: str) -> Assignment:
    every = course.assignments()
    if name not in every:
        raise ClassError(f"There is no assignment {name}; there is {', '.join(every)}.")
    return every[name]


def _must_be_new(given: Path | None) -> None:
    """Raise ClassError where the file that somebody named is there; the usual one is kept aside if it isn't ours."""
    if given is not None and os.path.lexists(given):
        raise ClassError(f"There is a {given} already; name a new file with --to.")
    for folder in given.parents if given is not None else ():
        if folder.exists() and not folder.is_dir():
            raise ClassError(f"{folder} is a file, and {given} can't lie in it; name a new file with --to.")


def write_file(course: Any, target: Path, content: bytes) -> None:
    """Write a file; what somebody has changed in it, or put in its place, is kept aside, and that is said."""
    for path, aside in write_tables(course.state, {target: content}).items():
        say(f"{path} was changed since it was written here, or came from elsewhere: it is kept as {aside}.")


def export_command(options: argparse.Namespace) -> int:
    """Fill the marks into a learning-management system's own table."""
    from examiner.course import upload
    from examiner.course.gradebook import read_marks

    _must_be_new(options.to)
    with marked_course(options) as (course, gradebook, people):
        assignment = known_assignment(course, options.assignment)
        table = options.like or course.state / "roster.csv"
        if not table.is_file():
            wanted = "Give the system's own table with --like: its gradebook's export, or a grading worksheet."
            raise ClassError(f"{table} is no file. {wanted}")
        marked = read_marks(gradebook, assignment.name)
        for student in marked:
            people.seen.setdefault(student, [])
        most = sum(cell.points for cell in assignment.graded)
        marks = {student: one.score for student, one in marked.items()}
        content, column, missing = upload.fill_in(table, people, marks, assignment.name, most, options.column)
    target = options.to or course.root / "build" / f"{assignment.name}_marks.csv"
    write_file(course, target, content)
    say(f"Wrote {target}: {len(marks) - len(missing)} marks in the column {column!r}.")
    if missing:
        say(f"  look at this: the table lacks {', '.join(missing[:MOST_NAMED])}{' …' if missing[MOST_NAMED:] else ''}.")
    if waiting := sum(bool(one.waiting) for one in marked.values()):
        say(f"  look at this: {waiting} of them still wait for marks by hand.")
    return 0


def feedback_command(options: argparse.Namespace) -> int:
    """Write a zip of the feedback of some, or by a system's names."""
    from examiner.course import upload

    _must_be_new(options.to)
    with marked_course(options) as (course, _, people):
        assignments = [known_assignment(course, name).name for name in options.assignments] or list(
            course.assignments()
        )
        there = sorted(path.name for path in course.feedback.iterdir()) if course.feedback.is_dir() else []
        wanted = listed(options.students, there) if options.students is not None else there
        if unknown := sorted(set(wanted) - set(there)):
            raise ClassError(f"There is no feedback for {', '.join(unknown)}. `workshop students` lists who there is.")
        if options.session is not None:
            session = session_of(options.session, read_sessions(course.root))
            wanted = [one for one in wanted if one in people.roster and people.roster[one].session == session]
        strangers = [one for one in wanted if not upload.came_from(options.system, people, one)]
        if wanted and len(strangers) == len(wanted):
            raise ClassError(
                f"None of this work came from {options.system.capitalize()}, so its names and numbers for these "
                "students aren't known, and it would not take the files. Leave --for out, or name the system that the "
                "submissions came from. Nothing was written."
            )
        content, count = upload.zip_feedback(course.feedback, people, wanted, assignments, options.system)
    if not count:
        raise ClassError("There is no such feedback; nothing was written.")
    target = options.to or course.root / "build" / "feedback.zip"
    write_file(course, target, content)
    say(f"Wrote {target}: {count} pages of {len(wanted)} students.")
    if strangers:
        shown = ", ".join(strangers[:MOST_NAMED]) + (" …" if strangers[MOST_NAMED:] else "")
        say(f"  look at this: {shown} did not come from {options.system.capitalize()}, which won't know their files.")
    return 0


def listed(text: str, there: Sequence[str]) -> list[str]:
    """The ids in a list with commas between, of which an id that is there may hold some itself."""
    pieces, found = [piece.strip() for piece in text.split(",")], []
    whole = {re.sub(r"\s*,\s*", ",", one): one for one in there}
    while pieces:
        count = next((n for n in range(len(pieces), 0, -1) if ",".join(pieces[:n]) in whole), 1)
        text = ",".join(pieces[:count])
        found.append(whole.get(text, text))
        del pieces[:count]
    return found


def extend_command(options: argparse.Namespace) -> int:
    """Give one student more time."""
    from nbgrader.api import MissingEntry

    with marked_course(options) as (course, gradebook, _):
        name, zone = known_assignment(course, options.assignment).name, read_zone(course.root)
        for what, find in ((options.student, gradebook.find_student), (name, gradebook.find_assignment)):
            try:
                found = find(what)
            except MissingEntry:
                raise ClassError(f"{what} is not in the gradebook yet; grade first.") from None
        due = found.duedate
        if due is None:
            example = f"{datetime(2017, 8, 28, 17, tzinfo=zone):%Y-%m-%d %H:%M%z}"  # after a blank, +1000 is seconds
            nbgrader = Path(own_command()).with_name("nbgrader")
            raise ClassError(f"{name} has no due date: {nbgrader} db assignment add {name} --duedate='{example}'.")
        extension, said = None, "no longer than others"
        if options.date != "none":
            until = _read_date(options.date, zone)
            said = f"until {until.astimezone(zone):%A %Y-%m-%d %H:%M %Z} ({until:%Y-%m-%d %H:%M} UTC)"
            extension = until.replace(tzinfo=None) - due
            if extension <= timedelta(0):
                raise ClassError(f"{said} is no later than {name} is due for all, {due} UTC; nothing was changed.")
        with gradebook.db().no_autoflush:  # who has handed in nothing gets a row, of which SQLAlchemy would warn
            gradebook.update_or_create_submission(name, options.student, extension=extension)
    say(f"{options.student} may hand in {name} {said}. Run `{own_command()} grade` to count lateness by it.")
    return 0


def _read_date(text: str, zone: tzinfo) -> datetime:
    """A date as year-month-day, with or without a time: without one, the end of that day. In UTC.

    No other form is taken: 09/10 is one day in Melbourne and another in New York.
    """
    try:
        when = datetime.fromisoformat(re.sub(r"\s*(UTC|Z)$", "+00:00", text.strip()))
    except ValueError:
        raise ClassError(f"{text!r} is no date: year-month-day, as in 2017-09-04 or '2017-09-04 17:00'.") from None
    if re.fullmatch(r"[\d-]+", text.strip()):
        when = when.replace(hour=23, minute=59)
    return (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(UTC)
