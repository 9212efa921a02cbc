"""The load client's connection: what there is no room for waits, and is not lost."""

import asyncio

from bench import http2
from bench.wire import _MOST_CALLS, Wire


class Sent(asyncio.WriteTransport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: object) -> None:
        """Nothing goes out."""
        self.written += bytes(data)  # type: ignore[call-overload]  # a transport takes any buffer

    def streams(self) -> list[int]:
        """Of the calls written since the last time."""
        written, self.written = self.written, bytearray()
        written = written.removeprefix(http2.greeting())
        return [stream for kind, _, stream, _ in http2.frames(written) if kind == http2.HEADERS]


def test_only_a_call_that_is_open_fails_when_the_server_gives_it_up() -> None:
    answered: list[float] = []
    failures: list[str] = []
    wire = Wire(lambda _, due, __: answered.append(due), failures.append)
    wire.connection_made(Sent())
    for number in range(2):
        wire.call(b"", b"", float(number))
    wire.data_received(http2.frame(http2.HEADERS, http2.END_STREAM, 1))
    wire.data_received(http2.frame(http2.RST_STREAM, 0, 1, bytes(4)))
    assert (answered, failures) == ([0.0], [])
    wire.data_received(http2.frame(http2.RST_STREAM, 0, 3, bytes(4)))
    assert len(failures) == 1


def test_a_call_more_than_the_server_takes_at_once_waits_for_an_answer() -> None:
    answered: list[float] = []
    failures: list[str] = []
    wire, sent = Wire(lambda _, due, __: answered.append(due), failures.append), Sent()
    wire.connection_made(sent)
    for number in range(_MOST_CALLS + 2):
        wire.call(b"", b"", float(number))
    wire.flush()
    assert sent.streams() == [2 * number + 1 for number in range(_MOST_CALLS)]
    wire.data_received(http2.frame(http2.HEADERS, http2.END_STREAM, 3))
    assert (answered, failures) == ([1.0], [])
    assert sent.streams() == [2 * _MOST_CALLS + 1]
