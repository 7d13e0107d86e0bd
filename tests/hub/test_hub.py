"""A day on a real JupyterHub, its tests in the day's order: twelve students and two tutors, each a user of it."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from machine import COURSE, EXCHANGE, PASSWORD, ROOT, Machine, jupyterhub, machine, written_in_the_page
from playwright.sync_api import Browser, Page, expect

import sample_class
from browser import Window, chromium

pytestmark = [
    pytest.mark.hub,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.getuid() != 0, reason="a JupyterHub with users of the machine needs root"),
]
NAME = "logistic_regression"
SOURCE = sample_class.read(ROOT / "source" / NAME / f"{NAME}.ipynb")
RELEASE = sample_class.read(ROOT / "release" / NAME / f"{NAME}.ipynb")
IN_THE_BROWSER = ["all_right", "sum_for_mean", "half_done"]
IN_A_TERMINAL = [
    *("blank", "penalty_on_bias", "ascent", "changed_in_place", "last_batch_dropped", "syntax_error"),
    *("infinite_loop", "deleted_test_cell", "other_editor"),
]
STUDENTS = [*IN_THE_BROWSER, *IN_A_TERMINAL]
DEMO, BOUNDARY = ".demo-panel.logistic", ".demo-panel.logistic figure:first-child canvas"
CULL_OFTEN = "c.MappingKernelManager.cull_interval = 5\n"
SHOWN = ROOT / "build" / "hub-pictures"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("machine"), ["instructor", "marker"], STUDENTS) as made:
        yield made


@pytest.fixture(scope="module")
def hub(there: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    SHOWN.mkdir(parents=True, exist_ok=True)
    with jupyterhub(there, SHOWN / "hub.log") as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


class Person:
    """Somebody at a browser, logged in to the hub."""

    def __init__(self, browser: Browser, hub: str, name: str) -> None:
        self.name = name
        context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=f"{hub}/")
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("hub/login")
        page.fill("#username_input", name)
        page.fill("#password_input", PASSWORD)
        page.click("#login_submit")
        page.wait_for_url(f"**/user/{name}/lab**", timeout=120_000)
        page.close()
        self.window = Window(context, f"{hub}/user/{name}", "")

    def formgrader(self, page: str) -> Page:
        """A page of formgrader, with its table filled in."""
        opened = self.window.open(f"formgrader/{page}")
        opened.wait_for_selector("tbody tr td a")
        return opened

    def press(self, column: str, row: str = NAME) -> str:
        """Press a button of formgrader's table, and return what it then says."""
        page = self.window.page
        page.locator("tr", has_text=row).locator(f".{column} a").click()
        dialog = page.locator(".modal-dialog")
        expect(dialog).to_be_visible(timeout=180_000)
        said = dialog.inner_text()
        dialog.get_by_role("button", name="Close").last.click()
        expect(dialog).to_have_count(0)
        assert "Success" in said, said
        return said

    def assignments(self) -> Page:
        """JupyterLab with the Assignment List open."""
        page = self.window.open("lab?reset")
        self.window.menu("Nbgrader", "nbgrader:open-assignment-list")
        return page

    def picture(self, what: str) -> None:
        self.window.page.screenshot(path=SHOWN / f"{what}.png")


Arrive = Callable[[str], Person]


@pytest.fixture
def arrive(browser: Browser, hub: str) -> Iterator[Arrive]:
    """People come to the hub, by their names, and leave it at the end of the test."""
    with ExitStack() as leaving:

        def person(name: str) -> Person:
            arrived = Person(browser, hub, name)
            leaving.callback(arrived.window.page.context.close)
            return arrived

        yield person


def assignment(page: Page, state: str, button: str) -> None:
    """Press an assignment's button in a part of the Assignment List."""
    page.locator(f"#{state}_assignments_list .list_item", has_text=NAME).get_by_role("button", name=button).click()


def answered(student: str) -> str:
    return json.dumps(sample_class.submission(student, NAME, SOURCE, RELEASE))


def submissions(there: Machine, student: str) -> list[str]:
    return there.root(f"ls {EXCHANGE}/comp90051/inbound | grep ^{student}+ || true").splitlines()


def test_the_instructor_releases(there: Machine, arrive: Arrive) -> None:
    instructor = arrive("instructor")
    instructor.formgrader("manage_assignments")
    instructor.press("assign")
    instructor.press("release")
    expect(instructor.window.page.locator("tr", has_text=NAME)).to_contain_text("released")
    instructor.picture("1_released")
    released = there.user("blank", f"cat {EXCHANGE}/comp90051/outbound/{NAME}/{NAME}.ipynb")
    assert "BEGIN HIDDEN" not in released and "is still to be written" in released


@pytest.mark.parametrize("student", IN_THE_BROWSER)
def test_a_student_answers_in_the_browser(there: Machine, arrive: Arrive, student: str) -> None:
    person = arrive(student)
    page = person.assignments()
    assignment(page, "released", "Fetch")
    assignment(page, "fetched", "Submit")
    expect(page.locator("#submitted_assignments_list .nested_list_item")).to_have_count(1)
    person.picture(f"2_fetched_{student}")
    page.goto("about:blank")  # an open notebook would be saved over what is written now
    there.user(student, f"cat > {NAME}/{NAME}.ipynb", text=answered(student))
    if student == "half_done":
        person.window.open_notebook(f"{NAME}/{NAME}.ipynb")
        person.window.run_all()
    else:
        drag(with_the_demo(person))
    person.picture(f"3_notebook_{student}")
    page = person.assignments()
    page.locator("#fetched_assignments_list .assignment-notebooks-link").click()
    validate = page.locator("#fetched_assignments_list").get_by_role("button", name="Validate")
    validate.click()
    dialog = page.locator(".jp-Dialog-content")
    right = student == "all_right"
    expect(dialog).to_contain_text("passes all the tests" if right else "failed", timeout=120_000)
    person.picture(f"4_validated_{student}")
    dialog.get_by_role("button", name="Ok").click()
    assignment(page, "fetched", "Submit")
    expect(page.locator("#submitted_assignments_list .nested_list_item")).to_have_count(2)
    assert len(submissions(there, student)) == 2
    assert person.window.strangers == []


def with_the_demo(person: Person) -> Page:
    """The student's notebook, run, with its demo in sight."""
    page = person.window.open_notebook(f"{NAME}/{NAME}.ipynb")
    person.window.run_all()
    show_the_demo(person)
    return page


def show_the_demo(person: Person) -> None:
    person.window.cell("live.logistic_demo")
    person.window.page.wait_for_timeout(1000)  # the pictures above it take their places
    panel = person.window.page.locator(DEMO)
    panel.scroll_into_view_if_needed()
    expect(panel.locator("dd.step")).to_have_text(re.compile(r"\d"))


def drag(page: Page) -> None:
    """Move the learning rate, and wait until the boundary that the student's functions learn is another."""
    before = page.locator(BOUNDARY).evaluate("canvas => canvas.toDataURL()")
    slider = page.locator(DEMO).get_by_label("Learning rate").first
    for _ in range(8):
        slider.press("ArrowLeft")
    page.wait_for_function(
        "([canvas, before]) => document.querySelector(canvas).toDataURL() !== before", arg=[BOUNDARY, before]
    )


@pytest.mark.parametrize("student", IN_A_TERMINAL)
def test_a_student_answers_in_a_terminal(there: Machine, student: str) -> None:
    there.user(student, f"nbgrader fetch_assignment {NAME} && nbgrader submit {NAME}")
    there.user(student, f"cat > {NAME}/{NAME}.ipynb", text=answered(student))
    there.user(student, f"nbgrader submit {NAME}")
    assert len(submissions(there, student)) == 2


def test_the_marker_collects_and_grades_with_formgraders_button(there: Machine, arrive: Arrive) -> None:
    marker = arrive("marker")
    marker.formgrader("manage_assignments")
    assert "all_right" in marker.press("collect")
    marker.formgrader(f"manage_submissions/{NAME}")
    marker.press("autograde", "all_right")
    expect(marker.window.page.locator("tr", has_text="all_right")).to_contain_text("20 / 24")
    marker.picture("5_graded_by_the_button")


def marks(there: Machine) -> dict[str, str]:
    """What grades.csv says, by student."""
    rows = csv.DictReader(there.user("marker", f"cat {COURSE}/grades.csv").lstrip("\ufeff").splitlines())
    return {row["student_id"]: row["score"] for row in rows if row["assignment"] == NAME}


def test_the_marker_grades_the_class_from_the_exchange(there: Machine) -> None:
    said = there.user("marker", f"cd {COURSE} && workshop grade --from exchange")
    (SHOWN / "grade.txt").write_text(said)
    given = marks(there)
    assert set(given) == set(STUDENTS) and len(set(given.values())) > 3
    assert float(given["all_right"]) == 20 and float(given["blank"]) == 0  # the second submission, not the first


def test_the_instructor_grades_what_the_marker_graded(there: Machine) -> None:
    before = marks(there)
    there.user("instructor", f"cd {COURSE} && workshop grade --from exchange && nbgrader autograde {NAME} --force")
    assert marks(there) == before


def test_the_marker_marks_a_written_answer(there: Machine, arrive: Arrive) -> None:
    marker = arrive("marker")
    page = marker.formgrader(f"manage_students/all_right/{NAME}")
    page.locator("tbody a").first.click()
    page.wait_for_load_state("networkidle")  # the page fills in the marks that there are
    for field, text in (("#explain_learning_rate", "1.5"), ("#explain_learning_rate-comment", "Say why.")):
        with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
            page.fill(field, text)
            page.press(field, "Tab")
    marker.picture("6_marked_by_hand")
    there.user("marker", f"cd {COURSE} && workshop grade")
    assert float(marks(there)["all_right"]) == 21.5


def test_each_student_fetches_their_own_feedback(there: Machine, arrive: Arrive) -> None:
    marker = arrive("marker")
    marker.formgrader("manage_assignments")
    marker.press("release-feedback")
    student = arrive("all_right")
    page = student.assignments()
    page.get_by_role("button", name="Fetch Feedback").click()
    expect(page.locator("#submitted_assignments_list")).to_contain_text("(view feedback)")
    student.picture("7_feedback_fetched")
    for name in STUDENTS:
        there.user(name, f"nbgrader fetch_feedback {NAME}")
        fetched = there.user(name, f"cat {NAME}/feedback/*/{NAME}.html")
        assert fetched == there.user("marker", f"cat {COURSE}/feedback/{name}/{NAME}/{NAME}.html")
        assert not [other for other in STUDENTS if other != name and other in fetched]


# --- the demo, when the network or the kernel goes ---


def test_the_demo_goes_on_after_its_connection_was_lost(there: Machine, arrive: Arrive) -> None:
    student = arrive("all_right")
    page = with_the_demo(student)
    drag(page)
    port = urlsplit(student.window.address).port
    there.root(f"kill $(pgrep --full 'configurable-http-prox[y] .*--port {port}')")  # every websocket with it
    page.wait_for_timeout(20_000)  # the hub starts another, and JupyterLab looks for its kernel again
    drag(page)
    student.picture("8_demo_after_the_connection_was_lost")


def test_a_kernel_is_culled_under_an_open_page_and_the_demos_last_picture_stays(there: Machine, arrive: Arrive) -> None:
    sooner = written_in_the_page()["/etc/jupyter/jupyter_server_config.py"].replace("3600", "20")
    there.user("ascent", "mkdir -p .jupyter && cat > .jupyter/jupyter_server_config.py", text=sooner + CULL_OFTEN)
    student = arrive("ascent")
    page = with_the_demo(student)
    kernels = f"{student.window.address}/api/kernels"
    for _ in range(60):
        if page.request.get(kernels).json() == []:
            break
        page.wait_for_timeout(2000)
    student.picture("9_culled")
    assert page.request.get(kernels).json() == []
    expect(page.locator(f"{DEMO} dd.step")).to_have_text("300")


# --- what a student's terminal reaches ---

FORBIDDEN = {
    "list what was handed in": f"ls {EXCHANGE}/comp90051/inbound",
    "list the feedback": f"ls {EXCHANGE}/comp90051/feedback",
    "put a course of one's own in its place": f"mv {EXCHANGE}/comp90051 {EXCHANGE}/mine",
    "enter the course": f"ls {COURSE}",
    "read the source": f"cat {COURSE}/source/{NAME}/{NAME}.ipynb",
    "read the gradebook": f"cat {COURSE}/gradebook.db",
    "read the secret": f"cat {COURSE}/.workshop/secret",
    "read the grader": f"cat {ROOT}/src/examiner/notebooks/logistic.py",
    "enter another's home": "ls /home/all_right",
    "change what was released": f"touch {EXCHANGE}/comp90051/outbound/{NAME}/{NAME}.ipynb",
    "read the hub's secrets": "cat /srv/jupyterhub/jupyterhub_cookie_secret || cat /srv/jupyterhub/jupyterhub.sqlite",
    "read the environment of the hub": "cat /proc/$(pgrep -o -f jupyterhub_config)/environ",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_student_may_not(there: Machine, what: str) -> None:
    assert not there.may("blank", FORBIDDEN[what])
    if FORBIDDEN[what].startswith(("ls", "cat")):
        there.root(FORBIDDEN[what])  # it is there


def test_a_student_reads_nothing_but_their_own_and_the_release(there: Machine) -> None:
    find = f"find /home /srv /tmp {ROOT}/src {ROOT}/build -type f -readable 2>/dev/null"
    readable = there.user("blank", f"{find} || true")
    own = ("/home/blank/", f"{EXCHANGE}/comp90051/outbound/{NAME}/", f"{ROOT}/build/hub/")
    assert [file for file in readable.splitlines() if not file.startswith(own)] == []


# --- the sandbox, as the marker ---

LEVEL = """python -c 'from examiner.isolation.sandbox import *; print(best_level(readable_paths()))'"""


def test_the_sandbox_holds_for_the_marker_an_ordinary_user(there: Machine) -> None:
    assert there.user("marker", LEVEL).startswith("('namespaces+landlock', '')")


def test_where_user_namespaces_are_off_the_ladder_steps_down_and_says_so(there: Machine) -> None:
    before = marks(there)
    anew = f"cd {COURSE} && {LEVEL} && rm -r .workshop/journal && workshop grade"
    said = there.without_user_namespaces("marker", anew)
    (SHOWN / "grade_without_user_namespaces.txt").write_text(said)
    assert said.startswith("('landlock', ") and "not shut in as well as it could be (landlock" in said
    assert marks(there) == before
