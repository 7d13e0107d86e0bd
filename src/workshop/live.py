"""The live demo: drag a slider, and the decision boundary that your own functions learn moves under your hand.

Call it at the end of a cell of the notebook in which the answers are written::

    from workshop import live

    live.logistic_demo(globals())  # in logistic_regression.ipynb
    live.network_demo(globals())  # in mlp_sgd.ipynb
    live.nudge_demo("logistic")  # or "network": add δ to one quantity and watch it travel

The functions are looked up by name, again for every picture: mend an answer, run its cell, and the demo uses it. Before
an answer is written the demo says which one it waits for.

Each demo is a widget of ipywidgets with the settings as traits: `dataset`, `eta`, `batch_size`, `lam`, `noise`, `gap`,
`seed`, `playing`, for the network `n_hidden` and `start`; and what has come of them: `step`, `objective`, `accuracy`.
Set them, observe them, link them; to go further::

    import ipywidgets

    demo = live.network_demo(globals(), eta=0.5)
    eta = ipywidgets.FloatLogSlider(description="η", min=-3, max=1)
    ipywidgets.jslink((eta, "value"), (demo, "eta"))
    display(eta, demo)

In a saved notebook, or in a page made of it, the demo lives on without a kernel: with functions of its own, and it says
so. On paper a still picture remains; under grading nothing is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from workshop._widget import LogisticDemo, NetworkDemo, NudgeDemo


def logistic_demo(
    names: Mapping[str, Any],
    *,
    dataset: str = "blobs",
    eta: float = 0.5,
    batch_size: int = 8,
    lam: float = 0.01,
    noise: float = 1.0,
    gap: float = 5.0,
    seed: int = 0,
) -> LogisticDemo:
    """Logistic regression as it learns, with its path on the contours of the objective over (w₁, w₂).

    names: the notebook's `globals()`. Used from it: `predict_proba`, `objective`, `gradient`, `minibatches` and
    `sgd_epoch`, as the notebook defines them. dataset: a function of `workshop.points`; noise: times its usual noise;
    gap: that of the S-shaped set; seed: of the data, the start and the orders. eta: step size; batch_size: 1 ... N;
    lam: weight of the penalty. Each is where its slider begins.
    """
    from workshop import _widget

    return _widget.LogisticDemo(
        names, dataset=dataset, eta=eta, batch_size=batch_size, lam=lam, noise=noise, gap=gap, seed=seed
    )


def network_demo(
    names: Mapping[str, Any],
    *,
    dataset: str = "s_shape",
    eta: float = 2.0,
    batch_size: int = 8,
    lam: float = 0.0,
    n_hidden: int = 8,
    start: Literal["random", "equal", "zero"] = "random",
    noise: float = 1.0,
    gap: float = 5.0,
    seed: int = 0,
) -> NetworkDemo:
    """A network with one hidden layer as it learns; the dashed lines are where a hidden unit's t is zero.

    names: the notebook's `globals()`. Used from it: `init_params`, `forward`, `objective`, `backward` and `train`, as
    the notebook defines them. n_hidden: number of hidden units; start: its weights as `init_params` draws them, or all
    equal, or all zero; the rest as in `logistic_demo`.
    """
    from workshop import _widget

    settings: dict[str, Any] = {"dataset": dataset, "eta": eta, "batch_size": batch_size, "lam": lam, "noise": noise}
    return _widget.NetworkDemo(names, **settings, n_hidden=n_hidden, start=start, gap=gap, seed=seed)


def nudge_demo(graph: Literal["logistic", "network"] = "logistic") -> NudgeDemo:
    """A computation graph with numbers: pick a quantity, add δ to it, and see by how much the others move."""
    from workshop import _widget

    return _widget.NudgeDemo(graph)
