"""A call across the processes is a call: what ordinary test code can tell of it."""

from __future__ import annotations

import pytest

from examined import message, passes


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


def test_a_function_handed_in_is_lent_for_the_call_alone_where_tests_deal_in_numbers() -> None:
    said = message(
        "kept = []\ndef q(f):\n    kept.append(f)\n    return kept[0]()",
        "import workshop.gradcheck\nassert q(lambda: 1) == 1\nq(lambda: 2)",
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


SIZES = """
def nested():
    x = 1.0
    for _ in range(40): x = [x, x]
    return x
"""


@pytest.mark.parametrize(
    "argument",
    [
        "['x'] * 3 * 10**5", "['x' * 100] * 10**5", "'x' * 10**6", "b'x'", "object()", "np.zeros(2, 'M8[s]')",
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
