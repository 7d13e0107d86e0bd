"""Right answers and mistakes with σ, the logistic loss and gradient steps, which both notebooks' marking tools know.

It belongs to the notebooks, and nothing in the examiner imports it. It stands in the package since a file beside a source
notebook goes out to students, and one written into both would double it; the package is never handed out, and hidden
from student code. A row is (short name, the sentence that names it, what is different).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

Row = tuple[str, str, Any]


def same(value: Any) -> Any:
    """The value itself: nothing is different."""
    return value


def made(argument: str, rows: Iterable[Row]) -> list[Row]:
    """Known mistakes in one argument of an answer: any of them may come together with one in another."""
    return [(name, told, {argument: change}) for name, told, change in rows]


def alone(answer: Callable[..., Any], rows: Iterable[Row]) -> list[Row]:
    """Known mistakes that are not looked for together with another."""
    return [(name, told, change if callable(change) else partial(answer, **change)) for name, told, change in rows]


def sigma(x: Any) -> Any:
    """σ, right for large numbers, and for complex ones."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-np.asarray(x)))


def kept_off(edge: float) -> Callable[[Any], Any]:
    """Probabilities that are kept an edge from 0 and 1."""
    return lambda p: np.clip(p, edge, 1 - edge)


EDGES: list[float] = [10.0**-k for k in (16, 15, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2)] + [np.finfo(float).eps, 0.05, 0.1]
BOUNDS = [10, 15, 20, 30, 35, 36, 50, 100, 200, 250, 300, 500, 600, 700, 709]
CENTRED = "X is centred first: the points are to be taken as they are."
SMOOTH = [0.01, 0.02, 0.05, 0.1, 0.2]

# σ and ŷ ----------------------------------------------------------------------------------------------------------


def plain(x: Any) -> Any:
    """σ as it is written down, which overflows."""
    return 1 / (1 + np.exp(-x))


SIGMOID: list[Row] = [
    ("exponent's sign", "The sign in the exponent is wrong: it is σ(−x), which is 1 − σ(x).", lambda x: sigma(-x)),
    ("exponent's sign", "The sign in the exponent is wrong: it is σ(−x), which is 1 − σ(x).", lambda x: 1 / (1 + np.exp(x))),
    ("overflow", "It is not a number where x is large: infinity is divided by infinity.", lambda x: np.exp(x) / (1 + np.exp(x))),
    ("overflow", "It is not a number where x is far below 0: infinity is divided by infinity.", lambda x: 1 - np.exp(-x) / (1 + np.exp(-x))),
    ("overflow", "Where infinity is divided by infinity, 0 is put: it should be 1 there.", lambda x: np.nan_to_num(np.exp(x) / (1 + np.exp(x)))),
    ("overflow", "Where infinity is divided by infinity, ½ is put: it should be 0 or 1 there.", lambda x: np.nan_to_num(np.exp(x) / (1 + np.exp(x)), nan=0.5)),
    ("exponent's sign", "It is e^−x / (1 + e^−x), which is 1 − σ(x).", lambda x: np.exp(-x) / (1 + np.exp(-x))),
    ("brackets", "Brackets are missing in the denominator: 1 / 1 comes first.", lambda x: 1 / 1 + np.exp(-x)),
    ("brackets", "It is the denominator alone: 1 is to be divided by it.", lambda x: 1 + np.exp(-x)),
    ("the 1 missing", "It is e^x: the 1 in the denominator is missing.", lambda x: 1 / np.exp(-x)),
    ("minus in the denominator", "There is a minus in the denominator where a plus is asked.", lambda x: 1 / (1 - np.exp(-x))),
    ("tanh for σ", "It is tanh where σ is asked.", np.tanh),
    ("twice x", "It is σ(2x): the x in the exponent counts twice.", lambda x: sigma(2 * np.asarray(x))),
    ("half x", "It is σ(x/2): the x in the exponent counts half.", lambda x: sigma(np.asarray(x) / 2)),
    ("its slope", "It is the slope of σ, σ(1 − σ), and not σ.", lambda x: sigma(x) * (1 - sigma(x))),
    ("σ twice", "σ is applied twice.", lambda x: sigma(sigma(x))),
    ("threshold", "It is rounded to 0 or 1: the probability itself is asked.", lambda x: (np.asarray(x) > 0) * 1.0),
    ("threshold", "It is rounded to 0 or 1: the probability itself is asked.", lambda x: (np.asarray(x) >= 0) * 1.0),
    ("base 2", "The base of the power is 2 where e is asked.", lambda x: 1 / (1 + 2.0 ** -np.asarray(x, dtype=float))),
    ("base 10", "The base of the power is 10 where e is asked.", lambda x: 1 / (1 + 10.0 ** -np.asarray(x, dtype=float))),
    ("rounded e", "e is rounded: np.exp knows all of its digits.", lambda x: 1 / (1 + 2.718 ** -np.asarray(x))),
    ("rounded e", "e is rounded: np.exp knows all of its digits.", lambda x: 1 / (1 + 2.71828 ** -np.asarray(x))),
    ("logarithm of it", "It is the logarithm of σ(x).", lambda x: np.log(sigma(x))),
    ("softplus", "It is log(1 + e^x), whose slope is σ.", lambda x: np.logaddexp(0, x)),
    ("exponential", "It is e^−x alone.", lambda x: np.exp(-x)),
    ("the 1 missing", "It is e^x alone.", np.exp),
    ("hard sigmoid", "It is three straight lines, a hard sigmoid.", lambda x: np.clip(0.25 * np.asarray(x) + 0.5, 0, 1)),
    ("hard sigmoid", "It is three straight lines, a hard sigmoid.", lambda x: np.clip(0.2 * np.asarray(x) + 0.5, 0, 1)),
    ("softsign", "It is the softsign, x / (1 + |x|), moved to (0, 1).", lambda x: 0.5 + 0.5 * x / (1 + np.abs(x))),
    ("softsign", "It is the softsign, x / (1 + |x|).", lambda x: x / (1 + np.abs(x))),
    ("ReLU", "It is max(0, x), the ReLU.", lambda x: np.maximum(0, x)),
    ("absolute value of x", "It is right for x above 0 only: below, the sign of x is lost.", lambda x: sigma(np.abs(x))),
    ("absolute value of x", "It is wrong for x below 0: there it is 1 minus what it should be.", lambda x: np.where(np.asarray(x) >= 0, sigma(x), sigma(-np.asarray(x)))),
    ("softmax", "It is the softmax: all entries together sum to 1, and each is asked by itself.", lambda x: np.exp(x - np.max(x)) / np.exp(x - np.max(x)).sum()),
    ("softmax", "The greatest entry is taken out, as for a softmax: each entry is asked by itself.", lambda x: np.exp(x - np.max(x)) / (1 + np.exp(x - np.max(x)))),
    ("standardised", "The entries are standardised first: each is asked by itself.", lambda x: sigma((x - np.mean(x)) / np.std(x))),
    ("Taylor series", "It is the beginning of a series, which is right near 0 only.", lambda x: 0.5 + x / 4 - np.power(x, 3) / 48 + np.power(x, 5) / 480),
    ("Taylor series", "It is the beginning of a series, which is right near 0 only.", lambda x: 0.5 + x / 4 - np.power(x, 3) / 48),
    ("centred", "It is σ(x) − ½: it should run from 0 to 1.", lambda x: sigma(x) - 0.5),
    ("centred", "It is 2σ(x) − 1: it should run from 0 to 1.", lambda x: 2 * sigma(x) - 1),
    ("flattened", "It is flattened: the same shape as that of x is asked.", lambda x: np.ravel(plain(x))),
    ("mean", "It is the mean over the entries: each is asked by itself.", lambda x: np.mean(sigma(x))),
    ("sum", "It is the sum over the entries: each is asked by itself.", lambda x: np.sum(sigma(x))),
    ("squeezed", "Sides of length 1 are gone from the shape.", lambda x: np.squeeze(sigma(x))),
    ("scalars only", "A function of one number only (math.exp, float) is given an array: np.exp takes arrays of any shape.", lambda x: 1 / (1 + math.exp(-x))),
    ("whole numbers", "The result is kept in an array like x: where x holds whole numbers, it is cut to whole numbers.", lambda x: sigma(x).astype(np.asarray(x).dtype)),
    ("0 on neither side", "At x = 0 it is 0: 0 is counted on neither side.", lambda x: np.where(np.asarray(x) == 0, 0.0, sigma(x))),
    ("half precision", "It is worked out in half precision.", lambda x: plain(np.asarray(x, dtype=np.float16))),
    ("normal distribution", "It is the normal distribution in the place of σ.", lambda x: np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))), otypes=[float])(x)),
    *((f"rounded to {k} decimals", f"It is rounded to {k} decimals.", lambda x, k=k: np.round(sigma(x), k)) for k in (1, 2, 3, 4, 5)),
    *(("clipped", f"x is cut off at ±{bound}.", lambda x, bound=bound: sigma(np.clip(x, -bound, bound))) for bound in (1, 2, 3, 4, 5, 6, 8, *BOUNDS[:4])),
    *(("clipped", f"It is kept {edge:.3g} from 0 and 1.", lambda x, edge=edge: np.clip(sigma(x), edge, 1 - edge)) for edge in EDGES),
    *(("0 or 1", "Where |x| is large it comes out as 0 or 1, where it only comes near.", lambda x, k=k: np.where(np.abs(x) > k, np.asarray(x) > 0, sigma(x))) for k in (3, 4, 5, 6, 7, 8, 9, 10, 12)),
    *(("0 or 1 for all", f"As soon as one x is beyond ±{k}, all come out as 0 or 1.", lambda x, k=k: (np.asarray(x) > 0) * 1.0 if np.max(np.abs(x)) > k else sigma(x)) for k in (20, 30, 50, 100, 500, 700, 709)),
]  # fmt: skip

# In the place of σ, where |s| is large. By e^−s alone it survives.
OVERFLOWS: list[Row] = [
    ("overflow", "ŷ is not a number where s is large: infinity is divided by infinity.", lambda s: np.exp(s) / (1 + np.exp(s))),
    ("overflow", "ŷ is not a number where s is far below 0: infinity is divided by infinity.", lambda s: 1 - np.exp(-s) / (1 + np.exp(-s))),
    ("overflow", "Where infinity is divided by infinity, 0 is put for ŷ: it should be 1 there.", lambda s: np.nan_to_num(np.exp(s) / (1 + np.exp(s)))),
    ("overflow", "Where infinity is divided by infinity, ½ is put for ŷ: it should be 0 or 1 there.", lambda s: np.nan_to_num(np.exp(s) / (1 + np.exp(s)), nan=0.5)),
]  # fmt: skip

# The loss of each point -------------------------------------------------------------------------------------------


def of_score(s: Any, y: Any) -> Any:
    """The loss of each point, by its score."""
    return np.logaddexp(0, s) - y * s


def through_y_hat(change: Any = same, squash: Any = plain, inside: float = 0.0) -> Callable[[Any, Any], Any]:
    """The loss by way of the probability."""

    def loss(s: Any, y: Any) -> Any:
        p = change(squash(s))
        return -y * np.log(p + inside) - (1 - y) * np.log(1 - p + inside)

    return loss


def log_loss(s: Any, y: Any, *, score: Any = same, label: Any = same, loss: Any = of_score, then: Any = same) -> Any:
    """The loss of each point."""
    return then(loss(score(s), label(y)))


def of_single(s: Any, y: Any) -> Any:
    """The loss as it is written down, which overflows."""
    return np.log1p(np.exp(s)) - y * s


def straight_beyond(bound: float) -> Callable[[Any, Any], Any]:
    """The loss, two straight lines beyond a bound."""
    return lambda s, y: np.where(np.abs(s) > bound, np.maximum(s, 0) - y * s, of_score(s, y))


def large_where_infinite(loss: Any) -> Callable[[Any, Any], Any]:
    """The loss, |s| where it is not finite."""

    def mended(s: Any, y: Any) -> Any:
        losses = loss(s, y)
        return np.where(np.isfinite(losses), losses, np.abs(s))

    return mended


def where_finite(loss: Any, instead: float) -> Callable[[Any, Any], Any]:
    """The loss, a number where it is not finite."""
    return lambda s, y: np.nan_to_num(loss(s, y), nan=instead, posinf=instead, neginf=instead)


LOSSES: list[Row] = [
    ("sign", "It is the logarithm of the probability: the minus is missing.", dict(then=np.negative)),
    ("labels swapped", "It is the loss for the other label: the two classes are mixed up, or the sign of s is turned.", dict(label=lambda y: 1 - y)),
    ("labels as −1 and 1", "It is meant for labels −1 and 1, and here they are 0 and 1.", dict(loss=lambda s, y: np.logaddexp(0, -y * s))),
    ("labels as −1 and 1", "The labels are turned into −1 and 1: the formula is for 0 and 1.", dict(label=lambda y: 2 * y - 1)),
]  # fmt: skip
RARE_LOSSES: list[Row] = [
    ("one class forgotten", "Only the points of class 1 count: the term with 1 − y is missing.", dict(loss=lambda s, y: y * np.logaddexp(0, -s))),
    ("one class forgotten", "Only the points of class 0 count: the term with y is missing.", dict(loss=lambda s, y: (1 - y) * np.logaddexp(0, s))),
    ("one sign", "The term of class 0 has the wrong sign.", dict(loss=lambda s, y: y * np.logaddexp(0, -s) - (1 - y) * np.logaddexp(0, s))),
    ("one sign", "The term of class 1 has the wrong sign.", dict(loss=lambda s, y: (1 - y) * np.logaddexp(0, s) - y * np.logaddexp(0, -s))),
    ("squared error", "It is (ŷ − y)², the squared error: the loss is a logarithm.", dict(loss=lambda s, y: (sigma(s) - y) ** 2)),
    ("squared error", "It is ½(ŷ − y)², the squared error: the loss is a logarithm.", dict(loss=lambda s, y: (sigma(s) - y) ** 2 / 2)),
    ("squared error", "It is (s − y)², the squared error of s: the loss is a logarithm of ŷ.", dict(loss=lambda s, y: (s - y) ** 2)),
    ("absolute error", "It is |ŷ − y|, one minus the probability of the label: the loss is a logarithm.", dict(loss=lambda s, y: np.abs(sigma(s) - y))),
    ("residual", "It is ŷ − y, the slope of the loss and not the loss.", dict(loss=lambda s, y: sigma(s) - y)),
    ("logarithm left out", "It is the probability of the label: −log is left out.", dict(loss=lambda s, y: np.exp(-of_score(s, y)))),
    ("absolute error", "It is one minus the probability of the label, without a logarithm.", dict(loss=lambda s, y: 1 - np.exp(-of_score(s, y)))),
    ("s for ŷ", "s stands where ŷ is asked: ŷ is σ(s).", dict(loss=through_y_hat(squash=same))),
    ("σ twice", "σ is applied twice: s is a decision value, and what goes in is a probability already.", dict(score=sigma)),
    ("labels swapped", "It is the loss for the other label: the two classes are mixed up, or the sign of s is turned.", dict(score=np.negative)),
    ("absolute value of s", "The sign of s is lost: it is what |s| would give.", dict(score=np.abs)),
    ("two straight lines", "It is two straight lines: the curve between them, small but not 0, is left out.", dict(loss=lambda s, y: np.maximum(s, 0) - y * s)),
    ("|s| without bars", "It is what e^−s gives where e^−|s| is asked: s is to lose its sign there.", dict(loss=lambda s, y: np.maximum(s, 0) - y * s + np.log1p(np.exp(-s)))),
    ("max left out", "max(s, 0) is left out: log(1 + e^s) is max(s, 0) + log(1 + e^−|s|).", dict(loss=lambda s, y: np.log1p(np.exp(-np.abs(s))) - y * s)),
    ("max left out", "It is log(1 + e^−|s|) for every point: max(s, 0) − ys is left out.", dict(loss=lambda s, y: np.log1p(np.exp(-np.abs(s))))),
    ("exponent's sign", "It is what e^|s| gives where e^−|s| is asked: the minus in the exponent is missing.", dict(loss=lambda s, y: np.maximum(s, 0) - y * s + np.log1p(np.exp(np.abs(s))))),
    ("logarithm left out", "e^−|s| stands where log(1 + e^−|s|) is asked.", dict(loss=lambda s, y: np.maximum(s, 0) - y * s + np.exp(-np.abs(s)))),
    ("the 1 missing", "It is s(1 − y): the 1 inside log(1 + e^s) is missing.", dict(loss=lambda s, y: np.log(np.exp(s)) - y * s)),
    ("the 1 missing", "It is s(1 − y): the 1 inside log(1 + e^s) is missing.", dict(loss=lambda s, y: s - y * s)),
    ("e for 1", "It is log(e + e^s) − ys: np.logaddexp takes exponents, and that of 1 is 0.", dict(loss=lambda s, y: np.logaddexp(1, s) - y * s)),
    ("y without s", "y alone is taken off where y times s is asked.", dict(loss=lambda s, y: np.logaddexp(0, s) - y)),
    ("y without s", "The part with the label is left out: it is log(1 + e^−s) for every point.", dict(loss=lambda s, y: np.logaddexp(0, -s))),
    ("sign of the label", "(1 − y)s is taken off log(1 + e^−s), where it is added.", dict(loss=lambda s, y: np.logaddexp(0, -s) - (1 - y) * s)),
    ("sign of the label", "ys is taken off log(1 + e^−s): with that stands (1 − y)s.", dict(loss=lambda s, y: np.logaddexp(0, -s) - y * s)),
    ("labels swapped", "The two formulas for s above and below 0 are right for one label only: ys or (1 − y)s is added on the wrong side.", dict(loss=lambda s, y: np.where(s > 0, np.logaddexp(0, -s) + (1 - y) * s, np.logaddexp(0, s) + y * s))),
    ("hinge", "It is the hinge loss of a support vector machine: here the loss is a logarithm.", dict(loss=lambda s, y: np.maximum(0, 1 - (2 * y - 1) * s))),
    ("all labels 0", "It is the loss as if every label were 0: y is not used, or the same stands for either label.", dict(label=lambda y: 0 * y)),
    ("all labels 1", "It is the loss as if every label were 1: y is not used, or the same stands for either label.", dict(label=lambda y: 0 * y + 1)),
    ("sign of the label", "The part with the label has the wrong sign.", dict(loss=lambda s, y: np.logaddexp(0, s) + y * s)),
    ("s and y swapped", "s and y are swapped: s comes first.", dict(loss=lambda s, y: of_score(y, s))),
    ("logarithm", "It is the logarithm to base 2 where the natural one is asked.", dict(then=lambda loss: loss / np.log(2))),
    ("logarithm", "It is the logarithm to base 10 where the natural one is asked.", dict(then=lambda loss: loss / np.log(10))),
    ("half", "It is half of what it should be: there is a ½ too many, or it is divided by 2N.", dict(then=lambda loss: loss / 2)),
    ("twice", "It is twice the loss.", dict(then=lambda loss: 2 * loss)),
    ("brackets", "It is what 1 − log ŷ gives where log(1 − ŷ) is asked: look at the brackets.", dict(loss=lambda s, y: y * np.logaddexp(0, -s) - (1 - y) * (1 + np.logaddexp(0, -s)))),
    ("entropy", "ŷ stands where the label y is asked: this is the entropy of ŷ.", dict(label=lambda y: y, loss=lambda s, y: of_score(s, sigma(s)))),
    ("rounded", "ŷ is rounded to 0 or 1 before the logarithm.", dict(loss=through_y_hat(np.round))),
    *(("smoothed labels", f"The labels are smoothed by {a:g}: y itself is asked.", dict(label=lambda y, a=a: y * (1 - a) + a / 2)) for a in SMOOTH),
]  # fmt: skip
THROUGH = "worked out through ŷ, which is rounded to 0 or 1 for large |s|. Write it in terms of s."
UNSTABLE: list[Row] = [
    ("through ŷ", f"It is not finite where |s| is large: it is {THROUGH}", through_y_hat()),
    ("through ŷ", f"It is not finite where |s| is large: it is {THROUGH}", through_y_hat(squash=lambda s: np.exp(s) / (1 + np.exp(s)))),
    ("through ŷ", f"It is not finite where |s| is large: it is {THROUGH}", through_y_hat(squash=sigma)),
    ("through ŷ", f"It is not finite where |s| is large: it is {THROUGH}", lambda s, y: -np.log(np.where(y == 1, 1 / (1 + np.exp(-s)), 1 - 1 / (1 + np.exp(-s))))),
    ("overflow", "e^s overflows where s is large: write it so that nothing large is exponentiated.", lambda s, y: np.log(1 + np.exp(s)) - y * s),
    ("overflow", "e^−s overflows where s is far below 0: write it so that nothing large is exponentiated.", lambda s, y: np.log(1 + np.exp(-s)) + (1 - y) * s),
    ("overflow", "The exponential overflows where |s| is large and the label is wrong: write it so that nothing large is exponentiated.", lambda s, y: np.log(1 + np.exp((1 - 2 * y) * s))),
    ("overflow", "Single precision overflows from s = 88 on.", lambda s, y: of_single(s.astype(np.float32), y.astype(np.float32))),
    ("squared error", "It is (ŷ − y)², the squared error: the loss is a logarithm.", lambda s, y: (sigma(s) - y) ** 2),
]  # fmt: skip
RARE_LOSSES += made("loss", UNSTABLE)
RARE_LOSSES += [
    (
        "infinity replaced",
        f"What is not finite is replaced by {instead:g}, and should be |s|: {THROUGH[0].upper()}{THROUGH[1:]}",
        dict(loss=where_finite(loss, instead)),
    )
    for instead in (0.0, 1.0, 100.0, 1000.0)
    for _, _, loss in UNSTABLE[:7]
]
told = f"What is not finite is replaced, as np.nan_to_num does, and should be |s|: {THROUGH[0].upper()}{THROUGH[1:]}"
RARE_LOSSES += [("infinity replaced", told, dict(loss=lambda s, y, loss=loss: np.nan_to_num(loss(s, y)))) for _, _, loss in UNSTABLE[:4]]  # fmt: skip
inexact = "Where the loss is infinite, |s| is put in its place: but ŷ is inexact long before. Write it in terms of s."
RARE_LOSSES += [("through ŷ", inexact, dict(loss=large_where_infinite(loss))) for _, _, loss in UNSTABLE[:4]]
for bound in (2, 3, 4, 5, 6, 8, 10, 12):
    told = "Where |s| is large it is two straight lines: the curve between them, small but not 0, is left out."
    RARE_LOSSES.append(("two straight lines", told, dict(loss=straight_beyond(bound))))
for edge in EDGES:
    told = f"ŷ is kept {edge:.3g} from 0 and 1, so no loss comes out larger than {-np.log(edge):.4g}: it is cut off there, and should grow like |s|."
    inside = f"{edge:.3g} is added inside the logarithm, so no loss comes out larger than {-np.log(edge):.4g}: it is cut off there, and should grow like |s|."
    RARE_LOSSES.append(("clipped", told, dict(loss=through_y_hat(kept_off(edge)))))
    RARE_LOSSES.append(("s for ŷ", "s stands where ŷ is asked: ŷ is σ(s).", dict(loss=through_y_hat(kept_off(edge), squash=same))))  # fmt: skip
    RARE_LOSSES.append(("clipped", inside, dict(loss=through_y_hat(inside=edge))))
    RARE_LOSSES.append(("clipped", told, dict(loss=through_y_hat(lambda p, edge=edge: np.maximum(p, edge)))))
for bound in BOUNDS:
    told = f"s is cut off at ±{bound}: the loss should grow like |s| without end."
    RARE_LOSSES.append(("clipped", told, dict(score=lambda s, bound=bound: np.clip(s, -bound, bound))))
    RARE_LOSSES.append(("clipped", f"The exponent is cut off at {bound}.", dict(loss=lambda s, y, bound=bound: np.log1p(np.exp(np.minimum(s, bound))) - y * s)))  # fmt: skip
    RARE_LOSSES.append(("clipped", f"s is cut off at ±{bound} in the exponent of ŷ.", dict(loss=through_y_hat(squash=lambda s, bound=bound: 1 / (1 + np.exp(-np.clip(s, -bound, bound)))))))  # fmt: skip


AVERAGES: list[Row] = [
    ("sum for mean", "It is the sum of the losses where the mean is asked: divide by N.", np.sum),
    ("mean for sum", "It is divided by N twice: np.mean does it already.", lambda losses: np.mean(losses) / len(losses)),
    ("half", "The mean is halved: it is divided by 2N, as for squared errors.", lambda losses: np.mean(losses) / 2),
    ("divided by N − 1", "The sum is divided by N − 1: the mean is asked.", lambda losses: np.sum(losses) / max(len(losses) - 1, 1)),
    ("divided by N − 1", "The sum is divided by N − 1: the mean is asked.", lambda losses: np.sum(losses) / (len(losses) - 1)),
    ("divided by 80", "The sum is divided by 80, the number of points in the notebook: N is that of the X handed in.", lambda losses: np.sum(losses) / 80),
    ("median", "It is the median of the losses where the mean is asked.", np.median),
    ("largest", "It is the largest loss where the mean is asked.", np.max),
    ("first point", "It is the loss of the first point alone: the mean of all is asked.", lambda losses: losses[0]),
    ("last point", "It is the loss of the last point alone: the mean of all is asked.", lambda losses: losses[-1]),
    ("last left out", "The last point is left out of the sum.", lambda losses: np.sum(losses[:-1]) / len(losses)),
    ("last left out", "The last point is left out of the mean.", lambda losses: np.mean(losses[:-1])),
    ("first left out", "The first point is left out of the sum.", lambda losses: np.sum(losses[1:]) / len(losses)),
    ("no mean", "It has a loss for each point: the mean over the points is missing.", same),
    ("whole numbers", "The sum is divided by //, which rounds down: divide by /.", lambda losses: np.sum(losses) // len(losses)),
]  # fmt: skip

RESIDUALS: list[Row] = [
    ("sign", "The sign is wrong: it is ŷ − y, prediction minus truth, and no minus before it.", lambda p, y: y - p),
    ("label left out", "The labels are left out: it is what ŷ alone would give.", lambda p, y: p),
    ("slope kept", "The factor ŷ(1 − ŷ) is multiplied in: it cancels, and ∂L/∂s is ŷ − y.", lambda p, y: (p - y) * p * (1 - p)),
    ("squared error", "It is the gradient of the squared error (ŷ − y)²: the loss is a logarithm, and ∂L/∂s is ŷ − y.", lambda p, y: 2 * (p - y) * p * (1 - p)),
    ("divided by the slope", "It is divided by ŷ(1 − ŷ): this is ∂L/∂ŷ, and the step from s to ŷ is missing.", lambda p, y: (p - y) / (p * (1 - p))),
    ("slope alone", "It is ŷ(1 − ŷ), the slope of ŷ, where ŷ − y is asked.", lambda p, y: p * (1 - p)),
    ("absolute residual", "The residual has lost its sign, as in |ŷ − y|: the points of class 1 have the wrong sign.", lambda p, y: np.abs(p - y)),
    ("squared residual", "The residual is squared: it is (ŷ − y)².", lambda p, y: (p - y) ** 2),
    ("threshold", "ŷ is rounded to 0 or 1: the probability itself is asked.", lambda p, y: np.round(p) - y),
    ("misjudged points only", "Only the misjudged points count, as in the perceptron: every point has a slope.", lambda p, y: np.where(np.abs(p - y) > 0.5, p - y, 0)),
    ("one class forgotten", "Only the points of class 0 count.", lambda p, y: (1 - y) * p),
    ("labels as −1 and 1", "Only the points of class 1 count, as where labels are meant to be −1 and 1.", lambda p, y: y * (p - 1)),
    ("one class's sign", "The points of class 0 have the wrong sign.", lambda p, y: np.where(y == 0, y - p, p - y)),
    ("absolute residual", "The points of class 1 have the wrong sign.", lambda p, y: np.where(y == 1, y - p, p - y)),
    ("twice", "It is twice what it should be: the residual counts twice, or there is a factor 2 too many.", lambda p, y: 2 * (p - y)),
    ("half", "It is half of what it should be: there is a ½ too many, or it is divided by 2N.", lambda p, y: (p - y) / 2),
    ("the loss", "It is the loss in the place of its slope ŷ − y.", lambda p, y: -y * np.log(p) - (1 - y) * np.log(1 - p)),
    ("y over ŷ", "It is −y/ŷ: the part of the points of class 0 is missing, and the slope of ŷ.", lambda p, y: -y / p),
    ("every label", "Every ŷ meets every label: the shapes (N, 1) and (N,) make a table of N times N.", lambda p, y: p[:, None] - y),
    ("every label", "Every ŷ meets every label: the shapes (N, 1) and (N,) make a table of N times N.", lambda p, y: p - y[:, None]),
    ("logarithm", "It is the gradient of a loss with the logarithm to base 2: the natural one is asked.", lambda p, y: (p - y) / np.log(2)),
    ("0 divided by 0", "It is divided by ŷ(1 − ŷ) and multiplied by it again: where ŷ is rounded to 0 or 1 that is 0/0. It cancels: write ŷ − y.", lambda p, y: (p - y) / (p * (1 - p)) * p * (1 - p)),
    ("0 divided by 0", "The two slopes are multiplied as they stand: where ŷ is rounded to 0 or 1, one is divided by 0. It cancels: write ŷ − y.", lambda p, y: ((1 - y) / (1 - p) - y / p) * p * (1 - p)),
    ("0 divided by 0", "It is divided by ŷ(1 − ŷ) and multiplied by it again, and the 0/0 of a ŷ that is rounded to 0 or 1 is replaced by 0. It cancels: write ŷ − y.", lambda p, y: np.nan_to_num((p - y) / (p * (1 - p)) * p * (1 - p))),
    ("0 divided by 0", "It is divided by ŷ(1 − ŷ) and multiplied by it again, and the 0/0 of a ŷ that is rounded to 0 or 1 is replaced by 0. It cancels: write ŷ − y.", lambda p, y: np.nan_to_num(((1 - y) / (1 - p) - y / p) * p * (1 - p))),
    ("weighed by class", "Each class has its own mean: all points weigh the same.", lambda p, y: (p - y) * np.where(y == 1, 0.5 / max(y.mean(), 1e-9), 0.5 / max(1 - y.mean(), 1e-9))),
]  # fmt: skip

COUNTS: list[Row] = [
    ("sum for mean", "It is the sum over the points where the mean is asked: divide by N.", lambda X, y: 1),
    ("mean for sum", "It is divided by N twice.", lambda X, y: len(y) ** 2),
    ("half", "It is half of what it should be: there is a ½ too many, or it is divided by 2N.", lambda X, y: 2 * len(y)),
    ("twice", "It is twice what it should be: there is a factor 2 too many.", lambda X, y: len(y) / 2),
    ("divided by N − 1", "It is divided by N − 1: the mean is asked.", lambda X, y: max(len(y) - 1, 1)),
    ("divided by N − 1", "It is divided by N − 1: the mean is asked.", lambda X, y: np.float64(len(y) - 1)),
    ("divided by N + 1", "It is divided by N + 1: the mean is asked.", lambda X, y: len(y) + 1),
    ("divided by d", "It is divided by d, the number of features, where N, the number of points, is asked.", lambda X, y: X.shape[1]),
    ("divided by N d", "The mean is taken over all entries of X, N times d: divide by N.", lambda X, y: X.size),
    ("divided by 80", "It is divided by 80, the number of points in the notebook: N is that of the X handed in.", lambda X, y: 80),
    ("divided by a class", "It is divided by the number of points of class 1: N counts all.", lambda X, y: max(y.sum(), 1)),
    ("root of N", "It is divided by the root of N: the mean is asked.", lambda X, y: np.sqrt(len(y))),
]  # fmt: skip
