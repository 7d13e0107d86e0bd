"""`workshop grade`: from what was handed in to marks, feedback and report."""

from __future__ import annotations

import argparse
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from examiner.batch.job import ClassError
from examiner.batch.journal import Journal, course_secret
from examiner.batch.run import grade_class
from examiner.cli.checking import unsound
from examiner.cli.opening import must_be_writable, one_run, opened_gradebook
from examiner.cli.progress import progress_of
from examiner.cli.taking_in import name_students, remembered_notes, take_in_from, ungraded_work
from examiner.cli.terminal import own_command, say
from examiner.cli.writing import ClassWriter
from examiner.course.roster import People, check_roster, read_roster, valid_id
from examiner.course.settings import read_sessions
from examiner.grading.assignment import Limits
from examiner.grading.grade import forkserver
from examiner.isolation.files import write_atomically
from examiner.isolation.sandbox import NoSandbox


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
        must_be_writable(folder)
    with one_run(course.state, course.autograded, course.feedback):
        names: dict[str, str] = {}
        if options.origin:
            names = take_in_from(options, course, every, people, strict)
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
        remembered = remembered_notes(course)
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
            progress = stack.enter_context(progress_of(jobs, options))
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
            name_students(gradebook, roster, names)
            class_ = ClassWriter(course, gradebook, every, odd, {s: r.session for s, r in roster.items()}, sessions)
            class_.summary.ungraded = ungraded_work(remembered, there, every)
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


def _nothing_to_grade(course: Any) -> str:
    return (
        f"There is nothing to grade in {course.submitted}. Bring submissions in with `{own_command()} grade --from "
        "ZIP-OR-FOLDER`, or with `nbgrader collect`; `make grade` in a fresh clone grades a sample class."
    )
