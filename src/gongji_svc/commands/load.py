"""`gongji load`: a CSV file of people, places, accounts, prices or allocations.

Rule: while a row is bad nothing of its file is loaded. Allocations are then booked chunk by chunk:
run again, the command goes on where it was broken off; another file for a month that is booked is
refused unless it is called a supplement.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from gongji_svc import regions
from gongji_svc.commands import UsageError
from gongji_svc.config import Config
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.errors import ConcurrentChange
from gongji_svc.services.allocating import Allocated, FileChanged, allocate
from gongji_svc.services.loading import Loaded, load
from gongji_svc.services.loading_kinds import KINDS
from gongji_svc.services.office import Office
from gongji_svc.services.rows import Fault
from gongji_svc.storage import migrate
from gongji_svc.storage.allocations import Earlier
from gongji_svc.storage.database import Database
from gongji_svc.storage.keycheck import check_keys
from gongji_svc.storage.keyfile import own_keys
from gongji_svc.storage.sealing import Sealer

_ALLOCATIONS = "allocations"
_EARLIER_TOLD = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which kind of file, which file, and for which region."""
    parser.add_argument("kind", choices=sorted((*KINDS, _ALLOCATIONS)), help="what the file holds")
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV, UTF-8, with a header row")
    parser.add_argument(
        "--region",
        type=_region,
        help="6 digits: where a row leaves its region empty; for allocations: whose accounts are "
        "credited, a province's being those of all its cities",
    )
    parser.add_argument(
        "--supplement",
        action="store_true",
        help="for allocations: the file adds to others that booked the same months",
    )
    parser.epilog = "The columns: docs/loading.md. Exit status 1: not every row was loaded."


def run(args: argparse.Namespace, config: Config) -> int:
    """Load the file; what is wrong is told on standard error as FILE:LINE: FIELD: what."""
    rulebook = regions.load()
    if args.kind == _ALLOCATIONS and not args.region:
        raise UsageError("allocations: name the region whose accounts they are for by --region")
    if args.kind != _ALLOCATIONS and args.supplement:
        raise UsageError("--supplement: only a file of allocations can be one")
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
        if args.kind == _ALLOCATIONS:
            return _run_allocations(office, args.region, args.file, supplement=args.supplement)
        return _run_whole(office, args.kind, args.file, args.region or "")


def _run_whole(office: Office, kind: str, path: Path, region: str) -> int:
    started = time.perf_counter()
    try:
        loaded = _load(office, kind, path, region)
    except ConcurrentChange:
        print(
            f"{path}: nothing was loaded: others changed the same meanwhile; run it again",
            file=sys.stderr,
        )
        return 1
    if loaded.faults:
        print(f"{path}: nothing was loaded: {_counted(loaded.faults, 'fault')}", file=sys.stderr)
        return 1
    seconds = time.perf_counter() - started
    rate = loaded.rows / seconds
    rows = _counted(loaded.rows, "row")
    print(f"{path}: {rows} in {seconds:.1f} s, {rate:.0f} rows a second")
    return 0


def _load(office: Office, kind: str, path: Path, region: str) -> Loaded:
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    with file, Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(path.name, total=path.stat().st_size)
        return load(
            office,
            KINDS[kind],
            file,
            region,
            _teller(progress, path),
            progress=lambda read_bytes: progress.advance(task, read_bytes),
        )


def _teller(progress: Progress, path: Path) -> Callable[[Fault], None]:
    """Tells a fault above the bar."""

    def tell(fault: Fault) -> None:
        progress.console.print(
            f"{path}:{fault.line}: {fault.field}: {fault.message_zh}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    return tell


class _Rate(ProgressColumn):
    """Rows a second; nothing where it is bytes that are counted."""

    def render(self, task: Task) -> Text:
        """The rate so far."""
        speed = task.fields["rows"] and (task.finished_speed or task.speed)
        return Text(f"{speed:.0f} rows a second" if speed else "")


class _Bars:
    """Two bars: the file is read, its rows are booked."""

    def __init__(self, progress: Progress, path: Path) -> None:
        self._progress = progress
        self._reading = progress.add_task(f"{path.name} read", total=path.stat().st_size, rows=0)
        self._booking: TaskID | None = None

    def read(self, more_bytes: int) -> None:
        """So much more of it was read."""
        self._progress.advance(self._reading, more_bytes)

    def booking(self, rows: int, total: int) -> None:
        """All of it was read and is sound; so many of its rows are behind us already."""
        self._progress.remove_task(self._reading)
        self._booking = self._progress.add_task("booked", completed=rows, total=total, rows=total)

    def booked(self, rows: int) -> None:
        """So many of its rows are behind us."""
        if self._booking is not None:
            self._progress.update(self._booking, completed=rows)


def _run_allocations(office: Office, region: str, path: Path, *, supplement: bool) -> int:
    started = time.perf_counter()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        try:
            bars = _Bars(progress, path)
            tell = _teller(progress, path)
            done = allocate(office, region, path, tell, bars, supplement=supplement)
        except FileChanged as changed:
            raise UsageError(f"{path} changed while it was read: nothing was booked") from changed
        except OSError as error:
            raise UsageError(f"{path} can't be read: {error.strerror}") from error
    return _report(path, done, time.perf_counter() - started)


def _report(path: Path, done: Allocated, seconds: float) -> int:
    """Say what came of the file; 0 when each of its rows is booked."""
    now = done.now
    if done.earlier:
        _report_earlier(path, done.earlier)
        return 1
    if done.faults:
        before = _counted(now.rows_booked, "row")
        beside = f" beside the {before} before" if now.rows_booked else ""
        faults = _counted(done.faults, "fault")
        print(f"{path}: nothing was booked{beside}: {faults}", file=sys.stderr)
        return 1
    in_all = f"{_counted(now.rows_booked, 'row')}{_of(now.regions)}"
    yuan = f"{now.booked_fen // 100}.{now.booked_fen % 100:02d} yuan"
    if done.was_done:
        print(f"{path}: already booked, {in_all}, {yuan}, on {day_of(now.updated_at)}")
    else:
        rows, rate = _counted(done.booked_rows, "row"), done.booked_rows / seconds
        print(
            f"{path}: {rows} in {seconds:.1f} s, {rate:.0f} rows a second; "
            f"booked in all {in_all}, {yuan}"
        )
    if now.rows_refused:
        were = "was" if now.rows_refused == 1 else "were"
        refused = _counted(now.rows_refused, "row")
        print(f"{path}: {refused} {were} refused and not booked", file=sys.stderr)
    return 1 if now.rows_refused else 0


def _report_earlier(path: Path, earlier: Sequence[Earlier]) -> None:
    """Name the files that booked the same, and the way to add to them."""
    for one in earlier[:_EARLIER_TOLD]:
        print(
            f"{path}: {one.month} {one.kind}{_of(one.regions)} was booked by {one.name} (sha256 "
            f"{one.sha256.hex()[:12]}) on {day_of(one.updated_at)}, "
            f"{_counted(one.rows_booked, 'row')} in all",
            file=sys.stderr,
        )
    more = len(earlier) - _EARLIER_TOLD
    and_more = f", {more} more like these" if more > 0 else ""
    print(
        f"{path}: nothing was booked{and_more}: if it adds to what is booked, say --supplement",
        file=sys.stderr,
    )


def _of(regions: Sequence[str]) -> str:
    """Whose accounts: the region, or how many; nothing where an earlier release did not note it."""
    if len(regions) > 1:
        return f" of {len(regions)} regions"
    return f" of {regions[0]}" if regions else ""


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _region(text: str) -> str:
    if len(text) == 6 and text.isascii() and text.isdigit():
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not a region: write 6 digits, like 150100")
