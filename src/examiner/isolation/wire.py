"""Values as bytes, between the examiner and a student's process: plain data only, and every byte of it is checked.

A message is a table of the mutable objects in it (lists, dicts, sets, arrays, random generators), each encoded once,
and a root value that refers to them by number. So shared and cyclic structures keep their shape, and after a call the
same table tells which arguments were changed in place. Callables travel as numbers and are called back.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from examiner.isolation.decoding import Decoder
from examiner.isolation.encoding import Encoder
from examiner.isolation.values import MAX_MESSAGE, U32, Malformed


def encode(root: Any, **kwargs: Any) -> bytes:
    """One message for `root`."""
    return Encoder(**kwargs).message(root)


def decode(data: bytes, **kwargs: Any) -> Any:
    """The value that `encode` made a message of."""
    return Decoder(data, **kwargs).message()


def go_on() -> None:
    """Wait as long as it takes."""


class Line:
    """One end of the line between two processes: frames of a length, a kind (one byte) and a message."""

    def __init__(self, sock: socket.socket, timed: bool = False) -> None:
        self._socket, self._waiting = sock, b""
        if timed:  # the kernel wakes us to look at the clock; that is cheaper than asking before each read
            sock.settimeout(None)
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 0, 200_000))

    def send(self, kind: bytes, message: bytes, look: Callable[[], None] = go_on) -> None:
        """Send one frame; `look` is called as often as the line makes us wait, and raises when that was too long."""
        data = memoryview(U32.pack(len(message)) + kind + message)
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                look()

    def receive(self, look: Callable[[], None] = go_on) -> tuple[bytes, bytes]:
        """The next frame's kind and message; EOFError when the other side is gone, Malformed when it is too long."""
        data = self._waiting
        while len(data) < 5:
            data += self._read(1 << 16, look)
        end = 5 + U32.unpack_from(data)[0]
        if end > MAX_MESSAGE + 5:
            raise Malformed("too long")
        if len(data) < end:
            pieces, got = [data], len(data)
            while got < end:
                pieces.append(self._read(min(end - got, 1 << 20), look))
                got += len(pieces[-1])
            data = b"".join(pieces)
        self._waiting = data[end:]
        return data[4:5], data[5:end]

    def _read(self, n: int, look: Callable[[], None]) -> bytes:
        while True:
            try:
                piece = self._socket.recv(n)
            except BlockingIOError:
                look()
                continue
            if not piece:
                raise EOFError
            look()
            return piece

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
