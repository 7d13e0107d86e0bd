"""What is handed out is complete, and gives nothing away."""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser import chromium
from examiner.batch.job import ClassError
from examiner.cli.command import main
from examiner.course import handout
from examiner.course.output import MARKER
from examiner.grading.assignment import Assignment
from mini_course import make_course

ROOT = Path(__file__).parents[2]


def assignments() -> dict[str, Assignment]:
    paths = sorted((ROOT / "source").glob("*/*.ipynb"))
    return {path.stem: Assignment.from_notebook(path.read_bytes(), path.stem) for path in paths}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("build") / "student-bundle"
    assert main(["student-bundle", "--course", str(ROOT), "--to", str(target)]) == 0
    return target


def test_the_bundle_has_all_a_student_needs(bundle: Path) -> None:
    for name in assignments():
        assert (bundle / name / f"{name}.ipynb").exists()
        assert (bundle / name / "workshop" / "gradcheck.py").exists()
    assert {"README.md", "environment.yml", "requirements.txt"} <= {path.name for path in bundle.iterdir()}
    with zipfile.ZipFile(bundle.with_suffix(".zip")) as archive:
        files = {path.relative_to(bundle.parent).as_posix() for path in bundle.rglob("*") if path.is_file()}
        files.remove(f"{bundle.name}/{MARKER}")
        assert set(archive.namelist()) == files


def test_its_requirements_are_locked_and_hold_validate_and_no_grading_machinery(bundle: Path) -> None:
    text = (bundle / "requirements.txt").read_text()
    names = {line.split("==")[0] for line in text.split("\n") if "==" in line and not line.startswith(" ")}
    assert {"jupyterlab", "numpy", "matplotlib", "ipywidgets", "anywidget", "ipykernel", "nbgrader"} <= names
    assert not {"distributed", "pytest", "sandlock"} & names
    assert text.count("==") <= text.count("--hash")


def test_each_package_of_a_student_has_its_reason(bundle: Path) -> None:
    text = (bundle / "requirements.txt").read_text()
    reasons = (ROOT / "docs" / "packages.md").read_text()
    names = re.findall(r"^([A-Za-z0-9._-]+)==", text, re.M)
    assert [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", reasons)] == []


def test_the_helpers_run_beside_the_notebook_with_nothing_else_of_ours(bundle: Path) -> None:
    code = (
        "import workshop, sys; from workshop import points; print(points.s_shape(rng=38)[0].shape, workshop.__file__)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=bundle / "mlp_sgd", capture_output=True, text=True, check=True
    )
    assert "(80, 2)" in run.stdout and str(bundle) in run.stdout


def test_a_bundle_that_gives_an_answer_away_is_refused(tmp_path: Path) -> None:
    for name in ("release", "source"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("requirements.lock", "nbgrader_config.py"):
        shutil.copy(ROOT / name, tmp_path)
    path = tmp_path / "release" / "mlp_sgd" / "mlp_sgd.ipynb"
    source = json.loads((tmp_path / "source" / "mlp_sgd" / "mlp_sgd.ipynb").read_text())
    notebook = json.loads(path.read_text())
    answer = next(c for c in source["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == "backward")
    answer["source"] = [line for line in answer["source"] if "SOLUTION" not in line]
    notebook["cells"].append(answer)
    path.write_text(json.dumps(notebook))
    with pytest.raises(ClassError, match=r"give answers away"):
        handout.make_bundle(tmp_path, tmp_path / "bundle", assignments())
    assert main(["student-bundle", "--course", str(tmp_path)]) == 1
    assert not (tmp_path / "build").exists()


def test_solutions_show_answers_but_no_hidden_test_and_no_marking_guide() -> None:
    import nbformat

    for path in sorted((ROOT / "source").glob("*/*.ipynb")):
        nb = nbformat.read(path, as_version=4)
        text = "\n".join(handout._shown(cell).source for cell in nb.cells)
        assert "HIDDEN" not in text and "SOLUTION" not in text and "Marking guide" not in text
        assert "def finite_difference" not in text
        assert "Model answer" in text and "return" in text


def test_the_page_of_solutions_shows_what_a_test_says_and_not_its_code() -> None:
    import nbformat

    nb = nbformat.read(ROOT / "source" / "mlp_sgd" / "mlp_sgd.ipynb", as_version=4)
    tests = [cell for cell in nb.cells if cell.cell_type == "code" and cell.metadata.nbgrader.grade]
    tests[0].outputs = [nbformat.v4.new_output("stream", text="sigmoid: right on both.")]
    nb.cells = [handout._shown(cell) for cell in nb.cells]
    assert all(cell.metadata["jupyter"] == {"source_hidden": True} for cell in tests)
    page = handout.solution_page(nb, "mlp_sgd")
    assert "sigmoid: right on both." in page and "backward" in page
    assert '<a href="#section-1">1 · Activations' in page and '<h2 id="section-1">1 · Activations' in page
    assert "# Test:" not in page and 'def</span> <span class="nf">visible' not in page


@pytest.mark.slow
def test_the_static_site_opens_and_its_kernel_starts(tmp_path: Path) -> None:
    """As far as can be without a network: Python for the browser itself comes from its makers' servers."""
    assert main(["lite", "--course", str(ROOT), "--to", str(tmp_path / "site")]) == 0
    handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, chromium() as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/lab/index.html")
        page.locator(".jp-DirListing-item", has_text="mlp_sgd").dblclick()
        with page.context.expect_event("request", lambda one: one.url.endswith("/pyodide.mjs"), timeout=60_000):
            page.locator(".jp-DirListing-item", has_text="mlp_sgd.ipynb").dblclick()
        expect(page.locator(".jp-Toolbar-kernelName")).to_have_text("Python (Pyodide)")
        expect(page.locator(".jp-Notebook h1").first).to_contain_text("multi-layer perceptron")
        expect(page.locator(".jp-Notebook .jp-CodeCell").first).to_contain_text("File > Download")
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web server that keeps its log to itself."""

    def log_message(self, *_: object) -> None:
        pass


def test_all_notebooks_of_an_assignment_are_handed_out_and_solved(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    first = root / "source" / "mini" / "mini.ipynb"
    (first.with_name("one.ipynb")).write_bytes(first.read_bytes())
    first.rename(first.with_name("two.ipynb"))
    shutil.copy(ROOT / "requirements.lock", root)
    assert main(["release", "--course", str(root)]) == 0
    assert main(["student-bundle", "--course", str(root)]) == 0
    bundle = root / "build" / "student-bundle"
    assert {path.stem for path in (bundle / "mini").glob("*.ipynb")} == {"one", "two"}
    assert "mini/one.ipynb" in (text := (bundle / "README.md").read_text()) and "mini/two.ipynb" in text
    assert main(["solutions", "--course", str(root)]) == 0
    made = {path.name: path.read_text() for path in (root / "build" / "solutions" / "mini").iterdir()}
    assert set(made) == {"one.ipynb", "two.ipynb", "one.html", "two.html"}
    assert all("return 2 * x" in made[name] for name in ("one.ipynb", "two.ipynb"))
    (root / "release" / "mini" / "two.ipynb").unlink()
    assert main(["student-bundle", "--course", str(root)]) == 1
