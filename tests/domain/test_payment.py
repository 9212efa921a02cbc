"""Premiums paid for a relative: the amount, the window, the waiting months."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from gongji_svc.domain.errors.payment import (
    PremiumInMaintenance,
    PremiumNothingToPay,
    PremiumNotOffered,
    PremiumWindowClosed,
    PremiumYearNotOffered,
)
from gongji_svc.domain.payment import Quote, benefit_from, check_payable, quote, wait_months
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_document import check_document
from gongji_svc.domain.policy_values import Window
from gongji_svc.domain.rulebook import Rulebook
from gongji_svc.domain.terms import Insurance
from gongji_svc.regions import load

RULEBOOK = load()
IN_WINDOW = date(2024, 10, 1)


def hohhot(day: date = IN_WINDOW) -> Policy:
    return RULEBOOK.on("150100", day)


def policy(**premium: Any) -> Policy:
    """A policy with these values of its premium group beside a standard of 400 yuan."""
    values: Mapping[str, Any] = {
        "insurances": ["RESIDENT"],
        "standards_fen": {"RESIDENT": {"2025": 40000}},
        "windows": {"2025": {"from": date(2024, 9, 1), "to": date(2024, 12, 31)}},
        **premium,
    }
    group = {key: {"value": value, "source": "test"} for key, value in values.items()}
    block = {"effective_from": date(2024, 1, 1), "premium": group}
    document = {"region": "000000", "name": "test", "block": [block]}
    return Rulebook([check_document("test", document)]).on("000000", IN_WINDOW)


def resident(rules: Policy, *groups: str, year: int = 2025, day: date = IN_WINDOW) -> Quote:
    return quote(rules, Insurance.RESIDENT, year, groups, day)


# the amount


def test_the_standard_is_paid_whole() -> None:
    quoted = resident(hohhot())
    assert (quoted.standard_fen, quoted.subsidy_fen, quoted.payable_fen) == (40000, 0, 40000)
    assert quoted.group is None


@pytest.mark.requirement("HOH-25")
@pytest.mark.parametrize("group", ["SUBSISTENCE_ALLOWANCE", "DESTITUTE", "DISABLED"])
def test_a_special_group_pays_200_yuan_and_finance_the_rest(group: str) -> None:
    quoted = resident(hohhot(), group)
    assert (quoted.payable_fen, quoted.subsidy_fen, quoted.group) == (20000, 20000, group)
    assert "docs/seeds/hohhot.txt L35 (HOH-25, HOH-26)" in quoted.source


def test_several_groups_have_the_most_favourable_and_never_the_sum() -> None:
    rules = policy(groups={"A": {"subsidy_fen": 20000}, "B": {"subsidy_fen": 36000}})
    quoted = resident(rules, "A", "B")
    assert (quoted.group, quoted.subsidy_fen, quoted.payable_fen) == ("B", 36000, 4000)


def test_a_group_the_region_does_not_know_changes_nothing() -> None:
    assert resident(hohhot(), "ORPHAN").payable_fen == 40000


@pytest.mark.parametrize("group", [{"subsidy_fen": 50000}, {"payable_fen": 0}])
def test_a_subsidy_is_never_more_than_the_standard(group: dict[str, int]) -> None:
    quoted = resident(policy(groups={"A": group}), "A")
    assert (quoted.subsidy_fen, quoted.payable_fen) == (40000, 0)


def test_a_fixed_amount_above_the_standard_is_no_subsidy() -> None:
    quoted = resident(policy(groups={"A": {"payable_fen": 50000}}), "A")
    assert (quoted.group, quoted.subsidy_fen) == (None, 0)


def test_an_insurance_without_a_standard_is_not_offered() -> None:
    with pytest.raises(PremiumNotOffered):
        quote(hohhot(), Insurance.LONG_TERM_CARE, 2025, (), IN_WINDOW)


def test_a_year_before_the_first_standard_is_refused_as_that_year() -> None:
    with pytest.raises(PremiumYearNotOffered) as refused:
        resident(hohhot(), year=2023)
    assert refused.value.reason == PremiumNotOffered().reason
    assert "2023年度" in refused.value.message_zh
    assert "险种" not in refused.value.message_zh


@pytest.mark.parametrize(
    ("late", "over"), [({}, True), ({"late_payable_fen": {"2025": 107000}}, False)]
)
def test_after_the_window_a_year_is_over_unless_it_is_taken_late(
    late: dict[str, Any], over: bool
) -> None:
    after = date(2025, 3, 1)
    quoted = resident(policy(**late), day=after)
    assert quoted.is_over(after) is over
    assert not quoted.is_over(quoted.window.to)


# the window


@pytest.mark.requirement("HOH-24")
@pytest.mark.parametrize("day", [date(2024, 9, 1), date(2025, 2, 28)])
def test_hohhots_window_of_2025_includes_its_first_and_last_day(day: date) -> None:
    check_payable(hohhot(day), resident(hohhot(day), day=day), day)


@pytest.mark.requirement("HOH-24")
def test_a_payment_after_hohhots_window_is_refused_with_the_window() -> None:
    day = date(2025, 3, 1)
    with pytest.raises(PremiumWindowClosed) as raised:
        check_payable(hohhot(day), resident(hohhot(day), day=day), day)
    window = {"window_from": "2024-09-01", "window_to": "2025-02-28"}
    assert raised.value.details == window


@pytest.mark.requirement("HOH-24")
def test_a_payment_the_day_before_the_window_is_refused() -> None:
    day = date(2024, 8, 31)
    with pytest.raises(PremiumWindowClosed):
        check_payable(hohhot(), resident(hohhot(), day=day), day)


def test_a_year_without_figures_of_its_own_carries_the_latest_forward() -> None:
    quoted = resident(hohhot(), year=2028)
    assert quoted.carried_forward
    assert quoted.standard_fen == 40000
    assert quoted.window == Window(date(2027, 9, 1), date(2028, 2, 28))


def test_a_year_with_figures_of_its_own_carries_nothing_forward() -> None:
    assert not resident(hohhot(), year=2026).carried_forward


def test_a_late_payment_costs_the_regions_late_amount_without_subsidy() -> None:
    rules = policy(late_payable_fen={"2025": 107000}, groups={"A": {"subsidy_fen": 20000}})
    day = date(2025, 3, 1)
    quoted = resident(rules, "A", day=day)
    assert (quoted.late, quoted.payable_fen, quoted.subsidy_fen) == (True, 107000, 0)
    check_payable(rules, quoted, day)


def test_a_premium_of_nothing_is_not_paid() -> None:
    rules = policy(groups={"A": {"payable_fen": 0}})
    with pytest.raises(PremiumNothingToPay):
        check_payable(rules, resident(rules, "A"), IN_WINDOW)


@pytest.mark.requirement("HOH-27")
def test_maintenance_comes_before_everything_and_names_the_other_ways() -> None:
    rules = policy(
        maintenance={"from": date(2024, 9, 30), "to": date(2024, 10, 2)},
        other_channels=["“蒙速办”APP", "支付宝"],
    )
    with pytest.raises(PremiumInMaintenance) as raised:
        check_payable(rules, resident(rules), IN_WINDOW)
    details = {"until": "2024-10-02", "channels": "“蒙速办”APP、支付宝"}
    assert raised.value.details == details
    check_payable(rules, resident(rules), date(2024, 10, 3))


# waiting


@pytest.mark.requirement("PRE-05")
@pytest.mark.parametrize(
    ("in_window", "missed", "repaired", "months"),
    [
        (True, 0, 0, 0),  # continuous and in time
        (False, 0, 0, 3),  # the fixed months
        (True, 1, 0, 3),
        (False, 1, 0, 3),
        (True, 2, 0, 4),  # each further year adds one
        (True, 3, 0, 5),
        (True, 3, 1, 4),  # each repaired year takes one off
        (True, 3, 2, 3),
        (True, 3, 3, 3),  # and never from the fixed months
        (True, 4, 0, 6),
        (True, 4, 4, 6),  # four years or more: at least six
        (True, 6, 0, 8),
        (True, 6, 1, 7),
        (True, 6, 6, 6),
    ],
)
def test_waiting_months_follow_missed_and_repaired_years(
    in_window: bool, missed: int, repaired: int, months: int
) -> None:
    waited = wait_months(
        hohhot(),
        2026,
        in_window=in_window,
        missed_years=missed,
        repaired_years=repaired,
        groups=(),
    )
    assert waited == months


@pytest.mark.requirement("PRE-05")
@pytest.mark.parametrize(("year", "group"), [(2026, "NEWBORN"), (2024, "DISABLED")])
def test_newborns_and_years_before_the_rule_do_not_wait(year: int, group: str) -> None:
    assert not wait_months(
        hohhot(), year, in_window=False, missed_years=4, repaired_years=0, groups=(group,)
    )


@pytest.mark.requirement("PRE-05")
def test_benefits_of_a_payment_in_the_window_count_from_the_years_start() -> None:
    assert benefit_from(2026, 0) == date(2026, 1, 1)
    assert benefit_from(2026, 4) == date(2026, 5, 1)


@pytest.mark.requirement("PRE-05")
def test_benefits_of_a_late_payment_count_from_its_day() -> None:
    assert benefit_from(2026, 3, date(2026, 4, 10)) == date(2026, 7, 10)
    assert benefit_from(2026, 3, date(2026, 11, 30)) == date(2027, 2, 28)


def test_benefits_never_begin_before_the_insured_year() -> None:
    assert benefit_from(2026, 3, date(2025, 8, 1)) == date(2026, 4, 1)
