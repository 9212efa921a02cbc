"""`gongji load`: a CSV file of people, places, accounts or prices, all of it or nothing."""

import argparse
import gc
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from gongji_svc import regions
from gongji_svc.commands import UsageError
from gongji_svc.config import Config
from gongji_svc.domain.errors import ConcurrentChange
from gongji_svc.services.loading import Loaded, load
from gongji_svc.services.loading_kinds import KINDS
from gongji_svc.services.office import Office
from gongji_svc.services.rows import Fault
from gongji_svc.storage import migrate
from gongji_svc.storage.database import Database
from gongji_svc.storage.keycheck import check_keys
from gongji_svc.storage.keyfile import own_keys
from gongji_svc.storage.sealing import Sealer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which kind of file, which file, and for which region."""
    parser.add_argument("kind", choices=sorted(KINDS), help="what the file holds")
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV, UTF-8, with a header row")
    parser.add_argument(
        "--region", type=_region, help="6 digits; where a row leaves its region empty"
    )
    parser.epilog = "The columns: docs/loading.md. Exit status 1: nothing was loaded."


def run(args: argparse.Namespace, config: Config) -> int:
    """Load the file; what is wrong is told on standard error as FILE:LINE: FIELD: what."""
    rulebook = regions.load()
    if args.region and not rulebook.serves(args.region):
        raise UsageError(
            f"--region {args.region}: no rules for it or its province; nothing was loaded"
        )
    with Database.open(config) as database:
        with database.reader() as tx:
            migrate.check_schema(tx)
        keys = own_keys(config)
        check_keys(database, keys)
        office = Office(database, rulebook, Sealer(keys))
        gc.freeze()  # what is loaded now stays: the collector need not walk it for every chunk
        started = time.perf_counter()
        try:
            loaded = _load(office, args.kind, args.file, args.region or "")
        except ConcurrentChange:
            print(
                f"{args.file}: nothing was loaded: others changed the same meanwhile; run it again",
                file=sys.stderr,
            )
            return 1
    if loaded.faults:
        print(f"{args.file}: nothing was loaded: {loaded.faults} faults", file=sys.stderr)
        return 1
    seconds = time.perf_counter() - started
    rate = loaded.rows / seconds
    print(f"{args.file}: {loaded.rows} rows in {seconds:.1f} s, {rate:.0f} rows a second")
    return 0


def _load(office: Office, kind: str, path: Path, region: str) -> Loaded:
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    with file, Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(path.name, total=path.stat().st_size)

        def tell(fault: Fault) -> None:
            progress.console.print(
                f"{path}:{fault.line}: {fault.field}: {fault.message_zh}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

        return load(
            office,
            KINDS[kind],
            file,
            region,
            tell,
            progress=lambda read_bytes: progress.advance(task, read_bytes),
        )


def _region(text: str) -> str:
    if len(text) == 6 and text.isascii() and text.isdigit():
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not a region: write 6 digits, like 150100")
