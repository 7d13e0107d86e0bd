"""Each rung of the sandbox holds, the ladder says why a better rung is missing, and without any the grader refuses."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from attacks.attacks import GROUPS
from attacks.stage import ASSIGNMENT, HONEST, KEY, LIMITS, Stage, handed_in, leftovers, play
from examiner import sandbox
from examiner.grade import grade, nursery
from examiner.sandbox import NONE, RUNGS, NoSandbox, best_rung, own_core, readable_paths

linux = pytest.mark.skipif(sys.platform != "linux", reason="the rungs are Linux's")
TELLING = [
    "reads the source", "reads its memory and its parents'", "kills its parents", "connects to this machine",
    "connects by UDP", "writes outside", "writes through a link", "starts a detached process", "fork bomb",
    "takes 8 GB", "ends the process in a call", "mounts over its root", "reads another process's memory",
]  # fmt: skip


@linux
@pytest.mark.parametrize("rung", RUNGS)
def test_a_rung_holds_against_the_telling_attacks(rung: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    if best_rung(readable_paths(), rung)[0] != rung:
        pytest.skip(f"not on this machine: {best_rung(readable_paths(), rung)[1]}")
    stage = Stage(tmp_path_factory.mktemp("stage"))
    attacks = {attack.name: attack for group in GROUPS.values() for attack in group}
    faults = {name: play(attacks[name], stage, rung).faults for name in TELLING}
    assert not any(faults.values()), faults
    assert grade(HONEST, ASSIGNMENT, KEY, LIMITS, rung).sandbox == rung
    nursery(rung).close()


def test_no_process_outlives_its_submission() -> None:
    grade(json.dumps(handed_in("def double(x):\n    while True: pass")).encode(), ASSIGNMENT, KEY, LIMITS)
    assert leftovers() == []


def test_the_ladder_says_why_a_rung_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_proves", lambda rung, _: "no Landlock here" if "landlock" in rung else "")
    rung, reasons = best_rung([])
    assert (rung, "namespaces+landlock: no Landlock here" in reasons) == ("namespaces", sys.platform == "linux")


def test_without_a_sandbox_the_grader_refuses_and_names_the_option() -> None:
    """A machine without any rung, played by a nursery that finds none."""
    program = """
        import examiner.sandbox as s
        s.best_rung = lambda *_: ("", "this kernel has nothing")
        from examiner.student import _main
        import sys
        _main(int(sys.argv[1]), int(sys.argv[2]), "auto")
    """
    import textwrap

    real = subprocess.Popen

    def without(command: list[str], **more: object) -> subprocess.Popen[bytes]:
        return real([command[0], "-P", "-s", "-c", textwrap.dedent(program), *command[5:]], **more)  # type: ignore[call-overload]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox.subprocess, "Popen", without)
        with pytest.raises(NoSandbox, match=r'this kernel has nothing.*sandbox="none"'):
            sandbox.Nursery("auto")


def test_asked_for_by_name_none_grades_without_a_sandbox() -> None:
    result = grade(HONEST, ASSIGNMENT, KEY, LIMITS, NONE)
    assert (result.score, result.sandbox) == (7, NONE)
    nursery(NONE).close()
    with pytest.raises(ValueError, match="no sandbox is called"):
        sandbox.Nursery("soft")


@linux
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to be somebody else")
def test_an_ordinary_user_gets_a_sandbox_too() -> None:
    """No capabilities, another user: in a user namespace, as a tutor's laptop or a hub has it."""
    program = (
        "from examiner.sandbox import _drop_capabilities; _drop_capabilities(); "
        "import sys; sys.path.insert(0, 'tests'); from attacks.stage import *; "
        "r = grade(HONEST, ASSIGNMENT, KEY, LIMITS); print(r.score, r.sandbox, os.getuid())"
    )
    user = ["unshare", "-U", "--map-user=1234", "--map-group=1234"]
    try:
        done = subprocess.run([*user, sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    score, rung, uid = done.stdout.split() if done.stdout else ("", done.stderr, "")
    assert (score, uid) == ("7.0", "1234") and rung in RUNGS


def test_no_two_submissions_are_given_the_same_core() -> None:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(own_core()) for _ in range(len(cores) + 1)]
        held = [core for core in taken if core is not None]  # fewer than there are, where other graders are at work
        assert len(set(held)) == len(held) < len(taken)


def test_limits_leave_numpy_alone() -> None:
    answer = "import numpy as np\nA = np.random.rand(300, 300)\nnp.linalg.svd(A); big = np.ones(10**8)\n"
    submission = json.dumps(handed_in(answer + "def double(x): return 2 * x"))
    assert grade(submission.encode(), ASSIGNMENT, KEY).score == 7


def test_grading_processes_whose_owner_is_gone_end_quietly_and_remove_no_folder_of_another(tmp_path: Path) -> None:
    ends = [*socket.socketpair(), *socket.socketpair()]
    descriptors = [ends[1].fileno(), ends[3].fileno()]
    command = [sys.executable, "-P", "-s", "-m", "examiner.student", *map(str, descriptors), "auto"]
    process = subprocess.Popen(command, pass_fds=descriptors, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    for end in ends:
        end.close()
    assert process.communicate(timeout=60)[1] == ""
    assert tmp_path.is_dir()
