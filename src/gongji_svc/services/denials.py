"""What staff and platforms are refused: in the audit trail as well, however much it is.

Rule: of what one caller is refused at one RPC, the 1st, the 10th, the 100th ... of an hour leave a
record, which tells how many it were by then: who tries doors is seen at once, and a flood fills
neither the trail nor the memory. A refusal stands also where it can't be recorded. A record names
ids and nothing else of the request.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from google.protobuf.message import DecodeError

from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import AccessDenied, PersonNotMatched
from gongji_svc.services.audit import Audited
from gongji_svc.services.contract import Method
from gongji_svc.services.office import Office
from gongji_svc.services.staff_reads import RECORDED, doer, kind_named
from gongji_svc.storage import audit_writes
from gongji_svc.storage.ids import parse_id

_log = structlog.get_logger()

_HOUR_SECONDS = 3600.0
_MOST = 10_000
_REQUESTS = "request_id"  # chosen by callers, and nobody's
# The second is what the first looks like to whoever finds people by certificate and name.
_REASONS = tuple(kind().reason for kind in (AccessDenied, PersonNotMatched))
_FOUND = tuple((reason, reason.encode()) for reason in _REASONS)


@dataclass(frozen=True, slots=True)
class Denial:
    """One that is recorded; `times`: how many of its kind in the hour, with this one."""

    caller: Caller
    method: Method
    body: bytes
    reason: str
    times: int


class Denials:
    """Counts the refusals of one front and has some of them kept; lives in its event loop."""

    def __init__(
        self,
        keep: Callable[[Denial], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep = keep
        self._clock = clock
        self._until = 0.0
        self._times: dict[tuple[Caller, int], int] = {}

    async def look(self, caller: Caller, method: Method, body: bytes, told: bytes) -> None:
        """Count what the caller is refused, by the bytes that tell it: a reason, or an answer."""
        if caller.role not in RECORDED:
            return
        for reason, found in _FOUND:
            if count := told.count(found):
                denial = self._counted(caller, method, body, reason, count)
                if denial is not None:
                    await self._keep(denial)
                return

    def _counted(
        self, caller: Caller, method: Method, body: bytes, reason: str, count: int
    ) -> Denial | None:
        if self._clock() >= self._until:
            self._until = self._clock() + _HOUR_SECONDS
            self._times.clear()
        key = (Caller(caller.role, caller.subject, caller.actor), method.number)
        before = self._times.get(key, 0)
        if not before and len(self._times) >= _MOST:
            _log.error("too many callers are refused to record them all")
            return None
        times = self._times[key] = before + count
        if len(str(times)) == len(str(before)) and before:
            return None
        return Denial(caller, method, body, reason, times)


def record(office: Office, denial: Denial) -> None:
    """Keep that a caller was refused, in the trail of the caller's region."""
    caller = denial.caller
    kind, named = _named(denial)
    told = {"refused": denial.times}
    audited = Audited(kind, named, caller.subject, {}, told, reason=denial.reason)
    try:
        with office.database.transaction() as tx:
            at = audit_writes.clock(tx) + office.clock_offset
            audit_writes.add(tx, audited.row(doer(caller, denial.method), at))
    except Exception as fault:  # noqa: BLE001 - the caller is refused, whatever becomes of this
        _log.error("a refusal is not in the audit trail", exc_info=fault)


def _named(denial: Denial) -> tuple[str, str]:
    """Kind and id of what the request names by an id; else the region that was looked through."""
    try:
        request = denial.method.request.FromString(denial.body)
    except DecodeError:
        request = denial.method.request()
    for field, value in request.ListFields():
        if field.name.endswith(_REQUESTS) or not isinstance(value, str):
            continue
        if field.name.endswith("_id") and (found := parse_id(value)):
            return kind_named(field.name), str(found)
    return "region", denial.caller.subject
