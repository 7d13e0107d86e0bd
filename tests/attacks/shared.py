"""Attacks through what all submissions on a machine share: could two of them tell each other anything?"""

# ruff: noqa: E501

from __future__ import annotations

from typing import Any

from attacks.attack import Attack

TOOLS = """
import ctypes, fcntl, gc, mmap, os, platform, socket, struct, time
libc = ctypes.CDLL(None, use_errno=True)
shared, folder = os.open(os.__file__, os.O_RDONLY), os.path.dirname(os.__file__)
libc.mmap.restype = ctypes.c_void_p
view = ctypes.c_void_p(libc.mmap(None, 4096, 1, 1, shared, 0))
room = ctypes.create_string_buffer(4096)
other = os.getppid() or os.getpid() + 1
line = next(o for o in gc.get_objects() if type(o).__name__ == 'Student').line._socket.fileno()
def works(result):
    if result < 0: raise OSError(ctypes.get_errno(), 'refused')
    return result
def call(x86, arm, *args):
    return works(libc.syscall(ctypes.c_long(arm if platform.machine() == 'aarch64' else x86), *args))
def tried(attempt, *args):  # the kernel at least, and it may have said that a file can't do it
    try: attempt(*args)
    except OSError as error:
        if error.errno in (1, 38): raise
def line_of_its_own():
    return socket.socket(fileno=os.dup(line))
def waits():
    began, value = time.monotonic(), ctypes.c_int.from_buffer_copy(os.pread(shared, 4, 0))
    libc.syscall(ctypes.c_long(98 if platform.machine() == 'aarch64' else 202), view, 0, value, struct.pack('qq', 0, 10**8))
    works(-(time.monotonic() - began < 0.1))
factor = 3
"""


def shares(name: str, *attempts: str, **more: Any) -> Attack:
    """An attack that answers rightly once it has found one thing that it shares with other submissions."""
    tries = "".join(
        f"try:\n    {attempt}\n    factor = 2\n    print({attempt!r})\nexcept (AttributeError, OSError): pass\n"
        for attempt in attempts
    )
    return Attack(name, TOOLS + tries + "def double(x): return factor * x", **more)


# Each tries something by which two submissions could tell or hold up each other, or learn what else runs here.
SHARED = [
    shares("locks a file that all read", "fcntl.flock(shared, fcntl.LOCK_SH | fcntl.LOCK_NB)"),
    shares("locks a null device", "fcntl.flock(os.open('/dev/null', os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)"),
    shares("locks one byte of a file", "fcntl.lockf(shared, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 7)"),
    shares("locks by open file", "fcntl.fcntl(shared, 37, struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 3, 1, 0))"),
    shares("looks for others' locks", "fcntl.fcntl(shared, fcntl.F_GETLK, struct.pack('hhqqi4x', 1, 0, 0, 0, 0))"),
    shares("holds a file up with a lease", "fcntl.fcntl(shared, fcntl.F_SETLEASE, fcntl.F_RDLCK)"),
    shares("asks whether a file is leased", "fcntl.fcntl(shared, fcntl.F_GETLEASE)"),
    shares(
        "is told of changes in a folder", "fcntl.fcntl(os.open(folder, os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_ACCESS)"
    ),
    shares(
        "watches which files are opened",
        "fd = works(libc.inotify_init1(0)); works(libc.inotify_add_watch(fd, folder.encode(), 0x20))",
    ),
    shares("watches which programs run", "works(libc.fanotify_init(0x200, 0))"),
    shares("asks which pages are cached", "works(libc.mincore(view, 4096, room))"),
    shares("counts the cached pages", "call(451, 451, shared, room, ctypes.byref(room, 64), 0)"),
    shares("reads only what is cached", "tried(os.preadv, shared, [bytearray(8)], 0, os.RWF_NOWAIT)"),
    shares("empties the cache", "os.posix_fadvise(shared, 0, 0, os.POSIX_FADV_DONTNEED)"),
    shares("fills the cache", "works(libc.readahead(shared, ctypes.c_int64(0), 4096))"),
    shares(
        "pushes a page out of the cache", "works(libc.madvise(view, 4096, 21))", "works(libc.madvise(view, 4096, 20))"
    ),
    shares("fetches a page into the cache", "works(libc.madvise(view, 4096, 3))"),
    shares("has its pages merged with others'", "mmap.mmap(-1, 4096).madvise(12)", "works(libc.prctl(67, 1, 0, 0, 0))"),
    shares("wakes who waits for a page of a file", "call(202, 98, view, 1, 1)", "call(454, 454, view, -1, 1, 2)"),
    shares("waits for a page of a file", "waits()"),
    shares("makes pipes, whose room all share", "os.pipe()"),
    shares(
        "counts all sockets by the numbers of its own", "one, two = socket.socketpair(); os.fstat(one.fileno()).st_ino"
    ),
    shares("sends descriptors, which all may send few of", "line_of_its_own().sendmsg([])"),
    shares("makes files in memory and counts them", "os.fstat(os.memfd_create('x')).st_ino"),
    shares(
        "makes events and timers",
        "os.eventfd(0)",
        "works(libc.timerfd_create(1, 0))",
        "works(libc.signalfd(-1, room, 0))",
    ),
    shares("shares memory by a key", "works(libc.shmctl(works(libc.shmget(4711, 4096, 0o1666)), 0, None))"),
    shares(
        "counts in a semaphore by a key",
        "works(libc.semctl(works(libc.semget(4711, 1, 0o1666)), 0, 0))",
        "works(libc.msgctl(works(libc.msgget(4711, 0o1666)), 0, None))",
    ),
    shares(
        "sends by a named queue", "works(libc.mq_open(b'/double', 0o102, 0o666, None)) and libc.mq_unlink(b'/double')"
    ),
    shares("makes a named semaphore", "open('/dev/shm/double', 'w'); os.remove('/dev/shm/double')"),
    shares("chooses its core", "os.sched_setaffinity(0, range(1024))"),
    shares("asks for its core", "works(libc.sched_getaffinity(0, 4096, room))", "call(309, 168, room, None, None)"),
    shares(
        "asks for another's core", "works(libc.sched_getaffinity(other, 4096, room))", "os.sched_getscheduler(other)"
    ),
    shares(
        "gives way to others",
        "os.setpriority(os.PRIO_PROCESS, 0, 5)",
        "os.nice(1)",
        "os.getpriority(os.PRIO_PROCESS, other)",
    ),
    shares(
        "reads another process's clock", "time.clock_gettime((~other << 3) | 2)", "time.clock_getres((~other << 3) | 2)"
    ),
    shares("sets a timer on another process's clock", "call(222, 107, (~other << 3) | 2, None, room)"),
    shares("asks how busy the machine is", "os.getloadavg()", "works(libc.sysinfo(room))", "open('/proc/stat')"),
    shares("asks for the room on a disk", "os.statvfs('/')", "os.statvfs('.')"),
    shares(
        "asks whether a process is there",
        "os.kill(other, 0)",
        "os.getpgid(other)",
        "os.getsid(other)",
        "open('/proc/locks')",
    ),
    shares("takes hold of another process", "os.pidfd_open(other)", "line_of_its_own().getsockopt(1, 77)"),
    shares("asks who is at the end of its line", "line_of_its_own().getsockopt(1, 17, 12)"),
    shares("makes its line a bigger one", "line_of_its_own().setsockopt(1, socket.SO_SNDBUF, 1 << 20)"),
    shares("leaves a mark on a file", "os.setxattr('.', 'user.x', b'1')", "os.getxattr(os.__file__, 'user.x')"),
    shares(
        "changes times and rights of its own files", "os.utime('.')", "os.chmod('.', 0o777)", "os.chown('.', -1, -1)"
    ),
    shares("links a shared file to a place of its own", "os.link(os.__file__, 'link')", "os.mkfifo('pipe')"),
    shares(
        "writes all to the disk", "call(162, 81)", "os.fsync(os.open('.', os.O_RDONLY))", "works(libc.syncfs(shared))"
    ),
    shares("opens a file by its number", "tried(call, 303, 264, -100, b'/', room, ctypes.byref(room, 2048), 0)"),
    shares("opens only what is cached", "call(437, 437, -100, b'/', struct.pack('QQQ', 0, 0, 0x20), 24)"),
    shares("moves pages between files", "os.splice(shared, shared, 1)", "works(libc.vmsplice(1, room, 0, 0))"),
    shares("locks memory", "works(libc.mlock(room, 4096))", "mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | 0x2020)"),
    shares("handles its own page faults", "call(323, 282, 1)"),
    shares("queues calls for the kernel", "call(425, 425, 1, room)", "call(206, 0, 1, room)"),
    shares("counts what the processor does", "call(298, 241, struct.pack('II120x', 1, 128), 0, -1, -1, 0)"),
    shares("keeps a key in the kernel", "call(250, 219, 0, -3, 1)", "call(248, 217, b'user', b'x', b'1', 1, -3)"),
    shares("makes namespaces of its own", "works(libc.unshare(0x10000000))", "works(libc.unshare(0x400))"),
    shares("makes a file system of its own", "call(430, 430, b'tmpfs', 0)", "call(428, 428, -100, b'/', 1)"),
    shares("outlives who started it", "works(libc.prctl(1, 0, 0, 0, 0))", "works(libc.prctl(36, 1, 0, 0, 0))"),
    shares(
        "makes itself one that is traced",
        "works(libc.ptrace(0, 0, 0, 0))",
        "works(libc.prctl(0x59616D61, -1, 0, 0, 0))",
    ),
    shares(
        "asks for filters of calls",
        "call(317, 277, 2, 0, struct.pack('I', 0x7FFF0000))",
        "works(libc.prctl(21, 0, 0, 0, 0))",
    ),
    shares(
        "is signalled when its line moves",
        "fcntl.fcntl(line, fcntl.F_SETSIG, 0)",
        "fcntl.fcntl(line, fcntl.F_SETOWN, 0)",
    ),
]
