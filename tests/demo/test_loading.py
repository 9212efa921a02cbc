"""The demo data: what it holds, that it goes in by the ordinary calls, and that twice is once."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from gongji.v1 import account_pb2, binding_pb2, settlement_pb2
from gongji_svc.demo import data
from gongji_svc.demo.loading import DemoFamilies, load
from gongji_svc.domain.terms import InstitutionLevel, Relation
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database
from tests.services.driver import Driver


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database, on=date(2025, 3, 1))


@pytest.fixture
def families(driver: Driver) -> DemoFamilies:
    return load(driver.office)


def everything(database: Database) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    with database.connect() as tx:
        for name in tables.metadata.tables:
            query = f"SELECT t::text FROM {name} t ORDER BY 1"  # noqa: S608 - our own names
            found[name] = tx.execute(query.encode()).fetchall()
    return found


def bindings_of(driver: Driver, beneficiary_id: object) -> Any:
    request = binding_pb2.ListBindingsRequest(beneficiary_id=str(beneficiary_id))
    answer = driver.call("citizen", beneficiary_id, "BindingService", "ListBindings", request)
    return answer.bindings


def test_a_second_run_changes_nothing(
    driver: Driver, families: DemoFamilies, database: Database
) -> None:
    before = everything(database)
    assert load(driver.office) == families
    assert everything(database) == before


def test_every_relation_and_every_level_occurs() -> None:
    assert {one.relation for one in data.BINDINGS} == set(Relation)
    for region in (data.HOHHOT, data.ULANQAB, data.TIELING):
        levels = {one.level for one in data.INSTITUTIONS if one.region == region}
        assert levels == {level.value for level in InstitutionLevel}


def test_nobody_of_the_demo_can_exist() -> None:
    counties = {one.certificate_number[4:6] for one in data.PEOPLE}
    assert counties == {"99"}
    numbers = [one.certificate_number for one in data.PEOPLE]
    assert len(set(numbers)) == len(numbers)
    assert all(len(number) == 18 for number in numbers)


def test_bindings_are_active_but_where_the_region_reviews_them(
    driver: Driver, families: DemoFamilies
) -> None:
    states = Counter(
        (key.partition("-")[0], binding_pb2.BindingState.Name(one.state))
        for key, person_id in families.people.items()
        for one in bindings_of(driver, person_id)
    )
    assert states == {
        ("hohhot", "BINDING_STATE_ACTIVE"): 5,
        ("ulanqab", "BINDING_STATE_ACTIVE"): 8,
        ("tieling", "BINDING_STATE_PENDING_REVIEW"): 6,
    }


def test_donors_stand_in_the_order_of_application(driver: Driver, families: DemoFamilies) -> None:
    found = bindings_of(driver, families.people["ulanqab-father"])
    donors = [one.donor_id for one in sorted(found, key=lambda one: one.rank)]
    expected = [families.people[key] for key in ("ulanqab-son", "ulanqab-daughter")]
    assert donors == [str(one) for one in expected]


def test_accounts_have_their_balances(driver: Driver, families: DemoFamilies) -> None:
    for person in data.PEOPLE:
        person_id = families.people[person.key]
        request = account_pb2.ListAccountsRequest(person_id=str(person_id))
        answer = driver.call("citizen", person_id, "AccountService", "ListAccounts", request)
        balances = [one.balance_fen for one in answer.accounts]
        assert balances == ([] if person.balance_fen is None else [person.balance_fen])


def test_the_sample_purchase_is_paid_by_the_own_account_two_relatives_and_cash(
    driver: Driver, families: DemoFamilies
) -> None:
    basket = families.sample
    request = settlement_pb2.SettleRequest(
        request_id="s-1",
        institution_code=basket.institution_code,
        credential=settlement_pb2.Credential(
            type=settlement_pb2.CREDENTIAL_TYPE_SOCIAL_CARD, value=basket.card_no
        ),
        visit_type=settlement_pb2.VISIT_TYPE_PHARMACY,
        account_use=settlement_pb2.ACCOUNT_USE_MUTUAL_AID,
        items=[
            settlement_pb2.SettlementItem(
                line_no=number,
                catalog_code=code,
                name=name,
                quantity=quantity,
                unit_price_yuan=price,
                amount_fen=amount_fen,
            )
            for number, (code, name, quantity, price, amount_fen) in enumerate(basket.items, 1)
        ],
        total_fen=sum(amount_fen for *_, amount_fen in basket.items),
    )
    request.occurred_at.FromDatetime(driver.office.now())
    code = basket.institution_code
    answer = driver.call("pos", code, "SettlementService", "Settle", request)
    settlement = answer.settlement
    assert [leg.amount_fen for leg in settlement.legs] == [3_560, 8_000, 5_600]
    assert settlement.breakdown.cash_pay_fen == 1_990


def test_a_region_without_rules_on_the_demos_day_is_left_out(database: Database) -> None:
    early = Driver(database, on=date(2024, 3, 1))
    families = load(early.office)
    assert bindings_of(early, families.people["ulanqab-father"]) == []
    assert len(bindings_of(early, families.people["tieling-father"])) == 1
