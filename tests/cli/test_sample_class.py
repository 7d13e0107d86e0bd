"""The sample class of this very course gets exactly the marks it should, and pages that give nothing away."""

from __future__ import annotations

import csv
import re
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

import sample_class
from examiner.cli.command import main
from examiner.course import handout
from examiner.grading.assignment import BEGIN_HIDDEN, Assignment

ROOT = Path(__file__).parents[2]
ALL = {"logistic_regression": 20.0, "mlp_sgd": 30.0}

# What each student loses, by question. `trained_params` may hang on all that comes before it, and is left out.
LOSES: dict[str, dict[str, dict[str, float]]] = {
    "sum_for_mean": {"logistic_regression": {"gradient": 3}, "mlp_sgd": {"backward": 8}},
    "penalty_on_bias": {"logistic_regression": {"gradient": 1}, "mlp_sgd": {"backward": 4}},
    "ascent": {"logistic_regression": {"gradient_descent": 1}, "mlp_sgd": {"sgd_step": 1}},
    "changed_in_place": {"logistic_regression": {"sgd_epoch": 1}, "mlp_sgd": {"sgd_step": 1}},
    "last_batch_dropped": {"logistic_regression": {"minibatches": 2}, "mlp_sgd": {"train": 1}},
    "syntax_error": {"logistic_regression": {"objective": 2}, "mlp_sgd": {"objective": 3}},
    "infinite_loop": {"logistic_regression": {"gradient_descent": 2}, "mlp_sgd": {"input_gradient": 3}},
}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("course")
    for name in ("source", "release"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    sample_class.make(root)
    assert main(["grade", "--course", str(root)]) == 0
    return root


@pytest.fixture(scope="module")
def lost(course: Path) -> dict[tuple[str, str], dict[str, float]]:
    """By student and assignment, the coded questions that lost marks, and how many."""
    found: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    with open(course / "marks.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["grade_id"].startswith("test_"):
                missing = float(row["max_score"]) - float(row["score"])
                found[row["student_id"], row["assignment"]][row["question"]] += missing
    return {key: {name: marks for name, marks in by.items() if marks} for key, by in found.items()}


def test_everyone_is_there(course: Path) -> None:
    with open(course / "grades.csv", newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(sample_class.STUDENTS) * len(ALL)
    assert len(list((course / "feedback").rglob("*.html"))) == len(rows)


@pytest.mark.parametrize("assignment", ALL)
@pytest.mark.parametrize(
    "student", ["all_right", "deleted_test_cell", "duplicated_test_cell", "renamed_notebook", "other_editor"]
)
def test_right_answers_get_all_marks_whatever_befell_the_notebook(
    lost: dict[tuple[str, str], dict[str, float]], student: str, assignment: str
) -> None:
    assert lost[student, assignment] == {}


@pytest.mark.parametrize("assignment", ALL)
def test_a_blank_notebook_gets_nothing(lost: dict[tuple[str, str], dict[str, float]], assignment: str) -> None:
    assert sum(lost["blank", assignment].values()) == ALL[assignment]


@pytest.mark.parametrize("assignment", ALL)
@pytest.mark.parametrize("student", LOSES)
def test_a_mistake_costs_its_own_marks_only(
    lost: dict[tuple[str, str], dict[str, float]], student: str, assignment: str
) -> None:
    found = dict(lost[student, assignment])
    found.pop("trained_params", None)
    assert found == LOSES[student].get(assignment, {})


def test_half_done_keeps_the_half_that_is_done(lost: dict[tuple[str, str], dict[str, float]]) -> None:
    assert set(lost["half_done", "logistic_regression"]) == {
        "input_gradient",
        "numerical_gradient",
        "gradient_descent",
        "minibatches",
        "sgd_epoch",
    }


def test_feedback_is_one_file_that_loads_nothing_and_hides_the_tests(course: Path) -> None:
    hidden = set()
    for path in (course / "source").glob("*/*.ipynb"):
        assignment = Assignment.from_notebook(path.read_bytes(), path.stem)
        hidden |= handout.removed_lines(assignment)
    answers = set()  # what the student wrote himself, or what the reference answers say, may well be shown
    for path in (course / "submitted" / "all_right").rglob("*.ipynb"):
        for cell in sample_class.read(path)["cells"]:
            answers |= {line.strip() for line in cell["source"].split("\n")}
    for page in (course / "feedback").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text and BEGIN_HIDDEN not in text
        assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
        assert "<math" in text
        plain = {line.strip() for line in re.sub(r"<[^>]+>", "", text).split("\n")}
        assert not plain & (hidden - answers), page


def test_all_maths_of_the_notebooks_is_drawn(course: Path) -> None:
    page = (course / "feedback" / "all_right" / "mlp_sgd" / "mlp_sgd.html").read_text(encoding="utf-8")
    text = re.sub(r"<pre.*?</pre>|<math.*?</math>|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert not re.search(r"\\(frac|sigma|partial|mathbf|begin|hat|eta|lambda)", text)


def test_the_sample_class_has_a_course_of_its_own_and_takes_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    for _ in range(2):
        sample_class.make_course(ROOT, folder)
    assert len(list((folder / "submitted").iterdir())) == len(sample_class.STUDENTS)
    with pytest.raises(SystemExit, match="something else"):
        sample_class.make_course(ROOT, tmp_path)
