"""The live demo as a page of its own, or as the script of another page: complete in itself, and opened as a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workshop import nudge

HERE = Path(__file__).parent
MODULES = ("engine.js", "picture.js", "live.js")
"""The script, in the order in which one part uses the other."""

DATA: dict[str, str] = {
    "s_shape": "S-shaped",
    "blobs": "two blobs",
    "moons": "moons",
    "circles": "circles",
    "xor": "xor",
    "spiral": "spiral",
}
"""The data sets of the menu: the name of the function in `workshop.points`, and what a person reads."""

STARTS = ("random", "equal", "zero")
"""Where the network may begin: as `init_params` draws it, or all its weights the same, or zero."""

SETTINGS: dict[str, dict[str, Any]] = {
    "logistic": {"dataset": "blobs", "eta": 0.5, "batch_size": 8, "lam": 0.01, "noise": 1.0, "gap": 5.0, "seed": 0},
    "network": {"dataset": "s_shape", "eta": 2.0, "batch_size": 8, "lam": 0.0, "noise": 1.0, "gap": 5.0, "seed": 0}
    | {"n_hidden": 8, "start": "random"},
}
"""Where the sliders begin, for each of the two models."""

REACH = 2.0  # the largest nudge


def descent_part(kind: str, settings: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What the script needs to show a model as it learns."""
    return {"key": kind, "kind": kind, "settings": dict(settings), "n": 80, "data": DATA, **more}


def nudge_part(name: str, **more: Any) -> dict[str, Any]:
    """What the script needs to show a computation graph; name: "logistic" or "network"."""
    graph = {"logistic": nudge.logistic_regression, "network": nudge.one_hidden_layer}[name]()
    return {"key": f"nudge-{name}", "kind": "nudge", "graph": nudge.describe(graph), "reach": REACH, **more}


def all_parts() -> list[dict[str, Any]]:
    """All there is, with the reference functions of the page."""
    own = {"network": {"units": "sigmoid"}}
    return [
        descent_part("logistic", SETTINGS["logistic"], title="Logistic regression"),
        descent_part("network", SETTINGS["network"] | own["network"], title="Network"),
        nudge_part("logistic", title="Nudge: logistic"),
        nudge_part("network", title="Nudge: network"),
    ]


def module() -> str:
    """The script as one module: what the notebook's widget loads."""
    *first, last = (_joined(name) for name in MODULES)
    return "\n".join([*(re.sub(r"^export ", "", part, flags=re.M) for part in first), last])


def script(call: str) -> str:
    """The script as an element of a page, with `call` at its end: one of the functions of live.js."""
    code = module().replace("export default widget;", call).replace("</", r"<\/")
    return f'<script type="module">\n{code}\n</script>'


def style() -> str:
    """The looks as an element of a page."""
    return f"<style>\n{(HERE / 'live.css').read_text(encoding='utf-8')}</style>"


def page(parts: Sequence[Mapping[str, Any]], call: str = "page") -> str:
    """A whole page, complete in itself: with a tab for each part, or, where `call` is "alone", the one part."""
    call = f'{call}(document.querySelector("main"), {json.dumps(parts, ensure_ascii=False)});'
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Gradient descent, live</title>\n{style()}\n<style>body {{ margin: 0; }}</style>\n</head>\n"
        f"<body>\n<main></main>\n{script(call)}\n</body>\n</html>\n"
    )


def _joined(name: str) -> str:
    """A part of the script without its imports: the parts before it stand in the same module."""
    return re.sub(r"^import .*\n", "", (HERE / name).read_text(encoding="utf-8"), flags=re.M)
