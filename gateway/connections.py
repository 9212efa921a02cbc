"""The server's side of a connection: as uvicorn has it, and not for who does not speak.

Rule: a connection on which no whole request has begun in time is closed, so that clients that are
slow, or mean to be, hold no place. Beyond `_MOST_CONNECTIONS` who comes is told to come again, and
those that were there before are served. When the server stops, streams are told to end.
"""

import asyncio

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.observing import Observed
from gateway.problems import Problem
from gateway.security import SecurityHeaders

_HEAD_SECONDS = 10.0
_MOST_CONNECTIONS = 1000
_ENDING = "ending"  # in the application's state, as gateway/app.py makes it


class Connection(H11Protocol):
    """One connection; `_HEAD_SECONDS` is how long the head of its next request may take."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's is so too
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if len(self.connections) > _MOST_CONNECTIONS:
            self.app = _FULL
        self._wait_for_head()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._wait_for_head()

    def shutdown(self) -> None:
        """End what is idle at once, streams now, and other answers when they are given."""
        self.app_state[_ENDING].set()
        super().shutdown()

    def _wait_for_head(self) -> None:
        self.loop.call_later(_HEAD_SECONDS, self._close_unless_new, self.cycle)

    def _close_unless_new(self, last: object) -> None:
        if self.cycle is last and not self.transport.is_closing():
            self.transport.close()


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem(
        503,
        "RATE_LIMITED",
        "当前连接过多，未作任何处理。请稍后再试。",
        "Too many connections; nothing was done.",
        retry_after_seconds=1,
        headers={"connection": "close"},
    )
    await problem.response()(scope, receive, send)


_FULL = Observed(SecurityHeaders(_refuse))
