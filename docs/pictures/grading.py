"""Draws grading.svg, the way of a submission from file to mark: `python docs/pictures/grading.py`."""

from __future__ import annotations

from html import escape
from pathlib import Path

PICTURE = Path(__file__).with_suffix(".svg")
TRUSTED, CONFINED, KEPT = "#0072b2", "#d55e00", "#5f6b76"  # the deck's blue and red; grey for what lies on disk

# Left, top, width, height, colour, title, lines.
BOXES = [
    (20, 20, 250, 96, KEPT, "submitted/", ["a notebook, at most 128 MB;", "links and devices are refused"]),
    (
        20,
        176,
        250,
        128,
        TRUSTED,
        "grading process",
        ["reads it as JSON, runs nothing;", "locked cells as given out,", "answers by id, then by text"],
    ),
    (20, 364, 250, 112, KEPT, "source/", ["tests, right answers;", "never where a student's", "code can read"]),
    (
        360,
        20,
        280,
        220,
        CONFINED,
        "student's process (sandbox)",
        [
            "runs the cells, from first to last;",
            "then only what a test calls",
            "",
            "no network, no other processes,",
            "no files but a scratch folder in",
            "memory; memory and time limited",
        ],
    ),
    (
        360,
        352,
        280,
        124,
        TRUSTED,
        "examiner's process",
        ["runs the test cells, one by one;", "has the answers and the secret;", "watched: past its time it is ended"],
    ),
    (730, 20, 250, 108, KEPT, ".workshop/", ["journal of results: a killed", "run goes on, nothing is lost"]),
    (730, 188, 250, 108, KEPT, "gradebook.db", ["and autograded/, as nbgrader", "has them; batch by batch"]),
    (
        730,
        356,
        250,
        120,
        KEPT,
        "feedback/, class report",
        ["marks and messages; what a", "student wrote is never", "markup in them"],
    ),
]
# Points, label, where the label stands.
ARROWS = [
    ([(145, 116), (145, 172)], "bytes", (155, 150)),
    ([(145, 364), (145, 308)], "cells, tests", (155, 342)),
    ([(270, 240), (315, 240), (315, 410), (356, 410)], "cells, tests", (276, 232)),
    ([(385, 348), (385, 244)], "cells, then calls with values", (395, 276)),
    ([(615, 240), (615, 348)], "values: every byte is checked", (424, 322)),
    ([(640, 440), (690, 440), (690, 74), (726, 74)], "marks", (646, 432)),
    ([(855, 128), (855, 184)], "", (0, 0)),
    ([(855, 296), (855, 352)], "", (0, 0)),
]


def svg() -> str:
    """The picture as SVG, the same bytes each time."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 496" font-family="sans-serif" font-size="15">',
        "<title>From a submission to its marks</title>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 10 5 0 10z" fill="#333"/></marker></defs>',
        '<rect width="1000" height="496" fill="#fff"/>',
    ]
    for points, label, (x, y) in ARROWS:
        way = " ".join(f"{a},{b}" for a, b in points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="#333" stroke-width="1.6" marker-end="url(#tip)"/>')
        if label:
            parts.append(f'<text x="{x}" y="{y}" fill="#333" font-size="13">{escape(label)}</text>')
    for left, top, width, height, colour, title, lines in BOXES:
        dashed = ' stroke-dasharray="7 4"' if colour == CONFINED else ""
        parts.append(
            f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="8" fill="{colour}" fill-opacity="0.07" '
            f'stroke="{colour}" stroke-width="2"{dashed}/>'
            f'<text x="{left + 14}" y="{top + 27}" font-weight="600" fill="{colour}">{escape(title)}</text>'
        )
        parts += [
            f'<text x="{left + 14}" y="{top + 52 + 21 * i}" fill="#222" font-size="14">{escape(line)}</text>'
            for i, line in enumerate(lines)
            if line
        ]
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(svg(), "utf-8")
