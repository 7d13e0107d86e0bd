"""The computation graph: its numbers are those of the formulas, and a small nudge agrees with backpropagation."""

from __future__ import annotations

import json
import math

import pytest

from workshop import nudge

GRAPHS = [nudge.logistic_regression(), nudge.one_hidden_layer()]
each_graph = pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)


def test_logistic_regression_is_the_formula() -> None:
    v = nudge.evaluate(nudge.logistic_regression(), {"x1": 3.0, "y": 0.0})
    s = v["x1"] * v["w1"] + v["x2"] * v["w2"] + v["b"]
    assert v["s"] == pytest.approx(s)
    assert v["L"] == pytest.approx(math.log(1 + math.exp(s)))


def test_network_is_the_formula() -> None:
    v = nudge.evaluate(nudge.one_hidden_layer())
    t1 = v["x1"] * v["v11"] + v["x2"] * v["v21"] + v["c1"]
    t2 = v["x1"] * v["v12"] + v["x2"] * v["v22"] + v["c2"]
    s = v["w1"] / (1 + math.exp(-t1)) + v["w2"] / (1 + math.exp(-t2)) + v["b"]
    assert v["s"] == pytest.approx(s)
    assert v["L"] == pytest.approx(math.log(1 + math.exp(-s)))


@each_graph
def test_every_derivative_is_what_a_small_nudge_shows(graph: nudge.Graph) -> None:
    values = nudge.evaluate(graph)
    grads = nudge.derivatives(graph, values)
    for name in values:
        up, down = (nudge.nudged(graph, values, name, delta)["L"] for delta in (1e-5, -1e-5))
        assert grads[name] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-8), name


@each_graph
def test_a_nudge_moves_what_lies_downstream_and_nothing_else(graph: nudge.Graph) -> None:
    values = nudge.evaluate(graph)
    for name in values:
        after = nudge.nudged(graph, values, name, 0.25)
        moved = {key for key in values if after[key] != values[key]}
        assert moved == {name, *nudge.downstream(graph, name)}


def test_the_finite_difference_parts_from_the_derivative_as_the_nudge_grows() -> None:
    graph = nudge.one_hidden_layer()
    values = nudge.evaluate(graph)
    grad = nudge.derivatives(graph, values)["x1"]
    errors = [abs((nudge.nudged(graph, values, "x1", d)["L"] - values["L"]) / d - grad) for d in (0.01, 0.1, 1.0)]
    assert errors == sorted(errors)


def test_a_probability_nudged_out_of_bounds_has_no_loss() -> None:
    graph = nudge.logistic_regression()
    assert math.isnan(nudge.nudged(graph, nudge.evaluate(graph), "y_hat", 2.0)["L"])


def test_an_unknown_quantity_is_refused() -> None:
    graph = nudge.logistic_regression()
    with pytest.raises(KeyError):
        nudge.nudged(graph, nudge.evaluate(graph), "v11", 0.1)


@each_graph
def test_the_description_is_plain_json(graph: nudge.Graph) -> None:
    assert len(json.loads(json.dumps(nudge.describe(graph)))["nodes"]) == len(graph.nodes)
