"""The class report's pictures."""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from examiner.pages.questions import number
from examiner.pages.terminal import Row

# --- the class report ---
COLOURS = {"full": "#0072b2", "part": "#e69f00", "none": "#d55e00", "waiting": "#a0a7ae"}
WORDS = {"full": "full marks", "part": "part of the marks", "none": "no marks", "waiting": "waits for a person"}


def sessions_in_order(rows: Sequence[Row], sessions: Sequence[str]) -> list[str]:
    others = sorted({row.session for row in rows} - set(sessions))
    return [*sessions, *[session for session in others if session], *([""] if "" in others else [])]


# --- pictures ---
def _svg(figure: Any, described: str) -> str:
    """A matplotlib figure as inline SVG, the same bytes each time."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": described, "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    salt = hashlib.sha256(described.encode()).hexdigest()[:6]  # ids must differ between the pictures of one page
    svg = re.sub(r'(id="|url\(#|xlink:href="#)', lambda match: match[1] + salt, svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(described)}"', 1)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def by_question_picture(shares: Mapping[str, Mapping[str, float]]) -> str:
    """A bar for each question, in the order of the notebook: what share of the class got what."""
    figure, axes = _figure(8.2, 0.9 + 0.34 * len(shares))
    names = list(shares)
    left = [0.0] * len(names)
    for state, colour in COLOURS.items():
        widths = [100 * shares[name][state] for name in names]
        axes.barh(range(len(names)), widths, left=left, color=colour, label=WORDS[state], height=0.72)
        for i, width in enumerate(widths):
            if width >= 8:
                ink = "white" if state in ("full", "none") else "black"
                axes.text(left[i] + width / 2, i, f"{width:.0f}", ha="center", va="center", color=ink, fontsize=9)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("per cent of the class")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="upper center", ncols=4, frameon=False, bbox_to_anchor=(0.5, 1.04)
    )
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    return _svg(figure, "Marks by question: " + ", ".join(names))


def totals_picture(scores: Sequence[float], most: float) -> str:
    """How many students have how many marks."""
    figure, axes = _figure(8.2, 2.4)
    step = max(1, round(most / 20))
    axes.hist(scores, bins=[i - 0.5 for i in range(0, int(most) + step + 1, step)], color="#0072b2", rwidth=0.9)
    axes.set_xlabel(f"marks of {number(most)}, without what waits for a person")
    axes.set_ylabel("students")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlim(-1, most + 1)
    figure.tight_layout()
    return _svg(figure, f"Total marks of {number(most)}")


def by_session_picture(rows: Sequence[Row], sessions: Sequence[str], most: float) -> str:
    """The marks in each session: a box for the middle half, a dot for each student."""
    names = [name for name in sessions_in_order(rows, sessions) if any(row.session == name for row in rows)]
    figure, axes = _figure(8.2, 0.9 + 0.42 * len(names))
    scores = [[row.score for row in rows if row.session == name] for name in names]
    axes.boxplot(
        scores,
        orientation="horizontal",
        showfliers=False,
        widths=0.55,
        boxprops={"color": "#9aa5b1"},
        whiskerprops={"color": "#9aa5b1"},
        capprops={"color": "#9aa5b1"},
        medianprops={"color": "#d55e00", "linewidth": 2},
    )
    for i, some in enumerate(scores, 1):
        offsets = [i + 0.32 * ((k * 0.618034) % 1 - 0.5) for k in range(len(some))]
        axes.plot(sorted(some), offsets, ".", color="#0072b2", alpha=0.6, markersize=8, markeredgewidth=0, zorder=3)
    axes.set_yticks(
        range(1, len(names) + 1),
        [f"{name or 'no session'} ({len(s)})" for name, s in zip(names, scores, strict=True)],
        parse_math=False,  # a group's name may be of its own choice, and broken maths stops the picture
    )
    axes.invert_yaxis()
    axes.set_xlim(-0.5, most + 0.5)
    axes.set_xlabel(f"marks of {number(most)}, without what waits for a person")
    figure.tight_layout()
    return _svg(figure, "Marks by session: " + ", ".join(names))
