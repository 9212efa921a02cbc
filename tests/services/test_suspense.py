"""ListSuspense, ResolveSuspense: what came back for closed accounts, and where it goes."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from gongji.v1 import access_pb2
from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.account_state import GREATEST_BALANCE_FEN
from gongji_svc.domain.errors import Refusal
from gongji_svc.domain.journal import Journal, Line, Side
from gongji_svc.domain.suspense import suspense_line
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted
from gongji_svc.storage.suspense import suspense_row
from tests.families import Families
from tests.services.account_work import (
    CLERK,
    REASON,
    changes_of,
    close,
    kept,
    listed,
    resolve,
    trail,
)
from tests.services.accounts import HOHHOT, ULANQAB, account_of, written
from tests.services.driver import Driver
from tests.services.test_credit import sums

NO_ID = "018f2a00-0000-7000-8000-000000000001"


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


@dataclass(slots=True)
class GiveBack:
    """An institution gives back what a closed account paid; answers the item's id."""

    account_id: UUID
    owner_id: UUID
    amount_fen: int
    source_id: UUID
    deadline: float = float("inf")

    def lookups(self) -> Lookups:
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        return Keys()

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        return Wanted(accounts_of=(self.owner_id,))

    def decide(self, state: State) -> Decision:
        account = state.accounts[self.account_id]
        region = account.pool_region
        journal = Journal(
            journal_id=new_id(region),
            home=region,
            occurred_at=state.now,
            postings=(),
            lines=(
                Line(region, Side.INSTITUTION_PAYABLE, "P1", -self.amount_fen),
                suspense_line(region, account.id, self.amount_fen),
            ),
        )
        item = suspense_row(account, self.amount_fen, self.source_id, state.now)
        return Decision(item[1][1].bytes, journals=(journal,), new=(item,))

    def field_name(self, number: int) -> str:
        raise KeyError(number)


def came_back(
    driver: Driver, families: Families, amount_fen: int = 700, region: str = HOHHOT
) -> tuple[UUID, UUID]:
    """An item of a closed account in the books of a region: the account, and the item."""
    owner = families.person(region, home=HOHHOT)
    account_id = account_of(owner, families, region)
    close(driver, account_id, agency=region)
    back = GiveBack(account_id, owner.person_id, amount_fen, uuid4())
    return account_id, UUID(bytes=driver.office.run(back).answer)


def items(driver: Driver, agency: str = HOHHOT, **fields: Any) -> pb.ListSuspenseResponse:
    answer = listed(driver, "ListSuspense", pb.ListSuspenseRequest(region=agency, **fields), agency)
    assert isinstance(answer, pb.ListSuspenseResponse)
    return answer


def ids(answer: pb.ListSuspenseResponse) -> list[str]:
    return [one.suspense_id for one in answer.items]


def sides(database: Database) -> dict[str, int]:
    """What stands on each side of the books, fen; zero is left out."""
    sums: Counter[str] = Counter()
    with database.connect() as tx:
        for side, amount_fen in tx.execute("SELECT side, amount_fen FROM ledger_lines"):
            sums[str(side)] += int(str(amount_fen))
    return {side: fen for side, fen in sums.items() if fen}


def test_what_came_back_for_a_closed_account_is_listed(driver: Driver, families: Families) -> None:
    account_id, suspense_id = came_back(driver, families, 700)
    [item] = items(driver).items
    assert (item.suspense_id, item.account_id) == (str(suspense_id), str(account_id))
    assert (item.region, item.amount_fen) == (HOHHOT, 700)
    assert item.state == pb.SUSPENSE_STATE_OPEN
    assert item.source_id
    assert not (item.HasField("resolved_by") or item.HasField("resolved_at"))


def test_it_is_paid_into_an_open_account_of_the_same_person(
    driver: Driver, families: Families, database: Database
) -> None:
    closed, suspense_id = came_back(driver, families, 700)
    owner_id = kept(database, closed).person_id
    account_id = families.account(HOHHOT, 50, person_id=owner_id)
    item = resolve(driver, suspense_id, transfer_to_account_id=str(account_id)).item
    assert item.state == pb.SUSPENSE_STATE_RESOLVED
    assert (item.transfer_to_account_id, item.payout_reference) == (str(account_id), "")
    by = item.resolved_by
    assert (by.role, by.subject, by.actor) == (access_pb2.ROLE_AGENCY, HOHHOT, CLERK)
    assert item.reason == REASON
    assert list(items(driver).items) == [item]
    memo = f"{REASON}（转自个人账户{closed}）"
    assert written(database, account_id) == [(1, "SUSPENSE", 700, 750, memo)]
    assert sides(database) == {"INSTITUTION_PAYABLE": -700}
    assert sums(database) == []


def test_an_entry_out_of_suspense_names_the_item(
    driver: Driver, families: Families, database: Database
) -> None:
    closed, suspense_id = came_back(driver, families)
    owner_id = kept(database, closed).person_id
    account_id = families.account(HOHHOT, person_id=owner_id)
    resolve(driver, suspense_id, transfer_to_account_id=str(account_id))
    request = pb.ListEntriesRequest(account_id=str(account_id))
    answer = driver.call("citizen", owner_id, "AccountService", "ListEntries", request)
    [entry] = answer.entries
    assert (entry.kind, entry.source_id) == (pb.ENTRY_KIND_SUSPENSE, str(suspense_id))


def test_it_is_paid_out_by_a_journal_without_any_account(
    driver: Driver, families: Families, database: Database
) -> None:
    _, suspense_id = came_back(driver, families, 700)
    item = resolve(driver, suspense_id, payout_reference="ICBC-2026-0001").item
    assert item.state == pb.SUSPENSE_STATE_RESOLVED
    assert (item.transfer_to_account_id, item.payout_reference) == ("", "ICBC-2026-0001")
    assert list(items(driver).items) == [item]
    assert sides(database) == {"INSTITUTION_PAYABLE": -700, "PAYOUT": 700}
    with database.connect() as tx:
        paid = tx.execute("SELECT counterparty FROM ledger_lines WHERE side = 'PAYOUT'")
        assert paid.fetchall() == [("ICBC-2026-0001",)]
        assert tx.execute("SELECT * FROM entries").fetchall() == []
    assert sums(database) == []


def test_money_for_an_account_in_other_books_is_cleared(
    driver: Driver, families: Families, database: Database
) -> None:
    closed, suspense_id = came_back(driver, families, 700)
    owner_id = kept(database, closed).person_id
    moved = families.person(ULANQAB, home=HOHHOT)
    account_id = account_of(moved, families, ULANQAB, person_id=owner_id)
    resolve(driver, suspense_id, transfer_to_account_id=str(account_id))
    assert kept(database, account_id).balance_fen == 700
    assert sides(database) == {"INSTITUTION_PAYABLE": -700}
    assert sums(database) == []


def test_no_account_takes_it_that_is_not_open_or_not_the_owners(
    driver: Driver, families: Families, database: Database
) -> None:
    closed, suspense_id = came_back(driver, families)
    owner_id, other = kept(database, closed).person_id, families.person(HOHHOT, balance_fen=0)
    unsuitable = [
        closed,
        account_of(other, families, HOHHOT, person_id=owner_id, state="FROZEN"),
        other.account_id,
        families.person(ULANQAB, balance_fen=0).account_id,
        new_id(HOHHOT),
        NO_ID,
    ]
    for account_id in unsuitable:
        with pytest.raises(errors.TransferAccountUnsuitable):
            resolve(driver, suspense_id, transfer_to_account_id=str(account_id))
    full = account_of(
        other,
        families,
        HOHHOT,
        person_id=owner_id,
        kind="PAST_YEARS",
        balance_fen=GREATEST_BALANCE_FEN,
    )
    with pytest.raises(errors.BalanceTooLarge):
        resolve(driver, suspense_id, transfer_to_account_id=str(full))
    assert [one.state for one in items(driver).items] == [pb.SUSPENSE_STATE_OPEN]


def test_items_of_other_books_and_none_are_answered_alike(
    driver: Driver, families: Families
) -> None:
    _, suspense_id = came_back(driver, families, region=ULANQAB)
    for named in (suspense_id, new_id(HOHHOT), NO_ID):
        with pytest.raises(errors.AccessDenied):
            resolve(driver, named, payout_reference="X-1")
    assert ids(items(driver, ULANQAB)) == [str(suspense_id)]
    assert ids(items(driver, HOHHOT)) == []


def test_an_item_is_dealt_with_once(driver: Driver, families: Families, database: Database) -> None:
    closed, suspense_id = came_back(driver, families)
    account_id = families.account(HOHHOT, person_id=kept(database, closed).person_id)
    resolve(driver, suspense_id, payout_reference="X-1")
    with pytest.raises(errors.SuspenseResolved):
        resolve(driver, suspense_id, transfer_to_account_id=str(account_id))
    assert kept(database, account_id).balance_fen == 0


def test_a_repeat_gets_the_first_answer_and_moves_nothing(
    driver: Driver, families: Families, database: Database
) -> None:
    _, suspense_id = came_back(driver, families, 700)
    first, again = (
        resolve(driver, suspense_id, payout_reference="X-1", request_id="r-1") for _ in range(2)
    )
    assert (first.replayed, again.replayed) == (False, True)
    assert first.item == again.item
    assert sides(database)["PAYOUT"] == 700


def test_of_many_who_deal_with_an_item_at_once_one_does(
    driver: Driver, families: Families, database: Database
) -> None:
    closed, suspense_id = came_back(driver, families, 700)
    other, owner_id = families.person(HOHHOT), kept(database, closed).person_id
    accounts = [
        account_of(other, families, HOHHOT, person_id=owner_id, kind=kind)
        for kind in ("GENERAL", "CURRENT_YEAR", "PAST_YEARS")
    ]

    def attempt(account_id: UUID) -> str:
        try:
            resolve(driver, suspense_id, transfer_to_account_id=str(account_id))
        except Refusal as refusal:
            return refusal.reason
        return "RESOLVED"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(attempt, accounts * 3))
    assert outcomes == ["RESOLVED"] + ["SUSPENSE_RESOLVED"] * 8
    assert sum(kept(database, one).balance_fen for one in accounts) == 700
    assert sums(database) == []


def test_the_trail_tells_who_dealt_with_it_and_why(
    driver: Driver, families: Families, database: Database
) -> None:
    _, suspense_id = came_back(driver, families, region=ULANQAB)
    resolve(driver, suspense_id, ULANQAB, payout_reference="X-1")
    [record] = trail(database, "suspense", suspense_id)
    assert (record.region, record.actor, record.reason) == (ULANQAB, CLERK, REASON)
    assert changes_of(record) == {
        "state": ('"OPEN"', '"RESOLVED"'),
        "payout_reference": ("", '"X-1"'),
    }


def test_items_are_listed_newest_first_on_stable_pages(driver: Driver, families: Families) -> None:
    made = [str(came_back(driver, families)[1]) for _ in range(5)]
    first = items(driver, page_size=2)
    came_back(driver, families)
    resolve(driver, made[0], payout_reference="X-1")
    second = items(driver, page_size=2, page_token=first.next_page_token)
    third = items(driver, page_size=2, page_token=second.next_page_token)
    assert [*ids(first), *ids(second), *ids(third)] == made[::-1]
    assert third.next_page_token == ""


def test_items_are_chosen_by_state(driver: Driver, families: Families) -> None:
    made = [str(came_back(driver, families)[1]) for _ in range(3)]
    resolve(driver, made[1], payout_reference="X-1")
    assert ids(items(driver, states=[pb.SUSPENSE_STATE_RESOLVED])) == [made[1]]
    assert ids(items(driver, states=[pb.SUSPENSE_STATE_OPEN])) == [made[2], made[0]]


def test_a_page_token_is_of_one_list(driver: Driver, families: Families) -> None:
    for _ in range(2):
        came_back(driver, families)
    token = items(driver, page_size=1).next_page_token
    with pytest.raises(errors.PageTokenInvalid):
        items(driver, page_size=1, page_token=token, states=[pb.SUSPENSE_STATE_OPEN])
