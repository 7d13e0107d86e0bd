"""The connection to a student's process: how it starts, how it ends, and what its end is called."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
from collections.abc import Callable

from examiner.isolation.watch import ASK, FINE, TOO_MUCH, Process, Watch
from examiner.isolation.wire import Line

STARTING = 60.0  # seconds on the wall for a process to come up


class StudentFailed(Exception):
    """The student's process could not answer. The name and the message are for the student."""

    student_traceback = "    (the other answers were tested in a fresh process)"


class ProcessEnded(StudentFailed):
    """It is no more."""


class NeverStopped(StudentFailed):
    """It had to be ended."""


class UnreadableReply(StudentFailed):
    """It spoke nonsense."""


class NotStarted(RuntimeError):
    """No student's process came up: the grader's own failure, for which no student pays."""


class Connection:
    """A student's process and the line to it. When it has ended, it can be started again.

    `start()` gives a fresh process: the line, and the leash that tells how it ended and ends it when let go.
    """

    def __init__(self, start: Callable[[], tuple[socket.socket, socket.socket]]) -> None:
        self._start = start
        self._line: Line | None = None
        self._leash: socket.socket | None = None
        self._process = Process()
        self._spent = 0.0  # by processes that have ended
        self._asleep = 0.0
        self.generation = 0  # how many processes have been started
        self.broken: StudentFailed | None = None

    @property
    def alive(self) -> bool:
        """Whether there is a process to talk to."""
        return self._line is not None

    def start(self) -> None:
        """A fresh process, with nothing run in it yet; NotStarted if none comes up."""
        self.stop()
        line, self._leash = self._start()
        self._line = Line(line, timed=True)
        try:
            if self._line.receive(Watch(Process(), STARTING).look)[0] != b"H":
                raise EOFError
            number = self._leash.recv(4)
        except (OSError, EOFError) as error:
            raise NotStarted("a student's process did not start") from error
        self._process = Process(struct.unpack("<i", number)[0]) if len(number) == 4 else Process()
        self.generation += 1

    def stop(self) -> None:
        """Let the process go; it ends at once."""
        if self._line is not None:
            self._spent += self._process.worked()
        for line in (self._line, self._leash, self._process):
            if line is not None:
                line.close()
        self._line = self._leash = None

    def in_bounds(self) -> bool:
        """Whether it is there, with no more threads and files than any answer needs, as its supervisor sees it now.

        The supervisor looks by itself, too, but from time to time: who took too much would be found out while the next
        cell runs, at whose cost.
        """
        assert self._leash is not None
        with contextlib.suppress(OSError):
            self._leash.sendall(ASK)
            if self._leash.recv(1, socket.MSG_PEEK) == FINE:
                return self._leash.recv(1) == FINE
        return False

    def watch(self, seconds: float) -> Watch:
        """A watch over a piece of work that the process has so many seconds for."""
        return Watch(self._process, seconds)

    def spent(self) -> float:
        """The seconds that all its processes have worked or slept so far."""
        return self._spent + self._asleep + (self._process.worked() if self.alive else 0.0)

    def _lost(self, why: str) -> StudentFailed:
        """The process is of no more use."""
        ended = self._how_it_ended() if why == "ended" else ""
        self.stop()
        self.broken = {
            "ended": ProcessEnded(f"it ended the whole process{ended}"),
            "hung": NeverStopped("it did not stop when its time was up"),
            "malformed": UnreadableReply("what came back from it could not be read"),
        }[why]
        return self.broken

    def _how_it_ended(self) -> str:
        assert self._leash is not None
        code = None
        with contextlib.suppress(OSError, ValueError):
            if select.select([self._leash], [], [], 1.0)[0]:
                code = json.loads(self._leash.recv(200) or b"{}").get("ended")
        names = {
            TOO_MUCH: "more threads or files than any answer needs",
            -9: "was killed",
            -11: "a crash, perhaps recursion without end",
            -6: "aborted",
            -24: "too much computing",
        }
        return f" ({names[code]})" if code in names else ""  # and no number of the student's own choice
