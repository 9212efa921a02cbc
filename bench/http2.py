"""As much of HTTP/2 and gRPC as a load client needs: prepared frames out, statuses in.

Rule: everything that can be prepared is; a call costs the client two frames to write and three to
read, so that the client is not what is measured. The server is asked for plain headers
(SETTINGS_HEADER_TABLE_SIZE 0), so a trailer's grpc-status can be read where it stands.
"""

import struct
from collections.abc import Iterator

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
START_WINDOW = 65_535
MESSAGE_HEAD = 5  # before each message: not compressed, length
_MOST_DATA = 16_384  # of a frame, unless the server allows more

_HEAD = struct.Struct("!HBBBI")  # length (24 bits as 16 and 8), kind, flags, stream
_MESSAGE = struct.Struct("!BI")  # gRPC: not compressed, length
_SETTING = struct.Struct("!HI")
_WIDEST_WINDOW = (1 << 31) - 1
_POST, _HTTP = b"\x83", b"\x86"  # :method POST and :scheme http in HPACK's static table
_SEVEN_BITS = 127


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def greeting() -> bytes:
    """What a client says first: no dynamic headers, no push, all the window there is."""
    settings = _SETTING.pack(1, 0) + _SETTING.pack(2, 0) + _SETTING.pack(4, _WIDEST_WINDOW)
    more = struct.pack("!I", _WIDEST_WINDOW - START_WINDOW)
    return (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + frame(SETTINGS, 0, 0, settings)
        + frame(WINDOW_UPDATE, 0, 0, more)
    )


def headers(path: str, authority: str, authorization: str = "") -> bytes:
    """The header block of a call."""
    plain = [
        (":path", path),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-timeout", "20S"),
    ]
    if authorization:
        plain.append(("authorization", authorization))
    literals = (b"\0" + _string(name) + _string(value) for name, value in plain)
    return _POST + _HTTP + b"".join(literals)


def call(stream: int, block: bytes, message: bytes) -> bytes:
    """The frames of a unary call."""
    body = _MESSAGE.pack(0, len(message)) + message
    head = frame(HEADERS, END_HEADERS, stream, block)
    if len(body) <= _MOST_DATA:
        return head + frame(DATA, END_STREAM, stream, body)
    parts = [body[start : start + _MOST_DATA] for start in range(0, len(body), _MOST_DATA)]
    data = [frame(DATA, 0, stream, part) for part in parts[:-1]]
    return b"".join([head, *data, frame(DATA, END_STREAM, stream, parts[-1])])


def frames(buffer: bytearray) -> Iterator[tuple[int, int, int, bytes]]:
    """Take the complete frames out of a buffer: (kind, flags, stream, payload)."""
    start = 0
    while len(buffer) - start >= _HEAD.size:
        high, low, kind, flags, stream = _HEAD.unpack_from(buffer, start)
        end = start + _HEAD.size + (high << 8 | low)
        if len(buffer) < end:
            break
        yield kind, flags, stream, bytes(buffer[start + _HEAD.size : end])
        start = end
    del buffer[:start]


def succeeded(trailers: bytes) -> bool:
    """Whether trailers say grpc-status 0."""
    return b"grpc-status\x010" in trailers


def _string(text: str) -> bytes:
    """A string literal of HPACK, not Huffman-coded."""
    data = text.encode()
    size = len(data)
    if size < _SEVEN_BITS:
        return bytes((size,)) + data
    head, rest = bytearray((_SEVEN_BITS,)), size - _SEVEN_BITS
    while rest >= 1 << 7:
        head.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes(head) + bytes((rest,)) + data
