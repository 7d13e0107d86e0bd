"""How long a student waits for feedback while `workshop grade --watch` is at work: `python bench/watching.py 20`.

Right answers of both notebooks arrive one after the other; the time is from the notebook in submitted/ to the page on
the disk.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]
import adequacy  # noqa: E402

NAMES = ("logistic_regression", "mlp_sgd")


def main(times: int) -> None:
    """Print the median and the longest time for each notebook."""
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        for part in ("source", "release"):
            shutil.copytree(ROOT / part, course / part)
        shutil.copy(ROOT / "nbgrader_config.py", course)
        command = [sys.executable, "-m", "examiner", "grade", "--watch", "--course", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watching:
            assert watching.stdout is not None
            while not watching.stdout.readline().startswith("Watching"):
                pass
            for name in NAMES:
                taken = [_feedback(course, name, f"student{i}") for i in range(times)]
                print(f"{name:20} median {statistics.median(taken):.2f} s, longest {max(taken):.2f} s, of {times}")
            watching.send_signal(signal.SIGINT)


def _feedback(course: Path, name: str, student: str) -> float:
    """Hand in, and wait for the page; gives the seconds between."""
    nonce = f"# {student}"  # no two are the same bytes
    content = adequacy.submission((ROOT / "source" / name / f"{name}.ipynb").read_bytes(), {}, nonce)
    target, page = course / "submitted" / student / name, course / "feedback" / student / name / f"{name}.html"
    target.mkdir(parents=True)
    part = target / ".part"
    part.write_bytes(content)
    began = time.monotonic()
    os.replace(part, target / f"{name}.ipynb")
    while not page.exists():
        time.sleep(0.01)
    taken = time.monotonic() - began
    time.sleep(1)  # the tables are written meanwhile
    return taken


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
