"""QuotePremium: who could pay, and who may ask: to each caller what they may know."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from gongji.v1 import payment_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.domain.terms import Use
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.applications import HOHHOT, TIELING, ULANQAB
from tests.services.driver import Driver
from tests.services.premiums import DAY, STANDARD_FEN, bind, change, driver_on, family, quote


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return driver_on(shared_database)


def named(quoted: pb.QuotePremiumResponse) -> list[str]:
    return [payer.donor_id for payer in quoted.payers]


def test_the_beneficiary_sees_every_donor_and_a_donor_only_themselves(
    driver: Driver, families: Families
) -> None:
    of = family(families, name="王小明")
    poor = families.person(HOHHOT, balance_fen=1, name="王大山")
    bind(families, poor, of.child, rank=2)
    both = [str(of.donor), str(poor)]
    assert named(quote(driver, "citizen", of.child, of.child)) == both
    assert named(quote(driver, "counter", HOHHOT, of.child)) == both
    for donor in (of.donor, poor):
        assert named(quote(driver, "citizen", donor, of.child)) == [str(donor)]
    shown = quote(driver, "citizen", poor, of.child).payers[0]
    assert (shown.donor_name, shown.can_pay) == ("王**", False)
    assert "不能拆分" in shown.obstacles[0]


@pytest.mark.parametrize(
    "unapproved",
    [
        {"state": "PENDING_REVIEW", "approved": False},
        {"effective_to": DAY - timedelta(days=1)},
    ],
    ids=["waits for review", "is over"],
)
def test_a_donor_whose_binding_was_never_approved_or_is_over_is_a_stranger(
    driver: Driver, families: Families, unapproved: dict[str, Any]
) -> None:
    of = family(families)
    change(families, "bindings", of.binding_id, **unapproved)
    for role, subject in (("citizen", of.donor), ("counter", TIELING)):
        with pytest.raises(errors.AccessDenied):
            quote(driver, role, subject, of.child)
    [payer] = quote(driver, "citizen", of.child, of.child).payers  # whose own it is sees it
    assert (payer.donor_id, payer.can_pay) == (str(of.donor), False)


def test_a_clerk_of_a_donor_who_waits_for_review_is_told_nothing(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    far = families.person(ULANQAB, balance_fen=STANDARD_FEN)
    pending = bind(families, far, of.child)
    change(families, "bindings", pending, state="PENDING_REVIEW", approved=False)
    with pytest.raises(errors.AccessDenied):
        quote(driver, "counter", ULANQAB, of.child)


def test_a_suspended_binding_still_tells_its_donor_why(driver: Driver, families: Families) -> None:
    of = family(families)
    why = Jsonb(["DONOR_LAPSED"])
    change(families, "bindings", of.binding_id, state="SUSPENDED", suspended_for=why)
    [payer] = quote(driver, "citizen", of.donor, of.child).payers
    assert payer.obstacles[0].startswith("共济关系已暂停")


def test_a_guardian_asks_for_a_ward(driver: Driver, families: Families) -> None:
    guardian = families.person(HOHHOT)
    of = family(families, guardians=[Guardian(guardian.person_id, GuardianKind.REGISTERED)])
    assert named(quote(driver, "citizen", guardian, of.child)) == [str(of.donor)]


def test_a_clerk_of_a_donors_region_is_told_of_that_donor_alone(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    far = families.person(ULANQAB, balance_fen=STANDARD_FEN)
    bind(families, far, of.child)
    assert named(quote(driver, "counter", ULANQAB, of.child)) == [str(far)]


def test_who_has_no_part_in_it_is_answered_as_for_nobody(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    former = families.person(HOHHOT)
    bind(families, former, of.child, state=BindingState.ENDED)
    stranger = families.person(HOHHOT)
    for role, subject in (("citizen", stranger), ("citizen", former), ("counter", TIELING)):
        with pytest.raises(errors.AccessDenied):
            quote(driver, role, subject, of.child)
    for nobody in (uuid4(), of.binding_id):
        with pytest.raises(errors.AccessDenied):
            quote(driver, "citizen", of.donor, nobody)


@pytest.mark.requirement("HOH-20", "HOH-22")
def test_every_obstacle_is_told_with_what_to_do_next(driver: Driver, families: Families) -> None:
    of = family(families, balance_fen=1, uses=[Use.MEDICAL])
    families.account(HOHHOT, 1, person_id=of.child.person_id)
    [payer] = quote(driver, "citizen", of.child, of.child).payers
    assert [text.split("。")[0] for text in payer.obstacles] == [
        "未开通此项用途",
        "使用人本人账户还有余额",
        "授权人的个人账户可用余额不足以支付全部保费，保费不能拆分",
    ]
