"""Of an error's message what Python and NumPy say is shown, and nothing that student code made up."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from examiner.isolation.messages import printable, standard

X = np.ones((3, 2))


def _misses_one(a: object, b: object) -> None: ...


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: X @ np.ones(3), lambda: X + np.ones(4), lambda: X.dot(np.ones(5)), lambda: X.reshape(7), lambda: X[9],
        lambda: X[1, 2, 3], lambda: float(X), lambda: bool(X == X), lambda: np.sum(X, axis=4), lambda: X.foo,
        lambda: X.__setitem__(0, np.ones(5)), lambda: X.__iadd__(1j), lambda: np.concatenate([X, np.ones((2, 5))]),
        lambda: np.array([[1], [1, 2]]), lambda: undefined_name,  # noqa: F821
        lambda: (1, 2)[5], lambda: 1 / 0, lambda: [1] + 2,
        lambda: len(3), lambda: {}["h"], lambda: _misses_one(1), lambda: -None, lambda: 1 < "a", lambda: range(1.5),
        lambda: math.log(-1), lambda: iter(3),
        lambda: X @ np.ones((3, 3)), lambda: (lambda x: x)(), lambda: [] ** 2, lambda: math.nothing,
    ],
)  # fmt: skip
def test_the_usual_errors_are_told_in_full(mistake: Callable[[], object]) -> None:
    with pytest.raises(Exception) as caught:
        mistake()
    text = str(caught.value.args[0] if isinstance(caught.value, KeyError) else caught.value)
    assert standard(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("GIJBONHMDPPNHAEA", "bad input [0.3 0.7]", "x is 12 34 56 78", "name 'a' is not defined, 0.25"),
        *("index 123456 is", "'2718[2800<0150' object is not callable", "'<.>[]<..>' object is not callable"),
        "operands could not be broadcast together with shapes (2718,2800,150) (27,18,28) (2,71,82) ",
        "operands could not be broadcast together with shapes (,,…, ,) (…… ,,) ",
        "unsupported operand type(s) for 2718,28: 'int' and 'int'",
        "matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature (nk?mk,n,>>->) (size 2 "
        "is different from 3)",
    ],
)
def test_words_of_the_students_own_are_not_shown(text: str) -> None:
    assert standard(text) == ""


def test_nothing_steers_the_terminal() -> None:
    assert printable("\x1b]0;x\x07 a\tb\n\u202e\x9b2J é∂") == "\ufffd]0;x\ufffd a\tb\n\ufffd\ufffd2J é∂"
