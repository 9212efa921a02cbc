"""The server's side of a connection: as uvicorn has it, and not for who does not speak.

Rule: a connection on which no whole request has begun in time is closed, so that clients that are
slow, or mean to be, hold no place.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

_HEAD_SECONDS = 10.0


class Connection(H11Protocol):
    """One connection; `_HEAD_SECONDS` is how long the head of its next request may take."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's is so too
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._wait_for_head()

    def _wait_for_head(self) -> None:
        self.loop.call_later(_HEAD_SECONDS, self._close_unless_new, self.cycle)

    def _close_unless_new(self, last: object) -> None:
        if self.cycle is last and not self.transport.is_closing():
            self.transport.close()
