"""pgbench's settlement is one: it leaves the rows that a Settle leaves."""

from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from bench.calls import settle_once
from bench.ground import ground
from bench.plain import Plain
from bench.population import Maker, refill

_ROWS = {
    "settlements": "SELECT * FROM settlements WHERE id = %(id)s",
    "requests": "SELECT * FROM requests WHERE result_id = %(id)s",
    "entries": "SELECT * FROM entries WHERE source_id = %(id)s ORDER BY account_id",
    "notices": "SELECT * FROM notices WHERE source_id = %(id)s ORDER BY amount_fen",
    "ledger_lines": """SELECT * FROM ledger_lines WHERE journal_id IN
        (SELECT journal_id FROM entries WHERE source_id = %(id)s)""",
}
_OWN = ("request_id", "balance_after_fen", "seq", "detail", "answer")  # of each settlement


def _shapes(owner: "psycopg.Connection[tuple[object, ...]]", query: str, one: object) -> object:
    with owner.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, {"id": one}).fetchall()
    return [{column: _shape(column, value) for column, value in row.items()} for row in rows]


def _shape(column: str, value: object) -> object:
    """What must be the same in both rows of a column."""
    varies = column in _OWN or isinstance(value, UUID | datetime)
    return type(value) if varies else value


def test_pgbench_writes_the_rows_of_a_settle_of_the_same_patient() -> None:
    with ground() as place:
        maker = Maker(place.database, place.sealer)
        maker.prices()
        patients = maker.population(1, 3)
        with place.workers() as serving:
            settle_once(serving.ports[0], patients[0], place.token_key)
        refill(place.database)
        Plain.prepare(place, patients).once()
        with psycopg.connect(place.server.owner_url) as owner:
            made = owner.execute("SELECT id FROM settlements ORDER BY recorded_at").fetchall()
            assert len(made) == 2
            for table, query in _ROWS.items():
                service, plain = (_shapes(owner, query, one) for (one,) in made)
                assert service == plain, table
            counted = owner.execute("SELECT kind, amount_fen FROM counters ORDER BY 2").fetchall()
            assert counted == [("MUTUAL_AID", 6000), ("MUTUAL_AID", 8000)]
            books = owner.execute("SELECT balance_fen, seq FROM accounts ORDER BY id").fetchall()
            assert books == [(0, 2), (10_000_000_000 - 8000, 2), (10_000_000_000 - 6000, 2)]
