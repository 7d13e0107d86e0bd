"""The pictures of the notebooks. Each draws what it is handed: points, probabilities, objectives, paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CLASS_COLOURS = ("#0072B2", "#D55E00")
"""Class 0 blue, class 1 vermilion: Okabe and Ito's palette, which colour-blind eyes can tell apart."""
CLASS_MARKERS = ("o", "s")
LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"))
"""Colour and dash of the first, second, … line of a picture."""
_FIVE_LINES: tuple[tuple[str, Any], ...] = (*LINES, ("#000000", (0, (5, 1, 1, 1, 1, 1))))

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
    draw_each({title: (predict, X, y) for title, predict in panels.items()})


def draw_each(panels: Mapping[str, tuple[Callable[[Floats], Any], Floats, Floats]]) -> None:
    """As :func:`boundaries`, where each model has its own points. panels: title -> (probabilities, X, y)."""
    wide = 6.0 if len(panels) < 3 else 4.2
    with plt.rc_context(_STYLE | {"font.size": 13 if len(panels) < 3 else 11}):
        figure, axes = plt.subplots(
            1, len(panels), figsize=(wide * len(panels), wide - 0.6), layout="constrained", squeeze=False
        )
        for ax, (title, (predict, X, y)) in zip(axes[0], panels.items(), strict=True):
            low, high = X.min(axis=0) - 0.6, X.max(axis=0) + 0.6
            x1, x2 = np.meshgrid(np.linspace(low[0], high[0], 120), np.linspace(low[1], high[1], 120))
            p = np.asarray(predict(np.column_stack([x1.ravel(), x2.ravel()])), dtype=float).reshape(x1.shape)
            field = ax.contourf(x1, x2, p, levels=np.linspace(0, 1, 11), cmap=_BETWEEN_CLASSES)
            ax.contour(x1, x2, p, levels=[0.5], colors="black", linewidths=2.5)
            _scatter(ax, X, y)
            ax.set_title(title)
        handles = [*axes[0, 0].get_legend_handles_labels()[0], Line2D([], [], color="black", label="boundary: ŷ = ½")]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
        figure.colorbar(field, ax=axes[0], label="probability of class 1")
        plt.show()


def objective_by_epoch(
    values: Mapping[str, Sequence[float]], epochs: int, *, what: str = "objective (nats)", top: float | None = None
) -> None:
    """Draw the objective as training goes on, a line for each run. values: name -> objective at equal distances.

    Where the runs take unequal numbers of steps, a second panel shows them step by step. what: the vertical axis;
    top: where it ends, for runs that leave the picture.
    """
    lengths = {name: len(run) - 1 for name, run in values.items()}
    by_step = len(set(lengths.values())) > 1
    with plt.rc_context(_STYLE):
        _, axes = plt.subplots(
            1, 1 + by_step, figsize=(13 if by_step else 9, 4.5), layout="constrained", sharey=True, squeeze=False
        )
        for (name, run), (colour, dash) in zip(values.items(), _FIVE_LINES, strict=False):
            label = f"{name} ({lengths[name]} steps)" if by_step else name
            style: dict[str, Any] = {"color": colour, "linestyle": dash, "label": label, "alpha": 0.9}
            axes[0, 0].plot(np.linspace(0, epochs, len(run)), run, **style)
            if by_step:
                axes[0, 1].plot(run[: 1 + 2 * min(lengths.values())], **style)
        for ax, unit in zip(axes[0], ("epoch", "step (the first ones)"), strict=False):
            ax.set_xlabel(unit)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes[0, 0].set_ylabel(what)
        if top is not None:
            least = min(min(run) for run in values.values())
            axes[0, 0].set_ylim(least - 0.05 * (top - least), top)
        axes[0, 0].legend(frameon=False)
        plt.show()


def paths(objective: Callable[[Floats], Any], steps: Mapping[str, Floats], b: float | None = None) -> None:
    """Draw paths on the contours of an objective over (w₁, w₂), a panel for each.

    objective: function of w (2,), the bias held fixed at `b`; steps: name -> (n, 2), the weights after each step.
    """
    with plt.rc_context(_STYLE):
        all_steps = np.concatenate(list(steps.values()))
        low, high = all_steps.min(axis=0) - 0.5, all_steps.max(axis=0) + 1.0
        w1, w2 = np.meshgrid(np.linspace(low[0], high[0], 50), np.linspace(low[1], high[1], 50))
        heights = np.array([float(objective(np.array(w))) for w in zip(w1.ravel(), w2.ravel(), strict=True)])
        heights = heights.reshape(w1.shape)
        figure, axes = plt.subplots(
            1,
            len(steps),
            figsize=(max(4.6 * len(steps), 6.0), 4.9),
            layout="constrained",
            sharex=True,
            sharey=True,
            squeeze=False,
        )
        levels = np.unique(np.quantile(heights, np.linspace(0, 1, 14)))
        for ax, (name, path), (colour, _) in zip(axes[0], steps.items(), LINES, strict=False):
            ax.contour(w1, w2, heights, levels=levels, colors="#888888", linewidths=1)
            ax.plot(*path.T, ".-", color=colour, linewidth=1, markersize=4)
            ax.plot(*path[0], "o", color="black", markersize=8)
            ax.plot(*path[-1], "*", color="black", markersize=15)
            ax.set(title=f"{name}: {len(path) - 1} steps", xlabel="$w_1$")
        axes[0, 0].set_ylabel("$w_2$")
        at = "" if b is None else f" at b = {b:.2f}"
        handles = [
            Line2D([], [], color="black", marker="o", linestyle="", label="start"),
            Line2D([], [], color=LINES[0][0], marker=".", linewidth=1, label="a dot after each step"),
            Line2D([], [], color="black", marker="*", markersize=12, linestyle="", label="end"),
            Line2D([], [], color="#888888", linewidth=1, label=f"equal objective{at}"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4 if len(steps) > 1 else 2, frameon=False)
        plt.show()


def finite_difference_error(delta: Floats, errors: Sequence[float]) -> None:
    """Draw the error of a finite difference against the size of its nudge, both on logarithmic axes."""
    with plt.rc_context(_STYLE):
        _, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")
        shown = np.maximum(np.asarray(errors, dtype=float), 1e-17)
        ax.loglog(delta, shown, "o-", color=LINES[0][0], markersize=5)
        ax.set(xlabel="size of the nudge δ", ylabel="largest error of the gradient")
        for text, at in captions(delta, shown):
            ax.annotate(text, (delta[at], shown[at]), xytext=(14, -4), textcoords="offset points")
            if text.startswith("best"):
                ax.plot(delta[at], shown[at], "*", color=LINES[1][0], markersize=18)
        plt.show()


def captions(delta: Floats, errors: Floats) -> list[tuple[str, int]]:
    """What may be said of these errors, and at which of them: each power of δ is measured, not taken for granted."""
    best = int(np.argmin(errors))
    if errors[best] > 1e-5:  # no size of the nudge makes it small
        return [(f"never below {errors[best]:.0e}: the gradient or the objective is wrong", len(delta) // 4)]
    said = [(f"best: δ ≈ {delta[best]:.0e}", best)]
    names = {-1: "round-off: grows as 1/δ", 1: "falls as δ: a difference to one side", 2: "truncation: falls as δ²"}
    for side in (slice(2, best - 3), slice(best + 4, len(delta) - 4)):
        if len(delta[side]) < 5:
            continue
        power = float(np.polyfit(np.log(delta[side]), np.log(errors[side]), 1)[0])
        name = next((name for whole, name in names.items() if abs(power - whole) < 0.3), f"goes as δ^{power:.1f}")
        said.append((name, (side.start + side.stop) // 2))
    return said


def noise(sizes: Sequence[int], spread: Sequence[float]) -> None:
    """Draw how far the slopes of mini-batches spread, beside 1/√|S|. sizes: of the batches; spread: of their slopes."""
    with plt.rc_context(_STYLE):
        _, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")
        ax.loglog(sizes, spread, "o", color=LINES[0][0], markersize=9, label="measured")
        ax.loglog(
            sizes, spread[0] * np.sqrt(sizes[0] / np.asarray(sizes)), "--", color=LINES[1][0], label="falls as 1/√|S|"
        )
        ax.set(xlabel="points in a mini-batch, |S|", ylabel="standard deviation of the gradient", xticks=sizes)
        ax.yaxis.set_major_locator(LogLocator(base=2))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.minorticks_off()
        ax.legend(frameon=False)
        plt.show()


def activations(functions: Mapping[str, tuple[Callable[[Floats], Any], Callable[[Floats], Any]]]) -> None:
    """Draw squashing functions and their slopes. functions: name -> (function, its slope written in its output)."""
    t = np.linspace(-8, 8, 321)
    with plt.rc_context(_STYLE):
        _, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
        for (name, (function, slope)), (colour, dash) in zip(functions.items(), LINES, strict=False):
            h = np.asarray(function(t), dtype=float)
            left.plot(t, h, linestyle=dash, color=colour, label=name)
            right.plot(t, slope(h), linestyle=dash, color=colour, label=f"slope of {name}")
        left.set(xlabel="t", ylabel="h")
        right.set(xlabel="t", ylabel="slope")
        left.legend(frameon=False)
        right.legend(frameon=False)
        plt.show()


def _scatter(ax: Axes, X: Floats, y: Floats) -> None:
    for label, colour, marker in zip((0, 1), CLASS_COLOURS, CLASS_MARKERS, strict=True):
        chosen = np.asarray(y) == label
        x1, x2 = X[chosen].T
        ax.scatter(x1, x2, c=colour, marker=marker, s=50, edgecolors="white", linewidths=0.8, label=f"class {label}")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
