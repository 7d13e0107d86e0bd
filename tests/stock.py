"""Grade every answer of the banks by stock nbgrader and by the examiner, and list the marks that differ.

`python tests/stock.py` (`make stock`) takes about half an hour on two cores; `--only sigmoid,backward` takes some
questions. Stock nbgrader runs the same test cells, hidden ones too, in the student's own process. Marks may differ only
where `DIFFERS` says why: there stock nbgrader can't give the mark that the contract asks for.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from nbgrader.api import Gradebook

from adequacy import BANKS, LIMITS, ROOT, SECRET, Case, cases, source, submission
from examiner.course.gradebook import read_marks
from examiner.grading.assignment import Assignment
from examiner.grading.grade import grade

DIFFERS = BANKS / "stock_differs.toml"
SETTINGS = f"""
c.Autograde = type(c)()  # nbgrader's own
c.ExecutePreprocessor.timeout = {LIMITS.cell_seconds:.0f}
c.ExecutePreprocessor.interrupt_on_timeout = True
"""

Scores = dict[str, float]


def by_stock(chosen: Sequence[Case], home: Path) -> list[Scores | None]:
    """The marks of each answer's notebook by `nbgrader autograde` as it comes; None where that gives none."""
    names = sorted({case.assignment for case in chosen})
    home.mkdir()
    (home / "nbgrader_config.py").write_text((ROOT / "nbgrader_config.py").read_text() + SETTINGS)
    for name in names:
        (home / "source" / name).mkdir(parents=True)
        (home / "source" / name / f"{name}.ipynb").write_bytes(source(name))
        _nbgrader(home, "generate_assignment", name, "--force")
    for i, case in enumerate(chosen):
        folder = home / "submitted" / f"a{i:04}" / case.assignment
        folder.mkdir(parents=True)
        (folder / f"{case.assignment}.ipynb").write_bytes(submission(source(case.assignment), case.cells))
    for name in names:
        _nbgrader(home, "autograde", name)
    with Gradebook(f"sqlite:///{home}/gradebook.db", "comp90051") as book:
        marks = {name: read_marks(book, name) for name in names}
    return [
        marked.scores if (marked := marks[case.assignment].get(f"a{i:04}")) else None for i, case in enumerate(chosen)
    ]


def _nbgrader(home: Path, *command: str) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["nbgrader", *command], cwd=home, env=environment, capture_output=True)  # it ends in 1 if one fails


def by_examiner(case: Case) -> Scores:
    """The marks of an answer's notebook by the examiner."""
    assignment = Assignment.from_notebook(source(case.assignment), case.assignment)
    result = grade(submission(source(case.assignment), case.cells), assignment, SECRET, LIMITS)
    return {mark.grade_id: mark.score for mark in result.marks if mark.score is not None}


def differences(case: Case, stock: Scores | None, ours: Scores) -> list[str]:
    """The tests whose marks are not the same."""
    if stock is None:
        return ["stock nbgrader gave no marks"]
    return [
        f"{name}: stock {stock.get(name)}, examiner {score}" for name, score in ours.items() if stock.get(name) != score
    ]


def main() -> int:
    """Compare, and print what differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", default="", help="questions, with commas between them")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    chosen = list(cases([name for name in options.only.split(",") if name]))
    reasons = tomllib.loads(DIFFERS.read_text())["differs"]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stock-") as folder, ThreadPoolExecutor(options.workers) as pool:
        shards = [chosen[i :: options.workers] for i in range(options.workers)]
        homes = [Path(folder) / str(i) for i in range(options.workers)]
        stock = {
            case.title: scores
            for shard, found in zip(shards, pool.map(by_stock, shards, homes), strict=True)
            for case, scores in zip(shard, found, strict=True)
        }
        shutil.rmtree(folder, ignore_errors=True)
        ours = dict(zip((case.title for case in chosen), pool.map(by_examiner, chosen), strict=True))
    unexplained = explained = 0
    for case in chosen:
        found = differences(case, stock[case.title], ours[case.title])
        if not found:
            continue
        why = next((entry["why"] for entry in reasons if fnmatch(case.title, entry["answer"])), "")
        explained += bool(why)
        unexplained += not why
        print(f"{'explained' if why else 'DIFFERS'}: {case.kind} {case.title}\n    {'; '.join(found)}  {why}")
    same = len(chosen) - explained - unexplained
    print(f"\n{len(chosen)} answers in {time.monotonic() - began:.0f} s: the same marks for {same}, ", end="")
    print(f"others for a reason for {explained}, others without one for {unexplained}")
    return int(unexplained > 0)


if __name__ == "__main__":
    sys.exit(main())
