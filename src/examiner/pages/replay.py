"""The page of one test once more: the problem, the student's numbers beside the right ones, the student's code."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pygments.formatters import HtmlFormatter

from examiner.grading.assignment import Assignment, Cell
from examiner.pages.feedback import page_templates
from examiner.pages.markup import python_to_html

BEFORE = 3  # calls that are shown before the one that failed


def replay_page(
    assignment: Assignment, test: Cell, student: str, code: str, theirs: Mapping[str, Any], right: Mapping[str, Any]
) -> str:
    """The page as one HTML file; `theirs` and `right` are what the test called of the student's answer and of ours."""
    mine, ours = theirs.get("calls", []), right.get("calls", [])
    answer = next(cell for cell in assignment.cells if cell.kind == "solution" and cell.grade_id == test.question)
    order = list(dict.fromkeys(cell.question for cell in assignment.graded))
    calls = [
        {
            "number": at + 1,
            "name": call["name"],
            "given": _given(call, answer.source),
            "theirs": call["value"],
            # The same problem is the one whose input is the same: an answer may have made the test ask something else.
            "right": ours[at]["value"] if at < len(ours) and _asked(ours[at]) == _asked(call) else None,
        }
        for at, call in enumerate(mine)
    ]
    return (
        page_templates()
        .get_template("replay.html.j2")
        .render(
            assignment=assignment.name,
            question=f"{order.index(test.question) + 1} {test.question.replace('_', ' ')}",
            test=test.grade_id,
            student=student,
            passed=theirs.get("right") is True,
            message=theirs.get("message") or "",
            calls=calls[-1 - BEFORE :],
            values=theirs.get("values", {}),
            right_values=right.get("values", {}),
            code=python_to_html(code),
            pygments=HtmlFormatter().get_style_defs(".code"),
        )
    )


def _asked(call: Mapping[str, Any]) -> tuple[Any, ...]:
    return call["name"], call["args"], call["kwargs"]


def _given(call: Mapping[str, Any], source: str) -> list[tuple[str, str]]:
    """What goes into a call, with the names that the notebook has for it."""
    names: Sequence[str] = ()
    with suppress(SyntaxError):
        functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
        names = next(([arg.arg for arg in one.args.args] for one in functions if one.name == call["name"]), [])
    named = [(names[i] if i < len(names) else f"argument {i + 1}", value) for i, value in enumerate(call["args"])]
    return named + list(call["kwargs"].items())
