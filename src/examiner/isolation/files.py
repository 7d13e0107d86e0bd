"""Files that a student made: read where they lie, and never followed to where they point."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
_OF_LINKS = (errno.ELOOP, errno.EMLINK, errno.ENOTDIR, errno.ENXIO)  # what systems say of links, pipes and sockets
_FOLDER = _FLAGS | getattr(os, "O_DIRECTORY", 0)


class NotPlain(OSError):
    """What is there is no file of its own: a link (a hard one too), a pipe, a device, or in a folder that is a link."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(errno.EINVAL, f"{what}, not read", str(path))
        self.what = what


def read_regular(path: Path, most: int, root: Path | None = None) -> bytes:
    """The first bytes of a plain file; NotPlain where it is none. Below `root` no folder on its way is a link."""
    with open_regular(path, root) as file:
        return file.read(most)


def open_regular(path: Path, root: Path | None = None) -> BinaryIO:
    """A plain file, open to be read: what is asked of it then is asked of the same one, whatever its name has become.

    A link leads to others' files, a pipe or device may never end, and a file with a second name is or was another's.
    """
    try:
        file = open(_open(path, root), "rb")  # noqa: SIM115
    except OSError as error:
        if error.errno in _OF_LINKS:
            raise NotPlain(path, "a link or special file") from error
        raise
    about = os.fstat(file.fileno())
    if not stat.S_ISREG(about.st_mode):
        what = "a link or special file"
    elif about.st_nlink > 1:
        what = "a hard link (one file under several names)"
    else:
        return file
    file.close()
    raise NotPlain(path, what)


def _open(path: Path, root: Path | None) -> int:
    if root is None:
        return os.open(path, _FLAGS)
    parts = path.relative_to(root).parts
    if ".." in parts:
        raise NotPlain(path, "a path that leads elsewhere")
    if os.open not in os.supports_dir_fd:  # Windows
        if Path(os.path.realpath(path)) != Path(os.path.realpath(root), *parts):
            raise NotPlain(path, "a link or special file")
        return os.open(path, _FLAGS)
    here = os.open(root, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        return os.open(parts[-1], _FLAGS, dir_fd=here)
    finally:
        os.close(here)


def not_plain(path: Path, root: Path) -> str:
    """Why the file at `path` may not be read, in words; nothing where it may, or where there is none."""
    try:
        read_regular(path, 0, root)
    except NotPlain as error:
        return error.what
    except OSError:
        pass
    return ""


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write `path` so that a reader, or a run after a crash, sees all of the new content or none of it."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:80]}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
