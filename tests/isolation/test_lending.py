"""A right answer stands wherever the notebook keeps its own one, for as long as it is lent."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from examiner.isolation.lending import standing_in


def _squash(x: float) -> float:
    return -x


def test_a_right_answer_stands_wherever_the_earlier_one_is_kept_and_for_one_call_only() -> None:
    other_name = _squash

    def as_default(x: float, squash: Callable[[float], float] = _squash) -> float:
        return squash(x) + other_name(x)

    with standing_in({"_squash": lambda x: x + 1}, globals(), as_default):
        assert as_default(2.0) == 6.0
    assert as_default(2.0) == -4.0
    with standing_in({"_squash": lambda x: x + 1}, globals(), _squash):
        assert other_name(2.0) == -2.0  # the answer that is called stays as it is


class _Kept:
    """A class of the notebook's own that keeps an answer."""

    squash = staticmethod(_squash)

    def __init__(self) -> None:
        self.inner = _squash


def _closure(f: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: f(x)


def _keyword(x: float, *, f: Callable[[float], float] = _squash) -> float:
    return f(x)


_by_closure, _by_partial, _by_vectorize = _closure(_squash), functools.partial(_squash), np.vectorize(_squash)
_by_list, _by_tuple, _by_object = [{"squash": _squash}], (_squash, _keyword), _Kept()

KEPT: dict[str, Callable[[float], float]] = {
    "closure": lambda x: _by_closure(x),
    "keyword": lambda x: _keyword(x),
    "partial": lambda x: _by_partial(x),
    "vectorize": lambda x: float(_by_vectorize(x)),
    "dict in a list": lambda x: _by_list[0]["squash"](x),
    "tuple": lambda x: _by_tuple[0](x),
    "object": lambda x: _by_object.inner(x),
    "class": lambda x: _Kept.squash(x),
}


@pytest.mark.parametrize("kept", KEPT)
def test_a_right_answer_stands_wherever_the_notebook_keeps_the_own_one(kept: str) -> None:
    with standing_in({"_squash": lambda x: x + 1}, globals(), KEPT[kept]):
        assert KEPT[kept](2.0) == 3.0
    assert KEPT[kept](2.0) == -2.0


def test_a_function_of_another_module_is_replaced_under_its_name_alone() -> None:
    namespace = {"__name__": "notebook", "sigmoid": np.tanh, "tanh": np.tanh}
    with standing_in({"sigmoid": np.exp}, namespace, print):
        assert namespace["sigmoid"] is np.exp and namespace["tanh"] is np.tanh
    assert namespace["sigmoid"] is np.tanh


def test_a_name_that_the_notebook_lacks_is_there_for_one_call_only() -> None:
    namespace: dict[str, Any] = {"__name__": "notebook"}
    with standing_in({"sigmoid": np.exp}, namespace, print):
        assert namespace["sigmoid"] is np.exp
    assert "sigmoid" not in namespace
