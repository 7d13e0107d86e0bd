"""The examiner inside nbgrader: its commands, formgrader's button and its API grade with `grade.grade`.

`configuration.configure` sets it in nbgrader_config.py; these three lines alone do, for marks:

    c.Autograde.exporter_class = "examiner.course.plugin.LenientExporter"
    c.Autograde.sanitize_preprocessors = ["examiner.course.plugin.Restore"]
    c.Autograde.autograde_preprocessors = ["examiner.course.plugin.Grade", "nbgrader.preprocessors.AssignLatePenalties"]
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat.v4
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import rmtree
from sqlalchemy.exc import OperationalError
from traitlets import Bool, Unicode

from examiner.batch.job import ClassError, Job
from examiner.batch.journal import Journal, course_secret
from examiner.batch.run import Graded, grade_class, grader_failed, unjudged_result
from examiner.course.course import private_folders, read_assignment
from examiner.course.gradebook import Entry, save
from examiner.course.notebook import marked_notebook
from examiner.course.timestamps import read_timestamp
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.grade import not_of, restored
from examiner.grading.result import GraderFailed, Result
from examiner.isolation.files import not_plain


class LenientExporter(NotebookExporter):
    """Takes any file for a notebook: what is none gets its author a mark of zero and a reason.

    It does not read the file: `Restore` and `Grade` do, and nbformat would take minutes over one made to that end.
    """

    jobs: tuple[Job, ...] = ()  # what `nbgrader autograde` is going to grade
    force = False  # whether it is told to grade anew what is graded already
    ahead: dict[str, _Ahead]  # by the source notebook's digest

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ahead = {}
        if isinstance(self.parent, Autograde):
            _refuse_what_no_grader_marks(self.parent)
            _forget_unfinished(self.parent)
            self.jobs, self.force = tuple(_to_be_graded(self.parent)), self.parent.force

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """What the preprocessors make of the notebook at `filename`."""
        resources, path = self._init_resources(resources), Path(filename)
        resources["metadata"].update({"name": path.stem, "path": str(path.parent)})
        return self.from_notebook_node(nbformat.v4.new_notebook(), resources=resources, **kwargs)


def _submissions(converter: Autograde) -> Iterator[tuple[Job, Path]]:
    """The notebooks that nbgrader has found, in its order, and where each will lie when it is marked."""
    pattern = converter._format_source("(?P<assignment>.*)", "(?P<student>.*)", escape=True)
    for folder in sorted(converter.assignments):
        if found := re.match(pattern, folder):
            marked = Path(converter._format_dest(found["assignment"], found["student"]))
            for notebook in map(Path, sorted(converter.assignments[folder])):
                job = Job(found["student"], found["assignment"], notebook.absolute(), Path(converter.coursedir.root))
                yield job, marked / notebook.name


def _notebook(job: Job) -> tuple[str, str]:
    assert job.path is not None
    return job.assignment, job.path.name


def _refuse_what_no_grader_marks(converter: Autograde) -> None:
    """End the run before anything is marked where a source can't be marked by the examiner."""
    course = converter.coursedir
    for name, notebook in dict.fromkeys(_notebook(job) for job, _ in _submissions(converter)):
        source = Path(course.format_path(course.source_directory, ".", name), notebook)
        if source.is_file():
            try:
                _assignment(source, source.stat().st_mtime_ns, course.db_url)
            except ClassError as why:
                converter.log.error("%s is not graded. %s", name, why)
                raise NbGraderException(f"{name} is not graded. {why}") from why


def _forget_unfinished(converter: Autograde) -> None:
    """Remove what a killed run left in autograded/, which nbgrader would take for graded."""
    for _, marked in _submissions(converter):
        if marked.parent.is_dir() and not _is_finished(marked) and not _was_taken_away(marked, converter):
            converter.log.warning("%s was left unfinished; it is graded again", marked.parent)
            rmtree(str(marked.parent))


def _to_be_graded(converter: Autograde) -> Iterator[Job]:
    """What nbgrader has found and has not marked yet."""
    excluded = converter.coursedir.student_id_exclude.split(",")
    for job, marked in _submissions(converter):
        if job.student not in excluded and (converter.force or not marked.exists()):
            yield job


def _is_finished(notebook: Path) -> bool:
    """Whether a notebook in autograded/ has its marks: one that `Restore` alone has seen names no sandbox."""
    try:
        about = json.loads(notebook.read_bytes())["metadata"].get("workshop")
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    return about is None or bool(about.get("sandbox"))


def _was_taken_away(notebook: Path, converter: Autograde) -> bool:
    """Whether a tutor removed a notebook from a finished folder: nbgrader sets all permissions at a run's end."""
    last = int(str(converter.permissions), 8)
    modes = {path.stat().st_mode & 0o777 for path in notebook.parent.rglob("*") if path.is_file()}
    return not notebook.exists() and modes == {last} and not last & 0o200


@lru_cache(8)
def _assignment(source: Path, _changed: int, db_url: str) -> Assignment:
    return read_assignment(source, db_url)


class _OfSubmission(NbGraderPreprocessor):
    """What both passes of `nbgrader autograde` know: the submission as handed in, and the assignment."""

    def _course(self) -> Any:
        converter = getattr(self.parent, "parent", None)
        return getattr(converter, "coursedir", None) or CourseDirectory(parent=self)

    def _read(self, resources: Any) -> tuple[Any, Job, Assignment]:
        about, course = resources["nbgrader"], self._course()
        name, notebook = about["assignment"], about["notebook"]
        handed_in = course.format_path(course.submitted_directory, about["student"], name)
        source = course.format_path(course.source_directory, ".", name)
        job = Job(about["student"], name, Path(handed_in, f"{notebook}.ipynb").absolute(), Path(course.root))
        path = Path(source, f"{notebook}.ipynb")
        return course, job, _assignment(path, path.stat().st_mtime_ns, about["db_url"])


def _told(job: Job, result: Result) -> Result:
    """The result, with the reason where there was only a link to grade."""
    assert job.path and job.root
    why = not_plain(job.path, job.root)
    said = (f"What was handed in is {why}.",) if why else ()
    return replace(result, notes=said or result.notes, needs_eye=said + result.needs_eye)


class NotGraded(NbGraderException):
    """A notebook that is no answer to its assignment: nbgrader removes what it began, goes on, and ends with code 1."""


class Restore(_OfSubmission):
    """The submission with every cell of the source where it belongs: tests restored, copies gone, points right."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """The restored notebook, with nothing run; what can't be read goes on as it is to `Grade`, which says so."""
        why = ""
        try:
            _, job, assignment = self._read(resources)
            submission = job.read()
            result = _told(job, restored(submission, assignment))
            for note in result.notes:
                self.log.warning("%s: %s", job.student, note)
            nb, why = marked_notebook(assignment, result), not_of(submission, assignment)
        except Exception:
            self.log.exception("%s was not restored", resources["nbgrader"]["student"])
        if why:
            raise NotGraded(f"{job.path} is not graded: {why}. Put the right notebook there and run again.")
        return nb, resources


class Grade(_OfSubmission):
    """The submission graded; its marks go from `grade` to the gradebook, whatever any cell printed.

    Where the grader itself fails, nbgrader would leave the student out. Here each gets a row all the same: the tests
    wait for a person, with the reason, and the next run of `nbgrader autograde` grades the submission again.
    """

    sandbox = Unicode("auto", help='"none" runs student code with your own rights, unprotected.').tag(config=True)
    kernel_in_sandbox = Bool(False, help="Run tests among the student's cells: they are not apart.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """The marked notebook, for formgrader and feedback."""
        student = resources["nbgrader"]["student"]
        try:
            course, job, assignment = self._read(resources)
            assignment = assignment.in_one_process() if self.kernel_in_sandbox else assignment
        except Exception as error:
            return _ungraded(nb, self._reason(student, error)), resources
        try:
            result = _told(job, self._graded(course, job, assignment))
            self._save(course, job, assignment, result, resources)
        except Exception as error:
            result = unjudged_result(assignment, self._reason(student, error))
            try:
                self._save(course, job, assignment, result, resources)
            except Exception as again:  # the notebook tells at least
                self._reason(student, again)
        self._tell(student, result)
        return marked_notebook(assignment, result, student=student), resources

    def _reason(self, student: str, error: Exception) -> str:
        self.log.error("%s was not graded", student, exc_info=error)
        kind = "" if isinstance(error, GraderFailed) else f"{type(error).__name__}: "
        return f"This submission could not be graded, and waits for a person ({kind}{error})."

    def _save(self, course: Any, job: Job, assignment: Assignment, result: Result, resources: Any) -> None:
        """Write the marks; a gradebook that somebody else keeps locked is waited for."""
        timestamp = read_timestamp(job.path.parent, job.root) if job.path else None
        for wait in (1, 5, 25, 0):
            try:
                with Gradebook(resources["nbgrader"]["db_url"], course.course_id) as gradebook:
                    save(gradebook, assignment, [Entry(job.student, result, timestamp, changed=True)])
                return
            except OperationalError:
                if not wait:
                    raise
                time.sleep(wait)

    def _graded(self, course: Any, job: Job, assignment: Assignment) -> Result:
        """This submission's result; the ones that nbgrader comes to next are graded meanwhile."""
        exporter = self.parent if isinstance(self.parent, LenientExporter) else None
        known = exporter.ahead if exporter else {}
        if assignment.digest not in known:
            alike = [other for other in exporter.jobs if _notebook(other) == _notebook(job)] if exporter else []
            force = bool(exporter and exporter.force)
            known[assignment.digest] = _Ahead(alike, assignment, course, self.sandbox, force, _limits(self.config))
        return known[assignment.digest].result(job)

    def _tell(self, student: str, result: Result) -> None:
        for note in result.needs_eye:
            self.log.warning("%s: a person should look: %s", student, note)
        self.log.info("%s: %g marks, student code in %s", student, result.score, result.sandbox)


def _ungraded(nb: NotebookNode, reason: str) -> NotebookNode:
    """The notebook with the reason why it is not graded before it."""
    nb.cells.insert(0, nbformat.v4.new_markdown_cell(reason))
    nb.metadata["workshop"] = {"notes": [reason], "needs_eye": [reason], "sandbox": ""}
    return nb


def _limits(config: Any) -> Limits:
    """The usual limits, with nbgrader's own `Execute.timeout` for a cell where that is set."""
    usual, seconds = Limits(), 0.0
    with contextlib.suppress(TypeError, ValueError):  # None is no limit, and text what a command line gives
        seconds = float(config.Execute.get("timeout"))
    if seconds <= 0:
        return usual
    usual = replace(usual, cell_seconds=seconds, test_seconds=seconds, call_seconds=min(usual.call_seconds, seconds))
    return replace(usual, total_seconds=max(usual.total_seconds, 2 * seconds))


class _Ahead:
    """The submissions of one notebook in a run of `nbgrader autograde`, graded side by side before it asks for them."""

    def __init__(
        self,
        jobs: Iterable[Job],
        assignment: Assignment,
        course: Any,
        sandbox: str,
        force: bool,
        limits: Limits,
    ) -> None:
        self.assignment, self.sandbox, self.force, self.limits = assignment, sandbox, force, limits
        self.hidden = private_folders(Path(course.root), course)
        state = Path(course.root) / ".workshop"
        self.secret = course_secret(state)
        self.journal = Journal(state / "journal", self.secret, limits)
        self.planned = dict.fromkeys(jobs)
        self.results = self._grade(self.planned)
        self.found: dict[Job, Result] = {}

    def result(self, job: Job) -> Result:
        """The result of one submission; GraderFailed where the grader itself could not grade it."""
        while job in self.planned and job not in self.found:
            graded = next(self.results, None)
            if graded is None:  # it was broken off
                break
            self.found[graded[0]] = graded[2]
        if job not in self.found:
            ((_, _, self.found[job]),) = self._grade([job])
        result = self.found.pop(job)
        if grader_failed(result):
            raise GraderFailed("; ".join(result.notes))
        return result

    def _grade(self, jobs: Iterable[Job]) -> Iterator[Graded]:
        yield from grade_class(
            map(self._anew, jobs),
            {self.assignment.name: self.assignment},
            self.secret,
            self.journal,
            limits=self.limits,
            sandbox=self.sandbox,
            hidden=self.hidden,
        )

    def _anew(self, job: Job) -> Job:
        """The job; where all is to be graded anew, without its earlier result."""
        if self.force:
            with contextlib.suppress(OSError):  # `grade_class` meets it again, and tells
                self.journal.forget(job.read(), self.assignment)
        return job
