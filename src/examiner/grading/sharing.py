"""Which of the names that a test uses are the student's, and which the examiner's own: read in the source notebook.

The cell of the source that binds a name last before the test decides. A module, or what is imported from one, is the
examiner's own, wherever in the source it is imported; so are functions and constants of locked cells, and all that
earlier tests and the marking tools bind. What else there is comes from the student's process. A student's notebook has
no say in it.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from examiner.grading.source import free_names, imported


@dataclass(frozen=True)
class Shares:
    """What one test cell needs beside itself."""

    names: tuple[str, ...] = ()  # from the student's process
    own: tuple[str, ...] = ()  # from the examiner's: made by its prelude, by earlier tests or by the marking tools
    prelude: tuple[str, ...] = ()  # imports and functions of the source that run before it in the examiner's process
    tests: tuple[int, ...] = ()  # the numbers of the earlier test cells that bind names of `own`
    replaced: tuple[str, ...] = ()  # names that it may bind anew for the student's functions, which read them
    read: tuple[str, ...] = ()  # variables that the notebook's own functions read: it may change them in place
    live: tuple[str, ...] = ()  # variables that the notebook's own functions change
    files: bool = False  # whether it looks at files
    gives: str = ""  # of its visible text, what later cells of the notebook need of it


@dataclass
class _Known:
    """Who bound each name last, in the cells so far."""

    bound: dict[str, tuple[str, Any]] = field(default_factory=dict)  # name: ("own", a statement), ("test", a number)
    star: list[str] = field(default_factory=list)  # imports of all that a module has
    modules: set[str] = field(default_factory=set)  # imported from within packages


CODE = ("setup", "given", "solution", "test", "tools")
Cells = Sequence[tuple[str, str]]  # of each its kind and its source


def classes(cells: Cells) -> dict[str, list[str]]:
    """The source's own classes, and of each the special methods that it has, without the underscores around them.

    Of a context manager that may keep an error to itself, "swallow" is one of them.
    """
    found: dict[str, list[str]] = {}
    for kind, source in cells:
        for node in ast.walk(parsed(source) or ast.Module([], [])) if kind in CODE and kind != "tools" else ():
            if isinstance(node, ast.FunctionDef) and _manages(node) and _catches(node):
                found["_GeneratorContextManager"] = ["swallow"]  # what contextlib makes of it
            if isinstance(node, ast.ClassDef):
                found[node.name] = sorted(_special(node) | {m for base in _bases(node) for m in found.get(base, ())})
            elif isinstance(node, ast.Assign) and _makes_a_class(node.value):
                found |= {target.id: [] for target in node.targets if isinstance(target, ast.Name)}
    if any(kind == "test" and _SENDS.search(source) for kind, source in cells):
        found["generator"] = []  # by number: what is sent to one decides what it gives
    return found


def _makes_a_class(value: ast.expr) -> bool:
    made = ast.unparse(value.func).split(".")[-1] if isinstance(value, ast.Call) else ""
    return made in ("namedtuple", "NamedTuple", "Enum")


def _bases(node: ast.ClassDef) -> list[str]:
    return [base.id for base in node.bases if isinstance(base, ast.Name)]


def _special(node: ast.ClassDef) -> set[str]:
    """The special methods of a class, those too that a decorator makes."""
    names = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    names |= {t.id for p in node.body if isinstance(p, ast.Assign) for t in p.targets if isinstance(t, ast.Name)}
    decorators = " ".join(map(ast.unparse, node.decorator_list))
    made = {"eq"} if "dataclass" in decorators else set()
    made |= {"lt", "le", "gt", "ge"} if "total_ordering" in decorators or "order=True" in decorators else set()
    exits = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__exit__"]
    made |= {"swallow"} if any(map(_gives_something, exits)) else set()
    return made | {name[2:-2] for name in names if name.startswith("__") and name.endswith("__")}


def _gives_something(function: ast.FunctionDef) -> bool:
    """Whether a function has something to return that is neither None nor False."""
    given = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    return any(not (isinstance(value, ast.Constant) and not value.value) for value in given)


def _manages(function: ast.FunctionDef) -> bool:
    return any("contextmanager" in ast.unparse(decorator) for decorator in function.decorator_list)


def _catches(function: ast.FunctionDef) -> bool:
    return any(isinstance(n, ast.ExceptHandler) or "suppress" in ast.dump(n) for n in ast.walk(function))


def shares(cells: Cells, visible: Sequence[str], beside: frozenset[str] = frozenset()) -> list[Shares]:
    """For each cell what it needs; nothing for those that are no tests.

    `visible` is what students see of each, `beside` are the modules beside the notebook.
    """
    known, found = _Known(), []
    read, changed = _globals([source for kind, source in cells if kind in ("setup", "given", "solution")])
    for number, (kind, source) in enumerate(cells):
        tree = parsed(source) if kind in CODE else None
        found.append(Shares())
        if tree is None:
            continue
        if kind == "test":
            found[-1] = _needed(source, tree, known, cells, read, changed)
        for statement in _top(tree):
            for name, who in _binds(statement, kind, number, beside):
                known.bound[name] = who
            if kind == "setup" and isinstance(statement, ast.Assign) and _is_constant(statement.value):
                names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
                known.bound |= {name: ("own", statement) for name in names if name not in changed}
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*" and _ours(statement, beside):
                known.star.append(ast.unparse(statement))
            if isinstance(statement, ast.Import | ast.ImportFrom) and _ours(statement, beside):
                known.modules |= {name for name in _imported(statement) if "." in name}
    return _with_gifts(cells, visible, found)


def deals_in_numbers(cells: Cells, needs: Sequence[Shares]) -> bool:
    """Whether tests compare by the workshop's gradcheck, and so numbers alone: it is imported by them or for them."""
    sources = [source for kind, source in cells if kind in ("test", "tools")]
    trees = [parsed(source) for source in (*sources, *(s for need in needs for s in need.prelude))]
    return any("workshop.gradcheck" in imported(tree) for tree in trees if tree)


def _with_gifts(cells: Cells, visible: Sequence[str], found: list[Shares]) -> list[Shares]:
    """The same, where the notebook's cells use what an earlier test has bound: a student may run that cell too."""
    wanted: set[str] = set()
    before = _bound_before(cells)
    for number in reversed(range(len(cells))):
        kind, source = cells[number]
        tree = parsed(source if kind != "test" else visible[number]) if kind in CODE else None
        if tree is None or kind == "tools":
            continue
        bound = {name for statement in _top(tree) for name, _ in _binds(statement, kind, number, frozenset())}
        if kind != "test":
            wanted = (wanted - bound) | {name for name in _all_free(source)}
        elif needed := (bound & wanted) - before[number]:
            statements: list[ast.stmt] = []
            for statement in reversed(tree.body):
                if needed & {name for name, _ in _binds(statement, kind, number, frozenset())}:
                    statements.insert(0, statement)
                    needed |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
            found[number] = replace(found[number], gives="\n".join(map(ast.unparse, statements)))
    return found


def _bound_before(cells: Cells) -> list[set[str]]:
    """For each cell the names that the notebook's own cells above it bind."""
    found: list[set[str]] = []
    bound: set[str] = set()
    for number, (kind, source) in enumerate(cells):
        found.append(set(bound))
        tree = parsed(source) if kind in ("setup", "given", "solution") else None
        bound |= {n for s in _top(tree) for n, _ in _binds(s, kind, number, frozenset())} if tree else set()
    return found


def _all_free(source: str) -> list[str]:
    try:
        return free_names(without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def parsed(source: str) -> ast.Module | None:
    """A cell's tree, its magics left out; None where it is no Python."""
    try:
        return ast.parse(without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def without_magics(source: str) -> str:
    """A cell in which IPython's magics and shell lines do nothing."""
    if not re.search(r"^\s*[%!]", source, re.MULTILINE):
        return source
    try:
        ast.parse(source)
        return source  # a line of a text, or a remainder
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)


def _needed(source: str, tree: ast.Module, known: _Known, cells: Cells, read: set[str], changed: set[str]) -> Shares:
    names, own, tests, prelude = set(), set(), set(), dict.fromkeys(known.star)
    wanted = [*_all_free(source), *_read_first(tree)]
    looked: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in looked:
            continue
        looked.add(name)
        kind, what = known.bound.get(name, ("student", None))
        if kind == "own":
            own.add(name)
            prelude[ast.unparse(what)] = None
            if isinstance(what, ast.FunctionDef):
                wanted += _all_free(ast.unparse(what))
        elif kind == "test":
            own.add(name)
            if what not in tests and cells[what][0] == "test":
                tests.add(what)
                wanted += _all_free(cells[what][1])
        else:
            names.add(name)
    if any(isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in _BY_NAME for n in ast.walk(tree)):
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        names |= {t for t in texts if t.isidentifier() and t not in own and not hasattr(builtins, t)}
    # `import a.b` anywhere makes `b` an attribute of `a` for all.
    imports = [known.bound[name][1] for name in own & set(known.bound)] + list(ast.walk(tree))
    packages = {alias.name.split(".")[0] for node in imports if isinstance(node, ast.Import) for alias in node.names}
    prelude |= {f"__import__({name!r});": None for name in sorted(known.modules) if name.split(".")[0] in packages}
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store | ast.Del)}
    stored |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    patched = {word for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
               for word in re.findall(r"__main__\.(\w+)", n.value)}  # fmt: skip
    if "patch.object" in source or "monkeypatch" in source:
        patched |= {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    replaced = (stored & (read | set(dir(builtins)))) | (patched & read)
    return Shares(
        tuple(sorted(names | (patched & read))),
        tuple(sorted(own)),
        tuple(sorted(prelude, key=lambda statement: not statement.startswith(("import ", "from ")))),
        tuple(sorted(tests)),
        tuple(sorted(replaced)),
        tuple(sorted(names & read)),
        tuple(sorted(names & changed)),
        bool(_FILES.search(source)),
    )


def _top(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run in the cell's own namespace, those in a condition or a loop too."""
    waiting: list[Any] = list(tree.body)
    while waiting:
        statement = waiting.pop(0)
        if isinstance(statement, ast.stmt):
            yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody", "handlers")]
            waiting[:0] = [one for part in inner if isinstance(part, list) for one in part]


def _binds(
    statement: ast.stmt, kind: str, number: int, beside: frozenset[str]
) -> Iterator[tuple[str, tuple[str, Any]]]:
    """The names that a statement binds, and who has what they are bound to."""
    examiners = kind in ("test", "tools")
    other = ("test", number) if examiners else ("student", None)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            if alias.name != "*":
                name = alias.asname or alias.name.split(".")[0]
                one: ast.stmt = ast.Import([alias])
                if isinstance(statement, ast.ImportFrom):
                    one = ast.ImportFrom(statement.module, [alias], statement.level)
                yield name, (("own", one) if kind != "tools" and _ours(statement, beside) else other)
    elif isinstance(statement, ast.FunctionDef) and kind == "setup" and not _changes_globals(statement):
        yield statement.name, ("own", statement)
    elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name, other
    else:
        for node in _own_nodes(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, other
            elif isinstance(node, ast.ExceptHandler) and node.name:
                yield node.name, other


def _is_constant(value: ast.expr) -> bool:
    """Whether it is a number, a text, or a tuple of such, which nobody can change in place."""
    if isinstance(value, ast.Tuple):
        return all(map(_is_constant, value.elts))
    return isinstance(value.operand if isinstance(value, ast.UnaryOp) else value, ast.Constant)


def _imported(statement: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(statement, ast.ImportFrom):
        return [statement.module or ""]
    return [alias.name for alias in statement.names]


def keeps_state(module: bytes) -> bool:
    """Whether a module's functions change its variables: then the one that the notebook has is asked, and no other."""
    tree = parsed(module.decode("utf-8", "replace")) or ast.Module([], [])
    return any(isinstance(node, ast.Global) for node in ast.walk(tree))


def _changes_globals(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Global) for node in ast.walk(function))


def _own_nodes(statement: ast.AST) -> Iterator[ast.AST]:
    """A statement's parts, but for those in which names are others'."""
    yield statement
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.Lambda | ast.comprehension | ast.stmt):
            yield from _own_nodes(child)


def _ours(statement: ast.Import | ast.ImportFrom, beside: frozenset[str]) -> bool:
    """Whether what is imported is installed here: no module of a student's is imported."""
    if isinstance(statement, ast.ImportFrom):
        return not statement.level and _installed(statement.module or "", beside)
    return all(_installed(alias.name, beside) for alias in statement.names)


def _installed(module: str, beside: frozenset[str]) -> bool:
    top = module.split(".")[0]
    if top in beside:  # from the source's own folder
        return True
    if not top:
        return False
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _read_first(tree: ast.Module) -> set[str]:
    """Names that a cell binds itself, and reads before."""
    bound: set[str] = set()
    early: set[str] = set()
    for statement in _top(tree):
        names = [node for node in _own_nodes(statement) if isinstance(node, ast.Name)]
        early |= {node.id for node in names if not isinstance(node.ctx, ast.Store)} - bound
        if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            early |= {statement.target.id} - bound
        bound |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(statement.name)
    return {name for name in early & bound if not hasattr(builtins, name)}


_SENDS = re.compile(r"\.(send|throw|gi_\w+)\b")  # what a generator has and its values have not
_FILES = re.compile(r"\b(open|os|tempfile|[Pp]ath(lib)?|read_\w+|sqlite3|load(txt)?|imread|exists|glob|csv)\b")
_BY_NAME = ("globals", "locals", "vars", "dir", "eval", "exec")  # what asks for a name by its text
_CHANGES = ("append", "add", "update", "extend", "insert", "pop", "remove", "clear", "setdefault", "sort", "fill")


def _globals(sources: Sequence[str]) -> tuple[set[str], set[str]]:
    """The globals that functions of these cells read, and those that they change."""
    read: set[str] = set()
    changed: set[str] = set()
    for source in sources:
        for node in ast.walk(parsed(source) or ast.Module([], [])):
            if not isinstance(node, ast.FunctionDef):
                continue
            free = set(_all_free(ast.unparse(node)))  # none of a function within another, by itself
            read |= free
            for part in ast.walk(node):
                if isinstance(part, ast.Global):
                    changed |= set(part.names)
                    read |= set(part.names)
                target: Any = None
                if (isinstance(part, ast.Subscript | ast.Attribute) and isinstance(part.ctx, ast.Store | ast.Del)) or (
                    isinstance(part, ast.Attribute) and part.attr in _CHANGES
                ):
                    target = part.value
                if isinstance(target, ast.Name) and target.id in free:
                    changed.add(target.id)
    return read, changed
