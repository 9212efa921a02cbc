"""The service over the wire with two sides in it, and calls of anybody for anything.

Rule: both sides are built beside the service, on its database and by its clock; a call's answer is
what a client gets, its refusal the whole status.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from gongji_svc.services.contract import Method
from gongji_svc.storage.database import Database
from tests.access.side import Side
from tests.end_to_end.service import Service, metadata_of, running
from tests.families import Families
from tests.services.applications import HOHHOT, TIELING
from tests.services.driver import Driver
from tests.services.premiums import driver_on

_CALL_SECONDS = 20.0
FOR_ONE = ("pos", "citizen")


@dataclass(frozen=True, slots=True)
class World:
    """A running service, and builders beside it."""

    driver: Driver
    service: Service

    def side(self, region: str = HOHHOT) -> Side:
        """Somebody new, with all that is theirs."""
        return Side(self.driver, region)

    def others(self, role: str) -> Side:
        """Somebody new whose things are not those of a caller in Hohhot."""
        return self.side(HOHHOT if role in FOR_ONE else TIELING)

    def told(self, role: str, subject: object, method: Method, request: Any) -> Any:
        """The answer, a stream's first; of a refusal, also of a batch's first item, the status."""
        channel, metadata = self.service.channel, metadata_of(role, subject)
        written: Any = (method.path, _dumped, method.response.FromString)
        try:
            if method.client_streaming:
                sent = request if isinstance(request, list) else [request]
                call: Any = channel.stream_unary(*written)
                return call(iter(sent), timeout=_CALL_SECONDS, metadata=metadata)
            if method.server_streaming:
                call = channel.unary_stream(*written)
                return next(call(request, timeout=_CALL_SECONDS, metadata=metadata))
            call = channel.unary_unary(*written)
            given = call(request, timeout=_CALL_SECONDS, metadata=metadata)
        except grpc.RpcError as refused:
            assert isinstance(refused, grpc.Call)
            status = rpc_status.from_call(refused)
            assert status is not None, refused
            return status
        results = getattr(given, "results", ())
        return results[0].error if results and results[0].HasField("error") else given


@contextmanager
def world(database: Database) -> Iterator[World]:
    """Both sides' service, until the end of the block."""
    families = Families(database)
    for province in ("150000", "210000"):
        families.item(province, "XA01")
    driver = driver_on(database)
    offset_seconds = driver.office.clock_offset.total_seconds()
    with running(database, clock_offset_seconds=offset_seconds) as service:
        yield World(driver, service)
    driver.close()


def reason_of(told: Any) -> str:
    """The reason of a refusal; of an answer what it is."""
    if not isinstance(told, Status):
        return f"answered: {type(told).__name__}"
    (info,) = (one for one in told.details if one.type_url.endswith("ErrorInfo"))
    return info.value[2 : 2 + info.value[1]].decode()


def _dumped(message: Any) -> bytes:
    return bytes(message.SerializeToString())
