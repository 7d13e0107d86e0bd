"""The live demo in real Chromium, in JupyterLab and Notebook 7: sliders by mouse and keys change the right pixels."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from browser import chromium  # noqa: E402
from live import jupyter, new_page, open_notebook, run_cell  # noqa: E402

SET_UP = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from answers import answers
from workshop import live
L, N = answers("logistic_regression"), answers("mlp_sgd")
"""
CELLS = [SET_UP, "live.logistic_demo(L)", "demo = live.network_demo(N)\ndemo", "live.nudge_demo('network')"]
CELLS += ["right = L['gradient']", "demo.eta = 0.125"]
LOGISTIC, NETWORK, NUDGE = ".workshop-demo .logistic", ".workshop-demo .network", ".workshop-demo .nudge"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with jupyter(CELLS) as address:
        page = new_page(browser)
        open_notebook(page, address)
        for cell in range(4):
            run_cell(page, cell)
        for panel in (LOGISTIC, NETWORK, NUDGE):
            page.wait_for_selector(f"{panel} canvas")
        yield page


def picture(panel: Locator, number: int = 0) -> str:
    """The pixels of the panel's canvas of this number, once they rest."""
    canvas = panel.locator("canvas").nth(number)
    before = ""
    for _ in range(60):
        now = str(canvas.evaluate("(canvas) => canvas.toDataURL()"))
        if now == before:
            return now
        before = now
        panel.page.wait_for_timeout(400)
    raise AssertionError("the picture never rests")


def pictures(panel: Locator) -> list[str]:
    """Of all canvases in view."""
    count = panel.locator("canvas").count()
    return [picture(panel, number) for number in range(count) if panel.locator("canvas").nth(number).is_visible()]


def slider(panel: Locator, label: str) -> Locator:
    open_more(panel)
    return panel.locator(".slider:not([hidden])").filter(has_text=label).locator("input")


def spoken(slider: Locator) -> str:
    return str(slider.get_attribute("aria-valuetext"))


def step(panel: Locator) -> int:
    return int(panel.locator("dd.step").inner_text())


def open_more(panel: Locator) -> None:
    """Show the settings that are one click away."""
    button = panel.get_by_role("button", name="More")
    if button.get_attribute("aria-expanded") == "false":
        button.click()


SLIDERS = [
    (LOGISTIC, "Step size"), (LOGISTIC, "Batch size"), (LOGISTIC, "Penalty"), (LOGISTIC, "Noise"),
    (NETWORK, "Step size"), (NETWORK, "Batch size"), (NETWORK, "Penalty"), (NETWORK, "Noise"), (NETWORK, "Hidden"),
]  # fmt: skip


@pytest.mark.parametrize("where, label", SLIDERS)
def test_a_slider_moved_by_mouse_changes_every_picture(page: Page, where: str, label: str) -> None:
    panel = page.locator(where)
    handle = slider(panel, label)
    handle.scroll_into_view_if_needed()
    before, said = pictures(panel), spoken(handle)
    box = handle.bounding_box()
    assert box
    place = 0.35 if label == "Step size" else 0.8
    page.mouse.click(box["x"] + place * box["width"], box["y"] + box["height"] / 2)
    expect(handle).not_to_have_attribute("aria-valuetext", said)
    after = pictures(panel)
    assert all(one != other for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("where, label", SLIDERS)
def test_a_slider_moved_by_keys_changes_the_boundary(page: Page, where: str, label: str) -> None:
    panel = page.locator(where)
    handle = slider(panel, label)
    handle.focus()
    before, said = picture(panel), spoken(handle)
    key = "ArrowRight" if label == "Penalty" else "ArrowLeft"
    page.keyboard.press(key)
    expect(handle).not_to_have_attribute("aria-valuetext", said)
    for _ in range(3):
        page.keyboard.press(key)
    assert picture(panel) != before
    expect(handle).to_be_focused()


def test_in_notebook_7_sliders_move_by_keys_and_by_mouse(browser: Browser) -> None:
    with jupyter(CELLS[:2], "notebook") as address:
        page = new_page(browser)
        open_notebook(page, address)
        run_cell(page, 0)
        run_cell(page, 1)
        page.wait_for_selector(f"{LOGISTIC} canvas")
        test_a_slider_moved_by_keys_changes_the_boundary(page, LOGISTIC, "Step size")
        test_a_slider_moved_by_mouse_changes_every_picture(page, LOGISTIC, "Batch size")
        test_no_error_is_in_the_console(page)


def test_the_ends_of_the_batch_size_are_named(page: Page) -> None:
    handle = slider(page.locator(LOGISTIC), "Batch size")
    handle.press("Home")
    assert spoken(handle) == "1: online"
    handle.press("End")
    assert spoken(handle) == "80: all"


def test_play_pause_step_and_restart(page: Page) -> None:
    panel = page.locator(NETWORK)
    play = panel.locator(".primary")
    panel.get_by_role("button", name="Restart").click()
    expect(panel.locator("dd.step")).to_have_text("0")
    panel.get_by_role("button", name="Step").click()
    expect(panel.locator("dd.step")).to_have_text("1")
    play.click()
    expect(play).to_have_text("Pause")
    page.wait_for_timeout(700)
    assert step(panel) > 1
    panel.locator("canvas").first.focus()
    page.keyboard.press(" ")
    expect(play).to_have_text("Play")
    rested = picture(panel)
    assert picture(panel) == rested


def test_a_change_while_playing_takes_effect_and_play_goes_on(page: Page) -> None:
    panel = page.locator(LOGISTIC)
    panel.locator(".primary").click()
    slider(panel, "Step size").press("ArrowRight")
    page.wait_for_timeout(500)
    eta = float(spoken(slider(panel, "Step size")))
    shown = panel.evaluate("(panel) => panel.shown.eta")
    assert shown == pytest.approx(eta, rel=0.05)
    before = step(panel)
    page.wait_for_timeout(500)
    assert step(panel) > before
    panel.locator(".primary").click()


def test_the_data_set_can_be_chosen(page: Page) -> None:
    panel = page.locator(NETWORK)
    panel.locator("canvas").first.scroll_into_view_if_needed()  # a demo draws where it is seen
    before = pictures(panel)
    panel.get_by_label("Data").select_option("moons")
    page.wait_for_function(f"document.querySelector('{NETWORK}').shown?.dataset === 'moons'")
    assert all(one != other for one, other in zip(before, pictures(panel), strict=True))


def test_an_error_is_told_in_words_and_the_picture_stays(page: Page) -> None:
    panel = page.locator(LOGISTIC)
    before = picture(panel)
    set_code(page, 4, "right = L['gradient']\nL['gradient'] = lambda *given: 1 / 0")
    panel.get_by_role("button", name="Step").click()
    expect(panel.locator(".words")).to_contain_text("ZeroDivisionError")
    assert picture(panel) == before
    set_code(page, 4, "L['gradient'] = right")
    panel.get_by_role("button", name="Step").click()
    expect(panel.locator(".words")).not_to_contain_text("Error")
    assert picture(panel) != before


def set_code(page: Page, number: int, code: str) -> None:
    """Write the code into the cell and run it."""
    page.locator(".jp-CodeCell").nth(number).locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)
    run_cell(page, number)


def test_the_nudge_travels_downstream_only(page: Page) -> None:
    panel = page.locator(NUDGE)
    panel.get_by_label("Nudge", exact=True).select_option("w1")
    panel.locator(".slider:not([hidden]) input").press("ArrowRight")
    page.wait_for_timeout(800)
    names = panel.locator(".quantity").evaluate_all("(all) => all.map((one) => one.querySelector('title').textContent)")
    moved = {name.split()[0] for name in names if "moved by" in name}
    assert moved == {"w₁", "s", "ŷ"}


def test_the_graph_of_the_nudge_is_whole_beside_the_list_of_files(page: Page) -> None:
    """The loss stands at its right end, and is what is to be seen. A cell is 750 px wide in a window of 1280."""
    fits = "(panel) => { const graph = panel.querySelector('.graph'); return graph.scrollWidth <= graph.clientWidth; }"
    narrow = "(panel, width) => { panel.style.width = width; }"
    panel = page.locator(NUDGE)
    panel.evaluate(narrow, "750px")
    try:
        assert panel.evaluate(fits)
    finally:
        panel.evaluate(narrow, "")


def test_a_trait_set_in_a_cell_moves_the_slider_and_the_boundary(page: Page) -> None:
    panel = page.locator(NETWORK)
    before = picture(panel)
    run_cell(page, 5)
    expect(slider(panel, "Step size")).to_have_attribute("aria-valuetext", "0.13")
    panel.scroll_into_view_if_needed()
    assert picture(panel) != before


def test_two_settings_side_by_side_play_together(page: Page) -> None:
    panel = page.locator(NETWORK)
    panel.get_by_role("button", name="Compare").click()
    expect(panel.locator("dd.step")).to_have_text("0")
    panel.get_by_role("button", name="Step").click()
    expect(panel.locator("dd.objective")).to_contain_text("|")
    one, other = picture(panel), picture(panel, 1)
    assert one != other, "a hundredth step size apart, one step leads elsewhere"
    panel.get_by_role("button", name="Compare").click()
    expect(panel.locator("canvas").nth(1)).to_be_hidden()


def test_running_a_cell_again_leaves_one_demo_and_no_error(page: Page) -> None:
    page.locator(LOGISTIC).locator(".primary").click()
    for _ in range(3):
        run_cell(page, 1)
        page.wait_for_selector(f"{LOGISTIC} canvas")
    page.wait_for_timeout(1000)
    assert page.locator(LOGISTIC).count() == 1
    assert step(page.locator(LOGISTIC)) == 300, "the earlier demo's play goes on in the new one"


def test_everything_has_a_name_for_screen_readers(page: Page) -> None:
    page.locator(LOGISTIC).scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll(".workshop-demo :is(input, select, button, canvas)")].filter((one) =>
        !one.labels?.[0]?.textContent.trim() && !one.textContent.trim() && !one.getAttribute("aria-label"))
        .filter((one) => one.getBoundingClientRect().top < innerHeight && one.getBoundingClientRect().bottom > 0)
        .map((one) => one.outerHTML)"""
    )
    assert unnamed == []


def test_after_a_restart_of_the_kernel_it_says_so_and_a_run_of_the_cells_mends_it(page: Page) -> None:
    panel = page.locator(NETWORK)
    page.evaluate(
        """async () => {
          const [kernel] = await (await fetch("/api/kernels")).json();
          const headers = { "X-XSRFToken": document.cookie.match("_xsrf=([^;]*)")?.[1] };
          await fetch(`/api/kernels/${kernel.id}/restart`, { method: "POST", headers });
        }"""
    )
    page.wait_for_timeout(3000)
    panel.get_by_role("button", name="Step").click()
    expect(panel.locator(".words")).to_contain_text("run the")
    for cell in (0, 2):  # a new kernel counts from 1 again: their numbers do not tell when they have run
        page.locator(".jp-CodeCell").nth(cell).locator(".cm-content").click()
        page.keyboard.press("Control+Enter")
    expect(panel.locator(".words")).to_have_text("")
    page.wait_for_function(  # out of sight it rests, and what the cells print anew may move it there once more
        """at => {
          const panel = document.querySelector(at);
          panel?.scrollIntoView({ block: "nearest" });
          return panel?.querySelector("dd.step").innerText === "1000";
        }""",
        arg=NETWORK,
        timeout=60_000,
    )
    for expected in ("1001", "1002"):  # it goes on being heard
        panel.get_by_role("button", name="Step").click()
        expect(panel.locator("dd.step")).to_have_text(expected)
    assert page.locator(NETWORK).count() == 1


def test_the_saved_notebook_lives_on_without_a_kernel(page: Page) -> None:
    """Saved, closed with its kernel, opened again: the page's own engine plays, says so, and no widget is missing."""
    page.locator(NETWORK).get_by_role("button", name="Step").focus()
    page.keyboard.press("Control+s")  # JupyterLab's own keys are heard in the demo too
    page.wait_for_timeout(1500)
    address = page.url
    origin = address.split("/lab")[0]
    kernels = page.evaluate("(origin) => fetch(origin + '/api/sessions').then((answer) => answer.json())", origin)
    page.evaluate(
        "([origin, ids]) => Promise.all(ids.map((id) => fetch(origin + '/api/sessions/' + id, {method: 'DELETE',"
        " headers: {'X-XSRFToken': document.cookie.match('_xsrf=([^;]*)')?.[1]}})))",
        [origin, [one["id"] for one in kernels]],
    )
    page.goto("about:blank")
    page.goto(address)
    frame = page.frame_locator(".workshop-still iframe").nth(1)
    expect(frame.locator(".words")).to_contain_text("No kernel")
    frame.locator(".primary").click()
    page.wait_for_timeout(1000)
    assert int(frame.locator("dd.step").inner_text()) > 1000
    assert page.get_by_text("model not found").locator("visible=true").count() == 0


def test_no_error_is_in_the_console(page: Page) -> None:
    assert [error for error in page.errors if "workshop" in error or "anywidget" in error] == []  # type: ignore[attr-defined]
