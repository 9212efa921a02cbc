"""Messages that were taken: told again while an answer is overdue, removed when they are old."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from gongji_svc.demo.bureau import Bureau
from gongji_svc.domain.premium_state import PremiumState
from gongji_svc.services.office import Office
from gongji_svc.storage.database import Database
from gongji_svc.storage.premiums import TaxMessageKind
from gongji_svc.storage.tax_outbox import make_overdue_due, remove_answered
from gongji_svc.upkeep.tax import send_premiums
from gongji_svc.upkeep.tax_messages import remove_old_tax_messages, tell_overdue_again
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.upkeep.outbox import HOHHOT, messages, silent_bureau, untaken, waiting

TODAY = datetime.now(UTC).date()
OVERDUE, DAY = TODAY - timedelta(days=3), timedelta(days=1)
KEPT = timedelta(days=180)


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def child(families: Families) -> Made:
    return families.person(HOHHOT)


@pytest.fixture
def bureau() -> Iterator[Bureau]:
    with silent_bureau() as started:
        yield started


@pytest.fixture
def office(database: Database, bureau: Bureau) -> Office:
    found = Driver(database).office
    found.tax = bureau.endpoint
    return found


def told(office: Office, families: Families, child: Made, **fields: Any) -> UUID:
    """A message that the bureau took just now."""
    message_id = waiting(families, child, **fields)
    assert send_premiums(office) == 1
    return message_id


def later(office: Office, by: timedelta) -> None:
    office.clock_offset = by + timedelta(seconds=1)


# not answered in time


def test_a_premium_that_the_bureau_took_and_lost_is_told_again_by_the_same_key(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    message_id = str(told(office, families, child, answer_due_on=OVERDUE))
    bureau.kept.messages.clear()  # it lost what it took
    later(office, DAY)
    assert (tell_overdue_again(office), send_premiums(office)) == (1, 1)
    assert set(bureau.kept.messages) == {message_id}
    assert bureau.kept.heard == {message_id: 2}


def test_it_is_told_again_once_a_day(
    office: Office, families: Families, bureau: Bureau, child: Made
) -> None:
    message_id = str(told(office, families, child, answer_due_on=OVERDUE))
    for days in range(4):
        later(office, days * DAY)
        for _ in range(3):
            tell_overdue_again(office)
            send_premiums(office)
    assert bureau.kept.heard == {message_id: 4}


@pytest.mark.parametrize(
    "fields",
    [
        {"answer_due_on": None},
        {"answer_due_on": date(9999, 1, 1)},
        {"answer_due_on": OVERDUE, "state": PremiumState.CONFIRMED},
        {"answer_due_on": OVERDUE, "state": PremiumState.REJECTED},
    ],
)
def test_what_is_answered_or_not_overdue_is_told_once(
    office: Office, families: Families, child: Made, fields: dict[str, Any]
) -> None:
    told(office, families, child, **fields)
    later(office, DAY)
    assert tell_overdue_again(office) == 0
    assert untaken(office.database) == 0


def test_a_refund_is_not_told_again(office: Office, families: Families, child: Made) -> None:
    refund = {"cause": "DIED"}
    told(office, families, child, kind=TaxMessageKind.REFUND, refund=refund, answer_due_on=OVERDUE)
    later(office, DAY)
    assert tell_overdue_again(office) == 0


def test_without_an_address_nothing_is_made_due(
    office: Office, families: Families, child: Made
) -> None:
    told(office, families, child, answer_due_on=OVERDUE)
    later(office, DAY)
    office.tax = None
    assert tell_overdue_again(office) == 0


def test_overdue_premiums_of_all_regions_are_told_a_number_at_a_time(
    office: Office, families: Families
) -> None:
    for region in (HOHHOT, "150900", "211200"):
        for _ in range(2):
            told(office, families, families.person(region), answer_due_on=OVERDUE)
    later(office, DAY)
    now = office.now()
    with office.database.transaction() as tx:
        made = [make_overdue_due(tx, TODAY, now - DAY, now, 4) for _ in range(3)]
    assert made == [4, 2, 0]
    assert untaken(office.database) == 6


# long ago


def test_what_was_taken_and_answered_is_removed_after_180_days(
    office: Office, families: Families, child: Made
) -> None:
    told(office, families, child, state=PremiumState.CONFIRMED)
    later(office, KEPT - DAY)
    assert remove_old_tax_messages(office) == 0
    later(office, KEPT)
    assert remove_old_tax_messages(office) == 1
    assert messages(office.database) == {}


def test_what_is_not_answered_or_not_taken_is_kept(
    office: Office, families: Families, child: Made
) -> None:
    unanswered = told(office, families, child)
    untold = waiting(families, families.person(HOHHOT), state=PremiumState.CONFIRMED)
    later(office, 2 * KEPT)
    assert remove_old_tax_messages(office) == 0
    assert set(messages(office.database)) == {unanswered, untold}


def test_old_messages_of_all_regions_are_removed_a_number_at_a_time(
    office: Office, families: Families
) -> None:
    for region in (HOHHOT, "150900"):
        for _ in range(2):
            told(office, families, families.person(region), state=PremiumState.REFUNDED)
    later(office, KEPT)
    before = office.now() - KEPT
    with office.database.transaction() as tx:
        assert [remove_answered(tx, before, 3) for _ in range(3)] == [3, 1, 0]
