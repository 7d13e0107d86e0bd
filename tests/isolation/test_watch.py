"""Another process's time, seen from outside."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from examiner.isolation.watch import Process, Watch


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a process has slept")
def test_many_short_waits_are_a_long_one() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            watch = Watch(Process(sleeper.pid), 60)
            while not watch.asleep and sleeper.poll() is None:
                watch.resume()
                time.sleep(0.02)
                watch.look()
                watch.pause()
        finally:
            sleeper.kill()
    assert watch.asleep
