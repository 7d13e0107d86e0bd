"""Attacks through what other courses' tests can ask of a student's process: objects, replaced names, files, values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from examiner.grading.assignment import Assignment, Limits
from examiner.grading.grade import grade
from examiner.grading.parts import bundled, whole
from examiner.grading.result import NOT_APART, Result

LIMITS = Limits(cell_seconds=5, call_seconds=2, test_seconds=5, total_seconds=30)
SOURCE = """
class Box:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return self.x == other.x
Point = __import__("collections").namedtuple("Point", "a b")
total = 0
def double(x):
    global total
    total += x
    return 2 * x
def box(x): return Box(x)
def ask(): return input("?")
class Stack(list):
    def push(self, x): self.append(x)
"""
WRONG = "\ndef double(x): return 3 * x\n"
VALUE = "assert double(2) == 4 and double(3) == 6"


def marked(answer: str, *tests: str, together: bool = False, source: str = SOURCE, locked: str = "") -> Result:
    """The result of an answer in the place of the source's, with these tests of one mark each, after a locked cell."""

    def cell(name: str, source: str, **flags: Any) -> dict[str, Any]:
        about = {"grade": False, "solution": False, "locked": False, "grade_id": name, **flags}
        return {"cell_type": "code", "metadata": {"nbgrader": about}, "source": source, "outputs": []}

    tested = [cell(f"t{i}", test, grade=True, locked=True, points=1) for i, test in enumerate(tests)]
    first = cell("given", locked, locked=True)
    own = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [first, cell("q", source, solution=True), *tested],
    }
    handed = {**own, "cells": [first, cell("q", answer, solution=True), *tested]}
    assignment = Assignment.from_notebook(json.dumps(own).encode(), "other")
    assignment = assignment.in_one_process() if together else assignment
    return grade(json.dumps(handed).encode(), assignment, b"secret", LIMITS)


EVIL = """
class Evil:
    def __eq__(self, other): return True
    __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = __bool__ = __eq__
    def __hash__(self): return 4
    def __getattr__(self, name): return Evil()
    def __call__(self, *a, **k): return Evil()
    def __len__(self): return 4
    def __iter__(self): return iter([4])
    def __index__(self): return 4
"""


def test_a_list_of_a_class_that_equals_everything_is_compared_by_what_it_holds() -> None:
    evil = "class Stack(list):\n    __eq__ = lambda *_: True\n    __ne__ = __bool__ = __eq__\n    push = list.clear\n"
    for test in ("s = Stack()\ns.push(1)\nassert s == [1]", "s = Stack()\ns.append(1)\nassert [2] == s"):
        assert marked(SOURCE + evil.replace("list.clear", "lambda *_: 0"), test).score == 0


def test_a_context_manager_reads_no_check_in_its_block() -> None:
    spy = "\nheard = []\nclass Box:\n    def __init__(self, x): pass\n    def __enter__(self): return self\n"
    spy += "    def __exit__(self, kind, error, trace): heard.append(str(error)); return True\n"
    spy += "def double(x): return heard\n"
    source = "try:\n    with Box(1): assert 1 == 2, 'the answer is 42'\nexcept AssertionError: pass"
    assert marked(SOURCE + spy, f"{source}\nassert double(1) == ['']").score == 1


MANAGER = "class Held:\n    def __enter__(self): return self\n    def __exit__(self, *error): {}\n{}"


@pytest.mark.parametrize("own", ["self.left = True", "return issubclass(error[0], ValueError)"])
def test_a_context_manager_keeps_no_finding_of_a_test_to_itself(own: str) -> None:
    test = "with Held(): assert double(2) == 4"
    result = marked(MANAGER.format("return True", WRONG), test, source=MANAGER.format(own, SOURCE))
    assert not result.score and any("context manager" in why for why in result.needs_eye)


def test_only_a_context_manager_that_may_swallows_an_error() -> None:
    test = "with Held():\n    double(2)\n    assert False"
    raises = "\ndef double(x): raise ValueError"
    swallows = MANAGER.format("return True", raises)
    assert marked(swallows, "with Held(): double(2)", source=MANAGER.format("return 1 > 0", SOURCE)).score == 1
    assert not marked(swallows, test, source=MANAGER.format("self.left = True", SOURCE)).score
    made = "from contextlib import contextmanager\n@contextmanager\ndef held():\n    {}\n"
    keeps, lets = "try: yield\n    except ValueError: pass", "yield"
    assert marked(made.format(keeps) + raises, "with held(): double(2)", source=made.format(keeps) + SOURCE).score == 1
    assert not marked(made.format(keeps) + raises, "with held(): double(2)", source=made.format(lets) + SOURCE).score


@pytest.mark.parametrize(
    "loop",
    [
        "for a, b in zip(map(double, [1, 2]), [2, 4]): assert a == b",
        "assert all(map(lambda x: double(x) == 2 * x, [1]))",
    ],
)
def test_what_an_answer_raises_ends_no_loop_of_a_test(loop: str) -> None:
    assert marked(SOURCE, loop).score == 1
    assert marked("def double(x): raise StopIteration", loop).score == 0
    knows = "try: double(1)\nexcept StopIteration: pass"
    assert marked("def double(x): raise StopIteration", knows).score == 1


def test_no_field_of_a_named_tuple_is_an_operator() -> None:
    forged = "class T(tuple): _fields = ('__eq__',)\ndef double(x): return T((lambda other: True,))"
    assert marked(forged, VALUE).score == 0


@pytest.mark.parametrize("gives", ["0.0", "Size(0)"])
def test_a_difference_that_decides_a_comparison_is_shown_to_a_person(gives: str) -> None:
    size = "class Size:\n    def __init__(self, x): self.x = x\n    def __abs__(self): return abs(self.x)\n"
    size += "    def __sub__(self, other): return {}\n"
    test = "assert abs(double(2) - 4) < 1e-9"
    result = marked(f"{size.format(gives)}def double(x): return Size(1)", test, source=size.format("Size(0)") + SOURCE)
    assert any("decided a comparison" in why for why in result.needs_eye)
    assert not marked(size.format("Size(1)") + SOURCE, test, source=size.format("Size(0)") + SOURCE).needs_eye


def test_no_text_and_no_pickle_of_a_students_runs_where_tests_run(tmp_path: Path) -> None:
    mark = tmp_path / "was here"
    code = f"__import__('os').mkdir({str(mark)!r})"
    pickled = "import pickle\nclass E:\n    def __reduce__(self): return eval, ({!r},)\n"
    pickled += "def double(x): return pickle.dumps(E())"
    marked(pickled.format(code), "import pickle\npickle.loads(double(2))")
    marked(f"def double(x): return {code!r}", "eval(double(2))")
    assert not mark.exists()
    assert marked("def double(x): return f'({x} + {x}) * 1'", "assert eval(double(2)) == 4").score == 1
    assert (
        marked(
            "import pickle\ndef double(x): return pickle.dumps([x])",
            "import pickle\nassert pickle.loads(double(2)) == [2]",
        ).score
        == 1
    )


@pytest.mark.parametrize(
    "test",
    [
        "open(double(2), 'w').write('x')",
        "import os\nos.remove(double(2))",
        "import shutil, os\nshutil.rmtree(os.path.dirname(double(2)))",
        "assert open(double(2)).read() != 'mine', open(double(2)).read()",
        "import sqlite3\nsqlite3.connect(':memory:').execute(f\"VACUUM INTO '{double(2)}.db'\")",
    ],
    ids=["write", "remove", "remove the folder", "read", "query"],
)
def test_a_path_of_a_students_leads_a_test_to_no_file_of_anybodys(test: str, tmp_path: Path) -> None:
    theirs = tmp_path / "gradebook"
    theirs.write_text("mine")
    result = marked(f"def double(x): return {str(theirs)!r}", test)
    assert result.score == 0 and "mine" not in result.marks[0].message
    assert theirs.read_text() == "mine" and [path.name for path in tmp_path.iterdir()] == ["gradebook"]


def test_files_are_few_and_go_when_the_student_removes_them() -> None:
    many = "import sys\nfor m in list(sys.modules.values()):\n    if hasattr(m, 'Student') and hasattr(m, '_files'):\n"
    many += "        m._files = lambda: ((f'x{i}', b'') for i in range(100_000))\n"
    looks = "import os\nopen('kept', 'w').close()\ndouble('kept')\nassert not os.path.exists('kept')"
    assert marked("import os\ndef double(x): os.remove(x)", looks).score == 1
    assert "could not be read" in marked(f"{many}def double(x): return 2 * x", looks).marks[0].message


def test_a_function_of_pythons_own_that_a_test_hands_in_reaches_nothing_of_the_examiners() -> None:
    source = "def call(f, *args): return f(*args)"
    test = "secret = 'xyz'\nassert call(getattr, lambda: 1, '__name__') == '<lambda>'"
    spy = "def call(f, x, name): return f(x, '__globals__')['secret'] and '<lambda>'"
    assert not marked(spy, test, source=source).score
    assert marked(
        source, "assert call(len, [1]) == 1 and call(print) is None and call(max, 1, 2) == 2", source=source
    ).score


def test_a_constant_of_a_locked_cell_is_the_examiners_own() -> None:
    locked = "LIMIT = 1e-6\ndef close(a, b): return abs(a - b) < LIMIT"
    result = marked(f"{WRONG}LIMIT = 1e9", "assert close(double(2), 4)", locked=locked)
    assert result.score == 0


@pytest.mark.parametrize(
    "answer",
    [
        f"{EVIL}\ndef double(x): return Evil()",
        f"{EVIL.replace('Evil', 'Other')}\ndef double(x): return Other",
        "from decimal import Decimal\nclass Evil(Decimal): __eq__ = lambda *a: True\ndef double(x): return Evil(1)",
        "import types\ndef double(x): return types.SimpleNamespace(__eq__=lambda *a: True)",
        f"{WRONG}\nimport builtins\nbuiltins.input = double",
    ],
    ids=["object", "class", "decimal", "namespace", "builtins"],
)
def test_what_equals_everything_earns_nothing(answer: str) -> None:
    result = marked(answer, VALUE)
    assert result.score == 0


def test_an_object_of_the_sources_own_class_that_equals_a_plain_value_is_shown_to_a_person() -> None:
    answer = f"{EVIL.replace('Evil', 'Box')}\ndef double(x): return Box()"
    result = marked(answer, VALUE)
    assert not result.score or any("decided a comparison" in why for why in result.needs_eye)


@pytest.mark.parametrize(
    "answer",
    [
        f"{EVIL}\ndef double(x): return 3 * x\ndouble.__wrapped__ = Evil()",
        "def double(x): return 3 * x\ndouble.__wrapped__ = double",
        f"{EVIL}\ndef double(x):\n    while True: yield Evil()",
        "def double(x):\n    try:\n        while True: yield 3\n    finally:\n        while True: pass",
        "class Box:\n    def __init__(self, x): pass\n    def __iter__(self): return self\n"
        "    def __next__(self): return 4\ndef double(x): return Box(x)",
        "import sys, types, os\nm = types.ModuleType('tally')\nm.__file__ = os.path.join(os.getcwd(), 'tally.py')\n"
        "sys.modules['tally'] = m\nvars(m).update({f'v{i}': [i] for i in range(10**5)})\ndef double(x): return 3 * x",
    ],
    ids=["wrapped", "wrapped in itself", "endless", "never closed", "iterator", "modules"],
)
def test_generators_wrapped_functions_and_modules_earn_nothing(answer: str) -> None:
    sent = "g = double(2)\nnext(g)\nassert g.send(2) == 4"
    unwrapped = "import inspect\ninspect.signature(double)\nassert inspect.unwrap(double)(2) == 4"
    result = marked(answer, VALUE, sent, unwrapped, "assert next(iter(double(2))) == 6 - 2 and double(3) == 6")
    assert all(not mark.score for mark in result.marks)


def test_what_a_test_defines_can_not_be_replaced_by_the_notebook() -> None:
    helper = "def close(a, b):\n    assert a == b\nimport math"
    answer = f"{WRONG}\ndef close(a, b): pass\nclass math: isclose = staticmethod(lambda *a: True)\n"
    result = marked(answer, helper, "close(double(2), 4)", "assert math.isclose(double(2), 4)")
    assert [mark.score for mark in result.marks] == [1, 0, 0]


def test_a_mark_is_the_tests_and_no_larger_than_its_points() -> None:
    result = marked(f"{WRONG}\nscore = 1.0", "score = 0.0\nscore += double(2) == 4\nscore")
    assert result.score == 0
    result = marked("def double(x): return 10 ** 6", "double(1)")
    assert result.marks[0].score is None and result.needs_eye


@pytest.mark.parametrize("name", ["evil.pkl", "evil.dat", "evil.py", "../evil.dat", "numpy.py"])
def test_files_of_the_notebook_run_nowhere_but_there(name: str, tmp_path: Any) -> None:
    """A pickle is not read, a module not found, and no file leaves the folder."""
    witness = tmp_path / "witness"
    call = f"open({str(witness)!r}, 'w').close()"
    answer = f"""
import os, pickle
class P:
    def __reduce__(self): return exec, ({call!r},)
data = pickle.dumps(P()) if {name!r}.endswith(("pkl", "dat")) else {call!r}.encode()
try: open({name!r}, "wb").write(data)
except OSError: pass
{SOURCE}
"""
    reads = f"import pickle, os\nif os.path.exists({name!r}):\n    pickle.load(open({name!r}, 'rb'))"
    imports = f"import os, importlib\nimportlib.import_module({name.split('.')[0] or 'evil'!r})"
    marked(answer, reads, imports)
    assert not witness.exists()


@pytest.mark.parametrize(
    "answer",
    [
        "import sys\ndef double(x): print('y' * 10**7); return 2 * x",
        "class Deep: pass\nfor i in range(3000): Deep = type('Box', (Deep,), {})\ndef double(x): return Deep()",
        "def double(x): return [type(f'C{i}', (), {})() for i in range(5000)]",
        "class Box:\n    def __getattr__(self, name): return self.missing\ndef double(x): return Box()",
        "for i in range(700): open(f'f{i}', 'w').write('x' * 1000)\ndef double(x): return 3 * x",
    ],
    ids=["prints", "bases", "classes", "attributes", "files"],
)
def test_too_much_of_anything_costs_its_own_marks_alone(answer: str) -> None:
    fine = f"{SOURCE.replace('def double', 'def other')}\n{answer}"
    tests = "import io\nfrom contextlib import redirect_stdout\nwith redirect_stdout(io.StringIO()):\n    r = double(2)"
    result = marked(fine, f"{tests}\nassert r.x == 4", "assert other(2) == 4", "import os\nassert os.getcwd()")
    assert result.marks[1].score == 1 and not result.marks[0].score and result.marks[2].score == 1


def test_what_a_test_compares_with_reaches_no_student() -> None:
    """A name that the notebook's functions do not read is not sent, and a hidden value is in no message."""
    answer = SOURCE.replace("return 2 * x", "raise ValueError(str(sorted(n for n in globals() if 'expect' in n)))")
    test = "### BEGIN HIDDEN TESTS\nexpected_value = 271.828\nassert double(2) == expected_value\n### END HIDDEN TESTS"
    result = marked(answer, test)
    assert "expected_value" not in result.marks[0].message and "271.828" not in result.to_json()


def test_attributes_are_not_asked_for_by_the_student() -> None:
    """What a test lends has no attributes there that lead to the examiner's own."""
    answer = f"{SOURCE}\ndef use(f): return [getattr(f, '__globals__', None), getattr(f, '__code__', None)]"
    result = marked(answer, "assert use(lambda x: x) == [None, None]")
    assert result.score == 1


NAMED = """
import gc
class Any:
    def __contains__(self, name): return True
next(thing for thing in gc.get_objects() if type(thing).__name__ == "Exports").classes = Any()
def double(x): raise type(f"C_{x}", (ValueError,), {})(f"C_{x}")
"""


def test_an_errors_class_spells_no_hidden_input() -> None:
    mark = marked(NAMED, "### BEGIN HIDDEN TESTS\nassert double(31337) == 62674\n### END HIDDEN TESTS").marks[0]
    assert "raised ValueError" in mark.message
    assert "31337" not in f"{mark.message} {mark.mistake}"


@pytest.mark.parametrize("cell", [1, 2, 99])
def test_no_text_of_a_test_stands_for_an_answers_own(cell: int) -> None:
    answer = f"exec(compile('def double(x): return 3 * x', '<cell {cell}>', 'exec'))"
    asks = "import inspect\ntold = inspect.getsource(double)\nassert not told, told"
    mark = marked(answer, asks, "### BEGIN HIDDEN TESTS\nzebra = double(2)\n### END HIDDEN TESTS").marks[0]
    assert not mark.score
    assert "import inspect" not in mark.message and "zebra" not in mark.message


def test_in_one_process_with_the_tests_a_notebook_is_shut_in_all_the_same(tmp_path: Any) -> None:
    """It may forge its marks, which is said; it writes nothing outside, and what it says is read as text alone."""
    witness = tmp_path / "witness"
    answer = f"""
import sys
class Loud(float):
    def __repr__(self): return "9" * 10**6
sys.displayhook = lambda x: None
for do in (lambda: open({str(witness)!r}, "w").close(), lambda: __import__("os").fork(),
           lambda: __import__("socket").create_connection(("127.0.0.1", 9))):
    try: do()
    except Exception: pass
{WRONG}
"""
    result = marked(answer, VALUE, "double(0) + 10.0**6", "import os\nos._exit(0)", together=True)
    assert not witness.exists() and result.sandbox.endswith(NOT_APART)
    assert all(mark.score in (None, 0, 1) for mark in result.marks) and result.marks[0].score == 0


def test_a_notebook_marks_none_but_itself() -> None:
    """Of an assignment's notebooks, one that claims another's cells gets nothing for them."""

    def source(answer: str, claims: str) -> bytes:
        cells = [("q", answer, {"solution": True}), (claims, "assert double(2) == 4", {"grade": True, "points": 1})]
        made = [
            {"cell_type": "code", "source": text, "outputs": [], "metadata": {"nbgrader": {"grade_id": name, **about}}}
            for name, text, about in cells
        ]
        return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}).encode()

    right, wrong = "def double(x): return 2 * x", "def double(x): return 3 * x"
    parts = [
        replace(Assignment.from_notebook(source(right, "t"), "both"), notebook=name, of_several=True)
        for name in ("one", "two")
    ]
    assignment = whole("both", parts)
    handed = bundled({"one": source(right, "two/t"), "two": source(wrong, "t"), "../three": source(right, "t")})
    result = grade(handed, assignment, b"secret", LIMITS)
    assert {mark.grade_id: mark.score for mark in result.marks} == {"one/t": 1, "two/t": 0}


def test_student_code_can_neither_change_nor_ask_a_mock_how_it_judges() -> None:
    source = "def greet(person):\n    person.name = 'Ann'\n    return person.call('x')\n"
    test = (
        "from unittest.mock import Mock\nm = Mock()\nm.call.return_value = 3\nassert greet(m) == 3\n"
        "m.call.assert_called_once_with('x')"
    )
    assert marked(source, test, source=source).score == 1
    for does in (
        "person.call('y')\n    person.call.assert_called_once_with = lambda *a: None",
        "person.call('y')\n    person.call.call_args_list.clear()",
        "person.call('y')\n    person.call.reset_mock(); person.call('x')",
        "person.call.mock_add_spec(['x'])",
        "person.call('y'); person.call.called = True; person.call.call_count = 1",
    ):
        wrong = source.replace("return person.call('x')", f"{does}\n    return 3")
        assert marked(wrong, test, source=source).score == 0, does


@pytest.mark.parametrize("asks", ["__class__", "__dict__", "_secret", "area.__globals__", "area.__self__"])
def test_student_code_reads_nothing_private_of_a_tests_object(asks: str) -> None:
    source = "def area(shape): return shape.area()\n"
    test = "class Sq:\n    _secret = 'x'\n    def area(self): return 41 + 1\nassert area(Sq()) == 42"
    assert marked(source, test, source=source).score == 1
    spy = f"def area(shape):\n    found = shape.{asks}\n    return 42 if 'Sq' in repr(found) or found == 'x' else 0\n"
    assert marked(spy, test, source=source).score == 0


def test_student_code_replaces_no_method_of_a_tests_object() -> None:
    source = "def grow(shape):\n    shape.side += 1\n"
    test = "class Sq:\n    def __init__(self): self.side = 1\n    def area(self): return self.side ** 2\n"
    test += "s = Sq()\ngrow(s)\nassert s.area() == 4"
    assert marked(source, test, source=source).score == 1
    assert marked("def grow(shape): shape.area = lambda: 4\n", test, source=source).score == 0


def test_a_stream_of_a_tests_takes_no_more_than_text() -> None:
    source = "def report(out): print('1', file=out)\n"
    test = "import io\ns = io.StringIO()\nreport(s)\nassert s.getvalue() == '1\\n'"
    assert marked(source, test, source=source).score == 1
    for does in ("out.close()", "out.write('2')"):
        assert marked(f"def report(out): {does}\n", test, source=source).score == 0


def test_warnings_that_were_not_given_are_not_heard() -> None:
    source = "import warnings\ndef old(): warnings.warn('old', DeprecationWarning)\n"
    test = "with warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\n    old()\n"
    test += "assert len(w) == 1 and w[0].category is DeprecationWarning"
    assert marked(source, test, source=source).score == 1
    assert marked("import warnings\ndef old(): pass\n", test, source=source).score == 0
    assert marked("import warnings\ndef old(): warnings.warn('old')\n", test, source=source).score == 0


def test_what_is_patched_for_a_test_is_as_it_was_afterwards() -> None:
    source = "import random\ndef roll(): return random.randint(1, 6)\n"
    tests = (
        "import unittest.mock as mock\nwith mock.patch('random.randint', return_value=77): assert roll() == 77",
        "assert roll() < 7",
    )
    assert [mark.score for mark in marked(source, *tests, source=source).marks] == [1, 1]
    kept = "import random\nkept = random.randint\ndef roll(): return kept(1, 6)\n"
    assert [mark.score for mark in marked(kept, *tests, source=source).marks] == [0, 1]
