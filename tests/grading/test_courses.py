"""What stock nbgrader marks right in other people's kinds of assignments, the examiner marks right."""

from __future__ import annotations

import importlib.util
import json

import pytest

from courses import Case, cases
from examiner.grading.assignment import Assignment, Limits, NotForUs
from examiner.grading.grade import grade
from examiner.grading.result import NOT_APART, Result
from examiner.grading.soundness import check, refusal

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


def notebook(*cells: tuple[str, str], **metadata: object) -> bytes:
    """A source notebook of these cells: each a kind and a source."""
    flags = {
        "solution": {"solution": True},
        "test": {"grade": True, "locked": True, "points": 1},
        "setup": {"locked": True},
    }
    made = [
        {
            "cell_type": "code",
            "source": source,
            "metadata": {"nbgrader": {"grade_id": f"cell-{i}", "solution": False, "grade": False, **flags[kind]}},
        }
        for i, (kind, source) in enumerate(cells)
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made}).encode()


@pytest.mark.parametrize(
    ("setup", "beyond"),
    [
        ("import urllib.request\ntext = urllib.request.urlopen('http://127.0.0.1:9/x').read()", "the network"),
        ("%%bash\necho 1 > /dev/null\n", "another language"),
        ("raise RuntimeError('No CUDA GPUs are available')\ntext = 1", "a GPU"),
    ],
)
def test_what_no_sandbox_has_is_refused_before_anything_is_marked(setup: str, beyond: str) -> None:
    cells = [
        ("setup", setup),
        ("solution", "### BEGIN SOLUTION\nn = len(text)\n### END SOLUTION"),
        ("test", "assert n"),
    ]
    assignment = Assignment.from_notebook(notebook(*cells), "far")
    assert f"It reaches for {beyond}" in refusal(check(assignment))


@pytest.mark.parametrize(
    ("test", "found"),
    [
        ("assert True", "passes a blank copy"),
        ("0.5 + (n == 1) / 2", "gives a blank copy 0.5 of 1"),
        ("(n == 1) * 1.0", ""),
    ],
)
def test_what_a_blank_copy_earns_is_told_be_it_in_part(test: str, found: str) -> None:
    solution = "n = 0\n### BEGIN SOLUTION\nn = 1\n### END SOLUTION"
    assignment = Assignment.from_notebook(notebook(("solution", solution), ("test", test)), "one")
    assert [finding.what for finding in check(assignment)] == [found] * bool(found)


def test_a_notebook_of_another_language_is_no_assignment_of_ours() -> None:
    with pytest.raises(NotForUs, match="julia"):
        Assignment.from_notebook(notebook(kernelspec={"language": "julia", "name": "julia"}), "other")


@pytest.mark.parametrize(
    ("setup", "test", "numbers"),
    [
        ("", "from workshop.gradcheck import compare", True),
        ("from workshop import gradcheck", "gradcheck.compare('x', x, 1)", True),
        ("import workshop.gradcheck", "workshop.gradcheck.compare('x', x, 1)", True),
        ("from workshop import gradcheck", "assert x == 1", False),
        ("", "from torch.autograd import gradcheck", False),
        ("", "assert x == 1  # and no gradcheck", False),
    ],
)
def test_tests_that_compare_by_the_workshops_gradcheck_deal_in_numbers(setup: str, test: str, numbers: bool) -> None:
    source = notebook(("setup", setup), ("solution", "x = 1"), ("test", test))
    assert Assignment.from_notebook(source, "one").numbers_only == numbers


TOOLS = """### BEGIN HIDDEN TESTS
class marking_tools:
    def right(n):
        return n.real

    def broken(n):
        return [n][1]
### END HIDDEN TESTS"""


@pytest.mark.parametrize(
    ("change", "asked", "fault"),
    [
        (("=", "="), "broken(n)", "fail in line 7, in broken: IndexError"),
        (("=", "="), "absent(n)", "lack what the test asks of them: AttributeError"),
        (("[n][1]\n", "[n][1]\n\n    wrong = unknown\n"), "right(n)", "fail in line 9, in marking_tools: NameError"),
        (("return [n][1]", "return [n"), "right(n)", "can't be read, line 7: SyntaxError"),
    ],
)
def test_a_fault_of_the_marking_tools_waits_for_a_person_and_is_told_with_its_line(
    change: tuple[str, str], asked: str, fault: str
) -> None:
    cells = [
        ("setup", TOOLS.replace(*change)),
        ("solution", "### BEGIN SOLUTION\nn = 1\n### END SOLUTION"),
        ("test", f"assert n == 1\n### BEGIN HIDDEN TESTS\nmarking_tools.{asked}\n### END HIDDEN TESTS"),
    ]
    source = notebook(*cells)
    assignment = Assignment.from_notebook(source, "faulty")
    (found,) = check(assignment)
    assert found.what == "waits for a person with its own solution" and found.line == f"marking_tools.{asked}"
    assert fault in found.why and found.change == "Mend the marking tools."
    mark = grade(source.replace(b"\nn = 1\\n", b"\nn = 2\\n"), assignment, b"secret", LIMITS).marks[0]
    assert mark.score is None and "Error" not in mark.message


def test_in_one_process_a_test_finds_what_stock_nbgraders_finds_and_the_result_says_so() -> None:
    cells = [
        ("setup", "### BEGIN HIDDEN TESTS\nsecret = 7\n### END HIDDEN TESTS"),
        ("solution", "### BEGIN SOLUTION\nimport sys\nhere = sys.modules[__name__]\n### END SOLUTION"),
        ("test", "import sys\nassert here is sys.modules['__main__'] and secret == 7"),
        ("test", "0.5"),
        ("test", "assert here is None, 'not here'"),
    ]
    source = notebook(*cells)
    assignment = Assignment.from_notebook(source, "one").in_one_process()
    result = grade(source, assignment, b"secret", LIMITS)
    assert [mark.score for mark in result.marks] == [1, 0.5, 0] and "not here" in result.marks[2].message
    assert result.sandbox.endswith(NOT_APART)
    ended = grade(source.replace(b"import sys\\n", b"import os; os._exit(0)\\n"), assignment, b"secret", LIMITS)
    assert ended.score == 0.5  # which asks nothing of it
