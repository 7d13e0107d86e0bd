"""A submission, read from its bytes: nothing in it is trusted."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from examiner.grading.assignment import Limits


class Unreadable(ValueError):
    """Bytes that are no notebook; the message says why."""


@dataclass(frozen=True)
class Submitted:
    """A cell of a submission."""

    cell_type: str
    source: str
    claims: str | None  # the grade_id in its metadata
    points: Any = None
    pictures: dict[str, dict[str, str]] = field(default_factory=dict)  # by name, then kind, in base64: a text's
    # attachments, or what a cell of code had drawn when it was saved


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


def _notebook(data: bytes, limit: int = Limits.submission) -> tuple[dict[str, Any], list[str]]:
    """A notebook's JSON, and what was odd about its text; Unreadable if it is none."""
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
    return notebook, notes


def kernel_language(data: bytes) -> str:
    """The language of a notebook's kernel in lower case, as far as it names one."""
    try:
        about: Any = _notebook(data)[0].get("metadata")
    except Unreadable:
        return ""
    for name in ("kernelspec", "language"):
        about = about.get(name) if isinstance(about, dict) else None
    return about.lower() if isinstance(about, str) else ""


def read_submission(data: bytes, limit: int = Limits.submission) -> tuple[list[Submitted], list[str]]:
    """The cells of a submission's bytes, and what was odd about them; Unreadable if it is no notebook."""
    notebook, notes = _notebook(data, limit)
    cells = notebook.get("cells")
    if not isinstance(cells, list) and isinstance(notebook.get("worksheets"), list):
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets for cell in sheet.get("cells") or []]
        notes.append("the notebook is of an old format")
    if not isinstance(cells, list):
        raise Unreadable("it is not a notebook: it has no cells")
    if len(cells) > 5000:
        raise Unreadable("it has more than 5000 cells")
    found = [read for cell in cells if (read := _read_submitted(cell)) is not None]
    return _few_plots(found), notes


MOST_PLOTS = 2 << 20  # characters of base64, of all that a notebook's code had drawn: each is kept with the marks


def _few_plots(cells: list[Submitted]) -> list[Submitted]:
    """The cells without the plots for which there is no room."""
    room = MOST_PLOTS
    for cell in cells if sum(map(_size, cells)) > room else ():
        for name in list(cell.pictures) if cell.cell_type == "code" else ():
            room -= sum(map(len, cell.pictures[name].values()))
            if room < 0:
                del cell.pictures[name]
    return cells


def _size(cell: Submitted) -> int:
    return sum(len(data) for kinds in cell.pictures.values() for data in kinds.values())


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
        _pictures(_saved(cell.get("outputs")) if kind == "code" else cell.get("attachments")),
    )


def _saved(outputs: Any) -> dict[str, Any]:
    """What the saved outputs of a cell of code show, by number."""
    shown = [output.get("data") for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []
    return {str(number): data for number, data in enumerate(shown)}


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
