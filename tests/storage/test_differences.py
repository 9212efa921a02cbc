"""Differences in the database: counted and listed without reading what is not asked for."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import event, text

from gongji_svc.domain.reconciliation import DifferenceKind, DifferenceState
from gongji_svc.storage import differences
from gongji_svc.storage.database import Database
from gongji_svc.storage.differences import Choice, open_differences
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.reconciliation import totals_of
from gongji_svc.storage.statements import Row
from tests.families import Families
from tests.services.applications import HOHHOT, TIELING

DAY = date(2025, 5, 6)
MANY = 20_000
_FILL = text("""
    INSERT INTO differences
    SELECT :region, gen_random_uuid(), 'P' || n % 100, :day + (n % 30), decode(md5(n::text), 'hex'),
           'AMOUNT_DIFFERS', NULL, 'r-' || n, false, '{}', '{}', 'RESOLVED', 'EXPLAINED', '',
           now(), now(), '{}'
    FROM generate_series(1, :many) AS n""")


def kept(families: Families, day: date, **fields: Any) -> None:
    """A difference; its row's columns by name."""
    usual = {
        "region": HOHHOT,
        "institution_code": "P1",
        "kind": DifferenceKind.MISSING_HERE.value,
        "state": DifferenceState.OPEN.value,
    }
    named = {**usual, **fields}
    difference_id = new_id(named["region"])
    row: Row = (
        named["region"],
        difference_id,
        named["institution_code"],
        day,
        difference_id.bytes,
        named["kind"],
        None,
        "r-1",
        False,
        {},
        {},
        named["state"],
        "",
        "",
        datetime.now(UTC),
        None,
        {},
    )
    families.write(("differences", row))


def test_open_differences_of_a_region_between_two_days_are_counted(database: Database) -> None:
    families = Families(database)
    for away, fields in (
        (0, {}),
        (3, {"kind": DifferenceKind.MISSING_THERE.value}),
        (30, {"institution_code": "P2"}),
        (-1, {}),
        (31, {}),
        (5, {"state": DifferenceState.RESOLVED.value}),
        (5, {"region": TIELING}),
    ):
        kept(families, DAY + timedelta(days=away), **fields)
    with database.reader() as tx:
        assert open_differences(tx, HOHHOT, DAY, DAY + timedelta(days=30)) == 3
        assert open_differences(tx, HOHHOT, DAY + timedelta(days=60), DAY) == 0


@pytest.mark.parametrize(
    "choice",
    [
        Choice(HOHHOT),
        Choice(HOHHOT, states=frozenset({DifferenceState.OPEN})),
        Choice(HOHHOT, kinds=frozenset({DifferenceKind.MISSING_HERE})),
        Choice(HOHHOT, "P1", states=frozenset({DifferenceState.OPEN})),
        Choice(HOHHOT, "P1", kinds=frozenset({DifferenceKind.MISSING_THERE})),
    ],
    ids=["all", "open", "kind", "open-of-one", "kind-of-one"],
)
def test_a_page_reads_little_more_than_it_shows(database: Database, choice: Choice) -> None:
    _fill(database)
    with database.reader() as tx:
        [read] = rows_read(tx, lambda: differences.list_differences(tx, choice, None, 11))
        assert read <= 6 * 11
        late = (DAY + timedelta(days=15), new_id(HOHHOT))
        [read] = rows_read(tx, lambda: differences.list_differences(tx, choice, late, 11))
        assert read <= 6 * 11


def test_a_count_reads_what_it_counts(database: Database) -> None:
    _fill(database)
    with database.reader() as tx:
        [read] = rows_read(tx, lambda: open_differences(tx, HOHHOT, DAY, DAY + timedelta(days=30)))
    assert read == 0


def test_the_sums_of_a_day_are_found_by_institution_and_day(database: Database) -> None:
    with database.reader() as tx:
        tx.execute(text("SET enable_seqscan = off"))
        [plan] = plans(tx, lambda: totals_of(tx, HOHHOT, "P1", DAY), "EXPLAIN")
    assert "settlements_region_institution_code_recorded_at_idx" in plan
    assert "refunds_region_recorded_at_idx" in plan


def _fill(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(_FILL, {"region": HOHHOT, "day": DAY, "many": MANY})
    with Database(database.owner_url) as owned, owned.transaction() as tx:
        tx.execute(text("ANALYZE differences"))


def rows_read(tx: sqlalchemy.Connection, ask: Any) -> Iterator[int]:
    """How many rows of the table each statement of `ask` reads, whether or not it keeps them."""
    for plan in plans(tx, ask, "EXPLAIN (ANALYZE, FORMAT JSON)"):
        [whole] = json.loads(plan) if isinstance(plan, str) else plan
        yield sum(_scanned(whole["Plan"]))


def plans(tx: sqlalchemy.Connection, ask: Any, explain: str) -> list[Any]:
    """What PostgreSQL says of each statement that `ask` sends."""
    sent: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(tx, "before_cursor_execute", note)
    ask()
    event.remove(tx, "before_cursor_execute", note)
    return [
        "\n".join(map(str, rows)) if len(rows) > 1 else rows[0]
        for statement, parameters in sent
        if (rows := tx.exec_driver_sql(f"{explain} {statement}", parameters).scalars().all())
    ]


def _scanned(node: dict[str, Any]) -> Iterator[int]:
    if node.get("Relation Name") == "differences":
        read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        yield round(read * node["Actual Loops"])
    for inner in node.get("Plans", ()):
        yield from _scanned(inner)
