"""Written answers: found beside their box, with their pictures, however large the notebook's outputs are."""

from __future__ import annotations

import json
import time

import pytest
from nbformat import v4

from examiner.grading.assignment import Assignment
from examiner.grading.grade import grade, restored
from examiner.grading.result import Result
from examiner.grading.submission import read_submission, without_outputs
from mini_course import answered, source_notebook

MINI = Assignment.from_notebook(json.dumps(source_notebook()).encode(), "mini")


def _written(**cells: object) -> Result:
    """What a notebook gets whose box for `explain` is empty, with these cells of the student's own beside it."""
    notebook = answered(explain="YOUR ANSWER HERE")
    at = next(i for i, c in enumerate(notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == "explain")
    for place, cell in cells.items():
        notebook.cells.insert(at + (place == "below"), cell)
    return grade(json.dumps(notebook).encode(), MINI, b"secret")


@pytest.mark.parametrize(
    ("cell", "waits"),
    [
        ({"below": v4.new_markdown_cell("It stretches.")}, True),
        ({"above": v4.new_markdown_cell("It stretches.")}, True),
        ({"below": v4.new_code_cell("# It stretches.")}, True),
        ({"below": v4.new_code_cell("x = 1")}, False),
        ({"below": v4.new_markdown_cell(" ")}, False),
    ],
)
def test_a_written_answer_beside_its_box_waits_for_a_person(cell: dict[str, object], waits: bool) -> None:
    graded = _written(**cell)
    (mark,) = [mark for mark in graded.marks if mark.grade_id == "explain"]
    assert (mark.score is None) == waits == any("beside it" in why for why in graded.needs_eye)


@pytest.mark.parametrize(("text", "score"), [("YOUR ANSWER HERE", 0.0), ("YOUR ANSWER HERE\n", 0.0), ("", None)])
def test_a_written_answer_that_was_emptied_waits_and_one_never_touched_does_not(text: str, score: float | None) -> None:
    graded = grade(json.dumps(answered(explain=text)).encode(), MINI, b"secret")
    (mark,) = [mark for mark in graded.marks if mark.grade_id == "explain"]
    assert mark.score == score and mark.message == ("No response." if score == 0 else "")


def test_pictures_stay_with_an_answer_and_nothing_else_that_is_attached() -> None:
    notebook = answered()
    fine = {"a.png": {"image/png": "iVBORw0KGgo="}}
    others = {"b.svg": {"image/svg+xml": "PHN2Zz4="}, "c.png": {"image/png": "eA=="}}
    notebook.cells[-1]["attachments"] = fine | others
    (cell,) = [c for c in restored(json.dumps(notebook).encode(), MINI).cells if c.grade_id == "explain"]
    assert cell.pictures == fine


def test_outputs_are_left_out_and_nothing_else() -> None:
    cell = {"cell_type": "code", "source": '"outputs": [1]', "outputs": [{"text": ['}"]', {"a": []}]}], "metadata": {}}
    slim = json.loads(without_outputs(json.dumps({"cells": [cell], "outputs": "x"}, indent=1).encode()))
    assert slim == {"cells": [cell | {"outputs": []}], "outputs": "x"}


def test_what_a_submission_names_can_be_written() -> None:
    notebook = answered()
    notebook.cells[-1]["attachments"] = {"\ud800.png": {"image/png": "iVBORw0KGgo="}}
    notebook.cells[0].metadata["nbgrader"] = {"grade_id": "\udfff"}
    for cell in read_submission(json.dumps(notebook).encode())[0]:
        f"{cell.claims}{cell.source}{list(cell.pictures)}".encode()


def test_a_string_that_never_ends_is_read_once() -> None:
    endless = b'{"cells": [{"outputs": [1]}, "' + b'\\"' * 20_000
    began = time.process_time()
    assert [without_outputs(endless + end) for end in (b"", b"\\")] == [endless, endless + b"\\"]
    assert time.process_time() - began < 2
