"""How learning-management systems name what they export."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any


@dataclass(frozen=True)
class Owner:
    """Whom a file's name names."""

    student: str
    name: str = ""
    late: bool = False
    timestamp: datetime | None = None  # UTC, without a zone, as nbgrader has it
    attempt: int = 0
    declared: str = ""  # the assignment
    email: str = ""
    system: str = ""  # which system's name it was, or nothing


@dataclass(frozen=True)
class Piece:
    """A file of a source: its path with / (a zip counts as a folder), and what is known of a notebook's content."""

    path: str
    notebook: bool = True
    assignment: str = ""  # what it answers, as far as its cells tell


@dataclass(frozen=True)
class Hints:
    """What helps to tell: the course's assignments and words, the ids and names on the roster, what the tutor said."""

    assignments: Sequence[str] = ()
    words: frozenset[str] = frozenset()  # of the course's code, title and sessions
    known: Callable[[str], bool] | None = None  # whether the roster knows such a person
    level: int = 0  # which level names the student, from 1; 0 where the tutor did not say
    student: str = ""  # all of it is by this student
    zone: tzinfo = UTC  # of a system's local times
    metadata: Mapping[str, Any] = field(default_factory=dict)  # what Gradescope puts beside the submissions


# --- the names that systems give ---
MOODLE = re.compile(  # a name may have a `_`, but not what follows the name in another system's: that file is eve's
    r"^(?P<name>((?!_\d+_\d+_|_attempt_\d{4}-).)+?)_(?P<id>[A-Za-z0-9.@-]+)"
    r"_assignsubmission_(file|onlinetext)_?(?P<rest>.*)$"
)
BLACKBOARD = re.compile(
    r"^(?P<whose>.+?)_attempt_(?P<time>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(_(?P<rest>.*)|\.txt)?$"
)  # the .txt is Blackboard's own, about who handed in
BLACKBOARDS_END = re.compile(r"attempt_\d{4}-\d\d-")
CANVAS = re.compile(r"(?=_(?P<late>LATE_)?(?P<id>\d+)_(?P<upload>\d+)_(?P<rest>.+)$)")
CANVAS_ANONYMOUS = re.compile(
    r"^(?P<late>LATE_)?anon_(?P<late2>LATE_)?(?P<id>[A-Za-z0-9]+)(_(?P<upload>\d+)_(?P<rest>.+)|_(text|link|url|media)\.html?)$"
)
CANVAS_PAGE = re.compile(r"^(?P<name>.+?)_(?P<late>LATE_)?(?P<id>\d+)_(text|link|url|media|question_\d+.*)\.html?$")
EXCHANGE = re.compile(r"^(?P<id>[^+]+)\+(?P<assignment>[^+]+)\+(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^+]*)(\+.*)?$")
BRIGHTSPACE = re.compile(
    r"^((?P<id>\d+)-(?P<other>\d+) ?- ?)?(?P<name>.+?) ?- ?"  # without numbers where files lie in no folders
    r"(?P<time>(\w{3,9}\.? \d{1,2}|\d{1,2} \w{3,9}\.?),? \d{4},? \d{1,2}:?\d\d( ?[AP]M)?)([ -]+(?P<rest>.*)|\.\w+)?$",
    re.IGNORECASE,
)
GRADESCOPE = re.compile(r"^submission_(?P<id>\d+)$")


def _moodle(part: str, hints: Hints) -> list[Owner]:
    match = MOODLE.match(part)
    return [Owner(match["id"], match["name"].strip(), system="Moodle")] if match else []


def _exchange(part: str, hints: Hints) -> list[Owner]:
    match = EXCHANGE.match(part)
    if not match:
        return []
    return [
        Owner(match["id"], timestamp=utc(match["time"]), declared=match["assignment"], system="nbgrader's exchange")
    ]


def _canvas(part: str, hints: Hints) -> list[Owner]:
    """Every way to read a Canvas name, `declared` the upload's number: teams' and files' names may hold numbers too."""
    if match := CANVAS_ANONYMOUS.match(part):
        return [Owner(match["id"], late=bool(match["late"] or match["late2"]), system="Canvas")]
    if match := CANVAS_PAGE.match(part):
        return [Owner(match["id"], match["name"], bool(match["late"]), system="Canvas")]
    found = []
    for match in CANVAS.finditer(part):
        if match.start() and not BLACKBOARDS_END.match(match["rest"]):
            again = re.search(r"-(\d+)\.[^.]+$", match["rest"])
            attempt = int(again[1][:9]) if again else 0
            name, late = part[: match.start()], bool(match["late"])
            if not name.endswith("_LATE"):  # which is read with its LATE
                found.append(Owner(match["id"], name, late, None, attempt, match["upload"], system="Canvas"))
    return found


def _blackboard(part: str, hints: Hints) -> list[Owner]:
    match = BLACKBOARD.match(part)
    if not match:
        return []
    when = utc(re.sub(r"-(\d\d)-(\d\d)-(\d\d)$", r" \1:\2:\3", match["time"]), hints.zone)
    pieces = match["whose"].split("_")
    return [
        Owner("_".join(pieces[at:]), timestamp=when, declared="_".join(pieces[:at]), system="Blackboard")
        for at in range(1, len(pieces))
        if "_".join(pieces[at:])
    ]


def _brightspace(part: str, hints: Hints) -> list[Owner]:
    match = BRIGHTSPACE.match(part)
    if not match:
        return []
    time = re.sub(r" (\d{1,2})(\d\d)( ?[AP]M)?$", r" \1:\2\3", match["time"], flags=re.IGNORECASE)
    name = match["name"].strip()
    owner = Owner(name, name, timestamp=_local(time, hints.zone), system="Brightspace")
    return [replace(owner, student=student) for student in (match["id"] or name, match["other"] or name, name)]


def _gradescope(part: str, hints: Hints) -> list[Owner]:
    match = GRADESCOPE.match(part)
    if not match or part not in hints.metadata:
        return []
    about = hints.metadata[part]
    when = about.get(":created_at") if isinstance(about, dict) else None
    if isinstance(when, datetime) and when.tzinfo:
        when = when.astimezone(UTC).replace(tzinfo=None)
    people = about.get(":submitters") if isinstance(about, dict) else None
    found = []
    for person in people if isinstance(people, list) else []:
        if isinstance(person, dict):
            name, number, email = (str(person.get(key) or "").strip() for key in (":name", ":sid", ":email"))
            if number or email or name:
                when = when if isinstance(when, datetime) else None
                found.append(Owner(number or email or name, name, timestamp=when, email=email, system="Gradescope"))
    return found or [Owner(part, system="Gradescope")]


TEAMS_SUBMITTED, TEAMS_DRAFTS = "Submitted files", "Working files"  # Teams' two folders, a student's folder in each


def drafts(paths: Sequence[str]) -> set[str]:
    """Of a source's paths, those in Teams' folder of what was not submitted, where that of what was is there."""
    both = any(f"/{TEAMS_SUBMITTED}/" in f"/{path}" for path in paths)
    return {path for path in paths if both and f"/{TEAMS_DRAFTS}/" in f"/{path}"}


SYSTEMS = (_moodle, _exchange, _brightspace, _gradescope, _canvas, _blackboard)
SHORT = 3  # digits: a number with fewer is a team's or an exercise's, and none that Canvas gives


def _best_canvas(every: Mapping[str, list[Owner]]) -> None:
    """Of the ways to read each name, the first that can be: what follows is the student's own choice.

    It can't be where the number is short, or is that of people with different names, as in `Team A_2017_4711_90210_x`.
    """
    long = {part: [way for way in ways if len(way.student) >= SHORT] or ways for part, ways in every.items()}
    names = defaultdict(set)
    for first, *_ in long.values():
        names[first.student].add(first.name)
    for part, ways in long.items():
        best = ways[1] if len(names[ways[0].student]) > 1 and len(ways) > 1 else ways[0]
        every[part][:] = [replace(best, declared="")]


def _best_blackboard(every: Mapping[str, list[Owner]], hints: Hints) -> None:
    """Of the ways to part each name into a column's name and a user's, the one whose column most others have too."""
    columns = Counter(way.declared for ways in every.values() for way in {w.declared: w for w in ways}.values())
    names = {plain_text(name) for name in hints.assignments}

    def rank(way: Owner) -> tuple[bool, bool, int, int]:
        extra = way.declared.rpartition("_")[2]
        sound = columns[way.declared] >= 3 or bool(re.search(r"\d", extra)) or "_" not in way.declared
        known = bool(hints.known and hints.known(way.student))
        return known, plain_text(way.declared) in names, columns[way.declared] if sound else 0, len(way.declared)

    for part, ways in every.items():
        every[part][:] = [replace(max(ways, key=rank), declared="")]


def _best_brightspace(every: Mapping[str, list[Owner]]) -> None:
    """Of the two numbers the one that goes with the name; the name itself where neither does."""
    for at in (0, 1, 2):
        pairs = {(ways[at].student, ways[at].name) for ways in every.values()}
        if len(pairs) == len({number for number, _ in pairs}) == len({name for _, name in pairs}):
            break
    for part, ways in every.items():
        every[part][:] = [ways[at]]


def by_system(parts: Sequence[str], hints: Hints) -> dict[str, list[Owner]]:
    """Owners by part, where systems gave most of these names: one system, or the exports of several in one folder."""
    owners: dict[str, list[Owner]] = {}
    every = list(dict.fromkeys(parts))
    while found := _of_one_system([part for part in every if part not in owners], hints):
        owners |= found
    return owners if 2 * len(owners) > len(every) else {}


def _of_one_system(parts: Sequence[str], hints: Hints) -> dict[str, list[Owner]]:
    """Owners by part, of the system that gave the most of these names."""
    read: list[dict[str, list[Owner]]] = []
    for system in SYSTEMS:
        found = {part: owners for part in parts if (owners := system(part, hints))}
        read.append(found)
    best = max(read, key=len)
    canvas, blackboard = read[-2], read[-1]
    if best is canvas and len(blackboard) == len(canvas):  # a column's name may look like Canvas's numbers
        first = [ways[0] for ways in canvas.values()]
        short = all(len(way.student) < SHORT and len(way.declared) < SHORT for way in first)
        if short or len({way.declared for way in first}) == 1 < len(first):  # Canvas numbers each upload anew
            best = blackboard
    if best is canvas:
        _best_canvas(best)
    elif best is blackboard:
        _best_blackboard(best, hints)
    elif best is read[2]:
        _best_brightspace(best)
    return best


TEAM = re.compile(r"^(?P<team>.+?)-(?P<name>\S.*)$")


def without_teams(owners: Mapping[str, tuple[Owner, ...]]) -> dict[str, tuple[Owner, ...]]:
    """Moodle's names without the team before them: `Default group-Ada L`, `Team 3-Ada L`; Jean-Pierre stays."""
    names = {owner.name for some in owners.values() for owner in some if owner.system == "Moodle"}
    teams = Counter(match["team"] for name in names if (match := TEAM.match(name)))
    every = sum(teams.values()) == len(names)

    def bare(name: str) -> str:
        match = TEAM.match(name)
        if match and (
            re.search(r"\bgroup\b|\bteam\b|\d", match["team"], re.IGNORECASE) or (every and teams[match["team"]] > 1)
        ):
            return match["name"]
        return name

    def named(owner: Owner) -> Owner:
        if owner.system != "Moodle":
            return owner
        name = bare(owner.name)
        return replace(owner, name="" if name == "Participant" else name)  # as Moodle calls who is to be unknown

    return {path: tuple(map(named, some)) for path, some in owners.items()}


# --- times ---
def utc(text: str, zone: tzinfo = UTC) -> datetime | None:
    """nbgrader's timestamps, as in `2017-08-28 13:05:22.123456 AEST` or `… +1000`; in `zone` where none is given."""
    from dateutil import parser, tz

    pieces = text.strip().split(" ")
    given = pieces[2] if len(pieces) == 3 else ""
    try:
        when = parser.parse(" ".join(pieces[:2]))
        if re.fullmatch(r"[+-]\d{4}", given):
            when = parser.parse(f"{' '.join(pieces[:2])} {given}")
        elif when.tzinfo is None:
            when = when.replace(tzinfo=(tz.gettz(given) or UTC) if given else zone)
    except (ValueError, OverflowError):
        return None
    return when.astimezone(UTC).replace(tzinfo=None)


def _local(text: str, zone: tzinfo) -> datetime | None:
    from dateutil import parser

    try:
        return parser.parse(text).replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def plain_text(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
