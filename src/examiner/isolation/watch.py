"""Other processes seen from outside: how long one has worked, whether it sleeps, and when its time is up.

Limits count what a process does, and not the time on the wall, which depends on what else the machine has to do: the
same submission shall get the same marks. Three clocks run, and whichever is up first ends the work:

work    the processor time of all its threads. What is lost by it is lost by the answer's own doing.
sleep   the time in which no thread runs, or waits for a processor or a disk, as the kernel counts it: when somebody
        looks, the process may have chosen. ASLEEP seconds of it weigh as much as one of work: a notebook may show a
        picture step by step, but hold nobody up.
wall    GUARD seconds of it weigh as much as one of work: for what neither runs nor sleeps and still never ends.

Whoever was stopped by the second or third is looked at by a person: it may have been the machine's fault. While the
examiner works for the student (a function that a test lends), no clock of the student's runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

ASLEEP = 3
GUARD = 10
GRACE = 2.0  # seconds between the alarm and the end of a process that does not heed it
LOOK = 0.2  # seconds of waiting between two looks
ASK, FINE, TOO_MUCH = b"?", b".", "too much"  # what is said on a student process's leash


class Process:
    """Another process of this user's. Where the system tells nothing of it, its work is the time on the wall."""

    def __init__(self, pid: int | None = None) -> None:
        self._pid = pid
        self._began = time.monotonic()
        self._clock: int | None = None
        self._handle: int | None = None
        self._worked = self._queued = self._ran = 0.0
        self._closed = False
        self.waited = 0.0  # seconds that it was waited for, in whatever pieces, since somebody looked
        if pid is not None and sys.platform == "linux":
            with contextlib.suppress(OSError, AttributeError):
                self._handle = os.pidfd_open(pid)  # another process may come to have the same number
                time.clock_gettime(~pid << 3 | 2)  # how Linux numbers the processor clock of a process
                self._clock = ~pid << 3 | 2

    @property
    def counted(self) -> bool:
        """Whether the system tells of its work."""
        return self._clock is not None

    def worked(self) -> float:
        """Seconds of processor time that it has used, all threads together; the last known, once it has ended."""
        if self._closed:
            return self._worked
        if self._clock is None:
            return time.monotonic() - self._began
        try:
            self._worked = time.clock_gettime(self._clock)
        except OSError:  # it has ended
            return self._worked
        return self._worked

    def slept(self, waited: float) -> float:
        """Of the seconds that it was waited for since this was asked last, those in which it neither ran nor wanted to.

        None where that is the smaller part: a machine's hypervisor takes from what runs, too.
        """
        if not self.counted:
            return 0.0
        try:
            tasks = [f"/proc/{self._pid}/task/{task}" for task in os.listdir(f"/proc/{self._pid}/task")]
            queued = sum(int(_read(f"{task}/schedstat").split()[1]) for task in tasks) / 1e9
            at_disk = any(_read(f"{task}/stat").rpartition(b")")[2].split()[0] == b"D" for task in tasks)
        except (OSError, IndexError):
            return 0.0
        ran, before = self.worked(), self._ran
        asleep = waited - (ran - before) - max(queued - self._queued, 0.0)  # an ended thread's part is gone
        self._ran, self._queued = ran, queued
        return asleep if asleep > waited / 2 and not at_disk else 0.0

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        with contextlib.suppress(OSError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, number)
            elif self._pid is not None and sys.platform != "linux":
                os.kill(self._pid, number)

    def close(self) -> None:
        """Let go of it; what it has worked until now stays known."""
        self._worked, self._closed = self.worked(), True
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


class Watch:
    """One piece of work that a process has so many seconds for: an alarm when they are over, TimeoutError after it."""

    def __init__(self, process: Process, seconds: float) -> None:
        self._process, self.seconds = process, seconds
        self._before = process.worked()
        self.asleep = 0.0
        self._wall = 0.0
        self.doubtful = False  # whether it was stopped though it had not worked for so long
        self.resume()

    def resume(self) -> None:
        """It is waited for from here on."""
        self._since = time.monotonic()

    def pause(self) -> None:
        """Until here: what follows is not the process's time. How long it was is kept, however short."""
        self._process.waited += time.monotonic() - self._since

    def spent(self) -> float:
        """What it has used of its seconds, awake or asleep."""
        return self._process.worked() - self._before + self.asleep / ASLEEP

    def look(self) -> None:
        """See how far it is, when it is time for that."""
        now = time.monotonic()
        waited = self._process.waited + now - self._since
        if waited < LOOK:
            return
        self._since, self._process.waited = now, 0.0
        self._wall += waited
        self.asleep += self._process.slept(waited)
        worked = self._process.worked() - self._before
        over = max(worked + self.asleep / ASLEEP - self.seconds, self._wall / GUARD - max(self.seconds, 1.0))
        if over > 0:
            self.doubtful = worked <= self.seconds and self._process.counted
            self._process.signal(signal.SIGALRM)  # once more at each look: it may have come in the middle of a message
        if over > GRACE:
            raise TimeoutError
