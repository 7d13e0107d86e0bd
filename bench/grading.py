"""Grade one class by stock nbgrader, by nbgrader with the examiner, and by `workshop grade`, and print the table.

`make bench-grading` takes 40 submissions of each notebook; ARGS="--submissions 4" is a quick look, and
`--scale 10 100 1000` grades classes of these sizes and shows that time grows straight and memory does not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examiner.grading.assignment import Assignment
from examiner.grading.grade import grade
from examiner.isolation.sandbox import ENVIRONMENT
from examiner.isolation.shell import prepared_shell

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("logistic_regression", "mlp_sgd")
BIN = Path(sys.executable).parent
OURS = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
STOCK = """
c.Autograde = type(c)()  # nbgrader's own
"""
EXAMINER = """
c.Autograde.exporter_class = "examiner.course.plugin.LenientExporter"
c.Autograde.sanitize_preprocessors = ["examiner.course.plugin.Restore"]
c.Autograde.autograde_preprocessors = ["examiner.course.plugin.Grade", "nbgrader.preprocessors.AssignLatePenalties"]
"""


@dataclass(frozen=True)
class Cost:
    """What a run cost: seconds of wall time and of all processors, bytes of memory at the peak."""

    wall: float
    cpu: float
    memory: int


def assignments() -> dict[str, Assignment]:
    """The project's two notebooks."""
    return {name: Assignment.from_notebook((ROOT / f"source/{name}/{name}.ipynb").read_bytes(), name) for name in NAMES}


def make_course(home: Path, count: int, settings: str, names: tuple[str, ...] = NAMES) -> Path:
    """A course with `count` different submissions of each notebook, all with the reference answers."""
    home.mkdir()
    (home / "nbgrader_config.py").write_text((ROOT / "nbgrader_config.py").read_text() + settings)
    shutil.copytree(ROOT / "source", home / "source")
    for name in names:
        source = json.loads((home / f"source/{name}/{name}.ipynb").read_text())
        cells = Assignment.from_notebook(json.dumps(source).encode(), name).cells
        for cell, raw in zip(cells, source["cells"], strict=True):
            raw["source"] = cell.source if cell.kind == "solution" else cell.release_source
        for student in range(count):
            folder = home / f"submitted/student{student:04}/{name}"
            folder.mkdir(parents=True)
            source["cells"][0]["metadata"] = {**source["cells"][0]["metadata"], "student": student}
            (folder / f"{name}.ipynb").write_text(json.dumps(source))
    for name in names:
        _run(["nbgrader", "generate_assignment", name, "--force"], home)
    return home


def _run(command: list[str], home: Path) -> None:
    done = subprocess.run(command, cwd=home, env=OURS, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")


def cost(work: Callable[[], object]) -> Cost:
    """What `work`, which waits for its child processes, costs."""
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.3):
            peak[0] = max(peak[0], sum(_memory(pid) for pid in _family(os.getpid())))

    watcher = threading.Thread(target=watch)
    watcher.start()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    try:
        work()
    finally:
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        over.set()
        watcher.join()
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak[0])


def _family(pid: int) -> set[int]:
    """The processes under this one."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    family: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        family |= new
    return family


def _memory(pid: int) -> int:
    """A process's share of memory, in bytes."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


GRADED = ("setup", "solution", "test")


def pure(count: int, *kinds: str) -> Cost:
    """The cells of `count` submissions of each notebook run in warm processes, and nothing else: the floor.

    As in grading, each process computes on one core, and the cells are compiled beforehand.
    """
    command = [sys.executable, __file__, "--cells-alone", str(count), *kinds]
    done = subprocess.run(command, env=os.environ | ENVIRONMENT, check=True, capture_output=True, text=True)
    return Cost(*json.loads(done.stdout))


def cells_alone(count: int, kinds: list[str]) -> Cost:
    """What `pure` measures, in the process that it starts."""
    cells = [
        [compile(cell.source, cell.grade_id, "exec") for cell in one.cells if cell.kind in kinds]
        for one in assignments().values()
    ]
    prepared_shell()
    tasks = [cells[i % len(cells)] for i in range(count * len(cells))]

    def work() -> None:
        running = 0
        for task in tasks:
            if running >= (os.cpu_count() or 1):
                os.wait()
                running -= 1
            if not os.fork():
                sys.stdout = sys.stderr = io.StringIO()
                names: dict[str, Any] = sys.modules["__main__"].__dict__
                for code in task:
                    exec(code, names)
                os._exit(0)
            running += 1
        while running:
            os.wait()
            running -= 1

    return cost(work)


def one_call() -> tuple[float, float]:
    """Microseconds that a call with small arrays takes across the processes, and in this one."""
    cell = {"cell_type": "code", "metadata": {"nbgrader": {"solution": True, "grade_id": "q"}}}
    test = {"cell_type": "code", "metadata": {"nbgrader": {"grade": True, "grade_id": "test_q", "points": 1}}}
    cell["source"] = "def q(w, X): return X @ w"
    test["source"] = """
import time, numpy as np
w, X = np.ones(3), np.ones((7, 3))
def best(f):
    rounds = []
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(200): f(w, X)
        rounds.append((time.perf_counter() - began) / 200)
    return min(rounds) * 1e6
raise AssertionError(f"{best(q)} {best(lambda w, X: X @ w)}")
"""
    notebook = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell, test]}).encode()
    result = grade(notebook, Assignment.from_notebook(notebook, "call"), b"")
    across, here = result.marks[0].message.split()
    return float(across), float(here)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=40, help="of each notebook (default 40)")
    parser.add_argument("--scale", type=int, nargs="*", default=[], help="class sizes for `workshop grade`")
    parser.add_argument("--cells-alone", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cells_alone:
        alone = cells_alone(int(options.cells_alone[0]), options.cells_alone[1:])
        print(json.dumps([alone.wall, alone.cpu, alone.memory]))
        return
    count = options.submissions
    with tempfile.TemporaryDirectory(prefix="bench-grading-") as folder:
        home = Path(folder)
        rows: dict[str, Cost] = {}
        for label, settings, commands in (
            ("stock nbgrader autograde", STOCK, [["nbgrader", "autograde", name] for name in NAMES]),
            ("nbgrader autograde, examiner", EXAMINER, [["nbgrader", "autograde", name] for name in NAMES]),
            ("workshop grade", EXAMINER, [["workshop", "grade", "--no-report"]]),
        ):
            course = make_course(home / f"course{len(rows)}", count, settings)
            rows[label] = cost(lambda commands=commands, course=course: [_run(c, course) for c in commands])
            print(f"{label}: {rows[label].wall:.1f} s", file=sys.stderr, flush=True)
        rows["the graded cells alone"] = pure(count, *GRADED)
        rows["all cells alone, as stock's"] = pure(count, *GRADED, "ungraded")
        load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"
        print(f"{count} submissions of each of {' and '.join(NAMES)}; {load}\n")
        stock, floor = rows["stock nbgrader autograde"], rows["the graded cells alone"]
        heads = f"{'wall':>10}{'CPU':>10}{'memory':>10}{'wall/stock':>12}{'CPU/stock':>11}{'wall/graded':>13}"
        print(f"{'':<30}{heads}")
        for label, run in rows.items():
            print(
                f"{label:<30}{run.wall:>8.1f} s{run.cpu:>8.1f} s{run.memory / 2**20:>6.0f} MiB"
                f"{run.wall / stock.wall:>12.3f}{run.cpu / stock.cpu:>11.3f}{run.wall / floor.wall:>13.2f}"
            )
        across, here = one_call()
        print(f"\na call with small arrays: {across:.0f} µs across the processes, {here:.1f} µs in one")
        for size in options.scale:
            course = make_course(home / f"scale{size}", size, EXAMINER, NAMES[:1])
            run = cost(lambda course=course: _run(["workshop", "grade", "--no-report", NAMES[0]], course))
            each = run.wall / size
            print(
                f"a class of {size:>5}: {run.wall:7.1f} s, {each:.3f} s each, {run.memory / 2**20:.0f} MiB", flush=True
            )


if __name__ == "__main__":
    main()
