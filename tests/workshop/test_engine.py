"""The page's own engine in Chromium against Python, number by number: data, starts, orders, steps, nudge."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from answers import answers
from browser import chromium
from workshop import _page, nudge
from workshop._descent import Descent, grid

SOURCE = {"logistic": "logistic_regression", "network": "mlp_sgd"}
SEEDS: list[Any] = [0, 1, 38, 2**31 + 5, [0, 7, 0], [3, 1], [9, 7, 123, 4, 5, 6]]
TANH = """
def forward(params, X):
    t = X @ params["V"] + params["c"]
    h = np.tanh(t)
    s = h @ params["w"] + params["b"]
    return {"t": t, "h": h, "s": s, "y_hat": sigmoid(s)}

sigmoid_slope = tanh_slope
"""

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def engine() -> Iterator[Ask]:
    """Runs JavaScript with the engine's names at hand."""
    code = base64.b64encode((_page.HERE / "engine.js").read_bytes()).decode()
    with chromium() as browser:
        page = browser.new_page()

        def run(body: str, given: Any = None) -> Any:
            names = "{ Generator, draw, Engine, evaluate, nudged, downstream, derivatives }"
            load = f'const {names} = await import("data:text/javascript;base64,{code}");'
            return page.evaluate(f"async (given) => {{ {load} {body} }}", given)

        yield run


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_normal_numbers_are_numpys(engine: Ask, seed: Any) -> None:
    got = engine("return [...new Generator(given).normals(5000)]", seed)
    assert np.allclose(got, np.random.default_rng(seed).standard_normal(5000), rtol=1e-12, atol=1e-14)


def test_the_rare_far_numbers_are_numpys_too(engine: Ask) -> None:
    got = np.array(engine("return [...new Generator(9).normals(60000)]"))
    assert np.abs(got).max() > 3.66, "none came from the tail: the test shows nothing"
    assert np.allclose(got, np.random.default_rng(9).standard_normal(60_000), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_orders_are_numpys_one_after_the_other(engine: Ask, seed: Any) -> None:
    sizes = [80, 7, 1, 2, 129]
    body = "const g = new Generator(given.seed); return given.sizes.map((n) => [...g.permutation(n)])"
    rng = np.random.default_rng(seed)
    assert engine(body, {"seed": seed, "sizes": sizes}) == [list(rng.permutation(n)) for n in sizes]


@pytest.mark.parametrize("dataset", _page.DATA)
@pytest.mark.parametrize("noise, gap, seed", [(1.0, 5.0, 0), (0.3, 2.5, 4), (2.5, 3.0, 17)])
def test_the_points_are_those_of_python(engine: Ask, dataset: str, noise: float, gap: float, seed: int) -> None:
    settings = {"dataset": dataset, "noise": noise, "gap": gap, "seed": seed}
    got = {key: np.array(value) for key, value in engine(
        "return Object.fromEntries(Object.entries(draw(given)).map(([key, value]) => [key, [...value]]))", settings
    ).items()}  # fmt: skip
    want = Descent("logistic", {}, settings)
    assert np.allclose(got["X"].reshape(-1, 2), want.X, rtol=0, atol=1e-12)
    assert np.allclose(got["fresh"].reshape(-1, 2), want.fresh, rtol=0, atol=1e-12)
    assert (got["y"] == want.y).all() and (got["freshY"] == want.fresh_y).all()


def learnt(engine: Ask, kind: str, settings: dict[str, Any], steps: int) -> dict[str, Any]:
    """The engine's pictures after each step, with the parameters as they lie in memory."""
    body = """
    const engine = new Engine(given.kind, given.settings);
    engine.reply({ do: "restart" });
    const rows = [];
    for (let i = 0; i < given.steps; i++) {
      const { content } = engine.reply({ do: "step" });
      const { step, epoch, objective, accuracy, fresh } = content.pictures[0];
      rows.push({ step, epoch, objective, accuracy, fresh });
    }
    const curve = (name) => engine[name].rows;
    return { rows, params: [...engine.params], curve: curve("curve"), freshCurve: curve("freshCurve") };
    """
    return dict(engine(body, {"kind": kind, "settings": _page.SETTINGS[kind] | settings, "steps": steps}))


def reference(kind: str, settings: dict[str, Any], steps: int, code: str = "") -> tuple[Descent, list[dict[str, Any]]]:
    """The same by the answers of `source/`."""
    names = answers(SOURCE[kind])
    exec(compile(code, "<cell>", "exec"), names)
    demo = Descent(kind, names, settings)
    demo.reply({"do": "restart", "settings": {}})
    return demo, [demo.reply({"do": "step", "settings": {}})[0]["pictures"][0] for _ in range(steps)]


def flat(params: Any) -> Any:
    """Parameters in the engine's order."""
    if isinstance(params, tuple):
        return np.append(*params)
    return np.concatenate([np.ravel(params[key]) for key in ("V", "c", "w", "b")])


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("logistic", {}, ""),
    ("logistic", {"batch_size": 1, "eta": 0.1, "lam": 0.1, "seed": 3}, ""),
    ("logistic", {"batch_size": 80, "dataset": "moons"}, ""),
    ("logistic", {"batch_size": 33, "dataset": "s_shape", "gap": 2.0, "noise": 1.7}, ""),
    ("network", {"eta": 0.5}, ""),
    ("network", {"batch_size": 80, "n_hidden": 3, "lam": 0.01, "seed": 5}, ""),
    ("network", {"batch_size": 7, "n_hidden": 1, "eta": 0.3, "dataset": "circles"}, ""),
    ("network", {"start": "equal", "dataset": "xor", "lam": 0.003}, ""),
    ("network", {"start": "zero", "n_hidden": 16, "dataset": "spiral"}, ""),
    ("network", {"units": "tanh", "eta": 0.2, "lam": 0.01}, TANH),
]


@pytest.mark.parametrize("kind, settings, code", CASES, ids=lambda value: str(value)[:40])
def test_every_step_is_that_of_the_reference_answers(
    engine: Ask, kind: str, settings: dict[str, Any], code: str
) -> None:
    got = learnt(engine, kind, settings, 45)
    demo, want = reference(kind, settings, 45, code)
    for one, other in zip(got["rows"], want, strict=True):
        for name, value in one.items():
            assert value == pytest.approx(other[name], rel=1e-9), f"{name} in step {other['step']}"
    assert np.allclose(got["params"], flat(demo.params), rtol=1e-8, atol=1e-10)
    assert np.allclose(got["curve"], demo.curve.rows, rtol=1e-9)
    assert np.allclose(got["freshCurve"], demo.fresh_curve.rows, rtol=1e-9)


@pytest.mark.parametrize("kind", SOURCE)
def test_the_picture_is_the_probability_on_the_grid(engine: Ask, kind: str) -> None:
    body = """
    const engine = new Engine(given.kind, given.settings);
    engine.reply({ do: "step" });
    engine.cost = 1e-6;
    const { content, buffers } = engine.reply({ do: "look", fine: true });
    return { side: content.pictures[0].side, field: [...buffers[0]] };
    """
    got = engine(body, {"kind": kind, "settings": _page.SETTINGS[kind]})
    demo, _ = reference(kind, {}, 1)
    want = demo.model.proba(demo.params, grid(demo.radius, got["side"]))
    assert got["side"] == 100
    assert np.abs(np.array(got["field"]) / 65535 - want).max() < 2e-5


def test_it_says_that_it_diverged_until_something_is_changed(engine: Ask) -> None:
    body = """
    const engine = new Engine("logistic", given);
    const words = [];
    const ask = (message) => words.push(engine.reply(message).content.pictures[0].words);
    for (let i = 0; i < 400 && !words.at(-1); i++) ask({ do: "play", epochs: 20 });
    for (let i = 0; i < 3; i++) ask({ do: "look" });
    ask({ do: "look", settings: { eta: 0.1 } });
    return words.slice(-5);
    """
    *told, after = engine(body, _page.SETTINGS["logistic"] | {"eta": 30.0, "lam": 1.0})
    assert len(set(told)) == 1 and told[0].startswith("Diverged: step")
    assert after == ""


@pytest.mark.parametrize("name", ["logistic", "network"])
def test_the_nudge_is_pythons(engine: Ask, name: str) -> None:
    graph = {"logistic": nudge.logistic_regression, "network": nudge.one_hidden_layer}[name]()
    before = nudge.evaluate(graph)
    assert engine("return evaluate(given)", nudge.describe(graph)) == pytest.approx(before, rel=1e-14)
    grads = engine("return derivatives(given, evaluate(given))", nudge.describe(graph))
    assert grads == pytest.approx(nudge.derivatives(graph, before), rel=1e-13)
    for quantity in before:
        for delta in (-1.5, 1e-8, 0.25, 2.0):
            body = "return nudged(given.graph, evaluate(given.graph), given.quantity, given.delta)"
            got = engine(body, {"graph": nudge.describe(graph), "quantity": quantity, "delta": delta})
            want = nudge.nudged(graph, before, quantity, delta)
            assert got == pytest.approx(want, rel=1e-14, nan_ok=True), (quantity, delta)
        moved = engine(
            "return downstream(given.graph, given.quantity)", {"graph": nudge.describe(graph), "quantity": quantity}
        )
        assert tuple(moved) == nudge.downstream(graph, quantity)
