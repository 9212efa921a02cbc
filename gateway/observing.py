"""One line a call in the log; faults are logged whole, and the client is told nothing of them.

Rule: a line has the route and not the path: it names no person, number or token.
"""

import time
from dataclasses import dataclass

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import problems

_log = structlog.get_logger()

ROUTE = "gongji.route"
"""Where in the scope the template of the route is that took the call."""

_PAGE = "-"  # a page, or nothing that there is


@dataclass(frozen=True, slots=True)
class Observed:
    """Logs each call of `app`, with what it answered."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and tell."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
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
            _log.info(
                "http",
                method=scope["method"],
                route=scope.get(ROUTE, _PAGE),
                status=status,
                seconds=round(time.perf_counter() - started, 6),
            )
