"""The examiner's own process: held up, broken or killed, it costs a test its mark at most."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from examined import examine
from examiner.grading.assignment import Limits


def test_a_test_that_a_value_holds_up_costs_its_own_marks() -> None:
    """Where no signal reaches it: in the middle of one call of C."""
    limits = Limits(cell_seconds=0.5, test_seconds=0.5)
    answer = "def q(): return 10**13\ndef r(): return 1"
    result = examine(answer, "assert r() == 1", "assert sum(range(q()))", "assert r() == 1", limits=limits)
    assert [mark.score for mark in result.marks] == [1, 0, 1], result
    assert "too long to look at" in result.marks[1].message and len(result.needs_eye) == 1


def test_what_had_run_before_has_run_where_another_examiner_goes_on() -> None:
    answer = "import os\nv = 3\ndef q(): return 1\nos._exit(1)"
    result = examine(answer, "q()\nimport os; os.kill(os.getpid(), 9)", "assert q() == 1 and v == 3")
    assert [mark.score for mark in result.marks] == [0, 1] and "ended the whole process" in result.notes[0]
    assert [why.split(":")[0] for why in result.needs_eye] == ["test_q_0"]


def test_an_examiner_that_is_killed_once_costs_nobody_a_mark(tmp_path: Path) -> None:
    once = f"import os\nif not os.path.exists('{tmp_path}/once'): os.mkdir('{tmp_path}/once'); os.kill(os.getpid(), 9)"
    result = examine("def q(): return 1", "assert q() == 1", f"{once}\nassert q() == 1", sandbox="none")
    assert result.score == 2 and not result.needs_eye


def test_an_examiner_that_is_done_before_the_grader_is_back_costs_nobody_a_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a busy machine: the grader is put aside as soon as the work is handed over."""
    send_fds, sent = socket.send_fds, []

    def send_and_wait(*args: Any) -> int:
        sent.append(send_fds(*args))
        time.sleep(0.5)
        return sent[-1]

    examine("def q(): return 1", "assert q() == 1")
    monkeypatch.setattr(socket, "send_fds", send_and_wait)
    result = examine("def q(): return 1", "assert q() == 1")
    students = sum(length > 4 for length in sent)  # the others go to the forkserver
    assert result.score == 1 and students == 1
