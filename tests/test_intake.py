"""Submissions come in as systems give them, whole or not at all."""

from __future__ import annotations

import errno
import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from examiner import intake
from examiner.class_ import ClassError, write_atomically
from examiner.grade import Assignment
from examiner.roster import Enrolled, People, check_roster, read_roster
from mini_course import answered, source_notebook

MINI = {"mini": Assignment.from_notebook(json.dumps(source_notebook()).encode(), "mini")}
ANSWER = json.dumps(answered())
OTHER = json.dumps(answered(double="return x + x"))


def zipped(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def take(tmp_path: Path, files: dict[str, str | bytes]) -> tuple[intake.Taken, Path]:
    source = zipped(tmp_path / "export.zip", files)
    return intake.take_in([source], tmp_path / "submitted", tmp_path / "replaced", MINI), tmp_path / "submitted"


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("Ada Lovelace_2345678_assignsubmission_file_/mini.ipynb", "2345678"),
        ("Ada Lovelace_2345678_assignsubmission_file_/deep/er/work.ipynb", "2345678"),
        ("lovelaceada_4711_90210_mini.ipynb", "4711"),
        ("lovelaceada_LATE_4711_90210_mini-2.ipynb", "4711"),
        ("Week 5_alovelace_attempt_2017-08-28-13-05-22_mini.ipynb", "alovelace"),
        ("alovelace/mini/mini.ipynb", "alovelace"),
        ("class of 2017/alovelace/mini.ipynb", "alovelace"),
        ("alovelace_mini.ipynb", "alovelace"),
        ("alovelace+mini+2017-08-28 13:05:22 UTC+x7/mini.ipynb", "alovelace"),
    ],
)
def test_the_owner_is_read_from_the_names_that_systems_give(tmp_path: Path, name: str, student: str) -> None:
    files: dict[str, str | bytes] = {name: ANSWER}
    if name.startswith("class of"):
        files["class of 2017/cbabbage/mini.ipynb"] = ANSWER
    _, submitted = take(tmp_path, files)
    assert (submitted / student / "mini" / "mini.ipynb").read_text() == ANSWER


def test_late_marks_and_renamed_notebooks_are_noted(tmp_path: Path) -> None:
    taken, _ = take(tmp_path, {"ada_LATE_1_2_final (3).ipynb": ANSWER})
    assert any("late" in note for note in taken.notes["1", "mini"])
    assert any("final (3).ipynb" in note for note in taken.notes["1", "mini"])


def test_of_several_attempts_the_newest_counts(tmp_path: Path) -> None:
    first, second = "W5_ada_attempt_2017-08-28-13-05-22_mini.ipynb", "W5_ada_attempt_2017-08-29-09-00-00_mini.ipynb"
    taken, submitted = take(tmp_path, {second: OTHER, first: ANSWER})
    assert (submitted / "ada" / "mini" / "mini.ipynb").read_text() == OTHER
    assert first in taken.notes["ada", "mini"][0]
    assert intake.read_timestamp(submitted / "ada" / "mini").isoformat() == "2017-08-29T09:00:00"  # type: ignore[union-attr]


def test_two_files_of_one_name_are_both_seen(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for content in (ANSWER, json.dumps(answered(double="return x"))):
            archive.writestr("a_1_2_mini.ipynb", content)
    taken = intake.take_in([tmp_path / "export.zip"], tmp_path / "submitted", tmp_path / "replaced", MINI)
    assert "Several notebooks came" in taken.notes["1", "mini"][0]


def test_a_zip_within_the_zip_is_opened(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("__MACOSX/._mini.ipynb", "junk")
        archive.writestr("work/mini.ipynb", ANSWER)
    _, submitted = take(tmp_path, {"Ada L_7_assignsubmission_file_/work.zip": inner.getvalue()})
    assert (submitted / "7" / "mini" / "mini.ipynb").exists()


def test_names_are_read_as_utf_8_where_the_zip_does_not_say_so(tmp_path: Path) -> None:
    zipped(tmp_path / "export.zip", {"ZZ X_7_assignsubmission_file_/mini.ipynb": ANSWER})
    content = (tmp_path / "export.zip").read_bytes().replace(b"ZZ", "ë".encode())
    (tmp_path / "export.zip").write_bytes(content)
    taken = intake.take_in([tmp_path / "export.zip"], tmp_path / "submitted", tmp_path / "replaced", MINI)
    assert taken.names == {"7": "ë X"}


def test_a_folder_named_in_another_encoding_is_taken_in(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/class/M\xfcller"
    os.makedirs(folder)
    Path(os.fsdecode(folder), "mini.ipynb").write_text(ANSWER)
    taken = intake.take_in([tmp_path / "class"], tmp_path / "submitted", tmp_path / "replaced", MINI)
    assert taken.students == {"Müller"}


def test_who_handed_in_no_notebook_is_told(tmp_path: Path) -> None:
    essay = "Ada L_7_assignsubmission_file_/essay.pdf"
    taken, _ = take(tmp_path, {essay: "", "Bob_8_assignsubmission_file_/mini.ipynb": ANSWER, "readme.txt": ""})
    assert taken.problems == [f"7: handed in no notebook, but {essay}."]
    assert taken.ungraded == {"7": [f"handed in no notebook, but {essay}."]} and taken.names == {
        "7": "Ada L",
        "8": "Bob",
    }


@pytest.mark.parametrize("junk", [{}, {"essay.pdf": b"%PDF"}, {"inner.zip": b""}])
def test_a_zip_without_a_notebook_is_told(tmp_path: Path, junk: dict[str, str | bytes]) -> None:
    name = "Ada L_7_assignsubmission_file_/work.zip"
    inner = zipped(tmp_path / "work.zip", junk).read_bytes()
    taken, _ = take(tmp_path, {name: inner, "Bob_8_assignsubmission_file_/mini.ipynb": ANSWER})
    assert list(taken.ungraded) == ["7"] and name in taken.ungraded["7"][0]


def test_a_zip_with_a_password_is_told(tmp_path: Path) -> None:
    locked = bytearray(zipped(tmp_path / "work.zip", {"mini.ipynb": ANSWER}).read_bytes())
    locked[locked.index(b"PK\x01\x02") + 8] |= 1  # the flag in the zip's directory
    taken, _ = take(tmp_path, {"ada/work.zip": bytes(locked), "bob/mini.ipynb": ANSWER})
    assert taken.ungraded == {"ada": ["ada/work.zip needs a password; not taken."]}


def test_a_zip_in_the_zip_of_a_student_is_opened_but_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = zipped(tmp_path / "in.zip", {"mini.ipynb": ANSWER}).read_bytes()
    outer = zipped(tmp_path / "out.zip", {"in.zip": deep}).read_bytes()
    _, submitted = take(tmp_path, {"ada/out.zip": outer, "bob/mini.ipynb": ANSWER})
    assert (submitted / "ada" / "mini" / "mini.ipynb").exists()
    monkeypatch.setattr(intake, "MOST_MEMBERS_INNER", 1)
    taken, _ = take(tmp_path, {"ada/out.zip": outer, "bob/mini.ipynb": ANSWER})
    assert "far too large" in taken.ungraded["ada"][0]


@pytest.mark.parametrize("name", ["mini.ipynb.txt", "mini.ipynb.json", "MINI.IPYNB"])
def test_a_notebook_as_browsers_save_it_is_taken(tmp_path: Path, name: str) -> None:
    _, submitted = take(tmp_path, {f"ada/{name}": ANSWER, "bob/mini.ipynb": ANSWER})
    assert (submitted / "ada" / "mini" / "mini.ipynb").read_text() == ANSWER


def test_the_worked_notebook_counts_and_not_the_fresh_copy_beside_it(tmp_path: Path) -> None:
    handed_out = answered()
    for cell, known in zip(handed_out.cells, MINI["mini"].cells, strict=True):
        cell.source = known.release_source
    fresh = json.dumps(handed_out)
    folders: dict[str, str | bytes] = {"ada/1.ipynb": fresh, "ada/2.ipynb": ANSWER}
    _, submitted = take(tmp_path, folders | {"bob/1.ipynb": ANSWER, "bob/2.ipynb": fresh})
    for student in ("ada", "bob"):
        assert (submitted / student / "mini" / "mini.ipynb").read_text() == ANSWER


def test_a_stranger_to_the_roster_leaves_all_as_it_was(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", {"ada/mini.ipynb": ANSWER, "eve/mini.ipynb": ANSWER})
    with pytest.raises(ClassError, match="Not on the roster, but handed in: eve"):
        intake.take_in([export], tmp_path / "submitted", tmp_path, MINI, People({"ada": Enrolled("ada")}), strict=True)
    assert not list((tmp_path / "submitted").iterdir())


def test_names_in_a_zip_are_never_paths(tmp_path: Path) -> None:
    taken, submitted = take(
        tmp_path, {"../../evil/mini.ipynb": ANSWER, "good/mini.ipynb": ANSWER, "/abs/mini.ipynb": ANSWER}
    )
    assert {path.name for path in submitted.iterdir()} == {"good"}
    assert not (tmp_path.parent / "evil").exists()
    assert len(taken.problems) == 2


def test_a_zip_bomb_is_refused_and_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "submitted" / "ada" / "mini").mkdir(parents=True)
    with pytest.raises(ClassError, match="zip bomb"):
        take(tmp_path, {"ada/mini.ipynb": ANSWER, "eve/mini.ipynb": b"\0" * (64 << 20)})
    assert sorted(path.name for path in (tmp_path / "submitted").rglob("*")) == ["ada", "mini"]


def test_a_disk_that_fills_up_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(tmp_path, {"ada/mini.ipynb": ANSWER, "bob/mini.ipynb": ANSWER})
    before = {path: path.read_text() for path in (tmp_path / "submitted").rglob("*.ipynb")}
    room = iter([True])

    def write(path: Path, content: bytes) -> None:
        if not next(room, False):
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomically(path, content)

    monkeypatch.setattr(intake, "write_atomically", write)
    with pytest.raises(OSError, match="No space"):
        take(tmp_path, {"ada/mini.ipynb": OTHER, "bob/mini.ipynb": OTHER})
    assert {path: path.read_text() for path in tmp_path.rglob("*.ipynb")} == before


def test_what_is_no_zip_is_refused_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "export.zip").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ClassError, match=r"neither a folder nor a zip|can't be read"):
        intake.take_in([tmp_path / "export.zip"], tmp_path / "submitted", tmp_path / "replaced", MINI)


def test_a_resubmission_replaces_and_the_earlier_one_is_kept(tmp_path: Path) -> None:
    take(tmp_path, {"ada/mini.ipynb": ANSWER})
    taken, submitted = take(tmp_path, {"ada/mini.ipynb": OTHER})
    assert taken.stored == 1
    assert (submitted / "ada" / "mini" / "mini.ipynb").read_text() == OTHER
    assert [path.read_text() for path in (tmp_path / "replaced").rglob("*.ipynb")] == [ANSWER]
    again, _ = take(tmp_path, {"ada/mini.ipynb": OTHER})
    assert (again.stored, again.unchanged) == (0, 1)


def test_a_notebook_that_lost_its_ids_is_known_by_its_text() -> None:
    bare = answered()
    for cell in bare.cells:
        cell.metadata = {}
    found = intake.Found("ada", "Untitled7.ipynb", json.dumps(bare).encode())
    assert intake.which_assignment(found, MINI) == "mini"


def test_no_student_vanishes(tmp_path: Path) -> None:
    for name in ("a/mini/mini.ipynb", "b/mini/renamed.ipynb", "c/mini/notes.txt"):
        path = tmp_path / "submitted" / name
        path.parent.mkdir(parents=True)
        path.write_text(ANSWER)
    jobs, notes = intake.find_jobs(tmp_path / "submitted", MINI)
    assert [(job.student, job.path is None) for job in jobs] == [("a", False), ("b", False), ("c", True)]
    assert "renamed.ipynb" in notes["b", "mini"][0]


def test_a_folder_whose_name_cannot_be_read_is_refused(tmp_path: Path) -> None:
    os.makedirs(os.fsencode(tmp_path) + b"/submitted/M\xfcller/mini")
    with pytest.raises(ClassError, match="Rename the folder"):
        intake.find_jobs(tmp_path / "submitted", MINI)


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
