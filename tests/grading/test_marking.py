"""Which known mistake a test names: the one that shows it all that the student's answer has shown it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from examiner.grading import marking
from examiner.grading.source import numbers_in
from examiner.isolation.messages import standard
from workshop import _known, gradcheck
from workshop._errors import in_words
from workshop.gradcheck import WrongAnswer, beside, compare

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
    marking.begin()


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


def test_no_mistake_is_named_that_would_make_a_part_wrong_which_is_right() -> None:
    both = ("both", "Both have the wrong sign.", lambda x: (-x, -x))
    first = ("first", "The first has the wrong sign.", lambda x: (-x, x))
    marking.Marker({"parts": lambda x: (x, x)}, {"parts": [both, first]}).mark("parts")

    def test_parts(parts: Callable[..., Any]) -> None:
        for x in PROBLEMS:
            one, other = parts(x)
            compare("the first", one, x)
            beside(x, lambda other=other: other)  # type: ignore[misc]

    for answer, mistakes in [
        (lambda x: (-x, x), [first]),
        (lambda x: (-x, -x), [both]),
        (lambda x: (-x, 3 * x), [both, first]),  # two mistakes: no known one explains both parts
    ]:
        with pytest.raises(WrongAnswer) as caught:
            gradcheck.check(test_parts, answer)
        assert [mistake for mistake in (both, first) if mistake[1] in str(caught.value)] == mistakes


def test_an_error_is_told_in_its_own_words_and_in_a_tutors() -> None:
    told = str(run(lambda x: x if x > 0 else -x))
    assert "truth value of an array" in told and "np.where" in told


def test_a_mistake_that_stops_with_the_same_error_is_told_as_one_of_many() -> None:
    assert "One mistake that stops with this error: It is divided by a whole number." in str(run(lambda x: int("none")))


def test_two_mistakes_at_once_are_not_told_of_one_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Two mistakes" in str(run(lambda x: 1 - 2 * x))
    monkeypatch.setitem(globals(), "PROBLEMS", PROBLEMS[:1])
    assert "Two mistakes" not in str(run(lambda x: 1 - 2 * x))


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda rng: rng.standard_normal(3, 4), "shape of two sides"),
        (lambda rng: np.ones(2) ^ 2, "h squared is h**2"),
        (lambda rng: np.array_split(np.ones(2), 0), "into 0 parts"),
    ],
    ids=["shape in two arguments", "^ for **", "0 parts"],
)
def test_an_error_keeps_its_own_text_and_gets_a_tutors_words(work: Callable[..., Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        work(np.random.default_rng(1))
    assert standard(str(caught.value)) and words in in_words(caught.type.__name__, str(caught.value))


def test_the_numbers_of_an_answer_are_known_and_that_it_calls_itself() -> None:
    assert {1000, 0.5, 7} <= {*numbers_in("def f(n):\n    return n * 0.5 if n > 10**3 else 7")}
    assert sys.getrecursionlimit() in numbers_in("def f(n):\n    return f(n - 1)")
    assert not {*numbers_in("def f(:")}


def test_nothing_but_nan_has_no_cause() -> None:
    assert run(lambda x: np.nan * x).mistake == "not finite"


def test_it_is_said_where_an_answer_is_wrong() -> None:
    assert "wrong where d = 1, and right elsewhere" in str(run(lambda x: 2 * x + (len(x) == 1) * 0.3))


def test_sizes_are_told_as_they_were_seen_and_one_of_each_is_chance() -> None:
    def told(wrong_at: set[int]) -> str:
        def test_scale(scale: Callable[..., Any]) -> None:
            for d in (1, 2, 3, 4):
                x = np.arange(d) + 0.3
                compare("scale(x)", scale(x), 2 * x, d=d)

        with pytest.raises(WrongAnswer) as caught:
            gradcheck.check(test_scale, lambda x: 2 * x + (len(x) in wrong_at) * x**3)
        return str(caught.value)

    assert "wrong for d = 3, 4, and right for d = 1, 2." in told({3, 4})
    assert "right for" not in told({2, 3, 4}) and "right for" not in told({4})


def test_of_two_pairs_of_mistakes_none_is_told() -> None:
    again = ("again", "One is added by another hand.", {"of": lambda x: x - 0.5})
    marking.Marker({"scale": scale}, {"scale": [*KNOWN, again]}).mark("scale")
    assert "Two mistakes" not in str(run(lambda x: 1 - 2 * x))


def test_a_mistake_explains_the_whole_difference_from_what_is_right() -> None:
    rounded = ("rounded", "It is rounded.", {"of": lambda x: np.round(x, 5)})
    marking.Marker({"scale": lambda x, of=lambda x: x: of(2 * x)}, {"scale": [rounded]}).mark("scale")

    def told(answer: Callable[..., Any]) -> str:
        def test_scale(scale: Callable[..., Any]) -> None:
            x = np.array([0.1000024, 0.3000024, 0.7000024])
            compare("scale(x)", scale(x), 2 * x)

        with pytest.raises(WrongAnswer) as caught:
            gradcheck.check(test_scale, answer)
        return str(caught.value)

    assert "rounded" in told(lambda x: np.round(2 * x, 5) - 0.0)
    assert "rounded" not in told(lambda x: 2 * x + 8e-6)


def test_a_relation_counts_where_two_problems_show_it() -> None:
    assert run(lambda x: 3 * x).mistake == "constant factor"
    assert run(lambda x: (3 if len(x) == 3 else 5) * x - (len(x) == 2)).mistake is None


def test_a_right_earlier_answer_is_lent_and_what_the_cell_writes_anew_is_not() -> None:
    marker = marking.Marker({"first": abs, "scale": scale, "last": abs}, {})
    marker.mark("scale")
    assert list(marker.lent) == ["first"]
    marking.begin(own=["first"])
    marker.mark("scale")
    assert not marker.lent


def test_a_visible_test_names_a_mistake_by_a_few_sums_of_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(gradcheck, "_named", lambda test, what: seen.append(what) or gradcheck.NOTHING)
    run(lambda x: 2 * x + 1)
    values, _ = _known.projections(seen[0])
    known = {"sentences": ["One is added."], "tests": {"test_scale": [[0, 0, 0.0, *values]]}}
    monkeypatch.setattr(_known, "_known", lambda: known)
    assert _known.named("test_scale", seen[0]).sentence == "One is added."
    run(lambda x: 2 * x + 1.001)
    assert not _known.named("test_scale", seen[1]).mistake


def helper(x: Floats) -> Floats:
    """An earlier answer that is wrong."""
    return 3 * x


def test_an_earlier_mistake_costs_no_mark_and_what_follows_from_it_is_not_right() -> None:
    with pytest.raises(WrongAnswer):
        check_double(lambda x: helper(x))
    marking.Marker({"helper": lambda x: 2 * x, "double": scale}, {}).mark("double")
    check_double(lambda x: helper(x))
    assert helper(np.ones(1)) == 3
    with pytest.raises(WrongAnswer):
        check_double(lambda x: helper(x) - x)  # right with the helper as it is


def check_double(answer: Callable[..., Any]) -> None:
    def test_double(double: Callable[..., Any]) -> None:
        compare("double(x)", double(np.array([1.0, 2.0])), [2.0, 4.0])

    gradcheck.check(test_double, answer)


def test_what_an_answer_gives_may_be_left_to_another_test_and_not_what_it_changes() -> None:
    def test_wrong_and_kept(double: Callable[..., Any]) -> None:
        marking.leaves(double, np.array([1.0, 2.0]))

    def in_place(x: Floats) -> Floats:
        x *= 2
        return x

    gradcheck.check(test_wrong_and_kept, lambda x: x / int("nothing"))
    with pytest.raises(WrongAnswer, match="changes its argument x in place"):
        gradcheck.check(test_wrong_and_kept, in_place)


@pytest.mark.parametrize("step", [1e-8, 1e-5, 1e-3, 2.0**-10, 0.1, 0.5])
@pytest.mark.parametrize(
    "weights", [{1: 1, 0: -1}, {1: 1 / 2, -1: -1 / 2}, {2: -1 / 12, 1: 2 / 3, -1: -2 / 3, -2: 1 / 12}]
)
def test_numbers_that_are_differences_of_values_are_for_a_person(weights: dict[int, float], step: float) -> None:
    x, w = np.array([0.3, -1.7, 0.9]) * 1e-15, np.array([0.4, 0.2, -0.5])
    exact = x / (1 + np.exp(-w @ x))
    for formula in (exact, x * np.exp(w @ x) / (1 + np.exp(w @ x)), x * np.float32(1 / (1 + np.exp(-w @ x)))):
        marking.begin()
        marking.by_formula(formula, exact)
        assert marking.for_a_person() == ""
    slopes = [sum(c * np.logaddexp(0, (w + k * e) @ x) for k, c in weights.items()) / step for e in step * np.eye(3)]
    marking.by_formula(slopes, exact)
    assert "differences" in marking.for_a_person()


def test_an_answer_that_calls_what_it_is_the_derivative_of_is_for_a_person() -> None:
    marking.begin()
    marking.Marker({"objective": abs, "gradient": abs}, {}).mark("gradient", ["objective"])
    assert marking.for_a_person({"sigmoid"}) == ""
    assert "calls objective" in marking.for_a_person({"objective", "sigmoid"})


@pytest.mark.parametrize("asked", [("gradiant",), ("gradient", ["objectve"])])
def test_a_question_that_the_marking_tools_do_not_know_is_refused_and_the_known_ones_named(asked: Any) -> None:
    marker = marking.Marker({"objective": abs, "gradient": abs, "trained": None}, {})
    with pytest.raises(marking.ToolsFault, match=r"no question `(gradiant|objectve)`.*objective, gradient, trained"):
        marker.mark(*asked)
    marker.mark("trained")
    assert set(marker.lent) == {"objective", "gradient"}


def test_a_default_is_a_plain_number_in_the_answers_head() -> None:
    assert marking.default(lambda eps=1e-5: eps, "eps") == 1e-5
    assert marking.default(lambda eps=None: eps, "eps") is None
    assert marking.default(lambda eps: eps, "eps") is None
    assert marking.default(print, "eps") is None


def test_fresh_problems_follow_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    one = marking.fresh_rng("a").random()
    assert one == marking.fresh_rng("a").random() != marking.fresh_rng("b").random()
    monkeypatch.setattr(marking, "SEED", 1)
    assert one != marking.fresh_rng("a").random()


def test_a_generator_that_is_handed_to_an_answer_does_not_hold_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marking, "SEED", 90051)
    assert 90051 not in np.ravel(marking.fresh_rng("a").bit_generator.seed_seq.entropy)
