"""What a submission's cells leave for its tests: names and values as of their place, whatever fails or ends."""

from __future__ import annotations

import ast
import json

import pytest

from attacks.stage import ASSIGNMENT, HONEST, KEY, handed_in
from examined import QUICK, cell, examine, its_test, passes
from examiner.grading.assignment import Assignment
from examiner.grading.grade import grade
from examiner.grading.result import Result


def test_variables_come_by_value_as_of_their_place() -> None:
    passes(
        "params = {'V': [[1.0]]}\nparams['V'].append([2.0])",
        "assert params == {'V': [[1.0], [2.0]]}\nparams['V'] = 0",
        "assert params['V'] == [[1.0], [2.0]]",
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


def test_many_tests_may_take_a_value_and_call_a_function() -> None:
    """A value comes each time from a process in which nothing was called; that is no fault of the student's."""
    passes("value = [1]\ndef q(x): return x", *["assert value == [1] and q(2) == 2"] * 35)


def test_a_value_is_not_what_a_test_made_of_it() -> None:
    answer = "value = []\ndef q(x): value.append(x)"
    result = examine(answer, "q(1)", "assert value == [1], 'nothing was added'")
    assert [mark.score for mark in result.marks] == [1, 0]
