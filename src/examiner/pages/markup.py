"""A student's text as HTML that can do nothing. Every page takes what a student made from here alone."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

import latex2mathml.converter
import nh3
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pygments.token import STANDARD_TYPES

from examiner.isolation.messages import printable

LONGEST_TEXT = 20_000  # characters of one cell; to set more of them well could take minutes, if somebody means it to
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


# --- the sanitiser ---
_TEXT = """a b blockquote br caption code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s
    samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var"""
_MATHS = """math menclose merror mfenced mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms
    mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none"""
_HOW_MATHS_LOOKS = """accent accentunder columnalign columnlines columnspacing display displaystyle fence form height
    largeop linethickness lspace mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowlines
    rowspacing rspace scriptlevel separator stretchy symmetric width"""
_ATTRIBUTES = {"a": {"href"}, "img": {"src", "alt"}, "ol": {"start"}, "td": {"colspan", "rowspan"}}
_ATTRIBUTES |= {"th": _ATTRIBUTES["td"], **{tag: set(_HOW_MATHS_LOOKS.split()) for tag in _MATHS.split()}}
_PICTURE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=\s]*")


# A word, a colour, a number, a length: none is negative, or a screen wide.
_VALUE = re.compile(r"[a-z][a-z -]{0,60}|#[0-9A-Fa-f]{3,6}|\d{1,3}|\d?\d?(\.\d+)?(pt|px)|\d?(\.\d+)?(em|ex)")
_sanitiser = nh3.Cleaner(
    tags={*_TEXT.split(), *_MATHS.split()},
    attributes=_ATTRIBUTES,
    attribute_filter=lambda tag, name, value: _kept(tag, name, value),
    allowed_classes={"span": {short for short in STANDARD_TYPES.values() if short}, "div": {"highlight"}},
    url_schemes={"http", "https", "mailto", "data"},  # of data, `_kept` lets pictures through
    url_relative="deny",
    link_rel="noopener noreferrer",
)


def _kept(tag: str, name: str, value: str) -> str | None:
    """An attribute's value where it may stay."""
    if name == "src":
        return value if _PICTURE.fullmatch(value) else None
    if name == "href":
        return None if value.strip().lower().startswith("data:") else value
    if name in ("alt", "class"):  # of classes, the sanitiser itself leaves those that colour code
        return value
    return value if _VALUE.fullmatch(value) else None


def sanitised(markup: str) -> str:
    """HTML without what acts, loads, lies over a page or can be taken for a part of it: no id, name, style or form.

    What is left is text, tables, links to the web, pictures that the page itself holds, maths, and colours of code.
    """
    return str(_sanitiser.clean(markup))


def plain_name(name: str) -> str:
    """A person's name as the gradebook takes it: pages of nbgrader's that we can't mend put it in as HTML."""
    return " ".join(printable(re.sub(r"[<>\"`]|&(?=\S)", " ", name)).split())[:200]


# --- maths and markdown ---
def math_to_mathml(tex: str, display: bool = False) -> str:
    """TeX as MathML, which browsers draw by themselves; what can't be read stays as TeX in a code font."""
    tex = re.sub(r"\\(begin|end)\{(aligned|eqnarray\*?)\}", r"\\\1{split}", tex.strip())
    try:
        drawn = latex2mathml.converter.convert(tex, display="block" if display else "inline")
    except Exception:
        return f"<code>{html.escape(tex)}</code>"
    return sanitised(_TAG.sub(_only_mathml, str(drawn)))


_TAG = re.compile(r"<[^<>]*>?")  # latex2mathml passes on what stands in \text{}, tags and all: it is text
_MATHML = re.compile(r"</?m[a-z]+(\s+[a-z]+=\"[^\"<>]*\")*\s*/?>")


def _only_mathml(match: re.Match[str]) -> str:
    return match[0] if _MATHML.fullmatch(match[0]) else html.escape(match[0])


class _Renderer(IPythonRenderer):
    """nbconvert's own markdown, with its maths drawn, and each of the text's own pictures once, where it first stands.

    A text can name one picture thousands of times: a page that held it each time would be larger than any memory.
    """

    def __init__(self, pictures: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self.pictures = pictures
        self.shown: set[str] = set()

    def inline_math(self, body: str) -> str:
        return math_to_mathml(body)

    def block_math(self, body: str) -> str:
        return math_to_mathml(body, display=True)

    def multiline_math(self, text: str) -> str:
        return math_to_mathml(text, display=True)

    def latex_environment(self, name: str, body: str) -> str:
        return math_to_mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    def block_code(self, code: str, info: str | None = None) -> str:
        # Python alone is coloured: of a hundred other languages' lexers, some take hours where somebody means it.
        python = (info or "").split()[:1] in (["python"], ["python3"], ["py"])
        return code_to_html(code) if python else f"<pre>{_cut_and_escaped(code)}</pre>\n"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        named = html.unescape(url)
        name = named if named in self.pictures else unquote(named)
        if name in self.pictures and name not in self.shown:
            self.shown.add(name)
            return str(super().image(text, self.pictures[name], title))
        above = ", shown above" if name in self.shown else ""
        return f"<em>[picture{above}: {html.escape((text or url)[:LONGEST_ADDRESS])}]</em>"


LONGEST_ADDRESS = 200  # characters of a picture's that are told where it is not shown
_ATTACHED = "attachment:"
_HERE = "workshop-picture:"
_INLINE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=]+")
_IMG = re.compile(r"<img\b[^<>]{0,500}?\bsrc=[\"']((?:attachment|workshop-picture):[^\"'<>]{1,200})[\"'][^<>]{0,500}>")


def markdown_to_html(text: str, ours: bool = False, attachments: Any = None) -> str:
    """Markdown with maths as HTML. HTML in it is shown as text, unless the text is `ours`; then it is sanitised.

    Pictures that are attached to it, or stand in it as they are, are shown; their bytes never stand in the text.
    """
    pictures: dict[str, str] = {}

    def kept(match: re.Match[str]) -> str:
        pictures[name := f"{_HERE}{len(pictures)}"] = match[0]
        return name

    text = _INLINE.sub(kept, text)
    for name, kinds in pictures_of(attachments).items():
        text = text.replace(_ATTACHED + name, _ATTACHED + _ENDS_ADDRESS.sub(lambda match: quote(match[0]), name))
        ((kind, data),) = kinds.items()
        pictures[_ATTACHED + name] = f"data:{kind};base64,{data}"
    if not ours:
        text = _IMG.sub(r"![picture](\1)", text)  # as JupyterLab writes a picture whose size was changed
    if len(text) > LONGEST_TEXT and not ours:
        return f"<pre>{_cut_and_escaped(text)}</pre>"
    renderer = _Renderer(pictures, escape=not ours, exclude_anchor_links=True)
    return sanitised(str(MarkdownWithMath(renderer=renderer).render(text)))


_ENDS_ADDRESS = re.compile(r"[\s()]")  # in markdown


def pictures_of(attachments: Any) -> dict[str, dict[str, str]]:
    """The pictures among what is attached to a text: by name, the kind and the data of one."""
    found: dict[str, dict[str, str]] = {}
    for name, kinds in attachments.items() if isinstance(attachments, Mapping) else ():
        for kind, data in kinds.items() if isinstance(kinds, Mapping) else ():
            if _PICTURE.fullmatch(f"data:{kind};base64,{_joined(data)}"):
                found[str(name)] = {kind: _joined(data)}
    return found


def _cut_and_escaped(text: str) -> str:
    rest = len(text) - LONGEST_TEXT
    return html.escape(text[:LONGEST_TEXT]) + (f"\n… ({rest:,} more characters)" if rest > 0 else "")


_BLANK = re.compile(r"\s{500}")  # which takes the lexer the square of its length, or worse


@lru_cache(maxsize=4096)
def python_to_html(source: str) -> str:
    """Python code with its colours."""
    if len(source) > LONGEST_TEXT or _BLANK.search(source):
        return _cut_and_escaped(source)
    return sanitised(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)))


def code_to_html(source: str, language: str | None = None, metadata: Any = None) -> str:
    """Python code in a box of its own, called as nbconvert calls its `highlight_code`."""
    return f'<div class="highlight"><pre>{python_to_html(source)}</pre></div>\n'


# --- whole notebooks, for nbconvert's pages ---
@pass_context
def _cells_markdown(context: Context, source: str) -> str:
    """The markdown of the cell that a template is at, with what is attached to that."""
    return markdown_to_html(source, attachments=context.get("cell", {}).get("attachments"))


FILTERS = {"markdown2html": _cells_markdown, "highlight_code": code_to_html}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")


def harmless(nb: NotebookNode) -> NotebookNode:
    """A notebook of which nothing but what people read is left, in place: nbconvert's templates may show it.

    They put a cell's metadata, tags, id and outputs into the page as they are, and a raw cell's text as HTML.
    """
    named: set[str] = set()
    nb.metadata = NotebookNode()
    for number, cell in enumerate(nb.cells):
        about = cell.metadata.get("nbgrader")
        name = str(about.get("grade_id")) if isinstance(about, Mapping) else ""
        known = bool(_NAME.fullmatch(name)) and name not in named  # formgrader finds a mark's field by its cell's name
        cell.metadata = NotebookNode({"nbgrader": about} if known else {})
        named.add(name)
        pictures = pictures_of(cell.pop("attachments", None))
        if cell.cell_type == "markdown" and pictures:
            cell.attachments = pictures
        if cell.cell_type not in ("code", "markdown"):
            nb.cells[number] = cell = new_code_cell(cell.source, metadata=cell.metadata)
        cell.id = f"cell-{number}"
        if cell.cell_type == "code":
            cell.outputs = [_harmless_output(output) for output in cell.get("outputs", [])]
            if not isinstance(cell.get("execution_count"), int):
                cell.execution_count = None
    return nb


def _harmless_output(output: Mapping[str, Any]) -> NotebookNode:
    data = output.get("data")
    if not isinstance(data, Mapping):
        return new_output("stream", name="stdout", text=output_text(output))
    for kind in ("image/png", "image/jpeg"):
        picture = f"data:{kind};base64,{_joined(data.get(kind, ''))}"
        if data.get(kind) and _PICTURE.fullmatch(picture):
            return new_output("display_data", data={kind: _joined(data[kind]), "text/plain": ""})
    if "text/html" in data:
        return new_output("display_data", data={"text/html": sanitised(_joined(data["text/html"])[:MOST_OUTPUT])})
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            return new_output("display_data", data={"text/html": markdown_to_html(_joined(data[kind]))})
    return new_output("display_data", data={"text/plain": output_text(output)})


MOST_OUTPUT = 20_000  # characters of one output


def output_text(output: Mapping[str, Any]) -> str:
    """What a cell's output says, without colours."""
    kind = output.get("output_type")
    if kind == "stream":
        text = _joined(output.get("text", ""))
    elif kind == "error":
        text = "\n".join(output.get("traceback", [])) or f"{output.get('ename')}: {output.get('evalue')}"
    else:
        text = _joined(output.get("data", {}).get("text/plain", ""))
    return re.sub(r"\x1b\[[0-9;]*m", "", text)[:MOST_OUTPUT]


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)
