"""Take submissions in as they come: nbgrader's exchange, a folder, a learning-management system's zip; and the roster.

Everything ends in nbgrader's own layout, submitted/STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb with a timestamp.txt beside it.
Names inside a zip are never used as paths.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import stat
import tempfile
import unicodedata
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path, PurePosixPath

from .class_ import LARGEST_SUBMISSION, ClassError, Job, write_atomically
from .files import read_regular
from .grade import Assignment, Unreadable, read_submission

MOST_MEMBERS = 500_000  # files in one zip
MOST_BYTES = 64 << 30  # of all notebooks in one zip, unpacked
MOST_BYTES_INNER = 256 << 20  # of a zip that one student handed in, with the zips within it
MOST_MEMBERS_INNER = 1000  # notebooks and zips
MOST_ENTRIES_INNER = 20_000  # files of any kind
SMALL_RATIO = 200  # a notebook that shrinks by more than this is no notebook

SKIP = re.compile(r"(^|/)(__MACOSX|\.ipynb_checkpoints|\.git|node_modules)(/|$)|(^|/)\._")


@dataclass(frozen=True)
class Found:
    """A notebook as it came: whose it is, when it came, and where it lay."""

    student: str
    origin: str  # the path in the folder or zip, for people to read
    content: bytes
    timestamp: datetime | None = None  # UTC, without a zone, as nbgrader has it
    late: bool = False  # the learning-management system says so
    attempt: int = 0
    name: str = ""  # the student's name where the file names tell it
    declared: str = ""  # the assignment where the folders tell it


@dataclass
class Taken:
    """What an intake did, for the tutor to read."""

    students: set[str] = field(default_factory=set)
    stored: int = 0
    unchanged: int = 0
    notes: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # by (student, assignment)
    problems: list[str] = field(default_factory=list)
    ungraded: dict[str, list[str]] = field(default_factory=dict)  # what a student handed in and can't be graded
    names: dict[str, str] = field(default_factory=dict)

    def note(self, student: str, assignment: str, text: str) -> None:
        _add_to(self.notes.setdefault((student, assignment), []), text)

    def leave(self, student: str, text: str) -> None:
        if _add_to(self.ungraded.setdefault(student, []), text):
            self.problems.append(f"{student}: {text}")


MOST_SAID = 10  # of one student's files: who hands in a thousand is not to fill everybody's tables


def _add_to(said: list[str], text: str) -> bool:
    if len(said) == MOST_SAID:
        said.append("There was more of the kind.")
    if len(said) < MOST_SAID:
        said.append(text)
        return True
    return False


# --- whose notebook is it? the names that systems give ---

MOODLE = re.compile(r"^(?P<name>.+?)_(?P<id>[A-Za-z0-9.@-]+)_assignsubmission_(file|onlinetext)_?(?P<rest>.*)$")
BLACKBOARD = re.compile(
    r"^(?P<assignment>.+?)_(?P<id>[^_]+)_attempt_(?P<time>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(_(?P<rest>.*)|\.txt)?$"
)  # the .txt is Blackboard's own, about who handed in
BLACKBOARDS_END = re.compile(r"attempt_\d{4}-\d\d-")
CANVAS = re.compile(r"^(?P<name>[^_/]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<upload>\d+)_(?P<rest>.+)$")
EXCHANGE = re.compile(r"^(?P<id>[^+]+)\+(?P<assignment>[^+]+)\+(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^+]*)(\+.*)?$")


@dataclass(frozen=True)
class Owner:
    student: str
    name: str = ""
    late: bool = False
    timestamp: datetime | None = None
    attempt: int = 0
    declared: str = ""


def owner_of(path: str, assignments: Sequence[str], level: int = 0) -> Owner | None:
    """Who handed in the file at `path` (with /), from the names that Moodle, Canvas, Blackboard and nbgrader give.

    The system's own name is the folder at `level`, or the file's where there is no folder. What lies below, a student
    named, and it tells nothing of whose it is.
    """
    parts = PurePosixPath(path).parts
    parts = parts[level:] or parts
    top = parts[0]
    if len(parts) == 1 and (match := CANVAS.match(top)) and not BLACKBOARDS_END.match(match["rest"]):
        again = re.search(r"-(\d+)\.[^.]+$", match["rest"])
        return Owner(match["id"], match["name"], bool(match["late"]), attempt=int(again[1]) if again else 0)
    if match := MOODLE.match(top):
        return Owner(match["id"], match["name"])
    if match := EXCHANGE.match(top):
        return Owner(match["id"], timestamp=_utc(match["time"]), declared=match["assignment"])
    if len(parts) > 1:
        declared = next((part for part in parts[1:-1] if part in assignments), "")
        return Owner(top, declared=declared)
    if match := BLACKBOARD.match(top):
        return Owner(match["id"], timestamp=_utc(re.sub(r"-(\d\d)-(\d\d)-(\d\d)$", r" \1:\2:\3", match["time"])))
    stem = PurePosixPath(path).stem
    for assignment in assignments:
        for left, right in (
            (f"{assignment}_", ""),
            ("", f"_{assignment}"),
            (f"{assignment}-", ""),
            ("", f"-{assignment}"),
        ):
            if stem.startswith(left) and stem.endswith(right) and len(stem) > len(left + right):
                return Owner(stem[len(left) : len(stem) - len(right)], declared=assignment)
    return Owner(stem) if stem not in assignments else None


def _level(paths: Sequence[str]) -> int:
    """How deep the folders lie that the system named: where most paths have such a name, else at the top."""
    for level in range(4):
        tops = [parts[level] for path in paths if len(parts := PurePosixPath(path).parts) > level + 1]
        if 2 * sum(bool(MOODLE.match(top) or EXCHANGE.match(top)) for top in tops) > len(paths):
            return level
    return 0


def _utc(text: str) -> datetime | None:
    """nbgrader's timestamps, as in `2017-08-28 13:05:22.123456 AEST` or `… +1000`; UTC where no zone is given."""
    from dateutil import parser, tz

    pieces = text.strip().split(" ")
    zone = pieces[2] if len(pieces) == 3 else "UTC"
    try:
        when = parser.parse(" ".join(pieces[:2]))
        if re.fullmatch(r"[+-]\d{4}", zone):
            when = parser.parse(f"{' '.join(pieces[:2])} {zone}")
        elif when.tzinfo is None:
            when = when.replace(tzinfo=tz.gettz(zone) or UTC)
    except (ValueError, OverflowError):
        return None
    return when.astimezone(UTC).replace(tzinfo=None)


def read_timestamp(folder: Path, root: Path | None = None) -> datetime | None:
    """The time in a submission's timestamp.txt (UTC), or None."""
    return _utc(timestamp_text(folder, root))


def timestamp_text(folder: Path, root: Path | None = None) -> str:
    """What a submission's timestamp.txt says; nothing where there is none that can be read."""
    with suppress(OSError, ValueError):
        return read_regular(folder / "timestamp.txt", 100, root).decode()
    return ""


FORMULA = "=+-@"  # what begins so, a spreadsheet computes


def valid_id(student: str) -> bool:
    """Whether an id can be a folder's name, nbgrader's patterns can find it there, and people can read it."""
    return (
        bool(student.strip())
        and len(student.encode("utf-8", "replace")) <= 128
        and student not in (".", "..")
        and not student.startswith(".")
        and not re.search(r'[/\\*?\[\]<>|":]', student)
        and student.isprintable()
        and student[0] not in FORMULA
    )


# --- reading ---


def read_source(path: Path, assignments: Sequence[str], taken: Taken) -> Iterator[Found]:
    """Every notebook in a zip, a folder, or an exchange's inbound folder. Raises ClassError for what can't be used."""
    if not path.exists():
        raise ClassError(f"There is nothing at {path}; is the path right?")
    if path.is_dir():
        yield from _read_folder(path, assignments, taken)
        return
    with open(path, "rb") as stream:  # is_zipfile would take a file that can't be opened for no zip
        zipped = zipfile.is_zipfile(stream)
    if zipped:
        yield from _read_zip(path, assignments, taken)
    elif path.suffix == ".ipynb":
        raise ClassError(
            f"{path} is a single notebook. Put it in a folder named after the student and give the outer folder."
        )
    else:
        raise ClassError(f"{path} is neither a folder nor a zip. Export the submissions again, or unpack them first.")


def _files(root: Path, taken: Taken | None = None) -> list[Path]:
    """Every file under a folder, in order; links and what can't be looked into are told of, and not followed."""
    found, waiting = [], [root]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:  # even of a path that has become too long
            if taken:
                taken.problems.append(f"{folder.relative_to(root)}: it can't be looked into ({error.strerror}).")
            continue
        for entry in entries:
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif not (entry.is_symlink() and path.is_dir()):
                found.append(path)
            elif taken:
                taken.problems.append(f"{path.relative_to(root)}: a link, not followed.")
    return sorted(found)


def _read_folder(root: Path, assignments: Sequence[str], taken: Taken) -> Iterator[Found]:
    every = [(_readable(os.fsencode(file.relative_to(root))), file) for file in _files(root, taken)]
    wanted = [name for name, _ in every if _kind(name)]
    prefix = _wrapper(wanted, assignments)
    level = _level([name[len(prefix) :] for name in wanted if not SKIP.search(name)])
    _name_those_without([name for name, _ in every], prefix, level, assignments, taken)
    for name, file in every:
        if SKIP.search(name) or not _kind(name):
            continue
        try:
            content = read_regular(file, LARGEST_SUBMISSION + 1)
        except OSError:
            if _regular(file):  # it may not be read: for the tutor to mend
                raise
            taken.problems.append(f"{name}: a link or special file, not read.")
            continue
        owner = owner_of(name[len(prefix) :], assignments, level)
        when = read_timestamp(file.parent)
        yield from _found(name, content, owner, when, taken, assignments)


def _readable(name: bytes) -> str:
    """A file's name as text, whatever machine it comes from."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _name_in_zip(member: zipfile.ZipInfo) -> str:
    """A member's name; where the zip does not say that it is UTF-8, it may be so all the same."""
    try:
        return member.filename if member.flag_bits & 0x800 else member.filename.encode("cp437").decode()
    except UnicodeError:
        return member.filename


def _name_those_without(
    names: Iterable[str], prefix: str, level: int, assignments: Sequence[str], taken: Taken
) -> None:
    """Tell of those who handed in files, but no notebook."""
    files: dict[str, list[str]] = {}
    for name in names:
        path = name.removeprefix(prefix)
        owner = owner_of(path, assignments, level)
        if owner and (owner.name or owner.timestamp or "/" in path) and "__MACOSX" not in name:
            files.setdefault(owner.student, []).append(name)
            if (owner.name or owner.timestamp) and valid_id(owner.student):
                taken.names.setdefault(owner.student, owner.name)  # a system knows them: they get a row in grades.csv
    for student, theirs in files.items():
        if not any(_kind(name) and not SKIP.search(name) for name in theirs):
            taken.leave(student, f"handed in no notebook, but {', '.join(theirs[:5])}.")


def _wrapper(names: Sequence[str], assignments: Sequence[str]) -> str:
    """The folder that merely wraps everything (`submissions/…`), with its slash, or nothing."""
    tops = {name.split("/", 1)[0] for name in names if not SKIP.search(name)}
    if len(tops) != 1 or any("/" not in name for name in names if not SKIP.search(name)):
        return ""
    (top,) = tops
    below = [name.split("/", 1)[1] for name in names if not SKIP.search(name)]
    if any(pattern.match(top) for pattern in (MOODLE, BLACKBOARD, EXCHANGE)):
        return ""
    if all("/" not in name for name in below) and not any(
        pattern.match(name) for name in below for pattern in (MOODLE, BLACKBOARD, CANVAS)
    ):
        return ""  # one student's folder
    if {name.split("/", 1)[0] for name in below} <= set(assignments):
        return ""  # one student's folders by assignment
    return top + "/" + _wrapper([name for name in below], assignments)


def _read_zip(path: Path, assignments: Sequence[str], taken: Taken) -> Iterator[Found]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > MOST_MEMBERS:
                raise ClassError(f"{path.name} holds {len(members)} files; that is no class. Nothing was taken.")
            every = [(_name_in_zip(member), member) for member in members]
            wanted = [(name, member) for name, member in every if not SKIP.search(name) and _kind(name)]
            _refuse_bombs(path.name, [member for _, member in wanted])
            prefix = _wrapper([name for name, _ in wanted], assignments)
            level = _level([name[len(prefix) :] for name, _ in wanted])
            _name_those_without([name for name, _ in every], prefix, level, assignments, taken)
            for name, member in wanted:
                content = _member(archive, member, path.name)
                owner = owner_of(name[len(prefix) :], assignments, level)
                yield from _found(name, content, owner, None, taken, assignments)
    except ClassError:
        raise
    except Exception as error:  # a spoilt stream fails in as many ways as there are packers
        raise ClassError(f"{path.name} can't be read ({error}). Export it again. Nothing was taken.") from error


def _kind(name: str) -> str:
    """.ipynb or .zip, or nothing. Browsers that know no notebooks save them as x.ipynb.txt or x.ipynb.json."""
    match = re.search(r"(\.ipynb|\.zip)$|(\.ipynb)\.(txt|json)$", name.lower())
    return (match[1] or match[2]) if match else ""


def _refuse_bombs(name: str, members: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    if total > MOST_BYTES:
        raise ClassError(f"{name} would unpack to {total / 1e9:.0f} GB: that is a zip bomb. Nothing was taken.")
    for member in members:
        large = member.file_size > LARGEST_SUBMISSION
        if large and member.file_size > SMALL_RATIO * max(1, member.compress_size):
            raise ClassError(
                f"{name} holds {member.filename!r}, which would unpack from {member.compress_size / 1e3:.0f} kB to "
                f"{member.file_size / 1e6:.0f} MB: that is a zip bomb. Nothing was taken. "
                "Take that file out of the zip and look at who handed it in."
            )


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> bytes:
    with archive.open(member) as stream:
        content = stream.read(LARGEST_SUBMISSION + 1)  # a header that lies about the size gains nothing
    if len(content) > member.file_size:
        raise ClassError(f"{name}: {member.filename!r} is larger than it says. Nothing was taken.")
    return content


def _found(
    name: str,
    content: bytes,
    owner: Owner | None,
    when: datetime | None,
    taken: Taken,
    assignments: Sequence[str],
) -> Iterator[Found]:
    if owner is None or not valid_id(owner.student):
        taken.problems.append(f"{name}: its name does not tell whose it is; not taken.")
        return
    if owner.name:
        taken.names[owner.student] = owner.name

    def found(origin: str, data: bytes) -> Found:
        return Found(
            owner.student,
            origin,
            data,
            when or owner.timestamp,
            owner.late,
            owner.attempt,
            owner.name,
            owner.declared,
        )

    if _kind(name) == ".ipynb":
        yield found(name, content)
        return
    count = 0
    try:
        for origin, data in _unpacked(name, content):
            count += 1
            yield found(origin, data)
    except ClassError as error:
        taken.leave(owner.student, f"{name} {error}; not taken.")
    except Exception as error:  # a spoilt stream fails in as many ways as there are packers
        taken.leave(owner.student, f"{name} can't be read ({error}); not taken.")
    else:
        if not count:
            taken.leave(owner.student, f"{name} holds no notebook.")


def _unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """The notebooks in a zip that a student handed in, and in the zips within it: where each lay, and its bytes."""
    waiting = [(name, content)]
    entries = files = size = 0
    while waiting:
        place, data = waiting.pop(0)
        entries += data.count(b"PK\x01\x02")  # ZipFile reads them all before it can say how many there are
        if entries > MOST_ENTRIES_INNER:
            raise ClassError("is far too large when unpacked")
        with zipfile.ZipFile(io.BytesIO(data)) as inner:
            members = [m for m in inner.infolist() if _kind(m.filename) and not SKIP.search(m.filename)]
            files += len(members)
            size += sum(member.file_size for member in members)
            if size > MOST_BYTES_INNER or files > MOST_MEMBERS_INNER:
                raise ClassError("is far too large when unpacked")
            if any(member.flag_bits & 1 for member in members):
                raise ClassError("needs a password")
            for member in members:
                origin, data = f"{place}/{member.filename}", _member(inner, member, place)
                if _kind(member.filename) == ".zip":
                    waiting.append((origin, data))
                else:
                    yield origin, data


# --- which assignment is it? ---

IdsAndTexts = tuple[set[str], set[str]]


def likeness(cells: IdsAndTexts, assignment: Assignment) -> float:
    """How much a notebook is a copy of an assignment's release: the share of its cells that are found, 0 to 1."""
    ids, texts = cells
    known = [cell for cell in assignment.cells if cell.kind != "text"]
    if not known:
        return 0.0
    hits = sum(
        1.0 if cell.grade_id in ids and _squeezed(cell.release_source) in texts
        else 0.9 if _squeezed(cell.release_source) in texts
        else 0.5 if cell.grade_id in ids
        else 0.0
        for cell in known
    )  # fmt: skip
    return hits / len(known)


SURE = 0.15  # a notebook less like an assignment's release is not known by its cells


def worked_on(content: bytes, assignment: Assignment) -> tuple[bool, int]:
    """Whether a notebook is a copy of the release, and then how many answers are no longer as they were handed out."""
    cells = _ids_and_texts(content)
    if likeness(cells, assignment) < SURE:
        return False, 0
    asked = [cell for cell in assignment.cells if cell.kind in ("solution", "written")]
    return True, sum(_squeezed(cell.release_source) not in cells[1] for cell in asked)


@lru_cache(maxsize=1)  # a notebook is first asked for its assignment, then for how much of it was worked on
def _ids_and_texts(content: bytes) -> IdsAndTexts:
    """The grade_ids and the texts without spaces of a notebook's cells; none where it is no notebook."""
    try:
        cells, _ = read_submission(content)
    except Unreadable:
        return set(), set()
    return {cell.claims for cell in cells if cell.claims}, {_squeezed(cell.source) for cell in cells}


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def which_assignment(found: Found, assignments: Mapping[str, Assignment]) -> str | None:
    """The assignment that a notebook answers: by content first, by name where content fails."""
    cells = _ids_and_texts(found.content)
    scores = {name: likeness(cells, assignment) for name, assignment in assignments.items()}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] >= SURE:
        return best
    if found.declared in assignments:
        return found.declared
    stem = PurePosixPath(found.origin).stem.lower()
    named = {
        name: SequenceMatcher(None, name.lower(), stem).ratio() + 2 * (name.lower() in stem) for name in assignments
    }
    best = max(named, key=lambda name: named[name])
    return best if named[best] >= 0.6 else None


# --- taking in ---


def take_in(
    path: Path,
    submitted: Path,
    replaced: Path,
    assignments: Mapping[str, Assignment],
    roster: Mapping[str, Enrolled] | None = None,
) -> Taken:
    """Bring the submissions at `path` into `submitted`.

    Either all can be read, there is room, and everyone is on the roster if one is given, or nothing is changed.
    Of several notebooks of one student for one assignment the newest counts (then the one with most answers, then the
    largest). What was there before and differs is kept in `replaced`.
    """
    taken = Taken()
    submitted.mkdir(parents=True, exist_ok=True)
    for left in submitted.glob(".intake-*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".intake-", dir=submitted))
    try:
        best: dict[tuple[str, str], tuple[tuple[float, ...], Found, Path]] = {}
        for number, found in enumerate(read_source(path, list(assignments), taken)):
            assignment = which_assignment(found, assignments)
            taken.students.add(found.student)
            if assignment is None:
                taken.leave(found.student, f"{found.origin} is a notebook, but none of the assignments.")
                continue
            when = found.timestamp.timestamp() if found.timestamp else 0.0
            rank = (when, found.attempt, *worked_on(found.content, assignments[assignment]), len(found.content))
            key = (found.student, assignment)
            if key in best:
                loser = found.origin if rank <= best[key][0] else best[key][1].origin
                taken.note(*key, f"Several notebooks came for this assignment; {loser} was left aside.")
                if rank <= best[key][0]:
                    continue
                shutil.rmtree(best[key][2])
            kept = staging / str(number)
            write_atomically(kept / f"{assignment}.ipynb", found.content)
            if found.timestamp:
                write_atomically(kept / "timestamp.txt", found.timestamp.strftime("%Y-%m-%d %H:%M:%S.%f UTC"))
            slim = Found(**{**found.__dict__, "content": b""})
            best[key] = (rank, slim, kept)
        if roster:
            there = [job.student for job in find_jobs(submitted, assignments)[0]]
            check_roster(roster, there + [student for student, _ in best])
        _same_but_for_case(taken, {student for student, _ in best})
        for (student, assignment), (_, found, kept) in sorted(best.items()):
            _store(submitted, replaced, student, assignment, found, kept, taken)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if not taken.students:
        problems = "".join(f"\n  {problem}" for problem in taken.problems[:5])
        raise ClassError(
            f"No notebook (.ipynb) was found in {path}; is it the right file? Nothing was taken.{problems}"
        )
    return taken


def _same_but_for_case(taken: Taken, students: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for student in sorted(students):
        other = seen.setdefault(unicodedata.normalize("NFKC", student).casefold(), student)
        if other != student:
            taken.problems.append(f"{other} and {student} differ only in the form of letters; are they one person?")


def _store(
    submitted: Path, replaced: Path, student: str, assignment: str, found: Found, kept: Path, taken: Taken
) -> None:
    folder = submitted / student / assignment
    target = folder / f"{assignment}.ipynb"
    if PurePosixPath(found.origin).name != target.name:
        shown = PurePosixPath(found.origin).name
        if not any(
            pattern.match(shown) and shown.endswith(f"_{target.name}") for pattern in (CANVAS, MOODLE, BLACKBOARD)
        ):
            taken.note(student, assignment, f"It came under the name {shown}.")
    if found.late:
        taken.note(student, assignment, "The learning-management system marked it late.")
    if folder.exists():
        same = _regular(target) and read_regular(target, LARGEST_SUBMISSION + 2) == (kept / target.name).read_bytes()
        if same and (found.timestamp is None or read_timestamp(folder) == found.timestamp):
            taken.unchanged += 1
            return
        if same:
            os.replace(kept / "timestamp.txt", folder / "timestamp.txt")
            taken.stored += 1
            return
        replaced.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f"{student}+{assignment}+", dir=replaced))
        shutil.move(str(folder), aside / assignment)
        taken.note(student, assignment, "It replaces an earlier one, which is kept aside.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.rename(kept, folder)
    taken.stored += 1


# --- what is there to grade ---


def find_jobs(
    submitted: Path, assignments: Mapping[str, Assignment]
) -> tuple[list[Job], dict[tuple[str, str], list[str]]]:
    """A job for each student and assignment in nbgrader's submitted/ folder, and what was odd about the files.

    A student whose folder holds no usable notebook still gets a job, without a path: none vanishes.
    """
    jobs: list[Job] = []
    notes: dict[tuple[str, str], list[str]] = {}
    for student in sorted(entry for entry in submitted.iterdir() if entry.is_dir() and not entry.is_symlink()):
        if student.name.startswith("."):
            continue
        if not student.name.isprintable():
            raise ClassError(
                f"Rename the folder {os.fsencode(student)!r}: its name can't be read. Nothing was changed."
            )
        for name, assignment in assignments.items():
            folder = student / name
            if not folder.is_dir() or folder.is_symlink():
                continue
            path, said = _choose(folder, name, assignment)
            jobs.append(Job(student.name, name, path))
            if said:
                notes[student.name, name] = said
    return jobs, notes


def _regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _choose(folder: Path, name: str, assignment: Assignment) -> tuple[Path | None, list[str]]:
    exact = folder / f"{name}.ipynb"
    if _regular(exact):
        return exact, []
    candidates = [
        path
        for path in _files(folder)
        if path.suffix == ".ipynb" and _regular(path) and not SKIP.search(path.as_posix())
    ]
    if exact.is_symlink():
        return None, ["The notebook is a link to another file, which is not followed."]
    if not candidates:
        return None, ["No notebook was handed in."]

    def rank(path: Path) -> tuple[bool, int, str]:
        return *worked_on(read_regular(path, LARGEST_SUBMISSION), assignment), str(path)

    best = max(candidates, key=rank)
    return best, [f"The notebook was renamed: {best.relative_to(folder).as_posix()} is taken for {name}.ipynb."]


# --- the roster ---


@dataclass(frozen=True)
class Enrolled:
    """A row of the roster."""

    student: str
    session: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""


COLUMNS = {  # the first that is there; of what systems export, the one that stands in their zips' names comes first
    "student": (
        *("student_id", "id", "username", "identifier", "student id", "id number"),
        *("sis user id", "lms_id", "student"),
    ),
    "session": ("session", "workshop", "class", "section", "tutorial", "group", "groups"),
    "first_name": ("first_name", "first name", "given name"),
    "last_name": ("last_name", "last name", "surname", "family name"),
    "email": ("email", "e-mail", "email address"),
    "name": ("name", "full name", "student"),
}


def read_roster(path: Path, sessions: Sequence[str] = ()) -> dict[str, Enrolled]:
    """The class list by student id, from a CSV with a header row: student_id, session, and names if it has them."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ClassError(f"There is no roster at {path}.") from None
    except UnicodeDecodeError:
        raise ClassError(f"The roster {path} is no CSV in UTF-8. Save it as such: in Excel, as “CSV UTF-8”.") from None
    except OSError as error:
        raise ClassError(f"The roster {path} can't be read: {error.strerror}.") from error
    whole = text.splitlines()
    above = 1 if whole and whole[0].startswith("sep=") else 0  # a hint for Excel
    rows = list(csv.reader(whole[above:], dialect=_dialect(whole[above:])))
    if not rows:
        raise ClassError(f"The roster {path} is empty.")
    header = [column.strip().lower() for column in rows[0]]
    at = {role: next((header.index(name) for name in names if name in header), None) for role, names in COLUMNS.items()}
    where = at["student"]
    if where is None:
        raise ClassError(f"The roster {path} has no column student_id; its columns are: {', '.join(rows[0])}.")
    roster: dict[str, Enrolled] = {}
    unknown: dict[str, int] = {}
    for line, row in enumerate(rows[1:], start=2 + above):
        if not any(cell.strip() for cell in row):
            continue

        def cell(role: str, row: list[str] = row) -> str:
            index = at[role]
            return row[index].strip() if index is not None and index < len(row) else ""

        student = cell("student").removeprefix("Participant ")  # as Moodle's grading worksheet has it
        if not student:
            raise ClassError(f"The roster {path} has no student id in line {line}.")
        if student in roster:
            raise ClassError(f"The roster {path} has {student} twice, the second time in line {line}.")
        first, last = _first_and_last(cell("name"))
        session = _session(cell("session"), sessions)
        if session is None:
            unknown[cell("session")] = line
            session = ""
        roster[student] = Enrolled(
            student, session, cell("first_name") or first, cell("last_name") or last, cell("email")
        )
    if unknown:
        lines = ", ".join(f"{name!r} (line {line})" for name, line in unknown.items())
        there = "; ".join(f"{i} {session}" for i, session in enumerate(sessions, 1))
        raise ClassError(f"The roster {path} names sessions that the timetable lacks: {lines}. It has: {there}.")
    return roster


def _first_and_last(name: str) -> tuple[str, str]:
    """A whole name taken apart: `Ada Lovelace`, or `Lovelace, Ada`."""
    last, comma, first = name.partition(", ")
    if not comma:
        first, _, last = name.rpartition(" ")
    return first, last


def _session(name: str, sessions: Sequence[str]) -> str | None:
    """The session of the timetable that a roster means: by its number or its name; any where there is no timetable."""
    if not name or not sessions:
        return name
    number = name.removesuffix(".0")  # as spreadsheets may write it
    if number.isdigit() and 1 <= int(number) <= len(sessions):
        return sessions[int(number) - 1]

    def plain(text: str) -> str:
        text = re.sub(r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]*", r"\1", text.casefold())  # Tue, Tues, Tuesday
        return re.sub(r"[\s–—\-*·,]+", "", text)

    return next((session for session in sessions if plain(session) == plain(name)), None)


def _dialect(lines: Sequence[str]) -> type[csv.Dialect] | str:
    first = lines[0] if lines else ""
    return max((csv.excel, csv.excel_tab, _Semicolon), key=lambda dialect: first.count(dialect.delimiter))


class _Semicolon(csv.excel):
    delimiter = ";"


def check_roster(roster: Mapping[str, Enrolled], students: Collection[str]) -> None:
    """Raise a ClassError naming those who handed in but are not on the roster."""
    strangers = sorted(set(students) - set(roster))
    if strangers:
        nobody = bool(roster) and not set(students) & set(roster)
        shown = ", ".join(strangers[:20]) + (f" and {len(strangers) - 20} others" if len(strangers) > 20 else "")
        hint = f" ({next(iter(roster))} is the first id on it; are these the same kind of id?)" if nobody else ""
        raise ClassError(
            f"Not on the roster, but handed in: {shown}{hint}. Add them to it, or grade them as they are with "
            "--unknown-students. Nothing was changed."
        )
