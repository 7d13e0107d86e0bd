"""Files as they came, out of folders and zips, with limits on what is unpacked."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from examiner.batch.job import LARGEST_SUBMISSION, ClassError
from examiner.isolation.files import NotPlain, open_regular, read_regular

MOST_MEMBERS = 500_000  # files in one zip
MOST_BYTES = 64 << 30  # of all notebooks in one zip, unpacked
MOST_BYTES_INNER = 1 << 30  # of a zip within it, which may be one student's, or a whole class's, with the zips within
MOST_MEMBERS_INNER = 2000  # notebooks and zips
MOST_ENTRIES_INNER = 20_000  # files of any kind
LARGEST_ZIP = 512 << 20  # within another
LARGE = 32 << 20  # and what is larger than this and shrinks to
SMALL_RATIO = 200  # so small a part of it is no notebook
# Copies that programs keep, and no work: in hidden folders (checkpoints, JupyterLab's trash, environments) and others.
SKIP = re.compile(r"(^|/)(__MACOSX|node_modules|\.[^./][^/]*(?=/))(/|$)|(^|/)\._")


@dataclass(frozen=True)
class Came:
    """A file as it came: where it lay, and its bytes if it is a notebook."""

    origin: str  # the path in the folder or zip, for people to read; a zip in it counts as a folder
    content: bytes | None = None
    dated: float = 0.0  # seconds, as the zip says; nothing but its order among the others is believed
    trouble: str = ""  # of a zip: why it can't be read
    about: bytes = b""  # of a small text that a system puts beside the notebooks
    changed: float = 0.0  # seconds, as the disk says of the very file that was read, be it a zip


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
        add_to(self.notes.setdefault((student, assignment), []), text)

    def leave(self, student: str, text: str) -> None:
        if add_to(self.ungraded.setdefault(student, []), text):
            self.problems.append(f"{student}: {text}")


MOST_SAID = 10  # of one student's files: who hands in a thousand is not to fill everybody's tables


def add_to(said: list[str], text: str) -> bool:
    if len(said) == MOST_SAID:
        said.append("There was more of the kind.")
    if len(said) < MOST_SAID:
        said.append(text)
        return True
    return False


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


def files_below(root: Path, taken: Taken | None = None) -> list[Path]:
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
    for name, file in [(_readable(os.fsencode(file.relative_to(root))), file) for file in files_below(root, taken)]:
        if SKIP.search(name) or not _kind(name):
            about = b""
            with suppress(OSError):
                about = read_regular(file, LONGEST_ABOUT, root) if _is_about(name) else about
            yield Came(name, about=about)
            continue
        try:
            most = LARGEST_ZIP if _kind(name) == ".zip" else LARGEST_SUBMISSION
            with open_regular(file, root) as opened:
                content, changed = opened.read(most + 1), os.fstat(opened.fileno()).st_ctime
        except NotPlain as error:
            yield Came(name, trouble=f"{name} is {error.what}; not taken.")
            continue
        except OSError as error:  # it is gone by now, or may not be read: whoever made it so holds nobody up
            yield Came(name, trouble=f"{name} can't be read ({error.strerror}); not taken.")
            continue
        for came in _unpacked(name, content) if _kind(name) == ".zip" else [Came(name, content)]:
            yield replace(came, changed=changed)


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
            total = sum(member.file_size for name, member in every if name in wanted and not _is_bomb(member))
            if total > MOST_BYTES:
                raise ClassError(
                    f"{path.name} would unpack to {total / 1e9:.0f} GB: that is no class. Nothing was taken."
                )
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
                elif _is_bomb(member):
                    size = f"{member.compress_size / 1e3:.0f} kB to {member.file_size / 1e6:.0f} MB"
                    yield Came(name, trouble=f"{name} would unpack from {size}: that is a zip bomb; not taken.")
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


def _is_bomb(member: zipfile.ZipInfo) -> bool:
    """Whether a member would become so large from so little that it is no notebook: it is its author's alone."""
    return member.file_size > LARGE and member.file_size > SMALL_RATIO * max(1, member.compress_size)


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


def is_regular(path: Path) -> bool:
    """Whether there is a file under this name, and under no other."""
    try:
        about = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_nlink == 1
