"""Take submissions in as they come: nbgrader's exchange, a folder, a learning-management system's zip.

Everything ends in nbgrader's own layout, submitted/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb with a timestamp.txt beside it.
Names inside a zip are never used as paths. A notebook goes by the name that `notebooks_by_name` gives it: of an
assignment's several each is taken in by itself, so that one which is handed in anew leaves the others where they are.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from examiner.batch.job import LARGEST_SUBMISSION, ClassError, Job
from examiner.course.archives import SKIP, Came, Taken, files_below, is_regular, read_source
from examiner.course.ids import look_alikes
from examiner.course.owners import owners_of
from examiner.course.people import People
from examiner.course.recognition import Found, by_cells, by_name, notebooks_by_name, worked_on
from examiner.course.roster import check_roster
from examiner.course.systems import BLACKBOARD, CANVAS, EXCHANGE, MOODLE, Hints, Owner, Piece, drafts, utc
from examiner.course.timestamps import SECRET, beside, read_timestamp
from examiner.grading.assignment import Assignment, Limits
from examiner.grading.submission import without_outputs
from examiner.isolation.files import not_plain, read_regular, write_atomically


# --- taking in ---
@dataclass(frozen=True)
class _Staged:
    """A notebook of the source, read once: what there is to know of it, and where its bytes wait."""

    came: Came  # without its bytes
    file: Path
    answers: tuple[str, ...]  # the notebooks that it may be, as far as its cells tell
    worked: tuple[bool, int]
    size: int
    notes: tuple[str, ...] = ()
    secret: bytes = b""  # of the exchange's, by which its feedback is given back

    @property
    def alone(self) -> str:
        """The one notebook that it is by its cells; "" where that is none, or several."""
        return self.answers[0] if len(self.answers) == 1 else ""


@dataclass(frozen=True)
class Exchange:
    """nbgrader's own inbound folder. Students make folders of any name there: the disk knows whose, and since when."""

    inbound: Path
    check_owner: bool = True  # as nbgrader's ExchangeCollect has it: off where a hub's students are all one user

    def forged(self, folder: str) -> str:
        """Why a folder is not taken: another's name on it; nothing where all is well."""
        match = EXCHANGE.match(folder)
        owner = owner_of_file(self.inbound / folder) if match and self.check_owner else ""
        if not match or owner in ("", match["id"]):
            return ""
        return (
            f"{folder} belongs to the user {owner}, not to {match['id']}; not taken. (If all are one user here, "
            "set c.ExchangeCollect.check_owner = False.)"
        )

    def later(self, came: Came) -> str:
        """What to say of a notebook that the disk has from later than its folder's name says."""
        match = EXCHANGE.match(came.origin.split("/", 1)[0])
        said = utc(match["time"]) if match else None
        changed = datetime.fromtimestamp(came.changed, UTC).replace(tzinfo=None)
        if said is None or changed < said + SLACK:
            return ""
        return (
            f"It says that it came at {said:%Y-%m-%d %H:%M} UTC, but was written or moved on the exchange's disk at "
            f"{changed:%Y-%m-%d %H:%M} UTC."
        )


SLACK = timedelta(minutes=10)


def owner_of_file(path: Path) -> str:
    """The user whose file it is; "" where that tells nothing: it is ours or the administrator's, who put it there."""
    with suppress(ImportError, KeyError, OSError):
        import pwd

        owner = path.lstat().st_uid
        return "" if owner in (0, os.getuid()) else pwd.getpwuid(owner).pw_name
    return ""


def take_in(
    paths: Sequence[Path],
    submitted: Path,
    replaced: Path,
    assignments: Mapping[str, Assignment],
    people: People | None = None,
    hints: Hints | None = None,
    given: Collection[str] = (),
    strict: bool = False,
    exchange: Exchange | None = None,
) -> Taken:
    """Bring the submissions at `paths` into `submitted`.

    Either all can be read, it is clear whose they are, there is room, and (if `strict`) everyone is on the roster, or
    nothing is changed. Of several notebooks of one student for one assignment the newest counts (then the one with most
    answers, then the largest), whether they come together or one after the other. What does not count is kept in
    `replaced`. `given` are the names of files that students were given, of which nothing need be said.
    """
    taken, people, known = Taken(), people or People(), notebooks_by_name(assignments)
    titles = tuple(dict.fromkeys([*assignments, *(name.rpartition("/")[2] for name in known)]))
    submitted.mkdir(parents=True, exist_ok=True)
    for left in submitted.glob(".intake-*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".intake-", dir=submitted))
    best: dict[tuple[str, str], tuple[Found, _Staged]] = {}
    try:
        for number, path in enumerate(paths):
            live = exchange if exchange and path == exchange.inbound else None
            staged, others = _stage(path, staging / str(number), known, taken, live)
            owners = _owners(staged, others, replace(hints or Hints(), assignments=titles))
            answers = {one.came.origin: one.alone for one in staged}
            whose = _people(owners, answers, people, taken)
            chosen = _choose_newest(staged, owners, whose, known, taken)
            for key, (found, one) in chosen.items():
                if key in best:
                    older = is_older(found.order, best[key][0].order)
                    loser = found.origin if older else best[key][0].origin
                    _note(taken, *key, f"Several notebooks came for this assignment; {loser} was left aside.")
                    if older:
                        continue
                best[key] = (found, one)
            _tell_of_others(staged, others, whose, chosen, given, taken)
        if strict:
            there = [job.student for job in find_jobs(submitted, assignments)[0]]
            check_roster(people.roster, there + [student for student, _ in best])
        for (student, name), (found, one) in sorted(best.items(), key=lambda item: item[0]):
            file = f"{known[name].notebook}.ipynb"
            _store(submitted, replaced, student, name, file, found, one, people, taken)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    taken.problems += people.told() + look_alikes(student for student, _ in best)
    return taken


def _stage(
    path: Path,
    staging: Path,
    known: Mapping[str, Assignment],
    taken: Taken,
    exchange: Exchange | None = None,
) -> tuple[list[_Staged], list[Came]]:
    """Every notebook of a source, its bytes put aside on the disk; and its other files."""
    staged: list[_Staged] = []
    others: list[Came] = []
    for came in read_source(path, taken):
        content = came.content
        if exchange and (why := exchange.forged(came.origin.split("/", 1)[0])):
            if why not in taken.problems:
                taken.problems.append(why)
            continue
        if content is None:
            others.append(came)
            continue
        notes: tuple[str, ...] = ()
        if len(content) > Limits.submission and len(slim := without_outputs(content)) < len(content):
            notes = (f"Its saved outputs ({(len(content) - len(slim)) / 1e6:.0f} MB) were left out.",)
            content = slim
        if exchange and (late := exchange.later(came)):
            notes += (late,)
        file = staging / f"{len(staged)}.ipynb"
        write_atomically(file, content)
        answers = by_cells(content, known)
        worked = worked_on(content, known[answers[0]]) if answers else (False, 0)
        noted = beside((exchange.inbound / came.origin).parent, exchange.inbound) if exchange else {}
        secret = noted.get(SECRET, b"")
        staged.append(_Staged(replace(came, content=None), file, tuple(answers), worked, len(content), notes, secret))
    if not staged and not any(came.trouble for came in others):
        problems = "".join(f"\n  {problem}" for problem in taken.problems[:5])
        raise ClassError(
            f"No notebook (.ipynb) was found in {path}; is it the right file? Nothing was taken.{problems}"
        )
    return staged, others


def _owners(staged: Sequence[_Staged], others: Sequence[Came], hints: Hints) -> dict[str, tuple[Owner, ...]]:
    """Who handed in what, by path."""
    metadata: dict[str, Any] = {}
    for came in others:
        if came.about and _lies_above(came.origin, [one.came.origin for one in staged]):
            with suppress(yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
                read = yaml.safe_load(came.about)
                metadata |= read if isinstance(read, dict) else {}
    pieces = [Piece(one.came.origin, True, one.alone) for one in staged]
    pieces += [Piece(came.origin, bool(came.trouble)) for came in others if "__MACOSX" not in came.origin]
    return owners_of(pieces, replace(hints, metadata=metadata))


def _lies_above(origin: str, notebooks: Iterable[str]) -> bool:
    """Whether a file lies beside or above every notebook: one in a student's own folder tells nothing of others."""
    above = PurePosixPath(origin).parent
    return all(PurePosixPath(notebook).is_relative_to(above) for notebook in notebooks)


def _people(
    owners: Mapping[str, tuple[Owner, ...]], answers: Mapping[str, str], people: People, taken: Taken
) -> dict[str, list[str]]:
    """The students of the course who handed in what, by path."""
    people.look_at((owner, answers.get(path, "")) for path, some in owners.items() for owner in some)
    known: dict[Owner, list[str]] = {}
    whose: dict[str, list[str]] = {}
    for path, some in owners.items():
        for owner in some:
            same = replace(owner, late=False, timestamp=None, attempt=0, declared="")
            if same not in known:
                known[same] = people.who(same)
                for student in known[same] if owner.system else ():
                    taken.names.setdefault(student, owner.name if len(known[same]) == 1 else "")
            whose.setdefault(path, []).extend(s for s in known[same] if s not in whose.get(path, []))
    return whose


def _choose_newest(
    staged: Sequence[_Staged],
    owners: Mapping[str, tuple[Owner, ...]],
    whose: Mapping[str, Sequence[str]],
    known: Mapping[str, Assignment],
    taken: Taken,
) -> dict[tuple[str, str], tuple[Found, _Staged]]:
    """By student and notebook's name, the one that counts of those that came together."""
    best: dict[tuple[str, str], tuple[Found, _Staged]] = {}

    def rank(found: Found, one: _Staged) -> list[float]:
        when, attempt, dated = found.order
        return [when, attempt, one.worked[1] > 0, dated, *one.worked, one.size]

    unsubmitted = drafts([one.came.origin for one in staged])
    submitted = {
        student for one in staged if one.came.origin not in unsubmitted for student in whose.get(one.came.origin, ())
    }
    for one in staged:
        origin = one.came.origin
        if origin in unsubmitted:
            for student in set(whose.get(origin, ())) - submitted:
                taken.students.add(student)
                taken.leave(student, f"has a draft in Teams ({origin}) and submitted nothing.")
            continue
        if not whose.get(origin):
            taken.problems.append(f"{origin}: its name does not tell whose it is; not taken.")
            continue
        owner = owners[origin][0]
        for student in whose[origin]:
            sender = (owner.system, owner.student, owner.name)
            found = Found(
                student, origin, b"", owner.timestamp, owner.late, owner.attempt, owner.declared, one.came.dated, sender
            )
            taken.students.add(student)
            among = {name: known[name] for name in one.answers} or known
            names = [one.alone] if one.alone else by_name(found, among) or list(one.answers)
            if len(names) != 1:
                either = f"may be any of {', '.join(names)}; neither cells nor name tell which. Not taken."
                taken.leave(student, f"{origin} {either if names else 'is a notebook, but none of the assignments.'}")
                continue
            key = (student, names[0])
            if key in best:
                loses = rank(found, one) <= rank(*best[key])
                loser = origin if loses else best[key][0].origin
                _note(taken, *key, f"Several notebooks came for this assignment; {loser} was left aside.")
                if loses:
                    continue
            best[key] = (found, one)
    return best


CLUTTER = re.compile(
    r"(^|/)(\.[^/]+(/.*)?|Thumbs\.db|desktop\.ini|__pycache__/.*|index\.html|timestamp\.txt|submission_secret\.txt|.*\.(yml|pyc))$|_attempt_[\d-]+\.txt$"
)
SHOWN = 5  # names of files


def _tell_of_others(
    staged: Sequence[_Staged],
    others: Sequence[Came],
    whose: Mapping[str, Sequence[str]],
    chosen: Mapping[tuple[str, str], tuple[Found, _Staged]],
    given: Collection[str],
    taken: Taken,
) -> None:
    """Tell what else students handed in: no notebook at all, a zip that can't be read, a file beside the notebook."""
    beside: dict[str, list[str]] = defaultdict(list)
    for came in others:
        for student in whose.get(came.origin, ()):
            if came.trouble:
                taken.leave(student, came.trouble)
                taken.students.add(student)
            elif not came.about:
                beside[student].append(came.origin)
    handed_in = {student for one in staged for student in whose.get(one.came.origin, ())}
    for student, files in beside.items():
        if student not in handed_in and student not in taken.ungraded:
            taken.leave(student, f"handed in no notebook, but {', '.join(files[:SHOWN])}.")
            continue
        notebooks = {
            name.partition("/")[0]: found.origin for (who, name), (found, _) in chosen.items() if who == student
        }
        lie_by: dict[str, list[str]] = defaultdict(list)
        for file in files:
            if not CLUTTER.search(file) and PurePosixPath(file).name not in given:
                shared = {name: len(os.path.commonpath((file, origin))) for name, origin in notebooks.items()}
                for assignment in (name for name, length in shared.items() if length == max(shared.values())):
                    lie_by[assignment].append(file)
        for assignment, some in lie_by.items():
            more = f" and {len(some) - SHOWN} more" if len(some) > SHOWN else ""
            taken.note(student, assignment, f"Handed in as well, and not used: {', '.join(some[:SHOWN])}{more}.")


def is_older(order: Sequence[float], than: Sequence[float]) -> bool:
    """Whether an attempt is older than the one that is there, as far as the same thing is known of both."""
    for mine, theirs in zip(order, than, strict=True):
        if mine and theirs and mine != theirs:
            return mine < theirs
    return order[0] == than[0] and order[1] < than[1]  # the first attempt has no number


def _store(
    submitted: Path,
    replaced: Path,
    student: str,
    name: str,
    file: str,
    found: Found,
    one: _Staged,
    people: People,
    taken: Taken,
) -> None:
    """Put a notebook, as `file`, into its assignment's folder, unless what is there is newer."""
    assignment, _, of_several = name.partition("/")
    folder = submitted / student / assignment
    if folder.is_symlink() or folder.parent.is_symlink():
        taken.leave(student, f"{folder} is a link to another's folder; nothing was put there.")
        return
    target, kept, when = folder / file, one.file.with_suffix(""), found.timestamp
    there = list(people.came.get(f"{student}/{name}", [0.0, 0, 0.0]))
    if folder.exists():
        stamp = read_timestamp(folder, submitted)
        if stamp and not of_several:  # which is the newest's of several
            there[0] = stamp.replace(tzinfo=UTC).timestamp()
        if stamp and when and of_several:
            when = max(stamp, when)
    _put(kept, file, one.file, when)
    if one.secret:
        write_atomically(kept / SECRET, one.secret)
    if folder.exists():
        same = is_regular(target) and read_regular(target, LARGEST_SUBMISSION + 2) == (kept / file).read_bytes()
        if is_older(found.order, there):
            if not same:
                _put_aside(kept, replaced, student, assignment)
                _note(taken, student, name, f"An older attempt came after it and was left aside: {found.origin}.")
            taken.unchanged += 1
            return
    _note_names(found, one, student, name, file, taken)
    people.came[f"{student}/{name}"], people.sent[f"{student}/{name}"] = found.order, found.sender
    if folder.exists():
        if same and (when is None or stamp == when):
            taken.unchanged += 1
            return
        taken.fresh.add((student, assignment))
        if same:
            for made in kept.iterdir():
                os.replace(made, folder / made.name)
            taken.stored += 1
            return
        if of_several:
            _put_among(folder, kept, file, replaced, student, name, taken)
            return
        _put_aside(folder, replaced, student, assignment)
        taken.note(student, assignment, "It replaces an earlier one, which is kept aside.")
    taken.fresh.add((student, assignment))
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.rename(kept, folder)
    taken.stored += 1


def _put_among(folder: Path, kept: Path, file: str, replaced: Path, student: str, name: str, taken: Taken) -> None:
    """Put one of several notebooks into a folder where others may be; what it replaces is kept aside."""
    target = folder / file
    if is_regular(target):
        earlier = kept.with_name(f"{kept.name}-earlier")
        _put(earlier, file, target, None)
        _put_aside(earlier, replaced, student, folder.name)
        _note(taken, student, name, "It replaces an earlier one, which is kept aside.")
    for made in kept.iterdir():
        os.replace(made, folder / made.name)
    taken.stored += 1


def _put(folder: Path, name: str, file: Path, when: datetime | None) -> None:
    """A folder as nbgrader has it, with a staged notebook; a team's lies in several."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copyfile(file, folder / name)
    if when:
        write_atomically(folder / "timestamp.txt", when.strftime("%Y-%m-%d %H:%M:%S.%f UTC"))


def _put_aside(folder: Path, replaced: Path, student: str, assignment: str) -> None:
    replaced.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{student}+{assignment}+", dir=replaced))
    shutil.move(str(folder), aside / assignment)


def _note_names(found: Found, one: _Staged, student: str, name: str, file: str, taken: Taken) -> None:
    shown = PurePosixPath(found.origin).name
    told = shown.endswith(file) and (
        student in shown or any(pattern.search(shown) for pattern in (CANVAS, MOODLE, BLACKBOARD))
    )
    if shown != file and not told:
        _note(taken, student, name, f"It came under the name {shown}.")
    if found.late:
        _note(taken, student, name, "The learning-management system marked it late.")
    for note in one.notes:
        _note(taken, student, name, note)


def _note(taken: Taken, student: str, name: str, text: str) -> None:
    """Note something on a notebook, which is told by its own name where its assignment has several."""
    assignment, _, notebook = name.partition("/")
    taken.note(student, assignment, f"{notebook}: {text}" if notebook else text)


# --- what is there to grade ---
def find_jobs(
    submitted: Path, assignments: Mapping[str, Assignment]
) -> tuple[list[Job], dict[tuple[str, str], list[str]]]:
    """A job for each student and assignment in nbgrader's submitted/ folder, and what was odd about the files.

    A student whose folder holds no usable notebook still gets a job, without a path: none vanishes.
    """
    jobs: list[Job] = []
    notes: dict[tuple[str, str], list[str]] = {}
    for student in sorted(entry for entry in submitted.iterdir() if entry.is_dir()):
        if student.name.startswith("."):
            continue
        if not student.name.isprintable():
            raise ClassError(
                f"Rename the folder {os.fsencode(student)!r}: its name can't be read. Nothing was changed."
            )
        for name, assignment in assignments.items():
            folder = student / name
            if not folder.is_dir():
                continue
            there: list[tuple[str, Path]] = []
            if student.is_symlink() or folder.is_symlink():
                path, said = None, ["The folder is a link to another, which is not followed."]
            elif assignment.parts:
                there = [(p.notebook, folder / f"{p.notebook}.ipynb") for p in assignment.parts]
                there = [(notebook, path) for notebook, path in there if is_regular(path)]
                path = there[0][1] if there else None
                said = [] if there else ["None of its notebooks was handed in."]
            else:
                path, said = _choose(folder, name, assignment)
            jobs.append(Job(student.name, name, path, submitted, tuple(there)))
            if said:
                notes[student.name, name] = said
    return jobs, notes


def _choose(folder: Path, name: str, assignment: Assignment) -> tuple[Path | None, list[str]]:
    exact = folder / f"{assignment.notebook}.ipynb"
    for path in (exact, folder / f"{name}.ipynb"):
        if is_regular(path):
            return path, []
    candidates = [
        path
        for path in files_below(folder)
        if path.suffix == ".ipynb" and is_regular(path) and not SKIP.search(path.relative_to(folder).as_posix())
    ]
    if why := not_plain(exact, folder):
        return None, [f"The notebook is {why}, which is not followed. If a copy of yours made it so, copy it anew."]
    if not candidates:
        return None, ["No notebook was handed in."]

    def rank(path: Path) -> tuple[bool, int, str]:
        return *worked_on(read_regular(path, LARGEST_SUBMISSION), assignment), str(path)

    best = max(candidates, key=rank)
    return best, [f"The notebook was renamed: {best.relative_to(folder).as_posix()} is taken for {name}.ipynb."]
