"""Counts the calls of a front, and writes one line a call to its log.

Rule: a call is counted when it ends; only the event loop's thread counts. A line names the method,
the caller's role, the code, the reason and the trace.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from gongji_svc.signals import trace
from gongji_svc.signals.catalogue import Figure, Labels
from gongji_svc.signals.tally import Histogram

if TYPE_CHECKING:
    from gongji_svc.signals.spans import Span, Spans

_OK = "OK"


@dataclass(slots=True)
class Begun:
    """A call under way; `trace` is the context that is passed on."""

    method: str
    is_stream: bool
    trace: bytes
    span: "Span | None"
    started: float
    role: str = "-"


class Calls:
    """The calls of one front; `spans` where traces are on."""

    def __init__(self, spans: "Spans | None" = None) -> None:
        self._spans = spans
        self._log = structlog.get_logger().bind()
        self._in_flight = [0, 0]  # calls, streams
        self._answered: defaultdict[Labels, int] = defaultdict(int)
        self._lasted: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._refused: defaultdict[str, int] = defaultdict(int)

    def begin(self, method: str, is_stream: bool, traceparent: str) -> Begun:
        """A call has come, with this `traceparent`; empty: none."""
        self._in_flight[is_stream] += 1
        given = trace.read(traceparent)
        if self._spans is None:
            return Begun(method, is_stream, given or trace.new(), None, time.perf_counter())
        span, passed_on = self._spans.of_call(method, given)
        return Begun(method, is_stream, passed_on, span, time.perf_counter())

    def end(self, begun: Begun, code: str, reason: str = "") -> None:
        """It was answered with a gRPC code, and where that is not OK for a reason."""
        seconds = time.perf_counter() - begun.started
        method = begun.method
        self._in_flight[begun.is_stream] -= 1
        self._answered[method, code] += 1
        self._lasted[method].observe(seconds)
        line = {
            "method": method,
            "role": begun.role,
            "code": code,
            "seconds": round(seconds, 6),
            "trace": trace.trace_id(begun.trace),
        }
        if code != _OK:
            self._refused[reason or code] += 1
            if reason:
                line["reason"] = reason
        if begun.span is not None and self._spans is not None:
            self._spans.end_call(begun.span, code, reason)
        self._log.info("call", **line)

    def __iter__(self) -> Iterator[Figure]:
        """The figures as they are just now."""
        calls, streams = self._in_flight
        yield "gongji_calls_total", {**self._answered}
        yield (
            "gongji_call_duration_seconds",
            {(method,): lasted for method, lasted in list(self._lasted.items())},
        )
        refused = list(self._refused.items())
        yield "gongji_refusals_total", {(reason,): count for reason, count in refused}
        yield "gongji_in_flight_calls", {(): calls}
        yield "gongji_open_streams", {(): streams}
