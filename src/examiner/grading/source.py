"""What is read in a cell's source without running it: names, definitions, hidden lines."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterable, Iterator


def free_names(source: str) -> list[str]:
    """The names that a test cell takes from the student: global, not its own, and not built in."""
    import symtable

    own: set[str] = set()
    used: set[str] = set()
    tables = [symtable.symtable(source, "test", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            name = symbol.get_name()
            top = table.get_type() == "module"
            if (top or symbol.is_declared_global()) and (symbol.is_assigned() or symbol.is_imported()):
                own.add(name)
            elif top or symbol.is_global():
                used.add(name)
    return sorted(name for name in used - own if not hasattr(builtins, name))


def hidden_lines(source: str, begin: str, end: str) -> set[int]:
    """The numbers of the lines of a test cell that students don't see."""
    lines: set[int] = set()
    inside = False
    for number, line in enumerate(source.split("\n"), 1):
        inside = inside or begin in line
        if inside:
            lines.add(number)
        if end in line:
            inside = False
    return lines


LONGEST_ANSWER = 100_000  # characters of a cell in which an answer is looked for


def _parsed(source: str) -> ast.Module:
    if len(source) > LONGEST_ANSWER:  # to parse it would take as much memory as somebody wants
        return ast.Module([], [])
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def numbers_in(source: str) -> Iterator[float]:
    """The numbers that a cell is written with. Where a function calls itself, one is how often Python lets it."""
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield node.value  # type: ignore[misc]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Pow):
            match node.left, node.right:
                case ast.Constant(int(a)), ast.Constant(int(b)) if max(abs(a), abs(b)) <= 10_000:
                    yield a * b if isinstance(node.op, ast.Mult) else float(a) ** min(b, 16) if a else 0
        elif isinstance(node, ast.FunctionDef):
            names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            if node.name in names:
                yield sys.getrecursionlimit()


_COMPLEX = re.compile(r"\d\.?(e[-+]?\d+)?j\b|\.imag\b|\bcomplex(\d+|\()|[=(,] *complex\b")


def complex_numbers(sources: Iterable[str]) -> bool:
    """Whether cells compute with complex numbers, by the words in them."""
    return bool(_COMPLEX.search(re.sub(r"#.*", "", "\n".join(sources))))


def imported(tree: ast.AST) -> list[str]:
    """The modules that a cell's imports ask for: what is imported from a package may be a module too."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def top_level_names(source: str) -> list[str]:
    """The names that a cell defines."""
    names: dict[str, None] = {}
    for node in _parsed(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names[node.name] = None
        elif isinstance(node, ast.Assign):
            names.update({target.id: None for target in node.targets if isinstance(target, ast.Name)})
    return list(names)
