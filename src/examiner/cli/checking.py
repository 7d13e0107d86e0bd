"""`workshop check`, and the same before a class is graded."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from examiner.batch.job import ClassError
from examiner.batch.journal import grader_digest
from examiner.batch.local import available_cores
from examiner.cli.terminal import say
from examiner.grading.assignment import Assignment
from examiner.grading.soundness import check, refusal
from examiner.isolation.files import write_atomically
from examiner.isolation.sandbox import NoSandbox


def check_command(options: argparse.Namespace) -> int:
    """List the test cells that mark their own solution wrong, or a blank copy right; 1 where there are any."""
    from examiner.course.course import open_course

    course = open_course(options.course)
    every = course.assignments()
    if unknown := set(options.assignments) - set(every) - set(course.refused):
        raise ClassError(f"There is no assignment {', '.join(sorted(unknown))}; there is {', '.join(every)}.")
    code = 0
    for name in options.assignments or [*every, *course.refused]:
        if name in course.refused:
            say(f"{name} can't be graded. {course.refused[name]}")
            code = 1
            continue
        assignment = every[name].in_one_process() if options.kernel_in_sandbox else every[name]
        found = check(assignment, hidden=course.private)
        tests = sum(cell.kind == "test" for cell in every[name].cells)
        say(f"{name}: {tests} test cell{'s' * (tests != 1)}, {len(found) or 'none'} to look at.")
        for line in filter(None, [refusal(found), *map(str, found)]):
            say(f"  {line}")
        code = code or int(bool(found))
    return code


@dataclass(frozen=True)
class Checked:
    """What `check` finds in an assignment, and why it is not to be graded at all, if so."""

    found: tuple[str, ...] = ()
    refused: str = ""


def checked(course: Any, assignments: Mapping[str, Assignment], sandbox: str) -> dict[str, Checked]:
    """By assignment, what `check` finds; remembered for as long as neither the assignment nor the grader changes."""
    path = course.state / "checked.json"
    try:
        known: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        known = {}
    grader = grader_digest()
    keys = {name: f"{grader} {assignment.digest}" for name, assignment in assignments.items()}
    anew = [name for name in assignments if known.get(name, {}).get("key") != keys[name]]
    with ThreadPoolExecutor(available_cores(), "checking") as pool:
        looked = [pool.submit(check, assignments[name], sandbox, course.private) for name in anew]
    try:
        for name, future in zip(anew, looked, strict=True):
            findings = future.result()
            known[name] = {"key": keys[name], "found": list(map(str, findings)), "refused": refusal(findings)}
    except NoSandbox:  # grading says so itself
        return {}
    if anew:
        write_atomically(path, json.dumps(known, indent=1))
    return {name: Checked(tuple(known[name]["found"]), known[name].get("refused", "")) for name in assignments}
