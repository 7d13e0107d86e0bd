"""Whom a name means: by the roster, by the names under which work came before, and by what a tutor has said."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from examiner.batch.job import ClassError
from examiner.course.ids import canvas_keys, composed, fold, made_valid, name_keys, words_of
from examiner.course.roster import Enrolled, read_aliases
from examiner.course.systems import Owner
from examiner.isolation.files import write_atomically

VARYING = ("Moodle", "Brightspace")  # their numbers of people are others in each activity
MOST_SHOWN = 5  # names in a message
Seen = tuple[str, str, str, str]  # the system, its id, name and e-mail


class Directory:
    """The roster by ids and e-mail addresses, by names, and by the teams that have come with it."""

    def __init__(self, roster: Mapping[str, Enrolled]) -> None:
        self._by_id: dict[str, set[str]] = defaultdict(set)
        self._by_name: dict[str, set[str]] = defaultdict(set)
        self._by_canvas_name: dict[str, set[str]] = defaultdict(set)
        self._teams: dict[str, list[str]] = defaultdict(list)  # by the words of the team's name
        for student, row in roster.items():
            for text in (student, *row.others, row.email, row.email.partition("@")[0]):
                if text:
                    self._by_id[fold(text)].add(student)
            for key in name_keys(row.name):
                self._by_name[key].add(student)
            for key in canvas_keys(row.name):
                self._by_canvas_name[key].add(student)
            if row.team:
                self._teams["".join(words_of(row.team))].append(student)
        for student in roster:  # an id of the first kind means its own bearer alone
            self._by_id[fold(student)] = {student}

    def with_id(self, text: str) -> str:
        """The one student with this id or e-mail address; "" where that is nobody, or several."""
        return _only(self._by_id.get(fold(text), set())) if text else ""

    def named(self, keys: Iterable[str], system: str) -> str:
        """The one student with a name of these keys, as a system writes it; "" where that is nobody, or several."""
        found = {student for key in keys for student in self._by_name.get(key, ())}
        if not found and system == "Canvas":
            found = {student for key in keys for student in self._by_canvas_name.get(key, ())}
        return _only(found)

    def team(self, text: str) -> list[str]:
        """The members of the team of this name."""
        return self._teams.get("".join(words_of(text)), []) if text else []


def _only(students: set[str]) -> str:
    return next(iter(students)) if len(students) == 1 else ""


@dataclass
class People:
    """Who is on the roster, who came before under which names, and whom the tutor said to be the same."""

    roster: Mapping[str, Enrolled] = field(default_factory=dict)
    seen: dict[str, list[Seen]] = field(default_factory=dict)  # by student
    same: dict[str, list[str]] = field(default_factory=dict)  # by a folded id or name, the students it means
    moved: dict[str, str] = field(default_factory=dict)  # ids that the tutor merged or renamed, and what they are now
    came: dict[str, list[float]] = field(default_factory=dict)  # by STUDENT/ASSIGNMENT, what tells its attempt's age
    sent: dict[str, tuple[str, ...]] = field(default_factory=dict)  # and the system, number and name it came under
    problems: list[str] = field(default_factory=list)
    renamed: dict[str, tuple[str, str]] = field(default_factory=dict)  # by name: the student, and what they came as now
    nameless: list[str] = field(default_factory=list)  # came under a number that may be another in each activity
    _crowded: set[str] = field(default_factory=set)  # names that several of this source bear

    @classmethod
    def read(cls, path: Path, roster: Mapping[str, Enrolled] | None = None) -> People:
        """What an earlier run remembered, with this roster."""
        people = cls(roster or {})
        with _understood(path):
            kept = json.loads(path.read_text(encoding="utf-8"))
            people.seen = {student: [(*map(str, one),) for one in came] for student, came in kept["seen"].items()}  # type: ignore[misc]
            people.same = {name: list(map(str, students)) for name, students in kept["same"].items()}
            people.moved = {str(one): str(other) for one, other in kept.get("moved", {}).items()}
            people.came = {where: list(map(float, order)) for where, order in kept["came"].items()}
            people.sent = {where: tuple(map(str, one)) for where, one in kept.get("sent", {}).items()}
            people.roster = _under_present_ids(people.roster, people.moved)
        return people

    def write(self, path: Path) -> None:
        """Remember it for the next run."""
        kept = {"seen": self.seen, "same": self.same, "moved": self.moved, "came": self.came, "sent": self.sent}
        write_atomically(path, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")

    def learn(self, path: Path) -> None:
        """Take in a tutor's list of who is who."""
        self.same |= read_aliases(path)

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
        before = [
            s
            for s, came in self.seen.items()
            if s not in self.nameless and any(system in VARYING for system, *_ in came)
        ]
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
        """Learn which names several people of one system bear, by what each handed in: those names name nobody."""
        ids: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for owner, assignment in owners:
            for key in _keys(owner, name_keys) | _keys(owner, canvas_keys):
                ids[key, assignment, owner.system].add(fold(owner.student))
        self._crowded = {key for (key, *_), some in ids.items() if len(some) > 1}

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
            elif student and student != composed(owner.student):
                self.problems.append(f"{owner.student!r} can't be an id; the student is {student} here.")
            if not owner.name and owner.system in VARYING:
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

    @cached_property
    def _directory(self) -> Directory:
        return Directory(self.roster)

    def _enrolled(self, owner: Owner) -> list[str]:
        for text in (owner.student, owner.email):
            student = self._directory.with_id(text)
            if student and not (owner.system in VARYING and _differ(self.name(student), owner.name)):
                return [student]
        for text in (owner.name, "" if owner.system else owner.student):
            if student := self._directory.named(name_keys(text) - self._crowded, owner.system):
                return [student]
        return next(filter(None, map(self._directory.team, (owner.student, owner.name))), [])

    def _seen(self, owner: Owner) -> list[str]:
        student = fold(owner.student)
        for known, came in self.seen.items():
            ids = {fold(known)} | {fold(one) for system, one, _, _ in came if system == owner.system}
            if student in ids and not (owner.system in VARYING and _differ(self.name(known), owner.name)):
                written = {known, *(one for _, one, _, _ in came)}
                if composed(owner.student) not in map(composed, written):
                    self.problems.append(
                        f"{known} and {owner.student} differ only in the form of letters; taken for one person."
                    )
                return [known]
        for keys_of in (name_keys, canvas_keys):
            keys = _keys(owner, keys_of) - self._crowded
            named = [known for known, came in self.seen.items() if _goes_by(known, came, keys, owner, keys_of)]
            if named:
                break
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


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """What is not there yet is nothing; what is there and is no memory of ours is said."""
    try:
        yield
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClassError(f"{path}, which remembers who is who, can't be read ({error}). Move it aside.") from error


def _under_present_ids(roster: Mapping[str, Enrolled], moved: Mapping[str, str]) -> dict[str, Enrolled]:
    """The roster with the ids that the tutor has given since, so that each person has one row."""
    found: dict[str, Enrolled] = {}
    for student, row in roster.items():
        now = moved.get(student, student)
        if now == student:
            found[student] = row
        elif now not in roster:
            found.setdefault(now, replace(row, student=now, others=(*row.others, student)))
    return found


def _differ(one: str, other: str) -> bool:
    """Whether two names have no word in common."""
    if not one or not other or name_keys(one) & name_keys(other):
        return False
    squashed = "".join(words_of(other))
    return not any(word in squashed for word in words_of(one) if len(word) > 1)


def _keys(owner: Owner, keys_of: Callable[[str], set[str]]) -> set[str]:
    return keys_of(owner.name) or (set() if owner.system else keys_of(owner.student))


def _goes_by(
    known: str, came: Sequence[Seen], keys: set[str], owner: Owner, keys_of: Callable[[str], set[str]]
) -> bool:
    if not keys or (keys_of is canvas_keys and "Canvas" not in (owner.system, *(system for system, *_ in came))):
        return False
    if owner.email and any(email and fold(email) == fold(owner.email) for *_, email in came):
        return True
    if any(system == owner.system != "" for system, *_ in came) and owner.system not in VARYING:
        return False  # that system's ids stay: another id is another person
    names = {key for _, one, name, _ in came for key in keys_of(name)} | keys_of(known)
    return bool(names & keys)
