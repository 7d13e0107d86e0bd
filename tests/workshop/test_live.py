"""The kernel's half of the live demo: it uses the student's functions, says what is wrong, and keeps nobody waiting."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import traitlets

from answers import answers
from workshop import _descent, _models, _page, _training, live
from workshop._descent import Descent
from workshop._widget import LogisticDemo, NetworkDemo, NudgeDemo, descent_picture, train

START = {
    "logistic": {"dataset": "blobs", "eta": 0.5, "batch_size": 8, "lam": 0.01},
    "network": {"dataset": "s_shape", "eta": 0.5, "batch_size": 8, "lam": 0.0, "n_hidden": 8},
}
SOURCE = {"logistic": "logistic_regression", "network": "mlp_sgd"}
KINDS = ("logistic", "network")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def right() -> dict[str, dict[str, Any]]:
    return {kind: answers(assignment) for kind, assignment in SOURCE.items()}


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much time for each picture as it takes, however busy the machine is."""
    for name in ("FIRST", "SETTLE", "PLAY", "FIELD", "TOGETHER", "CONTOUR"):
        monkeypatch.setattr(_descent, name, 60.0)
    monkeypatch.setattr(_models, "CUT", 60.0)


def ask(demo: Descent, do: str = "look", **more: Any) -> tuple[dict[str, Any], list[bytes]]:
    """One picture, with its arrays."""
    content, buffers = demo.reply({"do": do, "settings": {}, **more})
    return content["pictures"][-1], buffers


def write(kind: str, code: str) -> dict[str, Any]:
    """The right answers with one written anew, as by running its cell."""
    names = answers(SOURCE[kind])
    exec(compile(code, "<cell>", "exec"), names)
    return names


@pytest.mark.usefixtures("unhurried")
def test_training_lowers_the_objective_and_separates_the_points(kind: str, right: Any) -> None:
    demo = Descent(kind, right[kind], START[kind])
    first, _ = ask(demo, "restart")
    assert train(demo) == ""
    last, _ = ask(demo)
    assert last["objective"] < 0.5 * first["objective"]
    assert last["accuracy"] > 0.9 and last["fresh"] > 0.85


def test_the_field_is_the_students_probability_on_the_grid(kind: str, right: Any) -> None:
    demo = Descent(kind, right[kind], START[kind])
    train(demo)
    picture, buffers = ask(demo, fine=True)
    field = np.frombuffer(buffers[picture["order"].index("field")], dtype=np.uint16).reshape(100, 100)
    corner = np.array([[1, -1]]) * demo.radius * 0.99  # the last row and column are at the right, below
    assert picture["side"] == 100
    assert field[-1, -1] / 65535 == pytest.approx(demo.model.proba(demo.params, corner)[0], abs=1e-4)


def test_contours_are_the_students_objective(right: Any) -> None:
    demo = Descent("logistic", right["logistic"], START["logistic"])
    train(demo)
    picture, buffers = ask(demo, fine=True)
    values = np.frombuffer(buffers[picture["order"].index("contours")], dtype=np.float32).reshape(33, 33)
    w = np.array([picture["contours"]["wide"], -picture["contours"]["wide"]])
    want = right["logistic"]["objective"](w, demo.contours.b, demo.X, demo.y, 0.01)
    assert values[-1, -1] == pytest.approx(want, rel=1e-5)


@pytest.mark.usefixtures("unhurried")
def test_the_same_settings_give_the_same_training_at_any_pace(kind: str, right: Any) -> None:
    in_one_go, in_steps = (Descent(kind, right[kind], START[kind]) for _ in range(2))
    ask(in_one_go, "play", epochs=5)
    for _ in range(5):
        ask(in_steps, "play", epochs=1)
    assert ask(in_one_go)[0]["objective"] == ask(in_steps)[0]["objective"]


@pytest.mark.usefixtures("unhurried")
def test_a_step_is_one_minibatch(kind: str, right: Any) -> None:
    demo = Descent(kind, right[kind], START[kind])
    picture, _ = ask(demo, "step")
    assert picture["step"] == 1 and picture["epoch"] == pytest.approx(8 / 80)


@pytest.mark.usefixtures("unhurried")
def test_a_change_while_paused_retrains_from_the_same_start(kind: str, right: Any) -> None:
    demo = Descent(kind, right[kind], START[kind])
    train(demo)
    before = demo.params
    ask(demo, settings={"eta": 0.01})
    train(demo)
    assert demo.seen == demo.reach * 80 and not _same(demo.params, before)
    ask(demo, settings={"eta": 0.5})
    train(demo)
    assert _same(demo.params, before)


@pytest.mark.usefixtures("unhurried")
def test_a_change_while_playing_goes_on_from_where_it_is(kind: str, right: Any) -> None:
    demo = Descent(kind, right[kind], START[kind])
    ask(demo, "play", epochs=3)
    picture, _ = ask(demo, "play", epochs=1, settings={"eta": 0.1, "batch_size": 40})
    assert picture["step"] == 30 + 2


@pytest.mark.usefixtures("unhurried")
def test_curves_are_sent_once(kind: str, right: Any) -> None:
    demo = Descent(kind, right[kind], START[kind])
    first, _ = ask(demo, "play", epochs=2)
    second, buffers = ask(demo, "play", epochs=1, have={"points": first["points"], "curve": first["curve"]["now"]})
    rows = second["curve"]["now"][1] - first["curve"]["now"][1]
    assert "points" not in second["order"]
    assert len(buffers[second["order"].index("curve")]) == 8 * rows


@pytest.mark.usefixtures("unhurried")
def test_several_pictures_come_in_one_answer_while_it_plays(right: Any) -> None:
    demo = Descent("logistic", right["logistic"], {**START["logistic"], "batch_size": 80})
    content, buffers = demo.reply({"do": "play", "epochs": 1, "pictures": 3, "settings": {}})
    assert [picture["epoch"] for picture in content["pictures"]] == [1, 2, 3]
    assert sum(len(picture["order"]) for picture in content["pictures"]) == len(buffers)


def test_curves_stay_bounded() -> None:
    history = _training.History(2)
    for i in range(10_000):
        history.add(float(i), 0.0)
    assert len(history.rows) <= _training.HISTORY and history.version > 0


@pytest.mark.parametrize("kind, name", [
    *(("logistic", name) for name in ("predict_proba", "objective", "gradient", "minibatches", "sgd_epoch")),
    *(("network", name) for name in ("init_params", "forward", "objective", "backward", "train")),
])  # fmt: skip
def test_it_says_which_answer_it_waits_for(kind: str, name: str, right: Any) -> None:
    stub = write(kind, f"def {name}(*given):\n    raise NotImplementedError('Task')")
    missing = {key: value for key, value in right[kind].items() if key != name}
    for names in (stub, missing):
        picture, buffers = ask(Descent(kind, names, START[kind]), "train")
        assert picture["words"] == f"The demo waits for your answer `{name}`."
        assert picture["order"] == ["points", "freshPoints"] and len(buffers) == 2


def test_it_names_the_answer_inside_the_answer(right: Any) -> None:
    names = write("logistic", "def sigmoid(x):\n    raise NotImplementedError")
    assert ask(Descent("logistic", names, START["logistic"]))[0]["waiting"] == "sigmoid"


@pytest.mark.parametrize("kind, code, words", [
    ("logistic", "def gradient(w, b, X, y, lam):\n    return 1 / 0", "`gradient` stopped at line 2 of its cell: Zero"),
    ("logistic", "def predict_proba(X, w, b):\n    pass", "`predict_proba` returned None: is a `return` missing?"),
    ("logistic", "def predict_proba(X, w, b):\n    return X", "`predict_proba` returned an array of shape (80, 2)"),
    ("logistic", "def sgd_epoch(w, b, *rest):\n    return w", "`sgd_epoch` returned something of type ndarray"),
    ("logistic", "def minibatches(n, size, rng):\n    while True:\n        yield [0]", "`minibatches` goes on"),
    ("logistic", "def gradient(w, b, X, y, lam):\n    return w * np.nan, b", "Diverged: step 1 made the parameters"),
    ("network", "def forward(params, X):\n    return 3", "`forward` returned something of type int"),
    ("network", "def backward(*given):\n    return {}", "`sgd_step` stopped at line"),
    ("network", "def train(params, *given):\n    return params", "`train` never asked for a gradient"),
    ("network", "gradient = forward = 3", "`forward` is something of type int now, no function."),
])  # fmt: skip
def test_what_is_wrong_is_said_in_words(kind: str, code: str, words: str, right: Any) -> None:
    names = write(kind, code)
    demo = Descent(kind, names, START[kind])
    said = next((said for _ in range(20) if (said := ask(demo, "train")[0]["words"])), "")
    assert words in said


def test_a_large_step_diverges_in_words_and_keeps_the_picture(right: Any) -> None:
    demo = Descent("logistic", right["logistic"], {**START["logistic"], "eta": 30.0, "lam": 1.0})
    words = train(demo)
    assert words.startswith("Diverged")
    picture, _ = ask(demo)
    assert "field" in picture["order"] and picture["step"] > 0


def test_that_it_diverged_is_said_until_something_changes(right: Any) -> None:
    demo = Descent("logistic", right["logistic"], {**START["logistic"], "eta": 30.0, "lam": 1.0})
    words = train(demo)
    assert [ask(demo)[0]["words"] for _ in range(3)] == [words] * 3
    assert ask(demo, settings={"eta": 0.1})[0]["words"] == ""


@pytest.mark.parametrize("start, weights", [("equal", {_models.EQUAL}), ("zero", {0.0})])
def test_a_network_may_start_with_weights_all_the_same(start: str, weights: set[float], right: Any) -> None:
    demo = Descent("network", right["network"], {**START["network"], "start": start})
    ask(demo, "restart")
    assert set(demo.params["V"].flat) == set(demo.params["w"]) == weights


def test_a_mended_answer_is_used_at_once(right: Any) -> None:
    names = write("logistic", "def gradient(*given):\n    raise NotImplementedError")
    demo = Descent("logistic", names, START["logistic"])
    assert ask(demo, "train")[0]["waiting"] == "gradient"
    names["gradient"] = right["logistic"]["gradient"]
    assert ask(demo, "train")[0]["words"] == ""


def test_slow_answers_get_a_coarser_grid_and_short_turns(kind: str, right: Any) -> None:
    slow = "gradient" if kind == "logistic" else "backward"
    field = "predict_proba" if kind == "logistic" else "forward"
    names = dict(right[kind])

    def slowly(function: Any, seconds: Any) -> Any:
        return lambda *given: (time.sleep(seconds(*given)), function(*given))[1]

    names[slow] = slowly(right[kind][slow], lambda *given: 0.05)
    names[field] = slowly(
        right[kind][field], lambda *given: 2e-6 * max(np.shape(x)[0] for x in given if np.ndim(x) == 2)
    )
    demo = Descent(kind, names, START[kind])
    ask(demo, "play")
    picture, _ = ask(demo, "play", epochs=1, pictures=4)
    assert picture["step"] <= 4 and picture["side"] < 100


def test_prints_and_warnings_of_answers_stay_out_of_the_notebook(
    right: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import warnings\ndef objective(w, *rest):\n    print('here')\n    warnings.warn('odd')\n    return w @ w"
    assert train(Descent("logistic", write("logistic", code), START["logistic"])) == ""
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("data", _page.DATA)
def test_every_data_set_can_be_chosen(data: str, kind: str, right: Any) -> None:
    demo = Descent(kind, right[kind], START[kind])
    picture, buffers = ask(demo, settings={"dataset": data, "noise": 0.5})
    numbers = np.frombuffer(buffers[picture["order"].index("points")], dtype=np.float32).reshape(-1, 3)
    assert picture["words"] == "" and len(numbers) == 80 and np.abs(numbers[:, :2]).max() < picture["radius"]


def test_the_still_pictures_are_pictures(kind: str, right: Any) -> None:
    demo = Descent(kind, right[kind], START[kind])
    waiting = descent_picture(demo, "The demo waits for your answer `gradient`.")
    train(demo)
    trained = descent_picture(demo)
    assert all(picture.startswith(b"\x89PNG") for picture in (waiting, trained, NudgeDemo("network").picture()[0]))
    assert len(trained) > len(waiting)


def displayed(widget: Any) -> list[dict[str, Any]]:
    """What a notebook's cell shows that ends with the widget."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import display

    shown: list[dict[str, Any]] = []
    shell = InteractiveShell.instance()
    publish, shell.display_pub.publish = shell.display_pub.publish, lambda data, **more: shown.append(data)
    try:
        display(widget)
    finally:
        shell.display_pub.publish = publish
        InteractiveShell.clear_instance()
    return shown


def test_a_run_cell_leaves_words_a_widget_and_a_page_with_a_picture(right: Any) -> None:
    shown = displayed(live.logistic_demo(right["logistic"]))
    assert [set(data) - {"text/plain"} for data in shown] == [
        {"text/html"},
        {"application/vnd.jupyter.widget-view+json"},
        {"text/html", "image/png"},
    ]
    assert "<iframe" in shown[2]["text/html"] and "<img" in shown[2]["text/html"]


TRAITS = {"dataset": "moons", "eta": 0.25, "batch_size": 20, "lam": 0.1, "noise": 0.5, "gap": 4.0, "seed": 3}


def answer(demo: Any, do: str = "look", **settings: Any) -> None:
    """A question of the page, as it comes by the widget's channel."""
    message = {"key": demo.kind, "id": 1, "do": do, "settings": settings, "have": {}}
    demo.send = lambda content, buffers=None: None
    demo._asked(demo, message, [])


@pytest.mark.parametrize("name, value", TRAITS.items())
def test_a_trait_set_from_python_is_what_the_next_picture_is_made_with(name: str, value: Any, right: Any) -> None:
    demo = live.logistic_demo(right["logistic"])
    setattr(demo, name, value)
    answer(demo)
    assert demo._descents["logistic"].settings[name] == value == getattr(demo, name)


@pytest.mark.parametrize("name, value", TRAITS.items())
def test_what_the_page_sets_is_seen_by_observers(name: str, value: Any, right: Any) -> None:
    demo = live.logistic_demo(right["logistic"])
    seen: list[Any] = []
    demo.observe(lambda change: seen.append(change["new"]), name)
    answer(demo, **{name: value})
    answer(demo)
    assert seen == [value]


@pytest.mark.usefixtures("unhurried")
def test_step_objective_and_accuracy_follow_the_training(kind: str, right: Any) -> None:
    demo = {"logistic": LogisticDemo, "network": NetworkDemo}[kind](right[kind])
    answer(demo, "restart")
    first = demo.objective
    answer(demo, "play")
    answer(demo)  # as the page asks once nothing moves
    assert demo.step == 10 and demo.objective < first and 0.5 < demo.accuracy <= 1


def test_a_batch_larger_than_all_is_all(right: Any) -> None:
    demo = live.network_demo(right["network"], batch_size=500)
    answer(demo)
    assert demo.batch_size == 80


@pytest.mark.parametrize("name, value", [("dataset", "cube"), ("eta", -1.0), ("n_hidden", 0), ("start", "high")])
def test_what_cannot_be_set_is_refused(name: str, value: Any, right: Any) -> None:
    demo = live.network_demo(right["network"])
    with pytest.raises(traitlets.TraitError):
        setattr(demo, name, value)


def test_a_second_demo_beside_it_has_settings_of_its_own(right: Any) -> None:
    demo = live.network_demo(right["network"], eta=0.5)
    demo.send = lambda content, buffers=None: None
    demo._asked(demo, {"key": "network-b", "id": 1, "do": "play", "settings": {"eta": 0.01}, "have": {}}, [])
    assert (demo.eta, demo.step) == (0.5, 0)
    assert demo._descents["network-b"].settings["eta"] == 0.01


def test_under_grading_nothing_happens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    for demo in (live.logistic_demo({}), live.network_demo({}), live.nudge_demo("logistic")):
        assert displayed(demo) == []
    assert capsys.readouterr() == ("", "")


def test_importing_it_imports_no_widgets_and_no_figures() -> None:
    code = "import sys; from workshop import live; print([m for m in ('ipywidgets', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.strip() == "[]"


def _same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(_parts(one), _parts(other), strict=True))


def _parts(params: Any) -> Iterator[Any]:
    return iter(params.values() if isinstance(params, dict) else params)
