"""Name the likely mistake behind a wrong array, from how it is related to the right one.

Each rule predicts the array that one mistake would give. The first prediction that meets the answer in every entry
names the mistake; where none does, nothing is claimed. The rules know the two arrays, the parameters and the sizes,
never the inputs or the answer's code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BIASES = ("b", "c")
"""Names of the parameters that the penalty leaves alone."""


@dataclass(frozen=True)
class Facts:
    """What a diagnosis may look at, besides the answer's array and the right one."""

    truth: str
    """What the right values are called in the message."""
    of: str | None
    """The parameter that the array is the gradient of, if it is one."""
    sizes: Mapping[str, int]
    parameters: Mapping[str, Floats]


class Finding(NamedTuple):
    """A mistake's short name, None where none is known, and the sentence that states it."""

    mistake: str | None
    sentence: str


class Rule(NamedTuple):
    """One mistake, and the array it would give."""

    mistake: str
    predicted: Floats
    sentence: str


NOTHING = Finding(None, "")


def diagnose(got: Floats, want: Floats, facts: Facts) -> Finding:
    """The mistake that turns ``want`` into ``got`` (arrays of one shape, not equal), or :data:`NOTHING`."""
    if not np.isfinite(got).all():
        what = "nan (not a number)" if np.isnan(got).any() else "infinite"
        return Finding(
            "not finite",
            f"{'Some entries are' if got.size > 1 else 'It is'} {what}: "
            "somewhere a number grew too large for a float, or a division was by 0, or a "
            "logarithm of 0 or less. Is there a way to write it in which nothing large is exponentiated?",
        )
    if not got.any():
        asked = got.size > 1 and facts.sizes.get("N") != 1 and not np.all((want > 0) & (want < 1))
        if np.all((want > 0) & (want < 0.5)):
            return Finding("all zero", "It is 0: is a probability rounded, or never filled in?")
        return Finding("all zero", "Every entry is 0: is the result ever filled in?" if asked else "It is 0.")
    with np.errstate(all="ignore"):
        for rules in (_ratios, _penalties, _values, _orders, _shifts):
            for rule in rules(want, facts):
                if rule.predicted.shape == want.shape and _telling(rule, want) and _meets(got, rule.predicted):
                    return Finding(rule.mistake, rule.sentence)
        return _pattern(got, want, facts)


def _telling(rule: Rule, want: Floats) -> bool:
    """Whether a rule's prediction is neither next to nothing nor next to the right values."""
    small = np.abs(want).max()
    return bool(np.abs(rule.predicted).max() > 1e-5 * small and np.abs(rule.predicted - want).max() > 1e-3 * small)


def _meets(got: Floats, predicted: Floats) -> bool:
    """Whether an answer is what was predicted, nan where nan was."""
    with np.errstate(all="ignore"):
        off = np.where((got == predicted) | (np.isnan(got) & np.isnan(predicted)), 0.0, np.abs(got - predicted))
        return bool(np.all(off <= 1e-7 + 2e-5 * np.where(np.isfinite(predicted), np.abs(predicted), 0.0)))


# One number times the right values --------------------------------------------------------------------------------


def _factors(facts: Facts) -> Iterator[tuple[str, float, str]]:
    """Telling factors: (mistake, factor, question to ask)."""
    yield "sign", -1.0, "Is a difference taken the wrong way round, or a minus missing?"
    for name, n in facts.sizes.items():
        if n <= 2:  # 2 would be taken for a doubled term or a lost half
            continue
        for sign, also in ((1.0, ""), (-1.0, " And the sign is wrong.")):
            if name == "N":
                yield "sum for mean", sign * n, f"Did you take the sum over the points where the mean is asked?{also}"
                yield (
                    "mean for sum",
                    sign / n,
                    f"Is it divided by N once too often, or divided where no mean is asked?{also}",
                )
            else:
                yield f"times {name}", sign * n, f"Is it summed {name} times over?{also}"
                yield f"divided by {name}", sign / n, f"Is a mean taken over {name} entries where none is asked?{also}"
    n = facts.sizes.get("N", 1)
    if n > 1:
        yield "sum for mean", float(n * n), "Is it multiplied by N where a mean is asked?"
        yield "mean for sum", 1.0 / (n * n), "Is it divided by N more than once?"
        yield "divided by N − 1", n / (n - 1), "Is it divided by N − 1 where the mean is asked?"
        for name, other in facts.sizes.items():
            if name != "N" and other not in (1, n):
                yield f"divided by {name}", n / other, f"Is it divided by {name} where it should be by N?"
    if "eta" in facts.parameters:
        eta = float(facts.parameters["eta"])
        for sign, also in ((1.0, ""), (-1.0, " And it goes uphill.")):
            yield "step size left out", sign / eta, f"Is the step size η left out?{also}"
            yield "step size twice", sign * eta, f"Is it multiplied by the step size η twice?{also}"
            yield "divided by the step size", sign / eta**2, f"Is it divided by the step size η?{also}"
    yield "twice", 2.0, "Is something counted twice, or a ½ left out?"
    yield "half", 0.5, "Is there a ½ too many?"
    yield "twice", -2.0, "Is something counted twice, with the wrong sign?"
    yield "half", -0.5, "Is there a ½ too many, and a wrong sign?"
    yield "logarithm", 1 / np.log(2), "Is the logarithm to base 2 taken where the natural one is asked?"
    yield "logarithm", 1 / np.log(10), "Is the logarithm to base 10 taken where the natural one is asked?"


def _ratios(want: Floats, facts: Facts) -> Iterator[Rule]:
    noun = "Every entry" if want.size > 1 else "The value"
    for mistake, factor, question in _factors(facts):
        size = next((f", and {k} = {v}" for k, v in facts.sizes.items() if v > 2 and abs(factor) in (v, 1 / v)), "")
        if mistake == "sign":
            sentence = f"{noun} has the right size and the wrong sign. {question}"
        else:
            sentence = f"{noun} is {_number(factor)} times the {_noun(facts)}{size}. {question}"
        yield Rule(mistake, factor * want, sentence)


def _number(x: float) -> str:
    return f"1/{1 / x:.6g}" if 0 < abs(x) < 1 and abs(1 / x - round(1 / x)) < 1e-9 else f"{x:.6g}"


def _noun(facts: Facts) -> str:
    return facts.truth if facts.truth == "finite difference" else "right value"


# The penalty ------------------------------------------------------------------------------------------------------


def _penalties(want: Floats, facts: Facts) -> Iterator[Rule]:
    lam = float(facts.parameters.get("lam", np.float64(0.0)))
    if not lam:
        return
    n = facts.sizes.get("N", 1)
    amounts = (
        ("penalty forgotten", -1.0, "The difference is exactly the penalty's part: is the penalty forgotten?"),
        ("penalty doubled", 1.0, "The penalty counts twice: is its ½ forgotten, or is it added in two places?"),
        ("penalty's sign", -2.0, "The penalty has the wrong sign."),
        ("penalty halved", -0.5, "The penalty counts half: is there a ½ too many?"),
        ("penalty over N", 1.0 / n - 1.0, f"The penalty is divided by N = {n}: it belongs outside the mean."),
        ("penalty times N", n - 1.0, f"The penalty is multiplied by N = {n}: is it added once for each point?"),
        ("λ left out", 1.0 / lam - 1.0, "The penalty is there without its weight λ."),
        ("λ squared", lam - 1.0, "The penalty is multiplied by λ twice."),
    )
    if facts.of is None:
        weights = {k: float((v**2).sum()) / 2 for k, v in facts.parameters.items() if k in ("w", "V")}
        biases = sum(float((v**2).sum()) / 2 for k, v in facts.parameters.items() if k in BIASES)
        total = sum(weights.values())
        for mistake, amount, sentence in amounts:
            yield Rule(mistake, want + amount * lam * total, sentence)
        for name, part in weights.items():
            sentence = f"The penalty of {name} is missing: the weights are those of every layer."
            yield Rule("penalty on one layer", want - lam * part, sentence)
        yield Rule(
            "bias penalised", want + lam * biases, "The penalty counts the biases too: only weights are penalised."
        )
        for name, part in ((k, float((v**2).sum()) / 2) for k, v in facts.parameters.items() if k in BIASES):
            yield Rule("bias penalised", want + lam * part, f"The penalty counts {name} too: a bias is not penalised.")
    elif facts.of in facts.parameters:
        theta = facts.parameters[facts.of]
        if facts.of in BIASES:
            for factor in (1.0, 2.0, 0.5, 1.0 / n, -1.0):
                sentence = f"The difference is proportional to {facts.of} itself: is the bias penalised?"
                yield Rule("bias penalised", want + factor * lam * theta, sentence)
            return
        for mistake, amount, sentence in amounts:
            yield Rule(mistake, want + amount * lam * theta, sentence)
        if np.abs(want - lam * theta).max() < 0.1 * np.abs(want).max():
            return  # next to such a penalty, the data's part can't be told apart
        for mistake, factor, question in _factors(facts):
            sentence = f"The part that comes from the data is {_number(factor)} times what it should be. {question}"
            yield Rule(mistake, factor * (want - lam * theta) + lam * theta, sentence)


# The right numbers in the wrong place -----------------------------------------------------------------------------


def _orders(want: Floats, facts: Facts) -> Iterator[Rule]:
    if want.ndim == 2 and want.shape[0] == want.shape[1]:
        yield Rule("transposed", want.T, "It is the transpose of what it should be.")
    for axis in range(want.ndim):
        what = (
            {"w": "units", "c": "units", "V": "units"}.get(facts.of or "", "entries")
            if axis == want.ndim - 1
            else "rows"
        )
        yield Rule("reversed", np.flip(want, axis), f"The numbers are right, but the {what} are in reversed order.")


# Values that are no gradients -------------------------------------------------------------------------------------


def _values(want: Floats, facts: Facts) -> Iterator[Rule]:
    if np.sum(want < 0) > 1:  # of one entry, the sign alone may be wrong
        yield Rule("absolute value", np.abs(want), "Every entry is the absolute value of what it should be.")
    if want.size > 1:
        yield Rule("squared", want**2, "Every entry is the square of what it should be.")
    if facts.truth == "finite difference":
        return
    if np.all((want > 0) & (want < 1)):
        yield Rule(
            "complement", 1 - want, "It is 1 minus what it should be: is a sign turned round, or are the classes?"
        )
        yield Rule("σ left out", np.log(want / (1 - want)), "These are values before σ: is σ left out?")
        yield Rule("σ twice", 1 / (1 + np.exp(-want)), "It is what σ gives when it is applied once more.")
        yield Rule("rounded", np.round(want), "It is rounded to 0 or 1: the probability itself is asked.")
        p, q = want**2, (1 - want) ** 2
        yield Rule("tanh for σ", (p - q) / (p + q), "It is tanh where σ is asked.")
    if np.all(want > 0) and want.size > 1:
        yield Rule("logarithm left out", np.exp(-want), "It is the probability of the label: is −log left out?")
        swapped = -np.log1p(-np.exp(-want))
        yield Rule("labels swapped", swapped, "It is the loss for the other label: are the two classes mixed up?")


def _shifts(want: Floats, facts: Facts) -> Iterator[Rule]:
    if facts.truth == "finite difference":
        return
    for name, theta in facts.parameters.items():
        if name not in BIASES or (theta.ndim and theta.shape != want.shape[-1:]):
            continue
        yield Rule(f"{name} left out", want - theta, f"The difference is {name}: is {name} left out?")
        yield Rule(f"{name} subtracted", want - 2 * theta, f"The difference is twice {name}: is it subtracted?")
        yield Rule(f"{name} twice", want + theta, f"The difference is {name}: is {name} added twice?")


# What can be said without a prediction ----------------------------------------------------------------------------


def _pattern(got: Floats, want: Floats, facts: Facts) -> Finding:
    right = np.abs(got - want) <= 1e-6 + 1e-5 * np.abs(want)
    if got.size < 2:
        return NOTHING
    if _meets(got, want):  # off by a hair: it would look like many things
        return NOTHING
    if _meets(np.sort(got.ravel()), np.sort(want.ravel())):
        return Finding("reordered", "The numbers are right, but they stand in another order.")
    if _meets(np.abs(got), np.abs(want)):
        return Finding("some signs", "Every entry has the right size, but some have the wrong sign.")
    y = facts.parameters.get("y")
    grossly = np.abs(got - want)[~right] > 1e-3 * np.abs(want)[~right]
    if y is not None and y.shape == got.shape[:1] and len(y) > 6 and right.any() and grossly.all():
        points = right.reshape(len(y), -1).all(axis=1)
        for label in (0, 1):
            if np.array_equal(~points, y == label):
                return Finding("one class wrong", f"The points of class {label} are wrong, and only they.")
    finding = _cut_off(got, want, right) or _partly_penalised(got, want, right, facts)
    if finding:
        return finding
    cap = float(np.abs(got).max())
    beyond = np.abs(want) > 1.001 * cap
    cut = np.all(got[beyond] * np.sign(want[beyond]) > (1 - 1e-5) * cap)
    nearly = np.all(np.abs(got - want)[~beyond] < 0.05 * np.abs(want[~beyond]))
    if facts.truth != "finite difference" and beyond.sum() > 2 and np.ptp(want[beyond]) > 1 and cut and nearly:
        return Finding("clipped", f"The largest values all come out as {cap:.6g}: are they cut off?")
    if right.any() and not grossly.all():
        return NOTHING
    if right.any():
        for what, lines in _lines(right):
            if lines[0] and not lines[1:].any() and right.sum() * len(lines) == right.size:
                zeros = " The others are 0: does a loop end too early?" if not got[~right].any() else ""
                return Finding("only the first", f"Only the first {what} is right.{zeros}")
            if len(lines) > 1 and lines[:-1].all() and not lines[-1]:
                return Finding("not the last", f"The last {what} is wrong, and only that.")
        return NOTHING
    return _throughout(got, want, facts)


def _throughout(got: Floats, want: Floats, facts: Facts) -> Finding:
    """What all entries have in common, where none is right: a factor, a shift, a share of the parameter."""
    ratio = got / want
    if np.all(np.abs(want) > 1e-9):
        if np.ptp(ratio) <= 1e-5 * abs(ratio.flat[0]):
            sentence = f"Every entry is {ratio.flat[0]:.6g} times the {_noun(facts)}: a constant factor is wrong."
            return Finding("constant factor", sentence)
        for axis, what in ((1, "row"), (0, "column")) if np.ptp(ratio) > 1e-3 else ():
            if want.ndim == 2 and min(want.shape) > 1 and np.all(np.ptp(ratio, axis) <= 1e-4 * np.abs(ratio).min(axis)):
                return Finding(f"factor by {what}", f"Each {what} is right but for a factor of its own.")
    difference = got - want
    if np.ptp(difference) <= 1e-5 * np.abs(difference).max():
        return Finding("constant shift", f"Every entry is off by the same amount, {difference.flat[0]:.6g}.")
    theta = facts.parameters.get(facts.of or "")
    if theta is not None and facts.of not in BIASES and theta.shape == got.shape and np.all(theta):
        share = difference / theta
        if np.ptp(share) <= 1e-4 * np.abs(share).max():
            sentence = f"The difference is {share.flat[0]:.6g} times {facts.of}: the penalty has the wrong weight."
            return Finding("penalty's weight", sentence)
    return NOTHING


def _lines(right: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Which rows, which columns and which entries are right."""
    for axis in range(right.ndim):
        what = ("row", "column")[axis] if right.ndim == 2 else "entry"
        yield what, np.asarray(right.all(axis=tuple(a for a in range(right.ndim) if a != axis)))
    yield "entry", right.ravel()


def _cut_off(got: Floats, want: Floats, right: NDArray[np.bool_]) -> Finding | None:
    """Whether all that is wrong should be larger than a round number, and comes out as that number, with its sign."""
    cut, whole = got[~right], want[~right]
    if len(cut) < 2:  # one round number may come out by chance
        return None
    if np.all((want >= 0) & (want <= 1)):
        edge, nearer = np.minimum(cut, 1 - cut), np.minimum(whole, 1 - whole)
        round_number = 0 < edge[0] <= 0.1 and abs(edge[0] - float(f"{edge[0]:.1g}")) < 1e-12
        if np.ptp(edge) < 1e-12 and round_number and np.all(nearer < 0.99 * edge):
            return Finding("clipped", f"Where it is wrong it comes out {edge[0]:g} from 0 or 1: is it cut off there?")
    bound = float(np.abs(cut).max())
    if np.ptp(np.abs(cut)) or bound != round(bound, 2) or not np.all(cut * whole > 1.001 * bound * bound):
        return None
    return Finding("clipped", f"Where it is wrong it comes out as {bound:g}, and should be larger: is it cut off?")


def _partly_penalised(got: Floats, want: Floats, right: NDArray[np.bool_], facts: Facts) -> Finding | None:
    """Whether what is wrong lacks the penalty's part, and the rest is right."""
    theta, lam = facts.parameters.get(facts.of or ""), float(facts.parameters.get("lam", np.float64(0.0)))
    if not lam or theta is None or facts.of in BIASES or theta.shape != got.shape or not right.any():
        return None
    if not _meets(got[~right], (want - lam * theta)[~right]):
        return None
    return Finding("penalty on some weights", "In these entries the penalty is missing: every weight is penalised.")
