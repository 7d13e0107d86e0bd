"""Where student code runs: processes that wait ready, are forked for each submission, and can reach nothing.

The ladder, best rung first; each is tried in a process of its own before it is believed:

namespaces+landlock   own user, process, network, mount and IPC namespaces, a root that holds only the interpreter,
                      its packages and a scratch folder in memory; over it Landlock and a system-call filter
landlock              Landlock (files, signals, sockets of other processes) and the filter (network, processes)
namespaces            as the first, for kernels without Landlock
none                  limits alone: only when it is asked for by name

On every rung but the last a student's process starts no other, opens no socket, and has limits on memory, files,
output and time. No rung needs root.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import importlib
import json
import os
import platform
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

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


# --- Linux, called by its own names ------------------------------------------------------------------------------

_CLONE_NEWNS, _CLONE_NEWCGROUP, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET, _CLONE_THREAD = 0x10000000, 0x20000000, 0x40000000, 0x10000
_MS_BIND, _MS_REC, _MS_PRIVATE, _MS_NOSUID, _MS_NODEV = 0x1000, 0x4000, 0x40000, 0x2, 0x4
_MNT_DETACH, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY_NOSUID = 2, 0x8000, 0x1 | 0x2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 4, 22, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

# What a student's process may not call: (x86-64, arm64); None where the architecture has no such call.
_DENIED = {
    "socket": (41, 198),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "setpriority": (141, 140),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "process_madvise": (440, 440),
}
# On the rung without a root of its own: what Landlock does not cover, the attributes of files.
_ATTRIBUTES = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "inotify_add_watch": (254, 27),
}
# Calls that are allowed where one argument, masked, is (or is not) one value: (x86-64, arm64), which argument, mask,
# whether it is to be that value, the value.
_GUARDED = {
    "clone": ((56, 220), 0, _CLONE_THREAD, True, _CLONE_THREAD),  # threads, no processes
    "socketpair": ((53, 199), 1, 0xF, True, socket.SOCK_STREAM),  # not datagrams, which any address could be sent
    "prlimit64": ((302, 261), 0, 0xFFFFFFFF, True, 0),  # its own limits, no other process's
    "prctl": ((157, 167), 0, 0xFFFFFFFF, False, _PR_SET_PDEATHSIG),  # it ends with its keeper
}
_CLONE3 = 435
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def _call(name: str, *args: Any) -> int:
    result = getattr(_libc, name)(*args)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return int(result)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [None if part is None else part.encode() for part in (source, target, kind, options)]
    _call("mount", encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])


def _system_call(number: int, *args: Any) -> int:
    result = _libc.syscall(ctypes.c_long(number), *args)  # type: ignore[union-attr]
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def _filter_system_calls(rung: str) -> None:
    """Refuse the calls of `_DENIED`, and every new process: seccomp, for good."""
    column, architecture = _MACHINES[platform.machine()]
    load, mask, equal, at_least, give = 0x20, 0x54, 0x15, 0x35, 0x06
    allow, kill, refuse, absent = 0x7FFF0000, 0x80000000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
    program = [(load, 0, 0, 4), (equal, 1, 0, architecture), (give, 0, 0, kill), (load, 0, 0, 0)]
    if column == 0:
        program += [(at_least, 0, 1, 0x40000000), (give, 0, 0, refuse)]
    for numbers in [*_DENIED.values(), *(_ATTRIBUTES.values() if rung == "landlock" else ())]:
        if (number := numbers[column]) is not None:
            program += [(equal, 0, 1, number), (give, 0, 0, refuse)]
    program += [(equal, 0, 1, _CLONE3), (give, 0, 0, absent)]
    for numbers, argument, bits, same, value in _GUARDED.values():
        program += [(equal, 0, 5, numbers[column]), (load, 0, 0, 16 + 8 * argument), (mask, 0, 0, bits)]
        program += [(equal, not same, same, value), (give, 0, 0, allow), (give, 0, 0, refuse)]
    program += [(give, 0, 0, allow)]
    raw = b"".join(struct.pack("<HBBI", *line) for line in program)
    code = ctypes.create_string_buffer(raw, len(raw))
    head = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code))
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("prctl", _PR_SET_SECCOMP, 2, ctypes.c_char_p(head), 0, 0)


def _drop_capabilities() -> None:
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:  # type: ignore[union-attr]
            break
    head, none = struct.pack("<Ii", 0x20080522, 0), bytes(24)
    _call("capset", ctypes.c_char_p(head), ctypes.c_char_p(none))


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


_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def _separate() -> None:
    """New namespaces, in which this user is the same one."""
    uid, gid = os.geteuid(), os.getegid()
    flags = _CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNS | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
    _call("unshare", flags)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _small_root(scratch: str, readable: Sequence[str]) -> None:
    """A root of its own: the readable paths, read only, four devices, and the scratch folder in memory."""
    root = os.path.join(scratch, "root")
    os.mkdir(root)
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    shown = [*_outermost(readable), *_DEVICES]
    for path in shown:
        _show(path, root)
    attributes = struct.pack("<QQQQ", _MOUNT_ATTR_RDONLY_NOSUID, 0, 0, 0)
    for path in shown:
        if not os.path.islink(root + path):
            at = ctypes.c_char_p((root + path).encode())
            _system_call(442, -100, at, _AT_RECURSIVE, ctypes.c_char_p(attributes), ctypes.c_size_t(32))
    os.makedirs(root + scratch)
    _mount("tmpfs", root + scratch, "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={SCRATCH_BYTES},nr_inodes=20000,mode=700")
    os.chdir(root)
    _system_call(155 if platform.machine() == "x86_64" else 41, ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
    _call("umount2", ctypes.c_char_p(b"."), _MNT_DETACH)
    at = ctypes.c_char_p(b"/")
    os.chdir("/")
    _system_call(442, -100, at, 0, ctypes.c_char_p(attributes), ctypes.c_size_t(32))


def _outermost(paths: Sequence[str]) -> list[str]:
    """The paths that lie in none of the others."""
    kept: list[str] = []
    for path in sorted(paths):
        if not any(path == old or path.startswith(old + "/") for old in kept):
            kept.append(path)
    return kept


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
    _mount(path, root + path, None, _MS_BIND | _MS_REC)


def _landlock(scratch: str, readable: Sequence[str]) -> None:
    from sandlock import Sandbox, confine

    shown = [path for path in [*_outermost(readable), *_DEVICES] if os.path.exists(path)]
    confine(Sandbox(fs_readable=shown, fs_writable=[scratch, "/dev/null"]))


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


def enter(rung: str, scratch: str, limits: dict[str, Any], readable: Sequence[str]) -> None:
    """Shut the calling process in for good; the namespaces of the rung were made by its parent."""
    _die_with_parent()
    os.setsid()  # a signal to its own group reaches nobody else
    os.chdir(scratch)
    _limit(limits)
    if rung == NONE:
        return
    if "landlock" in rung:
        _landlock(scratch, readable)
    _drop_capabilities()
    if platform.machine() in _MACHINES:
        _filter_system_calls(rung)
    elif rung == "landlock":
        raise OSError("no system-call filter for this processor")


def _proves(rung: str, readable: Sequence[str]) -> str:
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
            if "namespaces" in rung:
                _separate()
                _small_root(inside, readable)
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                os._exit(0)
            enter(
                rung, inside, {"file_size": 1 << 20, "open_files": 64, "total_seconds": 9, "memory": 4 << 30}, readable
            )
            os.write(writer, _holes(outside).encode() or b"holds")
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


def _holes(outside: str) -> str:
    """What a shut-in process can still do and must not."""
    holes = []
    if os.getpgrp() != os.getpid():
        holes.append("signals its parent's group")
    for what, attempt in {
        "reads outside": lambda: open(outside).close(),
        "writes outside": lambda: open(outside + "2", "w").close(),
        "writes to the interpreter": lambda: open(os.path.join(sys.prefix, ".hole"), "w").close(),
        "changes rights outside": lambda: os.chmod(outside, 0o600),
        "limits its parent": lambda: resource.prlimit(os.getppid() or 1, resource.RLIMIT_NOFILE),
        "has datagrams": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].close(),
        "opens a socket": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1).close(),
        "starts a process": lambda: os.fork() or os._exit(0),
        "signals its parent": lambda: os.kill(os.getppid() or 1, 0) if os.getppid() else _refused(),
    }.items():
        try:
            attempt()
        except ConnectionRefusedError:
            holes.append(what)
        except (OSError, NoSandbox):
            continue
        holes.append(what)
    with contextlib.suppress(OSError):
        open("scratch", "w").close()
        return ", ".join(holes)
    return "can't write to its scratch folder"


def _refused() -> None:
    raise PermissionError


def best_rung(readable: Sequence[str], wanted: str = "auto") -> tuple[str, str]:
    """The best rung that holds on this machine, and why the better ones do not ("", reasons: none holds)."""
    if sys.platform != "linux":
        return "", f"there is no sandbox for {sys.platform}"
    reasons: list[str] = []
    for rung in RUNGS if wanted == "auto" else (wanted,):
        reason = _proves(rung, readable)
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


_HOME = "workshop-grading-"  # how the name of a nursery's folder begins


class Nursery:
    """Two processes that wait ready: one forks students, the other examiners, which know the tests.

    Students are forked from a process that has imported what notebooks need and has never seen a test. Examiners are
    forked from one that keeps compiled tests, so that these are compiled once for a class.
    """

    def __init__(self, sandbox: str = "auto") -> None:
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
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", "examiner.student", *map(str, descriptors), sandbox],
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
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # folders in folders, by the thousand
        subprocess.run(["rm", "-rf", folder], check=False)


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


def serve_students(control: socket.socket, sandbox: str, student: Callable[..., None], examiners: int) -> NoReturn:
    """Fork a keeper with a student for each request, until the owner is gone; `examiners` is the other process."""
    readable = readable_paths()
    rung, reasons = (NONE, "asked for") if sandbox == NONE else best_rung(readable, sandbox)
    if "landlock" in rung:
        importlib.import_module("sandlock")  # once, not in each student
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the owner may have ended meanwhile
        control.sendall(json.dumps({"rung": rung, "reasons": reasons, "examiners": examiners}).encode() + b"\n")
    _serve(control, lambda request, handed: _keep(request, handed, rung, readable, student), {examiners})
    if os.path.basename(os.getcwd()).startswith(_HOME):  # and never a folder that was not made for it
        _remove(os.getcwd())
    os._exit(0)


def serve_examiners(
    control: socket.socket, learn: Callable[[str], object], examine: Callable[[socket.socket], None]
) -> NoReturn:
    """Learn the tests of each request and fork an examiner for it, until the owner is gone."""
    _die_with_parent()

    def work(request: Any, handed: list[int]) -> None:
        if sys.platform == "linux":
            _call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)
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
        _die_with_parent()
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


def _keep(request: Any, handed: list[int], rung: str, readable: list[str], student: Callable[..., None]) -> None:
    """Start a student's process in its namespaces, tell how it ended, and end it when the leash is let go."""
    data, collar = handed
    scratch = request["scratch"]
    processes = os.open("/proc", os.O_RDONLY) if sys.platform == "linux" else None  # seen from the small root too
    if sys.platform == "linux":
        _call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if "namespaces" in rung:
        _separate()
        _small_root(scratch, readable)
    pid = os.fork()
    if not pid:
        os.close(collar)
        _closed_but(data)
        enter(rung, scratch, request["limits"], readable)
        student(socket.socket(fileno=data), scratch, request["seed"])
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
    """Whether a student's process has more threads or files than any answer needs; no limit of Linux holds them all."""
    try:
        size = 0
        for at, folders, files in os.walk(scratch):  # an empty file takes room too
            size += sum(max(os.lstat(os.path.join(at, name)).st_size, 4096) for name in [*folders, *files])
        status = os.open(f"{pid}/status", os.O_RDONLY, dir_fd=processes)
        with open(status) as file:
            threads = next(int(line.split()[1]) for line in file if line.startswith("Threads:"))
    except RecursionError:  # folders in folders, by the thousand
        return True
    except (OSError, StopIteration, TypeError):
        return False
    return size > SCRATCH_BYTES or threads > MOST_THREADS


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
