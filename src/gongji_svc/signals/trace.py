"""A trace's context (W3C Trace Context) in 25 bytes: 16 of the trace, 8 of the span, 1 of flags.

Rule: every call belongs to a trace, so that its lines in the logs of all processes are found by one
id; one that comes without gets a new one, which nobody records unless traces are on.
"""

import random
import re

SIZE = 25
NONE = bytes(SIZE)
"""The context of what belongs to no trace."""

_TRACE_BYTES = 16
_SPAN_END = 24
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_random = random.Random()  # noqa: S311 - to guess a name gives nothing  # nosec B311


def read(said: str) -> bytes | None:
    """The context in a `traceparent`; None where there is none, or it is not sound."""
    found = _FORM.fullmatch(said) if said else None
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace, 16) or not int(span, 16):
        return None
    return bytes.fromhex(trace + span + flags)


def new() -> bytes:
    """The context of a new trace that nobody records."""
    return (_random.getrandbits(192) | 1 | 1 << 64).to_bytes(_SPAN_END, "big") + b"\0"


def said(context: bytes) -> str:
    """The `traceparent` of a context."""
    trace, span, flags = parts(context)
    return f"00-{trace.hex()}-{span.hex()}-{flags:02x}"


def parts(context: bytes) -> tuple[bytes, bytes, int]:
    """The trace's id, the span's, and the flags."""
    return context[:_TRACE_BYTES], context[_TRACE_BYTES:_SPAN_END], context[_SPAN_END]


def trace_id(context: bytes) -> str:
    """The trace's id as log lines have it: 32 hexadecimal digits."""
    return context[:_TRACE_BYTES].hex()
