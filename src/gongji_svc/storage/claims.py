"""Request keys: claimed before anything is decided, then answered, blocked or freed.

Rule: keys are claimed in one order, and one that another process holds is waited for, then read. A
blocked key has no answer: whoever makes that request later is refused.
"""

import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from gongji_svc.storage import tables
from gongji_svc.storage.state import ClaimKey, State, Taken
from gongji_svc.storage.statements import Change, Claiming, Lookup, Remove, Tx

_CLAIM = Claiming(tables.requests)
_READ = Lookup(tables.requests)
_ANSWER = Change(tables.requests, "method", "content", "result_id", "answer")
_FREE = Remove(tables.requests)
_FIELD = struct.Struct("!H8s")


def claim(tx: Tx, state: State, keys: Iterable[ClaimKey], *, by_region: bool) -> None:
    """Claim request keys in order; `state.requests` tells those that were answered before."""
    at = datetime.now(UTC)
    wanted = sorted(set(keys))
    rows = [(*key, "", b"", None, None, at) for key in wanted]
    cursors = _CLAIM.run(tx, rows, by_region=by_region)
    free = {key for cursor in cursors for key in cursor}
    taken = [key for key in wanted if key not in free]
    for cursor in _READ.run(tx, taken, by_region=by_region):
        for region, caller, request_id, method, content, result_id, answer, _ in cursor:
            known = Taken(method, _load_content(content), answer, result_id)
            state.requests[region, caller, request_id] = known


def conclude(
    tx: Tx, answered: Mapping[ClaimKey, Taken], abandoned: Iterable[ClaimKey], *, by_region: bool
) -> None:
    """Write what became of claimed keys; those that are abandoned are free again."""
    rows = [
        (*key, taken.method, _dump_content(taken.content), taken.result_id, taken.answer)
        for key, taken in sorted(answered.items(), key=lambda item: item[0])
    ]
    _ANSWER.run(tx, rows, by_region=by_region)
    _FREE.run(tx, sorted(abandoned), by_region=by_region)


def _dump_content(content: Mapping[int, bytes]) -> bytes:
    return b"".join(_FIELD.pack(number, content[number]) for number in sorted(content))


def _load_content(kept: bytes) -> dict[int, bytes]:
    return dict(_FIELD.iter_unpack(kept))
