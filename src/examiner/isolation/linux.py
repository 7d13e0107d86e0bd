"""Linux by its own names: mounts, namespaces, capabilities, and the system calls that student code may make.

The list of calls was made from a trace of the banks, the notebooks and what ordinary cells do (`make trace-calls` shows
it anew), with what other versions of Python and of the C library call for the same ends. Numbers are from the kernel's
headers, asm/unistd_64.h and asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
import sys
from collections.abc import Sequence
from typing import Any

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MS_NOSUID, MS_NODEV = 0x1000, 0x4000, 0x40000, 0x2, 0x4
MNT_DETACH, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY_NOSUID = 2, -100, 0x8000, 0x1 | 0x2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_GET_NAME, _PR_SET_SECCOMP = 1, 4, 15, 16, 22
_PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_SET_VMA = 24, 36, 38, 0x53564D41
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
ALLOWED: dict[str, tuple[int, int | None]] = {
    # files; which ones is for the root of its own and for Landlock to say
    "read": (0, 63), "pread64": (17, 67), "readv": (19, 65), "lseek": (8, 62), "getdents64": (217, 61),
    "write": (1, 64), "pwrite64": (18, 68), "writev": (20, 66), "truncate": (76, 45), "ftruncate": (77, 46),
    "open": (2, None), "openat": (257, 56), "close": (3, 57), "close_range": (436, 436),
    "stat": (4, None), "lstat": (6, None), "fstat": (5, 80), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439),
    "readlink": (89, None), "readlinkat": (267, 78), "symlink": (88, None), "symlinkat": (266, 36),
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "umask": (95, 166),
    "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24),
    # memory and threads of its own
    "brk": (12, 214), "mprotect": (10, 226), "munmap": (11, 215), "mremap": (25, 216),
    "set_robust_list": (273, 99), "rseq": (334, 293), "sched_yield": (24, 124), "exit": (60, 93),
    "exit_group": (231, 94),
    # its signals and timers
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "sigaltstack": (131, 132), "restart_syscall": (219, 128),
    "getitimer": (36, 102), "setitimer": (38, 103), "alarm": (37, None), "nanosleep": (35, 101),
    # its line, and asyncio's waiting
    "sendto": (44, 206), "recvfrom": (45, 207), "shutdown": (48, 210),
    "getsockname": (51, 204), "getpeername": (52, 205),
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72), "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21), "epoll_wait": (232, None), "epoll_pwait": (281, 22), "epoll_pwait2": (441, 441),
    # who and when it is
    "getpid": (39, 172), "gettid": (186, 178), "getppid": (110, 173), "getpgrp": (111, None),
    "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "getgroups": (115, 158),
    "getresuid": (118, 148), "getresgid": (120, 150), "uname": (63, 160),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153), "getrusage": (98, 165),
    "getrandom": (318, 278), "getrlimit": (97, 163),
}  # fmt: skip
"""Calls that student code may make with any arguments: the number on x86-64, and on arm64 (None: there is none)."""
OWN = -1  # in the place of the process's own number
_ALL = 0xFFFFFFFF
_THREAD, _DETACHED = 0x3D0F00, 0x400000  # the flags of a thread: it shares everything with its process
_CLOCKS = tuple(range(12))  # not those of other processes, which have negative numbers
GUARDED: dict[str, tuple[tuple[int, int], tuple[tuple[int, int, tuple[int, ...]], ...]]] = {
    # Not the futexes that processes share by mapping one file. The wait for a thread's end is of that kind too: it is
    # told to try again, and does.
    "futex": ((202, 98), ((1, 128, (128,)),)),
    "mmap": ((9, 222), ((3, 0x42000, (0,)),)),  # neither locked nor of the machine's few huge pages
    # Given back, huge or not, guarded; nothing merged with others' pages, no page pushed out of the cache.
    "madvise": ((28, 233), ((2, _ALL, (4, 8, 14, 15, 102, 103)),)),
    "clone": ((56, 220), ((0, _ALL ^ _DETACHED, (_THREAD,)),)),
    # A descriptor is copied, its flags read and set: no locks, leases, owners, signals or sizes of pipes.
    "fcntl": ((72, 25), ((1, _ALL, (0, 1, 2, 3, 4, 1030)),)),
    # Whether it is a terminal (two ways) and its size; close-on-exec, non-blocking, how much there is to read.
    "ioctl": ((16, 29), ((1, _ALL, (0x5401, 0x802C542A, 0x5413, 0x5450, 0x5451, 0x5421, 0x541B)),)),
    "clock_gettime": ((228, 113), ((0, _ALL, _CLOCKS),)),
    "clock_getres": ((229, 114), ((0, _ALL, _CLOCKS),)),
    "clock_nanosleep": ((230, 115), ((0, _ALL, _CLOCKS),)),
    "getsockopt": ((55, 209), ((1, _ALL, (1,)), (2, _ALL, (3, 4, 38, 39)))),  # a socket's kind, and its error
    "getpgid": ((121, 155), ((0, _ALL, (0, OWN)),)),
    "kill": ((62, 129), ((0, _ALL, (OWN,)),)),
    "tgkill": ((234, 131), ((0, _ALL, (OWN,)),)),
    "prctl": ((157, 167), ((0, _ALL, (_PR_SET_NAME, _PR_GET_NAME, _PR_SET_VMA)),)),
    "prlimit64": ((302, 261), ((0, _ALL, (0, OWN)),)),
}
"""Calls that are allowed where each of some arguments, masked, has one of these values: its place, mask, values."""
_NEW = 424  # calls from here on have one number on all machines; a C library does without one that isn't there
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def call(name: str, *args: Any) -> int:
    """Call a function of the C library; an OSError where it fails."""
    result = getattr(_libc, name)(*args)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return int(result)


def system_call(number: int, *args: Any) -> int:
    """Make a system call that the C library has no function for."""
    return call("syscall", ctypes.c_long(number), *args)


def wake(address: int) -> int:
    """Wake one who waits at an address of memory that processes may share."""
    return system_call(GUARDED["futex"][0][_MACHINES[platform.machine()][0]], ctypes.c_void_p(address), 1, 1)


def die_with_parent() -> None:
    """Have the calling process end when its parent does."""
    if sys.platform == "linux":
        call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of what a child leaves behind."""
    if sys.platform == "linux":
        call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def close_memory() -> None:
    """Let no other process of this user look into the calling one."""
    if sys.platform == "linux":
        call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """mount(2)."""
    encoded = [None if part is None else part.encode() for part in (source, target, kind, options)]
    call("mount", encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])


def make_read_only(path: str, flags: int = AT_RECURSIVE) -> None:
    """Make a mount, and the mounts below it, read-only and without set-user-id."""
    attributes = struct.pack("<QQQQ", MOUNT_ATTR_RDONLY_NOSUID, 0, 0, 0)
    at = ctypes.c_char_p(path.encode())
    system_call(442, AT_FDCWD, at, flags, ctypes.c_char_p(attributes), ctypes.c_size_t(32))


_TO_READ, _TO_CHANGE, _OF_FILES = 0x000D, 0xFFFF, 0xC007  # Landlock's rights by bit; those that a file can have
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many there are by Landlock's version; later ones have 16


def keep_to(readable: Sequence[str], writable: Sequence[str]) -> bool:
    """Let the calling process read and change no files but these and what is below them, for good.

    False where the kernel has no Landlock. Its signals go where they went, to the processes that it watches.
    """
    try:
        version = system_call(444, None, ctypes.c_size_t(0), 1)
    except (OSError, AttributeError):
        return False
    handled = (1 << _RIGHTS.get(version, 16)) - 1
    rules = system_call(444, ctypes.c_char_p(struct.pack("<Q", handled)), ctypes.c_size_t(8), 0)
    for path, rights in {**dict.fromkeys(readable, _TO_READ), **dict.fromkeys(writable, _TO_CHANGE)}.items():
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = rights & handled & (_TO_CHANGE if os.path.isdir(path) else _OF_FILES)
        system_call(445, rules, 1, ctypes.c_char_p(struct.pack("<Qi", allowed, place)), 0)
        os.close(place)
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    system_call(446, rules, 0)
    os.close(rules)
    return True


def change_root(root: str) -> None:
    """Make a folder the root of this mount namespace, and let go of the old one."""
    os.chdir(root)
    here = ctypes.c_char_p(b".")
    system_call(155 if platform.machine() == "x86_64" else 41, here, here)
    call("umount2", here, MNT_DETACH)
    os.chdir("/")


def drop_capabilities() -> None:
    """Give up what sets root apart, for good."""
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:  # type: ignore[union-attr]
            break
    head, none = struct.pack("<Ii", 0x20080522, 0), bytes(24)
    call("capset", ctypes.c_char_p(head), ctypes.c_char_p(none))


def filter_program(machine: str, own: int) -> bytes:
    """The list of calls as the kernel's filter runs it, for the process of this number.

    The kernel remembers which calls it allows whatever their arguments, so only the guarded ones run through it.
    """
    column, architecture = _MACHINES[machine]
    load, mask, equal, at_least, give = 0x20, 0x54, 0x15, 0x35, 0x06
    allow, end = (give, 0, 0, 0x7FFF0000), (give, 0, 0, 0x80000000)
    refuse, absent, again = ((give, 0, 0, 0x50000 | n) for n in (errno.EPERM, errno.ENOSYS, errno.EAGAIN))
    program = [(load, 0, 0, 4), (equal, 1, 0, architecture), end, (load, 0, 0, 0)]
    for name, (numbers, conditions) in GUARDED.items():
        block = []
        for argument, bits, values in conditions:
            block += [(load, 0, 0, 16 + 8 * argument), (mask, 0, 0, bits)]
            for after, value in zip(reversed(range(len(values))), values, strict=True):
                block.append((equal, after + 1, 0, own if value == OWN else value))
            block.append(again if name == "futex" else refuse)
        block.append(allow)
        program += [(equal, 0, len(block), numbers[column]), *block]
    for number in (numbers[column] for numbers in ALLOWED.values()):
        if number is not None:
            program += [(equal, 0, 1, number), allow]
    program += [(at_least, 1, 0, _NEW), refuse, absent]
    return b"".join(struct.pack("<HBBI", *line) for line in program)


def filter_system_calls() -> None:
    """Let the calling process make the calls of the list and no others, for good; OSError where that can't be done."""
    if platform.machine() not in _MACHINES:
        raise OSError(errno.ENOTSUP, f"there is no list of system calls for {platform.machine()}")
    program = filter_program(platform.machine(), os.getpid())
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("prctl", _PR_SET_SECCOMP, 2, ctypes.c_char_p(head), 0, 0)
