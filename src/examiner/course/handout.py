"""What goes out to students: the bundle at the start, the solutions a week later. Neither holds a hidden test."""

from __future__ import annotations

import copy
import html
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from examiner.batch.job import ClassError
from examiner.course.lock import part_of_lock
from examiner.grading.assignment import (
    BEGIN_GUIDE,
    BEGIN_HIDDEN,
    BEGIN_SOLUTION,
    END_GUIDE,
    END_HIDDEN,
    END_SOLUTION,
    Assignment,
)
from examiner.grading.parts import notebooks
from examiner.pages.feedback import TEMPLATES
from examiner.pages.markup import FILTERS, POLICY, harmless

# What a student's notebook needs, nbgrader for its Validate button; their own needs come from the lock.
STUDENT_PACKAGES = ("anywidget", "ipykernel", "ipywidgets", "jupyterlab", "matplotlib", "nbgrader", "numpy")
SKIPPED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.pyc")
SAYS_NOTHING = re.compile(r"import |from |#|for \w+ in range\(\w+\):$")  # a line of many a notebook
GUIDE = re.compile(r"\n*\*Marking guide\.\*.*", re.DOTALL)


# --- the bundle ---
def make_bundle(root: Path, target: Path, assignments: Mapping[str, Assignment]) -> None:
    """Write the bundle into the new folder `target`: notebooks, helper package, environment, slides, README.

    It is fit to be a public repository for Binder, nbgitpuller or a hub. Raises ClassError where release/ is missing or
    anything in the bundle gives an answer away.
    """
    target.mkdir()
    for name, assignment in assignments.items():
        for file in _files(assignment):
            if not (root / "release" / name / file).exists():
                raise ClassError(f"release/{name}/{file} is missing. Run `workshop release` first.")
        shutil.copytree(root / "release" / name, target / name, ignore=SKIPPED)
    slides = [path for path in sorted((root / "slides").glob("*")) if path.suffix in (".html", ".pdf")]
    for path in slides:
        (target / "slides").mkdir(exist_ok=True)
        shutil.copy(path, target / "slides" / path.name)
    (target / "requirements.txt").write_text(_requirements(root / "requirements.lock"))
    shutil.copy(TEMPLATES / "student_environment.yml", target / "environment.yml")
    readme = (TEMPLATES / "student_readme.md").read_text(encoding="utf-8")
    paths = [f"{name}/{file}" for name, assignment in assignments.items() for file in _files(assignment)]
    listed = "\n".join(f"- [`{path}`]({quote(path)})" for path in paths)
    deck = "\n".join(f"- [slides/{path.name}](slides/{path.name})" for path in slides)
    readme = readme.replace("NOTEBOOKS", listed).replace("SLIDES", deck or "- the slides are on the homepage")
    (target / "README.md").write_text(readme, encoding="utf-8")
    if found := leaks(target, assignments.values()):
        raise ClassError("The bundle would give answers away:\n  " + "\n  ".join(found[:20]))


def _requirements(lock: Path) -> str:
    """What students install: their part of the course's lock; where it has none, the versions that are installed here.

    A package that is not installed here is asked for in any version.
    """
    if lock.is_file():
        return part_of_lock(lock.read_text(), STUDENT_PACKAGES)
    lines = []
    for name in STUDENT_PACKAGES:
        try:
            lines.append(f"{name}=={metadata.version(name)}\n")
        except metadata.PackageNotFoundError:
            lines.append(f"{name}\n")
    return "".join(lines)


def _files(assignment: Assignment) -> list[str]:
    """The names of an assignment's notebooks."""
    return [f"{part.notebook}.ipynb" for part in notebooks(assignment)]


def leaks(folder: Path, assignments: Iterable[Assignment]) -> list[str]:
    """Where a folder holds what students must not have: nbgrader's marks, or a telling line of what was taken out."""
    marks = [BEGIN_SOLUTION, END_SOLUTION, BEGIN_HIDDEN, END_HIDDEN, BEGIN_GUIDE, END_GUIDE]
    taken_out = {line for assignment in assignments for line in removed_lines(assignment)}
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        text = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".ipynb":
            text = "\n".join(_strings(json.loads(text)))
        elif path.suffix not in (".py", ".md", ".txt", ".js", ".html"):
            continue
        found += [f"{path.relative_to(folder)}: {mark}" for mark in marks if mark in text]
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        telling = [line for line in lines if line in taken_out]
        if path.suffix != ".ipynb":  # a common line may well stand in the helpers too; two in a row are no accident
            pairs = itertools.pairwise(lines)
            telling = [one for one, next_ in pairs if one in taken_out and next_ in taken_out]
        found += [f"{path.relative_to(folder)}: {line}" for line in sorted(set(telling))]
    return found


def removed_lines(assignment: Assignment) -> set[str]:
    """The lines of a source that are in no released cell and say something: the answers, hidden tests and guides."""
    given = {line.strip() for cell in assignment.cells for line in cell.release_source.split("\n")}
    whole = {line.strip() for cell in assignment.cells for line in cell.source.split("\n")}
    return {line for line in whole - given if len(line) >= 24 and not SAYS_NOTHING.match(line)}


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, Sequence):
        if value and all(isinstance(part, str) for part in value):
            yield "".join(value)
        else:
            for part in value:
                yield from _strings(part)


# --- a site of the notebooks that runs in the browser alone ---
IN_THE_BROWSER = """# Your work is kept in this browser alone: hand in what File > Download gives you.
%pip install -q anywidget"""  # Pyodide brings numpy and matplotlib by itself


def make_lite(bundle: Path, target: Path) -> None:
    """Write a static JupyterLite site of the bundle's notebooks into the new folder `target`; it needs no network.

    Whoever opens it needs one: Python for the browser (Pyodide, numpy, matplotlib) comes from its makers' servers.
    """
    labextensions = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    wanted = ["@jupyterlite/pyodide-kernel-extension", "@jupyter-widgets/jupyterlab-manager", "anywidget"]
    settings = {
        "contents": ["contents"],
        "output_dir": str(target.resolve()),
        "ignore_sys_prefix": ["federated_extensions"],  # nbgrader's has no place in a site without a server
        "federated_extensions": [str(labextensions / name) for name in wanted],
        "no_sourcemaps": True,
    }
    target.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        contents = Path(scratch) / "contents"
        shutil.copytree(bundle, contents, ignore=shutil.ignore_patterns("requirements.txt", "environment.yml"))
        for path in contents.glob("*/*.ipynb"):
            path.write_text(json.dumps(_for_the_browser(json.loads(path.read_text()))))
        (Path(scratch) / "jupyter_lite_config.json").write_text(json.dumps({"LiteBuildConfig": settings}))
        try:
            run = subprocess.run(
                [sys.executable, "-m", "jupyterlite_core", "build"], cwd=scratch, capture_output=True, text=True
            )
        except OSError as error:
            raise ClassError(f"jupyter lite can't be started: {error}") from error
    if run.returncode or not (target / "lab" / "index.html").exists():
        raise ClassError(f"The JupyterLite site was not built:\n{(run.stdout + run.stderr)[-2000:]}")


def _for_the_browser(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook with one more cell before its code: what the browser's Python lacks."""
    cell = {"id": "in-the-browser", "cell_type": "code", "source": IN_THE_BROWSER, "metadata": {"tags": ["ungraded"]}}
    cells = notebook["cells"]
    first = next(i for i, one in enumerate(cells) if one["cell_type"] == "code")
    cells.insert(first, cell | {"execution_count": None, "outputs": []})
    return notebook


# --- the solutions ---
def make_solutions(root: Path, target: Path, assignments: Mapping[str, Assignment]) -> None:
    """Execute each notebook with its answers and write it to the new folder `target`, as a notebook and as HTML.

    The notebooks of an assignment that has several go into a folder of its name.
    """
    import nbformat

    target.mkdir()
    for name, assignment in assignments.items():
        folder = target / name if assignment.parts else target
        folder.mkdir(exist_ok=True)
        for file in _files(assignment):
            nb = _executed(root / "source" / name / file)
            stem = file.removesuffix(".ipynb") if assignment.parts else name
            text = nbformat.writes(nb)
            for suffix, content in ((".ipynb", text + "\n"), (".html", solution_page(nb, stem))):
                (folder / f"{stem}{suffix}").write_text(content, encoding="utf-8")


def _executed(source: Path) -> Any:
    """A source notebook as the solutions show it, executed with the files that lie beside it."""
    import nbformat
    from nbclient import NotebookClient

    nb: Any = nbformat.read(source, as_version=4)
    nb.cells = [shown for cell in nb.cells if (shown := _shown(cell)).source]
    with tempfile.TemporaryDirectory() as scratch:
        folder = shutil.copytree(source.parent, Path(scratch) / source.parent.name, ignore=SKIPPED)
        quiet = ["--IPKernelApp.log_level=ERROR"]
        where = {"metadata": {"path": str(folder)}}
        NotebookClient(nb, timeout=120, kernel_name="python3", extra_arguments=quiet, resources=where).execute()
    nb.metadata.pop("widgets", None)
    for cell in nb.cells:
        cell.metadata.pop("execution", None)
        if _is_test(cell):  # what it says stays; its code would be most of the page
            cell.source = cell.source.split("\n", 1)[0]
    return nb


def _shown(cell: Any) -> Any:
    """A source cell as the solutions show it: answers yes, hidden tests and marking guides no, tests folded."""
    folded = (
        {"source_hidden": True} if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade") else {}
    )
    source = _without(cell.source, BEGIN_HIDDEN, END_HIDDEN)
    source = _without(source, BEGIN_GUIDE, END_GUIDE)
    source = "\n".join(line for line in source.split("\n") if BEGIN_SOLUTION not in line and END_SOLUTION not in line)
    cell.source = GUIDE.sub("", source).strip("\n") if cell.cell_type == "markdown" else source.strip("\n")
    kept = {"tags": cell.metadata.get("tags"), "jupyter": folded}
    cell.metadata = {name: value for name, value in kept.items() if value}
    return cell


def _is_test(cell: Any) -> bool:
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def _without(text: str, begin: str, end: str) -> str:
    return re.sub(rf"^[^\n]*{re.escape(begin)}.*?{re.escape(end)}[^\n]*\n?", "", text, flags=re.DOTALL | re.MULTILINE)


def solution_page(nb: Any, name: str) -> str:
    """An executed notebook as one HTML file whose maths and pictures need no network and no script."""
    from nbconvert.exporters import HTMLExporter
    from pygments.formatters import HtmlFormatter
    from traitlets.config import Config

    config = Config()
    config.HTMLExporter.template_name = "basic"
    config.HTMLExporter.filters = FILTERS
    nb = copy.deepcopy(nb)
    for cell in nb.cells:  # of a test the page has what it says, not its code
        if _is_test(cell):
            cell.source = ""
    body, _ = HTMLExporter(config=config).from_notebook_node(harmless(nb))
    contents, body = _with_contents(body)
    style = (TEMPLATES / "style.css").read_text() + HtmlFormatter().get_style_defs(".highlight")
    title = html.escape(name.replace("_", " "))
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}: solutions</title>\n<style>\n{style}\n.prompt, pre:empty {{ display: none; }}\n"
        f"</style></head><body>\n{contents}\n{body}\n</body></html>\n"
    )


def _with_contents(body: str) -> tuple[str, str]:
    """A list of a page's sections, and the page with something for its links to lead to."""
    sections: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        sections.append(re.sub(r"<[^>]*>", "", match[1]))
        return f'<h2 id="section-{len(sections)}">{match[1]}</h2>'

    body = re.sub(r"<h2>(.*?)</h2>", numbered, body, flags=re.DOTALL)
    lines = [f'<li><a href="#section-{i}">{section}</a></li>' for i, section in enumerate(sections, 1)]
    return f"<nav><b>Contents</b><ul>{''.join(lines)}</ul></nav>", body
