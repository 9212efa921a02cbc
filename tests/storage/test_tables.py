"""The schema's rules: what a distributed PostgreSQL needs, and what a ledger promises."""

import psycopg
import pytest
from sqlalchemy import BigInteger, Table, UniqueConstraint

from gongji_svc.storage import tables
from gongji_svc.storage.database import Database

DISTRIBUTED = [table for table in tables.metadata.sorted_tables if table.name != "person_directory"]


def ids(table: Table) -> str:
    return table.name


@pytest.mark.parametrize("table", DISTRIBUTED, ids=ids)
def test_every_key_begins_with_the_region(table: Table) -> None:
    assert next(iter(table.primary_key.columns)).name == "region"


@pytest.mark.parametrize("table", DISTRIBUTED, ids=ids)
def test_what_is_unique_is_so_within_a_region(table: Table) -> None:
    unique = [
        *(one.columns for one in table.constraints if isinstance(one, UniqueConstraint)),
        *(index.columns for index in table.indexes if index.unique),
    ]
    assert all("region" in columns for columns in unique)


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=ids)
def test_money_is_whole_fen(table: Table) -> None:
    money = [column for column in table.columns if column.name.endswith("_fen")]
    assert all(isinstance(column.type, BigInteger) for column in money)


@pytest.mark.parametrize("table", tables.APPEND_ONLY)
@pytest.mark.parametrize("change", ["UPDATE {} SET region = region", "DELETE FROM {}"])
def test_what_is_booked_can_be_changed_by_nobody(
    database: Database, table: str, change: str
) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        psycopg.connect(database.runtime_url) as tx,
    ):
        tx.execute(change.format(table))
    with (
        pytest.raises(psycopg.errors.RaiseException, match="append-only"),
        psycopg.connect(database.owner_url) as tx,
    ):
        tx.execute(change.format(table))
