"""Looks for suspicious patterns in what was settled, a few seconds behind the tills, for the rules
that only advise.

Rule: a settlement is judged by what was recorded before it, so it does not matter when, or by
whom, it is looked at. A rule that holds is asked at the till; here it advises where no relative
paid. Only what stands still is looked at: one that was given back meanwhile raises nothing. Holds
raise nothing here; what they captured, or still set aside, counts with what was before.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_risk import RiskRule
from gongji_svc.domain.risk import RiskAction, RiskKind, Signal
from gongji_svc.domain.risk_rules import Giving, Hit, Sale, Visit, hits, repeated_sale
from gongji_svc.services.office import Office
from gongji_svc.services.risk_checks import look_back_of, signal_of
from gongji_svc.storage.risk import add_signals
from gongji_svc.storage.risk_history import History, LookBack, read_history
from gongji_svc.storage.risk_rounds import (
    FIRST,
    Looked,
    Mark,
    add_sales,
    move_mark,
    settled_after,
    sold_before,
    take_mark,
)
from gongji_svc.storage.seal_writes import read_clock

_BEHIND = timedelta(seconds=2)
_AT_FIRST = timedelta(days=1)
_WINDOW = timedelta(hours=1)  # read at once, so that a backlog is not sorted again and again
_SETTLEMENTS_A_STEP = 500
_WITHOUT_RELATIVES = frozenset({RiskAction.ADVISE, RiskAction.HOLD})

Rules = Mapping[RiskKind, RiskRule]


def find_risks(office: Office) -> int:
    """Look at the next settlements, unless another does; how many."""
    with office.database.transaction() as tx:
        now, oldest = (instant + office.clock_offset for instant in read_clock(tx))
        mark = take_mark(tx, now - _AT_FIRST)
        safe = min(oldest, now - _BEHIND)
        found: Sequence[Looked] = ()
        while mark is not None and not found and mark[0] < safe:
            until = min(safe, mark[0] + _WINDOW)
            found = settled_after(tx, mark, until, _SETTLEMENTS_A_STEP)
            mark = found[-1].mark if found else (until, FIRST)
            move_mark(tx, mark)
        policies = _Policies(office)
        visits = [(one, rules) for one in found if (rules := policies.on_people(one))]
        history = read_history(tx, [_look_back(office, *visit) for visit in visits])
        sales = [(one, rule) for one in found if (rule := policies.on_packages(one))]
        sold = sold_before(tx, ((one.region, code) for one, _ in sales for code in one.codes))
        add_signals(tx, _of_people(office, visits, history, now))
        add_signals(tx, _of_packages(office, sales, sold, now))
        add_sales(tx, (one for one, _ in sales))
    return len(found)


@dataclass(slots=True)
class _Policies:
    """The rules of each region and day, looked up once."""

    office: Office
    _found: dict[tuple[str, date], Policy | None] = field(default_factory=dict)

    def on_people(self, one: Looked) -> Rules:
        """The rules that advise on a settlement's people; none on one that was given back."""
        policy = self._of(one)
        if policy is None or not one.stands:
            return {}
        actions = {RiskAction.ADVISE} if one.mutual_aid_pay_fen else _WITHOUT_RELATIVES
        risks = policy.settlement_risks
        return {kind: rule for kind, rule in risks.items() if rule.action in actions}

    def on_packages(self, one: Looked) -> RiskRule | None:
        """The rule on a settlement's trace codes, where it has any."""
        policy = self._of(one)
        if policy is None or not (one.stands and one.trace_codes):
            return None
        return policy.risk_repeated_trace_code

    def _of(self, one: Looked) -> Policy | None:
        key = (one.region, day_of(one.occurred_at))
        if key not in self._found:
            self._found[key] = self.office.find_policy(*key)
        return self._found[key]


def _look_back(office: Office, one: Looked, rules: Rules) -> LookBack:
    return look_back_of(
        office, one.patient_id, one.donor_ids, one.occurred_at, one.recorded_at, rules
    )


def _of_people(
    office: Office, visits: Iterable[tuple[Looked, Rules]], history: History, now: datetime
) -> Iterator[Signal]:
    for one, rules in visits:
        visit, code, raised = _visit(one), one.institution_code, history.raised[one.patient_id]
        for hit in _hits(one, visit, history, rules):
            passes = (p.lets_pass(hit.kind, hit.donor_id, code, one.recorded_at) for p in raised)
            if not any(passes):
                yield signal_of(office, hit, visit, RiskAction.ADVISE, now)


def _hits(one: Looked, visit: Visit, history: History, rules: Rules) -> Iterator[Hit]:
    """What a settlement breaks, by what was recorded before it."""
    before = [v for v in history.visits[one.patient_id] if _mark(v) < one.mark]
    givings = {
        donor: [giving for giving in history.givings[donor] if _mark(giving) < one.mark]
        for donor in one.donor_ids
    }
    return hits(visit, before, givings, rules)


def _of_packages(
    office: Office,
    sales: Iterable[tuple[Looked, RiskRule]],
    sold: Mapping[tuple[str, str], list[Sale]],
    now: datetime,
) -> Iterator[Signal]:
    """Signals of what was sold before; `sold` then knows these sales too."""
    for one, rule in sales:
        before: dict[str, list[Sale]] = {}
        for code in one.codes:
            of_code = sold[one.region, code]
            before[code] = list(of_code)
            of_code.append((one.settlement_id, one.institution_code, one.occurred_at))
        for hit in repeated_sale(_visit(one), before, rule):
            yield signal_of(office, hit, _visit(one), RiskAction.ADVISE, now)


def _visit(one: Looked) -> Visit:
    return Visit(
        one.patient_id,
        one.settlement_id,
        one.institution_code,
        one.region,
        one.occurred_at,
        one.recorded_at,
        mutual_aid=one.mutual_aid_pay_fen > 0,
    )


def _mark(seen: Visit | Giving) -> Mark:
    return seen.recorded_at, seen.settlement_id or FIRST
