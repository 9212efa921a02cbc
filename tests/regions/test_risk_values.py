"""The risk rules in the six region files: the nation's own figures, which stop nothing."""

import pytest

from gongji_svc.domain.policy_risk import RiskRule
from gongji_svc.domain.risk import RiskAction, RiskKind
from tests.regions.packs import SEEDS, on

ADVISE = RiskAction.ADVISE


@pytest.mark.parametrize("region", ["000000", *SEEDS])
def test_every_region_is_told_and_none_holds_or_refuses(region: str) -> None:
    policy = on(region)
    assert policy.settlement_risks == {
        RiskKind.MANY_INSTITUTIONS: RiskRule(4, ADVISE),
        RiskKind.FAR_CITIES: RiskRule(30, ADVISE),
        RiskKind.DRAINED_DONOR: RiskRule(5, ADVISE, within_days=7),
    }
    assert policy.risk_repeated_trace_code == RiskRule(2, ADVISE)
    assert policy.risk_bind_spend_unbind == RiskRule(7, ADVISE)
    assert policy.refusing_risks == {}


def test_the_figures_say_that_they_are_our_own() -> None:
    sources = on("000000").sources
    rules = {name: source for name, source in sources.items() if name.startswith("risk_")}
    assert len(rules) == 5
    assert set(rules.values()) == {"docs/decisions/readings.md#risk-rules"}
