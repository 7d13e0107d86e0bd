"""One thread at a time makes syntax trees, whoever wants them.

CPython before 3.11.9 and 3.12.3 keeps one count for all threads while it makes the objects of a tree. Where another
thread makes one meanwhile, `ast.parse` raises "SystemError: AST constructor recursion depth mismatch" in either. We
parse in the threads that grade; in the main thread at the same time the packages below nbgrader parse thousands of
texts, by `ast.literal_eval` and `inspect.signature`. They can't know of a lock of ours, so it is put where all pass.
"""

from __future__ import annotations

import ast
import functools
import os
import sys
import threading
from typing import Any

MENDED = sys.version_info >= (3, 12, 3) or (3, 11, 9) <= sys.version_info < (3, 12)


def one_at_a_time() -> None:
    """Let `ast.parse` take turns in this process, where this Python needs it."""
    parse, lock = ast.parse, threading.RLock()
    if MENDED or hasattr(parse, "__wrapped__"):
        return

    @functools.wraps(parse)
    def in_turn(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return parse(*args, **kwargs)

    ast.parse = in_turn
    if hasattr(os, "register_at_fork"):  # a child must not find it held by a thread that it has not
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
