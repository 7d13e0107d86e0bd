"""Whose file is it? Told by the names that learning-management systems give, or by the level that tells students apart.

All names of a source are looked at together: what is the same in all of them, or says an assignment, a week or a
session, names no student. Where that leaves a doubt, nobody's work is put under another's name: the tutor is asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath

from examiner.batch.job import ClassError
from examiner.course.systems import Hints, Owner, Piece, by_system, without_teams

_WORDS = (  # that say what a folder or file is, and not whose
    "a all am an and answer answers apr april archive assessment assignment assignments attempt aug august "
    "autograded backup class classroom code collected copie copy course coursework dec december desktop "
    "documents done download downloads draft drafts exam exercise exercises export exported extracted fall feb "
    "february file files final first folder for fri friday from group groups hand handed handin home homework "
    "homeworks hw in is it jan january jul july jun june jupyter kopie lab labs last late lecture main mar "
    "march marking master may mine mon monday my new notebook notebooks nov november oct october of old on "
    "other others part parts pm prac practical practicals pracs problem project projects python raw "
    "resubmission resubmissions revised sat saturday second section semester sep sept september session "
    "sessions set sheet solution solutions source spring src stream students subject submission submissions "
    "submit submitted summer sun sunday task tasks temp term test the third thu thur thurs thursday time tmp to "
    "try tue tues tuesday tut tute tutes tutorial tutorials untitled unzipped upload uploads version versions "
    "wed wednesday week weeks winter wk work working works workshop workshops zip zips "
)
GENERIC = frozenset(_WORDS.split())
SHOWN = 4  # names of a level, where the tutor is asked
CROWD = 4  # so many different notebooks of one student for one assignment are more likely several students'


def _tokens(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+|\d+", unicodedata.normalize("NFC", text).casefold())


@lru_cache(maxsize=64)
def _assignments_words(assignments: tuple[str, ...]) -> frozenset[str]:
    """The words of the assignments' names, and their first letters: `lr` for logistic_regression."""
    words = {word for name in assignments for word in _tokens(name)}
    return frozenset(words | {"".join(word[0] for word in _tokens(name)) for name in assignments})


def _is_generic(name: str, hints: Hints) -> bool:
    """Whether every word of a name says something else than who somebody is."""
    tokens = _tokens(name)
    words = _assignments_words(tuple(hints.assignments)) | hints.words | GENERIC
    said = any(token in words and len(token) > 1 for token in tokens)
    if re.fullmatch(r"[^\W\d_vwq]\d\d+", "".join(tokens)):  # s01 is a person; v01, w05 and A1 are not
        return False

    def generic(token: str) -> bool:
        if token.isdigit():  # a week, a year; `s1001` and `007` are people, `Tue 1200` and `lab 101` are not
            return len(token) < (5 if said else 3)
        return token in words or (len(token) == 1 and token.isascii())

    return all(map(generic, tokens))


_COPY = "(copy of|copie de|kopie von|copia de|копия)"


def _bare(part: str, is_file: bool, hints: Hints) -> str:
    """A part of a path without extension, `Copy of`, `(1)`, and the assignment's name before or behind it."""
    name = unicodedata.normalize("NFC", part)
    if is_file or name.lower().endswith(".zip"):
        name = re.sub(r"(\.(ipynb|txt|json|zip|py|html?))+$", "", name, flags=re.IGNORECASE)
    name = re.sub(rf"^{_COPY}\s+", "", name, flags=re.IGNORECASE)
    name = re.sub(r"(\s*\(\d+\)|\s*-?\s*copy\s*\d*)+$", "", name, flags=re.IGNORECASE)
    for assignment in sorted(hints.assignments, key=len, reverse=True):
        pattern = r"[\s_.-]*".join(map(re.escape, _tokens(assignment)))
        name = re.sub(
            rf"^\s*{pattern}(?![^\W_])[\s_\-–—]*|[\s_\-–—]*(?<![^\W_]){pattern}\s*$", "", name, flags=re.IGNORECASE
        )
    return re.sub(rf"[\s_\-–—]+{_COPY}$", "", name.strip(" _"), flags=re.IGNORECASE)


def _without_titles(parts: Mapping[str, str], is_file: Mapping[str, bool], hints: Hints) -> dict[str, str]:
    """Names by path, bare; of Google Classroom's `Ada L - mlp_sgd` and `Cat Cee - Untitled` the first half."""
    names = {path: _bare(part, is_file[path], hints) for path, part in parts.items()}
    halves = {path: re.split(r"\s[-–—]\s", part, maxsplit=1) for path, part in parts.items() if is_file[path]}

    def says_nothing(title: str) -> bool:
        bare = _bare(title, True, hints)
        return not bare or _is_generic(bare, hints)

    titled = [path for path, half in halves.items() if len(half) == 2 and says_nothing(half[1])]
    if len(parts) < 2 or len(titled) < len(parts) or any(_is_generic(halves[path][0], hints) for path in titled):
        return names
    return {path: halves[path][0].strip() for path in titled}


def _split(name: str) -> list[str]:
    """A name in pieces, each with the separator before it."""
    return re.findall(r"(?:^|[\s_\-–—.,+]+)[^\s_\-–—.,+]*", name)


def _without_common(names: Mapping[str, str], hints: Hints) -> dict[str, str]:
    """Names by path without the pieces that all have before or behind: `Week 5 - ` or ` - my notebook`."""
    different = sorted({name for name in names.values() if name})
    if len(different) < 2 or any("@" in name for name in different):
        return dict(names)
    pieces = [_split(name) for name in different]

    def common(lists: Sequence[list[str]]) -> int:
        count = 0
        while all(len(some) > count + 1 for some in lists) and len({some[count] for some in lists}) == 1:
            count += 1
        return count

    ahead = common(pieces)
    behind = common([some[ahead:][::-1] for some in pieces])

    def sound(shared: str, left: Iterable[str]) -> bool:
        """Whether what is shared is no part of a person's name, and what is left is one."""
        named = all(re.search(r"[^\W\d_]{2}|\d{5}", name) and not _is_generic(name, hints) for name in left)
        set_off = re.search(r"[_\d]|\s[-–—]|[-–—]\s", shared)  # a space alone may part first from last name
        return named and (_is_generic(shared, hints) or (len(different) > 2 and bool(set_off)))

    def cut(name: str, first: int, last: int) -> str:
        some = _split(name)
        return "".join(some[first : len(some) - last]).strip(" _-–—.,+")

    if ahead and not sound("".join(pieces[0][:ahead]), [cut(name, ahead, 0) for name in different]):
        ahead = 0
    if behind and not sound("".join(pieces[0][len(pieces[0]) - behind :]), [cut(n, ahead, behind) for n in different]):
        behind = 0
    return {path: cut(name, ahead, behind) if name and (ahead or behind) else name for path, name in names.items()}


@dataclass
class _Level:
    """One level of the paths: the name that it gives each notebook."""

    number: int  # from 1
    names: dict[str, str]  # by path, cleaned; "" where it gives none
    raw: dict[str, str]
    named: float = 0.0  # share of names that can be a person's
    crowd: float = 0.0  # share of notebooks that are one too many for their student and assignment
    all_crowded: bool = False  # whether every name would have several notebooks for one assignment
    folder: bool = True

    @property
    def students(self) -> set[str]:
        return {name for name in self.names.values() if name}


def _levels(pieces: Sequence[Piece], hints: Hints) -> list[_Level]:
    parts = {piece.path: PurePosixPath(piece.path).parts for piece in pieces}
    answers = {piece.path: piece.assignment for piece in pieces}
    levels = []
    for at in range(max(map(len, parts.values()), default=0)):
        raw = {path: p[at] for path, p in parts.items() if len(p) > at}
        is_file = {path: len(parts[path]) == at + 1 for path in raw}
        bare = _without_titles(raw, is_file, hints)
        by_answer: dict[str, dict[str, str]] = defaultdict(dict)
        for path in raw:
            by_answer[answers[path] if is_file[path] else ""][path] = bare[path]
        names = {path: name for some in by_answer.values() for path, name in _without_common(some, hints).items()}
        level = _Level(at + 1, names, raw)
        good = {path for path, name in names.items() if name and not _is_generic(name, hints)}
        level.named = len(good) / len(pieces)
        known = {path for path in good if answers[path]} or good
        groups = Counter((names[path], answers[path]) for path in known)
        level.crowd = 1 - len(groups) / len(known) if known else 0.0
        several = {name for (name, _), count in groups.items() if count > 1}
        level.all_crowded = len(several) > 1 and several == {name for name, _ in groups}
        level.folder = 2 * sum(is_file.values()) < len(raw)
        levels.append(level)
    return levels


def _says_the_assignment(level: _Level, answers: Mapping[str, str]) -> bool:
    pairs = {(name, answers[path]) for path, name in level.names.items() if name and answers[path]}
    answered = {answer for _, answer in pairs}
    return len(answered) > 1 and len(pairs) == len(answered) == len(level.students)


def _recurs(level: _Level, under: _Level) -> bool:
    """Whether names of a level come again below several names of the level above it."""
    above = defaultdict(set)
    for path, name in level.names.items():
        above[name].add(under.names.get(path))
    return any(name and len(parents) > 1 for name, parents in above.items())


FEW = 12  # more names than these are no sessions'
_SESSION = re.compile(r"(t|l|w|lab|tut|tute|prac|ws|wk|sess)[\W_]*\d{1,2}", re.IGNORECASE)
_CODE = re.compile(r"([^\W\d_]{1,4})[\W_]*\d{1,3}")


def _may_be_sessions(level: _Level, deeper: _Level, answers: Mapping[str, str]) -> bool:
    """Whether a level of few names may be of sessions or tutors, since names of people may stand below it.

    A student's own file may have any name. Those below `Smith` say something where they are folders' or come for each
    assignment, where Smith has several notebooks for one, or is `AH1` and the others `AH2` and so on.
    """
    names = level.students
    kin = any(_share_a_word(name, level.names.get(path, "")) for path, name in deeper.names.items())
    if not 1 < len(names) <= FEW or deeper.named < 1 or deeper.crowd or kin:
        return False
    codes = [_CODE.fullmatch(name) for name in names]
    series = all(codes) and len({code[1] for code in codes if code}) == 1
    each = len({(name, answers[path]) for path, name in deeper.names.items()}) >= 2 * len(deeper.students)
    return deeper.folder or level.crowd > 0 or series or each


def _share_a_word(one: str, other: str) -> bool:
    """Whether a word of one name stands in the other: `ada_lovelace` and `alovelace`."""
    whole = "".join(_tokens(other))
    return any(len(word) > 2 and word in whole for word in _tokens(one)) or ("".join(_tokens(one)) in whole)


def _are_titles(level: _Level, under: _Level, answers: Mapping[str, str]) -> bool:
    """Whether a level's names say what a notebook is: one stands below several names, for the same assignment."""
    above = defaultdict(set)
    for path, name in level.names.items():
        if answers[path]:
            above[name, answers[path]].add(under.names.get(path))
    return any(name and len(parents) > 1 for (name, _), parents in above.items())


def _telling(levels: Sequence[_Level], answers: Mapping[str, str], hints: Hints) -> _Level | None:
    """The level that tells students apart, or None where there is a doubt."""
    if hints.known:
        shares = [(sum(map(hints.known, lv.students)) / max(1, len(lv.students)), -lv.number, lv) for lv in levels]
        share, _, best = max(shares, key=lambda item: item[:2], default=(0.0, 0, None))
        if share >= 0.5:
            return best
    valid = [level for level in levels if level.named >= 0.5]
    if len(valid) > 1:
        valid = [level for level in valid if not (level.crowd and _says_the_assignment(level, answers))] or valid
    if not valid:
        return _weakly_telling(levels, hints)
    chosen = valid[0]
    for deeper in valid[1:]:
        alone = len(chosen.students) == 1
        if _are_titles(deeper, chosen, answers):
            continue
        if len(chosen.students) <= FEW and all(map(_SESSION.fullmatch, chosen.students)):
            chosen = deeper
            continue
        plain = chosen.crowd >= 0.6 or chosen.all_crowded or _recurs(deeper, chosen)
        if not plain and _may_be_sessions(chosen, deeper, answers):
            return None
        if _same_partition(chosen, deeper) or (deeper.crowd >= chosen.crowd and not _recurs(deeper, chosen)):
            continue
        if chosen.crowd <= 0.34 and not alone and not _recurs(deeper, chosen):
            continue
        if plain or (alone and deeper.folder):
            chosen = deeper
        elif chosen.crowd > 0:
            return None
    return chosen


def _weakly_telling(levels: Sequence[_Level], hints: Hints) -> _Level | None:
    """The one level of folders, `a` and `b` or 1 and 2, that says nothing else and has one notebook for each."""
    words = _assignments_words(tuple(hints.assignments)) | hints.words | GENERIC
    weak = [
        level
        for level in levels
        if level.names
        and all(
            name and not set(_tokens(name)) & words - set("abcdefghijklmnopqrstuvwxyz") for name in level.names.values()
        )
    ]
    return weak[0] if len(weak) == 1 and weak[0].folder and not weak[0].crowd else None


def _same_partition(one: _Level, other: _Level) -> bool:
    pairs = {(one.names.get(path), other.names.get(path)) for path in one.names}
    return len(pairs) == len(one.students) == len(other.students)


def _doubt(levels: Sequence[_Level], why: str) -> ClassError:
    lines = []
    for level in levels:
        names = sorted({part for part in level.raw.values()})
        shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        lines.append(f"  {level.number}  {shown} ({len(names)} name{'s' if len(names) != 1 else ''})")
    return ClassError(
        f"{why} The levels of their names are:\n" + "\n".join(lines) + "\n"
        "Say which level names the student, as in --level 1; or, if all of it is by one student, --student ID. "
        "A roster (--roster) helps as well. Nothing was changed."
    )


def _by_level(pieces: Sequence[Piece], others: Sequence[str], hints: Hints) -> dict[str, tuple[Owner, ...]]:
    """Owners by path where no system gave the names."""
    notebooks = [piece for piece in pieces if piece.notebook] or list(pieces)
    levels = _levels(notebooks, hints)
    answers = {piece.path: piece.assignment for piece in notebooks}
    if hints.level:
        if hints.level > len(levels):
            raise ClassError(f"There is no level {hints.level}; the names have {len(levels)}. Nothing was changed.")
        chosen: _Level | None = levels[hints.level - 1]
    else:
        chosen = _telling(levels, answers, hints)
    if chosen is None:
        raise _doubt(levels, "It can't be told whose these notebooks are.")
    owners: dict[str, tuple[Owner, ...]] = {}
    crowds: Counter[tuple[str, str]] = Counter()
    beside = {PurePosixPath(path).parts[: chosen.number]: name for path, name in chosen.names.items() if name}
    for path in [piece.path for piece in notebooks] + list(others):
        parts = PurePosixPath(path).parts
        name = chosen.names.get(path, "")
        if not hints.level and (not name or _is_generic(name, hints)):  # as a folder `late` beside the students'
            below = [lv.names.get(path, "") for lv in levels[chosen.number :]]
            name = next((n for n in below if n and not _is_generic(n, hints)), name)
        if path not in answers and len(parts) > chosen.number:  # a file that is no notebook
            name = beside.get(parts[: chosen.number]) or _bare(parts[chosen.number - 1], False, hints)
        if name and answers.get(path):
            crowds[name, answers[path]] += 1
        declared = next((part for part in parts[:-1] if part in hints.assignments), "")
        again = [
            int(match[1]) for part in parts[chosen.number :] if (match := re.fullmatch(r"(?i)version (\d{1,6})", part))
        ]
        if name:
            owners[path] = (Owner(name, declared=declared, attempt=max(again, default=0)),)
    if not hints.level and crowds:
        (student, _), most = max(crowds.items(), key=lambda item: item[1])
        if most >= CROWD:
            raise _doubt(
                levels, f"{most} notebooks for one assignment would be {student}'s alone; is that one student?"
            )
    return owners


def owners_of(pieces: Sequence[Piece], hints: Hints) -> dict[str, tuple[Owner, ...]]:
    """Who handed in each file of a source, by path: several where a team did, nobody where the name does not tell.

    Raises a ClassError that shows the levels of the names where it can't be told which of them names the student.
    """
    pieces = [piece for piece in pieces if not re.match(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)", piece.path, re.DOTALL)]
    if hints.student:
        return {piece.path: (Owner(hints.student),) for piece in pieces}
    notebooks = [piece for piece in pieces if piece.notebook] or pieces
    if not hints.level:
        for level in range(5):
            if owners := _at_level(notebooks, pieces, level, hints):
                return without_teams(owners)
        if own := _by_zips(pieces, hints):
            return own
    paths = {piece.path for piece in notebooks}
    return _by_level(notebooks, [piece.path for piece in pieces if piece.path not in paths], hints)


def _at_level(
    notebooks: Sequence[Piece], pieces: Sequence[Piece], level: int, hints: Hints
) -> dict[str, tuple[Owner, ...]]:
    """Owners by path where a system gave the names at this level: in most of the folders that lie above it."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    short = 0
    for piece in notebooks:
        parts = PurePosixPath(piece.path).parts
        if len(parts) > level:
            groups[parts[:level]].append(parts[level])
        else:
            short += 1
    known = {above: by_system(parts, hints) for above, parts in groups.items()}
    named = {above: found for above, found in known.items() if found}
    if not named or 2 * len(named) <= len(groups) + bool(short):
        return {}
    students = {owner.student for found in named.values() for some in found.values() for owner in some}
    if level and len(students) < 2 and not all(_is_generic(part, hints) for above in named for part in above):
        return {}  # so that a student's own names below a folder make it nobody else's
    owners: dict[str, tuple[Owner, ...]] = {}
    every = [(piece.path, PurePosixPath(piece.path).parts) for piece in pieces]
    for above in named:  # all names once more, those without a notebook too
        tops = [p[level] for _, p in every if len(p) > level and p[:level] == above]
        named[above] |= by_system(tops, hints)
    for path, split in every:
        if len(split) > level and (found := named.get(split[:level], {}).get(split[level])):
            declared = next((part for part in split[level + 1 : -1] if part in hints.assignments), "")
            owners[path] = tuple(replace(owner, declared=owner.declared or declared) for owner in found)
    return owners


def _by_zips(pieces: Sequence[Piece], hints: Hints) -> dict[str, tuple[Owner, ...]]:
    """Owners by path where each zip is an export by itself, of systems that name at different levels."""
    groups: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        groups[PurePosixPath(piece.path).parts[0]].append(piece)
    if len(groups) < 2 or not all(top.lower().endswith(".zip") for top in groups):
        return {}
    owners: dict[str, tuple[Owner, ...]] = {}
    for top, some in groups.items():
        below = [replace(piece, path=piece.path[len(top) + 1 :]) for piece in some]
        notebooks = [piece for piece in below if piece.notebook] or below
        found = next((o for level in range(4) if (o := _at_level(notebooks, below, level, hints))), {})
        if len({owner.student for some in found.values() for owner in some}) < 2:
            return {}
        owners |= {f"{top}/{path}": some for path, some in without_teams(found).items()}
    return owners
