"""Where student code runs: processes that wait ready, are forked for each submission, and can reach nothing.

The ladder, best rung first; each is tried in a process of its own before it is believed:

namespaces+landlock   own user, process, network, mount and IPC namespaces, a root that holds only the interpreter,
                      its packages and a scratch folder in memory; over it Landlock and the list of system calls
landlock              Landlock (files, signals) and the list of system calls (network, processes)
namespaces            as the first, for kernels without Landlock
none                  limits alone: only when it is asked for by name

On every rung but the last a student's process makes the system calls of `linux.ALLOWED` and no others, starts no
process, makes no socket, pipe or lock, and has limits on memory, files, output and time. The course, its gradebook, the
exchange and the home folder are hidden over whatever is shown. No rung needs root.

What two submissions that run side by side can still learn of each other: that one is slow where the other fills the
processor's caches, the disk's cache or memory; each has a core of its own while there are cores. Without namespaces
also what the kernel counts for all (numbers of threads and files), when a file was last read, and that a file of a
known name is there, though not what is in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import importlib
import itertools
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
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from examiner import linux

with contextlib.suppress(ImportError):  # there are systems without it, where nothing is graded either
    import resource

RUNGS = ("namespaces+landlock", "landlock", "namespaces")
NONE = "none"
SCRATCH_BYTES = 64 << 20
MOST_THREADS = 200

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
    "NBGRADER_EXECUTION": "autograde",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TZ": "UTC",
}


class NoSandbox(RuntimeError):
    """This machine can't hold student code, and nobody said to run it all the same."""


# --- The rungs ---------------------------------------------------------------------------------------------------


def readable_paths() -> list[str]:
    """What a student's process may read: the interpreter, its libraries and packages, and the helper package."""
    import numpy

    import workshop  # the installed, trusted one

    paths = {sysconfig.get_paths()["stdlib"], "/lib", "/lib64", os.path.join(sys.prefix, "pyvenv.cfg")}
    # Not all that is under a prefix: nbgrader's exchange may lie in share, and passwords in etc.
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix, "/usr", "/usr/local"):
        paths |= {os.path.join(prefix, part) for part in ("bin", "lib", "lib32", "lib64", "libexec")}
    paths |= {f"/usr/share/{part}" for part in ("fonts", "zoneinfo", "locale")}
    paths |= {sysconfig.get_paths()[key] for key in ("purelib", "platlib", "platstdlib")}
    paths |= {part for part in sys.path if os.path.basename(part) in ("site-packages", "dist-packages")}
    paths |= {os.path.dirname(os.path.abspath(package.__file__)) for package in (numpy, workshop) if package.__file__}
    paths |= {"/bin", "/etc/fonts", "/etc/localtime", "/etc/ld.so.cache"}
    return sorted(path for path in paths if os.path.exists(path))


def own_folders() -> list[str]:
    """The home folder of whoever grades, and the folder they grade in: hidden, whatever course is graded."""
    folders = [os.path.expanduser("~")]
    with contextlib.suppress(OSError):  # it may be gone
        folders.append(os.getcwd())
    with contextlib.suppress(ImportError, KeyError):  # a user without a name, in a container
        import pwd

        folders.append(pwd.getpwuid(os.getuid()).pw_dir)
    return folders


@functools.lru_cache
def exposed(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Those of some folders that lie where student code reads, and need hiding: no others are ever shown."""
    shown = [os.path.realpath(path) for path in readable_paths()]
    real = {os.path.realpath(folder) for folder in folders}
    return tuple(sorted(path for path in real if any(_lies_in(path, other) for other in shown)))


def _lies_in(path: str, folder: str) -> bool:
    """Whether a path is a folder's own, or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def plan(readable: Sequence[str], hidden: Sequence[str]) -> dict[str, bool]:
    """What is shown (True) and what is hidden: the nearest of these folders decides over a file. Outer ones come first.

    A course below the interpreter's lib/ is hidden, an interpreter in a hidden home folder is shown. NoSandbox is
    raised where one folder is both.
    """
    wanted = dict.fromkeys(readable, True)
    for real, shown in itertools.product(map(os.path.realpath, hidden), readable):
        inside = os.path.realpath(shown)
        if real == inside:
            raise NoSandbox(f"{real} holds files of Python's, and what student code must never read: move one of them")
        if _lies_in(real, inside):
            wanted[shown + real[len(inside) :]] = False
    needed: dict[str, bool] = {}
    for path in sorted(wanted):
        over = next((needed[folder] for folder in reversed(needed) if _lies_in(path, folder)), False)
        if wanted[path] != over:
            needed[path] = wanted[path]
    return needed


_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def _separate() -> None:
    """New namespaces, in which this user is the same one."""
    uid, gid = os.geteuid(), os.getegid()
    new = linux.CLONE_NEWUSER | linux.CLONE_NEWPID | linux.CLONE_NEWNS
    linux.call("unshare", new | linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _small_root(scratch: str, view: Mapping[str, bool]) -> None:
    """A root of its own: what is shown, read-only, empty folders over what is hidden, four devices, a scratch folder
    in memory."""
    root = os.path.join(scratch, "root")
    os.mkdir(root)
    own = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("tmpfs", root, "tmpfs", own, "size=1m,mode=755")
    for path, shown in {**view, **dict.fromkeys(_DEVICES, True)}.items():
        if shown:
            _show(path, root)
        elif os.path.isdir(root + path):
            linux.mount("tmpfs", root + path, "tmpfs", own, "size=64k,mode=755")
    for path, shown in {**view, **dict.fromkeys(_DEVICES, True)}.items():
        if shown and not os.path.islink(root + path):
            linux.make_read_only(root + path)
    os.makedirs(root + scratch)
    linux.mount("tmpfs", root + scratch, "tmpfs", own, f"size={SCRATCH_BYTES},nr_inodes=20000,mode=700")
    linux.change_root(root)
    linux.make_read_only("/", 0)


def _show(path: str, root: str) -> None:
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), root + path)
        return
    if os.path.isdir(path):
        os.makedirs(root + path, exist_ok=True)
    else:
        with open(root + path, "w"):
            pass
    linux.mount(path, root + path, None, linux.MS_BIND | linux.MS_REC)


def _landlock(scratch: str, view: Mapping[str, bool]) -> None:
    from sandlock import Sandbox, confine

    shown = [part for path in view if view[path] for part in _around_hidden(path, view)]
    shown += [path for path in _DEVICES if os.path.exists(path)]
    confine(Sandbox(fs_readable=shown, fs_writable=[scratch, "/dev/null"]))


def _around_hidden(path: str, view: Mapping[str, bool]) -> list[str]:
    """A shown path; where something in it is hidden all that lies beside that, since Landlock can't take back."""
    if view.get(path) is False or not os.path.exists(path):
        return []
    if not any(_lies_in(other, path) for other, shown in view.items() if not shown):
        return [path]
    inside = [entry.path for entry in os.scandir(path) if not entry.is_symlink()]
    return [part for entry in inside for part in _around_hidden(entry, view)]


def limit_memory(most: int) -> None:
    """Let the calling process take no more than `most` bytes, where the system can hold it to that."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit(limits: dict[str, Any]) -> None:
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": limits["file_size"],
        "RLIMIT_NOFILE": limits["open_files"],
        "RLIMIT_CPU": int(limits["total_seconds"]) + 60,
    }
    limit_memory(limits["memory"])
    for name, value in wanted.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))


def enter(rung: str, scratch: str, limits: dict[str, Any], view: Mapping[str, bool]) -> None:
    """Shut the calling process in for good; the namespaces of the rung were made by its parent."""
    linux.die_with_parent()
    os.setsid()  # a signal to its own group reaches nobody else
    os.chdir(scratch)
    _limit(limits)
    if rung == NONE:
        return
    if "landlock" in rung:  # over namespaces it needs no way around what is hidden: that is covered
        _landlock(scratch, view if rung == "landlock" else {path: True for path in view if view[path]})
    linux.drop_capabilities()
    linux.filter_system_calls()


def _proves(rung: str, readable: Sequence[str], hidden: Sequence[str] = ()) -> str:
    """Why a rung does not hold here, or an empty string when it does: tried in a process that is thrown away."""
    scratch = tempfile.mkdtemp(prefix="workshop-probe-")
    outside = os.path.join(scratch, "secret")
    Path(outside).write_text("secret")
    inside = os.path.join(scratch, "in")
    os.mkdir(inside)
    reader, writer = os.pipe()

    def attempt() -> None:
        os.close(reader)
        try:
            view = plan(readable, hidden)
            shown = [*readable, *_DEVICES, inside]
            closed = [outside, *(path for folder in hidden for path in _samples(folder, shown))]
            listed = [path for path in sys.path if os.path.isdir(path) and any(_lies_in(path, s) for s in readable)]
            if "namespaces" in rung:
                _separate()
                _small_root(inside, view)
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                os._exit(0)
            enter(rung, inside, {"file_size": 1 << 20, "open_files": 64, "total_seconds": 9, "memory": 4 << 30}, view)
            os.write(writer, _holes(closed, listed).encode()[:400] or b"holds")
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode()[:400])
        os._exit(0)

    pid = os.fork()
    if not pid:
        attempt()
    os.close(writer)
    answer = b""
    if select.select([reader], [], [], 20)[0]:
        answer = os.read(reader, 500)
    os.close(reader)
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    shutil.rmtree(scratch, ignore_errors=True)
    return "" if answer == b"holds" else answer.decode("utf-8", "replace") or "it ended without a word"


def _samples(folder: str, shown: Sequence[str]) -> list[str]:
    """Some of what lies in a hidden folder, but for what is shown, leads to that, or is a link."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        found = [e.path for e in entries if e.is_file(follow_symlinks=False) or e.is_dir(follow_symlinks=False)]
        return [path for path in found[:200] if not any(_lies_in(other, path) for other in shown)]
    return []


def _holes(closed: Sequence[str], listed: Sequence[str]) -> str:
    """What a shut-in process does and must not, or does not and must: it reads none of `closed`, all of `listed`."""
    import fcntl
    import mmap

    shared, own = os.open(os.__file__, os.O_RDONLY), mmap.mmap(-1, mmap.PAGESIZE)
    at = ctypes.addressof(ctypes.c_char.from_buffer(own))
    outside, now, parent = closed[0], os.stat(os.__file__).st_mtime_ns, os.getppid() or os.getpid() + 1
    holes = ["signals its parent's group"] * (os.getpgrp() != os.getpid())
    holes += [f"reads {path}" for path in closed if _works(functools.partial(os.open, path, os.O_RDONLY))]
    attempts: dict[str, Callable[[], object]] = {
        "writes outside": lambda: open(outside + "2", "w").close(),
        "writes to the interpreter": lambda: open(os.path.join(sys.prefix, ".hole"), "w").close(),
        "changes rights outside": lambda: os.chmod(outside, 0o600),
        "changes times": lambda: os.utime(os.__file__, ns=(now, now)),
        "limits its parent": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
        "signals its parent": lambda: os.kill(parent, 0),
        "reads its parent's clock": lambda: time.clock_gettime((~parent << 3) | 2),
        "asks for its core": lambda: os.sched_getaffinity(0),
        "asks for its parent's core": lambda: os.sched_getaffinity(parent),
        "chooses its core": lambda: os.sched_setaffinity(0, range(1024)),
        "opens a socket": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
        "has datagrams": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
        "makes lines of its own": lambda: socket.socketpair(),
        "makes pipes": lambda: os.pipe(),
        "makes files in memory": lambda: os.memfd_create("hole"),
        "starts a process": lambda: os.fork() or os._exit(0),
        "locks a file that others read": lambda: fcntl.flock(shared, fcntl.LOCK_SH | fcntl.LOCK_NB),
        "locks a part of one": lambda: fcntl.lockf(shared, fcntl.LOCK_SH | fcntl.LOCK_NB),
        "looks for locks": lambda: fcntl.fcntl(shared, fcntl.F_GETLK, bytes(64)),
        "holds a file up": lambda: fcntl.fcntl(shared, fcntl.F_SETLEASE, fcntl.F_RDLCK),
        "is signalled about files": lambda: fcntl.fcntl(shared, fcntl.F_SETSIG, 0),
        "watches files": lambda: linux.call("inotify_init1", 0),
        "asks what is cached": lambda: linux.call("mincore", ctypes.c_void_p(at), 1, ctypes.create_string_buffer(8)),
        "reads only what is cached": lambda: os.preadv(shared, [bytearray(1)], 0, os.RWF_NOWAIT),
        "empties the cache": lambda: os.posix_fadvise(shared, 0, 0, os.POSIX_FADV_DONTNEED),
        "merges memory": lambda: own.madvise(12),
        "shares memory": lambda: linux.call("shmget", 0, mmap.PAGESIZE, 0o1600),
        "wakes who waits for a file's page": lambda: linux.wake(at),
        "asks for the machine's memory": lambda: linux.call("sysinfo", ctypes.create_string_buffer(512)),
        "asks for the room on a disk": lambda: os.statvfs("/"),
    }
    holes += [what for what, attempt in attempts.items() if _works(attempt)]
    if not _works(lambda: open("scratch", "w").close()):
        holes.append("can't write to its scratch folder")
    holes += [f"can't list {folder}" for folder in listed if not _works(functools.partial(os.listdir, folder))]
    return ", ".join(holes)


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except ConnectionRefusedError:  # it got as far as that
        return True
    except (OSError, AttributeError):  # Python may not know of a thing
        return False
    return True


def best_rung(readable: Sequence[str], wanted: str = "auto", hidden: Sequence[str] = ()) -> tuple[str, str]:
    """The best rung that holds on this machine, and why the better ones do not ("", reasons: none holds)."""
    if sys.platform != "linux":
        return "", f"there is no sandbox for {sys.platform}"
    reasons: list[str] = []
    for rung in RUNGS if wanted == "auto" else (wanted,):
        reason = _proves(rung, readable, hidden)
        if not reason:
            return rung, "; ".join(reasons)
        reasons.append(f"{rung}: {reason}")
    return "", "; ".join(reasons)


# --- Processes that wait ready -----------------------------------------------------------------------------------


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

_HOME = "workshop-grading-"  # how the name of a nursery's folder begins


class Nursery:
    """Two processes that wait ready: one forks students, the other examiners, which know the tests.

    Students are forked from a process that has imported what notebooks need and has never seen a test. Examiners are
    forked from one that keeps compiled tests, so that these are compiled once for a class.
    """

    def __init__(self, sandbox: str = "auto", hidden: Sequence[str] = ()) -> None:
        if sandbox not in ("auto", NONE, *RUNGS):
            raise ValueError(f"no sandbox is called {sandbox!r}: there are auto, {', '.join(RUNGS)} and {NONE}")
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
            [sys.executable, "-P", "-s", "-m", "examiner.student", *map(str, descriptors), sandbox, *hidden],
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
        self.rung: str = hello["rung"]
        self.reasons: str = hello["reasons"]
        self.pids: tuple[int, int] = (self._process.pid, hello["examiners"])
        if not self.rung:
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
    """Fork a keeper with a student for each request, until the owner is gone; `examiners` is the other process."""
    readable = readable_paths()
    rung, reasons = (NONE, "asked for") if sandbox == NONE else best_rung(readable, sandbox, hidden)
    view = plan(readable, hidden) if rung not in ("", NONE) else {}
    if "landlock" in rung:
        importlib.import_module("sandlock")  # once, not in each student
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the owner may have ended meanwhile
        control.sendall(json.dumps({"rung": rung, "reasons": reasons, "examiners": examiners}).encode() + b"\n")
    _serve(control, lambda request, handed: _keep(request, handed, rung, view, student), {examiners})
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


def _keep(request: Any, handed: list[int], rung: str, view: Mapping[str, bool], student: Readies) -> None:
    """Start a student's process in its namespaces, tell how it ended, and end it when the leash is let go."""
    data, collar = handed
    scratch = request["scratch"]
    processes = os.open("/proc", os.O_RDONLY) if sys.platform == "linux" else None  # seen from the small root too
    linux.adopt_orphans()
    if "namespaces" in rung:
        _separate()
        _small_root(scratch, view)
    pid = os.fork()
    if not pid:
        os.close(collar)
        _closed_but(data)
        serve = student(socket.socket(fileno=data), scratch, request["seed"])
        enter(rung, scratch, request["limits"], view)
        serve()
        os._exit(0)
    os.close(data)
    with contextlib.suppress(OSError):
        os.write(collar, struct.pack("<i", pid))
    watch = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    ended = 0
    while not ended:
        ready = select.select([collar] + ([] if watch is None else [watch]), [], [], 0.2 if watch else 0.05)[0]
        if collar in ready or _takes_too_much(pid, processes, scratch):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            ended, status = os.waitpid(pid, 0)
        else:
            ended, status = os.waitpid(pid, os.WNOHANG)
    with contextlib.suppress(OSError):
        os.write(collar, json.dumps({"ended": os.waitstatus_to_exitcode(status)}).encode() + b"\n")
    _end_orphans()


def _takes_too_much(pid: int, processes: int | None, scratch: str) -> bool:
    """Whether a student's process has more threads or files than any answer needs; no limit of Linux holds them all.

    What can't be counted is too much: nobody is to escape one count by what spoils the other, or the same one.
    """
    try:
        return _threads(pid, processes) > MOST_THREADS or _room_taken(scratch, None) > SCRATCH_BYTES
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


def _room_taken(folder: str, parent: int | None) -> int:
    """The bytes that all in a folder takes, an empty file a page; an OSError where something can't be counted.

    From folder to folder by descriptors: the whole of a path may be longer than the system takes.
    """
    size = 0
    try:
        here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:  # gone meanwhile, as a file may be below
        return 0
    try:
        for name in os.listdir(here):
            with contextlib.suppress(FileNotFoundError):
                about = os.lstat(name, dir_fd=here)
                size += max(about.st_size, 4096)
                size += _room_taken(name, here) if stat.S_ISDIR(about.st_mode) else 0
    finally:
        os.close(here)
    return size


def _end_orphans() -> None:
    """What a student's process left behind comes to its keeper, and ends here."""
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
