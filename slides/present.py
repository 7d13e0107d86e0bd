"""Shows the slides with the live demo and the live nudge inside them: `make present`, for staff.

Two servers on this machine only: Voila runs the widgets, with a token of its own, and a small one hands out deck.html
with a script that puts each widget where the plain file has a still picture. Nothing else is different from the file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat

HERE = Path(__file__).resolve().parent
DEMO = HERE.parent / "docs" / "demo"
# What runs in the frame of each `data-live` of the slides.
LIVE = "from workshop import live\n"
CELLS = {
    "demo": LIVE + "from answers import answers\nlive.logistic_demo(answers('logistic_regression'))",
    "nudge-logistic": LIVE + "live.nudge_demo('logistic')",
    "nudge-network": LIVE + "live.nudge_demo('network')",
}
UNWANTED = ["@jupyter/nbgrader", "@jupyter-notebook/lab-extension"]  # of no use in a frame, and noisy in its console
# A frame is filled when its slide is first reached: a widget that is drawn out of sight does not know its size.
SCRIPT = """
<script>
const frames = ADDRESSES;
const fill = () => document.querySelectorAll('.bespoke-marp-active [data-live]').forEach(place => {
  if (place.querySelector('iframe')) return;
  const frame = document.createElement('iframe');
  frame.src = frames[place.dataset.live];
  frame.title = place.querySelector('svg').getAttribute('aria-label');
  place.replaceChildren(frame);
});
new MutationObserver(fill).observe(document.body, {subtree: true, attributes: true, attributeFilter: ['class']});
fill();
</script>
"""


def free_port() -> int:
    """A port on which nothing listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def voila(allowed: str) -> Iterator[dict[str, str]]:
    """Voila with a notebook for each live place, until the block ends; yields addresses that `allowed` may frame."""
    token, port = secrets.token_hex(16), free_port()
    with tempfile.TemporaryDirectory() as folder:
        for name, cell in CELLS.items():
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
            notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
            nbformat.write(notebook, Path(folder, f"{name}.ipynb"))
        headers = {"Content-Security-Policy": f"frame-ancestors 'self' {allowed}"}
        config = {
            "Voila": {"ip": "127.0.0.1", "port": port, "port_retries": 0, "open_browser": False, "token": token}
            | {"tornado_settings": {"headers": headers}, "log_level": "ERROR"},
            "MappingKernelManager": {"cull_idle_timeout": 60, "cull_interval": 30},  # what a reloaded page left behind
            "VoilaConfiguration": {"template": "projector", "extension_denylist": UNWANTED},
        }
        Path(folder, "voila.json").write_text(json.dumps(config), encoding="utf-8")
        paths = {"PYTHONPATH": [str(DEMO)], "JUPYTER_PATH": [str(DEMO / "share")]}
        joined = {key: os.pathsep.join([*new, *filter(None, [os.environ.get(key)])]) for key, new in paths.items()}
        server = subprocess.Popen(
            [sys.executable, "-m", "voila", folder], cwd=folder, env={**os.environ, **joined}, stdin=subprocess.DEVNULL
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/voila/static/voila.js", server)
            yield {name: f"http://127.0.0.1:{port}/voila/render/{name}.ipynb?token={token}" for name in CELLS}
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait_for(address: str, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Return once something answers there; RuntimeError if the server ends or time runs out."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("Voila did not start; what it said stands above")


@contextlib.contextmanager
def presentation() -> Iterator[str]:
    """The slides with everything live, until the block ends; yields their address."""
    page = b""

    class Deck(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.split("?")[0] in ("/", "/deck.html")
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page if found else b"")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing for each request."""

    deck = ThreadingHTTPServer(("127.0.0.1", 0), Deck)
    address = f"http://127.0.0.1:{deck.server_address[1]}"
    with voila(address) as addresses:
        source = (HERE / "deck.html").read_text(encoding="utf-8")
        page = source.replace("</body>", SCRIPT.replace("ADDRESSES", json.dumps(addresses)) + "</body>").encode()
        threading.Thread(target=deck.serve_forever, daemon=True).start()
        try:
            yield f"{address}/deck.html"
        finally:
            deck.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that Voila ends with it
    with presentation() as where, contextlib.suppress(KeyboardInterrupt):
        print(
            f"The slides are at {where} (Ctrl+C ends). After using a live part, click beside it to go on by keys.",
            flush=True,
        )
        if not options.no_browser:
            webbrowser.open(where)
        threading.Event().wait()
