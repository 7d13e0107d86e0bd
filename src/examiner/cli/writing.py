"""Results as they come, written batch by batch: gradebook, marked notebooks, feedback, and the class's tables."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from examiner.batch.job import Job
from examiner.batch.run import unjudged_result
from examiner.cli.terminal import say, say_isolation
from examiner.course.settings import read_title, read_zone
from examiner.grading.assignment import Assignment
from examiner.grading.result import Result
from examiner.isolation.files import write_atomically
from examiner.pages.feedback import STAMP, read_stamp
from examiner.pages.tables import grades_csv, marks_csv, write_tables, zip_feedback

BATCH = 16  # submissions written to the gradebook in one transaction
LONGEST_TABLE = 60  # students whose marks are printed; a larger class has its report
MOST_NAMED = 20  # of those whom the roster lacks


class ClassWriter:
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
