"""QuotePremium: what a year costs and why, and who could pay; to each caller what they may know."""

from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from gongji.v1 import payment_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.person import Period
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance, Relation
from gongji_svc.services.days import day_in
from gongji_svc.storage.database import Database
from tests.families import LAPSED, LONG_AGO, Families, Made
from tests.services.applications import BAOTOU, ENDED_INSURANCE, HOHHOT, TIELING, ULANQAB
from tests.services.driver import Driver
from tests.services.premiums import (
    DAY,
    STANDARD_FEN,
    YEAR,
    bind,
    change,
    driver_on,
    driver_with,
    family,
    in_groups,
    paid_years,
    pay,
    quote,
    rows_of,
    rules_with,
)

FAMILIES = 80
GUANGZHOU = "440100"  # no rules are loaded for it


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return driver_on(shared_database)


def days(window: pb.PremiumWindow) -> tuple[date | None, date | None]:
    return day_in(window, "from"), day_in(window, "to")


def steps(quoted: pb.QuotePremiumResponse) -> dict[str, pb.PremiumStep]:
    return {step.rule: step for step in quoted.why}


# --- the reckoning


@pytest.mark.requirement("HOH-24")
def test_a_quote_tells_amount_window_and_when_benefits_begin(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    quoted = quote(driver, "citizen", of.child, of.child)
    amounts = (quoted.standard_fen, quoted.subsidy_fen, quoted.payable_fen)
    assert amounts == (STANDARD_FEN, 0, STANDARD_FEN)
    assert days(quoted.window) == (date(2025, 9, 1), date(2026, 2, 28))
    assert (quoted.in_window, quoted.late, quoted.carried_forward, quoted.paid) == (
        True,
        False,
        False,
        False,
    )
    assert (quoted.wait_months, day_in(quoted, "benefit_from")) == (0, date(YEAR, 1, 1))
    assert day_in(quoted, "refund_until") == date(2025, 12, 31)
    assert not quoted.HasField("maintenance")
    assert quoted.policy.blocks


@pytest.mark.requirement("HOH-25", "HOH-26")
def test_the_steps_tell_rule_amount_and_source_of_standard_and_subsidy(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    in_groups(families, of.child, "DISABLED", "DESTITUTE")
    quoted = quote(driver, "citizen", of.child, of.child)
    found = steps(quoted)
    assert found["premium.standards_fen"].amount_fen == quoted.standard_fen == 40_000
    assert found["premium.groups"].amount_fen == quoted.subsidy_fen == 20_000
    assert quoted.payable_fen == 20_000
    assert found["premium.groups"].text == "特困人员由财政补贴200.00元，个人应缴200.00元"
    assert "HOH-25" in found["premium.groups"].source
    assert found["premium.finance_fen"].amount_fen == 70_000
    assert "不累加" in found["premium.several_groups"].text
    assert all(step.source and step.text for step in quoted.why)


@pytest.mark.requirement("PRE-05")
def test_a_break_is_told_with_the_months_it_costs(driver: Driver, families: Families) -> None:
    of = family(families)
    paid_years(families, of.child, 2023)
    quoted = quote(driver, "citizen", of.child, of.child)
    assert (quoted.wait_months, day_in(quoted, "benefit_from")) == (4, date(2026, 5, 1))
    text = steps(quoted)["premium.wait_months"].text
    assert text == "此前连续2年未参保缴费，缴费后等待4个月享受待遇"


def test_a_newborn_does_not_wait_and_is_told_why(driver: Driver, families: Families) -> None:
    of = family(families)
    paid_years(families, of.child, 2023)
    in_groups(families, of.child, "NEWBORN")
    quoted = quote(driver, "citizen", of.child, of.child)
    assert quoted.wait_months == 0
    assert steps(quoted)["premium.wait_exempt"].text == "新生儿没有待遇等待期"


def test_before_the_window_the_quote_is_that_of_a_payment_in_time(
    shared_database: Database, families: Families
) -> None:
    early = driver_on(shared_database, date(2025, 8, 1))
    of = family(families)
    quoted = quote(early, "citizen", of.donor, of.child)
    assert (quoted.in_window, quoted.late, quoted.wait_months) == (False, False, 0)
    [payer] = quoted.payers
    assert not payer.can_pay
    assert "2025-09-01" in payer.obstacles[0]


def test_figures_of_an_earlier_year_are_marked_as_carried_forward(
    driver: Driver, families: Families
) -> None:
    of = family(families, TIELING)
    quoted = quote(driver, "citizen", of.child, of.child)
    assert quoted.carried_forward
    assert days(quoted.window) == (date(2025, 9, 1), date(2025, 12, 31))
    assert "沿用" in steps(quoted)["premium.windows"].text
    assert "沿用" not in steps(quoted)["premium.standards_fen"].text


def test_a_late_payment_is_quoted_at_the_full_amount(
    shared_database: Database, families: Families, tmp_path: Path
) -> None:
    amounts = "{ 2026 = 107000 }"
    late = driver_with(shared_database, tmp_path, date(2026, 4, 10), late_payable_fen=amounts)
    of = family(families, balance_fen=200_000)
    in_groups(families, of.child, "DESTITUTE")
    quoted = quote(late, "citizen", of.child, of.child)
    assert (quoted.late, quoted.in_window) == (True, False)
    assert (quoted.payable_fen, quoted.group) == (107_000, "")
    assert steps(quoted)["premium.late_payable_fen"].amount_fen == 107_000
    assert steps(quoted)["premium.groups"].text == "特困人员的财政补贴不用于补缴，须全额缴纳"
    assert quoted.payers[0].can_pay


def test_a_year_that_can_be_paid_no_more_is_told_without_waiting_or_benefit(
    shared_database: Database, families: Families
) -> None:
    of = family(families)
    paid_years(families, of.child, 2023)
    quoted = quote(driver_on(shared_database, date(2026, 4, 10)), "citizen", of.child, of.child)
    assert (quoted.in_window, quoted.late) == (False, False)
    assert (quoted.wait_months, quoted.HasField("benefit_from")) == (0, False)
    assert not [rule for rule in steps(quoted) if rule.startswith("premium.wait")]
    assert not quoted.payers[0].can_pay


@pytest.mark.requirement("HOH-27")
def test_maintenance_is_told_with_its_days_and_the_other_ways(
    shared_database: Database, families: Families, tmp_path: Path
) -> None:
    window = "{ from = 2025-10-14, to = 2025-10-16 }"
    closed = driver_with(shared_database, tmp_path, maintenance=window)
    of = family(families)
    quoted = quote(closed, "citizen", of.child, of.child)
    assert days(quoted.maintenance.window) == (date(2025, 10, 14), date(2025, 10, 16))
    assert any("蒙速办" in channel for channel in quoted.maintenance.other_channels)
    assert not quoted.payers[0].can_pay


def test_an_insurance_without_a_standard_is_not_offered(driver: Driver, families: Families) -> None:
    of = family(families)
    with pytest.raises(errors.PremiumNotOffered):
        quote(driver, "citizen", of.child, of.child, insurance=types_pb2.INSURANCE_LONG_TERM_CARE)


def test_a_year_before_the_regions_first_is_told_as_the_reason(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    with pytest.raises(errors.PremiumYearNotOffered) as refused:
        quote(driver, "citizen", of.child, of.child, year=2001)
    assert "2001年度" in refused.value.message_zh


def test_a_year_that_is_being_paid_is_told_as_paid(driver: Driver, families: Families) -> None:
    of = family(families)
    pay(driver, of.donor, of.child)
    quoted = quote(driver, "citizen", of.child, of.child)
    assert quoted.paid
    assert not quoted.payers[0].can_pay


def test_a_quote_writes_nothing(database: Database) -> None:
    families, driver = Families(database), driver_on(database)
    of = family(families)
    assert quote(driver, "citizen", of.donor, of.child).payers[0].can_pay
    assert [len(rows_of(database, one)) for one in ("premium_payments", "audit_records")] == [0, 0]


# --- who is told to be able to pay can


def made(families: Families, pick: Random) -> tuple[Made, Made]:
    """A donor and a relative: insured here or there, or no more, alive or not, rich or not."""
    places = [HOHHOT, HOHHOT, ULANQAB, TIELING, BAOTOU]
    home = pick.choice(places)
    standings = [(Period(LONG_AGO),)] * 24 + [LAPSED, ENDED_INSURANCE]
    donor = families.person(
        pick.choice([home] * 19 + [GUANGZHOU]),
        home=home,
        balance_fen=pick.choice([None, 0, 19_999, 39_999, *[40_000] * 30]),
        insurance=pick.choice([Insurance.EMPLOYEE] * 19 + [Insurance.RESIDENT]),
        periods=pick.choice(standings),
    )
    child = families.person(
        pick.choice([home] * 39 + [*places, GUANGZHOU]),
        home=home,
        balance_fen=pick.choice([*[None] * 8, 0, 1]),
        insurance=pick.choice([Insurance.RESIDENT] * 15 + [Insurance.EMPLOYEE]),
        periods=pick.choice([*standings, (Period(date(YEAR, 1, 1)),)]),
    )
    if pick.random() < 0.3:
        in_groups(families, child, pick.choice(["DESTITUTE", "ORPHAN"]))
    if pick.random() < 0.05:
        paid_years(families, child, YEAR)
    for one in (donor, child):
        if pick.random() < 0.03:
            change(families, "persons", one.person_id, died_on=LONG_AGO)
    return donor, child


def spoil(families: Families, pick: Random, donor: Made, binding_id: Any) -> None:
    """Other values of the binding or the account, at times."""
    if pick.random() < 0.3:
        why = pick.choice(["BENEFICIARY_NOT_INSURED", "DONOR_LAPSED"])
        others: list[dict[str, Any]] = [
            {"effective_from": date(2026, 1, 1)},
            {"effective_to": DAY},
            {"effective_to": LONG_AGO},
            {"uses": Jsonb(["MEDICAL"])},
            {"state": "SUSPENDED", "suspended_for": Jsonb([why])},
            {"state": pick.choice(["PENDING_REVIEW", "SUSPENDED"])},
        ]
        change(families, "bindings", binding_id, **pick.choice(others))
    if donor.account_id is not None and pick.random() < 0.1:
        state = pick.choice(["FROZEN", "CLOSED", "OPEN"])
        change(families, "accounts", donor.account_id, state=state, frozen_quota_fen=1)


@pytest.mark.parametrize("strict", [False, True])
def test_who_is_told_to_be_able_to_pay_can_and_nobody_else(
    database: Database, tmp_path: Path, strict: bool
) -> None:
    families, driver = Families(database), driver_on(database)
    if strict:
        narrow = {"relations": '["CHILD"]', "groups": "{ ORPHAN = { payable_fen = 0 } }"}
        driver.office.rulebook = rules_with(tmp_path, **narrow)
    seen = {True: 0, False: 0}
    for number in range(FAMILIES):
        pick = Random(number)  # noqa: S311 - the same families in every run
        donor, child = made(families, pick)
        relation = pick.choice([*[Relation.CHILD] * 7, Relation.SPOUSE])
        fields: dict[str, Any] = {"relation": relation, "limits": Caps(per_day_fen=1)}
        spoil(families, pick, donor, bind(families, donor, child, **fields))
        if pick.random() < 0.2:
            spoil(families, pick, donor, bind(families, donor, child, rank=2))
        can_pay = told(driver, donor, child)
        assert can_pay == pays(driver, donor, child), number
        seen[can_pay] += 1
    assert min(seen.values()) > FAMILIES // 5, seen


def told(driver: Driver, donor: Made, child: Made) -> bool:
    """Whether the quote says so; a premium that cannot be quoted cannot be paid."""
    try:
        [payer] = quote(driver, "citizen", donor, child).payers
    except errors.Refusal:
        return False
    assert payer.can_pay == (not payer.obstacles)
    return payer.can_pay


def pays(driver: Driver, donor: Made, child: Made) -> bool:
    try:
        return bool(pay(driver, donor, child).payment.legs)
    except errors.Refusal:
        return False
