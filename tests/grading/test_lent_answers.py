"""A right answer stands in the place of a student's earlier one, wherever that is kept, and for one test."""

from __future__ import annotations

import json

import pytest

from attacks.stage import KEY
from examined import QUICK, cell, its_test
from examiner.grading.assignment import Assignment
from examiner.grading.grade import grade
from examiner.grading.result import Result

SOUND, WRONG, USES = "def first(x): return 7 * x\n", "def first(x): return 8 * x\n", "def second(x): return first(x)\n"


def two(first: str, second: str, derivative_of: str = "") -> Result:
    """The result of two answers, each of which makes 21 of 3; the second one's test lends a right first one."""

    def notebook(first: str, second: str) -> bytes:
        answers = cell("first", first, solution=True), cell("second", second, solution=True)
        cells = [answers[0], its_test("first"), answers[1], its_test("second", "first=lambda x: 7 * x", derivative_of)]
        return json.dumps({"cells": cells}).encode()

    return grade(notebook(first, second), Assignment.from_notebook(notebook(SOUND, USES), "two"), KEY, QUICK)


def test_right_answers_lent_to_a_later_test_teach_no_earlier_question() -> None:
    notebook = [cell("first", SOUND, solution=True), its_test("first")]
    notebook += [cell("second", USES, solution=True), its_test("second", "first=lambda x: 7 * x")]
    assignment = Assignment.from_notebook(json.dumps({"cells": notebook}).encode(), "a")
    listens = {**notebook[2], "source": "told = {}\ndef second(x):\n    told[x] = first(x)\n    return told[x]"}
    repeats = {**notebook[0], "source": "def first(x): return told.get(x, 0)"}
    turned = json.dumps({"cells": [listens, notebook[3], repeats, notebook[1]]}).encode()
    assert {mark.grade_id: mark.score for mark in grade(turned, assignment, KEY, QUICK).marks} == {
        "test_first": 0,
        "test_second": 1,
    }


@pytest.mark.parametrize(
    ("first", "second", "scores"),
    [
        (SOUND, USES, [1, 1]),
        (WRONG, USES, [0, 1]),
        (SOUND, WRONG + USES, [1, 0]),
        (WRONG, SOUND + USES, [0, 1]),
        (WRONG, WRONG + USES, [0, 0]),
        (WRONG + USES, "", [0, 1]),
        (WRONG, "def second(x): return first(x) - x", [0, 0]),
    ],
    ids=["right", "earlier wrong", "anew and wrong", "anew and right", "wrong twice", "in one cell", "follows"],
)
def test_a_right_earlier_answer_stands_in_unless_the_cell_writes_it_anew(
    first: str, second: str, scores: list[int]
) -> None:
    assert [mark.score for mark in two(first, second).marks] == scores


@pytest.mark.parametrize(
    "second",
    [
        "other = first\ndef second(x): return other(x)",
        "def second(x, f=first): return f(x)",
        "def make(f):\n    return lambda x: f(x)\nsecond = make(first)",
        "from functools import partial\nsecond = partial(lambda f, x: f(x), first)",
        "class Kept:\n    f = staticmethod(first)\n    def go(self, x): return self.f(x)\nsecond = Kept().go",
        "clone = type(first)(first.__code__, dict(globals()))\ndef second(x): return clone(x)",
    ],
    ids=["another name", "default", "closure", "partial", "class", "clone"],
)
def test_a_right_earlier_answer_stands_in_wherever_the_own_one_is_kept(second: str) -> None:
    result = two(WRONG, second)
    assert [mark.score for mark in result.marks] == [0, 1] and not result.needs_eye


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (WRONG, "kept = {first}\ndef second(x): return next(iter(kept))(x)"),
        ("def helper(x): return 8 * x\ndef first(x): return helper(x)", "def second(x): return helper(x)"),
    ],
    ids=["in a set", "by a helper of its cell"],
)
def test_an_answer_that_a_right_earlier_one_does_not_reach_is_for_a_person(first: str, second: str) -> None:
    result = two(first, second)
    assert [mark.score for mark in result.marks] == [0, 0]
    assert [why.split(":")[0] for why in result.needs_eye] == ["test_second"] and "cell of first" in result.needs_eye[0]
    assert not two(SOUND, second.replace("helper", "first") + " + 1").needs_eye


def test_a_value_may_depend_on_everything_before_it_and_is_for_nobody_to_look_at() -> None:
    answers = cell("first", WRONG, solution=True), cell("second", "second = first(3)", solution=True)
    cells = [answers[0], its_test("first"), answers[1]]
    cells.append(cell("test_second", "assert second == 21, 'it is not 21'", grade=True, points=1))
    notebook = json.dumps({"cells": cells}).encode()
    result = grade(notebook, Assignment.from_notebook(notebook, "a"), KEY, QUICK)
    assert [mark.score for mark in result.marks] == [0, 0] and not result.needs_eye
    assert result.marks[1].message.startswith("It follows from first, which came out wrong above")


def test_an_answer_that_calls_what_it_is_the_derivative_of_is_for_a_person_and_keeps_its_mark() -> None:
    result = two(SOUND, USES, "'first'")
    assert [mark.score for mark in result.marks] == [1, 1]
    assert len(result.needs_eye) == 1 and "test_second: the answer calls first" in result.needs_eye[0]
    assert not two(SOUND, "def second(x): return 7 * x", "'first'").needs_eye


@pytest.mark.parametrize("broken", ["def first(x) return 7 * x", "", "def frist(x): return 7 * x", "1 / 0"])
@pytest.mark.parametrize(
    "uses",
    [
        "def second(x, link=first): return link(x)",
        "kept = first\ndef second(x): return kept(x)",
        "import functools\nsecond = functools.partial(lambda f, x: f(x), first)",
        "HOW = {'it': first}\ndef second(x): return HOW['it'](x)",
        "assert first(1) == 7, 'my own check'\ndef second(x): return first(x)",
        "print(first(1))\n\ndef second(x): return first(x)",
    ],
)
def test_an_earlier_answer_that_is_not_there_costs_nothing_later(broken: str, uses: str) -> None:
    result = two(broken, uses)
    assert [mark.score for mark in result.marks] == [0, 1], result.marks
    assert result.marks[0].mistake in ("missing", "cell failed")
