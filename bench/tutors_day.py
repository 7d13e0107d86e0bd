"""A class from zip to feedback in one command: `python bench/tutors_day.py 300` prints time, memory and the account.

The class is that of tests/big_class.py: answers of the banks, attacks among them, both notebooks of each student.
"""

from __future__ import annotations

import csv
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]
_PR_SET_CHILD_SUBREAPER = 36


def memory_of(pid: int) -> int:
    """The memory of a process and all that came of it, in bytes, what they share counted once."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().split("\n")
            total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
        except (OSError, ValueError):
            continue
    return total


def measured(command: list[str], folder: Path) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and the most memory in MiB of a command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    most = 0

    def watch() -> None:
        nonlocal most
        while process.poll() is None:
            most = max(most, memory_of(process.pid))
            time.sleep(1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    if process.wait():
        raise SystemExit("workshop grade failed")
    watcher.join()
    while True:  # what it left behind came to us, and its processor time with it
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, used, most / 2**20


def main(count: int) -> None:
    """Make the class, grade it, grade it again, and say what that took."""
    import big_class

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as scratch:
        course = Path(scratch)
        for name in ("source", "release"):
            shutil.copytree(ROOT / name, course / name)
        (course / "slides").mkdir()
        shutil.copy(ROOT / "slides" / "course.yml", course / "slides")
        shutil.copy(ROOT / "nbgrader_config.py", course)
        big_class.make(course, count)
        workshop = str(Path(sys.executable).parent / "workshop")
        command = [workshop, "grade", "--from", "class.zip", "--roster", "roster.csv"]
        print(f"{count} students, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
        print(f"{'':12}{'wall s':>9}{'CPU s':>9}{'MiB':>7}")
        for title in ("first run", "second run"):
            wall, used, most = measured(command, course)
            print(f"{title:12}{wall:9.1f}{used:9.1f}{most:7.0f}", flush=True)
        with open(course / "grades.csv", newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        pages = len(list((course / "feedback").rglob("*.html")))
        with zipfile.ZipFile(course / "feedback.zip") as archive:
            zipped = len(archive.namelist())
        print(f"accounted for: {len({row['student_id'] for row in rows})} students, {len(rows)} rows in grades.csv,")
        nothing = sum("nothing" in row["notes"] for row in rows)
        print(f"  {pages} pages of feedback, {zipped} in the zip; handed in nothing: {nothing}")
        if keep := os.environ.get("KEEP"):
            shutil.copytree(course, keep, dirs_exist_ok=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
