"""Ids and names of students: which can be one, and which are one and the same."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable

from examiner.pages.tables import FORMULA

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


def composed(text: str) -> str:
    """The text with each accent in one character with its letter, where there is one."""
    return unicodedata.normalize("NFC", text)


def words_of(name: str) -> list[str]:
    """The words of a name, without accents and case."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", bare)


def name_keys(name: str) -> set[str]:
    """What one and the same name comes to, however it is turned: `Ada Lovelace`, `Lovelace, Ada`, `lovelaceada`."""
    words = words_of(name)
    turned = {"".join(words[i:] + words[:i]) for i in range(len(words))}
    letters = sum(1 if c.upper() != c.lower() else 2 for word in words for c in word)
    return turned if letters > 2 else set()  # A. B. is no whole name; one in two Chinese characters is


def canvas_keys(name: str) -> set[str]:
    """The same as Canvas writes names, without the letters that are not ASCII: `mllerada` is Ada Müller."""
    return name_keys("".join(c for c in composed(name) if c.isascii()))
