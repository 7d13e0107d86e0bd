"""`workshop grade`."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from examiner.batch.job import ClassError, Job
from examiner.batch.journal import Journal, course_secret
from examiner.batch.local import available_cores
from examiner.batch.run import Progress, grade_class, unjudged_result
from examiner.cli.checking import unsound
from examiner.cli.terminal import own_command, say, say_isolation
from examiner.course.roster import People, check_roster, read_roster, valid_id
from examiner.course.settings import read_sessions, read_title, read_zone, words_of
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.grade import forkserver
from examiner.grading.result import Result
from examiner.isolation.files import write_atomically
from examiner.isolation.sandbox import NoSandbox
from examiner.pages.feedback import STAMP, read_stamp
from examiner.pages.tables import grades_csv, marks_csv, write_tables, zip_feedback

BATCH = 16  # submissions written to the gradebook in one transaction
LONGEST_TABLE = 60  # students whose marks are printed; a larger class has its report


def grade_command(options: argparse.Namespace) -> int:
    """Grade the class from what was handed in to marks, feedback and report."""
    started = time.monotonic()
    _check_options(options)
    if not options.scheduler and (options.origin or not (options.course / ".workshop" / "journal").is_dir()):
        threading.Thread(
            target=_wake, args=(options.sandbox, options.course), daemon=True
        ).start()  # there will be something to grade
    from examiner.course.course import open_course
    from examiner.course.database import check_database
    from examiner.course.gradebook import register
    from examiner.course.intake import find_jobs

    course = open_course(options.course, options.db_url)
    check_database(course.db_url)
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
        there, odd = find_jobs(course.submitted, every)
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
        for why in course.left_out():
            say(why)
        for name, found in unsound(course, assignments, options.sandbox).items():
            say(f"{name}: " + "\n  ".join(["not all of its tests are sound.", *found]))
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
            gradebook = stack.enter_context(opened_gradebook(course))
            for assignment in assignments.values():
                if register(course, gradebook, assignment):
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
        forkserver(sandbox, (str(course),))


@contextmanager
def opened_gradebook(course: Any) -> Iterator[Any]:
    from nbgrader.api import Gradebook

    from examiner.course.database import make_database

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
    from examiner.course.intake import take_in
    from examiner.course.systems import Hints

    hints = Hints(
        words=words_of(course.root),
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
    taken = take_in(
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

    from examiner.course.intake import Exchange

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

    from examiner.pages.markup import plain_name

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
        from examiner.course.gradebook import LatePenalty
        from examiner.pages.class_report import Summary

        self.course, self.gradebook, self.assignments, self.odd = course, gradebook, assignments, odd
        self.late, self.zone = LatePenalty(course), read_zone(course.root)
        self.summary = Summary(assignments, session_of, sessions, read_title(course.root))
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

        from examiner.course.gradebook import Marked

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
        from examiner.course.gradebook import Entry, read_marks, save
        from examiner.course.notebook import read_sources
        from examiner.course.timestamps import read_timestamp

        assignment = self.assignments[name]
        entries, paths, stamps = [], [], []
        for job, key, result in batch:
            stamp = hashlib.sha256(f"{key}\0{assignment.digest}\0{result.notes!r}".encode()).hexdigest()
            path = self.course.autograded / job.student / name / f"{assignment.notebook or name}.ipynb"
            paths.append(path)
            stamps.append("" if read_stamp(path, rb'"key": "([0-9a-f]+)"') == stamp else stamp)
            when = read_timestamp(self.course.submitted / job.student / name, self.course.submitted)
            before = read_sources(path) if stamps[-1] else {}
            entries.append(Entry(job.student, result, when, bool(stamps[-1]), before))
        save(self.gradebook, assignment, entries, self.late)
        marks = read_marks(self.gradebook, name, [job.student for job, _, _ in batch])
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
        from examiner.course.gradebook import apply_marks
        from examiner.course.notebook import marked_notebook, notebook_text
        from examiner.course.timestamps import timestamp_text
        from examiner.pages.feedback import feedback_html

        (path, stamp), (page, shown) = notebook, feedback
        if not (stamp or shown):
            return
        nb = marked_notebook(assignment, result, stamp, student)
        if stamp:
            folder = self.course.submitted / student / assignment.name
            if stamped := timestamp_text(folder, self.course.submitted):
                write_atomically(path.with_name("timestamp.txt"), stamped)
            write_atomically(path, notebook_text(nb))
        if shown:
            html = feedback_html(
                apply_marks(nb, marked, self.zone),
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
        from examiner.pages.feedback import look

        shown: list[Any] = [key, assignment.digest, look(), result.notes, marked.late_penalty]
        shown += [sorted(part) for part in (marked.scores.items(), marked.comments.items())]
        shown += [sorted(part) for part in (marked.waiting, marked.by_hand)]
        shown += [marked.name, marked.timestamp, marked.duedate, str(self.zone)]
        stamp = hashlib.sha256(repr(shown).encode()).hexdigest()
        path = self.course.feedback / student / assignment.name / f"{assignment.name}.html"
        return path, "" if read_stamp(path, STAMP) == stamp else stamp

    def recall(self, there: Collection[tuple[str, str]]) -> None:
        """Add whoever has marks in the gradebook and was not graded by this run, as they stand.

        It may be that only one assignment was graded, that a folder has left submitted/, or that another tutor
        grades elsewhere on the same gradebook. `there` is what submitted/ holds.
        """
        from examiner.course.gradebook import read_marks
        from examiner.course.notebook import read_result, unseen

        handed_in = {student for student, _ in there}
        known = {(row.assignment, row.student) for row in self.summary.rows()}
        for name, assignment in self.assignments.items():
            for student, marked in sorted(read_marks(self.gradebook, name).items()):
                if (name, student) in known or not self._belongs(student, handed_in):
                    continue
                path = self.course.autograded / student / name / f"{assignment.notebook or name}.ipynb"
                result = read_result(path, assignment)
                given = marked.timestamp or marked.by_hand or any(marked.scores.values())
                if result is None and not given:  # nothing came, but they have an extension
                    continue
                result = result or unseen(assignment)
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

        from examiner.pages import terminal
        from examiner.pages.terminal import in_a_line

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
            whole = ((one.id, f"{one.first_name or ''} {one.last_name or ''}".strip()) for one in everyone)
            self.summary.names = {student: name for student, name in whole if name}
            path = root / "class_report.html"
            if read_stamp(path, STAMP) != self.summary.stamp():
                write_atomically(path, self.summary.page())
        say("")
        for path, aside in kept.items():
            say(f"{path.name} was changed since it was written here, or came from elsewhere: it is kept as {aside}.")
        if len(self.students) <= LONGEST_TABLE:
            for name in graded:
                say(terminal.table(self.assignments[name], [row for row in rows if row.assignment == name]))
        for name in graded:
            say(in_a_line(name, [row for row in rows if row.assignment == name]))
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
