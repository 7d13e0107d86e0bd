"""Processes that wait ready and are forked for each submission: students by one, examiners by another."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from examiner.isolation import linux
from examiner.isolation.sandbox import (
    ENVIRONMENT,
    LEVELS,
    MOST_THREADS,
    NONE,
    SCRATCH_BYTES,
    NoSandbox,
    best_level,
    enter,
    own_folders,
    plan,
    readable_paths,
    separate,
    small_root,
)
from examiner.isolation.watch import FINE, TOO_MUCH


@contextlib.contextmanager
def own_core() -> Iterator[int | None]:
    """A core of this machine for one submission, which no other has meanwhile; None where all are taken.

    Examiner and student take turns: on one core a turn costs a few microseconds, between two cores ten times that.
    The lock is on the core's entry in /sys, so graders that know nothing of each other share a machine well.
    """
    core, lock = _take_core()
    try:
        yield core
    finally:
        if lock is not None:
            os.close(lock)


def _take_core() -> tuple[int | None, int | None]:
    """A free core and the descriptor that keeps it, or two times None."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    import fcntl

    for core in sorted(os.sched_getaffinity(0)):
        lock = None
        try:
            lock = os.open(f"/sys/devices/system/cpu/cpu{core}", os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return core, lock
        except OSError:
            if lock is not None:
                os.close(lock)
    return None, None


Readies = Callable[[socket.socket, str, int], Callable[[], None]]
"""Makes a student's process ready, given its line, scratch folder and seed; what it returns is called once shut in."""
_HOME = "workshop-grading-"  # how the name of a forkserver's folder begins


class Forkserver:
    """Two processes that wait ready: one forks students, the other examiners, which know the tests.

    Students are forked from a process that has imported what notebooks need and has never seen a test. Examiners are
    forked from one that keeps compiled tests, so that these are compiled once for a class. `program` is the module that
    both run; it calls `serve_students` and `serve_examiners`.
    """

    def __init__(self, program: str, sandbox: str = "auto", hidden: Sequence[str] = ()) -> None:
        if sandbox not in ("auto", NONE, *LEVELS):
            raise ValueError(f"no sandbox is called {sandbox!r}: there are auto, {', '.join(LEVELS)} and {NONE}")
        if not hasattr(os, "fork"):
            raise NoSandbox("grading needs Linux or macOS: this system can't fork a process")
        self._lock = threading.Lock()
        self._learnt: set[str] = set()
        self._home = tempfile.mkdtemp(prefix=_HOME)
        self._students, students = socket.socketpair()
        self._examiners, examiners = socket.socketpair()
        environment = {**ENVIRONMENT, "HOME": self._home, "IPYTHONDIR": self._home, "MPLCONFIGDIR": _font_cache()}
        if "PYTHONPATH" in os.environ:
            environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
        descriptors = [students.fileno(), examiners.fileno()]
        hidden = [*own_folders(), *hidden]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", program, *map(str, descriptors), sandbox, *hidden],
            env=environment,
            pass_fds=descriptors,
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the grader, which then ends this one
        )
        students.close()
        examiners.close()
        self.owner = os.getpid()
        hello = _receive_line(self._students)
        if not hello:
            self.close()
            raise NoSandbox("the grading process did not start")
        self.level: str = hello["level"]
        self.reasons: str = hello["reasons"]
        self.pids: tuple[int, int] = (self._process.pid, hello["examiners"])
        if not self.level:
            self.close()
            raise NoSandbox(
                f"student code can't be shut in on this machine ({self.reasons}). "
                'To run it unprotected, with your own rights, say so: sandbox="none" (workshop grade --sandbox none).'
            )

    def examiner(self, tests: Sequence[str], core: int | None) -> socket.socket:
        """A new examiner process that knows these tests; the socket is the line to it."""
        mine, theirs = socket.socketpair()
        with self._lock:
            new = [test for test in dict.fromkeys(tests) if test not in self._learnt]
            self._learnt.update(new)
            _ask(self._examiners, {"tests": new, "core": core}, [theirs])
        return mine

    def student(self, limits: dict[str, Any], seed: int, core: int | None) -> tuple[socket.socket, socket.socket, str]:
        """A new student process: the line to it, its leash (it dies when that is let go) and its scratch folder."""
        scratch = tempfile.mkdtemp(prefix="student-", dir=self._home)
        mine, theirs = socket.socketpair()
        leash, collar = socket.socketpair()
        request = {"scratch": scratch, "limits": limits, "seed": seed, "core": core}
        with self._lock:
            _ask(self._students, request, [theirs, collar])
        return mine, leash, scratch

    def forget(self, scratches: Sequence[str]) -> None:
        """Remove the scratch folders of students that have ended."""
        for scratch in scratches:
            _remove(scratch)

    def alive(self) -> bool:
        """Whether both processes are there, and answer to this very one."""
        there = self.owner == os.getpid() and self._process.poll() is None
        return there and not any(map(_has_hung_up, (self._students, self._examiners)))

    def close(self) -> None:
        """End it and all that it started."""
        for control in (self._students, self._examiners):
            with contextlib.suppress(OSError):
                control.close()
        if self.owner == os.getpid():
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            _remove(self._home)


def _ask(control: socket.socket, request: dict[str, Any], sockets: list[socket.socket]) -> None:
    """Send a request, its length first and the descriptors with that, and let go of them."""
    body = json.dumps(request).encode()
    socket.send_fds(control, [struct.pack("<I", len(body))], [s.fileno() for s in sockets])
    control.sendall(body)
    for s in sockets:
        s.close()


def _remove(folder: str) -> None:
    """Remove a folder that a student's process may have filled with anything."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):  # folders in folders, by the thousand, or such as may not be listed or changed
        for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*command, folder], check=False, stderr=subprocess.DEVNULL)


def _has_hung_up(line: socket.socket) -> bool:
    """Whether the other end, which never says anything, is closed."""
    try:
        return not line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _font_cache() -> str:
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "matplotlib")
    with contextlib.suppress(OSError):
        os.makedirs(cache, exist_ok=True)
    return cache


def _receive_line(control: socket.socket) -> dict[str, Any]:
    data = b""
    while not data.endswith(b"\n"):
        piece = control.recv(4096)
        if not piece:
            return {}
        data += piece
    return dict(json.loads(data))


def serve_students(
    control: socket.socket, sandbox: str, hidden: Sequence[str], student: Readies, examiners: int
) -> NoReturn:
    """Fork a supervisor with a student for each request, until the owner is gone; `examiners` is the other process."""
    readable = readable_paths()
    level, reasons = (NONE, "asked for") if sandbox == NONE else best_level(readable, sandbox, hidden)
    view = plan(readable, hidden) if level not in ("", NONE) else {}
    if "landlock" in level:
        importlib.import_module("sandlock")  # once, not in each student
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the owner may have ended meanwhile
        control.sendall(json.dumps({"level": level, "reasons": reasons, "examiners": examiners}).encode() + b"\n")
    _serve(control, lambda request, handed: _keep(request, handed, level, view, student), {examiners})
    if os.path.basename(os.getcwd()).startswith(_HOME):  # and never a folder that was not made for it
        _remove(os.getcwd())
    os._exit(0)


def serve_examiners(
    control: socket.socket, learn: Callable[[str], object], examine: Callable[[socket.socket], None]
) -> NoReturn:
    """Learn the tests of each request and fork an examiner for it, until the owner is gone."""
    linux.die_with_parent()

    def work(request: Any, handed: list[int]) -> None:
        linux.close_memory()
        examine(socket.socket(fileno=handed[0]))

    _serve(control, work, set(), learn)
    os._exit(0)


def _serve(
    control: socket.socket,
    work: Callable[[Any, list[int]], None],
    children: set[int],
    learn: Callable[[str], object] = lambda test: None,
) -> None:
    """Do each request's work in a forked process of its own, and wait in the end for these children and all others."""
    while True:
        length, handed, _, _ = socket.recv_fds(control, 4, 4)
        body = control.recv(struct.unpack("<I", length)[0], socket.MSG_WAITALL) if length else b""
        _bury(children)
        if not body:
            break
        request = json.loads(body)
        for test in request.get("tests", ()):
            with contextlib.suppress(Exception):  # the examiner meets it again, and tells
                learn(test)
        gc.freeze()  # what is here now is shared with the child, and stays so while its collector leaves it alone
        with contextlib.suppress(OSError):  # no room for a process: whoever asked finds the line closed
            pid = os.fork()
            if not pid:
                control.close()
                _work(work, request, handed)
            children.add(pid)
        for descriptor in handed:
            os.close(descriptor)
    deadline = time.monotonic() + 1
    while children and time.monotonic() < deadline:
        time.sleep(0.01)
        _bury(children)
    for pid in children:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _work(work: Callable[[Any, list[int]], None], request: Any, handed: list[int]) -> NoReturn:
    try:
        linux.die_with_parent()
        os.setsid()
        if request["core"] is not None:
            os.sched_setaffinity(0, {request["core"]})
        work(request, handed)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(2, f"grading process: {type(error).__name__}: {error}\n".encode())
        os._exit(70)
    os._exit(0)


def _bury(children: set[int]) -> None:
    """Take note of the children that have ended, and of the time they used."""
    with contextlib.suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            children.discard(pid)


def _keep(request: Any, handed: list[int], level: str, view: Mapping[str, bool], student: Readies) -> None:
    """Start a student's process in its namespaces, tell how it ended, and end it when the leash is let go."""
    data, collar = handed
    scratch = request["scratch"]
    processes = os.open("/proc", os.O_RDONLY) if sys.platform == "linux" else None  # seen from the small root too
    linux.adopt_orphans()
    if "namespaces" in level:
        separate()
        small_root(scratch, view)
    pid = os.fork()
    if not pid:
        os.close(collar)
        _closed_but(data)
        serve = student(socket.socket(fileno=data), scratch, request["seed"])
        enter(level, scratch, request["limits"], view)
        serve()
        os._exit(0)
    os.close(data)
    with contextlib.suppress(OSError):
        os.write(collar, struct.pack("<i", pid))
    watch = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    ended, how = 0, None
    while not ended:
        ready = select.select([collar] + ([] if watch is None else [watch]), [], [], 0.2 if watch else 0.05)[0]
        asked = _said(collar) if collar in ready else None
        # A scratch folder in memory is as large as it may be: who fills it is told at once, in the cell that does.
        if _takes_too_much(pid, processes, "" if "namespaces" in level else scratch):
            how = TOO_MUCH
        if how or asked == b"":
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            ended, status = os.waitpid(pid, 0)
        else:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if asked and not ended:
                with contextlib.suppress(OSError):
                    os.write(collar, FINE)
    with contextlib.suppress(OSError):
        os.write(collar, json.dumps({"ended": how or os.waitstatus_to_exitcode(status)}).encode() + b"\n")
    _end_orphans()


def _said(collar: int) -> bytes:
    """What the holder of a leash says: that it asks how the student's process is, or nothing more: it has let go."""
    try:
        return os.read(collar, 1)
    except OSError:
        return b""


def _takes_too_much(pid: int, processes: int | None, scratch: str) -> bool:
    """Whether a student's process has more threads or files than any answer needs; no limit of Linux holds them all.

    A `scratch` of "" is not counted. What can't be counted is too much: nobody is to escape one count by what spoils
    the other, or the same one.
    """
    try:
        if _threads(pid, processes) > MOST_THREADS:
            return True
        return bool(scratch) and _room_left(scratch, None, SCRATCH_BYTES - _unnamed(pid, processes)) < 0
    except (OSError, RecursionError):  # folders that may not be listed, or in folders by the thousand
        return True


def _threads(pid: int, processes: int | None) -> int:
    """How many threads a process has, none once it has ended."""
    if processes is None:
        return 0
    try:
        with open(os.open(f"{pid}/status", os.O_RDONLY, dir_fd=processes)) as file:
            return next((int(line.split()[1]) for line in file if line.startswith("Threads:")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _unnamed(pid: int, processes: int | None) -> int:
    """The bytes of the files that a process holds open and no folder has any more, none once it has ended."""
    size = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for descriptor in os.listdir(f"/proc/{pid}/fd") if processes is not None else ():
            with contextlib.suppress(FileNotFoundError):
                about = os.stat(f"{pid}/fd/{descriptor}", dir_fd=processes)
                size += about.st_size if stat.S_ISREG(about.st_mode) and not about.st_nlink else 0
    return size


def _room_left(folder: str, parent: int | None, room: int) -> int:
    """What a folder's files leave of so many bytes, an empty one a page; an OSError where something can't be counted.

    It ends as soon as nothing is left: folders that are moved about while they are counted would keep it at that for
    ever. From folder to folder by descriptors: the whole of a path may be longer than the system takes.
    """
    try:
        here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:  # gone meanwhile, as a file may be below
        return room
    try:
        with os.scandir(here) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    about = entry.stat(follow_symlinks=False)
                    room -= max(about.st_size, 4096)
                    if room >= 0 and stat.S_ISDIR(about.st_mode):
                        room = _room_left(entry.name, here, room)
                if room < 0:
                    break
    finally:
        os.close(here)
    return room


def _end_orphans() -> None:
    """What a student's process left behind comes to its supervisor, and ends here."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        except OSError:
            return
        if not children:
            return
        for child in children:
            with contextlib.suppress(OSError):
                os.kill(int(child), signal.SIGKILL)
                os.waitpid(int(child), 0)


def _closed_but(keep: int) -> None:
    """Close every descriptor except one; input, output and errors go nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)
