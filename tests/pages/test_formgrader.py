"""A tutor marks by hand in formgrader: the guide is there, maths shows offline, and a regrade keeps it all."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Page

from browser import chromium
from examiner.cli.command import main
from hostile_page import GRADED, NAME, hostile_notebook, with_outputs
from mini_course import answered, hand_in, make_course

EXPLAINED = "Because $\\frac{dy}{dx} = 2$. <script>document.title = 'stolen'</script>"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_course(tmp_path_factory.mktemp("course"))
    hand_in(root, "ada", answered(explain=EXPLAINED))
    hand_in(root, "bob", answered(double="return x"))
    export = root / "moodle.zip"
    with zipfile.ZipFile(export, "w") as archive:
        archive.writestr(f"{NAME}_77_assignsubmission_file_/mini.ipynb", json.dumps(hostile_notebook()))
    assert main(["grade", "--course", str(root), "--from", str(export)]) == 0
    marked = root / "autograded" / "77" / "mini" / "mini.ipynb"
    marked.write_text(json.dumps(with_outputs(json.loads(marked.read_text()))))
    return root


@pytest.fixture(scope="module")
def server(course: Path) -> Iterator[tuple[str, str]]:
    """JupyterLab on the course: its address and its token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    options = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", "--port-retries=0", f"--ServerApp.root_dir={course}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter", "lab", "--allow-root", *options],
        cwd=course,
        env=os.environ | {"JUPYTER_TOKEN": token, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}", token
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


@pytest.fixture
def page(server: tuple[str, str]) -> Iterator[Page]:
    """A browser that has logged in; anything asked of another machine fails the test."""
    address, token = server
    with chromium() as browser:
        opened = browser.new_page()
        outside: list[str] = []
        opened.on("request", lambda request: None if address in request.url else outside.append(request.url))
        opened.goto(f"{address}/formgrader/gradebook?token={token}")
        yield opened
    assert not [url for url in outside if not url.startswith(("data:", "blob:"))]


def submission_of(course: Path, student: str) -> str:
    with Gradebook(f"sqlite:///{course}/gradebook.db", "comp90051") as book:
        return str(book.find_submission_notebook("mini", "mini", student).id)


def test_formgrader_shows_the_class(page: Page, server: tuple[str, str]) -> None:
    page.goto(f"{server[0]}/formgrader/gradebook/mini/mini")
    page.wait_for_selector("text=Submission #2")
    text = page.inner_text("tbody")
    assert "4 / 6" in text and "2 / 6" in text


def test_marks_given_by_hand_stay_through_a_regrade(page: Page, server: tuple[str, str], course: Path) -> None:
    page.goto(f"{server[0]}/formgrader/submissions/{submission_of(course, 'ada')}/")
    page.wait_for_selector("#explain")
    assert page.locator("math mfrac").count() >= 3  # the text's, the guide's, the student's
    assert "Marking guide" in page.inner_text("body")
    assert page.title() != "stolen"  # a student's HTML is shown, not run
    assert "WrongAnswer" not in page.inner_text("body")
    page.wait_for_load_state("networkidle")  # the page fills in the marks that there are
    for field, text in (("#explain", "1.5"), ("#explain-comment", "Say it in words, too.")):
        with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
            page.fill(field, text)
            page.press(field, "Tab")
    hand_in(course, "ada", answered(explain=EXPLAINED + " And so on."))
    assert main(["grade", "--course", str(course)]) == 0
    with Gradebook(f"sqlite:///{course}/gradebook.db", "comp90051") as book:
        assert book.find_grade("explain", "mini", "mini", "ada").manual_score == 1.5
        assert book.find_comment("explain", "mini", "mini", "ada").manual_comment == "Say it in words, too."
    feedback = (course / "feedback" / "ada" / "mini" / "mini.html").read_text()
    assert "Say it in words, too." in feedback and "so far" in feedback  # what has changed since waits again


def test_feedback_shows_its_maths_in_a_browser_without_a_network(course: Path) -> None:
    path = course / "feedback" / "bob" / "mini" / "mini.html"
    with chromium() as browser:
        opened = browser.new_page()
        opened.context.set_offline(True)
        said: list[str] = []
        opened.on("console", lambda message: said.append(message.text))
        opened.goto(path.as_uri())
        box = opened.locator("math mfrac").first.bounding_box()
        text = opened.inner_text("body")
    assert box is not None and box["height"] > box["width"] / 8 and box["height"] > 15  # drawn as a fraction
    assert "Did you forget to double?" in text
    assert "SECRET_OF_THE_TEST" not in path.read_text()
    assert said == []


# --- nothing of a student's is markup ---


def marks_of(course: Path, student: str) -> dict[str, float | None]:
    with Gradebook(f"sqlite:///{course}/gradebook.db", "comp90051") as book:
        return {
            grade.name: grade.manual_score for grade in book.find_submission_notebook("mini", "mini", student).grades
        }


LOOSE = """[...document.querySelectorAll('BELOW *')].filter(
    e => /fixed|absolute|sticky/.test(getComputedStyle(e).position)).map(e => e.outerHTML)"""


def nothing_happened(page: Page) -> None:
    """Nothing of the student's has run, changed the page or put an element over it."""
    page.wait_for_load_state("networkidle")
    assert page.title() not in ("stolen", "1") and not page.evaluate("window.stolen")
    assert page.locator("#explain").count() <= 1 and page.locator("iframe, object, embed, form, base").count() == 0
    assert page.evaluate(LOOSE.replace("BELOW", "#notebook")) == []


def test_no_click_on_a_hostile_page_gives_a_mark(page: Page, server: tuple[str, str], course: Path) -> None:
    page.goto(f"{server[0]}/formgrader/submissions/{submission_of(course, '77')}/")
    page.wait_for_selector("#explain")
    nothing_happened(page)
    for name in GRADED:
        assert page.locator(f"[id='{name}']").count() == 1
    free = "y => !document.elementFromPoint(500, y)?.closest('.nbgrader_cell .panel-heading, nav, a')"
    for _ in range(12):
        for y in range(80, 700, 60):
            if page.evaluate(free, y):
                page.mouse.click(500, y)
        page.mouse.wheel(0, 500)
    page.wait_for_load_state("networkidle")
    assert not any(marks_of(course, "77").values())
    nothing_happened(page)


def test_a_mark_typed_on_a_hostile_page_goes_where_it_was_typed(
    page: Page, server: tuple[str, str], course: Path
) -> None:
    page.goto(f"{server[0]}/formgrader/submissions/{submission_of(course, '77')}/")
    page.wait_for_load_state("networkidle")
    with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
        page.fill("input#explain", "1")
        page.press("input#explain", "Tab")
    page.wait_for_load_state("networkidle")
    assert {name: mark for name, mark in marks_of(course, "77").items() if mark is not None} == {"explain": 1}
    button = (
        page.locator("input#test_shift_left").locator("xpath=ancestor::div[@class='pull-right']").locator(".no-credit")
    )
    with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
        button.click()  # which Playwright does only where nothing lies over it
    page.wait_for_load_state("networkidle")
    assert {name: mark for name, mark in marks_of(course, "77").items() if mark is not None} == {
        "explain": 1,
        "test_shift_left": 0,
    }


def test_keys_move_from_mark_to_mark(page: Page, server: tuple[str, str], course: Path) -> None:
    page.goto(f"{server[0]}/formgrader/submissions/{submission_of(course, 'bob')}/")
    page.wait_for_load_state("networkidle")
    page.wait_for_function("document.activeElement != document.body")
    seen = set()
    for _ in range(6):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id"))
    assert {"test_double", "test_shift_right"} <= seen


@pytest.mark.parametrize(
    "path",
    [
        "gradebook",
        "gradebook/mini",
        "gradebook/mini/mini",
        "manage_students",
        "manage_students/77",
        "manage_students/77/mini",
        "manage_submissions/mini",
        "manage_assignments",
        "api/students",
        "api/submissions/mini",
        "manage_students/%3Cimg%20src=x%20onerror=%22stolen=1%22%3E",
        "manage_students/%22;stolen=1;%22",
        "manage_students/x%5C/;stolen=1;%2F%2F",
    ],
)
def test_a_name_is_no_markup_on_any_page(page: Page, server: tuple[str, str], path: str) -> None:
    said: list[str] = []
    page.goto("about:blank")
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(f"{server[0]}/formgrader/{path}")
    nothing_happened(page)
    if path == "gradebook/mini/mini":
        page.click("#toggle_names")
        assert "Eve" in page.inner_text("tbody")
    if path == "manage_students":
        assert "Eve" in page.inner_text("tbody")
    nothing_happened(page)
    assert [text for text in said if "404" not in text] == []


def test_no_file_beside_a_notebook_is_served(page: Page, server: tuple[str, str], course: Path) -> None:
    (course / "autograded" / "77" / "mini" / "page.html").write_text("<script>window.stolen=1</script>")
    answer = page.goto(f"{server[0]}/formgrader/submissions/{submission_of(course, '77')}/page.html")
    assert answer is not None and answer.status == 404 and not page.evaluate("window.stolen")


def test_formgraders_pages_run_no_script_but_their_own(page: Page, server: tuple[str, str], course: Path) -> None:
    for path in ("gradebook/mini/mini", f"submissions/{submission_of(course, '77')}/"):
        answer = page.goto(f"{server[0]}/formgrader/{path}")
        assert answer is not None and "script-src 'nonce-" in answer.headers["content-security-policy"]
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=stolen=1>')")
        page.wait_for_load_state("networkidle")
        assert not page.evaluate("window.stolen")


@pytest.mark.parametrize(
    ("page_of", "own"),  # how many scripts, buttons and fields are the page's own
    [("feedback/77/mini/mini.html", 0), ("class_report.html", 3), ("build/marking.html", 6)],
)
def test_pages_that_are_written_run_and_load_nothing_of_a_students(course: Path, page_of: str, own: int) -> None:
    assert main(["mark", "--course", str(course)]) == 0
    with chromium() as browser:
        opened = browser.new_page()
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto((course / page_of).as_uri())
        opened.evaluate("() => document.querySelectorAll('details').forEach(e => e.open = true)")
        assert opened.title() != "stolen" and not opened.evaluate("window.stolen")
        loose = (
            "[...document.body.querySelectorAll('*')].filter(e => /fixed|absolute/.test(getComputedStyle(e).position))"
        )
        assert opened.evaluate(f"{loose}.length") == 0
        opened.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=stolen=1>')")
        assert not opened.evaluate("window.stolen")
        assert opened.locator("iframe, object, embed, form, base").count() == 0
        assert opened.locator("script, button, input").count() == own
        assert opened.locator("[id=explain]").count() == (1 if "feedback" in page_of else 0)
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
