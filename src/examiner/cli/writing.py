"""Results as they come, written batch by batch: gradebook, marked notebooks, feedback, and the class's tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from examiner.batch.job import Job
from examiner.batch.run import unjudged_result
from examiner.course.settings import read_title, read_zone
from examiner.grading.assignment import Assignment
from examiner.grading.parts import notebooks, of_notebook
from examiner.grading.result import Result
from examiner.isolation.files import write_atomically
from examiner.pages.stamps import STAMP, read_stamp

BATCH = 16  # submissions written to the gradebook in one transaction


def marked_paths(course: Any, assignment: Assignment, student: str) -> dict[str, Path]:
    """Where a student's marked notebooks lie, by what is before the names of their cells."""
    folder = course.autograded / student / assignment.name
    return {
        f"{part.notebook}/" if part.of_several else "": folder / f"{part.notebook}.ipynb"
        for part in notebooks(assignment)
    }


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
        from examiner.pages.summary import Summary

        self.course, self.gradebook, self.assignments, self.odd = course, gradebook, assignments, odd
        self.late, self.zone = LatePenalty(course), read_zone(course.root)
        self.summary = Summary(assignments, session_of, sessions, read_title(course.root))
        self.students: set[str] = set()

    def write(self, results: Iterable[tuple[Job, str, Result]]) -> None:
        """Write all results, each with its journal's key, "" where it is not to be kept; they may come in any order."""
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
                self.add(name, job.student, result, Marked(job.student))
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
            mine = marked_paths(self.course, assignment, job.student)
            paths.append(mine)
            fresh = all(read_stamp(path, rb'"key": "([0-9a-f]+)"') == stamp for path in mine.values())
            stamps.append("" if fresh else stamp)
            when = read_timestamp(self.course.submitted / job.student / name, self.course.submitted)
            changed = mine.items() if stamps[-1] else ()
            before = {first + cell: text for first, path in changed for cell, text in read_sources(path).items()}
            entries.append(Entry(job.student, result, when, bool(stamps[-1]), before))
        save(self.gradebook, assignment, entries, self.late)
        marks = read_marks(self.gradebook, name, [job.student for job, _, _ in batch])
        for (job, key, result), where, stamp in zip(batch, paths, stamps, strict=True):
            marked = marks[job.student]
            page, shown = self._feedback(assignment, job.student, key, result, marked)
            try:
                for part, (first, path) in zip(notebooks(assignment), where.items(), strict=True):
                    own, theirs = of_notebook(result, part), marked.of_notebook(first)
                    at = page.with_name(f"{part.notebook}.html") if part.of_several else page
                    self._write_one(part, job.student, own, theirs, (path, stamp), (at, shown))
            except OSError:  # a full disk, say: it concerns everyone
                raise
            except Exception as error:  # one student's work stops nobody else's
                for old in page.parent.glob("*.html"):
                    old.unlink(missing_ok=True)  # it shows what was before
                why = f"the marked notebook or the feedback could not be written ({type(error).__name__})"
                result = replace(result, notes=(*result.notes, why), needs_eye=(*result.needs_eye, why))
            self.add(name, job.student, result, marked)

    def add(self, name: str, student: str, result: Result, marked: Any) -> None:
        """Count a student's result and marks in, as the gradebook has them."""
        self.summary.add(self.assignments[name], student, result, marked)
        self.students.add(student)

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
        from examiner.course.timestamps import SECRET, beside
        from examiner.pages.feedback import feedback_html

        (path, stamp), (page, shown) = notebook, feedback
        if not (stamp or shown):
            return
        nb = marked_notebook(assignment, result, stamp, student)
        noted = beside(self.course.submitted / student / assignment.name, self.course.submitted)
        if stamp:
            for name, content in noted.items():
                write_atomically(path.with_name(name), content)
            write_atomically(path, notebook_text(nb))
        if shown:
            html = feedback_html(
                apply_marks(nb, marked, self.zone),
                student=student,
                assignment=f"{assignment.name}, {assignment.notebook}" if assignment.of_several else assignment.name,
                late_penalty=marked.late_penalty,
                stamp=shown,
            )
            for name in noted if SECRET in noted else ():  # `nbgrader release_feedback` looks for it here
                write_atomically(page.with_name(name), noted[name])
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
        last = notebooks(assignment)[-1]
        name = last.notebook if last.of_several else assignment.name
        path = self.course.feedback / student / assignment.name / f"{name}.html"
        return path, "" if read_stamp(path, STAMP) == stamp else stamp
