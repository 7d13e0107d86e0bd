"""Which column of a class list holds what: by its name, in the languages of systems, else by what stands in it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence

IDS = (  # the first that is there; of what systems export, the one that stands in their zips' names comes first
    *("student_id", "id", "username", "identifier", "student id", "id number"),
    *("sis user id", "lms_id", "student", "sis login id", "login id", "sid", "student number", "orgdefinedid"),
)
COLUMNS = {
    "student": IDS,
    "session": (
        *("session", "workshop", "class", "section", "sections", "tutorial", "group", "groups"),
        *("gruppe", "gruppen", "tutorium", "groupe", "groupes", "séance", "grupo", "grupos", "gruppo", "gruppi"),
    ),
    "first_name": (
        *("first_name", "first name", "given name", "vorname", "prénom", "prenom", "nombre", "nombre(s)", "nome"),
        *("voornaam", "förnamn", "fornavn", "imię"),
    ),
    "last_name": (
        *("last_name", "last name", "surname", "family name", "nachname", "familienname", "nom", "nom de famille"),
        *("apellido", "apellidos", "apellido(s)", "cognome", "apelido", "sobrenome"),
        *("achternaam", "efternamn", "efternavn", "etternavn", "nazwisko"),
    ),
    "email": ("email", "e-mail", "email address"),
    "name": (
        *("name", "full name", "student", "vollständiger name", "nom complet", "nombre completo", "nome completo"),
        *("naam", "namn", "navn"),
    ),
    "team": ("team", "team name", "group", "group name"),
}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
ID = re.compile(r"[^\W\d_]{0,4}\d{4,}|[a-z][a-z0-9._-]+")  # a number, with letters before it; or a user name
CALLED_ID = re.compile(r"matr|num|núm|n[ro°º]\b|\bid|login|user|nutzer|kennung|code|codice|código|étudiant")
MOST = 0.9  # of the rows: a footer has none


def find_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[dict[str, int | None], list[int]]:
    """Where each role's column is, None where it is not there; and the columns that hold ids of other kinds."""
    at = {role: next((header.index(name) for name in names if name in header), None) for role, names in COLUMNS.items()}
    ids = [i for i, column in enumerate(header) if column in IDS and i != at["name"]]
    cells = [[row[i].strip() for row in rows if i < len(row) and row[i].strip()] for i in range(len(header))]
    if at["email"] is None:
        at["email"] = next((i for i, some in enumerate(cells) if _all(EMAIL, some, len(rows))), None)
    if at["student"] is None:
        free = [i for i in range(len(header)) if i not in at.values() and len(set(cells[i])) == len(cells[i])]
        ids = [i for i in free if said_before(cells[i]) or _all(ID, cells[i], len(rows))]
        at["student"] = min(ids, key=lambda i: (not CALLED_ID.search(header[i]), i), default=at["email"])
    return at, [i for i in ids if i != at["student"]]


def _all(pattern: re.Pattern[str], cells: Sequence[str], rows: int) -> bool:
    return bool(cells) and len(cells) >= MOST * rows and all(map(pattern.fullmatch, cells))


def said_before(ids: Iterable[str]) -> str:
    """The word before each number, as in Moodle's worksheets: `Participant 123`, in the language of the site."""
    words = {match[1] if (match := re.fullmatch(r"(\D{4,} )\d+", one.strip())) else "" for one in ids if one.strip()}
    return words.pop() if len(words) == 1 else ""


def is_no_header(header: Sequence[str]) -> bool:
    """Whether a first line is of a person, and no line of columns' names."""
    return any(EMAIL.fullmatch(cell) or re.fullmatch(r"\D{0,4}\d{5,}", cell) for cell in header)


def dialect_of(lines: Sequence[str]) -> type[csv.Dialect]:
    """Commas, semicolons or tabs: what parts most lines as it parts the first, into the most columns."""

    def fits(dialect: type[csv.Dialect]) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines[:100], dialect=dialect)]
        return (sum(width == widths[0] for width in widths), widths[0]) if widths and widths[0] > 1 else (0, 0)

    return max((csv.excel, csv.excel_tab, _Semicolon), key=fits)


class _Semicolon(csv.excel):
    delimiter = ";"
