"""Database: commits or rolls back, serves by the run-time role, and heals after a restart."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from gongji_svc.config import Config
from gongji_svc.storage.allocations import Allocations
from gongji_svc.storage.database import (
    Database,
    DatabaseTooOld,
    DatabaseUnavailable,
    conninfo,
    refuse_old_server,
)
from gongji_svc.storage.entry_watch import hints

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


def test_every_connection_notices_within_a_minute_that_its_server_is_gone(
    database: Database,
) -> None:
    with database.connect():
        assert patience_seconds(database) == {60}
    with database.transaction():
        assert patience_seconds(database) == {60}
    database.close()  # what was pooled
    with contextlib.closing(Allocations(database, timedelta(0))):
        assert patience_seconds(database) == {60}

    async def listen() -> None:
        heard = hints(database.direct_url)
        await anext(heard)
        assert patience_seconds(database) == {60}

    asyncio.run(listen())


def patience_seconds(database: Database) -> set[float]:
    """How long each of our connections to the database waits for a server that says no more."""
    with psycopg.connect(database.runtime_url) as tx:
        sessions = tx.execute(
            """SELECT client_port FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        ).fetchall()
    ports = {port for (port,) in sessions}
    with contextlib.ExitStack() as held:
        ours = [one for one in map(held.enter_context, own_sockets()) if port_of(one) in ports]
        return {max(idle_seconds(one), sending_seconds(one)) for one in ours}


def own_sockets() -> Iterator[socket.socket]:
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed just now
            if stat.S_ISSOCK(os.fstat(int(entry)).st_mode):
                yield socket.socket(fileno=os.dup(int(entry)))


def port_of(one: socket.socket) -> int | None:
    """Its own."""
    return one.getsockname()[1] if one.family in {socket.AF_INET, socket.AF_INET6} else None


def idle_seconds(one: socket.socket) -> float:
    """Of a server that had nothing to say."""
    if not one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        return float("inf")
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    idle, between, times = (one.getsockopt(socket.IPPROTO_TCP, option) for option in options)
    return idle + between * times


def sending_seconds(one: socket.socket) -> float:
    """Of a server that does not take what it is sent; 0 stands for the system's many minutes."""
    milliseconds = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    return milliseconds / 1000 or float("inf")


def test_what_an_address_says_itself_goes_before() -> None:
    said = conninfo_to_dict(conninfo("postgresql://db/gongji?keepalives_idle=5&connect_timeout=3"))
    assert (said["keepalives_idle"], said["connect_timeout"]) == ("5", "3")
    assert said["keepalives_count"] == "3"


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
