"""CaptureHold and ReleaseHold: once, by whom it concerns, and what moves."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.binding import BindingState
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families
from tests.services.accounts import account_of
from tests.services.applications import relative_in
from tests.services.changes import changes_in
from tests.services.driver import Driver
from tests.services.holds import (
    HOHHOT,
    HOUR,
    TIELING,
    ULANQAB,
    capture,
    counted,
    family,
    get_hold,
    hold,
    holding,
    money_of,
    move,
    release,
    state_of,
    trail,
)
from tests.services.rules import driver_with, rules_with
from tests.services.test_credit import sums


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database)


@pytest.fixture(scope="module")
def pharmacy(families: Families) -> str:
    return families.institution(HOHHOT)


def entries_of(database: Database, account_id: object) -> list[tuple[Any, ...]]:
    """The entries of an account, as far as a capture decides them."""
    query = """SELECT seq, kind, amount_fen, balance_after_fen, counterparty, beneficiary_id,
                      binding_id, source_id, memo
               FROM entries WHERE account_id = %s ORDER BY seq"""
    with database.connect() as tx:
        return tx.execute(query, [str(account_id)]).fetchall()


def lines_of(database: Database, hold_id: object) -> list[tuple[Any, ...]]:
    """The other side of what a hold moved."""
    query = """SELECT DISTINCT l.region, l.side, l.counterparty, l.amount_fen
               FROM ledger_lines l JOIN entries e ON e.journal_id = l.journal_id
               WHERE e.source_id = %s ORDER BY l.region, l.side"""
    with database.connect() as tx:
        return tx.execute(query, [str(hold_id)]).fetchall()


@pytest.mark.parametrize(("wanted_fen", "taken_fen"), [(0, 700), (700, 700), (1, 1)])
def test_a_capture_moves_what_it_takes_and_frees_the_rest(
    driver: Driver,
    families: Families,
    pharmacy: str,
    shared_database: Database,
    wanted_fen: int,
    taken_fen: int,
) -> None:
    donor, relative, binding_id = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    taken = capture(driver, "pos", pharmacy, made.hold_id, wanted_fen, memo="订单7").hold
    assert (state_of(taken), taken.amount_fen, taken.captured_fen) == ("CAPTURED", 700, taken_fen)
    assert taken.HasField("resolved_at")
    assert money_of(shared_database, donor.account_id) == (100_000 - taken_fen, 0, 1)
    today = driver.office.today().isoformat()
    assert counted(shared_database, binding_id) == {today: taken_fen}
    ids = (relative.person_id, binding_id, UUID(made.hold_id))
    assert entries_of(shared_database, donor.account_id) == [
        (1, "SETTLEMENT_MUTUAL_AID", -taken_fen, 100_000 - taken_fen, pharmacy, *ids, "订单7")
    ]
    owed = (HOHHOT, "INSTITUTION_PAYABLE", pharmacy, taken_fen)
    assert lines_of(shared_database, made.hold_id) == [owed]
    assert get_hold(driver, "pos", pharmacy, made.hold_id) == taken


def test_a_capture_of_the_own_account_is_an_own_purchase(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 500))
    capture(driver, "pos", pharmacy, made.hold_id)
    [entry] = entries_of(shared_database, owner.account_id)
    assert entry[1:4] == ("SETTLEMENT_OWN", -500, 400)


def test_between_regions_the_books_are_closed_by_clearing_lines(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    far = families.institution(ULANQAB)
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", far, holding(owner.account_id, owner, 500))
    capture(driver, "pos", far, made.hold_id)
    assert lines_of(shared_database, made.hold_id) == [
        (HOHHOT, "CLEARING", ULANQAB, 500),
        (ULANQAB, "CLEARING", HOHHOT, -500),
        (ULANQAB, "INSTITUTION_PAYABLE", far, 500),
    ]
    assert sums(shared_database) == []


def test_no_more_than_was_held_is_captured_and_the_hold_stays(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 500))
    with pytest.raises(errors.HoldAmountExceeded):
        capture(driver, "pos", pharmacy, made.hold_id, 501)
    assert money_of(shared_database, owner.account_id) == (900, 500, 0)
    assert get_hold(driver, "pos", pharmacy, made.hold_id) == made


def test_a_release_frees_all_of_it_and_keeps_its_reason(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, binding_id = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    freed = release(driver, "pos", pharmacy, made.hold_id, reason="患者取消").hold
    assert (state_of(freed), freed.captured_fen, freed.reason) == ("RELEASED", 0, "患者取消")
    assert money_of(shared_database, donor.account_id) == (100_000, 0, 0)
    assert counted(shared_database, binding_id) == {}
    assert get_hold(driver, "pos", pharmacy, made.hold_id) == freed


def test_a_households_count_falls_by_what_is_not_taken(
    shared_database: Database, families: Families, pharmacy: str
) -> None:
    driver = driver_with(shared_database, HOHHOT, {"caps.household": {"per_day_fen": 1_000}})
    donor, relative, _ = family(families)
    first, second = (
        hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 500)) for _ in range(2)
    )
    driver.office.rulebook = rules_with(HOHHOT, {})  # the cap counted when it was made
    capture(driver, "pos", pharmacy, first.hold_id, 200)
    release(driver, "pos", pharmacy, second.hold_id)
    assert list(counted(shared_database, donor).values()) == [200]


def _capture(driver: Driver, pharmacy: str, hold_id: str) -> object:
    return capture(driver, "pos", pharmacy, hold_id)


def _release(driver: Driver, pharmacy: str, hold_id: str) -> object:
    return release(driver, "pos", pharmacy, hold_id)


def _expire(driver: Driver, pharmacy: str, hold_id: str) -> object:
    move(driver, HOUR)
    return None


ENDS: dict[str, tuple[Callable[[Driver, str, str], object], type[errors.Refusal]]] = {
    "captured": (_capture, errors.HoldCaptured),
    "released": (_release, errors.HoldReleased),
    "expired": (_expire, errors.HoldExpired),
}


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", [_capture, _release])
def test_a_hold_is_resolved_once_and_later_attempts_are_told_how(
    driver: Driver,
    families: Families,
    pharmacy: str,
    shared_database: Database,
    first: str,
    second: Callable[[Driver, str, str], object],
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 500, HOUR))
    resolve, refusal = ENDS[first]
    resolve(driver, pharmacy, made.hold_id)
    for _ in range(2):
        with pytest.raises(refusal):
            second(driver, pharmacy, made.hold_id)
    left_fen = 400 if first == "captured" else 900
    assert money_of(shared_database, owner.account_id)[:2] == (left_fen, 0)


def test_a_repeat_gets_the_first_answer_whatever_became_of_the_hold(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 500, HOUR))
    first = capture(driver, "pos", pharmacy, made.hold_id, 300, request_id="x-1")
    move(driver, HOUR)
    again = capture(driver, "pos", pharmacy, made.hold_id, 300, request_id="x-1")
    assert again.replayed and again.hold == first.hold
    assert money_of(shared_database, owner.account_id) == (600, 0, 1)
    with pytest.raises(errors.RequestIdReused) as refused:
        capture(driver, "pos", pharmacy, made.hold_id, request_id="x-1")
    assert [violation.field for violation in refused.value.violations] == ["amount_fen"]


CALLS = (get_hold, release, capture)


@pytest.mark.parametrize("call", CALLS)
def test_a_hold_exists_for_its_institution_its_platform_and_the_accounts_agency(
    driver: Driver, families: Families, call: Callable[..., object]
) -> None:
    pharmacy = families.institution(ULANQAB)
    owner = families.person(HOHHOT, home=TIELING)
    account_id = account_of(owner, families, HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(account_id, owner, 1))
    for role, subject in (
        ("pos", families.institution(ULANQAB)),
        ("platform", HOHHOT),
        ("platform", "210000"),
        ("agency", ULANQAB),
        ("agency", TIELING),
    ):
        with pytest.raises(errors.AccessDenied):
            call(driver, role, subject, made.hold_id)
    reached = [("pos", pharmacy), ("platform", ULANQAB), ("platform", "150000"), ("agency", HOHHOT)]
    for role, subject in reached:
        made = hold(driver, "pos", pharmacy, holding(account_id, owner, 1))
        assert call(driver, role, subject, made.hold_id)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("missing", [new_id(HOHHOT), "018f2a00-0000-7000-8000-000000000001"])
def test_a_missing_hold_is_answered_as_one_that_is_not_the_callers(
    driver: Driver, pharmacy: str, call: Callable[..., object], missing: object
) -> None:
    for role, subject in (("pos", pharmacy), ("platform", HOHHOT), ("agency", HOHHOT)):
        with pytest.raises(errors.AccessDenied):
            call(driver, role, subject, missing)


def test_of_a_hold_for_any_institution_the_till_that_captures_it_is_owed(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, _ = family(families)
    made = hold(driver, "agency", HOHHOT, holding(donor.account_id, relative, 700))
    with pytest.raises(errors.HoldNotApplicable) as refused:
        capture(driver, "agency", HOHHOT, made.hold_id)
    assert "只能由定点机构扣款，经办机构只能释放" in refused.value.message_zh
    for region in (HOHHOT, "150000"):
        with pytest.raises(errors.AccessDenied):
            capture(driver, "platform", region, made.hold_id)
    capture(driver, "pos", pharmacy, made.hold_id, 600)
    owed = (HOHHOT, "INSTITUTION_PAYABLE", pharmacy, 600)
    assert lines_of(shared_database, made.hold_id) == [owed]


def test_a_hold_for_any_institution_is_captured_where_the_money_may_be_used(
    shared_database: Database, families: Families, pharmacy: str
) -> None:
    driver = driver_with(shared_database, HOHHOT, {"use.places": ["HOSPITAL"]})
    donor, relative, _ = family(families)
    aid = hold(driver, "agency", HOHHOT, holding(donor.account_id, relative, 700))
    own = hold(driver, "agency", HOHHOT, holding(donor.account_id, donor, 700))
    with pytest.raises(errors.MutualAidNotUsable) as refused:
        capture(driver, "pos", pharmacy, aid.hold_id)
    assert refused.value.details["reasons"] == "PLACE_NOT_ADMITTED"
    with pytest.raises(errors.InstitutionOutOfProvince):
        capture(driver, "pos", families.institution(TIELING), own.hold_id)
    capture(driver, "pos", families.institution(HOHHOT, kind="HOSPITAL"), aid.hold_id)
    capture(driver, "pos", pharmacy, own.hold_id)


def test_a_frozen_account_pays_no_hold_but_frees_it(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 500))
    change(shared_database, "accounts", owner.account_id, "FROZEN")
    with pytest.raises(errors.AccountFrozen):
        capture(driver, "pos", pharmacy, made.hold_id)
    release(driver, "pos", pharmacy, made.hold_id)
    assert money_of(shared_database, owner.account_id) == (900, 0, 0)


def test_an_institution_that_no_longer_serves_captures_nothing(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    code = families.institution(HOHHOT)
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", code, holding(owner.account_id, owner, 500))
    with shared_database.connect() as tx:
        query = "UPDATE institutions SET status = 'SUSPENDED' WHERE institution_code = %s"
        tx.execute(query, [code])
    for role, subject in (("pos", code), ("agency", HOHHOT)):
        with pytest.raises(errors.InstitutionSuspended):
            capture(driver, role, subject, made.hold_id)
    release(driver, "pos", code, made.hold_id)


def test_what_was_promised_is_paid_although_the_binding_ended_since(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, binding_id = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    change(shared_database, "bindings", binding_id, BindingState.ENDED)
    capture(driver, "pos", pharmacy, made.hold_id)
    assert money_of(shared_database, donor.account_id) == (99_300, 0, 1)


def test_holds_on_one_account_are_resolved_apart(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor = families.person(HOHHOT, balance_fen=1_000)
    relatives = [relative_in(families, HOHHOT) for _ in range(3)]
    bindings = [families.bind(donor, relative) for relative in relatives]
    made = [
        hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 300))
        for relative in relatives
    ]
    capture(driver, "pos", pharmacy, made[0].hold_id, 100)
    release(driver, "pos", pharmacy, made[1].hold_id)
    assert money_of(shared_database, donor.account_id) == (900, 300, 1)
    sizes = [list(counted(shared_database, binding).values()) for binding in bindings]
    assert sizes == [[100], [], [300]]


def test_what_an_agency_resolves_is_in_the_trail_of_its_region(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    first, second = (
        hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 300)) for _ in range(2)
    )
    capture(driver, "agency", HOHHOT, first.hold_id, 200)
    release(driver, "agency", HOHHOT, second.hold_id, reason="重复预留")
    [taken], [freed] = (trail(shared_database, one.hold_id) for one in (first, second))
    assert taken.action == "gongji.v1.AccountService/CaptureHold"
    assert changes_in(taken) == {"state": ("OPEN", "CAPTURED"), "captured_fen": (0, 200)}
    assert changes_in(freed) == {"state": ("OPEN", "RELEASED")}
    assert (freed.reason, freed.region, freed.actor) == ("重复预留", HOHHOT, "c-17")


def change(database: Database, table: str, row_id: object, state: str) -> None:
    """Another state of a row, whoever decided it."""
    with database.connect() as tx:
        tx.execute(f"UPDATE {table} SET state = %s WHERE id = %s", [state, str(row_id)])  # noqa: S608 - fixed names
