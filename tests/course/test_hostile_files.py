"""No name or file that a student hands in becomes another's, is followed elsewhere, or tells when it came."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from examiner.batch.job import ClassError, Job
from examiner.course import archives, intake
from examiner.course.archives import Taken
from examiner.course.intake import Exchange, find_jobs, take_in
from examiner.course.timestamps import read_timestamp
from examiner.grading.assignment import Assignment
from examiner.isolation.files import NotPlain, read_regular
from mini_course import answered, hand_in, source_notebook

MINI = {"mini": Assignment.from_notebook(json.dumps(source_notebook()).encode(), "mini")}
HONEST, EVES = (
    json.dumps(answered()),
    json.dumps(answered(double="return 3 * x", explain="Eve was here, and wrote more than anybody else did.")),
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="other systems have no such files")
Members = list[tuple[str | zipfile.ZipInfo, str | bytes]]


def linked(name: str, target: str, kind: int = stat.S_IFLNK) -> tuple[zipfile.ZipInfo, str]:
    """A member of a zip that is a link, as `zip --symlinks` writes it."""
    member = zipfile.ZipInfo(name)
    member.create_system, member.external_attr = 3, (kind | 0o777) << 16
    return member, target


def packed(members: Members) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


def take(tmp_path: Path, members: Members) -> tuple[Taken, dict[str, str]]:
    """What came of a zip, and who has which notebook then."""
    (tmp_path / "export.zip").write_bytes(packed(members))
    taken = take_in([tmp_path / "export.zip"], tmp_path / "submitted", tmp_path / "replaced", MINI)
    return taken, notebooks(tmp_path / "submitted")


def notebooks(submitted: Path) -> dict[str, str]:
    return {path.parent.parent.name: path.read_text() for path in submitted.glob("*/mini/mini.ipynb")}


CLASS: Members = [(f"{student}/mini.ipynb", HONEST) for student in ("ada", "bob", "cy", "dee")]


@pytest.mark.parametrize(
    "path",
    [
        "eve/../bob/mini.ipynb",
        "eve/./../bob/mini.ipynb",
        "../bob/mini.ipynb",
        "/bob/mini.ipynb",
        "C:/bob/mini.ipynb",
        "C:bob/mini.ipynb",
        "\\\\host\\share\\bob\\mini.ipynb",
        "eve\\..\\bob\\mini.ipynb",
        "eve/bob+mini+2030-01-01 00:00:00 UTC+x/mini.ipynb",
        "eve/Bob_bob_assignsubmission_file_/mini.ipynb",
        "eve/bob_attempt_2030-01-01-00-00-00_mini.ipynb",
        "eve/bob_1_2_mini.ipynb",
        "eve/bob/mini/mini.ipynb",
        "bob\u200b/mini.ipynb",
        "bob\x00/mini.ipynb",
        "b\u202eob/mini.ipynb",
        "bob./mini.ipynb",
        "bob\n/mini.ipynb",
        "\uff42ob/mini.ipynb",
    ],
)
def test_no_name_in_a_zip_takes_the_place_of_another_students_notebook(tmp_path: Path, path: str) -> None:
    members: Members = [*CLASS, ("eve/mini.ipynb", HONEST), (path, EVES)]
    try:
        _, there = take(tmp_path, members)
    except ClassError:  # nothing is taken, and the tutor is told
        there = {}
    assert there.get("bob", HONEST) == HONEST
    assert not (tmp_path / "bob").exists() and not (tmp_path.parent / "bob").exists()


def test_a_flood_of_names_does_not_make_a_folder_another_students(tmp_path: Path) -> None:
    flood: Members = [(f"eve/bob+mini+2030-01-01 00:00:0{n} UTC+x/mini.ipynb", EVES) for n in range(10)]
    try:
        _, there = take(tmp_path, [*CLASS, *flood])
    except ClassError:
        there = {}
    assert there.get("bob", HONEST) == HONEST and there.get("ada", HONEST) == HONEST


def test_a_list_of_submitters_in_a_students_own_folder_is_not_believed(tmp_path: Path) -> None:
    lists = "submission_2:\n  :submitters:\n  - :name: Bob\n    :sid: 'bob'\n    :email: bob@x.edu\n"
    whose = "submission_{}:\n  :submitters:\n  - :name: {}\n    :sid: '{}'\n    :email: {}@x.edu\n"
    true = whose.format(1, "Bob", "bob", "bob") + whose.format(2, "Eve", "eve", "eve")
    members: Members = [
        ("export/submission_metadata.yml", true),
        ("export/submission_1/mini.ipynb", HONEST),
        ("export/submission_2/mini.ipynb", EVES),
        ("export/submission_2/submission_metadata.yml", lists),
    ]
    _, there = take(tmp_path, members)
    assert there == {"bob": HONEST, "eve": EVES}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_a_link_in_a_zip_is_told_of_and_not_taken(tmp_path: Path, kind: int) -> None:
    taken, there = take(tmp_path, [*CLASS, linked("eve/mini.ipynb", "../bob/mini.ipynb", kind)])
    assert "eve" not in there
    assert "link or special file" in " ".join(taken.ungraded["eve"])


def test_a_link_in_a_zip_within_the_zip_is_not_taken(tmp_path: Path) -> None:
    inner = packed([linked("mini.ipynb", "/etc/passwd")])
    taken, there = take(tmp_path, [*CLASS, ("eve/work.zip", inner)])
    assert "eve" not in there and "link" in " ".join(taken.ungraded["eve"])


@pytest.mark.parametrize("where", ["eve/timestamp.txt", "eve/mini/timestamp.txt"])
@pytest.mark.parametrize("source", ["zip", "folder", "zip in zip"])
def test_no_timestamp_that_a_student_uploads_is_believed(tmp_path: Path, where: str, source: str) -> None:
    folder = where.rpartition("/")[0]
    members: Members = [(f"{folder}/mini.ipynb", EVES), (where, "2001-01-01 00:00:00 UTC")]
    if source == "zip in zip":
        members = [("eve/work.zip", packed([(str(n).removeprefix("eve/"), c) for n, c in members]))]
    members = [*CLASS, *members]
    if source == "folder":
        for name, content in members:
            path = tmp_path / "class" / str(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(content))
        take_in([tmp_path / "class"], tmp_path / "submitted", tmp_path / "replaced", MINI)
    else:
        take(tmp_path, members)
    assert (tmp_path / "submitted" / "eve" / "mini" / "mini.ipynb").read_text() == EVES
    assert read_timestamp(tmp_path / "submitted" / "eve" / "mini") is None


# --- folders ---


def _symlink(eve: Path, bob: Path) -> None:
    (eve / "mini.ipynb").symlink_to(bob / "mini.ipynb")


def _hard_link(eve: Path, bob: Path) -> None:
    (eve / "mini.ipynb").hardlink_to(bob.parent.parent / "answers.ipynb")


def _linked_folder(eve: Path, bob: Path) -> None:
    (eve / "work").symlink_to(bob)


def _linked_zip(eve: Path, bob: Path) -> None:
    (bob.parent.parent / "work.zip").write_bytes(packed([("mini.ipynb", HONEST)]))
    (eve / "work.zip").symlink_to(bob.parent.parent / "work.zip")


def _pipe(eve: Path, bob: Path) -> None:
    os.mkfifo(eve / "mini.ipynb")


LINKS = [_symlink, _hard_link, _linked_folder, _linked_zip, _pipe]


@posix
@pytest.mark.parametrize("link", LINKS)
def test_no_link_in_a_folder_is_taken_in(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    (tmp_path / "answers.ipynb").write_text(HONEST)
    for student in ("ada", "bob", "cy", "eve"):
        (tmp_path / "class" / student).mkdir(parents=True)
        if student != "eve":
            (tmp_path / "class" / student / "mini.ipynb").write_text(HONEST)
    link(tmp_path / "class" / "eve", tmp_path / "class" / "bob")
    taken = take_in([tmp_path / "class"], tmp_path / "submitted", tmp_path / "replaced", MINI)
    assert sorted(notebooks(tmp_path / "submitted")) == ["ada", "bob", "cy"]
    assert any("link" in problem and "eve" in problem for problem in taken.problems)


@posix
@pytest.mark.parametrize("link", LINKS[:3])
def test_no_link_in_submitted_is_graded(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    bob = hand_in(tmp_path, "bob", HONEST).parent
    (tmp_path / "submitted" / "answers.ipynb").write_text(HONEST)
    eve = tmp_path / "submitted" / "eve" / "mini"
    eve.mkdir(parents=True)
    link(eve, bob)
    jobs, notes = find_jobs(tmp_path / "submitted", MINI)
    assert [(job.student, job.path is None) for job in jobs] == [("bob", False), ("eve", True)]
    assert notes["eve", "mini"]


@posix
@pytest.mark.parametrize("place", ["eve", "eve/mini"])
def test_a_folder_that_is_a_link_to_anothers_is_graded_as_nothing(tmp_path: Path, place: str) -> None:
    hand_in(tmp_path, "bob", HONEST)
    link = tmp_path / "submitted" / place
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "submitted" / ("bob" if place == "eve" else "bob/mini"))
    jobs, notes = find_jobs(tmp_path / "submitted", MINI)
    assert [(job.student, job.path is None) for job in jobs] == [("bob", False), ("eve", True)]
    assert "link" in notes["eve", "mini"][0]


@posix
def test_nothing_is_put_into_a_folder_that_is_a_link_to_anothers(tmp_path: Path) -> None:
    hand_in(tmp_path, "bob", HONEST)
    (tmp_path / "submitted" / "eve").symlink_to(tmp_path / "submitted" / "bob")
    taken, there = take(tmp_path, [("ada/mini.ipynb", HONEST), ("eve/mini.ipynb", EVES)])
    assert there["bob"] == HONEST and "link" in " ".join(taken.ungraded["eve"])


@posix
def test_a_folder_that_becomes_a_link_before_it_is_read_is_not_followed(tmp_path: Path) -> None:
    bob = hand_in(tmp_path, "bob", HONEST)
    path = hand_in(tmp_path, "eve", EVES)
    job = Job("eve", "mini", path, tmp_path / "submitted")
    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(bob.parent)
    assert job.read() == b""
    with pytest.raises(NotPlain):
        read_regular(path, 100, tmp_path / "submitted")


@posix
@pytest.mark.parametrize("path", ["../outside.txt", "a/../../outside.txt"])
def test_no_path_leads_out_of_its_root(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside.txt").write_text("x")
    (tmp_path / "root" / "a").mkdir(parents=True)
    with pytest.raises(NotPlain):
        read_regular(tmp_path / "root" / path, 1, tmp_path / "root")


# --- the exchange ---


def exchanged(root: Path, student: str, when: datetime, owner: int | None = None) -> Path:
    """A folder in an exchange, as nbgrader's `submit` makes it."""
    folder = root / "inbound" / f"{student}+mini+{when:%Y-%m-%d %H:%M:%S.%f} UTC+r4nd0m"
    folder.mkdir(parents=True)
    (folder / "mini.ipynb").write_text(EVES if owner else HONEST)
    (folder / "timestamp.txt").write_text("2001-01-01 00:00:00 UTC")
    (folder / "submission_secret.txt").write_text(f"{when}")
    if owner is not None:
        os.chown(folder, owner, owner)
    return folder


def from_exchange(root: Path, check_owner: bool = True) -> Taken:
    exchange = Exchange(root / "inbound", check_owner)
    return take_in([root / "inbound"], root / "submitted", root / "replaced", MINI, exchange=exchange)


NOW = datetime.now(UTC).replace(tzinfo=None)


@posix
def test_the_time_in_the_exchange_is_the_folders_and_one_that_the_disk_contradicts_is_told(tmp_path: Path) -> None:
    exchanged(tmp_path, "ada", NOW)
    exchanged(tmp_path, "eve", NOW - timedelta(days=3))
    taken = from_exchange(tmp_path)
    assert read_timestamp(tmp_path / "submitted" / "ada" / "mini") == NOW
    assert ("ada", "mini") not in taken.notes
    assert "exchange's disk" in " ".join(taken.notes["eve", "mini"])


@posix
def test_the_exchanges_secret_comes_along_with_each_submission(tmp_path: Path) -> None:
    for when in (NOW - timedelta(seconds=9), NOW):  # the second time unchanged
        exchanged(tmp_path, "ada", when)
        from_exchange(tmp_path)
        assert (tmp_path / "submitted" / "ada" / "mini" / "submission_secret.txt").read_text() == f"{when}"


@posix
def test_a_zip_in_the_exchange_stops_nobody_and_its_time_is_the_disks(tmp_path: Path) -> None:
    exchanged(tmp_path, "ada", NOW)
    folder = exchanged(tmp_path, "eve", NOW - timedelta(days=3))
    (folder / "mini.ipynb").unlink()
    with zipfile.ZipFile(folder / "work.zip", "w") as archive:
        archive.writestr("mini.ipynb", EVES)
    taken = from_exchange(tmp_path)
    assert set(notebooks(tmp_path / "submitted")) == {"ada", "eve"}
    assert "exchange's disk" in " ".join(taken.notes["eve", "mini"])


@posix
@pytest.mark.parametrize("then", ["gone", "a link in its place"])
def test_what_is_changed_while_it_is_taken_in_stops_nobody_and_tells_no_other_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    exchanged(tmp_path, "ada", NOW)
    folder = exchanged(tmp_path, "eve", NOW - timedelta(days=3))
    forged = intake.Exchange.forged

    def once_read(self: Exchange, name: str) -> str:
        if name == folder.name and folder.exists() and not folder.is_symlink():
            shutil.rmtree(folder)
            if then != "gone":
                folder.symlink_to(tmp_path)
        return forged(self, name)

    monkeypatch.setattr(intake.Exchange, "forged", once_read)
    taken = from_exchange(tmp_path)
    assert "ada" in notebooks(tmp_path / "submitted")
    assert "exchange's disk" in " ".join(taken.notes["eve", "mini"])


@posix
def test_a_file_that_can_not_be_read_is_told_of_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanged(tmp_path, "ada", NOW)
    eves = exchanged(tmp_path, "eve", NOW) / "mini.ipynb"
    opened = archives.open_regular

    def refused(path: Path, root: Path | None = None) -> Any:
        if path == eves:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, root)

    monkeypatch.setattr(archives, "open_regular", refused)
    taken = from_exchange(tmp_path)
    assert set(notebooks(tmp_path / "submitted")) == {"ada"}
    assert "can't be read (Permission denied)" in " ".join(taken.ungraded["eve"])


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only an administrator can make another's file"
)
@pytest.mark.parametrize("check", [True, False])
def test_a_folder_that_another_user_made_in_a_students_name_is_not_taken(tmp_path: Path, check: bool) -> None:
    exchanged(tmp_path, "ada", NOW)
    exchanged(tmp_path, "bob", NOW - timedelta(hours=1))
    exchanged(tmp_path, "bob", NOW + timedelta(hours=1), owner=1)
    taken = from_exchange(tmp_path, check)
    assert notebooks(tmp_path / "submitted")["bob"] == (HONEST if check else EVES)
    assert any("belongs to the user" in problem for problem in taken.problems) is check
