"""Make release/, what students get, from source/: `python -m examiner.course.release`. --check says what is stale."""

from __future__ import annotations

import argparse
import ast
import contextlib
import filecmp
import io
import json
import math
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from traitlets.config import Config

import workshop
from examiner.batch.job import ClassError
from examiner.course.course import open_course, quiet_nbgrader
from examiner.grading import marking
from examiner.grading.assignment import Assignment, Cell, name_tasks
from examiner.grading.sharing import without_magics
from examiner.grading.source import free_names
from examiner.grading.testing import marking_tools
from workshop import _known, gradcheck, progress
from workshop._answers import Answer, quiet
from workshop._diagnosis import NOTHING, Finding
from workshop._seen import Seen

KEPT_METADATA = ("deletable", "editable", "jupyter", "nbgrader", "tags")
"""What a committed cell's metadata may hold; everything else is some editor's own."""


class NameTheTask(NbGraderPreprocessor):
    """Make each stub's NotImplementedError say what is to be written. Runs after nbgrader's ClearSolutions."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        if cell.cell_type == "code" and is_solution(cell):
            cell.source = name_tasks(cell.source, cell.metadata.nbgrader.grade_id)
        return cell, resources


class TidyTests(NbGraderPreprocessor):
    """Close the gaps where hidden tests were cut out, and fold the tests: a notebook then reads answer, result, answer.

    Runs after nbgrader's ClearHiddenTests.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        tools = cell.metadata.get("nbgrader", {}).get("grade_id") == "marking_tools"
        if cell.cell_type == "code" and (is_grade(cell) or tools):
            cell.source = re.sub(r"\n{4,}", "\n\n\n", cell.source).strip("\n")
            cell.metadata["jupyter"] = {"source_hidden": True}
        return cell, resources


class GoOn(NbGraderPreprocessor):
    """Let *Run All* go on past an answer that is missing: tag all code but the set-up, without which nothing works.

    A cell that fails has failed all the same, for the student who looks at it and for nbgrader.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and (is_grade(cell) or is_solution(cell) or "ungraded" in tags):
            cell.metadata["tags"] = sorted({*tags, "raises-exception"})
        return cell, resources


class AddHelpers(NbGraderPreprocessor):
    """Put the helper package beside the notebook, so that the folder a student gets is complete."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        outputs = resources.setdefault("outputs", {})
        for path in helper_files():
            outputs[f"workshop/{path.name}"] = path.read_bytes()
        return nb, resources


def helper_files() -> list[Path]:
    """The files of the helper package."""
    folder = Path(workshop.__file__).parent
    return sorted(path for path in folder.iterdir() if path.suffix in (".py", ".js", ".json", ".css"))


def normal_form(notebook: str) -> str:
    """A notebook's text in the one form in which it is committed: no outputs, sorted keys, one space of indent."""
    nb: dict[str, Any] = json.loads(notebook)
    for cell in nb["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k in KEPT_METADATA}
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        cell["source"] = source.splitlines(keepends=True)
    nb["metadata"] = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return json.dumps(nb, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


class _Seen(gradcheck.Marker):
    """Keeps what a test has seen of a wrong answer, and names nothing."""

    def __init__(self) -> None:
        self.seen: Sequence[Seen] = ()

    def call(self, answer: Answer, args: Sequence[Any]) -> Any:
        return answer(*args)

    def named(self, test: Callable[..., None], seen: Sequence[Seen]) -> Finding:
        self.seen, self.test = seen, test.__name__
        return NOTHING


def known_mistakes(sources: Iterable[Path]) -> str:
    """What each known mistake gives in the visible tests of these notebooks, as JSON: see `workshop._known`."""
    sentences: dict[str, int] = {}
    tests: dict[str, list[list[float]]] = {}
    for source in sources:
        assignment = Assignment.from_notebook(source.read_bytes(), source.stem)
        if not any(cell.kind == "tools" for cell in assignment.cells):
            continue
        before: dict[str, Any] = {}
        for cell in assignment.cells:
            if cell.kind == "setup":
                exec(cell.source, before)
            elif cell.kind == "tools":
                tools, fault = marking_tools([cell.source])
                if fault:
                    raise ClassError(f"{assignment.name}: {fault}.")
                before |= tools
            elif "marking_tools" in before and (cell.kind == "test" or "gradcheck.report(" in cell.source):
                _must_be_known(assignment, cell, before)
                marker = before["marking_tools"].marker
                names = [name for name in free_names(cell.release_source) if name in marker.right]
                found: dict[tuple[str, ...], set[str]] = {}
                for finding, answers in marker.wrong_answers(names):
                    seen = gradcheck.marker = _Seen()
                    with quiet(), contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
                        exec(cell.release_source, {**before, **marker.right, **answers})
                    (sums, _), (right, aside, _) = _known.projections(seen.seen), _known.beside(seen.seen)
                    if seen.seen and all(map(math.isfinite, (aside, *sums))):  # what overflows tells none apart
                        values = [f"{value:.12g}" for value in (aside, *sums)]
                        same = found.setdefault((seen.test, str(right), *values), set())
                        if finding.sentence not in same:
                            same.add(finding.sentence)
                            number = sentences.setdefault(finding.sentence, len(sentences))
                            tests.setdefault(seen.test, []).append([number, right, *map(float, values)])
    gradcheck.marker = None
    return json.dumps({"sentences": list(sentences), "tests": tests}, ensure_ascii=False, allow_nan=False) + "\n"


def _must_be_known(assignment: Assignment, cell: Cell, names: dict[str, Any]) -> None:
    """Let the marking tools begin a test, if it is one: ClassError where they don't know its question."""
    for statement in ast.parse(without_magics(cell.source)).body:
        line = ast.unparse(statement)
        if line.startswith("marking_tools.mark("):
            try:
                exec(line, names)
            except marking.ToolsFault as fault:
                raise ClassError(f"{assignment.name}, {cell.grade_id}, `{line}`: {fault}") from None
    marking.begin()


def questions(sources: Iterable[Path]) -> str:
    """The questions of these notebooks that tests mark, by notebook, as JSON: see `workshop.progress`."""
    listed = {}
    for source in sources:
        assignment = Assignment.from_notebook(source.read_bytes(), source.stem)
        numbers = {name: number for number, name in enumerate(dict.fromkeys(c.question for c in assignment.graded), 1)}
        marks: dict[str, float] = dict.fromkeys(numbers, 0)
        for test in (cell for cell in assignment.cells if cell.kind == "test"):
            marks[test.question] += test.points
        listed[source.stem] = [
            [numbers[cell.grade_id], cell.grade_id, marks[cell.grade_id], cell.defines]
            for cell in assignment.cells
            if cell.kind == "solution" and marks.get(cell.grade_id)
        ]
    return json.dumps(listed, ensure_ascii=False) + "\n"


def make_release(root: Path, target: Path) -> None:
    """Write what students get, of every assignment in `root`, into the folder `target`."""
    course = open_course(root)
    with tempfile.TemporaryDirectory() as scratch, quiet_nbgrader(course.app) as said:
        settings = Config(course.app.config)
        settings.CourseDirectory.root = str(root.resolve())
        settings.CourseDirectory.release_directory = str(target.resolve())
        settings.CourseDirectory.db_url = f"sqlite:///{scratch}/gradebook.db"
        app = type(course.app)(log_level=course.app.log_level, config=settings)
        app.coursedir = type(course.app.coursedir)(parent=app)
        for name in course.assignments():
            outcome = NbGraderAPI(app.coursedir, parent=app).generate_assignment(name, force=True)
            if not outcome["success"]:
                raise SystemExit(f"nbgrader could not release {name}:\n{outcome.get('log') or said.getvalue()}")
    for notebook in target.glob("*/*.ipynb"):
        notebook.write_text(normal_form(notebook.read_text("utf-8")), "utf-8")


def stale(made: Path, committed: Path) -> list[str]:
    """The files by which two release folders differ, as paths below them."""
    names = {str(p.relative_to(folder)) for folder in (made, committed) for p in folder.rglob("*") if p.is_file()}
    names = {name for name in names if "__pycache__" not in name and ".ipynb_checkpoints" not in name}
    return sorted(
        name
        for name in names
        if not (made / name).is_file()
        or not (committed / name).is_file()
        or not filecmp.cmp(made / name, committed / name, shallow=False)
    )


def renew(root: Path, check: bool = False) -> int:
    """Make the release of the course in `root`, and say what changed; or with `check`, say what is stale: 1 if any is.

    What the helper package knows of the notebooks goes out beside each; and where the course holds the package's own
    source, into that too, for whoever runs the notebooks in source/.
    """
    sources, package = sorted(root.glob("source/*/*.ipynb")), _known.FILE.parent
    known = {_known.FILE.name: known_mistakes(sources), progress.FILE.name: questions(sources)}
    changed = []
    for path in (package / name for name in known if package.is_relative_to(root)):
        if not path.is_file() or path.read_text("utf-8") != known[path.name]:
            changed.append(str(path.relative_to(root)))
            if not check:
                path.write_text(known[path.name], "utf-8")
    with tempfile.TemporaryDirectory() as made:
        make_release(root, Path(made))
        for helpers in Path(made).glob("*/workshop"):
            for name, text in known.items():
                (helpers / name).write_text(text, "utf-8")
        in_release = stale(Path(made), root / "release")
        if not check and in_release:
            shutil.rmtree(root / "release", ignore_errors=True)
            shutil.copytree(made, root / "release")
    changed += [f"release/{name}" for name in in_release]
    for name in changed:
        print(f"{name}: {'stale, run `workshop release`' if check else 'written'}")
    if not changed:
        print("release/ is fresh.")
    return int(check and bool(changed))


def main() -> int:
    """Make release/, or check it. Exit code 1: it is stale."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="say which files of release/ are stale, and change none")
    return renew(Path.cwd(), options.parse_args().check)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except ClassError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"release/ can't be written: {error.strerror} ({error.filename}).")
