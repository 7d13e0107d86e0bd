"""Make the sample class: what fourteen typical students would hand in, from release/ and the answers in source/.

    python tests/sample_class.py FOLDER    writes a course with it into FOLDER: never into the course itself

Nothing is kept that could go stale: each notebook is the release with the reference answers filled in, but for the
cells in which its student does something else.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Notebook = dict[str, Any]

# The five typical mistakes, in both notebooks where the mistake can be made there: (student, assignment, cell) -> code.
MISTAKES: dict[tuple[str, str, str], str] = {
    ("sum_for_mean", "logistic_regression", "gradient"): """
def gradient(w, b, X, y, lam):
    error = sigmoid(X @ w + b) - y
    return X.T @ error + lam * w, float(np.sum(error))
""",
    ("sum_for_mean", "mlp_sgd", "backward"): """
def backward(params, X, y, cache, lam):
    ds = cache["y_hat"] - y
    dt = np.outer(ds, params["w"]) * cache["h"] * (1 - cache["h"])
    return {
        "V": X.T @ dt + lam * params["V"],
        "c": dt.sum(axis=0),
        "w": cache["h"].T @ ds + lam * params["w"],
        "b": float(ds.sum()),
    }
""",
    ("penalty_on_bias", "logistic_regression", "gradient"): """
def gradient(w, b, X, y, lam):
    error = (sigmoid(X @ w + b) - y) / len(y)
    return X.T @ error + lam * w, float(np.sum(error)) + lam * b
""",
    ("penalty_on_bias", "mlp_sgd", "backward"): """
def backward(params, X, y, cache, lam):
    ds = (cache["y_hat"] - y) / len(y)
    dt = np.outer(ds, params["w"]) * cache["h"] * (1 - cache["h"])
    return {
        "V": X.T @ dt + lam * params["V"],
        "c": dt.sum(axis=0) + lam * params["c"],
        "w": cache["h"].T @ ds + lam * params["w"],
        "b": float(ds.sum()) + lam * params["b"],
    }
""",
    ("ascent", "logistic_regression", "gradient_descent"): """
def gradient_descent(gradient, w, b, eta, tol=1e-6, max_steps=10_000):
    for n_steps in range(1, max_steps + 1):
        grad_w, grad_b = gradient(w, b)
        new_w, new_b = w + eta * grad_w, b + eta * grad_b
        moved = max(np.max(np.abs(new_w - w)), abs(new_b - b))
        w, b = new_w, new_b
        if moved < tol:
            break
    return w, b, n_steps
""",
    ("ascent", "mlp_sgd", "sgd_step"): """
def sgd_step(params, grads, eta):
    return {name: params[name] + eta * grads[name] for name in params}
""",
    ("changed_in_place", "logistic_regression", "sgd_epoch"): """
def sgd_epoch(w, b, gradient, X, y, batches, eta):
    for batch in batches:
        grad_w, grad_b = gradient(w, b, X[batch], y[batch])
        w -= eta * grad_w
        b -= eta * grad_b
    return w, b
""",
    ("changed_in_place", "mlp_sgd", "sgd_step"): """
def sgd_step(params, grads, eta):
    for name in params:
        params[name] -= eta * grads[name]
    return params
""",
    ("last_batch_dropped", "logistic_regression", "minibatches"): """
def minibatches(n, batch_size, rng):
    order = rng.permutation(n)
    for start in range(0, n - batch_size + 1, batch_size):
        yield order[start:start + batch_size]
""",
    ("last_batch_dropped", "mlp_sgd", "train"): """
def train(params, gradient, X, y, eta, batch_size, epochs, rng):
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X) - batch_size + 1, batch_size):
            batch = order[start:start + batch_size]
            grads = gradient(params, X[batch], y[batch])
            params = {name: params[name] - eta * grads[name] for name in params}
    return params
""",
}

BROKEN: dict[tuple[str, str, str], str] = {
    ("syntax_error", "logistic_regression", "objective"): "def objective(w, b, X, y, lam)\n    return 0.0\n",
    ("syntax_error", "mlp_sgd", "objective"): "def objective(params, s, y, lam)\n    return 0.0\n",
    ("infinite_loop", "logistic_regression", "gradient_descent"): """
def gradient_descent(gradient, w, b, eta, tol=1e-6, max_steps=10_000):
    n_steps = 0
    while True:
        grad_w, grad_b = gradient(w, b)
        w, b = w - eta * grad_w, b - eta * grad_b
        n_steps += 1
    return w, b, n_steps
""",
    ("infinite_loop", "mlp_sgd", "input_gradient"): """
def input_gradient(params, X, y, cache):
    rows = []
    while len(rows) != len(X) + 1:
        rows = rows[:len(X)] + [0.0] * (len(X) - len(rows))
    return np.array(rows)
""",
}

WRITTEN = (
    "With a small step the objective falls slowly but surely; with a large one it oscillates and may grow without "
    "bound. A batch of one is noisy and cheap, a batch of all is smooth and dear."
)


def read(path: Path) -> Notebook:
    notebook: Notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if isinstance(cell["source"], list):
            cell["source"] = "".join(cell["source"])
    return notebook


def grade_id(cell: dict[str, Any]) -> str | None:
    """A cell's nbgrader id, or None."""
    about: dict[str, Any] = cell.get("metadata", {}).get("nbgrader", {})
    return about.get("grade_id")


def is_solution(cell: dict[str, Any]) -> bool:
    return bool(cell.get("metadata", {}).get("nbgrader", {}).get("solution"))


def reference_answers(source: Notebook) -> dict[str, str]:
    """The reference answer of each solution cell, as a student would have written it: without nbgrader's marks."""
    answers = {}
    for cell in source["cells"]:
        name = grade_id(cell)
        if name and is_solution(cell) and cell["cell_type"] == "code":
            lines = [line for line in cell["source"].split("\n") if not re.search(r"### (BEGIN|END) SOLUTION", line)]
            answers[name] = "\n".join(lines)
    return answers


def filled_in(release: Notebook, answers: dict[str, str], written: str | None = WRITTEN) -> Notebook:
    """The release with answers in its solution cells."""
    notebook = copy.deepcopy(release)
    for cell in notebook["cells"]:
        if is_solution(cell) and cell["cell_type"] == "markdown" and written:
            cell["source"] = written
        elif grade_id(cell) in answers:
            cell["source"] = answers[grade_id(cell) or ""]
    return notebook


def _tests(notebook: Notebook) -> list[int]:
    return [
        i
        for i, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "code" and cell["metadata"].get("nbgrader", {}).get("grade")
    ]


def deleted_test_cell(notebook: Notebook) -> Notebook:
    del notebook["cells"][_tests(notebook)[1]]
    return notebook


def duplicated_test_cell(notebook: Notebook) -> Notebook:
    index = _tests(notebook)[1]
    notebook["cells"].insert(index + 1, copy.deepcopy(notebook["cells"][index]))
    return notebook


def other_editor(notebook: Notebook) -> Notebook:
    """As editors leave it that know nothing of ids and metadata."""
    for cell in notebook["cells"]:
        cell.pop("id", None)
        cell["metadata"] = {}
    notebook["metadata"] = {"kernelspec": notebook["metadata"].get("kernelspec", {})}
    notebook["nbformat_minor"] = 4
    return notebook


CHANGES: dict[str, Callable[[Notebook], Notebook]] = {
    "deleted_test_cell": deleted_test_cell,
    "duplicated_test_cell": duplicated_test_cell,
    "other_editor": other_editor,
}
STUDENTS = [
    "all_right",
    "blank",
    "half_done",
    "sum_for_mean",
    "penalty_on_bias",
    "ascent",
    "changed_in_place",
    "last_batch_dropped",
    "syntax_error",
    "infinite_loop",
    "deleted_test_cell",
    "duplicated_test_cell",
    "renamed_notebook",
    "other_editor",
]


def submission(student: str, assignment: str, source: Notebook, release: Notebook) -> Notebook:
    """What `student` hands in for `assignment`."""
    answers = reference_answers(source)
    if student == "blank":
        return copy.deepcopy(release)
    if student == "half_done":
        half = dict(list(answers.items())[: len(answers) // 2])
        return filled_in(release, half, written=None)
    for (who, what, cell), code in (MISTAKES | BROKEN).items():
        if who == student and what == assignment and cell in answers:
            answers[cell] = code.strip("\n")
    notebook = filled_in(release, answers)
    return CHANGES.get(student, lambda same: same)(notebook)


def make(course: Path, students: list[str] | None = None) -> list[Path]:
    """Write the sample class into the course's submitted/ folder; returns the notebooks."""
    written = []
    for path in sorted((course / "source").glob("*/*.ipynb")):
        name = path.stem
        source, release = read(path), read(course / "release" / name / f"{name}.ipynb")
        for student in students or STUDENTS:
            folder = course / "submitted" / student / name
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / ("my answers (1).ipynb" if student == "renamed_notebook" else f"{name}.ipynb")
            notebook = submission(student, name, source, release)
            file.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            (folder / "timestamp.txt").write_text("2017-08-25 04:00:00.000000 UTC")
            written.append(file)
    return written


OF_THE_COURSE = ("nbgrader_config.py", "source", "release", "slides/course.yml")


def make_course(course: Path, folder: Path) -> list[Path]:
    """A course of its own in `folder`, as `course` is, with the sample class in its submitted/; the notebooks.

    What an earlier call made is made anew; marks and the gradebook stay, as for a real class.
    """
    if os.path.lexists(folder) and not (folder / MADE).exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise SystemExit(f"{folder} holds something else than a sample class; name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MADE).write_text("Made by tests/sample_class.py: the sample class, in a course of its own.\n")
    for name in OF_THE_COURSE:
        there, copy_of = folder / name, course / name
        if copy_of.is_dir():
            shutil.copytree(copy_of, there, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(copy_of, there)
    return make(folder)


MADE = "SAMPLE_CLASS"

if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "build" / "sample-class"
    try:
        made = make_course(root, target)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"The sample class can't be written: {error.strerror} ({error.filename}).")
    print(f"Made the sample class: {len(made)} notebooks of {len(STUDENTS)} students in {target}/submitted.")
