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
from workshop import gradcheck

=== setup marking_tools
# What only the marker runs stands here.
### BEGIN HIDDEN TESTS
def marking_tools():
    """What the hidden tests below share: right answers, mistakes to expect, makers of problems."""
    from types import SimpleNamespace

    import numpy as np

    from examiner.grading.marking import Marker, fresh_rng

    def predict(X, w, b):
        return np.asarray(X) @ np.asarray(w) + b

    def without_b(X, w, b):
        return np.asarray(X) @ np.asarray(w)

    right = {"predict": predict}
    mistakes = {"predict": [("b left out", "b is left out.", without_b)]}
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

=== written explain 2
A question in words, which a person marks.

=== BEGIN MARK SCHEME ===
What earns its marks: students never see this.
=== END MARK SCHEME ===
'''
CONFIG = '''"""nbgrader's settings for this course: its commands mark with the examiner."""

c = get_config()  # noqa: F821
c.ClearHiddenTests.enforce_metadata = False  # the marking tools are a cell of hidden tests that bears no marks
c.Autograde.exporter_class = "examiner.course.plugin.LenientExporter"
c.Autograde.sanitize_preprocessors = ["examiner.course.plugin.Restore"]
c.Autograde.autograde_preprocessors = ["examiner.course.plugin.Grade", "nbgrader.preprocessors.AssignLatePenalties"]
'''
FLAGS = {
    "text": {"locked": True},
    "setup": {"locked": True},
    "solution": {"solution": True},
    "test": {"grade": True, "locked": True},
    "written": {"grade": True, "solution": True},
}


def scaffold(name: str) -> str:
    """The source notebook of a new workshop."""
    cells = [_cell(*part.split("\n", 1)) for part in re.split(r"^=== (?=[a-z])", CELLS, flags=re.MULTILINE)[1:]]
    cells[0]["source"] = cells[0]["source"].replace("NAME", name.replace("_", " ").capitalize())
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
    cell = {"id": grade_id.replace("_", "-"), "metadata": {"nbgrader": about}, "source": text.strip("\n")}
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
