"""What a person does about marks: look at the very problem that failed, mark written answers by hand."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from examiner.batch.job import ClassError
from examiner.batch.journal import course_secret
from examiner.cli.administration import marked_course, write_file
from examiner.cli.opening import one_run
from examiner.cli.terminal import own_command, say
from examiner.grading.assignment import Assignment, Cell
from examiner.grading.parts import unbundled


def replay_command(options: argparse.Namespace) -> int:
    """Write a page with the problem that a student's answer failed in a test."""
    from examiner.course.gradebook import read_marks
    from examiner.course.intake import find_jobs
    from examiner.grading.grade import replay, restored
    from examiner.pages.replay import replay_page

    with marked_course(options) as (course, gradebook, people):
        every = course.assignments()
        jobs = {job.assignment: job for job in find_jobs(course.submitted, every)[0] if job.student == options.student}
        if not jobs:
            raise ClassError(f"{options.student} has no folder in submitted/. `workshop students` lists who there is.")
        marks = {name: read_marks(gradebook, name, [options.student]).get(options.student) for name in jobs}
        assignment, test = _meant(options.test, [every[name] for name in jobs], marks)
        name = people.name(options.student)
    submission = jobs[assignment.name].read()
    called = test.grade_id.replace("/", "_")
    target = course.root / "build" / "replay" / f"{options.student}_{assignment.name}_{called}.html"
    for part in assignment.parts:
        if own := next((cell for cell in part.cells if f"{part.notebook}/{cell.grade_id}" == test.grade_id), None):
            assignment, test, submission = part, own, unbundled(submission).get(part.notebook, b"")
    code = next((c.source for c in restored(submission, assignment).cells if c.grade_id == test.question), "")
    seed = assignment.seed(submission, course_secret(course.state))
    source = (course.source / assignment.name / f"{assignment.notebook}.ipynb").read_bytes()
    theirs = replay(submission, seed, assignment, test.grade_id, hidden=course.private)
    right = replay(source, seed, assignment, test.grade_id, hidden=course.private)
    student = f"{name} ({options.student})" if name else options.student
    page = replay_page(assignment, test, student, code, theirs, right)
    write_file(course, target, page.encode())
    say(f"Wrote {target}: {test.grade_id} {'passes' if theirs.get('right') else 'fails'} on the problems it was given.")
    return 0


def mark_command(options: argparse.Namespace) -> int:
    """Write the page for marking written answers, or take in the marks that it gave back."""
    from examiner.course.handmarks import moderation_csv, take_marks, written_answers

    with marked_course(options) as (course, gradebook, people):
        every = course.assignments()
        answers = written_answers(course, gradebook, every, course_secret(course.state))
        if not options.take:
            target = course.root / "build" / "marking.html"
            write_file(course, target, _marking_page(every, answers).encode())
            waiting = sum(answer.waits for answer in answers)
            say(f"Wrote {target}: {len(answers)} written answers without names, of which {waiting} wait.")
            say(f"Open it in a browser, mark, save the CSV, and take that in: `{own_command()} mark --take FILE`.")
            return 0
        with one_run(course.state):
            taken = take_marks(gradebook, answers, options.take, course.state / "markers.json")
    say(f"Took {taken.written} marks into the gradebook; `{own_command()} grade` has them in all tables and pages.")
    if taken.unknown:
        say(f"  look at this: {taken.unknown} marks are for answers that have changed since, or are of another course.")
    for answer, given in taken.differing:
        said = ", ".join(f"{marker} {score:g}" for marker, (score, _) in given.items())
        name = people.name(answer.student)
        whose = f"{name} ({answer.student})" if name else answer.student
        say(f"  the markers differ: {answer.assignment}, {answer.question}, {whose}: {said}")
    if taken.differing:
        target = course.root / "build" / "moderation.csv"
        write_file(course, target, moderation_csv(taken.differing).encode("utf-8-sig"))
        say(f"Agree on these {len(taken.differing)}, fill in their score in {target}, and take that file in as well.")
    return 0


def _marking_page(assignments: Mapping[str, Assignment], answers: Sequence[Any]) -> str:
    from examiner.course.notebook import guide_of
    from examiner.pages.marking import Asked, marking_page

    asked: dict[tuple[str, str], Asked] = {}
    for answer in answers:
        key = (answer.assignment, answer.question)
        if key not in asked:
            cells = assignments[answer.assignment].cells
            cell = next(cell for cell in cells if cell.grade_id == answer.question)
            order = list(dict.fromkeys(cell.question for cell in assignments[answer.assignment].graded))
            label = f"{order.index(cell.question) + 1} {cell.question.replace('_', ' ')}"
            before = [other.source for other in cells[: cells.index(cell)] if other.kind == "text"]
            text = "\n\n".join([*before[-1:], cell.release_source.replace("YOUR ANSWER HERE", "").strip()])
            asked[key] = Asked(*key, label, cell.points, text, guide_of(cell))
        asked[key].answers.append((answer.token, answer.cells, answer.waits))
    return marking_page(list(asked.values()))


def _meant(text: str, assignments: list[Assignment], marks: dict[str, Any]) -> tuple[Assignment, Cell]:
    """The test that a text names: its grade_id, or a question's number or name, with ASSIGNMENT/ before it if need be.

    Of several that are meant, the one that lost marks.
    """
    where, _, what = text.rpartition("/")
    found = []
    for assignment in assignments:
        order = list(dict.fromkeys(cell.question for cell in assignment.graded))
        for cell in assignment.graded:
            names = (cell.grade_id, cell.question, str(order.index(cell.question) + 1))
            if cell.kind == "test" and (text in names or (what in names and where in ("", assignment.name))):
                found.append((assignment, cell))
    if not found:
        raise ClassError(f"There is no test {text}. Name a test (test_gradient_w) or a question (5, or gradient).")
    lost = [(a, c) for a, c in found if marks[a.name] and marks[a.name].scores.get(c.grade_id, 0.0) < c.points]
    meant = lost or found
    if len({assignment.name for assignment, _ in meant}) > 1:
        several = ", ".join(f"{assignment.name}/{cell.grade_id}" for assignment, cell in meant)
        raise ClassError(f"Several may be meant: {several}. Say which.")
    return meant[0]
