"""The slides in a real browser, with the network off: all fits, all can be read, and each key press is one step."""

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

SMALLEST = 24  # px, at 1280 × 720


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def requests() -> list[str]:
    """Every address that the page asked for."""
    return []


@pytest.fixture(scope="module")
def page(browser: Browser, requests: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True, reduced_motion="reduce")
    opened = context.new_page()
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("pageerror", lambda error: requests.append(f"error {error}"))
    opened.goto(build.HTML.as_uri())
    yield opened
    context.close()


def number_of(title: str) -> int:
    """The number of the slide whose title begins so."""
    return next(i for i, text in enumerate(build.slides_of(build.markdown()), 1) if f"## {title}" in text)


MEASURE = (Path(__file__).parents[1] / "measure_slides.js").read_text("utf-8").split("\n", 1)[1]


@pytest.fixture(scope="module")
def measured(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(MEASURE)
    page.reload()
    return found


def test_nothing_is_fetched_and_nothing_fails(page: Page, requests: list[str], measured: list[dict[str, Any]]) -> None:
    fonts = page.evaluate("document.fonts.ready.then(() => [...document.fonts].map(f => f.status))")
    assert "loaded" in fonts
    assert "error" not in fonts
    assert [url[:80] for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_nothing_lies_outside_its_slide(measured: list[dict[str, Any]]) -> None:
    assert len(measured) == len(build.slides_of(build.markdown()))
    for slide in measured:
        for name, (left, top, right, bottom) in slide["boxes"]:
            inside = left >= 0 and top >= 0 and right <= 1280 and bottom <= 720
            assert inside, f"slide {slide['number']}: {name} at {left:.0f}, {top:.0f}, {right:.0f}, {bottom:.0f}"


def test_the_parts_of_a_slide_lie_below_each_other(measured: list[dict[str, Any]]) -> None:
    for slide in measured:
        for (_, above), (name, below) in zip(slide["blocks"], slide["blocks"][1:], strict=False):
            assert below[1] >= above[3] - 1, f"slide {slide['number']}: {name} covers what is above it"


def test_no_formula_and_no_word_is_too_small(measured: list[dict[str, Any]]) -> None:
    for slide in measured:
        sizes = [*slide["texts"], *slide["formulas"]]
        sizes += [(label["tex"], label["size"]) for label in slide["labels"]]
        small = [(name, round(size, 1)) for name, size in sizes if size < SMALLEST - 0.01]
        assert not small, f"slide {slide['number']}: {small}"


def test_no_label_of_a_figure_covers_another(measured: list[dict[str, Any]]) -> None:
    for slide in measured:
        labels = slide["labels"]
        for i, one in enumerate(labels):
            for two in labels[:i]:
                (a, b, c, d), (e, f, g, h) = one["rect"], two["rect"]
                same = abs(a + c - e - g) < 2 and abs(b + d - f - h) < 4  # drawn again, over the old one
                overlap = max(0, min(c, g) - max(a, e) - 8) * max(0, min(d, h) - max(b, f) - 8)  # the halo may touch
                assert same or overlap == 0, f"slide {slide['number']}: {one['tex']} covers {two['tex']}"


def test_every_picture_and_formula_has_words_for_a_screen_reader(measured: list[dict[str, Any]]) -> None:
    for slide in measured:
        for role, label in slide["images"]:
            assert role in ("img", "group")
            assert label


def test_a_formula_in_a_figure_has_words_of_its_own(page: Page) -> None:
    bare = "[...document.querySelectorAll('svg.figure [data-tex]')].filter(e => e.getAttribute('role') !== 'img'"
    assert page.evaluate(f"{bare} || !e.getAttribute('aria-label') || e.closest('[role=img] [data-tex]')).length") == 0


def test_titles_come_first_in_the_order_of_reading(page: Page) -> None:
    first = "[...document.querySelectorAll('svg.bespoke-marp-slide section')].map(s => s.firstElementChild.tagName)"
    assert set(page.evaluate(first)) <= {"H1", "H2"}


STATE = """
() => {
  const slides = [...document.querySelectorAll('svg.bespoke-marp-slide')];
  const at = slides.findIndex(s => s.classList.contains('bespoke-marp-active'));
  return [at + 1, slides[at].querySelectorAll('[data-bespoke-marp-fragment=active]').length];
}
"""


def test_each_key_press_is_one_step_from_the_first_slide_to_the_last(page: Page) -> None:
    page.goto("about:blank")
    page.goto(build.HTML.as_uri())
    steps_of = "s => s.querySelectorAll('[data-marpit-fragment]').length"
    counts = page.evaluate(f"[...document.querySelectorAll('svg.bespoke-marp-slide')].map({steps_of})")
    wanted = [[number, step] for number, steps in enumerate(counts, 1) for step in range(steps + 1)]
    seen = [page.evaluate(STATE)]
    for _ in wanted[1:]:
        page.keyboard.press("ArrowRight")
        seen.append(page.evaluate(STATE))
    assert seen == wanted


def visible(page: Page, number: int) -> set[str]:
    """The formulas in view on a slide."""
    script = """
    n => [...document.querySelectorAll('svg.bespoke-marp-slide')[n - 1].querySelectorAll('[data-tex]')]
      .filter(e => getComputedStyle(e).visibility === 'visible').map(e => e.dataset.tex)
    """
    return set(page.evaluate(script, number))


def test_a_nudge_travels_step_by_step_to_the_loss_and_then_the_derivative_is_named(page: Page) -> None:
    number = number_of("Nudge $w_1$")
    page.goto("about:blank")
    page.goto(f"{build.HTML.as_uri()}#{number}")
    before = visible(page, number)
    arrived = []
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        now = visible(page, number)
        arrived.append(now - before)
        before = now
    start, at_s, at_y_hat, at_loss, result = arrived
    assert start == {r"+\delta"}
    assert r"+x_1\delta" in at_s
    assert r"+x_1\hat{y}(1 - \hat{y})\delta" in at_y_hat
    assert r"+x_1(\hat{y} - y)\delta" in at_loss
    assert any(r"\partial L}{\partial w_1" in tex for tex in result)


def test_a_dot_runs_along_the_arrow_unless_motion_is_unwanted(browser: Browser) -> None:
    names = []
    for motion in ("no-preference", "reduce"):
        context = browser.new_context(offline=True, reduced_motion=motion)  # type: ignore[arg-type]
        opened = context.new_page()
        opened.goto(f"{build.HTML.as_uri()}#{number_of('Nudge $s$')}")
        opened.keyboard.press("ArrowRight")
        opened.keyboard.press("ArrowRight")
        dot = "document.querySelector('.step[data-bespoke-marp-current-fragment] .pulse')"
        names.append(opened.evaluate(f"getComputedStyle({dot}).animationName"))
        context.close()
    assert names == ["travel", "none"]


LIVE = [number for number, text in enumerate(build.slides_of(build.markdown()), 1) if "data-live=" in text]
ACTIVE = ".bespoke-marp-active"


@pytest.fixture(params=LIVE)
def live_slide(request: pytest.FixtureRequest, page: Page) -> int:
    """A slide with a live place, just opened from the file, without a network."""
    page.goto("about:blank")
    page.goto(f"{build.HTML.as_uri()}#{request.param}")
    page.locator(f"{ACTIVE} .workshop-demo").wait_for()
    return int(request.param)


def test_a_live_place_is_alive_in_the_plain_file(page: Page, live_slide: int) -> None:
    canvas = page.locator(f"{ACTIVE} .workshop-demo canvas:visible").first
    slider = page.locator(f"{ACTIVE} .workshop-demo input[type=range]:visible").first
    pixels = "canvas => canvas.toDataURL()"
    page.wait_for_timeout(600)
    before = canvas.evaluate(pixels)
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(600)
    assert canvas.evaluate(pixels) != before
    assert page.evaluate("document.querySelectorAll('iframe').length") == 0


def opened_at(browser: Browser, title: str, **settings: Any) -> Page:
    """The deck in a window of its own, at the slide of that title."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True, **settings)
    opened = context.new_page()
    opened.goto(f"{build.HTML.as_uri()}#{number_of(title)}")
    return opened


PAPER = "getComputedStyle(document.querySelector('.bespoke-marp-active section')).backgroundColor"


def test_the_dark_version_follows_the_system_and_the_key_d(browser: Browser) -> None:
    dark = opened_at(browser, "Side by side", color_scheme="dark")
    assert dark.evaluate(PAPER) == "rgb(21, 24, 28)"
    dark.keyboard.press("d")
    assert dark.evaluate(PAPER) == "rgb(255, 255, 255)"
    dark.context.close()


def test_paper_is_white_whatever_the_screen_is(browser: Browser) -> None:
    dark = opened_at(browser, "Side by side", color_scheme="dark")
    dark.emulate_media(media="print")
    assert dark.evaluate(PAPER) == "rgb(255, 255, 255)"
    dark.context.close()


@pytest.mark.parametrize("key", ["b", "."])
def test_a_blank_screen_hides_the_slide_until_a_key_which_does_nothing_else(browser: Browser, key: str) -> None:
    opened = opened_at(browser, "Nudge $s$ by")
    seen = "getComputedStyle(document.querySelector('.bespoke-marp-active h2')).visibility"
    before = opened.evaluate(STATE)
    opened.keyboard.press(key)
    assert opened.evaluate(seen) == "hidden"
    opened.keyboard.press("ArrowRight")
    assert opened.evaluate(seen) == "visible"
    assert opened.evaluate(STATE) == before
    opened.context.close()


@pytest.mark.parametrize(("typed", "reached"), [("7", 7), ("21", 21), ("999", None), ("0", 1)])
def test_a_typed_number_and_enter_go_to_that_slide(browser: Browser, typed: str, reached: int | None) -> None:
    opened = opened_at(browser, "Side by side")
    for key in [*typed, "Enter"]:
        opened.keyboard.press(key)
    last = len(build.slides_of(build.markdown()))
    opened.wait_for_function(f"({STATE.strip()})()[0] === {reached or last}")
    opened.context.close()


def test_the_speaker_sees_the_time_and_the_minutes_planned(browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    opened = context.new_page()
    opened.goto(f"{build.HTML.as_uri()}?view=presenter#{number_of('What we minimise')}")
    expect(opened.locator(".plan")).to_have_text("this part: 9 min, done by 0:12")  # the clock ticks twice a second
    assert opened.locator(".bespoke-marp-presenter-info-time").is_visible()
    assert opened.locator(".bespoke-marp-presenter-info-timer").is_visible()
    context.close()


def test_a_graph_of_entries_becomes_one_of_vectors_at_a_key_press(browser: Browser) -> None:
    opened = opened_at(browser, "The same graph in vectors", reduced_motion="reduce")
    before = "getComputedStyle(document.querySelector('.bespoke-marp-active .before')).opacity"
    assert opened.evaluate(before) == "1"
    opened.keyboard.press("ArrowRight")
    opened.wait_for_function(f"{before} === '0'")
    opened.context.close()


def test_the_graphs_stand_at_one_place_from_slide_to_slide(page: Page) -> None:
    tops = """
    [...document.querySelectorAll('svg.bespoke-marp-slide')]
      .map(s => [s, s.querySelector('.graph')]).filter(([, g]) => g)
      .map(([s, g]) => { s.classList.add('bespoke-marp-active'); const a = g.getBoundingClientRect();
        const b = s.querySelector('section').getBoundingClientRect(); s.classList.remove('bespoke-marp-active');
        return [Math.round(a.left - b.left), Math.round(a.top - b.top), Math.round(a.width)].join(); })
    """
    places = page.evaluate(tops)
    page.reload()
    assert len(places) > 10
    assert len(set(places)) == 1


TYPE = """
root => [...root.querySelectorAll("*")].filter(e => e.checkVisibility() && !e.closest(".spoken"))
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
  .map(e => {
    const svg = e.ownerSVGElement?.closest(".workshop-demo") && e.ownerSVGElement;
    const zoom = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    return [e.textContent, parseFloat(getComputedStyle(e).fontSize) * zoom];
  })
"""


def test_nothing_in_a_live_place_is_too_small(page: Page, live_slide: int) -> None:
    sizes = page.locator(f"{ACTIVE} .workshop-demo").evaluate(TYPE)
    assert len(sizes) > 8
    assert [one for one in sizes if one[1] < 0.94 * SMALLEST] == []  # a graph may be a little narrower than its slide


def test_after_a_click_in_a_live_place_the_keys_still_turn_the_slides(page: Page, live_slide: int) -> None:
    page.locator(f"{ACTIVE} .workshop-demo input[type=range]:visible").first.click()
    page.wait_for_timeout(100)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(STATE)[0] == live_slide + 1


def test_a_clickers_keys_turn_the_slides_even_from_a_slider(page: Page, live_slide: int) -> None:
    page.locator(f"{ACTIVE} .workshop-demo input[type=range]:visible").first.focus()
    page.keyboard.press("PageDown")
    assert page.evaluate(STATE)[0] == live_slide + 1


def test_on_paper_and_in_the_speakers_window_the_still_picture_stays(page: Page) -> None:
    page.goto("about:blank")
    page.goto(f"{build.HTML.as_uri()}?view=presenter#{LIVE[0]}")
    page.wait_for_timeout(500)
    assert page.locator(".workshop-demo").count() == 0
    stills = page.evaluate("[...document.querySelectorAll('[data-live]')].map(e => !!e.querySelector('svg.figure'))")
    assert stills and all(stills)


def test_the_file_is_small() -> None:
    assert build.HTML.stat().st_size < 4_000_000
