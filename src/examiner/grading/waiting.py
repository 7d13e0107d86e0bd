"""The program of the processes that wait ready.

Run as `python -m examiner.grading.waiting`, with two descriptors, the sandbox and the folders to hide: one of them
imports what notebooks need and forks a process for each student; no test is ever there. The other forks examiners.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import sys
import tempfile
from collections.abc import Callable

from examiner.isolation.shell import make_loops, prepared_shell, seed_modules
from examiner.isolation.student import Student


def _main(students: int, examiners: int, sandbox_name: str, *hidden: str) -> None:
    from examiner.grading.examination import examine
    from examiner.grading.testing import learn
    from examiner.isolation.forkserver import serve_examiners, serve_students
    from examiner.isolation.sandbox import ENVIRONMENT, NONE, tests_may_read

    del sys.argv[1:], sys.orig_argv[1:]  # the names of the tutor's folders are no student's business
    control, desk = socket.socket(fileno=students), socket.socket(fileno=examiners)
    desk_pid = os.fork()
    if not desk_pid:  # before anything of a notebook's is here, and long before a test is there
        control.close()
        readable = [] if sandbox_name == NONE else tests_may_read(hidden)
        serve_examiners(desk, learn, functools.partial(examine, readable=readable))
    desk.close()
    shell = prepared_shell()
    from IPython.core.async_helpers import get_asyncio_loop

    def student(line: socket.socket, scratch: str, seed: int) -> Callable[[], None]:
        for name in list(os.environ):
            if name not in ENVIRONMENT:
                del os.environ[name]
        tempfile.tempdir = os.environ["HOME"] = scratch
        seed_modules(seed)
        make_loops()
        get_asyncio_loop()  # what a cell's `await` runs in

        def serve() -> None:
            with contextlib.suppress(EOFError, OSError):
                Student(line, shell).serve()

        return serve

    serve_students(control, sandbox_name, hidden, student, desk_pid)


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
