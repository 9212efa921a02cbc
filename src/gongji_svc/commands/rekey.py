"""`gongji rekey`: everything that is sealed is sealed anew with the current data key, while the
service serves.

Rule: stopped or killed at any moment it has lost nothing, and run again it goes on. An older key is
retired only when the database seals nothing with it any more and no row uses it; how a new key is
brought in: docs/operations.md.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Collection, Sequence

from rich.console import Console
from rich.progress import Progress

from gongji_svc.commands import UsageError
from gongji_svc.config import Config
from gongji_svc.storage import keycheck, migrate
from gongji_svc.storage.database import Database
from gongji_svc.storage.keyfile import own_keys
from gongji_svc.storage.rekeying import Resealed, Used, reseal, used, wait_for_writers
from gongji_svc.storage.sealing import KeyRing, Sealer

_BROKEN_TOLD = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether only to look."""
    parser.add_argument(
        "--check", action="store_true", help="change nothing; say how many rows each key has sealed"
    )
    parser.epilog = (
        "Any number may run at once. Exit status 1: some rows are not sealed with the current key."
    )


def run(args: argparse.Namespace, config: Config) -> int:
    """Seal everything with the current key, and say which keys may go."""
    with Database.open(config) as database:
        with database.reader() as tx:
            migrate.check_schema(tx)
        keys = own_keys(config)
        keycheck.check_keys(database, keys, all_needed=False)
        if args.check:
            return _check(database, keys)
        return _rekey(database, keys)


def _check(database: Database, keys: KeyRing) -> int:
    """A line a key."""
    found = _used(database)
    with database.reader() as tx:
        known = keycheck.known_data_keys(tx)
    for key_id in sorted({*known, *(one.key_id for one in found)}):
        check = known.get(key_id)
        said = [
            "current" if key_id == keys.current else "",
            "closed" if check and check.is_closed and not check.is_retired else "",
            "may be taken out of the key file" if check and check.is_retired else "",
            "" if key_id in keys.data_keys else "not in the key file",
        ]
        facts = [_counted(found, [key_id]), *(one for one in said if one)]
        print(f"data key {key_id}: " + ", ".join(facts))
    return 1 if _stale(found, keys) else 0


def _rekey(database: Database, keys: KeyRing) -> int:
    found = _used(database)
    missing = {one.key_id for one in found} - keys.data_keys.keys()
    if missing:
        raise UsageError(
            f"{_counted(found, missing)} are sealed with {_named(missing)}, missing from the key "
            "file: put it back; nothing was changed"
        )
    started = time.perf_counter()
    done = _reseal(database, keys, _stale(found, keys))
    seconds = time.perf_counter() - started
    rate = done.rows / seconds
    print(
        f"{done.rows} rows sealed anew with data key {keys.current} in {seconds:.1f} s, "
        f"{rate:.0f} rows a second"
    )
    return _report_broken(done.broken) or _retire(database, keys)


def _retire(database: Database, keys: KeyRing) -> int:
    """Close the keys that were used up to now, seal anew what others sealed with them meanwhile,
    and let them go.
    """
    with database.transaction() as tx:
        known = keycheck.known_data_keys(tx)
        old = [one for one in known if one < keys.current or one not in keys.data_keys]
        keycheck.close(tx, old)
    wait_for_writers(database)
    while late := [one for one in _used(database) if one.key_id in old]:
        done = _reseal(database, keys, late)
        print(f"{done.rows} rows more, which others sealed meanwhile")
        if done.broken:
            return _report_broken(done.broken)
    with database.transaction() as tx:
        keycheck.retire(tx, old)
    held = [one for one in old if one in keys.data_keys]
    if held:
        print(
            f"no value is sealed with {_named(held)} any more: take the line out of the key file "
            "everywhere, but keep it with the backups of the database made until now"
        )
    return 0


def _reseal(database: Database, keys: KeyRing, stale: Sequence[Used]) -> Resealed:
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("sealed anew", total=sum(one.rows for one in stale))
        return reseal(
            database, Sealer(keys), stale, lambda rows: progress.advance(task, advance=rows)
        )


def _report_broken(broken: Sequence[str]) -> int:
    for one in broken[:_BROKEN_TOLD]:
        print(one, file=sys.stderr)
    if broken:
        print(
            f"{len(broken)} rows do not open and stay as they are; no key was retired: bring them "
            "back from a backup, then run this again",
            file=sys.stderr,
        )
    return 1 if broken else 0


def _used(database: Database) -> list[Used]:
    with database.reader() as tx:
        return used(tx)


def _stale(found: Sequence[Used], keys: KeyRing) -> list[Used]:
    return [one for one in found if one.key_id != keys.current]


def _counted(found: Sequence[Used], key_ids: Collection[int]) -> str:
    """How many rows these keys have sealed, and where."""
    rows: Counter[str] = Counter()
    for one in found:
        if one.key_id in key_ids:
            rows[one.table] += one.rows
    where = ", ".join(f"{table} {count}" for table, count in rows.items())
    return f"{rows.total()} rows" + (f" ({where})" if where else "")


def _named(key_ids: Collection[int]) -> str:
    numbers = ", ".join(str(key_id) for key_id in sorted(key_ids))
    return f"data key {numbers}" if len(key_ids) == 1 else f"data keys {numbers}"
