"""A course folder as nbgrader knows it."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from nbgrader.apps import NbGrader
from nbgrader.exchange.default import Exchange

from examiner.batch.job import ClassError
from examiner.grading.assignment import Assignment, NotForUs

# nbgrader and alembic start small programs by name; those are beside our own Python even where PATH lacks them.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


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

    @property
    def state(self) -> Path:
        """Where the journal and the secret are kept; ignored by git."""
        return self.root / ".workshop"

    @property
    def private(self) -> tuple[str, ...]:
        """The folders that student code must never read, wherever they lie."""
        return private_folders(self.root, self.app.coursedir)

    def assignments(self) -> dict[str, Assignment]:
        """The assignments of source/, by name: each is a folder with a notebook, and what lies beside that."""
        found = {}
        for folder in sorted({notebook.parent for notebook in self.source.glob("*/*.ipynb")}):
            notebooks = sorted(folder.glob("*.ipynb"))
            named = [notebook for notebook in notebooks if notebook.stem == folder.name]
            if len(named or notebooks) == 1:
                found[folder.name] = read_assignment((named or notebooks)[0])
        if not found:
            raise ClassError(f"No assignment in {self.source}: there should be source/NAME/NAME.ipynb.")
        return found

    def left_out(self) -> list[str]:
        """Why folders of source/ are no assignments of `workshop grade`."""
        several: dict[str, list[str]] = {}
        for notebook in sorted(self.source.glob("*/*.ipynb")):
            several.setdefault(notebook.parent.name, []).append(notebook.stem)
        return [
            f"source/{name} has several notebooks ({', '.join(stems)}), and none of its own name: "
            f"grade it by `nbgrader autograde {name}`, which marks with the same examiner."
            for name, stems in several.items()
            if len(stems) > 1 and name not in stems
        ]


BESIDE = 8 << 20  # bytes of all files beside a notebook


def read_assignment(source: Path) -> Assignment:
    """The assignment of a source notebook, with the files beside it; ClassError where it can't be marked."""
    if source.parent.joinpath("..", "..", "source_with_tests", source.parent.name, source.name).is_file():
        source = source.parent.joinpath("..", "..", "source_with_tests", source.parent.name, source.name).resolve()
    content, name = source.read_bytes(), source.parent.name
    if re.search(rb"### (HASHED )?AUTOTEST", content):
        raise ClassError(f"{source} has autotests that are not written out: run `nbgrader generate_assignment {name}`.")
    try:
        found = Assignment.from_notebook(content, name, _beside(source.parent))
    except json.JSONDecodeError as error:
        raise ClassError(f"{source} is no notebook: its JSON is broken ({error}).") from error
    except NotForUs as error:
        raise ClassError(f"{source} can't be marked: {error}.") from error
    return found if source.stem == name else replace(found, notebook=source.stem)


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
