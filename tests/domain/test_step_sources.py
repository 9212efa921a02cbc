"""Whatever an explanation tells, it names where the rule stands."""

from datetime import date
from itertools import product

import pytest

from gongji_svc.domain.benefit import Benefit, BenefitTerms
from gongji_svc.domain.breakdown import Breakdown
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.standing import FundObstacle
from gongji_svc.domain.step import Rule, steps_of_accounts, steps_of_fund
from gongji_svc.domain.terms import AccountUse, InstitutionKind
from gongji_svc.domain.usability import Why
from gongji_svc.domain.waterfall import DonorOutcome, Flow
from gongji_svc.regions import load
from tests.domain.builders import donor
from tests.services.by_hand import resolves

DAY = date(2025, 5, 6)
ALL_CASH = Breakdown(100, 0, 0, 0, 100, 0, 0, 0, 100, 0, 0, 100)
NOTHING = Benefit(0, 0, 0)
HOHHOT, ULANQAB, TIELING = REGIONS = ["150100", "150900", "211200"]
NO_FUND = ["NOT_COMPUTED", "VISIT_TYPE_WITHOUT_BENEFIT", "PERSON_WITHOUT_BENEFIT"]
OF_ARREARS = [FundObstacle.ARREARS_UNPAID, FundObstacle.ARREARS_NOT_EFFECTIVE]
ANYWHERE = [*(why for why in FundObstacle if why not in OF_ARREARS), *NO_FUND]


def policy_of(region: str) -> Policy:
    return load().on(region, DAY)


@pytest.mark.parametrize(
    ("region", "why"),
    [*product(REGIONS, ANYWHERE), *product([ULANQAB], OF_ARREARS)],  # only there arrears matter
)
def test_why_the_fund_pays_nothing_has_a_source(region: str, why: str) -> None:
    terms = BenefitTerms(why_none=why)
    for place in InstitutionKind:
        (step,) = steps_of_fund(ALL_CASH, terms, NOTHING, policy_of(region), DAY, place)
        assert resolves(step.source)


@pytest.mark.parametrize("region", [HOHHOT, ULANQAB])
def test_a_hospital_is_not_told_of_a_rule_for_pharmacies(region: str) -> None:
    terms = BenefitTerms(why_none="VISIT_TYPE_WITHOUT_BENEFIT")
    told = {
        place: step.source
        for place in InstitutionKind
        for step in steps_of_fund(ALL_CASH, terms, NOTHING, policy_of(region), DAY, place)
    }
    assert told.pop(InstitutionKind.PHARMACY).endswith("#pooled-benefit-at-pharmacies")
    assert set(told.values()) == {"docs/decisions/readings.md#outpatient-benefit"}


@pytest.mark.parametrize(
    "rule", ["", "limits.per_day_fen", "own_zero_rule", "use_places", "beneficiary_insurances"]
)
@pytest.mark.parametrize("region", REGIONS)
def test_why_a_donor_pays_nothing_has_a_source(region: str, rule: str) -> None:
    policy = policy_of(region)
    asked = donor(2, 0, policy)
    for why in Why:
        outcome = DonorOutcome(asked.binding.binding_id, region, 0, 0, why, rule=rule)
        flow, use = Flow(0, 0, (), (outcome,)), AccountUse.MUTUAL_AID
        steps = steps_of_accounts(ALL_CASH, use, flow, policy, (), [asked])
        assert [step.rule for step in steps] == [Rule.DONOR_SKIPPED, Rule.CASH]
        assert all(resolves(step.source) for step in steps)
