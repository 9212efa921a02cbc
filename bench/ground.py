"""Where a benchmark takes place: an empty folder, a database, workers, a load client.

Rule: it needs nothing that runs already and leaves nothing running; its data lies in a folder of
its own, which is removed. Settings are the defaults, with metrics on and, unless a benchmark is
about them, the limits of callers off: one client calls for everybody.
"""

import multiprocessing
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from bench import cpu, load
from bench.cpu import Watched
from bench.load import Measured, Prepared, Round
from bench.population import FILLED
from gongji_svc.commands.serve import front_settings
from gongji_svc.config import Address, Config
from gongji_svc.domain.limits import Limits
from gongji_svc.services.identity import development_key
from gongji_svc.storage import embedded
from gongji_svc.storage.database import Database
from gongji_svc.storage.embedded import EmbeddedServer
from gongji_svc.storage.sealing import KeyRing, Sealer
from gongji_svc.workers import Workers

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"

_NO_LIMITS = Limits.parse("off")

Measure = Callable[[Round], Measured]


@dataclass(frozen=True, slots=True)
class Serving:
    """Workers that run: their ports, and their processes with the database's."""

    ports: Sequence[int]
    watched: Watched


@dataclass(frozen=True, slots=True)
class Ground:
    """A running server with a migrated database."""

    folder: Path
    server: EmbeddedServer
    database: Database
    keys: KeyRing
    token_key: bytes

    @property
    def sealer(self) -> Sealer:
        """What seals people."""
        return Sealer(self.keys)

    @contextmanager
    def workers(
        self, count: int = 1, database: Database | None = None, limits: Limits = _NO_LIMITS
    ) -> Iterator[Serving]:
        """So many workers on a database; each of the ports is one's own."""
        config = Config(
            data_dir=self.folder,
            grpc_listen=Address("127.0.0.1", 0),
            metrics_listen=Address("127.0.0.1", _free_ports(count)),
            limits=limits,
            workers=count,
        )
        settings = front_settings(config, database or self.database, self.keys)
        workers = Workers(replace(settings, shares_port=False).dump(), count)
        with errors_to(self.folder / "server.log"):
            workers.__enter__()
        try:
            fronts = workers.processes()
            watched = Watched(fronts, cpu.writers_of(fronts), postmaster(self.server))
            yield Serving(workers.ports, watched)
        finally:
            workers.stop()

    @contextmanager
    def client(self, serving: Serving, prepared: Mapping[str, Prepared]) -> Iterator[Measure]:
        """The load client's process; yields what measures a round."""
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        client = spawn.Process(target=load.serve, args=(theirs, serving.ports[0], serving.watched))
        client.start()
        theirs.close()
        ours.send(prepared)

        def measure(asked: Round) -> Measured:
            ours.send(asked)
            measured = ours.recv()
            assert isinstance(measured, Measured)  # noqa: S101 - all that a client sends
            return measured

        try:
            yield measure
            ours.send(None)
        finally:
            client.join(10)
            client.kill()


@contextmanager
def ground() -> Iterator[Ground]:
    """A ground in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="gongji-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL's account passes through when root measures
        server = embedded.start(folder)
        with Database(server.runtime_url, owner_url=server.owner_url, server=server) as database:
            database.migrate()
            yield Ground(folder, server, database, KeyRing.make(), development_key(folder))


def command(name: str) -> str:
    """What was typed."""
    given = sys.argv[1:]
    return f"make {name}" + (f' ARGS="{" ".join(given)}"' if given else "")


def settle_down(server: EmbeddedServer, url: str = "") -> None:
    """Statistics for the planner, and no checkpoint of what was loaded during the rounds.

    As by itself in time: what holds no rows yet is left alone.
    """
    with psycopg.connect(url or server.owner_url, autocommit=True) as owner:
        for table in FILLED:
            owner.execute(SQL("VACUUM ANALYZE {}").format(Identifier(table)))
    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        admin.execute("CHECKPOINT")


@contextmanager
def errors_to(path: Path) -> Iterator[None]:
    """Start what logs each call on its standard error with that going to a file."""
    kept = os.dup(sys.stderr.fileno())
    with path.open("ab") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    try:
        yield
    finally:
        os.dup2(kept, sys.stderr.fileno())
        os.close(kept)


def postmaster(server: EmbeddedServer) -> int:
    """The number of PostgreSQL's first process."""
    return int((server.folders.cluster / "postmaster.pid").read_text().split("\n", 1)[0])


def _free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            first = int(probe.getsockname()[1])
        if first + count < 1 << 16 and all(map(_is_free, range(first, first + count))):
            return first


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
