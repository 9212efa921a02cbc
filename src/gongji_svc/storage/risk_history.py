"""What the risk rules look back on: a patient's settlements, holds and signals, and who spent a
donor's money or is promised it.

Rule: one statement for all that a batch asks, and none where it asks nothing. What was given back
whole is no visit, nor is a hold that was released or has expired; of a donor's money every movement
is read, so that what came back counts against what was spent.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy
from psycopg import Cursor

from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.risk import Raised, RiskKind
from gongji_svc.domain.risk_rules import Giving, Visit
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.packed import texts, uuids
from gongji_svc.storage.statements import Row, Tx, compiled

# Rows of (what, about whom, other id, institution, region, occurred, recorded, fen, id, journal).
# What a settlement took of a hold is that settlement's. A journal's id tells the place's region.
_HISTORY = sqlalchemy.text(
    """
SELECT 'VISIT' AS what, patient_id, CAST(NULL AS uuid), institution_code, region,
       occurred_at, recorded_at, mutual_aid_pay_fen, id, CAST(NULL AS uuid)
FROM settlements
WHERE patient_id = ANY(:patients) AND id >= :first_id
      AND state IN ('SETTLED', 'PARTLY_REFUNDED')
UNION ALL
SELECT CASE WHEN EXISTS (SELECT 1 FROM holds h WHERE h.region = e.region
                         AND h.account_id = e.account_id AND h.id = e.source_id)
            THEN 'HELD_GIVING' ELSE 'GIVING' END,
       a.person_id, e.beneficiary_id, e.counterparty, e.region,
       e.occurred_at, e.recorded_at, e.amount_fen, e.source_id, e.journal_id
FROM accounts a JOIN entries e ON e.region = a.region AND e.account_id = a.id
WHERE a.region = ANY(:homes) AND a.person_id = ANY(:donors) AND e.recorded_at > :spent_since
      AND e.kind IN ('SETTLEMENT_MUTUAL_AID', 'REFUND_MUTUAL_AID')
UNION ALL
SELECT 'PROMISE', a.person_id, h.beneficiary_id, h.institution_code, h.region,
       h.created_at, h.created_at, -h.amount_fen, h.id, CAST(NULL AS uuid)
FROM accounts a JOIN holds h ON h.region = a.region AND h.account_id = a.id
WHERE a.region = ANY(:homes) AND a.person_id = ANY(:donors)
      AND h.state = 'OPEN' AND h.expires_at > :now AND h.binding_id IS NOT NULL
UNION ALL
SELECT CASE WHEN h.state = 'OPEN' THEN 'HOLD'
            WHEN h.institution_code = '' THEN 'CAPTURE_ANYWHERE' ELSE 'CAPTURE' END,
       h.beneficiary_id, h.binding_id, COALESCE(e.counterparty, h.institution_code), h.region,
       h.created_at, COALESCE(h.resolved_at, h.created_at), h.amount_fen, h.id, e.journal_id
FROM holds h LEFT JOIN entries e
     ON e.region = h.region AND e.account_id = h.account_id AND e.source_id = h.id
WHERE h.beneficiary_id = ANY(:patients)
      AND (h.state = 'OPEN' AND h.expires_at > :now AND h.institution_code <> ''
           OR h.state = 'CAPTURED' AND h.resolved_at > :held_since AND e.source_id IS NOT NULL)
UNION ALL
SELECT kind, person_id, other_id, institution_code, region,
       released_until, recorded_at, CAST(0 AS bigint), id, CAST(NULL AS uuid)
FROM risk_signals
WHERE person_id = ANY(:patients)
      AND (recorded_at >= :raised_since OR released_until >= :raised_since)
"""
)
_HISTORY_SQL = compiled(_HISTORY)
_HOLDS = ("HOLD", "CAPTURE", "CAPTURE_ANYWHERE")
_GIVINGS = ("GIVING", "HELD_GIVING", "PROMISE")


@dataclass(frozen=True, slots=True)
class LookBack:
    """How far to look: at a patient's settlements from this id on, at what holds captured, donors'
    entries and signals from these instants on; a hold is open that does not end by `now`.
    """

    patient_id: UUID
    donor_ids: tuple[UUID, ...]
    first_id: UUID
    held_since: datetime
    spent_since: datetime
    raised_since: datetime
    now: datetime


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
    for what, about, *row in rows:
        if what == "VISIT":
            found.visits[about].append(_visit(about, *row))
        elif what in _HOLDS:
            found.visits[about].append(_held_visit(what, about, *row))
        elif what in _GIVINGS:
            found.givings[about].append(_giving(what, about, *row))
        else:
            other, code, _, released_until, _, _, signal_id, _ = row
            raised = Raised(signal_id, RiskKind(what), other, code, released_until)
            found.raised[about].append(raised)
    return found


def _visit(
    patient_id: UUID,
    _other: None,
    code: str,
    region: str,
    occurred_at: datetime,
    recorded_at: datetime,
    mutual_aid_fen: int,
    settlement_id: UUID,
    _journal: None,
) -> Visit:
    at = (occurred_at, recorded_at)
    return Visit(patient_id, settlement_id, code, region, *at, mutual_aid=mutual_aid_fen > 0)


def _held_visit(
    what: str,
    patient_id: UUID,
    binding_id: UUID | None,
    code: str,
    _home: str,
    made_at: datetime,
    at: datetime,
    _fen: int,
    hold_id: UUID,
    journal_id: UUID | None,
) -> Visit:
    return Visit(
        patient_id,
        hold_id,
        code,
        _region_of(journal_id),
        at,
        at,
        mutual_aid=binding_id is not None,
        held=True,
        judged=what != "CAPTURE_ANYWHERE" and day_of(made_at) == day_of(at),
    )


def _giving(
    what: str,
    donor_id: UUID,
    beneficiary_id: UUID,
    code: str,
    _home: str,
    occurred_at: datetime,
    recorded_at: datetime,
    amount_fen: int,
    source_id: UUID,
    journal_id: UUID | None,
) -> Giving:
    return Giving(
        donor_id,
        beneficiary_id,
        source_id,
        code,
        amount_fen,
        occurred_at,
        recorded_at,
        _region_of(journal_id),
        held=what != "GIVING",
        promised=what == "PROMISE",
    )


def _region_of(journal_id: UUID | None) -> str:
    return "" if journal_id is None else region_of(journal_id)


def _parameters(looks: Sequence[LookBack]) -> dict[str, Any]:
    donors = sorted({donor for look in looks for donor in look.donor_ids})
    return {
        "patients": sorted({look.patient_id for look in looks}),
        "donors": donors,
        "homes": sorted({region_of(donor) for donor in donors}),
        "first_id": min(look.first_id for look in looks),
        "held_since": min(look.held_since for look in looks),
        "spent_since": min(look.spent_since for look in looks),
        "raised_since": min(look.raised_since for look in looks),
        "now": min(look.now for look in looks),
    }
