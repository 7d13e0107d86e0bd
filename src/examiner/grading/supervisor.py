"""The examiner's process, watched from outside: past its time it is ended, and a fresh one goes on."""

from __future__ import annotations

import hashlib
import json
import math
import select
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from examiner.grading.assignment import Limits
from examiner.grading.examination import in_source_order
from examiner.grading.result import GraderFailed
from examiner.grading.verdict import BROKE, HELD_UP
from examiner.isolation import watch
from examiner.isolation.forkserver import Forkserver, own_core


def examined(job: dict[str, Any], limits: Limits, digest: str, home: Forkserver) -> tuple[dict[str, Any], list[str]]:
    """What was told of the cells and marks, and notes; where the work did not come to its end, what was told so far.

    One examiner does all of it, unless a student's values keep it busy where no signal reaches it, or break it. Then
    it is ended, what it was at gets no mark and a person's eye, and another examiner goes on with the next step. An
    end that nobody here brought about is tried once more before it is blamed on the step.
    """
    told: dict[str, Any] = {"cells": {}, "marks": {}}
    deadline, broke = time.monotonic() + limits.given_up, -1
    with own_core() as core:
        while True:
            try:
                ended = _examined_once(job, told, limits, digest, home, core, deadline)
            except (OSError, ValueError):  # it ended as it was spoken to, or in the middle of a word
                ended = ""
            if "done" in told:
                return told, told["done"]
            at = told.pop("at", None)
            if ended == "late" or (at is None and broke is None):
                return told, ["the examiner's process ended before its work was done"]
            if at is not None:
                job |= {"from": at, "state": told["state"]}
                if ended == "busy" or broke == at:
                    _blame(job, told, at, ended == "busy")
            broke = at


def _blame(job: dict[str, Any], told: dict[str, Any], at: int, busy: bool) -> None:
    """A step has kept the examiner busy, or ended it: it gets the blame, and the next examiner goes on behind it."""
    number = in_source_order(job["steps"])[at]
    step, verdict = job["steps"][number], HELD_UP if busy else BROKE
    if at >= len(job["steps"]):
        told["marks"][step["grade_id"]] = verdict.mark(step["grade_id"])
    else:
        told["cells"][number] = {"outputs": [], "error": verdict.message}
        job["state"]["instead"][str(number)] = ""
    job["state"]["slow"].append(step.get("question"))
    job["from"] = at + 1


def _examined_once(
    job: dict[str, Any],
    told: dict[str, Any],
    limits: Limits,
    digest: str,
    home: Forkserver,
    core: int | None,
    deadline: float,
) -> str:
    """Let one examiner work, and note what it tells: "" when it has ended, "busy" or "late" where it was ended."""
    student_seed = int.from_bytes(hashlib.sha256(b"student" + digest.encode()).digest()[:4], "big")
    scratches: list[str] = []
    examiner, until = watch.Process(), math.inf
    line = home.examiner(_tests(job), core)

    def hand_over(data: bytes) -> None:
        student, leash, scratch = home.student(asdict(limits), student_seed, core)
        scratches.append(scratch)
        with student, leash:
            sent = socket.send_fds(line, [data], [student.fileno(), leash.fileno()])
        if sent < len(data):  # to send nothing is an error, too, where the examiner has done all and is gone by now
            line.sendall(data[sent:])

    try:
        line.settimeout(60)
        hand_over(json.dumps(job).encode() + b"\n")
        for message in _messages(line):
            if message is None:  # nothing for a while
                late = time.monotonic() > deadline
                if late or (examiner.counted and examiner.worked() > until):
                    examiner.signal(signal.SIGKILL)
                    return "late" if late else "busy"
            elif "need" in message:
                hand_over(b"S")
            elif "pid" in message:
                examiner = watch.Process(message["pid"])
            else:
                _note(message, told)
                if "at" in message:
                    until = examiner.worked() + message["within"]
                elif "done" in message:
                    break
        return ""
    finally:
        line.close()
        examiner.close()
        home.forget(scratches)


def _tests(job: dict[str, Any]) -> list[str]:
    """The code of an examination's tests, for the examiner to have ready."""
    tests = [*job["tools"], *(["import pandas"] if job["tables"] else [])]
    for step in job["steps"]:
        tests += [*step["prelude"], step["source"]] if step["kind"] == "test" else []
    return tests


def _note(message: dict[str, Any], told: dict[str, Any]) -> None:
    """Note what an examiner has told; GraderFailed where it could not do its work."""
    if "at" in message:
        told["at"], told["state"] = message["at"], message["state"]
    elif "mark" in message:
        told["marks"][message["mark"]["grade_id"]] = message["mark"]
    elif "cell" in message:
        told["cells"][message["cell"]] = message
    elif "failed" in message:
        raise GraderFailed(message["failed"])
    elif "done" in message:
        told["done"] = message["done"]


def _messages(line: socket.socket) -> Iterator[dict[str, Any] | None]:
    """What an examiner says; None for each half second in which it says nothing."""
    data = b""
    while True:
        while b"\n" in data:
            first, _, data = data.partition(b"\n")
            yield json.loads(first)
        if not select.select([line], [], [], 0.5)[0]:
            yield None
            continue
        try:
            piece = line.recv(1 << 20)
        except ConnectionResetError:  # it ended with something unread
            return
        if not piece:
            return
        data += piece
