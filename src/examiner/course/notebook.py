"""The marked notebook in autograded/, and what is read back from it."""

from __future__ import annotations

import functools
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

from examiner.grading.assignment import BEGIN_GUIDE, END_GUIDE, Assignment
from examiner.grading.result import CellOutput, Mark, Result
from examiner.pages.markup import LONGEST_TEXT

MOST_OF_THEIR_OWN = 50_000  # characters of a student's own cells; to set those after them well could take minutes


def marked_notebook(assignment: Assignment, result: Result, key: str = "", student: str = "") -> NotebookNode:
    """The notebook that goes to autograded/: every cell of the assignment once, the student's answers and own cells.

    Test cells are the source's, with the verdict as their output, so that nbgrader reads the same marks from it. It
    is for tutors: it holds the hidden tests and the marking guide.
    """
    known = {cell.grade_id: cell for cell in assignment.cells if cell.grade_id}
    marks = {mark.grade_id: mark for mark in result.marks}
    cells: list[tuple[str | None, dict[str, Any]]] = []
    room = MOST_OF_THEIR_OWN
    for submitted in result.cells:
        cell = known.pop(submitted.grade_id, None) if submitted.grade_id else None
        if cell is None:
            room -= min(len(submitted.source), LONGEST_TEXT)  # a longer cell is shown as it is
            cells.append((None, _new_cell(submitted.cell_type if room >= 0 else "raw", submitted.source, submitted)))
        else:
            cells.append((cell.grade_id, _own_cell(cell, submitted, marks.get(cell.grade_id))))
    position = 0
    for cell in assignment.cells:
        if not cell.grade_id:
            continue
        if cell.grade_id in known:
            cells.insert(position, (cell.grade_id, _own_cell(cell, None, marks.get(cell.grade_id))))
            position += 1
        else:
            position = next(i for i, (name, _) in enumerate(cells) if name == cell.grade_id) + 1
    nodes: list[dict[str, Any]] = []
    for grade_id, node in cells:
        nodes.append(node)
        guide = guide_of(next(cell for cell in assignment.cells if cell.grade_id == grade_id)) if grade_id else ""
        if guide:
            text = f"**Marking guide** (students never see this)\n\n{guide}"
            about = _new_cell("markdown", textwrap.indent(text, "> ", lambda line: True), None)
            about["metadata"]["workshop"] = {"kind": "guide"}
            nodes.append(about)
    for index, node in enumerate(nodes):
        node["id"] = f"cell-{index}"
    metadata = {
        "workshop": {
            "key": key,
            "student": student,
            "notes": list(result.notes),
            "needs_eye": list(result.needs_eye),
            "sandbox": result.sandbox,
            "seed": str(result.seed),
            "submission": result.digest,
        },
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return nbformat.from_dict({"metadata": metadata, "nbformat": 4, "nbformat_minor": 5, "cells": nodes})


def _new_cell(cell_type: str, source: str, submitted: Any) -> dict[str, Any]:
    """A cell as plain data: nbformat's own functions would validate each one against the schema by itself."""
    cell: dict[str, Any] = {"cell_type": cell_type, "metadata": {}, "source": source}
    if cell_type == "code":
        cell |= {"execution_count": None, "outputs": _outputs(submitted) if submitted else []}
    elif cell_type != "markdown":
        cell["cell_type"] = "raw"
    if cell["cell_type"] != "code" and submitted and submitted.pictures:
        cell["attachments"] = submitted.pictures
    return cell


def _outputs(submitted: Any) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []
    for kind, text in submitted.outputs:
        if kind == "result":
            outputs.append({"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}})
        else:
            outputs.append({"output_type": "stream", "name": kind, "text": text})
    for kinds in submitted.pictures.values():
        outputs.append({"output_type": "display_data", "data": dict(kinds), "metadata": {}})
    if submitted.error:
        name, _, value = submitted.error.strip().split("\n")[-1].partition(":")
        outputs.append(_error(name, value.strip(), submitted.error.rstrip()))
    return outputs


def _error(name: str, value: str, text: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": text.split("\n")}


def _own_cell(cell: Any, submitted: Any, mark: Any) -> dict[str, Any]:
    """A cell of the assignment: the student's source where it is his to write, ours elsewhere."""
    theirs = cell.kind in ("solution", "written")
    source = cell.release_source if submitted is None else submitted.source
    node = _new_cell(cell.cell_type, source if theirs else cell.source, submitted)
    about = {"schema_version": 3, **cell.metadata, "cell_type": cell.cell_type}
    about["checksum"] = _checksum(cell.cell_type, cell.release_source if theirs else cell.source, json.dumps(about))
    own = {"kind": cell.kind, "question": cell.question}
    if mark is not None:
        own |= {"message": mark.message, "mistake": mark.mistake}
    node["metadata"] = {"nbgrader": about, "workshop": own}
    if cell.kind == "test":
        lost = mark is not None and (mark.score is None or mark.score < mark.points)
        node["outputs"] = [_error("WrongAnswer", mark.message.split("\n")[0], mark.message)] if lost else []
    return node


@functools.lru_cache(1024)
def _checksum(cell_type: str, source: str, about: str) -> str:
    """nbgrader's own checksum of a cell as it was given out."""
    given = {"cell_type": cell_type, "source": source, "metadata": {"nbgrader": json.loads(about)}}
    return str(utils.compute_checksum(nbformat.from_dict(given)))


def guide_of(cell: Any) -> str:
    """What the source says to the marker in a written question: its marking scheme, or else its model answer."""
    if cell.kind != "written":
        return ""
    guide = re.search(rf"{BEGIN_GUIDE}[^\n]*\n(.*?)(^[^\n]*{END_GUIDE}|\Z)", cell.source, re.DOTALL | re.MULTILINE)
    if guide:
        return guide[1].strip()
    return str(cell.source) if cell.metadata.get("solution") else ""


def read_sources(path: Path) -> dict[str, str]:
    """What the cells held in a marked notebook of an earlier run, by grade_id; nothing where it can't be read."""
    try:
        cells = json.loads(path.read_bytes())["cells"]
        return {
            cell["metadata"]["nbgrader"]["grade_id"]: cell["source"] for cell in cells if "nbgrader" in cell["metadata"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def read_result(path: Path, assignment: Assignment) -> Result | None:
    """What an earlier run found out, from its marked notebook; None where there is none that can be read."""
    try:
        nb = json.loads(path.read_bytes())
        about = nb["metadata"]["workshop"]
        cells, said = [], {}
        for cell in nb["cells"]:
            if name := cell["metadata"].get("nbgrader", {}).get("grade_id"):
                cells.append(CellOutput(name, cell["cell_type"], cell["source"]))
                said[name] = cell["metadata"].get("workshop", {})
        marks = tuple(
            Mark(
                cell.grade_id,
                cell.question,
                cell.points,
                0.0,
                said.get(cell.grade_id, {}).get("message") or "",
                said.get(cell.grade_id, {}).get("mistake"),
            )
            for cell in assignment.graded
        )
        return Result(
            assignment.name,
            marks,
            tuple(about["notes"]),
            tuple(about["needs_eye"]),
            about["sandbox"],
            int(about["seed"]),
            about["submission"],
            0.0,  # what it took is not kept: marked notebooks are the same however long that was
            tuple(cells),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def unseen(assignment: Assignment) -> Result:
    """What is known of a submission of which the gradebook has the marks, and this course's folders nothing."""
    marks = tuple(Mark(cell.grade_id, cell.question, cell.points, 0.0) for cell in assignment.graded)
    return Result(assignment.name, marks, (), (), "", 0, "", 0.0)


def notebook_text(nb: NotebookNode) -> str:
    """A notebook as JSON, a line for each cell, its metadata first, so that its key is found without reading it all."""
    head = {name: nb[name] for name in ("metadata", "nbformat", "nbformat_minor")}
    cells = ",\n".join(json.dumps(cell, ensure_ascii=False) for cell in nb["cells"])
    return json.dumps(head, ensure_ascii=False)[:-1] + f', "cells": [\n{cells}\n]}}\n'
