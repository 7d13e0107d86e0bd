"""What may travel between the examiner and a student's process: limits, errors and the tables that both sides share."""

from __future__ import annotations

import builtins
import collections
import functools
import struct
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

MAX_MESSAGE = 64 << 20  # bytes
MAX_ITEMS = 2_000_000  # values in a message
MAX_OBJECTS = 100_000  # lists, dicts, sets and arrays in a message
MAX_KEYS = 5_000  # keys of all dicts and members of all sets in a message: hash collisions cost their square
MAX_DEPTH = 60
DEEPEST = 250  # lists in lists, where a value may be of any kind
MAX_INT_BYTES = 1785  # Python writes out no integer of more than 4300 digits
MAX_SEED = 100  # numbers in a random generator's seed
MAX_CHILDREN = 10_000  # children that a random generator has spawned
MAX_ITERATED = 100_000  # values taken from a returned iterator
MOST_FILES, LARGEST_FILES = 500, 16 << 20  # in the working folder, that a test may look at; bytes of all
MOST_WARNINGS = 1000  # and entries of a log, of one call
MAX_TEXTS = 200  # characters of an opaque object's description


# What a student's code may hand to a function that a test lends it: a question's problems have a few hundred points,
# and what is done with an argument is done where no alarm interrupts, by as much as the square of its size.
MAX_ASKED = 1 << 20  # bytes of a call
MAX_NUMBERS = MAX_ASKED // 8  # values in it, when what is shared is written out
MAX_NAMES = 200  # texts in it: keys, and names of arguments
ARRAYS = {np.dtype(code).str for code in "?bBhHiIlLqQefdgFDG"}
CHEAP = {np.dtype(code) for code in "?bBhHiIlLqQfdgFD"}  # half precision and objects take a hundred times as long
RICH = b"OKVWB"  # what only a rich encoder makes: objects and classes by number, other values, functions of Python's
NO_NUMBERS = b"bEgSZXIOKVWB"  # bytes, ..., slices, sets, objects that can't travel, huge integers
GENERATORS = {
    kind.__name__: kind
    for kind in (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64)
}
U32, I64, F64, C128 = struct.Struct("<I"), struct.Struct("<q"), struct.Struct("<d"), struct.Struct("<dd")
THREE = struct.Struct("<III")
FLOAT, INTEGER, NUMBER = struct.Struct("<cd").pack, struct.Struct("<cq").pack, struct.Struct("<cI").pack
CALLABLE = struct.Struct("<cBI").pack
BUILTINS = {name: x for name, x in vars(builtins).items() if type(x) is types.BuiltinFunctionType}  # both sides have
FUNCTIONS = {types.FunctionType, types.BuiltinFunctionType, types.MethodType, np.ufunc}


class WireError(ValueError):
    """A value that can't travel."""


class Malformed(WireError):
    """Bytes that no honest sender makes."""


class NoNumbers(WireError):
    """A call of a lent function with what no such function needs: it is told to whoever called."""


class Opaque:
    """What stands for an object that can't travel: it says its kind, and is good for nothing else."""

    told_as = "object"

    def __init__(self, kind: str, text: str = "") -> None:
        self.kind, self.text = kind, text

    def __repr__(self) -> str:
        return f"<{self.kind} object>"


class ByNumber:
    """What stands for a thing of the other side's: it goes back by its number."""

    __slots__ = ()

    @staticmethod
    def number_of(thing: Any) -> int:
        """The number by which the other side knows it."""
        number = type.__getattribute__(thing, "_class_number") if isinstance(thing, type) else thing._number
        return int(number)


class Described:
    """A class of the notebook's, and what is told of it: its name, its kind of error, its bases, its operations."""

    def __init__(self, kind: type, told: tuple[Any, ...]) -> None:
        self.kind, self.told = kind, told


class Iterated:
    """An iterator made again from the values that one gave on the other side, and the error that ended it, if any."""

    told_as = "iterator"

    def __init__(self, values: list[Any], error: BaseException | None = None) -> None:
        self._values, self._error = iter(values), error

    def __iter__(self) -> Iterated:
        return self

    def again(self) -> Iterated:
        """The rest of it, without taking it."""
        rest = list(self._values)
        self._values = iter(rest)
        return type(self)(rest, self._error)

    def __next__(self) -> Any:
        for value in self._values:
            return value
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        raise StopIteration


class Generated(Iterated):
    """An iterator that was made from a generator's values."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return types.GeneratorType


Iterated.__name__ = Iterated.__qualname__ = "generator"  # what errors call it, in the student's code


@functools.lru_cache(256)
def dtype_of(code: str) -> np.dtype[Any]:
    return np.dtype(code)


def unfolded(x: Any, known: dict[int, int] | None = None, depth: int = 0, deepest: int = MAX_DEPTH) -> int:
    """How many values it is when what is shared is written out; Malformed where it holds itself or has no end.

    A few lists that hold each other twice unfold to more than there is room for.
    """
    if isinstance(x, np.ndarray) and x.dtype != object:
        return x.size + 1
    if type(x) is range:
        return len(x) + 1
    if type(x) in (dict, collections.OrderedDict, collections.defaultdict):
        members: Iterable[Any] = [*x, *x.values()]
    elif type(x) in (Iterated, Generated):
        members = x.again()._values
    elif type(x) in (list, tuple, set, frozenset, collections.deque, collections.Counter):
        members = x
    elif isinstance(x, np.ndarray):
        members = x.ravel().tolist()
    else:
        return 1
    if depth > deepest:
        raise Malformed("nested too deeply")
    known = {} if known is None else known
    size = known.get(id(x), 0)
    if not size:
        size = known[id(x)] = 1 + sum([unfolded(member, known, depth + 1, deepest) for member in members])
    if size > MAX_MESSAGE // 8:
        raise Malformed("more values than there can be")
    return size


def names_few(x: Any) -> bool:
    """Whether it is so few values that a lent function may have them."""
    try:
        return unfolded(x) <= MAX_NUMBERS
    except Malformed:
        return False
