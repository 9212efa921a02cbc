"""What the gateway tells: its requests in figures, their spans, and its certificate's end.

Rule: a request is told by its route's template; what has none, like a page, is one route.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gongji_svc.signals import trace
from gongji_svc.signals.catalogue import Figure, Labels
from gongji_svc.signals.tally import Histogram

if TYPE_CHECKING:
    from gongji_svc.signals.spans import Span, Spans

_VERBS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class Request:
    """A request under way: the context that goes on to the core, and the trace's id."""

    requests: "Requests"
    context: bytes
    span: "Span | None"
    started: float

    @property
    def traceparent(self) -> str:
        """What the core is told."""
        return trace.said(self.context)

    @property
    def trace(self) -> str:
        """The trace's id."""
        return trace.trace_id(self.context)

    def end(self, verb: str, route: str, status: int) -> None:
        """It was answered; 0: broken off before."""
        self.requests.end(self, verb if verb in _VERBS else _OTHER, route, status)


class Requests:
    """The requests of one gateway; `spans` where traces are on."""

    def __init__(self, spans: "Spans | None" = None) -> None:
        self._spans = spans
        self._known_until: Callable[[], float | None] = lambda: None
        self._in_flight = 0
        self._answered: defaultdict[Labels, int] = defaultdict(int)
        self._lasted: defaultdict[str, Histogram] = defaultdict(Histogram)

    def begin(self, traceparent: str) -> Request:
        """A request has come, with this `traceparent`; empty: none."""
        self._in_flight += 1
        given = trace.read(traceparent)
        if self._spans is None:
            return Request(self, given or trace.new(), None, time.perf_counter())
        span, passed_on = self._spans.of_request(given)
        return Request(self, passed_on, span, time.perf_counter())

    def watch(self, known_until: Callable[[], float | None]) -> None:
        """Whom to ask when the gateway's certificate ends, in Unix seconds; None: it shows none."""
        self._known_until = known_until

    def end(self, request: Request, verb: str, route: str, status: int) -> None:
        """It was answered."""
        self._in_flight -= 1
        self._answered[route, verb, str(status)] += 1
        self._lasted[route].observe(time.perf_counter() - request.started)
        if request.span is not None and self._spans is not None:
            self._spans.end_request(request.span, verb, route, status)

    def __iter__(self) -> Iterator[Figure]:
        """The figures as they are just now."""
        yield "gongji_http_requests_total", {**self._answered}
        lasted = list(self._lasted.items())
        yield "gongji_http_request_duration_seconds", {(route,): one for route, one in lasted}
        yield "gongji_in_flight_http_requests", {(): self._in_flight}
        until = self._known_until()
        yield (
            "gongji_gateway_certificate_not_after_timestamp_seconds",
            {} if until is None else {(): until},
        )
