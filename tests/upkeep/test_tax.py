"""Messages to the tax authority: what is told, once and only what must be, and what follows when it
does not get through.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from gongji_svc.demo.bureau import Bureau
from gongji_svc.domain.premium_state import PremiumState
from gongji_svc.services.office import Office
from gongji_svc.services.tax_endpoint import Heard, TaxEndpoint
from gongji_svc.storage.database import Database
from gongji_svc.storage.premiums import TaxMessageKind
from gongji_svc.storage.tax_outbox import TaxMessage, mark_taken, put_off, take_due
from gongji_svc.upkeep.tax import pause_after, send_premiums
from tests.end_to_end.service import free_address
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.upkeep.outbox import (
    HOHHOT,
    KEY,
    due_now,
    messages,
    silent_bureau,
    submitted,
    untaken,
    waiting,
)

LEASE = timedelta(minutes=5)


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def child(families: Families) -> Made:
    return families.person(HOHHOT, name="王小明")


@pytest.fixture
def bureau() -> Iterator[Bureau]:
    with silent_bureau() as started:
        yield started


@pytest.fixture
def office(database: Database, bureau: Bureau) -> Office:
    found = Driver(database).office
    found.tax = bureau.endpoint
    return found


def take(office: Office, limit: int = 100) -> list[TaxMessage]:
    """Messages taken in hand, as by a process that then dies."""
    now = office.now()
    with office.database.transaction() as tx:
        return list(take_due(tx, HOHHOT, now, now + LEASE, limit))


def test_a_premium_is_told_as_the_page_says(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    message_id = str(waiting(families, child))
    assert send_premiums(office) == 1
    told = bureau.kept.messages[message_id]
    assert UUID(told.pop("payment_id"))
    assert told == {
        "message_id": message_id,
        "kind": "COLLECT",
        "year": 2026,
        "insurance": "390",
        "region": HOHHOT,
        "beneficiary": {
            "psn_no": str(child),
            "name": "王小明",
            "certificate": {"type": "ID_CARD", "number": child.certificate_number},
        },
        "amount_fen": 20_000,
        "subsidy_fen": 20_000,
        "paid_on": "2025-10-15",
    }


def test_a_refund_is_told_with_its_cause(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    refunded = {"state": PremiumState.REFUNDED, "refund": {"cause": "DIED"}}
    message_id = waiting(families, child, TaxMessageKind.REFUND, **refunded)
    send_premiums(office)
    told = bureau.kept.messages[str(message_id)]
    assert (told["kind"], told["cause"], told["amount_fen"]) == ("REFUND", "DIED", 20_000)


def test_what_was_taken_is_told_no_more(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    message_id = waiting(families, child)
    send_premiums(office)
    assert send_premiums(office) == 0
    assert messages(office.database)[message_id]["taken_at"] is not None
    assert bureau.kept.heard == {str(message_id): 1}


def test_who_is_told_of_stands_in_no_row_and_no_log(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    message_id = waiting(families, child)
    bureau.behaviour.says = 400
    with capture_logs() as lines:
        send_premiums(office)
    kept = f"{messages(office.database)[message_id]} {json.dumps(lines, ensure_ascii=False)}"
    assert str(message_id) in kept
    assert child.name not in kept
    assert child.certificate_number not in kept


@pytest.mark.parametrize(
    ("status", "longest", "level"),
    [
        (500, timedelta(seconds=5), "warning"),
        (503, timedelta(seconds=5), "warning"),
        (408, timedelta(seconds=5), "warning"),
        (425, timedelta(seconds=5), "warning"),
        (429, timedelta(seconds=5), "warning"),
        (302, timedelta(minutes=10), "error"),
        (400, timedelta(minutes=10), "error"),
        (409, timedelta(minutes=10), "error"),
    ],
)
def test_what_is_not_taken_waits_and_is_tried_again(
    office: Office,
    families: Families,
    bureau: Bureau,
    child: Made,
    status: int,
    longest: timedelta,
    level: str,
) -> None:
    message_id = waiting(families, child)
    bureau.behaviour.says = status
    before = office.now()
    with capture_logs() as lines:
        send_premiums(office)
    row = messages(office.database)[message_id]
    assert (row["attempts"], row["last_error"], row["taken_at"]) == (1, f"HTTP {status}", None)
    assert before + longest / 2 <= row["due_at"] <= office.now() + longest
    assert [line["log_level"] for line in lines] == [level]
    bureau.behaviour.says = None
    due_now(office.database)
    assert send_premiums(office) == 1
    row = messages(office.database)[message_id]
    assert (row["attempts"], row["last_error"], row["taken_at"] is None) == (2, "", False)


def test_a_bureau_that_is_not_there_is_tried_again(
    office: Office, families: Families, child: Made
) -> None:
    office.tax = TaxEndpoint(f"http://{free_address()}/premiums", KEY)
    message_id = waiting(families, child)
    assert send_premiums(office) == 0
    assert messages(office.database)[message_id]["last_error"].startswith("ConnectionRefusedError")


def test_a_bureau_with_another_key_refuses(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    office.tax = replace(bureau.endpoint, key=bytes(32))
    message_id = waiting(families, child)
    send_premiums(office)
    assert messages(office.database)[message_id]["last_error"] == "HTTP 401"
    assert bureau.kept.messages == {}


@pytest.mark.parametrize(
    ("heard", "first", "longest"),
    [
        (Heard.UNKNOWN, timedelta(seconds=5), timedelta(minutes=15)),
        (Heard.REFUSED, timedelta(minutes=10), timedelta(hours=6)),
    ],
)
def test_pauses_double_up_to_the_longest_and_are_never_given_up(
    heard: Heard, first: timedelta, longest: timedelta
) -> None:
    for attempts in (1, 2, 3, 4, 30, 32_767):
        most = min(longest, first * 2 ** min(attempts - 1, 20))
        for _ in range(20):
            assert most / 2 <= pause_after(attempts, heard) <= most


def test_attempts_beyond_what_is_counted_go_on(
    office: Office, families: Families, child: Made
) -> None:
    message_id = waiting(families, child)
    with office.database.connect() as tx:
        tx.execute("UPDATE tax_messages SET attempts = 32767")
    assert send_premiums(office) == 1
    assert messages(office.database)[message_id]["taken_at"] is not None


def test_several_at_once_tell_each_message_once(
    office: Office, families: Families, bureau: Bureau
) -> None:
    bureau.behaviour.slow_seconds = 0.05
    told = [str(waiting(families, families.person(HOHHOT))) for _ in range(40)]
    with ThreadPoolExecutor(4) as processes:
        while untaken(office.database):
            list(processes.map(lambda _: send_premiums(office), range(4)))
    assert bureau.kept.heard == dict.fromkeys(told, 1)


def test_a_message_in_hand_is_left_alone_until_the_lease_is_over(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    message_id = waiting(families, child)
    assert [one.id for one in take(office)] == [message_id]
    assert send_premiums(office) == 0
    office.clock_offset = LEASE
    assert send_premiums(office) == 1
    assert bureau.kept.heard == {str(message_id): 1}


def test_a_message_that_was_heard_and_not_marked_is_told_again_by_the_same_key(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    message_id = waiting(families, child)
    send_premiums(office)
    with office.database.connect() as tx:
        tx.execute("UPDATE tax_messages SET taken_at = NULL, due_at = recorded_at")
    send_premiums(office)
    assert bureau.kept.heard == {str(message_id): 2}
    assert len(bureau.kept.messages) == 1


def test_who_fails_after_the_lease_does_not_touch_what_another_has_in_hand(
    office: Office, families: Families, child: Made
) -> None:
    message_id = waiting(families, child)
    (late,) = take(office)
    office.clock_offset = LEASE
    (next_one,) = take(office)
    with office.database.transaction() as tx:
        put_off(tx, late, datetime.now(UTC), "HTTP 503")
    row = messages(office.database)[message_id]
    assert (row["due_at"], row["last_error"]) == (next_one.leased_until, "")


def test_who_got_through_after_the_lease_is_believed(
    office: Office, families: Families, child: Made
) -> None:
    message_id = waiting(families, child)
    (late,) = take(office)
    office.clock_offset = LEASE
    (failing,) = take(office)
    with office.database.transaction() as tx:
        mark_taken(tx, late, office.now())
        put_off(tx, failing, office.now(), "HTTP 503")
    row = messages(office.database)[message_id]
    assert (row["taken_at"] is None, row["last_error"]) == (False, "")


@pytest.mark.parametrize(
    "state", [one for one in PremiumState if one is not PremiumState.SUBMITTED]
)
def test_a_premium_that_was_answered_is_not_told_any_more(
    office: Office, families: Families, bureau: Bureau, child: Made, state: PremiumState
) -> None:
    waiting(families, child, state=state)
    assert send_premiums(office) == 1
    assert untaken(office.database) == 0
    assert bureau.kept.messages == {}


def test_a_name_that_does_not_open_holds_up_no_other_message(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    broken = waiting(families, child)
    with office.database.connect() as tx:
        tx.execute("UPDATE persons SET name = certificate_number")
    good = waiting(families, families.person(HOHHOT))
    with capture_logs() as lines:
        assert send_premiums(office) == 2
    assert set(bureau.kept.messages) == {str(good)}
    assert messages(office.database)[broken]["last_error"].startswith("SealBroken")
    assert [line["log_level"] for line in lines] == ["error"]


def test_the_messages_of_all_regions_are_told(
    office: Office, families: Families, bureau: Bureau
) -> None:
    told = {str(waiting(families, families.person(one))) for one in (HOHHOT, "150900", "211200")}
    while send_premiums(office):
        pass
    assert set(bureau.kept.messages) == told


def test_without_an_address_premiums_wait_and_the_log_says_so_once(
    office: Office, families: Families, child: Made
) -> None:
    office.tax = None
    with capture_logs() as lines:
        assert send_premiums(office) == 0
    assert lines == []
    message_id = waiting(families, child)
    with capture_logs() as lines:
        assert [send_premiums(office) for _ in range(3)] == [0, 0, 0]
    assert len(lines) == 1
    assert messages(office.database)[message_id]["attempts"] == 0


def test_a_payment_without_a_message_is_not_told(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    submitted(families, child)
    assert send_premiums(office) == 0
    assert bureau.kept.messages == {}
