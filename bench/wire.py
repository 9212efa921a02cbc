"""One HTTP/2 connection of a load client.

Rule: it knows frames, the server's window and how many calls it takes at once, and nothing of what
is called or when; a call that must wait for either is timed from when it was due all the same. A
server that refuses before it has read a whole request says after the answer that the rest of it
need not come: nothing is lost.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from bench import http2

_MOST_CALLS = 500  # at once; the server takes 1024, and counts one a little longer than we do

Answered = Callable[["Wire", float, bytes], None]
"""Hears of an answer: on which connection, when its call was due, its trailers."""


class Wire(asyncio.Protocol):
    """A connection; `flush` sends what was called since the last time."""

    def __init__(self, answered: Answered, failed: Callable[[str], None]) -> None:
        self._answered = answered
        self._failed = failed
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._due: dict[int, float] = {}
        self._next_stream = 1
        self._window = http2.START_WINDOW
        self._waiting: deque[tuple[bytes, bytes, float]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # a socket's is one
        self._transport.write(http2.greeting())

    def close(self) -> None:
        """Hang up."""
        self._due.clear()
        self._transport.close()

    def call(self, block: bytes, body: bytes, due: float) -> None:
        """Send a call, or let it wait until the server has room."""
        self._waiting.append((block, body, due))
        self._send_waiting()

    def flush(self) -> None:
        """Send what is written."""
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        for kind, flags, stream, payload in http2.frames(self._buffer):
            if kind == http2.HEADERS and flags & http2.END_STREAM:
                self._answered(self, self._due.pop(stream), payload)
                self._send_waiting()
            elif kind in (http2.SETTINGS, http2.PING) and not flags & http2.ACK:
                answer = payload if kind == http2.PING else b""
                self._out.append(http2.frame(kind, http2.ACK, 0, answer))
            elif kind == http2.WINDOW_UPDATE and stream == 0:
                self._window += int.from_bytes(payload, "big")
                self._send_waiting()
            elif kind == http2.GOAWAY or (kind == http2.RST_STREAM and stream in self._due):
                self._failed(f"frame {kind}: {payload!r}")
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._due:
            self._failed(f"the server hung up: {exc}")

    def _send_waiting(self) -> None:
        while self._waiting and len(self._due) < _MOST_CALLS:
            block, body, due = self._waiting[0]
            size = len(body) + http2.MESSAGE_HEAD
            if self._window < size:
                return
            self._waiting.popleft()
            stream = self._next_stream
            self._next_stream += 2
            self._window -= size
            self._due[stream] = due
            self._out.append(http2.call(stream, block, body))
