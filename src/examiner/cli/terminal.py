"""What every command says in the terminal."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import Any

from examiner.grading.result import NOT_APART
from examiner.isolation.messages import printable
from examiner.isolation.sandbox import LEVELS, NONE


def own_command() -> str:
    """The name by which whoever runs this command can run it again."""
    given = sys.argv[0]
    if os.path.basename(given) != "workshop" or shutil.which("workshop") == os.path.abspath(given):
        return "workshop"
    near = os.path.relpath(given)
    return given if near.startswith("..") else near


def say(text: str, to: Any = None) -> None:
    """A line about the step at hand. What a student wrote may be in it, so nothing in it steers the terminal."""
    print(printable(text), file=to, flush=True)


WEAKER = {
    "landlock": "it shares folders' names, process numbers and the network's addresses with this machine",
    "namespaces": "one barrier where there could be two",
    NONE: "it ran with your own rights, and could read and change all that you can",
}


def say_isolation(levels: Iterable[str]) -> None:
    """Tell where student code was not shut in as well as it could be, and how to mend that."""
    levels = list(levels)
    if any(level.endswith(NOT_APART) for level in levels):
        say("Tests were not apart: they ran in the student's own process, which can read them and forge their marks.")
    levels = [level.removesuffix(NOT_APART) for level in levels]
    for level in (level for level in (*LEVELS[1:], NONE) if level in levels):
        say(
            f"Student code was not shut in as well as it could be ({level}: {WEAKER[level]}). "
            f"The best is {LEVELS[0]}; docs/how_grading_works.md says what a machine needs for it."
        )
