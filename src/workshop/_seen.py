"""What a test has seen of an answer, and the words for what is wrong: the worst entries, what they have in common."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workshop._answers import WrongAnswer
from workshop._diagnosis import NOTHING, Facts, Finding, diagnose

Floats = NDArray[np.float64]

ATOL, RTOL = 1e-6, 1e-5
"""An entry a agrees with the truth n when |a - n| <= ATOL + RTOL |n|: float32 passes, one part in 10,000 does not."""


def agree(got: Floats, want: Floats) -> NDArray[np.bool_]:
    """Which entries agree with the right ones."""
    with np.errstate(all="ignore"):
        return np.asarray(np.abs(got - want) <= ATOL + RTOL * np.abs(want)) & np.isfinite(want)


@dataclass(frozen=True)
class Seen:
    """One thing that a test has seen: what an answer gave beside what is right, or why there is nothing to compare."""

    name: str
    got: Floats | None
    want: Floats | None
    facts: Facts | None
    wrong: WrongAnswer | None  # None: it is right
    beside: bool | None = None  # of a part that has a test of its own: whether it is right there
    part: Floats | None = None  # and what it gave

    @property
    def general(self) -> bool:
        """Whether it is of a problem whose sizes are larger than 1 and all different: there mistakes look different."""
        sizes = self.facts.sizes if self.facts else {}
        return bool(sizes) and min(sizes.values()) > 1 and len(set(sizes.values())) == len(sizes)

    @property
    def plain(self) -> bool:
        """Whether there are two arrays of one shape."""
        return self.got is not None and self.want is not None and self.got.shape == self.want.shape


def judged(seen: Sequence[Seen], finding: Finding) -> WrongAnswer:
    """The most telling of what is wrong, with the mistake that explains all of it, where the finding is one."""
    wrong = [thing for thing in seen if thing.wrong]
    shown = next((thing for thing in wrong if thing.general and thing.plain), wrong[0])
    if not finding.mistake:
        shown = next((thing for thing in wrong if not thing.plain), shown)
        finding = _kept(seen) or _relation(shown, wrong, seen)
    return _message(shown, finding)


def _kept(seen: Sequence[Seen]) -> Finding | None:
    """Whether all that is wrong was right in an earlier call, or is an error: something is kept between calls."""
    found = False
    for k, thing in enumerate(seen):
        if not thing.wrong or (thing.got is None and (thing.wrong.mistake or "").startswith("raised ")):
            continue
        if thing.got is None or np.all(thing.got == np.round(thing.got)):  # 0, 1 or a count may come out by chance
            return None
        if not any(e.got is not None and not e.wrong and np.array_equal(e.got, thing.got) for e in seen[:k]):
            return None
        found = True
    told = "It gives the values of an earlier call: what is kept between calls must not stand for other arguments."
    return Finding("kept between calls", told) if found else None


def _relation(shown: Seen, wrong: Sequence[Seen], seen: Sequence[Seen]) -> Finding:
    """What all that is wrong has in common, where no known mistake gives it. Told as what it is, not as a cause."""
    if not shown.plain:
        return NOTHING
    ours = [thing for thing in wrong if thing.general and thing.plain]
    alone = sum(thing.general for thing in seen) == 1 and shown.general and shown.got is not None and shown.got.size > 2
    findings = [diagnose(thing.got, thing.want, thing.facts) for thing in ours]  # type: ignore[arg-type]
    if (len(ours) > 1 or alone) and findings[0].mistake and len({finding.mistake for finding in findings}) == 1:
        return findings[ours.index(shown)]
    return _where(wrong, seen) or _fact(shown)


def _where(wrong: Sequence[Seen], seen: Sequence[Seen]) -> Finding | None:
    """What sets the problems that come out wrong apart from those that come out right."""
    right = [thing.facts for thing in seen if not thing.wrong and thing.facts]
    apart = [thing.facts for thing in wrong if thing.facts]
    if len(apart) < len(wrong) or not right:
        return None

    def of(facts: Facts, what: str) -> float:
        return float(facts.sizes.get(what, facts.parameters.get(what, np.nan)))

    known: list[tuple[str, Callable[[Facts], bool]]] = [("λ > 0", lambda facts: of(facts, "lam") > 0)]
    for size in apart[0].sizes:
        known.append((f"{size} = 1", lambda facts, size=size: of(facts, size) == 1))  # type: ignore[misc]
        wrong_at, right_at = (sorted({of(facts, size) for facts in some}) for some in (apart, right))
        if min(len(wrong_at), len(right_at)) > 1 and wrong_at[0] > right_at[-1]:  # of one size, it may be chance
            told = " and right for ".join(f"{size} = {', '.join(f'{n:g}' for n in at)}," for at in (wrong_at, right_at))
            return Finding("wrong on some sizes", f"It is wrong for {told[:-1]}.")
    holds = [(words, of_it) for words, of_it in known if all(map(of_it, apart))]
    for count in (1, 2):
        for some in itertools.combinations(holds, count):
            if not any(all(of_it(facts) for _, of_it in some) for facts in right):
                told = f"It is wrong where {' and '.join(words for words, _ in some)}, and right elsewhere"
                if some[0][0] == "λ > 0":
                    return Finding("penalty's part", f"{told}: the mistake is in the penalty's part.")
                return Finding("wrong on some sizes", f"{told}.")
    return None


def _fact(thing: Seen) -> Finding:
    """Numbers that are none, or all 0, or are cut off: told as what they are."""
    assert thing.got is not None and thing.want is not None and thing.facts is not None
    if not thing.got.any():
        return Finding("all zero", "Every entry is 0." if thing.got.size > 1 else "It is 0.")
    finding = diagnose(thing.got, thing.want, thing.facts)
    return finding if finding.mistake in ("not finite", "clipped") else NOTHING


def _message(thing: Seen, finding: Finding) -> WrongAnswer:
    """What is wrong with a thing that was seen, and the mistake that is found."""
    if not thing.plain or thing.got is None or thing.want is None:
        assert thing.wrong is not None
        if not finding.mistake:
            return thing.wrong
        return WrongAnswer(f"{thing.wrong}\n{finding.sentence}", finding.mistake)
    truth, wrong = thing.facts.truth if thing.facts else "should be", ~agree(thing.got, thing.want)
    told = f"{thing.name} is wrong{_how_many(wrong)}.\n{_entries(thing.got, thing.want, truth)}"
    if finding.sentence:
        told += f"\n{finding.sentence}"
    return WrongAnswer(told, finding.mistake, _table(thing.name, thing.got, thing.want, truth, finding))


def looked_at(name: str, got: Floats, want: Floats, facts: Facts, several: bool = False) -> Seen:
    """An answer's numbers beside the right ones; ``several``: they came as a tuple."""
    wrong = None
    if got.shape != want.shape:
        wrong = _of_shape(name, got, want, facts.sizes, several)
    elif not agree(got, want).all():
        wrong = WrongAnswer(f"{name} is wrong.")
    return Seen(name, got, want, facts, wrong)


def _of_shape(name: str, got: Floats, want: Floats, sizes: Mapping[str, int], several: bool = False) -> WrongAnswer:
    hint = ""
    if not got.size:
        hint = " There is no number in it."
    elif several and want.ndim == 0:
        hint = f" It is a tuple of {len(got)} where one number is asked."
    elif got.ndim == want.ndim == 2 and got.shape == want.shape[::-1]:
        hint = " It looks transposed."
    elif got.size == want.size:
        hint = " The number of entries is right: the same numbers may only need another shape."
    elif got.size == 1 and want.size > 1:
        hint = " One number stands where each entry has its own."
    elif want.ndim == 0:
        hint = " Many numbers stand where one is asked: is a sum or a mean missing?"
    elif got.ndim and sizes.get("N") == got.shape[0] and want.shape == got.shape[1:]:
        hint = " It has a row for each point: is a sum or a mean over the points missing?"
    given = ", ".join(f"{k} = {v}" for k, v in sizes.items())
    return WrongAnswer(
        f"{name} has shape {got.shape}, but shape {want.shape} is asked{f' ({given})' if given else ''}.{hint}",
        "transposed" if "transposed" in hint else "wrong shape",
    )


class _Entry(NamedTuple):
    at: tuple[int, ...]
    got: float
    want: float
    error: float


def _worst(got: Floats, want: Floats) -> list[_Entry]:
    """Every entry, the one with the largest relative error first."""
    with np.errstate(all="ignore"):
        error = np.abs(got - want) / np.maximum(np.abs(want), 1e-12)
    error = np.where(np.isfinite(error), error, np.inf)
    wrong = ~agree(got, want)
    order = sorted(np.ndindex(want.shape), key=lambda i: (not wrong[i], -float(error[i])))
    return [_Entry(i, float(got[i]), float(want[i]), float(error[i])) for i in order]


def _how_many(wrong: NDArray[np.bool_]) -> str:
    return "" if wrong.size == 1 else f" in {int(wrong.sum())} of its {wrong.size} entries"


def _entries(got: Floats, want: Floats, truth: str) -> str:
    """The worst three entries: the answer's value beside the right one, and their ratio."""
    lines = []
    for entry in _worst(got, want)[: min(3, int((~agree(got, want)).sum()))]:
        where = f"entry [{', '.join(map(str, entry.at))}]: " if entry.at else ""
        ratio = f", ratio {entry.got / entry.want:.6g}" if abs(entry.want) > 1e-9 and np.isfinite(entry.got) else ""
        lines.append(f"    {where}yours {entry.got:.8g}, {truth} {entry.want:.8g}{ratio}")
    return "\n".join(lines)


def _table(name: str, got: Floats, want: Floats, truth: str, finding: Finding) -> str:
    """HTML: the wrong entries, and a heat map of the relative error by entry; of a lone number just the number."""
    entries = _worst(got, want)
    cell = 'style="padding:2px 10px;text-align:right"'
    titles = [*(["entry"] if want.ndim else []), "yours", truth, "ratio", "relative error"]
    head = "".join(f"<th {cell}>{title}</th>" for title in titles)
    rows = ""
    for e in entries[: min(6, int((~agree(got, want)).sum()))]:
        ratio = f"{e.got / e.want:.4g}" if abs(e.want) > 1e-9 else "–"
        values = (*([list(e.at)] if want.ndim else []), f"{e.got:.6g}", f"{e.want:.6g}", ratio, f"{e.error:.1e}")
        rows += f"<tr>{''.join(f'<td {cell}>{value}</td>' for value in values)}</tr>"
    errors = {e.at: e.error for e in entries}
    grid = np.array([errors[i] for i in np.ndindex(want.shape)]).reshape(len(want) if want.ndim > 1 else 1, -1)
    squares = ""
    for line in grid[:16]:
        squares += "<tr>" + "".join(f'<td title="{v:.1e}" style="{_heat(v)}"></td>' for v in line[:16]) + "</tr>"
    heat = (
        '<table aria-label="relative error by entry"><caption style="caption-side:bottom;white-space:nowrap">'
        f"relative error by entry: white agrees, dark does not</caption>{squares}</table>"
    )
    return (
        f"<div><b>{name}</b> is wrong{_how_many(~agree(got, want))}. {finding.sentence}"
        '<div style="display:flex;gap:2em;align-items:flex-start;flex-wrap:wrap;margin-top:.5em">'
        f"<table><tr>{head}</tr>{rows}</table>{heat if want.size > 1 else ''}</div></div>"
    )


def _heat(error: float) -> str:
    """A square's style: white up to 1e-6, through orange, to dark at 1 and above (safe for colour-blind eyes)."""
    depth = float(np.clip((np.log10(max(error, 1e-12)) + 6) / 6, 0, 1)) if np.isfinite(error) else 1.0
    red, green, blue = (int(255 + depth * (c - 255)) for c in (124, 45, 0))
    return f"width:1.6em;height:1.6em;border:1px solid #999;background:rgb({red},{green},{blue})"


def show(table: str) -> bool:
    """Show HTML where a person sees it: in a notebook, and not while it is graded."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if not table or shell is None or not hasattr(shell, "kernel") or "NBGRADER_EXECUTION" in os.environ:
        return False
    from IPython.display import HTML, display

    display(HTML(table))
    return True
