"""The pictures of the notebooks. Each draws what it is handed: points, probabilities, objectives, paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CLASS_COLOURS = ("#0072B2", "#D55E00")
"""Class 0 blue, class 1 vermilion: Okabe and Ito's palette, which colour-blind eyes can tell apart."""
CLASS_MARKERS = ("o", "s")
LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"))
"""Colour and dash of the first, second, … line of a picture."""

_BETWEEN_CLASSES = LinearSegmentedColormap.from_list("classes", ("#66aad1", "#ffffff", "#e69e66"))
"""From class 0's colour to class 1's, pale enough for the points to stand out."""

_STYLE: dict[Any, Any] = {"font.size": 13, "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 2.5}


def data(X: Floats, y: Floats) -> None:
    """Draw the points. X: (N, 2); y: (N,) labels 0 and 1."""
    with plt.rc_context(_STYLE):
        _, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
        _scatter(ax, X, y)
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        plt.show()


def boundaries(panels: Mapping[str, Callable[[Floats], Any]], X: Floats, y: Floats) -> None:
    """Draw the probability of class 1 and the boundary at ½, a panel for each model, side by side.

    panels: title -> function from points (M, 2) to probabilities (M,); X: (N, 2); y: (N,).
    """
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(1, len(panels), figsize=(6 * len(panels), 5), layout="constrained", squeeze=False)
        low, high = X.min(axis=0) - 0.6, X.max(axis=0) + 0.6
        x1, x2 = np.meshgrid(np.linspace(low[0], high[0], 120), np.linspace(low[1], high[1], 120))
        grid = np.column_stack([x1.ravel(), x2.ravel()])
        for ax, (title, predict) in zip(axes[0], panels.items(), strict=True):
            p = np.asarray(predict(grid), dtype=float).reshape(x1.shape)
            field = ax.contourf(x1, x2, p, levels=np.linspace(0, 1, 11), cmap=_BETWEEN_CLASSES)
            ax.contour(x1, x2, p, levels=[0.5], colors="black", linewidths=2.5)
            _scatter(ax, X, y)
            ax.set_title(title)
        figure.colorbar(field, ax=axes[0], label="probability of class 1")
        plt.show()


def objective_by_epoch(values: Mapping[str, Sequence[float]], epochs: int) -> None:
    """Draw the objective as training goes on, a line for each run. values: name -> objective at equal distances."""
    with plt.rc_context(_STYLE):
        _, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")
        for (name, objective), (colour, dash) in zip(values.items(), LINES, strict=False):
            steps = len(objective) - 1
            label = f"{name} ({steps} steps)" if steps != epochs else name
            ax.plot(np.linspace(0, epochs, steps + 1), objective, dash, color=colour, label=label, alpha=0.9)
        ax.set(xlabel="epoch", ylabel="objective (nats)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(frameon=False)
        plt.show()


def paths(objective: Callable[[Floats], Any], steps: Mapping[str, Floats]) -> None:
    """Draw paths on the contours of an objective over (w₁, w₂), a panel for each.

    objective: function of w (2,), the bias held fixed; steps: name -> (n, 2), the weights after each step.
    """
    with plt.rc_context(_STYLE):
        all_steps = np.concatenate(list(steps.values()))
        low, high = all_steps.min(axis=0) - 0.5, all_steps.max(axis=0) + 1.0
        w1, w2 = np.meshgrid(np.linspace(low[0], high[0], 50), np.linspace(low[1], high[1], 50))
        heights = np.array([float(objective(np.array(w))) for w in zip(w1.ravel(), w2.ravel(), strict=True)])
        heights = heights.reshape(w1.shape)
        _, axes = plt.subplots(
            1,
            len(steps),
            figsize=(4.6 * len(steps), 4.4),
            layout="constrained",
            sharex=True,
            sharey=True,
            squeeze=False,
        )
        levels = np.quantile(heights, np.linspace(0, 1, 14))
        for ax, (name, path), (colour, _) in zip(axes[0], steps.items(), LINES, strict=False):
            ax.contour(w1, w2, heights, levels=np.unique(levels), colors="#888888", linewidths=1)
            ax.plot(*path.T, ".-", color=colour, linewidth=1, markersize=4)
            ax.plot(*path[0], "o", color="black", markersize=8)
            ax.plot(*path[-1], "*", color="black", markersize=15)
            ax.set(title=name, xlabel="$w_1$")
        axes[0, 0].set_ylabel("$w_2$")
        axes[0, 0].annotate("start", path[0], xytext=(8, 6), textcoords="offset points")
        plt.show()


def finite_difference_error(eps: Floats, errors: Sequence[float]) -> None:
    """Draw the error of a finite difference against the size of its nudge, both on logarithmic axes."""
    with plt.rc_context(_STYLE):
        _, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")
        shown = np.maximum(np.asarray(errors, dtype=float), 1e-17)
        ax.loglog(eps, shown, "o-", color=LINES[0][0], markersize=5)
        best = int(np.argmin(shown))
        ax.set(xlabel="size of the nudge ε", ylabel="largest error of the gradient")
        for text, at, offset in (
            ("round-off: grows as 1/ε", best // 3, (12, 8)),
            ("truncation: falls as ε²", (2 * best + len(eps)) // 3, (14, -10)),
        ):
            ax.annotate(text, (eps[at], shown[at]), xytext=offset, textcoords="offset points")
        ax.plot(eps[best], shown[best], "*", color=LINES[1][0], markersize=18)
        ax.annotate(f"best: ε ≈ {eps[best]:.0e}", (eps[best], shown[best]), xytext=(16, -6), textcoords="offset points")
        plt.show()


def _scatter(ax: Axes, X: Floats, y: Floats) -> None:
    for label, colour, marker in zip((0, 1), CLASS_COLOURS, CLASS_MARKERS, strict=True):
        chosen = np.asarray(y) == label
        x1, x2 = X[chosen].T
        ax.scatter(x1, x2, c=colour, marker=marker, s=50, edgecolors="white", linewidths=0.8, label=f"class {label}")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
