"""The examiner inside nbgrader: its commands, formgrader's button and its API grade with `grade.grade`.

In nbgrader_config.py:

    c.Autograde.exporter_class = "examiner.plugin.LenientExporter"
    c.Autograde.sanitize_preprocessors = ["examiner.plugin.Restore"]
    c.Autograde.autograde_preprocessors = ["examiner.plugin.Grade", "nbgrader.preprocessors.AssignLatePenalties"]
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat.v4
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import rmtree
from traitlets import Unicode

from examiner.class_ import course_secret
from examiner.grade import Assignment, Result, grade, restored
from examiner.gradebook import Entry, marked_notebook, save


class LenientExporter(NotebookExporter):
    """Reads any file: what is no notebook becomes an empty one, so that its author gets a mark of zero and a reason."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(self.parent, Autograde):
            _forget_unfinished(self.parent)

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """The notebook at `filename`, preprocessed."""
        try:
            return super().from_filename(filename, resources=resources, **kwargs)
        except Exception as error:
            self.log.warning("%s can't be read as a notebook (%s)", filename, type(error).__name__)
            resources = self._init_resources(resources)
            path = Path(filename)
            resources["metadata"].update({"name": path.stem, "path": str(path.parent)})
            return self.from_notebook_node(nbformat.v4.new_notebook(), resources=resources, **kwargs)


def _forget_unfinished(converter: Any) -> None:
    """Remove what a killed run left in autograded/, which nbgrader would take for graded."""
    for folder in getattr(converter, "assignments", {}):
        pattern = converter._format_source("(?P<assignment>.*)", "(?P<student>.*)", escape=True)
        found = re.match(pattern, folder)
        if found is None:
            continue
        marked = Path(converter._format_dest(found["assignment"], found["student"]))
        notebooks = [marked / Path(notebook).name for notebook in converter.assignments[folder]]
        if marked.is_dir() and not all(map(_is_finished, notebooks)):
            converter.log.warning("%s was left unfinished; it is graded again", marked)
            rmtree(str(marked))


def _is_finished(notebook: Path) -> bool:
    """Whether a notebook in autograded/ has its marks: one that `Restore` alone has seen names no sandbox."""
    try:
        about = json.loads(notebook.read_bytes())["metadata"].get("workshop")
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    return about is None or bool(about.get("sandbox"))


class _OfSubmission(NbGraderPreprocessor):
    """What both passes of `nbgrader autograde` know: the submission's bytes as handed in, and the assignment."""

    def _course(self) -> Any:
        converter = getattr(self.parent, "parent", None)
        return getattr(converter, "coursedir", None) or CourseDirectory(parent=self)

    def _read(self, resources: Any) -> tuple[Any, bytes, Assignment]:
        about, course = resources["nbgrader"], self._course()
        name, notebook = about["assignment"], about["notebook"]
        handed_in = course.format_path(course.submitted_directory, about["student"], name)
        source = course.format_path(course.source_directory, ".", name)
        submission = (Path(handed_in) / f"{notebook}.ipynb").read_bytes()
        return course, submission, Assignment.from_notebook((Path(source) / f"{notebook}.ipynb").read_bytes(), name)


class Restore(_OfSubmission):
    """The submission with every cell of the source where it belongs: tests restored, copies gone, points right."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """The restored notebook, with nothing run."""
        _, submission, assignment = self._read(resources)
        result = restored(submission, assignment)
        for note in result.notes:
            self.log.warning("%s: %s", resources["nbgrader"]["student"], note)
        return marked_notebook(assignment, result), resources


class Grade(_OfSubmission):
    """The submission graded; its marks go from `grade` to the gradebook, whatever any cell printed."""

    sandbox = Unicode("auto", help='"none" runs student code with your own rights, unprotected.').tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """The marked notebook, for formgrader and feedback."""
        course, submission, assignment = self._read(resources)
        about = resources["nbgrader"]
        secret = course_secret(Path(course.root) / ".workshop")
        result = grade(submission, assignment, secret, sandbox=self.sandbox)
        handed_in = course.format_path(course.submitted_directory, about["student"], about["assignment"])
        entry = Entry(about["student"], result, course.get_existing_timestamp(handed_in), changed=True)
        with Gradebook(about["db_url"], course.course_id) as gradebook:
            save(gradebook, assignment, [entry])
        self._tell(about["student"], result)
        return marked_notebook(assignment, result, student=about["student"]), resources

    def _tell(self, student: str, result: Result) -> None:
        for note in result.needs_eye:
            self.log.warning("%s: a person should look: %s", student, note)
        self.log.info("%s: %g marks, student code in %s", student, result.score, result.sandbox)
