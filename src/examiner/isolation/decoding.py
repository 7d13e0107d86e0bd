"""Bytes to values: every byte is checked, and nothing is called, imported or evaluated."""

from __future__ import annotations

import array
import functools
import math
import struct
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from examiner.isolation.generators import set_up
from examiner.isolation.in_place import made_stream, renew
from examiner.isolation.kinds import is_table, put_together
from examiner.isolation.values import (
    ARRAYS,
    BUILTINS,
    C128,
    CHEAP,
    F64,
    GENERATORS,
    I64,
    MAX_ASKED,
    MAX_DEPTH,
    MAX_INT_BYTES,
    MAX_ITEMS,
    MAX_KEYS,
    MAX_MESSAGE,
    MAX_NAMES,
    MAX_NUMBERS,
    MAX_OBJECTS,
    MAX_TEXTS,
    NO_NUMBERS,
    RICH,
    THREE,
    U32,
    Generated,
    Iterated,
    Malformed,
    NoNumbers,
    Opaque,
    WireError,
    dtype_of,
    names_few,
)


class Reader:
    """The bytes of one message, read from front to back. What is read is counted, and refused where it is too much.

    With `numbers`, nothing is taken but numbers, their arrays, lists, tuples, dicts and iterators, random
    generators and callables, and of these only so many; the message is looked at no further once there is more.
    """

    def __init__(self, data: bytes | memoryview, numbers: bool) -> None:
        self.data, self.at, self.numbers = bytes(data), 0, numbers
        self.items = self.keys = 0
        self.texts: list[str] = []  # every text in it

    def take(self, n: int) -> bytes:
        """The next `n` bytes."""
        piece = self.data[self.at : self.at + n]
        if len(piece) != n:
            raise Malformed("cut short")
        self.at += n
        return piece

    def u32(self) -> int:
        """The next four bytes, as a number without sign."""
        number: int = U32.unpack_from(self.data, self.at)[0]
        self.at += 4
        return number

    def count(self, n: int) -> int:
        """`n` values are to come: that many, if there can be so many."""
        self.items += n
        if self.items > MAX_ITEMS or n > len(self.data) - self.at:
            raise Malformed("more values than there can be")
        return n

    def few(self, n: int) -> int:
        """`n` values are to come of the kinds that take long to make: keys, members of sets, generators."""
        self.keys += n
        if self.keys > MAX_KEYS:
            raise self.too_many("too many keys")
        return self.count(n)

    def text(self) -> str:
        """The next text."""
        self.texts.append(self.take(self.u32()).decode("utf-8", "replace"))
        if self.numbers and (len(self.texts) > MAX_NAMES or len(self.texts[-1]) > MAX_NAMES):
            raise NoNumbers("takes numbers, no text")
        return self.texts[-1]

    def name(self) -> str:
        """The next name of a kind or a dtype."""
        return self.take(self.take(1)[0]).decode("ascii")

    def refuse(self, tag: int) -> None:
        """Raise NoNumbers for the tag of a value that is none where only numbers are taken."""
        if self.numbers and tag in NO_NUMBERS:
            raise NoNumbers("takes numbers, and arrays and lists of them")

    def too_many(self, what: str = "") -> WireError:
        """The error to raise where there are too many of something."""
        return NoNumbers(f"takes no more than {MAX_NUMBERS:,} numbers") if self.numbers else Malformed(what)


class Decoder(Reader):
    """Reads one message. `adopt(owner, id)` finds a callable; `revive` makes an exception of its description.

    `stand_for(is_class, id, told)` makes what stands for an object or a class of the other side's. Without `rich`,
    nothing is taken but what an encoder makes that is not: no object stays there, to be asked when it has learnt more.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        adopt: Callable[[int, int], Any] | None = None,
        known: list[Any] | None = None,
        revive: Callable[[Any], BaseException] | None = None,
        numbers: bool = False,
        stand_for: Callable[[bool, int, Any], Any] | None = None,
        rich: bool = True,
    ) -> None:
        super().__init__(data, numbers)
        self.adopt, self.revive, self.stand_for, self.rich = adopt, revive, stand_for, rich
        self.objects: list[Any] = list(known or ())
        self.adopted = False  # whether anything in it changes its bytes by travelling
        self.within_table = False
        self.folded = False  # whether anything new in it can hold another thing twice
        self._bodies: list[tuple[int, int]] = []

    @property
    def entries(self) -> list[bytes]:
        """The bytes of the objects that came in the message, to tell later which changed."""
        return [self.data[start:end] for start, end in self._bodies]

    def message(self) -> Any:
        """The root value; changes of known objects are made in place, and the table is left in `objects`.

        It raises Malformed where no honest sender makes such bytes, and NoNumbers where it takes only numbers.
        """
        if len(self.data) > MAX_MESSAGE:
            raise Malformed("too long")
        if self.numbers and len(self.data) > MAX_ASKED:
            raise self.too_many()
        try:
            value = self._message()
            if self.numbers and not names_few(value):
                raise self.too_many()
            return value
        except WireError:
            raise
        except (struct.error, IndexError, ValueError, TypeError, OverflowError, RecursionError, KeyError) as error:
            raise Malformed(f"{type(error).__name__}: {error}"[:MAX_TEXTS]) from None

    def _message(self) -> Any:
        known = len(self.objects)
        there, n_changed, n_fresh = THREE.unpack_from(self.data)
        if there != known:
            raise Malformed("another table")
        if n_changed > known or n_fresh > MAX_OBJECTS:
            raise Malformed("too many objects")
        self.at = 12
        changed = []
        for _ in range(n_changed):
            number = self.u32()
            if number >= known:
                raise Malformed("an object that is not there")
            changed.append((number, self._body()))
        self._bodies = [self._body() for _ in range(n_fresh)]
        root = self.at
        made = [_made(self, start, end) for start, end in self._bodies]
        self.objects += made
        renewed = [_made(self, *body) for _, body in changed]
        bodies = [*self._bodies, *[body for _, body in changed]]
        for thing, body in zip([*made, *renewed], bodies, strict=True):
            kind = type(thing)
            if kind is list or kind is dict or kind is set or (kind is np.ndarray and thing.dtype.kind == "O"):
                self.folded = True
                _fill(self, thing, *body)
        self.at = root
        value = self.value()
        if self.at != len(self.data):
            raise Malformed("bytes left over")
        for thing, (number, _) in zip(renewed, changed, strict=True):
            renew(self.objects[number], thing)
        return value

    def _body(self) -> tuple[int, int]:
        """Where the next object's bytes begin and end."""
        start = self.at + 4
        self.at = start + self.u32()
        if self.at > len(self.data):
            raise Malformed("cut short")
        return start, self.at

    def value(self, depth: int = 0) -> Any:
        """The next value."""
        data, at = self.data, self.at
        tag = data[at]
        if tag == 104:  # h
            self.at = at + 5
            return self.objects[U32.unpack_from(data, at + 1)[0]]
        if tag == 102:  # f
            self.at = at + 9
            return F64.unpack_from(data, at + 1)[0]
        if tag == 105:  # i
            self.at = at + 9
            return I64.unpack_from(data, at + 1)[0]
        self.at = at + 1
        if tag == 115:  # s
            return self.text()
        if tag == 78:  # N
            return None
        if tag == 84 or tag == 70:  # T F
            return tag == 84
        if depth > MAX_DEPTH:
            raise Malformed("nested too deeply")
        if tag == 116:  # t
            return tuple([self.value(depth + 1) for _ in range(self.count(self.u32()))])
        if self.numbers:
            self.refuse(tag)
        if not self.rich and tag in RICH:
            raise Malformed("a value of a kind that does not travel here")
        read = _RARER.get(tag)
        if read is None:
            raise Malformed("an unknown kind of value")
        return read(self, depth)


# The table's objects: each is made of its bytes' kind and size, and then filled, for it may hold itself


def _made(decoder: Decoder, start: int, end: int) -> Any:
    """An object of the kind that an entry tells: a generator, an array unless of objects; else still empty."""
    kind = decoder.data[start]
    if kind == 97:  # a
        return _array(decoder, start, end)
    if kind == 108 or kind == 68:  # l D
        return []
    if kind == 100:  # d
        return {}
    if kind == 83:  # S
        decoder.refuse(kind)
        return set()
    if kind == 82:  # R
        return _generator(decoder, start, end)
    if kind == 80:  # P
        return _table(decoder, start, end)
    if kind == 70:  # F
        return _stream(decoder, start, end)
    raise Malformed("an unknown object")


def _stream(decoder: Decoder, start: int, end: int) -> Any:
    decoder.refuse(86)  # V
    if not decoder.rich:
        raise Malformed("a stream where none can be")
    decoder.at = start + 1
    parts = decoder.value()
    if decoder.at != end:
        raise Malformed("bytes left over")
    return made_stream(parts)


def _generator(decoder: Decoder, start: int, end: int) -> np.random.Generator:
    decoder.at = start + 1
    name = decoder.name()
    if name not in GENERATORS:
        raise Malformed("an unknown generator")
    decoder.few(1)  # it takes as long to make as a thousand numbers
    numbers, decoder.numbers = decoder.numbers, False  # its state is of larger integers than an argument
    state, seed = decoder.value()
    decoder.numbers = numbers
    if decoder.at != end:
        raise Malformed("bytes left over")
    return set_up(name, state, seed)


def _table(decoder: Decoder, start: int, end: int) -> Any:
    """A data frame or a series, which is a message of its own."""
    decoder.refuse(86)  # V
    if not decoder.rich or decoder.within_table:
        raise Malformed("a table where none can be")
    within = Decoder(decoder.data[start + 1 : end], decoder.adopt, [], decoder.revive, False, decoder.stand_for)
    within.within_table = decoder.adopted = True
    within.items, within.keys = decoder.items, decoder.keys
    made = put_together(*within.message())
    decoder.items, decoder.keys = within.items, within.keys
    decoder.texts += within.texts
    if not is_table(made):
        raise Malformed("no table")
    return made


def _array(decoder: Decoder, start: int, end: int) -> np.ndarray:
    data = decoder.data
    n_code = data[start + 1]
    values = start + 4 + n_code + 8 * data[start + 3 + n_code]
    dtype, shape, size, writeable = _array_kind(data[start:values])
    if decoder.numbers and dtype not in CHEAP:
        raise NoNumbers(f"takes numbers of 32 or 64 bits, no array of {dtype}")
    if dtype.kind == "O":
        if size > end - values:
            raise Malformed("cut short")
        return np.empty(shape, dtype=object)
    if size * max(dtype.itemsize, 1) != end - values:
        raise Malformed("an array of another length")
    if dtype.kind in "bU":
        made = np.array(_checked(np.frombuffer(data, dtype, size, values))).reshape(shape)
    else:
        made = np.ndarray(shape, dtype, data, values).copy()
    if not writeable:
        made.flags.writeable = False
    return made


@functools.lru_cache(4096)
def _array_kind(head: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int, bool]:
    """What `_array_head` made: dtype, shape, number of entries, and whether it may be written to."""
    end = 2 + head[1]
    code, ndim = head[2:end].decode("ascii"), head[end + 1]
    shape = struct.unpack_from(f"<{ndim}q", head, end + 2)
    if ndim > 32 or any(not 0 <= n <= MAX_MESSAGE for n in shape):
        raise Malformed("an impossible shape")
    text = code[1:2] in ("U", "S") and code[0] in "<|>" and code[2:].isdigit()
    if code not in ARRAYS and code != "|O" and not text:
        raise Malformed("an unknown dtype")
    return dtype_of(code), shape, math.prod(shape), head[end] == 119  # w


def _fill(decoder: Decoder, thing: Any, start: int, end: int) -> None:
    """Put into an object what its bytes tell."""
    kind = decoder.data[start]
    decoder.at = start + 1
    if kind == 68:  # D
        n = decoder.u32()
        decoder.count(n)
        thing.extend(array.array("d", decoder.take(8 * n)))
    elif kind == 108:  # l
        thing.extend([decoder.value() for _ in range(decoder.count(decoder.u32()))])
    elif kind == 100:  # d
        for _ in range(decoder.few(decoder.u32())):
            key = decoder.value()
            thing[key] = decoder.value()
    elif kind == 83:  # S
        thing.update([decoder.value() for _ in range(decoder.few(decoder.u32()))])
    else:  # a
        _fill_array(decoder, thing)
    if decoder.at != end:
        raise Malformed("bytes left over")


def _fill_array(decoder: Decoder, thing: np.ndarray) -> None:
    decoder.name()
    thing_is_writeable = bytes(decoder.take(1)) == b"w"
    decoder.take(8 * decoder.take(1)[0])
    flat = thing.reshape(-1)
    for i in range(decoder.count(thing.size)):
        flat[i] = decoder.value()
    thing.flags.writeable = thing_is_writeable


# The rarer values, by the tag that each begins with


def _scalar(decoder: Decoder, _: int) -> Any:
    code = decoder.name()
    if code not in ARRAYS:
        raise Malformed("an unknown dtype")
    dtype = dtype_of(code)
    if decoder.numbers and dtype not in CHEAP:
        raise NoNumbers(f"takes numbers of 32 or 64 bits, not {dtype}")
    return _checked(np.frombuffer(decoder.take(dtype.itemsize), dtype=dtype))[0]


def _callable(decoder: Decoder, _: int) -> Any:
    decoder.adopted = True
    owner, number = decoder.take(1)[0], decoder.u32()
    if decoder.adopt is None:
        raise Malformed("a callable where none can be")
    return decoder.adopt(owner, number)


def _builtin(decoder: Decoder, _: int) -> Any:
    """A function of Python's own: the student's process has it too, and there it reaches what is there."""
    if decoder.adopt is None or decoder.stand_for is not None:
        raise Malformed("a function of Python's where none can be")
    return BUILTINS[decoder.name()]


def _by_number(decoder: Decoder, depth: int, is_class: bool) -> Any:
    decoder.adopted = True
    owner, number = decoder.take(1)[0], decoder.u32()
    told = decoder.value(depth + 1)
    if decoder.stand_for is None or owner:
        raise Malformed("an object where none can be")
    return decoder.stand_for(is_class, number, told)


def _named_tuple(decoder: Decoder, depth: int) -> Any:
    kind, values = decoder.value(depth + 1), decoder.value(depth + 1)
    if not (isinstance(kind, type) and issubclass(kind, tuple) and len(kind._fields) == len(values)):  # type: ignore[attr-defined]
        raise Malformed("no named tuple")
    return tuple.__new__(kind, values)


def _iterator(decoder: Decoder, depth: int, made: type[Iterated]) -> Iterated:
    decoder.adopted = True
    values = [decoder.value(depth + 1) for _ in range(decoder.count(decoder.u32()))]
    described = decoder.value(depth + 1)
    if described is None:
        return made(values)
    if decoder.revive is None:
        raise Malformed("an error where none can be")
    return made(values, decoder.revive(described))


def _integer(decoder: Decoder, _: int) -> int:
    n = struct.unpack("<H", decoder.take(2))[0]
    if n > MAX_INT_BYTES:
        raise Malformed("too large an integer")
    return int.from_bytes(decoder.take(n), "little", signed=True)


def _three(decoder: Decoder, depth: int) -> list[Any]:
    """Where a slice or a range begins and ends, and its step."""
    parts = [decoder.value(depth + 1) for _ in range(3)]
    if not all(part is None or type(part) is int for part in parts):
        raise Malformed("a slice or range of other things")
    return parts


def _range(decoder: Decoder, depth: int) -> range:
    parts = _three(decoder, depth)
    if len(range(*parts)) > MAX_ITEMS:
        raise decoder.too_many("a range without end")
    return range(*parts)


_RARER: dict[int, Callable[[Decoder, int], Any]] = {
    ord("n"): _scalar,
    ord("C"): _callable,
    ord("B"): _builtin,
    ord("K"): functools.partial(_by_number, is_class=True),
    ord("O"): functools.partial(_by_number, is_class=False),
    ord("W"): _named_tuple,
    ord("V"): lambda decoder, depth: put_together(decoder.name(), decoder.value(depth + 1)),
    ord("k"): functools.partial(_iterator, made=Iterated),
    ord("G"): functools.partial(_iterator, made=Generated),
    ord("X"): lambda decoder, _: Opaque(decoder.text()[:MAX_TEXTS], decoder.text()[:MAX_TEXTS]),
    ord("I"): _integer,
    ord("c"): lambda decoder, _: complex(*C128.unpack(decoder.take(16))),
    ord("b"): lambda decoder, _: decoder.take(decoder.u32()),
    ord("E"): lambda *_: Ellipsis,
    ord("g"): lambda decoder, depth: slice(*_three(decoder, depth)),
    ord("r"): _range,
    ord("Z"): lambda decoder, depth: frozenset([decoder.value(depth + 1) for _ in range(decoder.few(decoder.u32()))]),
}


def _checked(raw: np.ndarray) -> np.ndarray:
    """Values of a received array, with no bit pattern in them that NumPy never makes itself."""
    if raw.dtype.kind == "b":
        return raw.view(np.uint8) != 0
    if raw.dtype.kind == "U" and raw.size:
        points = np.frombuffer(raw.tobytes(), dtype=np.uint32)
        if points.size and points.max() > sys.maxunicode:
            raise Malformed("text that is none")
    return raw
