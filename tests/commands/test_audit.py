"""`gongji audit`: whatever is changed behind the service's back is named."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from gongji_svc.cli import main
from gongji_svc.storage.database import Database
from tests.services.accounts import HOHHOT, ULANQAB
from tests.services.driver import Driver
from tests.storage.test_seals import book, new_account, rows, seal_as_another

_APPEND_ONLY = ("entries", "ledger_lines", "blocks", "block_accounts")


@dataclass(frozen=True, slots=True)
class Books:
    """Two accounts of three entries each, sealed in two blocks and told to a file."""

    driver: Driver
    database: Database
    account_id: UUID
    other_id: UUID
    file: Path

    def change(self, *statements: str) -> None:
        """Change the books as their owner can who knows how; {a} and {b} are the accounts."""
        with psycopg.connect(self.database.owner_url) as tx:
            for table in _APPEND_ONLY:
                tx.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only".encode())
            for statement in statements:
                tx.execute(statement.format(a=self.account_id, b=self.other_id).encode())


@pytest.fixture
def books(database: Database, tmp_path: Path) -> Books:
    driver = Driver(database)
    first, second = sorted((new_account(driver), new_account(driver)), key=str)
    made = Books(driver, database, first, second, tmp_path / "seals.jsonl")
    for amounts_fen in ((500, 300), (200,)):
        for account_id in (first, second):
            book(driver, account_id, *amounts_fen)
        seal_as_another(database, seal_file=made.file)
    return made


Audited = Callable[..., Sequence[str]]
_VERDICTS = ("no difference", "something differs")


@pytest.fixture
def audited(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Audited:
    """The lines of `gongji audit` that say what was found; its last and the status fit them."""
    monkeypatch.setenv("GONGJI_DATABASE_URL", database.runtime_url)
    monkeypatch.setenv("GONGJI_DATA_DIR", str(tmp_path / "elsewhere"))

    def run(*arguments: str) -> Sequence[str]:
        status = main(["audit", *arguments])
        printed = capsys.readouterr().out.splitlines()  # beside what is logged meanwhile
        (verdict,) = (line for line in printed if line in _VERDICTS)
        findings = [line for line in printed if line.startswith(("difference: ", "note: "))]
        differs = any(line.startswith("difference: ") for line in findings)
        assert (status, verdict) == ((1, "something differs") if differs else (0, "no difference"))
        return [line for line in findings if "no file of seals" not in line]

    return run


# --- whole books


def test_whole_books_have_no_difference_and_it_says_how_much_was_checked(
    books: Books, audited: Audited, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audited("verify", "--head", str(books.file)) == []
    assert main(["audit", "--head", str(books.file)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "checked 1 regions, 2 accounts, 6 entries, 2 blocks, 6 journals by region, "
        f"2 lines of {books.file}"
    )


def test_an_empty_database_has_no_difference(audited: Audited) -> None:
    assert audited() == []


def test_what_is_booked_and_sealed_meanwhile_is_no_difference(
    books: Books, audited: Audited
) -> None:
    def go_on() -> None:
        for _ in range(20):
            book(books.driver, books.account_id, 100)
            seal_as_another(books.database, seal_file=books.file)

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(go_on)
        while not going.done():
            assert audited("--head", str(books.file)) == []
        going.result()


def test_what_is_not_sealed_in_time_is_a_note(database: Database, audited: Audited) -> None:
    driver = Driver(database, on=date(2025, 3, 1))
    book(driver, new_account(driver), 500, 700)
    (note,) = audited()
    assert note.startswith(
        "note: 150100: 2 entries are not sealed yet, the first recorded at 2025-03-01 12:00:00"
    )


def test_only_the_region_asked_for_is_checked(books: Books, audited: Audited) -> None:
    far = new_account(books.driver, ULANQAB)
    book(books.driver, far, 500, agency=ULANQAB)
    books.change("UPDATE accounts SET held_fen = 1 WHERE id = '{a}'")
    assert audited("--region", ULANQAB) == []
    assert len(audited("--region", HOHHOT)) == 1


# --- entries


ALTERED = {
    "an amount, all balances with it": (
        "UPDATE entries SET amount_fen = amount_fen + 100 WHERE account_id = '{a}' AND seq = 2",
        "UPDATE entries SET balance_after_fen = balance_after_fen + 100"
        " WHERE account_id = '{a}' AND seq >= 2",
        "UPDATE accounts SET balance_fen = balance_fen + 100 WHERE id = '{a}'",
        "UPDATE ledger_lines SET amount_fen = amount_fen - 100 WHERE journal_id ="
        " (SELECT journal_id FROM entries WHERE account_id = '{a}' AND seq = 2)",
    ),
    "whose purchase it was": (
        "UPDATE entries SET beneficiary_id = account_id WHERE account_id = '{a}' AND seq = 2",
    ),
    "when it happened": (
        "UPDATE entries SET occurred_at = occurred_at - interval '1 microsecond'"
        " WHERE account_id = '{a}' AND seq = 2",
    ),
    "who paid": (
        "UPDATE entries SET counterparty = '150900' WHERE account_id = '{a}' AND seq = 2",
    ),
}


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_entry_is_named(books: Books, audited: Audited, what: str) -> None:
    books.change(*ALTERED[what])
    first, *others = audited("--head", str(books.file))
    assert first == (f"difference: entry {books.account_id}:2 is altered; {HOHHOT}/1 sealed it")
    # The balance that a later entry states was altered with it.
    assert all(f"entry {books.account_id}:3 is altered" in other for other in others)


def test_a_missing_entry_is_named(books: Books, audited: Audited) -> None:
    books.change(
        "DELETE FROM entries WHERE account_id = '{a}' AND seq = 3",
        "UPDATE accounts SET seq = 2, balance_fen = balance_fen - 200 WHERE id = '{a}'",
        "DELETE FROM ledger_lines WHERE journal_id NOT IN (SELECT journal_id FROM entries)",
    )
    assert audited() == [f"difference: entry {books.account_id}:3 is missing; {HOHHOT}/2 sealed it"]


def test_entries_that_are_missing_with_their_account_are_named(
    books: Books, audited: Audited
) -> None:
    books.change(
        "DELETE FROM entries WHERE account_id = '{a}'",
        "DELETE FROM accounts WHERE id = '{a}'",
        "DELETE FROM ledger_lines WHERE journal_id NOT IN (SELECT journal_id FROM entries)",
    )
    assert audited() == [
        f"difference: entries {books.account_id}:1 to 2 are missing; {HOHHOT}/1 sealed them",
        f"difference: entry {books.account_id}:3 is missing; {HOHHOT}/2 sealed it",
    ]


_INSERT = (
    "INSERT INTO entries SELECT region, account_id, {seq}, journal_id, kind, 100, 900, source_id,"
    " counterparty, beneficiary_id, binding_id, memo, occurred_at, recorded_at"
    " FROM entries WHERE account_id = '{{a}}' AND seq = 1"
)


def test_an_entry_inserted_behind_the_last_is_named(books: Books, audited: Audited) -> None:
    books.change(_INSERT.format(seq=4))
    named = f"difference: entry {books.account_id}:4"
    found = audited()
    assert f"{named} is inserted: the account ends at 3" in found
    assert f"{named} was recorded before the one that it follows" in found


def test_an_entry_inserted_between_others_is_named(books: Books, audited: Audited) -> None:
    books.change(
        "ALTER TABLE entries DROP CONSTRAINT entries_pkey",
        "CREATE INDEX ON entries (region, account_id, seq)",
        _INSERT.format(seq=2),
    )
    assert f"difference: entry {books.account_id}:2 stands twice: one was inserted" in audited()


def test_entries_of_no_account_are_named(books: Books, audited: Audited) -> None:
    books.change(_INSERT.format(seq=1).replace("account_id, 1", "journal_id, 1"))
    assert any("there is no account" in line for line in audited())


# --- accounts and journals


def test_a_balance_that_its_entries_do_not_make_is_named(books: Books, audited: Audited) -> None:
    books.change("UPDATE accounts SET balance_fen = balance_fen + 7 WHERE id = '{a}'")
    assert audited() == [
        f"difference: account {books.account_id} has +7 fen against its entries: 1007 fen"
    ]


def test_an_amount_held_without_an_open_hold_is_named(books: Books, audited: Audited) -> None:
    books.change("UPDATE accounts SET held_fen = 9 WHERE id = '{b}'")
    assert audited() == [
        f"difference: account {books.other_id} holds +9 fen against its open holds: 9 fen"
    ]


def test_a_gap_in_seq_is_named(books: Books, audited: Audited) -> None:
    books.change("UPDATE entries SET seq = 5 WHERE account_id = '{a}' AND seq = 3")
    found = audited()
    assert (
        f"difference: entry {books.account_id}:5 does not follow the one before it: seq has a gap"
        in found
    )


def test_a_stated_balance_that_was_not_is_named(books: Books, audited: Audited) -> None:
    books.change("UPDATE entries SET balance_after_fen = 1 WHERE account_id='{a}' AND seq = 2")
    assert (
        f"difference: entry {books.account_id}:2 states a balance that its account did not have"
        in audited()
    )


def test_a_journal_that_is_off_zero_is_named(books: Books, audited: Audited) -> None:
    books.change(
        "UPDATE ledger_lines SET amount_fen = amount_fen - 7 WHERE journal_id ="
        " (SELECT journal_id FROM entries WHERE account_id = '{a}' AND seq = 1)"
    )
    query = "SELECT journal_id FROM entries WHERE account_id = %s AND seq = 1"
    ((journal_id,),) = rows(books.database, query, books.account_id)
    assert audited() == [f"difference: journal {journal_id} is off by -7 fen in {HOHHOT}"]


def test_a_suspense_item_that_nobody_booked_is_named(books: Books, audited: Audited) -> None:
    books.change(
        "INSERT INTO suspense SELECT region, gen_random_uuid(), id, person_id, pool_region, 100,"
        " NULL, 'OPEN', now(), NULL, '', '{{}}', NULL, '' FROM accounts WHERE id = '{a}'"
    )
    assert audited() == [
        f"difference: suspense of account {books.account_id} in {HOHHOT} is 100 fen by its open "
        "items, 0 fen by the journals"
    ]


def test_of_many_differences_the_first_are_told_and_how_many_more(
    books: Books, audited: Audited
) -> None:
    books.change(
        "INSERT INTO accounts (region, id, person_id, pool_region, kind, state, balance_fen,"
        " held_fen, frozen_quota_fen, seq, recorded_at) SELECT region, gen_random_uuid(),"
        " gen_random_uuid(), pool_region, kind, state, 1, 0, 0, 0, now()"
        " FROM accounts, generate_series(1, 25) WHERE id = '{a}'"
    )
    found = audited()
    assert len(found) == 21
    assert found[-1] == "difference: and 5 more of this kind"


# --- blocks


def test_blocks_that_changed_places_are_named(books: Books, audited: Audited) -> None:
    books.change(
        "UPDATE blocks SET block_no = block_no + 2",
        "UPDATE blocks SET block_no = 5 - block_no",
        "UPDATE block_accounts SET block_no = block_no + 2",
        "UPDATE block_accounts SET block_no = 5 - block_no",
    )
    found = audited()
    assert f"difference: block {HOHHOT}/1 is altered: it gives another hash" in found
    assert (
        f"difference: block {HOHHOT}/2 does not follow {HOHHOT}/1: the chain is broken there"
        in (found)
    )


def test_a_missing_block_is_named(books: Books, audited: Audited) -> None:
    books.change("DELETE FROM blocks WHERE block_no = 1")
    assert f"difference: block {HOHHOT}/1 is missing" in audited()


def test_a_last_block_whose_listing_was_left_is_named(books: Books, audited: Audited) -> None:
    books.change("DELETE FROM blocks WHERE block_no = 2")
    assert audited() == [f"difference: block {HOHHOT}/2 is missing"]


_CUT_OFF = (
    "DELETE FROM blocks WHERE block_no = 2",
    "DELETE FROM block_accounts WHERE block_no = 2",
)


def test_a_last_block_cut_off_is_named_by_what_was_told_outside(
    books: Books, audited: Audited
) -> None:
    books.change(*_CUT_OFF)
    assert audited() == []
    assert audited("--head", str(books.file)) == [
        f"difference: block {HOHHOT}/2 is missing; {books.file}:2 tells of it"
    ]


def test_a_chain_rewritten_as_a_whole_is_named_by_what_was_told_outside(
    books: Books, audited: Audited
) -> None:
    books.change(
        *ALTERED["an amount, all balances with it"],
        "DELETE FROM blocks",
        "DELETE FROM block_accounts",
    )
    seal_as_another(books.database)
    assert audited() == []
    found = audited("--head", str(books.file))
    assert found[0] == (f"difference: block {HOHHOT}/1 has another hash than {books.file}:1 tells")


def test_a_listing_that_was_altered_is_told_from_altered_entries(
    books: Books, audited: Audited
) -> None:
    books.change("UPDATE block_accounts SET hashes = '\\x00' WHERE block_no = 2")
    assert audited() == [
        f"difference: the listing of block {HOHHOT}/2 is altered; its entries are not"
    ]


def test_an_entry_that_the_blocks_leave_out_is_named(books: Books, audited: Audited) -> None:
    books.change("DELETE FROM block_accounts WHERE block_no = 1 AND account_id = '{a}'")
    found = audited()
    assert f"difference: block {HOHHOT}/1 is altered: it gives another hash" in found
    assert (
        f"difference: blocks leave out entries before {books.account_id}:3, or seal them twice"
        in found
    )


# --- the file of seals


def test_the_usual_file_of_seals_is_compared_with_where_there_is_one(
    books: Books, audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONGJI_SEAL_FILE", str(books.file))
    books.change(*_CUT_OFF)
    assert len(audited()) == 1


def test_blocks_that_the_file_has_no_line_of_are_a_note(books: Books, audited: Audited) -> None:
    book(books.driver, books.account_id, 100)
    seal_as_another(books.database, seal_file=books.file, clock_offset=-timedelta(minutes=5))
    lines = books.file.read_bytes().splitlines(keepends=True)
    for left, which in ((2, "1 blocks, between {0}/3 and {0}/3"), (0, "3 blocks, between {0}/1")):
        books.file.write_bytes(b"".join(lines[:left]))
        (note,) = audited("--head", str(books.file))
        assert note.startswith(f"note: {books.file} has no line of {which.format(HOHHOT)}")
    books.file.write_bytes(b"".join(lines[::2]))
    assert len(audited("--head", str(books.file))) == 1
    assert audited("--head", str(books.file), "--region", ULANQAB) == []


def test_a_line_of_the_file_that_cannot_be_read_is_a_note(books: Books, audited: Audited) -> None:
    with books.file.open("a") as file:
        file.write("{torn")
    assert audited("--head", str(books.file)) == [
        f"note: {books.file}:3: not a line that can be read"
    ]


def test_a_file_of_seals_that_is_not_there_is_the_users_error(
    books: Books, audited: Audited, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "--head", str(books.file.parent / "none")]) == 2
    assert "there is no such file" in capsys.readouterr().err
