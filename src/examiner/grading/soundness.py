"""Whether the tests of an assignment do what they should: its own solution passes each, and a blank copy none.

Tests of other courses run here as they are, but apart from the student's process; where one can't, it is told before a
class is graded and not after.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from examiner.grading.assignment import Assignment, Cell
from examiner.grading.grade import grade
from examiner.grading.result import Mark, Result


@dataclass(frozen=True)
class Finding:
    """A test cell that marks its own solution wrong, or a blank copy right, be it in part."""

    grade_id: str
    what: str  # as "fails its own solution", "waits for a person with its own solution" or "passes a blank copy"
    line: str  # of the test, where it failed
    why: str
    change: str  # what to do about it
    beyond: str = ""  # what it reaches for that no sandbox has

    def __str__(self) -> str:
        where = f" at `{self.line}`" if self.line else ""
        return f"{self.grade_id} {self.what}{where}: {self.why} {self.change}".rstrip()


def check(assignment: Assignment, sandbox: str = "auto", hidden: tuple[str, ...] = ()) -> list[Finding]:
    """Grade an assignment's own solution and a blank copy: the test cells that are not sound."""
    if assignment.parts:
        found = [(part.notebook, finding) for part in assignment.parts for finding in check(part, sandbox, hidden)]
        return [replace(finding, grade_id=f"{notebook}/{finding.grade_id}") for notebook, finding in found]
    own = grade(handed_in(assignment, blank=False), assignment, b"check", sandbox=sandbox, hidden=hidden)
    blank = grade(handed_in(assignment, blank=True), assignment, b"check", sandbox=sandbox, hidden=hidden)
    cells = {cell.grade_id: cell for cell in assignment.cells if cell.kind == "test"}
    return [*_failing(cells, own), *_for_nothing(cells, blank)]


def refusal(found: Sequence[Finding]) -> str:
    """Why an assignment is not to be graded at all: its own solution reaches for what no sandbox has, and fails."""
    beyond = next((finding for finding in found if finding.beyond), None)
    if beyond is None:
        return ""
    return (
        f"It reaches for {beyond.beyond}, which no student code has here, and its own solution fails without "
        f"({beyond.grade_id}). Nothing of it was graded. {BEYOND[beyond.beyond][1]}"
    )


BEYOND = {
    "the network": (
        r"urlopen error|URLError|HTTPError|Max retries exceeded|gaierror|ConnectionError|Network is unreachable|"
        "name resolution",
        "Put what it loads beside the source notebook, and let it load that.",
    ),
    "a GPU": (
        r"\bCUDA\b|\bcuda\b|NVIDIA|No GPU|\bcupy\b",
        "Let it run on a processor where there is no GPU.",
    ),
    "another language": (
        r"^%%(bash|sh|script|perl|ruby|R|julia|javascript|js|cython)\b|[Cc]ell magic `%%",
        "Let it do in Python what it does there.",
    ),
}
"""What may be reached for: how that is seen in an error, and what to do."""


def handed_in(assignment: Assignment, blank: bool) -> bytes:
    cells = [
        {
            "cell_type": cell.cell_type,
            "metadata": {"nbgrader": dict(cell.metadata)} if cell.metadata else {},
            "source": cell.release_source if blank or cell.kind in ("test", "tools") else cell.source,
        }
        for cell in assignment.cells
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def _failing(cells: dict[str, Cell], own: Result) -> Iterator[Finding]:
    eyes = {why.split(": ", 1)[0]: why.split(": ", 1)[-1] for why in own.needs_eye}
    errors = [cell.error.split("\n")[-1] for cell in own.cells if cell.error]
    failing = [f"{cell.source}\n{cell.error}" for cell in own.cells if cell.error]
    for mark in own.marks:
        cell = cells.get(mark.grade_id)
        if cell is None or mark.score == mark.points:
            continue
        what = "waits for a person with its own solution" if mark.score is None else "fails its own solution"
        lines = cell.source.split("\n")
        line = lines[mark.line - 1].strip() if 0 < mark.line <= len(lines) else ""
        why = eyes.get(mark.grade_id, "") or mark.message.replace("\n", " ")
        signs = "\n".join([why, mark.message, *failing])
        beyond = next((what for what, (sign, _) in BEYOND.items() if re.search(sign, signs, re.MULTILINE)), "")
        yield Finding(mark.grade_id, what, line, why, _change(mark, why, errors), beyond)


def _for_nothing(cells: dict[str, Cell], blank: Result) -> Iterator[Finding]:
    for mark in blank.marks:
        if mark.grade_id in cells and mark.score:
            part = f"gives a blank copy {mark.score:g} of {mark.points:g}"
            yield Finding(
                mark.grade_id,
                "passes a blank copy" if mark.score == mark.points else part,
                "",
                "It gives marks for nothing.",
                "Let it call what is asked for.",
            )


def _change(mark: Mark, why: str, errors: list[str]) -> str:
    """What a tutor can do, by what went wrong."""
    if "the marking tools" in why:
        return "Mend the marking tools."
    if "There is no question" in why:
        return "Spell it as the marking tools do."
    text = f"{why} {mark.message} {' '.join(errors)}"
    if re.search(BEYOND["the network"][0], text):
        return "There is no network in grading: put what it loads beside the source notebook."
    if "'Opaque'" in text:
        return "Let the test ask for less: what it takes from the notebook is too large to be brought over."
    if missing := re.search(r"No such file or directory: '([^']*)'|FileNotFoundError", text):
        return f"Put {missing[1] or 'the file'} beside the source notebook, or let an earlier cell write it."
    if module := re.search(r"No module named '([\w.]+)'", text):
        return f"Install {module[1]} where the grader runs."
    if name := re.search(r"There is no `(\w+)`", mark.message):
        return f"Let a cell of the source above the test define `{name[1]}`."
    if "compares an object" in why:
        return "Compare its attributes, or give its class in the source an `__eq__`."
    if "pickle" in text:
        return "Read another format than a pickle."
    return "Where stock nbgrader passes it, test what the student's function returns, and not how it is made."
