"""`workshop new`: the source notebook that a new workshop begins with, one question of each kind, sound as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from examiner.batch.job import ClassError
from examiner.isolation.files import write_atomically

# Each cell: its kind, its grade_id and its marks, then its text.
CELLS = '''
=== text title
# NAME

Write here what this notebook is about, what one is able to do after it, and how long it takes.

=== setup setup
import numpy as np
from workshop import gradcheck, progress

progress.begin("FOLDER")

=== setup marking_tools
# What only the marker runs stands here.
### BEGIN HIDDEN TESTS
def marking_tools():
    """What the hidden tests below share: right answers, mistakes to expect, makers of problems."""
    from types import SimpleNamespace

    import numpy as np

    from examiner.grading.marking import Marker, fresh_rng

    def predict(X, w, b, *, of_b=1):  # a right answer; its further arguments are where it can go wrong
        return np.asarray(X) @ np.asarray(w) + of_b * b

    # A mistake: a short name, the sentence that students read, and a wrong answer, or what differs in the right one.
    right = {"predict": predict}
    mistakes = {
        "predict": [
            ("b left out", "b is left out.", dict(of_b=0)),
            ("b subtracted", "b is subtracted, where it is added.", dict(of_b=-1)),
            ("a column", "It is a column (N, 1), and (N,) is asked.", lambda X, w, b: predict(X, w, b)[:, None]),
        ]
    }
    marker = Marker(right, mistakes)
    return SimpleNamespace(marker=marker, mark=marker.mark, fresh_rng=fresh_rng, predict=predict)


marking_tools = marking_tools()
### END HIDDEN TESTS

=== text about_predict
## 1 · The model

A question with code: its text, its answer between two lines, its tests below it.

=== solution predict
def predict(X, w, b):
    """Predictions Xw + b. X: (N, d); w: (d,); b: a number. Returns (N,)."""
    ### BEGIN SOLUTION
    return X @ w + b
    ### END SOLUTION

=== test test_predict 2
# Test: predict (2 marks)
import numpy as np

from workshop import gradcheck

### BEGIN HIDDEN TESTS
marking_tools.mark("predict")
### END HIDDEN TESTS


def test_predict(predict):
    ### BEGIN HIDDEN TESTS
    rng = marking_tools.fresh_rng("predict")
    for N, d in [(6, 3), (4, 4), (1, 5)]:
        X, w, b = rng.standard_normal((N, d)), rng.standard_normal(d), float(rng.standard_normal())
        gradcheck.compare("predict(X, w, b)", predict(X, w, b), marking_tools.predict(X, w, b), N=N, d=d, b=b)
    ### END HIDDEN TESTS
    X, w, b = np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([2.0, -1.0]), 0.75
    gradcheck.compare("predict(X, w, b)", predict(X, w, b), [0.75, 1.75], N=2, d=2, b=b)


gradcheck.check(test_predict, predict)
print("predict: right on two points.")

=== text about_explain
## 2 · In words

The question stands here: students see an empty box below, in the place of the next cell.

=== written explain 2
A model answer.

=== BEGIN MARK SCHEME ===
What earns its marks: the marker sees this beside each answer, students never do.
=== END MARK SCHEME ===

=== ungraded summary
progress.summary()
'''
CONFIG = '''"""nbgrader's settings for this course: its commands mark with the examiner."""

from examiner.course.configuration import configure

c = get_config()  # noqa: F821
configure(c)
'''
FLAGS = {
    "text": {"locked": True},
    "setup": {"locked": True},
    "ungraded": {"locked": True},
    "solution": {"solution": True},
    "test": {"grade": True, "locked": True},
    "written": {"grade": True, "solution": True},
}


def scaffold(name: str) -> str:
    """The source notebook of a new workshop."""
    text = CELLS.replace("NAME", name.replace("_", " ").capitalize()).replace("FOLDER", name)
    cells = [_cell(*part.split("\n", 1)) for part in re.split(r"^=== (?=[a-z])", text, flags=re.MULTILINE)[1:]]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _cell(head: str, text: str) -> dict[str, Any]:
    kind, grade_id, *points = head.split()
    about: dict[str, Any] = {"grade": False, "locked": False, "solution": False, "task": False, **FLAGS[kind]}
    about |= {"grade_id": grade_id, "schema_version": 3}
    if points:
        about["points"] = float(points[0])
    tags = {"tags": ["ungraded"]} if kind == "ungraded" else {}  # a cell that only shows something
    cell = {"id": grade_id.replace("_", "-"), "metadata": {"nbgrader": about, **tags}, "source": text.strip("\n")}
    if kind in ("text", "written"):
        return {"cell_type": "markdown", **cell}
    return {"cell_type": "code", "execution_count": None, "outputs": [], **cell}


def begin(root: Path, name: str) -> list[Path]:
    """Write what a new workshop begins with, and nbgrader's settings where a course has none: what was written."""
    if not re.fullmatch(r"[a-z]\w{0,60}", name):
        raise ClassError(f"{name!r} can't be a workshop's name: small letters, digits and _, a letter first.")
    notebook, config = root / "source" / name / f"{name}.ipynb", root / "nbgrader_config.py"
    if notebook.parent.exists():
        raise ClassError(f"There is a {notebook.parent} already. Take another name; nothing was changed.")
    written = {notebook: scaffold(name)} | ({} if config.exists() else {config: CONFIG})
    for path, text in written.items():
        write_atomically(path, text)
    return list(written)
