"""Mutate the reference answers mechanically, grade each mutant as a tutor would, and list those that keep all marks.

`python tests/mutants.py` (`make mutants`). A survivor is either a hole in the tests or the same answer in another form.
`tests/banks/equivalent.toml` gives the reason for each of the second kind; the run fails if a survivor has none, or if
a reason is left over. `--only gradient,backward` takes some questions.

What is changed: + and -, * and /, @ and *, ** and *, an operand left out, < and <=, a minus left out, numbers moved, .T
left out, mean and sum, arguments swapped, `range` longer or shorter, a statement left out, a condition turned, None
returned.
"""

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import sys
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import adequacy
from adequacy import BANKS, Case

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.MatMult: ast.Mult, ast.Pow: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.And: ast.Or,
    ast.Or: ast.And,
}  # fmt: skip
NAMES = {"mean": "sum", "sum": "mean", "maximum": "minimum", "max": "min", "min": "max", "all": "any", "any": "all"}


def mutants(code: str) -> Iterator[tuple[str, str]]:
    """Every mutant of a cell: what changed, in words, and its code."""
    tree = ast.parse(code)
    plain = ast.unparse(tree)
    seen = {plain}
    for place, node in enumerate(ast.walk(tree)):
        for change in _changes(node):
            other = copy.deepcopy(tree)
            change(next(n for i, n in enumerate(ast.walk(other)) if i == place))
            mutated = ast.unparse(ast.fix_missing_locations(other))
            if mutated not in seen:
                seen.add(mutated)
                yield _told(plain, mutated), mutated


def _changes(node: ast.AST) -> Iterator[Any]:
    """Functions that change (a copy of) the node in place, one mistake each."""
    if isinstance(node, ast.BinOp):
        if type(node.op) in SWAPS:
            yield lambda n: setattr(n, "op", SWAPS[type(n.op)]())
        yield lambda n: _become(n, n.left)
        yield lambda n: _become(n, n.right)
    elif isinstance(node, ast.BoolOp):
        yield lambda n: setattr(n, "op", SWAPS[type(n.op)]())
        for i in range(len(node.values)):
            yield lambda n, i=i: n.values.pop(i)
    elif isinstance(node, ast.AugAssign) and type(node.op) in SWAPS:
        yield lambda n: setattr(n, "op", SWAPS[type(n.op)]())
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        yield lambda n: n.ops.__setitem__(0, SWAPS[type(n.ops[0])]())
    elif isinstance(node, ast.UnaryOp):
        yield lambda n: _become(n, n.operand)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        small = isinstance(node.value, int) and abs(node.value) < 10
        yield lambda n: setattr(n, "value", n.value + 1 if small else n.value * 2)
        if small and node.value:
            yield lambda n: setattr(n, "value", n.value - 1)
    elif isinstance(node, ast.Attribute):
        if node.attr == "T":
            yield lambda n: _become(n, n.value)
        if node.attr in NAMES:
            yield lambda n: setattr(n, "attr", NAMES[n.attr])
    elif isinstance(node, ast.Call):
        for i in range(len(node.args) - 1):
            yield lambda n, i=i: n.args.__setitem__(slice(i, i + 2), n.args[i : i + 2][::-1])
        if isinstance(node.func, ast.Name) and node.func.id in ("range", "len", "abs"):
            if node.func.id == "range":
                last = 0 if len(node.args) == 1 else 1
                yield lambda n: n.args.__setitem__(last, ast.BinOp(n.args[last], ast.Add(), ast.Constant(1)))
                yield lambda n: n.args.__setitem__(last, ast.BinOp(n.args[last], ast.Sub(), ast.Constant(1)))
            elif node.func.id == "abs":
                yield lambda n: _become(n, n.args[0])
    elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.ctx, ast.Load):
        yield lambda n: n.elts.reverse()
    elif isinstance(node, ast.Slice):
        for end in ("lower", "upper"):
            if getattr(node, end) is not None:
                yield lambda n, end=end: setattr(n, end, None)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield lambda n: setattr(n, "value", ast.Constant(None))
    elif isinstance(node, ast.If | ast.While):
        yield lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    elif isinstance(node, ast.Break):
        yield lambda n: _become(n, ast.Continue())
    elif isinstance(node, ast.Dict):
        for i in range(len(node.keys)):
            yield lambda n, i=i: (n.keys.pop(i), n.values.pop(i))
    for block in ("body", "orelse"):
        statements = getattr(node, block, None)
        if isinstance(statements, list) and not isinstance(node, ast.Module):
            for i, statement in enumerate(statements):
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                    yield lambda n, i=i, block=block: getattr(n, block).__setitem__(i, ast.Pass())


def _become(node: ast.AST, other: ast.AST) -> None:
    node.__class__ = other.__class__
    node.__dict__ = dict(other.__dict__)


def _told(plain: str, mutated: str) -> str:
    lines = list(difflib.ndiff(plain.split("\n"), mutated.split("\n")))
    changed = {mark: " ".join(line[2:].strip() for line in lines if line[:1] == mark) for mark in "-+"}
    return f"{changed['-']}  ->  {changed['+'] or '(left out)'}"


def answers() -> Iterator[tuple[str, str, str]]:
    """The reference answer to each question: assignment, question, code."""
    from examiner.grading.assignment import Assignment

    for assignment in ("logistic_regression", "mlp_sgd"):
        for cell in Assignment.from_notebook(adequacy.source(assignment), assignment).cells:
            if cell.kind == "solution" and cell.cell_type == "code" and cell.grade_id != "trained_params":
                lines = [
                    line
                    for line in cell.source.split("\n")
                    if "### BEGIN SOL" not in line and "### END SOL" not in line
                ]
                yield assignment, cell.grade_id, "\n".join(lines)


def reasons() -> dict[tuple[str, str], str]:
    """Why some mutants are no mistakes, by question and change."""
    listed = tomllib.loads((BANKS / "equivalent.toml").read_text(encoding="utf-8"))
    return {(entry["question"], entry["change"]): entry["reason"] for entry in listed.get("mutant", [])}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", default="", help="questions, with commas between them")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    only = {q for q in options.only.split(",") if q}
    start = time.perf_counter()
    chosen = [
        Case(assignment, question, "wrong", change, {question: code})
        for assignment, question, answer in answers()
        if not only or {question, f"{assignment}/{question}"} & only
        for change, code in mutants(answer)
    ]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("fork")) as pool:
        verdicts = list(pool.map(adequacy.grade_case, chosen))
    known, holes, used = reasons(), 0, set()
    for verdict in verdicts:
        if verdict.passed:
            key = f"{verdict.case.assignment}/{verdict.case.question}", verdict.case.name
            used.add(key)
            holes += key not in known
            print(f"{key[0]}\n    {key[1]}\n    {known.get(key, 'SURVIVES WITHOUT A REASON')}")
    stale = [key for key in known if key not in used and (not only or key[0].split("/")[1] in only)]
    for key in stale:
        print(f"left over in equivalent.toml: {key[0]}: {key[1]}")
    leaks = [v for v in verdicts if v.leaks]
    for verdict in leaks:
        print(f"costs marks elsewhere: {verdict.case.title}: {', '.join(verdict.leaks)}")
    killed = sum(not v.passed for v in verdicts)
    print(f"\n{len(verdicts)} mutants, {killed} lose marks, {len(used)} survive ({holes} without a reason), "
          f"{len(leaks)} cost marks elsewhere; {time.perf_counter() - start:.0f} s")  # fmt: skip
    return int(bool(holes or stale or leaks))


if __name__ == "__main__":
    sys.exit(main())
