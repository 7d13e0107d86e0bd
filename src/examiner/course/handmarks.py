"""Marks given by hand outside of formgrader: the answers that a page shows without names, and marks taken back.

An answer goes by a token of the course's secret, the student and the text: the page names nobody, and a mark for a
text that has changed since finds no answer.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook

from examiner.batch.job import ClassError
from examiner.course.course import Course
from examiner.course.gradebook import mark_by_hand, read_marks
from examiner.grading.assignment import Assignment
from examiner.grading.parts import notebooks
from examiner.isolation.files import write_atomically

COLUMNS = ("assignment", "question", "answer", "score", "comment", "marker")
AGREED = "agreed"  # the marker whose mark stands whatever the others gave


@dataclass(frozen=True)
class Written:
    """One student's answer to a written question."""

    token: str
    student: str
    assignment: str
    question: str
    points: float
    cells: tuple[Any, ...]  # of the marked notebook: its box, and the student's own texts beside it
    waits: bool
    by_hand: float | None = None  # a person's mark that stands in the gradebook
    notebook: str = ""  # the name of its notebook, and in that its cell's
    cell: str = ""


def written_answers(
    course: Course, gradebook: Gradebook, assignments: Mapping[str, Assignment], secret: bytes
) -> list[Written]:
    """Every written answer that is there, by question, in an order that says nothing of whose it is."""
    found = []
    for name, part in [(name, part) for name, whole in assignments.items() for part in notebooks(whole)]:
        notebook, before = part.notebook, f"{part.notebook}/" if part.of_several else ""
        asked = {cell.grade_id: cell for cell in part.cells if cell.kind == "written"}
        for student, marked in read_marks(gradebook, name, notebook=notebook).items():
            path = course.autograded / student / name / f"{notebook}.ipynb"
            if not path.is_file():
                continue
            nb: Any = nbformat.from_dict(json.loads(path.read_bytes()))
            for at, box in enumerate(nb.cells):
                about = asked.get(box.metadata.get("nbgrader", {}).get("grade_id", ""))
                if about is None:
                    continue
                waits = about.grade_id in marked.waiting
                if not waits and box.source.strip() in ("", about.release_source.strip()):
                    continue
                cells = (box, *_beside(nb.cells, at))
                text = "\0".join([name, before + about.grade_id, student, *(cell.source for cell in cells)])
                token = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:12]
                stands = about.grade_id in marked.by_hand and not waits
                by_hand = marked.scores[about.grade_id] if stands else None
                question = before + about.grade_id
                found.append(
                    Written(
                        token, student, name, question, about.points, cells, waits, by_hand, notebook, about.grade_id
                    )
                )
    order = [(name, cell.grade_id) for name, assignment in assignments.items() for cell in assignment.cells]
    return sorted(found, key=lambda one: (order.index((one.assignment, one.question)), one.token))


def _beside(cells: Sequence[Any], at: int) -> list[Any]:
    """The student's own texts next to an answer's box: the answer may stand there."""
    own = [cell.cell_type != "code" and cell.metadata.get("workshop", {}).get("kind") != "guide" for cell in cells]
    found = []
    for step in (-1, 1):
        place = at + step
        while 0 <= place < len(cells) and "nbgrader" not in cells[place].metadata:
            found += [cells[place]] if own[place] else []
            place += step
    return found


# --- marks taken back ---
@dataclass
class Taking:
    """What taking marks did."""

    written: int = 0
    unknown: int = 0  # rows of answers that have changed since, or are another course's
    differing: list[tuple[Written, dict[str, tuple[float, str]]]] = field(default_factory=list)


def take_marks(gradebook: Gradebook, answers: Sequence[Written], files: Sequence[Path], state: Path) -> Taking:
    """Write markers' CSVs into the gradebook, where all who marked an answer agree, or one row says `agreed`.

    What each marker gave is remembered in `state`, so that a second marker's file can come later.
    """
    by_token = {one.token: one for one in answers}
    kept = _remembered(state)
    taken, touched = Taking(), set()
    for answer in answers:  # a mark from formgrader counts as one more marker's
        if answer.by_hand is not None and answer.by_hand not in {s for s, _ in kept.get(answer.token, {}).values()}:
            kept.setdefault(answer.token, {})["gradebook"] = (answer.by_hand, "")
    for file in files:
        for line, row in _rows(file):
            token = row["answer"]
            if token not in by_token:
                taken.unknown += 1
                continue
            score = _score(row["score"], by_token[token], file, line)
            kept.setdefault(token, {})[row["marker"] or file.stem] = (score, row["comment"])
            touched.add(token)
    for answer in answers:
        given = kept.get(answer.token, {})
        if answer.token in touched and AGREED not in given and len({score for score, _ in given.values()}) > 1:
            taken.differing.append((answer, given))
        elif answer.token in touched:
            score, comment = given.get(AGREED) or next(iter(given.values()))
            comments = [comment] if AGREED in given else list(dict.fromkeys(c for _, c in given.values() if c))
            where = answer.assignment, answer.notebook, answer.student, answer.cell
            mark_by_hand(gradebook, *where, score, "\n\n".join(comments))
            taken.written += 1
    write_atomically(state, json.dumps(kept, indent=1, ensure_ascii=False))
    return taken


def _remembered(state: Path) -> dict[str, dict[str, tuple[float, str]]]:
    try:
        kept = json.loads(state.read_text(encoding="utf-8"))
        return {token: {m: (float(s), str(c)) for m, (s, c) in given.items()} for token, given in kept.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ClassError(f"{state}, which remembers markers' marks, can't be read ({error}). Move it aside.") from error


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows that have a mark, each with its line."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ClassError(f"{file} can't be read: {error}. Nothing was changed.") from error
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text.split("\n", 1)[0] else ",")
    if not set(COLUMNS) <= set(rows.fieldnames or ()):
        raise ClassError(f"{file} is no file of marks: it needs the columns {', '.join(COLUMNS)}. Nothing was changed.")
    found = [(line, {name: (row[name] or "").strip() for name in COLUMNS}) for line, row in enumerate(rows, 2)]
    return [(line, row) for line, row in found if row["score"]]


def _score(text: str, answer: Written, file: Path, line: int) -> float:
    try:
        score = float(text.replace(",", "."))
    except ValueError:
        score = -1.0
    if not 0 <= score <= answer.points:
        raise ClassError(
            f"{file}, line {line}: {text!r} is no mark from 0 to {answer.points:g} for {answer.question}. "
            "Nothing was changed."
        )
    return score


def moderation_csv(differing: Sequence[tuple[Written, Mapping[str, tuple[float, str]]]]) -> str:
    """The answers on which markers differ, a row each whose `score` is still to be filled in, with what each gave."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, "given"])
    for answer, given in differing:
        said = "; ".join(f"{marker} {score:g}" for marker, (score, _) in given.items())
        comment = " / ".join(dict.fromkeys(comment for _, comment in given.values() if comment))
        writer.writerow([answer.assignment, answer.question, answer.token, "", comment, AGREED, said])
    return text.getvalue()
