"""What the hidden tests of a notebook stand on: right answers that are lent, and known mistakes that are named.

A mistake is a function with the answer's own signature. Where an answer is wrong, its test is run again on each mistake
that is known, on the same problems. One is named only where it shows the test what the answer has shown it, numbers,
shapes, nan and errors alike, wherever either of the two is wrong. Nothing here knows a notebook: its answers and
mistakes are in its marking tools, a cell of the source whose whole text is hidden.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from examiner.isolation.lending import call_with
from workshop import _known, gradcheck
from workshop._answers import Answer, quiet, raised
from workshop._diagnosis import NOTHING, Finding
from workshop._seen import Seen, agree

SEED = 0
"""What :func:`fresh_rng` draws from, another for each submission: nobody knows the problems beforehand."""

NUMBERS: frozenset[float] = frozenset()
"""The numbers that the notebook's answers are written with, for its marking tools: a test may look beyond them."""


@dataclass
class _Turn:
    """What is known of the test under way."""

    own: frozenset[str] = frozenset()
    derivative_of: set[str] = field(default_factory=set)
    for_a_person: list[str] = field(default_factory=list)


_turn = _Turn()


def begin(own: Iterable[str] = ()) -> None:
    """Forget what the test before has set. ``own``: earlier answers that the cell of the next answer writes anew."""
    global _turn
    _turn, gradcheck.marker = _Turn(frozenset(own)), None


def for_a_person(called: Set[str] = frozenset(), complex_numbers: bool = False) -> str:
    """Why a person should look at the answer just tested.

    ``called``: the right answers that it has called. ``complex_numbers``: whether its notebook computes with them.
    """
    why, asked = list(_turn.for_a_person), sorted(_turn.derivative_of & called)
    if asked:
        why.append(f"the answer calls {', '.join(asked)}: is it the derivative, or a difference of values?")
    if _turn.derivative_of and complex_numbers:  # a step along the imaginary axis leaves no trace in the digits
        why.append("the notebook computes with complex numbers: is it the derivative, or a complex step?")
    return "; ".join(why)


# For the tests ----------------------------------------------------------------------------------------------------


def fresh_rng(key: str) -> np.random.Generator:
    """A generator for the problems of the test named ``key``: another for each SEED and each key.

    Answers may be handed it, and see what it was made from: that leads neither back to SEED nor to another key's.
    """
    digest = hashlib.sha256(f"{SEED} {key}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def finite_difference(f: Callable[[Any], Any], theta: Any, h: float = 1e-5) -> NDArray[np.float64]:
    """The slopes of f, a number, by each entry of theta: central differences with a nudge of h."""
    theta = np.asarray(theta, dtype=float)
    slopes = np.zeros(theta.shape)
    for i in np.ndindex(theta.shape):
        step = np.zeros(theta.shape)
        step[i] = h
        slopes[i] = (f(theta + step) - f(theta - step)) / (2 * h)
    return slopes


def by_formula(got: Any, exact: Any, rtol: float = 1e-3) -> None:
    """Have a person look at right numbers that are differences of values, by whatever scheme and step.

    To be asked where a formula gives ``exact`` to ``rtol``, in single precision too, and differences can't: where the
    slopes are next to nothing beside the values, and drown in their rounding.
    """
    array, exact = gradcheck.as_array("it", got), np.asarray(exact, dtype=np.float64)
    right = array.shape == exact.shape and agree(array, exact).all()
    why = "its digits are those of differences of values, not of a formula"
    if right and np.max(np.abs(array - exact)) > rtol * np.max(np.abs(exact)) and why not in _turn.for_a_person:
        _turn.for_a_person.append(why)


def default(answer: Answer, parameter: str) -> float | None:
    """The number that the answer's head gives a parameter by default; None where it gives none, or no number."""
    try:
        value = inspect.signature(answer).parameters[parameter].default
    except (TypeError, ValueError, KeyError):
        return None
    return float(value) if type(value) in (int, float) else None


def leaves(answer: Answer, *args: Any) -> None:
    """See that an answer leaves its arguments as they were; what it gives has a test of its own."""
    try:
        answer(*args)
    except gradcheck.WrongAnswer as wrong:
        if wrong.mistake == "changes its argument":
            raise


# Known mistakes ---------------------------------------------------------------------------------------------------


class Mistake(NamedTuple):
    """A known mistake: what is different in the right answer, whose options it gives, or an answer of its own."""

    name: str
    sentence: str
    change: Mapping[str, Any] | Answer


class _Differs(BaseException):
    """A mistake has shown the test something else than the student's answer."""


class _Match(gradcheck.Watch):
    """A test that is run on a mistake, for as long as it sees what it has `known` of the student's answer."""

    def __init__(self, known: Sequence[Seen]) -> None:
        super().__init__()
        self.known = known
        self.differs = False
        self.alike = True  # in the parts that have tests of their own, too

    def right(self, want: Any) -> Any:
        """The right values are those of the student's turn: they need not be worked out again."""
        known = self.known[len(self.seen)] if len(self.seen) < len(self.known) else None
        return super().right(want) if known is None or known.want is None else known.want

    def see(self, thing: Seen) -> None:
        """Go on while it is the same."""
        if len(self.seen) == len(self.known) or not same(self.known[len(self.seen)], thing):
            raise _Differs
        self.alike = self.alike and _alike_beside(self.known[len(self.seen)], thing)
        wrong = self.known[len(self.seen)].wrong
        self.differs = self.differs or (wrong is not None and not _bare(wrong))
        super().see(thing)

    def meets(self, test: Answer, answers: Sequence[Answer]) -> bool:
        """Whether the answers show the test all that it has known, and are wrong somewhere."""
        try:
            self.run(test, answers)
        except _Differs:
            return False
        return len(self.seen) == len(self.known) and self.differs


def same(known: Seen, thing: Seen) -> bool:
    """Whether two answers have shown a test the same, or are both right.

    In a part that has a test of its own, another is right where the student's is.
    """
    if known.beside is not None:
        return thing.beside is not None and known.beside <= thing.beside
    if known.wrong is None or thing.wrong is None:
        noted = known.want is None and thing.want is None and known.got is not None and thing.got is not None
        return known.wrong is thing.wrong and (not noted or _near(known, thing))
    if known.got is None or thing.got is None:
        alike = _first_line(known.wrong) == _first_line(thing.wrong)
        alike = alike or (_bare(known.wrong) and known.wrong.mistake == thing.wrong.mistake)
        return known.got is thing.got and alike
    return _near(known, thing)


def _alike_beside(known: Seen, thing: Seen) -> bool:
    """Whether a part that has a test of its own is right in both answers, or wrong alike."""
    if known.beside or thing.beside or known.part is None or thing.part is None:
        return known.beside == thing.beside and (known.part is None) == (thing.part is None)
    return _off(known.part, thing.part) is not None


def _off(got: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """How far apart the numbers of two answers are; None where they aren't the same."""
    if got.shape != other.shape:
        return None
    off = np.where((got == other) | (np.isnan(got) & np.isnan(other)), 0.0, np.abs(got - other))
    same = np.all(off <= 1e-7 + 2e-5 * np.where(np.isfinite(other), np.abs(other), 0.0))
    return off if same else None


def _near(known: Seen, thing: Seen) -> bool:
    got, other = known.got, thing.got
    assert got is not None and other is not None
    off = _off(got, other)
    if off is None:
        return False
    if known.want is None or known.want.shape != got.shape:
        return True
    wrong = ~agree(got, known.want)
    apart = np.nan_to_num(np.abs(got - known.want), nan=np.inf)
    return bool(np.all(off[wrong] < 0.1 * apart[wrong]))  # it is what sets the answer apart from what is right


def _few_numbers(seen: Sequence[Seen]) -> bool:
    """Whether what is wrong is too little to tell two mistakes by: numbers other than 0 and 1, on three problems."""
    wrong = [thing.got for thing in seen if thing.wrong and thing.plain and thing.got is not None]
    told = [got for got in wrong if np.any(np.isfinite(got) & (got != 0) & (got != 1))]
    return len(told) < 3


def _bare(wrong: gradcheck.WrongAnswer) -> bool:
    """Whether it is an error of which nothing is known but its kind."""
    return (wrong.mistake or "").startswith("raised ") and _first_line(wrong).endswith(wrong.mistake or "")


def _first_line(wrong: gradcheck.WrongAnswer) -> str:
    """What was wrong, or raised, without the student's own lines below."""
    return str(wrong).split("\n")[0].strip()


class ToolsFault(Exception):
    """A fault in how the marking tools are used, which is for the tutor to mend."""


class Marker:
    """The marking tools of a notebook: its right answers in its order, and the mistakes that are known of each.

    ``right``: by name; None for what is never lent, as a variable is. ``mistakes``: by the answer's name.
    """

    def __init__(
        self, right: Mapping[str, Answer | None], mistakes: Mapping[str, Sequence[tuple[str, str, Any]]]
    ) -> None:
        self.questions = tuple(right)
        self.right = {name: answer for name, answer in right.items() if answer is not None}
        self.mistakes = {name: [Mistake(*m) for m in many] for name, many in mistakes.items()}
        for name, answer in self.right.items():
            if isinstance(answer, FunctionType):  # an error that a student's call makes tells its name
                answer.__name__ = answer.__qualname__ = name
        self.lent: dict[str, Answer] = {}

    def mark(self, answer: str, derivative_of: Sequence[str] = ()) -> None:
        """Begin a test of ``answer``: right answers stand in the place of all earlier ones of the student's.

        Thus a mistake costs its own marks only: ``forward`` is tested with a right ``sigmoid``, whatever the student's
        is. But what the cell of ``forward`` writes anew belongs to it. Where the answer calls one of ``derivative_of``,
        a person is to look at it. ToolsFault where one of these names is not known.
        """
        for name in (answer, *derivative_of):
            if name not in self.questions:
                raise ToolsFault(f"There is no question `{name}` to mark; known are {', '.join(self.questions)}.")
        earlier = itertools.takewhile(lambda name: name != answer, self.questions)
        self.lent = {name: self.right[name] for name in earlier if name in self.right and name not in _turn.own}
        gradcheck.marker = self
        _turn.derivative_of.update(derivative_of)

    def call(self, answer: Answer, args: Sequence[Any]) -> Any:
        """Call a student's answer while the right earlier ones stand in the place of its own."""
        return call_with(answer, self.lent, args)

    def named(self, test: Answer, seen: Sequence[Seen]) -> Finding:
        """The mistake that shows the test what it has seen, or two of one answer at once."""
        names = gradcheck.names_of(test)
        if any(thing.wrong and thing.wrong.mistake == "not written" for thing in seen):
            return NOTHING  # and no need to look
        with quiet():
            for together in (1, 2):
                found: dict[bool, dict[str, Finding]] = {True: {}, False: {}}
                for mistake, answers in self.wrong_answers(names, together):
                    match = _Match(seen)
                    if match.meets(test, [_seen_as_raising(name, answers[name]) for name in names]):
                        found[match.alike].setdefault(mistake.sentence, mistake)
                if likely := found[True] or found[False]:
                    if together > 1 and (len(likely) > 1 or _few_numbers(seen)):
                        return NOTHING  # of so many pairs one may fit by chance
                    return _known.either(list(likely.values()), _known.only_stopped(seen))
        return NOTHING

    def wrong_answers(self, names: Sequence[str], together: int = 1) -> Iterator[tuple[Finding, dict[str, Answer]]]:
        """Each known mistake in the answers of these names, or each two in one of them; all others are right."""
        for name in names:
            for some in itertools.combinations(self.mistakes.get(name, ()), together):
                wrong = self._with(name, some)
                if wrong is not None:
                    yield _finding(some), {n: self.right[n] for n in names} | {name: wrong}

    def _with(self, name: str, some: Sequence[Mistake]) -> Answer | None:
        """The right answer of a name with these mistakes made in it; None where they can't be made together."""
        if len(some) == 1 and callable(some[0].change):
            return some[0].change
        options: dict[str, Any] = {}
        for mistake in some:
            if callable(mistake.change) or options.keys() & mistake.change.keys():
                return None
            options |= mistake.change
        right = self.right[name]
        return lambda *args, **kwargs: right(*args, **kwargs, **options)


def _finding(some: Sequence[Mistake]) -> Finding:
    if len(some) == 1:
        return Finding(some[0].name, some[0].sentence)
    told = "\n".join(f"  • {mistake.sentence}" for mistake in some)
    return Finding(" and ".join(mistake.name for mistake in some), f"Two mistakes at once give these numbers:\n{told}")


def _seen_as_raising(name: str, answer: Answer) -> Answer:
    """A known wrong answer, whose errors are seen as a student's are."""

    def called(*args: Any) -> Any:
        try:
            return answer(*args)
        except gradcheck.WrongAnswer:
            raise
        except Exception as error:
            raise raised(name, error) from None

    return called
