"""A notebook's text and cells, run with the reference answers: for the tests that hold it to what it says."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from numpy.typing import NDArray

from workshop import plots

Floats = NDArray[np.float64]
ROOT = Path(__file__).parents[1]
PICTURES = (
    "data", "boundaries", "draw_each", "objective_by_epoch", "paths", "noise", "activations", "finite_difference_error",
)  # fmt: skip


class Lesson:
    """A notebook's text, and its cells run with the reference answers: the names after each, and what it draws."""

    def __init__(self, name: str) -> None:
        path = ROOT / "source" / name / f"{name}.ipynb"
        self.cells = json.loads(path.read_text("utf-8"))["cells"]
        self.name = name
        self.drawn: dict[str, list[tuple[str, tuple[Any, ...], dict[str, Any]]]] = {}
        self.after: dict[str, dict[str, Any]] = {}

    def run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Run the cells; the pictures are kept as the arguments that they were to be drawn from."""
        cell, names = "", {}
        for picture in PICTURES:
            monkeypatch.setattr(plots, picture, self._recorder(picture, lambda: cell))
        for each in self.cells:
            marks = each["metadata"]["nbgrader"]
            if each["cell_type"] == "code" and not marks["grade"]:
                cell = marks["grade_id"]
                exec(compile("".join(each["source"]), cell, "exec"), names)
                self.after[cell] = dict(names)

    def _recorder(self, picture: str, cell: Callable[[], str]) -> Callable[..., None]:
        return lambda *args, **kwargs: self.drawn.setdefault(cell(), []).append((picture, args, kwargs))

    def source(self, cell: str) -> str:
        """The code of a cell."""
        (found,) = ("".join(each["source"]) for each in self.cells if each["metadata"]["nbgrader"]["grade_id"] == cell)
        return found

    def says(self, *phrases: str) -> None:
        """The text must still make the statement that a test is about."""
        text = " ".join(" ".join(cell["source"]) for cell in self.cells if cell["cell_type"] == "markdown")
        for phrase in phrases:
            assert phrase in re.sub(r"\s+", " ", text), phrase

    def picture(self, cell: str, number: int = 0) -> Mapping[str, Any]:
        """What one picture of a cell is drawn from: its first argument, or the second of `paths`."""
        name, args, _ = self.drawn[cell][number]
        found: Mapping[str, Any] = args[1] if name == "paths" else args[0]
        return found


def ran(name: str) -> Iterator[Lesson]:
    matplotlib.use("agg")
    lesson = Lesson(name)
    with pytest.MonkeyPatch.context() as monkeypatch, np.errstate(all="ignore"):
        monkeypatch.setitem(os.environ, "NBGRADER_EXECUTION", "autograde")  # the live demo shows nothing
        lesson.run(monkeypatch)
    yield lesson


def best_line(X: Any, y: Any) -> float:
    """The share that the best straight line has right, over a fine fan of directions."""
    best = 0.0
    for angle in np.linspace(0, np.pi, 721):
        order = np.argsort(X @ [np.cos(angle), np.sin(angle)])
        ahead = np.cumsum(2 * y[order] - 1)
        best = max(best, (len(y) / 2 + max(ahead.max(), -ahead.min())) / len(y))
    return 100 * best
