"""The class list as tutors have it, and as systems export it."""

from __future__ import annotations

from pathlib import Path

import pytest

from examiner.batch.job import ClassError
from examiner.course.roster import Enrolled, check_roster, read_roster


def test_the_roster_maps_students_to_sessions(tmp_path: Path) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text(
        "Student ID,Surname,Session\n007,Bond,Friday 14:15-15:15 AH211\n008,Lee,1\n", encoding="utf-8-sig"
    )
    sessions = ["Tuesday 12:00–13:00 AH211", "Friday 14:15–15:15 AH211"]
    found = read_roster(roster, sessions)
    assert [found["007"].session, found["008"].session] == [sessions[1], sessions[0]]
    assert found["007"].last_name == "Bond"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,session\nAda,1\n", "no column student_id"),
        ("student_id,session\na,9\n", "sessions that the timetable lacks: '9'"),
        ("student_id\na\na\n", "a twice"),
        (
            "Nachname;Abschluss\nMüller;B.Sc.\n",
            "columns are: nachname \\(Müller\\), abschluss .* Call the one that holds",
        ),
        ("1001;Müller;am@uni.de\n1002;Lee;bl@uni.de\n", "is somebody's .* needs a line above it"),
        ("matrikel|name\n1001|Ada\n", "parted by commas, semicolons or tabs"),
        ("", "empty"),
    ],
)
def test_a_bad_roster_is_refused_in_plain_words(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(ClassError, match=says):
        read_roster(tmp_path / "roster.csv", ["Tuesday"])


@pytest.mark.parametrize(
    ("text", "student", "first"),
    [
        ('Student,ID,SIS User ID,Section\n"Lovelace, Ada",123,u1,Tue 12:00-13:00 AH108\n', "123", "Ada"),
        ("Identifier,Full name,Groups\nParticipant 123,Ada Lovelace,2\n", "123", "Ada"),
        ("sep=;\nstudent_id;first name;session\n123;Ada;2.0\n", "123", "Ada"),
        (
            '"Last Name","First Name","Username","Student ID","Class"\nL,Ada,al1,99,Tuesday 12:00–13:00 AH108 *\n',
            "al1",
            "Ada",
        ),
    ],
)
def test_class_lists_are_read_as_systems_export_them(tmp_path: Path, text: str, student: str, first: str) -> None:
    (tmp_path / "roster.csv").write_text(text)
    sessions = ["Tuesday 12:00–13:00 AH211", "Tuesday 12:00–13:00 AH108"]
    (row,) = read_roster(tmp_path / "roster.csv", sessions).values()
    assert (row.student, row.first_name, row.session) == (student, first, sessions[1])


@pytest.mark.parametrize(
    "text",
    [
        "Nachname;Vorname;Matrikelnummer;E-Mail-Adresse\nMüller;Ada;1234567;ada@uni.de\nLee;Bo;1234568;bo@uni.de\n",
        '"Nom, naissance";Prénom;Nom de famille;Courriel;N° d\'étudiant\n'
        "1;Ada;Müller;ada@uni.de;1234567\n1;Bo;Lee;bo@uni.de;1234568\n",
        "Apellido(s)\tNombre\tCorreo\tCódigo\nMüller\tAda\tada@uni.de\t1234567\nLee\tBo\tbo@uni.de\t1234568\n",
        "Cognome,Nome,Indirizzo email,Matricola\nMüller,Ada,ada@uni.de,1234567\nLee,Bo,bo@uni.de,1234568\n",
        "Kennung;Tel;Vorname;Nachname;Postfach\n1234567;030 1;Ada;Müller;ada@uni.de\n1234568;030 2;Bo;Lee;bo@uni.de\n",
        "ID,Vollständiger Name,Mail\nNutzer/in 1234567,Ada Müller,ada@uni.de\nNutzer/in 1234568,Bo Lee,bo@uni.de\n",
    ],
)
def test_columns_are_known_by_what_stands_in_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "roster.csv").write_text(text, encoding="utf-8")
    ada, bo = read_roster(tmp_path / "roster.csv").values()
    assert (ada.student, ada.name, ada.email) == ("1234567", "Ada Müller", "ada@uni.de")
    assert (bo.student, bo.name, bo.email) == ("1234568", "Bo Lee", "bo@uni.de")


def test_who_has_no_number_is_known_by_user_name_or_address(tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text("Name;Benutzer;Mail\nAda L;al;a@b.de\nBo L;bl;b@b.de\n")
    assert list(read_roster(tmp_path / "roster.csv")) == ["al", "bl"]
    (tmp_path / "roster.csv").write_text("Name;Mail\nAda L;a@b.de\nBo L;b@b.de\n")
    assert list(read_roster(tmp_path / "roster.csv")) == ["a@b.de", "b@b.de"]


def test_who_is_in_two_groups_has_one_row_in_the_first(tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text("id,name,session\n1,Ada L,Tue\n2,Bob B,Tue\n1,Ada L,Fri\n")
    assert {s: row.session for s, row in read_roster(tmp_path / "roster.csv").items()} == {"1": "Tue", "2": "Tue"}
    (tmp_path / "roster.csv").write_text("id,name,session\n1,Ada L,Tue\n1,Bob B,Tue\n")
    with pytest.raises(ClassError, match="1 twice, the second time in line 3, and not as the same person"):
        read_roster(tmp_path / "roster.csv")


def test_blackboards_table_is_a_roster(tmp_path: Path) -> None:
    table = '"Last Name"\t"First Name"\t"Username"\t"Student ID"\n"Lovelace"\t"Ada"\t"al"\t"1001"\n'
    (tmp_path / "roster.csv").write_bytes(table.encode("utf-16"))
    row = read_roster(tmp_path / "roster.csv")["al"]
    assert (row.name, row.others) == ("Ada Lovelace", ("1001",))


def test_a_roster_with_another_kind_of_id_is_hinted_at() -> None:
    with pytest.raises(ClassError, match="99 is the first id on it; are these the same kind"):
        check_roster({"99": Enrolled("99")}, ["ada", "bob"])


def test_a_roster_in_another_encoding_is_refused_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_bytes("student_id\nMüller\n".encode("latin-1"))
    with pytest.raises(ClassError, match="no CSV in UTF-8"):
        read_roster(tmp_path / "roster.csv")


def test_strangers_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClassError, match="eve"):
        check_roster({"ada": Enrolled("ada")}, ["ada", "eve"])


# --- one person, one student ---


def test_canvass_own_gradebook_is_a_roster(tmp_path: Path) -> None:
    (tmp_path / "canvas.csv").write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section,Week 5 (778899)\n,,,,,Manual Posting\n    Points Possible,,,,,58\n"
        '"Lovelace, Ada",4711,u101,alovelace,Tue 12:00-13:00 AH211 and All,\n"Student, Test",4799,,abc123,Tue,\n'
    )
    roster = read_roster(tmp_path / "canvas.csv", ["Tuesday 12:00–13:00 AH211"])
    assert set(roster) == {"4711"} and roster["4711"].others == ("u101", "alovelace")
