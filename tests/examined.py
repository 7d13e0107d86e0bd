"""Notebooks of an answer and its tests, and what they get: for the tests of grading."""

from __future__ import annotations

import json
import textwrap

from attacks.stage import KEY
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.grade import grade
from examiner.grading.result import Result

QUICK = Limits(cell_seconds=2, call_seconds=1, test_seconds=3, total_seconds=30)


def examine(answer: str, test: str, *more: str, limits: Limits = QUICK, sandbox: str = "auto") -> Result:
    """The result of a notebook with one answer and these test cells, 1 mark each."""
    about = {"grade": False, "solution": True, "locked": False, "grade_id": "q", "schema_version": 3}
    cells = [{"cell_type": "code", "metadata": {"nbgrader": about}, "source": textwrap.dedent(answer)}]
    for number, source in enumerate([test, *more]):
        about = {"grade": True, "solution": False, "locked": True, "grade_id": f"test_q_{number}", "points": 1}
        cells.append({"cell_type": "code", "metadata": {"nbgrader": about}, "source": textwrap.dedent(source)})
    notebook = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()
    return grade(notebook, Assignment.from_notebook(notebook, "one"), KEY, limits, sandbox)


def passes(answer: str, *tests: str) -> None:
    result = examine(answer, *tests)
    assert [mark.message for mark in result.marks] == [""] * len(tests), result.marks
    assert result.score == len(tests)


def message(answer: str, test: str) -> str:
    result = examine(answer, test)
    assert result.score == 0
    return result.marks[0].message


def cell(grade_id: str, source: str, **about: object) -> dict[str, object]:
    nbgrader = {"grade_id": grade_id, "grade": False, "solution": False, "locked": True, **about}
    return {"cell_type": "code", "metadata": {"nbgrader": nbgrader}, "source": textwrap.dedent(source)}


def its_test(name: str, lent: str = "", derivative_of: str = "") -> dict[str, object]:
    lines = [
        "from examiner.grading.marking import Marker",
        "from workshop.gradcheck import check, compare",
        f"Marker(dict({lent}{', ' * bool(lent)}{name}=None), {{}}).mark({name!r}, [{derivative_of}])",
    ]
    test = "\n".join([*lines, f"check(lambda {name}: compare('it', {name}(3), 21), {name})"])
    return cell(f"test_{name}", test, grade=True, points=1)
