"""The student's end of the line, and the alarm that stops its code when the time is up, but never tears a message."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable
from typing import Any

from examiner.isolation.wire import Line, go_on


class TimeUp(BaseException):
    """A cell or a call has run for as long as it may. Not an Exception, so that a loop's `except` lets it pass."""


class AlarmedLine(Line):
    """A line on whose other side the examiner raises the alarm: it raises TimeUp where student code is `working`."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.on_line = False  # the alarm must not tear a message
        self.working = False  # whether there is anything that it may stop
        signal.signal(signal.SIGALRM, self._alarm)

    def send(self, kind: bytes, message: bytes, look: Callable[[], None] = go_on) -> None:
        """Send one frame, whole."""
        self.on_line = True
        try:
            super().send(kind, message, look)
        finally:
            self.on_line = False

    def receive(self, look: Callable[[], None] = go_on) -> tuple[bytes, bytes]:
        """The next frame's kind and message; EOFError when the examiner has hung up."""
        self.on_line = True
        try:
            return super().receive(look)
        finally:
            self.on_line = False

    def rest(self) -> None:
        """No alarm from here on."""
        while self.working:
            with contextlib.suppress(TimeUp):
                self.working = False

    def _alarm(self, *_: Any) -> None:
        """The examiner's word that the time is up; it says so again until this one has stopped or is ended."""
        if self.working and not self.on_line:
            raise TimeUp
