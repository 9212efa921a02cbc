"""One line a call in the log; faults are logged whole, and the client is told nothing of them.

Rule: a line has the route and not the path: it names no person, number or token. Where somebody
counts calls, each belongs to a trace, its own or a new one, in which it goes on to the core.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import problems

_log = structlog.get_logger()

ROUTE = "gongji.route"
"""Where in the scope the template of the route is that took the call."""

_PAGE = "-"  # a page, or nothing that there is
_TRACEPARENT = b"traceparent"


class Request(Protocol):
    """A request under way, as it is counted."""

    @property
    def traceparent(self) -> str:
        """What the core is told of its trace."""

    @property
    def trace(self) -> str:
        """The trace's id."""

    def end(self, verb: str, route: str, status: int) -> None:
        """It was answered; 0: broken off before."""


class Signals(Protocol):
    """Who counts requests, and tells for how long the core lets them in."""

    def begin(self, traceparent: str) -> Request:
        """A request has come, with this `traceparent`; empty: none."""

    def watch(self, known_until: Callable[[], float | None]) -> None:
        """Whom to ask when the gateway's certificate ends, in Unix seconds; None: it shows none."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Logs each call of `app`, with what it answered."""

    app: ASGIApp
    signals: Signals | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and tell."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request = self._begin(scope)
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the client learns nothing of it
            _log.error("a call failed", route=scope.get(ROUTE, _PAGE), exc_info=fault)
            if not status:  # what has begun can only be broken off
                await problems.fault().response()(scope, receive, noted)
        finally:
            verb, route = scope["method"], scope.get(ROUTE, _PAGE)
            if request is not None:
                request.end(verb, route, status)
            _log.info(
                "http",
                method=verb,
                route=route,
                status=status,
                seconds=round(time.perf_counter() - started, 6),
                **({"trace": request.trace} if request else {}),
            )

    def _begin(self, scope: Scope) -> Request | None:
        """Count the request in, and put it into its trace."""
        if self.signals is None:
            return None
        said = [value for name, value in scope["headers"] if name == _TRACEPARENT]
        request = self.signals.begin(said[0].decode("latin-1") if said else "")
        others = [header for header in scope["headers"] if header[0] != _TRACEPARENT]
        scope["headers"] = [*others, (_TRACEPARENT, request.traceparent.encode())]
        return request
