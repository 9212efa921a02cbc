"""`gongji work`: what comes due by itself, until it is told to stop, or once."""

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from gongji_svc import logs, regions
from gongji_svc.commands.metrics_port import looked_at
from gongji_svc.config import Config
from gongji_svc.services.office import Office
from gongji_svc.services.tax_endpoint import configured_endpoint
from gongji_svc.storage import migrate
from gongji_svc.storage.database import Database
from gongji_svc.storage.keycheck import check_keys
from gongji_svc.storage.keyfile import own_keys
from gongji_svc.storage.sealing import Sealer
from gongji_svc.upkeep import work_once, working

_ENDING = (signal.SIGTERM, signal.SIGINT)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether to go on."""
    parser.add_argument("--once", action="store_true", help="do all that is due now, and end")
    parser.epilog = "Any number of these may run beside each other; `gongji up` runs one itself."


def run(args: argparse.Namespace, config: Config) -> int:
    """Work until SIGTERM or Ctrl-C; with --once say what was done."""
    logs.configure("work")
    with _office(config) as office:
        if args.once:
            for name, done in work_once(office).items():
                print(f"{name}: {done}")
            return 0
        # Held back here, in the loop's thread too, a signal is only heard by the wait below.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        with working(office) as signals, looked_at(config, [signals], ails=signals.ails):
            print("gongji works; Ctrl-C ends it", flush=True)
            signal.sigwait(_ENDING)
    return 0


@contextmanager
def _office(config: Config) -> Iterator[Office]:
    with Database.open(config) as database:
        with database.reader() as tx:
            migrate.check_schema(tx)
        keys = own_keys(config)
        check_keys(database, keys)
        tax = configured_endpoint(config)
        yield Office(database, regions.load(), Sealer(keys), seal_file=config.seal_file, tax=tax)
