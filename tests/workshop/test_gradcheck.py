"""The comparison behind every test: what it lets pass, in which order it looks, and what it says."""

from __future__ import annotations

import operator
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
from workshop._diagnosis import Facts, diagnose
from workshop.gradcheck import WrongAnswer, check, compare, lookup, unpack

N, LAM = 50, 0.3
RNG = np.random.default_rng(5)
W = RNG.standard_normal(4)
WANT = RNG.standard_normal(4) + LAM * W
FACTS = Facts("finite difference", "w", {"N": N, "d": 4}, {"lam": np.array(LAM), "w": W})

numbers = hnp.arrays(float, hnp.array_shapes(max_dims=3, max_side=5), elements=st.floats(-100, 100))


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
        (1.0, "One number stands where each entry has its own"),
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
    assert diagnose(spoilt, WANT, FACTS).mistake == mistake


def test_a_bias_that_is_penalised_is_seen() -> None:
    facts = Facts("finite difference", "b", {"N": N}, {"lam": np.array(LAM), "b": np.array(2.0)})
    assert diagnose(np.array(0.7 + LAM * 2.0), np.array(0.7), facts).mistake == "bias penalised"


def test_a_transpose_is_seen_by_shape_and_by_value() -> None:
    square = RNG.standard_normal((3, 3))
    assert diagnose(square.T, square, Facts("should be", None, {}, {})).mistake == "transposed"
    assert wrong("V", np.ones((3, 2)), np.ones((2, 3))).mistake == "transposed"


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_noise_is_not_given_a_cause(seed: int) -> None:
    """Two unrelated arrays: whatever is said of them would be false."""
    rng = np.random.default_rng(seed)
    assert diagnose(rng.standard_normal(4), rng.standard_normal(4), FACTS).mistake is None


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


def test_an_error_in_an_answer_shows_the_line() -> None:
    def double(x: np.ndarray) -> np.ndarray:
        return x / int("nothing")

    with pytest.raises(WrongAnswer, match=r"double raised ValueError.*\n.*int\(\"nothing\"\)"):
        run(double)


@pytest.mark.parametrize(
    ("raises", "never"),
    [
        (lambda: np.ones(2) @ np.float64(3), "take *"),
        (lambda: np.ones((2, 3)) @ np.ones(2), "transpose"),
        (lambda: operator.getitem((1, 2), "w"), "//"),  # type: ignore[call-overload]
        (lambda: (1, 2) * 0.5, "np.array"),  # type: ignore[operator]
    ],
)
def test_a_hint_says_no_more_than_the_error_does(raises: Callable[[], Any], never: str) -> None:
    with pytest.raises(WrongAnswer) as caught:
        check(lambda f: f(), raises)
    *_, line, hint = str(caught.value).split("\n")
    assert hint and line and never not in hint


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
