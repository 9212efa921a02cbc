"""The schema's rules: what a distributed PostgreSQL needs, and what a ledger promises."""

import pytest
from sqlalchemy import BigInteger, Table, UniqueConstraint

from gongji_svc.storage import tables

DISTRIBUTED = [table for table in tables.metadata.sorted_tables if table.name != "person_directory"]


def ids(table: Table) -> str:
    return table.name


@pytest.mark.parametrize("table", DISTRIBUTED, ids=ids)
def test_every_key_begins_with_the_region(table: Table) -> None:
    assert [column.name for column in table.primary_key.columns][0] == "region"


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


def test_entries_and_ledger_lines_can_only_be_added() -> None:
    assert set(tables.APPEND_ONLY) == {"entries", "ledger_lines"}
