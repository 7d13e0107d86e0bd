"""The pictures that the notebooks' cells draw: what is in them is named, and no word is cut off or covers another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from lesson import Lesson, ran
from workshop import plots

NAMES = ("logistic_regression", "mlp_sgd")
LEGENDS = {
    "data": {"class 0", "class 1"},
    "boundaries": {"class 0", "class 1", "boundary: ŷ = ½"},
    "draw_each": {"class 0", "class 1", "boundary: ŷ = ½"},
    "paths": {"start", "a dot after each step", "end"},
    "noise": {"measured", "falls as 1/√|S|"},
    "activations": {"σ", "tanh", "slope of σ", "slope of tanh"},
}


@pytest.fixture(scope="module", params=NAMES)
def lesson(request: pytest.FixtureRequest) -> Iterator[Lesson]:
    yield from ran(request.param)


def figures(lesson: Lesson) -> Iterator[tuple[str, str, Figure]]:
    """Each picture of the notebook: its cell, the helper that draws it, and what is drawn."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(plt, "show", lambda: None)
        for cell, pictures in lesson.drawn.items():
            for helper, args, kwargs in pictures:
                getattr(plots, helper)(*args, **kwargs)
                figure = plt.gcf()
                figure.draw_without_rendering()
                yield cell, helper, figure
                plt.close("all")


def legend(figure: Figure) -> set[str]:
    found = [*figure.legends, *(each for ax in figure.axes if (each := ax.get_legend()))]
    return {text.get_text() for each in found for text in each.get_texts()}


def words(figure: Figure) -> list[tuple[str, Any]]:
    """Titles, names of axes, captions and legends, each with its box in pixels."""
    texts = [text for ax in figure.axes for text in (ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts)]
    texts += [text for each in figure.legends for text in each.get_texts()]
    return [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]


def test_what_is_drawn_is_named_and_legible(lesson: Lesson) -> None:
    seen = set()
    for cell, helper, figure in figures(lesson):
        seen.add(helper)
        named = legend(figure)
        assert LEGENDS.get(helper, set()) <= named, cell
        if helper == "paths":
            assert any(name.startswith("equal objective at b = ") for name in named), cell
        for ax in figure.axes:
            colour_bar = ax.get_label() == "<colorbar>"
            assert ax.get_ylabel() or len(figure.axes) > 1, cell
            assert ax.get_xlabel() or colour_bar, cell
        width, height = figure.canvas.get_width_height()
        placed = words(figure)
        for text, box in placed:
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, (cell, text)
        for (text, box), (other, covered) in itertools.combinations(placed, 2):
            assert not box.overlaps(covered), (cell, text, other)
    assert seen >= {"boundaries", "objective_by_epoch"}
