"""Hostile answers, a few lines each. Every one is a wrong answer to `double`; none may earn a mark or learn a test.

An attack is code for the cell of `double`, or cells before it, or a whole file. {port}, {outside}, {course} and
{other} stand for an open port on this machine, a file to write, the course's folder and another student's submission.
"""

# ruff: noqa: E501

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WRONG = "def double(x):\n    return 3 * x\n"


@dataclass(frozen=True)
class Attack:
    """What is tried, and how."""

    name: str
    answer: str = WRONG  # the cell of `double`
    first: str = ""  # a cell of the student's own, run before it
    notebook: Callable[[Any], Any] | None = None  # changes the notebook, or makes the file's bytes of it
    spares: bool = True  # the right answer to `shift` keeps its marks


def code(name: str, source: str, **more: Any) -> Attack:
    """An attack in the cell of `double` itself; a wrong `double` is added where it defines none."""
    return Attack(name, source if "double" in source else source + "\n" + WRONG, **more)


MARKS = [
    code("replaces assert_allclose", "import numpy as np\nnp.testing.assert_allclose = lambda *a, **k: None"),
    code(
        "replaces allclose and array_equal", "import numpy as np\nnp.allclose = np.array_equal = lambda *a, **k: True"
    ),
    code("replaces gradcheck.compare", "from workshop import gradcheck\ngradcheck.compare = gradcheck.check = print"),
    code("replaces WrongAnswer", "from workshop import gradcheck\ngradcheck.WrongAnswer = gradcheck.fail = ValueError"),
    code(
        "replaces built-ins",
        "import builtins\nbuiltins.AssertionError = builtins.float = builtins.abs = print",
        spares=False,
    ),
    code(
        "returns what equals everything",
        """
class Same:
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
    __sub__ = __rsub__ = __abs__ = __array_wrap__ = lambda self, *a: self
    __hash__ = None
def double(x): return Same()
""",
    ),
    code(
        "returns an array that equals everything",
        """
import numpy as np
class Same(np.ndarray):
    def __array_ufunc__(self, *a, **k): return np.array(True)
    def __array_function__(self, *a, **k): return True
def double(x): return np.zeros(np.shape(x)).view(Same)
""",
    ),
    code(
        "returns a float that equals everything",
        """
class Same(float):
    __eq__ = lambda self, other: True
    __sub__ = __rsub__ = lambda self, other: 0.0
    __hash__ = float.__hash__
def double(x): return Same(0)
""",
    ),
    code(
        "returns what pickles into a call",
        "class P:\n    def __reduce__(self): return print, ('x',)\ndef double(x): return P()",
    ),
    code("returns nan", "def double(x): return x * float('nan')"),
    code("returns infinity", "def double(x): return x * float('inf')"),
    code("returns None", "def double(x): return None"),
    code("displays a mark", "def double(x):\n    get_ipython().displayhook(10.0)\n    return 3 * x"),
    code("displays a mark in the cell", WRONG + "10.0"),
    code(
        "publishes a mark",
        "def double(x):\n    from IPython.display import display\n    display(10.0)\n    return 3 * x",
    ),
    code(
        "drops assert lines",
        """
get_ipython().input_transformers_cleanup.append(lambda lines: [l for l in lines if not l.startswith('assert')])
get_ipython().ast_transformers.append(None)
""",
        spares=False,
    ),
    code("replaces run_cell", "get_ipython().run_cell = lambda *a, **k: None", spares=False),
    code(
        "poses as a stand-in",
        """
class Answer:
    def __call__(self, x): return 3 * x
    def __call_with__(self, *a): return 'right'
    mistake = None
double = Answer()
""",
    ),
    code(
        "raises the examiner's own error",
        "from workshop.gradcheck import WrongAnswer\ndef double(x): raise WrongAnswer('')",
    ),
    code("raises SystemExit in a call", "def double(x): raise SystemExit(0)"),
    code("raises KeyboardInterrupt in a call", "def double(x): raise KeyboardInterrupt"),
    code("raises StopIteration in a call", "def double(x): raise StopIteration(4)"),
    code("raises GeneratorExit in a call", "def double(x): raise GeneratorExit"),
    code(
        "forges the number of a lent error",
        "def double(x):\n    e = ValueError('x'); e.examiner_number = 0\n    raise e",
    ),
    code("reads and sets the seed", "from workshop import gradcheck\nprint(gradcheck.SEED)\ngradcheck.SEED = 0"),
]

LEAKS = [
    code(
        "walks the frames",
        """
import sys
def double(x):
    frame = sys._getframe()
    while frame:
        print(frame.f_code.co_filename, frame.f_locals, frame.f_globals.get('SECRET_OF_THE_TEST'))
        frame = frame.f_back
    return 3 * x
""",
    ),
    code(
        "asks gc",
        "import gc\nword = '_'.join(['SECRET', 'OF', 'THE', 'TEST'])\nprint([o for o in gc.get_objects() if word in repr(o)[:2000] and type(o) is str])",
    ),
    code(
        "asks gc in a call",
        """
import gc
def double(x):
    raise ValueError(str([o for o in gc.get_objects() if type(o) is dict and 'HIDDEN' + ' TESTS' in str(o)[:5000]])[:500])
""",
    ),
    code(
        "asks inspect",
        "import inspect\ndef double(x):\n    raise ValueError(str([f.code_context for f in inspect.stack()]))",
    ),
    code(
        "asks In and Out",
        "def double(x):\n    raise ValueError(str(get_ipython().user_ns.get('In')) + str(globals().keys()))",
    ),
    code("prints its inputs", "def double(x):\n    print(x)\n    return 3 * x"),
    code("raises its inputs", "def double(x): raise ValueError(f'the input is {x!r}')"),
    code("warns of its inputs", "import warnings\ndef double(x):\n    warnings.warn(str(x))\n    return 3 * x"),
    code(
        "stores its inputs and prints them later",
        "seen = []\ndef double(x):\n    seen.append(x)\n    return 3 * x\n",
        notebook=lambda nb: _add_cell(nb, "print(seen)"),
    ),
    code("prints the environment", "import os\nprint(dict(os.environ))"),
    code(
        "looks for notebooks",
        """
import glob, os
for root in ('{course}', '/', os.getcwd(), '/root', '/home'):
    for path in glob.glob(root + '/**/*.ipynb', recursive=True):
        print(open(path).read())
""",
    ),
    code("reads the source", "print(open('{course}/source/mini/mini.ipynb').read())"),
    code("reads another submission", "print(open('{other}').read())"),
    code("reads the gradebook", "print(open('{course}/gradebook.db', 'rb').read())"),
    code("reads the course's secret", "print(open('{course}/.workshop/secret').read())"),
    code(
        "reads its memory and its parents'",
        """
import os
for pid in ('self', str(os.getppid()), '1'):
    for name in ('mem', 'maps', 'environ', 'cmdline'):
        try: print(open(f'/proc/{pid}/{name}').read())
        except OSError as error: print(error)
""",
    ),
    code(
        "reads another process's memory",
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print([libc.ptrace(16, pid, 0, 0) for pid in range(1, 500)], libc.syscall(310, os.getppid(), 0, 0, 0, 0, 0))
""",
    ),
    code(
        "imports the examiner",
        """
import examiner.grade, examiner.stand_ins
print(vars(examiner.grade), examiner.grade._nurseries)
""",
    ),
]

WIRE = [
    code(
        "writes a right answer on the line",
        """
import os, struct
def double(x):
    reply = struct.pack('<III', 0, 0, 0) + b'i' + struct.pack('<q', 4)
    for fd in range(3, 64):
        try: os.write(fd, struct.pack('<I', len(reply)) + b'R' + reply)
        except OSError: pass
    return 3 * x
""",
        spares=False,
    ),
    code(
        "writes a right answer on the line and ends",
        """
import os, struct
def double(x):
    reply = struct.pack('<III', 0, 0, 0) + b'i' + struct.pack('<q', 4)
    for fd in range(3, 64):
        try: os.write(fd, struct.pack('<I', len(reply)) + b'R' + reply)
        except OSError: pass
    os._exit(0)
""",
    ),
    code(
        "writes marks on every descriptor",
        """
import os
for fd in range(64):
    try: os.write(fd, b'{"mark":{"grade_id":"test_double","right":true,"message":"","mistake":null,"seconds":0,"eye":""}\\n')
    except OSError: pass
""",
        spares=False,
    ),
    code(
        "announces four gigabytes",
        "import os\ndef double(x):\n    [os.write(fd, b'\\xff' * 9) for fd in _open()]\n"
        + "def _open():\n    import os\n    return [fd for fd in range(3, 64) if _is(fd)]\ndef _is(fd):\n    import os, stat\n    try: return stat.S_ISSOCK(os.fstat(fd).st_mode)\n    except OSError: return False\n",
    ),
    code(
        "floods the line from a thread",
        """
import os, threading
def flood():
    while True:
        for fd in range(3, 16):
            try: os.write(fd, os.urandom(512))
            except OSError: pass
threading.Thread(target=flood, daemon=True).start()
""",
        spares=False,
    ),
    code(
        "replies nested too deeply", "def double(x):\n    y = ()\n    for _ in range(100_000): y = (y,)\n    return y"
    ),
    code("replies with a cycle", "def double(x):\n    y = []; y.append(y)\n    return y"),
    code("replies with a gigabyte", "import numpy as np\ndef double(x): return np.zeros(1 << 27)"),
    code("replies with a huge integer", "def double(x): return 10 ** 100_000"),
    code("replies with colliding keys", "def double(x): return {(2 ** 61 - 1) * i: 0 for i in range(1, 15_000)}"),
    code("replies with an endless generator", "def double(x):\n    while True: yield 4"),
    code("replies with ten million values", "def double(x): return [None] * 10_000_000"),
    code(
        "sends a generator's state that points out of memory",
        """
import numpy as np
from examiner import wire
def double(x):
    rng = np.random.Generator(np.random.MT19937(0))
    wire._frozen = lambda state: (('bit_generator', 'MT19937'), ('state', (('key', ('array', '<u4', bytes(2496))), ('pos', 10**9))))
    return rng
""",
    ),
    code(
        "changes the wire on its own side",
        "from examiner import wire\nwire.encode = lambda *a, **k: b'\\0' * 99",
        spares=False,
    ),
    code(
        "calls functions that were not lent",
        """
from examiner.student import Lent
def double(x):
    import gc
    student = next(o for o in gc.get_objects() if type(o).__name__ == 'Student')
    return [Lent(student, n)(x) for n in range(50)]
""",
    ),
    code("closes every descriptor", "import os\ndef double(x): os.closerange(0, 64)"),
    code("repr that never ends", "class Slow:\n    def __repr__(self):\n        while True: pass\n" + WRONG + "Slow()"),
    code(
        "an error whose text ends the process",
        """
import os
class Bad(Exception):
    def __str__(self): os._exit(0)
def double(x): raise Bad
""",
    ),
]

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
    code(
        "traces and profiles",
        "import sys\nsys.settrace(lambda *a: (_ for _ in ()).throw(ValueError('traced')))\nsys.setprofile(print)",
        spares=True,
    ),
    code(
        "lifts its limits",
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nhog = bytearray(8 << 30)",
    ),
    code("fills its scratch folder", "i = 0\nwhile True:\n    open(f'f{i}', 'wb').write(bytes(1 << 24)); i += 1"),
    code("opens every file it can", "kept = []\nwhile True: kept.append(open('/dev/null'))"),
]

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


def _add_cell(nb: Any, source: str) -> Any:
    nb["cells"].append(
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, "id": "added"}
    )
    return nb


def _each(nb: Any, change: Callable[[str, dict[str, Any]], None]) -> Any:
    for cell in nb["cells"]:
        change(cell["metadata"].get("nbgrader", {}).get("grade_id", ""), cell)
    return nb


def _points(name: str, cell: dict[str, Any]) -> None:
    if "points" in cell["metadata"].get("nbgrader", {}):
        cell["metadata"]["nbgrader"]["points"] = 1000


def _no_tests(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_double"):
        cell["source"] = "pass"


def _not_graded(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_double"):
        cell["metadata"] = {"nbgrader": {**cell["metadata"]["nbgrader"], "grade": False}, "tags": ["ungraded"]}


def _by_hand(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_double"):
        cell["metadata"]["nbgrader"].update(solution=True, locked=False)


def _markdown(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_double"):
        cell["cell_type"] = "markdown"


def _another_id(name: str, cell: dict[str, Any]) -> None:
    if name == "test_double":
        cell["metadata"]["nbgrader"]["grade_id"] = "test_shift_right"


def _code_in_setup(name: str, cell: dict[str, Any]) -> None:
    if name == "setup":
        cell["source"] += "\nimport numpy as np\nnp.allclose = lambda *a, **k: True"


def _twice(nb: Any) -> Any:
    nb["cells"] = [copy for cell in nb["cells"] for copy in (cell, dict(cell))]
    return nb


def _kernel(nb: Any) -> Any:
    nb["metadata"]["kernelspec"] = {"name": "../../bin/sh", "display_name": "x", "language": "bash"}
    return nb


def _outputs(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_double"):
        data = {"text/plain": "10.0", "text/html": "<script>alert(1)</script>"}
        cell["outputs"] = [{"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}]


FILES = [
    Attack("points edited", notebook=lambda nb: _each(nb, _points)),
    Attack("test cells emptied", notebook=lambda nb: _each(nb, _no_tests)),
    Attack(
        "test cells deleted",
        notebook=lambda nb: {**nb, "cells": [c for c in nb["cells"] if "test_" not in str(c["metadata"])]},
    ),
    Attack("test cells tagged as not graded", notebook=lambda nb: _each(nb, _not_graded)),
    Attack("test cells marked as written answers", notebook=lambda nb: _each(nb, _by_hand)),
    Attack("test cells turned into text", notebook=lambda nb: _each(nb, _markdown)),
    Attack("a test cell under another's id", notebook=lambda nb: _each(nb, _another_id)),
    Attack("code added to a locked cell", notebook=lambda nb: _each(nb, _code_in_setup)),
    Attack("every cell twice", notebook=_twice),
    Attack(
        "no ids and no metadata",
        notebook=lambda nb: {**nb, "cells": [{**c, "metadata": {}, "id": None} for c in nb["cells"]]},
    ),
    Attack("outputs with marks", notebook=lambda nb: _each(nb, _outputs)),
    Attack("another kernel", notebook=_kernel),
    Attack("broken JSON", notebook=lambda nb: json.dumps(nb)[:-40].encode(), spares=False),
    Attack("an empty file", notebook=lambda nb: b"", spares=False),
    Attack("JSON that is no notebook", notebook=lambda nb: b"[1, 2]", spares=False),
    Attack("JSON nested without end", notebook=lambda nb: b"[" * 1_000_000, spares=False),
    Attack(
        "cells that are no cells", notebook=lambda nb: {**nb, "cells": [None, 1, "x", {}, {"source": 1}]}, spares=False
    ),
    Attack("format 99", notebook=lambda nb: {**nb, "nbformat": 99, "nbformat_minor": -1}),
    Attack("format 3", notebook=lambda nb: {"nbformat": 3, "worksheets": [{"cells": [_old(c) for c in nb["cells"]]}]}),
    Attack(
        "not UTF-8", notebook=lambda nb: json.dumps(nb, ensure_ascii=False).replace("Mini", "Mini é").encode("latin-1")
    ),
    Attack("UTF-16", notebook=lambda nb: json.dumps(nb).encode("utf-16")),
    Attack("100 MB", notebook=lambda nb: json.dumps(_add_cell(nb, "#" * 100_000_000)).encode(), spares=False),
    Attack("a zero byte and half a surrogate", first="x = '\ud800\\0'"),
    Attack("a cell that can't be compiled", first="(" * 100_000),
    Attack("ten thousand cells", notebook=lambda nb: {**nb, "cells": nb["cells"] * 1500}, spares=False),
]


def _old(cell: dict[str, Any]) -> dict[str, Any]:
    return {**cell, "input": cell["source"], "source": None} if cell["cell_type"] == "code" else cell


GROUPS = {
    "marks without an answer": MARKS,
    "the hidden tests": LEAKS,
    "the line between the processes": WIRE,
    "time, memory, processes": RESOURCES,
    "other people's things": REACH,
    "the file itself": FILES,
}
