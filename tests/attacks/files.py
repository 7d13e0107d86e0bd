"""Attacks by the file itself: notebooks that no notebook program writes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from attacks.attack import WRONG, Attack, add_cell

MARKUP = r"""<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) ![x](http://127.0.0.1/x)
$\text{<script>alert(1)</script>}$ <style>*{display:none}</style> <!-- """


def _add_text(nb: Any, source: str) -> Any:
    nb["cells"].insert(0, {"cell_type": "markdown", "metadata": {}, "source": source, "id": "text"})
    return nb


def _add_texts(nb: Any, source: str, count: int) -> Any:
    texts = [{"cell_type": "markdown", "metadata": {}, "source": source + str(i)} for i in range(count)]
    return {**nb, "cells": texts + nb["cells"]}


def _cells_last(nb: Any, source: str, count: int) -> Any:
    return {**nb, "cells": nb["cells"] + [{"cell_type": "code", "metadata": {}, "source": source}] * count}


def _line_in_id(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_"):
        cell["metadata"]["nbgrader"]["grade_id"] = name + "\n"


def _each(nb: Any, change: Callable[[str, dict[str, Any]], None]) -> Any:
    for cell in nb["cells"]:
        change(cell["metadata"].get("nbgrader", {}).get("grade_id", ""), cell)
    return nb


def _points(name: str, cell: dict[str, Any]) -> None:
    if "points" in cell["metadata"].get("nbgrader", {}):
        cell["metadata"]["nbgrader"]["points"] = 1000


def _no_tests(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_double"):
        cell["source"] = "pass"


def _not_graded(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_double"):
        cell["metadata"] = {"nbgrader": {**cell["metadata"]["nbgrader"], "grade": False}, "tags": ["ungraded"]}


def _by_hand(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_double"):
        cell["metadata"]["nbgrader"].update(solution=True, locked=False)


def _markdown(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_double"):
        cell["cell_type"] = "markdown"


def _another_id(name: str, cell: dict[str, Any]) -> None:
    if name == "test_double":
        cell["metadata"]["nbgrader"]["grade_id"] = "test_shift_right"


def _code_in_setup(name: str, cell: dict[str, Any]) -> None:
    if name == "setup":
        cell["source"] += "\nimport numpy as np\nnp.allclose = lambda *a, **k: True"


def _twice(nb: Any) -> Any:
    nb["cells"] = [copy for cell in nb["cells"] for copy in (cell, dict(cell))]
    return nb


def _kernel(nb: Any) -> Any:
    nb["metadata"]["kernelspec"] = {"name": "../../bin/sh", "display_name": "x", "language": "bash"}
    return nb


def _outputs(name: str, cell: dict[str, Any]) -> None:
    if name.startswith("test_double"):
        data = {"text/plain": "10.0", "text/html": "<script>alert(1)</script>"}
        cell["outputs"] = [{"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}]


def _odd_cells(name: str, cell: dict[str, Any]) -> None:
    cell["attachments"] = {"../../x.png": {"image/png": ["a", None]}}
    cell["execution_count"], cell["id"] = float("nan"), ["id"]
    if name in ("test_double", ""):
        cell["metadata"] = {"nbgrader": [name], "tags": {"ungraded": 1}} if name else None
    if name == "shift":
        cell["source"] = [*cell["source"], None, 7, {"x": 1}]


def _in_the_front(nb: Any) -> bytes:
    """JSON with what is not JSON, and the keys of the notebook once more before those that hold."""
    return b'{"cells": 7, "metadata": NaN, "extra": [1e999, -Infinity], ' + json.dumps(nb).encode()[1:]


def _nameless(nb: Any) -> Any:
    own = {"cell_type": "code", "metadata": {}, "source": "# nothing\n" * 100, "outputs": [], "execution_count": None}
    return {**nb, "cells": [{**cell, "metadata": {}} for cell in nb["cells"]] + [own] * 4900}


FILES = [
    Attack("points edited", notebook=lambda nb: _each(nb, _points)),
    Attack("test cells emptied", notebook=lambda nb: _each(nb, _no_tests)),
    Attack(
        "test cells deleted",
        notebook=lambda nb: {**nb, "cells": [c for c in nb["cells"] if "test_" not in str(c["metadata"])]},
    ),
    Attack("test cells tagged as not graded", notebook=lambda nb: _each(nb, _not_graded)),
    Attack("test cells marked as written answers", notebook=lambda nb: _each(nb, _by_hand)),
    Attack("test cells turned into text", notebook=lambda nb: _each(nb, _markdown)),
    Attack("a test cell under another's id", notebook=lambda nb: _each(nb, _another_id)),
    Attack("code added to a locked cell", notebook=lambda nb: _each(nb, _code_in_setup)),
    Attack("every cell twice", notebook=_twice),
    Attack(
        "no ids and no metadata",
        notebook=lambda nb: {**nb, "cells": [{**c, "metadata": {}, "id": None} for c in nb["cells"]]},
    ),
    Attack("outputs with marks", notebook=lambda nb: _each(nb, _outputs)),
    Attack("another kernel", notebook=_kernel),
    Attack("broken JSON", notebook=lambda nb: json.dumps(nb)[:-40].encode(), spares=False),
    Attack("an empty file", notebook=lambda nb: b"", spares=False),
    Attack("JSON that is no notebook", notebook=lambda nb: b"[1, 2]", spares=False),
    Attack("JSON nested without end", notebook=lambda nb: b"[" * 1_000_000, spares=False),
    Attack(
        "cells that are no cells", notebook=lambda nb: {**nb, "cells": [None, 1, "x", {}, {"source": 1}]}, spares=False
    ),
    Attack(
        "JSON of seven million lists",
        notebook=lambda nb: b'{"cells": [], "x": [' + b"[]," * 6_900_000 + b"0]}",
        spares=False,
        within=5,
    ),
    Attack(
        "JSON of three million dicts",
        notebook=lambda nb: b'{"cells": [], "x": [' + b'{"":0},' * 2_900_000 + b"0]}",
        spares=False,
        within=5,
    ),
    Attack("brackets by the million in a text", notebook=lambda nb: add_cell(nb, "#" + "[]," * 4_000_000), within=10),
    Attack("a million lines in a cell", notebook=lambda nb: add_cell(nb, "x = 1\n" * 900_000), within=20),
    Attack("five million lines in a cell", notebook=lambda nb: add_cell(nb, "ab\n" * 4_900_000), within=25),
    Attack(
        "three million words in a cell",
        notebook=lambda nb: add_cell(nb, "#" + " ".join(f"{i:x}" for i in range(2_900_000))),
        within=25,
    ),
    Attack("ten thousand blank lines", " \n" * 9900 + WRONG),
    Attack(
        "a text in a language of brackets", notebook=lambda nb: _add_text(nb, "```brainfuck\n" + "[" * 19_000 + "\n```")
    ),
    Attack("a thousand cells that fail", notebook=lambda nb: _cells_last(nb, "1 / 0", 1500), within=20),
    Attack(
        "a thousand cells that end the process",
        notebook=lambda nb: _cells_last(nb, "import os\nos._exit(3)", 1500),
        within=20,
    ),
    Attack("ids that end with a line", notebook=lambda nb: _each(nb, _line_in_id)),
    Attack("UTF-32", notebook=lambda nb: json.dumps(nb).encode("utf-32"), spares=False),
    Attack("packed", notebook=lambda nb: gzip.compress(json.dumps(nb).encode()), spares=False),
    Attack("an error named by a hundred thousand letters", first="raise SyntaxError('x' * 100_000)"),
    Attack("lambdas in lambdas", first="x = " + "lambda: " * 3000 + "1"),
    Attack("format 99", notebook=lambda nb: {**nb, "nbformat": 99, "nbformat_minor": -1}),
    Attack("format 3", notebook=lambda nb: {"nbformat": 3, "worksheets": [{"cells": [_old(c) for c in nb["cells"]]}]}),
    Attack(
        "not UTF-8", notebook=lambda nb: json.dumps(nb, ensure_ascii=False).replace("Mini", "Mini é").encode("latin-1")
    ),
    Attack("UTF-16", notebook=lambda nb: json.dumps(nb).encode("utf-16")),
    Attack("100 MB", notebook=lambda nb: json.dumps(add_cell(nb, "#" * 100_000_000)).encode(), spares=False),
    Attack("a zero byte and half a surrogate", first="x = '\ud800\\0'"),
    Attack("a cell that can't be compiled", first="(" * 100_000),
    Attack("odd cells", notebook=lambda nb: _each(nb, _odd_cells)),
    Attack("keys twice, and numbers that are none", notebook=_in_the_front),
    Attack("a number of ten thousand digits", notebook=lambda nb: b'{"x": ' + b"9" * 10_000 + b"}", spares=False),
    Attack("five thousand cells without ids", notebook=_nameless, within=20),
    Attack("escapes for the terminal", "def double(x): raise ValueError('\\x1b]0;hacked\\x07\\x1bc \\x9b2J \\u202e')"),
    Attack("an answer of a thousand terms", "def double(x):\n    return 3 * x" + " + 0" * 1100),
    Attack("maths that never ends", notebook=lambda nb: _add_text(nb, r"\begin{a}" * 8000)),
    Attack("maths in hundreds of cells", notebook=lambda nb: _add_texts(nb, r"\begin{a}" * 2200, 400)),
    Attack("markup in every text", first="<script>", notebook=lambda nb: _add_text(nb, MARKUP)),
    Attack("ten thousand cells", notebook=lambda nb: {**nb, "cells": nb["cells"] * 1500}, spares=False),
]


def _old(cell: dict[str, Any]) -> dict[str, Any]:
    return {**cell, "input": cell["source"], "source": None} if cell["cell_type"] == "code" else cell
