# ruff: noqa: RUF009 - at() makes a dataclass field; it is not a shared mutable default
"""The group `risk` of a region's policy: which patterns are suspicious, and what is then done.

Rule: a rule that no level states, or that a region withdraws with "NONE", is off. What is seen only
when it is done can't be stopped any more, and a repeated trace code never stops a sale: such rules
advise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gongji_svc.domain.policy_values import Reader, at, one_of, optional, record, whole
from gongji_svc.domain.risk import RiskAction, RiskKind


@dataclass(frozen=True, slots=True)
class RiskRule:
    """When a signal is raised and what it then does; `threshold` in the unit of its kind."""

    threshold: int
    action: RiskAction
    within_days: int | None = None


def _at_least(least: int) -> Reader[int]:
    def read(value: object) -> int:
        number = whole(value)
        if number < least:
            raise ValueError(f"expected at least {least}")
        return number

    return read


def _advice(value: object) -> RiskAction:
    action = _action(value)
    if action is not RiskAction.ADVISE:
        raise ValueError("expected ADVISE: this rule stops nothing")
    return action


def _beneficiaries(value: object) -> RiskRule:
    rule = _looking_back(value)
    if rule.within_days is None:
        raise ValueError("expected also within_days")
    return rule


_action = one_of(RiskAction)
_several, _some = _at_least(2), _at_least(1)
_institutions = record(RiskRule, threshold=_several, action=_action)
_sales = record(RiskRule, threshold=_several, action=_advice)
_minutes = record(RiskRule, threshold=_some, action=_action)
_looking_back = record(RiskRule, threshold=_several, within_days=_some, action=_action)
_days = record(RiskRule, threshold=_some, action=_advice)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RiskRules:
    """The risk rules of one region on one day; None: off."""

    # different institutions of one patient on a day
    risk_many_institutions: RiskRule | None = at(
        "risk.many_institutions", optional(_institutions), None
    )
    # sales of one package that was not given back
    risk_repeated_trace_code: RiskRule | None = at(
        "risk.repeated_trace_code", optional(_sales), None
    )
    # minutes within which a patient is in two cities
    risk_far_cities: RiskRule | None = at("risk.far_cities", optional(_minutes), None)
    # people who spend one donor's money within days
    risk_drained_donor: RiskRule | None = at("risk.drained_donor", optional(_beneficiaries), None)
    # days within which a binding begins, pays and is ended
    risk_bind_spend_unbind: RiskRule | None = at("risk.bind_spend_unbind", optional(_days), None)

    @property
    def settlement_risks(self) -> Mapping[RiskKind, RiskRule]:
        """The rules that look at a settlement's people, those that are on."""
        return {kind: rule for kind, rule in self._of_people() if rule is not None}

    @property
    def refusing_risks(self) -> Mapping[RiskKind, RiskRule]:
        """Those of them that hold or refuse."""
        return {
            kind: rule
            for kind, rule in self._of_people()
            if rule is not None and rule.action is not RiskAction.ADVISE
        }

    def _of_people(self) -> tuple[tuple[RiskKind, RiskRule | None], ...]:
        return (
            (RiskKind.MANY_INSTITUTIONS, self.risk_many_institutions),
            (RiskKind.FAR_CITIES, self.risk_far_cities),
            (RiskKind.DRAINED_DONOR, self.risk_drained_donor),
        )
