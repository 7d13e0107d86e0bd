"""Where student code runs: processes that wait ready, are forked for each submission, and can reach nothing.

The ladder, best level first; each is tried in a process of its own before it is believed:

namespaces+landlock   own user, process, network, mount and IPC namespaces, a root that holds only the interpreter,
                      its packages and a scratch folder in memory; over it Landlock and the list of system calls
landlock              Landlock (files, signals) and the list of system calls (network, processes)
namespaces            as the first, for kernels without Landlock
none                  limits alone: only when it is asked for by name

On every level but the last a student's process makes the system calls of `linux.ALLOWED` and no others, starts no
process, makes no socket, pipe or lock, and has limits on memory, files, output and time. The course, its gradebook, the
exchange and the home folder are hidden over whatever is shown. No level needs root.

What two submissions that run side by side can still learn of each other: that one is slow where the other fills the
processor's caches, the disk's cache or memory; each has a core of its own while there are cores. Without namespaces
also what the kernel counts for all (numbers of threads and files), when a file was last read, and that a file of a
known name is there, though not what is in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import select
import shutil
import signal
import socket
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from examiner.isolation import linux

with contextlib.suppress(ImportError):  # there are systems without it, where nothing is graded either
    import resource

LEVELS = ("namespaces+landlock", "landlock", "namespaces")
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
    """The home folder of whoever grades, the folder they grade in, and this package: hidden, whatever is graded."""
    folders = [os.path.expanduser("~"), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
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


def separate() -> None:
    """New namespaces, in which this user is the same one."""
    uid, gid = os.geteuid(), os.getegid()
    new = linux.CLONE_NEWUSER | linux.CLONE_NEWPID | linux.CLONE_NEWNS
    linux.call("unshare", new | linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def small_root(scratch: str, view: Mapping[str, bool]) -> None:
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


def tests_may_read(hidden: Sequence[str]) -> list[str]:
    """What the examiner's process may read: what a student's may, this package, and what the system tells of others.

    A test does with a path, a query or a text what it says, and it may be a student's.
    """
    view = plan(readable_paths(), hidden)
    shown = [part for path in view if view[path] for part in _around_hidden(path, view)]
    shown += [os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "/proc", os.environ.get("MPLCONFIGDIR", "")]
    return [path for path in (*shown, *_DEVICES) if os.path.exists(path)]


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


def enter(level: str, scratch: str, limits: dict[str, Any], view: Mapping[str, bool]) -> None:
    """Shut the calling process in for good; the namespaces of the level were made by its parent."""
    linux.die_with_parent()
    os.setsid()  # a signal to its own group reaches nobody else
    os.chdir(scratch)
    _limit(limits)
    if level == NONE:
        return
    if "landlock" in level:  # over namespaces it needs no way around what is hidden: that is covered
        _landlock(scratch, view if level == "landlock" else {path: True for path in view if view[path]})
    linux.drop_capabilities()
    linux.filter_system_calls()


def _proves(level: str, readable: Sequence[str], hidden: Sequence[str] = ()) -> str:
    """Why a level does not hold here, or an empty string when it does: tried in a process that is thrown away."""
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
            if "namespaces" in level:
                separate()
                small_root(inside, view)
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                os._exit(0)
            enter(level, inside, {"file_size": 1 << 20, "open_files": 64, "total_seconds": 9, "memory": 4 << 30}, view)
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


def best_level(readable: Sequence[str], wanted: str = "auto", hidden: Sequence[str] = ()) -> tuple[str, str]:
    """The best level that holds on this machine, and why the better ones do not ("", reasons: none holds)."""
    if sys.platform != "linux":
        return "", f"there is no sandbox for {sys.platform}"
    reasons: list[str] = []
    for level in LEVELS if wanted == "auto" else (wanted,):
        reason = _proves(level, readable, hidden)
        if not reason:
            return level, "; ".join(reasons)
        reasons.append(f"{level}: {reason}")
    return "", "; ".join(reasons)
