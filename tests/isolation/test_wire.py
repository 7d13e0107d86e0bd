"""The wire: what goes in comes out, and no bytes whatever make it crash, hang or give anything but plain data."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examiner.isolation.connection import StudentFailed
from examiner.isolation.decoding import Decoder
from examiner.isolation.encoding import Encoder
from examiner.isolation.errors import revive
from examiner.isolation.proxies import Proxy
from examiner.isolation.student_process import StudentProcess
from examiner.isolation.values import Described, Iterated, Malformed, Opaque, WireError, unfolded
from examiner.isolation.wire import decode, encode

PLAIN = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, slice, range)
NUMPY = (np.ndarray, np.generic, np.random.Generator)

keys = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
leaves = keys | st.complex_numbers(allow_nan=False) | st.binary(max_size=9)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
    ),
    max_leaves=25,
)


@given(values)
def test_plain_values_come_back(value: Any) -> None:
    got = decode(encode(value))
    assert repr(got) == repr(value) or got == value


@given(values)
def test_what_comes_back_encodes_to_the_same_bytes(value: Any) -> None:
    assert encode(decode(encode(value))) == encode(value)


def test_cycles_and_shared_lists_keep_their_shape() -> None:
    loop: list[Any] = []
    loop += [loop, (loop,), {"loop": loop}]
    got = decode(encode(loop))
    assert got[0] is got and got[1][0] is got and got[2]["loop"] is got


def test_known_objects_are_sent_anew_only_if_changed() -> None:
    there, other = [1, 2], {"a": 1}
    sent = Encoder()
    mirror = Decoder(sent.message((there, other)))
    first, second = mirror.message()
    first.append(second)
    reply = Encoder(known=mirror.objects).message("done", mirror.entries)
    assert b"a" not in reply  # the dict is not in it
    assert Decoder(reply, known=sent.objects).message() == "done"
    assert there == [1, 2, {"a": 1}] and there[2] is other


def test_nothing_in_a_message_is_called_or_looked_up() -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.system, ("exit 1",)

    got = decode(encode([Trap(), os, Trap]))
    assert [type(x) for x in got] == [Opaque] * 3 and repr(got[0]) == "<Trap object>"


@pytest.mark.parametrize(
    "value",
    [10**5000, [None] * 9_000_000, np.zeros(1, dtype="M8[s]"), np.zeros(1, dtype=[("a", "f8")])],
    ids=["integer", "values", "dates", "records"],
)
def test_what_can_not_travel_is_refused(value: Any) -> None:
    with pytest.raises(WireError):
        encode(value)


def _holds_itself() -> Any:
    loop: list[Any] = []
    loop.append((loop, loop))
    return loop


def _doubles() -> Any:
    value: list[Any] = [1.0]
    for _ in range(40):
        value = [value, value]
    return value


def test_where_tests_take_numbers_no_object_stays_behind() -> None:
    richly = Encoder(
        export=lambda thing: (0, 7), describe=lambda x, whatever: Described(Opaque, ("A", "", (), (), ())), rich=True
    )
    for message in (richly.message(Opaque("x")), encode(Decimal(1), rich=True), encode(np.dtype("f8"), rich=True)):
        with pytest.raises(Malformed, match="does not travel here"):
            Decoder(message, stand_for=lambda *told: told, rich=False).message()


@pytest.mark.parametrize(
    "value",
    [_holds_itself(), _doubles(), [range(10**6)] * 100],
    ids=["holds itself", "doubles 40 times", "ranges"],
)
def test_what_has_no_end_when_written_out_is_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        unfolded(decode(encode(value)))


class _Rows:
    """A sequence by its __len__ and __getitem__ alone, that fills one array anew for each row."""

    row = np.zeros(2)

    def __len__(self) -> int:
        return 3

    def __getitem__(self, i: int) -> np.ndarray:
        if i >= 3:
            raise IndexError
        self.row[:] = i, 10 * i
        return self.row


@pytest.mark.parametrize("value", [_Rows(), memoryview(np.array([0.0, 1.0, 2.5]))], ids=["sequence", "memoryview"])
def test_what_numpy_takes_for_an_array_comes_as_one(value: Any) -> None:
    assert np.array_equal(np.asarray(decode(encode(value))), np.array([np.array(part) for part in value]))


def test_an_iterator_is_taken_only_so_far() -> None:
    def forever() -> Any:
        while True:
            yield 1

    got = decode(encode(forever()), revive=revive)
    with pytest.raises(RuntimeError, match="did not end after 100,000"):
        list(got)


@pytest.mark.parametrize(
    "root",
    [
        b"", b"?", b"t\xff\xff\xff\xff", b"s\xff\xff\xff\x7fx", b"h\0\0\0\0", b"C\0\0\0\0\0", b"n\x03<M8" + bytes(8),
        b"I\xff\xff" + bytes(65535), b"t\1\0\0\0" * 100 + b"N", b"g" + b"T" * 3, b"NN", b"k\0\0\0\0s\0\0\0\0",
        b"Z\1\0\0\0h\0\0\0\0", b"ri" + bytes(8) + b"i" + struct.pack("<q", 10**10) + b"i" + struct.pack("<q", 1),
    ],
)  # fmt: skip
def test_a_malformed_root_is_refused(root: bytes) -> None:
    with pytest.raises(Malformed):
        decode(bytes(12) + root)


def _table(*entries: bytes, root: bytes = b"h\0\0\0\0") -> bytes:
    return struct.pack("<III", 0, 0, len(entries)) + b"".join(struct.pack("<I", len(e)) + e for e in entries) + root


def _array(code: bytes, shape: tuple[int, ...], raw: bytes) -> bytes:
    lengths = b"".join(struct.pack("<q", n) for n in shape)
    return b"a" + bytes([len(code)]) + code + b"w" + bytes([len(shape)]) + lengths + raw


@pytest.mark.parametrize(
    "entry",
    [
        _array(b"<f8", (1 << 62, 4), b""),
        _array(b"<f8", (-1,), bytes(8)),
        _array(b"|O", (10**9,), b""),
        _array(b"<U1", (1,), b"\xff\xff\xff\xff"),
        _array(b"<M8[s]", (1,), bytes(8)),
        _array(b"|V8", (1,), bytes(8)),
        _array(b"<f8", (1,) * 64, bytes(8)),
        b"d\1\0\0\0h\0\0\0\0N",
        b"S\1\0\0\0h\0\0\0\0",
        b"d" + struct.pack("<I", 50_000) + b"TT" * 50_000,
        b"D\xff\xff\xff\xff",
        b"R\x05PCG64N",
        b"R\x06randomN",
        b"l\1\0\0\0NN",
    ],
)
def test_a_malformed_object_is_refused(entry: bytes) -> None:
    with pytest.raises(Malformed):
        decode(_table(entry))


@pytest.mark.parametrize("position", [-1, 625, 10**9])
def test_a_generator_that_points_out_of_its_memory_is_refused(position: int) -> None:
    inner = (("key", ("array", "<u4", bytes(2496))), ("pos", position))
    state = Encoder().value((("bit_generator", "MT19937"), ("state", inner)))
    with pytest.raises(Malformed):
        decode(_table(b"R\x07MT19937" + state))


def test_bits_that_are_no_truth_value_are_made_one() -> None:
    got = decode(_table(_array(b"|b1", (3,), b"\0\1\xff")))
    assert got.tolist() == [False, True, True] and got.sum() == 2


# --- The fuzzer ---


def seeds() -> list[bytes]:
    """Messages of every kind, to be spoilt."""
    rng = np.random.default_rng(0)
    loop: list[Any] = [1.5]
    loop.append(loop)
    things = [
        None, 1.5, 2**80, "text", b"raw", (1, (2.0, "x")), [1.0, 2.0], [1, True, None], {"a": [1], 2: ()}, {1, 2},
        frozenset([3]), slice(1, 2), range(9), 1j, ..., np.float32(1), np.eye(3), np.array(["ab"]), loop,
        np.array([1, None], dtype=object), rng, np.random.Generator(np.random.MT19937(1)),
        np.random.Generator(np.random.Philox(1)), iter([1, [2]]), {"V": np.ones((2, 3)), "b": 0.5}, ([loop], loop),
    ]  # fmt: skip
    return [answered(thing) for thing in things]


def answered(thing: Any, changed: bool = False) -> bytes:
    """An honest answer to the call of `reply`, whose arguments are three objects."""
    table = Encoder(known=[[1], {"a": 2}, np.zeros(2)])
    return table.message(thing, None if changed else table.entries())


def spoil(message: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """A message with a few of its bytes changed, dropped, repeated, or put from another."""
    data = bytearray(message)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(10):
            case 0 | 1 | 2 if data:  # the lengths stay right more often than not
                data[at - 1] = chance.randrange(256)
            case 3 | 4 if data:
                data[at - 1] = chance.choice(b"htlkdSaRCXZgnIsNDfiTFbcErow")
            case 5:
                data[at : at + 4] = struct.pack("<I", chance.choice((0, 1, 255, 2**16, 2**31, 2**32 - 1)))
            case 6:
                del data[at : at + chance.randrange(1, 9)]
            case 7:
                data[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 8:
                other = chance.choice(others)
                data[at:at] = other[chance.randrange(len(other)) :][:40]
            case _:
                data[at:at] = bytes([chance.choice(b"htlkdSaRCXZgnIsND")]) * chance.randrange(1, 200)
    return bytes(data)


def reply(frames: bytes, ask: Callable[[StudentProcess], Any] | None = None) -> Any:
    """What the examiner makes of these bytes as the answer to a call, or to what it asks."""

    kept: list[socket.socket] = []

    def start() -> tuple[socket.socket, socket.socket]:
        mine, theirs = socket.socketpair()
        theirs.sendall(b"\0\0\0\0H" + frames)
        theirs.shutdown(socket.SHUT_WR)
        kept.append(theirs)
        leash, collar = socket.socketpair()
        collar.close()
        return mine, leash

    student = StudentProcess(start, lambda *_: "")
    student.begin_test(5, 5)
    student.start()
    try:
        return ask(student) if ask else Proxy(student.calls, 0, 1, "answer")([1], {"a": 2}, np.zeros(2), abs)
    finally:
        student.stop()
        kept[0].close()


@pytest.mark.parametrize("kind", ["KeyError", "ValueError", "OSError"])
def test_a_value_that_ends_in_an_error_is_a_reply_that_can_not_be_read(kind: str) -> None:
    message = encode([encode(Iterated([1], revive((kind, "x"))))])
    with pytest.raises(StudentFailed, match="could not be read"):
        reply(struct.pack("<I", len(message)) + b"R" + message, lambda student: student.note(0, ["x"]))


def fuzz(count: int, seed: int) -> dict[str, int]:
    """Answer `count` calls with spoilt messages: how many were refused, raised as errors, or gave plain data."""
    chance = random.Random(seed)
    outcomes = {"refused": 0, "errors": 0, "plain": 0}
    messages = [*seeds(), answered([2.0], changed=True), answered(("ValueError", "text", ((0, 1),), -1))]
    lent = [encode((0, (1.5,), {})), encode((0, ([1], "a"), {"k": 2}))]
    slowest = 0.0
    for _ in range(count):
        kind = chance.choice((b"R", b"R", b"R", b"E", b"C", bytes([chance.randrange(256)])))
        honest = lent if kind == b"C" else messages[-1:] if kind == b"E" else messages
        data = spoil(chance.choice(honest), chance, messages)
        length = len(data) if chance.random() < 0.95 else chance.choice((0, 5, 2**26, 2**32 - 1))
        began = time.perf_counter()
        try:
            assert_plain(reply(struct.pack("<I", length) + kind + data))
            outcomes["plain"] += 1
        except StudentFailed:
            outcomes["refused"] += 1
        except Exception as error:
            assert hasattr(error, "student_traceback"), error
            outcomes["errors"] += 1
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 30, f"one message took {slowest:.1f} s"  # a hang, however busy the machine
    return outcomes


def assert_plain(value: Any) -> None:
    """Nothing but data, however deep."""
    seen: set[int] = set()
    todo = [value]
    while todo:
        x = todo.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        assert (
            type(x) in PLAIN or isinstance(x, NUMPY) or type(x) in (Opaque, Iterated, Proxy) or x is ... or x is abs
        ), type(x)
        if isinstance(x, dict):
            todo += [*x, *x.values()]
        elif isinstance(x, list | tuple | set | frozenset):
            todo += x
        elif isinstance(x, np.ndarray) and x.dtype == object:
            todo += x.ravel().tolist()


def test_spoilt_messages_are_refused_or_give_plain_data() -> None:
    outcomes = fuzz(4000, seed=1)
    assert sum(outcomes.values()) == 4000 and min(outcomes.values()) > 10


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_give_plain_data(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert_plain(decode(data, adopt=lambda *_: abs, revive=revive))


def test_a_table_within_a_table_is_refused() -> None:
    message = encode(("frame", ()))
    for _ in range(2):
        message = struct.pack("<IIII", 0, 0, 1, 1 + len(message)) + b"P" + message + b"h" + struct.pack("<I", 0)
    with pytest.raises(Malformed, match="a table where none can be"):
        decode(message)


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    start = time.perf_counter()
    print(f"{number:,} malformed replies: {fuzz(number, seed=int(time.time()))}, {time.perf_counter() - start:.0f} s")
