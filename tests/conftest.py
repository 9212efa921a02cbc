"""The tests' database: one embedded PostgreSQL a run, one migrated template, a fresh copy a test.

Rule: a test that asks for `database` has one of its own. The server is always the embedded one,
whatever PostgreSQL the machine has; all worker processes of a run share it.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from gongji_svc.storage import embedded, migrate
from gongji_svc.storage.database import Database
from gongji_svc.storage.embedded import EmbeddedServer

TEMPLATE = "gongji_template"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class TestServer:
    """The run's PostgreSQL; each test takes its own database from it."""

    embedded: EmbeddedServer
    worker: str
    cleaner: ThreadPoolExecutor  # dropping waits for a checkpoint: no test waits for it

    def new_database(self, template: str) -> Database:
        """A fresh copy of `template`, owned by the owner's role."""
        name = f"test_{self.worker}_{next(_numbers)}"
        with psycopg.connect(self.embedded.admin_url, autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                    sql.Identifier(name), sql.Identifier(template), sql.Identifier(embedded.OWNER)
                )
            )
        return Database(
            _in_database(self.embedded.runtime_url, name),
            owner_url=_in_database(self.embedded.owner_url, name),
        )

    def drop(self, database: Database) -> None:
        """Close and remove a test's database, whoever is still connected to it."""
        database.close()
        self.cleaner.submit(self._drop, urlsplit(database.runtime_url).path.lstrip("/"))

    def _drop(self, name: str) -> None:
        with psycopg.connect(self.embedded.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def test_server(worker_id: str, testrun_uid: str) -> Iterator[TestServer]:
    """The embedded PostgreSQL of this run, its template migrated; stopped when all are done."""
    folder = _run_folder(testrun_uid)
    with _using(folder) as users, embedded.start(folder / "data") as server:
        _assert_embedded(server)
        _make_template(folder, server)
        with ThreadPoolExecutor(1) as cleaner:
            yield TestServer(server, worker_id, cleaner)
        # The process that owns the server goes last: the others still use it.
        if server.owned:
            fcntl.flock(users, fcntl.LOCK_EX)
            server.stop()
            shutil.rmtree(folder)


@pytest.fixture
def database(test_server: TestServer) -> Iterator[Database]:
    """A database of the test's own with the whole schema."""
    fresh = test_server.new_database(TEMPLATE)
    yield fresh
    test_server.drop(fresh)


@pytest.fixture
def empty_database(test_server: TestServer) -> Iterator[Database]:
    """A database of the test's own before its first migration."""
    fresh = test_server.new_database("template1")
    yield fresh
    test_server.drop(fresh)


@pytest.fixture
def reachable_path() -> Iterator[Path]:
    """Like tmp_path, but PostgreSQL's account may pass through it when root runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="gongji-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def _run_folder(run: str) -> Path:
    """One folder for all worker processes of a run. Root closes pytest's own to others."""
    folder = Path(tempfile.gettempdir()) / f"gongji-tests-{os.getuid()}-{run}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    return folder


@contextlib.contextmanager
def _using(folder: Path) -> Iterator[IO[bytes]]:
    """Count as a user of the run's server."""
    with (folder / "users.lock").open("ab") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        yield users


def _make_template(folder: Path, server: EmbeddedServer) -> None:
    """Migrate the template once; the first worker to come does it."""
    with (folder / "template.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with psycopg.connect(server.admin_url, autocommit=True) as admin:
            query = "SELECT FROM pg_database WHERE datname = %s AND datistemplate"
            if admin.execute(query, [TEMPLATE]).rowcount:
                return
            name, owner = sql.Identifier(TEMPLATE), sql.Identifier(embedded.OWNER)
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
            migrate.migrate(_in_database(server.owner_url, TEMPLATE), runtime_role=embedded.RUNTIME)
            admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(name))


def _assert_embedded(server: EmbeddedServer) -> None:
    """A PostgreSQL of the machine must never be tested by mistake."""
    with psycopg.connect(server.admin_url) as admin:
        version = admin.info.server_version
        row = admin.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()
    assert version // 10000 == 18, version
    assert row is not None
    assert Path(row[0]).resolve() == server.binaries.resolve(), row[0]


def _in_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()
