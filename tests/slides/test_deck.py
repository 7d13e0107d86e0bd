"""The slides: nothing is stale, nothing of the workshop is missing, and they fit the hour and the semester."""

from __future__ import annotations

import datetime
import html
import json
import re
import sys
from pathlib import Path

import pypdfium2
import pytest

ROOT = Path(__file__).parents[2]
SLIDES = ROOT / "slides"
NOTEBOOKS = sorted((ROOT / "source").glob("*/*.ipynb"))
sys.path.insert(0, str(SLIDES))
import build  # noqa: E402
import figures  # noqa: E402
import graphs  # noqa: E402
import ink  # noqa: E402
import speech  # noqa: E402

from workshop import plots, points  # noqa: E402

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
        [
            'href="https://trevorcohn.github.io/comp90051-2017/workshops"',
            "Friday 1 September 2017",
            "the next Friday, a week later",
        ],
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
            r"$\mathrm{grad} = \displaystyle\frac{\partial\,\mathrm{obj}}{\partial \mathbf{w}} = \frac{1}{N}",
            r"\frac{\partial L_i}{\partial \mathbf{w}}",
            r"\mathbf{w} \leftarrow \mathbf{w} - \eta\,\mathrm{grad}",
            "doesn’t change",
        ],
    ),
    (
        "SGD, online: one point, then a step",
        [
            "sample $i$ from $1 \\ldots N$",
            "take $i = 1, 2, \\ldots N$ in turn",
            "SGD has other variants: **online learning**",
        ],
    ),
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
            r"-\log p(y = y_i \mid \mathbf{x} = \mathbf{x}_i; \mathbf{W})",
            r"\hat{y} = p(y = 1 \mid \mathbf{x}; \mathbf{W})",
            r"-(1 - y)\log(1 - \hat{y}) - y \log \hat{y}",
            r"\begin{cases}",
        ],
    ),
    (
        "Logistic regression on 2-D points",
        [
            r"\mathbf{x} = \begin{pmatrix} x_1 & x_2 \end{pmatrix}",
            r"\mathbf{w} = \begin{pmatrix} w_1 \\ w_2 \end{pmatrix}",
            r"s = f(\mathbf{x}; \mathbf{w}, b) = x_1 w_1 + x_2 w_2 + b",
            r"\hat{y} = \sigma(s) = \frac{1}{1 + e^{-s}}",
            r"L = -(1 - y)\log(1 - \hat{y}) - y \log \hat{y}",
            r"\frac{\partial L}{\partial s} = \frac{1}{1 + e^{-s}} - y = \hat{y} - y",
        ],
    ),
    (
        r"Why $\hat{y} - y$: two slopes, multiplied",
        [r"\frac{\partial L}{\partial \hat{y}} \frac{\partial \hat{y}}{\partial s} = \hat{y} - y"],
    ),
    (
        "From one point to a batch",
        [
            r"\frac{1}{N} \sum_{i=1}^{N} \mathbf{x}_i^\top (\hat{y}_i - y_i)",
            r"= \frac{1}{N}\,\mathbf{X}^\top (\hat{y} - y)",
            "**row**",
        ],
    ),
    (
        "What too large a step does",
        [r"\eta\lambda > 2", r"$\eta = 32$ bounces"],
    ),
    (r"Nudge $s$ by $\delta$ and watch it travel", [r"\frac{\partial L}{\partial s} = \hat{y} - y"]),
    (
        r"Nudge $b$: the same thing happens",
        [r"\frac{\partial L}{\partial b} = \frac{\partial L}{\partial s} = \hat{y} - y"],
    ),
    (r"Nudge $w_1$: the input scales it", [r"\frac{\partial L}{\partial w_1} = x_1 \frac{\partial L}{\partial s}"]),
    (
        "Stack the weights: one vector",
        [
            r"\mathbf{x}^\top \frac{\partial L}{\partial b}",
            r"\frac{\partial L}{\partial b} \begin{pmatrix} w_1 & w_2 \end{pmatrix}",
            r"\frac{\partial L}{\partial b} \mathbf{w}^\top",
        ],
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
            r"\begin{pmatrix} \frac{\partial L}{\partial v_{11}} & \frac{\partial L}{\partial v_{12}} \\",
            r"\mathbf{x}^\top \frac{\partial L}{\partial \mathbf{t}}",
            r"\frac{\partial L}{\partial \mathbf{c}} = \frac{\partial L}{\partial \mathbf{t}}",
        ],
    ),
    (
        r"What about the input? $\;\partial L/\partial x_1 = {?}$",
        [r"= {?}", r"v_{11} \frac{\partial L}{\partial t_1} + v_{12} \frac{\partial L}{\partial t_2}"],
    ),
    (
        "Where paths meet, they add",
        [
            r"\begin{pmatrix} \frac{\partial L}{\partial x_1} & \frac{\partial L}{\partial x_2} \end{pmatrix}",
            r"\frac{\partial L}{\partial \mathbf{x}} = \frac{\partial L}{\partial \mathbf{t}} \mathbf{V}^\top",
        ],
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
    "The same graph in vectors": "network-vector",
    "Try it: the boundary bends": "demo-network",
    r"Nudge $s$: nothing has changed": "network-nudge-s",
    "So the top layer is known already": "network-backward-top",
    r"Nudge $t_1$: through the sigmoid": "network-nudge-t1",
    r"Nudge $v_{11}$: the input scales it again": "network-nudge-v11",
    r"What about the input? $\;\partial L/\partial x_1 = {?}$": "network-nudge-x1",
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
    parts = [title for depth, title in build.OUTLINE if depth]
    marked = [
        re.findall(r'aria-current="step">([^<]+)<', text) for text in slides if text.strip().startswith("## Outline")
    ]
    assert marked == [[], *[[part] for part in parts]]


def test_the_minutes_of_the_notes_fill_an_hour_with_that_of_the_notebooks(slides: list[str]) -> None:
    notes = [re.findall(r"<!--\s(?!_)(.+?)-->", text, re.S) for text in slides]
    assert all(note for note in notes), "a slide without speaker notes"
    minutes = [int(m) for text in slides for m in re.findall(r"Minutes: (\d+)", text)]
    assert sum(minutes) == 60
    assert minutes[-1] == build.read_course()["minutes"]["notebooks"]


def test_the_minutes_on_the_slides_are_those_that_the_notebooks_state() -> None:
    minutes = build.read_course()["minutes"]
    for notebook in NOTEBOOKS:
        text = "".join("".join(cell["source"]) for cell in json.loads(notebook.read_text("utf-8"))["cells"])
        for stated in re.findall(r"\*\*Time:\*\* (\d+) minutes", text):
            assert int(stated) == minutes[notebook.stem]
        for last, now in re.findall(r"Questions 1 to (\d+) are for the workshop \((\d+) minutes", text):
            assert (int(last), int(now)) == (minutes["questions"], minutes["notebooks"])


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
            rest = formula.replace("p(y =", "(y =").replace(r"; \mathbf{W})", ")")  # the log-loss in general
            assert letters(rest) <= LETTERS, (number, formula)


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


SMALL_TEXT = ("ink", "soft", "nudge", "slope", "central")
LINES_AND_LARGE_TEXT = ("class-0", "class-1", "line-1", "line-2")


@pytest.mark.parametrize("dark", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", [*SMALL_TEXT, *LINES_AND_LARGE_TEXT])
def test_colours_stand_out_from_the_paper(name: str, dark: int) -> None:
    pair = sorted(luminance(ink.PALETTE[key][dark]) for key in (name, "paper"))
    assert (pair[1] + 0.05) / (pair[0] + 0.05) >= (4.5 if name in SMALL_TEXT else 3)


def test_the_classes_look_as_in_the_notebooks() -> None:
    drawn = figures.all_figures()["demo"].svg()
    _, y = points.blobs(rng=5, noise=1.4)
    for label, (colour, marker) in enumerate(zip(plots.CLASS_COLOURS, plots.CLASS_MARKERS, strict=True)):
        shape = {"o": "circle", "s": "path"}[marker]
        of_the_class = re.findall(rf'<{shape} [^>]*fill="var\(--class-{label}, {colour}\)"', drawn)
        assert len(of_the_class) == sum(y == label) + 1  # and one in the key


def objective(eta: float, steps: int) -> list[float]:
    X, y = points.blobs(rng=5, noise=1.4)
    return [float(x) for x in figures.gradient_descent(points.standardise(X), y, eta, steps)[2]]


@pytest.mark.parametrize("eta", [0.5, 20])
def test_a_step_size_that_is_said_to_arrive_does(eta: float) -> None:
    heights = objective(eta, 3000)
    assert heights[-1] == pytest.approx(heights[-2], abs=1e-9)
    assert heights[-1] == pytest.approx(min(heights), abs=1e-6)


def test_a_step_size_that_is_said_to_crawl_is_far_from_the_end_after_the_steps_drawn() -> None:
    assert objective(0.01, figures.STEPS)[-1] > 2 * min(objective(0.5, 3000))


def test_a_step_size_that_is_said_to_bounce_goes_between_two_places_for_ever() -> None:
    heights = objective(32, 3000)
    assert heights[-1] == pytest.approx(heights[-3], abs=1e-9)
    assert abs(heights[-1] - heights[-2]) > 0.1


@pytest.mark.parametrize(("eta", "grows"), [(1.99 / figures.LAMBDA, False), (2.05 / figures.LAMBDA, True), (220, True)])
def test_the_objective_grows_without_end_only_where_eta_times_lambda_is_above_2(eta: float, grows: bool) -> None:
    assert (objective(eta, 1500)[-1] > 1e9) == grows


WORDS = [
    (r"\frac{1}{1 + e^{-x}}", "1 over open bracket 1 plus e to the minus x close bracket", "1/(1 + e⁻ˣ)"),
    (r"h_1(1 - h_1)", "h 1 open bracket 1 minus h 1 close bracket", "h₁(1 − h₁)"),
    (r"\frac{a + b}{2}", "open bracket a plus b close bracket over 2", "(a + b)/2"),
    (r"\frac{\partial L}{\partial \mathbf{w}}", "d L over d vector w", "∂L/∂w"),
    (r"\mathbf{V}^\top", "matrix V transposed", "Vᵀ"),
    (r"\sum_{i \in S} L_i", "the sum over i in S of L i", "Σ_(i∈S) Lᵢ"),
    (r"(1 + x)^2", "open bracket 1 plus x close bracket squared", "(1 + x)²"),
    (r"e^{a + b}", "e to the open bracket a plus b close bracket", "e^(a+b)"),
    (r"-0.562", "minus 0.562", "−0.562"),
]


@pytest.mark.parametrize(("formula", "words", "typed"), WORDS)
def test_a_formula_is_read_out_and_typed_with_all_its_brackets(formula: str, words: str, typed: str) -> None:
    assert speech.spoken(formula) == words
    assert speech.plain(formula) == typed


def test_no_formula_is_read_out_with_tex_in_it(slides: list[str]) -> None:
    shown = [formula for text in slides for formula in build.formulas(text)]
    drawn = [
        html.unescape(t) for f in figures.all_figures().values() for t in re.findall(r'data-tex="([^"]*)"', f.svg())
    ]
    for formula in [*shown, *drawn]:
        assert not re.search(r"[\\{}_^&]|\bquad\b|\bdfrac\b", speech.spoken(formula)), formula
        assert speech.spoken(formula).count("open bracket") == speech.spoken(formula).count("close bracket"), formula
        assert "\\" not in speech.plain(formula)


def test_the_pdf_is_tagged_and_says_every_formula_and_figure(slides: list[str]) -> None:
    paper = build.PDF.read_bytes()
    assert b"/Marked true" in paper
    assert b"/Outlines" in paper
    said = set(re.findall(rb"/Alt \(((?:[^()\\]|\\.)*)\)", paper))
    for formula in {formula for text in slides for formula in build.formulas(text)}:
        assert speech.spoken(formula).encode() in said, formula
    for name, figure in figures.all_figures().items():
        assert any(words.startswith(figure.says[:40].encode()) for words in said), name


def test_a_formula_can_be_searched_for_in_the_pdf() -> None:
    document = pypdfium2.PdfDocument(build.PDF)
    text = "".join(page.get_textpage().get_text_bounded() for page in document)
    for words in ("∂L/∂s = ŷ − y", "+x₁h₁(1 − h₁)w₁δ", "∂L/∂V", "+v₁₂δ"):
        assert words in text


def test_try_it_slides_say_on_paper_what_was_to_be_seen(slides: list[str]) -> None:
    for text in slides:
        assert ("data-live" in text) == ('class="paper">To be seen: ' in text)


def test_apostrophes_are_curly(slides: list[str]) -> None:
    for text in slides:
        assert not re.search(r"[a-z]'[a-z]", re.sub(r"<svg.*?</svg>|<!--.*?-->", "", text, flags=re.S))


@pytest.mark.parametrize("name", [n for n in figures.all_figures() if n.startswith(("logistic-", "network-"))])
def test_the_boxes_of_a_graph_stand_at_one_place_on_every_slide(name: str) -> None:
    def boxes(figure: str) -> set[str]:
        return set(re.findall(r'<rect x="[\d.]+" y="[\d.]+" width="84"', figures.all_figures()[figure].svg()))

    model = name.partition("-")[0]
    known = boxes(f"{model}-forward") | boxes(f"{model}-vector")
    assert boxes(name) <= known
    assert figures.all_figures()[name].width == ink.WIDTH


def test_no_lock_or_page_names_a_host_that_would_be_asked() -> None:
    lock = (SLIDES / "package-lock.json").read_text("utf-8")
    assert "resolved" not in lock
    assert "://" not in lock
    page = build.HTML.read_text("utf-8")
    assert not re.search(r"""<(?!a )[^>]*(src|href)=["']?https?:|@import|url\(["']?https?:""", page)
