"""The command `workshop`: grade a class, report on it, hand notebooks out."""

from __future__ import annotations

import argparse
import codecs
import csv
import errno
import hashlib
import io
import itertools
import json
import logging
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import unicodedata
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .class_ import (
    ClassError,
    Job,
    Journal,
    Progress,
    available_cores,
    course_secret,
    grade_class,
    unjudged_result,
    write_atomically,
)
from .grade import Assignment, Limits, Result, nursery
from .messages import printable
from .roster import FORMULA, People, check_roster, read_roster, session_of, valid_id
from .sandbox import NONE, RUNGS, NoSandbox

BATCH = 16  # submissions written to the gradebook in one transaction
STAMP = rb'name="workshop-stamp" content="([0-9a-f]+)"'
LONGEST_TABLE = 60  # students whose marks are printed; a larger class has its report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status, 0 where all went well, 1 with one clear line where it did not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="degrade")  # a terminal that lacks σ is no reason to lose a class report
    options = parser().parse_args(arguments)
    # jsonschema would build the grammars of international web addresses, a second's work that no notebook needs.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    logging.getLogger("tornado.application").disabled = True  # where nbgrader writes down what it raises as well
    try:
        return int(options.run(options) or 0)
    except KeyboardInterrupt:
        say("\nworkshop: stopped. Run it again to go on from here.", sys.stderr)
        return 130
    except Exception as error:
        say(f"workshop: {_in_words(error, options.course.resolve())}", sys.stderr)
    return 1


def _degrade(error: UnicodeError) -> tuple[str, int]:
    """The nearest that plain ASCII has for what a terminal can't show."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAIN)
    return unicodedata.normalize("NFKD", text).encode("ascii", "replace").decode(), error.end


PLAIN = str.maketrans({"–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "…": "...", "×": "x", "·": "*"})
codecs.register_error("degrade", _degrade)


def own_command() -> str:
    """The name by which whoever runs this command can run it again."""
    given = sys.argv[0]
    if os.path.basename(given) != "workshop" or shutil.which("workshop") == os.path.abspath(given):
        return "workshop"
    near = os.path.relpath(given)
    return given if near.startswith("..") else near


FULL = re.compile("No space left on device|Disk quota exceeded|database or disk is full")  # the last is SQLite's


def _in_words(error: Exception, course: Path) -> str:
    """What failed, where, and what to do. What nobody foresaw is raised anew."""
    if FULL.search(str(error)):
        where = getattr(error, "filename", None) or min((course, Path(tempfile.gettempdir())), key=_free)
        return f"the disk is full ({where}). What is written is whole; free some space and run again to go on."
    if isinstance(error, ClassError):
        return str(error)
    if isinstance(error, OSError):
        return _about_disk(error)
    if _is_database(error):
        return f"the gradebook failed: {str(error).splitlines()[0]}. Run again to go on."
    raise error


def _free(place: Path) -> int:
    """The bytes that are free on a place's disk."""
    return shutil.disk_usage(place).free


def _about_disk(error: OSError) -> str:
    place = str(error.filename2 or error.filename or "")  # the second is where a file of ours was to be moved to
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        place = (
            place if os.path.lexists(place) else os.path.dirname(place)
        )  # of a file that could not be made, its folder
        return f"no permission to read or write {place}. Make it yours (ls -ld shows whose it is) and run again."
    return f"{error.strerror or error} ({place})."


def _is_database(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) or type(error).__module__.startswith("sqlalchemy")


_STUDENTS_NEEDED = {"merge": 2, "rename": 2, "remove": 1}  # ids


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="workshop", description="Grade a class, report on it, hand notebooks out.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    grade = commands.add_parser(
        "grade",
        help="grade the submissions: marks, feedback, grades.csv, class report",
        description="Grade what is in submitted/ (or what --from brings in). Writes autograded/, feedback/, "
        "gradebook.db, grades.csv, marks.csv, feedback.zip and class_report.html. Safe to stop at any moment and to "
        "run again: what was graded and has not changed is not graded again, and marks given by hand stay.",
    )
    grade.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="only these (default: all in source/)")
    grade.add_argument(
        "--from",
        dest="origin",
        metavar="PATH",
        action="append",
        help="first take in submissions from a zip (of a learning-management system, or folders by student), a folder, "
        "or the word `exchange` for nbgrader's exchange; may be given several times",
    )
    grade.add_argument(
        "--level", type=int, metavar="N", help="which level of the names in --from is the student's: 1 is the outermost"
    )
    grade.add_argument("--student", metavar="ID", help="all that --from brings in is by this student")
    grade.add_argument(
        "--people", type=Path, metavar="CSV", help="who is who: came_as, student_id; remembered for later runs"
    )
    grade.add_argument("--roster", type=Path, metavar="CSV", help="class list: student_id, session, and names")
    grade.add_argument(
        "--unknown-students", action="store_true", help="grade also those who are not on the roster, without a session"
    )
    grade.add_argument("--workers", type=int, metavar="N", help="submissions at once (default: one for each core)")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="grade on the Dask cluster at tcp://HOST:PORT")
    grade.add_argument(
        "--sandbox",
        default="auto",
        choices=["auto", *RUNGS, NONE],
        metavar="RUNG",
        help="how student code is confined: auto takes the best this machine offers and refuses where there is none; "
        "none accepts the risk of running it unconfined",
    )
    grade.add_argument("--no-report", action="store_true", help="leave out the class report")
    grade.add_argument("--db-url", metavar="URL", help="the gradebook, where it is not the one in nbgrader_config.py")
    _common(grade)
    grade.set_defaults(run=grade_command)

    students = commands.add_parser(
        "students",
        help="who is in the course; put two that are one together, rename one, take one out",
        description="Without more, list who is in the course and under which names their work came. `merge ONE OTHER` "
        "puts ONE's work and marks to OTHER's, `rename ONE OTHER` gives another id, `remove ONE` takes one out, and "
        "`undo` takes the last of these back. Marks given by hand go along.",
    )
    students.add_argument("action", nargs="?", default="list", choices=["list", *_STUDENTS_NEEDED, "undo"])
    students.add_argument("who", nargs="*", metavar="ID")
    students.add_argument("--yes", action="store_true", help="do not ask")
    students.add_argument(
        "--db-url", metavar="URL", help="the gradebook, where it is not the one in nbgrader_config.py"
    )
    _common(students)
    students.set_defaults(run=students_command)

    export = commands.add_parser(
        "export",
        help="the marks of an assignment in your learning-management system's own table, to import as it is",
        description="Fill the marks of an assignment into the table that Canvas, Moodle or Blackboard exports (its "
        "gradebook, or Moodle's grading worksheet), so that it can be imported as it is. Without --like, "
        "the roster that was given last is filled in.",
    )
    export.add_argument("assignment", metavar="ASSIGNMENT")
    export.add_argument("--like", type=Path, metavar="CSV", help="the system's own table")
    export.add_argument("--column", default="", metavar="NAME", help="which of its columns (default: by its name)")
    export.add_argument(
        "--to", type=Path, metavar="FILE", help="where to write it (default: ASSIGNMENT_marks.csv here)"
    )
    _of_marks(export)
    export.set_defaults(run=export_command)

    feedback = commands.add_parser(
        "feedback",
        help="a zip with the feedback of some students, or by the names that Moodle and Canvas want",
        description="Write a zip of the feedback that `workshop grade` made: of all, some students, or a session. "
        "With --for its names are those that the system gave the students' work, so that it can be uploaded as it is.",
    )
    feedback.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="only these (default: all)")
    feedback.add_argument("--students", metavar="IDS", help="only these, with commas between")
    feedback.add_argument("--session", metavar="NAME", help="only this session: its number or its name")
    feedback.add_argument("--for", dest="system", default="", choices=["moodle", "canvas"], help="by whose names")
    feedback.add_argument("--to", type=Path, metavar="FILE", help="where to write it (default: build/feedback.zip)")
    _of_marks(feedback)
    feedback.set_defaults(run=feedback_command)

    extend = commands.add_parser(
        "extend",
        help="give one student more time for an assignment",
        description="Set until when one student may hand in without being late, as `2017-09-04 17:00`, in the course's "
        "timezone; the word `none` takes it back. The next `workshop grade` counts lateness by it.",
    )
    extend.add_argument("student", metavar="ID")
    extend.add_argument("assignment", metavar="ASSIGNMENT")
    extend.add_argument("date", metavar="DATE")
    _of_marks(extend)
    extend.set_defaults(run=extend_command)

    bundle = commands.add_parser(
        "student-bundle",
        help="a folder and a zip to hand out: no answers in it",
        description="Write a folder and its zip with the notebooks of release/, the helper package, the environment, "
        "the slides and a README for students. Refused if a line of an answer or a hidden test is in it.",
    )
    _where_to(bundle, "student-bundle")
    _common(bundle)
    bundle.set_defaults(run=bundle_command)

    lite = commands.add_parser(
        "lite",
        help="the bundle's notebooks as a static JupyterLite site (optional)",
        description="Build a static site of the bundle's notebooks for any web server: JupyterLite runs Python in the "
        "browser.",
    )
    _where_to(lite, "lite")
    _common(lite)
    lite.set_defaults(run=lite_command)

    solutions = commands.add_parser(
        "solutions",
        help="the notebooks with answers, executed, as notebooks and HTML",
        description="Run the notebooks of source/ and write them with answers and outputs, as notebooks and as HTML.",
    )
    _where_to(solutions, "solutions")
    _common(solutions)
    solutions.set_defaults(run=solutions_command)
    return top


def _of_marks(command: argparse.ArgumentParser) -> None:
    command.add_argument("--db-url", metavar="URL", help="the gradebook, where it is not the one in nbgrader_config.py")
    _common(command)


def _where_to(command: argparse.ArgumentParser, name: str) -> None:
    command.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help=f"where to write it: a folder that is new, empty, or made by this command (default: build/{name} in the "
        "course)",
    )
    command.set_defaults(command=name, usual=f"build/{name}")


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--course", type=Path, default=Path("."), metavar="FOLDER", help="the course (default: here)")


def say(text: str, to: Any = None) -> None:
    """A line about the step at hand. What a student wrote may be in it, so nothing in it steers the terminal."""
    print(printable(text), file=to, flush=True)


# --- grading ---


def grade_command(options: argparse.Namespace) -> int:
    """Grade the class from what was handed in to marks, feedback and report."""
    started = time.monotonic()
    _check_options(options)
    if not options.scheduler and (options.origin or not (options.course / ".workshop" / "journal").is_dir()):
        threading.Thread(
            target=_wake, args=(options.sandbox, options.course), daemon=True
        ).start()  # there will be something to grade
    from . import gradebook as books
    from . import intake

    course = books.open_course(options.course, options.db_url)
    books.check_database(course.db_url)
    every = course.assignments()
    if unknown := set(options.assignments) - set(every):
        raise ClassError(f"There is no assignment {', '.join(sorted(unknown))}; there is {', '.join(every)}.")
    assignments = {name: every[name] for name in options.assignments or every}
    sessions = read_sessions(course.root)
    given_last = course.state / "roster.csv"  # sessions and names stay when the next run is given no roster
    latest = options.roster or (given_last if given_last.exists() else None)
    roster = read_roster(latest, sessions) if latest else {}
    strict = bool(options.roster and not options.unknown_students)
    people = People.read(course.state / "people.json", roster)
    if options.people:
        people.learn(options.people)
    for folder in (
        course.root,
        course.state,
        course.autograded,
        course.feedback,
        *([course.submitted] if options.origin else []),
    ):
        _must_be_writable(folder)
    with one_run(course.state, course.autograded, course.feedback):
        names: dict[str, str] = {}
        if options.origin:
            names = _take_in(options, course, every, people, strict)
        if not course.submitted.is_dir():
            raise ClassError(_nothing_to_grade(course))
        there, odd = intake.find_jobs(course.submitted, every)
        jobs = [job for job in there if job.assignment in assignments]
        if not jobs:
            raise ClassError(_nothing_to_grade(course))
        if strict:
            check_roster(roster, [job.student for job in there])
        if options.people:
            people.write(course.state / "people.json")
        if options.roster:
            write_atomically(given_last, options.roster.read_bytes())
        remembered = _remembered_notes(course)
        for key, notes in remembered.items():
            odd.setdefault(key, []).extend(note for note in notes if note not in odd.get(key, []))
        limits = Limits()
        secret = course_secret(course.state)
        journal = Journal(course.state / "journal", secret, limits)
        with ExitStack() as stack:
            progress = stack.enter_context(_progress(jobs, options))
            grading = grade_class(  # it begins at once, while the gradebook is made ready
                jobs,
                assignments,
                secret,
                journal,
                limits=limits,
                sandbox=options.sandbox,
                hidden=course.private,
                workers=options.workers,
                scheduler=options.scheduler,
                progress=progress,
            )
            stack.enter_context(closing(grading))
            gradebook = stack.enter_context(_gradebook(course))
            for assignment in assignments.values():
                if books.register(course, gradebook, assignment):
                    tqdm.write(f"Registered {assignment.name} in the gradebook.")
            _name_students(gradebook, roster, names)
            class_ = _Class(course, gradebook, every, odd, {s: r.session for s, r in roster.items()}, sessions)
            class_.summary.ungraded = _ungraded(remembered, there, every)
            class_.write(grading)
            class_.recall({(job.student, job.assignment) for job in there})
            class_.finish(list(assignments), report=not options.no_report)
        if grading.failed:
            raise ClassError(
                f"The grader itself failed on {grading.failed} of these; they have no mark, and the report lists them. "
                "Run again: only they are graded."
            )
    say(
        f"{len(jobs)} notebooks of {len({job.student for job in jobs})} students in {time.monotonic() - started:.1f} s."
    )
    return 0


def _check_options(options: argparse.Namespace) -> None:
    if options.workers is not None and options.workers < 1:
        raise ClassError("--workers must be 1 or more.")
    if any(not origin.strip() for origin in options.origin or ()):
        raise ClassError("--from is empty: it needs a path, or the word exchange. Nothing was changed.")
    if (options.level is not None or options.student is not None) and not options.origin:
        raise ClassError("--level and --student say something about --from, which is missing.")
    if options.db_url is not None and not options.db_url.strip():
        raise ClassError("--db-url is empty.")
    if options.level is not None and options.level < 1:
        raise ClassError("--level must be 1 or more.")
    if options.student is not None and not valid_id(options.student):
        raise ClassError(f"{options.student!r} can't be a student's id.")


def _wake(sandbox: str, course: Path) -> None:
    """Start this machine's grading processes; where they don't start, grading says why."""
    with suppress(NoSandbox, ValueError, OSError):
        nursery(sandbox, (str(course),))


@contextmanager
def _gradebook(course: Any) -> Iterator[Any]:
    from nbgrader.api import Gradebook

    from .gradebook import make_database

    make_database(course.db_url)
    with Gradebook(course.db_url, course.course_id) as gradebook:
        yield gradebook


def _nothing_to_grade(course: Any) -> str:
    return (
        f"There is nothing to grade in {course.submitted}. Bring submissions in with `{own_command()} grade --from "
        "ZIP-OR-FOLDER`, or with `nbgrader collect`; `make grade` in a fresh clone grades a sample class."
    )


def _must_be_writable(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".writable-{os.getpid()}"
    probe.touch()
    probe.unlink()


@contextmanager
def one_run(state: Path, *written: Path) -> Iterator[None]:
    """Hold the course's lock: two runs at once would write over each other. The lock goes with the process.

    What a killed run was about to write in the folders `written` is removed.
    """
    state.mkdir(parents=True, exist_ok=True)
    with open(state / "lock", "a+") as file:
        try:
            import fcntl
        except ImportError:  # Windows: no lock, as with nbgrader itself
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClassError("Another `workshop grade` is at work in this course. Wait for it, or stop it.") from None
        unfinished = state / "unfinished"  # it stays where a run was killed
        if unfinished.exists():
            for left in itertools.chain(state.parent.glob(".*.part"), *(f.rglob(".*.part") for f in (state, *written))):
                left.unlink(missing_ok=True)
        unfinished.touch()
        try:
            yield
        finally:
            unfinished.unlink(missing_ok=True)


def _take_in(
    options: argparse.Namespace, course: Any, assignments: Mapping[str, Assignment], people: People, strict: bool
) -> dict[str, str]:
    from . import intake
    from .owners import Hints

    hints = Hints(
        words=_words_of(course.root),
        known=people.knows if people.roster else None,
        level=options.level or 0,
        student=options.student or "",
        zone=read_zone(course.root),
    )
    given = {file.name for file in (course.root / "release").rglob("*") if file.is_file()}
    exchange = _exchange(course) if "exchange" in options.origin else None
    origins = [exchange.inbound if exchange and origin == "exchange" else Path(origin) for origin in options.origin]
    for origin in origins:
        _must_be_others(origin, course)
    taken = intake.take_in(
        origins, course.submitted, course.state / "replaced", assignments, people, hints, given, strict, exchange
    )
    people.write(course.state / "people.json")
    say(f"Took in {taken.stored} notebooks of {len(taken.students)} students; {taken.unchanged} were there already.")
    for problem in taken.problems:
        say(f"  look at this: {problem}")
    remembered = _remembered_notes(course)
    for key in taken.fresh:
        remembered.pop(key, None)
    for key, notes in taken.notes.items():
        remembered[key] = list(dict.fromkeys([*remembered.get(key, []), *notes]))
    for student, notes in taken.ungraded.items():
        remembered[student, ""] = notes  # a note on the student: it belongs to no assignment
    lines = [[student, assignment, notes] for (student, assignment), notes in sorted(remembered.items())]
    write_atomically(course.state / "intake.json", json.dumps(lines, indent=1))
    return taken.names


def _must_be_others(origin: Path, course: Any) -> None:
    """Raise ClassError where submissions are to come from the course itself, or from a folder that holds it."""
    place = Path(os.path.realpath(origin))
    steps = (course.source, course.submitted, course.autograded, course.feedback, course.root / "release", course.state)
    own = [Path(os.path.realpath(step)) for step in steps]
    if place in (course.root, *course.root.parents) or any(step in (place, *place.parents) for step in own):
        raise ClassError(
            f"{origin} is the course itself, or a part of it, or holds it: submissions come from elsewhere. What is in "
            "submitted/ is graded without --from. Nothing was changed."
        )


def _exchange(course: Any) -> Any:
    from nbgrader.exchange.default import ExchangeCollect

    from .intake import Exchange

    nbgraders = ExchangeCollect(parent=course.app)
    origin = Path(nbgraders.root) / course.course_id / "inbound"
    if not origin.is_dir():
        raise ClassError(f"nbgrader's exchange has no inbound folder at {origin}. Is c.Exchange.root right?")
    return Exchange(origin, nbgraders.check_owner)


def _remembered_notes(course: Any) -> dict[tuple[str, str], list[str]]:
    try:
        lines = json.loads((course.state / "intake.json").read_text())
        return {(student, assignment): list(notes) for student, assignment, notes in lines}
    except (OSError, ValueError):
        return {}


def _ungraded(
    remembered: Mapping[tuple[str, str], list[str]], jobs: Iterable[Job], assignments: Iterable[str]
) -> dict[str, list[str]]:
    """By student, what came that can't be graded, while an assignment of theirs is still missing."""
    there = {(job.student, job.assignment) for job in jobs}
    return {
        student: notes
        for (student, about), notes in sorted(remembered.items())
        if not about and any((student, name) not in there for name in assignments)
    }


def _name_students(gradebook: Any, roster: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Put the roster's people into the gradebook, and names that came with the submissions where it has none."""
    from nbgrader.api import Student

    from .markup import plain_name

    db = gradebook.db()
    known = {student.id: student for student in db.query(Student)}
    for name, row in roster.items():
        student = known.get(name)
        if student is None:
            student = known[name] = Student(id=name)
            db.add(student)
        for field in ("first_name", "last_name", "email"):
            given = plain_name(getattr(row, field))
            if given and getattr(student, field) != given:
                setattr(student, field, given)
    for name, full in names.items():
        first, _, last = plain_name(full).rpartition(" ")
        if name not in known:
            db.add(Student(id=name, first_name=first or None, last_name=last))
        elif not known[name].last_name and name not in roster:
            known[name].first_name, known[name].last_name = first or None, last
    db.commit()
    db.expunge_all()


@contextmanager
def _progress(jobs: Sequence[Job], options: argparse.Namespace) -> Iterator[Progress]:
    """A bar that names what is being graded, with the time left; where there is no terminal a line now and then."""
    workers = (
        f"the cluster at {options.scheduler}"
        if options.scheduler
        else f"{options.workers or available_cores()} at once"
    )
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        say(f"Grading {len(jobs)} notebooks, {workers}.", sys.stderr)
        yield _counted(len(jobs))
        return
    bar = tqdm(total=len(jobs), desc=f"Grading, {workers}", unit="nb", mininterval=0.3, dynamic_ncols=True)
    running: dict[Job, None] = {}

    def progress(event: str, job: Job) -> None:
        if event == "start":
            running[job] = None
        else:
            running.pop(job, None)
            bar.update()
        now = ", ".join(f"{job.student}/{job.assignment}" for job in list(running)[:2])
        bar.set_postfix_str(now, refresh=event == "start")
        if bar.n == len(jobs):
            bar.close()

    with bar:
        yield progress


def _counted(total: int) -> Progress:
    """Progress as lines in a log, ten of them at most."""
    done, step = itertools.count(1), max(10, -(-total // 10))

    def progress(event: str, job: Job) -> None:
        if event != "start" and ((now := next(done)) % step == 0 or now == total):
            say(f"Graded {now} of {total}.", sys.stderr)

    return progress


class _Class:
    """Takes results as they come, and writes gradebook, marked notebooks and feedback in batches."""

    def __init__(
        self,
        course: Any,
        gradebook: Any,
        assignments: Mapping[str, Assignment],
        odd: Mapping[tuple[str, str], list[str]],
        session_of: Mapping[str, str],
        sessions: Sequence[str],
    ):
        from .gradebook import LatePenalty
        from .report import Summary

        self.course, self.gradebook, self.assignments, self.odd = course, gradebook, assignments, odd
        self.late = LatePenalty(course)
        self.summary = Summary(assignments, session_of, sessions)
        self.students: set[str] = set()
        self.roster = set(session_of)

    def write(self, results: Iterable[tuple[Job, str, Result]]) -> None:
        batch: dict[str, list[tuple[Job, str, Result]]] = {name: [] for name in self.assignments}
        for job, key, result in results:
            extra = tuple(self.odd.get((job.student, job.assignment), ()))
            if extra:
                result = replace(result, notes=extra + tuple(n for n in result.notes if n not in extra))
            waiting = batch[job.assignment]
            waiting.append((job, key, result))
            if len(waiting) >= BATCH:
                self._write(job.assignment, waiting)
                waiting.clear()
        for name, waiting in batch.items():
            if waiting:
                self._write(name, waiting)

    def _write(self, name: str, batch: Sequence[tuple[Job, str, Result]]) -> None:
        from sqlalchemy.exc import OperationalError

        from .gradebook import Marked

        try:
            self._save(name, batch)
        except (OSError, OperationalError):  # a full disk, a locked gradebook: it concerns everyone
            raise
        except Exception as error:  # one student's work stops nobody else's
            if len(batch) > 1:
                for one in batch:
                    self._write(name, [one])
                return
            ((job, key, result),) = batch
            if not key:  # nor does the gradebook take that: the report tells of it
                self._add(name, job, result, Marked(job.student))
                return
            why = f"The marks could not be written into the gradebook ({type(error).__name__})."
            self._write(name, [(job, "", unjudged_result(self.assignments[name], why))])

    def _save(self, name: str, batch: Sequence[tuple[Job, str, Result]]) -> None:
        from . import gradebook as books
        from . import intake

        assignment = self.assignments[name]
        entries, paths, stamps = [], [], []
        for job, key, result in batch:
            stamp = hashlib.sha256(f"{key}\0{assignment.digest}\0{result.notes!r}".encode()).hexdigest()
            path = self.course.autograded / job.student / name / f"{name}.ipynb"
            paths.append(path)
            stamps.append("" if _stamp(path, rb'"key": "([0-9a-f]+)"') == stamp else stamp)
            when = intake.read_timestamp(self.course.submitted / job.student / name, self.course.submitted)
            before = books.read_sources(path) if stamps[-1] else {}
            entries.append(books.Entry(job.student, result, when, bool(stamps[-1]), before))
        books.save(self.gradebook, assignment, entries, self.late)
        marks = books.read_marks(self.gradebook, name, [job.student for job, _, _ in batch])
        for (job, key, result), path, stamp in zip(batch, paths, stamps, strict=True):
            marked = marks[job.student]
            page, shown = self._feedback(assignment, job.student, key, result, marked)
            try:
                self._write_one(assignment, job.student, result, marked, (path, stamp), (page, shown))
            except OSError:  # a full disk, say: it concerns everyone
                raise
            except Exception as error:  # one student's work stops nobody else's
                page.unlink(missing_ok=True)  # it shows what was before
                why = f"the marked notebook or the feedback could not be written ({type(error).__name__})"
                result = replace(result, notes=(*result.notes, why), needs_eye=(*result.needs_eye, why))
            self._add(name, job, result, marked)

    def _add(self, name: str, job: Job, result: Result, marked: Any) -> None:
        self.summary.add(self.assignments[name], job.student, result, marked)
        self.students.add(job.student)

    def _write_one(
        self,
        assignment: Assignment,
        student: str,
        result: Result,
        marked: Any,
        notebook: tuple[Path, str],
        feedback: tuple[Path, str],
    ) -> None:
        """Write a student's marked notebook and feedback, each a path and a stamp; "" where it is as it should be."""
        from . import gradebook as books
        from . import intake, report

        (path, stamp), (page, shown) = notebook, feedback
        if not (stamp or shown):
            return
        nb = books.marked_notebook(assignment, result, stamp, student)
        if stamp:
            folder = self.course.submitted / student / assignment.name
            if stamped := intake.timestamp_text(folder, self.course.submitted):
                write_atomically(path.with_name("timestamp.txt"), stamped)
            write_atomically(path, books.notebook_text(nb))
        if shown:
            html = report.feedback_html(
                books.apply_marks(nb, marked),
                student=student,
                assignment=assignment.name,
                late_penalty=marked.late_penalty,
                stamp=shown,
            )
            write_atomically(page, html)

    def _feedback(
        self, assignment: Assignment, student: str, key: str, result: Result, marked: Any
    ) -> tuple[Path, str]:
        """Where a student's feedback is, and the stamp of what it is to show; "" where it shows just that already."""
        from . import report

        shown: list[Any] = [key, assignment.digest, report.look(), result.notes, marked.late_penalty]
        shown += [sorted(part) for part in (marked.scores.items(), marked.comments.items())]
        shown += [sorted(part) for part in (marked.waiting, marked.by_hand)]
        stamp = hashlib.sha256(repr(shown).encode()).hexdigest()
        path = self.course.feedback / student / assignment.name / f"{assignment.name}.html"
        return path, "" if _stamp(path, STAMP) == stamp else stamp

    def recall(self, there: Collection[tuple[str, str]]) -> None:
        """Add whoever has marks in the gradebook and was not graded by this run, as they stand.

        It may be that only one assignment was graded, that a folder has left submitted/, or that another tutor
        grades elsewhere on the same gradebook. `there` is what submitted/ holds.
        """
        from . import gradebook as books

        handed_in = {student for student, _ in there}
        known = {(row.assignment, row.student) for row in self.summary.rows()}
        for name, assignment in self.assignments.items():
            for student, marked in sorted(books.read_marks(self.gradebook, name).items()):
                if (name, student) in known or not self._belongs(student, handed_in):
                    continue
                path = self.course.autograded / student / name / f"{name}.ipynb"
                result = books.read_result(path, assignment)
                given = marked.timestamp or marked.by_hand or any(marked.scores.values())
                if result is None and not given:  # nothing came, but they have an extension
                    continue
                result = result or books.unseen(assignment)
                if (student, name) not in there:
                    gone = "Not in submitted/ any more; the marks are the gradebook's."
                    result = replace(result, notes=(*result.notes, gone))
                self.summary.add(assignment, student, result, marked)
                self.students.add(student)

    def _belongs(self, student: str, handed_in: Collection[str]) -> bool:
        return not self.roster or student in self.roster or student in handed_in

    def finish(self, graded: Sequence[str], report: bool = True) -> None:
        """Write what concerns the class as a whole, and print the table of what was graded."""
        from nbgrader.api import Student

        from . import report as pages

        root = self.course.root
        rows = self.summary.rows()
        shown = {row.student for row in rows}
        everyone = self.gradebook.db().query(Student).all()
        people = [student for student in everyone if self._belongs(student.id, shown)]
        table = grades_csv(self.gradebook, self.summary, [student.id for student in people])
        kept = write_tables(
            self.course.state,
            {
                root / "grades.csv": table.encode("utf-8-sig"),  # by the mark Excel knows that it is UTF-8
                root / "marks.csv": marks_csv(rows).encode(),
            },
        )
        zip_feedback(self.course.feedback, root / "feedback.zip", sorted(self.students), list(self.assignments))
        if report:
            path = root / "class_report.html"
            if _stamp(path, STAMP) != self.summary.stamp():
                write_atomically(path, self.summary.page())
        say("")
        for path, aside in kept.items():
            say(f"{path.name} was changed since it was written here, or came from elsewhere: it is kept as {aside}.")
        if len(self.students) <= LONGEST_TABLE:
            for name in graded:
                say(pages.table(self.assignments[name], [row for row in rows if row.assignment == name]))
        for name in graded:
            say(pages.in_a_line(name, [row for row in rows if row.assignment == name]))
        if others := sorted(set(self.assignments) - set(graded)):
            say(f"{', '.join(others)}: not graded now; the marks are in the tables as they stood.")
        say_isolation({row.sandbox for row in rows})
        if self.summary.ungraded:
            say(f"{len(self.summary.ungraded)} handed in what can't be graded; grades.csv says what.")
        if off := sorted({student.id for student in everyone} - {student.id for student in people}):
            more = f" and {len(off) - MOST_NAMED} more" if len(off) > MOST_NAMED else ""
            say(f"Not on the roster, and so not in grades.csv: {', '.join(off[:MOST_NAMED])}{more}.")
        written = "autograded/, feedback/, grades.csv, marks.csv, feedback.zip" + (
            ", class_report.html" if report else ""
        )
        say(f"Wrote {written} in {root}.")


MOST_NAMED = 20  # of those whom the roster lacks


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


WEAKER = {
    "landlock": "it shares folders' names, process numbers and the network's addresses with this machine",
    "namespaces": "one barrier where there could be two",
    NONE: "it ran with your own rights, and could read and change all that you can",
}


def say_isolation(levels: Iterable[str]) -> None:
    """Tell where student code was not shut in as well as it could be, and how to mend that."""
    for level in (level for level in (*RUNGS[1:], NONE) if level in levels):
        say(
            f"Student code was not shut in as well as it could be ({level}: {WEAKER[level]}). "
            f"The best is {RUNGS[0]}; docs/how_grading_works.md says what a machine needs for it."
        )


def _stamp(path: Path, pattern: bytes) -> str | None:
    """The stamp in the first kilobytes of a file that an earlier run wrote."""
    try:
        with open(path, "rb") as file:
            match = re.search(pattern, file.read(4096))
    except OSError:
        return None
    return match[1].decode() if match else None


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

    from .report import folded

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


def zip_feedback(feedback: Path, target: Path, students: Sequence[str], assignments: Sequence[str]) -> bool:
    """A zip of everyone's feedback, a folder for each student. Returns whether it had to be made anew."""
    files = [feedback / student / name / f"{name}.html" for student in students for name in assignments]
    files = [file for file in files if file.is_file()]
    stamps = [_stamp(file, STAMP) or "" for file in files]
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
                information = zipfile.ZipInfo(f"{file.parent.parent.name}/{file.name}", (1980, 1, 1, 0, 0, 0))
                information.compress_type = zipfile.ZIP_DEFLATED
                information.external_attr = 0o644 << 16
                archive.writestr(information, file.read_bytes())
            archive.comment = whole.encode()
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _read_course(root: Path) -> dict[str, Any]:
    """What slides/course.yml says of the semester; nothing where there is no such file."""
    import yaml

    path = root / "slides" / "course.yml"
    if not path.exists():
        return {}
    try:
        course = yaml.safe_load(path.read_text(encoding="utf-8"))
        [_session_name(session) for session in course["sessions"]]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, OSError) as error:
        why = " ".join(str(error).split()) if isinstance(error, yaml.YAMLError) else repr(error)
        raise ClassError(f"The timetable in {path} can't be read: {why}.") from error
    return dict(course)


def read_sessions(root: Path) -> list[str]:
    """The workshop's sessions from slides/course.yml, as people name them; none where there is no such file."""
    return [_session_name(session) for session in _read_course(root).get("sessions", [])]


def read_zone(root: Path) -> Any:
    """The course's time zone: what slides/course.yml names, or else this machine's own."""
    from dateutil import tz

    name = str(_read_course(root).get("timezone") or "")
    zone = tz.gettz(name) if name else tz.tzlocal()
    if zone is None:
        raise ClassError(f"slides/course.yml names the timezone {name}, which there is not; as in Australia/Melbourne.")
    return zone


def _words_of(root: Path) -> frozenset[str]:
    """Words of the course's code, title and sessions: folders may be called so, and people are not."""
    course = _read_course(root)
    told = " ".join([str(course.get("code", "")), str(course.get("title", "")), *read_sessions(root), root.name])
    return frozenset(re.findall(r"[^\W\d_]+|\d+", told.casefold()))


def _session_name(session: Any) -> str:
    if isinstance(session, str):
        return session.replace("*", "").strip()
    parts = [str(session.get(key, "")) for key in ("day", "time", "room")]
    return " ".join(part for part in parts if part)


# --- who is in the course ---


def students_command(options: argparse.Namespace) -> int:
    """List the students, or change who is who."""
    from . import gradebook as books
    from . import students

    needed = _STUDENTS_NEEDED.get(options.action, 0)
    if len(options.who) != needed:
        raise ClassError(f"`workshop students {options.action}` takes {needed} ids, as in the list of students.")
    course = books.open_course(options.course, options.db_url)
    course.assignments()  # where there are none it is no course, and nothing is written
    books.check_database(course.db_url)
    path, given_last = course.state / "people.json", course.state / "roster.csv"
    with one_run(course.state, course.autograded, course.feedback), _gradebook(course) as gradebook:
        people = People.read(path)
        if options.action == "list":
            roster = read_roster(given_last, read_sessions(course.root)) if given_last.exists() else {}
            for line in students.listed(course, gradebook, people, roster):
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
def _marked_course(options: argparse.Namespace) -> Iterator[tuple[Any, Any, People]]:
    """The course, its gradebook, and who is in it."""
    from . import gradebook as books

    course = books.open_course(options.course, options.db_url)
    course.assignments()  # where there are none it is no course, and nothing is written
    books.check_database(course.db_url)
    given_last = course.state / "roster.csv"
    roster = read_roster(given_last, read_sessions(course.root)) if given_last.exists() else {}
    with _gradebook(course) as gradebook:
        yield course, gradebook, People.read(course.state / "people.json", roster)


def _known_assignment(course: Any, name: str) -> Assignment:
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


def _write_file(course: Any, target: Path, content: bytes) -> None:
    """Write a file; what somebody has changed in it, or put in its place, is kept aside, and that is said."""
    for path, aside in write_tables(course.state, {target: content}).items():
        say(f"{path} was changed since it was written here, or came from elsewhere: it is kept as {aside}.")


def export_command(options: argparse.Namespace) -> int:
    """Fill the marks into a learning-management system's own table."""
    from . import gradebook as books
    from . import upload

    _must_be_new(options.to)
    with _marked_course(options) as (course, gradebook, people):
        assignment = _known_assignment(course, options.assignment)
        table = options.like or course.state / "roster.csv"
        if not table.is_file():
            wanted = "Give the system's own table with --like: its gradebook's export, or a grading worksheet."
            raise ClassError(f"{table} is no file. {wanted}")
        marked = books.read_marks(gradebook, assignment.name)
        for student in marked:
            people.seen.setdefault(student, [])
        most = sum(cell.points for cell in assignment.graded)
        marks = {student: one.score for student, one in marked.items()}
        content, column, missing = upload.fill_in(table, people, marks, assignment.name, most, options.column)
    target = options.to or course.root / "build" / f"{assignment.name}_marks.csv"
    _write_file(course, target, content)
    say(f"Wrote {target}: {len(marks) - len(missing)} marks in the column {column!r}.")
    if missing:
        say(f"  look at this: the table lacks {', '.join(missing[:MOST_NAMED])}{' …' if missing[MOST_NAMED:] else ''}.")
    if waiting := sum(bool(one.waiting) for one in marked.values()):
        say(f"  look at this: {waiting} of them still wait for marks by hand.")
    return 0


def feedback_command(options: argparse.Namespace) -> int:
    """Write a zip of the feedback of some, or by a system's names."""
    from . import upload

    _must_be_new(options.to)
    with _marked_course(options) as (course, _, people):
        assignments = [_known_assignment(course, name).name for name in options.assignments] or list(
            course.assignments()
        )
        there = sorted(path.name for path in course.feedback.iterdir()) if course.feedback.is_dir() else []
        wanted = [one.strip() for one in options.students.split(",")] if options.students is not None else there
        if unknown := sorted(set(wanted) - set(there)):
            raise ClassError(f"There is no feedback for {', '.join(unknown)}. `workshop students` lists who there is.")
        if options.session is not None:
            session = session_of(options.session, read_sessions(course.root))
            wanted = [one for one in wanted if one in people.roster and people.roster[one].session == session]
        content, count = upload.zip_feedback(course.feedback, people, wanted, assignments, options.system)
    if not count:
        raise ClassError("There is no such feedback; nothing was written.")
    target = options.to or course.root / "build" / "feedback.zip"
    _write_file(course, target, content)
    say(f"Wrote {target}: {count} pages of {len(wanted)} students.")
    return 0


def extend_command(options: argparse.Namespace) -> int:
    """Give one student more time."""
    from nbgrader.api import MissingEntry

    with _marked_course(options) as (course, gradebook, _):
        name, zone = _known_assignment(course, options.assignment).name, read_zone(course.root)
        for what, find in ((options.student, gradebook.find_student), (name, gradebook.find_assignment)):
            try:
                found = find(what)
            except MissingEntry:
                raise ClassError(f"{what} is not in the gradebook yet; grade first.") from None
        due = found.duedate
        if due is None:
            example = f"2017-08-28 17:00 {datetime(2017, 8, 28, tzinfo=zone):%z}"
            nbgrader = Path(own_command()).with_name("nbgrader")
            raise ClassError(f"{name} has no due date: {nbgrader} db assignment add {name} --duedate='{example}'.")
        extension, said = None, "no longer than others"
        if options.date != "none":
            until = _read_date(options.date, zone)
            said = f"until {until.astimezone(zone):%A %Y-%m-%d %H:%M %Z} ({until:%Y-%m-%d %H:%M} UTC)"
            extension = until.replace(tzinfo=None) - due
            if extension <= timedelta(0):
                raise ClassError(f"{said} is no later than {name} is due for all, {due} UTC; nothing was changed.")
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


# --- handing out ---


def bundle_command(options: argparse.Namespace) -> int:
    """Make the folder and the zip that students get."""
    from . import handout, output

    course, target, scratch = _handing_out(options)
    archive = output.target_zip(target.with_name(f"{target.name}.zip"), options.command)
    with scratch as made:
        handout.make_bundle(course.root, made, course.assignments())
        output.publish(made, target, options.command)
    output.zip_folder(target, archive, options.command)
    say(f"Wrote {target} and {archive} ({archive.stat().st_size / 1e6:.1f} MB); no answer is in them.")
    return 0


def lite_command(options: argparse.Namespace) -> int:
    """Build the JupyterLite site."""
    from . import handout, output

    course, target, scratch = _handing_out(options)
    with scratch as made:
        bundle = made.with_name("bundle")
        handout.make_bundle(course.root, bundle, course.assignments())
        handout.make_lite(bundle, made)
        output.publish(made, target, options.command)
    say(f"Wrote {target}. Put it on any web server, or look at it: python3 -m http.server -d {target}")
    return 0


def solutions_command(options: argparse.Namespace) -> int:
    """Execute the notebooks with answers and write them as notebooks and HTML."""
    from . import handout, output

    course, target, scratch = _handing_out(options)
    say("Executing the notebooks with their answers.")
    with scratch as made:
        handout.make_solutions(course.root, made, course.assignments())
        names = sorted(path.name for path in made.iterdir())
        output.publish(made, target, options.command)
    for name in names:
        say(f"Wrote {target / name}")
    return 0


def _handing_out(options: argparse.Namespace) -> tuple[Any, Path, AbstractContextManager[Path]]:
    """The course, the folder that the command may write, and a context with a new folder to make things in first."""
    from . import output
    from .gradebook import open_course

    course = open_course(options.course)
    given = options.to if options.to is not None else course.root / options.usual
    folders = ("source", "release", "submitted", "autograded", "feedback", ".workshop", ".git", "slides", "docs")
    own = [course.source, course.submitted, course.autograded, course.feedback, *(course.root / f for f in folders)]
    return course, output.target_folder(given, options.command, course.root, own), _new_folder()


@contextmanager
def _new_folder() -> Iterator[Path]:
    """A folder still to be made, which is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="workshop-") as scratch:
        yield Path(scratch) / "made"


if __name__ == "__main__":
    sys.exit(main())
