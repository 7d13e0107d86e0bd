"""The comparison behind every test: what it lets pass, in which order it looks, and what it says."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from workshop import gradcheck
from workshop.gradcheck import WrongAnswer, check, compare, lookup, right, unpack

N, LAM = 50, 0.3
RNG = np.random.default_rng(5)
W = RNG.standard_normal(4)
WANT = RNG.standard_normal(4) + LAM * W
FACTS: dict[str, Any] = dict(truth="finite difference", of="w", N=N, d=4, lam=LAM, w=W)

numbers = hnp.arrays(float, hnp.array_shapes(max_dims=3, max_side=5), elements=st.floats(-100, 100))


@pytest.fixture(autouse=True)
def _no_right_answers() -> None:
    right()


def wrong(name: str, got: Any, want: Any, **facts: Any) -> WrongAnswer:
    with pytest.raises(WrongAnswer) as caught:
        compare(name, got, want, **facts)
    return caught.value


@given(numbers)
def test_a_value_agrees_with_itself_as_nested_lists_and_in_single_precision(want: np.ndarray) -> None:
    compare("x", want.tolist(), want)
    compare("x", want.astype(np.float32), want)


@given(numbers.filter(lambda want: bool(np.abs(want).max() > 0.012)))
def test_one_part_in_ten_thousand_is_wrong(want: np.ndarray) -> None:
    wrong("x", want * 1.0001, want)


@pytest.mark.parametrize(
    "value", [1.5, np.float64(1.5), np.array(1.5), np.float32(1.5)], ids=lambda v: type(v).__name__
)
def test_a_number_may_be_of_any_numeric_type(value: Any) -> None:
    compare("x", value, 1.5)


@pytest.mark.parametrize(
    ("got", "says"),
    [
        (None, "is None"),
        ("1.0", "must be numbers, but is a str"),
        ({"w": 1.0}, "must be numbers, but is a dict"),
        ([[1.0, 2.0], [3.0]], "rows differ in length"),
        (np.ones(4, dtype=complex), "real numbers"),
        (np.ones((4, 1)), "shape (4, 1), but shape (4,) is asked"),
        (np.ones(1), "shape (1,), but shape (4,) is asked"),
        (1.0, "a sum or a mean taken that is not asked"),
        ([], "no number in it"),
        (np.ones((50, 4)), "a row for each point"),
    ],
    ids=str,
)
def test_none_type_and_shape_are_told_before_values(got: Any, says: str) -> None:
    assert says in str(wrong("grad_w", got, WANT, N=50))


def test_a_tuple_where_a_number_is_asked_is_told() -> None:
    assert "a tuple of 2 where one number" in str(wrong("objective", (0.5, 1.0), 0.5))


def test_nan_is_wrong() -> None:
    assert wrong("x", np.full(4, np.nan), WANT).mistake == "not finite"


@pytest.mark.parametrize(
    ("mistake", "spoilt"),
    [
        ("sign", -WANT),
        ("sum for mean", N * WANT),
        ("mean for sum", WANT / N),
        ("twice", 2 * WANT),
        ("half", WANT / 2),
        ("penalty forgotten", WANT - LAM * W),
        ("penalty doubled", WANT + LAM * W),
        ("penalty over N", WANT + (1 / N - 1) * LAM * W),
        ("penalty's sign", WANT - 2 * LAM * W),
        ("sum for mean", N * (WANT - LAM * W) + LAM * W),
        ("reversed", WANT[::-1]),
        ("all zero", 0 * WANT),
        ("constant factor", 1.7 * WANT),
        ("constant shift", WANT + 0.3),
        (None, WANT + RNG.standard_normal(4)),
    ],
    ids=str,
)
def test_a_telling_relation_names_the_mistake(mistake: str | None, spoilt: np.ndarray) -> None:
    assert wrong("grad_w", spoilt, WANT, **FACTS).mistake == mistake


def test_a_bias_that_is_penalised_is_seen() -> None:
    assert wrong("grad_b", 0.7 + LAM * 2.0, 0.7, of="b", N=N, lam=LAM, b=2.0).mistake == "bias penalised"


def test_a_transpose_is_seen_by_shape_and_by_value() -> None:
    square = RNG.standard_normal((3, 3))
    assert wrong("V", square.T, square).mistake == "transposed"
    assert wrong("V", np.ones((3, 2)), np.ones((2, 3))).mistake == "transposed"


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_noise_is_not_given_a_cause(seed: int) -> None:
    """Two unrelated arrays: whatever is said of them would be false."""
    rng = np.random.default_rng(seed)
    assert wrong("grad_w", rng.standard_normal(4), rng.standard_normal(4), **FACTS).mistake is None


def test_the_message_shows_entry_answer_truth_and_ratio() -> None:
    message = str(wrong("grad_w", [1.0, 4.0], [1.0, 2.0], truth="finite difference", N=3))
    assert "entry [1]: yours 4, finite difference 2, ratio 2" in message


def test_parts_of_a_pair_are_unpacked_with_plain_words() -> None:
    with pytest.raises(WrongAnswer, match="returned None"):
        unpack("gradient", None, "grad_w", "grad_b")
    with pytest.raises(WrongAnswer, match="2 values, but returned 3"):
        unpack("gradient", (1, 2, 3), "grad_w", "grad_b")
    with pytest.raises(WrongAnswer, match='without the key "V"'):
        lookup("backward", {"W": 1}, "V")


def run(answer: Callable[..., Any], **options: Any) -> None:
    def test(double: Callable[..., Any]) -> None:
        compare("double(x)", double(np.array([1.0, 2.0])), [2.0, 4.0])

    check(test, answer, **options)


def in_place(x: np.ndarray) -> np.ndarray:
    x *= 2
    return x


def test_an_argument_changed_in_place_is_told() -> None:
    with pytest.raises(WrongAnswer, match="changes its argument x in place"):
        run(in_place)
    run(in_place, untouched=False)


def test_what_an_answer_gives_may_be_left_to_another_test_and_not_what_it_changes() -> None:
    def wrong_and(double: Callable[..., Any]) -> None:
        gradcheck.leaves(double, np.array([1.0, 2.0]))

    check(wrong_and, lambda x: x / int("nothing"))
    with pytest.raises(WrongAnswer, match="changes its argument x in place"):
        check(wrong_and, in_place)


def test_no_cause_is_named_where_none_is_asked_for() -> None:
    assert wrong("grad_w", -WANT, WANT, explain=False, **FACTS).mistake is None


def test_an_error_in_an_answer_shows_the_line() -> None:
    def double(x: np.ndarray) -> np.ndarray:
        return x / int("nothing")

    with pytest.raises(WrongAnswer, match=r"double raised ValueError.*\n.*int\(\"nothing\"\)"):
        run(double)


def test_an_answer_that_ends_the_program_is_a_failed_test() -> None:
    with pytest.raises(WrongAnswer, match="SystemExit"):
        run(lambda x: sys.exit())


def test_an_unwritten_answer_is_told_as_such() -> None:
    def stub(x: np.ndarray) -> np.ndarray:
        raise NotImplementedError("double is still to be written")

    with pytest.raises(WrongAnswer, match="double is not written yet"):
        run(stub)


def test_warnings_and_stderr_are_kept_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    def noisy(x: np.ndarray) -> np.ndarray:
        warnings.warn("careful", stacklevel=1)
        print("careful", file=sys.stderr)
        return 2 * x + 0 * np.exp(-np.exp(1000 * x))

    run(noisy)
    assert capsys.readouterr().err == ""


def helper(x: np.ndarray) -> np.ndarray:
    """An earlier answer that is wrong."""
    return 3 * x


def test_an_earlier_mistake_costs_no_mark_here() -> None:
    with pytest.raises(WrongAnswer):
        run(lambda x: helper(x))
    right(helper=lambda x: 2 * x)
    run(lambda x: helper(x))
    assert helper(np.ones(1)) == 3


def test_what_follows_from_a_wrong_earlier_answer_is_not_right() -> None:
    right(helper=lambda x: x)
    with pytest.raises(WrongAnswer):
        run(lambda x: helper(x) - x)  # right with the helper as it is


def _squash(x: float) -> float:
    return -x


def test_a_right_answer_stands_wherever_the_earlier_one_is_kept_and_for_one_call_only() -> None:
    other_name = _squash

    def as_default(x: float, squash: Callable[[float], float] = _squash) -> float:
        return squash(x) + other_name(x)

    with gradcheck.standing_in({"_squash": lambda x: x + 1}, globals(), as_default):
        assert as_default(2.0) == 6.0
    assert as_default(2.0) == -4.0
    with gradcheck.standing_in({"_squash": lambda x: x + 1}, globals(), _squash):
        assert other_name(2.0) == -2.0  # the answer that is called stays as it is


class _Kept:
    """A class of the notebook's own that keeps an answer."""

    squash = staticmethod(_squash)

    def __init__(self) -> None:
        self.inner = _squash


def _closure(f: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: f(x)


def _keyword(x: float, *, f: Callable[[float], float] = _squash) -> float:
    return f(x)


_by_closure, _by_partial, _by_vectorize = _closure(_squash), functools.partial(_squash), np.vectorize(_squash)
_by_list, _by_tuple, _by_object = [{"squash": _squash}], (_squash, _keyword), _Kept()

KEPT: dict[str, Callable[[float], float]] = {
    "closure": lambda x: _by_closure(x),
    "keyword": lambda x: _keyword(x),
    "partial": lambda x: _by_partial(x),
    "vectorize": lambda x: float(_by_vectorize(x)),
    "dict in a list": lambda x: _by_list[0]["squash"](x),
    "tuple": lambda x: _by_tuple[0](x),
    "object": lambda x: _by_object.inner(x),
    "class": lambda x: _Kept.squash(x),
}


@pytest.mark.parametrize("kept", KEPT)
def test_a_right_answer_stands_wherever_the_notebook_keeps_the_own_one(kept: str) -> None:
    with gradcheck.standing_in({"_squash": lambda x: x + 1}, globals(), KEPT[kept]):
        assert KEPT[kept](2.0) == 3.0
    assert KEPT[kept](2.0) == -2.0


def test_a_function_of_another_module_is_replaced_under_its_name_alone() -> None:
    namespace = {"__name__": "notebook", "sigmoid": np.tanh, "tanh": np.tanh}
    with gradcheck.standing_in({"sigmoid": np.exp}, namespace, print):
        assert namespace["sigmoid"] is np.exp and namespace["tanh"] is np.tanh
    assert namespace["sigmoid"] is np.tanh


def test_a_name_that_the_notebook_lacks_is_there_for_one_call_only() -> None:
    namespace: dict[str, Any] = {"__name__": "notebook"}
    with gradcheck.standing_in({"sigmoid": np.exp}, namespace, print):
        assert namespace["sigmoid"] is np.exp
    assert "sigmoid" not in namespace


@pytest.mark.parametrize("step", [1e-8, 1e-5, 1e-3, 2.0**-10, 0.1, 0.5])
@pytest.mark.parametrize(
    "weights", [{1: 1, 0: -1}, {1: 1 / 2, -1: -1 / 2}, {2: -1 / 12, 1: 2 / 3, -1: -2 / 3, -2: 1 / 12}]
)
def test_numbers_that_are_differences_of_values_are_for_a_person(weights: dict[int, float], step: float) -> None:
    x, w = np.array([0.3, -1.7, 0.9]) * 1e-15, np.array([0.4, 0.2, -0.5])
    exact = x / (1 + np.exp(-w @ x))
    for formula in (exact, x * np.exp(w @ x) / (1 + np.exp(w @ x)), x * np.float32(1 / (1 + np.exp(-w @ x)))):
        gradcheck.begin()
        gradcheck.by_formula(formula, exact)
        assert gradcheck.for_a_person() == ""
    slopes = [sum(c * np.logaddexp(0, (w + k * e) @ x) for k, c in weights.items()) / step for e in step * np.eye(3)]
    gradcheck.by_formula(slopes, exact)
    assert "differences" in gradcheck.for_a_person()


def test_an_answer_that_calls_what_it_is_the_derivative_of_is_for_a_person() -> None:
    gradcheck.begin()
    gradcheck.derivative_of("objective")
    assert gradcheck.for_a_person({"sigmoid"}) == ""
    assert "calls objective" in gradcheck.for_a_person({"objective", "sigmoid"})


def test_a_default_is_a_plain_number_in_the_answers_head() -> None:
    assert gradcheck.default(lambda eps=1e-5: eps, "eps") == 1e-5
    assert gradcheck.default(lambda eps=None: eps, "eps") is None
    assert gradcheck.default(lambda eps: eps, "eps") is None
    assert gradcheck.default(print, "eps") is None


def test_fresh_problems_follow_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    one = gradcheck.fresh_rng("a").random()
    assert one == gradcheck.fresh_rng("a").random() != gradcheck.fresh_rng("b").random()
    monkeypatch.setattr(gradcheck, "SEED", 1)
    assert one != gradcheck.fresh_rng("a").random()


def test_a_generator_that_is_handed_to_an_answer_does_not_hold_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradcheck, "SEED", 90051)
    assert 90051 not in np.ravel(gradcheck.fresh_rng("a").bit_generator.seed_seq.entropy)


def test_the_students_own_check_reports_each_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    gradcheck.report({"w": WANT, "b": 2.0}, {"w": WANT, "b": 1.0}, N=N)
    told = capsys.readouterr().out
    assert "gradient of w: agrees" in told and "gradient of b is wrong" in told


def test_the_picture_of_a_lone_number_has_no_entries() -> None:
    with pytest.raises(gradcheck.WrongAnswer) as lone:
        gradcheck.compare("grad_b", 4.0, 1.0)
    with pytest.raises(gradcheck.WrongAnswer) as several:
        gradcheck.compare("grad_w", [4.0, 1.0], [1.0, 1.0])
    assert "entry" not in lone.value.table and "<b>grad_b</b> is wrong." in lone.value.table
    assert "relative error by entry" in several.value.table and "in 1 of its 2 entries" in several.value.table
