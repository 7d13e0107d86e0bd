"""Which system calls student code makes: answers of the banks, the notebooks and ordinary cells, graded under strace.

`python tests/trace_calls.py` (`make trace-calls`) prints each call, how often it was made and with which arguments, what
was refused (the attempts by which a level is proved are among that), and what is allowed but was never made. `--every 1` takes all answers of the banks, not one in forty.
"""

# ruff: noqa: E501

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import adequacy
from attacks.stage import ASSIGNMENT, KEY, handed_in
from examiner.grading.assignment import Limits
from examiner.grading.grade import close_forkservers, grade
from examiner.isolation.linux import ALLOWED, GUARDED

ORDINARY = """
import asyncio, csv, glob, gzip, os, pathlib, pickle, queue, random, secrets, shutil, sqlite3
import concurrent.futures, ctypes, datetime, platform, signal, tempfile, threading, time, uuid
import matplotlib.pyplot as plt
import numpy as np
import ipywidgets, workshop.points, workshop.plots
figure, axes = plt.subplots()
axes.plot(np.random.rand(100)); axes.set_title(r'$\\sigma(x)$')
for kind in ('png', 'pdf', 'svg'): figure.savefig(f'picture.{kind}')
plt.figure().add_subplot(projection='3d').plot_surface(*np.meshgrid(range(5), range(5)), np.ones((5, 5)))
plt.show()
np.save('x.npy', np.ones(1000)); np.load('x.npy', mmap_mode='r').sum(); np.savez('y.npz', a=1); np.savetxt('t.txt', np.eye(3))
np.memmap('m.dat', dtype=float, mode='w+', shape=(1000,))[:] = 1
np.linalg.svd(np.random.rand(300, 300)); np.fft.fft(np.ones(10_000)); np.ones(10**8).sum()
threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
with concurrent.futures.ThreadPoolExecutor(4) as pool: list(pool.map(abs, range(100)))
threading.Event().wait(0.01); threading.Timer(0.01, print).start()
try: queue.Queue().get(timeout=0.01)
except queue.Empty: pass
with tempfile.TemporaryDirectory() as folder: pathlib.Path(folder, 'x').write_text('y')
with tempfile.NamedTemporaryFile() as file: file.write(b'x'); file.flush(); file.truncate(0)
with open('f.csv', 'w') as file: csv.writer(file).writerow([1, 2])
with gzip.open('g.gz', 'wt') as file: file.write('x')
shutil.copyfile('f.csv', 'h.csv'); os.rename('h.csv', 'i.csv'); os.remove('i.csv'); os.symlink('f.csv', 'j'); os.readlink('j')
os.makedirs('p/q'); shutil.move('f.csv', 'p/q'); shutil.rmtree('p'); pathlib.Path('z').touch(); glob.glob('*'); os.getcwd()
sqlite3.connect(':memory:').execute('create table t (x)'); pickle.dumps(np.ones(3)); random.random(); secrets.token_hex(); uuid.uuid4()
time.sleep(0.01); time.process_time(); time.thread_time(); datetime.datetime.now(); os.cpu_count(); os.getpid()
platform.platform(); platform.node(); os.urandom(8); signal.getsignal(2); ctypes.CDLL(None).getpid(); os.isatty(1)
ipywidgets.interactive(lambda x: x, x=(0, 10))
await asyncio.sleep(0.01)
await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(3)))
await asyncio.to_thread(time.sleep, 0.01)
%time sum(range(1000))
%timeit -n 2 -r 2 sum(range(1000))
print('all of it ran')
"""
PATIENT = Limits(cell_seconds=200, total_seconds=300)
TOLD = {"fcntl": 1, "ioctl": 1, "madvise": 2, "mmap": 3, "futex": 1, "prctl": 0, "clock_gettime": 0, "openat": 2}


def work(every: int) -> None:
    """Grade: this runs under strace."""
    notebook = json.dumps(handed_in("def double(x): return 2 * x", first=ORDINARY)).encode()
    result = grade(notebook, ASSIGNMENT, KEY, PATIENT)
    print("ordinary cells:", [cell.error or "done" for cell in result.cells if cell.source == ORDINARY])
    for case in list(adequacy.cases())[::every]:
        adequacy.grade_case(case)
    for name in ("logistic_regression", "mlp_sgd"):
        notebook = json.loads(adequacy.submission(adequacy.source(name), {}))
        shown = [c for c in notebook["cells"] if c["cell_type"] == "code" and not c["metadata"].get("nbgrader")]
        notebook["cells"] += [{**cell, "metadata": {}, "id": f"own{i}"} for i, cell in enumerate(shown)]
        assignment = adequacy.examiner.Assignment.from_notebook(adequacy.source(name), name)
        grade(json.dumps(notebook).encode(), assignment, KEY)
    close_forkservers()


def made(folder: Path) -> dict[str, Counter[tuple[str, str]]]:
    """By call, how often student code made it, with what argument and to what end."""
    lines = {path.suffix[1:]: path.read_text(errors="replace").splitlines() for path in folder.iterdir()}
    calls: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)

    def take(of: list[str]) -> None:
        for line in of:
            if found := re.match(r"(\w+)\((.*)", line):
                name, rest = found[1], found[2]
                parts = re.split(r", |\) +=", rest)
                end = re.search(r"= -1 (E\w+)", line)
                calls[name][parts[TOLD[name]] if name in TOLD else "", end[1] if end else ""] += 1
                thread = re.search(r"= (\d+)$", line) if name in ("clone", "clone3") else None
                take(lines.pop(thread[1], []) if thread else [])

    for of in list(lines.values()):
        begin = next((i for i, line in enumerate(of) if "PR_SET_SECCOMP" in line), None)
        if begin is not None:
            take(of[begin + 1 :])
    return calls


def main() -> None:
    """Trace and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=40, help="one answer of the banks in so many")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.every)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--work", "--every", str(options.every)]
        subprocess.run(["strace", "-ff", "-qq", "-o", f"{folder}/of", *command], check=True)
        calls = made(Path(folder))
    for name, ways in sorted(calls.items(), key=lambda item: -sum(item[1].values())):
        listed = "allowed" if name in ALLOWED else "guarded" if name in GUARDED else "refused"
        arguments = Counter[str]()
        for (argument, _), count in ways.items():
            arguments[argument] += count
        ends = Counter(end for (_, end), count in ways.items() for _ in range(count) if end)
        told = " ".join(f"{a}×{n}" for a, n in arguments.most_common(8) if a)
        print(f"{listed:8} {sum(ways.values()):8} {name:20} {told}  {dict(ends) or ''}")
    print("allowed, not made here:", *sorted({*ALLOWED, *GUARDED} - set(calls)))


if __name__ == "__main__":
    main()
