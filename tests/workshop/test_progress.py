"""What a student sees of an answer that is missing: one line, and a Run All that goes on; and the marks added up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell
from nbgrader.validator import Validator

import sample_class
from workshop import progress

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "source").glob("*/*.ipynb"))


def released(name: str, *answered: str) -> Any:
    """A released notebook in which these questions are answered."""
    release = sample_class.read(ROOT / "release" / name / f"{name}.ipynb")
    answers = sample_class.reference_answers(sample_class.read(ROOT / "source" / name / f"{name}.ipynb"))
    filled = sample_class.filled_in(release, {key: text for key, text in answers.items() if key in answered})
    return nbformat.reads(json.dumps(filled), as_version=4)


def run(notebook: Any, name: str) -> dict[str, str]:
    """Run All, which stops where a cell fails that may not; what each cell printed, errors included."""
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": ROOT / "release" / name}}
    ).execute()
    said = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            texts = [o.get("text") or "\n".join(o.get("traceback", [])) for o in cell.outputs]
            said[cell.metadata.get("nbgrader", {}).get("grade_id", cell.source)] = "".join(filter(None, texts))
    return said


def only(notebook: Any, *wanted: str) -> Any:
    """The notebook with these of its cells only."""
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells}
    notebook.cells = [
        cells.get(each) or new_code_cell(each, metadata={"tags": ["raises-exception"]}) for each in wanted
    ]
    return notebook


@pytest.mark.parametrize("name", NAMES)
def test_run_all_of_what_is_handed_out_goes_on_to_the_end(name: str) -> None:
    notebook = released(name)
    said = run(notebook, name)
    assert notebook.cells[-1].execution_count and said["summary"].startswith("0 of ")
    failed = [c for c in notebook.cells if any(output.output_type == "error" for output in c.get("outputs", []))]
    assert len(failed) > len(progress.questions(name))
    lines = {cell.metadata.nbgrader.grade_id: said[cell.metadata.nbgrader.grade_id].strip() for cell in failed}
    assert {name: line for name, line in lines.items() if "\n" in line} == {}


def test_an_answer_that_is_missing_is_named_with_its_question() -> None:
    answered = ("sigmoid", "predict_proba", "log_loss", "objective")
    said = run(released("logistic_regression", *answered), "logistic_regression")
    assert "waits for your answer to question 5: gradient" in said["check_gradient"]
    assert said["summary"].startswith("8 of 20 visible marks.")
    assert "not yet: question 5 (gradient), 0 of 3" in said["summary"] and "question 4" not in said["summary"]


def test_a_name_whose_cell_was_not_run_is_named_with_its_question() -> None:
    notebook = only(released("logistic_regression"), "setup", "check_gradient", "test_gradient_w", "plot_paths")
    said = run(notebook, "logistic_regression")
    for cell in ("check_gradient", "test_gradient_w"):
        assert said[cell].startswith("gradient is not defined yet: run the cell of question 5 first")
    assert said["plot_paths"].startswith("paths is not defined yet: run the cell above that makes it first")


def test_what_an_unwritten_answer_leaves_undefined_asks_for_the_answer() -> None:
    said = run(only(released("mlp_sgd"), "setup", "forward", "trained_params", "accuracy", "plot_boundary"), "mlp_sgd")
    for cell in ("accuracy", "plot_boundary"):
        assert "run the cell of question 9 first, with your answer in it" in said[cell]


def test_a_mistake_of_the_students_own_keeps_its_traceback() -> None:
    own = "def halved(x):\n    return x / tow\n\nhalved(1)"
    said = run(only(released("mlp_sgd"), "setup", own, "1 / 0"), "mlp_sgd")
    assert "x / tow" in said[own] and "name 'tow' is not defined" in said[own]
    assert "ZeroDivisionError" in said["1 / 0"]


def test_a_notebook_moved_from_its_folder_says_what_to_do() -> None:
    notebook = only(released("mlp_sgd"), "import sys; sys.modules['workshop'] = None", "setup")
    notebook.cells[1].metadata["tags"] = ["raises-exception"]
    said = run(notebook, "mlp_sgd")["setup"]
    assert "needs the folder `workshop` beside it" in said and len(said.splitlines()) == 1


def test_validate_sees_the_failed_tests_all_the_same(tmp_path: Path) -> None:
    """nbgrader's own, as JupyterLab's button calls it: a tag lets a cell fail, and does not let it pass."""
    notebook = released("logistic_regression", "sigmoid", "log_loss")
    path = tmp_path / "logistic_regression.ipynb"
    nbformat.write(notebook, path)
    tests = [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.metadata.nbgrader.grade]
    right = [source for source in tests if source.startswith(("# Test: sigmoid", "# Test: log loss"))]
    failed = [each["source"] for each in Validator().validate(str(path))["failed"]]
    assert len(right) == 4 and sorted(failed) == sorted(set(tests) - set(right))


def test_under_grading_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    progress.begin("mlp_sgd")
    assert progress._now is None
