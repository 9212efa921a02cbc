"""The risk rules of a settlement that hold or refuse, asked before anything moves.

Rule: the rules are those of the region of care on the day of the settlement. A rule that holds
withholds mutual aid alone: a bill that no relative pays goes on. Every rule that is broken has a
signal, one a day for the same people at the same place; what the agency released passes for a day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gongji_svc.domain import errors
from gongji_svc.domain.calendar import day_of, start_of
from gongji_svc.domain.errors import Refusal
from gongji_svc.domain.journal import EntryKind
from gongji_svc.domain.policy_risk import RiskRule
from gongji_svc.domain.risk import RiskAction, RiskKind, Signal, SignalState
from gongji_svc.domain.risk_rules import Giving, Hit, Visit, hits
from gongji_svc.domain.settlement import Plan
from gongji_svc.domain.settlement_state import SettlementState
from gongji_svc.services.office import Office
from gongji_svc.storage import tables
from gongji_svc.storage.ids import id_about
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.risk import signal_row
from gongji_svc.storage.risk_history import LookBack
from gongji_svc.storage.settlements import SettlementRow
from gongji_svc.storage.state import State

_A_DAY = timedelta(days=1)
_LATE = timedelta(hours=1)  # an id's clock is not the till's
_NO_HASH = bytes(7)
_ANYWHERE = "000000"
_GIVEN_BACK = (SettlementState.REFUNDED, SettlementState.CANCELLED)
_ENTRY = tables.entries.c.keys()
_ACCOUNT = _ENTRY.index("account_id")
_PATIENT = tables.settlements.c.keys().index("patient_id")
_MUTUAL_AID = (EntryKind.SETTLEMENT_MUTUAL_AID.value, EntryKind.REFUND_MUTUAL_AID.value)


@dataclass(frozen=True, slots=True)
class RiskCheck:
    """The rules that may stop one settlement; `look_back` is what they ask of the database."""

    office: Office
    institution: Institution
    occurred_at: datetime
    rules: Mapping[RiskKind, RiskRule]
    look_back: LookBack

    def check(self, state: State, decided: Plan, *, recorded: bool) -> None:
        """HeldForReview or RefusedByRiskRule where a rule stops the plan; with its signals where
        they are to be recorded.
        """
        patient_id, code = self.look_back.patient_id, self.institution.institution_code
        region = self.institution.region
        visit = Visit(patient_id, None, code, region, self.occurred_at, state.now)
        payers = dict.fromkeys(leg.person_id for leg in decided.legs if leg.binding_id is not None)
        givings = {payer: _givings(state, payer) for payer in payers}
        raised = state.history.raised[patient_id]
        stopping = [
            hit
            for hit in hits(visit, _visits(state, patient_id), givings, self.rules)
            if (payers or hit.rule.action is RiskAction.DENY)
            and not any(one.lets_pass(hit.kind, hit.donor_id, code, state.now) for one in raised)
        ]
        if not stopping:
            return
        signals = [
            signal_of(self.office, hit, visit, hit.rule.action, state.now) for hit in stopping
        ]
        known = {one.signal_id for one in raised}
        rows = [
            (tables.risk_signals, signal_row(one)) for one in signals if one.signal_id not in known
        ]
        denied = any(hit.rule.action is RiskAction.DENY for hit in stopping)
        refused: type[Refusal] = errors.RefusedByRiskRule if denied else errors.HeldForReview
        raise refused(records=rows if recorded else ())


def risks_at(
    office: Office,
    institution: Institution,
    occurred_at: datetime,
    patient_id: UUID,
    donor_ids: Sequence[UUID],
) -> RiskCheck | None:
    """The rules that may stop a settlement; None where the region has none."""
    policy = office.find_policy(institution.region, day_of(occurred_at))
    rules = {} if policy is None else policy.refusing_risks
    if not rules:
        return None
    look_back = look_back_of(office, patient_id, donor_ids, occurred_at, office.now(), rules)
    return RiskCheck(office, institution, occurred_at, rules, look_back)


def look_back_of(
    office: Office,
    patient_id: UUID,
    donor_ids: Iterable[UUID],
    occurred_at: datetime,
    recorded_at: datetime,
    rules: Mapping[RiskKind, RiskRule],
) -> LookBack:
    """How far some rules look back from a settlement; what is too early they pass over."""
    far, drained = rules.get(RiskKind.FAR_CITIES), rules.get(RiskKind.DRAINED_DONOR)
    minutes = 0 if far is None else far.threshold
    days = 0 if drained is None else drained.within_days or 0
    first = min(start_of(day_of(occurred_at)), occurred_at - timedelta(minutes=minutes))
    return LookBack(
        patient_id=patient_id,
        donor_ids=() if drained is None else tuple(donor_ids),
        # Ids are dated by the machine's clock, which only tests and the demo move.
        first_id=id_about(_ANYWHERE, first - _LATE - office.clock_offset, _NO_HASH),
        spent_since=recorded_at - timedelta(days=days) - _LATE,
        raised_since=recorded_at - _A_DAY,
    )


def signal_of(office: Office, hit: Hit, visit: Visit, action: RiskAction, now: datetime) -> Signal:
    """The signal of a rule that is broken and what it did: one a day for the same people at the
    same place; of a trace code, one a settlement.
    """
    about = f"{action} {visit.institution_code} {visit.patient_id} {hit.donor_id}"
    if hit.kind is RiskKind.REPEATED_TRACE_CODE:
        about = str(visit.settlement_id)
    since = start_of(day_of(visit.recorded_at))
    return Signal(
        signal_id=id_about(visit.region, since, office.sealer.index(hit.kind, about)),
        kind=hit.kind,
        action=action,
        state=SignalState.OPEN,
        institution_code=visit.institution_code,
        person_id=visit.patient_id,
        other_id=hit.donor_id,
        settlement_id=visit.settlement_id,
        threshold=hit.rule.threshold,
        measured=hit.measured,
        evidence=hit.evidence,
        recorded_at=now,
    )


def _visits(state: State, patient_id: UUID) -> list[Visit]:
    """The patient's settlements that stand, as earlier commands of the batch have left them."""
    known = {one.settlement_id: one for one in state.history.visits[patient_id]}
    of_patient = [one for one in state.settlements.values() if one[_PATIENT] == patient_id]
    for row in (SettlementRow(*one) for one in of_patient):
        known.pop(row.id, None)
        if row.state not in _GIVEN_BACK:
            place = (row.institution_code, row.region)
            known[row.id] = Visit(patient_id, row.id, *place, row.occurred_at, row.recorded_at)
    return list(known.values())


def _givings(state: State, donor_id: UUID) -> list[Giving]:
    """What moved of the donor's money for others, with what earlier commands of the batch moved."""
    account_ids = {account.id for account in state.accounts_of[donor_id]}
    entries = (
        dict(zip(_ENTRY, row, strict=True)) for row in state.entries if row[_ACCOUNT] in account_ids
    )
    moved = [
        Giving(
            donor_id,
            entry["beneficiary_id"],
            entry["source_id"],
            entry["counterparty"],
            entry["amount_fen"],
            entry["occurred_at"],
            entry["recorded_at"],
        )
        for entry in entries
        if entry["kind"] in _MUTUAL_AID
    ]
    return [*state.history.givings[donor_id], *moved]
