"""Marks on paper: formulas, words, lines and arrows as SVG, in layers that come in one after the other.

A figure is a list of layers. The first is always seen; each later one is a step that a key press brings in.
Formulas are set by matplotlib's mathtext as outlines, so that a figure needs no font, and the TeX stays beside
the outline in `data-tex`, where the tests read it; so do its words, for a screen reader, and unseen text, for a search.
The same inputs give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape

import matplotlib as mpl
from matplotlib.textpath import TextPath
from speech import plain, spoken

from workshop.plots import CLASS_COLOURS, LINES

PALETTE = {  # by what it stands for: on white paper, in the dark. build.py hands both to the style sheet
    "ink": ("#1b1f24", "#e9ecef"),
    "soft": ("#5b6570", "#a9b4be"),
    "paper": ("#ffffff", "#15181c"),
    "line": ("#d5dbe1", "#3a424b"),
    "tint": ("#eef4f9", "#1f262e"),
    "contour": ("#b9c3cc", "#4b5661"),
    "circle": ("#eef1f4", "#2a313a"),  # of an operation
    "nudge": ("#0067a5", "#6cb8ee"),  # δ, what it moves, and ΔL/δ
    "nudge-pale": ("#e6f1f8", "#12303f"),
    "slope": ("#b3261e", "#ff8a80"),  # a derivative by backpropagation
    "slope-pale": ("#fbeae8", "#43211f"),
    "central": ("#b35c00", "#ffb370"),  # the central difference; always dashed
    **{f"class-{i}": pair for i, pair in enumerate(zip(CLASS_COLOURS, ("#6cc4f5", "#ff9d5c"), strict=True))},
    **{
        f"line-{i}": pair  # of the first, second, … line of a picture; each has its dash too
        for i, pair in enumerate(
            zip([colour for colour, _ in LINES], ("#6cc4f5", "#ff9d5c", "#3ecfa3", "#e39cc9"), strict=True)
        )
    },
}
DASHED = 'stroke-dasharray="12 7"'
STROKES = {"-": "", "--": DASHED, "-.": 'stroke-dasharray="14 6 3 6"', ":": 'stroke-dasharray="3 6"'}


def paint(name: str) -> str:
    """A colour of the palette: the page's own where it has one of that name, else the one for white paper."""
    return f"var(--{name}, {PALETTE[name][0]})"


INK, SOFT, PAPER, CONTOUR, CIRCLE = map(paint, ("ink", "soft", "paper", "contour", "circle"))
NUDGE, NUDGE_PALE, SLOPE, SLOPE_PALE = map(paint, ("nudge", "nudge-pale", "slope", "slope-pale"))
CENTRAL, CLASSES = paint("central"), (paint("class-0"), paint("class-1"))
TRACES = tuple((paint(f"line-{i}"), STROKES[dash]) for i, (_, dash) in enumerate(LINES))
SIZE = 28  # of a formula, in px of a 1280 × 720 slide; nothing is set smaller than SMALL
SMALL = 24
WIDTH = 1198  # of what takes the width of a slide; all graphs have one, so that nothing jumps from slide to slide

Point = tuple[float, float]
Layer = list[str]


@dataclass
class Figure:
    """Layers of SVG on a canvas of `width` × `height` px; `says` is read out by a screen reader."""

    width: int
    height: int
    says: str
    layers: list[Layer] = field(default_factory=lambda: [[]])
    kind: str = ""  # more class names

    def svg(self) -> str:
        """The whole figure, one step a group."""
        first, *steps = ["\n".join(layer) for layer in self.layers]
        groups = "".join(f'<g class="step" data-marpit-fragment="{i}">\n{s}\n</g>\n' for i, s in enumerate(steps, 1))
        kinds, size = f"figure {self.kind}".strip(), f"0 0 {self.width} {self.height}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="{kinds}" viewBox="{size}" '
            f'width="{self.width}" height="{self.height}" role="group" aria-label="{escape(self.says)}">\n'
            f"{first}\n{groups}</svg>\n"
        )


def number(x: float) -> str:
    """A coordinate with one decimal, and no minus zero."""
    text = f"{x:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def value(x: float) -> str:
    """A quantity to two decimals, in TeX."""
    return f"{x:.2f}"


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
    wide = f'textLength="{number(max(x1 - x0, 1))}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<g class="tex" role="img" aria-label="{escape(spoken(source))}" data-tex="{escape(source)}" '
        f'data-size="{number(size)}" {more} transform="translate({number(x)} {number(y)})">'
        f'<path fill="{colour}" {halo} d="{data}"/>'
        f'<text class="search" aria-hidden="true" x="{number(x0)}" {wide}>{escape(plain(source))}</text></g>'
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


def pulse(points: Sequence[Point], colour: str = NUDGE) -> str:
    """A dot that runs along the line once when its step comes in; unseen on paper."""
    data = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return f'<circle class="pulse" r="10" fill="{colour}" opacity="0" style="offset-path:path(\'{data}\')"/>'
