"""The command `workshop`: grade a class, report on it, hand notebooks out."""

from __future__ import annotations

import codecs
import errno
import io
import logging
import os
import re
import select
import shutil
import sqlite3
import sys
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from examiner.batch.job import ClassError
from examiner.cli.options import parser
from examiner.cli.terminal import say

UNREAD = 141  # what a shell says of a command whose reader has gone


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status, 0 where all went well, 1 with one clear line where it did not.

    Where nobody reads on, as after `| head`, it ends without a word.
    """
    try:
        try:
            return _run(arguments)
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
    except BrokenPipeError:
        unread = [stream.fileno() for stream in (sys.stdout, sys.stderr) if _is_unread(stream)]
        if not unread:
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in unread:
            os.dup2(nowhere, stream)  # else Python complains, when it ends, of what it could not write
        return UNREAD


def _run(arguments: Sequence[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="degrade")  # a terminal that lacks σ is no reason to lose a class report
    options = parser().parse_args(arguments)
    logging.getLogger("tornado.application").disabled = True  # where nbgrader writes down what it raises as well
    try:
        return int(options.run(options) or 0)
    except KeyboardInterrupt:
        say("\nworkshop: stopped. Run it again to go on from here.", sys.stderr)
        return 130
    except Exception as error:
        if isinstance(error, BrokenPipeError) and (_is_unread(sys.stdout) or _is_unread(sys.stderr)):
            raise
        say(f"workshop: {_in_words(error, options.course.resolve())}", sys.stderr)
    return 1


def _is_unread(stream: TextIO) -> bool:
    """Whether it leads into a pipe at whose other end nobody reads any more."""
    looked = select.poll()
    looked.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in looked.poll(0))


def _degrade(error: UnicodeError) -> tuple[str, int]:
    """The nearest that plain ASCII has for what a terminal can't show."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAIN)
    return unicodedata.normalize("NFKD", text).encode("ascii", "replace").decode(), error.end


PLAIN = str.maketrans({"–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "…": "...", "×": "x", "·": "*"})
codecs.register_error("degrade", _degrade)
FULL = re.compile("No space left on device|Disk quota exceeded|database or disk is full")  # the last is SQLite's


def _in_words(error: Exception, course: Path) -> str:
    """What failed, where, and what to do. What nobody foresaw is raised anew."""
    if FULL.search(str(error)):
        where = getattr(error, "filename", None) or min((course, Path(tempfile.gettempdir())), key=_free)
        return f"the disk is full ({where}). What is written is whole; free some space and run again to go on."
    if isinstance(error, ClassError):
        return str(error)
    if isinstance(error, OSError):
        return _about_disk(error)
    if _is_database(error):
        return f"the gradebook failed: {str(error).splitlines()[0]}. Run again to go on."
    raise error


def _free(place: Path) -> int:
    """The bytes that are free on a place's disk."""
    return shutil.disk_usage(place).free


def _about_disk(error: OSError) -> str:
    place = str(error.filename2 or error.filename or "")  # the second is where a file of ours was to be moved to
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        place = (
            place if os.path.lexists(place) else os.path.dirname(place)
        )  # of a file that could not be made, its folder
        return f"no permission to read or write {place}. Make it yours (ls -ld shows whose it is) and run again."
    return f"{error.strerror or error} ({place})."


def _is_database(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) or type(error).__module__.startswith("sqlalchemy")
