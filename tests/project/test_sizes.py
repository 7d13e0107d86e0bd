"""No file, class or function of src/ is longer than a reader takes in; a class that is says why in its docstring."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
FILE, CLASS, FUNCTION = 500, 150, 50  # lines; a function's are those below its docstring
REASON = "Long, since "  # how the sentence begins that says why a class is longer


def too_long(path: Path) -> list[str]:
    text = path.read_text("utf-8")
    found = [f"the file: {n} lines where {FILE} are the most"] if (n := len(text.splitlines())) > FILE else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node) or ""
            if isinstance(node, ast.ClassDef):
                lines, most = (node.end_lineno or 0) - node.lineno + 1, CLASS
            else:
                begin = node.body[0].end_lineno if docstring else node.body[0].lineno - 1
                lines, most = (node.end_lineno or 0) - (begin or 0), FUNCTION
            if lines > most and not (most == CLASS and REASON in docstring):
                found.append(f"{node.name}, line {node.lineno}: {lines} lines where {most} are the most")
    return found


@pytest.mark.parametrize("package", ["examiner", "workshop"])
def test_nothing_is_longer_than_a_reader_takes_in(package: str) -> None:
    found = {str(path.relative_to(SOURCE)): too_long(path) for path in sorted((SOURCE / package).rglob("*.py"))}
    assert {path: what for path, what in found.items() if what} == {}
