"""The one writer of nbgrader's gradebook: assignments in, marks in and out, and the notebook that formgrader shows."""

from __future__ import annotations

import errno
import functools
import io
import json
import logging
import os
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import sqlalchemy as sa
from nbformat import NotebookNode
from nbgrader import api as tables
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGrader
from nbgrader.apps.api import NbGraderAPI
from nbgrader.exchange.default import Exchange
from nbgrader.preprocessors import AssignLatePenalties, GetGrades
from traitlets.config import Config

from .class_ import ClassError
from .grade import BEGIN_GUIDE, END_GUIDE, Assignment, CellOutput, Mark, Result
from .markup import LONGEST_TEXT

# nbgrader and alembic start small programs by name; those are beside our own Python even where PATH lacks them.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


# --- the course ---


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
        """The assignments of source/, by name: each is a folder that holds a notebook of the same name."""
        found = {}
        for notebook in sorted(self.source.glob("*/*.ipynb")):
            if notebook.stem == notebook.parent.name:
                try:
                    found[notebook.stem] = Assignment.from_notebook(notebook.read_bytes(), notebook.stem)
                except json.JSONDecodeError as error:
                    raise ClassError(f"{notebook} is no notebook: its JSON is broken ({error}).") from error
        if not found:
            raise ClassError(f"No assignment in {self.source}: there should be source/NAME/NAME.ipynb.")
        return found


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


def newest_schema() -> str:
    """The version of the gradebook's tables that the installed nbgrader wants."""
    from alembic.config import Config as AlembicConfig
    from alembic.script import ScriptDirectory
    from nbgrader.dbutil import ALEMBIC_DIR

    config = AlembicConfig()
    config.set_main_option("script_location", str(ALEMBIC_DIR).replace("%", "%%"))
    return str(ScriptDirectory.from_config(config).get_current_head())


def make_database(db_url: str) -> None:
    """Make nbgrader's tables where there are none; nbgrader itself would start a program to learn their version."""
    engine = sa.create_engine(db_url)
    try:
        with engine.begin() as connection:
            if not sa.inspect(connection).get_table_names():
                tables.Base.metadata.create_all(connection)
                _write_version(connection)
    finally:
        engine.dispose()


def _write_version(connection: Any) -> None:
    connection.execute(sa.text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)"))
    connection.execute(sa.text("INSERT INTO alembic_version VALUES (:version)"), {"version": newest_schema()})


def check_database(db_url: str) -> None:
    """Raise a ClassError, and change nothing, where the gradebook can't be used as it is."""
    try:
        url = sa.engine.make_url(db_url)
    except sa.exc.ArgumentError:
        raise ClassError(
            f"{db_url!r} is no address of a gradebook. For a file: sqlite:////the/whole/path/gradebook.db "
            "(four slashes); for a server: postgresql://USER:PASSWORD@HOST/NAME."
        ) from None
    shown = url.render_as_string(hide_password=True)
    engine = None
    try:
        if url.drivername.startswith("sqlite"):
            if not url.database or url.database == ":memory:":
                raise ClassError(f"The gradebook {shown} is no file: the marks would be gone when the command ends.")
            folder = Path(url.database).absolute().parent
            if not folder.is_dir():
                raise ClassError(f"The gradebook {shown} can't be made: there is no folder {folder}.")
            if not Path(url.database).exists():
                return
            if not os.access(url.database, os.R_OK | os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), url.database)
        engine = sa.create_engine(db_url)
        with engine.connect() as connection:
            names = set(sa.inspect(connection).get_table_names())
            if not names:
                return
            version = None
            if "alembic_version" in names:
                version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
            if version is None and _is_newest(connection):  # nbgrader was stopped before it wrote the version
                _write_version(connection)
                connection.commit()
                return
    except ModuleNotFoundError as error:
        raise ClassError(f"The gradebook {shown} needs the Python package {error.name}; install it first.") from error
    except sa.exc.SQLAlchemyError as error:
        reason = str(error).split("\n")[0]
        raise ClassError(f"The gradebook {shown} can't be opened: {reason}") from error
    finally:
        if engine is not None:
            engine.dispose()
    wanted = newest_schema()
    if version != wanted:
        raise ClassError(
            f"The gradebook {shown} was made by another version of nbgrader (tables {version}, wanted {wanted}). "
            "Nothing was changed. Make a copy of it, then run: nbgrader db upgrade"
        )


def _is_newest(connection: Any) -> bool:
    """Whether each table that is there has all its columns; nbgrader makes a table that is missing."""
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    return all(
        set(table.columns.keys()) <= {c["name"] for c in inspector.get_columns(table.name)}
        for table in tables.Base.metadata.sorted_tables
        if table.name in there
    )


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


def register(course: Course, gradebook: Gradebook, assignment: Assignment) -> bool:
    """Bring the gradebook's picture of an assignment up to date through nbgrader's own release step.

    Returns whether anything had to be done. release/ itself is left alone.
    """
    if _is_registered(gradebook, assignment):
        return False
    hung_on = _what_marks_hang_on(gradebook, assignment)
    if changed := _cells_changed_under_marks(gradebook, assignment):
        raise ClassError(
            f"Cells were added to or removed from {assignment.name} ({', '.join(changed)}), but the gradebook holds "
            "marks for it. Bring the cells back, or begin a new gradebook: move gradebook.db aside and run again."
        )
    with tempfile.TemporaryDirectory() as release, quiet_nbgrader(course.app) as said:
        settings = Config(course.app.config)
        settings.CourseDirectory.root = str(course.root)
        settings.CourseDirectory.db_url = course.db_url
        settings.CourseDirectory.release_directory = release
        settings.CourseDirectory.course_id = course.course_id
        app = NbGrader(log_level=logging.ERROR, config=settings)
        app.coursedir = type(course.app.coursedir)(parent=app)
        before = Path.cwd()
        os.chdir(course.root)
        try:
            outcome = NbGraderAPI(app.coursedir, parent=app).generate_assignment(assignment.name, force=True)
        finally:
            os.chdir(before)
    if not outcome["success"]:
        reason = "\n".join(filter(None, (said.getvalue(), outcome.get("log"), outcome.get("error"))))
        if "KeyboardInterrupt" in reason:  # nbgrader takes Ctrl-C for an error of the notebook's
            raise KeyboardInterrupt
        if "No space left on device" in reason:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), release)
        raise ClassError(f"nbgrader would not take assignment {assignment.name}: {reason.strip()[-2000:]}")
    gradebook.db.expire_all()
    after = _what_marks_hang_on(gradebook, assignment)
    _ask_again(gradebook, assignment, {name for name, what in hung_on.items() if after.get(name, what) != what})
    return True


def _what_marks_hang_on(gradebook: Gradebook, assignment: Assignment) -> dict[str, tuple[float, str]]:
    """The points of each graded cell as the gradebook has them, and its text if it is a test."""
    try:
        notebook = gradebook.find_notebook(assignment.name, assignment.name)
    except MissingEntry:
        return {}
    tests = {cell.grade_id for cell in assignment.cells if cell.kind == "test"}
    sources = {cell.name: cell.source for cell in notebook.source_cells if cell.name in tests}
    return {cell.name: (cell.max_score, sources.get(cell.name, "")) for cell in notebook.grade_cells}


def _ask_again(gradebook: Gradebook, assignment: Assignment, changed: set[str]) -> None:
    """Have a person look again at the marks that were given by hand on cells whose points or test have changed."""
    db, t = gradebook.db(), tables
    if changed:
        cells = (
            sa.select(t.BaseCell.id)
            .join(t.Notebook, t.BaseCell.notebook_id == t.Notebook.id)
            .join(t.Assignment, t.Notebook.assignment_id == t.Assignment.id)
            .where(t.Assignment.name == assignment.name, t.BaseCell.name.in_(changed))
        )
        rows = sa.select(t.Grade).where(t.Grade.manual_score.is_not(None), t.Grade.cell_id.in_(cells))
        for row in db.scalars(rows):
            row.needs_manual_grade = True
    db.commit()
    db.expire_all()


def _cells_changed_under_marks(gradebook: Gradebook, assignment: Assignment) -> list[str]:
    """The cells by which source and gradebook differ, where nbgrader would refuse that because marks hang on them."""
    try:
        notebook = gradebook.find_notebook(assignment.name, assignment.name)
    except MissingEntry:
        return []
    if not notebook.submissions:
        return []
    there = {(cell.name, "graded") for cell in notebook.grade_cells} | {(c.name, "") for c in notebook.solution_cells}
    wanted = {(cell.grade_id, "graded") for cell in assignment.graded}
    wanted |= {(cell.grade_id, "") for cell in assignment.cells if cell.metadata.get("solution")}
    known = {cell.name for cell in notebook.source_cells}
    others = known ^ {cell.grade_id for cell in _kept(assignment)}
    return sorted({name for name, _ in there ^ wanted} | others)


def _kept(assignment: Assignment) -> list[Any]:
    """The cells that nbgrader keeps in its gradebook."""
    named = [cell for cell in assignment.cells if cell.grade_id]
    return [c for c in named if c.metadata.get("locked") or c.metadata.get("grade") or c.metadata.get("solution")]


def _is_registered(gradebook: Gradebook, assignment: Assignment) -> bool:
    try:
        notebook = gradebook.find_notebook(assignment.name, assignment.name)
    except MissingEntry:
        return False
    sources = {cell.name: cell.source for cell in notebook.source_cells}
    points = {cell.name: cell.max_score for cell in notebook.grade_cells}
    kept = _kept(assignment)
    locked = {c.grade_id: c.source for c in kept if c.kind not in ("solution", "written")}
    return (
        set(sources) == {cell.grade_id for cell in kept}
        and all(sources.get(name) == source for name, source in locked.items())
        and points == {cell.grade_id: cell.points for cell in assignment.graded}
    )


# --- the marked notebook ---

MOST_OF_THEIR_OWN = 50_000  # characters of a student's own cells; to set those after them well could take minutes


def marked_notebook(assignment: Assignment, result: Result, key: str = "", student: str = "") -> NotebookNode:
    """The notebook that goes to autograded/: every cell of the assignment once, the student's answers and own cells.

    Test cells are the source's, with the verdict as their output, so that nbgrader reads the same marks from it. It
    is for tutors: it holds the hidden tests and the marking guide.
    """
    known = {cell.grade_id: cell for cell in assignment.cells if cell.grade_id}
    marks = {mark.grade_id: mark for mark in result.marks}
    cells: list[tuple[str | None, dict[str, Any]]] = []
    room = MOST_OF_THEIR_OWN
    for submitted in result.cells:
        cell = known.pop(submitted.grade_id, None) if submitted.grade_id else None
        if cell is None:
            room -= min(len(submitted.source), LONGEST_TEXT)  # a longer cell is shown as it is
            cells.append((None, _new_cell(submitted.cell_type if room >= 0 else "raw", submitted.source, submitted)))
        else:
            cells.append((cell.grade_id, _own_cell(cell, submitted, marks.get(cell.grade_id))))
    position = 0
    for cell in assignment.cells:
        if not cell.grade_id:
            continue
        if cell.grade_id in known:
            cells.insert(position, (cell.grade_id, _own_cell(cell, None, marks.get(cell.grade_id))))
            position += 1
        else:
            position = next(i for i, (name, _) in enumerate(cells) if name == cell.grade_id) + 1
    nodes: list[dict[str, Any]] = []
    for grade_id, node in cells:
        nodes.append(node)
        guide = _guide(next(cell for cell in assignment.cells if cell.grade_id == grade_id)) if grade_id else ""
        if guide:
            text = f"**Marking guide** (students never see this)\n\n{guide}"
            about = _new_cell("markdown", textwrap.indent(text, "> ", lambda line: True), None)
            about["metadata"]["workshop"] = {"kind": "guide"}
            nodes.append(about)
    for index, node in enumerate(nodes):
        node["id"] = f"cell-{index}"
    metadata = {
        "workshop": {
            "key": key,
            "student": student,
            "notes": list(result.notes),
            "needs_eye": list(result.needs_eye),
            "sandbox": result.sandbox,
            "seed": str(result.seed),
            "submission": result.digest,
        },
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return nbformat.from_dict({"metadata": metadata, "nbformat": 4, "nbformat_minor": 5, "cells": nodes})


def _new_cell(cell_type: str, source: str, submitted: Any) -> dict[str, Any]:
    """A cell as plain data: nbformat's own functions would validate each one against the schema by itself."""
    cell: dict[str, Any] = {"cell_type": cell_type, "metadata": {}, "source": source}
    if cell_type == "code":
        cell |= {"execution_count": None, "outputs": _outputs(submitted) if submitted else []}
    elif cell_type != "markdown":
        cell["cell_type"] = "raw"
    if cell["cell_type"] != "code" and submitted and submitted.pictures:
        cell["attachments"] = submitted.pictures
    return cell


def _outputs(submitted: Any) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []
    for kind, text in submitted.outputs:
        if kind == "result":
            outputs.append({"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}})
        else:
            outputs.append({"output_type": "stream", "name": kind, "text": text})
    if submitted.error:
        name, _, value = submitted.error.strip().split("\n")[-1].partition(":")
        outputs.append(_error(name, value.strip(), submitted.error.rstrip()))
    return outputs


def _error(name: str, value: str, text: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": text.split("\n")}


def _own_cell(cell: Any, submitted: Any, mark: Any) -> dict[str, Any]:
    """A cell of the assignment: the student's source where it is his to write, ours elsewhere."""
    theirs = cell.kind in ("solution", "written")
    source = cell.release_source if submitted is None else submitted.source
    node = _new_cell(cell.cell_type, source if theirs else cell.source, submitted)
    about = {"schema_version": 3, **cell.metadata, "cell_type": cell.cell_type}
    about["checksum"] = _checksum(cell.cell_type, cell.release_source if theirs else cell.source, json.dumps(about))
    own = {"kind": cell.kind, "question": cell.question}
    if mark is not None:
        own |= {"message": mark.message, "mistake": mark.mistake}
    node["metadata"] = {"nbgrader": about, "workshop": own}
    if cell.kind == "test":
        lost = mark is not None and (mark.score is None or mark.score < mark.points)
        node["outputs"] = [_error("WrongAnswer", mark.message.split("\n")[0], mark.message)] if lost else []
    return node


@functools.lru_cache(1024)
def _checksum(cell_type: str, source: str, about: str) -> str:
    """nbgrader's own checksum of a cell as it was given out."""
    given = {"cell_type": cell_type, "source": source, "metadata": {"nbgrader": json.loads(about)}}
    return str(utils.compute_checksum(nbformat.from_dict(given)))


def _guide(cell: Any) -> str:
    """What the source says to the marker in a written question: its marking scheme, or else its model answer."""
    if cell.kind != "written":
        return ""
    if BEGIN_GUIDE in cell.source:
        return str(cell.source.split(BEGIN_GUIDE, 1)[1].split(END_GUIDE, 1)[0].strip())
    return str(cell.source) if cell.metadata.get("solution") else ""


def read_sources(path: Path) -> dict[str, str]:
    """What the cells held in a marked notebook of an earlier run, by grade_id; nothing where it can't be read."""
    try:
        cells = json.loads(path.read_bytes())["cells"]
        return {
            cell["metadata"]["nbgrader"]["grade_id"]: cell["source"] for cell in cells if "nbgrader" in cell["metadata"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def read_result(path: Path, assignment: Assignment) -> Result | None:
    """What an earlier run found out, from its marked notebook; None where there is none that can be read."""
    try:
        nb = json.loads(path.read_bytes())
        about = nb["metadata"]["workshop"]
        cells, said = [], {}
        for cell in nb["cells"]:
            if name := cell["metadata"].get("nbgrader", {}).get("grade_id"):
                cells.append(CellOutput(name, cell["cell_type"], cell["source"]))
                said[name] = cell["metadata"].get("workshop", {})
        marks = tuple(
            Mark(
                cell.grade_id,
                cell.question,
                cell.points,
                0.0,
                said.get(cell.grade_id, {}).get("message") or "",
                said.get(cell.grade_id, {}).get("mistake"),
            )
            for cell in assignment.graded
        )
        return Result(
            assignment.name,
            marks,
            tuple(about["notes"]),
            tuple(about["needs_eye"]),
            about["sandbox"],
            int(about["seed"]),
            about["submission"],
            0.0,  # what it took is not kept: marked notebooks are the same however long that was
            tuple(cells),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def unseen(assignment: Assignment) -> Result:
    """What is known of a submission of which the gradebook has the marks, and this course's folders nothing."""
    marks = tuple(Mark(cell.grade_id, cell.question, cell.points, 0.0) for cell in assignment.graded)
    return Result(assignment.name, marks, (), (), "", 0, "", 0.0)


def notebook_text(nb: NotebookNode) -> str:
    """A notebook as JSON, a line for each cell, its metadata first, so that its key is found without reading it all."""
    head = {name: nb[name] for name in ("metadata", "nbformat", "nbformat_minor")}
    cells = ",\n".join(json.dumps(cell, ensure_ascii=False) for cell in nb["cells"])
    return json.dumps(head, ensure_ascii=False)[:-1] + f', "cells": [\n{cells}\n]}}\n'


# --- marks in ---


@dataclass(frozen=True)
class Entry:
    """What is to be in the gradebook for one student; `changed` where the autograded folder lacks this result."""

    student: str
    result: Result
    timestamp: datetime | None
    changed: bool
    before: Mapping[str, str] = field(default_factory=dict)  # what the cells held that were marked last


def save(
    gradebook: Gradebook, assignment: Assignment, entries: Sequence[Entry], late: LatePenalty | None = None
) -> int:
    """Write results into the gradebook in one transaction; returns the number of rows that differed.

    Marks and comments given by hand are never touched. A hand mark on work that has changed since is flagged for a
    second look, as nbgrader does.
    """
    db = gradebook.db()
    changes = 0
    try:
        notebook = gradebook.find_notebook(assignment.name, assignment.name)
        cells = db.execute(
            sa.select(tables.BaseCell.id, tables.BaseCell.name, tables.BaseCell.type).where(
                tables.BaseCell.notebook_id == notebook.id
            )
        ).all()
        graded = {name: id_ for id_, name, type_ in cells if type_ in ("GradeCell", "TaskCell")}
        commented = {name: id_ for id_, name, type_ in cells if type_ in ("SolutionCell", "TaskCell")}
        points = {cell.grade_id: cell.points for cell in assignment.graded}
        students = [entry.student for entry in entries]
        changes += _add_students(db, students)
        submitted = _submissions(db, notebook, entries)
        changes += submitted.pop("changes", 0)
        ids = [submitted[student] for student in students]
        grades = _rows_by(db, tables.Grade, ids)
        comments = _rows_by(db, tables.Comment, ids)
        for entry in entries:
            where = submitted[entry.student]
            marks = {mark.grade_id: mark for mark in entry.result.marks}
            theirs = {cell.grade_id: cell.source for cell in entry.result.cells}
            for name, cell_id in graded.items():
                mark = marks.get(name)
                score = mark.score if mark else 0.0
                row = grades.get((where, cell_id))
                if row is None:
                    db.add(
                        tables.Grade(
                            notebook_id=where, cell_id=cell_id, auto_score=score, needs_manual_grade=score is None
                        )
                    )
                    changes += 1
                    continue
                by_hand = row.manual_score is not None
                if by_hand:
                    needs = True if entry.changed and row.auto_score != score else row.needs_manual_grade
                    if entry.changed and score is None and entry.before.get(name) != theirs.get(name, ""):
                        needs = True
                    if row.manual_score > points[name]:
                        needs = True
                else:
                    needs = score is None
                if row.auto_score != score or row.needs_manual_grade != needs:
                    row.auto_score, row.needs_manual_grade = score, needs
                    changes += 1
            blank = _unanswered(assignment, entry.result)
            for name, cell_id in commented.items():
                text = "No response." if name in blank else None
                note = comments.get((where, cell_id))
                if note is None:
                    db.add(tables.Comment(notebook_id=where, cell_id=cell_id, auto_comment=text))
                    changes += 1
                elif note.auto_comment != text:
                    note.auto_comment = text
                    changes += 1
        db.flush()
        if late is not None:
            changes += late.apply(db, [(entry.student, submitted[entry.student]) for entry in entries])
        db.commit()
    except BaseException:
        db.rollback()
        raise
    finally:
        db.expunge_all()
    return changes


def _unanswered(assignment: Assignment, result: Result) -> set[str]:
    theirs = {cell.grade_id: cell.source.strip() for cell in result.cells if cell.grade_id}
    waits = {mark.grade_id for mark in result.marks if mark.score is None}  # as an answer below its box
    return {
        cell.grade_id
        for cell in assignment.cells
        if cell.kind in ("solution", "written")
        and cell.grade_id not in waits
        and theirs.get(cell.grade_id, cell.release_source.strip()) == cell.release_source.strip()
    }


def _add_students(db: Any, students: Sequence[str]) -> int:
    there = set(db.scalars(sa.select(tables.Student.id).where(tables.Student.id.in_(students))))
    new = [student for student in dict.fromkeys(students) if student not in there]
    db.add_all([tables.Student(id=student) for student in new])
    db.flush()
    return len(new)


def _submissions(db: Any, notebook: Any, entries: Sequence[Entry]) -> dict[str, Any]:
    """The id of each student's SubmittedNotebook, made where it is missing."""
    students = [entry.student for entry in entries]
    assignment_id = notebook.assignment_id
    found = db.scalars(
        sa.select(tables.SubmittedAssignment).where(
            tables.SubmittedAssignment.assignment_id == assignment_id,
            tables.SubmittedAssignment.student_id.in_(students),
        )
    )
    handed_in = {row.student_id: row for row in found}
    ids: dict[str, Any] = {"changes": 0}
    for entry in entries:
        row = handed_in.get(entry.student)
        if row is None:
            row = tables.SubmittedAssignment(
                id=tables.new_uuid(),
                assignment_id=assignment_id,
                student_id=entry.student,
                timestamp=entry.timestamp,
            )
            db.add(row)
            handed_in[entry.student] = row
            ids["changes"] += 1
        elif entry.timestamp is not None and row.timestamp != entry.timestamp:
            row.timestamp = entry.timestamp
            ids["changes"] += 1
    db.flush()
    rows = db.execute(
        sa.select(tables.SubmittedNotebook.assignment_id, tables.SubmittedNotebook.id).where(
            tables.SubmittedNotebook.notebook_id == notebook.id,
            tables.SubmittedNotebook.assignment_id.in_([row.id for row in handed_in.values()]),
        )
    ).all()
    there = {assignment: id_ for assignment, id_ in rows}
    for student, row in handed_in.items():
        if row.id not in there:
            there[row.id] = tables.new_uuid()
            db.add(tables.SubmittedNotebook(id=there[row.id], assignment_id=row.id, notebook_id=notebook.id))
            ids["changes"] += 1
        ids[student] = there[row.id]
    db.flush()
    return ids


def _rows_by(db: Any, table: Any, notebooks: Sequence[str]) -> dict[tuple[str, str], Any]:
    rows = db.scalars(sa.select(table).where(table.notebook_id.in_(notebooks)))
    return {(row.notebook_id, row.cell_id): row for row in rows}


class LatePenalty:
    """nbgrader's own late-submission plugin, as nbgrader_config.py sets it, asked for each late submission."""

    def __init__(self, course: Course):
        self._preprocessor = AssignLatePenalties(parent=course.app)
        self._preprocessor.init_plugin()

    def apply(self, db: Any, submitted: Sequence[tuple[str, str]]) -> int:
        changes = 0
        ids = [notebook_id for _, notebook_id in submitted]
        rows = db.scalars(sa.select(tables.SubmittedNotebook).where(tables.SubmittedNotebook.id.in_(ids))).all()
        for row in rows:
            penalty = None
            if row.assignment.duedate is not None and row.assignment.total_seconds_late > 0:
                scores = db.scalars(sa.select(tables.Grade.score).where(tables.Grade.notebook_id == row.id))
                score = sum(value or 0.0 for value in scores)
                late = row.assignment.total_seconds_late
                penalty = self._preprocessor.plugin_inst.late_submission_penalty(row.assignment.student_id, score, late)
                if penalty is not None:
                    penalty = min(max(float(penalty), 0.0), score)
            if row.late_submission_penalty != penalty:
                row.late_submission_penalty = penalty
                changes += 1
        return changes


# --- marks out ---


@dataclass
class Marked:
    """A student's marks for one assignment, as the gradebook has them: a person's marks stand before the grader's."""

    student: str
    timestamp: datetime | None = None
    late_penalty: float = 0.0
    duedate: datetime | None = None
    scores: dict[str, float] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    by_hand: set[str] = field(default_factory=set)
    comments: dict[str, str] = field(default_factory=dict)
    first_name: str = ""
    last_name: str = ""
    email: str = ""

    @property
    def score(self) -> float:
        return max(0.0, sum(self.scores.values()) - self.late_penalty)


def read_marks(gradebook: Gradebook, assignment: str, students: Sequence[str] | None = None) -> dict[str, Marked]:
    """Everyone's marks for an assignment, or those of `students`."""
    db, t = gradebook.db(), tables
    chosen = sa.true() if students is None else t.SubmittedAssignment.student_id.in_(students)
    base = (
        sa.select(
            t.SubmittedNotebook.id,
            t.SubmittedNotebook.late_submission_penalty,
            t.SubmittedAssignment.student_id,
            t.SubmittedAssignment.timestamp,
            t.SubmittedAssignment.extension,
            t.Assignment.duedate,
            t.Student.first_name,
            t.Student.last_name,
            t.Student.email,
        )
        .join(t.SubmittedAssignment, t.SubmittedNotebook.assignment_id == t.SubmittedAssignment.id)
        .join(t.Assignment, t.SubmittedAssignment.assignment_id == t.Assignment.id)
        .join(t.Student, t.SubmittedAssignment.student_id == t.Student.id)
        .join(t.Notebook, t.SubmittedNotebook.notebook_id == t.Notebook.id)
        .where(t.Assignment.name == assignment, t.Notebook.name == assignment, chosen)
    )
    by_notebook: dict[str, Marked] = {}
    for id_, penalty, student, timestamp, extension, duedate, first, last, email in db.execute(base):
        due = duedate + extension if duedate and extension else duedate
        by_notebook[id_] = Marked(
            student, timestamp, penalty or 0.0, due, first_name=first or "", last_name=last or "", email=email or ""
        )
    wanted = base.with_only_columns(t.SubmittedNotebook.id).subquery()
    grades = (
        sa.select(t.Grade.notebook_id, t.BaseCell.name, t.Grade.needs_manual_grade, t.Grade.manual_score, t.Grade.score)
        .join(t.BaseCell, t.Grade.cell_id == t.BaseCell.id)
        .where(t.Grade.notebook_id.in_(sa.select(wanted.c.id)))
    )
    for notebook, name, waits, manual, score in db.execute(grades):
        marked = by_notebook[notebook]
        marked.scores[name] = float(score or 0.0)
        if manual is not None:
            marked.by_hand.add(name)
        if waits:  # for the first time, or again: the work under a hand mark has changed since
            marked.waiting.add(name)
    comments = (
        sa.select(t.Comment.notebook_id, t.BaseCell.name, t.Comment.auto_comment, t.Comment.manual_comment)
        .join(t.BaseCell, t.Comment.cell_id == t.BaseCell.id)
        .where(t.Comment.notebook_id.in_(sa.select(wanted.c.id)))
    )
    for notebook, name, automatic, manual in db.execute(comments):
        text = manual if manual is not None else automatic
        if text:
            by_notebook[notebook].comments[name] = text
    db.rollback()
    return {marked.student: marked for marked in by_notebook.values()}


def apply_marks(nb: NotebookNode, marked: Marked) -> NotebookNode:
    """Put the gradebook's marks and comments into a marked notebook's metadata, as nbgrader's GetGrades does."""
    for cell in nb.cells:
        info = cell.metadata.get("nbgrader")
        if info is None:
            continue
        name = info["grade_id"]
        own = cell.metadata.setdefault("workshop", NotebookNode())
        if info.get("solution"):
            info["comment"] = marked.comments.get(name)
        if info.get("grade"):
            info["score"] = marked.scores.get(name, 0.0)
            own["waiting"], own["by_hand"] = name in marked.waiting, name in marked.by_hand
    return nb


class GetMarks(GetGrades):
    """nbgrader's GetGrades, which also says what still waits for a person: for GenerateFeedback.preprocessors."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        nb, resources = super().preprocess(nb, resources)
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            marks = read_marks(gradebook, about["assignment"], [about["student"]])
        if about["student"] in marks:
            apply_marks(nb, marks[about["student"]])
        return nb, resources
