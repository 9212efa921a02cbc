"""What the risk rules look back on, as earlier commands of the batch have left it.

Rule: what the batch has gathered or made of a settlement or a hold replaces what was read of it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.hold import Hold, HoldState
from gongji_svc.domain.journal import EntryKind
from gongji_svc.domain.risk_rules import Giving, Visit
from gongji_svc.domain.settlement_state import SettlementState
from gongji_svc.storage import tables
from gongji_svc.storage.holds import hold_from
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.settlements import SettlementRow
from gongji_svc.storage.state import State

_GIVEN_BACK = (SettlementState.REFUNDED, SettlementState.CANCELLED)
_ENTRY = tables.entries.c.keys()
_ACCOUNT, _SOURCE = _ENTRY.index("account_id"), _ENTRY.index("source_id")
_PATIENT = tables.settlements.c.keys().index("patient_id")
_MUTUAL_AID = (EntryKind.SETTLEMENT_MUTUAL_AID.value, EntryKind.REFUND_MUTUAL_AID.value)


def visits_of(state: State, patient_id: UUID) -> Sequence[Visit]:
    """The patient's settlements that stand, and the holds for the patient that do."""
    known = {one.settlement_id: one for one in state.history.visits[patient_id]}
    of_patient = [one for one in state.settlements.values() if one[_PATIENT] == patient_id]
    for row in (SettlementRow(*one) for one in of_patient):
        known.pop(row.id, None)
        if row.state not in _GIVEN_BACK:
            place, paid = (row.institution_code, row.region), row.mutual_aid_pay_fen > 0
            at = (row.occurred_at, row.recorded_at)
            known[row.id] = Visit(patient_id, row.id, *place, *at, mutual_aid=paid)
    for hold in (one for one in _holds(state) if one.beneficiary_id == patient_id):
        visit = _visit(state, hold)
        if visit is not None:
            known[hold.hold_id] = visit
        elif hold.state is not HoldState.CAPTURED:
            known.pop(hold.hold_id, None)
    return list(known.values())


def _visit(state: State, hold: Hold) -> Visit | None:
    """What a hold that is open, or that a command of the batch has captured, is of a visit."""
    if hold.state is HoldState.OPEN and hold.institution_code:
        return _held_visit(hold, hold.institution_code, "", hold.created_at)
    entry = next((row for row in state.entries if row[_SOURCE] == hold.hold_id), None)
    if entry is None:
        return None
    named = dict(zip(_ENTRY, entry, strict=True))
    region = region_of(named["journal_id"])
    return _held_visit(hold, named["counterparty"], region, named["recorded_at"])


def _held_visit(hold: Hold, code: str, region: str, at: datetime) -> Visit:
    return Visit(
        hold.beneficiary_id,
        hold.hold_id,
        code,
        region,
        at,
        at,
        mutual_aid=hold.binding_id is not None,
        held=True,
        judged=hold.institution_code != "" and day_of(hold.created_at) == day_of(at),
    )


def givings_of(state: State, donor_id: UUID) -> Sequence[Giving]:
    """What moved of the donor's money for others, and what is set aside for them."""
    holds = {hold.hold_id: hold for hold in _holds(state) if hold.owner_id == donor_id}
    read = [
        one
        for one in state.history.givings[donor_id]
        if not (one.promised and one.settlement_id in holds)
    ]
    promised = [
        _promise(hold)
        for hold in holds.values()
        if hold.state is HoldState.OPEN and hold.binding_id is not None
    ]
    account_ids = {account.id for account in state.accounts_of[donor_id]}
    entries = (
        dict(zip(_ENTRY, row, strict=True)) for row in state.entries if row[_ACCOUNT] in account_ids
    )
    moved = [
        _giving(donor_id, entry, held=entry["source_id"] in holds)
        for entry in entries
        if entry["kind"] in _MUTUAL_AID
    ]
    return [*read, *promised, *moved]


def _promise(hold: Hold) -> Giving:
    return Giving(
        hold.owner_id,
        hold.beneficiary_id,
        hold.hold_id,
        hold.institution_code,
        -hold.amount_fen,
        hold.created_at,
        hold.created_at,
        held=True,
        promised=True,
    )


def _giving(donor_id: UUID, entry: dict[str, Any], *, held: bool) -> Giving:
    return Giving(
        donor_id,
        entry["beneficiary_id"],
        entry["source_id"],
        entry["counterparty"],
        entry["amount_fen"],
        entry["occurred_at"],
        entry["recorded_at"],
        region_of(entry["journal_id"]),
        held=held,
    )


def _holds(state: State) -> Sequence[Hold]:
    return [hold_from(row) for row in state.holds.values()]
