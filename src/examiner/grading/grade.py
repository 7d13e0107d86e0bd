"""Grade one submission: from bytes and an assignment to a result."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from multiprocessing.util import Finalize
from typing import Any

from examiner.grading.assignment import Assignment, Cell, Limits
from examiner.grading.parts import of_notebook, together, unbundled
from examiner.grading.placing import MOST_READ, Placed, normalised, place
from examiner.grading.result import NOT_APART, CellOutput, Mark, Result
from examiner.grading.source import top_level_names
from examiner.grading.submission import Submitted, Unreadable, kernel_language, read_submission
from examiner.grading.supervisor import examined
from examiner.isolation.forkserver import Forkserver
from examiner.isolation.sandbox import exposed

PROGRAM = "examiner.grading.waiting"  # what the processes that wait ready run
_forkservers: dict[tuple[int, str, tuple[str, ...]], Forkserver] = {}
_forkserver_lock = threading.Lock()


def forkserver(sandbox: str = "auto", hidden: tuple[str, ...] = ()) -> Forkserver:
    """This process's forkserver, started when it is first asked for; NoSandbox where student code can't be held."""
    hidden = exposed(hidden)
    key = (os.getpid(), sandbox, hidden)
    with _forkserver_lock:
        found = _forkservers.get(key)
        if found is None or not found.alive():
            if found is not None:
                found.close()
            found = _forkservers[key] = Forkserver(PROGRAM, sandbox, hidden)
            Finalize(None, found.close, exitpriority=1)
        return found


def close_forkservers() -> None:
    """End this process's forkservers and all that they started."""
    with _forkserver_lock:
        for key in [key for key in _forkservers if key[0] == os.getpid()]:
            _forkservers.pop(key).close()


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
    if assignment.parts:
        came = unbundled(submission)
        earlier = {part.notebook: known and of_notebook(known, part) for part in assignment.parts}
        return together(
            assignment,
            submission,
            {
                part.notebook: grade(came[part.notebook], part, secret, limits, sandbox, hidden, earlier[part.notebook])
                if part.notebook in came
                else _not_there(part)
                for part in assignment.parts
            },
        )
    began = time.monotonic()
    home = forkserver(sandbox, hidden)
    seed, digest = assignment.seed(submission, secret), hashlib.sha256(submission).hexdigest()
    try:
        cells, notes = read_submission(submission, limits.submission)
    except Unreadable as why:
        return replace(_unreadable(assignment, why, digest), sandbox=home.level, seed=seed)
    placed, more = place(cells, assignment)
    stand = {mark.grade_id: mark for mark in known.marks} if known else {}
    anew, tied, needs = _ties(placed, assignment)
    job = _job(assignment, list(_steps(placed, assignment, anew, stand)), limits, seed)
    told, outcome = examined(job, limits, digest, home)
    marks, eyes = _marks(placed, assignment, told, outcome, tied, needs, stand)
    eyes += [why for why in known.needs_eye if why.split(":")[0] in stand] if known else []
    messages = {mark.grade_id: mark.message for mark in marks}
    return Result(
        assignment=assignment.name,
        marks=marks,
        notes=tuple([*notes, *more, *outcome]),
        needs_eye=tuple(eyes),
        sandbox=home.level + NOT_APART * assignment.one_process,
        seed=seed,
        digest=digest,
        seconds=round(time.monotonic() - began, 6),
        cells=tuple(_output(p, told["cells"].get(i, {}), messages) for i, p in enumerate(placed)),
    )


def replay(
    submission: bytes,
    seed: int,
    assignment: Assignment,
    grade_id: str,
    sandbox: str = "auto",
    hidden: tuple[str, ...] = (),
) -> dict[str, Any]:
    """One test of a submission once more, on the problems that `seed` gives: {"right", "message", "calls", "values"}.

    Nothing where the test did not come to be run; Unreadable where the submission is no notebook.
    """
    placed, _ = place(read_submission(submission)[0], assignment)
    others = {cell.grade_id: Mark(cell.grade_id, cell.question, 0.0, 0.0) for cell in assignment.graded}
    del others[grade_id]
    steps = list(_steps(placed, assignment, _ties(placed, assignment)[0], others))
    job = _job(assignment, [step | {"replay": step["kind"] == "test"} for step in steps], Limits(), seed)
    told, _ = examined(job, Limits(), hashlib.sha256(submission).hexdigest(), forkserver(sandbox, hidden))
    return dict(told["marks"].get(grade_id, {}))


def _job(assignment: Assignment, steps: list[dict[str, Any]], limits: Limits, seed: int) -> dict[str, Any]:
    """What an examiner's process is told."""
    return {
        "steps": steps,
        "classes": assignment.classes,
        "one_process": assignment.one_process,
        "numbers_only": assignment.numbers_only,
        "files": {path: base64.b64encode(content).decode() for path, content in assignment.files},
        "tables": any(re.search(r"\bpandas\b", cell.source) for cell in assignment.cells),
        "tools": [cell.source for cell in assignment.cells if cell.kind == "tools"],
        "limits": asdict(limits),
        "seed": seed,
    }


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


def not_of(submission: bytes, assignment: Assignment) -> str:
    """Why a notebook can't be an answer to an assignment: its kernel, or that all its cells are another's."""
    language = kernel_language(submission)
    if not assignment.language and language not in ("", "python"):
        return f"it is written in {language}, and {assignment.name} names no kernel"
    with contextlib.suppress(Unreadable):
        cells, _ = read_submission(submission)
        if any(cell.claims for cell in cells) and not any(p.submitted and p.cell for p in place(cells, assignment)[0]):
            return f"none of its cells is one of {assignment.name}: it is another notebook"
    return ""


def _not_there(part: Assignment) -> Result:
    """The result of a notebook that was not handed in while others of its assignment were."""
    said = "This notebook was not handed in."
    marks = tuple(Mark(c.grade_id, c.question, c.points, 0.0, said, "missing") for c in part.graded)
    return Result(part.name, marks, (said,), (), "", 0, "", 0.0)


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
            about |= _needs(cell, assignment)
            yield {"kind": "test", "source": cell.source, "name": name, "own": own.get(cell.question, []), **about}
        elif cell and (cell.kind == "setup" or (cell.kind == "tools" and assignment.one_process)):
            source = cell.source if assignment.one_process else cell.release_source
            yield {"kind": "run", "source": source, "name": name}
        elif code and cell and cell.kind == "solution":
            source = submitted.source if submitted else ""
            yield {"kind": "run", "source": source, "name": name, "asked": cell.defines}
        elif code and p.kind in ("own", "text", "given") and (submitted or cell):
            source = submitted.source if submitted else cell.source if cell else ""
            yield {"kind": "run", "source": source, "name": name}
        else:
            yield {"kind": "skip", "source": "", "name": name}


def _needs(cell: Cell, assignment: Assignment) -> dict[str, Any]:
    """What a test needs beside itself, for its step."""
    shares = cell.shares
    return {
        "points": cell.points,
        "names": shares.names,
        "owns": shares.own,
        "prelude": shares.prelude,
        "replaced": shares.replaced,
        "read": shares.read,
        "live": shares.live,
        "files": shares.files,
        "gives": shares.gives,
        "needs": [assignment.cells[number].source for number in shares.tests],
    }


Ties = Mapping[str, list[str]]
_AT_ONCE = re.compile(r"^(?!def |class |#)\S.*", re.MULTILINE)  # the lines of a cell that run when it does


def _ties(placed: list[Placed], assignment: Assignment) -> tuple[Ties, Ties, Ties]:
    """By question: the answers that its cell writes, the earlier ones too, and the earlier questions it is tied to.

    Tied, since a right answer that is lent may not reach it: by a helper of that question's cell, or by an answer that
    is used while the cell runs, and not just when a function of it is called. Needed, where any word of it is a name
    of theirs, or of one that they need.
    """
    written = {p.cell.grade_id: p.submitted.source for p in placed if p.cell and p.submitted and p.kind == "solution"}
    earlier: dict[str, tuple[str, bool]] = {}  # of a name the question, and whether it is what the question asks for
    anew, tied, left = {}, {}, MOST_READ
    needs: dict[str, list[str]] = {}
    through: dict[str, set[str]] = {}  # of a name that a given cell defines, the questions that it needs
    for cell in assignment.cells:
        if cell.kind == "setup" and cell.cell_type == "code":
            words = set(re.findall(r"\w+", cell.release_source))
            used = {question for name, (question, _) in earlier.items() if name in words}
            used = used.union(*(needs[question] for question in used))
            through |= dict.fromkeys(top_level_names(cell.release_source), used)
        if cell.kind == "solution" and cell.cell_type == "code":
            source = written.get(cell.grade_id, "")
            left -= len(source)
            names = top_level_names(source) if left >= 0 else []
            words = set(re.findall(r"\w+", source)).difference(names) if left >= 0 else set()
            at_once = words.intersection(re.findall(r"\w+", " ".join(_AT_ONCE.findall(source))))
            anew[cell.grade_id] = [n for n in names if n in cell.defines or (n in earlier and earlier[n][1])]
            uses = {question for name, (question, asked) in earlier.items() if name in (at_once if asked else words)}
            tied[cell.grade_id] = sorted(uses)
            direct = {question for name, (question, _) in earlier.items() if name in words}
            reached = direct.union(
                *(needs[question] for question in direct), *(through[n] for n in words if n in through)
            )
            needs[cell.grade_id] = [question for question in needs if question in reached]
            earlier = {n: (cell.grade_id, n in cell.defines) for n in (*names, *cell.defines)} | earlier
    return anew, tied, needs


def _marks(
    placed: list[Placed],
    assignment: Assignment,
    told: dict[str, Any],
    outcome: list[str],
    tied: Ties,
    needs: Ties,
    stand: Mapping[str, Mark],
) -> tuple[tuple[Mark, ...], list[str]]:
    eyes = [] if "done" in told else [note for note in outcome if "examiner" in note]
    marks = []
    answers = {p.cell.grade_id: p for p in placed if p.cell}
    errors = {p.cell.grade_id: told["cells"].get(i, {}).get("error", "") for i, p in enumerate(placed) if p.cell}
    for cell in assignment.graded:
        if cell.by_hand:
            submitted = answers[cell.grade_id].submitted
            given = normalised(cell.release_source)
            theirs = normalised(submitted.source) if submitted else given
            box = cell.kind == "written" and bool(cell.metadata.get("solution"))  # code waits, stub or not
            blank = box and theirs == given  # what was emptied was touched, and waits as in stock nbgrader
            if box and theirs in ("", given) and _beside(placed, cell.grade_id):
                blank = False
                eyes.append(f"{cell.grade_id}: its box is empty, and a cell beside it may hold the answer")
            score, message = (0.0, "No response.") if blank else (None, "")
            marks.append(Mark(cell.grade_id, cell.question, cell.points, score, message))
        elif cell.grade_id in stand:
            marks.append(stand[cell.grade_id])
        elif (mark := told["marks"].get(cell.grade_id)) is None:
            marks.append(Mark(cell.grade_id, cell.question, cell.points, 0.0, "This test could not be run."))
        else:
            if mark["eye"]:
                eyes.append(f"{cell.grade_id}: {mark['eye']}")
            marks.append(_tested(cell, mark, errors.get(cell.question, "")))
    return _with_causes(marks, told["marks"], tied, needs, eyes), eyes


def _tested(cell: Cell, mark: dict[str, Any], error: str) -> Mark:
    """The mark of a test that ran; `error` is where the answer's cell stopped."""
    message, mistake = mark["message"], mark["mistake"]
    if mistake in ("missing", "not written") and error and "NotImplementedError" not in error:
        message = f"The answer's cell stopped with an error, so there is nothing to test:\n{error}"
        mistake = "cell failed"
    return Mark(
        cell.grade_id, cell.question, cell.points, mark["score"], message, mistake, mark["seconds"], mark["line"]
    )


def _with_causes(
    marks: list[Mark], told: Mapping[str, dict[str, Any]], tied: Ties, needs: Ties, eyes: list[str]
) -> tuple[Mark, ...]:
    """The marks, where one follows from another with that said first; what a person should look at goes to `eyes`."""
    lost = {mark.question for mark in marks if mark.score is not None and mark.score < mark.points}
    said = []
    for mark in marks:
        cause = [question for question in needs.get(mark.question, []) if question in lost]
        tested = told.get(mark.grade_id, {"lent": True})
        own = mark.mistake == "cell failed" or not tested["lent"]  # to cells, nothing is lent
        if cause and mark.score == 0 and own and mark.mistake not in ("missing", "not written"):
            first = f"It follows from {' and '.join(cause)}, which came out wrong above: put that right first."
            mark = replace(mark, message=f"{first}\n{mark.message}")
        said.append(mark)
        wrong = [question for question in tied.get(mark.question, []) if question in lost]
        if wrong and mark.score == 0 and told.get(mark.grade_id, {}).get("lent"):
            eyes.append(f"{mark.grade_id}: it uses the cell of {', '.join(wrong)}, which is wrong: the same mistake?")
    return tuple(said)


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
    return any(re.search(r"\w", line) for line in lines) or (cell.cell_type != "code" and bool(cell.pictures))


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
    shown = submitted.pictures if submitted and submitted.cell_type == kind else {}
    return CellOutput(grade_id, kind, source, outputs, told.get("error", ""), shown)
