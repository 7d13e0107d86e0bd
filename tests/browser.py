"""JupyterLab and Chromium for tests: a server on loopback, and a browser that notes each address it asks for."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from chromium import MISSING, find, launched, required

expect.set_options(timeout=60_000)  # a busy machine is slow, and slow is not wrong
OWN = ("blob:", "data:", "about:", "chrome-extension:")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium without a window. Where there is none the test is left out and counted, unless it must run."""
    if find() is None and not required():
        pytest.skip(MISSING)
    with launched() as browser:
        yield browser


@contextmanager
def jupyterlab(folder: Path, home: Path) -> Iterator[tuple[str, str]]:
    """JupyterLab on `folder`, with a home of its own and no news prompt; gives its address and its token."""
    settings = home / "config" / "labconfig"
    settings.mkdir(parents=True)
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (settings / "page_config.json").write_text(json.dumps(news))
    environment = os.environ | {"HOME": str(home), "JUPYTERLAB_SETTINGS_DIR": str(home / "settings")}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"), "IPYTHONDIR": str(home / "ipython")}
    environment |= {f"JUPYTER_{name.upper()}_DIR": str(home / name) for name in ("config", "data", "runtime")}
    environment.pop("NBGRADER_EXECUTION", None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={folder}"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", f"--IdentityProvider.token={token}"]
    with open(home / "log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            for _ in range(300):
                with suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=1)
                    break
                assert server.poll() is None, (home / "log").read_text()
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}", token
        finally:
            server.terminate()
            server.wait(30)


QUIET = """() => {
    const waits = [...document.querySelectorAll(".jp-Notebook .jp-InputPrompt")].some(p => p.innerText == "[*]:");
    const idle = document.querySelector(".jp-Notebook-ExecutionIndicator[data-status=idle]") && !waits;
    window.idleSince = idle ? window.idleSince || Date.now() : 0;
    return idle && Date.now() - window.idleSince > 800;
}"""


class Window:
    """A page that knows its server, and every address that was asked for and is not the server's."""

    def __init__(self, context: BrowserContext, address: str, token: str):
        self.address = address
        self.strangers: list[str] = []
        self.page: Page = context.new_page()
        host = address.removeprefix("http")
        context.request.get(f"{address}/lab?token={token}")  # the cookie that this sets is for all pages
        context.on("request", lambda request: self._note(request.url, ("http" + host, "ws" + host, *OWN)))

    def _note(self, url: str, ours: tuple[str, ...]) -> None:
        if not url.startswith(ours):
            self.strangers.append(url)

    def open(self, path: str) -> Page:
        """Go to a page of the server."""
        self.page.goto(f"{self.address}/{path}")
        return self.page

    def open_notebook(self, path: str) -> Page:
        """Open a notebook in JupyterLab and wait for its kernel."""
        self.open(f"lab/tree/{path}?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        self.page.wait_for_selector(".jp-Toolbar-kernelName:has-text('Python 3')", timeout=60_000)
        self.settle()
        return self.page

    def menu(self, name: str, command: str) -> None:
        """Choose a command from a menu of JupyterLab, as a person would."""
        self.page.locator(f".lm-MenuBar-itemLabel:text-is('{name}')").click()
        self.page.locator(f".lm-Menu-item[data-command='{command}']").click()

    def write(self, cell: Locator, source: str, tests: int) -> None:
        """Type `source` in place of what a cell holds; run it and the cells below it, as many as `tests`."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(source)
        for _ in range(1 + tests):
            self.page.keyboard.press("Shift+Enter")
        self.settle()

    def run_all(self) -> None:
        """Run > Run All Cells, and wait until the kernel is idle again."""
        self.menu("Run", "runmenu:run-all")
        self.settle()

    def settle(self) -> None:
        """Wait until no cell waits to be run, nor is about to: a kernel is idle between two cells, too."""
        self.page.wait_for_function(QUIET, timeout=120_000)

    def cell(self, text: str, below: int = 0) -> Locator:
        """The code cell that holds this text, or the one so many code cells `below` it, scrolled into sight."""
        cells = self.page.locator(".jp-Notebook .jp-CodeCell")
        found = [i for i, held in enumerate(cells.all_text_contents()) if text in held]
        assert found, f"no cell holds {text}"
        cell = cells.nth(found[0] + below)
        cell.scroll_into_view_if_needed()
        return cell
