"""`workshop grade --from`: submissions come in, and what is remembered of them."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from examiner.batch.job import ClassError, Job
from examiner.cli.terminal import say
from examiner.course.people import People
from examiner.course.settings import read_zone, words_of
from examiner.grading.assignment import Assignment
from examiner.isolation.files import write_atomically


def take_in_from(
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
    origins = origin_folders(options, course)
    for origin in origins:
        _must_be_others(origin, course)
    taken = take_in(
        origins, course.submitted, course.state / "replaced", assignments, people, hints, given, strict, exchange
    )
    people.write(course.state / "people.json")
    say(f"Took in {taken.stored} notebooks of {len(taken.students)} students; {taken.unchanged} were there already.")
    for problem in taken.problems:
        say(f"  look at this: {problem}")
    remembered = remembered_notes(course)
    for key in taken.fresh:
        remembered.pop(key, None)
    for key, notes in taken.notes.items():
        remembered[key] = list(dict.fromkeys([*remembered.get(key, []), *notes]))
    for student, notes in taken.ungraded.items():
        remembered[student, ""] = notes  # a note on the student: it belongs to no assignment
    lines = [[student, assignment, notes] for (student, assignment), notes in sorted(remembered.items())]
    write_atomically(course.state / "intake.json", json.dumps(lines, indent=1))
    return taken.names


def origin_folders(options: argparse.Namespace, course: Any) -> list[Path]:
    """Where submissions come from: the files and folders of --from, nbgrader's exchange among them."""
    return [_exchange(course).inbound if origin == "exchange" else Path(origin) for origin in options.origin or ()]


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


def remembered_notes(course: Any) -> dict[tuple[str, str], list[str]]:
    try:
        lines = json.loads((course.state / "intake.json").read_text())
        return {(student, assignment): list(notes) for student, assignment, notes in lines}
    except (OSError, ValueError):
        return {}


def ungraded_work(
    remembered: Mapping[tuple[str, str], list[str]], jobs: Iterable[Job], assignments: Iterable[str]
) -> dict[str, list[str]]:
    """By student, what came that can't be graded, while an assignment of theirs is still missing."""
    there = {(job.student, job.assignment) for job in jobs}
    return {
        student: notes
        for (student, about), notes in sorted(remembered.items())
        if not about and any((student, name) not in there for name in assignments)
    }


def name_students(gradebook: Any, roster: Mapping[str, Any], names: Mapping[str, str]) -> None:
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
