"""One-time codes that tills have seen: the rows they are kept in, and when those may go.

Rule: a row is read and written under the lock of the person whose code it is.
"""

from datetime import datetime

import sqlalchemy
from sqlalchemy import delete, select

from gongji_svc.domain.one_time_code import CodeUse
from gongji_svc.storage import tables
from gongji_svc.storage.state import CodeKey, State, TableRow

_USES = tables.credential_uses.c


def use_in(state: State, key: CodeKey) -> CodeUse | None:
    """The gathered use of a code, None when no till has seen it."""
    row = state.credential_uses.get(key[1])
    return None if row is None else CodeUse(*row[2:])


def use_row(key: CodeKey, use: CodeUse) -> TableRow:
    """The row of `credential_uses`, with its table."""
    return tables.credential_uses, (
        *key,
        use.person_id,
        use.institution_code,
        use.good_until,
        use.settlement_id,
    )


def remove_uses(tx: sqlalchemy.Connection, before: datetime, limit: int) -> int:
    """Remove at most `limit` uses of codes that were good until before then; how many were.

    What another process is removing just now is left to it.
    """
    old = _USES.good_until < before
    removed = 0
    # Where regions are on several servers, only a statement on one region can lock.
    for region in tx.scalars(select(_USES.region).where(old).distinct()).all():
        theirs = _USES.region == region
        query = select(_USES.hash).where(theirs, old).limit(limit - removed)
        hashes = tx.scalars(query.with_for_update(skip_locked=True)).all()
        tx.execute(delete(tables.credential_uses).where(theirs, _USES.hash.in_(hashes)))
        removed += len(hashes)
        if removed == limit:
            break
    return removed
