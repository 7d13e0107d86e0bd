"""Who is in the course: the class list, the names under which people's work came, and whom a name means."""

from __future__ import annotations

import csv
import json
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from examiner.batch.job import ClassError
from examiner.course.systems import Owner
from examiner.isolation.files import write_atomically
from examiner.pages.tables import FORMULA


@dataclass(frozen=True)
class Enrolled:
    """A row of the roster."""

    student: str
    session: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    others: tuple[str, ...] = ()  # ids of other kinds: a user name, a student number
    team: str = ""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


IDS = (  # the first that is there; of what systems export, the one that stands in their zips' names comes first
    *("student_id", "id", "username", "identifier", "student id", "id number"),
    *("sis user id", "lms_id", "student", "sis login id", "login id", "sid", "student number", "orgdefinedid"),
)
COLUMNS = {
    "student": IDS,
    "session": ("session", "workshop", "class", "section", "sections", "tutorial", "group", "groups"),
    "first_name": ("first_name", "first name", "given name"),
    "last_name": ("last_name", "last name", "surname", "family name"),
    "email": ("email", "e-mail", "email address"),
    "name": ("name", "full name", "student"),
    "team": ("team", "team name", "group", "group name"),
}
NOBODY = ("Points Possible", "Student, Test")  # rows of Canvas's own gradebook export that are no students


def read_roster(path: Path, sessions: Sequence[str] = ()) -> dict[str, Enrolled]:
    """The class list by student id, from a CSV with a header row: student_id, session, and names if it has them."""
    header, rows = _read_table(path, "roster")
    at = {role: next((header.index(name) for name in names if name in header), None) for role, names in COLUMNS.items()}
    where = at["student"]
    if where is None:
        raise ClassError(f"The roster {path} has no column student_id; its columns are: {', '.join(header)}.")
    others = [i for i, column in enumerate(header) if column in IDS and i != where and i != at["name"]]
    roster: dict[str, Enrolled] = {}
    folded: dict[str, str] = {}
    unknown: dict[str, int] = {}
    for line, row in rows:

        def cell(role: str, row: list[str] = row) -> str:
            index = at[role]
            return row[index].strip() if index is not None and index < len(row) else ""

        if cell("name") in NOBODY:
            continue
        student = unicodedata.normalize("NFC", cell("student").removeprefix("Participant "))  # as Moodle's sheet has it
        if not student:
            if not cell("name") and not cell("last_name"):  # Canvas's row `Manual Posting`, a footer
                continue
            raise ClassError(f"The roster {path} has no student id in line {line}.")
        if folded.setdefault(fold(student), student) != student or student in roster:
            raise ClassError(f"The roster {path} has {student} twice, the second time in line {line}.")
        first, last = _first_and_last(cell("name"))
        session = session_of(cell("session"), sessions)
        if session is None:
            unknown[cell("session")] = line
            session = ""
        roster[student] = Enrolled(
            student,
            session,
            cell("first_name") or first,
            cell("last_name") or last,
            cell("email"),
            tuple(row[i].strip() for i in others if i < len(row) and row[i].strip()),
            cell("team"),
        )
    if unknown:
        lines = ", ".join(f"{name!r} (line {line})" for name, line in unknown.items())
        there = "; ".join(f"{i} {session}" for i, session in enumerate(sessions, 1))
        raise ClassError(f"The roster {path} names sessions that the timetable lacks: {lines}. It has: {there}.")
    if not roster:
        raise ClassError(f"The roster {path} has nobody on it.")
    return roster


def _read_table(path: Path, what: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header in lower case, and the rows that are not empty, each with its line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ClassError(f"There is no {what} at {path}.") from None
    except UnicodeDecodeError:
        raise ClassError(f"The {what} {path} is no CSV in UTF-8. Save it as such: in Excel, as “CSV UTF-8”.") from None
    except OSError as error:
        raise ClassError(f"The {what} {path} can't be read: {error.strerror}.") from error
    whole = text.splitlines()
    above = 1 if whole and whole[0].startswith("sep=") else 0  # a hint for Excel
    rows = list(csv.reader(whole[above:], dialect=dialect_of(whole[above:])))
    if not rows:
        raise ClassError(f"The {what} {path} is empty.")
    header = [column.strip().lower() for column in rows[0]]
    return header, [(i, row) for i, row in enumerate(rows[1:], 2 + above) if any(cell.strip() for cell in row)]


def _first_and_last(name: str) -> tuple[str, str]:
    """A whole name taken apart: `Ada Lovelace`, or `Lovelace, Ada`."""
    last, comma, first = name.partition(", ")
    if not comma:
        first, _, last = name.rpartition(" ")
    return first, last


def session_of(name: str, sessions: Sequence[str]) -> str | None:
    """The session of the timetable that a roster means: by its number or its name; any where there is no timetable."""
    if not name or not sessions:
        return name
    number = name.removesuffix(".0")  # as spreadsheets may write it
    if number.isdigit() and 1 <= int(number) <= len(sessions):
        return sessions[int(number) - 1]

    def plain(text: str) -> str:
        text = re.sub(r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]*", r"\1", text.casefold())  # Tue, Tues, Tuesday
        return re.sub(r"[\s–—\-*·,]+", "", text)

    wanted = {
        plain(one) for one in [name, *re.split(r",? and |, |; ", name)]
    }  # Canvas lists all of a student's sections
    return next((session for session in sessions if plain(session) in wanted), None)


def dialect_of(lines: Sequence[str]) -> type[csv.Dialect] | str:
    """Commas, semicolons or tabs: what the header has most of."""
    first = lines[0] if lines else ""
    return max((csv.excel, csv.excel_tab, _Semicolon), key=lambda dialect: first.count(dialect.delimiter))


class _Semicolon(csv.excel):
    delimiter = ";"


def check_roster(roster: Mapping[str, Enrolled], students: Collection[str]) -> None:
    """Raise a ClassError naming those who handed in but are not on the roster."""
    strangers = sorted(set(students) - set(roster))
    if strangers:
        nobody = bool(roster) and not set(students) & set(roster)
        shown = ", ".join(strangers[:20]) + (f" and {len(strangers) - 20} others" if len(strangers) > 20 else "")
        hint = f" ({next(iter(roster))} is the first id on it; are these the same kind of id?)" if nobody else ""
        raise ClassError(
            f"Not on the roster, but handed in: {shown}{hint}. Add them to it, say who they are with --people, or "
            "grade them as they are with --unknown-students. Nothing was changed."
        )


LONGEST_ID = 128  # bytes
WINDOWS_OWN = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def valid_id(student: str) -> bool:
    """Whether an id can be a folder's name, nbgrader's patterns can find it there, and people can read it."""
    return (
        bool(student.strip())
        and len(student.encode("utf-8", "replace")) <= LONGEST_ID
        and student not in (".", "..")
        and not student.startswith(".")
        and not re.search(r'[/\\*?\[\]<>|":]', student)
        and student.isprintable()
        and student[0] not in FORMULA
        and student[-1] not in ". "  # which Windows drops: it would be another's folder
        and not (os.name == "nt" and WINDOWS_OWN.fullmatch(student))
    )


def made_valid(student: str) -> str:
    """The nearest id that can be one: `_` for what can't stand in it; "" where nothing is left."""
    text = "".join(c if c.isprintable() else "_" for c in unicodedata.normalize("NFC", student))
    text = re.sub(r'[/\\*?\[\]<>|":]|^ +| +$', "_", text)  # in its place: without it, it could be another's id
    if text and (text[0] in FORMULA or text[0] == "."):
        text = f"_{text}"
    while len(text.encode()) > LONGEST_ID:
        text = text[:-1]
    if text.endswith((".", " ")):
        text = f"{text[:-1]}_"
    return text if valid_id(text) and re.search(r"\w", text.replace("_", "")) else ""


def fold(text: str) -> str:
    """An id in one form: case, and which of Unicode's ways an accent is written in, make nobody another.

    Letters that only look alike do: whoever calls himself so would take another's place.
    """
    return re.sub(" +", " ", unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())).strip(" ")


def look_alikes(students: Iterable[str]) -> list[str]:
    """What to say of ids that differ only in the form of letters, as full-width ones do."""
    seen: dict[str, str] = {}
    told = []
    for student in sorted(students):
        other = seen.setdefault(fold(unicodedata.normalize("NFKC", student)), student)
        if fold(other) != fold(student):
            told.append(f"{other} and {student} differ only in the form of letters; are they one person?")
    return told


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _words(name: str) -> list[str]:
    bare = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", bare)


def name_keys(name: str) -> set[str]:
    """What one and the same name comes to, however it is turned: `Ada Lovelace`, `Lovelace, Ada`, `lovelaceada`."""
    words = _words(name)
    turned = {"".join(words[i:] + words[:i]) for i in range(len(words))}
    return turned if sum(map(len, words)) > 2 else set()


VARYING = ("Moodle", "Brightspace")  # their numbers of people are others in each activity
MOST_SHOWN = 5  # names in a message
Seen = tuple[str, str, str, str]  # the system, its id, name and e-mail


@dataclass
class People:
    """Who is on the roster, who came before under which names, and whom the tutor said to be the same."""

    roster: Mapping[str, Enrolled] = field(default_factory=dict)
    seen: dict[str, list[Seen]] = field(default_factory=dict)  # by student
    same: dict[str, list[str]] = field(default_factory=dict)  # by a folded id or name, the students it means
    came: dict[str, list[float]] = field(default_factory=dict)  # by STUDENT/ASSIGNMENT, what tells its attempt's age
    problems: list[str] = field(default_factory=list)
    renamed: dict[str, tuple[str, str]] = field(default_factory=dict)  # by name: the student, and what they came as now
    nameless: list[str] = field(default_factory=list)  # came under a number that may be another in each activity
    _crowded: set[str] = field(default_factory=set)  # names that several of this source bear

    @classmethod
    def read(cls, path: Path, roster: Mapping[str, Enrolled] | None = None) -> People:
        """What an earlier run remembered, with this roster."""
        people = cls(roster or {})
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            people.seen = {student: [(*map(str, one),) for one in came] for student, came in kept["seen"].items()}  # type: ignore[misc]
            people.same = {name: list(map(str, students)) for name, students in kept["same"].items()}
            people.came = {where: list(map(float, order)) for where, order in kept["came"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClassError(f"{path}, which remembers who is who, can't be read ({error}). Move it aside.") from error
        return people

    def write(self, path: Path) -> None:
        """Remember it for the next run."""
        kept = {"seen": self.seen, "same": self.same, "came": self.came}
        write_atomically(path, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")

    def learn(self, path: Path) -> None:
        """Take in a tutor's list of who is who: a CSV with came_as and student_id; a team has a row for each member."""
        header, rows = _read_table(path, "list")
        if not {"came_as", "student_id"} <= set(header):
            raise ClassError(f"The list {path} needs the columns came_as and student_id; it has: {', '.join(header)}.")
        told: dict[str, list[str]] = {}
        for line, row in rows:
            cells = dict(zip(header, (unicodedata.normalize("NFC", cell.strip()) for cell in row), strict=False))
            came, student = cells.get("came_as", ""), cells.get("student_id", "")
            if not came or not valid_id(student):
                raise ClassError(f"The list {path} has no name or no usable student id in line {line}.")
            members = told.setdefault(fold(came), [])
            if student not in members:
                members.append(student)
        self.same |= told

    def told(self) -> list[str]:
        """What a tutor should look at."""
        lines = list(self.problems)
        if self.renamed:
            shown = [f"{name} ({known}, now {now})" for name, (known, now) in self.renamed.items()]
            more = f" and {len(shown) - MOST_SHOWN} more" if len(shown) > MOST_SHOWN else ""
            lines.append(
                f"known by their names, since they came under other numbers: {', '.join(shown[:MOST_SHOWN])}{more}. "
                "Where that is wrong, say who is who with --people."
            )
        before = [s for s, came in self.seen.items() if s not in self.nameless and any(map(self._by_number, came))]
        if self.nameless and before:
            lines.append(
                f"{len(self.nameless)} came under new numbers and without names. Their system numbers people anew in "
                "each activity: if they are the same people as before, say who is who with --people."
            )
        return lines

    def knows(self, text: str) -> bool:
        """Whether an id, an e-mail address or a name is that of somebody on the roster."""
        return bool(self._enrolled(Owner(text, text)))

    def look_at(self, owners: Iterable[tuple[Owner, str]]) -> None:
        """Learn which names several people of a source bear, by what each handed in: those names name nobody."""
        ids: dict[tuple[str, str], set[str]] = defaultdict(set)
        for owner, assignment in owners:
            for key in name_keys(owner.name) or (set() if owner.system else name_keys(owner.student)):
                ids[key, assignment].add(fold(owner.student))
        self._crowded = {key for (key, _), some in ids.items() if len(some) > 1}

    def who(self, owner: Owner) -> list[str]:
        """The students whom an owner's id or name means: several for a team, nobody for what can be no id."""
        for text in (owner.student, owner.name):
            if text and (told := self.same.get(fold(text))):
                return told
        found = self._enrolled(owner) or self._seen(owner)
        if not found:
            student = made_valid(owner.student)
            if student in self.seen or student in self.roster:  # another's, who has another name
                self.problems.append(
                    f"{student} came before as {self.name(student) or student}, and now as {owner.name}; "
                    "they are taken for two people."
                )
                student = made_valid(f"{owner.student} {owner.name}")
            elif student and student != _composed(owner.student):
                self.problems.append(f"{owner.student!r} can't be an id; the student is {student} here.")
            if not owner.name and self._numbers_vary(owner):
                self.nameless.append(student)
            found = [student] if student else []
        for student in found:
            came = (owner.system, owner.student, owner.name, owner.email)
            if came not in self.seen.setdefault(student, []):
                self.seen[student].append(came)
        return found

    def find(self, owner: Owner) -> str:
        """The one student of the course whom a system's own table means, or nothing; nothing is remembered of it."""
        named = self.same.get(fold(owner.student)) or self._enrolled(owner) or self._seen(owner)
        if not named and owner.student and not owner.system:
            named = [student for student in self.seen if fold(student) == fold(owner.student)]
        return named[0] if len(named) == 1 else ""

    def name(self, student: str) -> str:
        """A student's name as the roster has it, or as the work came; "" where it is not known."""
        names = [name for _, _, name, _ in self.seen.get(student, []) if name]
        enrolled = self.roster.get(student)
        return (enrolled.name if enrolled else "") or (names[0] if names else "")

    def _other_name(self, student: str, owner: Owner) -> bool:
        """Whether a student is known by a name that has no word in common with the owner's."""
        mine, theirs = self.name(student), owner.name
        if not mine or not theirs or name_keys(mine) & name_keys(theirs):
            return False
        squashed = "".join(_words(theirs))
        return not any(word in squashed for word in _words(mine) if len(word) > 1)

    def _numbers_vary(self, owner: Owner) -> bool:
        return owner.system in VARYING

    def _by_number(self, seen: Seen) -> bool:
        return seen[0] in VARYING

    def _enrolled(self, owner: Owner) -> list[str]:
        by_id, by_name, teams = self._index
        for text in (owner.student, owner.email):
            if len(some := by_id.get(fold(text), set()) if text else set()) == 1:
                (student,) = some
                if not (self._numbers_vary(owner) and self._other_name(student, owner)):
                    return [student]
        for text in (owner.name, "" if owner.system else owner.student):
            named = {s for key in name_keys(text) - self._crowded for s in by_name.get(key, ())}
            if len(named) == 1:
                return list(named)
        for text in (owner.student, owner.name):
            if text and (members := teams.get("".join(_words(text)))):
                return members
        return []

    @property
    def _index(self) -> tuple[dict[str, set[str]], dict[str, set[str]], dict[str, list[str]]]:
        """The roster by folded id, by name and by the words of the team's name."""
        if not hasattr(self, "_indexed"):
            by_id: dict[str, set[str]] = defaultdict(set)
            by_name: dict[str, set[str]] = defaultdict(set)
            teams: dict[str, list[str]] = defaultdict(list)
            for student, row in self.roster.items():
                for text in (student, *row.others, row.email, row.email.partition("@")[0]):
                    if text:
                        by_id[fold(text)].add(student)
                for key in name_keys(row.name):
                    by_name[key].add(student)
                if row.team:
                    teams["".join(_words(row.team))].append(student)
            for student in self.roster:  # an id of the first kind means its own bearer alone
                by_id[fold(student)] = {student}
            self._indexed = dict(by_id), dict(by_name), dict(teams)
        return self._indexed

    def _seen(self, owner: Owner) -> list[str]:
        student = fold(owner.student)
        for known, came in self.seen.items():
            ids = {fold(known)} | {fold(one) for system, one, _, _ in came if system == owner.system}
            if student in ids and not (self._numbers_vary(owner) and self._other_name(known, owner)):
                written = {known, *(one for _, one, _, _ in came)}
                if _composed(owner.student) not in map(_composed, written):
                    self.problems.append(
                        f"{known} and {owner.student} differ only in the form of letters; taken for one person."
                    )
                return [known]
        keys = (name_keys(owner.name) or (set() if owner.system else name_keys(owner.student))) - self._crowded
        named = [known for known, came in self.seen.items() if self._goes_by(known, came, keys, owner)]
        if len(named) == 1:
            (known,) = named
            if fold(owner.student) != fold(known) and owner.system:
                self.renamed[owner.name] = (known, owner.student)
            return named
        if named:
            self.problems.append(
                f"{owner.name} ({owner.student}) may be any of {', '.join(sorted(named))}; taken for another person. "
                "Say who is who with --people."
            )
        return []

    def _goes_by(self, known: str, came: Sequence[Seen], keys: set[str], owner: Owner) -> bool:
        if not keys:
            return False
        if owner.email and any(email and fold(email) == fold(owner.email) for *_, email in came):
            return True
        if any(system == owner.system != "" for system, *_ in came) and not self._numbers_vary(owner):
            return False  # that system's ids stay: another id is another person
        names = {key for _, one, name, _ in came for key in name_keys(name)} | name_keys(known)
        return bool(names & keys)
