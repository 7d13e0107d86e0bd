"""Hostile answers, a few lines each. Every one is a wrong answer to `double`; none may earn a mark or learn a test.

They stand by what they are after, each kind in a file of its own; `attack` says what one is.
"""

from __future__ import annotations

from attacks.attack import Attack as Attack
from attacks.attack import Fraud as Fraud
from attacks.files import FILES
from attacks.frauds import FRAUDS as FRAUDS
from attacks.leaks import LEAKS
from attacks.marks import MARKS
from attacks.reach import REACH
from attacks.resources import RESOURCES
from attacks.shared import SHARED
from attacks.wire import WIRE

GROUPS = {
    "marks without an answer": MARKS,
    "the hidden tests": LEAKS,
    "the line between the processes": WIRE,
    "time, memory, processes": RESOURCES,
    "other people's things": REACH,
    "what all submissions share": SHARED,
    "the file itself": FILES,
}
