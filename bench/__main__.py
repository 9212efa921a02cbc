"""`make bench`: everything in one go, from an empty folder to docs/benchmarks.md.

Rule: it needs nothing that runs already and leaves nothing running; its data lies in a folder of
its own, which is removed.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from bench import cpu, load, report
from bench.calls import health_checks, settle_once, settlements
from bench.cpu import Watched
from bench.load import Measured, Prepared, Round
from bench.population import FILLED, Maker, Patient, refill, settled
from bench.rounds import FAR, FAR_REGIONS, HEALTH, NEAR, NEAR_REGIONS, Results, Series, in_turn
from gongji_svc.commands.serve import front_settings
from gongji_svc.config import Address, Config
from gongji_svc.services.identity import development_key
from gongji_svc.storage import embedded
from gongji_svc.storage.database import Database, server_version
from gongji_svc.storage.embedded import EmbeddedServer
from gongji_svc.storage.sealing import KeyRing, Sealer
from gongji_svc.workers import Workers

_LEGS = 3
_PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"

Measure = Callable[[Round], Measured]


def main() -> int:
    """Measure and write the page."""
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="gongji-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL's account passes through when root measures
        results, version = _run(args, folder)
    given = sys.argv[1:]
    setting = report.Setting(
        command="make bench" + (f' ARGS="{" ".join(given)}"' if given else ""),
        rounds=args.rounds,
        seconds=args.seconds,
        persons=args.persons,
        near=NEAR_REGIONS,
        far=FAR_REGIONS,
        postgres_version=version,
    )
    report.replace_part(args.output, report.page(setting, results))
    print(f"written: {args.output}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="measure one worker")
    parser.add_argument("--persons", type=int, default=100_000, help="in each population")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--output", type=Path, default=_PAGE)
    return parser.parse_args()


def _run(args: argparse.Namespace, folder: Path) -> tuple[Results, str]:
    """Fill a database, serve it, measure; the results and PostgreSQL's version."""
    config = Config(data_dir=folder, grpc_listen=Address("127.0.0.1", 0))
    keys, token_key = KeyRing.make(), development_key(folder)
    server = embedded.start(folder)
    with Database(server.runtime_url, owner_url=server.owner_url, server=server) as database:
        database.migrate()
        patients = _fill(database, Sealer(keys), args.persons)
        _settle_down(server)
        with ExitStack() as running:
            workers = Workers(front_settings(config, database, keys).dump(), 1)
            with _errors_to(folder / "server.log"):
                running.enter_context(workers)
            port = workers.ports[0]
            for some in patients.values():
                settle_once(port, some.pop(), token_key)
            prepared = {kind: settlements(some, token_key) for kind, some in patients.items()}
            prepared[HEALTH] = health_checks()
            (front,) = workers.processes()
            watched = Watched(front, cpu.child_of(front), _postmaster(server))
            with _client(port, watched, prepared) as measure:
                results = _rounds(args, database, measure)
        with database.reader() as tx:
            return results, server_version(tx)


def _fill(database: Database, sealer: Sealer, persons: int) -> dict[str, list[Patient]]:
    """Two populations: over few regions, and over many."""
    began = time.perf_counter()
    maker = Maker(database, sealer)
    maker.prices()
    patients = {
        NEAR: maker.population(NEAR_REGIONS, persons),
        FAR: maker.population(FAR_REGIONS, persons),
    }
    print(f"{2 * persons} persons in {time.perf_counter() - began:.0f} s", flush=True)
    return patients


def _settle_down(server: EmbeddedServer) -> None:
    """Statistics for the planner, and no checkpoint of what was loaded during the rounds.

    As by itself in time: what holds no rows yet is left alone.
    """
    with psycopg.connect(server.owner_url, autocommit=True) as owner:
        for table in FILLED:
            owner.execute(SQL("VACUUM ANALYZE {}").format(Identifier(table)))
    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        admin.execute("CHECKPOINT")


@contextmanager
def _errors_to(path: Path) -> Iterator[None]:
    """Start what logs each call on its standard error with that going to a file."""
    kept = os.dup(sys.stderr.fileno())
    with path.open("ab") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    try:
        yield
    finally:
        os.dup2(kept, sys.stderr.fileno())
        os.close(kept)


def _postmaster(server: EmbeddedServer) -> int:
    return int((server.folders.cluster / "postmaster.pid").read_text().split("\n", 1)[0])


@contextmanager
def _client(port: int, watched: Watched, prepared: Mapping[str, Prepared]) -> Iterator[Measure]:
    """The load client's process; yields what measures a round."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    client = spawn.Process(target=load.serve, args=(theirs, port, watched))
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


def _rounds(args: argparse.Namespace, database: Database, measure: Measure) -> Results:
    already = settled(database)[0]
    answered = 0

    def take(series: Series) -> Measured:
        nonlocal answered
        if series.kind != HEALTH:
            refill(database)
        measured = measure(series.round(args.seconds))
        if series.kind != HEALTH:
            answered += measured.answered
        print(f"{series.name:10} {measured.per_second:8.0f} a second", flush=True)
        return measured

    results = in_turn(args.rounds, take)
    settlements_kept, entries_kept = settled(database)
    if (settlements_kept - already, entries_kept) != (answered, _LEGS * settlements_kept):
        raise RuntimeError(
            f"{answered} purchases were answered, {settlements_kept - already} are kept with "
            f"{entries_kept} entries in all: too few persons for rounds so long, or worse"
        )
    return results


if __name__ == "__main__":
    sys.exit(main())
