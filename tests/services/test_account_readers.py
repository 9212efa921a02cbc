"""GetAccount and ListAccounts: what they show, and to whom."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.accounts import (
    HOHHOT,
    PARTED,
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
)  # fmt: skip
from tests.services.driver import Driver
from tests.services.holds import HOUR, hold, holding, money_of, move


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def steps(account: pb.Account) -> list[tuple[str, int]]:
    return [(step.rule, step.amount_fen) for step in account.why]


def reckoned(
    account: pb.Account, *taken: tuple[str, int], from_relatives: Sequence[tuple[str, int]] = ()
) -> bool:
    """Whether the reckoning is told whole, and only this is said to be taken away."""
    return steps(account) == [
        ("BALANCE", account.balance_fen),
        *taken,
        ("SPENDABLE", account.spendable_fen),
        *from_relatives,
        ("SHAREABLE", account.shareable_fen),
    ]


def close(database: Database, account_id: object) -> None:
    with database.connect() as tx:
        tx.execute("UPDATE accounts SET state = 'CLOSED' WHERE id = %s", [str(account_id)])


def test_an_account_tells_what_its_owner_and_relatives_can_use_and_why(
    driver: Driver, families: Families
) -> None:
    driver.office.rulebook = rules(
        HOHHOT, {"own_kinds": ["GENERAL"], "donor_kinds": ["GENERAL"], "reserve_fen": 1_000}
    )
    owner = families.person(HOHHOT)
    account_of(owner, families, HOHHOT, balance_fen=5_000, held_fen=700, frozen_quota_fen=300)
    account = get_account(driver, "citizen", owner, person_id=owner)
    assert (account.balance_fen, account.held_fen, account.frozen_quota_fen) == (5_000, 700, 300)
    assert (account.spendable_fen, account.shareable_fen) == (4_000, 3_000)
    why = [("HELD", 700), ("FROZEN_QUOTA", 300)]
    assert reckoned(account, *why, from_relatives=[("RESERVE", 1_000)])
    assert [(step.text, step.source) for step in account.why] == [
        ("账户余额50.00元", ""),
        ("已预留7.00元，预留解除前不能使用", ""),
        ("已划为共济额度3.00元", ""),
        ("本人可用40.00元", "test own_kinds"),
        ("按规定留存10.00元，亲属不能使用", "test reserve_fen"),
        ("亲属可共济30.00元", "test donor_kinds"),
    ]
    assert all(step.text_en for step in account.why)


def test_an_account_names_the_rules_it_follows(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT, balance_fen=1)
    policy = get_account(driver, "citizen", owner, person_id=owner).policy
    assert policy.region == HOHHOT
    assert policy.blocks[-1].startswith(HOHHOT)
    assert policy.digest


@pytest.mark.parametrize("region", [HOHHOT, ULANQAB, TIELING])
def test_the_seed_regions_share_the_whole_balance(
    driver: Driver, families: Families, region: str
) -> None:
    owner = families.person(region, balance_fen=12_345)
    account = get_account(driver, "citizen", owner, person_id=owner)
    assert (account.spendable_fen, account.shareable_fen) == (12_345, 12_345)
    assert reckoned(account)


def test_a_frozen_account_can_be_used_by_nobody(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT)
    account_of(owner, families, HOHHOT, balance_fen=900, state="FROZEN")
    account = get_account(driver, "citizen", owner, person_id=owner)
    assert (account.spendable_fen, account.shareable_fen) == (0, 0)
    assert reckoned(account, ("FROZEN", 900))


def test_a_closed_account_says_that_it_is(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT)
    account_id = account_of(owner, families, HOHHOT, state="CLOSED")
    account = get_account(driver, "citizen", owner, account_id=account_id)
    assert reckoned(account, ("CLOSED", 0))


def test_a_hold_whose_time_has_passed_is_held_no_more_before_anybody_noticed(
    driver: Driver, families: Families, database: Database
) -> None:
    code, owner = families.institution(HOHHOT), families.person(HOHHOT, balance_fen=900)
    for amount_fen, hours in ((300, 1), (200, 3)):
        hold(driver, "pos", code, holding(owner.account_id, owner, amount_fen, hours * HOUR))
    move(driver, HOUR)
    account = get_account(driver, "citizen", owner, person_id=owner)
    assert (account.held_fen, account.spendable_fen) == (200, 700)
    assert reckoned(account, ("HELD", 200))
    assert list_accounts(driver, "citizen", owner, owner).accounts == [account]
    assert money_of(database, owner.account_id) == (900, 500, 0)  # it is still kept as held


def test_an_account_tells_when_it_was_opened_and_how_far_it_got(
    driver: Driver, families: Families
) -> None:
    owner = families.person(HOHHOT)
    account_id = open_account(driver, opening(owner)).account.account_id
    credit(driver, crediting(account_id, 500))
    account = get_account(driver, "agency", HOHHOT, account_id=account_id)
    assert (account.balance_fen, account.seq) == (500, 1)
    opened_at = account.opened_at.ToDatetime(tzinfo=UTC)
    assert abs(opened_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert not account.HasField("closed_at")


def test_an_account_is_seen_by_its_owner_a_guardian_and_the_owners_regions(
    driver: Driver, families: Families
) -> None:
    guardian = families.person(TIELING)
    owner = families.person(
        ULANQAB,
        home=HOHHOT,
        guardians=[Guardian(guardian.person_id, GuardianKind.REGISTERED)],
    )
    account_id = account_of(owner, families, ULANQAB, balance_fen=7)
    callers: Sequence[tuple[str, object]] = [
        ("citizen", owner),
        ("citizen", guardian),
        ("counter", HOHHOT),
        ("counter", ULANQAB),
        ("agency", HOHHOT),
        ("agency", ULANQAB),
    ]
    for role, subject in callers:
        assert get_account(driver, role, subject, account_id=account_id).balance_fen == 7
        assert get_account(driver, role, subject, person_id=owner).balance_fen == 7
        assert len(list_accounts(driver, role, subject, owner).accounts) == 1


def test_a_strangers_account_and_none_are_answered_alike(
    driver: Driver, families: Families
) -> None:
    owner = families.person(HOHHOT, balance_fen=7)
    callers: Sequence[tuple[str, object]] = [
        ("citizen", families.person(HOHHOT)),
        ("counter", ULANQAB),
        ("agency", TIELING),
    ]
    nobody, no_id = new_id(HOHHOT), "018f2a00-0000-7000-8000-000000000001"
    for role, subject in callers:
        for account_id in (owner.account_id, nobody, no_id):
            with pytest.raises(errors.AccessDenied):
                get_account(driver, role, subject, account_id=account_id)
        for person in (owner, nobody, no_id):
            with pytest.raises(errors.AccessDenied):
                get_account(driver, role, subject, person_id=person)
            with pytest.raises(errors.AccessDenied):
                list_accounts(driver, role, subject, person)


def test_the_region_that_keeps_an_account_sees_it_after_its_owner_moved_away(
    driver: Driver, families: Families
) -> None:
    owner = families.person(HOHHOT)
    left = account_of(owner, families, ULANQAB, balance_fen=7, state="CLOSED")
    account_of(owner, families, HOHHOT, balance_fen=9)
    assert get_account(driver, "agency", ULANQAB, account_id=left).balance_fen == 7
    listed = list_accounts(driver, "agency", ULANQAB, owner).accounts
    assert [account.account_id for account in listed] == [str(left)]


def test_a_person_without_an_account_is_told_so(driver: Driver, families: Families) -> None:
    resident = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    with pytest.raises(errors.AccountNotFound):
        get_account(driver, "citizen", resident, person_id=resident)
    assert not list_accounts(driver, "citizen", resident, resident).accounts


def parted(families: Families, driver: Driver) -> tuple[Made, list[str]]:
    """Somebody with an account of the current year and one of past years."""
    driver.office.rulebook = rules(HOHHOT, PARTED)
    owner = families.person(HOHHOT)
    current = account_of(owner, families, HOHHOT, kind="CURRENT_YEAR", balance_fen=300)
    past = account_of(owner, families, HOHHOT, kind="PAST_YEARS", balance_fen=500)
    return owner, [str(current), str(past)]


def test_of_several_accounts_one_must_be_named(driver: Driver, families: Families) -> None:
    owner, accounts = parted(families, driver)
    with pytest.raises(errors.InvalidField) as refused:
        get_account(driver, "citizen", owner, person_id=owner)
    assert [violation.field for violation in refused.value.violations] == ["account_id"]
    assert get_account(driver, "citizen", owner, account_id=accounts[1]).balance_fen == 500


def test_only_the_kinds_that_the_region_shares_are_shareable(
    driver: Driver, families: Families
) -> None:
    owner, _ = parted(families, driver)
    current, past = list_accounts(driver, "citizen", owner, owner).accounts
    assert (current.spendable_fen, current.shareable_fen) == (300, 0)
    assert reckoned(current, from_relatives=[("KIND_NOT_SHARED", 300)])
    assert (past.spendable_fen, past.shareable_fen) == (500, 500)


def test_a_closed_account_does_not_stand_beside_the_only_one(
    driver: Driver, families: Families
) -> None:
    owner = families.person(HOHHOT)
    account_of(owner, families, HOHHOT, state="CLOSED")
    account_of(owner, families, HOHHOT, balance_fen=9)
    assert get_account(driver, "citizen", owner, person_id=owner).balance_fen == 9


def test_exactly_one_of_account_and_person_names_an_account(driver: Driver) -> None:
    with pytest.raises(errors.InvalidField):
        get_account(driver, "agency", HOHHOT)


def pages(driver: Driver, owner: Made, size: int) -> list[list[str]]:
    found: list[list[str]] = []
    token = ""
    while not found or token:
        answer = list_accounts(driver, "citizen", owner, owner, page_size=size, page_token=token)
        found.append([account.account_id for account in answer.accounts])
        token = answer.next_page_token
    return found


def test_accounts_are_listed_in_the_order_they_were_opened_closed_ones_last(
    driver: Driver, families: Families
) -> None:
    owner = families.person(HOHHOT)
    closed = [str(account_of(owner, families, HOHHOT, state="CLOSED")) for _ in range(2)]
    current = str(account_of(owner, families, HOHHOT, kind="CURRENT_YEAR"))
    past = str(account_of(owner, families, HOHHOT, kind="PAST_YEARS"))
    expected = [current, past, *closed]
    assert pages(driver, owner, 50) == [expected]
    assert pages(driver, owner, 2) == [expected[:2], expected[2:]]
    assert pages(driver, owner, 1) == [[one] for one in expected]


def test_an_account_that_is_closed_between_two_pages_comes_once(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT)
    old = account_of(owner, families, HOHHOT, state="CLOSED")
    current = account_of(owner, families, HOHHOT, kind="CURRENT_YEAR")
    past = account_of(owner, families, HOHHOT, kind="PAST_YEARS")
    first = list_accounts(driver, "citizen", owner, owner, page_size=1)
    close(database, current)
    close(database, past)
    token = first.next_page_token
    rest = list_accounts(driver, "citizen", owner, owner, page_size=3, page_token=token)
    listed = [account.account_id for account in (*first.accounts, *rest.accounts)]
    assert listed == [str(current), str(past), str(old)]


def test_a_page_token_is_of_one_persons_list(driver: Driver, families: Families) -> None:
    owner, other = families.person(HOHHOT), families.person(HOHHOT, balance_fen=0)
    for _ in range(2):
        account_of(owner, families, HOHHOT, state="CLOSED")
    token = list_accounts(driver, "agency", HOHHOT, owner, page_size=1).next_page_token
    with pytest.raises(errors.PageTokenInvalid):
        list_accounts(driver, "agency", HOHHOT, other, page_size=1, page_token=token)
