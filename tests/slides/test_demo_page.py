"""The demo as a page of its own, opened from its file without a network: large, calm, by mouse and keys."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from browser import chromium

SLIDES = Path(__file__).parents[2] / "slides"
sys.path.insert(0, str(SLIDES))
import build  # noqa: E402

TABS = ["logistic", "network", "nudge-logistic", "nudge-network"]
SIZES = [(1280, 720), (1920, 1080)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert wrong == []


def open_at(page: Page, address: str = "", size: tuple[int, int] = (1280, 720)) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto("about:blank")
    page.goto(f"{build.DEMO.as_uri()}#{address}")
    page.wait_for_timeout(500)


def panel(page: Page) -> Any:
    return page.locator(".demo-panel:visible")


def pixels(page: Page, number: int = 0) -> str:
    page.wait_for_timeout(500)
    return str(panel(page).locator("canvas:visible").nth(number).evaluate("canvas => canvas.toDataURL()"))


def step(page: Page) -> int:
    return int(panel(page).locator("dd.step").inner_text())


LATE_SIGHT = """
const Prompt = IntersectionObserver;
window.IntersectionObserver = class extends Prompt {
  constructor(tell) {
    const kept = [];
    super((entries) => {
      kept.push(...entries);
      setTimeout(() => kept.length && tell(kept.splice(0)), 1000);
    });
  }
};
"""  # what comes in and out of sight is told late and together, as on a busy page


def test_it_plays_on_though_it_hears_late_that_it_was_out_of_sight_for_a_moment(page: Page) -> None:
    page.add_init_script(LATE_SIGHT)
    open_at(page, "logistic")
    page.wait_for_timeout(1500)
    page.evaluate("document.querySelector('.workshop-demo').style.display = 'none'")
    page.wait_for_timeout(200)
    page.evaluate("document.querySelector('.workshop-demo').style.display = ''")
    page.wait_for_timeout(1500)
    before = step(page)
    panel(page).locator(".primary").click()
    page.wait_for_timeout(1000)
    assert step(page) > before


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("tab", TABS)
def test_every_tab_fits_the_projector_in_light_and_dark(page: Page, tab: str, size: tuple[int, int]) -> None:
    open_at(page, tab, size)
    light = pixels(page)
    page.keyboard.press("t")
    assert pixels(page) != light
    assert page.evaluate(
        "document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth"
    )


TYPE = """
() => [...document.querySelectorAll("main *")].filter(e => e.checkVisibility() && !e.closest(".spoken, h1"))
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
  .map(e => [e.textContent, parseFloat(getComputedStyle(e).fontSize) * (e.ownerSVGElement?.getScreenCTM().a ?? 1)])
"""


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("tab", TABS)
def test_no_type_is_too_small_for_a_projector(page: Page, tab: str, size: tuple[int, int]) -> None:
    open_at(page, tab, size)
    small = [one for one in page.evaluate(TYPE) if one[1] < 24 * size[0] / 1280 * 0.99]
    assert small == []


@pytest.mark.parametrize("width", [640, 390])
@pytest.mark.parametrize("tab", TABS)
def test_zoomed_to_200_percent_and_on_a_phone_it_flows_downwards(page: Page, tab: str, width: int) -> None:
    open_at(page, tab, (width, 720))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert min(size for _, size in page.evaluate(TYPE)) >= (24 if width == 640 else 16) * 0.6  # a wide graph scrolls
    wide = panel(page).locator("canvas:visible").first.bounding_box()
    assert wide and wide["width"] > 0.75 * width


def test_nothing_moves_while_it_plays_and_no_canvas_is_stretched(page: Page) -> None:
    open_at(page, "network&eta=1")
    places = """() => [...document.querySelectorAll(".demo-panel:not([hidden]) *")]
      .filter(e => e.checkVisibility() && !e.closest(".spoken")).map(e => {
        const { x, y, width, height } = e.getBoundingClientRect();
        return [e.tagName, x, y, width, height].join(" ");
      })"""
    panel(page).locator(".primary").click()
    page.wait_for_timeout(200)
    before = page.evaluate(places)
    for _ in range(6):
        page.wait_for_timeout(250)
        assert page.evaluate(places) == before
    assert step(page) > 1000
    stretched = """() => [...document.querySelectorAll("canvas")].filter(c => c.checkVisibility()
      && Math.abs(c.width / c.clientWidth - c.height / c.clientHeight) > 0.02).length"""
    assert page.evaluate(stretched) == 0


def test_divergence_is_told_until_the_student_changes_something(page: Page) -> None:
    open_at(page, "logistic&eta=30&lam=1")
    words = panel(page).locator(".words")
    panel(page).locator(".primary").click()
    expect(words).to_contain_text("Diverged")
    page.wait_for_timeout(1500)
    expect(words).to_contain_text("Diverged")
    box, plots = words.bounding_box(), panel(page).locator(".plots").bounding_box()
    assert box and plots and box["y"] + box["height"] <= plots["y"]
    panel(page).locator("input[type=range]").first.press("ArrowLeft")
    for _ in range(25):
        panel(page).locator("input[type=range]").first.press("ArrowLeft")
    expect(words).not_to_contain_text("Diverged")


def test_keys_play_step_restart_and_choose_without_scrolling(page: Page) -> None:
    open_at(page)
    page.keyboard.press("2")
    expect(page.get_by_role("tab", name="Network", exact=True)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("r")
    expect(panel(page).locator("dd.step")).to_have_text("0")
    page.keyboard.press("ArrowRight")
    expect(panel(page).locator("dd.step")).to_have_text("1")
    page.keyboard.press(" ")
    page.wait_for_timeout(500)
    page.keyboard.press(" ")
    expect(panel(page).locator(".primary")).to_have_text("Play")
    assert step(page) > 1
    assert page.evaluate("scrollY") == 0


STATE = "network&eta=0.25&batch_size=20&dataset=xor&seed=4&n_hidden=3&units=tanh&fresh=1&inside=1"


def test_a_state_can_be_linked_and_reloaded(page: Page) -> None:
    open_at(page, STATE)
    page.wait_for_timeout(1500)
    first = [pixels(page, number) for number in range(3)]
    address = page.evaluate("location.hash")
    assert set(address[1:].split("&")) == set(STATE.split("&"))
    open_at(page, address[1:])
    page.wait_for_timeout(1500)
    assert [pixels(page, number) for number in range(3)] == first


def test_what_the_mouse_sets_is_in_the_address(page: Page) -> None:
    open_at(page, "logistic")
    panel(page).get_by_label("Data").select_option("moons")
    panel(page).get_by_role("button", name="More").click()
    panel(page).get_by_label("fresh points", exact=True).check()
    page.wait_for_timeout(500)
    assert {"dataset=moons", "fresh=1"} <= set(page.evaluate("location.hash").split("&"))


@pytest.mark.parametrize(
    "address", ["network&n_hidden=1e9&eta=-5&seed=x&dataset=cube", "nudge-network&nudge=toString&delta=1e300", "%%%"]
)
def test_a_bad_address_does_no_harm(page: Page, address: str) -> None:
    open_at(page, address)
    page.wait_for_timeout(700)
    assert panel(page).count() == 1


@pytest.mark.parametrize("shown", ["fresh", "discrete", "freshCurve", "inside"])
def test_each_further_view_changes_the_pictures(page: Page, shown: str) -> None:
    open_at(page, "network")
    page.wait_for_timeout(1000)
    before = [pixels(page, 0), pixels(page, 1)]
    open_at(page, f"network&{shown}=1")
    page.wait_for_timeout(1000)
    assert [pixels(page, 0), pixels(page, 1)] != before


@pytest.mark.parametrize(
    "setting", ["start=equal", "start=zero", "units=tanh", "n_hidden=2", "noise=2", "lam=0.1", "seed=9"]
)
def test_each_further_setting_changes_the_boundary(page: Page, setting: str) -> None:
    open_at(page, "network")
    before = pixels(page)
    open_at(page, f"network&{setting}")
    assert pixels(page) != before


def test_two_settings_side_by_side_start_alike_and_part(page: Page) -> None:
    open_at(page, "logistic&eta_b=0.01&batch_size_b=80")
    page.keyboard.press("r")
    assert pixels(page, 0) == pixels(page, 1)
    page.keyboard.press("ArrowRight")
    assert pixels(page, 0) != pixels(page, 1)


def test_a_tiny_nudge_shows_round_off_and_enough_digits(page: Page) -> None:
    open_at(page, "nudge-logistic&tiny=1&nudge=w1&delta=1e-8")
    ratio, derivative = (panel(page).locator(f".{name} dd").inner_text() for name in ("ratio", "derivative"))
    assert len(ratio) >= 8 and ratio != derivative
    value = float(ratio.replace("−", "-"))
    assert value == pytest.approx(float(derivative.replace("−", "-")), abs=1e-6)


@pytest.mark.parametrize("tab", TABS[2:])
def test_no_box_of_a_graph_covers_another_or_is_too_small_for_its_words(page: Page, tab: str) -> None:
    open_at(page, tab)
    boxes = page.locator(".demo-panel:visible svg rect.box").evaluate_all(
        "all => all.map(e => e.getBBox()).map(b => [b.x, b.y, b.x + b.width, b.y + b.height])"
    )
    over = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[:i]
        if min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
    ]
    assert over == []
    texts = page.locator(".demo-panel:visible svg .quantity").evaluate_all("""all => all.filter(e => {
      const [r, t] = ["rect", "text"].map(n => e.querySelector(n).getBBox());
      return t.x < r.x || t.x + t.width > r.x + r.width;
    }).map(e => e.textContent)""")
    assert texts == []


NAMES = """
() => {
  const all = selector => [...document.querySelectorAll(selector)];
  const named = e => e.labels?.[0]?.textContent.trim() || e.textContent.trim() || e.getAttribute("aria-label");
  const controls = all(":is(input, select, button, canvas[role], svg[role], [role=button])");
  const tabs = [...document.querySelector("[role=tablist]").children];
  const panelOf = tab => document.getElementById(tab.getAttribute("aria-controls"));
  return {
    unnamed: controls.filter(e => e.checkVisibility() && !named(e)).map(e => e.outerHTML),
    headings: all("h1").length, main: all("main").length, language: document.documentElement.lang,
    strangers: tabs.filter(e => e.getAttribute("role") !== "tab").length,
    lost: tabs.filter(e => panelOf(e)?.getAttribute("role") !== "tabpanel").length,
  };
}
"""


@pytest.mark.parametrize("tab", TABS)
def test_a_screen_reader_finds_names_a_heading_and_the_main_part(page: Page, tab: str) -> None:
    open_at(page, tab)
    page.wait_for_timeout(1200)
    assert page.evaluate(NAMES) == {
        "unnamed": [],
        "headings": 1,
        "main": 1,
        "strangers": 0,
        "language": "en",
        "lost": 0,
    }
