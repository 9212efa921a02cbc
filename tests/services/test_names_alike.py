"""Relatives whose masked names are alike: each reader can tell those apart whom it may know of."""

from typing import Any

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.refunds import SERVICE, read, refund
from tests.services.till import ULANQAB, asked, request_of, settle


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item(ULANQAB, "XA01")
    return families


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def relatives(families: Families, *named: tuple[str, int]) -> tuple[Made, list[Made]]:
    """A patient without money, and donors by name and balance, in this order."""
    patient = families.person(ULANQAB, balance_fen=0)
    donors = [families.person(ULANQAB, name=name, balance_fen=fen) for name, fen in named]
    for rank, donor in enumerate(donors, 1):
        families.bind(donor, patient, rank=rank)
    return patient, donors


def words(settlement: Any, language: str = "text") -> list[str]:
    """What is told of donors."""
    steps = (one for one in settlement.explanation if one.rule.startswith("DONOR"))
    return [getattr(one, language) for one in steps]


def test_a_till_tells_those_who_paid_apart_and_learns_of_nobody_else(
    driver: Driver, families: Families
) -> None:
    patient, _ = relatives(families, ("李甲甲", 0), ("李乙乙", 1_000), ("李丙丙", 2_000))
    code = families.institution(ULANQAB)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    assert [leg.donor_name for leg in settlement.legs] == ["李**（1）", "李**（2）"]
    assert words(settlement) == ["李**（1）共济支付10.00元", "李**（2）共济支付20.00元"]
    assert words(settlement, "text_en") == [
        "李**（1） pays 10.00 yuan",
        "李**（2） pays 20.00 yuan",
    ]


def test_a_till_is_not_told_that_somebody_alike_paid_nothing(
    driver: Driver, families: Families
) -> None:
    patient, _ = relatives(families, ("李甲甲", 0), ("李乙乙", 1_000), ("王丙丙", 2_000))
    code = families.institution(ULANQAB)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    assert [leg.donor_name for leg in settlement.legs] == ["李**", "王**"]


def test_the_patient_tells_all_apart_and_who_paid_has_the_number_of_the_leg(
    driver: Driver, families: Families
) -> None:
    patient, _ = relatives(families, ("李甲甲", 0), ("李乙乙", 1_000), ("李丙丙", 2_000))
    code = families.institution(ULANQAB)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    first, *paid = words(read(driver, settlement, "citizen", patient))
    assert first.startswith("李**（3）未支付")
    assert paid == words(settlement)


def test_a_donor_does_not_learn_that_somebody_alike_paid_too(
    driver: Driver, families: Families
) -> None:
    patient, donors = relatives(families, ("李甲甲", 1_000), ("李乙乙", 9_000))
    code = families.institution(ULANQAB)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    refund(driver, settlement)
    of_donor = pb.ListSettlementsRequest(donor_id=str(donors[1]))
    listed = driver.call("citizen", donors[1], SERVICE, "ListSettlements", of_donor).settlements
    for seen in (read(driver, settlement, "citizen", donors[1]), *listed):
        legs = [*seen.legs, *(leg for step in seen.refunds for leg in step.legs)]
        assert [leg.donor_name for leg in legs] == ["李**", "李**"]


def test_a_preview_tells_of_the_relatives_as_one(driver: Driver, families: Families) -> None:
    patient, _ = relatives(families, ("李甲甲", 1_000), ("李乙乙", 2_000))
    code = families.institution(ULANQAB)
    question = asked(request_of(code, patient))
    preview = driver.call("pos", code, SERVICE, "PreviewSettlement", question)
    assert words(preview) == ["亲属共济支付30.00元"]
    assert words(preview, "text_en") == ["relatives pay 30.00 yuan"]
