"""What a person does about marks: the problem that failed as a page, and written answers marked outside formgrader."""

from __future__ import annotations

import csv
import html
import json
import re
from pathlib import Path

import pytest

from browser import chromium
from examiner.cli.command import main
from mini_course import answered, grade, hand_in, make_course, row

ANSWERS = {"ada": "It stretches by two.", "bob": "It **shrinks**.", "cat": "YOUR ANSWER HERE"}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada is right, Bob's `shift` is wrong, Cat wrote no words."""
    root = make_course(tmp_path_factory.mktemp("course"))
    for student, text in ANSWERS.items():
        notebook = answered(shift="return x - by" if student == "bob" else "return x + by", explain=text)
        hand_in(root, student, notebook)
    grade(root)
    return root


def test_the_problem_that_failed_is_shown_with_both_numbers(course: Path) -> None:
    assert main(["replay", "bob", "2", "--course", str(course)]) == 0
    page = (course / "build" / "replay" / "bob_mini_test_shift_right.html").read_text()
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
    assert "x 1 by 2 The student's -1 Right 3" in text and "return x - by" in text


def test_a_test_that_is_not_there_is_said(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "bob", "test_nothing", "--course", str(course)]) == 1
    assert main(["replay", "zoe", "2", "--course", str(course)]) == 1
    assert "no test test_nothing" in capsys.readouterr().err


def marks_file(course: Path, marker: str, scores: dict[str, str], comment: str = "") -> Path:
    """What the page gives back, with these marks by the answer's text."""
    main(["mark", "--course", str(course)])
    page = (course / "build" / "marking.html").read_text()
    assert not any(re.search(rf"\b{student}\b", page) for student in ANSWERS)
    tokens = re.findall(r'data-token="(\w+)".*?>\s*<p>(.*?)</p>', page)
    path = course / f"{marker}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["assignment", "question", "answer", "score", "comment", "marker"])
        for token, text in tokens:
            score = next((score for word, score in scores.items() if word in text), "")
            writer.writerow(["mini", "explain", token, score, comment, marker])
    return path


def take(course: Path, *files: Path) -> int:
    return main(["mark", "--course", str(course), *(part for file in files for part in ("--take", str(file)))])


def test_marks_of_the_page_stand_in_the_gradebook_and_markers_who_differ_are_listed(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = marks_file(course, "first", {"stretches": "2", "shrinks": "0.5"}, "Say *why*.")
    second = marks_file(course, "second", {"stretches": "2", "shrinks": "1"})
    assert take(course, first, second) == 0
    assert "explain, bob: first 0.5, second 1" in capsys.readouterr().out
    grade(course)
    assert [row(course, student)["waiting_for_hand_marks"] for student in ANSWERS] == ["0", "1", "0"]
    assert float(row(course, "ada")["score"]) == 6
    assert "<em>why</em>" in (course / "feedback" / "ada" / "mini" / "mini.html").read_text()
    moderation = course / "build" / "moderation.csv"
    agreed = course / "agreed.csv"
    agreed.write_text(moderation.read_text(encoding="utf-8-sig").replace(",,", ",1.5,", 1))
    assert take(course, agreed) == 0
    grade(course)
    assert (float(row(course, "bob")["score"]), row(course, "bob")["waiting_for_hand_marks"]) == (3.5, "0")


@pytest.mark.parametrize("score", ["3", "-1", "good"])
def test_a_mark_that_can_be_none_changes_nothing(course: Path, score: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = row(course, "ada")
    assert take(course, marks_file(course, "wrong", {"stretches": score})) == 1
    assert "no mark from 0 to 2" in capsys.readouterr().err
    grade(course)
    assert row(course, "ada") == before


def test_the_page_is_marked_by_the_keyboard(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    for student, text in list(ANSWERS.items())[:2]:
        hand_in(root, student, answered(explain=text))
    grade(root)
    assert main(["mark", "--course", str(root)]) == 0
    text = (root / "build" / "marking.html").read_text()
    assert "The map is" in text and "one for saying so in words" in text  # the question and the guide
    with chromium() as browser:
        page = browser.new_page()
        page.goto((root / "build" / "marking.html").as_uri())
        page.fill("#marker", "TA")
        page.press("#marker", "Escape")
        for key in ("2", "c"):
            page.keyboard.press(key)
        page.keyboard.type("Well said, isn't it?")
        page.keyboard.press("Escape")
        page.click("#next")  # by the mouse; the keys go on
        for key in ("2", "Backspace", "1", ".", "Alt+1"):
            page.keyboard.press(key)
        with page.expect_download() as download:
            page.click("#save")
        download.value.save_as(root / "marks.csv")
        page.keyboard.press("Backspace")
        assert page.inner_text("#score") == "–"
        page.click("#save")
        assert page.inner_text("#where") == "Saved 1 marks. Not saved: comments without a mark, 1 of them."
    rows = list(csv.DictReader((root / "marks.csv").open()))
    assert [(r["score"], r["comment"], r["marker"]) for r in rows] == [
        ("2", "Well said, isn't it?", "TA"),
        ("1.5", "Well said, isn't it?", "TA"),
    ]
    assert take(root, root / "marks.csv") == 0
    assert json.loads((root / ".workshop" / "markers.json").read_text())
