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

from examiner.isolation.encoding import seed_of
from examiner.isolation.kinds import put_together
from examiner.isolation.values import (
    ARRAYS,
    C128,
    CHEAP,
    F64,
    GENERATORS,
    I64,
    MAX_ASKED,
    MAX_CHILDREN,
    MAX_DEPTH,
    MAX_INT_BYTES,
    MAX_ITEMS,
    MAX_KEYS,
    MAX_MESSAGE,
    MAX_NAMES,
    MAX_NUMBERS,
    MAX_OBJECTS,
    MAX_SEED,
    MAX_TEXTS,
    NO_NUMBERS,
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


class Decoder:
    """Reads one message. `adopt(owner, id)` finds a callable; `revive` makes an exception of its description.

    `stand_for(is_class, id, told)` makes what stands for an object or a class of the other side's.

    With `numbers`, nothing is taken but numbers, their arrays, lists, tuples, dicts and iterators, random
    generators and callables, and of these only so many; the message is looked at no further once there is more.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        adopt: Callable[[int, int], Any] | None = None,
        known: list[Any] | None = None,
        revive: Callable[[Any], BaseException] | None = None,
        numbers: bool = False,
        stand_for: Callable[[bool, int, Any], Any] | None = None,
    ) -> None:
        self.stand_for = stand_for
        self.data, self.at, self.adopt, self.revive, self.numbers = bytes(data), 0, adopt, revive, numbers
        self.objects: list[Any] = list(known or ())
        self.items = self.keys = 0
        self.adopted = False  # whether anything in it changes its bytes by travelling
        self.folded = False  # whether anything new in it can hold another thing twice
        self.texts: list[str] = []  # every text in it
        self._bodies: list[tuple[int, int]] = []

    @property
    def entries(self) -> list[bytes]:
        """The bytes of the objects that came in the message, to tell later which changed."""
        return [self.data[start:end] for start, end in self._bodies]

    def message(self) -> Any:
        """The root value; changes of known objects are made in place, and the table is left in `objects`."""
        if len(self.data) > MAX_MESSAGE:
            raise Malformed("too long")
        if self.numbers and len(self.data) > MAX_ASKED:
            raise self._too_many()
        try:
            value = self._message()
            if self.numbers and not names_few(value):
                raise self._too_many()
            return value
        except WireError:
            raise
        except (struct.error, IndexError, ValueError, TypeError, OverflowError, RecursionError, KeyError) as error:
            raise Malformed(f"{type(error).__name__}: {error}"[:MAX_TEXTS]) from None

    def _too_many(self, what: str = "") -> WireError:
        return NoNumbers(f"takes no more than {MAX_NUMBERS:,} numbers") if self.numbers else Malformed(what)

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
            number = self._u32()
            if number >= known:
                raise Malformed("an object that is not there")
            changed.append((number, self._body()))
        self._bodies = [self._body() for _ in range(n_fresh)]
        root = self.at
        made = [self._made(body) for body in self._bodies]
        self.objects += made
        renewed = [self._made(body) for _, body in changed]
        bodies = [*self._bodies, *[body for _, body in changed]]
        for thing, body in zip([*made, *renewed], bodies, strict=True):
            if type(thing) in (list, dict, set) or (type(thing) is np.ndarray and thing.dtype.kind == "O"):
                self.folded = True
                self._fill(thing, body)
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
        self.at = start + self._u32()
        if self.at > len(self.data):
            raise Malformed("cut short")
        return start, self.at

    def _take(self, n: int) -> bytes:
        piece = self.data[self.at : self.at + n]
        if len(piece) != n:
            raise Malformed("cut short")
        self.at += n
        return piece

    def _u32(self) -> int:
        number: int = U32.unpack_from(self.data, self.at)[0]
        self.at += 4
        return number

    def _count(self, n: int) -> int:
        self.items += n
        if self.items > MAX_ITEMS or n > len(self.data) - self.at:
            raise Malformed("more values than there can be")
        return n

    def _string(self) -> str:
        self.texts.append(self._take(self._u32()).decode("utf-8", "replace"))
        if self.numbers and (len(self.texts) > MAX_NAMES or len(self.texts[-1]) > MAX_NAMES):
            raise NoNumbers("takes numbers, no text")
        return self.texts[-1]

    def _name(self) -> str:
        return self._take(self._take(1)[0]).decode("ascii")

    def _made(self, body: tuple[int, int]) -> Any:
        """An object of the kind that an entry tells: a generator, an array unless of objects; else still empty."""
        start, end = body
        kind = self.data[start]
        if kind == 97:  # a
            return self._made_array(start, end)
        if kind == 108 or kind == 68:  # l D
            return []
        if kind == 100:  # d
            return {}
        if kind == 83:  # S
            self._refuse(kind)
            return set()
        if kind == 82:  # R
            return self._made_generator(start, end)
        raise Malformed("an unknown object")

    def _made_generator(self, start: int, end: int) -> np.random.Generator:
        self.at = start + 1
        name = self._name()
        if name not in GENERATORS:
            raise Malformed("an unknown generator")
        self._small(1)  # it takes as long to make as a thousand numbers
        numbers, self.numbers = self.numbers, False  # its state is of larger integers than an argument
        state, seed = self.value()
        self.numbers = numbers
        if self.at != end:
            raise Malformed("bytes left over")
        generator = np.random.Generator(GENERATORS[name](_sown(seed)))
        _set_state(generator, name, state)
        return generator

    def _made_array(self, start: int, end: int) -> np.ndarray:
        data = self.data
        n_code = data[start + 1]
        values = start + 4 + n_code + 8 * data[start + 3 + n_code]
        dtype, shape, size, writeable = _array_kind(data[start:values])
        if self.numbers and dtype not in CHEAP:
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

    def _fill(self, thing: Any, body: tuple[int, int]) -> None:
        start, end = body
        kind = self.data[start]
        self.at = start + 1
        if kind == 68:  # D
            n = self._u32()
            self._count(n)
            thing.extend(array.array("d", self._take(8 * n)))
        elif kind == 108:  # l
            thing.extend([self.value() for _ in range(self._count(self._u32()))])
        elif kind == 100:  # d
            for _ in range(self._small(self._u32())):
                key = self.value()
                thing[key] = self.value()
        elif kind == 83:  # S
            thing.update([self.value() for _ in range(self._small(self._u32()))])
        else:  # a
            self._fill_objects(thing)
        if self.at != end:
            raise Malformed("bytes left over")

    def _small(self, n: int) -> int:
        self.keys += n
        if self.keys > MAX_KEYS:
            raise self._too_many("too many keys")
        return self._count(n)

    def _fill_objects(self, thing: np.ndarray) -> None:
        self._name()
        thing_is_writeable = bytes(self._take(1)) == b"w"
        self._take(8 * self._take(1)[0])
        flat = thing.reshape(-1)
        for i in range(self._count(thing.size)):
            flat[i] = self.value()
        thing.flags.writeable = thing_is_writeable

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
            return self._string()
        if tag == 78:  # N
            return None
        if tag == 84 or tag == 70:  # T F
            return tag == 84
        if depth > MAX_DEPTH:
            raise Malformed("nested too deeply")
        if tag == 116:  # t
            return tuple([self.value(depth + 1) for _ in range(self._count(self._u32()))])
        return self._rarer(tag, depth)

    def _refuse(self, tag: int) -> None:
        if self.numbers and tag in NO_NUMBERS:
            raise NoNumbers("takes numbers, and arrays and lists of them")

    def _rarer(self, tag: int, depth: int) -> Any:
        self._refuse(tag)
        if tag == 110:  # n
            code = self._name()
            if code not in ARRAYS:
                raise Malformed("an unknown dtype")
            dtype = dtype_of(code)
            if self.numbers and dtype not in CHEAP:
                raise NoNumbers(f"takes numbers of 32 or 64 bits, not {dtype}")
            return _checked(np.frombuffer(self._take(dtype.itemsize), dtype=dtype))[0]
        if tag == 67:  # C
            self.adopted = True
            owner, number = self._take(1)[0], self._u32()
            if self.adopt is None:
                raise Malformed("a callable where none can be")
            return self.adopt(owner, number)
        if tag in (75, 79):  # K O
            self.adopted = True
            owner, number = self._take(1)[0], self._u32()
            told = self.value(depth + 1)
            if self.stand_for is None or owner:
                raise Malformed("an object where none can be")
            return self.stand_for(tag == 75, number, told)
        if tag == 87:  # W
            kind, values = self.value(depth + 1), self.value(depth + 1)
            if not (isinstance(kind, type) and issubclass(kind, tuple) and len(kind._fields) == len(values)):  # type: ignore[attr-defined]
                raise Malformed("no named tuple")
            return tuple.__new__(kind, values)
        if tag == 86:  # V
            return put_together(self._name(), self.value(depth + 1))
        if tag in (107, 71):  # k G
            self.adopted = True
            values = [self.value(depth + 1) for _ in range(self._count(self._u32()))]
            described = self.value(depth + 1)
            if described is not None and self.revive is None:
                raise Malformed("an error where none can be")
            made = Iterated if tag == 107 else Generated
            return made(values, None if described is None else self.revive(described))  # type: ignore[misc]
        if tag == 88:  # X
            return Opaque(self._string()[:MAX_TEXTS], self._string()[:MAX_TEXTS])
        if tag == 73:  # I
            n = struct.unpack("<H", self._take(2))[0]
            if n > MAX_INT_BYTES:
                raise Malformed("too large an integer")
            return int.from_bytes(self._take(n), "little", signed=True)
        if tag == 99:  # c
            return complex(*C128.unpack(self._take(16)))
        if tag == 98:  # b
            return self._take(self._u32())
        if tag == 69:  # E
            return Ellipsis
        if tag in (103, 114):  # g r
            parts = [self.value(depth + 1) for _ in range(3)]
            if not all(part is None or type(part) is int for part in parts):
                raise Malformed("a slice or range of other things")
            if tag == 103:
                return slice(*parts)
            if len(range(*parts)) > MAX_ITEMS:
                raise self._too_many("a range without end")
            return range(*parts)
        if tag == 90:  # Z
            return frozenset([self.value(depth + 1) for _ in range(self._small(self._u32()))])
        raise Malformed("an unknown kind of value")


def _checked(raw: np.ndarray) -> np.ndarray:
    """Values of a received array, with no bit pattern in them that NumPy never makes itself."""
    if raw.dtype.kind == "b":
        return raw.view(np.uint8) != 0
    if raw.dtype.kind == "U" and raw.size:
        points = np.frombuffer(raw.tobytes(), dtype=np.uint32)
        if points.size and points.max() > sys.maxunicode:
            raise Malformed("text that is none")
    return raw


def _set_state(generator: np.random.Generator, name: str, frozen: Any) -> None:
    state = _thawed(frozen)
    inner = state.get("state") if isinstance(state, dict) else None
    if not isinstance(inner, dict) or state.get("bit_generator") != name:
        raise Malformed("no generator's state")
    # NumPy trusts these positions, and reads where they point.
    if name == "MT19937":
        if not (isinstance(inner.get("pos"), int) and 0 <= inner["pos"] <= 624 and _words(inner.get("key"), 624, 4)):
            raise Malformed("no generator's state")
    elif name == "Philox":
        position, sound = state.get("buffer_pos"), _words(state.get("buffer"), 4, 8)
        sound = sound and _words(inner.get("counter"), 4, 8) and _words(inner.get("key"), 2, 8)
        if not (sound and isinstance(position, int) and 0 <= position <= 4):
            raise Malformed("no generator's state")
    elif name.startswith("PCG64"):
        if not (isinstance(inner.get("inc"), int) and inner["inc"] % 2):  # else its numbers need not vary
            raise Malformed("no generator's state")
    elif name == "SFC64" and not _words(inner.get("state"), 4, 8):
        raise Malformed("no generator's state")
    generator.bit_generator.state = state


def _sown(seed: Any) -> Any:
    """The seed that `seed_of` told of."""
    if seed is None:
        return 0
    entropy, key, children = seed
    numbers = (*entropy, *key, children)
    if len(numbers) > MAX_SEED or any(type(number) is not int or number < 0 for number in numbers):
        raise Malformed("no seed")
    return np.random.SeedSequence(entropy, spawn_key=key, n_children_spawned=min(children, MAX_CHILDREN))


def _words(x: Any, n: int, size: int) -> bool:
    return isinstance(x, np.ndarray) and x.shape == (n,) and x.dtype.kind == "u" and x.dtype.itemsize == size


def _thawed(frozen: Any, depth: int = 0) -> Any:
    if not isinstance(frozen, tuple) or depth > 3:
        return frozen
    if len(frozen) == 3 and frozen[0] == "array":
        if frozen[1] not in ("<u4", "<u8"):
            raise Malformed("no generator's state")
        return np.frombuffer(frozen[2], dtype=frozen[1]).copy()
    return {key: _thawed(value, depth + 1) for key, value in frozen}


def renew(old: Any, new: Any) -> None:
    """Make `old` what `new` is, in place."""
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        _renew_array(old, new)
    elif isinstance(old, list) and isinstance(new, list):
        old[:] = new
    elif (isinstance(old, dict) and isinstance(new, dict)) or (isinstance(old, set) and isinstance(new, set)):
        old.clear()
        old.update(new)
    elif isinstance(old, np.random.Generator) and isinstance(new, np.random.Generator):
        if type(old.bit_generator) is not type(new.bit_generator):
            raise Malformed("another generator")
        old.bit_generator.state = new.bit_generator.state
        before, after = seed_of(old.bit_generator), seed_of(new.bit_generator)
        if before and after and before[:2] == after[:2] and after[2] > before[2]:
            old.bit_generator.seed_seq.spawn(after[2] - before[2])  # type: ignore[attr-defined]
    else:
        raise Malformed("another kind of object")


def _renew_array(old: np.ndarray, new: np.ndarray) -> None:
    if not old.flags.writeable:
        if old.dtype == new.dtype and old.shape == new.shape and np.array_equal(old, new):
            return
        old.flags.writeable = True  # the student lifted the protection; the test shall see what was done
    if old.size != new.size:
        if old.dtype.kind not in "fc":
            raise Malformed("an array of another size")
        old.fill(np.nan)  # the test may hold views of it: it can't grow or shrink, but shows that it was changed
        return
    if old.shape != new.shape:
        old.shape = new.shape
    old[...] = new.astype(old.dtype, copy=False) if new.dtype != old.dtype else new
    if not new.flags.writeable:
        old.flags.writeable = False
