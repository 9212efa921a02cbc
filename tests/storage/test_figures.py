"""What waits in the database, in figures."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert

from gongji_svc.storage import tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.figures import Measured, Waiting, measure
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.tax_outbox import mark_taken, put_off, take_due
from tests.families import Families
from tests.services.accounts import HOHHOT, ULANQAB
from tests.services.driver import Driver
from tests.storage.test_seals import book, let_pass, new_account, seal_as_another
from tests.upkeep.outbox import waiting

_AN_HOUR = timedelta(hours=1)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def measured(database: Database, since: datetime | None = None) -> Measured:
    with database.reader() as tx:
        return measure(tx, timedelta(), since)


def expect(waiting: Waiting, count: int, since: timedelta) -> None:
    """So many wait, the oldest since about then."""
    assert waiting[0] == count
    assert waiting[1] == pytest.approx(since.total_seconds(), abs=60)


def test_nothing_waits_in_an_empty_database(database: Database) -> None:
    told = measured(database)
    assert (told.unsealed, told.tax_messages, told.unresolved_differences) == (
        (0, 0.0),
        (0, 0.0),
        0,
    )
    assert told.oldest_unsealed is None


def test_entries_wait_until_they_are_sealed(driver: Driver, database: Database) -> None:
    near, far = new_account(driver), new_account(driver, ULANQAB)
    book(driver, near, 500, 700)
    book(driver, far, 300, agency=ULANQAB)
    count, seconds = measured(database).unsealed
    assert count == 3
    assert seconds > 0
    assert seal_as_another(database) == 3
    assert measured(database).unsealed == (0, 0.0)
    book(driver, near, 100)
    assert measured(database).unsealed[0] == 1


def test_what_waits_for_long_is_found_from_the_oldest_on(
    driver: Driver, database: Database
) -> None:
    account = new_account(driver)
    driver.office.clock_offset = -_AN_HOUR
    book(driver, account, 500)
    assert measured(database).unsealed == (0, 0.0)  # no account moved these ten minutes
    found = measured(database, datetime.now(UTC) - 2 * _AN_HOUR)
    expect(found.unsealed, 1, _AN_HOUR)
    assert found.oldest_unsealed is not None
    assert measured(database, found.oldest_unsealed).unsealed[0] == 1


def test_old_entries_count_as_soon_as_their_account_moves(
    driver: Driver, database: Database
) -> None:
    account = new_account(driver)
    driver.office.clock_offset = -_AN_HOUR
    book(driver, account, 500)
    let_pass(driver.office, _AN_HOUR)
    book(driver, account, 700)
    expect(measured(database).unsealed, 2, _AN_HOUR)


def test_messages_wait_from_when_they_are_due(driver: Driver, database: Database) -> None:
    families = Families(database)
    due, later = (waiting(families, families.person(HOHHOT)) for _ in range(2))
    now = datetime.now(UTC)
    with database.transaction() as tx:
        for message_id, at in ((due, now - _AN_HOUR), (later, now + _AN_HOUR)):
            its_own = tables.tax_messages.c.id == message_id
            tx.execute(tables.tax_messages.update().where(its_own).values(due_at=at))
    expect(measured(database).tax_messages, 1, _AN_HOUR)


def test_a_message_in_hand_waits_only_once_it_failed(driver: Driver, database: Database) -> None:
    families = Families(database)
    waiting(families, families.person(HOHHOT))
    now = datetime.now(UTC)
    with database.transaction() as tx:
        (message,) = take_due(tx, HOHHOT, now + _AN_HOUR, now + 2 * _AN_HOUR, 10)
    assert measured(database).tax_messages[0] == 0
    with database.transaction() as tx:
        put_off(tx, message, now + _AN_HOUR, "nobody answers")
    assert measured(database).tax_messages[0] == 1
    with database.transaction() as tx:
        mark_taken(tx, message, now)
    assert measured(database).tax_messages == (0, 0.0)


def test_differences_wait_until_they_are_resolved(database: Database) -> None:
    def difference(region: str, state: str) -> dict[str, object]:
        made = new_id(region)
        return {
            "region": region,
            "id": made,
            "institution_code": "P1",
            "day": date(2025, 3, 1),
            "content": made.bytes,
            "kind": "AMOUNT",
            "settlement_id": None,
            "request_id": "",
            "refund": False,
            "there": {},
            "here": {},
            "state": state,
            "resolution": "",
            "note": "",
            "found_at": datetime.now(UTC),
            "resolved_at": None,
            "resolved_by": {},
            "comparison": made,
        }

    with database.transaction() as tx:
        rows = [difference(HOHHOT, "OPEN"), difference(HOHHOT, "RESOLVED")]
        tx.execute(insert(tables.differences), [*rows, difference(ULANQAB, "OPEN")])
    assert measured(database).unresolved_differences == 2
