"""The risk rules that hold or refuse a settlement, or a hold, asked before anything moves.

Rule: the rules are those of the region of care on the day of the settlement; of a hold for any
place, those of the region whose agency makes it. A rule that holds withholds mutual aid alone: a
bill that no relative pays goes on. Every rule that is broken has a signal, one a day for the same
people at the same place; what the agency released passes for a day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gongji_svc.domain import errors
from gongji_svc.domain.calendar import day_of, start_of
from gongji_svc.domain.errors import Refusal
from gongji_svc.domain.policy_risk import RiskRule
from gongji_svc.domain.risk import RiskAction, RiskKind, Signal, SignalState
from gongji_svc.domain.risk_rules import Hit, Visit, hits
from gongji_svc.services.office import Office
from gongji_svc.storage import tables
from gongji_svc.storage.ids import id_about
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.risk import signal_row
from gongji_svc.storage.risk_batch import givings_of, visits_of
from gongji_svc.storage.risk_history import LookBack
from gongji_svc.storage.state import State

_A_DAY = timedelta(days=1)
_LATE = timedelta(hours=1)  # an id's clock is not the till's
_NO_HASH = bytes(7)
_ANYWHERE = "000000"


@dataclass(frozen=True, slots=True)
class RiskCheck:
    """The rules that may stop one settlement, or hold (`held`); `look_back` is what they ask of the
    database.
    """

    office: Office
    institution_code: str
    region: str
    occurred_at: datetime
    held: bool
    rules: Mapping[RiskKind, RiskRule]
    look_back: LookBack

    def check(self, state: State, payers: Iterable[UUID]) -> None:
        """HeldForReview or RefusedByRiskRule, with its signals, where a rule stops what these
        relatives are to pay.
        """
        patient_id, code = self.look_back.patient_id, self.institution_code
        givings = {payer: givings_of(state, payer) for payer in dict.fromkeys(payers)}
        visit = Visit(
            patient_id,
            None,
            code,
            self.region,
            self.occurred_at,
            state.now,
            mutual_aid=bool(givings),
            held=self.held,
        )
        raised = state.history.raised[patient_id]
        stopping = [
            hit
            for hit in hits(visit, visits_of(state, patient_id), givings, self.rules)
            if (givings or hit.rule.action is RiskAction.DENY)
            and not any(one.lets_pass(hit.kind, hit.donor_id, code, state.now) for one in raised)
        ]
        if not stopping:
            return
        signals = [
            signal_of(self.office, hit, visit, hit.rule.action, state.now) for hit in stopping
        ]
        known = {one.signal_id for one in raised}
        denied = any(hit.rule.action is RiskAction.DENY for hit in stopping)
        refused: type[Refusal] = errors.RefusedByRiskRule if denied else errors.HeldForReview
        raise refused(
            records=[
                (tables.risk_signals, signal_row(one))
                for one in signals
                if one.signal_id not in known
            ]
        )


def risks_at(
    office: Office,
    institution: Institution,
    occurred_at: datetime,
    patient_id: UUID,
    donor_ids: Sequence[UUID],
) -> RiskCheck | None:
    """The rules that may stop a settlement; None where the region has none."""
    code, region = institution.institution_code, institution.region
    rules = _refusing(office, region, occurred_at)
    if not rules:
        return None
    look_back = look_back_of(office, patient_id, donor_ids, occurred_at, office.now(), rules)
    return RiskCheck(office, code, region, occurred_at, False, rules, look_back)


def risks_of_hold(
    office: Office, code: str, region: str, patient_id: UUID, donor_ids: Sequence[UUID]
) -> RiskCheck | None:
    """The rules that may stop a hold now; None where the region has none. Only the rule on donors
    can tell anything of a hold for any place.
    """
    now = office.now()
    rules = {
        kind: rule
        for kind, rule in _refusing(office, region, now).items()
        if code or kind is RiskKind.DRAINED_DONOR
    }
    if not rules:
        return None
    look_back = look_back_of(office, patient_id, donor_ids, now, now, rules)
    return RiskCheck(office, code, region, now, True, rules, look_back)


def _refusing(office: Office, region: str, at: datetime) -> Mapping[RiskKind, RiskRule]:
    policy = office.find_policy(region, day_of(at))
    return {} if policy is None else policy.refusing_risks


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
    day = min(day_of(occurred_at), day_of(recorded_at))
    first = min(start_of(day), occurred_at - timedelta(minutes=minutes)) - _LATE
    return LookBack(
        patient_id=patient_id,
        donor_ids=() if drained is None else tuple(donor_ids),
        # Ids are dated by the machine's clock, which only tests and the demo move.
        first_id=id_about(_ANYWHERE, first - office.clock_offset, _NO_HASH),
        held_since=first,
        spent_since=recorded_at - timedelta(days=days) - _LATE,
        raised_since=recorded_at - _A_DAY,
        now=recorded_at,
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
