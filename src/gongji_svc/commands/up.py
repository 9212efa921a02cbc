"""`gongji up`: everything on this machine: database, schema, keys, service and what comes due by
itself; with --demo, people.
"""

import argparse
from datetime import UTC, date, datetime, timedelta

from rich.console import Console

from gongji_svc import logs, regions
from gongji_svc.commands import UsageError
from gongji_svc.commands.serve import check_port_free, front_settings, wait_for_signal
from gongji_svc.config import Config
from gongji_svc.demo.loading import DemoFamilies, load
from gongji_svc.demo.purchase import Basket, buy, print_receipt
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.calendar import day_of
from gongji_svc.services.identity import development_key, issue_token
from gongji_svc.services.office import Office
from gongji_svc.storage.database import Database
from gongji_svc.storage.keycheck import check_keys, has_keys
from gongji_svc.storage.keyfile import made_keys
from gongji_svc.storage.sealing import KeyRing, Sealer
from gongji_svc.upkeep import working
from gongji_svc.workers import Workers

_TOKEN_SECONDS = 300


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
    logs.configure("up")
    offset = _offset(args.date)
    check_port_free(config)
    with Database.open(config) as database:
        database.migrate()
        keys = made_keys(config, may_make=not has_keys(database))
        check_keys(database, keys)
        demo = _load_demo(database, keys, offset) if args.demo else None
        settings = front_settings(config, database, keys, offset.total_seconds())
        office = Office(database, regions.load(), Sealer(keys), offset, config.seal_file)
        with Workers(settings.dump(), config.workers) as workers, working(office):
            print(f"gongji serves gRPC on {config.grpc_listen}; Ctrl-C ends it", flush=True)
            if demo is not None and args.purchase:
                _purchase(demo.sample, config, offset)
            wait_for_signal(workers)
    return 0


def _load_demo(database: Database, keys: KeyRing, offset: timedelta) -> DemoFamilies:
    """Put the demo's families in, by the services' own calls."""
    office = Office(database, regions.load(), Sealer(keys), offset)
    try:
        return load(office)
    finally:
        office.close()


def _purchase(basket: Basket, config: Config, offset: timedelta) -> None:
    """Buy the sample basket as a till does, and print the receipt."""
    till = Caller(Role.POS, basket.institution_code)
    token = issue_token(development_key(config.data_dir), till, _TOKEN_SECONDS)
    print_receipt(buy(basket, str(config.grpc_listen), token, offset), Console())


def _offset(on: date | None) -> timedelta:
    """How far the demo's clock is from the real one; it keeps the time of day."""
    return timedelta() if on is None else timedelta(days=(on - day_of(datetime.now(UTC))).days)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write YYYY-MM-DD") from wrong
