"""A tax bureau to play with: it collects nothing, and answers every premium at once.

Rule: it keeps the contract of docs/tax-bureau.md as a real one must: it believes nothing unsigned,
acts once a key however often it hears it, and repeats an answer until the service has taken it.
Tests have it misbehave.
"""

import asyncio
import json
import queue
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

import grpc
import structlog
import uvicorn
from cryptography.hazmat.primitives import constant_time
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gongji.v1 import payment_pb2 as pb
from gongji.v1.payment_pb2_grpc import PaymentServiceStub
from gongji_svc.services.tax_endpoint import METHOD, TaxEndpoint, signature

_log = structlog.get_logger()

PATH = "/premiums"
_SIGNED_SECONDS = 300
_CALL_SECONDS = 20.0
_PAUSE_SECONDS = 0.2
_STOP_SECONDS = 1
_NOT_NOW = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.UNKNOWN,
}

Message = dict[str, Any]
"""What a request's body says."""


@dataclass(slots=True)
class Behaviour:
    """How the bureau behaves from now on."""

    says: int | None = None  # keeps nothing and says this status
    slow_seconds: float = 0.0  # from keeping a message to saying so
    is_silent: bool = False  # takes premiums, and answers when it speaks again
    rejects: bool = False
    answers_twice: bool = False  # by the same request again, and by another one


@dataclass(slots=True)
class Kept:
    """What the bureau knows: a message a key, how often it came, and what became of answers."""

    messages: dict[str, Message] = field(default_factory=dict)
    heard: Counter[str] = field(default_factory=Counter)
    answers: set[str] = field(default_factory=set)  # request_ids that the service has taken
    refused: dict[str, str] = field(default_factory=dict)  # those it did not take, and why

    def total_fen(self, kind: str) -> int:
        """The sum of all messages of a kind, each key once."""
        return sum(one["amount_fen"] for one in self.messages.values() if one["kind"] == kind)


class Bureau:
    """A bureau that listens until the end of the block."""

    def __init__(
        self,
        key: bytes,
        service: str,
        token_of: Callable[[str], str],
        *,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        behaviour: Behaviour | None = None,
    ) -> None:
        """`service` is HOST:PORT of gRPC; `token_of` gives a token of the tax role for a region."""
        self.behaviour = behaviour or Behaviour()
        self.kept = Kept()
        self._service, self._token_of = service, token_of
        self._socket = socket.create_server(listen)
        host, port = self._socket.getsockname()[:2]
        self.endpoint = TaxEndpoint(f"http://{host}:{port}{PATH}", key)
        app = Starlette(routes=[Route(PATH, self._take, methods=[METHOD])])
        self._http = uvicorn.Server(
            uvicorn.Config(
                app, lifespan="off", log_config=None, timeout_graceful_shutdown=_STOP_SECONDS
            )
        )
        self._to_answer: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._http.run, args=([self._socket],), name="bureau-http"),
            threading.Thread(target=self._answer_all, name="bureau-answers"),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._http.should_exit = True
        self._to_answer.put(None)
        for thread in self._threads:
            thread.join()
        self._socket.close()

    async def _take(self, request: Request) -> Response:
        """Hear one message."""
        if self.behaviour.says is not None:
            return Response(status_code=self.behaviour.says)
        body = await request.body()
        timestamp = request.headers.get("gongji-timestamp", "")
        told = request.headers.get("gongji-signature", "")
        if not self._is_genuine(request.url.path, timestamp, told, body):
            return Response(status_code=401)
        message: Message = json.loads(body)
        if request.headers.get("idempotency-key") != message["message_id"]:
            return Response(status_code=400)
        self._keep(message)
        await self._linger()
        return Response(status_code=200)

    async def _linger(self) -> None:
        """Be slow, but not in stopping."""
        until = time.monotonic() + self.behaviour.slow_seconds
        while (left := until - time.monotonic()) > 0 and not self._stopping.is_set():
            await asyncio.sleep(min(left, _PAUSE_SECONDS))

    def _is_genuine(self, path: str, timestamp: str, told: str, body: bytes) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit()):
            return False
        if abs(time.time() - int(timestamp)) > _SIGNED_SECONDS:
            return False
        expected = signature(self.endpoint.key, path, timestamp, body)
        return constant_time.bytes_eq(expected.encode(), told.encode())

    def _keep(self, message: Message) -> None:
        """Act on a key that is new, and on no other."""
        message_id = message["message_id"]
        self.kept.heard[message_id] += 1
        if message_id in self.kept.messages:
            return
        self.kept.messages[message_id] = message
        if message["kind"] == "COLLECT":
            self._to_answer.put(message)

    def _answer_all(self) -> None:
        with grpc.insecure_channel(self._service) as channel:
            stub = PaymentServiceStub(channel)
            while (message := self._to_answer.get()) is not None:
                for request_id in self._request_ids(message):
                    self._answer(stub, message, request_id)

    def _request_ids(self, message: Message) -> Iterator[str]:
        first = f"bureau-{message['message_id']}"
        yield first
        if self.behaviour.answers_twice:
            yield first
            yield f"{first}-again"

    def _answer(self, stub: PaymentServiceStub, message: Message, request_id: str) -> None:
        """Confirm or reject a premium, until the service has heard it."""
        while not self._stopping.is_set():
            if self.behaviour.is_silent:
                self._stopping.wait(_PAUSE_SECONDS)
                continue
            try:
                self._call(stub, message, request_id)
            except grpc.RpcError as error:
                if error.code() in _NOT_NOW:
                    self._stopping.wait(_PAUSE_SECONDS)
                    continue
                self.kept.refused[request_id] = str(error.details())
                _log.warning("an answer is refused", request_id=request_id, why=error.details())
            else:
                self.kept.answers.add(request_id)
            return

    def _call(self, stub: PaymentServiceStub, message: Message, request_id: str) -> None:
        payment_id = message["payment_id"]
        metadata = (("authorization", f"Bearer {self._token_of(message['region'])}"),)
        if self.behaviour.rejects:
            rejection = pb.RejectPremiumRequest(
                request_id=request_id, payment_id=payment_id, reason="参保信息核验未通过"
            )
            stub.RejectPremium(rejection, timeout=_CALL_SECONDS, metadata=metadata)
        else:
            confirmation = pb.ConfirmPremiumRequest(
                request_id=request_id, payment_id=payment_id, tax_voucher_no=voucher(payment_id)
            )
            stub.ConfirmPremium(confirmation, timeout=_CALL_SECONDS, metadata=metadata)


def voucher(payment_id: str) -> str:
    """The number of the voucher for a payment."""
    return f"DM{UUID(payment_id).int % 10**16:016d}"
