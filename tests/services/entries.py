"""Entries of an account, written straight into a database, and how they are read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc.storage.entry_reads import EntryRow
from gongji_svc.storage.ids import new_id, region_of
from tests.families import Families, Made
from tests.services.accounts import SERVICE, account_of
from tests.services.driver import Driver

BEGIN = datetime(2025, 3, 1, 4, 0, tzinfo=UTC)


def booked(
    families: Families, account_id: UUID, entries: Iterable[Mapping[str, Any]]
) -> Sequence[EntryRow]:
    """Entries of an account, an allocation of 100 fen each unless told otherwise, an hour apart."""
    home, balance_fen = region_of(account_id), 0
    rows: list[EntryRow] = []
    for seq, told in enumerate(entries, 1):
        moment = BEGIN + timedelta(hours=seq)
        usual: dict[str, Any] = {
            "kind": "ALLOCATION",
            "amount_fen": 100,
            "source_id": None,
            "counterparty": home,
            "beneficiary_id": None,
            "binding_id": None,
            "memo": None,
            "occurred_at": moment,
            "recorded_at": moment,
        }
        fields = {**usual, **told}
        balance_fen += fields["amount_fen"]
        rows.append(
            EntryRow(home, account_id, seq, new_id(home), balance_after_fen=balance_fen, **fields)
        )
    families.write(*(("entries", astuple(row)) for row in rows))
    return rows


def account_with(
    families: Families, owner: Made, *entries: Mapping[str, Any], **columns: Any
) -> UUID:
    """An account that stands where these entries left it; its id."""
    region = region_of(owner.person_id)
    account_id = account_of(owner, families, region, **columns)
    rows = booked(families, account_id, entries)
    if rows:
        query = "UPDATE accounts SET seq = %s, balance_fen = %s, recorded_at = %s WHERE id = %s"
        last = rows[-1]
        with families.database.connect() as tx:
            moved = [last.seq, last.balance_after_fen, last.recorded_at, str(account_id)]
            tx.execute(query, moved)
    return account_id


def list_entries(
    driver: Driver, role: str, subject: object, account_id: object, **fields: Any
) -> pb.ListEntriesResponse:
    """A page of entries as the caller sees them."""
    request = pb.ListEntriesRequest(account_id=str(account_id), **fields)
    answer = driver.call(role, subject, SERVICE, "ListEntries", request)
    assert isinstance(answer, pb.ListEntriesResponse)
    return answer


def all_entries(
    driver: Driver, role: str, subject: object, account_id: object, **fields: Any
) -> list[pb.Entry]:
    """Page by page, until the last."""
    found: list[pb.Entry] = []
    token = ""
    while True:
        page = list_entries(driver, role, subject, account_id, page_token=token, **fields)
        found += page.entries
        token = page.next_page_token
        if not token:
            return found
