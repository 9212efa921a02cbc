"""ListEntries: whose purchase used the money, where, when and how much."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import Any

import pytest
import sqlalchemy

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.domain.journal import EntryKind
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.days import timestamp
from gongji_svc.storage.database import Database
from gongji_svc.storage.entry_reads import EntryRow
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.accounts import (
    HOHHOT,
    TIELING,
    ULANQAB,
    account_of,
    credit,
    crediting,
    open_account,
    opening,
)
from tests.services.driver import Driver
from tests.services.entries import BEGIN, account_with, all_entries, booked, list_entries
from tests.services.till import request_of, settle

KINDS = [kind.value for kind in EntryKind]


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Iterator[Driver]:
    office = Driver(shared_database)
    yield office
    office.close()


@pytest.fixture
def owner(families: Families) -> Made:
    return families.person(HOHHOT)


def seqs(entries: Sequence[pb.Entry]) -> list[int]:
    return [entry.seq for entry in entries]


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that reads send meanwhile."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)


def test_a_donor_sees_whose_purchase_used_the_money_where_when_and_how_much(
    driver: Driver, families: Families
) -> None:
    code = families.institution(HOHHOT)
    families.item("150000", "XA01")
    donor = families.person(HOHHOT)
    child = families.person(HOHHOT, name="王小明", insurance=Insurance.RESIDENT)
    binding_id = families.bind(donor, child)
    account_id = open_account(driver, opening(donor)).account.account_id
    credit(driver, crediting(account_id, 9_000))
    settlement = settle(driver, code, request_of(code, child, 2_500)).settlement
    [paid, _] = list_entries(driver, "citizen", donor, account_id).entries
    assert paid.kind == pb.ENTRY_KIND_SETTLEMENT_MUTUAL_AID
    assert (paid.amount_fen, paid.balance_after_fen) == (-2_500, 6_500)
    assert (paid.beneficiary, paid.beneficiary_id) == ("王**", str(child))
    assert paid.counterparty == f"机构{code}"
    assert paid.occurred_at == settlement.occurred_at
    assert (paid.binding_id, paid.source_id) == (str(binding_id), settlement.settlement_id)
    assert (paid.entry_id, paid.account_id) == (f"{account_id}:2", account_id)


def test_an_own_purchase_names_nobody(driver: Driver, families: Families) -> None:
    code = families.institution(HOHHOT)
    families.item("150000", "XA02")
    patient = families.person(HOHHOT, balance_fen=9_000)
    settle(driver, code, request_of(code, patient, 2_500))
    [paid] = list_entries(driver, "citizen", patient, patient.account_id).entries
    assert paid.kind == pb.ENTRY_KIND_SETTLEMENT_OWN
    assert (paid.beneficiary, paid.beneficiary_id, paid.binding_id) == ("", "", "")


def test_a_credit_is_listed_as_it_was_answered(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_of(owner, families, HOHHOT)
    request = crediting(account_id, 500, request_id="c-listed", memo="2025年5月划入")
    answered = credit(driver, request).entry
    assert answered.counterparty
    assert list(list_entries(driver, "citizen", owner, account_id).entries) == [answered]


def test_an_institution_without_a_name_is_told_by_its_code(
    driver: Driver, families: Families, owner: Made
) -> None:
    gone = {"kind": "SETTLEMENT_OWN", "counterparty": "P15010099999"}
    account_id = account_with(families, owner, gone)
    [entry] = list_entries(driver, "citizen", owner, account_id).entries
    assert entry.counterparty == "P15010099999"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_entry_is_told(
    driver: Driver, families: Families, owner: Made, kind: str
) -> None:
    account_id = account_with(families, owner, {"kind": kind})
    [entry] = list_entries(driver, "citizen", owner, account_id).entries
    assert pb.EntryKind.Name(entry.kind) == f"ENTRY_KIND_{kind}"


def test_the_kinds_of_the_ledger_are_those_of_the_contract() -> None:
    assert [f"ENTRY_KIND_{kind}" for kind in KINDS] == pb.EntryKind.keys()[1:]


def test_entries_come_newest_first_or_oldest_first(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner, {}, {}, {})
    assert seqs(list_entries(driver, "citizen", owner, account_id).entries) == [3, 2, 1]
    oldest_first = list_entries(driver, "citizen", owner, account_id, ascending=True)
    assert seqs(oldest_first.entries) == [1, 2, 3]


def test_the_order_is_that_of_booking_and_not_of_when_it_happened(
    driver: Driver, families: Families, owner: Made
) -> None:
    late = {"occurred_at": BEGIN - timedelta(days=20)}
    account_id = account_with(families, owner, {}, late, {})
    assert seqs(list_entries(driver, "citizen", owner, account_id).entries) == [3, 2, 1]


def test_the_limits_of_time_are_from_and_before(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_of(owner, families, HOHHOT)
    at = [timestamp(row.occurred_at) for row in booked(families, account_id, [{}, {}, {}, {}])]
    between = {"occurred_from": at[1], "occurred_to": at[3]}
    page = list_entries(driver, "citizen", owner, account_id, **between)
    assert seqs(page.entries) == [3, 2]


def fits(row: EntryRow, request: pb.ListEntriesRequest) -> bool:
    """The filters as the contract words them."""
    happened = row.occurred_at
    if request.HasField("occurred_from") and happened < request.occurred_from.ToDatetime(UTC):
        return False
    if request.HasField("occurred_to") and happened >= request.occurred_to.ToDatetime(UTC):
        return False
    kinds = {pb.EntryKind.Name(number) for number in request.kinds}
    if kinds and f"ENTRY_KIND_{row.kind}" not in kinds:
        return False
    return request.beneficiary_id in ("", str(row.beneficiary_id))


def filters(chance: random.Random, people: Sequence[Made]) -> dict[str, Any]:
    """Any filters, several at once."""
    chosen: dict[str, Any] = {"ascending": chance.random() < 0.5}
    if chance.random() < 0.5:
        chosen["occurred_from"] = timestamp(BEGIN + timedelta(hours=chance.randint(-2, 40)))
    if chance.random() < 0.5:
        chosen["occurred_to"] = timestamp(BEGIN + timedelta(hours=chance.randint(10, 70)))
    if chance.random() < 0.6:
        chosen["kinds"] = sorted(chance.sample(range(1, len(KINDS) + 1), chance.randint(1, 6)))
    if chance.random() < 0.4:
        chosen["beneficiary_id"] = str(chance.choice(people))
    return chosen


def test_the_pages_of_any_filters_are_together_what_fits_them_in_order(
    driver: Driver, families: Families, owner: Made
) -> None:
    chance = random.Random(20260105)  # noqa: S311 - a test's own dice
    people = [families.person(HOHHOT) for _ in range(3)]
    account_id = account_of(owner, families, HOHHOT)
    made = [
        {
            "kind": chance.choice(KINDS),
            "beneficiary_id": chance.choice([None, *(one.person_id for one in people)]),
            "occurred_at": BEGIN + timedelta(hours=chance.randint(0, 60)),
        }
        for _ in range(60)
    ]
    rows = booked(families, account_id, made)
    for _ in range(60):
        chosen = filters(chance, people)
        request = pb.ListEntriesRequest(**chosen)
        expected = [row.seq for row in rows if fits(row, request)]
        if not request.ascending:
            expected.reverse()
        size = chance.choice([1, 2, 3, 7, 50, 1000])
        found = all_entries(driver, "citizen", owner, account_id, page_size=size, **chosen)
        assert seqs(found) == expected, (chosen, size)


@pytest.mark.parametrize("ascending", [False, True])
def test_pages_are_stable_while_entries_are_booked(
    driver: Driver, families: Families, owner: Made, ascending: bool
) -> None:
    account_id = account_with(families, owner, {}, {}, {})
    known = {"page_size": 2, "ascending": ascending}
    first = list_entries(driver, "citizen", owner, account_id, **known)
    credit(driver, crediting(account_id, request_id=f"later-{ascending}"))
    token = first.next_page_token
    second = list_entries(driver, "citizen", owner, account_id, page_token=token, **known)
    read = seqs([*first.entries, *second.entries])
    assert read == ([1, 2, 3, 4] if ascending else [3, 2, 1])


def test_a_token_serves_its_own_list_only_and_any_size_of_page(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner, {}, {}, {}, {})
    other_id = account_with(families, families.person(HOHHOT), {}, {})
    token = list_entries(driver, "citizen", owner, account_id, page_size=1).next_page_token
    rest = list_entries(driver, "citizen", owner, account_id, page_size=9, page_token=token)
    assert seqs(rest.entries) == [3, 2, 1]
    with pytest.raises(errors.PageTokenInvalid):
        list_entries(driver, "citizen", owner, account_id, page_token=token, ascending=True)
    with pytest.raises(errors.PageTokenInvalid):
        list_entries(driver, "agency", HOHHOT, other_id, page_token=token)


def test_a_page_asks_the_same_few_questions_however_many_entries_it_has(
    driver: Driver, families: Families, owner: Made
) -> None:
    purchases = [
        {
            "kind": "SETTLEMENT_MUTUAL_AID",
            "counterparty": families.institution(HOHHOT),
            "beneficiary_id": families.person(HOHHOT).person_id,
        }
        for _ in range(30)
    ]
    account_id = account_with(families, owner, *purchases)
    sent: list[int] = []
    for size in (1, 30):
        with statements() as found:
            page = list_entries(driver, "citizen", owner, account_id, page_size=size)
        assert len({entry.counterparty for entry in page.entries}) == size
        sent.append(len(found))
    assert sent[0] == sent[1]


def test_an_instant_that_is_none_is_a_field_error(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner)
    request = pb.ListEntriesRequest(account_id=str(account_id))
    request.occurred_to.seconds = 10**15
    with pytest.raises(errors.InvalidField) as refused:
        driver.call("citizen", owner, "AccountService", "ListEntries", request)
    assert [violation.field for violation in refused.value.violations] == ["occurred_to"]


@pytest.mark.parametrize("state", ["FROZEN", "CLOSED"])
def test_the_entries_of_a_frozen_or_closed_account_are_listed(
    driver: Driver, families: Families, owner: Made, state: str
) -> None:
    account_id = account_with(families, owner, {}, {}, state=state)
    assert seqs(list_entries(driver, "citizen", owner, account_id).entries) == [2, 1]


def test_entries_are_seen_by_the_owner_a_guardian_and_the_agencies_concerned(
    driver: Driver, families: Families
) -> None:
    guardian = families.person(TIELING)
    guardians = [Guardian(guardian.person_id, GuardianKind.REGISTERED)]
    owner = families.person(ULANQAB, home=HOHHOT, guardians=guardians)
    account_id = account_with(families, owner, {}, pool_region=TIELING)
    callers: Sequence[tuple[str, object]] = [
        ("citizen", owner),
        ("citizen", guardian),
        ("agency", HOHHOT),
        ("agency", ULANQAB),
        ("agency", TIELING),
    ]
    for role, subject in callers:
        assert seqs(list_entries(driver, role, subject, account_id).entries) == [1]


def test_a_strangers_account_and_none_are_answered_alike(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner, {})
    beneficiary = families.person(HOHHOT)
    families.bind(owner, beneficiary)
    no_id = "018f2a00-0000-7000-8000-000000000001"
    for role, subject in (("citizen", beneficiary), ("agency", TIELING)):
        for named in (account_id, new_id(HOHHOT), no_id):
            with pytest.raises(errors.AccessDenied):
                list_entries(driver, role, subject, named)
