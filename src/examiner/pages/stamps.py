"""What a written page shows, in a stamp at its head: a page that shows it already is not written again."""

from __future__ import annotations

import re
from pathlib import Path

STAMP = rb'name="workshop-stamp" content="([0-9a-f]+)"'


def read_stamp(path: Path, pattern: bytes) -> str | None:
    """The stamp in the first kilobytes of a file that an earlier run wrote."""
    try:
        with open(path, "rb") as file:
            match = re.search(pattern, file.read(4096))
    except OSError:
        return None
    return match[1].decode() if match else None
