"""What tests of Python courses do with decorators, objects, files and tables, across the two processes."""

from __future__ import annotations

import importlib.util

import pytest

from examined import examine, passes


def test_a_decorated_function_may_be_called_until_the_test_is_over() -> None:
    passes(
        """
        def memo(f):
            known = {}
            def inner(x):
                if x not in known: known[x] = f(x)
                return known[x]
            return inner
        def compose(*fs):
            def all_of_them(x):
                for f in fs: x = f(x)
                return x
            return all_of_them
        """,
        """
        calls = []
        @memo
        def slow(x):
            calls.append(x)
            return 2 * x
        assert slow(2) == 4 and slow(2) == 4 and calls == [2]
        assert compose(lambda x: x + 1, str, len)(99) == 3
        """,
    )


def test_what_one_test_has_lent_is_gone_for_the_next() -> None:
    result = examine(
        "kept = []\ndef q(f=None):\n    kept.append(f) if f else None\n    return kept[0](3)",
        "import math\nassert q(math.sqrt) > 1",
        "assert q() > 1",
    )
    assert [mark.score for mark in result.marks] == [1, 0]


def test_numbers_of_thousands_of_digits_and_deep_lists_come_over() -> None:
    passes(
        "import math\ndef factorial(n): return math.factorial(n)\n"
        "def nest(n): return [] if n == 0 else [nest(n - 1)]\nnothing = None",
        """
        import math
        assert factorial(1000) == math.factorial(1000)
        got, depth = nest(150), 0
        while got: got, depth = got[0], depth + 1
        assert depth == 150 and nothing is None
        """,
    )


def test_a_change_in_place_is_told_where_only_the_kind_of_a_number_changes() -> None:
    passes(
        "table = [[1]]\ndef kind(): return type(table[0][0]).__name__",
        """
        assert kind() == 'int'
        table[0][0] = True
        assert kind() == 'bool'
        table[0][0] = 1.0
        assert kind() == 'float'
        """,
    )


def test_named_tuples_are_made_anew_with_another_field_and_with_defaults() -> None:
    passes(
        "from typing import NamedTuple\nclass Card(NamedTuple):\n    suit: str\n    rank: int = 3\n"
        "import functools\n@functools.lru_cache\ndef double(x): return 2 * x",
        """
        assert Card("S").rank == 3 and Card("S")._replace(rank=5) == Card("S", 5) == Card._make(["S", 5])
        assert double(2) == double(2) == 4 and double.cache_info().hits == 1
        """,
    )


def test_what_a_test_does_to_a_list_of_an_object_is_done_to_the_objects() -> None:
    passes(
        """
        class Cart:
            def __init__(self): self.items, self.notes = [], {}
            def total(self): return sum(self.items)
        words = ["a", "bb"]
        def longest(): return max(words, key=len)
        """,
        """
        cart = Cart()
        cart.items.append(2); cart.items.append(3); cart.notes["k"] = 1
        assert cart.total() == 5 and cart.items == [2, 3] and cart.notes == {"k": 1} and Cart().items == []
        assert longest() == "bb"
        words.append("ccc")
        assert longest() == "ccc"
        """,
    )


def test_a_context_manager_is_told_of_the_error_in_its_block_but_not_of_a_checks_words() -> None:
    passes(
        """
        import contextlib
        told = []
        class Quiet:
            def __enter__(self): return self
            def __exit__(self, kind, error, trace):
                told.append((kind.__name__, str(error)) if kind else None)
                return kind is ValueError
        @contextlib.contextmanager
        def upper(name): yield name.upper()
        def heard(): return told
        """,
        """
        with Quiet(): raise ValueError("mine")
        try:
            with Quiet(): assert 1 == 2, "the answer is 42"
        except AssertionError: pass
        with upper("f") as name: assert name == "F"
        assert heard() == [("ValueError", "mine"), ("AssertionError", "")]
        """,
    )


def test_matches_cursors_files_and_dicts_with_an_order_are_what_they_are() -> None:
    passes(
        """
        import collections, copy, re, sqlite3
        db = sqlite3.connect(":memory:")
        def rows(): return db.execute("select 1 union select 2")
        def first(text): return re.search(r"(?P<user>\\w+)@", text)
        order = collections.OrderedDict(a=1, b=2)
        counts = collections.defaultdict(int, x=3)
        class Box:
            def __init__(self, n): self.n = n
        """,
        """
        import collections, copy
        assert rows().fetchall() == [(1,), (2,)] and list(rows()) == [(1,), (2,)]
        assert first("ann@x").group(0) == "ann@" and first("ann@x")["user"] == "ann" and first("") is None
        assert isinstance(order, collections.OrderedDict) and counts["y"] == 0 and counts["x"] == 3
        box = Box([1]); other = copy.deepcopy(box); other.n = 5
        assert box.n == [1] and other.n == 5
        """,
    )


def test_folders_paths_and_removed_files_are_the_students_too() -> None:
    passes(
        """
        import os
        def read(path):
            with open(path) as file: return file.read()
        def names(folder): return sorted(os.listdir(folder))
        """,
        """
        import os, tempfile
        from pathlib import Path
        Path("tree/sub").mkdir(parents=True)
        Path("tree/a.txt").write_text("A")
        assert names("tree") == ["a.txt", "sub"] and read(Path("tree") / "a.txt") == "A"
        os.remove("tree/a.txt")
        try: read("tree/a.txt")
        except FileNotFoundError: pass
        else: raise AssertionError
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "b.txt").write_text("B")
            assert read(os.path.join(folder, "b.txt")) == "B"
        """,
    )


def test_print_is_replaced_for_the_student_too() -> None:
    passes(
        "def hello(name): print('Hello', name)",
        """
        from unittest.mock import patch
        with patch("builtins.print") as shown: hello("Ann")
        shown.assert_called_once_with("Hello", "Ann")
        """,
    )


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed")
def test_a_data_frame_changed_in_place_is_changed() -> None:
    passes(
        "import pandas as pd\ndef rank(frame):\n    frame.dropna(inplace=True)\n    frame['rank'] = frame['x'].rank()",
        """
        import pandas as pd
        frame = pd.DataFrame({"x": [2.0, None, 1.0]})
        assert rank(frame) is None and list(frame.columns) == ["x", "rank"] and frame["rank"].tolist() == [2, 1]
        """,
    )


def test_lists_and_dicts_of_the_notebooks_own_classes_keep_their_methods() -> None:
    passes(
        """
        class Stack(list):
            def push(self, x): self.append(x)
            def peek(self): return self[-1]
        class Zeros(dict):
            def __missing__(self, key): return 0
        """,
        """
        s, d = Stack(), Zeros(a=1)
        s.push(1); s.push(2)
        assert s.peek() == 2 and len(s) == 2 and s == [1, 2] and s != [1] and [1, 2] == s == Stack([1, 2])
        assert isinstance(s, list) and s + [3] == [1, 2, 3] and s.pop() == 2 and 1 in s and s
        d["q"] += 5
        assert d["zz"] == 0 and d == {"a": 1, "q": 5} and sorted(d) == ["a", "q"] and not Zeros()
        """,
    )


def test_what_goes_to_the_other_stream_is_heard_apart() -> None:
    passes(
        "import sys\ndef warn():\n    print('on')\n    print('careful', file=sys.stderr)",
        """
        import io
        from contextlib import redirect_stderr, redirect_stdout
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err): warn()
        assert (out.getvalue(), err.getvalue()) == ("on\\n", "careful\\n")
        """,
    )


def test_a_test_may_await_as_in_a_notebook() -> None:
    assert examine("async def double(x): return 2 * x", "assert await double(2) == 4").marks[0].score == 1
    assert examine("async def double(x): return 3 * x", "assert await double(2) == 4").marks[0].score == 0
