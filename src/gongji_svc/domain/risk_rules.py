"""The risk rules of a settlement (policy group `risk`): what was before, and what that makes of one
more.

Rule: a rule looks at what stands before the settlement and was not given back, and is broken by the
one that adds to it: a further institution, another city, a further beneficiary. What goes on
beyond that at the same place is no second signal; of a rule that stops, only where the rule had
let through what was before. Money set aside is as good as spent.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.policy_risk import RiskRule
from gongji_svc.domain.risk import Fact, RiskAction, RiskKind

_FACTS_AT_MOST = 10
_SPENT = "另一使用人使用了同一授权人的资金。"
_MINUTE = timedelta(minutes=1)

Sale = tuple[UUID, str, datetime]
"""Where a package was sold: settlement, institution code, when."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A settlement of a patient, or money set aside for one, as far as the rules look; one not yet
    made has no id.

    `mutual_aid`: a relative's money pays. `held`: the id is a hold's; while that is open its region
    is not known and empty. `judged`: at this place, on this day; what is captured on a later day
    than it was set aside, or was for any place, was not.
    """

    patient_id: UUID
    settlement_id: UUID | None
    institution_code: str
    region: str
    occurred_at: datetime
    recorded_at: datetime
    mutual_aid: bool = False
    held: bool = False
    judged: bool = True

    @property
    def city(self) -> str:
        """The prefecture: the first four digits."""
        return self.region[:4]

    @property
    def done(self) -> str:
        """What was done there, as evidence names it."""
        return "预留" if self.held else "结算"

    def told(self, text: str) -> Fact:
        """The visit as a fact of a signal."""
        code, at = self.institution_code, self.occurred_at
        return fact(text, self.settlement_id, code, at, held=self.held)


@dataclass(frozen=True, slots=True)
class Giving:
    """A movement of a donor's money for somebody; negative fen were spent, or are `promised`: set
    aside. `region`: of the place, where it is known; `held`: the id is a hold's.
    """

    donor_id: UUID
    beneficiary_id: UUID
    settlement_id: UUID | None
    institution_code: str
    amount_fen: int
    occurred_at: datetime
    recorded_at: datetime
    region: str = ""
    held: bool = False
    promised: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that is broken; `measured` in the unit of its threshold."""

    kind: RiskKind
    rule: RiskRule
    measured: int
    evidence: tuple[Fact, ...]
    donor_id: UUID | None = None


def fact(
    text: str,
    about_id: UUID | None,
    institution_code: str,
    occurred_at: datetime,
    *,
    held: bool = False,
) -> Fact:
    """One fact behind a signal, as it is kept: about a settlement, or a hold."""
    return {
        "text": text,
        "hold_id" if held else "settlement_id": "" if about_id is None else str(about_id),
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


def _many_institutions(visit: Visit, visits: Sequence[Visit], rule: RiskRule) -> Iterator[Hit]:
    """The one more institution in a Shanghai day: of those where something happened on the day of
    the visit, or of those of which something was recorded on the day it is, whichever are more.
    """
    happened, recorded = day_of(visit.occurred_at), day_of(visit.recorded_at)
    days = (
        ("同日", [one for one in visits if day_of(one.occurred_at) == happened]),
        ("同日录入，", [one for one in visits if day_of(one.recorded_at) == recorded]),
    )
    found = [hit for day, before in days for hit in _one_more(visit, day, before, rule)]
    if found:
        yield max(found, key=lambda hit: hit.measured)


def _one_more(visit: Visit, day: str, before: Sequence[Visit], rule: RiskRule) -> Iterator[Hit]:
    """The one more institution after those of a day."""
    here = visit.institution_code
    others = [one for one in before if one.institution_code != here]
    measured = len({one.institution_code for one in others}) + 1
    known = any(_let_through(visit, one, rule) for one in before if one.institution_code == here)
    if not known and measured >= rule.threshold:
        facts = [one.told(f"{day}在另一家机构{one.done}。") for one in others]
        facts.append(visit.told(f"{day}连同本次{visit.done}共{measured}家机构。"))
        yield Hit(RiskKind.MANY_INSTITUTIONS, rule, measured, _some(facts))


def _let_through(visit: Visit, before: Visit, rule: RiskRule) -> bool:
    """Whether what was before at the same place makes that known: where the rule stops, only what
    it had judged. One that holds judges what relatives pay, and nothing else.
    """
    if rule.action is RiskAction.HOLD and visit.mutual_aid:
        return before.judged and before.mutual_aid
    return before.judged or rule.action is not RiskAction.DENY


def _far_cities(visit: Visit, visits: Iterable[Visit], rule: RiskRule) -> Iterator[Hit]:
    """Another city within minutes, before or after."""
    elsewhere = [one for one in visits if one.region and one.city != visit.city]
    if not elsewhere:
        return
    nearest = min(elsewhere, key=lambda one: abs(one.occurred_at - visit.occurred_at))
    apart = abs(nearest.occurred_at - visit.occurred_at)
    if apart <= rule.threshold * _MINUTE:
        minutes = apart // _MINUTE
        facts = (
            nearest.told(f"在另一城市{nearest.done}。"),
            visit.told(f"相隔{minutes}分钟在本市{visit.done}。"),
        )
        yield Hit(RiskKind.FAR_CITIES, rule, minutes, facts)


def _drained_donor(
    visit: Visit, donor_id: UUID, givings: Sequence[Giving], rule: RiskRule
) -> Iterator[Hit]:
    """The one more beneficiary of a donor."""
    since = visit.recorded_at - timedelta(days=rule.within_days or 0)
    recent = [one for one in givings if one.promised or one.recorded_at > since]
    spent: Counter[UUID] = Counter()
    for giving in recent:
        spent[giving.beneficiary_id] += giving.amount_fen
    last = {one.beneficiary_id: one for one in recent if one.amount_fen < 0}
    others = [one for one in last if spent[one] < 0 and one != visit.patient_id]
    measured = len(others) + 1
    known = spent[visit.patient_id] < 0 and any(
        giving.beneficiary_id == visit.patient_id and _was_judged(visit, giving, rule)
        for giving in recent
    )
    if not known and measured >= rule.threshold:
        facts = [
            fact(
                "为另一使用人预留了同一授权人的资金。" if one.promised else _SPENT,
                one.settlement_id,
                one.institution_code,
                one.occurred_at,
                held=one.held,
            )
            for one in (last[other] for other in others)
        ]
        facts.append(
            visit.told(f"{rule.within_days}天内第{measured}位使用人，本次为{visit.done}。")
        )
        yield Hit(RiskKind.DRAINED_DONOR, rule, measured, _some(facts), donor_id)


def _was_judged(visit: Visit, giving: Giving, rule: RiskRule) -> bool:
    """Whether a rule let a donor's money be spent or set aside, so that there may be more; of
    another region's rules none knows. What is set aside is so for one place, or for any.
    """
    if giving.amount_fen > 0:
        return False
    if rule.action is RiskAction.ADVISE:
        return True
    if giving.promised:
        return giving.institution_code in ("", visit.institution_code)
    return giving.region == visit.region


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
