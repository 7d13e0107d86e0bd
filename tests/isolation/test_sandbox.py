"""Each isolation level holds, the ladder says why a better one is missing, and without any the grader refuses."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from attacks.attacks import GROUPS
from attacks.stage import ASSIGNMENT, HONEST, KEY, LIMITS, Stage, handed_in, leftovers, play
from examiner.grading.grade import PROGRAM, forkserver, grade
from examiner.isolation import linux as linux_calls
from examiner.isolation import sandbox
from examiner.isolation.forkserver import Forkserver, _remove, _takes_too_much, own_core
from examiner.isolation.linux import ALLOWED, GUARDED, filter_program
from examiner.isolation.sandbox import LEVELS, NONE, NoSandbox, best_level, plan, readable_paths
from trace_calls import ORDINARY, PATIENT

linux = pytest.mark.skipif(sys.platform != "linux", reason="the levels are Linux's")
TELLING = [
    "reads the source", "reads its memory and its parents'", "kills its parents", "connects to this machine",
    "connects by UDP", "writes outside", "writes through a link", "starts a detached process", "fork bomb",
    "takes 8 GB", "ends the process in a call", "mounts over its root", "reads another process's memory",
]  # fmt: skip


@linux
@pytest.mark.parametrize("level", LEVELS)
def test_a_rung_holds_against_the_telling_attacks(level: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    if best_level(readable_paths(), level)[0] != level:
        pytest.skip(f"not on this machine: {best_level(readable_paths(), level)[1]}")
    stage = Stage(tmp_path_factory.mktemp("stage"))
    attacks = {attack.name: attack for group in GROUPS.values() for attack in group}
    faults = {name: play(attacks[name], stage, level).faults for name in TELLING}
    assert not any(faults.values()), faults
    assert grade(HONEST, ASSIGNMENT, KEY, LIMITS, level).sandbox == level
    forkserver(level).close()


@linux
@pytest.mark.parametrize("level", LEVELS)
def test_what_ordinary_cells_do_is_allowed(level: str) -> None:
    """Pictures, files, threads, clocks, waiting: nothing that a student may well do is refused."""
    if best_level(readable_paths(), level)[0] != level:
        pytest.skip(f"not on this machine: {best_level(readable_paths(), level)[1]}")
    notebook = json.dumps(handed_in("def double(x): return 2 * x", first=ORDINARY))
    result = grade(notebook.encode(), ASSIGNMENT, KEY, PATIENT, level)
    assert [cell.error for cell in result.cells if cell.error] == []
    assert "all of it ran" in str([cell.outputs for cell in result.cells])
    forkserver(level).close()


def _decides(program: bytes, machine: str, number: int, arguments: Sequence[int] = ()) -> int:
    """What the kernel would make of a call: the filter run here, since a test has one processor only."""
    data = struct.pack("<iIQ6Q", number, linux_calls._MACHINES[machine][1], 0, *[*arguments, *[0] * 6][:6])
    at = value = 0
    while True:
        code, yes, no, k = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        if code == 0x06:
            return k
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, k)
        elif code == 0x54:
            value &= k
        else:
            at += yes if (value == k if code == 0x15 else value >= k) else no


ALLOW, REFUSE = 0x7FFF0000, 0x50000
MADE_WELL = {
    "futex": (0, 128), "mmap": (0, 9, 3, 0x22), "madvise": (0, 9, 4), "clone": (0x3D0F00,), "fcntl": (3, 1030),
    "ioctl": (0, 0x5401), "getsockopt": (3, 1, 3), "getpgid": (7,), "kill": (7, 9),
    "tgkill": (7, 8, 9), "prctl": (15,), "prlimit64": (7,), "clock_gettime": (1,), "clock_getres": (1,),
    "clock_nanosleep": (1,),
}  # fmt: skip


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_allows_the_list_and_refuses_the_rest(machine: str) -> None:
    program, column = filter_program(machine, own=7), ["x86_64", "aarch64"].index(machine)
    listed = {numbers[column] for numbers in ALLOWED.values()} - {None}
    guarded = {numbers[column]: name for name, (numbers, _) in GUARDED.items()}
    for number in range(1000):
        given = _decides(program, machine, number, [0x4200D] * 6)  # an argument that no call allows
        if number in listed:
            assert given == ALLOW, number
        else:
            names = {"futex": errno.EAGAIN}
            why = names.get(guarded.get(number, ""), errno.ENOSYS if number >= 424 else errno.EPERM)
            assert given == REFUSE | why, (number, guarded.get(number))
    for number, name in guarded.items():
        assert _decides(program, machine, number, MADE_WELL[name]) == ALLOW, name
    assert _decides(program, machine, 0x40000000 + 57) == REFUSE | errno.ENOSYS  # the other numbers of x86-64


def test_a_call_by_another_architectures_numbers_ends_the_process() -> None:
    program = filter_program("x86_64", own=7)
    assert _decides(program, "aarch64", 0) == 0x80000000


@pytest.mark.parametrize(
    ("column", "header", "define"),
    [(0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", r"#define __NR_(\w+)\s+(\d+)"),
     (1, "/usr/include/asm-generic/unistd.h", r"#define __NR(?:3264)?_(\w+)\s+(\d+)")],
)  # fmt: skip
def test_the_numbers_are_the_kernels(column: int, header: str, define: str) -> None:
    if not Path(header).exists():
        pytest.skip("no kernel headers here")
    known = {name: int(number) for name, number in re.findall(define, Path(header).read_text())}
    known |= {"newfstatat": known["fstatat"]} if "fstatat" in known else {}
    every = {**ALLOWED, **{name: numbers for name, (numbers, _) in GUARDED.items()}}
    assert {name: known.get(name) for name in every if every[name][column] is not None} == {
        name: numbers[column] for name, numbers in every.items() if numbers[column] is not None
    }


@pytest.fixture
def below_lib() -> Iterator[Path]:
    """A course that lies among the interpreter's own files."""
    folder = Path(tempfile.mkdtemp(prefix="course-", dir=Path(sys.prefix, "lib"))).resolve()
    (folder / "source").mkdir()
    (folder / "source" / "secret.txt").write_text("THE ANSWERS")
    yield folder
    shutil.rmtree(folder)


READS = (
    "import os\nprint(os.path.isdir({0!r}) and os.listdir({0!r}))\nprint(open({0!r} + '/source/secret.txt').read())\n"
)


@linux
@pytest.mark.parametrize("level", [*LEVELS, NONE])
def test_a_course_below_the_interpreters_lib_is_hidden(level: str, below_lib: Path) -> None:
    if level != NONE and best_level(readable_paths(), level)[0] != level:
        pytest.skip(f"not on this machine: {best_level(readable_paths(), level)[1]}")
    reads = json.dumps(handed_in("def double(x): return 2 * x", first=READS.format(str(below_lib)))).encode()
    result = grade(reads, ASSIGNMENT, KEY, LIMITS, level, (str(below_lib),))
    assert result.score == 7
    assert ("THE ANSWERS" in result.to_json() + str(result.cells)) == (level == NONE)
    forkserver(level, (str(below_lib),)).close()


@linux
@pytest.mark.parametrize("level", LEVELS)
def test_a_service_that_grades_in_the_root_folder_has_a_sandbox_too(level: str) -> None:
    if not best_level(readable_paths(), level)[0]:
        pytest.skip(f"not on this machine: {best_level(readable_paths(), level)[1]}")
    assert best_level(readable_paths(), level, ["/"]) == (level, "")


@linux
def test_where_a_course_cannot_be_hidden_the_grader_refuses_and_says_which() -> None:
    """Landlock can't hide what lies in a folder that Python must list; nothing hides that folder itself."""
    packages = sysconfig.get_paths()["purelib"]
    with tempfile.TemporaryDirectory(dir=packages) as course:
        Path(course, "secret.txt").write_text("THE ANSWERS")
        with pytest.raises(NoSandbox, match=r"can't list .*site-packages|can't be shut in"):
            Forkserver(PROGRAM, "landlock", [course])
        if best_level(readable_paths(), "namespaces")[0]:
            assert best_level(readable_paths(), "namespaces", [course])[0] == "namespaces"
    with pytest.raises(NoSandbox, match=rf"{re.escape(os.path.realpath(packages))} holds files of Python's"):
        Forkserver(PROGRAM, "auto", [packages])


def test_the_nearest_of_the_shown_and_the_hidden_folders_decides(tmp_path: Path) -> None:
    home = tmp_path.resolve() / "home"
    for name in ("python/lib/course/.venv/lib", "course/src"):
        (home / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(home / "python")
    shown = [f"{home}/python/lib", f"{home}/python/lib/course/.venv/lib", f"{tmp_path}/link/lib"]
    assert plan(shown, [str(home), f"{home}/course", f"{home}/python/lib/course", "/nowhere"]) == {
        f"{home}/python/lib": True,
        f"{home}/python/lib/course": False,
        f"{home}/python/lib/course/.venv/lib": True,
        f"{tmp_path}/link/lib": True,
        f"{tmp_path}/link/lib/course": False,
    }


def test_no_process_outlives_its_submission() -> None:
    grade(json.dumps(handed_in("def double(x):\n    while True: pass")).encode(), ASSIGNMENT, KEY, LIMITS)
    assert leftovers() == []


TOO_LONG = """
import os, threading, time
here = os.getcwd()
for _ in range(18): os.mkdir('a' * 250); os.chdir('a' * 250)
"""


@linux
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "then",
    [
        "threading.stack_size(1 << 16)\nfor _ in range(400): threading.Thread(target=time.sleep, args=(9,)).start()",
        "for i in range(10): open(str(i), 'wb').write(bytes(15 << 20))",
    ],
    ids=["threads", "files"],
)
def test_no_path_is_too_long_for_what_lies_there_to_be_counted(level: str, then: str) -> None:
    if best_level(readable_paths(), level)[0] != level:
        pytest.skip(f"not on this machine: {best_level(readable_paths(), level)[1]}")
    flood = TOO_LONG + then + "\ntime.sleep(1)\nprint('got through')"
    result = grade(json.dumps(handed_in("", first=flood)).encode(), ASSIGNMENT, KEY, LIMITS, level)
    forkserver(level).close()
    assert "got through" not in str([cell.outputs for cell in result.cells])


TOO_MANY = {
    "threads": "threading.stack_size(1 << 16)\n"
    "    for _ in range(400): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
    "files": "for i in range(17_000): os.close(os.open(str(i), os.O_CREAT))",
    "folders": "for _ in range(1500): os.mkdir('d'); os.chdir('d')",
}


@linux
@pytest.mark.parametrize("level", ["landlock", "namespaces+landlock"])
@pytest.mark.parametrize("made", TOO_MANY)
@pytest.mark.parametrize("called", [False, True], ids=["in its cell", "in a call"])
def test_who_takes_too_much_pays_for_it_however_late_it_is_seen(level: str, made: str, called: bool) -> None:
    if best_level(readable_paths(), level)[0] != level:
        pytest.skip(f"not on this machine: {best_level(readable_paths(), level)[1]}")
    took = f"import contextlib, os, threading, time\ndef take():\n    {TOO_MANY[made]}\n"
    double = "def double(x): take()" if called else "with contextlib.suppress(OSError): take()\ndef double(x): pass"
    slowly = "import time\ntime.sleep(0.3)\ndef shift(x, by):\n    time.sleep(0.3)\n    return x + by"
    result = grade(json.dumps(handed_in(took + double, slowly)).encode(), ASSIGNMENT, KEY, LIMITS, level)
    assert [mark.score for mark in result.marks] == [0, 0, 1, 1]


@pytest.mark.parametrize("then", ["here = 1", "os.chdir(here); open('f', 'w').close(); os.mkdir('x')"])
def test_little_in_a_long_path_is_not_too_much(then: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", f"{TOO_LONG}{then}"], cwd=tmp_path, check=True)
    assert not _takes_too_much(os.getpid(), None, str(tmp_path))
    _remove(str(tmp_path))
    assert not tmp_path.exists()


@linux
def test_a_file_that_is_open_and_has_no_name_any_more_takes_room_too(tmp_path: Path) -> None:
    processes = os.open("/proc", os.O_RDONLY)
    with open(tmp_path / "f", "wb") as file:
        os.unlink(tmp_path / "f")
        assert not _takes_too_much(os.getpid(), processes, str(tmp_path))
        file.truncate(sandbox.SCRATCH_BYTES + 1)
        assert _takes_too_much(os.getpid(), processes, str(tmp_path))
    os.close(processes)


def test_counting_ends_with_the_room_though_folders_are_moved_about_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever moves folders into the way of the count, played by folders that each seem to hold all of them again."""
    monkeypatch.setattr("examiner.isolation.forkserver.SCRATCH_BYTES", 1 << 20)
    for number in range(20):
        (tmp_path / str(number)).mkdir()
    opened = os.open

    def again(path: Any, flags: int, *mode: int, dir_fd: int | None = None) -> int:
        return opened(tmp_path, flags) if dir_fd is not None else opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", again)
    began = time.process_time()
    assert _takes_too_much(os.getpid(), None, str(tmp_path))
    assert time.process_time() - began < 1


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are Unix's")
@pytest.mark.parametrize("mode", [0, 0o300, 0o500], ids=oct)
def test_a_folder_without_rights_is_too_much_where_it_cannot_be_listed_and_is_removed(mode: int) -> None:
    program = """
import os, sys, tempfile
from examiner.isolation.forkserver import _remove, _takes_too_much
from examiner.isolation.linux import drop_capabilities
drop_capabilities()
folder = tempfile.mkdtemp()
os.makedirs(folder + "/a/b")
open(folder + "/a/b/c", "w").close()
os.chmod(folder + "/a", int(sys.argv[1]))
print(_takes_too_much(os.getpid(), None, folder))
_remove(folder)
print(os.path.exists(folder))
"""
    done = subprocess.run([sys.executable, "-c", program, str(mode)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(mode != 0o500), "False"]


def test_the_ladder_says_why_a_rung_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_proves", lambda level, *_: "no Landlock here" if "landlock" in level else "")
    level, reasons = best_level([])
    assert (level, "namespaces+landlock: no Landlock here" in reasons) == ("namespaces", sys.platform == "linux")


def test_without_a_sandbox_the_grader_refuses_and_names_the_option() -> None:
    """A machine without any level, played by a forkserver that finds none."""
    program = """
        from examiner.isolation import forkserver as s
        s.best_level = lambda *_: ("", "this kernel has nothing")
        from examiner.grading.waiting import _main
        import sys
        _main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
    """
    import textwrap

    real = subprocess.Popen

    def without(command: list[str], **more: object) -> subprocess.Popen[bytes]:
        return real([command[0], "-P", "-s", "-c", textwrap.dedent(program), *command[5:]], **more)  # type: ignore[call-overload]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", without)
        with pytest.raises(NoSandbox, match=r'this kernel has nothing.*sandbox="none"'):
            Forkserver(PROGRAM, "auto")


def test_asked_for_by_name_none_grades_without_a_sandbox() -> None:
    result = grade(HONEST, ASSIGNMENT, KEY, LIMITS, NONE)
    assert (result.score, result.sandbox) == (7, NONE)
    forkserver(NONE).close()
    with pytest.raises(ValueError, match="no sandbox is called"):
        Forkserver(PROGRAM, "soft")


@linux
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to be somebody else")
def test_an_ordinary_user_gets_a_sandbox_too() -> None:
    """No capabilities, another user: in a user namespace, as a tutor's laptop or a hub has it."""
    program = (
        "from examiner.isolation.linux import drop_capabilities; drop_capabilities(); "
        "import sys; sys.path.insert(0, 'tests'); from attacks.stage import *; "
        "r = grade(HONEST, ASSIGNMENT, KEY, LIMITS); print(r.score, r.sandbox, os.getuid())"
    )
    user = ["unshare", "-U", "--map-user=1234", "--map-group=1234"]
    try:
        done = subprocess.run([*user, sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    score, level, uid = done.stdout.split() if done.stdout else ("", done.stderr, "")
    assert (score, uid) == ("7.0", "1234") and level in LEVELS


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
    command = [sys.executable, "-P", "-s", "-m", "examiner.grading.waiting", *map(str, descriptors), "auto"]
    process = subprocess.Popen(command, pass_fds=descriptors, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    for end in ends:
        end.close()
    assert process.communicate(timeout=60)[1] == ""
    assert tmp_path.is_dir()
