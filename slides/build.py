"""Builds the slides: deck.md with course.yml and the figures → deck.html and deck.pdf, both complete in themselves.

In deck.html each place with `data-live` becomes a live demo when its slide is shown; demo.html is the demos alone.

`python slides/build.py` needs node (Marp) and Chromium. Both files carry a digest of everything they were made from,
so that `python slides/build.py --check`, which needs neither, says whether they are stale.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jinja2
import yaml

from workshop import _page

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]
import ink  # noqa: E402
import speech  # noqa: E402

from chromium import launched  # noqa: E402

HTML, PDF, DEMO = HERE / "deck.html", HERE / "deck.pdf", HERE / "demo.html"
os.environ["PATH"] += os.pathsep + str(Path(sys.prefix, "bin"))  # Node is there where the machine has none
LIVE = [*_page.MODULES, "live.css", "_page.py", "nudge.py"]  # what the live places are made of, in `workshop`
MARP = HERE / "node_modules" / ".bin" / "marp"
FONTS = HERE / "node_modules" / "@fontsource" / "source-sans-3" / "files"
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October"]
MONTHS += ["November", "December"]
OUTLINE = [  # depth and title; those of depth 1 and 2 are the parts, each with a slide before it
    (0, "Review"),
    (1, "Gradient descent and SGD"),
    (1, "Gradient and backpropagation"),
    (2, "Logistic regression"),
    (2, "Networks with one hidden layer"),
    (0, "Notebook tasks"),
    (1, "Task 1: multi-layer perceptron, SGD"),
]


def digest(here: Path = HERE) -> str:
    """A fingerprint of all that the slides are made from; line endings do not matter."""
    inputs = ["deck.md", "theme.css", "page.css", "keys.js", "course.yml", "build.py", "speech.py", "package-lock.json"]
    files = [here / name for name in inputs] + sorted((here / "figures").glob("*.svg"))
    files += [_page.HERE / name for name in LIVE]
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return "source-" + total.hexdigest()[:32]


def read_course(file: Path = HERE / "course.yml") -> dict[str, Any]:
    """The semester's data, with the dates that follow from it: `monday` of the workshop's week and `solutions_on`."""
    course: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    monday = course["monday_of_week_1"] + datetime.timedelta(weeks=course["workshop_week"] - 1)
    rule = course["solutions"]
    late = datetime.timedelta(weeks=rule["weeks_later"], days=WEEKDAYS.index(rule["day"]))
    return {**course, "monday": monday, "solutions_on": monday + late}


def day(date: datetime.date) -> str:
    """A date in words, the same in every locale: Friday 1 September 2017."""
    return f"{WEEKDAYS[date.weekday()]} {date.day} {MONTHS[date.month - 1]} {date.year}"


def outline(here: int) -> str:
    """The outline as HTML, with part `here` (from 1; 0 for none) marked."""
    items, part = [], 0
    for depth, title in OUTLINE:
        part += depth > 0
        marked = ' aria-current="step"' if depth and part == here else ""
        items.append(f'<li class="depth-{depth}"{marked}>{title}</li>')
    return f'## Outline\n\n<ul class="outline{"" if here else " whole"}">\n' + "\n".join(items) + "\n</ul>"


def figure(name: str) -> str:
    """A figure's SVG, to be placed in the slide itself: its steps are then steps of the slide."""
    return (HERE / "figures" / f"{name}.svg").read_text(encoding="utf-8").strip()


def markdown() -> str:
    """deck.md with everything filled in."""
    import figures

    from workshop import nudge

    course = read_course()
    one, two = nudge.logistic_regression(), nudge.one_hidden_layer()

    def measured(graph: str, name: str, delta: float) -> float:
        drawn = {"one": one, "two": two}[graph]
        values = nudge.evaluate(drawn)
        return (nudge.nudged(drawn, values, name, delta)["L"] - values["L"]) / delta

    def mark(week: int, text: object = None) -> str:
        shown = str(week if text is None else text)
        return f"<mark>{shown}</mark>" if week == course["lectures_of_week"] else shown

    environment = jinja2.Environment(
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    return environment.from_string((HERE / "deck.md").read_text(encoding="utf-8")).render(
        course=course,
        day=day,
        digest=digest(),
        figure=figure,
        lam=figures.LAMBDA,
        mark=mark,
        measured=measured,
        number=lambda x: f"{x:.3f}",
        short=lambda x: f"{x:.2f}",
        outline=outline,
        one=one.given,
        two=two.given,
        one_grad=nudge.derivatives(one, nudge.evaluate(one)),
        two_values=nudge.evaluate(two),
        two_grad=nudge.derivatives(two, nudge.evaluate(two)),
    )


def slides_of(source: str) -> list[str]:
    """The filled-in markdown of each slide, without the front matter."""
    return source.split("\n---\n")[1:]


def formulas(text: str) -> list[str]:
    """The TeX of every formula in some markdown, in order; speaker notes are not looked at."""
    shown = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    return [(a or b).strip() for a, b in re.findall(r"\$\$(.+?)\$\$|\$(.+?)\$", shown, flags=re.S)]


def label(page: str, source: str) -> str:
    """The page with each formula's words, TeX and searchable text put to its picture; ValueError if counts differ."""
    pieces, found = page.split('<mjx-container class="MathJax"'), formulas(source)
    if len(pieces) - 1 != len(found):
        raise ValueError(f"{len(found)} formulas in the source, {len(pieces) - 1} in the page")
    for i, formula in enumerate(found, 1):
        about = f'role="img" aria-label="{html.escape(speech.spoken(formula))}" data-tex="{html.escape(formula)}"'
        text = f'<span class="search" aria-hidden="true">{html.escape(speech.plain(formula))}</span>'
        labelled = pieces[i].replace('role="img"', about, 1)
        pieces[i] = labelled.replace("</mjx-container>", f"{text}</mjx-container>", 1)
    return '<mjx-container class="MathJax"'.join(pieces)


def enliven(page: str) -> str:
    """The page with the script that fills its live places; the rest of it works without."""
    call = f"slides({json.dumps(_page.all_parts(), ensure_ascii=False)});"
    return page.replace("</body>", f"{_page.style()}\n{_page.script(call)}\n</body>")


def finish(page: str) -> str:
    """The page with its colours, light and dark, and its keys."""
    light, dark = ("".join(f"--{name}: {pair[i]}; " for name, pair in ink.PALETTE.items()) for i in (0, 1))
    look = f":root {{ {light}}}\n@media screen {{ :root[data-theme=dark] {{ color-scheme: dark; {dark}}} }}\n"
    style = f"<style>{look}{(HERE / 'page.css').read_text(encoding='utf-8')}</style>"
    keys = f"<script>{(HERE / 'keys.js').read_text(encoding='utf-8')}</script>"
    return page.replace("</head>", f"{style}</head>", 1).replace("</body>", f"{keys}</body>", 1)


def seal(page: str) -> str:
    """A fingerprint of the page itself: a page changed by hand is stale too."""
    return hashlib.sha256(page.encode()).hexdigest()[:32]


def theme() -> str:
    """theme.css and the typeface."""
    faces = []
    for weight in (400, 600, 700):
        data = base64.b64encode((FONTS / f"source-sans-3-latin-{weight}-normal.woff2").read_bytes()).decode()
        faces.append(
            f'@font-face {{ font-family: "Source Sans 3"; font-weight: {weight}; '
            f'src: url("data:font/woff2;base64,{data}") format("woff2"); }}'
        )
    return (HERE / "theme.css").read_text(encoding="utf-8") + "\n".join(faces)


def build(page: Path = HTML, pdf: Path | None = PDF) -> None:
    """Write the HTML and, unless `pdf` is None, the PDF."""
    installed, lock = HERE / "node_modules" / ".package-lock.json", HERE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm = shutil.which("npm") or sys.exit("The slides are built with Marp, which needs node and npm (18 or newer).")
        print("Installing Marp")
        quietly([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"])
        installed.touch()
    with tempfile.TemporaryDirectory() as folder:
        filled = markdown()
        (source := Path(folder, "deck.md")).write_text(filled, encoding="utf-8")
        (style := Path(folder, "workshop.css")).write_text(theme(), encoding="utf-8")
        command = [str(MARP), str(source), "--no-config-file", "--html", "--theme-set", str(style), "--no-stdin"]
        quietly([*command, "--bespoke.transition=false", "-o", str(page)])
        whole = finish(enliven(label(page.read_text(encoding="utf-8"), filled)))
        page.write_text(f"{whole}<!-- {digest()} seal-{seal(whole)} -->", encoding="utf-8", newline="\n")
        if pdf:
            paper = Path(folder, "paper.html")
            paper.write_text(for_paper(whole), encoding="utf-8")
            pdf.write_bytes(printed(paper))


def for_paper(page: str) -> str:
    """The page for a PDF, whose readers see no words inside a picture: each figure says its formulas as one."""

    def whole(found: re.Match[str]) -> str:
        inside = " ".join(f"{words}." for words in re.findall(r'class="tex" role="img" aria-label="([^"]*)"', found[3]))
        return f'{found[1]}role="img" aria-label="{found[2]} In it: {inside}"{found[3]}'

    figures = r'(<svg [^>]*class="figure[^>]*)role="group" aria-label="([^"]*)"(.*?</svg>)'
    return re.sub(figures, whole, page, flags=re.S).replace("<strong>", "<b>").replace("</strong>", "</b>")


def printed(page: Path) -> bytes:
    """The page on paper: tagged, so that it can be read out, and with an outline; the digest follows its last line.

    It is printed without scripts, so every step is in view, and what is live is a still picture.
    """
    with launched() as browser:
        opened = browser.new_context(java_script_enabled=False, offline=True).new_page()
        opened.goto(page.as_uri())
        paper = opened.pdf(prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
    made = re.compile(rb"(?<=Date \(D:)\d{14}")  # the time of day would make each printing another file
    return made.sub(b"20170724000000", paper) + f"%{digest()}\n".encode()


def quietly(command: list[str]) -> None:
    """Run a command in this folder; what it says is shown only if it fails."""
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}{command[0]} failed")


def stale() -> list[str]:
    """What is out of date, in words; empty when all is well. Needs no node."""
    import figures

    problems = []
    made = {f"{name}.svg": drawn.svg() for name, drawn in figures.all_figures().items()}
    on_disk = {file.name: file.read_text(encoding="utf-8") for file in (HERE / "figures").glob("*.svg")}
    problems += [
        f"figures/{name} is out of date"
        for name in sorted(made.keys() | on_disk.keys())
        if made.get(name) != on_disk.get(name)
    ]
    wanted = digest()
    page, _, end = HTML.read_text(encoding="utf-8").rpartition("<!-- ")
    if end != f"{wanted} seal-{seal(page)} -->":
        problems.append("deck.html is out of date")
    if not DEMO.exists() or DEMO.read_text(encoding="utf-8") != _page.page(_page.all_parts()):
        problems.append("demo.html is out of date")
    if digest_of_pdf(PDF) != wanted:
        problems.append("deck.pdf is out of date")
    return problems


def digest_of_pdf(file: Path) -> str:
    """The digest that a built PDF carries after its last line; empty where there is no PDF."""
    end = file.read_bytes()[-60:] if file.exists() else b""
    return end.rpartition(b"%%EOF\n%")[2].decode("ascii", "replace").strip()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        problems = stale()
        sys.exit("\n".join([*problems, "Run `make slides`."]) if problems else 0)
    import figures

    figures.write(HERE / "figures")
    build()
    DEMO.write_text(_page.page(_page.all_parts()), encoding="utf-8", newline="\n")
    print("slides/deck.html, slides/deck.pdf and slides/demo.html are built.")
