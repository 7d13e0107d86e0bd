"""What an attack is, and a fraud.

An attack is code for the cell of `double`, or cells before it, or a whole file. {port}, {socket}, {outside}, {course}
and {other} stand for an open port and a local socket on this machine, a file to write, the course's folder and another
student's submission. A fraud is a wrong answer to the workshop's own notebooks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WRONG = "def double(x):\n    return 3 * x\n"


@dataclass(frozen=True)
class Attack:
    """What is tried, and how."""

    name: str
    answer: str = WRONG  # the cell of `double`
    first: str = ""  # a cell of the student's own, run before it
    notebook: Callable[[Any], Any] | None = None  # changes the notebook, or makes the file's bytes of it
    spares: bool = True  # the right answer to `shift` keeps its marks
    within: float = 50.0  # seconds that it may cost the grader
    beside: bool = False  # played while an honest submission is graded beside it


@dataclass(frozen=True)
class Fraud:
    """Answers to one of the workshop's notebooks, and the tests that none of them may pass."""

    name: str
    assignment: str
    answers: dict[str, str]  # by the grade_id of the solution cell
    fails: tuple[str, ...]  # how the grade_ids of these tests begin
    last: str = ""  # a solution cell that is moved to the end
    cells: Callable[[Any], list[str]] = lambda assignment: []  # cells of the student's own
    within: float = 20.0
    keeps: tuple[str, ...] = ()  # tests of right answers beside it, which must pass


def code(name: str, source: str, **more: Any) -> Attack:
    """An attack in the cell of `double` itself; a wrong `double` is added where it defines none."""
    return Attack(name, source if "double" in source else source + "\n" + WRONG, **more)


def add_cell(nb: Any, source: str) -> Any:
    nb["cells"].append(
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, "id": "added"}
    )
    return nb
