"""The slides in a real browser, with the network off: all fits, all can be read, and each key press is one step."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser import chromium

SLIDES = Path(__file__).parent.parent / "slides"
sys.path.insert(0, str(SLIDES))
import build  # noqa: E402
import present  # noqa: E402

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


def test_the_plain_file_shows_still_pictures_where_the_room_sees_the_live_ones(page: Page) -> None:
    assert page.evaluate("document.querySelectorAll('iframe').length") == 0
    shown = "e => [e.dataset.live, !!e.querySelector('svg.figure')]"
    stills = page.evaluate(f"[...document.querySelectorAll('[data-live]')].map({shown})")
    assert stills == [["demo", True], ["nudge-logistic", True], ["nudge-network", True]]


def test_presented_the_slides_hold_the_live_parts(browser: Browser) -> None:
    with present.presentation() as address:
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        opened = context.new_page()
        opened.goto(f"{address}#{number_of('Try it: drag')}")
        sliders = opened.frame_locator("[data-live=nudge-logistic] iframe").locator("input[type=range]")
        sliders.first.wait_for(timeout=60_000)
        assert opened.locator("iframe").count() == 1, "the other live parts wait until their slides are reached"
        context.close()
