"""What the time is, and whose: limits count what the student's own process does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from examined import QUICK, examine
from examiner.grading.assignment import Limits


def test_cells_that_take_all_their_time_leave_the_tests_theirs() -> None:
    limits = Limits(cell_seconds=2, call_seconds=1, test_seconds=3, total_seconds=2)
    assert examine("import time\ndef q(): return 1\ntime.sleep(5)", "assert q() == 1", limits=limits).score == 1


WORKS = """
import time
def q(seconds):
    began = time.process_time()
    while time.process_time() - began < seconds: pass
"""
SLEEPS = "import time\ndef q(seconds): time.sleep(seconds)"


def test_changing_the_limits_changes_what_counts_as_endless() -> None:
    for slow in (WORKS, SLEEPS):
        assert examine(slow, "q(0.8)", limits=QUICK).score == 1
        assert examine(slow, "q(0.8)", limits=Limits(call_seconds=0.1)).score == 0


def test_a_slow_right_answer_beside_eight_busy_loops_gets_full_marks() -> None:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        result = examine(f"{WORKS}\nq(1)", "q(1.5)", "q(0.5)", limits=replace(QUICK, call_seconds=2))
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    assert result.score == 2 and not result.needs_eye and not result.notes


def test_computing_too_long_is_the_answers_own_fault_and_sleeping_too_long_is_looked_at() -> None:
    for slow, eyes in ((WORKS, 0), (SLEEPS, 1)):
        result = examine(f"{slow}\ndef r(): return 1", "q(99)", "assert r() == 1", limits=Limits(call_seconds=0.2))
        assert "time was up" in result.marks[0].message and result.score == 1
        assert len(result.needs_eye) == eyes


def test_what_fails_after_a_cell_that_slept_too_long_is_looked_at() -> None:
    result = examine(
        "import time\ndef q(): return 1\ntime.sleep(99)\nv = int(1)", "assert q() == 1", "v", limits=Limits(0.2)
    )
    assert [mark.score for mark in result.marks] == [1, 0] and result.notes
    assert [why.split(":")[0] for why in result.needs_eye] == ["test_q_1"]


def test_the_time_of_a_function_that_a_test_lends_is_not_the_answers() -> None:
    result = examine("def q(f): return f(1)", f"{WORKS.replace('q', 'f')}\nq(f)", limits=Limits(call_seconds=0.2))
    assert result.score == 1


def test_an_alarm_that_an_answer_does_not_heed_ends_its_process() -> None:
    deaf = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\ndef q():\n    while True: pass\n"
    result = examine(f"{deaf}def r(): return 1", "q()", "assert r() == 1", limits=Limits(call_seconds=0.2))
    assert "did not stop" in result.marks[0].message and result.score == 1
