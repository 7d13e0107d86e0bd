"""Parts of requirements.lock. Set-up reads this file before anything is installed, so it needs Python alone."""

from __future__ import annotations

import re
from collections.abc import Iterable


def part_of_lock(lock: str, names: Iterable[str], without: Iterable[str] = ()) -> str:
    """The blocks of a lock for the packages `names` and all that they need, hashes and all.

    Packages in `without` are left out, with what they alone need, unless they are among `names`.

    The lock says below each package who needs it: `# via`. A package with a version for each Python has several blocks.
    """
    blocks: dict[str, list[str]] = {}
    needed_by: dict[str, set[str]] = {}
    for match in re.finditer(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==.*(?:\n[ ]+.*)*\n?", lock, re.MULTILINE):
        name = _canonical(match[1])
        blocks.setdefault(name, []).append(match[0].rstrip() + "\n")
        via = re.findall(r"^ +#(?: via)? +([A-Za-z0-9._-]+)$", match[0], re.MULTILINE)
        needed_by.setdefault(name, set()).update(map(_canonical, via))
    needed = {_canonical(name) for name in names} & set(blocks)
    rest = set(blocks) - {_canonical(name) for name in without}
    while more := {name for name in rest - needed if needed_by[name] & needed}:
        needed |= more
    return "".join(block for name in sorted(needed) for block in blocks[name])


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
