"""The notebooks: their form, what students get of them, and that they run."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from examiner.course import release
from examiner.grading.assignment import Assignment
from examiner.grading.source import free_names
from workshop import gradcheck

ROOT = Path(__file__).parents[2]
NAMES = tuple(sorted(path.stem for path in (ROOT / "source").glob("*/*.ipynb")))
QUESTIONS = {
    "logistic_regression": {
        "sigmoid": 2, "predict_proba": 2, "log_loss": 2, "objective": 2, "gradient": 3, "input_gradient": 2,
        "numerical_gradient": 2, "gradient_descent": 2, "minibatches": 2, "sgd_epoch": 1,
    },
    "mlp_sgd": {
        "activations": 3, "init_params": 2, "forward": 4, "objective": 3, "backward": 8, "input_gradient": 3,
        "sgd_step": 2, "train": 3, "trained_params": 2,
    },
}  # fmt: skip


def source(name: str) -> Path:
    return ROOT / "source" / name / f"{name}.ipynb"


def released(name: str) -> Path:
    return ROOT / "release" / name / f"{name}.ipynb"


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release made just now."""
    target = tmp_path_factory.mktemp("release")
    release.make_release(ROOT, target)
    return target


@pytest.mark.parametrize("path", [*(map(source, NAMES)), *(map(released, NAMES))], ids=lambda p: f"{p.parts[-3]}")
def test_a_committed_notebook_is_in_normal_form(path: Path) -> None:
    text = path.read_text("utf-8")
    assert release.normal_form(text) == text


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_bears_its_marks(name: str) -> None:
    assignment = Assignment.from_notebook(source(name).read_bytes(), name)
    marks: dict[str, float] = {}
    for cell in assignment.cells:
        if cell.kind == "test":
            marks[cell.question] = marks.get(cell.question, 0) + cell.points
    assert marks == QUESTIONS[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_question_is_answered_before_it_is_tested(name: str) -> None:
    assignment = Assignment.from_notebook(source(name).read_bytes(), name)
    answered: list[str] = []
    for cell in assignment.cells:
        if cell.kind == "solution":
            answered.append(cell.grade_id)
        if cell.kind == "test":
            assert cell.question == answered[-1]


def test_release_is_fresh(made: Path) -> None:
    assert release.stale(made, ROOT / "release") == []


@pytest.mark.parametrize("name", NAMES)
def test_release_holds_no_hidden_test_answer_or_guide(name: str) -> None:
    given = released(name).read_text("utf-8")
    assert not re.search(r"HIDDEN|SOLUTION|Marking guide|Model answer", given)
    secret, public = set(), set()
    for cell in cells(source(name)):
        inside = cell["cell_type"] == "markdown" and cell["metadata"]["nbgrader"]["solution"]
        for line in cell["source"]:
            if "### END" in line:
                inside = False
            (secret if inside else public).add(line.strip())
            if "### BEGIN" in line:
                inside = True
    secret = {line for line in secret - public if len(line) > 15}
    shown = {line.strip() for cell in cells(released(name)) for line in cell["source"]}
    assert secret
    assert secret & shown == set()


def test_the_known_mistakes_of_the_release_are_numbers_and_sentences() -> None:
    """Nothing that a cell of the source computes is in it: no code, and of hidden cells no line but the sentences."""
    known = json.loads(released("mlp_sgd").parent.joinpath("workshop", "known_mistakes.json").read_text("utf-8"))
    assert all(type(value) in (int, float) for rows in known["tests"].values() for row in rows for value in row)
    told = "\n".join(known["sentences"])
    assert not re.search(r"\blambda\b|\*\*| @ |==", told)
    for name in NAMES:
        for cell in cells(source(name)):
            if cell["metadata"]["nbgrader"]["solution"] and cell["cell_type"] == "code":
                assert not [line for line in cell["source"] if len(line.strip()) > 15 and line.strip() in told]


@pytest.mark.parametrize("name", NAMES[:1])
def test_a_visible_test_leaves_no_name_behind_and_is_short(name: str) -> None:
    assignment = Assignment.from_notebook(source(name).read_bytes(), name)
    names: dict[str, Any] = {}
    for cell in assignment.cells:
        if cell.kind in ("setup", "tools"):
            exec(cell.source, names)
    names |= names.pop("marking_tools").marker.right
    for cell in assignment.cells:
        if cell.kind == "test":
            assert cell.release_source.count("\n") < 25
            for answer in (names[free_names(cell.release_source)[0]], lambda *args: None):
                here = names | {free_names(cell.release_source)[0]: answer}
                before = set(here)
                with contextlib.suppress(gradcheck.WrongAnswer), contextlib.redirect_stdout(io.StringIO()):
                    exec(cell.release_source, here)
                assert set(here) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_stub_names_its_task(name: str) -> None:
    for cell in cells(released(name)):
        if cell["metadata"]["nbgrader"]["solution"] and cell["cell_type"] == "code":
            text = "".join(cell["source"])
            defined = re.findall(r"^def (\w+)", text, re.M) or [cell["metadata"]["nbgrader"]["grade_id"]]
            named = re.findall(r'raise NotImplementedError\("(\w+) is still to be written"\)', text)
            assert named == defined


@pytest.mark.parametrize("name", NAMES)
def test_code_that_is_read_fits_the_cell(name: str) -> None:
    """In a window of 1280 pixels JupyterLab shows 107 characters; tests are folded."""
    for cell in cells(released(name)):
        marks = cell["metadata"]["nbgrader"]
        if cell["cell_type"] == "code" and (marks["solution"] or not marks["grade"]):
            assert [line for line in cell["source"] if len(line.rstrip("\n")) > 100] == [], marks["grade_id"]


@pytest.mark.parametrize("name", NAMES)
def test_release_is_complete(name: str) -> None:
    folder = ROOT / "release" / name
    assert {p.name for p in (folder / "workshop").iterdir() if p.is_file()} == {p.name for p in release.helper_files()}


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_answers_run_without_a_warning(name: str, tmp_path: Path) -> None:
    """In a real kernel, with the helper package beside the notebook, top to bottom, in under 30 seconds."""
    shutil.copytree(ROOT / "release" / name, tmp_path / name)
    notebook = nbformat.read(source(name), as_version=4)
    NotebookClient(
        notebook, timeout=30, kernel_name="python3", resources={"metadata": {"path": tmp_path / name}}
    ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    lines = "".join(output.text for output in outputs if output.get("name") == "stdout")
    tests = [cell for cell in notebook.cells if cell.metadata.nbgrader.grade and cell.cell_type == "code"]
    assert lines.count("\n") >= len(tests)
