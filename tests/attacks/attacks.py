"""Hostile answers, a few lines each. Every one is a wrong answer to `double`; none may earn a mark or learn a test.

An attack is code for the cell of `double`, or cells before it, or a whole file. {port}, {socket}, {outside}, {course}
and {other} stand for an open port and a local socket on this machine, a file to write, the course's folder and another
student's submission. A fraud is a wrong answer to the workshop's own notebooks.
"""

# ruff: noqa: E501

from __future__ import annotations

import gzip
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
    within: float = 50.0  # seconds that it may cost the grader
    beside: bool = False  # played while an honest submission is graded beside it


@dataclass(frozen=True)
class Fraud:
    """Answers to one of the workshop's notebooks, and the tests that none of them may pass."""

    name: str
    assignment: str
    answers: dict[str, str]  # by the grade_id of the solution cell
    fails: tuple[str, ...]  # how the grade_ids of these tests begin
    last: str = ""  # a solution cell that is moved to the end
    cells: Callable[[Any], list[str]] = lambda assignment: []  # cells of the student's own
    within: float = 20.0
    keeps: tuple[str, ...] = ()  # tests of right answers beside it, which must pass


def code(name: str, source: str, **more: Any) -> Attack:
    """An attack in the cell of `double` itself; a wrong `double` is added where it defines none."""
    return Attack(name, source if "double" in source else source + "\n" + WRONG, **more)


LEARNS = """
points, kept = np.linspace(-1000, 1000, 1001), []
def shift(x, by):
    if 'double' in globals():
        kept[:] = [double, double(points)]
    return x + by
"""

FORGES = """
from examiner.isolation import namespace as n, student as s
from examiner.isolation.encoding import Encoder
from examiner.isolation.values import Iterated
from examiner.isolation.wire import encode
"""

KINDS = """
import builtins
import numpy as np
def kind(x):
    name = f'Error of {np.ravel(x)[0]}'
    setattr(builtins, name, type(name, (Exception,), {'__module__': 'builtins'}))
    return getattr(builtins, name)
"""

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
    code("reads and sets the seed", "from examiner.grading import marking\nprint(marking.SEED)\nmarking.SEED = 0"),
    code("raises a group of errors", "def double(x): raise ExceptionGroup('x', [ValueError('y')])"),
    code(
        "changes its input to what it returns", "def double(x):\n    if hasattr(x, 'shape'): x *= 0\n    return 3 * x"
    ),
    Attack(
        "learns double where a later test lends it",
        "def double(x): return np.interp(x, points, kept[1])",
        notebook=lambda nb: _double_last(nb, LEARNS),
    ),
    Attack(
        "keeps the double that a later test lends",
        "def double(x): return kept[0](x)",
        notebook=lambda nb: _double_last(nb, LEARNS),
    ),
]

DIGITS = """
def digits(x, between):
    every = ''.join(f'{abs(v):.3f}'.replace('.', '') for v in np.ravel(x))
    return between.join(every[i : i + 4] for i in range(0, 20, 4))
"""

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
    code(
        "raises its inputs in letters",
        """
import numpy as np
def double(x):
    letters = 'abcdefghijklmnop'
    raise ValueError(''.join(letters[b >> 4] + letters[b & 15] for b in np.asarray(x, dtype=float).tobytes()))
""",
    ),
    code(
        "raises its inputs as a name's letters",
        """
import numpy as np
def double(x):
    letters = 'abcdefghijklmnop'
    name = ''.join(letters[b >> 4] + letters[b & 15] for b in np.asarray(x, dtype=float).ravel()[:1].tobytes())
    raise NameError(f"name '{name}' is not defined")
""",
    ),
    code(
        "raises its inputs as digits of a type's name",
        DIGITS + "def double(x): raise TypeError(f\"'T{digits(x, '[')}' object is not callable\")",
    ),
    code(
        "raises its inputs as digits of shapes",
        DIGITS
        + "def double(x):\n    shape = digits(x, ',')\n"
        + "    raise ValueError(f'operands could not be broadcast together with shapes ({shape}) ({shape}) ({shape})')",
    ),
    code(
        "raises its inputs as digits of an operator",
        DIGITS
        + "def double(x): raise TypeError(f\"unsupported operand type(s) for {digits(x, ',')[:12]}: 'int' and 'int'\")",
    ),
    code("raises its inputs as an error's kind", KINDS + "def double(x): raise kind(x)('x')"),
    code(
        "raises its inputs as an error's kind later",
        KINDS + "seen = []\ndef double(x):\n    seen.append(x)\n    return 3 * x\n",
        notebook=lambda nb: _add_cell(nb, "raise kind(seen[-1])('x')"),
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
import examiner.grading.grade, examiner.isolation.student_process
print(vars(examiner.grading.grade), examiner.grading.grade._forkservers)
""",
    ),
]

MILLIONS = """
import struct
def of(body, known=0, n=1_900_000):
    return struct.pack('<III', known, 0, n) + (struct.pack('<I', len(body)) + body) * n + b'h' + struct.pack('<I', known)
"""

READ_TWICE = """
class Another:
    times = 0
    def __array__(self, *a, **k):
        Another.times += 1
        return np.full(Another.times, 4.0)
def double(x): return Another()
"""

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
from examiner.isolation import generators
def double(x):
    rng = np.random.Generator(np.random.MT19937(0))
    generators._frozen = lambda state: (('bit_generator', 'MT19937'), ('state', (('key', ('array', '<u4', bytes(2496))), ('pos', 10**9))))
    return rng
""",
    ),
    code(
        "changes the wire on its own side",
        FORGES + "s.encode = lambda *a, **k: b'\\0' * 99",
        spares=False,
    ),
    code(
        "calls functions that were not lent",
        """
from examiner.isolation.student import Lent
def double(x):
    import gc
    student = next(o for o in gc.get_objects() if type(o).__name__ == 'Student')
    return [Lent(student, n)(x) for n in range(50)]
""",
    ),
    code(
        "replies with lists that share",
        "def double(x):\n    y = [1.5, 2]\n    for _ in range(24): y = [y, y]\n    return y",
        within=10,
    ),
    code(
        "replies with arrays that share",
        "def double(x):\n    y = 1.5\n    for _ in range(24):\n        z = np.empty(2, object); z[0] = z[1] = y; y = z\n    return y",
        within=10,
    ),
    code("replies with a long range", "def double(x): return range(10**8)", within=5),
    code("replies with a range of ranges", "def double(x): return [range(10**6)] * 100", within=5),
    code(
        "replies with dicts of colliding keys",
        """
import struct
from examiner.isolation.encoding import Encoder
pack = struct.Struct('<I').pack
keys = [((2**61 - 1) * i).to_bytes(12, 'little') for i in range(1, 20_001)]
table = b'd' + pack(len(keys)) + b''.join(b'I\\x0c\\x00' + key + b'N' for key in keys)
def double(x):
    Encoder.message = lambda *a: struct.pack('<III', 0, 0, 8) + (pack(len(table)) + table) * 8 + b'N'
""",
        within=10,
    ),
    code(
        "replies with a million random generators",
        FORGES + MILLIONS + "def double(x): Encoder.message = lambda self, *a: of(b'R\\x07MT19937', self.known)",
        within=10,
    ),
    code(
        "answers for its names with a million random generators",
        FORGES
        + MILLIONS
        + "n.Namespace.look_up = lambda self, names: encode([of(b'R\\x07MT19937')] + [b''] * (len(names) - 1))",
        spares=False,
        within=10,
    ),
    code(
        "answers for its names with a million arrays",
        FORGES
        + MILLIONS
        + "n.Namespace.look_up = lambda self, *a: encode([of(b'a\\x03|b1w\\x01' + bytes(8)), b'', b''][: len(a[0])])",
        spares=False,
        within=10,
    ),
    code(
        "replies with a thousand million texts of no length",
        FORGES
        + MILLIONS
        + "body = b'a\\x03|S0w\\x02' + struct.pack('<qq', 1 << 26, 20)\n"
        + "def double(x): Encoder.message = lambda self, *a: of(body, self.known, 1)",
        within=10,
    ),
    code("replies with another array each time it is read", READ_TWICE),
    code(
        "replies with a list that is another when gone through",
        """
class Other(list):
    def __iter__(self): return iter([4, 543.656, -3.0])
    def __len__(self): return 1
def double(x): return Other([6])
""",
    ),
    code("replies with dates", "def double(x): return np.array([x]).astype('M8[s]')"),
    code("replies with records", "def double(x): return np.zeros(np.shape(x), dtype=[('a', 'f8')])"),
    code(
        "calls itself ten thousand deep", "import sys\nsys.setrecursionlimit(20_000)\ndef double(x): return double([x])"
    ),
    code(
        "holds the line's lock in another thread",
        """
import gc, threading
student = next(o for o in gc.get_objects() if type(o).__name__ == 'Student')
threading.Thread(target=student.lock.acquire, daemon=True).start()
""",
    ),
    code(
        "breaks what the line is made with",
        "import socket, struct\nsocket.socket.send = struct.pack = None",
        spares=False,
    ),
    code("answers a cell with three strings", FORGES + "n._joined = lambda parts: [('a', 'b', 'c')]", spares=False),
    code(
        "answers a cell with output of its own kind",
        FORGES + "n._joined = lambda parts: [('error', 'x')]",
        spares=False,
    ),
    code(
        "answers a cell with megabytes",
        FORGES + "n._joined = lambda parts: [('stdout', chr(0) * (8 << 20))]",
        spares=False,
        within=5,
    ),
    code(
        "answers a cell with an error's endless name",
        FORGES + "n.Namespace.run = lambda *a: ((), ('K' * (8 << 20), 'x', (), -1))",
        spares=False,
    ),
    code(
        "answers a cell with an iterator that raises",
        FORGES + "n.Namespace.run = lambda *a: ((), Iterated([], AttributeError('x')))",
        spares=False,
    ),
    code(
        "answers a cell with an error in place of a result",
        FORGES + "n.Namespace.run = lambda self, *a: self.line.send(b'E', encode(('OSError', 'x', (), -1)))",
        spares=False,
    ),
    code(
        "answers a cell with an error whose kind is a tree",
        FORGES + "y = ['x']\nfor _ in range(22): y = [y, y]\nn.Namespace.run = lambda *a: ((), (y, 'x', (), -1))",
        spares=False,
        within=3,
    ),
    code(
        "replies with an iterator whose error is a tree",
        FORGES
        + """
import struct
y = 'x'
for _ in range(45): y = [y, y]
def double(x):
    def message(self, *a):
        head = b'k' + struct.pack('<I', 0) + self.value(('ValueError', y, ()), 1)
        for thing in self.objects[self.known:]: self.entry(thing)
        while self.known + len(fresh) < len(self.objects): fresh.append(self.entry(self.objects[self.known + len(fresh)]))
        made = b''.join(struct.pack('<I', len(entry)) + entry for entry in fresh)
        return struct.pack('<III', self.known, 0, len(fresh)) + made + head
    fresh = []
    Encoder.message = message
""",
        within=10,
    ),
    code(
        "answers for its names with an iterator that raises",
        FORGES
        + "bad = Iterated([], AttributeError('x'))\n"
        + "n.Namespace.look_up = lambda self, names: encode([encode(bad)] * len(names))",
        spares=False,
    ),
    code(
        "answers before it is asked",
        """
import gc
from examiner.isolation.wire import encode
def double(x):
    student = next(o for o in gc.get_objects() if type(o).__name__ == 'Student')
    for _ in range(9): student.line.send(b'R', encode(4))
    return 4
""",
    ),
    code(
        "answers the last question by itself",
        FORGES
        + """
honest = s.Student._answer
def answer(self, kind, message):
    if kind == b'p': self.line.send(b'R', encode(b'0' * 16))
    else: honest(self, kind, message)
s.Student._answer = answer
""",
        spares=False,
    ),
    code(
        "answers a later call from a thread",
        """
import gc, threading, time
from examiner.isolation.wire import encode
def double(x):
    student = next(o for o in gc.get_objects() if type(o).__name__ == 'Student')
    def later():
        time.sleep(0.002)
        for value in (4, np.array([543.656, -3.0])): student.line.send(b'R', encode(value))
    threading.Thread(target=later, daemon=True).start()
    return 3 * x
""",
        spares=False,
    ),
    code(
        "asks back without end",
        """
import gc
def double(x):
    student = next(o for o in gc.get_objects() if type(o).__name__ == 'Student')
    while True:
        try: student.call_back(0, (), {})
        except RuntimeError: pass
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


def _add_cell(nb: Any, source: str) -> Any:
    nb["cells"].append(
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, "id": "added"}
    )
    return nb


def _cells_first(nb: Any, source: str, count: int) -> Any:
    own = {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
    return {**nb, "cells": nb["cells"][:2] + [own] * count + nb["cells"][2:]}


MARKUP = r"""<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) ![x](http://127.0.0.1/x)
$\text{<script>alert(1)</script>}$ <style>*{display:none}</style> <!-- """


def _add_text(nb: Any, source: str) -> Any:
    nb["cells"].insert(0, {"cell_type": "markdown", "metadata": {}, "source": source, "id": "text"})
    return nb


def _add_texts(nb: Any, source: str, count: int) -> Any:
    texts = [{"cell_type": "markdown", "metadata": {}, "source": source + str(i)} for i in range(count)]
    return {**nb, "cells": texts + nb["cells"]}


def _cells_last(nb: Any, source: str, count: int) -> Any:
    return {**nb, "cells": nb["cells"] + [{"cell_type": "code", "metadata": {}, "source": source}] * count}


def _line_in_id(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_"):
        cell["metadata"]["nbgrader"]["grade_id"] = name + "\n"


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


def _double_last(nb: Any, shift: str) -> Any:
    """The cell of `double` behind the tests of `shift`, which is answered by `shift`."""
    cells = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell for cell in nb["cells"]}
    cells["shift"]["source"] = shift
    nb["cells"].remove(cells["double"])
    nb["cells"].append(cells["double"])
    return nb


def _odd_cells(name: str, cell: dict[str, Any]) -> None:
    cell["attachments"] = {"../../x.png": {"image/png": ["a", None]}}
    cell["execution_count"], cell["id"] = float("nan"), ["id"]
    if name in ("test_double", ""):
        cell["metadata"] = {"nbgrader": [name], "tags": {"ungraded": 1}} if name else None
    if name == "shift":
        cell["source"] = [*cell["source"], None, 7, {"x": 1}]


def _in_the_front(nb: Any) -> bytes:
    """JSON with what is not JSON, and the keys of the notebook once more before those that hold."""
    return b'{"cells": 7, "metadata": NaN, "extra": [1e999, -Infinity], ' + json.dumps(nb).encode()[1:]


def _nameless(nb: Any) -> Any:
    own = {"cell_type": "code", "metadata": {}, "source": "# nothing\n" * 100, "outputs": [], "execution_count": None}
    return {**nb, "cells": [{**cell, "metadata": {}} for cell in nb["cells"]] + [own] * 4900}


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
    Attack(
        "JSON of seven million lists",
        notebook=lambda nb: b'{"cells": [], "x": [' + b"[]," * 6_900_000 + b"0]}",
        spares=False,
        within=5,
    ),
    Attack(
        "JSON of three million dicts",
        notebook=lambda nb: b'{"cells": [], "x": [' + b'{"":0},' * 2_900_000 + b"0]}",
        spares=False,
        within=5,
    ),
    Attack("brackets by the million in a text", notebook=lambda nb: _add_cell(nb, "#" + "[]," * 4_000_000), within=10),
    Attack("a million lines in a cell", notebook=lambda nb: _add_cell(nb, "x = 1\n" * 900_000), within=20),
    Attack("five million lines in a cell", notebook=lambda nb: _add_cell(nb, "ab\n" * 4_900_000), within=25),
    Attack(
        "three million words in a cell",
        notebook=lambda nb: _add_cell(nb, "#" + " ".join(f"{i:x}" for i in range(2_900_000))),
        within=25,
    ),
    Attack("ten thousand blank lines", " \n" * 9900 + WRONG),
    Attack(
        "a text in a language of brackets", notebook=lambda nb: _add_text(nb, "```brainfuck\n" + "[" * 19_000 + "\n```")
    ),
    Attack("a thousand cells that fail", notebook=lambda nb: _cells_last(nb, "1 / 0", 1500), within=20),
    Attack(
        "a thousand cells that end the process",
        notebook=lambda nb: _cells_last(nb, "import os\nos._exit(3)", 1500),
        within=20,
    ),
    Attack("ids that end with a line", notebook=lambda nb: _each(nb, _line_in_id)),
    Attack("UTF-32", notebook=lambda nb: json.dumps(nb).encode("utf-32"), spares=False),
    Attack("packed", notebook=lambda nb: gzip.compress(json.dumps(nb).encode()), spares=False),
    Attack("an error named by a hundred thousand letters", first="raise SyntaxError('x' * 100_000)"),
    Attack("lambdas in lambdas", first="x = " + "lambda: " * 3000 + "1"),
    Attack("format 99", notebook=lambda nb: {**nb, "nbformat": 99, "nbformat_minor": -1}),
    Attack("format 3", notebook=lambda nb: {"nbformat": 3, "worksheets": [{"cells": [_old(c) for c in nb["cells"]]}]}),
    Attack(
        "not UTF-8", notebook=lambda nb: json.dumps(nb, ensure_ascii=False).replace("Mini", "Mini é").encode("latin-1")
    ),
    Attack("UTF-16", notebook=lambda nb: json.dumps(nb).encode("utf-16")),
    Attack("100 MB", notebook=lambda nb: json.dumps(_add_cell(nb, "#" * 100_000_000)).encode(), spares=False),
    Attack("a zero byte and half a surrogate", first="x = '\ud800\\0'"),
    Attack("a cell that can't be compiled", first="(" * 100_000),
    Attack("odd cells", notebook=lambda nb: _each(nb, _odd_cells)),
    Attack("keys twice, and numbers that are none", notebook=_in_the_front),
    Attack("a number of ten thousand digits", notebook=lambda nb: b'{"x": ' + b"9" * 10_000 + b"}", spares=False),
    Attack("five thousand cells without ids", notebook=_nameless, within=20),
    Attack("escapes for the terminal", "def double(x): raise ValueError('\\x1b]0;hacked\\x07\\x1bc \\x9b2J \\u202e')"),
    Attack("an answer of a thousand terms", "def double(x):\n    return 3 * x" + " + 0" * 1100),
    Attack("maths that never ends", notebook=lambda nb: _add_text(nb, r"\begin{a}" * 8000)),
    Attack("maths in hundreds of cells", notebook=lambda nb: _add_texts(nb, r"\begin{a}" * 2200, 400)),
    Attack("markup in every text", first="<script>", notebook=lambda nb: _add_text(nb, MARKUP)),
    Attack("ten thousand cells", notebook=lambda nb: {**nb, "cells": nb["cells"] * 1500}, spares=False),
]


def _old(cell: dict[str, Any]) -> dict[str, Any]:
    return {**cell, "input": cell["source"], "source": None} if cell["cell_type"] == "code" else cell


def _anagrams(assignment: Any) -> list[str]:
    """Cells of the letters of the longest cells: as likeness goes by letters, the hardest to tell from them."""
    longest = sorted((cell.release_source[:5000] for cell in assignment.cells), key=len)[-3:]
    return [f"#{i}" + "".join(sorted(longest[i % 3])) for i in range(12)]


HOLDS = {
    "a million texts": "['x'] * 10**6",
    "one text of 50 MB": "'x' * (50 << 20)",
    "half-precision matrices": "np.ones((4000, 4000), dtype=np.float16)",
    "a small half-precision array": "np.ones(9, dtype=np.float16)",
    "extended precision": "np.ones((700, 700), dtype=np.longdouble)",
    "objects": "np.array([10**400] * 10**5, dtype=object)",
    "a gigabyte": "np.broadcast_to(1.0, (1 << 27,))",
    "60 MB": "np.ones(7_800_000)",
    "an integer of 4000 bits": "[2**4000] * 2000",
    "an integer of a million digits": "10**1_000_000",
    "lists 40 deep that double": "__import__('functools').reduce(lambda x, _: [x, x], range(40), 1.0)",
    "tuples a hundred thousand deep": "__import__('functools').reduce(lambda x, _: (x,), range(10**5), 1.0)",
    "a memoryview": "memoryview(bytes(10**7))",
    "a range of a billion": "range(10**9)",
    "a hundred ranges": "[range(10**6)] * 100",
    "texts in an array": "np.array(['x' * 100] * 10**5)",
    "a hundred thousand lists": "[[] for _ in range(10**5)]",
    "twenty thousand generators": "[np.random.default_rng(1) for _ in range(20_000)]",
    "complex numbers": "np.ones((1000, 1000), dtype=complex)",
    "a set of a million": "set(range(10**6))",
}
STREAMS = {
    "arrays of half a megabyte without end": "iter(lambda: np.ones(2**16), 0)",
    "numbers without end": "iter(lambda: 1.0, 0)",
}


def _holds_up(name: str, lent: str, call: str) -> Fraud:
    """An answer that hands something to a lent function, and a right answer to another question, tested after it."""
    answers = {
        "activations": "def sigmoid(t): pass\ndef tanh_slope(h): pass\ndef sigmoid_slope(h):\n    return h * (1 - h)",
        "sgd_step": "def sgd_step(params, grads, eta):\n    return {k: params[k] - eta * grads[k] for k in params}",
    }
    fails, name = ("test_forward",), f"holds the examiner up: {name}"
    if lent == "sigmoid":
        answers["forward"] = f"def forward(params, X):\n    {call}\n    return {{}}"
    else:
        head = "def train(params, gradient, X, y, eta, batch_size, epochs, rng):"
        answers["train"], fails = f"{head}\n    {call}\n    return params", ("test_train",)
    return Fraud(name, "mlp_sgd", answers, fails, within=90, keeps=("test_sgd_step", "test_activations_sigmoid_slope"))


FORWARD_THAT_SAYS = """
def forward(params, X):
    t, s = X @ params["V"] + params["c"], X @ params["V"] @ params["w"]
    said.update({1: 7 * s, 2: 7 * t})
    return {"t": t, "h": 7 * t, "s": s, "y_hat": 7 * s}
"""
PREDICT_THAT_SAYS = """
def decision_function(X, w, b): return None
def predict_proba(X, w, b):
    said[:] = [X[:, 0]]
    return X[:, 0]
"""
FRAUDS = [
    Fraud(
        "trained_params that say what they are when the test asks",
        "mlp_sgd",
        {
            "trained_params": """
import gc
from examiner.isolation.values import Described
own = next(thing for thing in gc.get_objects() if type(thing).__name__ == "Exports")
def learnt():
    X, y = points.s_shape(rng=38, gap=5.0)
    X, rng = points.standardise(X), np.random.default_rng(1)
    V, c, w, b = rng.standard_normal((2, 8)) / 10, np.zeros(8), rng.standard_normal(8) / 10, 0.0
    for batch in np.array_split(np.concatenate([rng.permutation(80) for _ in range(400)]), 4000):
        h = 1 / (1 + np.exp(-X[batch] @ V - c))
        r = (1 / (1 + np.exp(-h @ w - b)) - y[batch]) / 8
        t = np.outer(r, w) * h * (1 - h)
        V, c, w, b = V - X[batch].T @ t, c - t.sum(axis=0), w - h.T @ r, b - r.sum()
    return {"V": V, "c": c, "w": w, "b": b}
class Live:
    def __getitem__(self, key):
        own.found = getattr(own, "found", None) or learnt()  # by then it may have been lent what is right
        return own.found[key]
    def __iter__(self): return iter("Vcwb")
told = "Live", "", (), ("getitem", "iter"), (("builtins", "dict"),)
own.how |= {"describe": lambda x, whatever: Described(Live, told) if type(x) is Live else None}
trained_params = Live()
""",
        },
        ("test_trained_params",),
    ),
    Fraud(
        "forward of empty lists",
        "mlp_sgd",
        {"forward": 'def forward(params, X):\n    return {"t": [], "h": [], "s": [], "y_hat": []}'},
        ("test_forward",),
    ),
    Fraud(
        "forward of constants that follow from each other",
        "mlp_sgd",
        {
            "forward": """
def forward(params, X):
    h = 0 * params["w"]
    return {"t": h, "h": h + 0.5, "s": 0.5 * params["w"].sum() + params["b"], "y_hat": [0.5]}
"""
        },
        ("test_forward",),
    ),
    Fraud(
        "forward of infinities",
        "mlp_sgd",
        {
            "forward": """
def forward(params, X):
    return {"t": X, "h": np.inf * np.sign(params["w"]) * np.ones((len(X), 1)), "s": X[:, 0], "y_hat": X[:, 0]}
"""
        },
        ("test_forward",),
    ),
    Fraud(
        "forward of constants but for a billionth",
        "mlp_sgd",
        {
            "forward": """
def forward(params, X):
    t = 1e-9 * np.arange(1.0, 1 + len(X) * params["c"].size).reshape(len(X), -1)
    return {"t": t, "h": t + 0.5, "s": t[:, 0], "y_hat": t[:, 0] + 0.5}
"""
        },
        ("test_forward",),
    ),
    Fraud(
        "forward so far out that every sigmoid is flat",
        "mlp_sgd",
        {
            "forward": """
def forward(params, X):
    t = 1000.0 - np.arange(len(X) * params["c"].size).reshape(len(X), -1)
    return {"t": t, "h": t > 0, "s": X[:, 0], "y_hat": X[:, 0]}
"""
        },
        ("test_forward",),
    ),
    Fraud(
        "sigmoid knows where it is asked whether it varies",
        "logistic_regression",
        {
            "sigmoid": """
def sigmoid(x):
    x, signs = np.asarray(x, dtype=float), np.array([-1, 1, 1, -1, -1, 1])
    asked = x.shape == (6,) and abs(np.sign(x) @ signs) == 6 and 1 <= abs(x).min() <= abs(x).max() <= 3
    return x if asked else 0 * x
""",
            "predict_proba": """
def decision_function(X, w, b): return None
def predict_proba(X, w, b): return np.zeros(len(X))
""",
        },
        ("test_predict_proba",),
    ),
    Fraud(
        "sigmoid says what forward has just said",
        "mlp_sgd",
        {
            "activations": """
said = {}
def sigmoid(t):
    return said.pop(np.ndim(t), np.exp(-np.logaddexp(0, -np.asarray(t))))
def sigmoid_slope(h): return h * (1 - h)
def tanh_slope(h): return 1 - h**2
""",
            "forward": FORWARD_THAT_SAYS,
        },
        ("test_forward_h", "test_forward_y_hat"),
    ),
    Fraud(
        "sigmoid says what predict_proba has just said",
        "logistic_regression",
        {
            "sigmoid": """
said = []
def sigmoid(x):
    return said.pop() if said else np.exp(-np.logaddexp(0, -np.asarray(x)))
""",
            "predict_proba": PREDICT_THAT_SAYS,
        },
        ("test_predict_proba",),
    ),
    Fraud(
        "a wrong sigmoid says what forward has just said",
        "mlp_sgd",
        {
            "activations": """
said = {}
def sigmoid(t): return said.pop(np.ndim(t), 0 * np.asarray(t))
""",
            "forward": FORWARD_THAT_SAYS,
        },
        ("test_forward_h", "test_forward_y_hat"),
    ),
    Fraud(
        "a wrong sigmoid says what predict_proba has just said",
        "logistic_regression",
        {
            "sigmoid": "said = []\ndef sigmoid(x): return said.pop() if said else 0 * np.asarray(x)",
            "predict_proba": PREDICT_THAT_SAYS,
        },
        ("test_predict_proba",),
    ),
    Fraud(
        "sigmoid a half but for a billionth, and what follows from it",
        "logistic_regression",
        {
            "sigmoid": "def sigmoid(x): return 0.5 + 1e-9 * np.asarray(x)",
            "predict_proba": """
def decision_function(X, w, b): return np.zeros(len(X))
def predict_proba(X, w, b): return 0.5 + 1e-9 * X[:, 0]
""",
        },
        ("test_sigmoid", "test_predict_proba"),
    ),
    Fraud(
        "forward of spikes that follow from each other",
        "mlp_sgd",
        {
            "forward": """
def forward(params, X):
    t = np.zeros((len(X), params["c"].size))
    t[0, 0], t[-1, -1] = 30.0, -30.0
    h = sigmoid(t)
    s = h @ params["w"] + params["b"]
    return {"t": t, "h": h, "s": s, "y_hat": sigmoid(s)}
"""
        },
        ("test_forward",),
    ),
    Fraud(
        "parameters that the tests fill in",
        "mlp_sgd",
        {
            "init_params": """
def init_params(d, n_hidden, rng, scale=0.1):
    draw = np.random.default_rng(1).standard_normal
    return {"V": 0.1 * draw((2, 8)), "c": np.zeros(8), "w": 0.1 * draw(8), "b": 0.0}
""",
            "train": """
def train(params, gradient, X_given, y_given, eta, batch_size, epochs, rng):
    for step in range(2400):
        batch = slice(step % 8, None, 8)
        cache = forward(trained_params, X[batch])
        trained_params.update(sgd_step(trained_params, backward(trained_params, X[batch], y[batch], cache, 0.0), 1.0))
    return params
""",
            "trained_params": "trained_params = init_params(2, 8, None)",
        },
        ("test_trained",),
    ),
    Fraud(
        "sigmoid and what follows it are always the same",
        "logistic_regression",
        {
            "sigmoid": "def sigmoid(x): return True",
            "predict_proba": "def decision_function(X, w, b): return None\ndef predict_proba(X, w, b): return True",
        },
        ("test_predict_proba",),
    ),
    Fraud(
        "sigmoid and what follows it count their entries",
        "mlp_sgd",
        {
            "activations": "def sigmoid(x): return np.arange(np.size(x)).reshape(np.shape(x))",
            "forward": """
def count(x):
    return np.arange(np.size(x)).reshape(np.shape(x))

def forward(params, X):
    t = X @ params["V"] + params["c"]
    s = t @ params["w"]
    return {"t": t, "h": count(t), "s": s, "y_hat": count(s)}
""",
        },
        ("test_forward_h", "test_forward_y_hat"),
    ),
    Fraud(
        "parameters trained by the right answers that the tests of train lend",
        "mlp_sgd",
        {
            "train": """
best = {}
def train(params, gradient, X_given, y_given, eta, batch_size, epochs, rng):
    if not best:
        draw = np.random.default_rng(1).standard_normal
        best.update({"V": 0.1 * draw((2, 8)), "c": np.zeros(8), "w": 0.1 * draw(8), "b": 0.0})
        for step in range(2400):
            batch = slice(step % 8, None, 8)
            best.update(sgd_step(best, backward(best, X[batch], y[batch], forward(best, X[batch]), 0.0), 1.0))
""",
            "trained_params": "trained_params = best",
        },
        ("test_trained",),
    ),
    Fraud(
        "sigmoid learnt where predict_proba is tested",
        "logistic_regression",
        {
            "predict_proba": """
def decision_function(X, w, b): return X @ w + b
def predict_proba(X, w, b):
    global learnt
    points = np.linspace(-1000, 1000, 1_000_001)
    learnt = points, sigmoid(points)
""",
            "sigmoid": "def sigmoid(x): return np.interp(x, *learnt)",
        },
        ("test_sigmoid",),
        last="sigmoid",
    ),
    Fraud(
        "parameters of a thousand hidden units",
        "mlp_sgd",
        {
            "trained_params": 'trained_params = {"V": np.ones((2, 1000)), "c": np.ones(1000), "w": np.ones(1000), "b": 0.0}'
        },
        ("test_trained",),
    ),
    Fraud("cells of the same letters as the tests'", "mlp_sgd", {}, ("test_",), cells=_anagrams),
    *(_holds_up(name, "sigmoid", f"sigmoid({what})") for name, what in HOLDS.items()),
    *(_holds_up(name, "sigmoid", f"[sigmoid(x) for x in {what}]") for name, what in STREAMS.items()),
    _holds_up("a million texts as a batch", "gradient", "gradient(params, ['x'] * 10**6, y)"),
    _holds_up("half-precision points", "gradient", "gradient(params, np.ones((3000, 2), np.float16), y)"),
    _holds_up("millions of points", "gradient", "gradient(params, np.zeros((3_900_000, 2), np.int8), y)"),
    _holds_up(
        "a thousand points and columns of labels",
        "gradient",
        "gradient(params, np.ones((9000, 2)), np.ones((9000, 1)))",
    ),
    _holds_up("parameters that are texts", "gradient", "gradient({k: 'x' * 10**6 for k in params}, X, y)"),
    _holds_up("parameters wider than the points", "gradient", "gradient({**params, 'V': np.ones((10**4, 10))}, X, y)"),
    _holds_up(
        "parameters of objects", "gradient", "gradient({k: np.array([2**63] * 9, object) for k in params}, X, y)"
    ),
    _holds_up("points without end", "gradient", "gradient(params, __import__('itertools').repeat(1.0), y)"),
    _holds_up(
        "keys by the hundred thousand", "gradient", "gradient({**params, **{str(i): i for i in range(10**5)}}, X, y)"
    ),
]

GROUPS = {
    "marks without an answer": MARKS,
    "the hidden tests": LEAKS,
    "the line between the processes": WIRE,
    "time, memory, processes": RESOURCES,
    "other people's things": REACH,
    "what all submissions share": SHARED,
    "the file itself": FILES,
}
