"""Headers that keep a browser from doing with our pages what they were not made for.

Rule: everything comes from this host and from nowhere else, and no page of ours stands in a frame.
"""

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'{more}"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "geolocation=(), microphone=(), camera=(self)",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",  # pages are asked for anew, so that a release is seen at once
}


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """Sets the headers on every answer; `connect` is another origin that pages may talk to, such
    as the identity provider's (empty: none).
    """

    app: ASGIApp
    connect: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, with the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        more = f"; connect-src 'self' {self.connect}" if self.connect else ""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value.format(more=more))
            await send(message)

        await self.app(scope, receive, with_headers)
