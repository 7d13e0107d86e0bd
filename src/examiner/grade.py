"""One submission in, one result out: the heart of the examiner, which knows no nbgrader, database or shared disk."""

from __future__ import annotations

import ast
import base64
import contextlib
import hashlib
import hmac
import importlib
import itertools
import json
import math
import os
import re
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from difflib import SequenceMatcher
from multiprocessing.util import Finalize
from types import CodeType
from typing import Any

from examiner import sandbox as sandboxes
from examiner import stand_ins, watch
from examiner.messages import printable, without_numbers
from workshop import gradcheck

BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_GUIDE, END_GUIDE = "=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ==="


@dataclass(frozen=True)
class Cell:
    """A cell of the source notebook."""

    grade_id: str  # "" for a text cell that nbgrader does not know
    kind: str  # "setup", "solution", "test", "tools" (what hidden tests share), "ungraded", "written" or "text"
    question: str  # what a test belongs to; for the other kinds the grade_id itself
    points: float
    source: str  # with answers and hidden tests: never shown to a student
    release_source: str  # what the student was given
    cell_type: str = "code"
    defines: tuple[str, ...] = ()  # the top-level functions and variables of a solution cell
    metadata: dict[str, Any] = field(default_factory=dict)  # nbgrader's, as in the source


@dataclass(frozen=True)
class Assignment:
    """An assignment as plain, picklable data, read from its source notebook."""

    name: str
    cells: tuple[Cell, ...]
    digest: str  # sha256 of the source notebook's bytes

    @classmethod
    def from_notebook(cls, source_ipynb: bytes, name: str) -> Assignment:
        """Read the assignment `name` from the bytes of its source notebook."""
        notebook = json.loads(source_ipynb)
        marked = [cell.get("metadata", {}).get("nbgrader", {}) for cell in notebook["cells"]]
        questions = [meta["grade_id"] for meta in marked if meta.get("solution")]
        cells = tuple(_read_cell(cell, questions) for cell in notebook["cells"])
        return cls(name, cells, hashlib.sha256(source_ipynb).hexdigest())

    def seed(self, submission: bytes, secret: bytes) -> int:
        """The seed of the fresh random problems of one submission: the same whenever it is graded again."""
        message = self.name.encode() + hashlib.sha256(submission).digest()
        return int.from_bytes(hmac.new(secret, message, hashlib.sha256).digest()[:8], "big")

    @property
    def graded(self) -> tuple[Cell, ...]:
        """The cells that bear marks, in the order of the notebook."""
        return tuple(cell for cell in self.cells if cell.kind in ("test", "written"))


@dataclass(frozen=True)
class Mark:
    """The mark of one test cell or written answer."""

    grade_id: str
    question: str
    points: float  # the most there is to earn
    score: float | None  # None: a person marks it
    message: str = ""  # plain words for the student, empty when right
    mistake: str | None = None  # the short key of a known mistake
    seconds: float = 0.0


@dataclass(frozen=True)
class CellOutput:
    """What a submitted cell was, and what it printed when it ran for grading."""

    grade_id: str | None
    cell_type: str
    source: str
    outputs: tuple[tuple[str, str], ...] = ()  # ("stdout", "stderr" or "result", text)
    error: str = ""
    pictures: dict[str, dict[str, str]] = field(default_factory=dict)  # attached to a text, as in a notebook


@dataclass(frozen=True)
class Result:
    """Everything that grading one submission found out."""

    assignment: str
    marks: tuple[Mark, ...]
    notes: tuple[str, ...]  # what was odd about the submission
    needs_eye: tuple[str, ...]  # why a person should look at it
    sandbox: str  # the rung of the ladder that student code ran on
    seed: int
    digest: str  # sha256 of the submission's bytes
    seconds: float
    cells: tuple[CellOutput, ...] = ()

    @property
    def score(self) -> float:
        """The marks earned so far; what a person marks is not in it."""
        return sum(mark.score or 0.0 for mark in self.marks)

    def to_json(self) -> str:
        """The result as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Result:
        """The result that `to_json` wrote."""
        data = json.loads(text)
        data["marks"] = tuple(Mark(**mark) for mark in data["marks"])
        data["cells"] = tuple(
            CellOutput(**{**cell, "outputs": tuple((kind, text) for kind, text in cell["outputs"])})
            for cell in data["cells"]
        )
        data["notes"], data["needs_eye"] = tuple(data["notes"]), tuple(data["needs_eye"])
        return cls(**data)


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Seconds are the student's own processor time (see `watch`), sizes are bytes."""

    cell_seconds: float = 30.0  # one of the student's cells
    call_seconds: float = 10.0  # one call of a student's function by a test
    test_seconds: float = 30.0  # all calls of one test cell
    total_seconds: float = 300.0  # the whole submission
    memory: int = 2 << 30
    file_size: int = 32 << 20
    open_files: int = 128
    output: int = 100_000  # characters kept of one cell's printed output, and ten times as many of all cells'
    submission: int = 20 << 20  # a larger notebook is not read

    @property
    def given_up(self) -> float:
        """Seconds on the wall after which a submission is given up, however slow the machine."""
        return watch.GUARD * self.total_seconds + 30

    def to_json(self) -> str:
        """The limits as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Limits:
        """The limits that `to_json` wrote."""
        return cls(**json.loads(text))


def question_of(test_id: str, questions: Iterable[str]) -> str:
    """The longest question Q that a test belongs to: its grade_id is test_Q or starts with test_Q_; "" if none fits."""
    fits = [q for q in questions if test_id == f"test_{q}" or test_id.startswith(f"test_{q}_")]
    return max(fits, key=len, default="")


def _read_cell(raw: dict[str, Any], questions: list[str]) -> Cell:
    meta = raw.get("metadata", {}).get("nbgrader", {})
    source = raw["source"] if isinstance(raw["source"], str) else "".join(raw["source"])
    graded, solution = bool(meta.get("grade")), bool(meta.get("solution"))
    if raw["cell_type"] != "code":
        kind = "written" if graded or meta.get("task") else "text"
    elif solution:
        kind = "solution"
    elif graded:
        kind = "test"
    elif BEGIN_HIDDEN in source:
        kind = "tools"
    else:
        kind = "ungraded" if "ungraded" in raw.get("metadata", {}).get("tags", []) else "setup"
    grade_id = meta.get("grade_id", "")
    names = _top_level_names(source) if kind == "solution" else []
    return Cell(
        grade_id=grade_id,
        kind=kind,
        question=question_of(grade_id, questions) if kind == "test" else grade_id,
        points=float(meta.get("points", 0)) if graded or meta.get("task") else 0.0,
        source=source,
        release_source=released(source, grade_id, kind == "written", solution),
        cell_type=raw["cell_type"],
        defines=tuple(names),
        metadata=dict(meta),
    )


def released(source: str, grade_id: str = "", written: bool = False, solution: bool = False) -> str:
    """A source cell as the student gets it: no hidden tests, no marking guide, no answer.

    As nbgrader does, a `solution` cell that does not say where its answer begins is an answer as a whole.
    """
    stub = "YOUR ANSWER HERE" if written else "# YOUR CODE HERE\nraise NotImplementedError()"
    if solution and BEGIN_SOLUTION not in source:
        return name_tasks(stub, grade_id)
    source = _cut(source, BEGIN_HIDDEN, END_HIDDEN)
    source = _cut(source, BEGIN_GUIDE, END_GUIDE)
    return name_tasks(_cut(source, BEGIN_SOLUTION, END_SOLUTION, stub), grade_id)


def name_tasks(source: str, grade_id: str) -> str:
    """A stub whose bare NotImplementedError says what is to be written: the function that it stands in."""
    task, lines = grade_id, []
    for line in source.split("\n"):
        if found := re.match(r"def (\w+)", line):
            task = found.group(1)
        if line.strip() == "raise NotImplementedError()":
            line = line.replace("()", f'("{task} is still to be written")')
        lines.append(line)
    return "\n".join(lines)


def _cut(source: str, begin: str, end: str, stub: str = "") -> str:
    lines: list[str] = []
    inside = False
    for line in source.split("\n"):
        if begin in line:
            inside = True
            if stub:
                indent = re.match(r"\s*", line).group()  # type: ignore[union-attr]
                lines += [indent + part for part in stub.split("\n")]
        elif end in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


LONGEST_ANSWER = 100_000  # characters of a cell in which an answer is looked for


def _top_level_names(source: str) -> list[str]:
    """The names that a cell defines."""
    if len(source) > LONGEST_ANSWER:  # to parse it would take as much memory as somebody wants
        return []
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names: dict[str, None] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names[node.name] = None
        elif isinstance(node, ast.Assign):
            names.update({target.id: None for target in node.targets if isinstance(target, ast.Name)})
    return list(names)


# --- What was handed in, laid beside what was given out ------------------------------------------------------------


class GraderFailed(RuntimeError):
    """The grader itself could not work; no submission is to blame, and none gets a mark for it."""


class Unreadable(ValueError):
    """Bytes that are no notebook; the message says why."""


@dataclass(frozen=True)
class Submitted:
    """A cell of a submission."""

    cell_type: str
    source: str
    claims: str | None  # the grade_id in its metadata
    points: Any = None
    pictures: dict[str, dict[str, str]] = field(default_factory=dict)  # attached: by name, then kind, in base64


@dataclass(frozen=True)
class Placed:
    """A cell of the restored notebook: from the submission (`index`), from the source (`cell`), or both."""

    index: int | None
    cell: Cell | None
    submitted: Submitted | None

    @property
    def kind(self) -> str:
        """The source cell's kind, or "own" for a student's own cell."""
        return self.cell.kind if self.cell else "own"


MOST_STRUCTURE = 3_000_000  # brackets, commas and colons of a notebook's JSON: each can take fifty bytes of memory
_REST = bytes(set(range(256)) - set(b'[]{},:"'))


def _structure(text: str) -> int:
    """How many brackets, commas and colons there are in JSON, outside of its strings."""
    bare = text.encode().replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _REST)
    count = within = 0
    for at in range(0, len(bare), 1 << 20):
        pieces = bare[at : at + (1 << 20)].split(b'"')
        count += sum(map(len, pieces[within::2]))
        within = (within + len(pieces) - 1) % 2
    return count


# A string that never ends is one token too: its end, looked for from each quote in it, would take its length squared.
_OUTPUTS = re.compile(
    rb'(?P<outputs>"outputs"\s*:\s*\[)|(?P<string>"(?:[^"\\]++|\\.)*+(?:"|(?P<endless>\\?\Z)))|[\[\]{}]', re.DOTALL
)
MOST_TOKENS = 8_000_000  # a notebook with more of them is left as it is: to look through them would take long


def without_outputs(data: bytes) -> bytes:
    """A notebook's bytes without the saved outputs of its cells, which are not graded and can be most of it."""
    kept, start, depth, inside = [], 0, 0, -1
    for number, token in enumerate(_OUTPUTS.finditer(data)):
        if number > MOST_TOKENS or token["endless"] is not None:
            return data
        if token["string"]:
            continue
        if token[0] in (b"]", b"}"):
            depth -= 1
            if depth == inside:  # the end of a list of outputs
                start, inside = token.start(), -1
        else:
            if inside < 0 and token["outputs"]:
                kept.append(data[start : token.end()])
                inside = depth
            depth += 1
    return b"".join([*kept, data[start:]]) if inside < 0 else data


def read_submission(data: bytes, limit: int = Limits.submission) -> tuple[list[Submitted], list[str]]:
    """The cells of a submission's bytes, and what was odd about them; Unreadable if it is no notebook."""
    if len(data) > limit:
        raise Unreadable(f"it is larger than {limit >> 20} MB")
    notes = []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
        notes.append("the file is not UTF-8; what could be read was read")
    if _structure(text) > MOST_STRUCTURE:
        raise Unreadable("it holds too many values")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("it is not a notebook: its JSON is broken" if text.strip() else "the file is empty") from None
    if not isinstance(notebook, dict):
        raise Unreadable("it is not a notebook")
    cells = notebook.get("cells")
    if not isinstance(cells, list) and isinstance(notebook.get("worksheets"), list):
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets for cell in sheet.get("cells") or []]
        notes.append("the notebook is of an old format")
    if not isinstance(cells, list):
        raise Unreadable("it is not a notebook: it has no cells")
    if len(cells) > 5000:
        raise Unreadable("it has more than 5000 cells")
    return [read for cell in cells if (read := _read_submitted(cell)) is not None], notes


def _read_submitted(cell: Any) -> Submitted | None:
    if not isinstance(cell, dict):
        return None
    source = cell.get("source")
    if source is None:
        source = cell.get("input", "")  # as format 3 had it
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return None
    metadata = cell.get("metadata")
    about = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    claims = about.get("grade_id") if isinstance(about, dict) else None
    kind = cell.get("cell_type")
    return Submitted(
        kind if kind in ("code", "markdown", "raw") else "raw",
        _text(source.replace("\r\n", "\n")),
        _text(claims)[:LONGEST_NAME] if isinstance(claims, str) else None,
        about.get("points") if isinstance(about, dict) else None,
        _pictures(cell.get("attachments")),
    )


LONGEST_NAME = 200  # characters of the name of a cell or a picture


def _text(text: str) -> str:
    """Text that can be written: JSON can hold halves of characters, which no file and no database takes."""
    return text.encode("utf-8", "replace").decode()


PICTURES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}  # kinds that no browser runs; how they begin
LARGEST_PICTURE = 6 << 20  # characters of base64
MOST_PICTURES = 20  # of one cell


def _pictures(attached: Any) -> dict[str, dict[str, str]]:
    """The pictures among a cell's attachments; what only says that it is one is left out."""
    found: dict[str, dict[str, str]] = {}
    for name, kinds in attached.items() if isinstance(attached, dict) else ():
        for kind, data in kinds.items() if isinstance(kinds, dict) else ():
            data = "".join(map(str, data)) if isinstance(data, list) else data
            if kind not in PICTURES or not isinstance(data, str) or len(data) > LARGEST_PICTURE:
                continue
            data = re.sub(r"\s+", "", data)
            with contextlib.suppress(ValueError):
                if len(found) < MOST_PICTURES and base64.b64decode(data, validate=True).startswith(PICTURES[kind]):
                    found[_text(name)[:LONGEST_NAME]] = {kind: data}
    return found


def place(cells: list[Submitted], assignment: Assignment) -> tuple[list[Placed], list[str]]:
    """The restored notebook: the student's cells in their order, and every cell of the source where it belongs.

    Cells are known by their grade_id; where that is lost, by their text, by the function they define, or by what
    stands before and after them. Copies of a test cell go, missing cells come back.
    """
    notes: list[str] = []
    defined = _definitions(cells)
    match = _by_id(cells, assignment, defined, notes)
    _by_text(cells, assignment, match, defined, notes)
    at: dict[int, int] = {number: index for index, number in match.items() if number >= 0}
    placed = [
        Placed(i, assignment.cells[match[i]] if match.get(i, -1) >= 0 else None, cell)
        for i, cell in enumerate(cells)
        if match.get(i, -1) != _COPY
    ]
    before = -1  # the position of the last source cell that is in place
    for number, cell in enumerate(assignment.cells):
        if number in at:
            found = next(i for i, p in enumerate(placed) if p.index == at[number])
            if cell.kind == "test" and found <= before < len(placed) and _question_at(placed, cell) > found:
                placed.insert(before, placed.pop(found))
                notes.append(f"the test cell {cell.grade_id} stood before its answer; it was moved behind it")
                found = before
            before = max(before, found) if cell.kind in ("solution", "test") else found
        elif cell.grade_id:
            before += 1
            while cell.kind == "test" and before < len(placed) and placed[before].cell is None:
                before += 1  # the answer may be in a cell of the student's own
            placed.insert(before, Placed(None, cell, None))
            if cell.kind != "ungraded":
                notes.append(f"the cell {cell.grade_id} was missing; it was put back")
    return placed, notes


_COPY = -2


def _question_at(placed: list[Placed], test: Cell) -> int:
    return max((i for i, p in enumerate(placed) if p.cell and p.cell.grade_id == test.question), default=-1)


MOST_READ = 500_000  # characters of a submission in which answers are looked for

Defined = Callable[[int], set[str]]


def _definitions(cells: list[Submitted]) -> Defined:
    """What the code cell of a number defines; nothing once too much has been read."""
    known: dict[int, set[str]] = {}
    left = MOST_READ

    def defined(index: int) -> set[str]:
        nonlocal left
        if index not in known:
            code = cells[index].cell_type == "code"
            left -= len(cells[index].source) if code else 0
            known[index] = set(_top_level_names(cells[index].source)) if code and left >= 0 else set()
        return known[index]

    return defined


def _by_id(cells: list[Submitted], assignment: Assignment, defined: Defined, notes: list[str]) -> dict[int, int]:
    """Which submitted cell is which source cell, by the grade_id it claims: {index: number, or _COPY}."""
    numbers = {cell.grade_id: number for number, cell in enumerate(assignment.cells) if cell.grade_id}
    answers = {name for cell in assignment.cells for name in cell.defines}
    claimed: dict[int, list[int]] = {}
    for index, submitted in enumerate(cells):
        if submitted.claims in numbers:
            number = numbers[submitted.claims]
            cell = assignment.cells[number]
            locked = cell.kind in ("test", "setup", "tools", "ungraded") and submitted.cell_type == "code"
            changed = locked and submitted.source != cell.release_source
            if changed and answers & defined(index):
                notes.append(f"an answer stood in the locked cell {cell.grade_id}; it was run as a cell of its own")
                continue
            claimed.setdefault(number, []).append(index)
            if submitted.cell_type != cell.cell_type:
                notes.append(f"the cell {cell.grade_id} had become {submitted.cell_type}; it is {cell.cell_type} again")
            if cell.points and submitted.points is not None and submitted.points != cell.points:
                notes.append(
                    f"the points of the cell {cell.grade_id} are not those of the notebook handed in; the source's hold"
                )
    match: dict[int, int] = {}
    for number, indices in claimed.items():
        cell = assignment.cells[number]
        chosen = indices[0]
        if cell.kind in ("solution", "written"):
            written = [i for i in indices if _normal(cells[i].source) != _normal(cell.release_source)]
            chosen = (written or indices)[-1]
        elif cell.kind == "test":
            answer = max(claimed.get(numbers.get(cell.question, -1), [-1]))
            chosen = next((i for i in indices if i > answer), indices[-1])
        match[chosen] = number
        if len(indices) > 1:
            notes.append(f"the cell {cell.grade_id} was there {len(indices)} times")
            if cell.kind in ("test", "setup", "tools", "ungraded"):
                match |= {i: _COPY for i in indices if i != chosen}
    return match


def _by_text(
    cells: list[Submitted], assignment: Assignment, match: dict[int, int], defined: Defined, notes: list[str]
) -> None:
    """Find the source cells that no grade_id led to, and add them to `match`."""
    taken = {number for number in match.values() if number >= 0}
    missing = [n for n, cell in enumerate(assignment.cells) if n not in taken]
    free = [i for i, cell in enumerate(cells) if i not in match]
    if not missing or not free:
        return
    texts = {i: _normal(cells[i].source) for i in free}

    def pair(number: int, index: int, how: str = "") -> None:
        match[index] = number
        missing.remove(number)
        free.remove(index)
        if how and assignment.cells[number].grade_id:
            notes.append(f"the cell {assignment.cells[number].grade_id} had lost its id; it was known by {how}")

    for number in list(missing):
        cell = assignment.cells[number]
        wanted = _normal(cell.release_source)
        same = next((i for i in free if texts[i] == wanted), None) if wanted else None
        if same is not None:
            pair(number, same, "its text" if cell.kind != "text" else "")
    for number in list(missing):
        cell = assignment.cells[number]
        if cell.kind == "solution":
            defining = [i for i in free if defined(i) & set(cell.defines)]
            if defining:
                pair(number, defining[0], f"its `{cell.defines[0]}`")
    for number in list(missing):
        cell = assignment.cells[number]
        if cell.kind != "text" and len(free) <= MOST_COMPARED:
            wanted = _normal(cell.release_source)
            near = max(((_likeness(texts[i], wanted), -i) for i in free), default=(0.0, 0))
            if near[0] > 0.7:
                pair(number, -near[1], "its text")
    for number in list(missing):
        if assignment.cells[number].kind == "written":
            between = _between(number, match, free, len(cells))
            answers = [i for i in between if cells[i].cell_type != "code" and texts[i]]
            if answers:
                pair(number, answers[0], "its place")


MOST_COMPARED = 100  # cells without an id that are compared with each missing cell


def _between(number: int, match: dict[int, int], free: list[int], end: int) -> list[int]:
    """The unclaimed cells between the neighbours of a source cell."""
    before = max((i for i, n in match.items() if 0 <= n < number), default=-1)
    after = min((i for i, n in match.items() if n > number and i > before), default=end)
    return [i for i in free if before < i < after]


def _normal(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().split("\n") if line.strip())


def _likeness(one: str, other: str) -> float:
    """How much of two texts is the same, from 0 to 1, by their first lines."""
    lines = one.split("\n")[:200], other.split("\n")[:200]
    return SequenceMatcher(None, *lines, autojunk=False).ratio() if one and other else 0.0


# --- The examiner's process ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Test:
    """A test cell, ready to run."""

    code: CodeType
    names: list[str]  # what it takes from the student
    hidden: set[int]  # the numbers of its hidden lines


_learnt: dict[str, _Test] = {}


def learn(source: str) -> _Test:
    """Get a test cell ready to run, and import what it imports, once for all submissions."""
    known = _learnt.get(source)
    if known is None:
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):  # what is imported from a package may be a module too
                names = [node.module or "", *(f"{node.module}.{name}" for name in names)]
            for name in names:
                with contextlib.suppress(Exception):  # the test itself will tell
                    importlib.import_module(name)
        hidden = stand_ins.hidden_lines(source, BEGIN_HIDDEN, END_HIDDEN)
        known = _learnt[source] = _Test(compile(source, _TEST, "exec"), stand_ins.free_names(source), hidden)
    return known


def names_of(source: str) -> list[str]:
    """What a test cell takes from the student; of a cell that is no Python, the test itself will tell."""
    with contextlib.suppress(Exception):
        return learn(source).names
    return []


def examine(line: socket.socket) -> None:
    """Run one submission's restored notebook: student cells over there, test cells here. Marks go out as decided."""
    first, handed, _, _ = socket.recv_fds(line, 1 << 16, 2)
    job = json.loads(_read_line(line, first))
    waiting = [tuple(socket.socket(fileno=descriptor) for descriptor in handed)]
    limits, first_step = Limits(**job["limits"]), job.get("from", 0)
    signal.setitimer(signal.ITIMER_REAL, limits.given_up - 5)  # this process ends before it is given up
    signal.signal(signal.SIGPROF, _test_too_long)
    sandboxes.limit_memory(limits.memory)  # and takes no more than a student's may

    def start() -> tuple[socket.socket, ...]:
        if waiting:
            return waiting.pop()
        line.sendall(b'{"need":"student"}\n')
        _, handed, _, _ = socket.recv_fds(line, 1, 2)
        return tuple(socket.socket(fileno=descriptor) for descriptor in handed)

    def tell(**message: Any) -> None:
        line.sendall(json.dumps(message).encode() + b"\n")

    tell(pid=os.getpid())
    steps, examination = job["steps"], _Examination(job["steps"], job["tools"], limits, start)
    examination.go_on(first_step, job.get("state", {}))
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    gradcheck.SEED = job["seed"]
    try:
        for at, number in list(enumerate(_order(steps)))[first_step:]:
            step, testing = steps[number], at >= len(steps)
            if at == len(steps):
                examination.tests_begin()
            if step["kind"] != "skip":
                tell(at=at, within=examination.own_work(step) + OVERTIME, state=examination.state())
            if testing:
                tell(mark=examination.test(number, step))
            elif any((ran := examination.run(number, step)).values()):
                tell(cell=number, **ran)
        tell(done=examination.notes)
    except stand_ins.NotStarted as failure:
        tell(failed=str(failure))


def _order(steps: list[dict[str, Any]]) -> list[int]:
    """The numbers of the steps in the order in which they are come to.

    First all of the notebook: the student's cells are run, before any test has lent anything, and each test's names are
    noted at its place. Then the tests, in the source's order: what a question's tests lend, others asked for before.
    """
    tests = [(step["order"], number) for number, step in enumerate(steps) if step["kind"] == "test"]
    return [*range(len(steps)), *(number for _, number in sorted(tests))]


_CARRIED = ("instead", "until", "room", "notes", "starts", "doubt")

TOO_LONG = "What your code gave takes too long to look at."
HELD_UP = "what the answer gave held the test up until it was ended"
BROKEN = "The test could not be brought to its end with what your code gave."
BROKE = "the test ended twice before it came to a verdict"
NOT_TRIED = "it was not tried: the time for the notebook was up, or its process had ended too often"


_COMPLEX = re.compile(r"\d\.?(e[-+]?\d+)?j\b|\.imag\b|\bcomplex(\d+|\()|[=(,] *complex\b")


class _Examination:
    """The state of one examination: the student's process, what has run in it, and the time that is left."""

    def __init__(self, steps: list[dict[str, Any]], tools: list[str], limits: Limits, start: Any) -> None:
        self.steps, self.limits = steps, limits
        self.tools: dict[str, Any] = {"__name__": "__main__"}  # what the notebook's hidden tests share
        for source in tools:
            exec(learn(source).code, self.tools)
        told = [_cut(step["source"], BEGIN_HIDDEN, END_HIDDEN) for step in steps]
        self.words = {word for source in told for word in re.findall(r"\w+", source)}
        code = "\n".join(step["source"] for step in steps if step["kind"] == "run")
        self.complex_numbers = bool(_COMPLEX.search(re.sub(r"#.*", "", code)))
        self.pupil = stand_ins.Pupil(start, self.line_text, self.words)
        self.ran: dict[int, str | list[str]] = {}  # what a fresh process does again: run a cell, note names
        self.instead: dict[str, str] = {}  # by number, what it gets of a cell that must not run again
        self.found: dict[int, dict[str, Any]] = {}  # what the names were bound to at each test's place
        self.before = 0.0  # seconds that an earlier examiner's students have spent
        self.until = limits.total_seconds
        self.room = 10 * limits.output  # characters of output of all cells together
        self.notes: list[str] = []
        self.slow: set[str] = set()  # questions with an answer that hung, or held a test up
        self.starts = 0
        self.doubt = ""  # why a person should look at what fails from here on

    def own_work(self, step: dict[str, Any]) -> float:
        """Seconds that the examiner itself may work on a step: little, where an answer has held it up already."""
        most = self.limits.test_seconds if step["kind"] == "test" else self.limits.cell_seconds
        return most if step.get("question") not in self.slow else min(3.0, most)

    def state(self) -> dict[str, Any]:
        """What another examiner must know to go on from here."""
        return {"before": self.spent(), "slow": [*self.slow], **{name: getattr(self, name) for name in _CARRIED}}

    def go_on(self, first: int, state: dict[str, Any]) -> None:
        """Take over before the step `first` from an examiner that has ended there, and left this state."""
        for name in _CARRIED if state else ():
            setattr(self, name, state[name])
        self.before, self.slow = state.get("before", 0.0), set(state.get("slow", ()))
        for number, step in enumerate(self.steps[:first]):
            if step["kind"] != "skip" and (source := self.instead.get(str(number), step["source"])):
                self.ran[number] = source if step["kind"] == "run" else self._names(step)

    def _names(self, step: dict[str, Any]) -> list[str]:
        """What a test takes from the student."""
        return [name for name in names_of(step["source"]) if name not in self.tools]

    def line_text(self, number: int, line: int) -> str:
        """A line of the student's, for messages: "line 3: `w -= eta * g`"."""
        if not 0 <= number < len(self.steps) or self.steps[number]["kind"] != "run":
            return ""
        lines = self.steps[number]["source"].split("\n")
        return f"    line {line}: {lines[line - 1].strip()[:200]}" if 0 < line <= len(lines) else ""

    def spent(self) -> float:
        """Seconds that the student's processes have worked or slept."""
        return self.before + self.pupil.spent()

    def tests_begin(self) -> None:
        """The tests have as much time and as many processes as the cells had, whatever these used up."""
        self.until, self.starts = self.spent() + self.limits.total_seconds, 0

    def left(self) -> float:
        """Seconds left for the cells, or for the tests."""
        return self.until - self.spent()

    def ready(self) -> bool:
        """Have a student's process in which all has run that came before; False if there is none to be had."""
        while not self.pupil.alive:
            self.starts += 1
            if self.starts > 30 or self.left() <= 0:
                return False
            self.pupil.start()
            for number, done in list(self.ran.items()):
                if self.left() <= 0:
                    self.pupil.stop()
                    return False
                try:
                    if isinstance(done, str):
                        seconds = min(self.limits.cell_seconds, max(self.left(), 1))
                        self.pupil.run(number, done, seconds, 0, self.steps[number].get("asked", ()))
                    else:
                        self._take(number, done)
                except stand_ins.StudentFailed:
                    self._guilty(number)
                    break
        return True

    def _guilty(self, number: int) -> None:
        """A cell that ended the process: the next one gets its definitions, or nothing of it."""
        whole = self.steps[number]["source"] if self.steps[number]["kind"] == "run" else ""
        smaller = stand_ins.definitions_alone(whole) if len(whole) <= LONGEST_ANSWER else ""
        if smaller.strip() and smaller != self.ran.get(number):
            self.ran[number] = self.instead[str(number)] = smaller
        else:
            self.ran.pop(number, None)
            self.instead[str(number)] = ""

    def _take(self, number: int, names: list[str]) -> None:
        """Note a place's names. Values stay as before any test had lent anything, functions are the last process's."""
        found = self.pupil.note(number, names)
        first = self.found.setdefault(number, found)
        first.update({name: value for name, value in found.items() if isinstance(first.get(name), stand_ins.StandIn)})

    def run(self, number: int, step: dict[str, Any]) -> dict[str, Any]:
        """Run a cell of the student's, or a locked one, or take what a test's names are: {"outputs", "error"}."""
        place = step["kind"] == "test"
        if step["kind"] == "skip" or (self.left() <= 0 and not place) or not self.ready():
            return {"outputs": [], "error": ""}
        self.ran[number] = self._names(step) if place else step["source"]
        seconds = min(self.limits.cell_seconds, max(self.left(), 0.1))
        try:
            with _own_work(seconds):
                if place:
                    self._take(number, self._names(step))
                    return {"outputs": [], "error": ""}
                room, asked = min(self.limits.output, self.room), step.get("asked", ())
                outputs, error = self.pupil.run(number, step["source"], seconds, room, asked)
            self.room = max(self.room - sum(len(text) + 1 for _, text in outputs), 0)
            told = "" if error is None else self._told(error, step["source"])
            if error is not None and error[0] == "TimeoutError" and "time was up" in error[1]:
                self._guilty(number)
                self.notes.append(f"{step['name']} ran for {seconds:.0f} s and was stopped")
                self._doubt(step["name"])
        except (stand_ins.StudentFailed, _TooLong) as failure:
            self.pupil.stop()
            self._guilty(number)
            self._doubt(step["name"])
            why = "what came back from it takes too long to look at" if isinstance(failure, _TooLong) else failure
            self.notes.append(f"{step['name']}: {why}; the process was started again without what broke it")
            return {"outputs": [], "error": f"Running this cell, {why}."}
        return {"outputs": [list(pair) for pair in outputs], "error": told}

    def _doubt(self, name: str) -> None:
        """A cell was stopped, perhaps through no fault of its own: a person looks at what fails after it."""
        if self.pupil.doubtful:
            self.doubt = self.doubt or f"{name} was stopped before this: {stand_ins.DOUBT}"

    def _told(self, error: Any, source: str) -> str:
        kind, message, lines, _ = error
        told = [self.line_text(cell, line) for cell, line in lines[-3:]]
        shown = message[:2000]
        if kind in ("SyntaxError", "IndentationError", "TabError"):
            shown = _syntax_error(source) or shown
        return printable("\n".join([*filter(None, told), f"{kind}: {shown}" if shown else kind]))

    def test(self, number: int, step: dict[str, Any]) -> dict[str, Any]:
        """Run a test cell: {"grade_id", "right", "message", "mistake", "seconds", "eye", "lent"}."""
        began = time.monotonic()
        message, mistake, eye = self._tested(number, step)
        if self.pupil.hung:
            self.slow.add(step["question"])
        if message is not None and not eye:
            eye = stand_ins.DOUBT if self.pupil.doubtful else self.doubt
        return {
            "grade_id": step["grade_id"],
            "right": message is None,
            "message": printable(self.pupil.tellable((message or "")[:6000])),
            "mistake": mistake,
            "seconds": round(time.monotonic() - began, 6),
            "eye": self.pupil.tellable(eye),
            "lent": bool(self.pupil.stand_for),
        }

    def _tested(self, number: int, step: dict[str, Any]) -> tuple[str | None, str | None, str]:
        limit = self.limits.call_seconds if step["question"] not in self.slow else min(3.0, self.limits.call_seconds)
        gradcheck.begin(step["own"])
        self.pupil.begin_test(limit, min(self.limits.test_seconds, max(self.left(), 0.1)))
        if not self.ready() or number not in self.found:
            why = "The time was up, or the cells ended the process too often, or gave what can't be read."
            return why, "no time", NOT_TRIED
        hidden: set[int] = set()
        try:
            test = learn(step["source"])
            hidden = test.hidden
            with _own_work(self.own_work(step)):
                self.pupil.enter(number)
                exec(test.code, {**self.found[number], **self.tools})
            self.pupil.end_test()
        except _TooLong:
            self.pupil.stop()  # it may have been in the middle of a message
            self.slow.add(step["question"])
            return TOO_LONG, "too slow", HELD_UP
        except gradcheck.WrongAnswer as wrong:
            return str(wrong) or "The answer is wrong.", wrong.mistake, ""
        except stand_ins.StudentFailed as failure:
            return f"Your code could not be tested: {failure}.", "ended or hung", ""
        except Exception as error:
            return _explained(error, hidden)
        except BaseException as error:
            return f"The test stopped ({type(error).__name__}).", None, f"{step['grade_id']}: {type(error).__name__}"
        return None, None, gradcheck.for_a_person(self.pupil.asked, self.complex_numbers)


_TEST = "<test>"


class _TooLong(BaseException):
    """A test has worked for too long on what a student's code gave it."""


def _test_too_long(*_: Any) -> None:
    raise _TooLong


@contextlib.contextmanager
def _own_work(seconds: float) -> Iterator[None]:
    """Let this process work for so long; waiting for a student's process is not counted."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        with contextlib.suppress(_TooLong):
            signal.setitimer(signal.ITIMER_PROF, 0)


def _syntax_error(source: str) -> str:
    """What Python says of a cell that is no Python, by our own reading of it."""
    try:
        ast.parse(source[:LONGEST_ANSWER])
    except SyntaxError as error:
        return error.msg
    except (ValueError, RecursionError, MemoryError):
        pass
    return ""


def _explained(error: Exception, hidden: set[int]) -> tuple[str, str | None, str]:
    """What an error in a test cell means for the student; nothing of a hidden line is in it."""
    kind = type(error).__name__
    secret = _test_line(error) in hidden
    text = str(error)
    told = getattr(error, "student_traceback", None)
    if told is not None:  # it comes from the student's code
        if kind == "NotImplementedError":
            return (
                f"This answer is not written yet ({text})." if text else "This answer is not written yet.",
                "not written",
                "",
            )
        if kind == "TimeoutError":
            return f"Your code was stopped: {text}.\n{told}".strip(), "too slow", ""
        return f"Your code raised {kind}{f': {text}' if text else ''}\n{told}".strip(), f"raised {kind}", ""
    if isinstance(error, NameError) and getattr(error, "name", None):
        return f"There is no `{error.name}` in the notebook: is its cell written, and free of errors?", "missing", ""
    if isinstance(error, AssertionError):
        mistake = getattr(error, "mistake", None)
        if text:
            told = without_numbers(text.strip()) if secret else text
            return told or "A test of this answer failed.", mistake, ""
        return "A test of this answer failed.", mistake, ""
    shown = f": {text}" if text and not secret else ""
    return (
        f"The test could not work with what your code gave ({kind}{shown}).",
        f"test {kind}",
        f"{kind} in a test{shown}",
    )


def _test_line(error: BaseException) -> int:
    """The line of the test cell where an error passed."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _TEST:
            line = line or trace.tb_lineno
        trace = trace.tb_next
    return line


def _read_line(line: socket.socket, first: bytes) -> bytes:
    parts = [first]
    while not parts[-1].endswith(b"\n"):
        parts.append(line.recv(1 << 20))
        if not parts[-1]:
            raise EOFError
    return b"".join(parts)


# --- Grading -------------------------------------------------------------------------------------------------------

_nurseries: dict[tuple[int, str, tuple[str, ...]], sandboxes.Nursery] = {}
_nursery_lock = threading.Lock()


def nursery(sandbox: str = "auto", hidden: tuple[str, ...] = ()) -> sandboxes.Nursery:
    """This process's nursery, started when it is first asked for; NoSandbox where student code can't be held."""
    hidden = sandboxes.exposed(hidden)
    key = (os.getpid(), sandbox, hidden)
    with _nursery_lock:
        found = _nurseries.get(key)
        if found is None or not found.alive():
            if found is not None:
                found.close()
            found = _nurseries[key] = sandboxes.Nursery(sandbox, hidden)
            Finalize(None, found.close, exitpriority=1)
        return found


def close_nurseries() -> None:
    """End this process's nurseries and all that they started."""
    with _nursery_lock:
        for key in [key for key in _nurseries if key[0] == os.getpid()]:
            _nurseries.pop(key).close()


def grade(
    submission: bytes,
    assignment: Assignment,
    secret: bytes,
    limits: Limits | None = None,
    sandbox: str = "auto",
    hidden: tuple[str, ...] = (),
    known: Result | None = None,
) -> Result:
    """Grade one submission's bytes. Never raises for anything that a submission is or does.

    Tests that have a mark in `known`, an earlier result of the same submission, are not run again: their marks stand.

    No file in the folders of `hidden`, nor in the home folder and the current one, is there for student code to read.
    The same submission, assignment and secret give the same marks. NoSandbox is raised where student code can't be
    shut in and `sandbox` is not "none"; GraderFailed where the grader's own processes don't start.
    """
    limits = limits or Limits()
    began = time.monotonic()
    home = nursery(sandbox, hidden)
    seed, digest = assignment.seed(submission, secret), hashlib.sha256(submission).hexdigest()
    try:
        cells, notes = read_submission(submission, limits.submission)
    except Unreadable as why:
        return replace(_unreadable(assignment, why, digest), sandbox=home.rung, seed=seed)
    placed, more = place(cells, assignment)
    stand = {mark.grade_id: mark for mark in known.marks} if known else {}
    anew, tied = _ties(placed, assignment)
    job = {
        "steps": list(_steps(placed, assignment, anew, stand)),
        "tools": [cell.source for cell in assignment.cells if cell.kind == "tools"],
        "limits": asdict(limits),
        "seed": seed,
    }
    told, outcome = _outcome(job, limits, digest, home)
    marks, eyes = _marks(placed, assignment, told, outcome, tied, stand)
    eyes += [why for why in known.needs_eye if why.split(":")[0] in stand] if known else []
    messages = {mark.grade_id: mark.message for mark in marks}
    return Result(
        assignment=assignment.name,
        marks=marks,
        notes=tuple([*notes, *more, *outcome]),
        needs_eye=tuple(eyes),
        sandbox=home.rung,
        seed=seed,
        digest=digest,
        seconds=round(time.monotonic() - began, 6),
        cells=tuple(_output(p, told["cells"].get(i, {}), messages) for i, p in enumerate(placed)),
    )


def restored(submission: bytes, assignment: Assignment) -> Result:
    """A submission as it would be graded, with nothing run: its cells in place, what was odd, and no marks."""
    digest = hashlib.sha256(submission).hexdigest()
    try:
        cells, notes = read_submission(submission)
    except Unreadable as why:
        return replace(_unreadable(assignment, why, digest), marks=())
    placed, more = place(cells, assignment)
    outputs = tuple(_output(p, {}, {}) for p in placed)
    return Result(assignment.name, (), tuple([*notes, *more]), (), "", 0, digest, 0.0, outputs)


def _unreadable(assignment: Assignment, why: Unreadable, digest: str) -> Result:
    message, note = f"The notebook can't be read: {why}.", f"the notebook can't be read: {why}"
    marks = tuple(Mark(c.grade_id, c.question, c.points, 0.0, message, "unreadable") for c in assignment.graded)
    return Result(assignment.name, marks, (note,), (note,), "", 0, digest, 0.0)


def _steps(
    placed: list[Placed], assignment: Assignment, own: Ties, stand: Mapping[str, Mark]
) -> Iterator[dict[str, Any]]:
    order = {cell.grade_id: number for number, cell in enumerate(assignment.cells)}
    for p in placed:
        cell, submitted = p.cell, p.submitted
        code = cell.cell_type == "code" if cell else submitted is not None and submitted.cell_type == "code"
        name = f"the cell {cell.grade_id}" if cell and cell.grade_id else f"cell {(p.index or 0) + 1}"
        if cell and cell.kind == "test" and cell.grade_id not in stand:
            about = {"grade_id": cell.grade_id, "question": cell.question, "order": order[cell.grade_id]}
            yield {"kind": "test", "source": cell.source, "name": name, "own": own.get(cell.question, []), **about}
        elif cell and cell.kind == "setup":
            yield {"kind": "run", "source": cell.release_source, "name": name}
        elif code and cell and cell.kind == "solution":
            source = submitted.source if submitted else ""
            yield {"kind": "run", "source": source, "name": name, "asked": cell.defines}
        elif code and submitted and p.kind in ("own", "text"):
            yield {"kind": "run", "source": submitted.source, "name": name}
        else:
            yield {"kind": "skip", "source": "", "name": name}


Ties = Mapping[str, list[str]]
_AT_ONCE = re.compile(r"^(?!def |class |#)\S.*", re.MULTILINE)  # the lines of a cell that run when it does


def _ties(placed: list[Placed], assignment: Assignment) -> tuple[Ties, Ties]:
    """By question: the earlier answers that its cell writes anew, and the earlier questions that it is tied to.

    Tied, since a right answer that is lent may not reach it: by a helper of that question's cell, or by an answer that
    is used while the cell runs, and not just when a function of it is called.
    """
    written = {p.cell.grade_id: p.submitted.source for p in placed if p.cell and p.submitted and p.kind == "solution"}
    earlier: dict[str, tuple[str, bool]] = {}  # of a name the question, and whether it is what the question asks for
    anew, tied, left = {}, {}, MOST_READ
    for cell in assignment.cells:
        if cell.kind == "solution" and cell.cell_type == "code":
            source = written.get(cell.grade_id, "")
            left -= len(source)
            names = _top_level_names(source) if left >= 0 else []
            words = set(re.findall(r"\w+", source)).difference(names) if left >= 0 else set()
            at_once = words.intersection(re.findall(r"\w+", " ".join(_AT_ONCE.findall(source))))
            anew[cell.grade_id] = [name for name in names if name in earlier and earlier[name][1]]
            uses = {question for name, (question, asked) in earlier.items() if name in (at_once if asked else words)}
            tied[cell.grade_id] = sorted(uses)
            earlier = {n: (cell.grade_id, n in cell.defines) for n in (*names, *cell.defines)} | earlier
    return anew, tied


def _outcome(
    job: dict[str, Any], limits: Limits, digest: str, home: sandboxes.Nursery
) -> tuple[dict[str, Any], list[str]]:
    """What was told of the cells and marks, and notes; where the work did not come to its end, what was told so far.

    One examiner does all of it, unless a student's values keep it busy where no signal reaches it, or break it. Then
    it is ended, what it was at gets no mark and a person's eye, and another examiner goes on with the next step. An
    end that nobody here brought about is tried once more before it is blamed on the step.
    """
    told: dict[str, Any] = {"cells": {}, "marks": {}}
    deadline, broke = time.monotonic() + limits.given_up, -1
    with sandboxes.own_core() as core:
        while True:
            try:
                ended = _examined(job, told, limits, digest, home, core, deadline)
            except (OSError, ValueError) as error:
                return told, [f"the examiner's process failed ({error})"]
            if "done" in told:
                return told, told["done"]
            at = told.pop("at", None)
            if ended == "late" or (at is None and broke is None):
                return told, ["the examiner's process ended before its work was done"]
            if at is not None:
                job |= {"from": at, "state": told["state"]}
                if ended == "busy" or broke == at:
                    _blame(job, told, at, ended == "busy")
            broke = at


def _blame(job: dict[str, Any], told: dict[str, Any], at: int, busy: bool) -> None:
    """A step has kept the examiner busy, or ended it: it gets the blame, and the next examiner goes on behind it."""
    number = _order(job["steps"])[at]
    step, message = job["steps"][number], TOO_LONG if busy else BROKEN
    if at >= len(job["steps"]):
        told["marks"][step["grade_id"]] = {
            "grade_id": step["grade_id"],
            "right": False,
            "message": message,
            "mistake": "too slow" if busy else "ended or hung",
            "seconds": 0.0,
            "eye": HELD_UP if busy else BROKE,
            "lent": False,
        }
    else:
        told["cells"][number] = {"outputs": [], "error": message}
        job["state"]["instead"][str(number)] = ""
    job["state"]["slow"].append(step.get("question"))
    job["from"] = at + 1


OVERTIME = 5.0  # seconds of its own that an examiner may work on a step beyond those in which it stops by itself


def _examined(
    job: dict[str, Any],
    told: dict[str, Any],
    limits: Limits,
    digest: str,
    home: sandboxes.Nursery,
    core: int | None,
    deadline: float,
) -> str:
    """Let one examiner work, and note what it tells: "" when it has ended, "busy" or "late" where it was ended."""
    tests = [*job["tools"], *(step["source"] for step in job["steps"] if step["kind"] == "test")]
    student_seed = int.from_bytes(hashlib.sha256(b"student" + digest.encode()).digest()[:4], "big")
    scratches: list[str] = []
    examiner, until = watch.Process(), math.inf
    line = home.examiner(tests, core)

    def hand_over(data: bytes) -> None:
        student, leash, scratch = home.student(asdict(limits), student_seed, core)
        scratches.append(scratch)
        with student, leash:
            sent = socket.send_fds(line, [data], [student.fileno(), leash.fileno()])
        line.sendall(data[sent:])

    try:
        line.settimeout(60)
        hand_over(json.dumps(job).encode() + b"\n")
        for message in _messages(line):
            if message is None:  # nothing for a while
                late = time.monotonic() > deadline
                if late or (examiner.counted and examiner.worked() > until):
                    examiner.signal(signal.SIGKILL)
                    return "late" if late else "busy"
            elif "need" in message:
                hand_over(b"S")
            elif "at" in message:
                told["at"], told["state"] = message["at"], message["state"]
                until = examiner.worked() + message["within"]
            elif "mark" in message:
                told["marks"][message["mark"]["grade_id"]] = message["mark"]
            elif "cell" in message:
                told["cells"][message["cell"]] = message
            elif "pid" in message:
                examiner = watch.Process(message["pid"])
            elif "failed" in message:
                raise GraderFailed(message["failed"])
            elif "done" in message:
                told["done"] = message["done"]
                break
        return ""
    finally:
        line.close()
        examiner.close()
        home.forget(scratches)


def _messages(line: socket.socket) -> Iterator[dict[str, Any] | None]:
    """What an examiner says; None for each half second in which it says nothing."""
    data = b""
    while True:
        while b"\n" in data:
            first, _, data = data.partition(b"\n")
            yield json.loads(first)
        if not select.select([line], [], [], 0.5)[0]:
            yield None
            continue
        try:
            piece = line.recv(1 << 20)
        except ConnectionResetError:  # it ended with something unread
            return
        if not piece:
            return
        data += piece


def _marks(
    placed: list[Placed],
    assignment: Assignment,
    told: dict[str, Any],
    outcome: list[str],
    tied: Ties,
    stand: Mapping[str, Mark],
) -> tuple[tuple[Mark, ...], list[str]]:
    eyes = [] if "done" in told else [note for note in outcome if "examiner" in note]
    marks = []
    answers = {p.cell.grade_id: p for p in placed if p.cell}
    errors = {p.cell.grade_id: told["cells"].get(i, {}).get("error", "") for i, p in enumerate(placed) if p.cell}
    for cell in assignment.graded:
        if cell.kind == "written":
            submitted = answers[cell.grade_id].submitted
            blank = submitted is None or _normal(submitted.source) in ("", _normal(cell.release_source))
            if blank and _beside(placed, cell.grade_id):
                blank = False
                eyes.append(f"{cell.grade_id}: its box is empty, and a cell beside it may hold the answer")
            score, message = (0.0, "No response.") if blank else (None, "")
            marks.append(Mark(cell.grade_id, cell.question, cell.points, score, message))
            continue
        if cell.grade_id in stand:
            marks.append(stand[cell.grade_id])
            continue
        mark = told["marks"].get(cell.grade_id)
        if mark is None:
            marks.append(Mark(cell.grade_id, cell.question, cell.points, 0.0, "This test could not be run."))
            continue
        if mark["eye"]:
            eyes.append(f"{cell.grade_id}: {mark['eye']}")
        score, message, mistake = cell.points if mark["right"] is True else 0.0, mark["message"], mark["mistake"]
        why = errors.get(cell.question, "")
        if mistake in ("missing", "not written") and why and "NotImplementedError" not in why:
            message = f"The answer's cell stopped with an error, so there is nothing to test:\n{why}"
            mistake = "cell failed"
        marks.append(Mark(cell.grade_id, cell.question, cell.points, score, message, mistake, mark["seconds"]))
    lost = {mark.question for mark in marks if mark.score is not None and mark.score < mark.points}
    for mark in marks:
        wrong = [question for question in tied.get(mark.question, []) if question in lost]
        if wrong and mark.score == 0 and told["marks"].get(mark.grade_id, {}).get("lent"):
            eyes.append(f"{mark.grade_id}: it uses the cell of {', '.join(wrong)}, which is wrong: the same mistake?")
    return tuple(marks), eyes


def _beside(placed: list[Placed], grade_id: str) -> bool:
    """Whether the student's own cells next to a written answer's box hold text: it may be the answer."""
    at = next(i for i, p in enumerate(placed) if p.cell and p.cell.grade_id == grade_id)
    below = itertools.takewhile(lambda p: p.cell is None, placed[at + 1 :])
    above = itertools.takewhile(lambda p: p.cell is None, reversed(placed[:at]))
    return any(p.submitted and _is_text(p.submitted) for p in itertools.chain(below, above))


def _is_text(cell: Submitted) -> bool:
    lines = [line.strip() for line in cell.source.strip().split("\n")]
    if cell.cell_type == "code" and not all(not line or line.startswith("#") for line in lines):
        return bool(re.fullmatch(r"([\"\'])\1\1.*\1{3}", cell.source.strip(), re.DOTALL))  # a text and nothing else
    return any(re.search(r"\w", line) for line in lines) or bool(cell.pictures)


def _output(placed: Placed, told: dict[str, Any], messages: Mapping[str, str]) -> CellOutput:
    cell, submitted = placed.cell, placed.submitted
    grade_id = cell.grade_id or None if cell else None
    if cell and cell.kind == "test":
        return CellOutput(grade_id, "code", cell.release_source, (), messages.get(cell.grade_id, ""))
    if cell and (cell.kind in ("setup", "tools", "ungraded") or submitted is None):
        source = cell.release_source
    else:
        source = submitted.source if submitted else ""
    kind = cell.cell_type if cell else submitted.cell_type if submitted else "raw"
    outputs = tuple((name, text) for name, text in told.get("outputs", []))
    shown = submitted.pictures if submitted and kind != "code" else {}
    return CellOutput(grade_id, kind, source, outputs, told.get("error", ""), shown)
