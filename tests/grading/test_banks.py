"""A part of the banks through the real grading path, in under two minutes; `make adequacy` grades them all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))
import adequacy
import mutants
from examiner.grading.assignment import Assignment
from examiner.grading.grade import grade

ALL = list(adequacy.cases())
QUESTIONS = sorted({(case.assignment, case.question) for case in ALL})


def of(question: tuple[str, str], kind: str) -> list[adequacy.Case]:
    return [case for case in ALL if (case.assignment, case.question, case.kind) == (*question, kind)]


def test_the_banks_are_as_large_as_they_must_be_and_cover_every_question() -> None:
    assert sum(case.kind == "wrong" for case in ALL) >= 200
    assert sum(case.kind == "right" for case in ALL) >= 80
    assert all(of(question, "wrong") and of(question, "right") for question in QUESTIONS)
    answered = {(a, cell.grade_id) for a in ("logistic_regression", "mlp_sgd") for cell in assignment(a).cells
                if cell.kind == "solution" and cell.cell_type == "code"}  # fmt: skip
    assert set(QUESTIONS) == answered


def test_no_two_answers_of_a_question_have_one_name() -> None:
    for question in QUESTIONS:
        names = [case.name for kind in ("wrong", "right") for case in of(question, kind)]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("question", QUESTIONS, ids="/".join)
def test_some_right_answers_of_each_question_keep_their_marks(question: tuple[str, str]) -> None:
    chosen = of(question, "right")[1::12]
    verdicts = [adequacy.grade_case(case) for case in chosen if "for ever" not in case.name]
    assert not adequacy.failed(verdicts), adequacy.misses(verdicts)


@pytest.mark.parametrize("question", QUESTIONS, ids="/".join)
def test_some_wrong_answers_of_each_question_lose_their_own_marks_alone(question: tuple[str, str]) -> None:
    chosen = of(question, "wrong")[len(question[1]) % 5 :: 27]
    verdicts = [adequacy.grade_case(case) for case in chosen if "for ever" not in case.name]
    assert not adequacy.failed(verdicts), adequacy.misses(verdicts)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    case=st.sampled_from([case for case in ALL if case.kind == "right" and "for ever" not in case.name]),
    secret=st.binary(max_size=16),
)
def test_a_right_answer_keeps_its_marks_whatever_the_problems_are(case: adequacy.Case, secret: bytes) -> None:
    verdict = adequacy.grade_case(case, secret)
    assert verdict.passed and not verdict.leaks, adequacy.misses([verdict])


def test_the_problems_depend_on_the_secret_and_are_recorded_and_the_marks_do_not() -> None:
    case = next(
        case for case in of(("logistic_regression", "gradient"), "wrong") if "part in ten thousand" in case.name
    )
    original = adequacy.source(case.assignment)
    handed_in = adequacy.submission(original, case.cells)
    results = [grade(handed_in, assignment(case.assignment), secret) for secret in (b"one", b"two", b"one")]
    assert results[0].seed == results[2].seed != results[1].seed
    assert len({tuple(mark.score for mark in result.marks) for result in results}) == 1
    assert [mark.message for mark in results[0].marks] == [mark.message for mark in results[2].marks]


def test_mutation_changes_one_thing_at_a_time() -> None:
    changed = [code for _, code in mutants.mutants("def f(a, b):\n    return a - b / 2\n")]
    assert "def f(a, b):\n    return a + b / 2" in changed
    assert "def f(a, b):\n    return a" in changed
    assert "def f(a, b):\n    return None" in changed
    assert len(set(changed)) == len(changed)


def assignment(name: str) -> Assignment:
    return Assignment.from_notebook(adequacy.source(name), name)
