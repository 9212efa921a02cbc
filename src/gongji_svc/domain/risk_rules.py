"""The risk rules of a settlement (policy group `risk`): what was before, and what that makes of one
more.

Rule: a rule looks at what stands before the settlement and was not given back, and is broken by the
one that adds to it: a further institution, another city, a further beneficiary. What goes on
beyond that at the same place is no second signal.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.policy_risk import RiskRule
from gongji_svc.domain.risk import Fact, RiskKind

_FACTS_AT_MOST = 10
_MINUTE = timedelta(minutes=1)

Sale = tuple[UUID, str, datetime]
"""Where a package was sold: settlement, institution code, when."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A settlement of a patient, as far as the rules look; one not yet made has no id."""

    patient_id: UUID
    settlement_id: UUID | None
    institution_code: str
    region: str
    occurred_at: datetime
    recorded_at: datetime

    @property
    def city(self) -> str:
        """The prefecture: the first four digits."""
        return self.region[:4]

    def told(self, text: str) -> Fact:
        """The visit as a fact of a signal."""
        return fact(text, self.settlement_id, self.institution_code, self.occurred_at)


@dataclass(frozen=True, slots=True)
class Giving:
    """A movement of a donor's money for somebody; negative fen were spent."""

    donor_id: UUID
    beneficiary_id: UUID
    settlement_id: UUID | None
    institution_code: str
    amount_fen: int
    occurred_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that is broken; `measured` in the unit of its threshold."""

    kind: RiskKind
    rule: RiskRule
    measured: int
    evidence: tuple[Fact, ...]
    donor_id: UUID | None = None


def fact(
    text: str, settlement_id: UUID | None, institution_code: str, occurred_at: datetime
) -> Fact:
    """One fact behind a signal, as it is kept."""
    return {
        "text": text,
        "settlement_id": "" if settlement_id is None else str(settlement_id),
        "institution_code": institution_code,
        "occurred_at": occurred_at.isoformat(),
    }


def hits(
    visit: Visit,
    visits: Sequence[Visit],
    givings: Mapping[UUID, Sequence[Giving]],
    rules: Mapping[RiskKind, RiskRule],
) -> Iterator[Hit]:
    """The rules that a visit breaks, given the patient's others and, by donor of this one, what was
    spent of the donor's money before within the rule's days.
    """
    for kind, rule in rules.items():
        if kind is RiskKind.MANY_INSTITUTIONS:
            yield from _many_institutions(visit, visits, rule)
        elif kind is RiskKind.FAR_CITIES:
            yield from _far_cities(visit, visits, rule)
        elif kind is RiskKind.DRAINED_DONOR:
            for donor_id, spent in givings.items():
                yield from _drained_donor(visit, donor_id, spent, rule)


def _many_institutions(visit: Visit, visits: Iterable[Visit], rule: RiskRule) -> Iterator[Hit]:
    """The one more institution in a Shanghai day."""
    day = day_of(visit.occurred_at)
    before = [one for one in visits if day_of(one.occurred_at) == day]
    codes = {one.institution_code for one in before}
    measured = len(codes) + 1
    if visit.institution_code not in codes and measured >= rule.threshold:
        facts = [one.told("同日在另一家机构结算。") for one in before]
        facts.append(visit.told(f"当日第{measured}家机构。"))
        yield Hit(RiskKind.MANY_INSTITUTIONS, rule, measured, _some(facts))


def _far_cities(visit: Visit, visits: Iterable[Visit], rule: RiskRule) -> Iterator[Hit]:
    """Another city within minutes, before or after."""
    elsewhere = [one for one in visits if one.city != visit.city]
    if not elsewhere:
        return
    nearest = min(elsewhere, key=lambda one: abs(one.occurred_at - visit.occurred_at))
    apart = abs(nearest.occurred_at - visit.occurred_at)
    if apart <= rule.threshold * _MINUTE:
        minutes = apart // _MINUTE
        facts = (nearest.told("在另一城市结算。"), visit.told(f"相隔{minutes}分钟在本市结算。"))
        yield Hit(RiskKind.FAR_CITIES, rule, minutes, facts)


def _drained_donor(
    visit: Visit, donor_id: UUID, givings: Sequence[Giving], rule: RiskRule
) -> Iterator[Hit]:
    """The one more beneficiary of a donor."""
    spent: dict[UUID, int] = {}
    last: dict[UUID, Giving] = {}
    since = visit.recorded_at - timedelta(days=rule.within_days or 0)
    for giving in givings:
        if giving.recorded_at <= since:
            continue
        spent[giving.beneficiary_id] = spent.get(giving.beneficiary_id, 0) + giving.amount_fen
        if giving.amount_fen < 0:
            last[giving.beneficiary_id] = giving
    others = [one for one in last if spent[one] < 0]
    measured = len(others) + 1
    if visit.patient_id not in others and measured >= rule.threshold:
        text = "另一使用人使用了同一授权人的资金。"
        facts = [
            fact(text, one.settlement_id, one.institution_code, one.occurred_at)
            for one in (last[other] for other in others)
        ]
        facts.append(visit.told(f"{rule.within_days}天内第{measured}位使用人。"))
        yield Hit(RiskKind.DRAINED_DONOR, rule, measured, _some(facts), donor_id)


def repeated_sale(
    visit: Visit, sales: Mapping[str, Sequence[Sale]], rule: RiskRule
) -> Iterator[Hit]:
    """Packages that were sold before; `sales` by trace code, without what was given back."""
    often = {code: before for code, before in sales.items() if len(before) + 1 >= rule.threshold}
    if often:
        facts = [
            fact(f"追溯码{code}此前已售出。", *sale)
            for code, before in often.items()
            for sale in before
        ]
        facts.append(visit.told(f"本次有{len(often)}个追溯码重复售出。"))
        measured = max(map(len, often.values())) + 1
        yield Hit(RiskKind.REPEATED_TRACE_CODE, rule, measured, _some(facts))


def _some(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """The first and, of many, the last."""
    if len(facts) <= _FACTS_AT_MOST:
        return tuple(facts)
    return (*facts[: _FACTS_AT_MOST - 1], facts[-1])
