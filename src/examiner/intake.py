"""Take submissions in as they come: nbgrader's exchange, a folder, a learning-management system's zip.

Everything ends in nbgrader's own layout, submitted/STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb with a timestamp.txt beside it.
Names inside a zip are never used as paths.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from .class_ import LARGEST_SUBMISSION, ClassError, Job, write_atomically
from .files import NotPlain, not_plain, read_regular
from .grade import Assignment, Limits, Unreadable, read_submission, without_outputs
from .owners import BLACKBOARD, CANVAS, EXCHANGE, MOODLE, Hints, Owner, Piece, owners_of, utc
from .roster import People, check_roster, look_alikes

MOST_MEMBERS = 500_000  # files in one zip
MOST_BYTES = 64 << 30  # of all notebooks in one zip, unpacked
MOST_BYTES_INNER = 1 << 30  # of a zip within it, which may be one student's, or a whole class's, with the zips within
MOST_MEMBERS_INNER = 2000  # notebooks and zips
MOST_ENTRIES_INNER = 20_000  # files of any kind
LARGEST_ZIP = 512 << 20  # within another
LARGE = 32 << 20  # and what is larger than this and shrinks to
SMALL_RATIO = 200  # so small a part of it is no notebook

SKIP = re.compile(r"(^|/)(__MACOSX|\.ipynb_checkpoints|\.git|node_modules)(/|$)|(^|/)\._")


@dataclass(frozen=True)
class Came:
    """A file as it came: where it lay, and its bytes if it is a notebook."""

    origin: str  # the path in the folder or zip, for people to read; a zip in it counts as a folder
    content: bytes | None = None
    dated: float = 0.0  # seconds, as the zip says; nothing but its order among the others is believed
    trouble: str = ""  # of a zip: why it can't be read
    about: bytes = b""  # of a small text that a system puts beside the notebooks


@dataclass(frozen=True)
class Found:
    """A notebook whose student is known."""

    student: str
    origin: str
    content: bytes = b""
    timestamp: datetime | None = None
    late: bool = False  # the learning-management system says so
    attempt: int = 0
    declared: str = ""  # the assignment where the folders tell it
    dated: float = 0.0

    @property
    def order(self) -> list[float]:
        """What tells which of two attempts is the newer: the time, the attempt's number, the date in the zip."""
        return [self.timestamp.replace(tzinfo=UTC).timestamp() if self.timestamp else 0.0, self.attempt, self.dated]


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
    fresh: set[tuple[str, str]] = field(default_factory=set)  # what was stored: earlier notes on it hold no longer

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


def read_timestamp(folder: Path, root: Path | None = None) -> datetime | None:
    """The time in a submission's timestamp.txt (UTC), or None."""
    return utc(timestamp_text(folder, root))


def timestamp_text(folder: Path, root: Path | None = None) -> str:
    """What a submission's timestamp.txt says; nothing where there is none that can be read."""
    with suppress(OSError, ValueError):
        return read_regular(folder / "timestamp.txt", 100, root).decode()
    return ""


# --- reading ---


def read_source(path: Path, taken: Taken) -> Iterator[Came]:
    """Every file in a zip, a folder, or an exchange's inbound folder. Raises ClassError for what can't be used."""
    if not path.exists():
        raise ClassError(f"There is nothing at {path}; is the path right?")
    if path.is_dir():
        yield from _read_folder(path, taken)
        return
    with open(path, "rb") as stream:  # is_zipfile would take a file that can't be opened for no zip
        zipped = zipfile.is_zipfile(stream)
    if zipped:
        yield from _read_zip(path, taken)
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


def _read_folder(root: Path, taken: Taken) -> Iterator[Came]:
    for name, file in [(_readable(os.fsencode(file.relative_to(root))), file) for file in _files(root, taken)]:
        if SKIP.search(name) or not _kind(name):
            yield Came(
                name, about=read_regular(file, LONGEST_ABOUT, root) if _is_about(name) and _regular(file) else b""
            )
            continue
        try:
            most = LARGEST_ZIP if _kind(name) == ".zip" else LARGEST_SUBMISSION
            content = read_regular(file, most + 1, root)
        except NotPlain as error:
            yield Came(name, trouble=f"{name} is {error.what}; not taken.")
            continue
        if _kind(name) == ".zip":
            yield from _unpacked(name, content)
        else:
            yield Came(name, content)


def _readable(name: bytes) -> str:
    """A file's name as text, whatever machine it comes from."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _name_in_zip(member: zipfile.ZipInfo) -> str:
    """A member's name, with / whatever packed it; it may be UTF-8 even where the zip does not say so."""
    name = member.filename
    with suppress(UnicodeError):
        name = name if member.flag_bits & 0x800 else _decoded(name.encode("cp437"))
    return name.replace("\\", "/")


LETTERS = ("utf-8", "cp437", "gb18030", "cp932", "cp949", "cp1252")  # what packers write without saying so


def _decoded(raw: bytes) -> str:
    """A name in the first of these encodings by which all that is no ASCII in it is letters."""
    for encoding in LETTERS:
        with suppress(UnicodeDecodeError):
            name = raw.decode(encoding)
            if encoding == "utf-8" or all(c.isascii() or c.isalpha() for c in name):
                return name
    return raw.decode("cp437")


def _date_in_zip(member: zipfile.ZipInfo) -> float:
    """A member's date in seconds; 0 where the zip has none: many packers write the first day that there is."""
    with suppress(ValueError, OverflowError):
        return datetime(*member.date_time, tzinfo=UTC).timestamp() if member.date_time[0] > 1980 else 0.0
    return 0.0


def _read_zip(path: Path, taken: Taken) -> Iterator[Came]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > MOST_MEMBERS:
                raise ClassError(f"{path.name} holds {len(members)} files; that is no class. Nothing was taken.")
            every = [(_name_in_zip(member), member) for member in members]
            wanted = {name for name, _ in every if not SKIP.search(name) and _kind(name)}
            _refuse_bombs(path.name, [member for name, member in every if name in wanted])
            if any(member.flag_bits & 1 for _, member in every):
                raise ClassError(
                    f"{path.name} needs a password. Unpack it first and give the folder. Nothing was taken."
                )
            if guessed := [name for name, member in every if _is_guessed(member)]:
                taken.problems.append(
                    f"{path.name} does not say in which letters its names are written; they were read as in "
                    f"{guessed[0]}. If that is wrong, pack it anew where it was made, or give the unpacked folder."
                )
            for name, member in every:
                if _is_special(member):
                    yield Came(name, trouble=f"{name} is a link or special file; not taken.")
                elif name not in wanted:
                    yield Came(name, about=_about(archive, member) if _is_about(name) else b"")
                elif _kind(name) == ".zip":
                    yield from _unpacked(name, _member(archive, member, path.name))
                else:
                    yield Came(name, _member(archive, member, path.name), dated=_date_in_zip(member))
    except ClassError:
        raise
    except Exception as error:  # a spoilt stream fails in as many ways as there are packers
        raise ClassError(f"{path.name} can't be read ({error}). Export it again. Nothing was taken.") from error


LONGEST_ABOUT = 8 << 20


def _is_about(name: str) -> bool:
    """Whether it may be Gradescope's list of who handed in what."""
    return PurePosixPath(name).name == "submission_metadata.yml" and not SKIP.search(name)


def _is_special(member: zipfile.ZipInfo) -> bool:
    """Whether a zip's member is a link, a pipe or a device: what it holds is where it leads."""
    return stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG)


def _about(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as stream:
        return stream.read(LONGEST_ABOUT)


def _is_guessed(member: zipfile.ZipInfo) -> bool:
    """Whether a member's name is neither said to be UTF-8 nor is, and holds more than plain letters."""
    if member.flag_bits & 0x800 or member.filename.isascii():
        return False
    try:
        member.filename.encode("cp437").decode()
    except UnicodeError:
        return True
    return False


def _kind(name: str) -> str:
    """.ipynb or .zip, or nothing. Browsers that know no notebooks save them as x.ipynb.txt or x.ipynb.json."""
    match = re.search(r"(\.ipynb|\.zip)$|(\.ipynb)\.(txt|json)$", name.lower())
    return (match[1] or match[2]) if match else ""


def _refuse_bombs(name: str, members: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    if total > MOST_BYTES:
        raise ClassError(f"{name} would unpack to {total / 1e9:.0f} GB: that is a zip bomb. Nothing was taken.")
    for member in members:
        if member.file_size > LARGE and member.file_size > SMALL_RATIO * max(1, member.compress_size):
            raise ClassError(
                f"{name} holds {member.filename!r}, which would unpack from {member.compress_size / 1e3:.0f} kB to "
                f"{member.file_size / 1e6:.0f} MB: that is a zip bomb. Nothing was taken. "
                "Take that file out of the zip and look at who handed it in."
            )


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> bytes:
    with archive.open(member) as stream:
        most = LARGEST_ZIP if _kind(_name_in_zip(member)) == ".zip" else LARGEST_SUBMISSION
        content = stream.read(most + 1)  # a header that lies about the size gains nothing
    if len(content) > member.file_size:
        raise ClassError(f"{name}: {member.filename!r} is larger than it says. Nothing was taken.")
    return content


def _unpacked(name: str, content: bytes) -> Iterator[Came]:
    """The files of a zip within the source, and of the zips within it, or why they can't be read."""
    waiting = [(name, content)]
    entries = files = size = 0
    try:
        while waiting:
            place, data = waiting.pop(0)
            entries += data.count(b"PK\x01\x02")  # ZipFile reads them all before it can say how many there are
            if entries > MOST_ENTRIES_INNER:
                raise ClassError("is far too large when unpacked")
            with zipfile.ZipFile(io.BytesIO(data)) as inner:
                every = [(_name_in_zip(m), m) for m in inner.infolist() if not m.is_dir()]
                wanted = [m for shown, m in every if _kind(shown) and not SKIP.search(shown)]
                files += len(wanted)
                size += sum(member.file_size for member in wanted)
                if size > MOST_BYTES_INNER or files > MOST_MEMBERS_INNER:
                    raise ClassError("is far too large when unpacked")
                if any(member.flag_bits & 1 for member in wanted):
                    raise ClassError("needs a password")
                for shown, member in every:
                    origin = f"{place}/{shown}"
                    if _is_special(member):
                        yield Came(origin, trouble=f"{origin} is a link or special file; not taken.")
                    elif not _kind(shown) or SKIP.search(shown):
                        yield Came(origin, about=_about(inner, member) if _is_about(shown) else b"")
                    elif _kind(shown) == ".zip":
                        waiting.append((origin, _member(inner, member, place)))
                    else:
                        yield Came(origin, _member(inner, member, place), dated=_date_in_zip(member))
    except ClassError as error:
        yield Came(name, trouble=f"{name} {error}; not taken.")
    except Exception as error:  # a spoilt stream fails in as many ways as there are packers
        yield Came(name, trouble=f"{name} can't be read ({error}); not taken.")
    else:
        if not files:
            yield Came(name, trouble=f"{name} holds no notebook.")


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
    return _by_cells(found.content, assignments) or _by_name(found, assignments)


def _by_cells(content: bytes, assignments: Mapping[str, Assignment]) -> str | None:
    cells = _ids_and_texts(content)
    scores = {name: likeness(cells, assignment) for name, assignment in assignments.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= SURE else None


def _by_name(found: Found, assignments: Mapping[str, Assignment]) -> str | None:
    if found.declared in assignments:
        return found.declared
    stem = PurePosixPath(found.origin).stem.lower()
    named = {
        name: SequenceMatcher(None, name.lower(), stem).ratio() + 2 * (name.lower() in stem) for name in assignments
    }
    best = max(named, key=lambda name: named[name])
    return best if named[best] >= 0.6 else None


# --- taking in ---


@dataclass(frozen=True)
class _Staged:
    """A notebook of the source, read once: what there is to know of it, and where its bytes wait."""

    came: Came  # without its bytes
    file: Path
    assignment: str  # what its cells answer, or nothing
    worked: tuple[bool, int]
    size: int
    notes: tuple[str, ...] = ()


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

    def later(self, origin: str) -> str:
        """What to say of a notebook that the disk has from later than its folder's name says."""
        match = EXCHANGE.match(origin.split("/", 1)[0])
        said = utc(match["time"]) if match else None
        changed = datetime.fromtimestamp((self.inbound / origin).lstat().st_ctime, UTC).replace(tzinfo=None)
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
    taken, people = Taken(), people or People()
    submitted.mkdir(parents=True, exist_ok=True)
    for left in submitted.glob(".intake-*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".intake-", dir=submitted))
    best: dict[tuple[str, str], tuple[Found, _Staged]] = {}
    try:
        for number, path in enumerate(paths):
            live = exchange if exchange and path == exchange.inbound else None
            staged, others = _stage(path, staging / str(number), assignments, taken, live)
            owners = _owners(staged, others, replace(hints or Hints(), assignments=tuple(assignments)))
            answers = {one.came.origin: one.assignment for one in staged}
            whose = _people(owners, answers, people, taken)
            chosen = _choose_newest(staged, owners, whose, assignments, taken)
            for key, (found, one) in chosen.items():
                if key in best:
                    older = is_older(found.order, best[key][0].order)
                    loser = found.origin if older else best[key][0].origin
                    taken.note(*key, f"Several notebooks came for this assignment; {loser} was left aside.")
                    if older:
                        continue
                best[key] = (found, one)
            _tell_of_others(staged, others, whose, best, given, taken)
        if strict:
            there = [job.student for job in find_jobs(submitted, assignments)[0]]
            check_roster(people.roster, there + [student for student, _ in best])
        for (student, assignment), (found, one) in sorted(best.items()):
            _store(submitted, replaced, student, assignment, found, one, people, taken)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    taken.problems += people.told() + look_alikes(student for student, _ in best)
    return taken


def _stage(
    path: Path,
    staging: Path,
    assignments: Mapping[str, Assignment],
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
        if exchange and (late := exchange.later(came.origin)):
            notes += (late,)
        file = staging / f"{len(staged)}.ipynb"
        write_atomically(file, content)
        assignment = _by_cells(content, assignments) or ""
        worked = worked_on(content, assignments[assignment]) if assignment else (False, 0)
        staged.append(_Staged(replace(came, content=None), file, assignment, worked, len(content), notes))
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
    pieces = [Piece(one.came.origin, True, one.assignment) for one in staged]
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
    assignments: Mapping[str, Assignment],
    taken: Taken,
) -> dict[tuple[str, str], tuple[Found, _Staged]]:
    """By student and assignment, the notebook that counts of those that came together."""
    best: dict[tuple[str, str], tuple[Found, _Staged]] = {}

    def rank(found: Found, one: _Staged) -> list[float]:
        when, attempt, dated = found.order
        return [when, attempt, one.worked[1] > 0, dated, *one.worked, one.size]

    for one in staged:
        origin = one.came.origin
        if not whose.get(origin):
            taken.problems.append(f"{origin}: its name does not tell whose it is; not taken.")
            continue
        owner = owners[origin][0]
        for student in whose[origin]:
            found = Found(
                student, origin, b"", owner.timestamp, owner.late, owner.attempt, owner.declared, one.came.dated
            )
            taken.students.add(student)
            assignment = one.assignment or _by_name(found, assignments)
            if assignment is None:
                taken.leave(student, f"{origin} is a notebook, but none of the assignments.")
                continue
            key = (student, assignment)
            if key in best:
                loses = rank(found, one) <= rank(*best[key])
                loser = origin if loses else best[key][0].origin
                taken.note(*key, f"Several notebooks came for this assignment; {loser} was left aside.")
                if loses:
                    continue
            best[key] = (found, one)
    return best


CLUTTER = re.compile(
    r"(^|/)(\.[^/]*|Thumbs\.db|desktop\.ini|__pycache__/.*|index\.html|timestamp\.txt|submission_secret\.txt|.*\.(yml|pyc))$|_attempt_[\d-]+\.txt$"
)
SHOWN = 5  # names of files


def _tell_of_others(
    staged: Sequence[_Staged],
    others: Sequence[Came],
    whose: Mapping[str, Sequence[str]],
    best: Iterable[tuple[str, str]],
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
        files = [file for file in files if not CLUTTER.search(file) and PurePosixPath(file).name not in given]
        more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
        for key in best if files else ():
            if key[0] == student:
                taken.note(*key, f"Handed in as well, and not used: {', '.join(files[:SHOWN])}{more}.")


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
    assignment: str,
    found: Found,
    one: _Staged,
    people: People,
    taken: Taken,
) -> None:
    folder = submitted / student / assignment
    if folder.is_symlink() or folder.parent.is_symlink():
        taken.leave(student, f"{folder} is a link to another's folder; nothing was put there.")
        return
    target = folder / f"{assignment}.ipynb"
    kept = one.file.with_suffix("")
    _put(kept, assignment, one.file, found.timestamp)
    there = list(people.came.get(f"{student}/{assignment}", [0.0, 0, 0.0]))
    if folder.exists():
        if when := read_timestamp(folder, submitted):
            there[0] = when.replace(tzinfo=UTC).timestamp()
        same = _regular(target) and read_regular(target, LARGEST_SUBMISSION + 2) == (kept / target.name).read_bytes()
        if is_older(found.order, there):
            if not same:
                _put_aside(kept, replaced, student, assignment)
                taken.note(student, assignment, f"An older attempt came after it and was left aside: {found.origin}.")
            taken.unchanged += 1
            return
    _note_names(found, one, student, assignment, taken)
    people.came[f"{student}/{assignment}"] = found.order
    if folder.exists():
        if same and (found.timestamp is None or read_timestamp(folder, submitted) == found.timestamp):
            taken.unchanged += 1
            return
        taken.fresh.add((student, assignment))
        if same:
            os.replace(kept / "timestamp.txt", folder / "timestamp.txt")
            taken.stored += 1
            return
        _put_aside(folder, replaced, student, assignment)
        taken.note(student, assignment, "It replaces an earlier one, which is kept aside.")
    taken.fresh.add((student, assignment))
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.rename(kept, folder)
    taken.stored += 1


def _put(folder: Path, assignment: str, file: Path, when: datetime | None) -> None:
    """A folder as nbgrader has it, with a staged notebook; a team's lies in several."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copyfile(file, folder / f"{assignment}.ipynb")
    if when:
        write_atomically(folder / "timestamp.txt", when.strftime("%Y-%m-%d %H:%M:%S.%f UTC"))


def _put_aside(folder: Path, replaced: Path, student: str, assignment: str) -> None:
    replaced.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{student}+{assignment}+", dir=replaced))
    shutil.move(str(folder), aside / assignment)


def _note_names(found: Found, one: _Staged, student: str, assignment: str, taken: Taken) -> None:
    shown = PurePosixPath(found.origin).name
    told = shown.endswith(f"{assignment}.ipynb") and (
        student in shown or any(pattern.search(shown) for pattern in (CANVAS, MOODLE, BLACKBOARD))
    )
    if shown != f"{assignment}.ipynb" and not told:
        taken.note(student, assignment, f"It came under the name {shown}.")
    if found.late:
        taken.note(student, assignment, "The learning-management system marked it late.")
    for note in one.notes:
        taken.note(student, assignment, note)


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
            if student.is_symlink() or folder.is_symlink():
                path, said = None, ["The folder is a link to another, which is not followed."]
            else:
                path, said = _choose(folder, name, assignment)
            jobs.append(Job(student.name, name, path, submitted))
            if said:
                notes[student.name, name] = said
    return jobs, notes


def _regular(path: Path) -> bool:
    """Whether there is a file under this name, and under no other."""
    try:
        about = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_nlink == 1


def _choose(folder: Path, name: str, assignment: Assignment) -> tuple[Path | None, list[str]]:
    exact = folder / f"{name}.ipynb"
    if _regular(exact):
        return exact, []
    candidates = [
        path
        for path in _files(folder)
        if path.suffix == ".ipynb" and _regular(path) and not SKIP.search(path.as_posix())
    ]
    if why := not_plain(exact, folder):
        return None, [f"The notebook is {why}, which is not followed. If a copy of yours made it so, copy it anew."]
    if not candidates:
        return None, ["No notebook was handed in."]

    def rank(path: Path) -> tuple[bool, int, str]:
        return *worked_on(read_regular(path, LARGEST_SUBMISSION), assignment), str(path)

    best = max(candidates, key=rank)
    return best, [f"The notebook was renamed: {best.relative_to(folder).as_posix()} is taken for {name}.ipynb."]
