"""The mistakes of the class: who made which, by what stands in an answer's message for everybody who makes it."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from examiner.pages.markup import python_to_html
from examiner.pages.questions import tells
from examiner.pages.terminal import Row

LONGEST_ANSWER = 4000  # characters of an answer that shows a mistake
Unanswered = dict[str, dict[str, set[str]]]  # by assignment and question, those who left it as it was


@dataclass
class Answer:
    """An answer that shows a mistake, as HTML, with all who wrote it, and what was said of the first one's."""

    students: list[str]
    code: str
    message: str


@dataclass
class Mistake:
    """One mistake in one question, and the answers that show it."""

    assignment: str
    question: str
    name: str
    message: str  # without any student's numbers; "" where nothing is left
    students: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)  # the same code once

    @property
    def anchor(self) -> str:
        """What a link to it is called."""
        whole = f"{self.assignment}\0{self.question}\0{self.name}"
        return f"m{hashlib.sha256(whole.encode()).hexdigest()[:12]}"


class Mistakes:
    """The mistakes in the rows of a class: by the answers that show each, and by who left a question as it was.

    `work` are the answers by (assignment, student) and question, `given` what students got, by assignment and question.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        work: Mapping[tuple[str, str], Mapping[str, str]],
        given: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._order = {name: i for i, name in enumerate(given)}
        self.unanswered: Unanswered = defaultdict(lambda: defaultdict(set))
        self._messages: dict[tuple[str, str, str, str], str] = {}  # the last is the student
        # By (assignment, question, mistake), the answers that show it, each with its students.
        self._found: dict[tuple[str, str, str], dict[str, list[str]]] = {}
        for row in rows:
            self._add(row, work[row.assignment, row.student], given[row.assignment])

    def _add(self, row: Row, work: Mapping[str, str], given: Mapping[str, str]) -> None:
        for line in row.lines:
            if not line.message or line.state not in ("none", "part") or line.mistake == "unreadable":
                continue
            code = work.get(line.question, "")[:LONGEST_ANSWER]
            if code.strip() in ("", given.get(line.question, "").strip()):
                self.unanswered[row.assignment][line.question].add(row.student)
                continue
            name = line.mistake or in_general(line.message) or "a mistake without a name"
            key = (row.assignment, line.question, name)
            students = self._found.setdefault(key, {}).setdefault(code, [])
            if row.student not in students:
                students.append(row.student)
            self._messages.setdefault((*key, row.student), line.message)

    def commonest_first(self) -> list[Mistake]:
        """By assignment, those that most students made first."""
        found = []
        for key, answers in self._found.items():
            mistake = Mistake(*key, "")
            for code, students in sorted(answers.items(), key=lambda item: (-len(item[1]), item[1])):
                said = self._messages[(*key, students[0])]
                mistake.students += [student for student in students if student not in mistake.students]
                mistake.answers.append(Answer(sorted(students), python_to_html(code), said))
            general = (in_general(self._messages[(*key, student)]) for student in mistake.students)
            mistake.message = next(filter(None, general), "")
            found.append(mistake)
        return sorted(found, key=lambda m: (self._order[m.assignment], -len(m.students), m.question, m.name))


_CALL = re.compile(r"(?<=\w)\([^()]*\)")
_COUNT = re.compile(r" in \d+ of its \d+ entries")
_WRONG = re.compile(r"(.+?)(,? (after|for|of|when|where|with) .*\d.*)? is wrong\.?")
_CLAUSE = re.compile(r"(?<=[.?!:;])\s+")


def in_general(message: str) -> str:
    """What a message says of everybody who makes this mistake: its clauses without a student's own numbers."""
    lines = [line.strip() for line in message.split("\n") if tells(line)]
    clauses = _CLAUSE.split(_COUNT.sub("", _CALL.sub("", " ".join(filter(None, lines)))))
    wrong = {clause: f"{match[1]} is wrong." for clause in clauses if (match := _WRONG.fullmatch(clause))}
    told = [wrong.get(clause, clause) for clause in clauses]
    kept = [clause for clause in told if not re.search(r"\d", clause)]
    explained = [clause for clause in kept if clause not in wrong.values()]
    return " ".join(explained or kept).strip().rstrip(":;")[:300]
