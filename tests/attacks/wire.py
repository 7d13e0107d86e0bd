"""Attacks on the line between the processes: replies that no honest process gives."""

# ruff: noqa: E501

from __future__ import annotations

from attacks.attack import WRONG, code

FORGES = """
from examiner.isolation import namespace as n, student as s
from examiner.isolation.encoding import Encoder
from examiner.isolation.values import Iterated
from examiner.isolation.wire import encode
"""

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
