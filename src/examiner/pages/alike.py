"""Answers that are nearly identical where others differ."""

from __future__ import annotations

import ast
import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

from examiner.pages.markup import LONGEST_TEXT

Group = tuple[tuple[str, ...], tuple[str, ...]]  # students, and the questions whose answers they share


def groups_alike(answers: Mapping[str, Mapping[str, Sequence[str]]]) -> list[Group]:
    """The groups of an assignment; `answers` says, by question, who wrote an answer of each shape.

    Two students are put together when, apart from names, comments and layout, they share answers to two questions
    or more (or a written answer) that at most one in twenty of those who answered, and at most eight, have.
    """
    shared: dict[tuple[str, str], set[str]] = defaultdict(set)  # by pair of students, the questions
    written: set[tuple[str, str]] = set()
    for question, shapes in answers.items():
        answered = sum(len(students) for students in shapes.values())
        for shape, students in shapes.items():
            if 2 <= len(students) <= max(2, min(8, answered // 20)):
                for pair in itertools.combinations(sorted(students), 2):
                    shared[pair].add(question)
                    if shape.startswith("text:"):
                        written.add(pair)
    group_of: dict[str, set[str]] = {}
    questions: dict[int, set[str]] = defaultdict(set)
    pairs = [pair for pair, found in shared.items() if len(found) >= 2 or pair in written]
    for one, other in pairs:
        group = group_of.get(one, {one}) | group_of.get(other, {other})
        for student in group:
            group_of[student] = group
    for pair in pairs:
        questions[id(group_of[pair[0]])] |= shared[pair]
    groups = {id(group): group for group in group_of.values()}
    return [(tuple(sorted(group)), tuple(sorted(questions[key]))) for key, group in groups.items()]


@lru_cache(maxsize=65536)
def shape_of(source: str) -> str:
    """Python code without comments, docstrings, layout and the author's names, hashed; "" where there is no telling."""
    try:
        return _shape_of(ast.parse(source)) if len(source) <= LONGEST_TEXT else ""
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a sum of a thousand terms can be too deep to walk
        return ""


def _shape_of(tree: ast.Module) -> str:
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names: dict[str, str] = {}
    size = 0
    for node in ast.walk(tree):
        size += 1
        body = getattr(node, "body", None)
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and isinstance(body, list) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                body[:] = body[1:] or [ast.Pass()]
        if isinstance(node, ast.Name) and node.id in own:
            node.id = names.setdefault(node.id, f"v{len(names)}")
        elif isinstance(node, ast.arg):
            node.arg = names.setdefault(node.arg, f"v{len(names)}")
            node.annotation = None
    if size < 60:
        return ""
    return "code:" + hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:24]


def shape_of_text(text: str) -> str:
    """A written answer in lower case without punctuation, hashed; "" where it has fewer than fifteen words."""
    words = re.findall(r"\w+", text.casefold())
    return "text:" + hashlib.sha256(" ".join(words).encode()).hexdigest()[:24] if len(words) >= 15 else ""
