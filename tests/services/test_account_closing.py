"""CloseAccount: without holds and empty, or the rest moves; and what races it."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.account_state import GREATEST_BALANCE_FEN
from gongji_svc.domain.errors import Refusal
from gongji_svc.engine import Answered, Command, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families
from tests.services.account_work import (
    REASON,
    changes_of,
    check_histories,
    close,
    decide,
    freeze,
    kept,
    propose,
    trail,
    unfreeze,
)
from tests.services.accounts import (
    HOHHOT,
    PARTED,
    SERVICE,
    TIELING,
    ULANQAB,
    account_of,
    credit,
    crediting,
    get_account,
    list_accounts,
    open_account,
    opening,
    rules,
    written,
)
from tests.services.driver import Driver
from tests.services.holds import hold, holding, release
from tests.services.test_credit import sums

NO_ID = "018f2a00-0000-7000-8000-000000000001"


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def test_an_empty_account_is_closed_for_good(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    answer = close(driver, owner.account_id, reason="调离本市")
    account = answer.account
    assert (account.state, account.state_reason) == (pb.ACCOUNT_STATE_CLOSED, "调离本市")
    assert account.closed_at.ToDatetime() > account.opened_at.ToDatetime()
    assert not answer.HasField("transfer")
    assert get_account(driver, "citizen", owner, account_id=owner.account_id) == account
    assert list_accounts(driver, "citizen", owner, owner).accounts == [account]
    assert written(database, owner.account_id) == []
    with pytest.raises(errors.AccountClosed):
        credit(driver, crediting(owner.account_id))


def test_a_closed_account_makes_room_for_another(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    close(driver, owner.account_id)
    assert open_account(driver, opening(owner)).account.state == pb.ACCOUNT_STATE_OPEN


def test_an_account_is_closed_and_another_opened_in_one_batch(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    closing = pb.CloseAccountRequest(
        request_id="s-1", account_id=str(owner.account_id), reason=REASON
    )
    commands = [
        command(driver, "CloseAccount", closing),
        command(driver, "OpenAccount", opening(owner)),
    ]
    engine = Engine(database)
    outcomes = engine.run(commands)
    engine.close()
    assert [type(outcome) for outcome in outcomes] == [Answered, Answered]
    states = [one.state for one in list_accounts(driver, "citizen", owner, owner).accounts]
    assert states == [pb.ACCOUNT_STATE_OPEN, pb.ACCOUNT_STATE_CLOSED]


def command(driver: Driver, rpc: str, request: Any) -> Command:
    """The command in a request of the agency."""
    caller, until = Caller(Role.AGENCY, HOHHOT, "a-1"), time.time() + 60
    body = request.SerializeToString()
    return routes.read_command(driver.office, method_of(SERVICE, rpc), caller, body, until)


def test_an_account_with_money_names_where_it_goes(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=1)
    with pytest.raises(errors.AccountNotEmpty):
        close(driver, owner.account_id)
    assert kept(database, owner.account_id).state == "OPEN"


def test_an_account_is_closed_only_after_its_holds_are_over(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    taking = account_of(owner, families, HOHHOT, kind="PAST_YEARS")
    request = holding(owner.account_id, owner, 100)
    hold_id = hold(driver, "agency", HOHHOT, request).hold_id
    with pytest.raises(errors.AccountHasHolds):
        close(driver, owner.account_id, taking)
    assert kept(database, owner.account_id).state == "OPEN"
    release(driver, "agency", HOHHOT, hold_id)
    close(driver, owner.account_id, taking)
    assert kept(database, taking).balance_fen == 900


def test_what_is_left_moves_to_another_account_of_the_same_person(
    driver: Driver, families: Families, database: Database
) -> None:
    driver.office.rulebook = rules(HOHHOT, PARTED)
    owner = families.person(HOHHOT)
    current = account_of(owner, families, HOHHOT, kind="CURRENT_YEAR")
    past = account_of(owner, families, HOHHOT, kind="PAST_YEARS")
    credit(driver, crediting(current, 300))
    answer = close(driver, current, past)
    entry = answer.transfer
    assert (answer.account.balance_fen, answer.account.seq) == (0, 2)
    assert (entry.kind, entry.amount_fen) == (pb.ENTRY_KIND_TRANSFER, -300)
    assert (entry.account_id, entry.seq, entry.balance_after_fen) == (str(current), 2, 0)
    memo = f"{REASON}（转自个人账户{current}）"
    assert (entry.memo, entry.counterparty) == (memo, "测试")
    assert written(database, current)[1:] == [(2, "TRANSFER", -300, 0, memo)]
    assert written(database, past) == [(1, "TRANSFER", 300, 300, memo)]
    assert sums(database) == []
    check_histories(database)


def test_the_answer_is_the_account_as_it_is_kept(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT)
    account_id = account_of(owner, families, HOHHOT, frozen_quota_fen=50)
    taking = account_of(owner, families, HOHHOT, kind="PAST_YEARS")
    credit(driver, crediting(account_id, 300))
    account = close(driver, account_id, taking).account
    assert get_account(driver, "agency", HOHHOT, account_id=account_id) == account
    row = kept(database, account_id)
    assert (row.balance_fen, row.frozen_quota_fen, row.seq) == (0, 0, 2)
    assert row.closed_at == row.recorded_at


def test_money_that_leaves_a_regions_books_is_cleared(
    driver: Driver, families: Families, database: Database
) -> None:
    driver.office.rulebook = rules(HOHHOT, PARTED)
    owner = families.person(HOHHOT)
    here = account_of(owner, families, HOHHOT, kind="CURRENT_YEAR", balance_fen=300)
    there = account_of(owner, families, ULANQAB, kind="PAST_YEARS")
    close(driver, here, there)
    with database.connect() as tx:
        lines = tx.execute("SELECT region, side, counterparty, amount_fen FROM ledger_lines")
        assert sorted(lines.fetchall()) == [
            (HOHHOT, "CLEARING", ULANQAB, 300),
            (ULANQAB, "CLEARING", HOHHOT, -300),
        ]
    assert sums(database) == []


def test_no_single_official_moves_what_is_left_to_somebody_else(
    driver: Driver, families: Families, database: Database
) -> None:
    owner, heir = families.person(HOHHOT, balance_fen=300), families.person(ULANQAB, home=TIELING)
    taking = account_of(heir, families, HOHHOT, balance_fen=40)
    with pytest.raises(errors.TransferAccountUnsuitable) as refused:
        close(driver, owner.account_id, taking)
    assert "两名工作人员" in refused.value.message_zh
    assert "ProposeAdjustment, DecideAdjustment" in refused.value.message
    assert kept(database, owner.account_id).balance_fen == 300
    assert kept(database, taking).balance_fen == 40


def test_two_officials_move_what_is_left_to_an_heir_and_then_it_is_closed(
    driver: Driver, families: Families, database: Database
) -> None:
    owner, heir = families.person(HOHHOT, balance_fen=300), families.person(HOHHOT, balance_fen=40)
    for account_id, amount_fen in ((owner.account_id, -300), (heir.account_id, 300)):
        decide(driver, propose(driver, account_id, amount_fen).adjustment_id)
    assert close(driver, owner.account_id).account.state == pb.ACCOUNT_STATE_CLOSED
    assert kept(database, heir.account_id).balance_fen == 340
    assert sums(database) == []


def test_the_trail_tells_where_what_was_left_went(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=300)
    taking = account_of(owner, families, ULANQAB, kind="PAST_YEARS", balance_fen=40)
    close(driver, owner.account_id, taking)
    assert kept(database, taking).balance_fen == 340
    [record] = trail(database, "account", owner.account_id)
    assert changes_of(record) == {
        "state": ('"OPEN"', '"CLOSED"'),
        "balance_fen": ("300", "0"),
        "transfer_to_account_id": ("", f'"{taking}"'),
    }


def test_no_account_takes_the_rest_that_is_not_open_or_not_the_owners(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=300)
    unsuitable = [
        owner.account_id,
        account_of(owner, families, HOHHOT, kind="PAST_YEARS", state="FROZEN"),
        account_of(owner, families, HOHHOT, state="CLOSED"),
        families.person(HOHHOT, balance_fen=0).account_id,
        new_id(HOHHOT),
        NO_ID,
    ]
    for account_id in unsuitable:
        with pytest.raises(errors.TransferAccountUnsuitable):
            close(driver, owner.account_id, account_id)
    assert kept(database, owner.account_id).balance_fen == 300


def parted(families: Families, *balances_fen: int) -> list[UUID]:
    """The accounts of one person, of the current year and of past ones."""
    owner, kinds = families.person(HOHHOT), ("CURRENT_YEAR", "PAST_YEARS")
    return [
        account_of(owner, families, HOHHOT, kind=kind, balance_fen=fen)
        for kind, fen in zip(kinds, balances_fen, strict=True)
    ]


def test_no_account_takes_more_than_it_can_hold(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT, balance_fen=1)
    full = account_of(owner, families, HOHHOT, kind="PAST_YEARS", balance_fen=GREATEST_BALANCE_FEN)
    with pytest.raises(errors.BalanceTooLarge):
        close(driver, owner.account_id, full)


def test_of_many_who_close_two_accounts_into_each_other_one_does(
    driver: Driver, families: Families, database: Database
) -> None:
    pair = parted(families, 300, 500)

    def attempt(number: int) -> str:
        giver, taker = pair if number % 2 else reversed(pair)
        try:
            close(driver, giver, taker)
        except Refusal as refusal:
            return refusal.reason
        return "CLOSED"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(attempt, range(8)))
    assert outcomes.count("CLOSED") == 1
    assert set(outcomes) <= {"CLOSED", "ACCOUNT_CLOSED", "TRANSFER_ACCOUNT_UNSUITABLE"}
    assert sorted(kept(database, one).balance_fen for one in pair) == [0, 800]
    assert sums(database) == []


def test_nothing_is_lost_while_accounts_are_frozen_closed_and_credited_at_once(
    driver: Driver, families: Families, database: Database
) -> None:
    pairs = [parted(families, 0, 0) for _ in range(2)]
    accounts = [one for pair in pairs for one in pair]

    def work(seed: int) -> int:
        pick = random.Random(seed)  # noqa: S311 - a seeded walk, no secret
        credited_fen = 0
        for step in range(30):
            one, other = pick.sample(pick.choice(pairs), 2)
            try:
                match pick.choice(["credit", "credit", "credit", "freeze", "unfreeze", "close"]):
                    case "credit":
                        fen = pick.randint(1, 1_000)
                        credit(driver, crediting(one, fen, request_id=f"c-{seed}-{step}"))
                        credited_fen += fen
                    case "freeze":
                        freeze(driver, one)
                    case "unfreeze":
                        unfreeze(driver, one)
                    case "close" if step > 25:
                        close(driver, one, other)
            except Refusal as refusal:
                assert refusal.reason in {
                    "ACCOUNT_CLOSED",
                    "ACCOUNT_FROZEN",
                    "ACCOUNT_NOT_FROZEN",
                    "TRANSFER_ACCOUNT_UNSUITABLE",
                }
        return credited_fen

    with ThreadPoolExecutor(6) as pool:
        credited_fen = sum(pool.map(work, range(6)))
    rows = [kept(database, one) for one in accounts]
    assert sum(row.balance_fen for row in rows) == credited_fen
    assert all(row.balance_fen == 0 for row in rows if row.state == "CLOSED")
    assert sums(database) == []
    check_histories(database)
