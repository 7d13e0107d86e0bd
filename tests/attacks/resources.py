"""Attacks on time, memory and processes."""

# ruff: noqa: E501

from __future__ import annotations

from typing import Any

from attacks.attack import WRONG, Attack, code

RESOURCES = [
    code("fork bomb", "import os\nwhile True: os.fork()"),
    code(
        "starts a detached process",
        """
import subprocess
subprocess.Popen(['sh', '-c', 'sleep 5; echo hacked > {outside}'], start_new_session=True)
""",
    ),
    code(
        "starts a process in a call",
        "import os\ndef double(x):\n    os.system('echo hacked > {outside}')\n    return 3 * x",
    ),
    code("shell magic", "!echo hacked > {outside}\n" + WRONG),
    code("takes 8 GB", "import numpy as np\nhog = np.ones(1 << 30)"),
    code("takes 8 GB in a call", "def double(x):\n    hog = []\n    while True: hog.append(bytearray(64 << 20))"),
    code(
        "takes memory outside its own", "import os\nfd = os.memfd_create('x')\nwhile True: os.write(fd, bytes(1 << 24))"
    ),
    code("prints 100 MB", "for _ in range(100): print('x' * 1_000_000)"),
    code("prints without end", "while True: print('x' * 1000)"),
    code("prints without end in a call", "def double(x):\n    while True: print('x' * 1000)"),
    Attack(
        "four thousand cells that each print all they may",
        notebook=lambda nb: _cells_first(nb, "print('x' * 99_990)", 4000),
        within=20,
    ),
    Attack(
        "a thousand cells that each take all they may till the end",
        notebook=lambda nb: _cells_first(nb, "import time\ntime.sleep(1.9)", 1000),
        spares=False,
    ),
    code("loops without end", WRONG + "while True: pass"),
    code("loops without end in a call", "def double(x):\n    while True: pass"),
    code(
        "loops and catches everything",
        """
def double(x):
    while True:
        try:
            while True: pass
        except BaseException: pass
""",
    ),
    code("sleeps", "import time\ndef double(x): time.sleep(1000)"),
    code(
        "takes the alarm away",
        "import signal\ndef double(x):\n    signal.setitimer(signal.ITIMER_REAL, 0)\n    while True: pass",
    ),
    code("ends the process", WRONG + "import os\nos._exit(0)"),
    code("ends the process in a call", "import os\ndef double(x): os._exit(0)"),
    code("exits", "import sys\nsys.exit()"),
    code("crashes", "import ctypes\ndef double(x): ctypes.string_at(0)"),
    code("recurses without end", "import sys\nsys.setrecursionlimit(10**9)\ndef double(x): return double(x)"),
    code("leaves an atexit handler", "import atexit\natexit.register(lambda: open('{outside}', 'w').write('hacked'))"),
    code(
        "leaves a thread",
        """
import threading, time
def later():
    while True:
        time.sleep(0.01)
        globals()['double'] = lambda x: 5 * x
threading.Thread(target=later, daemon=True).start()
def double(x): return 3 * x
""",
    ),
    code(
        "starts ten thousand threads",
        "import threading, time\nfor _ in range(10_000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    ),
    Attack(
        "takes the processor from its neighbour",
        first="""
import hashlib, threading, time
data = bytes(1 << 20)
def burn():
    while True: hashlib.sha256(data).digest()
for _ in range(60): threading.Thread(target=burn, daemon=True).start()
time.sleep(1.9)
""",
        beside=True,
    ),
    code(
        "makes folders a thousand deep",
        "import os\nhome = os.getcwd()\nfor _ in range(1500):\n    os.mkdir('d'); os.chdir('d')\nos.chdir(home)",
    ),
    code(
        "makes folders that can't be opened",
        "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').close()\nos.chmod('a/b', 0)\nos.chmod('a', 0)",
    ),
    code("makes folders that can't be listed", "import os\nos.mkdir('a', 0o300)\nopen('a/b', 'w').close()"),
    code(
        "traces and profiles",
        "import sys\nsys.settrace(lambda *a: (_ for _ in ()).throw(ValueError('traced')))\nsys.setprofile(print)",
        spares=True,
    ),
    code(
        "lifts its limits",
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nhog = bytearray(8 << 30)",
    ),
    code(
        "a finalizer that never ends",
        "class F:\n    def __del__(self):\n        while True: pass\ndef double(x):\n    F()\n    return 3 * x",
    ),
    code(
        "timers by the ten thousand",
        "import signal\nsignal.signal(signal.SIGVTALRM, lambda *a: None)\nsignal.setitimer(signal.ITIMER_VIRTUAL, 1e-5, 1e-5)",
    ),
    code(
        "hooks that raise",
        "import gc, sys\ngc.callbacks.append(lambda *a: 1 / 0)\ngc.set_threshold(1)\nsys.excepthook = sys.unraisablehook = sys.displayhook = lambda *a: 1 / 0",
    ),
    code(
        "NumPy made to raise, to print little and to begin anew",
        "import numpy as np\nnp.seterr(all='raise')\nnp.set_printoptions(threshold=1)\nnp.random.seed(0)",
    ),
    code("waits in a cell for what never comes", "import asyncio\nawait asyncio.sleep(1000)\n" + WRONG),
    code(
        "queues signals by the hundred thousand",
        """
import ctypes, os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {40})
for i in range(200_000): ctypes.CDLL(None).sigqueue(os.getpid(), 40, 0)
""",
    ),
    code(
        "sends sockets through sockets",
        "import socket\nwhile True:\n    one, two = socket.socketpair()\n    socket.send_fds(one, [b'x'], [two.fileno()] * 50)",
    ),
    code(
        "fills pipes",
        """
import fcntl, os
for _ in range(50):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, 1031, 1 << 20)
    os.set_blocking(writer, False)
    os.write(writer, bytes(1 << 20))
""",
    ),
    code("maps memory a page at a time", "import mmap\nkept = []\nwhile True: kept.append(mmap.mmap(-1, 4096))"),
    code("fills its scratch folder with empty files", "i = 0\nwhile True:\n    open(f'f{i}', 'w').close(); i += 1"),
    code("fills its scratch folder", "i = 0\nwhile True:\n    open(f'f{i}', 'wb').write(bytes(1 << 24)); i += 1"),
    code(
        "keeps files open that no folder has any more",
        """
import os
kept = []
while True:
    kept.append(open("f", "wb"))
    os.unlink("f")
    kept[-1].write(bytes(1 << 24))
    kept[-1].flush()
""",
    ),
    code(
        "moves its folders about while they are counted",
        """
import os, threading
for path in ("a", "b"):
    for depth in range(100): os.makedirs(path := path + "/d", exist_ok=True)
def move():
    while True:
        for one, other in (("a/d", "b/e"), ("b/e", "a/d"), ("b/d", "a/e"), ("a/e", "b/d")): os.rename(one, other)
threading.Thread(target=move, daemon=True).start()
""",
    ),
    code("opens every file it can", "kept = []\nwhile True: kept.append(open('/dev/null'))"),
]


def _cells_first(nb: Any, source: str, count: int) -> Any:
    own = {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
    return {**nb, "cells": nb["cells"][:2] + [own] * count + nb["cells"][2:]}
