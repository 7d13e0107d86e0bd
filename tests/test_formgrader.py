"""A tutor marks by hand in formgrader: the guide is there, maths shows offline, and a regrade keeps it all."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Page

from browser import chromium
from examiner import cli
from mini_course import answered, hand_in, make_course

EXPLAINED = "Because $\\frac{dy}{dx} = 2$. <script>document.title = 'stolen'</script>"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_course(tmp_path_factory.mktemp("course"))
    hand_in(root, "ada", answered(explain=EXPLAINED))
    hand_in(root, "bob", answered(double="return x"))
    assert cli.main(["grade", "--course", str(root)]) == 0
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
    assert cli.main(["grade", "--course", str(course)]) == 0
    with Gradebook(f"sqlite:///{course}/gradebook.db", "comp90051") as book:
        assert book.find_grade("explain", "mini", "mini", "ada").manual_score == 1.5
        assert book.find_comment("explain", "mini", "mini", "ada").manual_comment == "Say it in words, too."
    feedback = (course / "feedback" / "ada" / "mini" / "mini.html").read_text()
    assert "Say it in words, too." in feedback and "5.5" in feedback


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
