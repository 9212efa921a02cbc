"""A handler a route: reads the request, asks the core, writes the answer.

Rule: what the core refuses becomes a problem; nothing else is caught here. Who does not say who
they are is refused before anything is read, and a call whose client has left is cancelled.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from gateway import problems
from gateway.core import Core, Metadata, forwarded
from gateway.events import events
from gateway.limits import whole_body
from gateway.problems import BadField, Problem
from gateway.rpcs import Route, Shape
from gateway.transcoding import parse, read_query, read_request, to_json

Handler = Callable[[Request], Awaitable[Response]]

_JSON = ("application/json",)
_PIECE_BYTES = 256 * 1024
_ENOUGH_BYTES = (
    12 * 1024 * 1024
)  # more than a document may have, less than the core stops reading at
_LAST_EVENT = "last-event-id"
_AFTER = "after_seq"
_HEADER = "header"
_MEDIA_TYPE = "media_type"
_DEFAULT_MEDIA_TYPE = "application/octet-stream"
_MEDIA_TYPES = {"ExportEntries": "text/csv; charset=utf-8"}  # of downloads that have no header
_NOT_KEPT = {"cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A call of a client: which route, by whom, and the core that answers."""

    route: Route
    core: Core
    request: Request
    metadata: Metadata
    body_seconds: float

    async def message(self) -> Message:
        """The contract's request."""
        body = b""
        if self.route.takes_json:
            _check_media_type(self.request, _JSON)
            body = await whole_body(self.request, self.body_seconds)
        query = self.request.query_params.multi_items()
        return read_request(self.route, self.request.path_params, query, body)


def handler_of(route: Route, core: Core, body_seconds: float) -> Handler:
    """The handler of a route; `body_seconds` is how long a JSON body may take to come."""
    serve = {
        Shape.PLAIN: _plain,
        Shape.EVENTS: _events,
        Shape.DOWNLOAD: _download,
        Shape.UPLOAD: _upload,
    }[route.shape]

    async def handle(request: Request) -> Response:
        try:
            metadata = forwarded(request)
            return await serve(Asked(route, core, request, metadata, body_seconds))
        except Problem as problem:
            return problem.response()
        except ClientDisconnect:
            return _LEFT.response()
        except grpc.aio.AioRpcError as error:
            return problems.of_call(error).response()

    return handle


async def _plain(asked: Asked) -> Response:
    message = await asked.message()
    asking = asyncio.ensure_future(asked.core.ask(asked.route, message, asked.metadata))
    leaving = asyncio.ensure_future(_left(asked.request))
    try:
        await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise ClientDisconnect
        return JSONResponse(to_json(asking.result()), headers=_NOT_KEPT)
    finally:
        asking.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    """Until the client has left; all it wanted to say has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _events(asked: Asked) -> Response:
    message = await asked.message()
    last = asked.request.headers.get(_LAST_EVENT, "")
    if last and _AFTER in asked.route.takes.fields_by_name:
        parse(message, asked.route.takes, {_AFTER: last})
    call = asked.core.stream(asked.route, message, asked.metadata)
    return await events(call, asked.request.state.ending)


async def _download(asked: Asked) -> Response:
    """The bytes of a stream, as they come; refused before the first of them, or not at all."""
    message = await asked.message()
    call = asked.core.stream(asked.route, message, asked.metadata)
    first: Any = await call.read()
    header: Any = None if first is grpc.aio.EOF else _header(first)
    media_type = _MEDIA_TYPES.get(asked.route.name, _DEFAULT_MEDIA_TYPE)
    headers = {**_NOT_KEPT, "content-disposition": "attachment"}
    if header is not None:
        media_type = header.media_type
        headers["content-length"] = str(header.size_bytes)
        headers["content-disposition"] = "inline"

    async def content() -> AsyncIterator[bytes]:
        try:
            piece: Any = first if header is None else await call.read()
            while piece is not grpc.aio.EOF:
                yield piece.chunk
                piece = await call.read()
        finally:
            call.cancel()

    return StreamingResponse(content(), headers=headers, media_type=media_type)


def _header(piece: Message) -> Message | None:
    """What a download begins with, where it says so before the content."""
    for field, value in piece.ListFields():
        if field.message_type is not None:
            found: Message = value
            return found
    return None


async def _upload(asked: Asked) -> Response:
    """The body of the request goes through as it comes; the header is in the query.

    A client that breaks off breaks off the upload too: the core keeps nothing of it. Of one that is
    far too large the core is sent enough to refuse it: gRPC loses a refusal that comes while more
    is being sent.
    """
    route, request = asked.route, asked.request
    about = read_query(route.header, request.query_params.multi_items())
    if _MEDIA_TYPE in about:
        raise BadField(_MEDIA_TYPE, "请写在Content-Type中")
    about[_MEDIA_TYPE] = _check_media_type(request, route.media_types)
    first = parse(route.request(), route.takes, {_HEADER: about})
    broken: list[ClientDisconnect] = []

    async def pieces() -> AsyncIterator[Message]:
        yield first
        left_bytes = _ENOUGH_BYTES
        try:
            async for piece in request.stream():
                for start in range(0, len(piece), _PIECE_BYTES):
                    yield route.request(chunk=piece[start : start + _PIECE_BYTES])
                left_bytes -= len(piece)
                if left_bytes < 0:
                    return
        except ClientDisconnect as gone:
            broken.append(gone)
            raise

    try:
        answer = await asked.core.send(route, pieces(), asked.metadata)
    except asyncio.CancelledError:
        if not broken:
            raise
        raise ClientDisconnect from None  # gRPC cancels a call whose messages break off
    return JSONResponse(to_json(answer), headers=_NOT_KEPT)


def _check_media_type(request: Request, wanted: tuple[str, ...]) -> str:
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said not in wanted:
        raise Problem(
            415,
            "MALFORMED_REQUEST",
            f"不能接受这种内容。请以{'、'.join(wanted)}发送。",
            f"Send {', '.join(wanted)}.",
        )
    return said


_LEFT = Problem(408, "MALFORMED_REQUEST", "连接已中断。请重试。", "The client has left.")
