"""When a submission was handed in."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from examiner.course.systems import utc
from examiner.isolation.files import read_regular


def read_timestamp(folder: Path, root: Path | None = None) -> datetime | None:
    """The time in a submission's timestamp.txt (UTC), or None."""
    return utc(timestamp_text(folder, root))


def timestamp_text(folder: Path, root: Path | None = None) -> str:
    """What a submission's timestamp.txt says; nothing where there is none that can be read."""
    with suppress(OSError, ValueError):
        return read_regular(folder / "timestamp.txt", 100, root).decode()
    return ""
