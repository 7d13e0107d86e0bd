"""The restored notebook: what a submission is read as, and where its cells go."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from nbformat import v4

from attacks.stage import ASSIGNMENT, KEY, handed_in
from examiner.course.notebook import guide_of
from examiner.grading.assignment import Assignment, question_of, released
from examiner.grading.grade import grade
from examiner.grading.placing import place
from examiner.grading.submission import Unreadable, read_submission
from examiner.pages.questions import HIDDEN
from mini_course import answered, source_notebook
from mini_course import cell as make_cell


def _placed(cells: list[dict[str, object]]) -> tuple[list[str], list[str]]:
    read, _ = read_submission(json.dumps({"cells": cells}).encode())
    placed, notes = place(read, ASSIGNMENT)
    return [p.cell.grade_id if p.cell and p.cell.grade_id else p.kind for p in placed], notes


ORDER = ["text", "setup", "double", "test_double", "test_double_hidden", "shift", "test_shift_right", "test_shift_left"]


def test_a_whole_submission_is_placed_as_it_is() -> None:
    assert _placed(handed_in("x = 1")["cells"]) == (ORDER, [])


@pytest.mark.parametrize("gone", ORDER[1:])
def test_a_missing_cell_comes_back_to_its_place(gone: str) -> None:
    cells = [c for c in handed_in("x = 1")["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") != gone]
    order, notes = _placed(cells)
    assert order == ORDER and any(gone in note for note in notes)


def test_a_cell_that_comes_back_does_not_part_a_written_answer_from_its_box() -> None:
    notebook = source_notebook()
    notebook.cells.append(make_cell("code", "farewell", "print()"))
    whole = Assignment.from_notebook(json.dumps(notebook).encode(), "mini")
    theirs = [*answered(explain="YOUR ANSWER HERE").cells, v4.new_markdown_cell("**Answer:** it stretches.")]
    read, _ = read_submission(json.dumps({"cells": theirs}).encode())
    placed, _ = place(read, whole)
    box = next(at for at, p in enumerate(placed) if p.cell and p.cell.grade_id == "explain")
    assert [p.kind for p in placed[box:]] == ["written", "own", "given"]


def test_without_metadata_cells_are_known_by_what_they_are() -> None:
    cells = [{**c, "metadata": {}} for c in handed_in("def helper(): pass\ndef double(x):\n    return 9")["cells"]]
    order, notes = _placed(cells)
    assert order == ORDER and any("known by its `double`" in note for note in notes)


def test_copies_of_a_test_go_and_copies_of_an_answer_stay() -> None:
    cells = [copy for c in handed_in("x = 1")["cells"] for copy in (c, c)]
    order, _ = _placed(cells)
    assert [name for name in order if name.startswith("test")] == [n for n in ORDER if n.startswith("test")]
    assert order.count("own") == 3 and order.index("test_double") > order.index("double")


def test_an_answer_in_a_locked_cell_runs() -> None:
    cells = handed_in("pass")["cells"]
    next(c for c in cells if c["id"] == "test-double")["source"] = "def double(x):\n    return 2 * x"
    submission = json.dumps({"cells": cells}).encode()
    assert grade(submission, ASSIGNMENT, KEY).score == 7


def test_questions_take_the_longest_name_that_fits() -> None:
    questions = ["gradient", "gradient_descent", "explain"]
    assert question_of("test_gradient_descent_stops", questions) == "gradient_descent"
    assert question_of("test_gradient_w", questions) == "gradient"
    assert question_of("test_gradientw", questions) == ""


@pytest.mark.parametrize("mark", ["### ", "###", "# ", "#### "])
def test_what_is_released_holds_no_answer_test_or_guide_however_they_are_marked(mark: str) -> None:
    source = (
        f"a\n  {mark}BEGIN SOLUTION\n  answer\n  {mark}END SOLUTION\nb\n"
        f"{mark}BEGIN HIDDEN TESTS\nsecret\n{mark}END HIDDEN TESTS"
    )
    lines = released(source, solution=True).split("\n")
    assert (lines[0], lines[1], lines[-1]) == ("a", "  # YOUR CODE HERE", "b")
    assert not any(word in released(source) for word in ("answer", "secret", "BEGIN"))
    assert HIDDEN.sub("", source).split("\n")[:5] == source.split("\n")[:5] and "secret" not in HIDDEN.sub("", source)
    guided = SimpleNamespace(kind="written", source=f"{mark}BEGIN MARK SCHEME\na guide\n{mark}END MARK SCHEME\nb")
    assert guide_of(guided) == "a guide"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"cells": 3}', b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_no_notebook_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_submission(data)
    result = grade(data, ASSIGNMENT, KEY)
    assert result.score == 0 and result.needs_eye and all("can't be read" in mark.message for mark in result.marks)
