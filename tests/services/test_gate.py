"""How long a call may last."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.limits import Limits
from gongji_svc.pipe import Answer
from gongji_svc.services.contract import Method, method_of
from gongji_svc.services.denials import Denial, Denials
from gongji_svc.services.identity import DevelopmentTokens, Verifier, issue_token
from gongji_svc.services.interceptors import Call, Gate
from gongji_svc.services.limits import Limiter
from gongji_svc.signals import spans_to
from gongji_svc.signals.calls import Calls

_KEY = b"a key that only these tests know, long enough for any algorithm"
_TILL = Caller(Role.POS, "P15010000001")
_UPLOAD = method_of("ClearingService", "ReconcileDetails")
_READ = method_of("RegistryService", "GetPolicy")


def lasts(method: Method, asked_seconds: float | None) -> float:
    """How long a call has whose client gives it so long."""
    begun: list[Call] = []

    async def keep(_: Denial) -> None:
        raise AssertionError

    async def serve(call: Call, _: Any) -> Answer:
        begun.append(call)
        return Answer(0, 0, b"")

    async def nothing() -> AsyncIterator[bytes]:
        return
        yield b""

    bearer = f"Bearer {issue_token(_KEY, _TILL, 60)}"
    context: Any = SimpleNamespace(
        time_remaining=lambda: asked_seconds,
        invocation_metadata=lambda: (("authorization", bearer),),
        peer=lambda: "ipv4:10.0.0.7:5000",
        add_done_callback=lambda _: None,
    )
    verifier = Verifier(DevelopmentTokens(_KEY))
    gate = Gate(verifier, Limiter(Limits()), Calls(spans_to("", "front")), Denials(keep))

    async def call() -> None:
        if method.client_streaming:
            await gate.client_stream(method, serve)(nothing(), context)
        else:
            await gate.unary(method, serve)(b"", context)

    asyncio.run(call())
    return begun[0].deadline - time.time()


@pytest.mark.parametrize(
    ("method", "asked_seconds", "seconds"),
    [
        (_UPLOAD, 200.0, 200.0),
        (_UPLOAD, 3600.0, 300.0),
        (_UPLOAD, None, 30.0),
        (_READ, 20.0, 20.0),
        (_READ, 3600.0, 30.0),
        (_READ, None, 30.0),
    ],
)
def test_a_call_lasts_as_long_as_its_client_says_but_no_longer_than_its_kind(
    method: Method, asked_seconds: float | None, seconds: float
) -> None:
    assert lasts(method, asked_seconds) == pytest.approx(seconds, abs=5)
