"""Sealed blocks: what they seal, that anybody can compute them again, that many may make them."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import psycopg
import pytest
from cryptography.hazmat.primitives import hashes

from gongji_svc.services.office import Office
from gongji_svc.storage.database import Database
from gongji_svc.storage.seal_writes import moved_accounts, read_clock, seal
from gongji_svc.upkeep.seals import seal_entries
from tests.families import Families
from tests.services.accounts import HOHHOT, ULANQAB, account_of, credit, crediting
from tests.services.driver import Driver
from tests.services.till import request_of, settle

_A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def new_account(driver: Driver, region: str = HOHHOT) -> UUID:
    """An account without entries, opened a while ago."""
    families = Families(driver.office.database)
    opened_at = datetime(2025, 1, 1, tzinfo=UTC)
    return account_of(families.person(region), families, region, recorded_at=opened_at)


def book(driver: Driver, account_id: UUID, *amounts_fen: int, agency: str = HOHHOT) -> None:
    """One entry an amount."""
    for amount_fen in amounts_fen:
        named = f"c-{datetime.now(UTC).timestamp()}"
        credit(driver, crediting(account_id, amount_fen, request_id=named), agency)


def seal_as_another(database: Database, **settings: Any) -> int:
    """Seal everything as a process does that has just begun; how many entries."""
    with Database(database.runtime_url) as own:
        office = Driver(own).office
        for name, value in settings.items():
            setattr(office, name, value)
        with closing(office):
            return seal_all(office)


def seal_all(office: Office) -> int:
    """Seal all that is due; how many entries."""
    sealed = 0
    while some := seal_entries(office):
        sealed += some
    return sealed


def let_pass(office: Office, time: timedelta = _A_MINUTE) -> None:
    """Let time pass, for those who book and those who seal."""
    office.close()
    office.clock_offset += time


def rows(database: Database, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query answers."""
    with database.connect() as tx:
        return tx.execute(query.encode(), values).fetchall()


def sealed_ranges(database: Database, account_id: UUID) -> list[tuple[int, int, int]]:
    """Where an account is sealed: (block, first seq, last seq)."""
    query = """SELECT block_no, first_seq, last_seq FROM block_accounts
               WHERE account_id = %s ORDER BY block_no"""
    return rows(database, query, account_id)


def sm3(text: str) -> bytes:
    """SM3 of a text, by nobody's help but the library's."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(text.encode())
    return digest.finalize()


# --- what is sealed


def test_every_entry_is_sealed_in_a_chain_of_its_region(driver: Driver, database: Database) -> None:
    near, other, far = new_account(driver), new_account(driver), new_account(driver, ULANQAB)
    book(driver, near, 500, 700)
    book(driver, other, 100)
    book(driver, far, 300, agency=ULANQAB)
    assert seal_as_another(database) == 4
    assert [sealed_ranges(database, one) for one in (near, other, far)] == [
        [(1, 1, 2)],
        [(1, 1, 1)],
        [(1, 1, 1)],
    ]
    chains = rows(database, "SELECT region, block_no, entry_count FROM blocks ORDER BY region")
    assert chains == [(HOHHOT, 1, 3), (ULANQAB, 1, 1)]


def test_a_round_seals_what_came_since_the_one_before_in_a_block_that_follows(
    driver: Driver, database: Database
) -> None:
    account_id = new_account(driver)
    book(driver, account_id, 500)
    seal_all(driver.office)
    let_pass(driver.office)
    book(driver, account_id, 700, 900)
    assert seal_all(driver.office) == 0  # a moment ago is too young
    let_pass(driver.office)
    assert seal_all(driver.office) == 2
    assert sealed_ranges(database, account_id) == [(1, 1, 1), (2, 2, 3)]
    (_, first), (previous, _) = rows(
        database, "SELECT previous_hash, hash FROM blocks ORDER BY block_no"
    )
    assert previous == first


def test_more_than_fits_into_a_block_goes_into_several(driver: Driver, database: Database) -> None:
    account_id = new_account(driver)
    with psycopg.connect(database.owner_url) as tx:
        tx.execute(
            """INSERT INTO entries SELECT region, id, n, id, 'OTHER', 1, n, NULL, NULL, NULL, NULL,
                   NULL, now(), now()
               FROM accounts, generate_series(1, 10001) AS n WHERE id = %s""",
            [account_id],
        )
        tx.execute("UPDATE accounts SET seq = 10001 WHERE id = %s", [account_id])
    assert seal_as_another(database) == 10_001
    assert sealed_ranges(database, account_id) == [(1, 1, 10_000), (2, 10_001, 10_001)]


def test_what_a_transaction_under_way_books_is_looked_for_until_it_ends(
    driver: Driver, database: Database
) -> None:
    late, prompt = new_account(driver), new_account(driver)
    with database.connect() as slow:
        slow.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", [late])
        slow.execute(
            """INSERT INTO entries SELECT region, id, 1, id, 'OTHER', 1, 1, NULL, NULL, NULL, NULL,
                   NULL, now(), clock_timestamp() FROM accounts WHERE id = %s""",
            [late],
        )
        book(driver, prompt, 500)
        with database.reader() as tx:
            now, oldest = read_clock(tx)
            assert moved_accounts(tx, oldest, now) == {HOHHOT: [prompt]}
    with database.reader() as tx:
        assert set(moved_accounts(tx, oldest, now)[HOHHOT]) == {late, prompt}


def test_an_entry_that_every_round_missed_is_sealed_with_the_next_of_its_account(
    driver: Driver, database: Database
) -> None:
    account_id = new_account(driver)
    book(driver, account_id, 100, 200, 300)
    ((last,),) = rows(database, "SELECT max(recorded_at) FROM entries")
    with database.transaction() as tx:
        found = moved_accounts(tx, last, last + _A_MINUTE)
        seal(tx, HOHHOT, found[HOHHOT], last)
    assert sealed_ranges(database, account_id) == [(1, 1, 3)]


def test_a_full_round_finds_whatever_was_missed(driver: Driver, database: Database) -> None:
    account_id = new_account(driver)
    seal_all(driver.office)
    book(driver, account_id, 100)
    let_pass(driver.office, timedelta(hours=2))
    seal_all(driver.office)
    driver.office.clock_offset -= timedelta(hours=1)  # the database's clock was set back
    driver.office.close()
    book(driver, new_account(driver), 100)
    driver.office.clock_offset += timedelta(hours=2)
    assert seal_all(driver.office) == 0
    let_pass(driver.office, timedelta(days=1))
    assert seal_all(driver.office) == 1


def test_nothing_behind_a_missing_entry_is_sealed(driver: Driver, database: Database) -> None:
    account_id = new_account(driver)
    book(driver, account_id, 100, 200, 300)
    with psycopg.connect(database.owner_url) as tx:
        tx.execute("ALTER TABLE entries DISABLE TRIGGER append_only")
        tx.execute("DELETE FROM entries WHERE account_id = %s AND seq = 2", [account_id])
    assert seal_as_another(database) == 1
    assert sealed_ranges(database, account_id) == [(1, 1, 1)]


def test_a_region_that_cannot_be_sealed_holds_up_no_other(
    driver: Driver, database: Database
) -> None:
    near, far = new_account(driver), new_account(driver, ULANQAB)
    book(driver, near, 100)
    seal_as_another(database)
    with psycopg.connect(database.owner_url) as tx:
        tx.execute("ALTER TABLE blocks DISABLE TRIGGER append_only")
        tx.execute("DELETE FROM blocks")  # its listing is left: the next block would be a second 1
    book(driver, near, 100)
    book(driver, far, 100, agency=ULANQAB)
    assert seal_as_another(database) == 1
    assert sealed_ranges(database, far) == [(1, 1, 1)]


def test_threads_of_one_process_take_turns_and_seal_each_entry_once(
    driver: Driver, database: Database
) -> None:
    accounts = [new_account(driver, region) for region in (HOHHOT, ULANQAB) for _ in range(2)]
    for account_id in accounts[:2]:
        book(driver, account_id, 500, 700)
    for account_id in accounts[2:]:
        book(driver, account_id, 500, 700, agency=ULANQAB)
    with Database(database.runtime_url) as own, closing(Driver(own).office) as office:
        with ThreadPoolExecutor(8) as pool:
            sealed = sum(pool.map(lambda _: seal_entries(office), range(64)))
        assert sealed + seal_all(office) == 8
    assert [sealed_ranges(database, one) for one in accounts] == [[(1, 1, 2)]] * 4


# --- how it is hashed


def test_anybody_can_compute_a_block_again(driver: Driver, database: Database) -> None:
    accounts = sorted((new_account(driver), new_account(driver)), key=str)
    for account_id in accounts:
        book(driver, account_id, 500, 700)
    seal_as_another(database)
    lines = [line_of_block(database)]
    for account_id in accounts:
        digests = " ".join(sm3(text).hex() for text in texts_of_entries(database, account_id))
        lines.append(f"{account_id}\t1\t2\t{digests}\n")
    assert rows(database, "SELECT hash FROM blocks") == [(sm3("".join(lines)),)]


def line_of_block(database: Database) -> str:
    """The first line of the text of the first block of all."""
    query = """SELECT region, block_no, entry_count,
               (extract(epoch FROM sealed_at) * 1000000)::bigint FROM blocks"""
    head = "\t".join(map(str, rows(database, query)[0]))
    return f"{head}\t{'0' * 64}\n"


def texts_of_entries(database: Database, account_id: UUID) -> Sequence[str]:
    """The texts of an account's entries, as docs/decisions/seals.md has them."""
    query = """SELECT region, account_id, seq, journal_id, kind, amount_fen, balance_after_fen,
               source_id, counterparty, beneficiary_id, binding_id,
               (extract(epoch FROM occurred_at) * 1000000)::bigint,
               (extract(epoch FROM recorded_at) * 1000000)::bigint
               FROM entries WHERE account_id = %s ORDER BY seq"""
    return [
        "\t".join(r"\N" if value is None else str(value) for value in row) + "\n"
        for row in rows(database, query, account_id)
    ]


def test_an_entry_keeps_its_hash_whatever_zone_the_session_is_in(
    driver: Driver, database: Database
) -> None:
    account_id = new_account(driver)
    book(driver, account_id, 500)
    blocks = []
    for zone in ("UTC", "Asia/Shanghai"):
        with database.transaction() as tx:
            tx.exec_driver_sql(f"SET LOCAL timezone = '{zone}'")
            blocks.append(seal(tx, HOHHOT, [account_id], datetime(2025, 3, 1, tzinfo=UTC)))
            tx.rollback()
    assert blocks[0] == blocks[1] is not None


# --- who seals


def test_sealing_waits_for_nobody_who_books_and_keeps_nobody_waiting(
    driver: Driver, database: Database
) -> None:
    account_id = new_account(driver)
    book(driver, account_id, 500)
    with database.connect() as holding:
        holding.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", [account_id])
        with database.transaction() as tx:
            assert seal(tx, HOHHOT, [account_id], datetime.now(UTC)) is not None
            holding.rollback()
            book(driver, account_id, 700)


def test_several_who_seal_at_once_make_one_chain_with_every_entry_once(
    driver: Driver, database: Database
) -> None:
    families = Families(database)
    patients = [families.person(HOHHOT, balance_fen=0) for _ in range(4)]
    accounts = [patient.account_id for patient in patients if patient.account_id]
    pharmacy = families.institution(HOHHOT)
    families.item("150000", "XA01")

    def spend(number: int) -> None:
        for turn in range(8):
            book(driver, accounts[number], 5000)
            request = request_of(pharmacy, patients[number], 1000, f"r-{number}-{turn}")
            settle(driver, pharmacy, request)

    with ThreadPoolExecutor(8) as pool:
        spending = [pool.submit(spend, number) for number in range(4)]
        sealing = [pool.submit(seal_while, database, spending) for _ in range(4)]
    assert [one.result() for one in spending] == [None] * 4
    sealed = sum(one.result() for one in sealing) + seal_as_another(database)
    expect_each_entry_sealed_once(database)
    assert sealed == rows(database, "SELECT count(*) FROM entries")[0][0] == 4 * 8 * 2


def seal_while(database: Database, others: Sequence[Any]) -> int:
    """Seal as one process after the other while others are at work; how many entries."""
    sealed = 0
    while not all(other.done() for other in others):
        sealed += seal_as_another(database)
    return sealed


def expect_each_entry_sealed_once(database: Database) -> None:
    listed = rows(database, "SELECT account_id, first_seq, last_seq FROM block_accounts")
    sealed = Counter((one, seq) for one, first, last in listed for seq in range(first, last + 1))
    assert sealed == Counter(rows(database, "SELECT account_id, seq FROM entries"))
    chain = rows(
        database, "SELECT block_no, previous_hash, hash FROM blocks ORDER BY region, block_no"
    )
    assert [number for number, _, _ in chain] == list(range(1, len(chain) + 1))
    assert all(before[2] == after[1] for before, after in pairwise(chain))
