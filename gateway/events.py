"""A stream of messages as server-sent events.

Rule: an event's id is the entry's number, so a browser that comes again says where it was and
misses nothing. A comment now and then shows that the stream lives. What ends it is an event too,
but that the gateway ends, or takes another way to the core: whoever comes again is served.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import Message
from starlette.responses import StreamingResponse

from gateway import problems
from gateway.transcoding import to_json

# The core says nothing until there is something to see: who hears no refusal by then is let in.
_REFUSED_WITHIN_SECONDS = 1.0
_QUIET_SECONDS = 15.0
_STILL_THERE = b": \n\n"
_MEDIA_TYPE = "text/event-stream"
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}

Call = grpc.aio.UnaryStreamCall[Any, Any]


async def events(call: Call, ending: asyncio.Event) -> StreamingResponse:
    """The events of a call, until the gateway is `ending`; raises AioRpcError when the core refuses
    it at once.
    """
    reading = asyncio.ensure_future(call.read())
    try:
        await asyncio.wait((reading,), timeout=_REFUSED_WITHIN_SECONDS)
        if reading.done():
            reading.result()
    except BaseException:
        call.cancel()
        raise
    content = _written(call, reading, ending)
    return StreamingResponse(content, headers=_HEADERS, media_type=_MEDIA_TYPE)


async def _written(
    call: Call, reading: "asyncio.Future[Any]", ending: asyncio.Event
) -> AsyncIterator[bytes]:
    ended = asyncio.ensure_future(ending.wait())
    try:
        yield _STILL_THERE
        while True:
            await asyncio.wait(
                (reading, ended), timeout=_QUIET_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if ended.done() or reading.cancelled():
                return
            if not reading.done():
                yield _STILL_THERE
                continue
            message = reading.result()
            if message is grpc.aio.EOF:
                return
            yield _event(message)
            reading = asyncio.ensure_future(call.read())
    except grpc.aio.AioRpcError as error:
        body = json.dumps(problems.of_call(error).body(), ensure_ascii=False)
        yield f"event: problem\ndata: {body}\n\n".encode()
    finally:
        ended.cancel()
        reading.cancel()
        call.cancel()


def _event(message: Message) -> bytes:
    said = to_json(message)
    numbers = (one["seq"] for one in said.values() if isinstance(one, dict) and "seq" in one)
    number = "".join(f"id: {seq}\n" for seq in numbers)
    return f"{number}data: {json.dumps(said, ensure_ascii=False)}\n\n".encode()
