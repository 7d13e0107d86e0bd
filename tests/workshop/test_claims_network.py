"""What the notebook on the network says is so, computed from what its cells draw."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lesson import ROOT, Lesson, ran
from workshop import gradcheck, points
from workshop._page import SETTINGS
from workshop._training import Training

Trained = Callable[[int, int], Any]
SEEDS = range(1, 7)


@pytest.fixture(scope="module")
def network() -> Iterator[Lesson]:
    yield from ran("mlp_sgd")


@pytest.fixture(scope="module")
def trained(network: Lesson) -> Trained:
    """The notebook's own network of H units, trained from a seed; each is trained once."""
    names = network.after["plot_units"]
    return functools.cache(lambda H, seed: names["trained"](H, names["X"], names["y"], seed))


def test_small_weights_begin_near_the_logarithm_of_two(network: Lesson) -> None:
    network.says("the objective begins near the logarithm of 2, 0.693")
    names = network.after["start_objective"]
    for H in (2, 8, 20):
        begin = names["init_params"](2, H, np.random.default_rng(5))
        value = names["objective"](begin, names["forward"](begin, names["X"])["s"], names["y"], 0.0)
        assert value == pytest.approx(0.693, abs=0.01)


def test_a_batch_is_the_mean_of_its_points(network: Lesson) -> None:
    network.says(r"\frac{1}{N}\,\mathbf{X}^\top \frac{\partial L}{\partial \mathbf{t}}")
    names = network.after["slopes"]
    X, y, params = names["X"], names["y"], names["init_params"](2, 3, np.random.default_rng(1), 1.0)
    each = [names["slopes"](params, X[[i]], y[[i]]) for i in range(len(y))]
    whole, cache = names["slopes"](params, X, y), names["forward"](params, X)
    by_t = np.outer(cache["y_hat"] - y, params["w"]) * cache["h"] * (1 - cache["h"])
    assert by_t.shape == (len(y), 3)
    for key, formula in (
        ("V", X.T @ by_t / len(y)),
        ("w", cache["h"].T @ (cache["y_hat"] - y) / len(y)),
        ("c", by_t.mean(axis=0)),
    ):
        assert whole[key] == pytest.approx(np.mean([slopes[key] for slopes in each], axis=0))
        assert whole[key] == pytest.approx(formula)


def test_slopes_shrink_and_die(network: Lesson) -> None:
    network.says("never above ¼, so at most a quarter comes through")
    network.says("$\\tanh$ lets up to 1 through, and saturates as well")
    (functions,) = network.drawn["plot_activations"][0][1]
    t = np.linspace(-20, 20, 4001)
    for (function, slope), top in zip(functions.values(), (0.25, 1.0), strict=True):
        assert np.max(slope(function(t))) == pytest.approx(top)
        assert np.max(slope(function(t[np.abs(t) > 10]))) < 1e-4
        rise = (function(t + 1e-5) - function(t - 1e-5)) / 2e-5
        assert slope(function(t)) == pytest.approx(rise, abs=1e-8)


def test_validation_chooses_and_a_third_set_marks(network: Lesson) -> None:
    network.says("one mark from 94 %, which no straight line reaches, and full marks from 95 %")
    names = network.after["accuracy"]
    shown = [(names["X"], names["y"]), (names["X_val"], names["y_val"]), (names["X_new"], names["y_new"])]
    training, _, new = (names["accuracy"](names["trained_params"], *each) for each in shown)
    assert training > new > 95
    for cell, least in (("test_trained_params_better_than_a_line", 94), ("test_trained_params", 95)):
        assert re.search(rf"earlier, {least}, ", network.source(cell))
    drawn = {tuple(row) for X, _ in shown for row in X}
    assert len(drawn) == sum(len(X) for X, _ in shown)  # no point is in two sets


def test_who_is_chosen_by_validation_points_is_flattered_by_them(network: Lesson, trained: Trained) -> None:
    """Of nine networks that are all as good, the best on each of sixty sets of validation points."""
    network.says("once you have chosen by the validation points, they flatter your choice a little too")
    names = network.after["plot_units"]
    networks = [trained(H, seed) for H in (3, 8, 20) for seed in (1, 2, 3)]

    def shares(seed: int, per_blob: int) -> Any:
        X, y = points.s_shape(rng=seed, gap=5.0, per_blob=per_blob)
        X = points.standardise(X, like=names["X_raw"])
        return np.array([names["accuracy"](params, X, y) for params in networks])

    true, flattered = shares(999, 2500), []
    for seed in range(60):
        shown = shares(seed, 25)
        over = shown - true
        flattered.append(over[shown.argmax()] - over.mean())
    assert np.mean(flattered) > 0.2


def test_equal_epochs_are_not_equal_steps(network: Lesson) -> None:
    network.says("here 60, 600 and 4800")
    assert [re.findall(r"(\d+) steps", name) for name in network.picture("race")] == [["60"], ["600"], ["4800"]]


def test_what_each_hidden_unit_adds(network: Lesson, trained: Trained) -> None:
    network.says("One unit: a straight line", "From three units on the S is followed, and twenty do no harm here")
    network.says("Each further unit can add a step to it: a bend one way and a bend back", "So two can follow the S")
    assert "can add a step to it, a bend one way and a bend back" in (ROOT / "slides/deck.md").read_text("utf-8")
    network.says(
        "Of six starts, two find both bends; four get stuck", "(Drawn are seeds 1 to 3; of seeds 4 to 6, seed 4 finds"
    )
    network.says("from three units on every start that was tried finds it")
    names = network.after["plot_units"]
    new = names["X_new"], names["y_new"]
    for H, seeds in ((3, SEEDS), (8, (1, 2, 3)), (20, (1, 2, 3))):
        for seed in seeds:
            assert names["accuracy"](trained(H, seed), *new) > 97
            assert bends(names["forward"], trained(H, seed)) == 2
    found = {seed for seed in SEEDS if names["accuracy"](trained(2, seed), *new) > 95}
    assert found == {2, 4} == {seed for seed in SEEDS if bends(names["forward"], trained(2, seed)) == 2}
    assert all(bends(names["forward"], trained(2, seed)) < 2 for seed in set(SEEDS) - found)
    assert straight(names["forward"], trained(1, 1)) and bends(names["forward"], trained(1, 1)) == 0


def bends(forward: Callable[..., Any], params: Any) -> int:
    """How often the boundary turns back on its way up: each row of the plane has to meet it once."""
    x1, boundary = np.linspace(-4, 4, 801), []
    for x2 in np.linspace(-2.2, 2.2, 200):
        side = forward(params, np.column_stack([x1, np.full_like(x1, x2)]))["y_hat"] > 0.5
        (crossing,) = np.flatnonzero(side[1:] != side[:-1])
        boundary.append(crossing)
    ways = np.sign(np.diff(boundary))
    return int(np.sum(np.diff(ways[ways != 0]) != 0))


def test_in_the_demo_two_units_follow_the_s_or_get_stuck_near_a_line(network: Lesson) -> None:
    deck = (ROOT / "slides/deck.md").read_text("utf-8")
    assert "Two may follow the S or get stuck near a line, by where they start" in deck
    names = network.after["plot_units"]
    turns = {}
    for seed in (0, 2):
        shown = Training("network", names, SETTINGS["network"] | {"n_hidden": 2, "seed": seed})
        shown.advance(200, time.perf_counter() + 60)
        turns[seed] = bends(names["forward"], shown.params)
    assert turns[0] < 2 == turns[2]


def straight(forward: Callable[..., Any], params: Any) -> bool:
    """Whether the boundary is one straight line: the decision value grows or falls along the one direction it has."""
    x1, x2 = np.meshgrid(np.linspace(-2.5, 2.5, 60), np.linspace(-2.5, 2.5, 60))
    grid = np.column_stack([x1.ravel(), x2.ravel()])
    direction = np.asarray(params["V"]).mean(axis=1)
    s = forward(params, grid)["s"][np.argsort(grid @ direction)]
    return bool(np.all(np.diff(s) >= -1e-9) or np.all(np.diff(s) <= 1e-9))


def test_two_units_get_stuck_in_a_valley_of_its_own(network: Lesson, trained: Trained) -> None:
    network.says("in a valley of its own that no way downhill leads out of")
    names = network.after["plot_units"]
    X, y, slopes = names["X"], names["y"], names["slopes"]

    def value(params: Any) -> float:
        return float(names["objective"](params, names["forward"](params, X)["s"], y, 0.0))

    ends = {}
    for seed in (1, 2):
        params = trained(2, seed)
        for _ in range(5000):
            grads = slopes(params, X, y)
            params = {key: params[key] - grads[key] for key in params}
        ends[seed] = params
    assert value(ends[1]) > 3 * value(ends[2])
    for key, entries in ends[1].items():  # the objective curves upwards from there, whatever number is changed
        for i in np.ndindex(np.shape(entries)):
            nudge = np.zeros(np.shape(entries))
            nudge[i] = 0.05
            there = [value({**ends[1], key: entries + sign * nudge}) for sign in (1, -1)]
            assert sum(there) > 2 * value(ends[1])


def test_twenty_units_learn_noise_by_heart_and_two_do_not(network: Lesson) -> None:
    network.says("With twice the noise the classes overlap")
    few, few_val, many, many_val = (np.array(run) for run in network.picture("plot_overfit").values())
    assert many[-1] > 95 > few[-1] and many[-1] > many[:10].max() + 5  # it rises
    assert many_val[-1] < few_val[-1] - 3
    assert many_val[-1] < many_val[:10].max() - 3  # it falls while training goes on
    assert few_val[-1] > few_val[:10].max() - 3


def test_each_remedy_that_is_named_keeps_twenty_units_from_learning_by_heart(network: Lesson) -> None:
    network.says("prevents it by fewer units, an earlier stop, the penalty λ, or more data")
    names = network.after["plot_overfit"]
    X_raw, _ = points.s_shape(rng=38, gap=5.0, noise=2.0)
    X_more, y_more = points.s_shape(rng=39, gap=5.0, noise=2.0, per_blob=100)
    X_check, y_check = points.s_shape(rng=6, gap=5.0, noise=2.0, per_blob=250)

    def share(X_raw: Any, y: Any, epochs: int, lam: float = 0.0) -> float:
        rng = np.random.default_rng(2)
        start = names["init_params"](2, 20, rng, 1.0)
        X = points.standardise(X_raw)
        end = names["train"](start, lambda *batch: names["slopes"](*batch, lam=lam), X, y, 2.0, 8, epochs, rng)
        return float(names["accuracy"](end, points.standardise(X_check, like=X_raw), y_check))

    by_heart = np.array(list(network.picture("plot_overfit").values())[3])[-1]
    y = names["y_noisy"]
    for remedied in (share(X_raw, y, 100), share(X_raw, y, 1000, 0.001), share(X_more, y_more, 200)):  # as many steps
        assert remedied > by_heart + 5


def test_the_classes_overlap_with_twice_the_noise_and_hardly_before(network: Lesson) -> None:
    """Even who knows the blobs that the points are drawn from gets so many wrong."""
    network.says("With twice the noise the classes overlap", "the classes hardly overlap")
    wrong = []
    for noise in (1.0, 2.0):
        X, y = points.s_shape(rng=3, gap=5.0, noise=noise, per_blob=2500)
        centres = points.S_CENTRES, points.S_CENTRES + np.array([5.0, 0.0])
        far = [((X[:, None] - each) ** 2).sum(axis=2) for each in centres]
        density = [np.exp(-each / (2 * noise**2)).sum(axis=1) for each in far]
        wrong.append(float(np.mean((density[1] > density[0]) != y)))
    assert wrong[0] < 0.02 and wrong[1] > 0.1


def test_equal_units_stay_equal(network: Lesson) -> None:
    network.says("If all weights start equal, all hidden units stay equal", "only one different hidden unit")
    names = network.after["plot_equal"]
    V, w = names["equal"]["V"], names["equal"]["w"]
    assert np.allclose(V, V[:, :1]) and np.allclose(w, w[0]) and np.linalg.norm(V[:, 0]) > 1
    assert straight(names["forward"], names["equal"])


def test_the_ways_further_of_the_network(network: Lesson) -> None:
    network.says("Here their objective ends lowest, and so does their share of the validation points")
    starts = network.picture("further_start")
    tiny, _, _, huge = (np.array(run) for run in starts.values())
    names = network.after["further_start"]
    begin = names["forward"](names["init_params"](2, 8, np.random.default_rng(1), 30.0), names["X"])
    assert np.median(begin["h"] * (1 - begin["h"])) < 1e-4  # saturated
    assert np.mean(np.abs(begin["y_hat"] - 0.5)) > 0.45 and np.mean((begin["y_hat"] > 0.5) != names["y"]) > 0.25
    assert tiny[5] > 0.5 and huge[0] > 5  # takes long to part; begins sure and wrong
    assert huge[-1] == min(run[-1] for run in starts.values())
    shares = [float(share) for share in re.findall(r"([\d.]+) % of validation", " ".join(starts))]
    assert len(shares) == 4 and shares[-1] < min(shares[:-1])
    for scale, still in ((1.0, False), (30.0, True)):
        rng = np.random.default_rng(1)
        start = names["init_params"](2, 8, rng, scale)
        end = names["train"](start, names["slopes"], names["X"], names["y"], 1.0, 8, 60, rng)
        assert (np.linalg.norm(end["V"] - start["V"]) < 0.2 * np.linalg.norm(start["V"])) == still
    network.says("The raw $x_2$ runs from about −1 to 15")
    x2 = network.after["setup"]["X_raw"][:, 1]
    assert (round(x2.min()), round(x2.max())) == (-1, 15)
    standardised, raw = (np.array(run) for run in network.picture("further_raw").values())
    assert len(raw) == 101  # from before the first epoch to after the last
    assert np.std(raw[20:]) > 3 * np.std(standardised[20:])
    titles = " ".join(network.picture("further_data"))
    assert all(float(p) > 95 for p in re.findall(r"(?:moons|circles|xor): (\d+) %", titles))
    before = float(re.findall(r"spiral: (\d+) %", titles)[0])
    assert before < 80
    network.says("The spiral is hard: try more units, more epochs, a larger start")
    names = network.after["further_data"]
    for more in ({"H": 20}, {"epochs": 2000}, {"scale": 3.0}):
        end = names["trained"](**{"H": 8, "X": names["X_other"], "y": names["y_other"], "scale": 1.0} | more)
        assert names["accuracy"](end, names["X_other"], names["y_other"]) > before + 10


def test_tanh_takes_the_slope_that_was_written_for_it(network: Lesson) -> None:
    """The exercise can be done as it says: the two places changed, the gradient is right, and the picture has it."""
    network.says("change the two places where the hidden layer uses $\\sigma$")
    names = network.after["further_tanh"]
    sources = {cell["metadata"]["nbgrader"]["grade_id"]: "".join(cell["source"]) for cell in network.cells}
    forward = sources["forward"].replace("def forward", "def forward_tanh").replace("h = sigmoid(t)", "h = np.tanh(t)")
    backward = sources["backward"].replace("def backward", "def backward_tanh").replace("sigmoid_slope", "tanh_slope")
    exec(forward + "\n" + backward, names)
    params, X, y = names["init_params"](2, 3, np.random.default_rng(1), 1.0), names["X"], names["y"]
    grads = names["backward_tanh"](params, X, y, names["forward_tanh"](params, X), 0.1)
    for key, entries in params.items():
        for i in np.ndindex(np.shape(entries)):
            nudge = np.zeros(np.shape(entries))
            nudge[i] = 1e-5
            up, down = ({**params, key: entries + sign * nudge} for sign in (1, -1))
            ends = [names["objective"](each, names["forward_tanh"](each, X)["s"], y, 0.1) for each in (up, down)]
            gradcheck.compare(key, np.asarray(grads[key])[i], (ends[0] - ends[1]) / 2e-5)
