"""A student's feedback as a page."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from examiner.pages.markup import POLICY, markdown_to_html
from examiner.pages.questions import folded, number, pieces_of, questions_of, sentence

TEMPLATES = Path(__file__).parent / "templates"


@lru_cache(maxsize=1)
def page_templates() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = number
    environment.filters["sentence"] = sentence
    environment.filters["folded"] = folded
    environment.filters["markdown"] = lambda text: Markup(markdown_to_html(text))
    environment.globals["policy"] = POLICY
    return environment


@lru_cache(maxsize=1)
def look() -> str:
    """A hash of what pages are made with, so that a page made by another version is made anew."""
    digest = hashlib.sha256()
    for file in [*sorted(Path(__file__).parent.glob("*.py")), *sorted(TEMPLATES.glob("*.*"))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def feedback_html(
    nb: NotebookNode, *, student: str, assignment: str, late_penalty: float = 0.0, stamp: str = ""
) -> str:
    """A student's feedback: marks by question, what went wrong in words, comments, and the work itself.

    `nb` is a marked notebook with `score`, `points` and `comment` in its cells' nbgrader metadata, as nbgrader's own
    GetGrades leaves it. The page is one file: maths is MathML, there is no script and nothing to load.
    """
    questions = questions_of(nb)
    scores = [question.score or 0.0 for question in questions]
    return (
        page_templates()
        .get_template("feedback.html.j2")
        .render(
            student=student,
            assignment=assignment,
            questions=questions,
            waiting=any(question.waiting for question in questions),
            total=sum(scores) - late_penalty,
            points=sum(question.points for question in questions),
            late_penalty=late_penalty,
            about=nb.metadata.get("workshop", {}),
            label={question.name: f"{i} {question.name.replace('_', ' ')}" for i, question in enumerate(questions, 1)},
            pieces=list(pieces_of(nb)),
            stamp=stamp,
            pygments=HtmlFormatter().get_style_defs(".code"),
        )
    )


class FeedbackExporter(Exporter):
    """What `nbgrader generate_feedback` and formgrader's feedback button write: the same page as `workshop grade`."""

    file_extension = ".html"
    output_mimetype = "text/html"

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: Any = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        nb, resources = super().from_notebook_node(nb, resources, **kwargs)
        about = resources.get("nbgrader", {})
        page = feedback_html(
            nb,
            student=about.get("student", ""),
            assignment=about.get("assignment", about.get("notebook", "")),
            late_penalty=float(about.get("late_penalty") or 0.0),
        )
        return page, resources
