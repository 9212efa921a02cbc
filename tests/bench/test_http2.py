"""The load client's frames: what it writes is HTTP/2, what it reads is cut right."""

from bench import http2


def test_frames_come_out_of_a_stream_of_bytes_however_it_is_cut() -> None:
    stream = http2.frame(http2.PING, 0, 0, b"12345678") + http2.call(3, b"block", b"message")
    buffer, found = bytearray(), []
    for byte in stream:
        buffer.append(byte)
        found += list(http2.frames(buffer))
    assert found == [
        (http2.PING, 0, 0, b"12345678"),
        (http2.HEADERS, http2.END_HEADERS, 3, b"block"),
        (http2.DATA, http2.END_STREAM, 3, b"\0\0\0\0\x07message"),
    ]
    assert buffer == b""


def test_a_long_header_value_has_its_length_in_several_bytes() -> None:
    block = http2.headers("/p", "a", "x" * 300)
    assert block.endswith(b"\x0dauthorization" + b"\x7f\xad\x01" + b"x" * 300)


def test_only_status_zero_in_the_trailers_is_success() -> None:
    assert http2.succeeded(b"\0\x0bgrpc-status\x010")
    assert not http2.succeeded(b"\0\x0bgrpc-status\x0213")
    assert not http2.succeeded(b"\0\x0bgrpc-status\x019")


def test_a_long_message_is_cut_into_frames_that_every_server_takes() -> None:
    found = list(http2.frames(bytearray(http2.call(1, b"block", b"x" * 40_000))))
    data = [(flags, len(payload)) for kind, flags, _, payload in found if kind == http2.DATA]
    assert data == [(0, 16_384), (0, 16_384), (http2.END_STREAM, 40_005 - 2 * 16_384)]
