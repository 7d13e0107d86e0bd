"""What the notebook on logistic regression says is so, computed from what its cells draw; and the frame of both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib
import numpy as np
import pytest
import yaml

from lesson import ROOT, Lesson, best_line, ran
from workshop import _models, plots, points, progress
from workshop._page import SETTINGS
from workshop._training import Training

NAMES = ("logistic_regression", "mlp_sgd")
SETTLED = 0.01
LARGEST = float(f"{10**1.5:.3g}")  # step size of the demo, where its slider says 32


@pytest.fixture(scope="module")
def line() -> Iterator[Lesson]:
    yield from ran("logistic_regression")


# --- the frame: questions, marks, minutes ---


@pytest.mark.parametrize("name", NAMES)
def test_the_questions_that_progress_knows_are_those_of_the_notebook(name: str) -> None:
    cells = Lesson(name).cells
    marks: dict[str, int] = {}
    heading, found = 0, []
    for cell in cells:
        source, about = "".join(cell["source"]), cell["metadata"]["nbgrader"]
        if cell["cell_type"] == "markdown" and (number := re.match(r"## (\d+) · ", source)):
            heading = int(number[1])
        elif cell["cell_type"] == "code" and about["solution"]:
            defines = re.findall(r"^def (\w+)", source, re.M) or ["rng", "untrained", "trained_params"]
            found.append((heading, about["grade_id"], tuple(defines)))
        elif about["grade"] and cell["cell_type"] == "code":
            test = re.match(r"# Test: (.+) \((\d+) marks?\)\n", source)
            assert test and f"test_{test[1].replace(' ', '_')}" == about["grade_id"]
            assert int(test[2]) == about["points"]
            marks[found[-1][1]] = marks.get(found[-1][1], 0) + int(test[2])
    known = progress.questions(name)
    assert [(q.number, q.name, q.defines) for q in known] == found
    assert {q.name: q.marks for q in known} == marks


def minutes(name: str) -> dict[str, int]:
    """The minutes of each heading and of each written question."""
    text = "\n".join("".join(cell["source"]) for cell in Lesson(name).cells if cell["cell_type"] == "markdown")
    headings = re.findall(r"^## (.+) \((\d+) minutes\)$", text, re.M)
    return {title: int(m) for title, m in [*headings, *re.findall(r"^\*\*(\d+)\.\*\* \((\d+) minutes\)", text, re.M)]}


@pytest.mark.parametrize("where", ["source", "slides/deck.md", "src/workshop"])
def test_the_step_size_has_one_name_everywhere(where: str) -> None:
    """The other name stands once in each, for those who read of it elsewhere."""
    for path in [ROOT / where, *(ROOT / where).rglob("*.*")]:
        if path.suffix in (".ipynb", ".md", ".py", ".js") and ".ipynb_checkpoints" not in path.parts:
            names = re.findall(r"learning[ -]rate", path.read_text("utf-8"), re.I)
            assert len(names) <= (path.suffix in (".ipynb", ".md")), path


def test_the_minutes_add_up_and_are_the_same_everywhere(line: Lesson) -> None:
    first, second = minutes("logistic_regression"), minutes("mlp_sgd")
    session = 3 + sum(m for title, m in first.items() if re.match(r"[1-5] ·", title))
    total = 3 + sum(first.values())
    line.says(f"**Time:** {total} minutes", f"({session} minutes, 3 of them to begin)", f"({total - session} minutes)")
    Lesson("mlp_sgd").says(f"**Time:** {sum(second.values())} minutes")
    readme = (ROOT / "src/examiner/pages/templates/student_readme.md").read_text("utf-8")
    assert f"{total} minutes, {session} of them in the workshop" in readme
    assert f"about {sum(second.values())} minutes" in readme
    course = yaml.safe_load((ROOT / "slides/course.yml").read_text("utf-8"))["minutes"]
    told = {"notebooks": session, "questions": 5, "logistic_regression": total, "mlp_sgd": sum(second.values())}
    assert course == told


def at_least(name: str) -> dict[str, float]:
    """The minutes that reading and typing alone take, of each heading and written question that states its minutes.

    A minute is 200 words of text and code to read, 4 equations to follow, 2 lines to write, 6 tests or 2 pictures to
    look at. An answer in words is three minutes' writing.
    """
    found: dict[str, float] = {}
    title = ""
    for cell in Lesson(name).cells:
        source, about = "".join(cell["source"]), cell["metadata"]["nbgrader"]
        given, *answers = re.split(r"### BEGIN SOLUTION\n", source)
        if cell["cell_type"] == "markdown" and not about["solution"]:
            for part in re.split(r"(?m)^(?=## |\*\*\d+\.\*\* )", source):
                if part.startswith(("## ", "**")):
                    stated = re.match(r"## (.+) \(\d+ minutes\)|\*\*(\d+)\.\*\* \(\d+ minutes\)", part)
                    title = (stated[1] or stated[2]) if stated else ""
                    found[title] = 3.0 * title.isdigit()
                found[title] = found.get(title, 0) + len(part.split()) / 200 + len(re.findall("=", part)) / 4
        elif cell["cell_type"] == "code" and about["grade"]:
            found[title] += 1 / 6
        elif cell["cell_type"] == "code":
            code = [re.split(r"### END SOLUTION\n?", answer) for answer in answers]
            lines = sum(bool(line.strip()) for wanted, _ in code for line in wanted.split("\n"))
            found[title] += lines / 2 if answers else len(given.split()) / 200 + 1 / 2
    return {title: m for title, m in found.items() if title}


@pytest.mark.parametrize("name", NAMES)
def test_the_minutes_of_a_question_leave_time_for_its_words_and_lines_and_for_a_mistake(name: str) -> None:
    stated, least = minutes(name), at_least(name)
    assert stated.keys() == least.keys()
    assert all(least[title] < stated[title] for title in stated), {t: (least[t], stated[t]) for t in stated}
    assert 1.3 < sum(stated.values()) / sum(least.values()) < 2


# --- logistic regression ---


def test_the_plain_sigmoid_survives_overflow_and_its_twin_does_not(line: Lesson) -> None:
    line.says("This formula survives it", r"$\infty/\infty$ is `nan`")
    with np.errstate(all="ignore"):
        assert 1 / (1 + np.exp(np.float64(1000))) == 0
        assert np.isnan(np.exp(np.float64(1000)) / (1 + np.exp(np.float64(1000))))


def test_through_the_probability_the_loss_breaks_down_at_37(line: Lesson) -> None:
    line.says("from $s = 37$ on", "0.693")
    y_hat = 1 / (1 + np.exp(-np.array([36.0, 37.0])))
    assert y_hat[0] < 1 and y_hat[1] == 1
    with np.errstate(divide="ignore"):
        assert np.log(1 - y_hat[1]) == -np.inf
    log_loss = line.after["log_loss"]["log_loss"]
    assert log_loss(np.zeros(1), np.ones(1)) == pytest.approx(0.693, abs=5e-4)
    assert log_loss(np.array([50.0]), np.ones(1)) < 1e-20  # sure and right
    assert log_loss(np.array([50.0]), np.zeros(1)) == pytest.approx(50)  # sure and wrong


def test_without_weights_the_objective_is_the_logarithm_of_two(line: Lesson) -> None:
    line.says("the objective is 0.693, whatever the points")
    X, y = np.random.default_rng(1).normal(size=(7, 3)), np.arange(7) % 2
    assert line.after["objective"]["objective"](np.zeros(3), 0.0, X, y, 0.3) == pytest.approx(np.log(2))


def test_the_slope_by_s_is_prediction_minus_truth(line: Lesson) -> None:
    line.says(r"\frac{\hat{y} - y}{\hat{y}(1 - \hat{y})}", "prediction minus truth")
    s, y = np.array([-3.0, -0.4, 0.0, 1.7, 2.0]), np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    y_hat = 1 / (1 + np.exp(-s))
    by_y_hat, by_s = (y_hat - y) / (y_hat * (1 - y_hat)), y_hat * (1 - y_hat)
    log_loss = line.after["log_loss"]["log_loss"]
    assert by_y_hat == pytest.approx((1 - y) / (1 - y_hat) - y / y_hat)
    assert by_y_hat * by_s == pytest.approx(y_hat - y)
    assert (log_loss(s + 1e-5, y) - log_loss(s - 1e-5, y)) / 2e-5 == pytest.approx(y_hat - y, abs=1e-9)


def test_a_batch_is_the_mean_of_its_points(line: Lesson) -> None:
    line.says(r"\frac{1}{N}\,\mathbf{X}^\top (\hat{y} - y)", "column $i$ of")
    names, w, b = line.after["gradient"], np.array([0.7, -0.2]), 0.3
    X, y = names["X"], names["y"]
    each = [names["gradient"](w, b, X[[i]], y[[i]], 0.0)[0] for i in range(len(y))]
    assert names["gradient"](w, b, X, y, 0.0)[0] == pytest.approx(np.mean(each, axis=0))
    assert X.T @ (names["predict_proba"](X, w, b) - y) / len(y) == pytest.approx(np.mean(each, axis=0))
    line.says("without it a step would grow with the number of points")
    twice = np.tile(X, (2, 1)), np.tile(y, 2)
    assert names["gradient"](w, b, *twice, 0.0)[0] == pytest.approx(np.mean(each, axis=0))


def test_what_a_gradient_check_proves_and_how_close_is_close(line: Lesson) -> None:
    line.says("leave the penalty out of both, and they agree", "is seldom below $10^{-2}$", "$10^{-7}$")
    line.says(
        "may be wrong by some $\\delta^2 = 10^{-10}$", "$10^{-16}/10^{-5} = 10^{-11}$", "where a slope is nearly zero"
    )
    names = line.after["check_gradient"]
    X, y, w, b, lam = (names[key] for key in ("X", "y", "w", "b", "lam"))
    gradient, objective = names["gradient"], names["objective"]

    def numeric(lam: float) -> Any:
        return names["numerical_gradient"](lambda w: objective(w, b, X, y, lam), w)

    def relative(analytic: Any, lam: float) -> float:
        return float(np.max(np.abs(analytic - numeric(lam)) / np.abs(numeric(lam))))

    right, without = gradient(w, b, X, y, lam)[0], gradient(w, b, X, y, 0.0)[0]
    assert relative(right, lam) < 1e-7
    assert relative(without, 0.0) < 1e-7  # both are wrong in the same way
    for wrong in (without, right * len(y), right * len(y) / (len(y) - 1), -right, right + lam * w):
        assert relative(wrong, lam) > 1e-2
    single = gradient(w.astype(np.float32), np.float32(b), X.astype(np.float32), y.astype(np.float32), np.float32(lam))
    assert 1e-8 < relative(single[0], lam) < 1e-4
    assert np.max(np.abs(right - numeric(lam))) < 1e-10 + 1e-11
    assert np.finfo(float).eps == pytest.approx(1e-16, rel=2)
    walk = line.after["gradient_descent"]["gradient_descent"]
    w, b, _ = walk(lambda w, b: gradient(w, b, X, y, lam), w, b, 0.5, 1e-5)
    assert 1e-7 < relative(gradient(w, b, X, y, lam)[0], lam) < 1e-4  # right, and nearly zero


def test_central_differences_cost_two_calls_an_entry_and_one_sided_ones_are_further_off(line: Lesson) -> None:
    line.says(
        "With both ways the error falls as $\\delta^2$; with one way only, as $\\delta$",
        "two calls of $f$ for each entry",
    )
    names = line.after["check_gradient"]
    X, y, w, b, lam = (names[key] for key in ("X", "y", "w", "b", "lam"))
    calls = 0

    def f(w: Any) -> float:
        nonlocal calls
        calls += 1
        return float(names["objective"](w, b, X, y, lam))

    right = names["gradient"](w, b, X, y, lam)[0]
    central = [np.abs(names["numerical_gradient"](f, w, delta) - right) for delta in (1e-2, 1e-3)]
    assert calls == 2 * 2 * len(w) and central[0] / central[1] == pytest.approx(100, rel=0.05)
    one_way = [np.array([f(w + delta * e) - f(w) for e in np.eye(2)]) / delta - right for delta in (1e-2, 1e-3)]
    assert one_way[0] / one_way[1] == pytest.approx(10, rel=0.05)


def test_the_best_nudge_lies_between_a_large_and_a_tiny_one(line: Lesson) -> None:
    line.says("**truncation** error, which falls as $\\delta^2$", "**round-off** error, which grows as $1/\\delta$")
    ((_, (deltas, drawn), _),) = line.drawn["plot_step_size"]
    said = sorted(plots.captions(deltas, np.array(drawn)), key=lambda caption: caption[1])
    assert [text.partition(":")[0] for text, _ in said] == ["round-off", "best", "truncation"]


def errors(f: Callable[[float], float], slope: float, deltas: Any, one_side: bool = False) -> Any:
    if one_side:
        return np.array([abs((f(1 + d) - f(1)) / d - slope) for d in deltas])
    return np.array([abs((f(1 + d) - f(1 - d)) / (2 * d) - slope) for d in deltas])


@pytest.mark.parametrize(
    ("factor", "one_side", "said", "never"),
    [
        (1.0, False, ["best", "round-off: grows as 1/δ", "truncation: falls as δ²"], "wrong"),
        (1.0, True, ["best", "falls as δ: a difference to one side"], "δ²"),
        (80.0, False, ["never below", "the gradient or the objective is wrong"], "best"),
    ],
)
def test_the_captions_follow_from_what_is_drawn(factor: float, one_side: bool, said: list[str], never: str) -> None:
    deltas = np.logspace(-12, 0, 49)
    drawn = np.maximum(errors(lambda x: x**5, factor * 5.0, deltas, one_side), 1e-17)
    captions = " | ".join(text for text, _ in plots.captions(deltas, drawn))
    assert all(piece in captions for piece in said) and never not in captions


def test_what_a_small_a_right_and_a_large_step_do(line: Lesson) -> None:
    line.says("At η = 20 it still comes to rest", "at η = 32 it leaps from side to side for ever", "where ηλ > 2")
    line.says("after some hundreds of steps, between the same two points", "having come near the minimum once")
    runs = line.picture("plot_eta")
    least = min(map(min, runs.values()))
    assert list(runs) == ["η = 0.01", "η = 0.5", "η = 20", "η = 32", "η = 220"]
    assert np.all(np.diff(runs["η = 0.01"]) < 0) and runs["η = 0.01"][-1] > 4 * least  # slow
    assert np.all(np.diff(runs["η = 0.5"]) < 0) and runs["η = 0.5"][-1] < least + SETTLED
    assert max(runs["η = 20"]) > 2 * least and runs["η = 20"][-1] < least + 1e-6  # leaps, and comes to rest
    names = line.after["plot_eta"]
    bouncing = names["path"](len(names["y"]), 32, epochs=2000)[-4:]
    assert bouncing[0] == pytest.approx(bouncing[2], abs=1e-6) and bouncing[1] == pytest.approx(bouncing[3], abs=1e-6)
    assert np.linalg.norm(bouncing[0] - bouncing[1]) > 1
    assert min(names["objectives"](bouncing)) > 1.5 * least  # both far above the minimum
    assert min(runs["η = 32"][:20]) < least + SETTLED and min(runs["η = 32"][30:]) > 1.5 * least
    for eta in (32, LARGEST):
        steps = names["path"](len(names["y"]), eta, epochs=500)
        assert 150 < 1 + np.flatnonzero(np.ptp([steps[2:], steps[:-2]], axis=0).max(axis=1) > SETTLED)[-1] < 450
    assert names["lam"] == 0.01 and runs["η = 220"][-1] > 1e9
    longest = np.max(np.linalg.norm(np.column_stack([names["X"], np.ones(80)]), axis=1))
    for eta in (32, 150, 199):  # without end only beyond 2/λ = 200: before, no step of the loss is longer than η·|x|
        steps = names["path"](80, eta, epochs=3000)
        assert np.all(np.abs(steps[-1, :2]) < eta * longest / (2 - eta * 0.01) + 10)


def test_without_a_penalty_the_weights_of_separated_points_grow_for_ever(line: Lesson) -> None:
    line.says(r"a line separates the points and $\lambda = 0$, there is no minimum", "The penalty makes one")
    names = line.after["no_end"]
    X, y = names["X_apart"], names["y_apart"]

    def walk(lam: float, most: int) -> tuple[float, int]:
        start = np.zeros(2), 0.0, 0.5, 1e-6, most
        w, _, steps = names["gradient_descent"](lambda w, b: names["gradient"](w, b, X, y, lam), *start)
        return float(np.linalg.norm(w)), steps

    lengths = [walk(0.0, most) for most in (30, 300, 3000)]
    assert [steps for _, steps in lengths] == [30, 300, 3000] and np.all(np.diff([w for w, _ in lengths]) > 2)
    assert walk(0.01, 3000) == walk(0.01, 6000)


def test_four_times_the_points_halve_the_noise(line: Lesson) -> None:
    line.says("half the noise costs four times the points")
    sizes, spread = line.drawn["noise"][0][1]
    assert np.asarray(spread) * np.sqrt(sizes) == pytest.approx(spread[0], rel=0.15)


def test_the_gradient_of_a_batch_is_right_on_average(line: Lesson) -> None:
    line.says("The gradient of a mini-batch is right on average and wrong by itself")
    names = line.after["noise"]
    gradient, X, y = names["gradient"], names["X_many"], names["y_many"]
    batches = names["minibatches"](len(y), 16, np.random.default_rng(5))
    each = np.array([gradient(names["there"], 0.0, X[S], y[S], 0.0)[0] for S in batches])
    whole = gradient(names["there"], 0.0, X, y, 0.0)[0]
    assert each.mean(axis=0) == pytest.approx(whole) and np.min(np.abs(each - whole).max(axis=1)) > 1e-3


def test_half_the_noise_can_be_read_from_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib.use("agg")
    monkeypatch.setattr(plots.plt, "show", lambda: None)
    plots.noise([1, 4, 16, 64, 256], [0.4, 0.2, 0.1, 0.05, 0.025])
    axis = plots.plt.gca().yaxis
    low, high = axis.get_view_interval()
    seen = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
    assert len(seen) >= 4 and np.diff(np.log2(seen)) == pytest.approx(1)
    assert [float(axis.get_major_formatter()(tick)) for tick in seen] == pytest.approx(seen, rel=0.01)
    plots.plt.close("all")


def test_the_race_is_told_as_it_goes(line: Lesson) -> None:
    line.says("the first takes 20 steps, the last 1600", "Epoch by epoch online SGD is ahead at once (left)")
    line.says("step by step the three are much alike (right)", "never quite settles")
    line.says("after twenty steps it is still on its way", "with a tenth of this $\\eta$ online SGD settles closer")
    all_points, batches, online = (np.array(run) for run in line.picture("race").values())
    assert (len(all_points), len(batches), len(online)) == (21, 201, 1601)
    assert online[80] < batches[10] < all_points[1]
    assert (
        np.mean(np.abs(online[:21] - all_points)) < 0.1 * all_points[0] < np.mean(np.abs(online[:1601:80] - all_points))
    )
    least = min(line.picture("plot_eta")["η = 20"])
    assert all_points[-1] > 1.2 * least
    names = line.after["race"]
    closer = np.array(names["objectives"](names["path"](1, 0.05)))
    assert closer[-400:].mean() - least < (online[-400:].mean() - least) / 4


def test_no_line_separates_the_points(line: Lesson) -> None:
    line.says("A straight line separates most of them, and no line separates all")
    X, y = line.after["setup"]["X"], line.after["setup"]["y"]
    assert 90 < best_line(X, y) < 100


def test_a_line_gets_93_percent_of_the_s(line: Lesson) -> None:
    line.says("93 % of new points")
    Lesson("mlp_sgd").says("Logistic regression gets 93 % of new points right, and no straight line gets 94 %")
    (title,) = line.picture("plot_s")
    assert re.match(r"9[23]\.\d % of 2000 new points", title) and round(float(title[:4])) == 93
    X_raw, _ = points.s_shape(rng=38, gap=5.0)
    X, y = points.s_shape(rng=7, gap=5.0, per_blob=2500)
    assert best_line(points.standardise(X, like=X_raw), y) < 94


def test_the_demo_starts_where_the_notebook_does_with_its_points(line: Lesson) -> None:
    w, b = _models.Logistic({}).start({})
    assert np.array_equal(w, line.after["race"]["start"]) and b == 0
    settings = SETTINGS["logistic"] | {"noise": 1.4, "seed": 5}
    assert "noise=1.4, seed=5" in line.source("live_demo")
    shown = Training("logistic", {}, settings)
    assert np.array_equal(shown.X, line.after["setup"]["X"]) and np.array_equal(shown.y, line.after["setup"]["y"])
    assert settings["lam"] == line.after["race"]["lam"]


def test_the_sliders_of_the_demo_end_where_the_text_goes() -> None:
    """At the right end the step size is said to be 32, and all points are one batch."""
    script = (ROOT / "src/workshop/live.js").read_text("utf-8")
    (end,) = re.findall(r'"Step size η", \{ min: -3, max: ([\d.]+)', script)
    assert float(f"{10 ** float(end):.3g}") == LARGEST and f"{LARGEST:.2g}" == "32"
    assert "max: demo.n" in script


def test_the_ways_further_show_what_they_say(line: Lesson) -> None:
    same, smaller = (np.array(run) for run in line.picture("further_decay").values())
    assert np.ptp(smaller[5:]) < np.ptp(same[5:]) / 5
    plain, _, rolling = (np.array(run) for run in line.picture("further_momentum").values())
    assert rolling[5] < plain[5]  # it gathers speed
    in_order, shuffled = (np.array(run) for run in line.picture("further_order").values())
    assert in_order[0] == shuffled[0] and len(in_order) == 801  # from before the first step
    assert in_order[-400:].mean() > shuffled[-400:].mean() + SETTLED
    names = line.after["further_units"]
    assert length_by_width(names["X"]) < 2 and length_by_width(names["X_units"]) > 4
    (steps,) = line.picture("further_units").values()
    assert np.mean(np.diff(np.sign(np.diff(steps[2:, 1]))) != 0) > 0.8  # to and fro across the valley
    (smooth,) = [steps[:21] for name, steps in line.picture("plot_eta", 1).items() if name == "η = 0.5"]
    assert np.all(np.diff(smooth[:, 1]) < 0)


def length_by_width(X: Any) -> float:
    """How many times longer than wide the contours of the mean loss are where all ŷ are ½: 1 for a circle."""
    low, high = np.linalg.eigvalsh(X.T @ X)
    return float(np.sqrt(high / low))
