"""How a class stands: marks out of what is marked so far, sessions beside what chance would give, who is at risk."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from examiner.pages.terminal import Row

STATES = {"full": "full marks", "part": "part of the marks", "none": "no marks", "waiting": "waits for a person"}
AT_RISK = 0.5  # of what is marked so far: whoever has less in all that was handed in
SURE = 0.95


def so_far(row: Row) -> tuple[float, float]:
    """A student's marks, and the most there is to have in what is marked; a late penalty is taken off."""
    marked = [line for line in row.lines if line.score is not None]
    earned = sum(line.score or 0.0 for line in marked) - row.marked.late_penalty
    return max(0.0, earned), sum(line.points for line in marked)


def share(row: Row) -> float | None:
    """A student's share of what is marked so far; None where nothing is."""
    earned, most = so_far(row)
    return earned / most if most else None


def shares(rows: Sequence[Row]) -> list[float]:
    return [value for row in rows if (value := share(row)) is not None]


def by_question(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """By question, the share of the class in each state."""
    states: dict[str, Counter[str]] = {}
    for row in rows:
        for question in row.questions:
            states.setdefault(question.name, Counter())[question.state] += 1
    return {name: {state: count[state] / len(rows) for state in STATES} for name, count in states.items()}


def scores(rows: Sequence[Row]) -> dict[str, list[float]]:
    """By question, each student's share of its marks; a written answer counts once a person has marked it."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for question in row.questions:
            unmarked = any(line.written and line.auto_message for line in question.lines)
            if not unmarked and question.points:
                found[question.name].append((question.score or 0.0) / question.points)
    return found


def tenths(values: Sequence[float]) -> list[int]:
    """How many students have 0 to 10, 10 to 20, … 90 to 100 per cent."""
    count = Counter(min(9, int(10 * value + 1e-9)) for value in values)
    return [count[i] for i in range(10)]


# --- sessions ---
@dataclass(frozen=True)
class Session:
    """A session's marks, as shares of what is marked, and between which bounds its mean would lie by chance."""

    name: str
    students: int
    mean: float = 0.0
    low: float = 0.0
    high: float = 1.0
    hardest: str = ""

    @property
    def beyond_chance(self) -> bool:
        return self.students > 0 and not self.low - 1e-9 <= self.mean <= self.high + 1e-9


def sessions_in_order(rows: Sequence[Row], sessions: Sequence[str]) -> list[str]:
    others = sorted({row.session for row in rows} - set(sessions))
    return [*sessions, *[session for session in others if session], *([""] if "" in others else [])]


def by_session(rows: Sequence[Row], sessions: Sequence[str]) -> list[Session]:
    """Each session in the timetable's order.

    Were students put into sessions by lot, all means would lie within their bounds in 19 of 20 classes.
    """
    names = sessions_in_order(rows, sessions)
    every = shares(rows)
    compared = sum(bool(shares([row for row in rows if row.session == name])) for name in names)
    found = []
    for name in names:
        mine = [row for row in rows if row.session == name]
        values = shares(mine)
        if not values:
            found.append(Session(name or "no session", len(mine)))
            continue
        z = NormalDist().inv_cdf(1 - (1 - SURE) / (2 * compared))
        left_out = (len(every) - len(values)) / max(1, len(every) - 1)  # a mean of all is that of all
        wide = z * statistics.pstdev(every) * math.sqrt(left_out / len(values))
        middle = statistics.fmean(every)
        worst, question = min(((statistics.fmean(s), q) for q, s in scores(mine).items()), default=(1.0, ""))
        found.append(
            Session(
                name or "no session",
                len(mine),
                statistics.fmean(values),
                max(0.0, middle - wide),
                min(1.0, middle + wide),
                question if worst < 1 else "none",
            )
        )
    return found


# --- all assignments together ---
def at_risk(
    rows: Sequence[Row], assignments: Sequence[str], roster: Mapping[str, str]
) -> dict[str, list[float | None]]:
    """By student, the share in each assignment (None: nothing handed in) of those who lack one, or have less than half.

    Whoever is on the roster counts. The lowest come first.
    """
    found: dict[str, list[float | None]] = {student: [None] * len(assignments) for student in roster}
    for row in rows:
        found.setdefault(row.student, [None] * len(assignments))[assignments.index(row.assignment)] = share(row) or 0.0
    low = {
        student: marks
        for student, marks in found.items()
        if None in marks or sum(mark or 0.0 for mark in marks) < AT_RISK * len(marks)
    }
    return dict(sorted(low.items(), key=lambda item: (sum(mark or 0.0 for mark in item[1]), item[0])))
