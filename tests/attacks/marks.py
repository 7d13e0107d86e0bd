"""Attacks on the marks: wrong answers that want to count as right."""

from __future__ import annotations

from typing import Any

from attacks.attack import WRONG, Attack, code

LEARNS = """
points, kept = np.linspace(-1000, 1000, 1001), []
def shift(x, by):
    if 'double' in globals():
        kept[:] = [double, double(points)]
    return x + by
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


def _double_last(nb: Any, shift: str) -> Any:
    """The cell of `double` behind the tests of `shift`, which is answered by `shift`."""
    cells = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell for cell in nb["cells"]}
    cells["shift"]["source"] = shift
    nb["cells"].remove(cells["double"])
    nb["cells"].append(cells["double"])
    return nb
