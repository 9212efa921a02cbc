"""ExplainUsability: why a donor's money cannot be used, each reason apart."""

import shutil
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc import regions
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.calendar import first_of_next_month
from gongji_svc.domain.person import Period
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.rulebook import Rulebook
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.days import day_in
from gongji_svc.services.names import enum_name
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import region_of
from tests.families import LAPSED, LONG_AGO, Families, Made
from tests.services.applications import (
    ENDED_INSURANCE,
    HOHHOT,
    SERVICE,
    TIELING,
    ULANQAB,
    donor_in,
    relative_in,
)
from tests.services.driver import Driver
from tests.services.till import request_of, settle

GUANGZHOU = "440100"  # no rules are loaded for it
FAR_OFF = date(2099, 1, 1)
INSURED_LATER = (*ENDED_INSURANCE, Period(FAR_OFF))
BALANCE_FEN = 123_456
MEDICAL, PREMIUM = types_pb2.USE_MEDICAL, types_pb2.USE_PREMIUM


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database)


@pytest.fixture
def strict_driver(shared_database: Database, tmp_path: Path) -> Driver:
    driver = Driver(shared_database)
    driver.office.rulebook = strict_rules(tmp_path)
    return driver


def strict_rules(folder: Path) -> Rulebook:
    """Hohhot with a threshold, a reserve and a cap, where own money must be used up beforehand."""
    shutil.copytree(regions.DIRECTORY, folder, dirs_exist_ok=True)
    file = folder / "150100.toml"
    text = file.read_text(encoding="utf-8").replace('"SEQUENTIAL"', '"STRICT"', 1)
    values = ("threshold_fen = 5000", "reserve_fen = 4000")
    stated = [line.replace("= ", "= { value = ") + ', source = "test" }' for line in values]
    text = text.replace("[block.accounts]", "\n".join(("[block.accounts]", *stated)))
    text += '\n[block.caps]\nhousehold = { value = { per_month_fen = 4000 }, source = "test" }\n'
    file.write_text(text, encoding="utf-8")
    return regions.load(folder)


def explained(driver: Driver, role: str, subject: object, **named: object) -> list[pb.Usability]:
    """The entries of the answer; people and bindings are named by id."""
    use: Any = named.pop("use", types_pb2.USE_UNSPECIFIED)
    ids: dict[str, Any] = {name: str(one) for name, one in named.items()}
    request = pb.ExplainUsabilityRequest(use=use, **ids)
    response = driver.call(role, subject, SERVICE, "ExplainUsability", request)
    assert isinstance(response, pb.ExplainUsabilityResponse)
    return list(response.usabilities)


def told(driver: Driver, donor: Made, child: Made, use: int = MEDICAL) -> pb.Usability:
    """What the beneficiary is told about one donor."""
    pair = {"donor_id": donor, "beneficiary_id": child}
    [entry] = explained(driver, "citizen", child, **pair, use=use)
    return entry


def reasons(entry: pb.Usability) -> list[str]:
    assert entry.usable == (not entry.obstacles)
    return [enum_name(pb.UsabilityReason, one.reason) for one in entry.obstacles]


def untils(entry: pb.Usability) -> list[date | None]:
    """The day on which each reason goes by itself, then the earliest of them."""
    earliest = day_in(entry, "earliest_change_on")
    return [*(day_in(one, "until") for one in entry.obstacles), earliest]


def change(families: Families, table: str, row_id: UUID | None, **columns: object) -> None:
    """Other values in the row with the id."""
    values = ", ".join(f"{name} = %({name})s" for name in columns)
    with families.database.connect() as tx:
        tx.execute(f"UPDATE {table} SET {values} WHERE id = %(id)s", {**columns, "id": row_id})  # noqa: S608 - fixed names


def enrol(families: Families, made: Made, insurance: Insurance, region: str) -> None:
    """One more insurance of somebody, in force since long ago."""
    periods = [{"from": LONG_AGO.isoformat(), "status": "NORMAL"}]
    row = (region_of(made.person_id), made.person_id, insurance, region, "RESIDENT", periods, None)
    families.write(("enrolments", row))


def buy(driver: Driver, families: Families, patient: Made, total_fen: int) -> None:
    """A purchase at a pharmacy of Hohhot."""
    code = families.institution(HOHHOT)
    request = request_of(code, patient, total_fen, request_id=str(uuid4()))
    request.items[0].catalog_code = families.item(HOHHOT, f"X{code}")
    settle(driver, code, request)


def test_nothing_stands_in_the_way_of_a_plain_binding(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT, name="王小明"), relative_in(families, HOHHOT)
    binding_id = families.bind(donor, child)
    assert told(driver, donor, child) == pb.Usability(
        binding_id=str(binding_id),
        donor_id=str(donor),
        donor_name="王**",
        beneficiary_id=str(child),
        usable=True,
    )


@pytest.mark.requirement("NAT-07")
@pytest.mark.parametrize(
    ("reason", "giver", "relative"),
    [
        ("BENEFICIARY_NOT_INSURED", {}, {"periods": ENDED_INSURANCE}),
        ("BENEFICIARY_NOT_INSURED", {}, {"periods": LAPSED}),
        ("BALANCE_ZERO", {"balance_fen": 0}, {}),
        ("BENEFICIARY_OUT_OF_AREA", {}, {"region": TIELING}),
        ("BENEFICIARY_OUT_OF_AREA", {}, {"region": GUANGZHOU, "home": HOHHOT}),
        ("BENEFICIARY_INSURANCE_NOT_ADMITTED", {}, {"insurance": Insurance.EMPLOYEE}),
        ("BENEFICIARY_NOT_INSURED", {}, {"insurance": Insurance.LONG_TERM_CARE}),
        ("DONOR_NOT_INSURED", {"periods": ENDED_INSURANCE}, {}),
        ("DONOR_NOT_INSURED", {"region": GUANGZHOU, "home": HOHHOT}, {}),
        ("DONOR_LAPSED", {"periods": LAPSED}, {}),
        ("NO_ACCOUNT", {"balance_fen": None}, {}),
    ],
)
def test_what_people_lack_is_told_each_reason_apart(
    driver: Driver,
    families: Families,
    reason: str,
    giver: Mapping[str, Any],
    relative: Mapping[str, Any],
) -> None:
    donor = families.person(**{"region": HOHHOT, "balance_fen": BALANCE_FEN, **giver})
    child = families.person(**{"region": HOHHOT, "insurance": Insurance.RESIDENT, **relative})
    families.bind(donor, child)
    entry = told(driver, donor, child)
    assert reasons(entry) == [reason]
    assert untils(entry) == [None, None]


@pytest.mark.requirement("NAT-07", "NAT-08")
def test_without_a_binding_a_shared_card_view_is_told_to_be_none(
    driver: Driver, families: Families
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    entry = told(driver, donor, child)
    assert reasons(entry) == ["NO_BINDING"]
    assert "亲情账户不等于家庭共济" in entry.obstacles[0].text
    assert "办理家庭共济绑定" in entry.obstacles[0].text


@pytest.mark.requirement("NAT-07", "TIL-18")
@pytest.mark.parametrize("state", [one for one in BindingState if one != BindingState.ACTIVE])
def test_a_binding_that_is_not_active_says_how_it_stands(
    driver: Driver, families: Families, state: BindingState
) -> None:
    donor, child = donor_in(families, TIELING), relative_in(families, TIELING)
    families.bind(donor, child, state=state)
    assert reasons(told(driver, donor, child)) == [state.value]


@pytest.mark.requirement("NAT-07")
@pytest.mark.parametrize(
    ("reason", "table", "columns"),
    [
        ("ACCOUNT_FROZEN", "accounts", {"state": "FROZEN"}),
        ("ALL_HELD", "accounts", {"held_fen": 100_000}),
        ("NO_ACCOUNT", "accounts", {"state": "CLOSED"}),
        ("USE_NOT_GRANTED", "bindings", {"uses": Jsonb(["PREMIUM"])}),
        ("EXPIRED", "bindings", {"effective_to": date(2026, 1, 1)}),
        ("DONOR_DECEASED", "persons", {"died_on": date(2026, 1, 1)}),
    ],
)
def test_what_has_become_of_account_binding_or_donor_is_told(
    driver: Driver, families: Families, reason: str, table: str, columns: Mapping[str, object]
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    binding_id = families.bind(donor, child)
    row_id = {"accounts": donor.account_id, "bindings": binding_id, "persons": donor.person_id}
    change(families, table, row_id[table], **columns)
    assert reasons(told(driver, donor, child)) == [reason]


@pytest.mark.requirement("NAT-07")
def test_a_use_is_explained_for_itself(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    binding_id = families.bind(donor, child)
    change(families, "bindings", binding_id, uses=Jsonb(["MEDICAL"]))
    assert reasons(told(driver, donor, child)) == []
    assert reasons(told(driver, donor, child, PREMIUM)) == ["USE_NOT_GRANTED"]


@pytest.mark.requirement("NAT-07", "HOH-11")
def test_a_binding_that_has_not_begun_says_when_it_will(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    binding_id = families.bind(donor, child)
    tomorrow = driver.office.today() + timedelta(days=1)
    change(families, "bindings", binding_id, effective_from=tomorrow)
    entry = told(driver, donor, child)
    assert reasons(entry) == ["NOT_STARTED"]
    assert untils(entry) == [tomorrow, tomorrow]
    assert tomorrow.isoformat() in entry.obstacles[0].text


def test_an_insurance_that_begins_later_says_when(driver: Driver, families: Families) -> None:
    donor = donor_in(families, HOHHOT)
    child = relative_in(families, HOHHOT, periods=INSURED_LATER)
    families.bind(donor, child)
    entry = told(driver, donor, child)
    assert (reasons(entry), untils(entry)) == (["BENEFICIARY_NOT_INSURED"], [FAR_OFF, FAR_OFF])


@pytest.mark.requirement("NAT-07")
@pytest.mark.parametrize(
    ("limits", "frees"),
    [
        (Caps(per_day_fen=3_000), "tomorrow"),
        (Caps(per_month_fen=3_000), "next month"),
        (Caps(per_year_fen=3_000), "next year"),
        (Caps(per_day_fen=3_000, per_year_fen=3_000), "next year"),
        (Caps(per_settlement_fen=0), "never"),
        (Caps(per_day_fen=0), "never"),
    ],
)
def test_a_limit_that_is_used_up_says_when_it_counts_anew(
    driver: Driver, families: Families, limits: Caps, frees: str
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    families.bind(donor, child, limits=limits)
    buy(driver, families, child, 5_000)
    today = driver.office.today()
    until = {
        "tomorrow": today + timedelta(days=1),
        "next month": first_of_next_month(today),
        "next year": date(today.year + 1, 1, 1),
    }.get(frees)
    entry = told(driver, donor, child)
    assert (reasons(entry), untils(entry)) == (["LIMIT_REACHED"], [until, until])
    assert reasons(told(driver, donor, child, PREMIUM)) == []


@pytest.mark.requirement("NAT-07")
def test_several_reasons_are_all_told_as_they_are_best_removed(
    driver: Driver, families: Families
) -> None:
    donor = families.person(HOHHOT, balance_fen=0, periods=LAPSED)
    child = relative_in(families, HOHHOT, periods=INSURED_LATER)
    families.bind(donor, child, state=BindingState.SUSPENDED, limits=Caps(per_day_fen=0))
    entry = told(driver, donor, child)
    assert reasons(entry) == [
        "SUSPENDED",
        "DONOR_LAPSED",
        "BENEFICIARY_NOT_INSURED",
        "BALANCE_ZERO",
        "LIMIT_REACHED",
    ]
    assert untils(entry) == [None, None, FAR_OFF, None, None, FAR_OFF]


def test_a_region_may_want_the_own_account_empty_first(
    driver: Driver, strict_driver: Driver, families: Families
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT, balance_fen=500)
    families.bind(donor, child)
    assert reasons(told(driver, donor, child)) == []
    assert reasons(told(strict_driver, donor, child)) == ["OWN_NOT_ZERO"]


@pytest.mark.requirement("HOH-22")
def test_a_premium_wants_the_own_account_empty_in_hohhot(
    driver: Driver, families: Families
) -> None:
    donor, rich = donor_in(families, HOHHOT), relative_in(families, HOHHOT, balance_fen=500)
    poor = relative_in(families, HOHHOT, balance_fen=0)
    for child in (rich, poor):
        families.bind(donor, child)
    assert reasons(told(driver, donor, rich, PREMIUM)) == ["OWN_NOT_ZERO"]
    assert reasons(told(driver, donor, poor, PREMIUM)) == []


def test_one_insurance_that_is_admitted_suffices(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, TIELING)
    families.bind(donor, child)
    assert reasons(told(driver, donor, child)) == ["BENEFICIARY_OUT_OF_AREA"]
    enrol(families, child, Insurance.RESIDENT, ULANQAB)
    assert reasons(told(driver, donor, child)) == []


def test_how_much_is_in_an_account_is_never_told(strict_driver: Driver, families: Families) -> None:
    for balance_fen in (123_456, 4_321):
        donor = families.person(HOHHOT, balance_fen=balance_fen)
        child = relative_in(families, HOHHOT, balance_fen=balance_fen)
        families.bind(donor, child, limits=Caps(per_day_fen=0))
        texts = [one.text for one in told(strict_driver, donor, child).obstacles]
        assert texts
        assert not any(letter.isdigit() for letter in "".join(texts))


def test_the_donors_of_a_relative_come_in_the_deduction_order(
    driver: Driver, families: Families
) -> None:
    child = relative_in(families, HOHHOT)
    last, first, over = (donor_in(families, HOHHOT) for _ in range(3))
    families.bind(over, child, rank=1, state=BindingState.ENDED)
    families.bind(last, child, rank=2)
    families.bind(first, child, rank=1)
    entries = explained(driver, "citizen", child, beneficiary_id=child)
    assert [entry.donor_id for entry in entries] == [str(first), str(last), str(over)]
    assert [entry.usable for entry in entries] == [True, True, False]


def test_all_relatives_of_a_donor_are_explained(driver: Driver, families: Families) -> None:
    donor = donor_in(families, HOHHOT)
    children = [relative_in(families, HOHHOT) for _ in range(2)]
    for child in children:
        families.bind(donor, child)
    entries = explained(driver, "citizen", donor, donor_id=donor)
    assert {entry.beneficiary_id for entry in entries} == {str(child) for child in children}
    assert explained(driver, "citizen", children[0], donor_id=children[0]) == []


def test_of_two_people_the_living_binding_is_explained_or_else_the_latest(
    driver: Driver, families: Families
) -> None:
    donor, child = donor_in(families, TIELING), relative_in(families, TIELING)
    ended = families.bind(donor, child, state=BindingState.ENDED)
    families.bind(donor, child, state=BindingState.REJECTED)
    assert reasons(told(driver, donor, child)) == ["REJECTED"]
    families.bind(donor, child, state=BindingState.PENDING_REVIEW)
    families.bind(donor, child, state=BindingState.ENDED)
    assert reasons(told(driver, donor, child)) == ["PENDING_REVIEW"]
    [named] = explained(driver, "citizen", child, binding_id=ended)
    assert (named.binding_id, reasons(named)) == (str(ended), ["ENDED"])
