"""What stock nbgrader marks right in other people's kinds of assignments, the examiner marks right."""

from __future__ import annotations

import importlib.util

import pytest

from courses import Case, cases
from examiner.grading.assignment import Limits
from examiner.grading.grade import grade
from examiner.grading.result import Result

LIMITS = Limits(cell_seconds=20, call_seconds=10, test_seconds=20, total_seconds=60)
CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_marks_are_stock_nbgraders(case: Case) -> None:
    if "pandas" in str(case.notebook) and importlib.util.find_spec("pandas") is None:
        pytest.skip("pandas is not installed: grading does not need it")
    result = grade(case.submission(), case.assignment, b"secret", LIMITS)
    assert {mark.grade_id: mark.score for mark in result.marks} == case.right, why(result)
    blank = grade(case.submission(blank=True), case.assignment, b"secret", LIMITS)
    assert {mark.grade_id: mark.score or 0 for mark in blank.marks} == {k: v or 0 for k, v in case.blank.items()}


def why(result: Result) -> str:
    errors = [cell.error for cell in result.cells if cell.error]
    return "\n".join(
        [f"{m.grade_id}: {m.score} {m.message}" for m in result.marks if m.message] + errors + list(result.needs_eye)
    )
