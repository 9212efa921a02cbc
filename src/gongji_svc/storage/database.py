"""The way to the database: connections for the money path, transactions for all else.

Rule: a connection that fails, a server that stops or restarts and a pool that is used up all
surface as DatabaseUnavailable; the caller may repeat, and the pool heals itself.
"""

import contextlib
from collections.abc import Iterator
from typing import Self

import psycopg
import sqlalchemy
import sqlalchemy.exc
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gongji_svc.config import Config
from gongji_svc.storage import embedded, migrate, tables
from gongji_svc.storage.embedded import EmbeddedServer

_OLDEST_SERVER = 150000  # PostgreSQL 15
# Whoever connects gives up in time, and a server that is gone without a word is found out in a
# minute, not in the system's two hours. What an address says itself goes before.
_USUAL = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds
}
_POOL_WAIT_SECONDS = 10
_POOL_SIZE = 8
_POOL_OVERFLOW = 24


class DatabaseUnavailable(Exception):
    """The database cannot be reached or is restarting; the same call may succeed in a moment."""


class DatabaseTooOld(Exception):
    """The server is older than PostgreSQL 15; the message names its version and the remedy."""


@contextlib.contextmanager
def unavailable_as_one() -> Iterator[None]:
    """Turn every driver error that means "not now" into DatabaseUnavailable; others pass."""
    try:
        yield
    except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError) as error:
        if _means_unavailable(error):
            reason = str(error).strip().partition("\n")[0]
            raise DatabaseUnavailable(
                f"the database cannot be reached just now: {reason}"
            ) from error
        raise


def _means_unavailable(error: Exception) -> bool:
    if isinstance(error, sqlalchemy.exc.TimeoutError):  # no pooled connection came free
        return True
    cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
    if not isinstance(cause, psycopg.OperationalError):
        return False
    # No SQLSTATE: the connection itself failed. 08: connection; 53300: too many connections;
    # 57P: the server is stopping, has crashed or is starting. 40 (deadlock) and others are not.
    state = cause.sqlstate
    return state is None or state == "53300" or state.startswith(("08", "57P"))


def conninfo(url: str) -> str:
    """What every connection to this address is made with, pooled or not."""
    return make_conninfo("", **{**_USUAL, **conninfo_to_dict(url), "application_name": "gongji"})


def server_version(tx: sqlalchemy.Connection) -> str:
    """The PostgreSQL server's version as it words it."""
    return str(tx.scalar(sqlalchemy.text("SHOW server_version")))


def row_counts(tx: sqlalchemy.Connection) -> dict[str, int]:
    """How many rows each table holds, by name."""
    return {
        table.name: tx.scalar(sqlalchemy.select(sqlalchemy.func.count()).select_from(table)) or 0
        for table in tables.metadata.sorted_tables
    }


def refuse_old_server(version: int) -> None:
    """DatabaseTooOld when `version`, like 150004 for 15.4, is before PostgreSQL 15."""
    if version < _OLDEST_SERVER:
        raise DatabaseTooOld(
            f"the database server is PostgreSQL {version // 10000}: PostgreSQL 15 or newer is "
            "needed; upgrade it, or unset GONGJI_DATABASE_URL to use the embedded one"
        )


class Database:
    """One PostgreSQL database, reached by its run-time role."""

    def __init__(
        self,
        runtime_url: str,
        *,
        owner_url: str | None = None,
        direct_url: str | None = None,
        prepare_threshold: int | None = 5,
        server: EmbeddedServer | None = None,
    ) -> None:
        """`owner_url` and `direct_url` are the run-time address when absent."""
        self.runtime_url = runtime_url
        self.owner_url = owner_url or runtime_url
        self.direct_url = direct_url or runtime_url
        self._prepare_threshold = prepare_threshold
        self._server = server
        self._engine = sqlalchemy.create_engine(
            "postgresql+psycopg://",
            creator=self.connect,
            pool_pre_ping=True,
            pool_size=_POOL_SIZE,
            max_overflow=_POOL_OVERFLOW,
            pool_timeout=_POOL_WAIT_SECONDS,
        )

    @classmethod
    def open(cls, config: Config) -> Self:
        """The configured database, or the embedded PostgreSQL when none is configured.

        Raises DatabaseUnavailable, DatabaseTooOld, or EmbeddedDatabaseError with the remedy.
        """
        if config.database_url is None:
            server = embedded.start(config.data_dir)
            database = cls(server.runtime_url, owner_url=server.owner_url, server=server)
        else:
            database = cls(
                config.database_url,
                owner_url=config.migrate_url,
                direct_url=config.database_direct_url,
                prepare_threshold=config.prepare_threshold,
            )
        try:
            database.check_server()
        except BaseException:
            database.close()
            raise
        return database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        """A new connection of the run-time role, the caller's to close: the money path's."""
        with unavailable_as_one():
            return psycopg.connect(
                conninfo(self.runtime_url), prepare_threshold=self._prepare_threshold
            )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlalchemy.Connection]:
        """Ordinary reads and writes: committed at the end, rolled back on any error."""
        with unavailable_as_one(), self._engine.begin() as tx:
            yield tx

    @contextlib.contextmanager
    def reader(self) -> Iterator[sqlalchemy.Connection]:
        """Reads only: one transaction that the server lets write nothing."""
        with unavailable_as_one(), self._engine.connect() as tx:
            yield tx.execution_options(postgresql_readonly=True)

    def connections(self) -> tuple[int, int]:
        """How many pooled connections are in use just now, and how many are idle."""
        pool = self._engine.pool
        assert isinstance(pool, sqlalchemy.QueuePool)  # noqa: S101 - the usual one
        return pool.checkedout(), pool.checkedin()

    def check_server(self) -> None:
        """DatabaseTooOld unless the server is PostgreSQL 15 or newer."""
        with self.connect() as tx:
            refuse_old_server(tx.info.server_version)

    def migrate(self) -> None:
        """Bring the schema to what this program knows, by the owner's role."""
        with unavailable_as_one():
            migrate.migrate(self.owner_url, runtime_role=self.runtime_role)

    @property
    def runtime_role(self) -> str:
        """The name of the role that serves: migrations grant it its rights."""
        return str(psycopg.conninfo.conninfo_to_dict(self.runtime_url).get("user", ""))

    def close(self) -> None:
        """Close the pool, and the embedded server if this process started it."""
        self._engine.dispose()
        if self._server is not None:
            self._server.stop()
