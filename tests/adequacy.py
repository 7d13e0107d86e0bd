"""Grade the banks of wrong and right answers as a tutor would, whole notebooks at a time, and count the errors made.

`python tests/adequacy.py` (`make adequacy`) prints a table by question and every miss; it ends with status 1 if a wrong
answer passes, a right one fails, or a mistake costs marks elsewhere. `--only sigmoid,backward` takes some questions,
`--stable 200` grades one right and one wrong notebook of each assignment with 200 secrets.

A bank is `tests/banks/<assignment>/<question>.toml`: `answer` is a right answer to start from, each `[[wrong]]` and
`[[right]]` holds a `name` and either `code`, the whole cell, or `replace` and `by`, an edit of `answer`. Beside these:

    says    what the message must match (a regular expression), for a mistake that a tutor could see from the numbers:
            then it is named; else, where it claims no other cause, the message is vague
    allows  what else a message may say without being a false diagnosis
    loses   the parts that lose their marks, the end of `test_<question>_<part>`; all others keep theirs
    beside  cells that answer other questions, wrongly: `beside.sigmoid = '''...'''`
    eye     what the reason must match for which a person is to look at the answer; without it there must be no reason
    hard    why the answer is wrong only in a corner case;  note  anything else

A fifth of the wrong answers, by their names, is held out: no known mistake is to be written for one of them; how
many of these are named is told apart.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import tomllib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from examiner.grading.assignment import Assignment, Limits, released
from examiner.grading.grade import grade
from examiner.grading.result import Mark

ROOT = Path(__file__).resolve().parent.parent
BANKS = ROOT / "tests" / "banks"
SECRET = b"the banks' own secret"
LIMITS = Limits(cell_seconds=10, call_seconds=4, test_seconds=10, total_seconds=60)

FACTS = {
    "wrong shape", "wrong type", "returns None", "not written", "missing key", "wrong number of values",
    "not a function", "not finite", "constant factor", "constant shift", "factor by row", "factor by column",
    "not defined", "wrong keys", "only the first", "not the last", "index out of range", "wrong batch sizes",
    "stops at the wrong step", "error does not fall as eps²", "wrong number of epochs", "gradient not used",
    "points not once each", "all zero", "wrong on some sizes", "not shuffled",
}  # fmt: skip
"""Mistakes that only say what is seen in the result, and claim no cause."""


@dataclass(frozen=True)
class Case:
    """One answer of a bank."""

    assignment: str
    question: str
    kind: str
    name: str
    cells: dict[str, str]  # by grade_id
    says: str | None = None
    allows: str | None = None
    loses: tuple[str, ...] | None = None
    hard: str = ""
    eye: str = ""

    @property
    def title(self) -> str:
        return f"{self.assignment}/{self.question}: {self.name}"

    @property
    def held_out(self) -> bool:
        return zlib.crc32(self.title.encode()) % 5 == 0


@dataclass
class Verdict:
    """What grading one case showed; each field lists what went wrong with it."""

    case: Case
    passed: bool = False  # the question kept all its marks
    lost: list[str] = field(default_factory=list)  # wrong: grade_ids of the question that lost; right: all that lost
    leaks: list[str] = field(default_factory=list)  # other questions' tests that lost
    parts: list[str] = field(
        default_factory=list
    )  # tests of the question that should have lost and kept, or kept and lost
    diagnosed: bool | None = None  # None: no message is asked for
    claims: list[str] = field(default_factory=list)  # false diagnoses
    eyes: list[str] = field(
        default_factory=list
    )  # reasons for a person to look, where there should be none, or another
    messages: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def cases(only: Iterable[str] = ()) -> Iterator[Case]:
    """Every answer of the banks, or of some questions (or `assignment/question`)."""
    only = set(only)
    for path in sorted(BANKS.glob("*/*.toml")):
        assignment, question = path.parent.name, path.stem
        if only and not only & {question, assignment, f"{assignment}/{question}"}:
            continue
        bank = tomllib.loads(path.read_text(encoding="utf-8"))
        yield Case(assignment, question, "right", "the answer that the others start from", {question: bank["answer"]})
        for kind in ("wrong", "right"):
            for entry in bank.get(kind, []):
                yield _case(assignment, question, kind, entry, bank["answer"])
    yield from _general(only)


def _case(assignment: str, question: str, kind: str, entry: dict[str, Any], answer: str) -> Case:
    unknown = set(entry) - {"name", "code", "replace", "by", "says", "allows", "loses", "beside", "hard", "eye", "note"}
    if unknown:
        raise ValueError(f"{assignment}/{question}: {entry['name']}: unknown {sorted(unknown)}")
    code = entry.get("code", answer)
    pairs = (
        ([entry[k]] if isinstance(entry[k], str) else entry[k] for k in ("replace", "by"))
        if "by" in entry
        else ((), ())
    )
    for old, new in zip(*pairs, strict=True):
        if old not in code:
            raise ValueError(f"{assignment}/{question}: {entry['name']}: {old!r} is not in the answer")
        code = code.replace(old, new)
    if code == answer:
        raise ValueError(f"{assignment}/{question}: {entry['name']}: nothing differs from the answer")
    cells = {question: code, **entry.get("beside", {})}
    loses = tuple(entry["loses"]) if "loses" in entry else None
    return Case(
        assignment,
        question,
        kind,
        entry["name"],
        cells,
        entry.get("says"),
        entry.get("allows"),
        loses,
        entry.get("hard", ""),
        entry.get("eye", ""),
    )


def _general(only: set[str]) -> Iterator[Case]:
    """The mistakes of `every_question.toml`, for each question: {name} stands for a function that the cell defines."""
    general = tomllib.loads((BANKS / "every_question.toml").read_text(encoding="utf-8"))
    for assignment, questions in general["defines"].items():
        for question, names in questions.items():
            if only and not only & {question, assignment, f"{assignment}/{question}"}:
                continue
            for entry in general["wrong"]:
                if question not in entry.get("questions", [question]):
                    continue
                code = entry.get("head", "") + "\n".join(entry["code"].replace("{name}", name) for name in names)
                yield Case(
                    assignment,
                    question,
                    "wrong",
                    entry["name"],
                    {question: code},
                    entry.get("says"),
                    entry.get("allows"),
                )


@cache
def source(assignment: str) -> bytes:
    """The source notebook of an assignment, read once: someone may be at work on it."""
    return (ROOT / "source" / assignment / f"{assignment}.ipynb").read_bytes()


def submission(source_ipynb: bytes, cells: dict[str, str], nonce: str = "") -> bytes:
    """A student's notebook: right answers everywhere, but for the given cells; no hidden tests."""
    notebook = json.loads(source_ipynb)
    left = dict(cells)
    for cell in notebook["cells"]:
        text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        meta = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        if meta.get("solution") and cell["cell_type"] == "code":
            lines = [
                line for line in text.split("\n") if "### BEGIN SOLUTION" not in line and "### END SOLUTION" not in line
            ]
            text = left.pop(meta["grade_id"], "\n".join(lines))
        else:
            text = "An answer in words." if meta.get("solution") else released(text)
        cell["source"] = text
    if left:
        raise ValueError(f"no such cells: {sorted(left)}")
    if nonce:
        notebook["metadata"]["nonce"] = nonce
    return json.dumps(notebook, ensure_ascii=False).encode()


def judge(case: Case, marks: Iterable[Mark], eyes: Iterable[str] = ()) -> Verdict:
    """Compare the marks of a case, and the reasons for a person to look at it, with what they should be."""
    verdict = Verdict(case)
    eyes = list(eyes)
    if case.eye and not any(re.search(case.eye, why) for why in eyes):
        verdict.eyes = ["not shown to a person"]
    elif not case.eye and case.kind == "right":
        verdict.eyes = eyes
    marks = [mark for mark in marks if mark.score is not None]
    lost = [mark for mark in marks if mark.score < mark.points]
    if not any(mark.question == case.question for mark in marks):
        raise ValueError(f"{case.title}: nothing was marked")
    own = [mark for mark in lost if mark.question == case.question]
    excused = {*case.cells, "trained_params"}  # trained_params may depend on everything before it
    verdict.passed = not own
    verdict.lost = [mark.grade_id for mark in own]
    verdict.leaks = [mark.grade_id for mark in lost if mark.question not in excused]
    verdict.messages = {mark.grade_id: mark.message for mark in lost if mark.question not in excused - {case.question}}
    if case.kind == "right":
        return verdict
    if case.loses is not None:
        should = {f"test_{case.question}_{part}" if part else f"test_{case.question}" for part in case.loses}
        verdict.parts = sorted(should ^ set(verdict.lost))
    if case.says:
        verdict.diagnosed = any(_matches(case.says, mark) for mark in own)
    for mark in own:
        said = "\n".join(line for line in mark.message.split("\n") if " yours " not in line)
        raised = (mark.mistake or "").startswith(("raised ", "test "))
        if (
            not raised
            and (mark.mistake not in FACTS | {None} or "?" in said)
            and not any(_matches(pattern, mark) for pattern in (case.says, case.allows) if pattern)
        ):
            verdict.claims.append(f"[{mark.mistake}]")
    return verdict


def _matches(pattern: str, mark: Mark) -> bool:
    return re.search(pattern, f"{mark.message}\n{mark.mistake or ''}", re.IGNORECASE | re.DOTALL) is not None


def grade_case(case: Case, secret: bytes = SECRET) -> Verdict:
    """Grade one case through the real path."""
    original = source(case.assignment)
    assignment = Assignment.from_notebook(original, case.assignment)
    start = time.perf_counter()
    result = grade(submission(original, case.cells), assignment, secret, LIMITS)
    verdict = judge(case, result.marks, result.needs_eye)
    verdict.seconds = time.perf_counter() - start
    return verdict


def table(verdicts: list[Verdict]) -> str:
    """The figures by question, and their sum."""
    head = (
        "question",
        "wrong",
        "false passes",
        "right",
        "false fails",
        "leaks",
        "parts",
        "named",
        "vague",
        "false",
        "held out: named",
    )
    rows = [head]
    questions = dict.fromkeys((v.case.assignment, v.case.question) for v in verdicts)
    for key in [*sorted(questions), None]:
        mine = [v for v in verdicts if key in (None, (v.case.assignment, v.case.question))]
        wrong = [v for v in mine if v.case.kind == "wrong"]
        right = [v for v in mine if v.case.kind == "right"]
        asked = [v for v in wrong if v.diagnosed is not None]
        vague = sum(not v.diagnosed and not v.claims for v in asked)
        parts = [v for v in wrong if v.case.loses is not None]
        rows.append((
            "/".join(key) if key else "all", str(len(wrong)), str(sum(v.passed for v in wrong)), str(len(right)),
            str(sum(not v.passed or bool(v.leaks) for v in right)), str(sum(bool(v.leaks) for v in wrong)),
            f"{sum(not v.parts for v in parts)}/{len(parts)}" if parts else "", named(asked), str(vague),
            str(sum(bool(v.claims) for v in wrong)), named(v for v in asked if v.case.held_out),
        ))  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def named(asked: Iterable[Verdict]) -> str:
    """How many of those that a tutor could name are named."""
    asked = list(asked)
    return f"{sum(bool(v.diagnosed) for v in asked)}/{len(asked)}" if asked else ""


def misses(verdicts: list[Verdict]) -> str:
    """Every error of the grader, with its messages."""
    out = []
    for v in verdicts:
        kinds = []
        if v.case.kind == "wrong" and v.passed:
            kinds.append("FALSE PASS" + (f" ({v.case.hard})" if v.case.hard else ""))
        if v.case.kind == "right" and (not v.passed or v.leaks):
            kinds.append("FALSE FAIL")
        if v.leaks:
            kinds.append(f"LEAK to {', '.join(v.leaks)}")
        if v.parts:
            kinds.append(f"PARTS lost {v.lost}, should lose {v.case.loses}")
        if v.diagnosed is False:
            kinds.append(f"NOT NAMED, asked for /{v.case.says}/")
        if v.eyes:
            kinds.append(f"EYE ({'; '.join(v.eyes)})")
        if v.claims:
            kinds.append(f"FALSE {' '.join(v.claims)}")
        if kinds:
            out.append(f"{'; '.join(kinds)}\n  {v.case.kind} {v.case.title}")
            out += [f"    {i}: {m.strip()[:600]}".replace("\n", "\n      ") for i, m in v.messages.items()]
    return "\n".join(out)


def failed(verdicts: list[Verdict]) -> bool:
    """Whether one of the hard rules is broken: a false pass, a false fail, a leak, a part, a reason to look."""
    return any(v.leaks or v.parts or v.eyes or v.passed != (v.case.kind == "right") for v in verdicts)


def run(chosen: list[Case], workers: int = 2) -> list[Verdict]:
    """Grade cases, `workers` at a time, slow ones too."""
    for assignment in {case.assignment for case in chosen}:
        source(assignment)  # before the workers are forked
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        verdicts = []
        for verdict in pool.map(grade_case, chosen):
            verdicts.append(verdict)
            if sys.stderr.isatty():
                print(f"\r{len(verdicts)}/{len(chosen)} {verdict.case.title:.90}\033[K", end="", file=sys.stderr)
        return verdicts


def stable(times: int, workers: int = 2) -> list[str]:
    """Grade one right and one wrong notebook of each assignment with many secrets; say which marks differed."""
    told = []
    for assignment, wrong in (("logistic_regression", "gradient"), ("mlp_sgd", "backward")):
        bank = list(cases([f"{assignment}/{wrong}"]))
        edges = [
            next(c for c in bank if "one part in ten thousand" in c.name),
            next(c for c in bank if "float32" in c.name),
        ]
        for case in edges:
            with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
                seen = Counter(pool.map(_marks_with, [case] * times, [f"secret {i}".encode() for i in range(times)]))
            told.append(f"{case.title}: {times} secrets, {len(seen)} set{'s' if len(seen) > 1 else ''} of marks")
            if len(seen) > 1:
                told += [f"    {n} times: {json.dumps(dict(marks))}" for marks, n in seen.items()]
    return told


def _marks_with(case: Case, secret: bytes) -> tuple[tuple[str, float | None], ...]:
    original = source(case.assignment)
    assignment = Assignment.from_notebook(original, case.assignment)
    result = grade(submission(original, case.cells), assignment, secret, LIMITS)
    return tuple((mark.grade_id, mark.score) for mark in result.marks)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", default="", help="questions, with commas between them")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stable", type=int, default=0, metavar="N", help="grade with N secrets instead")
    options = parser.parse_args()
    if options.stable:
        told = stable(options.stable, options.workers)
        print("\n".join(told))
        return int(any("sets" in line for line in told))
    start = time.perf_counter()
    verdicts = run(list(cases([q for q in options.only.split(",") if q])), options.workers)
    print(misses(verdicts))
    print()
    print(table(verdicts))
    slow = max(verdicts, key=lambda v: v.seconds)
    print(f"\n{len(verdicts)} notebooks in {time.perf_counter() - start:.0f} s", end=" ")
    print(f"(slowest {slow.seconds:.1f} s: {slow.case.title})")
    return int(failed(verdicts))


if __name__ == "__main__":
    sys.exit(main())
