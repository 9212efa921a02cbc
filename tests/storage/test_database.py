"""Database: commits or rolls back, serves by the run-time role, and heals after a restart."""

import os
import signal
import time
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import text

from gongji_svc.config import Config
from gongji_svc.storage.database import (
    Database,
    DatabaseTooOld,
    DatabaseUnavailable,
    refuse_old_server,
)

_NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def owner(database: Database) -> Database:
    """The same database, served by the owner's role, which may make tables."""
    return Database(database.owner_url)


def test_a_transaction_commits_at_its_end(database: Database) -> None:
    with owner(database) as owned:
        with owned.transaction() as tx:
            tx.execute(text("CREATE TABLE kept AS SELECT 1 AS value"))
        with owned.reader() as tx:
            assert tx.scalar(text("SELECT value FROM kept")) == 1


def test_a_transaction_rolls_back_on_any_error(database: Database) -> None:
    with owner(database) as owned:
        with pytest.raises(ZeroDivisionError), owned.transaction() as tx:
            tx.execute(text("CREATE TABLE gone ()"))
            raise ZeroDivisionError
        with owned.reader() as tx:
            assert tx.scalar(text("SELECT to_regclass('gone')")) is None


def test_a_reader_cannot_write(database: Database) -> None:
    with owner(database) as owned:
        with (
            pytest.raises(sqlalchemy.exc.DBAPIError, match="read-only transaction"),
            owned.reader() as tx,
        ):
            tx.execute(text("CREATE TABLE mine ()"))
        with owned.transaction() as tx:  # the pooled connection is not read-only for ever
            tx.execute(text("CREATE TABLE mine ()"))


def test_every_connection_serves_by_the_run_time_role(database: Database) -> None:
    with database.connect() as tx, database.transaction() as other:
        assert tx.execute("SELECT current_user").fetchone() == (database.runtime_role,)
        assert other.scalar(text("SELECT current_user")) == database.runtime_role
    assert database.runtime_role == "gongji"


def test_a_session_that_the_server_ends_is_unavailable_and_the_next_one_works(
    database: Database,
) -> None:
    with pytest.raises(DatabaseUnavailable), database.transaction() as tx:
        tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with database.transaction() as tx:
        assert tx.scalar(text("SELECT 1")) == 1


def test_a_mistake_in_a_statement_is_not_taken_for_an_outage(database: Database) -> None:
    with pytest.raises(sqlalchemy.exc.ProgrammingError), database.transaction() as tx:
        tx.execute(text("SELECT FROM nowhere"))


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with Database(_NOWHERE) as database:
        with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
            database.connect()
        with pytest.raises(DatabaseUnavailable), database.transaction():
            pytest.fail("there is nothing to connect to")


def test_without_an_address_the_embedded_database_serves_and_heals_after_a_crash(
    reachable_path: Path,
) -> None:
    with Database.open(Config(data_dir=reachable_path)) as database:
        pid = (reachable_path / "database" / "cluster" / "postmaster.pid").read_text().split()[0]
        with database.transaction() as tx:
            assert tx.scalar(text("SELECT 1")) == 1
        os.kill(int(pid), signal.SIGKILL)
        assert eventually_reads(database, seconds=20)


def eventually_reads(database: Database, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with database.reader() as tx:
                return bool(tx.scalar(text("SELECT true")))
        except DatabaseUnavailable:
            time.sleep(0.05)
    return False


def test_a_configured_address_is_used_and_nothing_is_started(
    database: Database, tmp_path: Path
) -> None:
    config = Config(
        data_dir=tmp_path,
        database_url=database.runtime_url,
        migrate_url=database.owner_url,
        prepare_threshold=None,
    )
    with Database.open(config) as opened, opened.connect() as tx:
        assert tx.execute("SELECT current_database()").fetchone() is not None
        assert tx.prepare_threshold is None
        assert opened.owner_url == database.owner_url
        assert opened.direct_url == database.runtime_url
    assert list(tmp_path.iterdir()) == []


def test_a_server_older_than_postgresql_15_is_refused_with_its_version() -> None:
    refuse_old_server(150000)
    with pytest.raises(DatabaseTooOld, match="is PostgreSQL 14: PostgreSQL 15 or newer"):
        refuse_old_server(140011)


def test_the_money_path_runs_in_pipeline_mode(database: Database) -> None:
    with database.connect() as tx, tx.pipeline():
        first, second = tx.execute("SELECT 1"), tx.execute("SELECT 2")
        assert (first.fetchone(), second.fetchone()) == ((1,), (2,))
    assert tx.closed
    assert isinstance(tx, psycopg.Connection)
