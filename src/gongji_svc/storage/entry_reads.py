"""Entries for those who look: a page of an account's, and its last one as of an instant.

Rule: an account's entries are in the order of seq, which has no gaps and only grows, so nothing
enters a list between what was already read of it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, func, select

from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.institutions import find_institutions
from gongji_svc.storage.person_reads import read_people
from gongji_svc.storage.sealing import Sealer

_ENTRIES = tables.entries.c
_ACCOUNTS = tables.accounts.c


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A row of `entries`, by name."""

    region: str
    account_id: UUID
    seq: int
    journal_id: UUID
    kind: str
    amount_fen: int
    balance_after_fen: int
    source_id: UUID | None
    counterparty: str | None
    beneficiary_id: UUID | None
    binding_id: UUID | None
    memo: str | None
    occurred_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Names:
    """What entries name: institutions by code, people by id."""

    institutions: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which entries of an account are listed, and in which order; what is None or empty is any."""

    account_id: UUID
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    kinds: frozenset[str] = frozenset()
    beneficiary_id: UUID | None = None
    ascending: bool = False


def list_entries(
    tx: sqlalchemy.Connection, choice: Choice, after: int | None, limit: int
) -> Sequence[EntryRow]:
    """At most `limit` of the chosen entries, those behind the one with the seq `after`."""
    order = _ENTRIES.seq.asc() if choice.ascending else _ENTRIES.seq.desc()
    query = select(*_ENTRIES).where(*_conditions(choice)).order_by(order).limit(limit)
    if after is not None:
        query = query.where(_ENTRIES.seq > after if choice.ascending else _ENTRIES.seq < after)
    return [EntryRow(*row) for row in tx.execute(query)]


def _conditions(choice: Choice) -> Iterator[ColumnElement[bool]]:
    yield from _of_account(choice.account_id)
    if choice.occurred_from is not None:
        yield _ENTRIES.occurred_at >= choice.occurred_from
    if choice.occurred_to is not None:
        yield _ENTRIES.occurred_at < choice.occurred_to
    if choice.kinds:
        yield _ENTRIES.kind.in_(sorted(choice.kinds))
    if choice.beneficiary_id is not None:
        yield _ENTRIES.beneficiary_id == choice.beneficiary_id


def read_names(tx: sqlalchemy.Connection, entries: Collection[EntryRow], sealer: Sealer) -> Names:
    """The names that belong to these entries, of whatever accounts they are."""
    codes = {one.counterparty for one in entries if one.counterparty is not None}
    institutions = find_institutions(tx, codes) if codes else {}
    relatives = (one.beneficiary_id for one in entries if one.beneficiary_id is not None)
    people = read_people(tx, relatives, sealer)
    return Names(
        {code: institution.name for code, institution in institutions.items()},
        {person_id: person.name for person_id, person in people.items()},
    )


def booked_until(tx: sqlalchemy.Connection, account_id: UUID) -> datetime:
    """The instant, by the database's clock, before which all there ever will be is recorded.

    Whoever books holds the account's lock and then reads the clock, so its shared lock waits for
    what is being booked, and what is booked next reads the clock later.
    """
    query = select(_ACCOUNTS.id).where(
        _ACCOUNTS.region == region_of(account_id), _ACCOUNTS.id == account_id
    )
    tx.execute(query.with_for_update(read=True))
    now: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
    return now


def last_entry(tx: sqlalchemy.Connection, account_id: UUID, at: datetime) -> EntryRow | None:
    """The last entry recorded at this instant or before it, None before the first."""
    query = (
        select(*_ENTRIES)
        .where(*_of_account(account_id), _ENTRIES.recorded_at <= at)
        .order_by(_ENTRIES.seq.desc())
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else EntryRow(*row)


def _of_account(account_id: UUID) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (_ENTRIES.region == region_of(account_id), _ENTRIES.account_id == account_id)
