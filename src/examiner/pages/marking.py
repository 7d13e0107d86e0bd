"""The page for marking written answers: one question's answers one after the other, without names, by the keyboard."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from examiner.pages.feedback import TEMPLATES, page_templates
from examiner.pages.markup import POLICY, markdown_to_html


@dataclass
class Asked:
    """A written question, what the marker is told of it, and the answers: (token, cells, whether it waits)."""

    assignment: str
    question: str
    label: str
    points: float
    text: str
    guide: str
    answers: list[tuple[str, Sequence[Any], bool]] = field(default_factory=list)


def marking_page(questions: Sequence[Asked]) -> str:
    """One HTML file that needs no server: it keeps marks in the browser, and gives them back as a CSV."""
    script = (TEMPLATES / "marking.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shown = [
        {
            "about": asked,
            "text": markdown_to_html(asked.text, ours=True),
            "guide": markdown_to_html(asked.guide, ours=True),
            "answers": [
                (token, [markdown_to_html(cell.source, attachments=cell.get("attachments")) for cell in cells], waits)
                for token, cells, waits in asked.answers
            ],
        }
        for asked in questions
    ]
    return (
        page_templates()
        .get_template("marking.html.j2")
        .render(questions=shown, script=script, policy=f"{POLICY}; script-src 'sha256-{digest}'")
    )
