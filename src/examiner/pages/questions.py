"""A marked notebook, question by question: what was answered, its marks and what was said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from nbformat import NotebookNode

from examiner.pages.markup import markdown_to_html, output_text, pictures_of, python_to_html


def sentence(text: str) -> str:
    """A note as a sentence."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def number(value: float | None) -> str:
    """A mark as people write it: 3, 2.5, never 2.50."""
    return "–" if value is None else f"{round(value, 2):g}"


@dataclass
class Line:
    """One graded cell as feedback shows it. `score` is None while a person has yet to mark it."""

    grade_id: str
    question: str
    score: float | None
    points: float
    message: str = ""
    comment: str = ""
    auto_message: bool = True  # False where a person's mark has replaced the automatic one
    mistake: str | None = None
    written: bool = False  # whether a person marks it: it is no test

    @property
    def part(self) -> str:
        """The part of the question, as in `, w` for test_gradient_w; nothing where the question is one piece."""
        rest = self.grade_id.removeprefix(f"test_{self.question}").strip("_").replace("_", " ")
        return "" if self.written or not rest else f", {rest}"

    @property
    def state(self) -> str:
        """full, part, none or waiting: the name of its colour."""
        if self.score is None:
            return "waiting"
        return "full" if self.score >= self.points else "part" if self.score > 0 else "none"


@dataclass
class Question:
    """A question with its graded cells."""

    name: str
    lines: list[Line] = field(default_factory=list)

    @property
    def points(self) -> float:
        return sum(line.points for line in self.lines)

    @property
    def score(self) -> float | None:
        scores = [line.score for line in self.lines if line.score is not None]
        return sum(scores) if scores else None

    @property
    def waiting(self) -> bool:
        return any(line.score is None for line in self.lines)

    @property
    def state(self) -> str:
        if self.waiting:
            return "waiting"
        score = self.score or 0.0
        return "full" if score >= self.points else "part" if score > 0 else "none"

    @property
    def told(self) -> list[str]:
        """What was said of the marks that were lost, each message once."""
        lost = [line for line in self.lines if line.state in ("part", "none") and line.message and line.auto_message]
        return list(dict.fromkeys(first_lines(line.message) for line in lost))


HIDDEN = re.compile(r"^[^\n]*BEGIN HIDDEN TESTS.*?(END HIDDEN TESTS[^\n]*|\Z)", re.DOTALL | re.MULTILINE)


def questions_of(nb: NotebookNode) -> list[Question]:
    """The questions of a marked notebook, in its order, from the marks in its cells' metadata."""
    questions: dict[str, Question] = {}
    for cell in nb.cells:
        info = cell.metadata.get("nbgrader", {})
        if not info.get("grade"):
            continue
        own = cell.metadata.get("workshop", {})
        name = own.get("question") or re.sub(r"^test_", "", info["grade_id"])
        score = info.get("score")
        if own.get("waiting"):
            score = None
        line = Line(
            info["grade_id"],
            name,
            None if score is None else float(score),
            float(info.get("points", 0)),
            own.get("message") or "",
            info.get("comment") or "",
            not own.get("by_hand"),
            own.get("mistake"),
            bool(info.get("solution")),
        )
        questions.setdefault(name, Question(name)).lines.append(line)
    return list(questions.values())


def pieces_of(nb: NotebookNode) -> Iterable[dict[str, Any]]:
    """The notebook's cells as the template wants them. Test cells give their verdict, never their code."""
    lines = {line.grade_id: line for question in questions_of(nb) for line in question.lines}
    for cell in nb.cells:
        info, own = cell.metadata.get("nbgrader", {}), cell.metadata.get("workshop", {})
        if own.get("kind") == "guide":
            continue
        line = lines.get(info.get("grade_id"))
        solution = bool(info.get("solution"))
        piece: dict[str, Any] = {"line": line, "comment": info.get("comment") or "", "solution": solution}
        if line is not None and not solution:
            yield piece | {"kind": "verdict"}
        elif cell.cell_type == "markdown":
            ours = bool(info.get("locked")) or own.get("kind") == "text"
            body = (
                _our_html(cell.source) if ours else markdown_to_html(cell.source, attachments=cell.get("attachments"))
            )
            yield piece | {"kind": "text", "html": body, "mine": solution}
        elif cell.cell_type == "code":
            outputs = [output_text(output) for output in cell.get("outputs", [])]
            yield piece | {
                "kind": "code",
                "html": python_to_html(HIDDEN.sub("", cell.source)),
                "outputs": [text for text in outputs if text],
                "plots": list(_plots(cell)),
                "mine": not info.get("locked"),
            }
        else:
            yield piece | {"kind": "code", "html": python_to_html(cell.source), "outputs": [], "mine": True}


def _plots(cell: NotebookNode) -> Iterable[str]:
    """The pictures that a cell had drawn, as addresses that hold them."""
    for output in cell.get("outputs", []):
        for kinds in pictures_of({"plot": output.get("data")}).values():
            for kind, data in kinds.items():
                yield f"data:{kind};base64,{data}"


@lru_cache(maxsize=4096)
def _our_html(text: str) -> str:
    return markdown_to_html(text, ours=True)


def tells(line: str) -> bool:
    """Whether a line of a message is words: a sentence, or one of several mistakes in a list; figures are indented."""
    return not line.startswith("  ") or line.lstrip().startswith("•")


def first_lines(message: str) -> str:
    """What a message says is wrong, on one line, without the indented figures that stand between its sentences."""
    lines = [line.strip() for line in message.strip().split("\n\n")[0].split("\n") if tells(line)]
    text = " ".join(lines)
    return text if len(text) <= 300 else text[:297].rsplit(" ", 1)[0] + " …"


def folded(notes: Sequence[str]) -> list[str]:
    """Notes as sentences, with those that say the same of many cells folded into one."""
    alike: dict[str, list[str]] = {}
    for note in notes:
        about = re.fullmatch(r"[Tt]he cell \S+ (had lost its id|was missing|was there).*", note)
        alike.setdefault(about[1] if about else note, []).append(note)
    return [
        sentence(same[0]) if len(same) < 4 else f"{sentence(same[0])[:-1]} – and {len(same) - 1} other cells likewise."
        for same in alike.values()
    ]
