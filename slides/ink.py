"""Marks on paper: formulas, words, lines and arrows as SVG, in layers that come in one after the other.

A figure is a list of layers. The first is always seen; each later one is a step that a key press brings in.
Formulas are set by matplotlib's mathtext as outlines, so that a figure needs no font, and the TeX stays beside
the outline in `data-tex`, where the tests read it. The same inputs give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape

import matplotlib as mpl
from matplotlib.textpath import TextPath

INK, SOFT, PAPER = "#1b1f24", "#5b6570", "#ffffff"
BLUE, RED, ORANGE = "#0067a5", "#b3261e", "#b35c00"  # nudge, derivative, third curve: told apart by colour-blind eyes
SIZE = 28  # of a formula, in px of a 1280 × 720 slide; nothing is set smaller than SMALL
SMALL = 24
PALE_BLUE, PALE_RED = "#e6f1f8", "#fbeae8"

Point = tuple[float, float]
Layer = list[str]


@dataclass
class Figure:
    """Layers of SVG on a canvas of `width` × `height` px; `says` is read out by a screen reader."""

    width: int
    height: int
    says: str
    layers: list[Layer] = field(default_factory=lambda: [[]])

    def svg(self) -> str:
        """The whole figure, one step a group."""
        first, *steps = ["\n".join(layer) for layer in self.layers]
        groups = "".join(f'<g class="step" data-marpit-fragment="{i}">\n{s}\n</g>\n' for i, s in enumerate(steps, 1))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img" aria-label="{escape(self.says)}">\n'
            f"{first}\n{groups}</svg>\n"
        )


def number(x: float) -> str:
    """A coordinate with one decimal, and no minus zero."""
    text = f"{x:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def value(x: float) -> str:
    """A quantity to two decimals, in TeX."""
    return f"{x:.2f}".rstrip("0").rstrip(".") if x == round(x, 2) else f"{x:.2f}"


@cache
def outline(source: str, size: float) -> tuple[str, Point, Point]:
    """The outline of a formula as SVG path data, and its lower left and upper right corner (y upwards)."""
    with mpl.rc_context({"mathtext.fontset": "cm"}):
        drawn = source.replace(r"\top", r"{\mathsf{T}}")  # mathtext keeps ⊤ far off, as it would a relation
        path = TextPath((0, 0), f"${drawn}$", size=size)
    if not len(path.vertices):
        return "", (0, 0), (0, 0)
    letters = {1: "M", 2: "L", 3: "Q", 4: "C"}
    pieces = []
    for points, code in path.iter_segments(simplify=False, curves=True):
        if code == 79:
            pieces.append("Z")
        else:
            pieces.append(letters[int(code)] + " ".join(number(-p if i % 2 else p) for i, p in enumerate(points)))
    box = path.get_extents()
    return "".join(pieces), (box.x0, box.y0), (box.x1, box.y1)


def tex(
    source: str,
    at: Point,
    size: float = SIZE,
    colour: str = INK,
    anchor: str = "middle",
    more: str = "",
    behind: str = PAPER,
) -> str:
    """A formula with its middle, start or end at the point; a halo in the colour behind it keeps lines away."""
    data, (x0, y0), (x1, y1) = outline(source, size)
    x = at[0] - {"start": x0, "middle": (x0 + x1) / 2, "end": x1}[anchor]
    tall = y1 - y0 > 1.3 * size  # a fraction is centred on itself, a line on the height of its letters
    y = at[1] + ((y0 + y1) / 2 if tall else 0.24 * size)
    halo = f'stroke="{behind}" stroke-width="6" stroke-linejoin="round" paint-order="stroke"'
    return (
        f'<path class="tex" data-tex="{escape(source)}" data-size="{number(size)}" {more} fill="{colour}" {halo} '
        f'transform="translate({number(x)} {number(y)})" d="{data}"/>'
    ).replace("  ", " ")


def words(source: str, at: Point, size: float = SMALL, colour: str = INK, anchor: str = "middle") -> str:
    """A plain text label, in the font of the slides."""
    return (
        f'<text class="words" data-size="{number(size)}" x="{number(at[0])}" y="{number(at[1] + 0.35 * size)}" '
        f'font-family="Source Sans 3, Source Sans Pro, sans-serif" font-size="{number(size)}" fill="{colour}" '
        f'text-anchor="{anchor}">{escape(source)}</text>'
    )


def line(points: Sequence[Point], colour: str = INK, width: float = 2.5, head: bool = False, more: str = "") -> str:
    """A polyline, with an arrow head at its end if asked for."""
    data = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
    stroke = f'stroke="{colour}" stroke-width="{number(width)}" stroke-linejoin="round"'
    text = f'<path fill="none" {stroke} {more} d="{data}"/>'
    if head:
        (x0, y0), (x1, y1) = points[-2:]
        length = math.hypot(x1 - x0, y1 - y0) or 1
        ux, uy, size = (x1 - x0) / length, (y1 - y0) / length, 6 + 3 * width
        corners = [
            (x1 - size * ux + side * 0.45 * size * uy, y1 - size * uy - side * 0.45 * size * ux) for side in (1, -1)
        ]
        path = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in [corners[0], (x1, y1), corners[1]])
        text += f'<path fill="{colour}" stroke="{colour}" stroke-linejoin="round" d="{path}Z"/>'
    return text.replace("  ", " ")


def pulse(points: Sequence[Point], colour: str = BLUE) -> str:
    """A dot that runs along the line once when its step comes in; unseen on paper."""
    data = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return f'<circle class="pulse" r="10" fill="{colour}" opacity="0" style="offset-path:path(\'{data}\')"/>'
