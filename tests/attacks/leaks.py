"""Attacks on the hidden tests: answers that want to learn what is tested."""

# ruff: noqa: E501

from __future__ import annotations

from attacks.attack import add_cell, code

KINDS = """
import builtins
import numpy as np
def kind(x):
    name = f'Error of {np.ravel(x)[0]}'
    setattr(builtins, name, type(name, (Exception,), {'__module__': 'builtins'}))
    return getattr(builtins, name)
"""

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
        notebook=lambda nb: add_cell(nb, "print(seen)"),
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
        notebook=lambda nb: add_cell(nb, "raise kind(seen[-1])('x')"),
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
