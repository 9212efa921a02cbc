"""Limits of the gateway: how large a body may be and how slowly it may come, how often one address
may call.

Rule: what is over a limit is refused before the core is asked; counters are bounded, so that no
flood fills the memory.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.problems import Problem

MOST_JSON_BYTES = 1024 * 1024
_MOST_ADDRESSES = 10_000


async def whole_body(request: Request, seconds: float) -> bytes:
    """The body of a JSON request; Problem 413 as soon as it is too large, 408 when it has not come
    within `seconds`.
    """
    try:
        return await asyncio.wait_for(_read(request), seconds)
    except TimeoutError as late:
        raise _too_slow() from late


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_JSON_BYTES:
            raise _too_large()
    return bytes(body)


@dataclass(slots=True)
class RateLimit:
    """At most `per_second` calls a second from one address once it has used up a run of `burst`,
    and at most `at_once` under way, a stream until it ends.
    """

    app: ASGIApp
    per_second: float
    burst: int
    at_once: int
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _under_way: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or refuse it with 429."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self.app(scope, receive, send)
            return
        host = (scope.get("client") or ("",))[0]
        if self._under_way[host] >= self.at_once or not self._take(host, time.monotonic()):
            await _TOO_OFTEN.response()(scope, receive, send)
            return
        self._under_way[host] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way[host] -= 1
            if not self._under_way[host]:
                del self._under_way[host]

    def _take(self, host: str, now: float) -> bool:
        left, at = self._left.pop(host, (float(self.burst), now))
        left = min(float(self.burst), left + (now - at) * self.per_second)
        taken = left >= 1
        self._left[host] = (left - 1 if taken else left, now)
        if len(self._left) > _MOST_ADDRESSES:
            self._left.popitem(last=False)
        return taken


def _too_large() -> Problem:
    return Problem(
        413,
        "MALFORMED_REQUEST",
        f"请求体不能超过{MOST_JSON_BYTES}字节。请减少内容后重试。",
        f"A body has at most {MOST_JSON_BYTES} bytes.",
    )


def _too_slow() -> Problem:
    return Problem(
        408,
        "MALFORMED_REQUEST",
        "请求没有按时收全。请检查网络后重试。",
        "The body came too slowly.",
    )


_TOO_OFTEN = Problem(
    429,
    "RATE_LIMITED",
    "请求过于频繁，未作任何处理。请稍后再试。",
    "Too many calls from this address.",
    retry_after_seconds=1,
)
