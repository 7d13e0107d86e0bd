"""Small assignments of the kinds that other courses have, with the marks that stock nbgrader gives them.

`cases.txt` has a line `=== NAME` for each, and a line for each cell: `--- KIND [POINTS [-> MARK / OF A BLANK COPY]]`.
Stock nbgrader gives the source's own solution all POINTS and a blank copy none, unless the line says otherwise.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examiner.grading.assignment import Assignment

TALLY = b"_total = 0\ndef add(n):\n    global _total\n    _total += n\ndef total():\n    return _total\n"
BESIDE = {
    "files": {"numbers.csv": b"a,b\n1,2\n3,4\n", "helper_module.py": b"def double(x):\n    return 2 * x\n"},
    "a module beside that keeps what it is told": {"tally.py": TALLY},
}
FLAGS = {
    "setup": {"locked": True},
    "given": None,
    "solution": {"solution": True},
    "test": {"grade": True, "locked": True},
    "hand": {"grade": True, "solution": True},
    "written": {"grade": True, "solution": True},
    "task": {"task": True},
}


@dataclass(frozen=True)
class Case:
    """One assignment: its source notebook, and by cell the marks of its own solution and of a blank copy."""

    name: str
    notebook: dict[str, Any]
    right: dict[str, float | None]
    blank: dict[str, float | None]

    @property
    def assignment(self) -> Assignment:
        """As the examiner reads it."""
        return Assignment.from_notebook(json.dumps(self.notebook).encode(), self.name, BESIDE.get(self.name))

    def submission(self, blank: bool = False) -> bytes:
        """The source's own solutions handed in, or what was given out."""
        cells = [
            {**raw, "source": cell.release_source if blank or cell.kind == "test" else cell.source}
            for raw, cell in zip(self.notebook["cells"], self.assignment.cells, strict=True)
        ]
        return json.dumps({**self.notebook, "cells": cells}).encode()


def cases() -> list[Case]:
    """All of them."""
    text = (Path(__file__).parent / "cases.txt").read_text()
    return [_case(*part.split("\n", 1)) for part in re.split(r"^=== (?=[a-z])", text, flags=re.MULTILINE)[1:]]


def _case(name: str, text: str) -> Case:
    cells: list[dict[str, Any]] = []
    right: dict[str, float | None] = {}
    blank: dict[str, float | None] = {}
    for number, part in enumerate(re.split(r"^--- ", text, flags=re.MULTILINE)[1:]):
        head, source = part.split("\n", 1)
        kind, *rest = head.split()
        grade_id, metadata = f"cell-{number}", {}
        if FLAGS[kind] is not None:
            about = {"grade": False, "solution": False, "locked": False, "task": False, **FLAGS[kind]}
            metadata = {"nbgrader": {**about, "grade_id": grade_id, "schema_version": 3}}
        if rest:
            metadata["nbgrader"]["points"] = points = float(rest[0])
            by_hand = kind != "test"
            right[grade_id] = None if by_hand else float(rest[2]) if len(rest) > 1 else points
            blank[grade_id] = None if by_hand else float(rest[4]) if len(rest) > 1 else 0.0
        code = {} if kind in ("written", "task") else {"outputs": [], "execution_count": None}
        cell_type = "code" if code else "markdown"
        cells.append(
            {"cell_type": cell_type, "id": f"c{number}", "metadata": metadata, "source": source.strip()} | code
        )
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return Case(name, {"nbformat": 4, "nbformat_minor": 5, "metadata": about, "cells": cells}, right, blank)
