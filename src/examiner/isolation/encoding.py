"""Values to bytes: each mutable object once, in a table, and a root that refers to them by number."""

from __future__ import annotations

import array
import collections
import functools
import itertools
import struct
import sys
from collections.abc import Callable, Iterator
from numbers import Complex, Real
from types import GeneratorType
from typing import Any

import numpy as np

from examiner.isolation.kinds import taken_apart
from examiner.isolation.values import (
    ARRAYS,
    C128,
    CALLABLE,
    F64,
    FLOAT,
    FUNCTIONS,
    GENERATORS,
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
        self.objects: list[Any] = list(known or ())
        self.index = {id(thing): i for i, thing in enumerate(self.objects)}
        self.known = len(self.objects)
        self.size = 0

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

    def _count(self, n: int) -> None:
        self.size += n
        if self.size > MAX_ITEMS * 4:
            raise WireError("too many values")

    def _refer(self, thing: Any) -> bytes:
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
            return self._refer(x)
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
            self._count(len(x))
            return NUMBER(b"t", len(x)) + b"".join([self.value(item, depth + 1) for item in x])
        return self._rarer(x, depth)

    def _rarer(self, x: Any, depth: int) -> bytes:
        if type(x) in FUNCTIONS and self.export is not None:
            return CALLABLE(b"C", *self.export(x))
        if issubclass(type(x), ByNumber) and self.export is not None:
            return CALLABLE(b"C", *self.export(x))
        if type(x) is Described and self.export is not None:
            return CALLABLE(b"K", *self.export(x.kind)) + self.value(x.told, depth + 1)
        if self.describe is not None and (described := self.describe(x, False)) is not None:
            return self._by_number(x, described, depth)
        if isinstance(x, tuple) and (number := vars(type(x)).get("_class_number")) is not None:
            return b"W" + CALLABLE(b"C", 1, number) + self.value(tuple(x), depth + 1)
        if isinstance(x, np.generic):
            plain = np.asarray(x)
            if plain.dtype.newbyteorder("=").str in ARRAYS:
                plain = plain.astype(plain.dtype.newbyteorder("="))
                return b"n" + _short(plain.dtype.str) + plain.tobytes()
        if self.rich and (apart := taken_apart(x)) is not None:
            return b"V" + _short(apart[0]) + self.value(apart[1], depth + 1)
        if x is Ellipsis:
            return b"E"
        if isinstance(x, memoryview) and x.format != "B":
            return self._held(np.asarray(x))
        if isinstance(x, bytes | bytearray | memoryview):
            raw = bytes(x)
            return b"b" + U32.pack(len(raw)) + raw
        if isinstance(x, slice | range):
            parts = (x.start, x.stop, x.step)
            return (b"g" if isinstance(x, slice) else b"r") + b"".join([self.value(p, depth + 1) for p in parts])
        if isinstance(x, frozenset):
            self._count(len(x))
            return b"Z" + U32.pack(len(x)) + b"".join([self.value(item, depth + 1) for item in x])
        if isinstance(x, np.random.Generator | np.ndarray | list | dict | set):
            return self._refer(x)
        if isinstance(x, tuple):
            return self.value(tuple(x), depth)
        if isinstance(x, Opaque):
            return b"X" + _text(x.kind) + _text(x.text)
        if isinstance(x, bool | float | int | complex | str):
            return self._subclass(x)
        if isinstance(x, Iterated):
            return self._iterator(x.again(), depth, b"G" if type(x) is Generated else b"k")
        if isinstance(x, Iterator) and not callable(x):
            return self._iterator(x, depth, b"G" if self.rich and type(x) is GeneratorType else b"k")
        if callable(x) and self.export is not None:
            return CALLABLE(b"C", *self.export(x))
        return self._like(x, depth)

    def _subclass(self, x: Any) -> bytes:
        if isinstance(x, float):
            return b"f" + F64.pack(x)
        if isinstance(x, int):
            return _integer(int.__add__(x, 0))
        if isinstance(x, complex):
            return b"c" + C128.pack(x.real, x.imag)
        return b"s" + _text(str.__str__(x))

    def _like(self, x: Any, depth: int) -> bytes:
        """Of a foreign kind: what it behaves as."""
        if isinstance(x, collections.abc.Mapping):
            return self.value(dict(x), depth)
        if isinstance(x, array.array) or hasattr(type(x), "__array__"):
            plain = np.asarray(x)
            return self._held(plain) if type(plain) is np.ndarray else self._opaque(x)
        if isinstance(x, collections.abc.Set):
            return self._held(list(x))
        if isinstance(x, collections.abc.Sequence | collections.abc.ValuesView | collections.deque):
            return self._held(list(x))
        if isinstance(x, Real) or hasattr(type(x), "__float__"):
            return b"f" + F64.pack(float(x))
        if isinstance(x, Complex):
            number = complex(x)
            return b"c" + C128.pack(number.real, number.imag)
        if hasattr(type(x), "__len__") and hasattr(type(x), "__getitem__"):  # numpy takes it for a sequence
            members = itertools.islice(iter(x), MAX_ITERATED)
            return self._held([np.array(v) if isinstance(v, np.ndarray) else v for v in members])
        if hasattr(type(x), "__iter__") or hasattr(type(x), "__getitem__"):
            return self._iterator(iter(x), depth)
        return self._opaque(x)

    def _held(self, x: Any) -> bytes:
        # The table keeps the new object alive, so that its id stays its own.
        return self._refer(x)

    def _by_number(self, x: Any, described: Described, depth: int) -> bytes:
        if isinstance(x, type) or self.export is None:
            return self.value(described, depth)
        if isinstance(x, tuple):
            return b"W" + self.value(described, depth) + self.value(tuple(x), depth + 1)
        return CALLABLE(b"O", *self.export(x)) + self.value(described, depth)

    def _opaque(self, x: Any) -> bytes:
        if self.describe is not None and self.export is not None and (described := self.describe(x, True)) is not None:
            return self._by_number(x, described, 1)
        return b"X" + _text(str(type(x).__name__)[:MAX_TEXTS]) + _text("")

    def _iterator(self, x: Iterator[Any], depth: int, kind: bytes = b"k") -> bytes:
        parts: list[bytes] = []
        error = b"N"
        total = 0
        while True:
            try:
                item = next(x)
            except StopIteration:
                break
            except Exception as failure:
                error = self.value(describe_error(failure), depth + 1)
                break
            if len(parts) >= MAX_ITERATED or total > MAX_MESSAGE:
                error = self.value(("RuntimeError", f"it did not end after {len(parts):,} values", ()), depth + 1)
                break
            part = self._snapshot(item, depth + 1)
            parts.append(part)
            total += len(part)
        self._count(len(parts))
        return kind + U32.pack(len(parts)) + b"".join(parts) + error

    def _snapshot(self, item: Any, depth: int) -> bytes:
        """An iterator's value as it is now, even if the same list or array is changed and given again."""
        if isinstance(item, np.ndarray):
            item = np.array(item, copy=True, subok=False)
        elif type(item) is list:
            item = list(item)
        elif type(item) is dict:
            item = dict(item)
        elif type(item) is tuple:
            return b"t" + U32.pack(len(item)) + b"".join([self._snapshot(part, depth + 1) for part in item])
        return self.value(item, depth)

    def entry(self, x: Any) -> bytes:
        """The bytes of a mutable object, its members by value or by number."""
        if isinstance(x, np.ndarray):
            return self._array(x)
        if isinstance(x, list):
            self._count(len(x))
            if set(map(type, x)) == {float}:
                return NUMBER(b"D", len(x)) + array.array("d", x).tobytes()
            return NUMBER(b"l", len(x)) + b"".join([self.value(item, 1) for item in list.__iter__(x)])
        if isinstance(x, dict):
            self._count(len(x))
            items = [self.value(part, 1) for pair in dict.items(x) for part in pair]
            return b"d" + U32.pack(len(items) // 2) + b"".join(items)
        if isinstance(x, set):
            self._count(len(x))
            return b"S" + U32.pack(len(x)) + b"".join(sorted(self.value(item, 1) for item in x))
        generator = x.bit_generator
        name = type(generator).__name__
        if name not in GENERATORS:
            raise WireError(f"a random generator of the kind {name}")
        return b"R" + _short(name) + self.value((_frozen(generator.state), seed_of(generator)), 1)

    def _array(self, x: np.ndarray) -> bytes:
        if type(x) is np.ndarray and x.dtype.str in ARRAYS:
            self._count(x.size)
            return _array_head(x.dtype.str, x.flags.writeable, x.shape) + x.tobytes()
        plain = np.asarray(np.ma.getdata(x))
        if type(plain) is not np.ndarray:
            plain = plain.view(np.ndarray)
        dtype = plain.dtype.newbyteorder("=")
        if dtype.str in ARRAYS or dtype.kind in "US":
            self._count(plain.size)
            return _array_head(dtype.str, x.flags.writeable, plain.shape) + plain.astype(dtype, copy=False).tobytes()
        if dtype.kind == "O":
            self._count(plain.size)
            values = b"".join([self.value(v, 1) for v in plain.ravel().tolist()])
            return _array_head("|O", x.flags.writeable, plain.shape) + values
        raise WireError(f"an array of dtype {dtype}"[:MAX_TEXTS])


@functools.lru_cache(4096)
def _array_head(code: str, writeable: bool, shape: tuple[int, ...]) -> bytes:
    lengths = b"".join([I64.pack(n) for n in shape])
    return b"a" + _short(code) + (b"w" if writeable else b"o") + bytes([len(shape)]) + lengths


def describe_error(error: BaseException) -> tuple[str, str, tuple[Any, ...]]:
    """An exception as data: the name of the nearest built-in kind, its message, and room for the student's lines."""
    for kind in type(error).__mro__:
        if kind.__module__ == "builtins" and getattr(sys.modules["builtins"], kind.__name__, None) is kind:
            break
    try:
        message = str(error.args[0] if isinstance(error, KeyError) and len(error.args) == 1 else error)[:2000]
    except BaseException:
        message = ""
    return kind.__name__, message, ()


def _frozen(state: Any) -> Any:
    """A bit generator's state with nothing mutable in it."""
    if isinstance(state, dict):
        return tuple((str(key), _frozen(value)) for key, value in state.items())
    if isinstance(state, np.ndarray):
        return ("array", state.dtype.str, state.tobytes())
    return int(state) if isinstance(state, int | np.integer) else state


def seed_of(generator: np.random.BitGenerator) -> tuple[Any, ...] | None:
    """What `spawn` makes children of: the entropy, the place among others, how many children there were."""
    seed = generator.seed_seq
    if type(seed) is not np.random.SeedSequence or seed.pool_size != 4 or seed.entropy is None:
        return None
    entropy = (seed.entropy,) if isinstance(seed.entropy, int | np.integer) else tuple(seed.entropy)
    return tuple(map(int, entropy)), tuple(map(int, seed.spawn_key)), int(seed.n_children_spawned)


def _integer(x: int) -> bytes:
    if -(1 << 63) <= x < 1 << 63:
        return INTEGER(b"i", x)
    raw = x.to_bytes((x.bit_length() + 8) // 8, "little", signed=True)
    if len(raw) > MAX_INT_BYTES:
        raise WireError("an integer of more than a thousand digits")
    return b"I" + struct.pack("<H", len(raw)) + raw


def _text(x: str) -> bytes:
    raw = x.encode("utf-8", "replace")
    return U32.pack(len(raw)) + raw


def _short(x: str) -> bytes:
    raw = x.encode("ascii")
    return bytes([len(raw)]) + raw
