"""Values to bytes: each mutable object once, in a table, and a root that refers to them by number."""

from __future__ import annotations

import array
import collections
import functools
import itertools
import struct
from collections.abc import Callable, Iterator
from enum import Enum
from numbers import Complex, Real
from types import BuiltinFunctionType, GeneratorType
from typing import Any

import numpy as np

from examiner.isolation.errors import describe_error
from examiner.isolation.generators import taken_down
from examiner.isolation.in_place import is_stream, stream_apart
from examiner.isolation.kinds import dict_apart, is_table, taken_apart
from examiner.isolation.values import (
    ARRAYS,
    BUILTINS,
    C128,
    CALLABLE,
    F64,
    FLOAT,
    FUNCTIONS,
    I64,
    INTEGER,
    MAX_DEPTH,
    MAX_INT_BYTES,
    MAX_ITEMS,
    MAX_ITERATED,
    MAX_MESSAGE,
    MAX_OBJECTS,
    MAX_TEXTS,
    NUMBER,
    THREE,
    U32,
    ByNumber,
    Described,
    Generated,
    Iterated,
    Opaque,
    WireError,
)


class Encoder:
    """Makes one message. `export` gives a callable its number (owner, id); `known` are objects the receiver has.

    `describe` gives the class of a thing that is to travel by number: those of the notebook's own classes, or any.
    `rich`: dates, decimals, tables and the like travel as what they are, and not as the plain values nearest to them.
    """

    def __init__(
        self,
        export: Callable[[Any], tuple[int, int]] | None = None,
        known: list[Any] | None = None,
        describe: Callable[[Any, bool], Described | None] | None = None,
        rich: bool = False,
    ) -> None:
        self.export, self.describe, self.rich = export, describe, rich
        self.lends = rich and describe is None  # the examiner's: Python's own `open` or `getattr` goes by its name
        self.objects: list[Any] = list(known or ())
        self.index = {id(thing): i for i, thing in enumerate(self.objects)}
        self.known = len(self.objects)
        self.size = 0
        self.within_table = False  # of a data frame or series: one in it is a value

    def message(self, root: Any, before: list[bytes] | None = None) -> bytes:
        """The message for `root`; of the known objects, those whose bytes differ from `before` are in it anew."""
        head = self.value(root)
        changed: list[bytes] = []
        for i, thing in enumerate(self.objects[: self.known]):
            entry = self.entry(thing)
            if before is None or entry != before[i]:
                changed += (U32.pack(i), U32.pack(len(entry)), entry)
        fresh: list[bytes] = []
        i = self.known
        while i < len(self.objects):
            entry = self.entry(self.objects[i])
            fresh += (U32.pack(len(entry)), entry)
            i += 1
        counts = THREE.pack(self.known, len(changed) // 3, i - self.known)
        whole = b"".join((counts, *changed, *fresh, head))
        if len(whole) > MAX_MESSAGE:
            raise WireError(f"the values are larger than {MAX_MESSAGE >> 20} MB")
        return whole

    def entries(self) -> list[bytes]:
        """The bytes of every object in the table, to tell later which changed."""
        return [self.entry(thing) for thing in self.objects[: self.known]]

    def count(self, n: int) -> None:
        """`n` values more are in it; WireError where that is too many."""
        self.size += n
        if self.size > MAX_ITEMS * 4:
            raise WireError("too many values")

    def refer(self, thing: Any) -> bytes:
        """A mutable object by its number in the table, which keeps it alive, so that its id stays its own."""
        number = self.index.get(id(thing))
        if number is None:
            number = self.index[id(thing)] = len(self.objects)
            self.objects.append(thing)
            if number > MAX_OBJECTS:
                raise WireError("too many values")
        return NUMBER(b"h", number)

    def value(self, x: Any, depth: int = 0) -> bytes:
        """The bytes of one value; mutable ones are put in the table and referred to."""
        kind = type(x)
        if kind is float:
            return FLOAT(b"f", x)
        if (
            kind is list
            or kind is dict
            or kind is set
            or (kind is np.ndarray and not (self.rich and x.dtype.kind in "mMV"))
        ):
            return self.refer(x)
        if kind is str:
            return b"s" + _text(x)
        if kind is int:
            return _integer(x)
        if x is None:
            return b"N"
        if kind is bool:
            return b"T" if x else b"F"
        if depth > MAX_DEPTH:
            raise WireError("nested too deeply")
        if kind is tuple:
            self.count(len(x))
            return NUMBER(b"t", len(x)) + b"".join([self.value(item, depth + 1) for item in x])
        return _rarer(self, x, depth)

    def entry(self, x: Any) -> bytes:
        """The bytes of a mutable object, its members by value or by number."""
        if isinstance(x, np.ndarray):
            return _array(self, x)
        if isinstance(x, list):
            self.count(len(x))
            if set(map(type, x)) == {float}:
                return NUMBER(b"D", len(x)) + array.array("d", x).tobytes()
            return NUMBER(b"l", len(x)) + b"".join([self.value(item, 1) for item in list.__iter__(x)])
        if isinstance(x, dict):
            self.count(len(x))
            items = [self.value(part, 1) for pair in dict.items(x) for part in pair]
            return b"d" + U32.pack(len(items) // 2) + b"".join(items)
        if isinstance(x, set):
            self.count(len(x))
            return b"S" + U32.pack(len(x)) + b"".join(sorted(self.value(item, 1) for item in x))
        if is_table(x):
            within = Encoder(self.export, describe=self.describe, rich=True)
            within.within_table = True
            return b"P" + within.message(taken_apart(x))
        if is_stream(x):
            return b"F" + self.value(stream_apart(x), 1)
        name, parts = taken_down(x.bit_generator)
        return b"R" + _short(name) + self.value(parts, 1)


def _array(encoder: Encoder, x: np.ndarray) -> bytes:
    if type(x) is np.ndarray and x.dtype.str in ARRAYS:
        encoder.count(x.size)
        return _array_head(x.dtype.str, x.flags.writeable, x.shape) + x.tobytes()
    plain = np.asarray(np.ma.getdata(x))
    if type(plain) is not np.ndarray:
        plain = plain.view(np.ndarray)
    dtype = plain.dtype.newbyteorder("=")
    if dtype.str in ARRAYS or dtype.kind in "US":
        encoder.count(plain.size)
        return _array_head(dtype.str, x.flags.writeable, plain.shape) + plain.astype(dtype, copy=False).tobytes()
    if dtype.kind == "O":
        encoder.count(plain.size)
        values = b"".join([encoder.value(v, 1) for v in plain.ravel().tolist()])
        return _array_head("|O", x.flags.writeable, plain.shape) + values
    raise WireError(f"an array of dtype {dtype}"[:MAX_TEXTS])


@functools.lru_cache(4096)
def _array_head(code: str, writeable: bool, shape: tuple[int, ...]) -> bytes:
    lengths = b"".join([I64.pack(n) for n in shape])
    return b"a" + _short(code) + (b"w" if writeable else b"o") + bytes([len(shape)]) + lengths


# The rarer values


def _rarer(encoder: Encoder, x: Any, depth: int) -> bytes:
    """A value as the first of these kinds that it is of: what travels by number comes before what it builds on."""
    if (type(x) in FUNCTIONS or issubclass(type(x), ByNumber)) and encoder.export is not None:
        return _function(encoder, x, encoder.export)
    if type(x) is Described and encoder.export is not None:
        return CALLABLE(b"K", *encoder.export(x.kind)) + encoder.value(x.told, depth + 1)
    if encoder.describe is not None and (described := encoder.describe(x, False)) is not None:
        return _by_number(encoder, x, described, depth)
    if isinstance(x, tuple) and (number := vars(type(x)).get("_class_number")) is not None:
        return b"W" + CALLABLE(b"C", 1, number) + encoder.value(tuple(x), depth + 1)
    if isinstance(x, np.generic):
        plain = np.asarray(x)
        if plain.dtype.newbyteorder("=").str in ARRAYS:
            plain = plain.astype(plain.dtype.newbyteorder("="))
            return b"n" + _short(plain.dtype.str) + plain.tobytes()
    if encoder.rich and _changes_in_place(encoder, x):
        return encoder.refer(x)
    if encoder.describe is not None and encoder.rich and id(x) not in encoder.index and (apart := dict_apart(x)):
        return b"V" + _short(apart[0]) + encoder.value(apart[1], depth + 1)
    if encoder.rich and (apart := taken_apart(x)) is not None:
        return b"V" + _short(apart[0]) + encoder.value(apart[1], depth + 1)
    if encoder.rich and encoder.describe is not None and _more_than_a_value(x):
        return _opaque(encoder, x)
    if x is Ellipsis:
        return b"E"
    if isinstance(x, memoryview) and x.format != "B":
        return encoder.refer(np.asarray(x))
    if isinstance(x, bytes | bytearray | memoryview):
        raw = bytes(x)
        return b"b" + U32.pack(len(raw)) + raw
    if isinstance(x, slice | range):
        parts = (x.start, x.stop, x.step)
        return (b"g" if isinstance(x, slice) else b"r") + b"".join([encoder.value(p, depth + 1) for p in parts])
    if isinstance(x, frozenset):
        encoder.count(len(x))
        return b"Z" + U32.pack(len(x)) + b"".join([encoder.value(item, depth + 1) for item in x])
    if isinstance(x, np.random.Generator | np.ndarray | list | dict | set):
        return encoder.refer(x)
    if isinstance(x, tuple):
        return encoder.value(tuple(x), depth)
    if isinstance(x, Opaque):
        return b"X" + _text(x.kind) + _text(x.text)
    if isinstance(x, bool | float | int | complex | str):
        return _subclass(x)
    if isinstance(x, Iterated):
        return _iterator(encoder, x.again(), depth, b"G" if type(x) is Generated else b"k")
    if isinstance(x, Iterator) and not callable(x):
        return _iterator(encoder, x, depth, b"G" if encoder.rich and type(x) is GeneratorType else b"k")
    if encoder.export is not None and (callable(x) or (encoder.lends and is_the_tests_own(x))):
        owner, number = encoder.export(x)
        return CALLABLE(b"C", 2 if encoder.lends and is_the_tests_own(x) else owner, number)
    return _like(encoder, x, depth)


def _changes_in_place(encoder: Encoder, x: Any) -> bool:
    """Whether what is done to it is seen on the other side: to a table, or to a stream that a test has handed in."""
    return (is_table(x) and not encoder.within_table) or (is_stream(x) and (encoder.lends or id(x) in encoder.index))


def _function(encoder: Encoder, x: Any, export: Callable[[Any], tuple[int, int]]) -> bytes:
    if encoder.lends and type(x) is BuiltinFunctionType and BUILTINS.get(x.__name__) is x:
        return b"B" + _short(x.__name__)
    return CALLABLE(b"C", *export(x))


def is_the_tests_own(x: Any) -> bool:
    """Whether it is an object of one of a test's own classes, or what a test has in the place of one."""
    kind = type(x)
    if kind.__module__ == "unittest.mock" or kind.__module__ not in ("__main__", "types"):
        return kind.__module__ == "unittest.mock"
    return not isinstance(x, type | collections.abc.Collection | Iterator) and not hasattr(kind, "__array__")


_PLAIN = ("builtins", "itertools", "collections", "collections.abc", "types", "numpy", "array", "enum", "functools")
"""Modules whose values are their members: iterators, mappings and sequences of any use."""


def _more_than_a_value(x: Any) -> bool:
    """Whether a library's object has more to it than what it counts as: a cursor, a file, a match, a fitted result."""
    kind = type(x)
    if isinstance(x, tuple):
        return hasattr(kind, "_fields") or hasattr(x, "__dict__")
    if kind.__module__ in (*_PLAIN, "__main__") or isinstance(x, Enum) or kind.__module__.startswith("examiner."):
        return False
    if isinstance(x, dict | Iterator):
        return True
    if isinstance(x, collections.abc.Collection) or hasattr(kind, "__array__") or hasattr(kind, "__float__"):
        return False
    if callable(x):
        return not isinstance(x, type)
    return hasattr(kind, "__iter__") or hasattr(kind, "__getitem__")


def _subclass(x: Any) -> bytes:
    if isinstance(x, float):
        return b"f" + F64.pack(x)
    if isinstance(x, int):
        return _integer(int.__add__(x, 0))
    if isinstance(x, complex):
        return b"c" + C128.pack(x.real, x.imag)
    return b"s" + _text(str.__str__(x))


def _like(encoder: Encoder, x: Any, depth: int) -> bytes:
    """Of a foreign kind: what it behaves as."""
    if isinstance(x, collections.abc.Mapping):
        return encoder.value(dict(x), depth)
    if isinstance(x, array.array) or hasattr(type(x), "__array__"):
        plain = np.asarray(x)
        return encoder.refer(plain) if type(plain) is np.ndarray else _opaque(encoder, x)
    if isinstance(x, collections.abc.Set):
        return encoder.refer(list(x))
    if isinstance(x, collections.abc.Sequence | collections.abc.ValuesView | collections.deque):
        return encoder.refer(list(x))
    if isinstance(x, Real) or hasattr(type(x), "__float__"):
        return b"f" + F64.pack(float(x))
    if isinstance(x, Complex):
        number = complex(x)
        return b"c" + C128.pack(number.real, number.imag)
    if hasattr(type(x), "__len__") and hasattr(type(x), "__getitem__"):  # numpy takes it for a sequence
        members = itertools.islice(iter(x), MAX_ITERATED)
        return encoder.refer([np.array(v) if isinstance(v, np.ndarray) else v for v in members])
    if hasattr(type(x), "__iter__") or hasattr(type(x), "__getitem__"):
        return _iterator(encoder, iter(x), depth)
    return _opaque(encoder, x)


def _by_number(encoder: Encoder, x: Any, described: Described, depth: int) -> bytes:
    if isinstance(x, type) or encoder.export is None:
        return encoder.value(described, depth)
    if isinstance(x, tuple) and hasattr(type(x), "_fields"):
        return b"W" + encoder.value(described, depth) + encoder.value(tuple(x), depth + 1)
    return CALLABLE(b"O", *encoder.export(x)) + encoder.value(described, depth)


def _opaque(encoder: Encoder, x: Any) -> bytes:
    if (
        encoder.describe is not None
        and encoder.export is not None
        and (described := encoder.describe(x, True)) is not None
    ):
        return _by_number(encoder, x, described, 1)
    return b"X" + _text(str(type(x).__name__)[:MAX_TEXTS]) + _text("")


def _iterator(encoder: Encoder, x: Iterator[Any], depth: int, kind: bytes = b"k") -> bytes:
    parts: list[bytes] = []
    error = b"N"
    total = 0
    while True:
        try:
            item = next(x)
        except StopIteration:
            break
        except Exception as failure:
            error = encoder.value(describe_error(failure), depth + 1)
            break
        if len(parts) >= MAX_ITERATED or total > MAX_MESSAGE:
            error = encoder.value(("RuntimeError", f"it did not end after {len(parts):,} values", ()), depth + 1)
            break
        part = _snapshot(encoder, item, depth + 1)
        parts.append(part)
        total += len(part)
    encoder.count(len(parts))
    return kind + U32.pack(len(parts)) + b"".join(parts) + error


def _snapshot(encoder: Encoder, item: Any, depth: int) -> bytes:
    """An iterator's value as it is now, even if the same list or array is changed and given again."""
    if isinstance(item, np.ndarray):
        item = np.array(item, copy=True, subok=False)
    elif type(item) is list:
        item = list(item)
    elif type(item) is dict:
        item = dict(item)
    elif type(item) is tuple:
        return b"t" + U32.pack(len(item)) + b"".join([_snapshot(encoder, part, depth + 1) for part in item])
    return encoder.value(item, depth)


def _integer(x: int) -> bytes:
    if -(1 << 63) <= x < 1 << 63:
        return INTEGER(b"i", x)
    raw = x.to_bytes((x.bit_length() + 8) // 8, "little", signed=True)
    if len(raw) > MAX_INT_BYTES:
        raise WireError("an integer of more than four thousand digits")
    return b"I" + struct.pack("<H", len(raw)) + raw


def _text(x: str) -> bytes:
    raw = x.encode("utf-8", "replace")
    return U32.pack(len(raw)) + raw


def _short(x: str) -> bytes:
    raw = x.encode("ascii")
    return bytes([len(raw)]) + raw
