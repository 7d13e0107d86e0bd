"""The slides in a real browser, with the network off: all fits, all can be read, and each key press is one step."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

SLIDES = Path(__file__).parent.parent / "slides"
sys.path.insert(0, str(SLIDES))
import build  # noqa: E402

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
SMALLEST = 24  # px, at 1280 × 720


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield started
        started.close()


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


MEASURE = (Path(__file__).parent / "measure_slides.js").read_text("utf-8").split("\n", 1)[1]


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
            assert role == "img"
            assert label


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


def test_the_file_is_small_and_opens_at_once(browser: Browser) -> None:
    assert build.HTML.stat().st_size < 4_000_000
    context = browser.new_context(offline=True)
    opened = context.new_page()
    opened.goto(f"{build.HTML.as_uri()}#{LIVE[0]}")
    opened.locator(f"{ACTIVE} .workshop-demo .primary").wait_for()
    loaded = opened.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    context.close()
    assert loaded < 2000  # under 1 s on an idle machine
