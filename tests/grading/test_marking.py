"""Which known mistake a test names: the one that shows it all that the student's answer has shown it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from examiner.grading import marking
from workshop import _known, gradcheck
from workshop.gradcheck import WrongAnswer, compare

Floats = NDArray[np.float64]
PROBLEMS = [np.array([3.0, -1.0, 2.0]), np.array([0.5, 4.0]), np.array([2.0])]


def scale(x: Floats, *, factor: float = 2.0, shift: float = 0.0, of: Callable[[Floats], Any] = lambda x: x) -> Any:
    return factor * of(x) + shift


KNOWN = [
    ("sign", "The sign is wrong.", {"factor": -2.0}),
    ("shift", "One is added.", {"shift": 1.0}),
    ("sum", "It is a sum.", lambda x: np.sum(x)),
    ("division", "It is divided by a whole number.", lambda x: x / int("none")),
]


@pytest.fixture(autouse=True)
def _marker() -> Iterator[None]:
    marking.Marker({"scale": scale}, {"scale": KNOWN}).mark("scale")
    yield
    gradcheck.begin()


def run(answer: Callable[..., Any]) -> WrongAnswer:
    def test_scale(scale: Callable[..., Any]) -> None:
        for x in PROBLEMS:
            compare("scale(x)", scale(x), lambda x=x: 2 * x, d=len(x))

    with pytest.raises(WrongAnswer) as caught:
        gradcheck.check(test_scale, answer)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (lambda x: [-2 * v for v in x], "sign"),
        (lambda x: 2 * x + 1, "shift"),
        (lambda x: 1 - 2 * x, "sign and shift"),
        (lambda x: sum(x), "sum"),
        (lambda x: 2 * x / int("none"), "division"),
        (lambda x: -2 * x if len(x) > 1 else 2 * x, None),
        (lambda x: -2 * x if len(x) > 1 else -2.1 * x, None),
        (lambda x: -2 * x if len(x) > 1 else x / int("none"), None),
    ],
    ids=[
        "list",
        "sum",
        "two at once",
        "shape",
        "error",
        "right on one problem",
        "other numbers on one",
        "error on one",
    ],
)
def test_a_mistake_is_named_where_it_gives_the_students_numbers_on_every_problem(answer: Any, mistake: Any) -> None:
    wrong = run(answer)
    told = any(sentence in str(wrong) for _, sentence, _ in KNOWN)
    assert told == (mistake is not None) and (wrong.mistake == mistake or not told)


def test_nothing_but_nan_has_no_cause() -> None:
    assert run(lambda x: np.nan * x).mistake == "not finite"


def test_it_is_said_where_an_answer_is_wrong() -> None:
    assert "wrong where d = 1, and right elsewhere" in str(run(lambda x: 2 * x + (len(x) == 1) * 0.3))


def test_a_relation_counts_where_two_problems_show_it() -> None:
    assert run(lambda x: 3 * x).mistake == "constant factor"
    assert run(lambda x: (3 if len(x) == 3 else 5) * x - (len(x) == 2)).mistake is None


def test_a_right_earlier_answer_is_lent_and_what_the_cell_writes_anew_is_not() -> None:
    marker = marking.Marker({"first": abs, "scale": scale, "last": abs}, {})
    marker.mark("scale")
    assert list(marker.lent) == ["first"]
    gradcheck.begin(own=["first"])
    marker.mark("scale")
    assert not marker.lent


def test_a_visible_test_names_a_mistake_by_a_few_sums_of_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(gradcheck, "_named", lambda test, what: seen.append(what) or gradcheck.NOTHING)
    run(lambda x: 2 * x + 1)
    values, _ = _known.projections(seen[0])
    known = {"sentences": ["One is added."], "tests": {"test_scale": [[0, *values]]}}
    monkeypatch.setattr(_known, "_known", lambda: known)
    assert _known.named("test_scale", seen[0]).sentence == "One is added."
    run(lambda x: 2 * x + 1.001)
    assert not _known.named("test_scale", seen[1]).mistake
