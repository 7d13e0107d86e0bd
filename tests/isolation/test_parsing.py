"""Threads that parse at the same time fail on some versions of CPython: here they take turns, whoever parses."""

from __future__ import annotations

import ast
import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from examiner.grading.source import top_level_names

SOURCE = "\n".join(f"def f{i}(x):\n    return [x + {i}, (x, x * x), dict(a=x)]" for i in range(60))
TEXT = repr([(number, "text", {number: [number]}) for number in range(400)])


@pytest.fixture
def busy_collector() -> Iterator[None]:
    """Threads change in the middle of parsing when the garbage collector runs somebody's Python code."""
    often, others = gc.get_threshold(), gc.callbacks[:]
    gc.set_threshold(50)
    gc.callbacks.append(lambda *_: time.sleep(0))
    yield
    gc.callbacks[:] = others
    gc.set_threshold(*often)


def test_400_parses_in_threads_all_succeed(busy_collector: None) -> None:
    def parses(number: int) -> int:
        return len(top_level_names(SOURCE)) if number % 4 else len(ast.literal_eval(TEXT))

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(parses, range(400))) == {60, 400}
