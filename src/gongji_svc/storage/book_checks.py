"""The books against themselves: an account against its entries and holds, suspense against its
lines, a journal against zero.

Rule: the database reckons and answers only what does not fit, region by region where it can, so
nothing grows with the books but the time it takes.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy
from sqlalchemy import text as sql

from gongji_svc.storage.seal_checks import STREAMED, Finding

# What an account's entries give, beside what the account says. An entry's place is the seq it must
# have; up to there the amounts must sum to the balance it states.
_ACCOUNTS = sql(
    """
    WITH placed AS (
        SELECT account_id, seq, amount_fen, balance_after_fen,
               row_number() OVER by_seq AS place,
               sum(amount_fen) OVER by_seq AS balance_fen,
               lag(recorded_at) OVER by_seq > recorded_at AS goes_back
        FROM entries WHERE region = :region
        WINDOW by_seq AS (PARTITION BY account_id ORDER BY seq)
    ), histories AS (
        SELECT account_id, max(seq) AS seq, sum(amount_fen) AS balance_fen,
               min(seq) FILTER (WHERE seq <> place) AS gap_seq,
               min(seq) FILTER (WHERE balance_fen <> balance_after_fen) AS wrong_seq,
               min(seq) FILTER (WHERE goes_back) AS back_seq
        FROM placed GROUP BY account_id
    ), open_holds AS (
        SELECT account_id, sum(amount_fen) AS held_fen
        FROM holds WHERE region = :region AND state = 'OPEN' GROUP BY account_id
    )
    SELECT coalesce(a.id, h.account_id) AS id, a.id IS NULL AS unknown,
           a.seq, coalesce(h.seq, 0) AS last_seq, h.gap_seq, h.wrong_seq, h.back_seq,
           a.balance_fen, coalesce(h.balance_fen, 0) AS entries_fen,
           a.held_fen, coalesce(o.held_fen, 0) AS holds_fen
    FROM (SELECT * FROM accounts WHERE region = :region) AS a
        FULL JOIN histories AS h ON h.account_id = a.id
        LEFT JOIN open_holds AS o ON o.account_id = a.id
    WHERE a.id IS NULL OR a.seq <> coalesce(h.seq, 0)
        OR h.gap_seq IS NOT NULL OR h.wrong_seq IS NOT NULL OR h.back_seq IS NOT NULL
        OR a.balance_fen <> coalesce(h.balance_fen, 0) OR a.held_fen <> coalesce(o.held_fen, 0)
    """
)

# An entry counts in the books in which its account stands, a line in those of its region. The row
# without a journal is how many sums there are.
_JOURNALS = sql(
    """
    WITH sums AS MATERIALIZED (
        SELECT journal_id, books, sum(amount_fen) AS sum_fen
        FROM (
            SELECT e.journal_id, coalesce(a.pool_region, e.region) AS books, e.amount_fen
            FROM entries AS e LEFT JOIN accounts AS a ON a.region = e.region AND a.id = e.account_id
            UNION ALL
            SELECT journal_id, region, amount_fen FROM ledger_lines
        ) AS moved
        WHERE CAST(:region AS text) IS NULL OR books = :region
        GROUP BY journal_id, books
    )
    SELECT NULL AS journal_id, NULL AS books, count(*) AS fen FROM sums
    UNION ALL
    SELECT journal_id, books, sum_fen FROM sums WHERE sum_fen <> 0
    """
)

# Open items, and what the books hold in suspense for the same closed account.
_SUSPENSE = sql(
    """
    WITH items AS (
        SELECT pool_region AS books, CAST(account_id AS text) AS account, sum(amount_fen) AS fen
        FROM suspense WHERE state = 'OPEN' GROUP BY pool_region, account_id
    ), held AS (
        SELECT region AS books, counterparty AS account, sum(amount_fen) AS fen
        FROM ledger_lines WHERE side = 'SUSPENSE' GROUP BY region, counterparty
    )
    SELECT coalesce(i.books, h.books) AS books, coalesce(i.account, h.account) AS account,
           coalesce(i.fen, 0) AS items_fen, coalesce(h.fen, 0) AS held_fen
    FROM items AS i FULL JOIN held AS h ON h.books = i.books AND h.account = i.account
    WHERE coalesce(i.fen, 0) <> coalesce(h.fen, 0)
        AND (CAST(:region AS text) IS NULL OR coalesce(i.books, h.books) = :region)
    """
)


def check_suspense(tx: sqlalchemy.Connection, region: str | None) -> Iterator[Finding]:
    """Whether the open items of closed accounts are what the books hold for them."""
    for row in tx.execute(_SUSPENSE, {"region": region}, execution_options=STREAMED):
        yield Finding(
            f"suspense of account {row.account} in {row.books} is {row.items_fen} fen by its open "
            f"items, {row.held_fen} fen by the journals"
        )


def check_accounts(tx: sqlalchemy.Connection, region: str) -> Iterator[Finding]:
    """Whether every account is what its entries and its open holds make it."""
    for row in tx.execute(_ACCOUNTS, {"region": region}, execution_options=STREAMED):
        yield from (Finding(what) for what in _wrong(row))


def _wrong(row: Any) -> Iterator[str]:
    """What an account and its entries say differently; amounts in fen."""
    if row.unknown:
        yield f"there is no account {row.id}, but entries up to {row.id}:{row.last_seq}"
        return
    if row.seq > row.last_seq:
        yield f"entries behind {row.id}:{row.last_seq} are missing: the account ends at {row.seq}"
    if row.seq < row.last_seq:
        yield f"entry {row.id}:{row.last_seq} is inserted: the account ends at {row.seq}"
    if row.gap_seq is not None:
        yield f"entry {row.id}:{row.gap_seq} does not follow the one before it: seq has a gap"
    elif row.wrong_seq is not None:
        yield f"entry {row.id}:{row.wrong_seq} states a balance that its account did not have"
    if row.back_seq is not None:
        yield f"entry {row.id}:{row.back_seq} was recorded before the one that it follows"
    if row.balance_fen != row.entries_fen:
        off_fen = row.balance_fen - row.entries_fen
        yield f"account {row.id} has {off_fen:+} fen against its entries: {row.balance_fen} fen"
    if row.held_fen != row.holds_fen:
        off_fen = row.held_fen - row.holds_fen
        yield f"account {row.id} holds {off_fen:+} fen against its open holds: {row.held_fen} fen"


def check_journals(
    tx: sqlalchemy.Connection, region: str | None, progress: Callable[[int], None]
) -> Iterator[Finding]:
    """Whether every journal sums to zero in a region's books, or in those of each region;
    `progress` gets how many sums there are.
    """
    for row in tx.execute(_JOURNALS, {"region": region}, execution_options=STREAMED):
        if row.journal_id is None:
            progress(int(row.fen))
        else:
            yield Finding(f"journal {row.journal_id} is off by {row.fen:+} fen in {row.books}")
