"""Which function serves which RPC; what is in the contract and not here answers UNIMPLEMENTED.

Rule: commands (they move money, or change who may move it) are read in the writer and decided by
the engine; reads and uploads are served by the front, a thread each.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.message import Message

from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import ServiceUnavailable
from gongji_svc.engine import Command
from gongji_svc.services import account, binding, messages, registry, settlement
from gongji_svc.services.access import check_subject
from gongji_svc.services.asked import Asked
from gongji_svc.services.contract import METHODS, Method
from gongji_svc.services.office import Office
from gongji_svc.storage.database import DatabaseUnavailable

_RETRY_AFTER_SECONDS = 1.0

ReadCommand = Callable[[Office, Asked], Command]
ServeRead = Callable[[Office, Caller, Any], Message]
ServeUpload = Callable[[Office, Caller, Iterator[Any]], Message]

_SERVICES = {
    "RegistryService": registry,
    "BindingService": binding,
    "AccountService": account,
    "SettlementService": settlement,
}


def _table(name: str) -> Mapping[str, Any]:
    return {
        method.path: getattr(_SERVICES[method.service], name)[method.name]
        for method in METHODS
        if method.name in getattr(_SERVICES.get(method.service), name, {})
    }


COMMANDS: Mapping[str, ReadCommand] = _table("COMMANDS")
"""By path: how a request becomes a command of the engine."""

READS: Mapping[str, ServeRead] = _table("READS")
"""By path: what answers at once."""

UPLOADS: Mapping[str, ServeUpload] = _table("UPLOADS")
"""By path: what takes a stream."""


def read_command(
    office: Office, method: Method, caller: Caller, body: bytes, deadline: float
) -> Command:
    """The command in a request's bytes; a Refusal when the request is not sound or not allowed."""
    message = messages.read(method.request, body)
    check_subject(caller, method, message)
    return COMMANDS[method.path](office, Asked(method, caller, message, deadline))


def answer_read(office: Office, method: Method, caller: Caller, body: bytes) -> bytes:
    """The answer's bytes of a read; ServiceUnavailable while the database is away."""
    message = messages.read(method.request, body)
    check_subject(caller, method, message)
    try:
        return READS[method.path](office, caller, message).SerializeToString()
    except DatabaseUnavailable as away:
        raise ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS) from away
