"""The live demo: drag a slider, and the decision boundary that your own functions learn moves under your hand.

Call it from a cell of the notebook in which the answers are written::

    from workshop import live

    live.logistic_demo(globals())  # in logistic_regression.ipynb
    live.network_demo(globals())  # in mlp_sgd.ipynb
    live.nudge_demo("logistic")  # or "network": add δ to one quantity and watch it travel

The functions are looked up by name, again for every picture: mend an answer, run its cell, and the demo uses it. Before
an answer is written the demo says which one it waits for. In a saved notebook, and on paper, a still picture remains;
under grading nothing happens at all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal


def logistic_demo(
    names: Mapping[str, Any],
    *,
    data: str = "blobs",
    eta: float = 0.5,
    batch_size: int = 8,
    lam: float = 0.01,
    gap: float = 5.0,
) -> None:
    """Show logistic regression as it learns, with its path on the contours of the objective over (w₁, w₂).

    names: the notebook's `globals()`. Used from it: `predict_proba`, `objective`, `gradient`, `minibatches` and
    `sgd_epoch`, as the notebook defines them. data: a function of `workshop.points`; gap: that of the S-shaped set.
    eta: learning rate; batch_size: 1 ... N; lam: weight of the penalty. Each is where its slider begins.
    """
    if not _being_graded():
        from workshop import _widget

        start = {"data": data, "eta": eta, "batch_size": batch_size, "lam": lam, "gap": gap}
        _widget.show_descent("logistic", names, start)


def network_demo(
    names: Mapping[str, Any],
    *,
    data: str = "s_shape",
    eta: float = 2.0,
    batch_size: int = 8,
    lam: float = 0.0,
    hidden: int = 8,
    gap: float = 5.0,
) -> None:
    """Show a network with one hidden layer as it learns; the dashed lines are where a hidden unit's t is zero.

    names: the notebook's `globals()`. Used from it: `init_params`, `forward`, `objective`, `backward` and `train`, as
    the notebook defines them. hidden: number of hidden units; the rest as in `logistic_demo`.
    """
    if not _being_graded():
        from workshop import _widget

        start = {"data": data, "eta": eta, "batch_size": batch_size, "lam": lam, "hidden": hidden, "gap": gap}
        _widget.show_descent("network", names, start)


def nudge_demo(graph: Literal["logistic", "network"] = "logistic") -> None:
    """Show a computation graph with numbers: pick a quantity, add δ to it, and see by how much the others move."""
    if not _being_graded():
        from workshop import _widget

        _widget.show_nudge(graph)


def projector(logistic: Mapping[str, Any], network: Mapping[str, Any]) -> None:
    """Show all of it on the whole window, in large type, with a tab for each: `make demo` calls this.

    logistic, network: the names that the two notebooks define, answers and all.
    """
    from workshop import _widget

    _widget.show_projector(logistic, network)


def _being_graded() -> bool:
    """Whether nbgrader runs the notebook: then nobody watches, and nothing should take time."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))
