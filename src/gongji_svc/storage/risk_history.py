"""What the risk rules look back on: a patient's settlements and signals, and who spent a donor's
money.

Rule: one statement for all that a batch asks, and none where it asks nothing. What was given back
whole is no visit; of a donor's money every movement is read, so that what came back counts against
what was spent.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy
from psycopg import Cursor

from gongji_svc.domain.risk import Raised, RiskKind
from gongji_svc.domain.risk_rules import Giving, Visit
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.packed import texts, uuids
from gongji_svc.storage.statements import Row, Tx, compiled

# Rows of (what, about whom, other id, institution, region, occurred, recorded, fen, id).
_HISTORY = sqlalchemy.text(
    """
SELECT 'VISIT' AS what, patient_id, CAST(NULL AS uuid), institution_code, region,
       occurred_at, recorded_at, CAST(0 AS bigint), id
FROM settlements
WHERE patient_id = ANY(:patients) AND id >= :first_id
      AND state IN ('SETTLED', 'PARTLY_REFUNDED')
UNION ALL
SELECT 'GIVING', a.person_id, e.beneficiary_id, e.counterparty, e.region,
       e.occurred_at, e.recorded_at, e.amount_fen, e.source_id
FROM accounts a JOIN entries e ON e.region = a.region AND e.account_id = a.id
WHERE a.region = ANY(:homes) AND a.person_id = ANY(:donors) AND e.recorded_at > :spent_since
      AND e.kind IN ('SETTLEMENT_MUTUAL_AID', 'REFUND_MUTUAL_AID')
UNION ALL
SELECT kind, person_id, other_id, institution_code, region,
       released_until, recorded_at, CAST(0 AS bigint), id
FROM risk_signals
WHERE person_id = ANY(:patients)
      AND (recorded_at >= :raised_since OR released_until >= :raised_since)
"""
)
_HISTORY_SQL = compiled(_HISTORY)


@dataclass(frozen=True, slots=True)
class LookBack:
    """How far to look: at a patient's settlements from this id on, at donors' entries and at
    signals from these instants on.
    """

    patient_id: UUID
    donor_ids: tuple[UUID, ...]
    first_id: UUID
    spent_since: datetime
    raised_since: datetime


@dataclass(slots=True)
class History:
    """What was found, by patient and by donor."""

    visits: dict[UUID, list[Visit]] = field(default_factory=lambda: defaultdict(list))
    givings: dict[UUID, list[Giving]] = field(default_factory=lambda: defaultdict(list))
    raised: dict[UUID, list[Raised]] = field(default_factory=lambda: defaultdict(list))


def ask_history(tx: Tx, looks: Sequence[LookBack]) -> list[Cursor[Row]]:
    """Send the statement of a batch; nothing is sent where nothing is asked."""
    if not looks:
        return []
    asked = _parameters(looks)
    packed = {
        "patients": uuids(asked["patients"]),
        "donors": uuids(asked["donors"]),
        "homes": texts(asked["homes"]),
    }
    return [tx.execute(_HISTORY_SQL, {**asked, **packed}, binary=True)]


def read_history(tx: sqlalchemy.Connection, looks: Sequence[LookBack]) -> History:
    """What there is of all that is asked."""
    return history_of(map(tuple, tx.execute(_HISTORY, _parameters(looks))) if looks else ())


def history_of(rows: Iterable[Row]) -> History:
    """The rows of the statement, told apart."""
    found = History()
    for what, about, other, code, region, occurred_at, recorded_at, amount_fen, row_id in rows:
        if what == "VISIT":
            visit = Visit(about, row_id, code, region, occurred_at, recorded_at)
            found.visits[about].append(visit)
        elif what == "GIVING":
            giving = Giving(about, other, row_id, code, amount_fen, occurred_at, recorded_at)
            found.givings[about].append(giving)
        else:
            raised = Raised(row_id, RiskKind(what), other, code, occurred_at)
            found.raised[about].append(raised)
    return found


def _parameters(looks: Sequence[LookBack]) -> dict[str, Any]:
    donors = sorted({donor for look in looks for donor in look.donor_ids})
    return {
        "patients": sorted({look.patient_id for look in looks}),
        "donors": donors,
        "homes": sorted({region_of(donor) for donor in donors}),
        "first_id": min(look.first_id for look in looks),
        "spent_since": min(look.spent_since for look in looks),
        "raised_since": min(look.raised_since for look in looks),
    }
