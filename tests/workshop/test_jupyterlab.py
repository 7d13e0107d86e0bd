"""What students and tutors do in a real JupyterLab: answer, run, validate, drag a slider; see marks, mark by hand."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import sample_class
from browser import Window, chromium, jupyterlab
from examiner.cli.command import main

ROOT = Path(__file__).parents[2]
NAME = "logistic_regression"
NOTEBOOK = f"{NAME}.ipynb"
WRITTEN = "It overshoots once $\\eta > \\frac{2}{\\lambda_{\\max}}$."
BOUNDARY = ".demo-panel.logistic figure:first-child canvas"
SIGMOID = "def sigmoid(x):\nreturn np.exp(-np.logaddexp(0, -x))"  # JupyterLab indents by itself


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def new_window(browser: Browser, server: tuple[str, str]) -> Iterator[Window]:
    """A window on the server; in the end nothing may have been asked of any other."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    window = Window(context, *server)
    yield window
    context.close()
    assert window.strangers == []


# --- a student ---


@pytest.fixture(scope="module")
def students(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """JupyterLab on a student's folder: the release as it is handed out in fresh/, with right answers in answered/."""
    folder = tmp_path_factory.mktemp("student")
    release = sample_class.read(ROOT / "release" / NAME / NOTEBOOK)
    answers = sample_class.reference_answers(sample_class.read(ROOT / "source" / NAME / NOTEBOOK))
    for name in ("fresh", "answered"):
        shutil.copytree(ROOT / "release" / NAME, folder / name)
    (folder / "answered" / NOTEBOOK).write_text(json.dumps(sample_class.filled_in(release, answers)))
    with jupyterlab(folder, tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture
def student(browser: Browser, students: tuple[str, str]) -> Iterator[Window]:
    yield from new_window(browser, students)


def outputs(window: Window) -> list[str]:
    """The text of each output, from the top."""
    return window.page.locator(".jp-Notebook .jp-OutputArea-output").all_text_contents()


def test_a_student_writes_an_answer_and_validates(student: Window) -> None:
    page = student.open_notebook(f"fresh/{NOTEBOOK}")
    student.run_all()
    assert outputs(student)[-1].startswith("0 of 20 visible marks")  # past every missing answer, to the end
    expect(student.cell("def sigmoid", below=1)).to_contain_text("sigmoid is not written yet.")
    student.write(student.cell("sigmoid is still to be written"), SIGMOID, tests=2)
    test = student.cell("def sigmoid", below=1)
    expect(test.locator(".jp-OutputArea-output")).to_have_text(re.compile(r"^sigmoid: right on [^\n]*\n?$"))
    page.locator(".jp-Toolbar").get_by_text("Validate").click()
    dialog = page.locator(".jp-Dialog-content")
    expect(dialog).to_contain_text("The following cell failed")
    expect(dialog).to_contain_text("decision_function is not written yet")
    expect(dialog).not_to_contain_text("sigmoid is not written yet")
    dialog.get_by_role("button", name="Ok").click()


def pixels(page: Page) -> str:
    """The picture of the decision boundary."""
    return str(page.locator(BOUNDARY).evaluate("canvas => canvas.toDataURL()"))


def changed(page: Page, before: str) -> str:
    """Wait until the boundary is not what it was."""
    look = "([canvas, before]) => document.querySelector(canvas).toDataURL() !== before"
    page.wait_for_function(look, arg=[BOUNDARY, before])
    return pixels(page)


def test_the_boundary_follows_the_slider(student: Window) -> None:
    page = student.open_notebook(f"answered/{NOTEBOOK}")
    student.run_all()
    said = " ".join(outputs(student))
    assert "sgd_epoch: right" in said and "not written" not in said
    student.cell("live.logistic_demo")
    page.wait_for_timeout(1000)  # the pictures above it take their places
    page.locator(".demo-panel.logistic").scroll_into_view_if_needed()
    expect(page.locator(".demo-panel.logistic dd.step")).to_have_text(re.compile(r"\d"))
    drawn = pixels(page)
    slider = page.locator(".demo-panel.logistic").get_by_label("Step size").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    value = slider.input_value()
    page.mouse.move(box["x"] + 0.6 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], middle, steps=5)
    page.mouse.up()
    dragged = changed(page, drawn)
    assert slider.input_value() != value
    value = slider.input_value()
    for _ in range(8):
        slider.press("ArrowLeft")
    changed(page, dragged)
    assert float(slider.input_value()) < float(value)


# --- a tutor ---


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with a graded class of three; one of them wrote an answer with mathematics."""
    root = tmp_path_factory.mktemp("course")
    for name in ("source", "release"):
        shutil.copytree(ROOT / name / NAME, root / name / NAME)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    sample_class.make(root, ["all_right", "blank", "sum_for_mean"])
    handed_in = root / "submitted" / "all_right" / NAME / NOTEBOOK
    notebook = sample_class.read(handed_in)
    for cell in notebook["cells"]:
        if sample_class.grade_id(cell) == "explain_learning_rate":
            cell["source"] = WRITTEN
    handed_in.write_text(json.dumps(notebook))
    assert main(["grade", "--course", str(root), "--no-report"]) == 0
    return root


@pytest.fixture(scope="module")
def tutors(course: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with jupyterlab(course, tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture
def tutor(browser: Browser, tutors: tuple[str, str]) -> Iterator[Window]:
    yield from new_window(browser, tutors)


def test_a_tutor_sees_the_marks_of_the_class(tutor: Window) -> None:
    page = tutor.open("lab?reset")
    tutor.menu("Nbgrader", "nbgrader:open-formgrader")
    frame = page.frame_locator("iframe[src*='formgrader']")
    expect(frame.locator("body")).to_contain_text(NAME)
    page.goto(f"{tutor.address}/formgrader/gradebook/{NAME}/{NAME}")
    for student, score in {"all_right": "20", "blank": "0", "sum_for_mean": "17"}.items():
        row = page.locator(f"tr:has-text('{student}')")
        expect(row).to_contain_text(f"{score} / 24")


def test_a_tutor_marks_a_written_answer_with_mathematics(tutor: Window) -> None:
    page = tutor.open(f"formgrader/gradebook/{NAME}/{NAME}")
    page.locator("tr", has_text="20 / 24").locator("a").first.click()
    answer = page.locator(".nbgrader_cell", has_text="overshoots")
    expect(answer.locator("math").first).to_be_visible()
    assert "\\frac" not in answer.inner_text()
    box = answer.locator("math mfrac").first.bounding_box()
    assert box is not None and box["height"] > 15
