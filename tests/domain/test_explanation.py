"""The words of an explanation."""

from dataclasses import replace
from enum import StrEnum

import pytest

from gongji_svc.domain.explanation import (
    caution_worded,
    obstacle_worded,
    why_worded,
    worded,
)
from gongji_svc.domain.standing import FundObstacle
from gongji_svc.domain.step import Caution, Rule, Step
from gongji_svc.domain.terms import AccountKind, InstitutionLevel
from gongji_svc.domain.usability import Obstacle, Why
from tests.domain.builders import DAY

Params = dict[str, int | str]


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


def test_of_a_ratio_that_a_lapse_has_cut_the_parts_are_told() -> None:
    params: Params = {
        "ratio_bp": 3_250,
        "level": "TERTIARY",
        "own_bp": 6_500,
        "limited_to_bp": 5_000,
    }
    step = Step(Rule.FUND_RATIO, 35_000, params=params)
    assert worded(step, {}) == "统筹基金按32.5%（三级65%×断缴恢复后限期内50%）应支付350.00元"
    assert "32.5% (tertiary level 65% x 50% for a time after a lapse)" in worded(step, {}, "en")


def test_of_class_b_each_rate_is_told() -> None:
    step = Step(Rule.PRE_SELF_PAY, 1_500, params={"rates": "500:6000:300 1000:12000:1200"})
    assert worded(step, {}) == (
        "乙类先行自付15.00元（60.00元的5%为3.00元，120.00元的10%为12.00元）"
    )


def test_what_accounts_may_pay_is_told_with_what_counts_and_what_is_left_out() -> None:
    params: Params = {
        "in_scope_fen": 50_000,
        "pre_self_pay_fen": 5_000,
        "fund_fen": 3_000,
        "no_full_self_pay_fen": 100,
        "no_lines_fen": 999,
        "no_lines": "2 3",
        "no_lines_count": 2,
    }
    step = Step(Rule.ACCOUNT_BASE, 52_000, params=params)
    assert worded(step, {}) == (
        "个人账户可支付的部分为520.00元：按当地规定计入符合政策范围500.00元、先行自付50.00元，"
        "减去其中统筹基金支付30.00元；不计入全自费1.00元、个人账户不可支付的第2、3行9.99元"
    )
    many = replace(step, params={**params, "no_lines_count": 25})
    assert "个人账户不可支付的25行9.99元" in worded(many, {})


def test_a_step_that_was_kept_without_its_parts_is_told_without_them() -> None:
    assert worded(Step(Rule.ACCOUNT_BASE, 52_000), {}) == "个人账户可支付的部分为520.00元"
    assert worded(Step(Rule.PRE_SELF_PAY, 1_500), {}) == "乙类先行自付15.00元"


@pytest.mark.parametrize(
    ("rule", "name", "values"),
    [(Rule.FUND_RATIO, "level", InstitutionLevel), (Rule.OWN_ACCOUNT, "kind", AccountKind)],
)
def test_english_words_are_no_names_of_values(rule: Rule, name: str, values: type[StrEnum]) -> None:
    for value in values:
        assert value not in worded(Step(rule, 1, params={name: value.value}), {}, "en")


@pytest.mark.requirement("NAT-07")
def test_an_obstacle_tells_the_earliest_day_it_changes() -> None:
    later = Obstacle(Why.NOT_STARTED, until=DAY)
    assert obstacle_worded(later) == "共济关系尚未到开始日期（最早2025-05-06）"


@pytest.mark.requirement("ULQ-23", "NAT-08")
def test_no_binding_says_that_a_family_card_view_is_none() -> None:
    assert "亲情账户不等于家庭共济" in why_worded(Why.NO_BINDING)
