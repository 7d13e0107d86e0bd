"""Whose file is it? By the names of systems, or by the level that tells students apart; else the tutor is asked."""

from __future__ import annotations

import pytest

from examiner.batch.job import ClassError
from examiner.course.owners import owners_of
from examiner.course.systems import Hints, Piece

NAMES = ("ada", "bob", "cat", "dan", "eve", "fay")
TWO = ("mlp_sgd", "logistic_regression")


def owners(*paths: str | tuple[str, str], **hints: object) -> dict[str, str]:
    """The student by path; a path may come with the assignment that its notebook answers."""
    pieces = [
        Piece(path, True, "mlp_sgd") if isinstance(path, str) else Piece(path[0], True, path[1]) for path in paths
    ]
    found = owners_of(pieces, Hints(TWO, **hints))  # type: ignore[arg-type]
    return {path: ", ".join(owner.student for owner in some) for path, some in found.items()}


@pytest.mark.parametrize(
    "shape",
    [
        "week5/{}_mlp_sgd.ipynb",
        "week5/mlp_sgd-{}.ipynb",
        "{}.ipynb",
        "hw5_{}.ipynb",
        "{}.zip/mlp_sgd.ipynb",
        "class/{}_mlp.zip/mlp_sgd/mlp_sgd.ipynb",
        "{}/mlp_sgd.ipynb",
        "{}/work/final (2).ipynb",
        "submissions/{}/mlp_sgd/mlp_sgd.ipynb",
        "mlp-sgd-{}/mlp_sgd.ipynb",
        "mlp-sgd-submissions/mlp-sgd-{}/mlp_sgd.ipynb",
        "COMP90051/Tue 12/{}/x.ipynb",
        "Week 5/{} - Copy of Task 1.ipynb",
        "{}/a.ipynb",
        "Submitted files/{}/Workshop 5/Version 1/mlp_sgd.ipynb",
    ],
)
def test_the_level_that_differs_names_the_students(shape: str) -> None:
    assert sorted(owners(*map(shape.format, NAMES)).values()) == sorted(NAMES)


@pytest.mark.parametrize(
    "sessions", [("Tue12", "Fri14"), ("Smith", "Jones"), ("Tue 12:00 AH211", "Fri 2-3"), ("A", "B")]
)
def test_sessions_are_no_students(sessions: tuple[str, str]) -> None:
    found = owners(*(f"{sessions[i % 2]}/{name}/work.ipynb" for i, name in enumerate(NAMES)))
    assert sorted(found.values()) == sorted(NAMES)


@pytest.mark.parametrize("session", ["T0{}", "Lab {}", "PRAC0{}", "W{}", "Tute {}"])
@pytest.mark.parametrize("below", ["{}.ipynb", "{}/mine.ipynb", "{}/mlp_sgd/x.ipynb", "{}_mlp_sgd.ipynb"])
@pytest.mark.parametrize("each", [1, 2])
def test_nor_are_small_sessions(session: str, below: str, each: int) -> None:
    found = owners(*(f"{session.format(1 + i // each)}/{below.format(name)}" for i, name in enumerate(NAMES)))
    assert sorted(found.values()) == sorted(NAMES)


def test_files_of_any_name_in_students_folders_make_nobody_another() -> None:
    paths = ("alovelace/first try.ipynb", "alovelace/nn.ipynb", "bob/nn.ipynb", "jdoe12/alovelace helped.ipynb")
    assert set(owners(*paths).values()) == {"alovelace", "bob", "jdoe12"}


@pytest.mark.parametrize("folders", [TWO, ("Task 1", "Task 2"), ("MLP", "LR"), ("Backprop", "Descent")])
def test_assignments_are_no_students(folders: tuple[str, str]) -> None:
    paths = [
        (f"{folder}/{name}/answers.ipynb", one) for folder, one in zip(folders, TWO, strict=True) for name in NAMES[:2]
    ]
    assert set(owners(*paths).values()) == {"ada", "bob"}


def test_a_students_own_folders_by_assignment_are_one_students() -> None:
    paths = [(f"alovelace/{one}/answers.ipynb", one) for one in TWO]
    assert set(owners(*paths).values()) == {"alovelace"}


def test_late_work_beside_the_students_folders_is_nobody_else() -> None:
    found = owners(*(f"{name}/mlp_sgd.ipynb" for name in NAMES), "late/zed.ipynb", "late/yan.ipynb")
    assert sorted(found.values()) == sorted([*NAMES, "yan", "zed"])


def test_drafts_of_one_student_stay_that_students() -> None:
    assert set(owners("ada/v1.ipynb", "ada/v2.ipynb", "bob/mlp_sgd.ipynb").values()) == {"ada", "bob"}


@pytest.mark.parametrize(
    "paths",
    [
        [f"hw/{i}.ipynb" for i in range(7)],
        [(f"{one}/answers.ipynb", one) for one in TWO],
        [f"Smith/part {i}/answers.ipynb" for i in range(5)],
        ["Red/ada.ipynb", "Red/cat.ipynb", "Blue/bob.ipynb"],
        ["Smith/ada/x.ipynb", "Jones/bob/x.ipynb"],
        ["AH211/ada.ipynb", "AH108/bob.ipynb"],
        [(f"{s}/{n}_{one}.ipynb", one) for s, n in (("Smith", "ada"), ("Jones", "bob")) for one in TWO],
    ],
)
def test_where_it_cannot_be_told_the_tutor_is_asked(paths: list[str | tuple[str, str]]) -> None:
    with pytest.raises(
        ClassError, match=r"(?s)levels of their names are.*--level 1.*--student ID.*Nothing was changed"
    ):
        owners(*paths)


def test_the_tutor_can_say_which_level_it_is() -> None:
    assert set(owners(*(f"hw/{i}.ipynb" for i in range(7)), level=2).values()) == set("0123456")
    assert set(owners("a/b.ipynb", "c/d.ipynb", student="ada").values()) == {"ada"}
    with pytest.raises(ClassError, match="no level 3"):
        owners("a/b.ipynb", level=3)


def test_the_roster_tells_where_the_names_do_not() -> None:
    found = owners(*(f"Red/{i}/x.ipynb" for i in range(3)), known={"0", "1", "2"}.__contains__)
    assert set(found.values()) == {"0", "1", "2"}


def test_moodles_zips_in_a_zip() -> None:
    paths = [
        f"{zip_}.zip/{name} X_{i}_assignsubmission_file_/a.ipynb" for zip_ in ("1", "2") for i, name in enumerate(NAMES)
    ]
    assert set(owners(*paths).values()) == set("012345")


def test_exports_of_two_systems_in_a_zip() -> None:
    canvas = [f"canvas.zip/{name}x_{100 + i}_{9000 + i}_a.ipynb" for i, name in enumerate(NAMES)]
    moodle = [f"moodle.zip/sub/{name} x_{200 + i}_assignsubmission_file_/a.ipynb" for i, name in enumerate(NAMES)]
    assert set(owners(*canvas, *moodle).values()) == {str(n + i) for n in (100, 200) for i in range(6)}


def test_exports_of_several_systems_in_one_folder() -> None:
    canvas = [f"{name}x_{100 + i}_{9000 + i}_a.ipynb" for i, name in enumerate(NAMES)]
    moodle = [f"{name} x_y_{200 + i}_assignsubmission_file_a.ipynb" for i, name in enumerate(NAMES)]
    blackboard = [f"Week 5_{name}_attempt_2017-08-28-13-05-22_a.ipynb" for name in NAMES[:3]]
    found = set(owners(*canvas, *moodle, *blackboard).values())
    assert found == {str(n + i) for n in (100, 200) for i in range(6)} | set(NAMES[:3])


AT, LATER = "attempt_2017-08-28-13-05-22_m.ipynb", "attempt_2017-08-28-14-05-22_m.ipynb"


@pytest.mark.parametrize(
    ("names", "students"),
    [
        ([f"Week 5_ada_lovelace_{AT}", f"Week 5_byron_lovelace_{LATER}"], {"ada_lovelace", "byron_lovelace"}),
        ([f"Week 5_ada_lovelace_{AT}", "Week 5_ada_lovelace_attempt_2017-08-28-13-05-22.txt"], {"ada_lovelace"}),
        ([f"mlp_sgd_ada_{AT}", f"mlp_sgd_bob_{AT}"], {"ada", "bob"}),
        ([f"Lab_2017_101_ada_{AT}", f"Lab_2017_101_bob_{AT}"], {"ada", "bob"}),
        ([f"W_1_2_ada_{AT}", f"W_1_2_bob_{AT}"], {"ada", "bob"}),
        (["anon_AbC1d_90210_mlp.ipynb", "anon_AbC1d_90211_lr.ipynb", "LATE_anon_ZyX98_9_m.ipynb"], {"AbC1d", "ZyX98"}),
        (["adal_4711_90210_m.ipynb", "bobb_4712_text.html", "catc_LATE_4713_link.html"], {"4711", "4712", "4713"}),
        ([f"Team {i}_2017_{4711 + i}_{90210 + i}_lab.ipynb" for i in range(3)], {"4711", "4712", "4713"}),
        ([f"eve_666_100000_{n}_4711_90210_x.ipynb" for n in NAMES] + ["ada_4711_90210_x.ipynb"], {"666", "4711"}),
        ([f"eve_666_10000{i}_ada_attempt_2030-01-01-00-00-00_y.ipynb" for i in (1, 2)], {"666"}),
        ([f"Team_{i}_{4711 + i}_{90210 + i}_lab_5_6.ipynb" for i in range(3)], {"4711", "4712", "4713"}),
        (
            [f"10{i}-7 - {n} Smith - Sep 24, 2017 926 PM/w.ipynb" for i, n in enumerate(NAMES)],
            {f"10{i}" for i in range(6)},
        ),
        (
            ["Ada L - Sep 24, 2017 926 PM - w.ipynb", "Bob B - 24 September, 2017 21:27.ipynb"],
            {"Ada L", "Bob B"},
        ),
        ([f"7-7 - {n}-Ann Smith - Sep 24, 2017 926 PM - w.ipynb" for n in NAMES], {f"{n}-Ann Smith" for n in NAMES}),
    ],
)
def test_ids_are_read_from_all_names_together(names: list[str], students: set[str]) -> None:
    assert set(owners(*names).values()) == students


def test_canvas_says_who_was_late() -> None:
    paths = [Piece(f"anon_AbC1d_{i}_m.ipynb") for i in range(3)] + [
        Piece("anon_LATE_Xy_9_m.ipynb"),
        Piece("LATE_anon_Zz_9_m.ipynb"),
    ]
    late = {owner.student for (owner,) in owners_of(paths, Hints(TWO)).values() if owner.late}
    assert late == {"Xy", "Zz"}


def test_teams_and_participant_are_no_names() -> None:
    names = ["Team 1-Ada L_1", "Team 1-Bob B_2", "Default group-Jean-Pierre D_3", "Participant_4"]
    found = owners_of([Piece(f"{name}_assignsubmission_file_/a.ipynb") for name in names], Hints(TWO))
    assert [owner.name for (owner,) in found.values()] == ["Ada L", "Bob B", "Jean-Pierre D", ""]


def test_gradescopes_list_names_everyone_of_a_team() -> None:
    people = [{":name": "Ada L", ":sid": "101", ":email": "a@b.c"}, {":name": "Bob B", ":sid": "102"}]
    metadata = {"submission_1": {":submitters": people}, "submission_2": {":submitters": [{":sid": "103"}]}}
    found = owners("x/submission_1/m.ipynb", "x/submission_2/m.ipynb", metadata=metadata)
    assert set(found.values()) == {"101, 102", "103"}


@pytest.mark.parametrize("ids", [("a", "b"), ("u1", "u2"), ("s01", "s02"), ("1", "2"), ("007", "008")])
def test_short_ids_name_students_where_nothing_else_does(ids: tuple[str, str]) -> None:
    assert set(owners(*(f"week 5/{one}/mlp_sgd.ipynb" for one in ids)).values()) == set(ids)


def test_copy_of_is_no_name() -> None:
    titles = ("mlp_sgd", "Copy of mlp_sgd", "mlp_sgd (1)", "Untitled", "mlp_sgd - Copy", "Copy of Task 1")
    found = owners(*(f"Week 5/{name} - {title}.ipynb" for name, title in zip(NAMES, titles, strict=True)))
    assert sorted(found.values()) == sorted(NAMES)
