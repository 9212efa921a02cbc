"""The words of an explanation."""

import pytest

from gongji_svc.domain.explanation import (
    caution_worded,
    obstacle_worded,
    why_worded,
    worded,
)
from gongji_svc.domain.standing import FundObstacle
from gongji_svc.domain.step import Caution, Rule, Step
from gongji_svc.domain.usability import Obstacle, Why
from tests.domain.builders import DAY


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_rule_has_words(rule: Rule, language: str) -> None:
    step = Step(rule, 12_345, params={"why": "LAPSED", "ratio_bp": 6_500, "level": "PRIMARY"})
    text = worded(step, {}, language)
    assert "{" not in text
    assert ("123.45" in text) == ("{amount}" in _template(rule))


def _template(rule: Rule) -> str:
    without = {
        Rule.FUND_NONE,
        Rule.BENEFIT_CARRIED_FORWARD,
        Rule.ACCOUNTS_NOT_USED,
        Rule.DONOR_SKIPPED,
    }
    return "" if rule in without else "{amount}"


@pytest.mark.requirement("NAT-07")
@pytest.mark.parametrize("why", [*Why, *FundObstacle])
def test_every_reason_has_chinese_and_english_words(why: str) -> None:
    assert why_worded(why) != why != why_worded(why, language="en")


@pytest.mark.requirement("TIL-37")
@pytest.mark.parametrize("caution", Caution)
def test_every_caution_has_words(caution: Caution) -> None:
    assert caution_worded(caution) != caution_worded(caution, "en")


def test_a_donor_is_called_by_the_name_the_caller_may_see() -> None:
    step = Step(Rule.DONOR_PAID, 3_000, params={"binding_id": "b1"})
    assert worded(step, {"b1": "张*"}) == "张*共济支付30.00元"
    assert worded(step, {}) == "授权人共济支付30.00元"


def test_the_ratio_and_the_level_are_told() -> None:
    step = Step(Rule.FUND_RATIO, 35_000, params={"ratio_bp": 5_000, "level": "TERTIARY"})
    assert worded(step, {}) == "统筹基金按50%（三级）应支付350.00元"


@pytest.mark.requirement("NAT-07")
def test_an_obstacle_tells_the_earliest_day_it_changes() -> None:
    later = Obstacle(Why.NOT_STARTED, until=DAY)
    assert obstacle_worded(later) == "共济关系尚未到开始日期（最早2025-05-06）"


@pytest.mark.requirement("ULQ-23", "NAT-08")
def test_no_binding_says_that_a_family_card_view_is_none() -> None:
    assert "亲情账户不等于家庭共济" in why_worded(Why.NO_BINDING)
