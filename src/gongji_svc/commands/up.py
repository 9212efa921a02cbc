"""`gongji up`: everything on this machine: database, schema, keys, service; with --demo, people."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gongji_svc import regions
from gongji_svc.commands import UsageError
from gongji_svc.commands.serve import front_settings, load_keys, wait_for_signal
from gongji_svc.config import Config
from gongji_svc.domain.calendar import day_of
from gongji_svc.services.office import Office
from gongji_svc.storage.database import Database
from gongji_svc.storage.sealing import KeyRing, Sealer
from gongji_svc.workers import Workers

_KEY_FILE = "data.key"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What else to bring up."""
    parser.add_argument(
        "--demo", action="store_true", help="with families of the three seed regions"
    )
    parser.add_argument(
        "--purchase",
        action="store_true",
        help="with --demo: make one sample pharmacy purchase and print its receipt",
    )
    parser.add_argument(
        "--date", type=_day, default=None, help="with --demo: start the clock on YYYY-MM-DD"
    )


def run(args: argparse.Namespace, config: Config) -> int:
    """Bring everything up and keep serving until SIGTERM or Ctrl-C."""
    if (args.purchase or args.date) and not args.demo:
        raise UsageError("--purchase and --date go with --demo")
    offset = _offset(args.date)
    keys = _keys(config)
    with Database.open(config) as database:
        database.migrate()
        settings = front_settings(config, database, keys, offset.total_seconds())
        if args.demo:
            with _office(database, keys, offset) as office:
                families = load(office)
        with Workers(settings.dump(), config.workers) as workers:
            print(f"gongji serves gRPC on {config.grpc_listen} (Ctrl-C ends it)", flush=True)
            if args.purchase:
                _purchase(families, config, workers.ports[0], offset)
            wait_for_signal(workers)
    return 0


def _offset(on: date | None) -> timedelta:
    """How far the demo's clock is from the real one; it keeps the time of day."""
    return timedelta() if on is None else timedelta(days=(on - day_of(datetime.now(UTC))).days)


def _keys(config: Config) -> KeyRing:
    """The configured key file, or one of our own in the data folder, made at first need."""
    if config.data_key is not None:
        return load_keys(Path(config.data_key))
    path = config.data_dir / _KEY_FILE
    config.data_dir.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(KeyRing.make().dump())
    return load_keys(path)


@contextlib.contextmanager
def _office(database: Database, keys: KeyRing, offset: timedelta) -> Iterator[Office]:
    office = Office(database, regions.load(), Sealer(keys), offset)
    yield office
    office.close()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write YYYY-MM-DD") from wrong
