"""The examiner's process: one submission's cells run over there, its tests here."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from examiner.grading import marking
from examiner.grading.assignment import Limits
from examiner.grading.budget import OVERTIME
from examiner.grading.cells import Cells
from examiner.grading.source import numbers_in
from examiner.grading.testing import Tests, marking_tools
from examiner.isolation.connection import NotStarted
from examiner.isolation.sandbox import limit_memory


def examine(line: socket.socket, readable: Sequence[str] = ()) -> None:
    """Run one submission's restored notebook: student cells over there, test cells here. Marks go out as decided.

    Where tests deal in more than numbers, this process reads nothing but `readable`, if anything is named.
    """
    first, handed, _, _ = socket.recv_fds(line, 1 << 16, 2)
    job = json.loads(_read_line(line, first))
    waiting = [tuple(socket.socket(fileno=descriptor) for descriptor in handed)]
    limits, first_step = Limits(**job["limits"]), job.get("from", 0)
    signal.setitimer(signal.ITIMER_REAL, limits.given_up - 5)  # this process ends before it is given up
    limit_memory(limits.memory)  # and takes no more than a student's may

    def start() -> tuple[socket.socket, ...]:
        if waiting:
            return waiting.pop()
        line.sendall(b'{"need":"student"}\n')
        _, handed, _, _ = socket.recv_fds(line, 1, 2)
        return tuple(socket.socket(fileno=descriptor) for descriptor in handed)

    def tell(**message: Any) -> None:
        line.sendall(json.dumps(message).encode() + b"\n")

    tell(pid=os.getpid())
    steps = job["steps"]
    cells, tests = _prepared(job, limits, start)
    if state := job.get("state"):
        cells.take_over(first_step, state)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    tests.surroundings.install()
    tests.surroundings.shut_in(readable)
    marking.SEED = job["seed"]
    try:
        for at, number in list(enumerate(in_source_order(steps)))[first_step:]:
            step, testing = steps[number], at >= len(steps)
            if at == len(steps):
                cells.budget.begin_tests()
            if step["kind"] != "skip":
                tell(at=at, within=cells.budget.own_seconds(step) + OVERTIME, state=cells.state())
            if testing:
                tell(mark=tests.mark(number, step))
            elif any((ran := cells.run(number, step)).values()):
                tell(cell=number, **ran)
        tell(done=cells.notes)
    except NotStarted as failure:
        tell(failed=str(failure))
    finally:
        tests.surroundings.remove()


def _prepared(job: dict[str, Any], limits: Limits, start: Any) -> tuple[Cells, Tests]:
    """The cells and tests of a submission, with nothing run yet but the marking tools."""
    sys.modules["__main__"] = shared = ModuleType("__main__")
    answers = [step["source"] for step in job["steps"] if "asked" in step]
    marking.NUMBERS = frozenset(number for source in answers for number in numbers_in(source))
    tools, fault = marking_tools(job["tools"])
    cells = Cells(job, limits, start, tools)
    return cells, Tests(cells, tools, vars(shared), fault)


def in_source_order(steps: list[dict[str, Any]]) -> list[int]:
    """The numbers of the steps in the order in which they are come to.

    First all of the notebook: the student's cells are run, before any test has lent anything, and each test's names are
    noted at its place. Then the tests, in the source's order: what a question's tests lend, others asked for before.
    """
    tests = [(step["order"], number) for number, step in enumerate(steps) if step["kind"] == "test"]
    return [*range(len(steps)), *(number for _, number in sorted(tests))]


def _read_line(line: socket.socket, first: bytes) -> bytes:
    parts = [first]
    while not parts[-1].endswith(b"\n"):
        parts.append(line.recv(1 << 20))
        if not parts[-1]:
            raise EOFError
    return b"".join(parts)
