"""Name a known mistake from what a visible test has seen.

Of each mistake that is known, `known_mistakes.json` holds a few projections of the numbers that it gives in a visible
test, and the sentence that names it: the problems of visible tests are fixed. The examiner works them out when it makes
a release. Neither a formula nor an answer can be had from them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workshop._diagnosis import NOTHING, Finding

FILE = Path(__file__).with_name("known_mistakes.json")
PROJECTIONS = 3


MOST_TOLD = 3


def projections(seen: Sequence[Any]) -> tuple[NDArray[np.float64], float]:
    """A few weighted sums of all the numbers that a test has seen, shapes and errors among them; their size."""
    return _sums(number for thing in seen if thing.beside is None for number in _numbers(thing))


def _sums(listed: Iterable[float]) -> tuple[NDArray[np.float64], float]:
    numbers = np.array(list(listed), dtype=np.float64)
    k = np.arange(1, len(numbers) + 1)
    weights = np.sin([[1 + 0.7 * j * i * i + i for i in k] for j in range(1, PROJECTIONS + 1)])
    with np.errstate(over="ignore", invalid="ignore"):  # of a descent that left all bounds
        return weights @ numbers, float(np.linalg.norm(numbers))


def _numbers(thing: Any) -> Iterator[float]:
    if thing.got is None:
        yield zlib.crc32(str(thing.wrong).split("\n")[0].strip().encode()) / 2**28
        return
    yield from _flat(thing.got)
    yield from np.ravel(thing.want if thing.want is not None else ())


def _flat(array: NDArray[np.float64]) -> Iterator[float]:
    yield from array.shape
    yield from np.nan_to_num(array, nan=123.0, posinf=1700.0, neginf=-2300.0).ravel()


def beside(seen: Sequence[Any]) -> tuple[int, float, float]:
    """Of the parts that have tests of their own: a bit for each that is right, a sum of what the wrong ones gave; its
    size."""
    parts = [thing for thing in seen if thing.beside is not None]
    right = sum(thing.beside << number for number, thing in enumerate(parts))
    wrong = [thing.part for thing in parts if not thing.beside and thing.part is not None]
    sums, size = _sums(number for part in wrong for number in _flat(part))
    return right, float(sums[0]), size


def named(test: str, seen: Sequence[Any]) -> Finding:
    """The mistake that gives what the visible test of this name has seen, or NOTHING."""
    known = _known()
    rows = known["tests"].get(test)
    if not rows:
        return NOTHING
    (values, size), (right, aside, size_aside) = projections(seen), beside(seen)
    near = [row for row in rows if np.all(np.abs(values - row[3:]) <= 1e-9 * size + 2e-7)]
    near = [row for row in near if right & ~row[1] == 0]
    alike = [row for row in near if row[1] == right and abs(aside - row[2]) <= 1e-9 * size_aside + 2e-7] or near
    return either([Finding("known", known["sentences"][number]) for number, *_ in alike], only_stopped(seen))


def only_stopped(seen: Sequence[Any]) -> bool:
    """Whether all that is wrong is an error: many mistakes stop with the same one."""
    wrong = [thing.wrong for thing in seen if thing.wrong]
    return bool(wrong) and all((error.mistake or "").startswith("raised ") for error in wrong)


def either(findings: Sequence[Finding], stopped: bool) -> Finding:
    """The mistakes that give the same numbers, or stop with the same error: which of them it is can't be seen."""
    findings = list(dict.fromkeys(findings))
    told = [finding.sentence for finding in findings]  # the same with something added says no more
    findings = [f for f in findings if not any(f.sentence != other and f.sentence.startswith(other) for other in told)]
    findings = findings[:MOST_TOLD]
    if not findings:
        return NOTHING
    if len(findings) == 1:
        alone = f"One mistake that stops with this error: {findings[0].sentence}" if stopped else findings[0].sentence
        return Finding(findings[0].mistake, alone)
    same = "stop with the same error" if stopped else "give the same numbers here"
    lines = "\n".join(f"  • {finding.sentence}" for finding in findings)
    return Finding(findings[0].mistake, f"It may be one of these, which {same}:\n{lines}")


@cache
def _known() -> dict[str, Any]:
    return json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {"sentences": [], "tests": {}}
