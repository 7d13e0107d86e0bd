"""A call across the processes is a call: what ordinary test code can tell of it, and what a submission gets."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from attacks.stage import ASSIGNMENT, HONEST, KEY, handed_in
from examiner.grading.assignment import Assignment, Limits, question_of, released
from examiner.grading.grade import grade
from examiner.grading.placing import place
from examiner.grading.result import Result
from examiner.grading.submission import Unreadable, read_submission

QUICK = Limits(cell_seconds=2, call_seconds=1, test_seconds=3, total_seconds=30)


def examine(answer: str, test: str, *more: str, limits: Limits = QUICK) -> Result:
    """The result of a notebook with one answer and these test cells, 1 mark each."""
    about = {"grade": False, "solution": True, "locked": False, "grade_id": "q", "schema_version": 3}
    cells = [{"cell_type": "code", "metadata": {"nbgrader": about}, "source": textwrap.dedent(answer)}]
    for number, source in enumerate([test, *more]):
        about = {"grade": True, "solution": False, "locked": True, "grade_id": f"test_q_{number}", "points": 1}
        cells.append({"cell_type": "code", "metadata": {"nbgrader": about}, "source": textwrap.dedent(source)})
    notebook = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()
    return grade(notebook, Assignment.from_notebook(notebook, "one"), KEY, limits)


def passes(answer: str, *tests: str) -> None:
    result = examine(answer, *tests)
    assert [mark.message for mark in result.marks] == [""] * len(tests), result.marks
    assert result.score == len(tests)


def message(answer: str, test: str) -> str:
    result = examine(answer, test)
    assert result.score == 0
    return result.marks[0].message


# What a call is


def test_an_argument_changed_in_place_is_changed() -> None:
    passes(
        "def q(a, l, d, s): a *= 2; a.shape = (2, 2); l.append([1]); d['k'] = a; del d['x']; s.add(3)",
        """
        import numpy as np
        a, inner = np.arange(4.0), []
        l, d, s = [inner, inner], {"x": 1}, {1}
        assert q(a, l, d, s) is None
        assert a.tolist() == [[0, 2], [4, 6]] and l == [[], [], [1]] and l[0] is inner is l[1]
        assert list(d) == ["k"] and d["k"] is a and s == {1, 3}
        """,
    )


def test_a_returned_argument_is_the_argument() -> None:
    passes(
        "def q(a, b): return [b, a, a]",
        "import numpy as np\na, b = np.ones(2), {}\ngot = q(a, b)\nassert got[1] is a and got[2] is a and got[0] is b",
    )


def test_changes_made_before_an_error_arrive() -> None:
    passes(
        "def q(a):\n    a[0] = 7\n    raise ValueError('no')",
        """
        import numpy as np
        a = np.zeros(2)
        try: q(a)
        except ValueError as error: assert str(error) == "no"
        assert a[0] == 7
        """,
    )


def test_a_read_only_array_stays_read_only() -> None:
    passes(
        "def q(a): a[0] = 1",
        """
        import numpy as np
        a = np.zeros(2); a.flags.writeable = False
        try: q(a)
        except ValueError: pass
        else: raise AssertionError("written")
        """,
    )


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_a_random_generator_goes_on_where_the_answer_left_it(kind: str) -> None:
    passes(
        "def q(rng): return rng.permutation(5), rng.random()",
        f"""
        import numpy as np
        make = lambda: np.random.Generator(np.random.{kind}(3))
        mine, theirs = make(), make()
        order, number = q(theirs)
        assert order.tolist() == mine.permutation(5).tolist() and number == mine.random()
        assert theirs.random() == mine.random()
        """,
    )


@pytest.mark.parametrize("seed", ["3", "[2**100, 7]", "np.random.SeedSequence(5).spawn(2)[1]"])
def test_a_random_generator_has_its_own_children(seed: str) -> None:
    passes(
        "def q(rng): return [child.random() for child in rng.spawn(2)], rng.random()",
        f"""
        import numpy as np
        make = lambda: np.random.default_rng({seed})
        mine, theirs = make(), make()
        for _ in range(2):
            children, number = q(theirs)
            assert children == [child.random() for child in mine.spawn(2)] and number == mine.random()
        assert theirs.spawn(1)[0].random() == mine.spawn(1)[0].random()
        """,
    )


def test_kinds_survive_the_way_there_and_back() -> None:
    passes(
        "def q(x): return x",
        """
        import numpy as np
        for x in (None, True, 3, -(2**70), 1.5, 2j, "é", b"b", (1, [2]), [1, 2.0], {"a": {1: ()}}, {1, 2},
                  frozenset([1]), range(3), slice(1, None), ..., np.float32(1.5), np.int8(3), np.bool_(True),
                  np.array(2.0)):
            got = q(x)
            assert type(got) is type(x) and got == x, (x, got)
        for dtype in ("f2", "f4", "f8", "c8", "c16", "i1", "u2", "i8", "?", "U3", "O"):
            x = np.array([[0, 1], [1, 0]]).astype(dtype)
            got = q(x)
            assert got.dtype == x.dtype and got.shape == (2, 2) and (got == x).all()
        """,
    )


def test_odd_kinds_become_plain_ones() -> None:
    passes(
        """
        from collections import OrderedDict, namedtuple, deque
        from fractions import Fraction
        import numpy as np
        class Mine(float): __eq__ = lambda self, other: True
        class Array(np.ndarray): __eq__ = lambda self, other: True
        def q(): return [namedtuple("P", "a")(1), OrderedDict(a=1), deque([1]), Fraction(1, 2), Mine(2),
                         {"a": 1}.keys(), np.ones(2).view(Array), np.ma.array([1.0]), np.matrix([[1]]), object()]
        """,
        """
        import numpy as np
        got = q()
        kinds = ["tuple", "dict", "list", "float", "float", "list", "ndarray", "ndarray", "ndarray", "Opaque"]
        from workshop import gradcheck
        assert [type(x).__name__ for x in got] == kinds
        assert got[4] != 3
        """,
    )


def test_functions_handed_in_are_called_back() -> None:
    passes(
        "def q(f, n): return [f(i, twice=2 * i) for i in range(n)]",
        """
        seen = []
        def f(i, twice): seen.append(i); return lambda: twice
        got = q(f, 2000)
        assert seen == list(range(2000)) and got[3]() == 6
        """,
    )


def test_an_answer_may_be_handed_to_an_answer() -> None:
    passes(
        "def q(f, x): return f(f(x))\ndef r(x): return x + 1",
        "assert q(r, 1) == 3 and q(lambda x: q(r, x), 1) == 5 and q(abs, -2) == 2",
    )


def test_an_error_in_a_function_handed_in_arrives_as_it_was_raised() -> None:
    passes(
        """
        def q(f):
            try: return f()
            finally: pass
        def quiet(f):
            try: f()
            except KeyError: return "caught"
        """,
        """
        class Mine(KeyError): pass
        error = Mine("x")
        def f(): raise error
        try: q(f)
        except Mine as got: assert got is error
        else: raise AssertionError
        assert quiet(f) == "caught"
        """,
    )


def test_a_function_handed_in_is_lent_for_the_call_alone() -> None:
    said = message(
        "kept = []\ndef q(f):\n    kept.append(f)\n    return kept[0]()",
        "assert q(lambda: 1) == 1\nq(lambda: 2)",
    )
    assert "lent for one call" in said


def test_callable_objects_lambdas_partials_and_closures_are_functions() -> None:
    passes(
        """
        import functools
        class Adder:
            def __init__(self, n): self.n = n
            def __call__(self, x): return x + self.n
        one, two = Adder(1), functools.partial(lambda a, b: a + b, 2)
        def make(n): return lambda x: x + n
        """,
        "assert one(1) == 2 and two(1) == 3 and make(3)(1) == 4 and Adder(4)(1) == 5",
    )


def test_generators_come_as_iterators_and_their_errors_where_they_happen() -> None:
    passes(
        """
        def q(n):
            batch = []
            for i in range(n):
                batch.append(i)
                yield batch
            raise ValueError("end")
        def r(batches): return [list(b) for b in batches]
        """,
        """
        got = q(2)
        assert next(got) == [0] and next(got) == [0, 1] and iter(got) is got
        try: next(got)
        except ValueError as error: assert str(error) == "end"
        assert r(iter([[1], (2,)])) == [[1], [2]] and r(x for x in [[3]]) == [[3]]
        """,
    )


def test_a_random_generator_moves_on_in_a_lazy_answer() -> None:
    passes(
        "def q(n, rng):\n    for i in rng.permutation(n): yield i",
        """
        import numpy as np
        rng = np.random.default_rng(1)
        before = rng.bit_generator.state
        assert sorted(q(5, rng)) == list(range(5)) and rng.bit_generator.state != before
        """,
    )


def test_given_names_stand_in_for_one_call_and_are_gone_after() -> None:
    passes(
        "def sigmoid(x): return 'own'\ndef q(x): return sigmoid(x), 'absent' in globals()",
        """
        with_names = lambda names: type(q).__call_with__(q, names, (1,), {})
        assert with_names({"sigmoid": lambda x: x + 1, "absent": 1}) == (2, True)
        assert q(1) == ("own", False)
        """,
    )


def test_what_is_lent_stays_when_it_calls_back() -> None:
    passes(
        "def walk(f, x): return 'own'\ndef q(x): return [walk(lambda y: y + 1, x), walk(lambda y: y - 1, x)]",
        """
        assert type(q).__call_with__(q, {"walk": lambda f, x: f(f(x))}, (3,), {}) == [5, 1]
        """,
    )


def test_variables_come_by_value_as_of_their_place() -> None:
    passes(
        "params = {'V': [[1.0]]}\nparams['V'].append([2.0])",
        "assert params == {'V': [[1.0], [2.0]]}\nparams['V'] = 0",
        "assert params['V'] == [[1.0], [2.0]]",
    )


def test_errors_keep_their_kind_and_show_the_students_line() -> None:
    said = message("def q(x):\n    y = x\n    return y['k'] + undefined", "q({'k': 1})")
    assert "NameError" in said and "line 3: return y['k'] + undefined" in said
    said = message("\n  \ndef q(x):\n    return undefined", "q({'k': 1})")
    assert "line 4: return undefined" in said
    said = message("def q(f):\n    return f(1, 2)", "q(lambda x: x)")
    assert "TypeError" in said and "line 2: return f(1, 2)" in said
    passes(
        "def q(): raise NotImplementedError('task')\nclass E(ZeroDivisionError): pass\ndef r(): raise E('x')",
        """
        for f, kind in ((q, NotImplementedError), (r, ZeroDivisionError)):
            try: f()
            except kind: continue
            raise AssertionError
    """,
    )


def test_a_missing_name_is_said_plainly() -> None:
    assert "no `absent`" in message("def q(): pass", "absent(1)")


def test_warnings_prints_and_figures_cost_nothing() -> None:
    passes(
        """
        %matplotlib inline
        import sys, warnings, matplotlib.pyplot as plt, numpy as np
        !ls
        %time x = 1
        plt.plot([1]); plt.show()
        def q(x):
            print("out"); print("err", file=sys.stderr); warnings.warn("careful")
            plt.figure(); plt.plot([1, 2])
            return np.exp(np.array([1000.0])) * 0 + np.float64(x)
        """,
        "import numpy as np\nassert np.isnan(q(1)).all()",
    )


def test_warnings_that_a_cell_made_errors_cost_nothing() -> None:
    passes(
        """
        import warnings, numpy as np
        warnings.simplefilter("error"); np.seterr(all="raise")
        def q(x):
            warnings.warn("careful")
            return 1 / np.exp(x)
        """,
        "import numpy as np\nassert q(np.array([1000.0])) == 0",
    )


def test_a_sequence_without_an_iterator_is_one() -> None:
    passes(
        """
        class Batches:
            def __len__(self): return 2
            def __getitem__(self, i):
                if i > 1: raise IndexError
                return [i, i + 1]
        def q(): return Batches()
        """,
        "assert [list(batch) for batch in q()] == [[0, 1], [1, 2]]",
    )


def test_a_cell_is_not_told_the_names_of_the_tutors_folders() -> None:
    passes("import sys\nv = len(sys.argv), len(sys.orig_argv)\nq = lambda: v", "assert q() == (1, 1)")


def test_cells_may_await_and_use_magics() -> None:
    passes(
        "%%capture out\nimport asyncio\nprint('x')",
        "out",
    )
    passes(
        "import asyncio\nv = await asyncio.sleep(0, 4)\nfrom workshop import points\nq = lambda: v", "assert q() == 4"
    )


def test_randomness_is_the_same_each_time() -> None:
    answer = """
        import random, numpy as np
        v = [random.random(), np.random.rand(), np.random.default_rng().random(), hash("word"), list({"x", "y", "z"})]
        print(v)
    """
    runs = {examine(answer, "assert True").cells[0].outputs for _ in range(2)}
    assert len(runs) == 1 and runs.pop() != ()


@pytest.mark.parametrize(
    "drawn",
    [
        "os.urandom(8)", "random.SystemRandom().random()", "secrets.token_hex()", "uuid.uuid4()",
        "random.Random().random()", "(random.seed(), random.random())",
        "np.random.RandomState().rand()", "(np.random.seed(), np.random.rand())",
    ],
)  # fmt: skip
def test_what_is_drawn_without_a_seed_is_the_same_each_time_and_not_all_one(drawn: str) -> None:
    answer = f"import os, random, secrets, uuid\nimport numpy as np\nprint([str({drawn}) for _ in range(2)])"
    runs = [examine(answer, "assert True").cells[0].outputs for _ in range(2)]
    one, other = ast.literal_eval(runs[0][0][1])
    assert runs[0] == runs[1] and one != other


def test_a_submission_cannot_tell_which_core_or_how_many_there_are() -> None:
    answer = """
        import concurrent.futures, os
        with concurrent.futures.ThreadPoolExecutor() as pool: list(pool.map(abs, range(9)))
        print(os.sched_getaffinity(0), os.cpu_count())
    """
    assert examine(answer, "assert True").cells[0].outputs == (("stdout", "{0} 1\n"),)


# What a submission gets


def test_a_right_submission_gets_full_marks_and_a_blank_one_none() -> None:
    assert grade(HONEST, ASSIGNMENT, KEY).score == 7
    given = json.dumps(handed_in("def double(x):\n    raise NotImplementedError", "raise NotImplementedError()"))
    result = grade(given.encode(), ASSIGNMENT, KEY)
    assert result.score == 0 and all(mark.message for mark in result.marks)


def test_the_same_submission_gets_the_same_result() -> None:
    one, two = (grade(HONEST, ASSIGNMENT, KEY) for _ in range(2))
    assert one.seed == two.seed and [m.score for m in one.marks] == [m.score for m in two.marks]
    assert one.seed != ASSIGNMENT.seed(HONEST + b" ", KEY) and one.seed != ASSIGNMENT.seed(HONEST, b"other")
    assert Result.from_json(one.to_json()) == one


def test_a_cell_that_fails_costs_no_other_cell() -> None:
    notebook = handed_in("def double(x):\n    return 2 * x\n1 / 0", first="import nothing_like_this")
    assert grade(json.dumps(notebook).encode(), ASSIGNMENT, KEY).score == 7


def test_a_cell_that_is_no_python_is_told_why_though_tests_came_before() -> None:
    notebook = json.dumps(handed_in("def double(x):\n    return 2 * x", "def shift(x, by:\n    return x + by"))
    mark = grade(notebook.encode(), ASSIGNMENT, KEY).marks[-1]
    assert "SyntaxError: '(' was never closed" in mark.message or "SyntaxError: invalid syntax" in mark.message


def test_an_answer_that_ends_the_process_costs_its_own_marks() -> None:
    result = examine(
        "import os\ndef good(x): return x\ndef bad(x): os._exit(1)",
        "assert good(1) == 1",
        "bad(1)",
        "assert good(2) == 2",
    )
    assert [mark.score for mark in result.marks] == [1, 0, 1], result


def test_definitions_in_a_cell_that_ends_the_process_are_kept() -> None:
    result = examine("import os\nn = 3\ndef q(x): return x + n\nos._exit(1)", "assert q(1) == 4")
    assert result.score == 1 and "ended the whole process" in result.notes[0]


def test_each_test_sees_the_state_of_its_place() -> None:
    cells = handed_in("def double(x):\n    return 2 * x")
    cells["cells"].append(
        {"cell_type": "code", "metadata": {}, "source": "double = shift = None", "outputs": [], "execution_count": None}
    )
    assert grade(json.dumps(cells).encode(), ASSIGNMENT, KEY).score == 7


def cell(grade_id: str, source: str, **about: object) -> dict[str, object]:
    nbgrader = {"grade_id": grade_id, "grade": False, "solution": False, "locked": True, **about}
    return {"cell_type": "code", "metadata": {"nbgrader": nbgrader}, "source": textwrap.dedent(source)}


def its_test(name: str, lent: str = "", derivative_of: str = "") -> dict[str, object]:
    lines = [
        "from examiner.grading.marking import Marker",
        "from workshop.gradcheck import check, compare",
        f"Marker(dict({lent}), {{}}).mark({name!r}, [{derivative_of}])",
    ]
    test = "\n".join([*lines, f"check(lambda {name}: compare('it', {name}(3), 21), {name})"])
    return cell(f"test_{name}", test, grade=True, points=1)


SOUND, WRONG, USES = "def first(x): return 7 * x\n", "def first(x): return 8 * x\n", "def second(x): return first(x)\n"


def two(first: str, second: str, derivative_of: str = "") -> Result:
    """The result of two answers, each of which makes 21 of 3; the second one's test lends a right first one."""

    def notebook(first: str, second: str) -> bytes:
        answers = cell("first", first, solution=True), cell("second", second, solution=True)
        cells = [answers[0], its_test("first"), answers[1], its_test("second", "first=lambda x: 7 * x", derivative_of)]
        return json.dumps({"cells": cells}).encode()

    return grade(notebook(first, second), Assignment.from_notebook(notebook(SOUND, USES), "two"), KEY, QUICK)


def test_right_answers_lent_to_a_later_test_teach_no_earlier_question() -> None:
    notebook = [cell("first", SOUND, solution=True), its_test("first")]
    notebook += [cell("second", USES, solution=True), its_test("second", "first=lambda x: 7 * x")]
    assignment = Assignment.from_notebook(json.dumps({"cells": notebook}).encode(), "a")
    listens = {**notebook[2], "source": "told = {}\ndef second(x):\n    told[x] = first(x)\n    return told[x]"}
    repeats = {**notebook[0], "source": "def first(x): return told.get(x, 0)"}
    turned = json.dumps({"cells": [listens, notebook[3], repeats, notebook[1]]}).encode()
    assert {mark.grade_id: mark.score for mark in grade(turned, assignment, KEY, QUICK).marks} == {
        "test_first": 0,
        "test_second": 1,
    }


@pytest.mark.parametrize(
    ("first", "second", "scores"),
    [
        (SOUND, USES, [1, 1]),
        (WRONG, USES, [0, 1]),
        (SOUND, WRONG + USES, [1, 0]),
        (WRONG, SOUND + USES, [0, 1]),
        (WRONG, WRONG + USES, [0, 0]),
        (WRONG + USES, "", [0, 1]),
        (WRONG, "def second(x): return first(x) - x", [0, 0]),
    ],
    ids=["right", "earlier wrong", "anew and wrong", "anew and right", "wrong twice", "in one cell", "follows"],
)
def test_a_right_earlier_answer_stands_in_unless_the_cell_writes_it_anew(
    first: str, second: str, scores: list[int]
) -> None:
    assert [mark.score for mark in two(first, second).marks] == scores


@pytest.mark.parametrize(
    "second",
    [
        "other = first\ndef second(x): return other(x)",
        "def second(x, f=first): return f(x)",
        "def make(f):\n    return lambda x: f(x)\nsecond = make(first)",
        "from functools import partial\nsecond = partial(lambda f, x: f(x), first)",
        "class Kept:\n    f = staticmethod(first)\n    def go(self, x): return self.f(x)\nsecond = Kept().go",
        "clone = type(first)(first.__code__, dict(globals()))\ndef second(x): return clone(x)",
    ],
    ids=["another name", "default", "closure", "partial", "class", "clone"],
)
def test_a_right_earlier_answer_stands_in_wherever_the_own_one_is_kept(second: str) -> None:
    result = two(WRONG, second)
    assert [mark.score for mark in result.marks] == [0, 1] and not result.needs_eye


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (WRONG, "kept = {first}\ndef second(x): return next(iter(kept))(x)"),
        ("def helper(x): return 8 * x\ndef first(x): return helper(x)", "def second(x): return helper(x)"),
    ],
    ids=["in a set", "by a helper of its cell"],
)
def test_an_answer_that_a_right_earlier_one_does_not_reach_is_for_a_person(first: str, second: str) -> None:
    result = two(first, second)
    assert [mark.score for mark in result.marks] == [0, 0]
    assert [why.split(":")[0] for why in result.needs_eye] == ["test_second"] and "cell of first" in result.needs_eye[0]
    assert not two(SOUND, second.replace("helper", "first") + " + 1").needs_eye


def test_a_value_may_depend_on_everything_before_it_and_is_for_nobody_to_look_at() -> None:
    answers = cell("first", WRONG, solution=True), cell("second", "second = first(3)", solution=True)
    cells = [answers[0], its_test("first"), answers[1]]
    cells.append(cell("test_second", "assert second == 21, 'it is not 21'", grade=True, points=1))
    notebook = json.dumps({"cells": cells}).encode()
    result = grade(notebook, Assignment.from_notebook(notebook, "a"), KEY, QUICK)
    assert [mark.score for mark in result.marks] == [0, 0] and not result.needs_eye
    assert result.marks[1].message.startswith("It follows from first, which came out wrong above")


def test_an_answer_that_calls_what_it_is_the_derivative_of_is_for_a_person_and_keeps_its_mark() -> None:
    result = two(SOUND, USES, "'first'")
    assert [mark.score for mark in result.marks] == [1, 1]
    assert len(result.needs_eye) == 1 and "test_second: the answer calls first" in result.needs_eye[0]
    assert not two(SOUND, "def second(x): return 7 * x", "'first'").needs_eye


@pytest.mark.parametrize("broken", ["def first(x) return 7 * x", "", "def frist(x): return 7 * x", "1 / 0"])
@pytest.mark.parametrize(
    "uses",
    [
        "def second(x, link=first): return link(x)",
        "kept = first\ndef second(x): return kept(x)",
        "import functools\nsecond = functools.partial(lambda f, x: f(x), first)",
        "HOW = {'it': first}\ndef second(x): return HOW['it'](x)",
        "assert first(1) == 7, 'my own check'\ndef second(x): return first(x)",
        "print(first(1))\n\ndef second(x): return first(x)",
    ],
)
def test_an_earlier_answer_that_is_not_there_costs_nothing_later(broken: str, uses: str) -> None:
    result = two(broken, uses)
    assert [mark.score for mark in result.marks] == [0, 1], result.marks
    assert result.marks[0].mistake in ("missing", "cell failed")


@pytest.mark.parametrize(
    "said",
    [
        "q.__signature__ = inspect.Signature([inspect.Parameter('n', inspect.Parameter.POSITIONAL_ONLY, default=5)])",
        "q.__wrapped__ = lambda n=5: n",
        "q = functools.partial(q)\nq.__signature__ = inspect.signature(lambda n=5: n)",
        "class Q:\n    def __call__(self, n=3): return n\nQ.__signature__ = inspect.signature(lambda n=5: n)\nq = Q()",
    ],
)
def test_a_default_is_what_the_code_takes_and_not_what_it_says(said: str) -> None:
    answer = f"import functools, inspect\ndef q(n=3): return n\n{said}"
    passes(
        answer,
        "from examiner.grading.marking import default\nfrom workshop import gradcheck\nassert default(q, 'n') == 3",
    )


def test_asyncio_runs_in_a_thread_as_often_as_it_is_called() -> None:
    answer = """
    import asyncio, threading
    async def twice(x): return 2 * x
    def q(x):
        box = []
        thread = threading.Thread(target=lambda: box.append(asyncio.run(twice(x))))
        thread.start(); thread.join()
        return box[0]
    """
    passes(answer, "assert [q(x) for x in range(20)] == [2 * x for x in range(20)]")


def test_a_test_finds_each_name_as_it_was_at_its_place() -> None:
    answers = cell("first", "n = 7\ndef first(x): return n * x", solution=True)
    later = cell("second", "n = 1\ndef second(x): return 21 * n", solution=True)
    notebook = json.dumps({"cells": [answers, its_test("first"), later, its_test("second")]}).encode()
    assert [m.score for m in grade(notebook, Assignment.from_notebook(notebook, "a"), KEY, QUICK).marks] == [1, 1]


@pytest.mark.parametrize(
    ("kept", "used", "later"),
    [
        ("kept = [7]", "kept[0] * x", "kept.insert(0, 1)"),
        ("kept = {'n': [7]}", "kept['n'][0] * x", "kept['n'].clear()"),
        ("import numpy as np\nkept = np.array(7)", "kept * x", "kept += 1"),
        ("import numpy as np\nkept = np.random.default_rng(1)\nn = kept.random()\nkept = np.random.default_rng(1)",
         "7 * x * (kept.random() == n)", "kept.random()"),
        ("class Kept: n = 7", "Kept.n * x", "Kept.n = 1"),
        ("class Kept: pass\nkept = Kept()\nkept.n = 7", "kept.n * x", "kept.n = 1"),
        ("def kept(n=[7]): return n[0]", "kept() * x", "kept.__defaults__[0][0] = 1"),
    ],
    ids=["list", "dict", "array", "generator", "class", "object", "default"],
)  # fmt: skip
def test_a_test_finds_what_its_names_hold_as_it_was_at_its_place(kept: str, used: str, later: str) -> None:
    answers = cell("first", f"{kept}\ndef first(x): return {used}", solution=True)
    second = cell("second", f"{later}\ndef second(x): return 7 * x", solution=True)
    notebook = json.dumps({"cells": [answers, its_test("first"), second, its_test("second")]}).encode()
    marks = grade(notebook, Assignment.from_notebook(notebook, "a"), KEY, QUICK).marks
    assert [mark.score for mark in marks] == [1, 1], marks


def test_a_value_is_of_the_first_process_whatever_ends_it() -> None:
    result = examine(
        "import os, time\nborn = time.monotonic_ns()\ndef q(): return born\ndef end(): os._exit(1)",
        "assert q() == born",
        "end()",
        "assert q() > born",
    )
    assert [mark.score for mark in result.marks] == [1, 0, 1], result


def test_cells_that_take_all_their_time_leave_the_tests_theirs() -> None:
    limits = Limits(cell_seconds=2, call_seconds=1, test_seconds=3, total_seconds=2)
    assert examine("import time\ndef q(): return 1\ntime.sleep(5)", "assert q() == 1", limits=limits).score == 1


# What the time is, and whose


WORKS = """
import time
def q(seconds):
    began = time.process_time()
    while time.process_time() - began < seconds: pass
"""
SLEEPS = "import time\ndef q(seconds): time.sleep(seconds)"


def test_changing_the_limits_changes_what_counts_as_endless() -> None:
    for slow in (WORKS, SLEEPS):
        assert examine(slow, "q(0.8)", limits=QUICK).score == 1
        assert examine(slow, "q(0.8)", limits=Limits(call_seconds=0.1)).score == 0


def test_a_slow_right_answer_beside_eight_busy_loops_gets_full_marks() -> None:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        result = examine(f"{WORKS}\nq(1)", "q(1.5)", "q(0.5)", limits=replace(QUICK, call_seconds=2))
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    assert result.score == 2 and not result.needs_eye and not result.notes


def test_computing_too_long_is_the_answers_own_fault_and_sleeping_too_long_is_looked_at() -> None:
    for slow, eyes in ((WORKS, 0), (SLEEPS, 1)):
        result = examine(f"{slow}\ndef r(): return 1", "q(99)", "assert r() == 1", limits=Limits(call_seconds=0.2))
        assert "time was up" in result.marks[0].message and result.score == 1
        assert len(result.needs_eye) == eyes


def test_what_fails_after_a_cell_that_slept_too_long_is_looked_at() -> None:
    result = examine(
        "import time\ndef q(): return 1\ntime.sleep(99)\nv = int(1)", "assert q() == 1", "v", limits=Limits(0.2)
    )
    assert [mark.score for mark in result.marks] == [1, 0] and result.notes
    assert [why.split(":")[0] for why in result.needs_eye] == ["test_q_1"]


def test_the_time_of_a_function_that_a_test_lends_is_not_the_answers() -> None:
    result = examine("def q(f): return f(1)", f"{WORKS.replace('q', 'f')}\nq(f)", limits=Limits(call_seconds=0.2))
    assert result.score == 1


def test_an_alarm_that_an_answer_does_not_heed_ends_its_process() -> None:
    deaf = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\ndef q():\n    while True: pass\n"
    result = examine(f"{deaf}def r(): return 1", "q()", "assert r() == 1", limits=Limits(call_seconds=0.2))
    assert "did not stop" in result.marks[0].message and result.score == 1


# The examiner's own process


def test_a_test_that_a_value_holds_up_costs_its_own_marks() -> None:
    """Where no signal reaches it: in the middle of one call of C."""
    limits = Limits(cell_seconds=0.5, test_seconds=0.5)
    answer = "def q(): return 10**13\ndef r(): return 1"
    result = examine(answer, "assert r() == 1", "assert sum(range(q()))", "assert r() == 1", limits=limits)
    assert [mark.score for mark in result.marks] == [1, 0, 1], result
    assert "too long to look at" in result.marks[1].message and len(result.needs_eye) == 1


def test_what_had_run_before_has_run_where_another_examiner_goes_on() -> None:
    answer = "import os\nv = 3\ndef q(): return 1\nos._exit(1)"
    result = examine(answer, "q()\nimport os; os.kill(os.getpid(), 9)", "assert q() == 1 and v == 3")
    assert [mark.score for mark in result.marks] == [0, 1] and "ended the whole process" in result.notes[0]
    assert [why.split(":")[0] for why in result.needs_eye] == ["test_q_0"]


def test_an_examiner_that_is_killed_once_costs_nobody_a_mark(tmp_path: Path) -> None:
    once = f"import os\nif not os.path.exists('{tmp_path}/once'): os.mkdir('{tmp_path}/once'); os.kill(os.getpid(), 9)"
    result = examine("def q(): return 1", "assert q() == 1", f"{once}\nassert q() == 1")
    assert result.score == 2 and not result.needs_eye


SIZES = """
def nested():
    x = 1.0
    for _ in range(40): x = [x, x]
    return x
"""


@pytest.mark.parametrize(
    "argument",
    [
        "['x'] * 10**6", "['x' * 100] * 10**5", "'x' * 10**6", "b'x'", "object()", "np.zeros(2, 'M8[s]')",
        "np.ones(2**20, 'f2')", "np.float16(1)", "np.array([None, 1.0])",
        "np.array(['x'] * 10**5)", "np.ones(2**18)", "np.ones(2**24)", "10**1000", "10**5000", "[2**64] * 10",
        "memoryview(bytes(10**7))", "range(10**9)", "[range(10**5)] * 10", "nested()", "[np.ones(10**4)] * 20",
        "[[] for _ in range(10**5)]", "{i: i for i in range(10**4)}", "{1}", "frozenset([1])", "slice(1)", "...",
    ],
)  # fmt: skip
def test_a_lent_function_is_not_called_with_what_no_problem_needs(argument: str) -> None:
    said = message(
        f"import numpy as np{SIZES}\ndef q(f): return f({argument})",
        "from workshop import gradcheck\nq(lambda x: len(str(x)))\nassert 0, 'called'",
    )
    assert "Your code raised TypeError" in said or "Your code raised ValueError" in said


@pytest.mark.parametrize(
    "argument",
    [
        "1", "True", "None", "-2.5", "np.float32(2)", "np.int64(3)", "[1, 2.0]", "(1, [2, (3,)])", "range(10**4)",
        "{'V': np.eye(3), 'b': 0.5}", "np.ones((200, 300))", "np.ones(3, 'f4')", "np.ones(3, 'i1')", "np.array([True])",
        "iter([[0, 1], [2]])", "1j", "np.ones(2, complex)",
        "np.random.default_rng(1)", "np.random.Generator(np.random.MT19937(1))", "abs",
    ],
)  # fmt: skip
def test_a_lent_function_takes_what_a_problem_needs(argument: str) -> None:
    passes(f"import numpy as np\ndef q(f): return f({argument}, key={argument})", "assert q(lambda x, key: 7) == 7")


# The restored notebook


def _placed(cells: list[dict[str, object]]) -> tuple[list[str], list[str]]:
    read, _ = read_submission(json.dumps({"cells": cells}).encode())
    placed, notes = place(read, ASSIGNMENT)
    return [p.cell.grade_id if p.cell and p.cell.grade_id else p.kind for p in placed], notes


ORDER = ["text", "setup", "double", "test_double", "test_double_hidden", "shift", "test_shift_right", "test_shift_left"]


def test_a_whole_submission_is_placed_as_it_is() -> None:
    assert _placed(handed_in("x = 1")["cells"]) == (ORDER, [])


@pytest.mark.parametrize("gone", ORDER[1:])
def test_a_missing_cell_comes_back_to_its_place(gone: str) -> None:
    cells = [c for c in handed_in("x = 1")["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") != gone]
    order, notes = _placed(cells)
    assert order == ORDER and any(gone in note for note in notes)


def test_without_metadata_cells_are_known_by_what_they_are() -> None:
    cells = [{**c, "metadata": {}} for c in handed_in("def helper(): pass\ndef double(x):\n    return 9")["cells"]]
    order, notes = _placed(cells)
    assert order == ORDER and any("known by its `double`" in note for note in notes)


def test_copies_of_a_test_go_and_copies_of_an_answer_stay() -> None:
    cells = [copy for c in handed_in("x = 1")["cells"] for copy in (c, c)]
    order, _ = _placed(cells)
    assert [name for name in order if name.startswith("test")] == [n for n in ORDER if n.startswith("test")]
    assert order.count("own") == 3 and order.index("test_double") > order.index("double")


def test_an_answer_in_a_locked_cell_runs() -> None:
    cells = handed_in("pass")["cells"]
    next(c for c in cells if c["id"] == "test-double")["source"] = "def double(x):\n    return 2 * x"
    submission = json.dumps({"cells": cells}).encode()
    assert grade(submission, ASSIGNMENT, KEY).score == 7


def test_questions_take_the_longest_name_that_fits() -> None:
    questions = ["gradient", "gradient_descent", "explain"]
    assert question_of("test_gradient_descent_stops", questions) == "gradient_descent"
    assert question_of("test_gradient_w", questions) == "gradient"
    assert question_of("test_gradientw", questions) == ""


def test_what_is_released_holds_no_answer_test_or_guide() -> None:
    source = (
        "a\n  ### BEGIN SOLUTION\n  answer\n  ### END SOLUTION\nb\n### BEGIN HIDDEN TESTS\nsecret\n### END HIDDEN TESTS"
    )
    lines = released(source).split("\n")
    assert (lines[0], lines[1], lines[-1]) == ("a", "  # YOUR CODE HERE", "b")
    assert not any(word in released(source) for word in ("answer", "secret", "###"))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"cells": 3}', b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_no_notebook_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_submission(data)
    result = grade(data, ASSIGNMENT, KEY)
    assert result.score == 0 and result.needs_eye and all("can't be read" in mark.message for mark in result.marks)


def test_many_tests_may_take_a_value_and_call_a_function() -> None:
    """A value comes each time from a process in which nothing was called; that is no fault of the student's."""
    passes("value = [1]\ndef q(x): return x", *["assert value == [1] and q(2) == 2"] * 35)


def test_a_value_is_not_what_a_test_made_of_it() -> None:
    answer = "value = []\ndef q(x): value.append(x)"
    result = examine(answer, "q(1)", "assert value == [1], 'nothing was added'")
    assert [mark.score for mark in result.marks] == [1, 0]
