"""Traces, where GONGJI_TRACES says to whom they go: OpenTelemetry's spans, sent by OTLP over HTTP.

Rule: this is imported only where traces are on. A span has the method, the outcome and sizes, and
nothing of the request. A call's way is the gateway's span, the front's, the writer's; a batch is
below the writer's span of its first call, and linked with those of all; below it is a span for
each stage that asks the database. Whoever is not sampled by who calls is not sampled here.
"""

import atexit
import logging
import threading
import time
from collections.abc import Mapping, Sequence

import structlog
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from gongji_svc.signals import trace
from gongji_svc.signals.batches import Stages

_FAULTS = {"UNKNOWN", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "DATA_LOSS"}
_FIRST_FAULT_STATUS = 500
_ANSWERED = "OK"
_BETWEEN_LINES_SECONDS = 60.0
_CLOSE_SECONDS = 2.0

__all__ = ["Span", "Spans"]


class _ToOurLog(logging.Handler):
    """What OpenTelemetry logs, such as that nobody takes its spans, as lines like ours; one a
    minute.
    """

    _next_at = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _BETWEEN_LINES_SECONDS
        structlog.get_logger().warning("traces", says=record.getMessage())


class Spans:
    """Makes the spans of one process and sends them, some seconds later, by a thread of its own.

    The OTEL_ variables of OpenTelemetry hold for whatever is not said here: sampling, headers.
    """

    def __init__(self, endpoint: str, process: str) -> None:
        """`endpoint`: the whole address of an OTLP receiver, `http://HOST:4318/v1/traces`."""
        log = logging.getLogger("opentelemetry")
        log.handlers, log.propagate = [_ToOurLog(logging.WARNING)], False
        resource = Resource.create({"service.name": f"gongji-{process}"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=endpoint)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("gongji")
        atexit.register(self.close)

    def close(self) -> None:
        """Send what is left; nobody waits long for a receiver that does not answer."""
        atexit.unregister(self.close)
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)

    def of_request(self, given: bytes | None) -> tuple[Span, bytes]:
        """The span of an HTTP request that has come in a trace, and the context to pass on."""
        return self._begin("HTTP", given, SpanKind.SERVER, {})

    def end_request(self, span: Span, verb: str, route: str, status: int) -> None:
        """The request was answered."""
        span.update_name(f"{verb} {route}")
        span.set_attribute("http.request.method", verb)
        span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        if status >= _FIRST_FAULT_STATUS or not status:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def of_call(self, method: str, given: bytes | None) -> tuple[Span, bytes]:
        """The span of a gRPC call that has come in a trace, and the context to pass on."""
        attributes = {"rpc.system.name": "grpc", "rpc.method": method}
        return self._begin(method, given, SpanKind.SERVER, attributes)

    def end_call(self, span: Span, code: str, reason: str) -> None:
        """The call was answered."""
        span.set_attribute("rpc.response.status_code", code)
        if code != _ANSWERED:
            span.set_attribute("error.type", reason or code)
        if code in _FAULTS:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def of_batch(self, number: int, stages: Stages, calls: Sequence[tuple[bytes, int]]) -> None:
        """The spans of a batch, all at once when it is over; `calls` as `Batches.tell` has them."""
        about = {"gongji.batch": number, "gongji.batch_size": stages.commands}
        written = [
            self._tracer.start_span("writer", _below(context), attributes=about, start_time=came_ns)
            for context, came_ns in calls
            if context[-1] & otel.TraceFlags.SAMPLED
        ]
        if not written:
            return
        batch = self._tracer.start_span(
            "batch",
            otel.set_span_in_context(written[0]),
            attributes=about,
            links=[otel.Link(span.get_span_context()) for span in written],
            start_time=stages.began_ns,
        )
        below = otel.set_span_in_context(batch)
        for stage, began_ns, ended_ns in stages.spans():
            asks = {} if stage == "decide" else {"db.system.name": "postgresql"}
            span = self._tracer.start_span(
                stage, below, SpanKind.CLIENT if asks else SpanKind.INTERNAL, asks, (), began_ns
            )
            span.end(ended_ns)
        for span in written:
            span.add_link(batch.get_span_context())
            span.end(stages.last_ns)
        batch.end(stages.last_ns)

    def _begin(
        self, name: str, given: bytes | None, kind: SpanKind, attributes: Mapping[str, str]
    ) -> tuple[Span, bytes]:
        parent = None if given is None else _below(given)
        span = self._tracer.start_span(name, parent, kind, attributes)
        made = span.get_span_context()
        ids = made.trace_id.to_bytes(16, "big") + made.span_id.to_bytes(8, "big")
        return span, ids + bytes((made.trace_flags,))


def _below(context: bytes) -> Context:
    """Where a span stands that another process began."""
    trace_id, span_id, flags = trace.parts(context)
    parent = otel.SpanContext(
        int.from_bytes(trace_id, "big"),
        int.from_bytes(span_id, "big"),
        is_remote=True,
        trace_flags=otel.TraceFlags(flags),
    )
    return otel.set_span_in_context(otel.NonRecordingSpan(parent))
