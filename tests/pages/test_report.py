"""Feedback and the class report say what they should, and nothing runs or is loaded in them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from dateutil import tz
from nbconvert import HTMLExporter
from nbformat import v4

from browser import chromium
from examiner.batch.job import no_submission
from examiner.course.gradebook import Marked, apply_marks
from examiner.course.notebook import marked_notebook
from examiner.grading.assignment import Assignment
from examiner.grading.grade import restored
from examiner.grading.result import CellOutput, Mark, Result
from examiner.pages import class_report
from examiner.pages.alike import groups_alike, shape_of
from examiner.pages.class_report import report_html
from examiner.pages.feedback import TEMPLATES, feedback_html, look
from examiner.pages.markup import (
    FILTERS,
    harmless,
    markdown_to_html,
    math_to_mathml,
    plain_name,
    python_to_html,
    sanitised,
)
from examiner.pages.mistakes import in_general
from examiner.pages.questions import folded
from examiner.pages.summary import Summary
from hostile_page import hostile_notebook, with_outputs
from mini_course import answered, source_notebook

MINI = Assignment.from_notebook(json.dumps(source_notebook()).encode(), "mini")


def result(double: str, scores: dict[str, float | None], **messages: str) -> Result:
    """A result as grade() gives it, with this answer to `double`."""
    cells = []
    for cell in answered(double=double).cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cells.append(CellOutput(name, cell.cell_type, cell.source))
    marks = tuple(
        Mark(c.grade_id, c.question, c.points, scores.get(c.grade_id, c.points), messages.get(c.grade_id, ""), None)
        for c in MINI.graded
    )
    return Result("mini", marks, (), (), "test", 0, "", 1.0, tuple(cells))


def marked(student: str, graded: Result) -> Marked:
    scores = {mark.grade_id: mark.score or 0.0 for mark in graded.marks}
    return Marked(student, scores=scores, waiting={m.grade_id for m in graded.marks if m.score is None})


def summary(results: dict[str, Result], **more: Any) -> Summary:
    found = Summary({"mini": MINI}, **more)
    for student, graded in results.items():
        found.add(MINI, student, graded, marked(student, graded))
    return found


@pytest.mark.parametrize(
    "tex",
    [
        r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
        r"\frac{\partial L}{\partial \mathbf{w}} = \mathbf{x}^\top (\hat{y} - y)",
        r"L = \begin{cases} -\log \hat y & y = 1 \\ -\log(1 - \hat y) & y = 0 \end{cases}",
        r"\text{<script>alert(1)</script>}",
        r"\href{javascript:alert(1)}{x}",
        r"\text{<mi onclick='x'>}",
        r"}{",
        r"\frac{",
    ],
)
def test_maths_is_mathml_and_nothing_else(tex: str) -> None:
    drawn = math_to_mathml(tex)
    assert "&amp;=" not in drawn and "<script" not in drawn
    for tag in re.findall(r"<[^>]*>", drawn):
        assert re.fullmatch(r"</?(m[a-z]+|code)(\s+[a-z]+=\"[^\"]*\")*\s*/?>", tag), tag
        assert not re.search(r"\b(on\w+|href)=", tag)


def test_a_students_markdown_can_run_and_load_nothing() -> None:
    page = markdown_to_html("<img src=x onerror=alert(1)> [a](javascript:b) ![c](http://d.e/f.png) <script>g</script>")
    assert not re.search(r"<(img|script)|javascript:|http://d", page)


@pytest.mark.parametrize(
    "markup",
    [
        '<p id="explain" name="explain" class="full-credit nbgrader_cell" style="position:fixed" data-link="/x">t</p>',
        '<div onclick="x()" onmouseover=x() tabindex=1 accesskey=x contenteditable draggable=true hidden>t</div>',
        '<a href="/formgrader/api" target="_top" download ping="http://x">t</a><a href="#explain">t</a>',
        '<a href="JaVaScRiPt:x()">t</a><a href=" data:text/html,x">t</a><a href="//x.y">t</a>',
        '<form action="/x"><input id=explain><button>t</button><select><option>t</select><textarea>t</textarea></form>',
        '<label for="explain">t</label><fieldset>t</fieldset><dialog open>t</dialog><summary slot=x>t</summary>',
        '<svg><style>*{}</style><script>x</script><a xlink:href="javascript:x">t</a><use href="#x"/></svg>',
        '<iframe srcdoc="x"></iframe><object data="x"></object><embed src=x><frame><portal></portal>',
        '<img src="data:image/svg+xml;base64,AAAA"><img src="http://x/y.png"><img src=x srcset="y 2x" onerror=x>',
        '<img src="data:image/png;base64,AA#" onerror=x"><picture><source srcset=x></picture><video src=x>t</video>',
        '<meta http-equiv=refresh content="0;url=x"><base href="x"><link rel=stylesheet href=x><style>*{}</style>',
        "<math href='javascript:x' id=a class=b><mi style='x' xlink:href='x'>t</mi><mspace width='-9em'/></math>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=x&gt;'>",
        "<noscript><p title='</noscript><img src=x onerror=x>'></noscript><template><img onerror=x></template>",
        "<plaintext>t <xmp><img onerror=x></xmp> <!-- <img onerror=x> --> <![CDATA[<img onerror=x>]]> <?x <img>?>",
        "<math><annotation-xml encoding='text/html'><img src=x onerror=x></annotation-xml></math><mspace width=999px>",
    ],
)
def test_what_is_sanitised_acts_loads_and_names_nothing(markup: str) -> None:
    for tag in re.findall(r"<[^>]*>", sanitised(markup)):
        assert not re.search(r"(?i)\b(id|name|style|for|slot|tabindex|target|srcset|data-\w+|on\w+)=", tag), tag
        assert not re.search(r"(?i)<(script|style|svg|iframe|object|embed|form|input|button|label|meta|base|link)", tag)
        assert not re.search(r"(?i)\b(src|href|class|width|height)=", tag), tag


def test_what_people_read_stays() -> None:
    text = "# A *b* **c** ~~d~~ `e`\n\n1. one\n\n> quote\n\n| x | y |\n|---|---|\n| 1 | $\\frac{a}{b}$ |\n\n[f](https://g.h)"
    page = markdown_to_html(text + " ![i](data:image/png;base64,AAAA)\n\n```python\ndef j(): return 1\n```")
    for tag in ("h1", "em", "strong", "del", "code", "ol", "blockquote", "table", "mfrac", "pre"):
        assert f"<{tag}>" in page
    assert '<a href="https://g.h" rel="noopener noreferrer">f</a>' in page
    assert '<img src="data:image/png;base64,AAAA"' in page and '<span class="k">def</span>' in page


def test_code_is_coloured_and_never_markup() -> None:
    shown = python_to_html("x = '</pre><script>' # <img onerror=x>")
    assert "<script" not in shown and "<img" not in shown and '<span class="o">=</span>' in shown


def test_of_a_whole_notebook_nothing_is_left_that_a_template_would_put_into_a_page() -> None:
    nb = nbformat.from_dict(with_outputs(json.loads(json.dumps(hostile_notebook()))))
    shown = json.dumps(harmless(nb))
    assert all(cell.cell_type in ("code", "markdown") and re.fullmatch(r"cell-\d+", cell.id) for cell in nb.cells)
    assert not re.search(r"celltag|attachments|widget|javascript\"|svg\+xml\"|isolated|\"tags\"|\"title\"", shown)
    names = [cell.metadata.nbgrader.grade_id for cell in nb.cells if "nbgrader" in cell.metadata]
    assert len(names) == len(set(names)) > 3


def test_a_name_is_kept_without_its_markup() -> None:
    assert plain_name("Zoë O'Brien-Lee & Sons") == "Zoë O'Brien-Lee & Sons"
    assert plain_name('<img src=x onerror="x">Eve\u202e') == "img src=x onerror= x Eve\ufffd"


def test_feedback_has_marks_words_and_own_work_but_no_hidden_test() -> None:
    graded = result("return x", {"test_double": 0.0, "explain": None}, test_double="double(2) is not 4.")
    nb = marked_notebook(MINI, graded)
    for cell in nb.cells:
        if "nbgrader" in cell.metadata and cell.metadata.nbgrader.get("grade"):
            score = marked("ada", graded).scores[cell.metadata.nbgrader.grade_id]
            cell.metadata.nbgrader["score"] = score
    page = feedback_html(nb, student="ada", assignment="mini")
    assert "double(2) is not 4." in page
    assert "SECRET_OF_THE_TEST" not in page and "BEGIN HIDDEN" not in page
    assert "One mark for the" not in page  # the marking guide
    assert "SECRET_OF_THE_TEST" in json.dumps(nb)  # which the tutor's notebook does have


def test_what_several_tests_say_of_a_question_is_said_once_in_its_row() -> None:
    same = "shift raised SystemExit."
    graded = result("return x", {}, test_shift_right=same, test_shift_left=same)
    nb = marked_notebook(MINI, graded)
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata.nbgrader["score"] = 0.0
    table = feedback_html(nb, student="ada", assignment="mini").split("Your notebook")[0]
    assert table.count(same) == 1


def test_the_report_counts_mistakes_and_shows_the_answers_that_made_them() -> None:
    wrong = {"test_double": 0.0}
    results = {
        "ada": result("return x", wrong, test_double="double(2) is 2, not 4."),
        "bob": result("return  x", wrong, test_double="double(3) is 3, not 6."),
        "cy": result("return 2 * x", {}),
        "dee": no_submission(MINI),
    }
    found = summary(results)
    (mistake,) = found.mistakes()
    assert (mistake.question, sorted(mistake.students)) == ("double", ["ada", "bob"])
    page = report_html(found)
    assert page.count('<details class="mistake"') == 1
    assert "left unanswered by 1" in page and page.count("<script") == 1
    assert (
        "1 double: a mistake without a name" in page and "is 2, not 4" in page
    )  # what was said of one, beside that one


@pytest.mark.parametrize(
    ("message", "general"),
    [
        ("grad_w is wrong in 3 of its 3 entries.\n    entry [1]: yours 1, ratio 13\nEvery entry is 13 times the finite "
         "difference, and N = 13. Did you take the sum?", "Did you take the sum?"),
        ("minibatches(12, 5, rng) leaves out 2 of 12 points: is the last batch dropped?", "is the last batch dropped?"),
        ("minibatches(50, 8, rng) does not give each point once.", "minibatches does not give each point once."),
        ("w after 1 step (max_steps=1) is wrong in 3 of its 3 entries.\n    entry [2]: yours 1", "w is wrong."),
        ("sizes [3, 4] are not [4, 3].", ""),
        ("s is wrong in 2 of its 2 entries.\n    entry [1]: yours 1\n"
         "It may be one of these, which give the same numbers here:\n  • It is halved.\n  • It is a mean.",
         "It may be one of these, which give the same numbers here: • It is halved. • It is a mean."),
    ],
)  # fmt: skip
def test_what_is_said_of_all_has_nobodys_numbers(message: str, general: str) -> None:
    assert in_general(message) == general


def test_the_report_runs_its_own_script_and_no_other() -> None:
    page = report_html(summary({"ada": result("return 2 * x", {})}))
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert f"script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in page


@pytest.mark.parametrize(
    ("said", "root"),
    [
        ("http://localhost:8889/lab?token=abc", "http://localhost:8889"),
        ("https://lab.uni.edu/user/ada/", "https://lab.uni.edu/user/ada"),
        ("javascript:alert(1)", "http://localhost:8888"),
        ("", "http://localhost:8888"),
    ],
)
def test_the_links_to_jupyterlab_follow_where_it_runs(tmp_path: Path, said: str, root: str) -> None:
    page_file = tmp_path / "class_report.html"
    page_file.write_text(report_html(summary({"ada": result("return x", {"test_double": 0.0}, test_double="No.")})))
    with chromium() as browser:
        page = browser.new_page()
        page.goto(page_file.as_uri())
        page.fill("#served", said)
        addresses = [link.get_attribute("href") or "" for link in page.get_by_text("notebook", exact=True).all()]
        assert addresses and all(one.startswith(f"{root}/lab/tree/autograded/ada/mini/") for one in addresses)


WRONG = {f"s{i}": result(f"return {i}", {"test_double": 0.0}, test_double=f"Mistake {'abcdefg'[i]}.") for i in range(7)}


def test_what_the_reader_has_before_them_stays_where_the_page_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_report, "RENEWED", 1)
    page_file = tmp_path / "class_report.html"

    def write(results: dict[str, Result], renewed: bool) -> None:
        found = summary(results)
        found.renewed = renewed
        page_file.write_text(report_html(found))

    write(WRONG, True)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 800, "height": 300})
        page.goto(f"{page_file.as_uri()}#alike-mini")
        page.locator("#search").press_sequentially("mistake")
        opened = page.locator("details.mistake").filter(has_text="Mistake d.")
        opened.locator("summary").click()
        opened.evaluate("one => window.scrollBy(0, one.getBoundingClientRect().top - 60)")
        page.evaluate(
            "() => { const box = at('search'); box.focus({preventScroll: true}); box.setSelectionRange(2, 2) }"
        )
        top = opened.evaluate("one => one.getBoundingClientRect().top")
        write(WRONG | {"new": result("return x", {"test_shift_left": 0.0}, test_shift_left="Mistake z.")}, False)
        page.locator("details.mistake").filter(has_text="Mistake z.").wait_for(state="attached")
        page.wait_for_load_state()
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert opened.evaluate("one => one.open") and page.input_value("#search") == "mistake"
        assert page.evaluate("() => [document.activeElement.id, at('search').selectionStart]") == ["search", 2]
        assert abs(opened.evaluate("one => one.getBoundingClientRect().top") - top) < 2
        assert page.evaluate("() => document.documentElement.dataset.renewed") is None


def test_a_search_leaves_no_heading_above_nothing(tmp_path: Path) -> None:
    page_file = tmp_path / "class_report.html"
    more = {
        f"bob{i}": result(f"return {i}", {"test_shift_left": 0.0}, test_shift_left="To the left.") for i in range(2)
    }
    page_file.write_text(report_html(summary(WRONG | more)))
    with chromium() as browser:
        page = browser.new_page()
        page.goto(page_file.as_uri())
        before = page.locator("h3:visible, h4:visible, details:visible").count()
        page.fill("#search", "to the left")
        assert page.locator("h4:visible").count() == 1 and "shift" in page.inner_text("h4:visible")
        assert page.locator("details.more:visible").count() == 0
        page.fill("#search", "zzz")
        assert page.locator("h4:visible, details:visible, tr.person:visible").count() == 0
        page.fill("#search", "")
        assert page.locator("h3:visible, h4:visible, details:visible").count() == before


def test_a_written_answer_is_no_hard_question_before_a_person_marks_it() -> None:
    waits, blank = {"explain": None, "test_double": 1.0}, {"explain": 0.0, "test_double": 1.0}
    page = report_html(summary({"ada": result("return 2 * x", waits), "bob": result("return 2 * x", blank)}))
    assert "<b>Hardest:</b> 1 double (50 % of its marks).</p>" in page


def test_sessions_come_in_the_timetables_order() -> None:
    results = {name: result("return 2 * x", {}) for name in ("ada", "bob")}
    page = report_html(summary(results, session_of={"ada": "Friday", "bob": "Tuesday"}, sessions=["Tuesday", "Friday"]))
    assert page.index("<td>Tuesday</td>") < page.index("<td>Friday</td>")


def test_a_session_without_a_mistake_has_no_hardest_question() -> None:
    page = report_html(summary({"ada": result("return 2 * x", {})}, session_of={"ada": "Friday"}, sessions=["Friday"]))
    assert re.search(r"<td[^>]*>none</td>", page)


def test_who_is_on_the_roster_and_handed_in_nothing_is_named() -> None:
    page = report_html(summary({"ada": result("return 2 * x", {})}, session_of={"ada": "1", "zoe": "1"}))
    assert "<b>1</b> on the roster did not: zoe." in page


LONG = """
def double(x):
    {a} = []
    for {b} in x:
        if {b} > 0:
            {a}.append({b} + {b})
        elif {b} < 0:
            {a}.append(-(abs({b}) + abs({b})))
        else:
            {a}.append(0 * {b})
    return np.array({a}).reshape(np.shape(x)) + 0
"""


def test_names_comments_and_layout_do_not_hide_a_copy() -> None:
    one = shape_of(LONG.format(a="result", b="value"))
    other = shape_of('"""Mine."""\n# my own\n' + LONG.format(a="out", b="entry").replace("    ", "  "))
    assert one == other != ""
    assert one != shape_of(LONG.format(a="result", b="value").replace("+ 0", "+ 1"))
    assert shape_of("def f(x): return 2 * x") == ""  # too short to tell


def test_near_identical_answers_are_grouped_and_common_ones_are_not() -> None:
    rare, common = ["ada", "bob"], [f"s{i}" for i in range(60)]
    answers = {question: {"code:rare": rare, "code:everyone's": common} for question in ("double", "shift")}
    assert groups_alike(answers) == [(("ada", "bob"), ("double", "shift"))]


def test_many_like_notes_are_told_once() -> None:
    notes = [f"the cell q{i} had lost its id; it was known by its text" for i in range(30)] + ["something else"]
    assert folded(notes) == [
        "The cell q0 had lost its id; it was known by its text – and 29 other cells likewise.",
        "Something else.",
    ]


def test_the_look_changes_with_the_templates() -> None:
    assert len(look()) == 64
    assert (Path(TEMPLATES) / "style.css").exists()


def test_a_notebook_that_cannot_be_read_is_not_counted_as_unanswered() -> None:
    message = "The notebook can't be read: its JSON is broken."
    marks = tuple(Mark(c.grade_id, c.question, c.points, 0.0, message, "unreadable") for c in MINI.graded)
    broken = Result("mini", marks, (), (message,), "test", 0, "", 1.0)
    blank = result("raise NotImplementedError()", {"test_double": 0.0}, test_double="This answer is not written yet.")
    found = summary({"bo": broken, "cy": blank})
    assert "bo" not in {student for who in found.unanswered()["mini"].values() for student in who}
    assert not any("bo" in mistake.students for mistake in found.mistakes())
    assert ("mini", "bo") in {(row.assignment, row.student) for row in found.rows()}


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


@pytest.mark.parametrize(
    "text",
    [
        "See ![image.png](attachment:image.png)",
        'See <img src="attachment:image.png" width="300" />',
        f"See ![](data:image/png;base64,{PIXEL}) " + "and so on, " * 10,
    ],
)
def test_a_picture_in_an_answer_is_shown(text: str) -> None:
    page = markdown_to_html(text, attachments={"image.png": {"image/png": PIXEL}})
    assert f'src="data:image/png;base64,{PIXEL}"' in page and "See" in page


def test_feedback_has_the_students_own_plots_name_and_lateness() -> None:
    notebook = answered()
    plot = v4.new_output("display_data", data={"image/png": PIXEL, "text/html": "<script>x</script>"})
    notebook.cells.insert(3, v4.new_code_cell("plot()", outputs=[plot]))
    nb = marked_notebook(MINI, restored(json.dumps(notebook).encode(), MINI))
    due = datetime(2017, 8, 28, 7, 0)
    late = Marked("ada", due + timedelta(hours=26, minutes=5), duedate=due, first_name="Ada", last_name="L")
    page = feedback_html(apply_marks(nb, late, tz.gettz("Australia/Melbourne")), student="ada", assignment="mini")
    assert page.count(f'<img src="data:image/png;base64,{PIXEL}"') == 1 and "<script" not in page
    assert "Ada L (ada)" in page and "due Monday 28 August 2017, 17:00 AEST: <b>1 day 2 hours late</b>" in page


def test_a_large_picture_makes_no_text_too_long_to_set() -> None:
    large = PIXEL.replace("=", "") + "A" * 100_000
    assert "<em>well</em>" in markdown_to_html(f"*well* ![](data:image/png;base64,{large})")


@pytest.mark.parametrize(
    "text", ["attachment:a ![](attachment:a) ", "[a]: attachment:a\n\n" + "![a] ", "![](data:image/png;base64,AAAA)"]
)
@pytest.mark.parametrize("ours", [False, True])
def test_a_picture_is_in_a_page_once_however_often_it_is_named(text: str, ours: bool) -> None:
    first, again = text.rsplit("\n", 1)[:-1], text.rsplit("\n", 1)[-1]
    many = "\n".join([*first, again * 1000]).replace("base64,AAAA", f"base64,{PIXEL}", 1)
    page = markdown_to_html(many, ours, {"a": {"image/png": PIXEL}})
    assert page.count(PIXEL) <= 1


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("a b(.png", "a b(.png"),
        ("a b.png", "a%20b.png"),
        ("é&.png", "é&.png"),
        ("5%.png", "5%25.png"),
        ("x" * 9, "x" * 9),
    ],
)
def test_a_picture_is_found_however_its_name_is_written(name: str, address: str) -> None:
    page = markdown_to_html(f"![p](attachment:{address})", attachments={"x": {}, name: {"image/png": PIXEL}})
    assert page.count(PIXEL) == 1


def test_a_tutors_page_holds_a_picture_once_however_often_it_is_named() -> None:
    cell = v4.new_markdown_cell("attachment:a ![](attachment:a) " * 100, attachments={"a": {"image/png": PIXEL}})
    nb = harmless(v4.new_notebook(cells=[cell]))
    assert PIXEL not in nb.cells[0].source
    page, _ = HTMLExporter(filters=FILTERS).from_notebook_node(nb)
    assert page.count(PIXEL) == 1


@pytest.mark.parametrize("kind", ["image/svg+xml", "text/html"])
def test_no_picture_that_can_act_is_shown(kind: str) -> None:
    page = markdown_to_html("![x](attachment:x)", attachments={"x": {kind: "PHN2Zz4="}})
    assert "<img" not in page


def test_a_comment_given_by_hand_is_markdown_with_maths() -> None:
    graded = result("return 2 * x", {"explain": None})
    nb = marked_notebook(MINI, graded)
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "explain":
            cell.metadata.nbgrader["comment"] = "**Good**, but $\\eta < 2/L$ <script>x</script>"
    page = feedback_html(nb, student="ada", assignment="mini")
    assert "<strong>Good</strong>" in page and "<mi>η</mi>" in page and "<script>x" not in page
