"""BIND_SPEND_UNBIND: a binding that one of its people ends soon after money was spent through it.

Rule: the rule is that of the donor's region, whose agency is told; the end of the binding goes on.
What came back was not spent. A revocation is the agency's own and no signal.
"""

from collections.abc import Iterator

from gongji_svc.domain.binding import EndCause
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.money import yuan
from gongji_svc.domain.risk import RiskKind, Signal, SignalState
from gongji_svc.domain.risk_rules import fact
from gongji_svc.services.office import Office
from gongji_svc.storage import tables
from gongji_svc.storage.bindings import Kept
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.risk import signal_row
from gongji_svc.storage.settlements import Counted
from gongji_svc.storage.state import State, TableRow


def ended_early(office: Office, state: State, ended: Kept) -> Iterator[TableRow]:
    """The signal of a binding as ended today, where there is one; what it spent since it began was
    read.
    """
    binding, region, today = ended.binding, ended.donor_region, day_of(state.now)
    policy = office.find_policy(region, today)
    rule = None if policy is None else policy.risk_bind_spend_unbind
    days = (today - binding.effective_from).days
    spent_fen = sum(state.counters[binding.binding_id, Counted.MUTUAL_AID.value].values())
    by_side = ended.ending.get("cause") != EndCause.REVOKED
    if rule is None or not by_side or spent_fen <= 0 or days > rule.threshold:
        return
    text = f"共济关系生效{days}天后解除，其间使用共济资金{yuan(spent_fen)}元。"
    signal = Signal(
        signal_id=new_id(region),
        kind=RiskKind.BIND_SPEND_UNBIND,
        action=rule.action,
        state=SignalState.OPEN,
        institution_code="",
        person_id=binding.beneficiary_id,
        other_id=binding.donor_id,
        settlement_id=None,
        threshold=rule.threshold,
        measured=days,
        evidence=(fact(text, None, "", state.now),),
        recorded_at=state.now,
    )
    yield tables.risk_signals, signal_row(signal)
