"""A folder that a command writes: new, empty, or made by the same command. Nothing else is ever removed or replaced."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from examiner.batch.job import ClassError

MARKER = ".made-by-workshop"  # in the folder: the command, and each file that it made, by the hash of its bytes


def target_folder(given: Path, command: str, course: Path, kept: Iterable[Path] = ()) -> Path:
    """The folder that `command` may write to, looked at before any work is done.

    It must be new, empty, or hold nothing but what the same command made there, unchanged since. It must not lie in one
    of the folders `kept`, in what another command made, or in a folder of the course that is in use; in the course's
    build/ each command has a folder of its own. Raises ClassError with the reason, and touches nothing.
    """
    if given.is_symlink() and not given.exists():
        raise ClassError(f"{given} is a link that leads nowhere. Name a folder with --to.")
    target = Path(os.path.realpath(given))
    for own in map(os.path.realpath, kept):
        if target == Path(own) or Path(own) in target.parents:
            raise ClassError(f"{given} lies in {own}, which is the course's own. Name another folder with --to.")
    build = Path(os.path.realpath(course)) / "build"
    if target == build:
        raise ClassError(f"{given} is where each command has a folder of its own. Name a folder in it with --to.")
    for folder in target.parents:
        if (folder / MARKER).exists() or (build.parent in folder.parents and folder != build and _in_use(folder)):
            raise ClassError(f"{given} lies in {folder}, which holds other things. Name another folder with --to.")
    if target.exists() and not target.is_dir():
        raise ClassError(f"{given} is there, and is no folder. Name another one with --to.")
    if foreign := _foreign(target, command):
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise ClassError(
            f"{given} holds what this command did not make, or what was changed since: {', '.join(foreign[:3])}{more}. "
            "Nothing was written. Move that away, or name a new folder with --to."
        )
    return target


def target_zip(archive: Path, command: str) -> Path:
    """The zip that `command` may write: new, or as the same command made it. Raises ClassError with the reason."""
    if not os.path.lexists(archive):
        return archive
    try:
        with zipfile.ZipFile(archive) as file:
            if file.comment == _comment(command, file) and not archive.is_symlink():
                return archive
    except (OSError, zipfile.BadZipFile):
        pass
    raise ClassError(
        f"{archive} is there, and this command did not make it as it is. Nothing was written. Move it away first."
    )


def publish(made: Path, target: Path, command: str) -> None:
    """Put the files of the folder `made` in the place of what the same command had put into `target` before."""
    old, new = _listed(target, command), {name: [_hash(made / name)] for name in _files(made)}
    target.mkdir(parents=True, exist_ok=True)
    # While files change, both are listed: a run that was stopped here leaves a folder that is still known as its own.
    _mark(target, command, {name: [*old.get(name, []), *new.get(name, [])] for name in {*old, *new}})
    for name in new:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made / name, target / name)
    for name in sorted(set(old) - set(new), reverse=True):
        (target / name).unlink(missing_ok=True)
        for folder in (target / name).parents:
            if folder == target or any(folder.iterdir()):
                break
            folder.rmdir()
    _mark(target, command, new)


def zip_folder(folder: Path, archive: Path, command: str) -> None:
    """A zip of a folder without the marker, the same bytes for the same files."""
    part = archive.with_name(f".{archive.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
            for name in _files(folder):
                information = zipfile.ZipInfo(f"{folder.name}/{name}", (1980, 1, 1, 0, 0, 0))
                information.compress_type = zipfile.ZIP_DEFLATED
                information.external_attr = 0o644 << 16
                file.writestr(information, (folder / name).read_bytes())
            file.comment = _comment(command, file)
        os.replace(part, archive)
    finally:
        part.unlink(missing_ok=True)


def _comment(command: str, made: zipfile.ZipFile) -> bytes:
    """What a zip of ours says of itself: the command, and a hash of all that is in it."""
    inside = repr([(one.filename, one.CRC) for one in made.infolist()]).encode()
    return f"made by workshop {command}: {hashlib.sha256(inside).hexdigest()}".encode()


def _in_use(folder: Path) -> bool:
    """Whether there is anything in a folder."""
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _foreign(target: Path, command: str) -> list[str]:
    """What lies in `target` and was not made by `command`, or is no longer as it made it."""
    if not target.exists():
        return []
    listed = _listed(target, command)
    if not listed:
        return sorted(path.name for path in target.iterdir())
    return [name for name in _files(target) if _hash(target / name) not in listed.get(name, [])]


def _files(folder: Path) -> list[str]:
    """What lies in a folder, at any depth, but for the marker: files and links by their paths in it."""
    found = []
    for where, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(where, name))]
        found += [Path(where, name).relative_to(folder).as_posix() for name in (*files, *links)]
    return sorted(name for name in found if name != MARKER)


def _listed(target: Path, command: str) -> dict[str, list[str]]:
    """The hashes of the files that `command` made in `target`; none where the marker is another command's."""
    try:
        marker = json.loads((target / MARKER).read_text(encoding="utf-8"))
        files = dict(marker["files"]) if marker["command"] == command else {}
        return {name: hashes for name, hashes in files.items() if _inside(name)}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _inside(name: str) -> bool:
    """Whether a path that a marker lists stays in its folder, whoever wrote it there."""
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def _mark(target: Path, command: str, files: dict[str, list[str]]) -> None:
    text = json.dumps({"command": command, "files": files}, indent=1, sort_keys=True)
    (target / MARKER).write_text(text + "\n", encoding="utf-8")


def _hash(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()
