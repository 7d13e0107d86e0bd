"""A course folder as nbgrader knows it."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGrader
from nbgrader.exchange.default import Exchange

from examiner.batch.job import ClassError
from examiner.grading.assignment import Assignment, NotForUs
from examiner.grading.parts import whole

# nbgrader and alembic start small programs by name; those are beside our own Python even where PATH lacks them.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


class Unmarkable(ClassError):
    """A source notebook that the examiner can't mark."""


@dataclass
class Course:
    """An nbgrader course: its folders, its database, and its configuration as nbgrader itself reads it."""

    root: Path
    app: Any
    source: Path
    submitted: Path
    autograded: Path
    feedback: Path
    db_url: str
    course_id: str
    refused: dict[str, str] = field(default_factory=dict)  # by assignment, why it can't be marked

    @property
    def state(self) -> Path:
        """Where the journal and the secret are kept; ignored by git."""
        return self.root / ".workshop"

    @property
    def private(self) -> tuple[str, ...]:
        """The folders that student code must never read, wherever they lie."""
        return private_folders(self.root, self.app.coursedir)

    def assignments(self) -> dict[str, Assignment]:
        """The assignments of source/, by name: each is a folder with a notebook or several, and what lies beside.

        Those that no examiner marks are left out; `refused` says why.
        """
        found, self.refused = {}, {}
        for folder in sorted({notebook.parent for notebook in self.source.glob("*/*.ipynb")}):
            try:
                parts = [read_assignment(notebook, self.db_url) for notebook in sorted(folder.glob("*.ipynb"))]
            except Unmarkable as why:
                self.refused[folder.name] = str(why)
                continue
            parts = [part for part in parts if part.graded] or parts[:1]
            if len(parts) > 1:
                parts = [replace(part, of_several=True) for part in parts]
            found[folder.name] = whole(folder.name, parts)
        if not found:
            raise ClassError(
                "\n".join(self.refused.values())
                or f"No assignment in {self.source}: there should be source/NAME/NAME.ipynb."
            )
        return found


BESIDE = 8 << 20  # bytes of all files beside a notebook


AUTOTEST = re.compile(rb"### (HASHED )?AUTOTEST")


def _written_tests(source: Path, gradebook: Gradebook) -> dict[str, str]:
    """The cells of a notebook with autotests, as `nbgrader generate_assignment` has written these out for itself."""
    try:
        notebook = gradebook.find_notebook(source.stem, source.parent.name)
    except MissingEntry:
        return {}
    return {cell.name: cell.source for cell in notebook.source_cells}


def _with_tests(content: bytes, written: Mapping[str, str]) -> bytes:
    notebook = json.loads(content)
    for cell in notebook["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if grade_id in written and AUTOTEST.search("".join(cell["source"]).encode()):
            cell["source"] = written[grade_id]
    return json.dumps(notebook).encode()


def read_assignment(source: Path, db_url: str = "") -> Assignment:
    """The assignment of a source notebook, with the files beside it; ClassError where it can't be marked."""
    with_tests = source.parent.joinpath("..", "..", "source_with_tests", source.parent.name, source.name)
    if with_tests.is_file():
        source = with_tests.resolve()
    content, name = source.read_bytes(), source.parent.name
    if AUTOTEST.search(content) and db_url:
        with Gradebook(db_url) as gradebook:
            content = _with_tests(content, _written_tests(source, gradebook))
    if AUTOTEST.search(content):
        raise ClassError(f"{source} has autotests that are not written out: run `nbgrader generate_assignment {name}`.")
    try:
        found = Assignment.from_notebook(content, name, _beside(source.parent))
    except json.JSONDecodeError as error:
        raise ClassError(f"{source} is no notebook: its JSON is broken ({error}).") from error
    except NotForUs as error:
        raise Unmarkable(f"{source} can't be marked: {error}.") from error
    return replace(found, notebook=source.stem)


def _beside(folder: Path) -> dict[str, bytes]:
    """The files in a source notebook's folder, by their paths below it."""
    files = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if path.is_file() and path.suffix not in (".ipynb", ".pyc") and not hidden and not path.is_symlink():
            files["/".join(parts)] = path.read_bytes()
    if (size := sum(map(len, files.values()))) > BESIDE:
        raise ClassError(f"The files beside the notebook in {folder} are {size >> 20} MB; {BESIDE >> 20} are taken.")
    return files


def open_course(root: Path, db_url: str | None = None) -> Course:
    """The course in `root`, with nbgrader_config.py as nbgrader would read it there."""
    root = root.resolve()
    if not root.is_dir():
        raise ClassError(f"There is no folder {root}.")
    app = NbGrader(log_level=logging.ERROR)
    before = Path.cwd()
    os.chdir(root)  # nbgrader looks for nbgrader_config.py in the working folder
    try:
        app.initialize([], root=str(root))
    finally:
        os.chdir(before)
    directory = app.coursedir
    if db_url:
        directory.db_url = db_url

    def folder(name: str) -> Path:
        return root / name

    if directory.directory_structure != os.path.join("{nbgrader_step}", "{student_id}", "{assignment_id}"):
        raise ClassError("`workshop grade` needs nbgrader's usual folders: step/student/assignment.")
    return Course(
        root=root,
        app=app,
        source=folder(directory.source_directory),
        submitted=folder(directory.submitted_directory),
        autograded=folder(directory.autograded_directory),
        feedback=folder(directory.feedback_directory),
        db_url=directory.db_url,
        course_id=directory.course_id,
    )


def private_folders(root: Path, directory: Any) -> tuple[str, ...]:
    """The course, its steps' folders where they lie elsewhere, that of its gradebook, and nbgrader's exchange."""
    steps = ("source", "source_with_tests", "release", "submitted", "autograded", "feedback", "solution")
    folders = [root, *(root / getattr(directory, f"{step}_directory") for step in steps)]
    database = sa.engine.make_url(directory.db_url)
    if database.drivername.startswith("sqlite") and database.database:
        folders.append((root / database.database).parent)
    if exchange := Exchange(config=directory.config).root:
        folders.append(Path(exchange))
    return tuple(map(str, folders))


@contextmanager
def quiet_nbgrader(app: Any) -> Iterator[io.StringIO]:
    """What nbgrader says, kept to be shown only if something goes wrong."""
    kept, handlers = io.StringIO(), list(app.log.handlers)
    handler = logging.StreamHandler(kept)
    propagate, level = app.log.propagate, app.log.level
    app.log.handlers, app.log.propagate = [handler], False
    try:
        yield kept
    finally:
        app.log.handlers, app.log.propagate, app.log.level = handlers, propagate, level
