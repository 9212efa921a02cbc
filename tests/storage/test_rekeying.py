"""Sealing anew: each kind of value, beside others, with rows that are locked or do not open; and
the database's own refusal of a closed key.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from gongji_svc.domain.binding import BindingState
from gongji_svc.storage import keycheck, tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.rekeying import (
    SEALED_TABLES,
    Resealed,
    Used,
    reseal,
    used,
    wait_for_writers,
)
from gongji_svc.storage.sealing import KeyRing, SealBroken, Sealer
from tests.end_to_end.service import until
from tests.families import KEYS, Families
from tests.sealed import ALONE, CURRENT, HOHHOT, KNOWN, key_ids, make_sealed, opened


def rekeyed(database: Database, keys: KeyRing = CURRENT) -> Resealed:
    with database.reader() as tx:
        stale = [one for one in used(tx) if one.key_id != keys.current]
    return reseal(database, Sealer(keys), stale, lambda _: None)


def rows_of(found: Sequence[Used]) -> Counter[str]:
    return Counter({one.table: one.rows for one in found})


def test_every_table_with_sealed_values_is_known() -> None:
    """A column that names a data key, or that is said to be sealed, is of one of these tables."""
    having = {
        table.name
        for table in tables.metadata.sorted_tables
        for column in table.c
        if column.name == "key_id" or (column.comment or "").startswith("sealed")
    }
    assert having - {tables.key_checks.name} == set(SEALED_TABLES) - {tables.settlements.name}


def test_nothing_that_is_append_only_holds_a_sealed_value() -> None:
    assert not set(SEALED_TABLES) & set(tables.APPEND_ONLY)


def test_each_kind_of_value_is_sealed_anew_and_opens_with_the_new_key_alone(
    database: Database,
) -> None:
    make_sealed(database, families_of=2)
    before = opened(database, KEYS)
    assert {table for table, _ in before} == set(SEALED_TABLES)
    with database.reader() as tx:
        rows = sum(one.rows for one in used(tx))
    done = rekeyed(database)
    assert (done.rows, done.broken) == (rows, [])
    assert key_ids(database) == {table: {2} for table in SEALED_TABLES}
    assert opened(database, ALONE) == before
    with pytest.raises(SealBroken):
        opened(database, KEYS)
    assert rekeyed(database).rows == 0


def test_nothing_but_the_sealed_values_changes(database: Database) -> None:
    make_sealed(database)
    query = text(
        """SELECT to_jsonb(p) - '{name,certificate_number,card_no,phone,key_id}'::text[]
           FROM persons p
           UNION ALL SELECT to_jsonb(b) - '{beneficiary_phone,key_id}'::text[] FROM bindings b
           UNION ALL SELECT to_jsonb(s) #- '{detail,agent}' FROM settlements s
           UNION ALL SELECT to_jsonb(d) FROM person_directory d"""
    )
    with database.reader() as tx:
        before = tx.scalars(query).all()
    rekeyed(database)
    with database.reader() as tx:
        after = tx.scalars(query).all()
    assert sorted(map(str, after)) == sorted(map(str, before))


def test_several_at_once_share_the_rows(database: Database) -> None:
    families = Families(database)
    people = [families.person(HOHHOT) for _ in range(600)]
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: rekeyed(database), range(3)))
    assert sum(one.rows for one in done) == len(people)
    assert key_ids(database) == {"persons": {2}}


def test_a_locked_row_is_left_until_it_is_free(database: Database) -> None:
    families = Families(database)
    free, held = families.person(HOHHOT), families.person(HOHHOT)
    by_id = "SELECT key_id FROM persons WHERE id = %s"
    with database.connect() as other, ThreadPoolExecutor(1) as pool:
        other.execute(by_id + " FOR UPDATE", [held.person_id])
        done = pool.submit(rekeyed, database)

        def key_of_the_free() -> object:
            with database.connect() as tx:
                return tx.execute(by_id, [free.person_id]).fetchone()

        until(lambda: key_of_the_free() == (2,))
        assert not done.done()
        other.rollback()
        assert done.result(30).rows == 2


def test_a_row_that_does_not_open_is_named_and_stays_as_it_is(database: Database) -> None:
    families = Families(database)
    broken, sound = families.person(HOHHOT), families.person(HOHHOT)
    spoil = text("UPDATE persons SET name = name || 'x' WHERE id = :id")
    row = text("SELECT p::text FROM persons p WHERE id = :id")
    with database.transaction() as tx:
        tx.execute(spoil, {"id": broken.person_id})
        before = tx.scalar(row, {"id": broken.person_id})
    done = rekeyed(database)
    assert done.rows == 1
    assert len(done.broken) == 1
    assert str(broken.person_id) in done.broken[0]
    assert sound.name not in done.broken[0]
    with database.reader() as tx:
        assert tx.scalar(row, {"id": broken.person_id}) == before


# --- closed keys


def closed(database: Database) -> None:
    for keys in (KEYS, KNOWN, CURRENT):
        keycheck.check_keys(database, keys)
    with database.transaction() as tx:
        keycheck.close(tx, [1])


@pytest.mark.parametrize("table", SEALED_TABLES)
def test_nothing_is_sealed_with_a_closed_key(database: Database, table: str) -> None:
    make_sealed(database)
    again = text(
        f"""INSERT INTO {table} SELECT (jsonb_populate_record(t, :other_key)).*
            FROM {table} AS t LIMIT 1"""  # noqa: S608 - our own names
    ).bindparams(bindparam("other_key", {"id": str(uuid4()), "chunk_no": 100}, JSONB))
    closed(database)
    with pytest.raises(Exception, match="data key 1 is closed"), database.transaction() as tx:
        tx.execute(again)


def test_a_row_that_a_closed_key_has_sealed_may_still_change(database: Database) -> None:
    make_sealed(database)
    closed(database)
    with database.transaction() as tx:
        tx.execute(text("UPDATE persons SET died_on = current_date"))
        tx.execute(text("UPDATE bindings SET state = :state"), {"state": BindingState.ENDED.value})
        tx.execute(text("UPDATE settlements SET state = state"))
    with pytest.raises(Exception, match="data key 1 is closed"), database.transaction() as tx:
        tx.execute(text("UPDATE settlements SET detail = jsonb_set(detail, '{agent}', '\"1:00\"')"))
    rekeyed(database)
    with pytest.raises(Exception, match="data key 1 is closed"), database.transaction() as tx:
        tx.execute(text("UPDATE bindings SET key_id = 1"))


def test_a_key_is_in_use_until_all_that_wrote_before_have_ended(database: Database) -> None:
    with psycopg.connect(database.runtime_url) as writer, ThreadPoolExecutor(1) as pool:
        writer.execute("SELECT pg_current_xact_id()")
        waiting = pool.submit(wait_for_writers, database)
        with pytest.raises(TimeoutError):
            waiting.result(1.0)
        writer.commit()
        waiting.result(30)
