"""Attacks on other people's things: files, processes, the network, the kernel."""

# ruff: noqa: E501

from __future__ import annotations

from attacks.attack import code

REACH = [
    code(
        "kills its parents",
        "import os, signal\nfor pid in (os.getppid(), 1, -1, 0):\n    try: os.kill(pid, signal.SIGKILL)\n    except OSError: pass",
        spares=False,
    ),
    code(
        "kills all the processes it can name",
        "import os\nfor pid in range(2, 5000):\n    try: os.kill(pid, 9)\n    except OSError: pass",
    ),
    code("connects to this machine", "import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=2)"),
    code(
        "connects by UDP",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'hacked', ('127.0.0.1', {port}))",
    ),
    code(
        "sends to a local socket from a pair",
        """
import socket
one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
try: one.sendto(b'hacked', '{socket}')
except OSError: one.connect('{socket}')
one.send(b'hacked')
""",
    ),
    code(
        "lowers its parents' limits",
        """
import os, resource
for pid in (os.getppid(), os.getsid(0)):
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU):
        try: pid and resource.prlimit(pid, limit, (3, 3))
        except OSError: pass
""",
    ),
    code(
        "has the kernel signal its parents",
        """
import fcntl, os, socket
for pid in (os.getppid(), os.getsid(0)):
    one, two = socket.socketpair()
    try:
        fcntl.fcntl(one, fcntl.F_SETOWN, pid or 1)
        fcntl.fcntl(one, 10, 9)
        fcntl.fcntl(one, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        two.send(b'x')
    except OSError: pass
""",
    ),
    code(
        "starts a process by clone and clone3",
        """
import ctypes, os
libc = ctypes.CDLL(None)
for number in (435, 56, 0x40000000 + 57, 0x40000000 + 56):
    if libc.syscall(number, ctypes.c_char_p(bytes(88)) if number == 435 else 17, 88, 0, 0, 0) == 0:
        while True: pass
""",
    ),
    code(
        "starts a process by a 32-bit system call",
        """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex('b802000000cd80c3'))
if ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))() == 0:
    while True: pass
""",
    ),
    code(
        "makes every system call that is refused",
        """
import ctypes
libc = ctypes.CDLL(None)
refused = (41, 57, 58, 59, 101, 155, 161, 165, 248, 249, 250, 272, 298, 308, 310, 311, 312, 319, 321, 322, 323, 425, 428, 429, 430, 434, 438, 440, 442, 447)
print([libc.syscall(number, 0, 0, 0, 0, 0, 0) for number in refused])
""",
    ),
    code("writes the kernel's settings", "open('/proc/sys/kernel/core_pattern', 'w').write('|{outside}')"),
    code("changes modes outside", "import os\nos.chmod('{course}/gradebook.db', 0)"),
    code("changes times outside", "import os\nos.utime('{course}/gradebook.db', (1, 1))"),
    code("cuts a file outside", "import os\nos.truncate('{course}/gradebook.db', 0)"),
    code(
        "connects to a local socket",
        "import socket\nsocket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket')",
    ),
    code(
        "asks the network for a file",
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/', timeout=2)",
    ),
    code("writes outside", "open('{outside}', 'w').write('hacked')"),
    code("writes through a link", "import os\nos.symlink('{outside}', 'link')\nopen('link', 'w').write('hacked')"),
    code("writes through ..", "open('../../../../../..{outside}', 'w').write('hacked')"),
    code("writes into the source", "open('{course}/source/mini/mini.ipynb', 'w').write('hacked')"),
    code(
        "writes marks into the gradebook",
        "import sqlite3\ndb = sqlite3.connect('{course}/gradebook.db')\ndb.execute('update grade set auto_score = 100')\ndb.commit()",
    ),
    code("removes the course", "import shutil\nshutil.rmtree('{course}')"),
    code("writes into the packages", "import numpy\nopen(numpy.__file__, 'a').write('#')"),
    code(
        "writes a module of its own name for numpy",
        "for name in ('numpy', 'workshop', 'examiner', 'sitecustomize'):\n    open(name + '.py', 'w').write('raise SystemExit')",
    ),
    code(
        "mounts over its root",
        "import ctypes\nlibc = ctypes.CDLL(None)\nprint(libc.unshare(0x10020000), libc.mount(b'x', b'/', b'tmpfs', 0, None), libc.chroot(b'/'))",
    ),
]
