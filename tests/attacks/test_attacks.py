"""No attack earns a mark, learns a test, touches another's things, or harms the next submission.

`make attacks` plays them all and prints the table; here are those that take no waiting.
"""

from __future__ import annotations

import functools
import io
import json
import os
import re
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

from attacks.attacks import FRAUDS, GROUPS, REACH, RESOURCES, SHARED, WIRE, Attack, Fraud
from attacks.stage import ASSIGNMENT, HONEST, KEY, LIMITS, Outcome, Stage, graded, handed_in, play, play_fraud
from examiner.course.archives import Taken, read_source
from examiner.course.ids import valid_id
from examiner.course.intake import find_jobs, take_in
from examiner.course.notebook import marked_notebook
from examiner.course.owners import owners_of
from examiner.course.plugin import LenientExporter
from examiner.course.systems import Hints, Piece
from examiner.grading.grade import grade, restored
from examiner.grading.placing import place
from examiner.grading.source import free_names
from examiner.grading.submission import Submitted, Unreadable, read_submission
from examiner.isolation.sandbox import NONE, best_level, readable_paths
from examiner.isolation.values import Malformed
from examiner.isolation.wire import decode, encode

PATIENT = {attack.name for attack in [*RESOURCES, *WIRE] if "end" in attack.name or "alarm" in attack.name}
PATIENT |= {"loops and catches everything", "sleeps", "takes 8 GB in a call", "replies with colliding keys"}
PATIENT |= {"takes the processor from its neighbour", "five thousand cells without ids", "maths in hundreds of cells"}
PATIENT |= {"four thousand cells that each print all they may", "three million words in a cell"}
PATIENT |= {"five million lines in a cell"}
FOLDERS = [attack for attack in RESOURCES if "folder" in attack.name]


TIME = ("took too long", "held the report up")  # it depends on what else the machine does: `make attacks` judges it


@functools.cache
def _holds(level: str) -> bool:
    return bool(best_level(readable_paths(), level)[0])


def _faults(outcome: Outcome) -> list[str]:
    return [fault for fault in outcome.faults if fault not in TIME]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home: Path = tmp_path_factory.mktemp("stage")
    yield Stage(home)


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(attack, id=attack.name, marks=[pytest.mark.slow] if attack.name in PATIENT else [])
        for attacks in GROUPS.values()
        for attack in attacks
    ],
)
def test_repels(attack: Attack, stage: Stage) -> None:
    assert _faults(play(attack, stage)) == []


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in [*REACH, *SHARED, *FOLDERS]])
@pytest.mark.parametrize("level", ["landlock", "namespaces"])
def test_each_rung_repels(attack: Attack, level: str, stage: Stage) -> None:
    if not _holds(level):
        pytest.skip(f"this machine has no {level}")
    assert _faults(play(attack, stage, level)) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="an ordinary user may not do all of these")
@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in SHARED])
def test_what_is_shared_would_be_in_reach_without_a_sandbox(attack: Attack) -> None:
    result = grade(json.dumps(handed_in(attack.answer)).encode(), ASSIGNMENT, KEY, LIMITS, NONE)
    assert {mark.grade_id: mark.score for mark in result.marks}["test_double"] == 2


@pytest.mark.parametrize("fraud", [pytest.param(fraud, id=fraud.name) for fraud in FRAUDS])
def test_wrong_answers_earn_nothing(fraud: Fraud) -> None:
    assert [fault for fault in play_fraud(fraud)[0] if fault not in TIME] == []


# Of words that are not in the notebook, so that only what is put together while the tests run can have them.
TELLS = "def told(x): return '_'.join(['hidden', 'input']) + repr(np.ravel(x)[:2])\n"


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("mlp_sgd", {"forward": TELLS + "def forward(params, X): return {told(X): 1}"}),
        ("mlp_sgd", {"forward": TELLS + "def forward(params, X): return {'t': X, told(X): 1}"}),
        (
            "mlp_sgd",
            {
                "sgd_step": TELLS
                + "def sgd_step(params, grads, eta):\n"
                + "    return {**{key: params[key] - eta * grads[key] for key in params}, told(params['V']): 1}"
            },
        ),
        (
            "logistic_regression",
            {
                "gradient": TELLS
                + """
seen = []
def gradient(w, b, X, y, lam):
    seen.append(X)
    residual = np.exp(-np.logaddexp(0, -(X @ w + b))) - y
    def parts():
        if lam == 0.2: raise ValueError(told(seen[0]))
        yield X.T @ residual / len(y) + lam * w
        yield np.mean(residual)
    return parts()
"""
            },
        ),
        (
            "logistic_regression",
            {
                "sigmoid": TELLS
                + """
import inspect
def sigmoid(x): return 0.0
def predict_proba(X, w, b):
    X[:] = 0
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = ['a_' + told(X)[:12], 'w', 'b']
    predict_proba.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in names])
""",
                "predict_proba": "def decision_function(X, w, b): return predict_proba(X, w, b)",
            },
        ),
    ],
    ids=["keys", "keys beside the right one", "one key more", "an iterator's error", "names of parameters"],
)
def test_no_hidden_input_is_told_in_words(name: str, answers: dict[str, str]) -> None:
    result = graded(name, answers)
    assert "hidden_input" not in result.to_json()


@pytest.mark.parametrize(
    "key",
    ["float(X[0, 0])", "tuple(X[0])", "X.tobytes()", "''.join('!?*+-/,;:=~^&%$@'[byte & 15] for byte in X.tobytes())"],
    ids=["number", "tuple", "bytes", "punctuation"],
)
def test_no_key_that_is_no_name_is_told(key: str) -> None:
    result = graded("mlp_sgd", {"forward": f"def forward(params, X): return {{{key}: 1}}"})
    told = [mark.message for mark in result.marks if mark.grade_id.startswith("test_forward")]
    assert len(told) > 3 and all(re.search(r"it has \['an? \w+'\]\.$", message) for message in told)


def test_no_cell_sees_what_the_tests_hand_in(stage: Stage) -> None:
    answer = "seen = []\ndef double(x):\n    seen.append(np.ravel(x))\n    return 3 * x"
    cells = [{"cell_type": "code", "metadata": {}, "source": source} for source in ("print(len(seen))", "seen[-1]")]
    outcome = play(Attack("tells", answer, notebook=lambda nb: {**nb, "cells": nb["cells"] + cells}), stage)
    assert _faults(outcome) == []
    assert outcome.result.cells[-2].outputs == (("stdout", "0\n"),)
    assert "IndexError: list index out of range" in outcome.result.cells[-1].error


@pytest.mark.parametrize("value", ["[],", '{"":0},', '"ab",', "1.5,"])
def test_no_json_takes_much_memory_before_it_is_refused(value: str) -> None:
    data = b'{"cells": [], "x": [' + value.encode() * (19_900_000 // len(value)) + b"0]}"
    tracemalloc.start()
    with pytest.raises(Unreadable, match="too many values"):
        read_submission(data)
    assert tracemalloc.get_traced_memory()[1] < 6 * len(data)
    tracemalloc.stop()


def test_a_generator_whose_numbers_never_vary_is_none() -> None:
    rng = np.random.default_rng(0)
    rng.bit_generator.state = {**rng.bit_generator.state, "state": {"state": 0, "inc": 0}}
    with pytest.raises(Malformed):
        decode(encode(rng))


@pytest.mark.parametrize("claims", [None, "setup", "test_double"])
def test_answers_are_not_looked_for_without_end(claims: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr("examiner.grading.placing.top_level_names", lambda source: read.append(len(source)) or ())
    place([Submitted("code", "a;" * 49_000, claims)] * 200, ASSIGNMENT)
    assert 0 < sum(read) <= 1_000_000


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(attack.first + attack.answer, id=attack.name)
        for attacks in GROUPS.values()
        for attack in attacks
        if "examiner." in attack.first + attack.answer
    ],
)
def test_what_an_attack_takes_of_the_examiner_is_there(answer: str) -> None:
    """An attack that stops at a name which has moved is repelled by nothing but that."""
    assert set(free_names(answer)) <= {"np"}
    namespace: dict[str, object] = {}
    for line in re.findall(r"^ *((?:from|import) +examiner\..*)", answer, re.MULTILINE):
        exec(line, namespace)
    for owner, name in re.findall(r"\b(\w+)\.((?:[A-Z]\w*\.)?\w+) = lambda", answer):
        assert owner not in namespace or callable(attrgetter(name)(namespace[owner]))


def test_hundreds_of_texts_are_not_all_set() -> None:
    own = {"cell_type": "markdown", "source": "$x$ " * 2000}
    notebook = marked_notebook(ASSIGNMENT, restored(json.dumps({"cells": [own] * 400}).encode(), ASSIGNMENT))
    theirs = [cell for cell in notebook.cells if cell.source == own["source"]]
    assert len(theirs) == 400 and sum(cell.cell_type == "markdown" for cell in theirs) <= 12


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("eve_111_222_x_333_attempt_2030-01-01-00-00-00_y.ipynb", "111"),
        ("eve_111_222_Bob_333_assignsubmission_file_y.ipynb", "111"),
        ("eve_LATE_111_222_Bob_Lee_333_assignsubmission_file_y.ipynb", "111"),
        ("Week 5_eve_attempt_2030-01-01-00-00-00_Bob_333_assignsubmission_file_y.ipynb", "eve"),
        ("eve_111_222_x_3_attempt_2030-99-99-99-99-99_y.ipynb", "111"),
        ("eve/x_bob_attempt_2030-01-01-00-00-00_y.ipynb", "eve"),
        ("eve/Bob_bob_assignsubmission_file_x.ipynb", "eve"),
        ("eve/bob+mini+2030-01-01 00:00:00/x.ipynb", "eve"),
        ("Eve_111_assignsubmission_file_/bob+mini+2030-01-01 00:00:00.ipynb", "111"),
    ],
)
def test_the_name_of_a_file_makes_it_nobody_elses(path: str, student: str) -> None:
    ((owner,),) = owners_of([Piece(path)], Hints(["mini"])).values()
    assert owner.student == student


@pytest.mark.parametrize(
    "student", ["..", "a/b", "\x1bc", "a\x9b2J", "\u202eeve", "Jos\udce9", "=1+1", "-rf", "@eve", " "]
)
def test_a_folders_name_that_is_no_students(student: str) -> None:
    assert not valid_id(student)


def _pipe(eve: Path) -> None:
    os.mkfifo(eve / "timestamp.txt")


def _endless(eve: Path) -> None:
    (eve / "timestamp.txt").symlink_to("/dev/zero")


def _sparse(eve: Path) -> None:
    with open(eve / "timestamp.txt", "wb") as file:
        file.truncate(1 << 42)
    with open(eve / "other.ipynb", "wb") as file:
        file.truncate(1 << 42)


def _deep(eve: Path) -> None:
    here = os.open(eve, os.O_RDONLY)
    for _ in range(2500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def _crowd(eve: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(50_000):
            archive.writestr(zipfile.ZipInfo(str(number)), b"")
    (eve / "mini.zip").write_bytes(made.getvalue())


def _thousand(eve: Path) -> None:
    for number in range(1000):
        (eve / f"{number}.ipynb").write_text("{}")


def _odd(eve: Path) -> None:
    notebook = json.loads(HONEST)
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "source": ["x", 1, None]})
    (eve / "mini.ipynb").unlink()
    (eve / "work.ipynb").write_text(json.dumps(notebook))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such files")
@pytest.mark.parametrize("hostile", [_pipe, _endless, _sparse, _deep, _crowd, _thousand, _odd])
def test_no_folder_stops_the_intake(hostile: Callable[[Path], None], tmp_path: Path) -> None:
    for student in ("alice", "eve"):
        (tmp_path / "in" / student).mkdir(parents=True)
        (tmp_path / "in" / student / "mini.ipynb").write_bytes(HONEST)
    hostile(tmp_path / "in" / "eve")
    began = time.process_time()
    taken = take_in([tmp_path / "in"], tmp_path / "submitted", tmp_path / "replaced", {"mini": ASSIGNMENT})
    jobs, _ = find_jobs(tmp_path / "submitted", {"mini": ASSIGNMENT})
    assert [job.student for job in jobs if job.path] == ["alice", "eve"]
    assert len(taken.problems) <= 12 and time.process_time() - began < 20
    subprocess.run(["rm", "-rf", tmp_path / "in"], check=True)


def test_who_is_a_link_or_looks_like_another_is_told_of(tmp_path: Path) -> None:
    for student in ("alice", "\uff41lice"):
        (tmp_path / "in" / student).mkdir(parents=True)
        (tmp_path / "in" / student / "mini.ipynb").write_bytes(HONEST)
    (tmp_path / "in" / "bob").symlink_to(tmp_path / "in" / "alice")
    taken = take_in([tmp_path / "in"], tmp_path / "submitted", tmp_path / "replaced", {"mini": ASSIGNMENT})
    assert any("bob" in problem for problem in taken.problems)
    assert any("one person" in problem for problem in taken.problems)


@pytest.mark.parametrize("value", ["[],", "{},"])
def test_nbgrader_does_not_read_what_takes_it_minutes(value: str, tmp_path: Path) -> None:
    outputs = b'{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [{"cell_type": "code", "outputs": ['
    (tmp_path / "mini.ipynb").write_bytes(outputs + value.encode() * 3_000_000 + b"0]}]}")
    began = time.process_time()
    LenientExporter().from_filename(str(tmp_path / "mini.ipynb"))
    assert time.process_time() - began < 5


@pytest.mark.parametrize("place", ["/usr/local/share/nbgrader/exchange", "/usr/local/etc/jupyter", "/etc/jupyter"])
def test_no_student_reads_where_nbgrader_keeps_things(place: str) -> None:
    """The exchange with everyone's submissions, and the configuration, on a server with nbgrader's defaults."""
    assert not [path for path in readable_paths() if Path(place).is_relative_to(path)]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_students_broken_zip_stops_nobody(method: int, tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("mini.ipynb", bytes(range(256)) * 40)
    honest = made.getvalue()
    for student in ("alice", "eve"):
        (tmp_path / student).mkdir()
    (tmp_path / "alice" / "mini.ipynb").write_text("{}")
    for at in range(40, 200, 3):
        (tmp_path / "eve" / "mini.zip").write_bytes(honest[:at] + bytes([honest[at] ^ 255]) + honest[at + 1 :])
        assert "alice/mini.ipynb" in [came.origin for came in read_source(tmp_path, Taken())]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_name_that_is_no_utf8_can_be_told_of(tmp_path: Path) -> None:
    (tmp_path / "eve").mkdir()
    Path(os.fsdecode(bytes(tmp_path / "eve") + b"/caf\xe9.ipynb")).write_text("{}")
    for found in read_source(tmp_path, Taken()):
        found.origin.encode()
