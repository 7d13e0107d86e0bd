"""What was changed in place on one side, done to the other's."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from examiner.isolation.generators import seed_of
from examiner.isolation.kinds import is_table
from examiner.isolation.values import MAX_MESSAGE, Malformed


def renew(old: Any, new: Any) -> None:
    """Make `old` what `new` is, in place."""
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        _renew_array(old, new)
    elif isinstance(old, list) and isinstance(new, list):
        old[:] = new
    elif (isinstance(old, dict) and isinstance(new, dict)) or (isinstance(old, set) and isinstance(new, set)):
        old.clear()
        old.update(new)
    elif isinstance(old, np.random.Generator) and isinstance(new, np.random.Generator):
        if type(old.bit_generator) is not type(new.bit_generator):
            raise Malformed("another generator")
        old.bit_generator.state = new.bit_generator.state
        before, after = seed_of(old.bit_generator), seed_of(new.bit_generator)
        if before and after and before[:2] == after[:2] and after[2] > before[2]:
            old.bit_generator.seed_seq.spawn(after[2] - before[2])  # type: ignore[attr-defined]
    elif is_table(old) and type(old) is type(new):
        old._update_inplace(new)
    elif is_stream(old) and type(new) in (io.StringIO, io.BytesIO):
        _renew_stream(old, new)
    else:
        raise Malformed("another kind of object")


def _renew_array(old: np.ndarray, new: np.ndarray) -> None:
    if not old.flags.writeable:
        if old.dtype == new.dtype and old.shape == new.shape and np.array_equal(old, new):
            return
        old.flags.writeable = True  # the student lifted the protection; the test shall see what was done
    if old.size != new.size:
        if old.dtype.kind not in "fc":
            raise Malformed("an array of another size")
        old.fill(np.nan)  # the test may hold views of it: it can't grow or shrink, but shows that it was changed
        return
    if old.shape != new.shape:
        old.shape = new.shape
    old[...] = new.astype(old.dtype, copy=False) if new.dtype != old.dtype else new
    if not new.flags.writeable:
        old.flags.writeable = False


# Streams: what a test hands in is there a stream in memory, with what can still be read


def is_stream(x: Any) -> bool:
    """Whether it is a text or bytes in memory that is read and written like a file, or a file that is open."""
    return isinstance(x, io.TextIOWrapper | io.BufferedIOBase) or type(x) in (io.StringIO, io.BytesIO)


def stream_apart(x: Any) -> tuple[Any, int]:
    """What is in a stream, and how far it has been read; of a file what is left of it."""
    if x.closed:
        return None, 0
    if isinstance(x, io.StringIO | io.BytesIO):
        return x.getvalue(), x.tell()
    if not x.readable():
        return "" if isinstance(x, io.TextIOBase) else b"", 0
    start = x.tell()
    left = x.read(MAX_MESSAGE)
    x.seek(start)
    return left, 0


def made_stream(parts: Any) -> io.StringIO | io.BytesIO:
    """The stream that was taken apart; Malformed where that can't be."""
    content, at = parts
    if type(at) is not int or not 0 <= at <= MAX_MESSAGE or type(content) not in (str, bytes, type(None)):
        raise Malformed("no stream")
    made: Any = io.BytesIO() if type(content) is bytes else io.StringIO(newline="")
    if content is None:
        made.close()
    else:
        made.write(content)
        made.seek(at)
    return made


def _renew_stream(old: Any, new: Any) -> None:
    if new.closed:
        old.close()
    elif isinstance(old, io.StringIO | io.BytesIO):
        old.seek(0)
        old.truncate()
        old.write(new.getvalue())
        old.seek(new.tell())
    elif old.readable():
        old.read(new.tell())
    else:
        old.write(new.getvalue())
