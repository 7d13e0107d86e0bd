"""`workshop check`, and the same before a class is graded."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from examiner.batch.job import ClassError
from examiner.batch.journal import grader_digest
from examiner.cli.terminal import say
from examiner.grading.assignment import Assignment
from examiner.grading.soundness import check
from examiner.isolation.files import write_atomically
from examiner.isolation.sandbox import NoSandbox


def check_command(options: argparse.Namespace) -> int:
    """List the test cells that mark their own solution wrong, or a blank copy right; 1 where there are any."""
    from examiner.course.course import open_course

    course = open_course(options.course)
    every = course.assignments()
    if unknown := set(options.assignments) - set(every):
        raise ClassError(f"There is no assignment {', '.join(sorted(unknown))}; there is {', '.join(every)}.")
    code = 0
    for name in options.assignments or every:
        found = [str(finding) for finding in check(every[name], hidden=course.private)]
        tests = sum(cell.kind == "test" for cell in every[name].cells)
        say(f"{name}: {tests} test cells, {len(found) or 'none'} to look at.")
        for line in found:
            say(f"  {line}")
        code = code or int(bool(found))
    return code


def unsound(course: Any, assignments: Mapping[str, Assignment], sandbox: str) -> dict[str, list[str]]:
    """By assignment, what `check` finds; remembered for as long as neither the assignment nor the grader changes."""
    path = course.state / "checked.json"
    try:
        known: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        known = {}
    grader, found = grader_digest(), {}
    for name, assignment in assignments.items():
        key = f"{grader} {assignment.digest}"
        if known.get(name, {}).get("key") != key:
            try:
                known[name] = {"key": key, "found": [str(f) for f in check(assignment, sandbox, course.private)]}
            except NoSandbox:  # grading says so itself
                return {}
            write_atomically(path, json.dumps(known, indent=1))
        if known[name]["found"]:
            found[name] = known[name]["found"]
    return found
