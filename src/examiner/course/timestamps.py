"""When a submission was handed in, and what else nbgrader notes beside it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from examiner.course.systems import utc
from examiner.isolation.files import read_regular

SECRET = "submission_secret.txt"  # by which nbgrader's exchange knows whose a page of feedback is


def beside(folder: Path, root: Path) -> dict[str, bytes]:
    """What nbgrader put beside a notebook and looks for later, where it can be read: nothing else is copied on."""
    found = {}
    for name in ("timestamp.txt", SECRET):
        with suppress(OSError):
            found[name] = read_regular(folder / name, 1000, root)
    return found


def read_timestamp(folder: Path, root: Path | None = None) -> datetime | None:
    """The time in a submission's timestamp.txt (UTC), or None."""
    return utc(timestamp_text(folder, root))


def timestamp_text(folder: Path, root: Path | None = None) -> str:
    """What a submission's timestamp.txt says; nothing where there is none that can be read."""
    with suppress(OSError, ValueError):
        return read_regular(folder / "timestamp.txt", 100, root).decode()
    return ""


def in_zone(when: datetime | None, zone: tzinfo) -> str:
    """A time of the gradebook's (UTC, without a zone) as people of a zone write it; "" for none."""
    return f"{when.replace(tzinfo=UTC).astimezone(zone):%A %-d %B %Y, %H:%M %Z}" if when else ""


def lasting(time: timedelta) -> str:
    """A span of time in its two largest units, as `2 days 3 hours`."""
    minutes = max(1, int(time.total_seconds() // 60))
    spans = {"day": minutes // 1440, "hour": minutes // 60 % 24, "minute": minutes % 60}
    return " ".join([f"{n} {unit}{'s' if n > 1 else ''}" for unit, n in spans.items() if n][:2])
