"""What the slides and their notes say in words is so: each statement that a computer can check is computed here."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from examiner.grading import marking
from workshop import nudge

SLIDES = Path(__file__).parents[2] / "slides"
sys.path.insert(0, str(SLIDES))
import figures  # noqa: E402

DECK = re.sub(r"\s+", " ", (SLIDES / "deck.md").read_text("utf-8"))
ONE, TWO = nudge.logistic_regression(), nudge.one_hidden_layer()


def ratio(graph: nudge.Graph, name: str, delta: float) -> float:
    """ΔL/δ for a nudge of one quantity."""
    values = nudge.evaluate(graph)
    return (nudge.nudged(graph, values, name, delta)["L"] - values["L"]) / delta


def slope(graph: nudge.Graph, name: str) -> float:
    return nudge.derivatives(graph, nudge.evaluate(graph))[name]


def test_the_three_paths_read_so_many_points() -> None:
    assert "Forty steps each, same start, same η." in DECK
    (said,) = re.findall(r"which one has read the most points: (\d+), (\d+) and (\d+)", DECK)
    a_step = re.findall(r">(\d+) points? a step", figures.paths().svg())
    assert [int(n) for n in said] == [figures.STEPS * int(n) for n in a_step] and figures.STEPS == 40
    assert int(a_step[0]) == len(figures.small_problem())


def test_the_mean_of_the_steps_of_online_sgd_is_that_of_all_points() -> None:
    """And the penalty is whole in every one of them."""
    assert "The mean of this gradient over all i is the gradient of the objective. The penalty is whole" in DECK
    points, w = figures.small_problem(), (0.7, -0.3)
    each = [figures.mean_slope([point], w) for point in points]
    assert np.mean(each, axis=0) == pytest.approx(figures.mean_slope(points, w))
    assert np.subtract(each[0], figures.mean_slope(points[:1], w, lam=0.0)) == pytest.approx(0.02 * np.array(w))


def test_tanh_is_a_sigmoid_stretched_and_the_sigmoid_is_steepest_at_zero() -> None:
    assert "tanh(x) = 2σ(2x) − 1" in DECK and "Largest slope 1/4, at x = 0. Far out the slope dies" in DECK
    x = np.linspace(-9, 9, 1801)
    y = 1 / (1 + np.exp(-x))
    assert np.tanh(x) == pytest.approx(2 / (1 + np.exp(-2 * x)) - 1)
    rise = np.gradient(y, x)
    assert rise.max() == pytest.approx(1 / 4, abs=1e-4) and x[rise.argmax()] == pytest.approx(0, abs=1e-9)
    assert rise[[0, -1]] == pytest.approx(0, abs=2e-4)


def test_a_large_nudge_sees_the_mean_of_many_slopes() -> None:
    assert "a large $\\delta$ sees a mean of many slopes" in DECK
    values = nudge.evaluate(ONE)
    on_the_way = [nudge.nudged(ONE, values, "w1", delta) for delta in np.linspace(0, 1, 1001)]
    slopes = [at["x1"] * (at["y_hat"] - at["y"]) for at in on_the_way]
    assert ratio(ONE, "w1", 1.0) == pytest.approx(np.mean(slopes), rel=1e-3)
    assert ratio(ONE, "w1", 1.0) != pytest.approx(slope(ONE, "w1"), rel=0.1)
    assert "δ is 0.1 here, so ΔL/δ is near the derivative and not quite it" in DECK
    off = abs(ratio(ONE, "s", 0.1) / slope(ONE, "s") - 1)
    assert 0.001 < off < 0.1


@pytest.mark.parametrize("name", ["s", "b", "w1", "w2", "x1", "x2"])
def test_the_central_difference_stays_close_for_longer(name: str) -> None:
    assert "the central difference stays close for longer" in DECK
    right = slope(ONE, name)
    for delta in (0.1, 0.3, 1.0):
        central = (ratio(ONE, name, delta) + ratio(ONE, name, -delta)) / 2
        assert abs(central - right) < abs(ratio(ONE, name, delta) - right) / 2
    assert ratio(ONE, name, 1e-4) == pytest.approx(right, rel=1e-3)


def test_a_nudge_reaches_the_loss_by_one_hidden_unit_or_by_both() -> None:
    assert "one nudge reaches L by one hidden unit or by both" in DECK
    by = {name: {"h1", "h2"} & {*nudge.downstream(TWO, name)} for name in TWO.given}
    assert by["v11"] == by["c1"] == {"h1"} and by["v12"] == {"h2"} and by["x1"] == by["x2"] == {"h1", "h2"}


def test_the_nudge_says_how_large_the_forgotten_factor_is() -> None:
    assert "says how large the missing factor is" in DECK
    values = nudge.evaluate(TWO)
    guess = values["w1"] * slope(TWO, "s")
    assert ratio(TWO, "t1", 0.1) / guess == pytest.approx(values["h1"] * (1 - values["h1"]), rel=0.05)


def test_the_tests_of_the_notebook_nudge_by_what_the_slide_says() -> None:
    assert "with a central difference and δ = 0.00001, for every entry of every parameter" in DECK
    assert inspect.signature(marking.finite_difference).parameters["h"].default == 0.00001
    theta, seen = np.zeros((2, 3)), []
    marking.finite_difference(lambda at: seen.append(np.array(at)) or 0.0, theta)
    assert len(seen) == 2 * theta.size and {float(np.abs(at).max()) for at in seen} == {1e-5}
