"""`workshop grade`: from what was handed in to marks, feedback and report."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from examiner.batch.job import ClassError, Job
from examiner.batch.journal import Journal, course_secret
from examiner.batch.run import Graded, Grading, Progress, grade_class
from examiner.cli.checking import checked
from examiner.cli.opening import must_be_writable, one_run, opened_gradebook
from examiner.cli.progress import progress_of
from examiner.cli.taking_in import name_students, origin_folders, remembered_notes, take_in_from, ungraded_work
from examiner.cli.terminal import own_command, say
from examiner.cli.watching import Settled, State, Who, folders, states, watch
from examiner.cli.whole_class import finish, recall, say_arrived, say_hardest, write_whole
from examiner.cli.writing import ClassWriter
from examiner.course.ids import valid_id
from examiner.course.people import People
from examiner.course.roster import Enrolled, check_roster, read_roster
from examiner.course.settings import read_sessions
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.grade import forkserver
from examiner.isolation.files import write_atomically
from examiner.isolation.sandbox import NoSandbox


@dataclass
class _Class:
    """A course, who is in it, and what they have handed in."""

    course: Any
    every: dict[str, Assignment]  # the course's
    assignments: dict[str, Assignment]  # those to grade now
    sessions: list[str]
    roster: dict[str, Enrolled]
    people: People
    names: dict[str, str] = field(default_factory=dict)  # by student, as the work came
    there: list[Job] = field(default_factory=list)
    odd: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # what there is to note of a submission

    @property
    def jobs(self) -> list[Job]:
        """What there is to grade now."""
        return [job for job in self.there if job.assignment in self.assignments]


def grade_command(options: argparse.Namespace) -> int:
    """Grade the class from what was handed in to marks, feedback and report."""
    started = time.monotonic()
    _check_options(options)
    if not options.scheduler and (options.origin or not (options.course / ".workshop" / "journal").is_dir()):
        threading.Thread(
            target=_wake, args=(options.sandbox, options.course), daemon=True
        ).start()  # there will be something to grade
    class_ = _read_class(options)
    course, origin = class_.course, [class_.course.submitted] if options.origin else []
    for folder in (course.root, course.state, course.autograded, course.feedback, *origin):
        must_be_writable(folder)
    with one_run(course.state, course.autograded, course.feedback):
        if not options.watch or not options.origin:
            _take_in(options, class_)
        _check(options, class_)
        known = states(class_.jobs)
        failed = _grade(options, class_)
        if options.watch:
            with suppress(KeyboardInterrupt):
                _watch(options, class_, known)
            _find(class_)
            failed = _grade(options, class_)  # once more: marks were given by hand meanwhile, perhaps
    if failed:
        raise ClassError(
            f"The grader itself failed on {failed} of these; they have no mark, and the report lists them. "
            "Run again: only they are graded."
        )
    jobs = class_.jobs
    say(
        f"{len(jobs)} notebooks of {len({job.student for job in jobs})} students in {time.monotonic() - started:.1f} s."
    )
    return 0


def _read_class(options: argparse.Namespace) -> _Class:
    """The course, its assignments, roster and people, as they are before anything is taken in."""
    from examiner.course.course import open_course
    from examiner.course.database import check_database

    course = open_course(options.course, options.db_url)
    check_database(course.db_url)
    every = course.assignments()
    if asked := [course.refused[name] for name in options.assignments if name in course.refused]:
        raise ClassError("\n".join(asked))
    if unknown := set(options.assignments) - set(every):
        raise ClassError(f"There is no assignment {', '.join(sorted(unknown))}; there is {', '.join(every)}.")
    if options.kernel_in_sandbox:
        every = {name: assignment.in_one_process() for name, assignment in every.items()}
    assignments = {name: every[name] for name in options.assignments or every}
    sessions = read_sessions(course.root)
    given_last = _given_last(course)
    latest = options.roster or (given_last if given_last.exists() else None)
    people = People.read(course.state / "people.json", read_roster(latest, sessions) if latest else {})
    if options.people:
        people.learn(options.people)
    return _Class(course, every, assignments, sessions, dict(people.roster), people)


def _given_last(course: Any) -> Path:
    """Where the last roster is kept: sessions and names stay when the next run is given none."""
    return Path(course.state) / "roster.csv"


def _take_in(options: argparse.Namespace, class_: _Class) -> None:
    """Take in what came, and find all there is to grade; ClassError where that is nothing, or a stranger's."""
    course = class_.course
    strict = bool(options.roster and not options.unknown_students)
    if options.origin:
        class_.names = take_in_from(options, course, class_.every, class_.people, strict)
    _find(class_)
    if not (class_.jobs or options.watch):
        raise ClassError(_nothing_to_grade(course))
    if strict:
        check_roster(class_.roster, [job.student for job in class_.there])
    if options.people:
        class_.people.write(course.state / "people.json")
    if options.roster:
        write_atomically(_given_last(course), options.roster.read_bytes())


def _find(class_: _Class) -> None:
    """Look through submitted/ for what there is to grade."""
    from examiner.course.intake import find_jobs

    submitted = class_.course.submitted
    class_.there, class_.odd = find_jobs(submitted, class_.every) if submitted.is_dir() else ([], {})


def _check(options: argparse.Namespace, class_: _Class) -> None:
    """Tell which tests are not sound, and leave out what can't be marked; ClassError where nothing remains."""
    for name, why in class_.course.refused.items():
        say(f"{name} is not graded. {why}")
    for name, looked in checked(class_.course, class_.assignments, options.sandbox).items():
        if looked.refused and not options.kernel_in_sandbox:
            say(f"{name} is not graded. {looked.refused} `--kernel-in-sandbox` grades it all the same.")
            del class_.assignments[name]
        elif looked.found:
            say(f"{name}: " + "\n  ".join(["not all of its tests are sound.", *looked.found]))
    if not (class_.jobs or (options.watch and class_.assignments)):
        raise ClassError("Nothing was graded.")


def _grade(options: argparse.Namespace, class_: _Class) -> int:
    """Grade it and write all that comes of it. Returns on how many submissions the grader itself failed."""
    from examiner.course.gradebook import register

    course, assignments = class_.course, class_.assignments
    with ExitStack() as stack:
        progress = stack.enter_context(progress_of(class_.jobs, options))
        grading = _started(options, class_, class_.jobs, progress)  # while the gradebook is made ready
        stack.enter_context(closing(grading))
        gradebook = stack.enter_context(opened_gradebook(course))
        for assignment in assignments.values():
            if register(course, gradebook, assignment):
                tqdm.write(f"Registered {assignment.name} in the gradebook.")
        writer = _writer(class_, gradebook)
        writer.write(grading)
        recall(writer, {(job.student, job.assignment) for job in class_.there})
        finish(writer, list(assignments), report=not options.no_report)
    return grading.failed


def _started(
    options: argparse.Namespace, class_: _Class, jobs: Sequence[Job], progress: Progress = lambda event, job: None
) -> Grading:
    """The grading of some of the class's work. It has begun."""
    limits, secret = Limits(), course_secret(class_.course.state)
    return grade_class(
        jobs,
        class_.assignments,
        secret,
        Journal(class_.course.state / "journal", secret, limits),
        limits=limits,
        sandbox=options.sandbox,
        hidden=class_.course.private,
        workers=options.workers,
        scheduler=options.scheduler,
        progress=progress,
    )


def _writer(class_: _Class, gradebook: Any) -> ClassWriter:
    """What writes the class's results, with all that is known of who is in it."""
    remembered = remembered_notes(class_.course)
    odd = {key: list(notes) for key, notes in class_.odd.items()}
    for key, notes in remembered.items():
        odd.setdefault(key, []).extend(note for note in notes if note not in odd.get(key, []))
    name_students(gradebook, class_.roster, class_.names)
    session_of = {student: row.session for student, row in class_.roster.items()}
    writer = ClassWriter(class_.course, gradebook, class_.every, odd, session_of, class_.sessions)
    writer.summary.ungraded = ungraded_work(remembered, class_.there, class_.every)
    return writer


def _watch(options: argparse.Namespace, class_: _Class, known: Mapping[Who, State]) -> None:
    """Grade what arrives from now on, until Ctrl-C: feedback at once, the tables and the report where there is time."""
    course = class_.course
    origins = Settled()

    def look() -> list[Job]:
        if options.origin and origins(folders(origin_folders(options, course))):
            _take_in(options, class_)
        _find(class_)
        return class_.jobs

    with opened_gradebook(course) as gradebook:
        writer = _writer(class_, gradebook)
        recall(writer, {(job.student, job.assignment) for job in class_.there})
        writer.summary.renewed = True

        def write(graded: Sequence[Graded]) -> None:
            nonlocal writer
            newer = _writer(class_, gradebook)  # who came, and what is odd about it, may be new
            writer, newer.summary, newer.students = newer, writer.summary, writer.students
            writer.write(graded)
            say_arrived(writer, [(job.student, job.assignment) for job, _, _ in graded])

        def renew() -> None:
            write_whole(writer, report=not options.no_report)
            say_hardest(writer, list(class_.assignments))

        say("Watching for what arrives. Ctrl-C ends it.")
        watch(known, look, lambda job: list(_started(options, class_, [job])), write, renew, options.workers)


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
    if options.watch and options.scheduler:
        raise ClassError("--watch grades on this machine: leave out --scheduler.")
    if options.student is not None and not valid_id(options.student):
        raise ClassError(f"{options.student!r} can't be a student's id.")


def _wake(sandbox: str, course: Path) -> None:
    """Start this machine's grading processes; where they don't start, grading says why."""
    with suppress(NoSandbox, ValueError, OSError):
        forkserver(sandbox, (str(course),))


def _nothing_to_grade(course: Any) -> str:
    return (
        f"There is nothing to grade in {course.submitted}. Bring submissions in with `{own_command()} grade --from "
        "ZIP-OR-FOLDER`, or with `nbgrader collect`; `make grade` in a fresh clone grades a sample class."
    )
