"""ProposeAdjustment, DecideAdjustment, ListAdjustments: two people, one entry."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gongji.v1 import access_pb2
from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.account_state import GREATEST_BALANCE_FEN
from gongji_svc.domain.errors import Refusal
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families
from tests.services.account_work import (
    CHIEF,
    CLERK,
    REASON,
    ask,
    changes_of,
    check_histories,
    close,
    decide,
    freeze,
    kept,
    listed,
    propose,
    trail,
)
from tests.services.accounts import (
    HOHHOT,
    ULANQAB,
    account_of,
    credit,
    crediting,
    opened_in,
    written,
)  # fmt: skip
from tests.services.driver import Driver
from tests.services.test_credit import sums

NO_ID = "018f2a00-0000-7000-8000-000000000001"


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def corrections(driver: Driver, agency: str = HOHHOT, **fields: Any) -> pb.ListAdjustmentsResponse:
    request = pb.ListAdjustmentsRequest(region=agency, **fields)
    answer = listed(driver, "ListAdjustments", request, agency)
    assert isinstance(answer, pb.ListAdjustmentsResponse)
    return answer


def ids(answer: pb.ListAdjustmentsResponse) -> list[str]:
    return [one.adjustment_id for one in answer.adjustments]


# --- propose


def test_a_proposal_moves_nothing_and_says_who_asked_for_it(
    driver: Driver, families: Families, database: Database
) -> None:
    account_id = families.person(HOHHOT, balance_fen=900).account_id
    source_id = str(new_id(HOHHOT))
    adjustment = propose(driver, account_id, -400, source_id=source_id)
    assert (adjustment.account_id, adjustment.amount_fen) == (str(account_id), -400)
    assert (adjustment.reason, adjustment.source_id) == (REASON, source_id)
    assert adjustment.state == pb.ADJUSTMENT_STATE_PROPOSED
    by = adjustment.proposed_by
    assert (by.role, by.subject, by.actor) == (access_pb2.ROLE_AGENCY, HOHHOT, CLERK)
    assert not (adjustment.HasField("decided_by") or adjustment.HasField("entry"))
    assert written(database, account_id) == []
    assert list(corrections(driver).adjustments) == [adjustment]


def test_a_closed_account_is_not_corrected(driver: Driver, families: Families) -> None:
    account_id = account_of(families.person(HOHHOT), families, HOHHOT, state="CLOSED")
    with pytest.raises(errors.AccountClosed):
        propose(driver, account_id)


def test_a_correction_counts_at_most_five_minutes_ahead(driver: Driver, families: Families) -> None:
    account_id = families.person(HOHHOT, balance_fen=0).account_id
    request = pb.ProposeAdjustmentRequest(account_id=str(account_id), amount_fen=1, reason=REASON)
    request.occurred_at.FromDatetime(datetime.now(UTC) + timedelta(minutes=6))
    with pytest.raises(errors.OccurredInFuture):
        ask(driver, "ProposeAdjustment", request)


def test_no_correction_counts_before_its_account_was_opened(
    driver: Driver, families: Families
) -> None:
    account_id = account_of(families.person(HOHHOT), families, HOHHOT, id=opened_in(2020))
    request = pb.ProposeAdjustmentRequest(account_id=str(account_id), amount_fen=1, reason=REASON)
    request.occurred_at.FromDatetime(datetime(1970, 1, 2, tzinfo=UTC))
    with pytest.raises(errors.InvalidField) as refused:
        ask(driver, "ProposeAdjustment", request)
    assert [violation.field for violation in refused.value.violations] == ["occurred_at"]
    assert not corrections(driver).adjustments


def test_corrections_of_other_books_and_none_are_answered_alike(
    driver: Driver, families: Families
) -> None:
    account_id = account_of(families.person(ULANQAB, home=HOHHOT), families, ULANQAB)
    for named in (account_id, new_id(HOHHOT), NO_ID):
        with pytest.raises(errors.AccessDenied):
            propose(driver, named)
    adjustment = propose(driver, account_id, agency=ULANQAB)
    for wanted in (adjustment.adjustment_id, str(new_id(HOHHOT)), NO_ID):
        with pytest.raises(errors.AccessDenied):
            decide(driver, wanted)


# --- decide


def test_an_approval_books_what_was_proposed(
    driver: Driver, families: Families, database: Database
) -> None:
    account_id = families.person(HOHHOT, balance_fen=900).account_id
    proposed = propose(driver, account_id, -400)
    approved = decide(driver, proposed.adjustment_id, reason="属实").adjustment
    assert approved.state == pb.ADJUSTMENT_STATE_APPROVED
    assert (approved.decided_by.actor, approved.decision_reason) == (CHIEF, "属实")
    entry = approved.entry
    assert (entry.kind, entry.amount_fen) == (pb.ENTRY_KIND_ADJUSTMENT, -400)
    assert (entry.balance_after_fen, entry.seq) == (500, 1)
    assert (entry.source_id, entry.memo) == (proposed.adjustment_id, REASON)
    assert entry.occurred_at == entry.recorded_at == approved.decided_at
    assert list(corrections(driver).adjustments) == [approved]
    assert written(database, account_id) == [(1, "ADJUSTMENT", -400, 500, REASON)]
    with database.connect() as tx:
        lines = tx.execute("SELECT region, side, counterparty, amount_fen FROM ledger_lines")
        assert lines.fetchall() == [(HOHHOT, "ADJUSTMENT", HOHHOT, 400)]
    assert sums(database) == []


def test_a_correction_counts_when_the_proposal_says(driver: Driver, families: Families) -> None:
    account_id = account_of(families.person(HOHHOT), families, HOHHOT, id=opened_in(2020))
    request = pb.ProposeAdjustmentRequest(account_id=str(account_id), amount_fen=700, reason=REASON)
    request.occurred_at.FromDatetime(datetime(2020, 3, 4, tzinfo=UTC))
    proposed = ask(driver, "ProposeAdjustment", request).adjustment
    entry = decide(driver, proposed.adjustment_id).adjustment.entry
    assert entry.occurred_at == request.occurred_at
    assert entry.recorded_at.ToDatetime(UTC) > datetime(2024, 1, 1, tzinfo=UTC)


def test_a_rejection_moves_nothing(driver: Driver, families: Families, database: Database) -> None:
    account_id = families.person(HOHHOT, balance_fen=900).account_id
    proposed = propose(driver, account_id, -400)
    rejected = decide(driver, proposed.adjustment_id, "REJECT", reason="金额有误").adjustment
    assert rejected.state == pb.ADJUSTMENT_STATE_REJECTED
    assert (rejected.decided_by.actor, rejected.decision_reason) == (CHIEF, "金额有误")
    assert not rejected.HasField("entry")
    assert written(database, account_id) == []
    assert list(corrections(driver).adjustments) == [rejected]


@pytest.mark.parametrize("decision", ["APPROVE", "REJECT"])
def test_nobody_decides_what_they_proposed(
    driver: Driver, families: Families, database: Database, decision: str
) -> None:
    account_id = families.person(HOHHOT, balance_fen=0).account_id
    proposed = propose(driver, account_id)
    with pytest.raises(errors.SecondActorRequired):
        decide(driver, proposed.adjustment_id, decision, actor=CLERK)
    assert written(database, account_id) == []


@pytest.mark.parametrize("first", ["APPROVE", "REJECT"])
@pytest.mark.parametrize("second", ["APPROVE", "REJECT"])
def test_a_correction_is_decided_once(
    driver: Driver, families: Families, database: Database, first: str, second: str
) -> None:
    account_id = families.person(HOHHOT, balance_fen=0).account_id
    proposed = propose(driver, account_id)
    decide(driver, proposed.adjustment_id, first)
    with pytest.raises(errors.AdjustmentDecided):
        decide(driver, proposed.adjustment_id, second)
    assert len(written(database, account_id)) == (1 if first == "APPROVE" else 0)


@pytest.mark.parametrize("columns", [{"held_fen": 300}, {"frozen_quota_fen": 300}])
def test_no_more_is_taken_than_is_free(
    driver: Driver, families: Families, columns: dict[str, int]
) -> None:
    owner = families.person(HOHHOT)
    account_id = account_of(owner, families, HOHHOT, balance_fen=900, **columns)
    too_much = propose(driver, account_id, -601)
    with pytest.raises(errors.InsufficientFunds):
        decide(driver, too_much.adjustment_id)
    just_right = propose(driver, account_id, -600)
    assert decide(driver, just_right.adjustment_id).adjustment.entry.balance_after_fen == 300
    assert corrections(driver, states=[pb.ADJUSTMENT_STATE_PROPOSED]).adjustments == [too_much]


def test_no_more_is_given_than_an_account_can_hold(driver: Driver, families: Families) -> None:
    full = families.person(HOHHOT, balance_fen=GREATEST_BALANCE_FEN)
    with pytest.raises(errors.BalanceTooLarge):
        decide(driver, propose(driver, full.account_id, 1).adjustment_id)


def test_a_frozen_account_is_corrected(driver: Driver, families: Families) -> None:
    account_id = families.person(HOHHOT, balance_fen=900).account_id
    freeze(driver, account_id)
    proposed = propose(driver, account_id, -900)
    assert decide(driver, proposed.adjustment_id).adjustment.entry.balance_after_fen == 0


def test_what_was_proposed_before_an_account_was_closed_can_only_be_rejected(
    driver: Driver, families: Families
) -> None:
    account_id = families.person(HOHHOT, balance_fen=0).account_id
    proposed = propose(driver, account_id)
    close(driver, account_id)
    with pytest.raises(errors.AccountClosed):
        decide(driver, proposed.adjustment_id)
    state = decide(driver, proposed.adjustment_id, "REJECT").adjustment.state
    assert state == pb.ADJUSTMENT_STATE_REJECTED


def test_repeats_get_the_first_answers_and_book_once(
    driver: Driver, families: Families, database: Database
) -> None:
    account_id = families.person(HOHHOT, balance_fen=0).account_id
    proposals = [propose(driver, account_id, request_id="p-1") for _ in range(2)]
    assert proposals[0] == proposals[1]
    wanted = proposals[0].adjustment_id
    first, again = (decide(driver, wanted, request_id="d-1") for _ in range(2))
    assert (first.replayed, again.replayed) == (False, True)
    assert first.adjustment == again.adjustment
    assert len(written(database, account_id)) == 1
    assert len(trail(database, "adjustment", wanted)) == 2


def test_of_many_who_decide_at_once_one_does(
    driver: Driver, families: Families, database: Database
) -> None:
    account_id = families.person(HOHHOT, balance_fen=900).account_id
    proposed = propose(driver, account_id, -400)

    def attempt(number: int) -> str:
        try:
            decide(driver, proposed.adjustment_id, actor=f"a-{number}")
        except Refusal as refusal:
            return refusal.reason
        return "APPROVED"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(attempt, range(2, 10)))
    assert outcomes == ["ADJUSTMENT_DECIDED"] * 7 + ["APPROVED"]
    assert kept(database, account_id).balance_fen == 500


def test_corrections_race_credits_and_never_overdraw(
    driver: Driver, families: Families, database: Database
) -> None:
    account_id = families.person(HOHHOT, balance_fen=0).account_id

    def work(number: int) -> int:
        credit(driver, crediting(account_id, 100, request_id=f"c-{number}"))
        proposed = propose(driver, account_id, -150)
        try:
            decide(driver, proposed.adjustment_id)
        except errors.InsufficientFunds:
            return 100
        return -50

    with ThreadPoolExecutor(6) as pool:
        moved_fen = sum(pool.map(work, range(24)))
    assert kept(database, account_id).balance_fen == moved_fen >= 0
    assert sums(database) == []
    check_histories(database)


def test_the_trail_tells_both_steps(driver: Driver, families: Families, database: Database) -> None:
    account_id = account_of(families.person(ULANQAB, home=HOHHOT), families, ULANQAB)
    proposed = propose(driver, account_id, 500, agency=ULANQAB)
    decide(driver, proposed.adjustment_id, agency=ULANQAB, reason="属实")
    asked_for, done = trail(database, "adjustment", proposed.adjustment_id)
    assert [(one.region, one.actor) for one in (asked_for, done)] == [
        (ULANQAB, CLERK),
        (ULANQAB, CHIEF),
    ]
    assert (asked_for.reason, done.reason) == (REASON, "属实")
    assert changes_of(asked_for) == {
        "account_id": ("", f'"{account_id}"'),
        "amount_fen": ("", "500"),
        "state": ("", '"PROPOSED"'),
    }
    assert changes_of(done) == {"state": ('"PROPOSED"', '"APPROVED"')}


# --- list


def test_corrections_are_listed_newest_first_on_stable_pages(
    driver: Driver, families: Families
) -> None:
    account_id = families.person(HOHHOT, balance_fen=0).account_id
    made = [propose(driver, account_id, 1 + number).adjustment_id for number in range(5)]
    first = corrections(driver, page_size=2)
    propose(driver, account_id)
    decide(driver, made[1])
    second = corrections(driver, page_size=2, page_token=first.next_page_token)
    third = corrections(driver, page_size=2, page_token=second.next_page_token)
    assert [*ids(first), *ids(second), *ids(third)] == made[::-1]
    assert third.next_page_token == ""
    assert second.adjustments[1].HasField("entry")


def test_corrections_are_chosen_by_state_and_account(driver: Driver, families: Families) -> None:
    account_ids = [families.person(HOHHOT, balance_fen=0).account_id for _ in range(2)]
    made = [propose(driver, account_ids[number % 2]).adjustment_id for number in range(6)]
    decide(driver, made[0])
    decide(driver, made[1], "REJECT")
    waiting, approved, rejected = (
        pb.ADJUSTMENT_STATE_PROPOSED,
        pb.ADJUSTMENT_STATE_APPROVED,
        pb.ADJUSTMENT_STATE_REJECTED,
    )
    assert ids(corrections(driver, states=[approved])) == made[:1]
    assert ids(corrections(driver, states=[approved, rejected])) == made[1::-1]
    assert ids(corrections(driver, account_id=str(account_ids[0]))) == made[4::-2]
    one = corrections(driver, states=[waiting], account_id=str(account_ids[1]))
    assert ids(one) == [made[5], made[3]]
    assert ids(corrections(driver, account_id=NO_ID)) == []


def test_a_region_lists_what_stands_in_its_books(driver: Driver, families: Families) -> None:
    account_id = account_of(families.person(ULANQAB, home=HOHHOT), families, ULANQAB)
    made = propose(driver, account_id, agency=ULANQAB)
    assert ids(corrections(driver, ULANQAB)) == [made.adjustment_id]
    assert ids(corrections(driver, HOHHOT)) == []
    with pytest.raises(errors.AccessDenied):
        listed(driver, "ListAdjustments", pb.ListAdjustmentsRequest(region=ULANQAB))


def test_a_page_token_is_of_one_list(driver: Driver, families: Families) -> None:
    account_id = families.person(HOHHOT, balance_fen=0).account_id
    for _ in range(2):
        propose(driver, account_id)
    token = corrections(driver, page_size=1).next_page_token
    with pytest.raises(errors.PageTokenInvalid):
        corrections(driver, page_size=1, page_token=token, account_id=str(account_id))
