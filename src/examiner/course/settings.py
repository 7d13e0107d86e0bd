"""The course's own settings: sessions, zone, words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from examiner.batch.job import ClassError


def _read_course(root: Path) -> dict[str, Any]:
    """What slides/course.yml says of the semester; nothing where there is no such file."""
    import yaml

    path = root / "slides" / "course.yml"
    if not path.exists():
        return {}
    try:
        course = yaml.safe_load(path.read_text(encoding="utf-8"))
        [_session_name(session) for session in course["sessions"]]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, OSError) as error:
        why = " ".join(str(error).split()) if isinstance(error, yaml.YAMLError) else repr(error)
        raise ClassError(f"The timetable in {path} can't be read: {why}.") from error
    return dict(course)


def read_sessions(root: Path) -> list[str]:
    """The workshop's sessions from slides/course.yml, as people name them; none where there is no such file."""
    return [_session_name(session) for session in _read_course(root).get("sessions", [])]


def read_zone(root: Path) -> Any:
    """The course's time zone: what slides/course.yml names, or else this machine's own."""
    from dateutil import tz

    name = str(_read_course(root).get("timezone") or "")
    zone = tz.gettz(name) if name else tz.tzlocal()
    if zone is None:
        raise ClassError(f"slides/course.yml names the timezone {name}, which there is not; as in Australia/Melbourne.")
    return zone


def read_title(root: Path) -> str:
    """The course's code, title and semester in a line."""
    course = _read_course(root)
    title = " ".join(str(course[key]) for key in ("code", "title") if course.get(key))
    return ", ".join(filter(None, (title, str(course.get("term") or ""))))


def words_of(root: Path) -> frozenset[str]:
    """Words of the course's code, title and sessions: folders may be called so, and people are not."""
    course = _read_course(root)
    told = " ".join([str(course.get("code", "")), str(course.get("title", "")), *read_sessions(root), root.name])
    return frozenset(re.findall(r"[^\W\d_]+|\d+", told.casefold()))


def _session_name(session: Any) -> str:
    if isinstance(session, str):
        return session.replace("*", "").strip()
    parts = [str(session.get(key, "")) for key in ("day", "time", "room")]
    return " ".join(part for part in parts if part)
