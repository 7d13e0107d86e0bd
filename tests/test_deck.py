"""The slides: nothing is stale, nothing of the workshop is missing, and they fit the hour and the semester."""

from __future__ import annotations

import datetime
import json
import re
import sys
from pathlib import Path

import pypdfium2
import pytest

ROOT = Path(__file__).parent.parent
SLIDES = ROOT / "slides"
sys.path.insert(0, str(SLIDES))
import build  # noqa: E402
import figures  # noqa: E402
import graphs  # noqa: E402
import ink  # noqa: E402

# What must be on the slides (title of the slide, pieces of its source), so that an edit cannot lose one.
ITEMS: list[tuple[str, list[str]]] = [
    (
        r"Seven sessions, one workshop",
        [
            "Tue 12:00–13:00 | AH211",
            r"Tue 12:00–13:00 | AH108 \*",
            "Tue 13:00–14:00 | AH210",
            "Tue 16:15–17:15 | AH109",
        ],
    ),
    (
        "Seven sessions, one workshop",
        [r"Tue 17:15–18:15 | AH236 \*", r"Tue 18:15–19:15 | AH236 \*", "Fri 14:15–15:15 | AH211"],
    ),
    (
        "Seven sessions, one workshop",
        ["trevorcohn.github.io/comp90051-2017/workshops", "Friday 1 September 2017", "the next Friday, a week later"],
    ),
    (
        "Where we are in the syllabus",
        ["<mark>Backpropagation</mark>", "<mark>CNNs, auto-encoders</mark>", "Belief propagation", "Subject review"],
    ),
    (
        r"What we minimise",
        [r"\min_\mathbf{w}\; \mathrm{obj}(\mathbf{w}) = \frac{1}{N} \sum_{i=1}^{N} L(f(\mathbf{x}_i; \mathbf{w})"],
    ),
    (
        r"Gradient descent: all points, then a step",
        [
            r"\frac{\partial L_i}{\partial \mathbf{w}}",
            r"\mathbf{w} \leftarrow \mathbf{w} - \eta\,\mathrm{grad}",
            "doesn't change",
        ],
    ),
    ("SGD, online: one point, then a step", ["sample $i$ from $1 \\ldots N$", "take $i = 1, 2, \\ldots N$ in turn"]),
    ("SGD, mini-batch: a few points, then a step", ["sample a subset $S$", r"\frac{1}{|S|} \sum_{i \in S}"]),
    ("Side by side", ["### Gradient descent", "### SGD", "side-by-side"]),
    ("Sigmoid: from a number to a probability", [r"\frac{1}{1 + e^{-x}}", r"\frac{e^{-x}}{(1 + e^{-x})^2} = y(1 - y)"]),
    (
        "Tanh: the same shape from −1 to 1",
        [r"\frac{e^{x} - e^{-x}}{e^{x} + e^{-x}}", r"\frac{4}{(e^{x} + e^{-x})^2} = 1 - y^2"],
    ),
    (
        r"Log-loss: the price of a wrong probability",
        [
            r"-\log p(y = y_i \mid \mathbf{x} = \mathbf{x}_i; W)",
            r"-(1 - y)\log(1 - \hat{y}) - y \log \hat{y}",
            r"\begin{cases}",
        ],
    ),
    (
        "Logistic regression on 2-D points",
        [r"s = x_1 w_1 + x_2 w_2 + b", r"\hat{y} = \sigma(s)", r"\frac{\partial L}{\partial s} = \hat{y} - y"],
    ),
    (r"Nudge $s$ by $\delta$ and watch it travel", [r"\frac{\partial L}{\partial s} = \hat{y} - y"]),
    (r"Nudge $b$: the same thing happens", [r"\frac{\partial L}{\partial b} = \hat{y} - y"]),
    (r"Nudge $w_1$: the input scales it", [r"\frac{\partial L}{\partial w_1} = x_1 \frac{\partial L}{\partial s}"]),
    (
        "Stack the weights: one vector",
        [r"\mathbf{x}^\top \frac{\partial L}{\partial b}", r"\frac{\partial L}{\partial b} \mathbf{w}^\top"],
    ),
    (
        r"One hidden layer, two units",
        [
            r"\mathbf{t} = \mathbf{x}\mathbf{V} + \mathbf{c}",
            r"\mathbf{h} = \sigma(\mathbf{t})",
            r"s = \mathbf{h}\mathbf{w} + b",
        ],
    ),
    ("The same, with every element", [r"v_{11} & v_{12} \\ v_{21} & v_{22}", r"c_1 & c_2", r"w_1 \\ w_2"]),
    (
        r"Nudge $t_1$: through the sigmoid",
        [r"\frac{\partial L}{\partial \mathbf{t}} = \mathbf{h}(1 - \mathbf{h}) \odot \frac{\partial L}{\partial"],
    ),
    (
        r"Nudge $v_{11}$: the input scales it again",
        [r"\frac{\partial L}{\partial v_{11}} = x_1 \frac{\partial L}{\partial t_1}"],
    ),
    (
        r"Stack the first layer",
        [
            r"\mathbf{x}^\top \frac{\partial L}{\partial \mathbf{t}}",
            r"\frac{\partial L}{\partial \mathbf{c}} = \frac{\partial L}{\partial \mathbf{t}}",
        ],
    ),
    (
        r"What about the input? $\;\displaystyle\frac{\partial L}{\partial x_1} = {?}$",
        [r"= {?}", r"v_{11} \frac{\partial L}{\partial t_1} + v_{12} \frac{\partial L}{\partial t_2}"],
    ),
    (
        "Where paths meet, they add",
        [r"\frac{\partial L}{\partial \mathbf{x}} = \frac{\partial L}{\partial \mathbf{t}} \mathbf{V}^\top"],
    ),
    ("Notebook tasks", ["logistic_regression.ipynb", "mlp_sgd.ipynb", "Task 1: multi-layer perceptron, SGD"]),
]
FIGURES = {
    "Three paths on one objective": "paths",
    "Try it: step size and batch size": "demo",
    r"Forward: work out $L$ from left to right": "logistic-forward",
    r"Nudge $s$ by $\delta$ and watch it travel": "logistic-nudge-s",
    r"Nudge $b$: the same thing happens": "logistic-nudge-b",
    r"Nudge $w_1$: the input scales it": "logistic-nudge-w1",
    "Collect the derivatives, right to left": "logistic-backward",
    r"The same graph with $\mathbf{x}$ in one box": "logistic-vector",
    r"Try it: drag $\delta$": "nudge-logistic",
    "Forward through the network": "network-forward",
    r"Nudge $s$: nothing has changed": "network-nudge-s",
    "So the top layer is known already": "network-backward-top",
    r"Nudge $t_1$: through the sigmoid": "network-nudge-t1",
    r"Nudge $v_{11}$: the input scales it again": "network-nudge-v11",
    r"What about the input? $\;\displaystyle\frac{\partial L}{\partial x_1} = {?}$": "network-nudge-x1",
    "All of backpropagation": "network-backward",
    r"How large may $\delta$ be?": "nudge-network",
}
# The contract's symbols and those of its formulas: a letter that is not here has no meaning in the notebooks.
LETTERS = set("xXywbshtVcLRNSdHifev") | {
    r"\hat",
    r"\sigma",
    r"\tanh",
    r"\log",
    r"\eta",
    r"\lambda",
    r"\delta",
    r"\partial",
}


@pytest.fixture(scope="module")
def slides() -> list[str]:
    return build.slides_of(build.markdown())


def test_the_built_files_are_those_of_the_source() -> None:
    assert build.stale() == []


def test_a_second_build_gives_the_same_bytes(tmp_path: Path) -> None:
    if not build.MARP.exists():
        pytest.skip("Marp is not installed here; `make slides` installs it")
    build.build(tmp_path / "deck.html", pdf=None)
    assert (tmp_path / "deck.html").read_bytes() == build.HTML.read_bytes()


def titled(slides: list[str], title: str) -> str:
    """The one slide of that title."""
    (found,) = [text for text in slides if f"# {title}\n" in text]
    return found


@pytest.mark.parametrize(("title", "pieces"), ITEMS)
def test_an_item_is_on_its_slide(slides: list[str], title: str, pieces: list[str]) -> None:
    for piece in pieces:
        assert piece in titled(slides, title)


@pytest.mark.parametrize(("title", "name"), FIGURES.items())
def test_a_figure_is_on_its_slide(slides: list[str], title: str, name: str) -> None:
    assert build.figure(name) in titled(slides, title)


def test_the_outline_returns_before_each_part_with_that_part_marked(slides: list[str]) -> None:
    parts = [title for _, titles in build.PARTS for title in titles]
    marked = [
        re.findall(r'aria-current="step">([^<]+)<', text) for text in slides if text.strip().startswith("## Outline")
    ]
    assert marked == [[], *[[part] for part in parts]]


def test_the_minutes_of_the_notes_fill_an_hour_with_25_of_notebook_work(slides: list[str]) -> None:
    notes = [re.findall(r"<!--\s(?!_)(.+?)-->", text, re.S) for text in slides]
    assert all(note for note in notes), "a slide without speaker notes"
    minutes = [int(m) for text in slides for m in re.findall(r"Minutes: (\d+)", text)]
    assert sum(minutes) == 60
    assert re.search(r"Minutes: 25, all of it in the notebooks", slides[-1])


def test_a_part_begins_with_its_minutes(slides: list[str]) -> None:
    for number, text in enumerate(slides, 1):
        if "aria-current" in text or number == 1:
            assert "Minutes: " in text


def test_solutions_come_out_on_the_friday_of_the_week_after() -> None:
    course = build.read_course()
    assert course["solutions_on"] == datetime.date(2017, 9, 1)
    assert build.day(course["solutions_on"]) == "Friday 1 September 2017"


def test_another_semester_changes_the_dates_with_the_one_file(tmp_path: Path) -> None:
    text = (SLIDES / "course.yml").read_text("utf-8").replace("2017-07-24", "2018-07-23")
    (tmp_path / "course.yml").write_text(text, "utf-8")
    assert build.day(build.read_course(tmp_path / "course.yml")["solutions_on"]) == "Friday 31 August 2018"


def test_the_source_holds_no_semester_data() -> None:
    text = (SLIDES / "deck.md").read_text("utf-8")
    assert not re.search(r"20\d\d|AH\d|COMP|\d\d:\d\d", text)


def letters(formula: str) -> set[str]:
    """The letters and Greek letters of a formula, without words, spacing and layout."""
    formula = re.sub(r"\\mathbf\{(\w)\}", r" \1", formula)
    bare = re.sub(r"\\(text|mathrm|operatorname|texttt)\{[^}]*\}|\\(begin|end)\{\w+\}", " ", formula)
    words = "frac|dfrac|top|approx|infty|Big|sum|min|quad|qquad|displaystyle|leftarrow|odot|ldots|dots|mid|in|cdot"
    words += "|times|left|right"
    bare = re.sub(rf"\\(?:{words})(?![a-zA-Z])|\\[^a-zA-Z]", " ", bare)
    return set(re.findall(r"\\[a-zA-Z]+|[a-zA-Z]", bare))


def test_the_slides_use_the_symbols_of_the_contract_only(slides: list[str]) -> None:
    for number, text in enumerate(slides, 1):
        for formula in build.formulas(text):
            rest = formula.replace("p(y =", "(y =").replace("; W)", ")")  # the log-loss in general
            assert letters(rest) <= LETTERS, (number, formula)


NOTEBOOKS = sorted((ROOT / "source").glob("*/*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebooks_use_the_same_symbols(notebook: Path) -> None:
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            for formula in build.formulas("".join(cell["source"])):
                assert letters(formula) <= LETTERS | {*"jkpP", r"\theta"}, formula
                assert set(re.findall(r"\\mathbf\{(\w)\}", formula)) <= {*graphs.VECTORS, "X", "e"}, formula


def test_the_graphs_use_the_symbols_of_the_contract_only() -> None:
    for name, figure in figures.all_figures().items():
        for tex in re.findall(r'data-tex="([^"]*)"', figure.svg()):
            assert letters(tex) - {r"\Delta", r"\to"} <= LETTERS, (name, tex)


def test_the_pdf_has_a_page_for_each_slide_with_its_title(slides: list[str]) -> None:
    document = pypdfium2.PdfDocument(build.PDF)
    pages = [page.get_textpage().get_text_bounded() for page in document]
    assert len(pages) == len(slides)
    for text, page in zip(slides, pages, strict=True):
        title = re.search(r"^##? (.+)$", text, re.M)
        assert title is not None
        for piece in re.split(r"\$.*?\$", title.group(1)):
            assert re.sub(r"\s+", "", piece) in re.sub(r"\s+", "", page)


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [ink.INK, ink.SOFT, ink.BLUE, ink.RED, ink.ORANGE])
def test_colours_stand_out_from_the_paper(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_no_lock_or_page_names_a_host_that_would_be_asked() -> None:
    lock = (SLIDES / "package-lock.json").read_text("utf-8")
    assert "resolved" not in lock
    assert "://" not in lock
    page = build.HTML.read_text("utf-8")
    assert not re.search(r"""(src|href)=["']?https?:|@import|url\(["']?https?:""", page)
