"""What a submission may use, and what is left of it: its processes' time, and the examiner's over what they gave."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

from examiner.grading.assignment import Limits

OVERTIME = 5.0  # seconds of its own that an examiner may work on a step beyond those in which it stops by itself
MOST_STARTS = 30  # of student's processes by the cells, and by the tests
_IMPATIENT = 3.0  # seconds for what belongs to an answer that has held something up


class Budget:
    """What is left of a submission's time, processes and output.

    `spent()` is the seconds that this examiner's student's processes have worked or slept.
    """

    def __init__(self, limits: Limits, spent: Callable[[], float]) -> None:
        self.limits, self._spent = limits, spent
        self._before = 0.0  # seconds that an earlier examiner's students have spent
        self._until = limits.total_seconds
        self._starts = 0
        self.room = 10 * limits.output  # characters of output of all cells together
        self.slow: set[str] = set()  # questions with an answer that hung, or held a test up

    def state(self) -> dict[str, Any]:
        """What another examiner must know to go on from here."""
        used = {"before": self.spent(), "until": self._until, "starts": self._starts}
        return {**used, "room": self.room, "slow": [*self.slow]}

    def take_over(self, state: dict[str, Any]) -> None:
        """Go on from the state that another examiner has left."""
        self._before, self._until, self._starts = state["before"], state["until"], state["starts"]
        self.room, self.slow = state["room"], set(state["slow"])

    def begin_tests(self) -> None:
        """The tests have as much time and as many processes as the cells had, whatever these used up."""
        self._until, self._starts = self.spent() + self.limits.total_seconds, 0

    def spent(self) -> float:
        """Seconds that the student's processes have worked or slept."""
        return self._before + self._spent()

    def left(self) -> float:
        """Seconds left for the cells, or for the tests."""
        return self._until - self.spent()

    def may_start(self) -> bool:
        """Whether another process may be started; it is counted."""
        self._starts += 1
        return self._starts <= MOST_STARTS and self.left() > 0

    def seconds(self, most: float, least: float = 0.1) -> float:
        """The student's seconds for a piece of work: `most`, or what is left, but `least` at any rate."""
        return min(most, max(self.left(), least))

    def patience(self, most: float, question: str | None) -> float:
        """Of `most` seconds, those for a question's work: few, where an answer to it has held something up already."""
        return min(_IMPATIENT, most) if question in self.slow else most

    def own_seconds(self, step: dict[str, Any]) -> float:
        """Seconds that the examiner itself may work on a step."""
        most = self.limits.test_seconds if step["kind"] == "test" else self.limits.cell_seconds
        return self.patience(most, step.get("question"))


class TooLong(BaseException):
    """The examiner has worked for too long on what a student's code gave it."""


def _stop(*_: Any) -> None:
    raise TooLong


@contextlib.contextmanager
def own_work(seconds: float) -> Iterator[None]:
    """Let this process work for so long, else TooLong; waiting for a student's process is not counted."""
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        with contextlib.suppress(TooLong):
            signal.setitimer(signal.ITIMER_PROF, 0)
