"""Submissions come in as systems give them, whole or not at all."""

from __future__ import annotations

import errno
import io
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dateutil import tz

from examiner.batch.job import ClassError
from examiner.course import archives, intake
from examiner.course.archives import Taken
from examiner.course.intake import find_jobs, take_in
from examiner.course.people import People
from examiner.course.recognition import by_cells
from examiner.course.roster import Enrolled
from examiner.course.systems import Hints
from examiner.course.timestamps import read_timestamp
from examiner.grading.assignment import Assignment
from examiner.grading.parts import whole
from examiner.isolation.files import write_atomically
from mini_course import answered, source_notebook

MINI = {"mini": Assignment.from_notebook(json.dumps(source_notebook()).encode(), "mini")}
HIDDEN = (".Trash-0/files", ".ipynb_checkpoints", ".venv/lib")
ANSWER = json.dumps(answered())
OTHER = json.dumps(answered(double="return x + x"))


def zipped(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def take(tmp_path: Path, files: dict[str, str | bytes]) -> tuple[Taken, Path]:
    source = zipped(tmp_path / "export.zip", files)
    return take_in([source], tmp_path / "submitted", tmp_path / "replaced", MINI), tmp_path / "submitted"


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
    assert read_timestamp(submitted / "ada" / "mini").isoformat() == "2017-08-29T09:00:00"  # type: ignore[union-attr]


def test_two_files_of_one_name_are_both_seen(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for content in (ANSWER, json.dumps(answered(double="return x"))):
            archive.writestr("a_1_2_mini.ipynb", content)
    taken = take_in([tmp_path / "export.zip"], tmp_path / "submitted", tmp_path / "replaced", MINI)
    assert "Several notebooks came" in taken.notes["1", "mini"][0]


def test_drafts_in_teams_are_not_handed_in(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        f"Submitted files/{name}/W5/Version 1/mini.ipynb": ANSWER for name in ("Ada", "Bob")
    }
    files |= {f"Working files/{name}/W5/mini.ipynb": OTHER for name in ("Ada", "Cat")}
    taken, submitted = take(tmp_path, files)
    assert (submitted / "Ada" / "mini" / "mini.ipynb").read_text() == ANSWER
    assert not (submitted / "Cat").exists() and "submitted nothing" in taken.ungraded["Cat"][0]


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
    taken = take_in([tmp_path / "export.zip"], tmp_path / "submitted", tmp_path / "replaced", MINI)
    assert taken.names == {"7": "ë X"}


def test_a_folder_named_in_another_encoding_is_taken_in(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/class/M\xfcller"
    os.makedirs(folder)
    Path(os.fsdecode(folder), "mini.ipynb").write_text(ANSWER)
    taken = take_in([tmp_path / "class"], tmp_path / "submitted", tmp_path / "replaced", MINI)
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
    monkeypatch.setattr(archives, "MOST_MEMBERS_INNER", 1)
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
        take_in([export], tmp_path / "submitted", tmp_path, MINI, People({"ada": Enrolled("ada")}), strict=True)
    assert not list((tmp_path / "submitted").iterdir())


def test_names_in_a_zip_are_never_paths(tmp_path: Path) -> None:
    taken, submitted = take(
        tmp_path, {"../../evil/mini.ipynb": ANSWER, "good/mini.ipynb": ANSWER, "/abs/mini.ipynb": ANSWER}
    )
    assert {path.name for path in submitted.iterdir()} == {"good"}
    assert not (tmp_path.parent / "evil").exists()
    assert len(taken.problems) == 2


def test_a_zip_bomb_is_its_authors_alone(tmp_path: Path) -> None:
    taken, submitted = take(tmp_path, {"ada/mini.ipynb": ANSWER, "eve/mini.ipynb": b"\0" * (64 << 20)})
    assert [path.name for path in submitted.iterdir()] == ["ada"]
    assert "zip bomb" in taken.ungraded["eve"][0]


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
        take_in([tmp_path / "export.zip"], tmp_path / "submitted", tmp_path / "replaced", MINI)


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
    assert by_cells(json.dumps(bare).encode(), MINI) == ["mini"]


def test_no_student_vanishes(tmp_path: Path) -> None:
    for name in ("a/mini/mini.ipynb", "b/mini/renamed.ipynb", "c/mini/notes.txt"):
        path = tmp_path / "submitted" / name
        path.parent.mkdir(parents=True)
        path.write_text(ANSWER)
    jobs, notes = find_jobs(tmp_path / "submitted", MINI)
    assert [(job.student, job.path is None) for job in jobs] == [("a", False), ("b", False), ("c", True)]
    assert "renamed.ipynb" in notes["b", "mini"][0]


def test_a_folder_whose_name_cannot_be_read_is_refused(tmp_path: Path) -> None:
    os.makedirs(os.fsencode(tmp_path) + b"/submitted/M\xfcller/mini")
    with pytest.raises(ClassError, match="Rename the folder"):
        find_jobs(tmp_path / "submitted", MINI)


def export(path: Path, files: dict[str, str | bytes], **dates: tuple[int, int, int, int, int, int]) -> Path:
    """A zip whose members bear dates: `d1=(2017, ...)` is the first member's."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, content) in enumerate(files.items(), 1):
            archive.writestr(zipfile.ZipInfo(name, dates.get(f"d{number}", (2017, 8, 28, 0, 0, 0))), content)
    return path


def take_one(tmp_path: Path, people: People, files: dict[str, str | bytes], **dates: Any) -> Taken:
    source = export(tmp_path / "export.zip", files, **dates)
    people.problems.clear()
    return take_in([source], tmp_path / "submitted", tmp_path / "replaced", MINI, people)


def students(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "submitted").iterdir()}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Ada Lovelace_101_assignsubmission_file_/mini.ipynb", "Ada Lovelace_245_assignsubmission_file_/mini.ipynb"),
        ("Week 5/Ada Lovelace - mini.ipynb", "Ada Lovelace_245_assignsubmission_file_/mini.ipynb"),
        ("Ada Lovelace_101_assignsubmission_file_/mini.ipynb", "lovelaceada_4711_90210_mini.ipynb"),
        ("Ada/mini.ipynb", "ada/mini.ipynb"),
        ("Zo\u00eb/mini.ipynb", "Zoe\u0308/mini.ipynb"),
        ("Ada M\u00fcller_101_assignsubmission_file_/mini.ipynb", "mllerada_4711_90210_mini.ipynb"),
        ("mllerada_4711_90210_mini.ipynb", "Ada M\u00fcller_101_assignsubmission_file_/mini.ipynb"),
    ],
)
def test_one_person_is_one_student_in_two_exports(tmp_path: Path, first: str, second: str) -> None:
    people = People()
    for name in (first, second):
        take_one(tmp_path, people, {name: ANSWER})
    assert len(students(tmp_path)) == 1


def test_one_person_is_one_student_where_two_systems_come_together(tmp_path: Path) -> None:
    names = ("lovelaceada_99_9_mini.ipynb", "Ada Lovelace_1_assignsubmission_file_/mini.ipynb")
    inner = {f"{i}.zip": export(tmp_path / f"{i}.zip", {name: ANSWER}).read_bytes() for i, name in enumerate(names)}
    for people in (People(), People(ROSTER)):
        assert len(take_one(tmp_path, people, dict(inner)).students) == 1


def test_names_that_only_canvas_writes_alike_are_two_students(tmp_path: Path) -> None:
    names = ("Zo\u00eb Lin_1", "Zo\u00e9 Lin_2")
    people = People()
    take_one(tmp_path, people, {f"{name}_assignsubmission_file_/mini.ipynb": ANSWER for name in names})
    take_one(tmp_path, people, {"linzo_4711_9_mini.ipynb": ANSWER})
    assert students(tmp_path) == {"1", "2", "4711"}


def test_two_of_one_name_are_two_students(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"Wei Zhang_{i}_assignsubmission_file_/mini.ipynb": ANSWER for i in (1, 2)}
    take_one(tmp_path, People(), files)
    assert students(tmp_path) == {"1", "2"}


def test_a_number_that_is_now_anothers_makes_nobody_another(tmp_path: Path) -> None:
    people = People()
    take_one(tmp_path, people, {"Ada Lovelace_101_assignsubmission_file_/mini.ipynb": ANSWER})
    taken = take_one(tmp_path, people, {"Bob Bee_101_assignsubmission_file_/mini.ipynb": OTHER})
    assert students(tmp_path) == {"101", "101 Bob Bee"} and "two people" in taken.problems[0]


ROSTER = {"u1": Enrolled("u1", "", "Ada", "Lovelace", "ada@uni.edu", ("4711",)), "u2": Enrolled("u2", team="Team 3")}


@pytest.mark.parametrize(
    "name",
    [
        "U1/mini.ipynb",
        "Ada Lovelace_9_assignsubmission_file_/mini.ipynb",
        "x_4711_9_mini.ipynb",
        "lovelaceada_99_9_mini.ipynb",
        "ada@uni.edu/mini.ipynb",
        "Lovelace, Ada/mini.ipynb",
    ],
)
def test_the_roster_says_who_it_is(tmp_path: Path, name: str) -> None:
    take_one(tmp_path, People(ROSTER), {name: ANSWER})
    assert students(tmp_path) == {"u1"}


def test_a_teams_notebook_is_each_members(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("came_as,student_id\nTeam 7,u1\nTeam 7,u2\n")
    people = People(ROSTER)
    people.learn(tmp_path / "people.csv")
    people.write(tmp_path / "people.json")
    remembered = People.read(tmp_path / "people.json", ROSTER)
    take_one(tmp_path, remembered, {"Team 7/mini.ipynb": ANSWER})
    assert students(tmp_path) == {"u1", "u2"}


def test_a_team_of_the_roster_is_its_members(tmp_path: Path) -> None:
    take_one(tmp_path, People(ROSTER), {"Team_3_4711_90210_mini.ipynb": ANSWER, "team 3/mini.ipynb": ANSWER})
    assert "u2" in students(tmp_path)


def test_people_without_names_under_new_numbers_are_told(tmp_path: Path) -> None:
    people = People()
    take_one(tmp_path, people, {"Participant_1_assignsubmission_file_/mini.ipynb": ANSWER})
    people.nameless.clear()
    taken = take_one(tmp_path, people, {"Participant_7_assignsubmission_file_/mini.ipynb": ANSWER})
    assert "say who is who with --people" in taken.problems[0]


def test_an_id_that_cannot_be_one_still_has_a_row(tmp_path: Path) -> None:
    taken = take_one(
        tmp_path, People(), {"=1+1/mini.ipynb": ANSWER, "a?b/mini.ipynb": ANSWER, "cat/mini.ipynb": ANSWER}
    )
    assert students(tmp_path) == {"_=1+1", "a_b", "cat"} and "'a?b' can't be an id" in taken.problems[1]


# --- nothing lost ---

OLD, NEW = "W5_ada_attempt_2017-08-28-13-05-22_mini.ipynb", "W5_ada_attempt_2017-08-29-09-00-00_mini.ipynb"


@pytest.mark.parametrize(
    ("new", "old"),
    [(NEW, OLD), ("adal_47_902_mini-2.ipynb", "adal_47_901_mini-1.ipynb"), ("ada/mini.ipynb", "ada/mini.ipynb")],
)
def test_the_newest_attempt_counts_whichever_export_comes_first(tmp_path: Path, new: str, old: str) -> None:
    people = People()
    take_one(tmp_path, people, {new: OTHER}, d1=(2017, 8, 29, 0, 0, 0))
    taken = take_one(tmp_path, people, {old: ANSWER}, d1=(2017, 8, 28, 0, 0, 0))
    (stored,) = (tmp_path / "submitted").rglob("*.ipynb")
    assert stored.read_text() == OTHER and "older attempt" in next(iter(taken.notes.values()))[0]
    assert [path.read_text() for path in (tmp_path / "replaced").rglob("*.ipynb")] == [ANSWER]


def test_two_sources_are_both_taken_and_the_newer_counts(tmp_path: Path) -> None:
    sources = [
        export(tmp_path / "1.zip", {NEW: OTHER}),
        export(tmp_path / "2.zip", {OLD: ANSWER, OLD.replace("ada", "bob"): ANSWER}),
    ]
    take_in(sources, tmp_path / "submitted", tmp_path / "replaced", MINI)
    assert students(tmp_path) == {"ada", "bob"}
    assert (tmp_path / "submitted" / "ada" / "mini" / "mini.ipynb").read_text() == OTHER


def test_a_time_without_a_zone_is_the_courses(tmp_path: Path) -> None:
    zone = tz.gettz("Australia/Melbourne")
    source = export(tmp_path / "export.zip", {"W5_ada_attempt_2017-08-28-16-00-00_mini.ipynb": ANSWER})
    take_in([source], tmp_path / "submitted", tmp_path, MINI, hints=Hints(zone=zone))
    assert str(read_timestamp(tmp_path / "submitted" / "ada" / "mini")) == "2017-08-28 06:00:00"


def test_names_with_backslashes_are_paths(tmp_path: Path) -> None:
    inner = export(
        tmp_path / "in.zip",
        {"__MACOSX\\._mini.ipynb": "junk", "w\\.ipynb_checkpoints\\mini.ipynb": OTHER, "w\\mini.ipynb": ANSWER},
    )
    take_one(tmp_path, People(), {"class\\ada\\work.zip": inner.read_bytes(), "class\\bob\\mini.ipynb": ANSWER})
    assert students(tmp_path) == {"ada", "bob"}
    assert (tmp_path / "submitted" / "ada" / "mini" / "mini.ipynb").read_text() == ANSWER


def test_a_notebook_that_is_large_by_its_outputs_is_read_without_them(tmp_path: Path) -> None:
    notebook = answered()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [{"output_type": "stream", "name": "stdout", "text": 'x"]},{["' * 500_000}]
    taken = take_one(tmp_path, People(), {"ada/what ever.ipynb": json.dumps(notebook), "bob/mini.ipynb": ANSWER})
    stored = tmp_path / "submitted" / "ada" / "mini" / "mini.ipynb"
    assert [c["source"] for c in json.loads(stored.read_bytes())["cells"]] == [c.source for c in notebook.cells]
    assert stored.stat().st_size < 20_000 and "outputs (30 MB) were left out" in taken.notes["ada", "mini"][1]


def test_what_lies_beside_a_notebook_is_named(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "ada/mini.ipynb": ANSWER,
        "ada/helper.py": "",
        "ada/gradcheck.py": "",
        "bob/mini.ipynb": ANSWER,
    }
    source = export(tmp_path / "export.zip", files)
    taken = take_in([source], tmp_path / "submitted", tmp_path / "replaced", MINI, given={"gradcheck.py"})
    assert taken.notes == {("ada", "mini"): ["Handed in as well, and not used: ada/helper.py."]}


def test_what_lies_in_hidden_folders_is_no_work(tmp_path: Path) -> None:
    thrown_away = {f"ada/{folder}/mini.ipynb": json.dumps(answered(double="return 3")) for folder in HIDDEN}
    taken = take_one(tmp_path, People(), {"ada/work.ipynb": ANSWER, "bob/work.ipynb": OTHER, **thrown_away})
    assert (tmp_path / "submitted" / "ada" / "mini" / "mini.ipynb").read_text() == ANSWER
    assert taken.notes["ada", "mini"] == ["It came under the name work.ipynb."]


def test_two_characters_are_a_whole_name_where_they_are_no_initials(tmp_path: Path) -> None:
    people = People({"s1": Enrolled("s1", "", "\u674e", "\u96f7"), "s2": Enrolled("s2", "", "A", "B")})
    files = {f"{name}_{i}_assignsubmission_file_/mini.ipynb": ANSWER for i, name in enumerate(("\u96f7 \u674e", "A B"))}
    take_one(tmp_path, people, files)
    assert students(tmp_path) == {"s1", "1"}


def test_a_file_beside_a_notebook_is_named_with_that_one_alone(tmp_path: Path) -> None:
    both = {name: Assignment.from_notebook(json.dumps(part(name, "pass")).encode(), name) for name in ("mini", "other")}
    files: dict[str, str | bytes] = {}
    for name in both:
        files |= {f"{name}/ada/work.ipynb": json.dumps(part(name)), f"{name}/ada/{name}.py": ""}
    source = export(tmp_path / "export.zip", files | {"mini/bob/work.ipynb": json.dumps(part("mini"))})
    taken = take_in([source], tmp_path / "submitted", tmp_path / "replaced", both)
    for name in both:
        assert f"Handed in as well, and not used: {name}/ada/{name}.py." in taken.notes["ada", name]
        assert len([note for note in taken.notes["ada", name] if "as well" in note]) == 1


def test_names_in_the_letters_of_chinese_windows_are_read_and_told(tmp_path: Path) -> None:
    made = export(tmp_path / "made.zip", {"XXXX/mini.ipynb": ANSWER, "bob/mini.ipynb": ANSWER}).read_bytes()
    (tmp_path / "class.zip").write_bytes(made.replace(b"XXXX", "\u674e\u96f7".encode("gbk")))
    taken = take_in([tmp_path / "class.zip"], tmp_path / "submitted", tmp_path, MINI)
    assert students(tmp_path) == {"\u674e\u96f7", "bob"} and "does not say in which letters" in taken.problems[0]


def test_a_class_zip_with_a_password_is_refused_in_plain_words(tmp_path: Path) -> None:
    locked = bytearray(export(tmp_path / "class.zip", {"ada/mini.ipynb": ANSWER}).read_bytes())
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "class.zip").write_bytes(bytes(locked))
    with pytest.raises(ClassError, match="needs a password"):
        take_in([tmp_path / "class.zip"], tmp_path / "submitted", tmp_path, MINI)


def part(notebook: str, double: str = "return 2 * x", shared: bool = False) -> Any:
    """A notebook of the assignment `sheet`; `shared` is one that is the same in several of them."""
    made = answered(double=double)
    for cell in made.cells if not shared else []:
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"]["grade_id"] = f"{notebook}-{cell.metadata['nbgrader']['grade_id']}"
    return made


def sheet(*notebooks: str, shared: bool = False) -> dict[str, Assignment]:
    read = [Assignment.from_notebook(json.dumps(part(name, "pass", shared)).encode(), "sheet") for name in notebooks]
    parts = [replace(one, notebook=name, of_several=True) for one, name in zip(read, notebooks, strict=True)]
    return {"sheet": whole("sheet", parts)}


def test_each_of_several_notebooks_is_known_by_its_cells_whatever_its_name(tmp_path: Path) -> None:
    first, second = json.dumps(part("one")), json.dumps(part("two"))
    source = zipped(tmp_path / "export.zip", {"ada_1_2_a.ipynb": second, "ada_1_3_b.ipynb": first})
    taken = take_in([source], tmp_path / "submitted", tmp_path / "replaced", sheet("one", "two"))
    folder = tmp_path / "submitted" / "1" / "sheet"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"one.ipynb": first, "two.ipynb": second}
    assert taken.stored == 2 and taken.problems == []


def test_one_of_several_notebooks_that_comes_again_leaves_the_others(tmp_path: Path) -> None:
    people, course = People(), sheet("one", "two")
    name = "W5_ada_attempt_2017-08-{}-13-05-22_{}.ipynb"
    both = {name.format(28, "one"): json.dumps(part("one")), name.format(29, "two"): json.dumps(part("two"))}
    anew = {name.format(30, "one"): json.dumps(part("one", "return x + x"))}
    for number, files in enumerate((both, anew, both)):  # the last is an older attempt
        source = zipped(tmp_path / f"{number}.zip", dict(files))
        taken = take_in([source], tmp_path / "submitted", tmp_path / "replaced", course, people)
    folder = tmp_path / "submitted" / "ada" / "sheet"
    assert (folder / "one.ipynb").read_text() == json.dumps(part("one", "return x + x"))
    assert (folder / "two.ipynb").read_text() == json.dumps(part("two"))
    assert read_timestamp(folder).isoformat() == "2017-08-30T13:05:22"  # type: ignore[union-attr]
    assert (taken.stored, taken.unchanged) == (0, 2)
    assert {path.read_text() for path in (tmp_path / "replaced").rglob("*.ipynb")} == {json.dumps(part("one"))}


def test_a_notebook_that_may_be_either_goes_by_its_name_or_is_refused_with_both(tmp_path: Path) -> None:
    course, content = sheet("one", "two", shared=True), json.dumps(part("", shared=True))
    files: dict[str, str | bytes] = {"ada_1_2_two.ipynb": content, "bob_2_3_x.ipynb": content}
    source = zipped(tmp_path / "export.zip", files)
    taken = take_in([source], tmp_path / "submitted", tmp_path / "replaced", course)
    assert [path.name for path in (tmp_path / "submitted").rglob("*.ipynb")] == ["two.ipynb"]
    assert "may be any of sheet/one, sheet/two" in taken.ungraded["2"][0]


def test_a_notebook_that_is_not_named_after_its_folder_keeps_its_own_name(tmp_path: Path) -> None:
    source = zipped(tmp_path / "export.zip", {"ada_1_2_x.ipynb": ANSWER})
    course = {"mini": replace(MINI["mini"], notebook="problem")}
    take_in([source], tmp_path / "submitted", tmp_path / "replaced", course)
    assert (tmp_path / "submitted" / "1" / "mini" / "problem.ipynb").read_text() == ANSWER
