"""`make bench-load`: `gongji load allocations` beside the barest SQL for the same rows.

Rule: each measurement begins with a fresh copy of the same filled database, loads the same file
and is checked afterwards: every row is one entry, every fen in a balance. The command is measured
whole, as an operator starts it; the SQL from its connection to its commit.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from bench import cpu
from bench.report import machine, replace_part, shown, spaced, table
from bench.rounds import Spread, spread
from gongji_svc.domain.calendar import add_months
from gongji_svc.storage import embedded, migrate
from gongji_svc.storage.embedded import EmbeddedServer
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.sealing import KeyRing

_PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_FILLED, _ROUND = "filled", "round"
_PROVINCE = "15"
_CITIES = 12
_MONTH = date(2025, 5, 1)  # an account's first row; the others are of the months before
_FEW = 10  # the file of which memory is compared has so many times fewer rows
_LOOK_SECONDS = 0.02
_QUIET_CORES = 0.1
_COMMAND, _BAREST = "gongji load allocations", "the barest SQL"

_ACCOUNTS = """
    COPY accounts (region, id, person_id, pool_region, kind, state, balance_fen, held_fen,
        frozen_quota_fen, seq, recorded_at) FROM STDIN"""
_GIVEN = "CREATE TEMPORARY TABLE given (account_id uuid, amount_fen bigint, month text)"
_COPY = "COPY given FROM STDIN (FORMAT csv, HEADER)"
_ENTRIES = """
    INSERT INTO entries (region, account_id, seq, journal_id, kind, amount_fen, balance_after_fen,
        counterparty, memo, occurred_at, recorded_at)"""
_ONCE = (
    f"""
    WITH moved AS (
        UPDATE accounts AS a
        SET balance_fen = a.balance_fen + g.amount_fen, seq = a.seq + 1, recorded_at = now()
        FROM given AS g WHERE a.id = g.account_id
        RETURNING a.region, a.id, a.seq, a.balance_fen, a.pool_region, g.amount_fen
    )
    {_ENTRIES}
    SELECT region, id, seq, %(journal)s, 'ALLOCATION', amount_fen, balance_fen, pool_region,
           '划入', now(), now()
    FROM moved""",  # noqa: S608  (our own text)
)
_SEVERAL = (
    f"""
    {_ENTRIES}
    SELECT a.region, a.id, a.seq + row_number() OVER so_far, %(journal)s, 'ALLOCATION',
           g.amount_fen, a.balance_fen + sum(g.amount_fen) OVER so_far, a.pool_region,
           '划入', now(), now()
    FROM given AS g JOIN accounts AS a ON a.id = g.account_id
    WINDOW so_far AS (PARTITION BY a.id ROWS UNBOUNDED PRECEDING)""",  # noqa: S608  (our own text)
    """
    UPDATE accounts AS a
    SET balance_fen = balance_fen + g.fen, seq = seq + g.count, recorded_at = now()
    FROM (
        SELECT account_id, sum(amount_fen) AS fen, count(*) AS count FROM given GROUP BY account_id
    ) AS g
    WHERE a.id = g.account_id""",
)

_PART = """\
# Loading allocations

Written by this command, from an empty folder; do not edit:

    {command}

A file of {rows} rows (account, fen, month) in no order, to accounts of {cities} cities of one
province, is loaded by `gongji load allocations` and by the barest SQL: COPY into a temporary table,
UPDATE of the balances and INSERT of an entry a row, set-wise, without a check, a lock, a journal or
a way to go on. Each of {rounds} rounds takes both in turn, each on a fresh copy of the same
database, on the embedded PostgreSQL with fsync and synchronous_commit on. The command is timed
whole, from its start to its exit; the tables give the median of the rounds and, in brackets, the
least and the most. After each, all entries and balances were counted.

An allocation is one row an account. With several, the SQL changes an account once for all of them
and is left with little more than its entries.

Other programs disturb: where the column "others" shows more than a few hundredths of a core, the
rates are too low, and the ratios are rough. With --patience more rounds are taken, and the least
disturbed count.

{ratios}

| | |
| --- | --- |
| most memory of the command, {rows} rows | {memory} MB |
| most memory of the command, {few} rows | {memory_few} MB |

{machine}
"""


@dataclass(frozen=True, slots=True)
class Load:
    """A file that was loaded; `memory_mb` at most, of the command's process."""

    rows: int
    seconds: float
    others_cores: float
    memory_mb: float

    @property
    def per_second(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


@dataclass(frozen=True, slots=True)
class File:
    """A file of allocations and what it must come to."""

    path: Path
    rows: int
    accounts: int
    fen: int


Rounds = Mapping[str, Sequence[Load]]
"""Of one file: by what loaded it, a measurement a round."""


class Ground:
    """A server with a filled database, of which each measurement has a copy."""

    def __init__(self, server: EmbeddedServer, folder: Path) -> None:
        self._server = server
        self._postmaster = int((server.folders.cluster / "postmaster.pid").read_text().split()[0])
        self._folder = folder
        self.keys = folder / "keys"
        self.keys.write_text(KeyRing.make().dump(), encoding="utf-8")

    def fill(self, accounts: int, rows: int) -> Sequence[File]:
        """Accounts that are empty, a file of so many rows for them, and one of a tenth."""
        with self._admin() as admin:
            _drop(admin, _FILLED)
            admin.execute(
                SQL("CREATE DATABASE {} OWNER {}").format(
                    Identifier(_FILLED), Identifier(embedded.OWNER)
                )
            )
        migrate.migrate(self._url(self._server.owner_url, _FILLED), runtime_role=embedded.RUNTIME)
        with psycopg.connect(self._url(self._server.owner_url, _FILLED)) as owner:
            ids = list(_made(owner, accounts))
            owner.commit()
            owner.autocommit = True
            owner.execute("VACUUM ANALYZE accounts")
        chance = random.Random(1)  # noqa: S311 - the same rows in every run
        return [self._file(chance, ids, count) for count in (rows, rows // _FEW)]

    def _file(self, chance: random.Random, ids: Sequence[str], rows: int) -> File:
        named = [(ids[number % len(ids)], number // len(ids)) for number in range(rows)]
        chance.shuffle(named)
        path, total_fen = self._folder / f"{rows}.csv", 0
        with path.open("w", encoding="utf-8") as file:
            file.write("account_id,amount_fen,month\n")
            for account_id, months_before in named:
                fen = chance.randrange(100, 100_000)
                total_fen += fen
                month = add_months(_MONTH, -months_before)
                file.write(f"{account_id},{fen},{month:%Y-%m}\n")
        return File(path, rows, len(ids), total_fen)

    def take(self, load: Callable[["Ground", str, File], float], file: File) -> Load:
        """One measurement, on a fresh copy of the filled database; `load` returns its memory."""
        with self._copy() as url:
            before = time.perf_counter(), self._used()
            memory_mb = load(self, url, file)
            after = time.perf_counter(), self._used()
            _check(url, file)
        seconds = after[0] - before[0]
        return Load(file.rows, seconds, (after[1] - before[1]) / seconds, memory_mb)

    def _used(self) -> float:
        """What others used of the processors, in seconds, of processes that still run or ended."""
        mine = sum(os.times()[:4])
        return cpu.machine() - mine - cpu.family(self._postmaster)

    @contextmanager
    def _copy(self) -> Iterator[str]:
        with self._admin() as admin:
            _drop(admin, _ROUND)
            admin.execute(
                SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY").format(
                    Identifier(_ROUND), Identifier(_FILLED), Identifier(embedded.OWNER)
                )
            )
            admin.execute("CHECKPOINT")
            yield self._url(self._server.runtime_url, _ROUND)
            _drop(admin, _ROUND)

    def _admin(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self._server.admin_url, autocommit=True)

    @staticmethod
    def _url(url: str, name: str) -> str:
        return urlsplit(url)._replace(path=f"/{name}").geturl()


def _drop(admin: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    admin.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


def _made(owner: "psycopg.Connection[tuple[object, ...]]", accounts: int) -> Iterator[str]:
    cities = [f"{_PROVINCE}{number:02d}00" for number in range(1, _CITIES + 1)]
    now = datetime.now(UTC)
    with owner.cursor().copy(_ACCOUNTS) as copy:
        for number in range(accounts):
            city = cities[number % _CITIES]
            account_id = new_id(city)
            whose = (city, account_id, new_id(city), city, "GENERAL", "OPEN")
            copy.write_row((*whose, 0, 0, 0, 0, now))
            yield str(account_id)


def _check(url: str, file: File) -> None:
    query = """SELECT (SELECT count(*) FROM entries), (SELECT sum(amount_fen) FROM entries),
                      (SELECT sum(balance_fen) FROM accounts), (SELECT sum(seq) FROM accounts)"""
    with psycopg.connect(url) as tx:
        found = tx.execute(query).fetchone()
    if found != (file.rows, file.fen, file.fen, file.rows):
        raise RuntimeError(f"{file} came to {found}")


def by_command(ground: Ground, url: str, file: File) -> float:
    """Load a file by `gongji load allocations`."""
    settings = {
        "GONGJI_DATABASE_URL": url,
        "GONGJI_DATA_DIR": str(file.path.parent),
        "GONGJI_DATA_KEY": str(ground.keys),
    }
    words = ("load", "allocations", str(file.path), "--region", f"{_PROVINCE}0000")
    command = subprocess.Popen(
        [sys.executable, "-m", "gongji_svc.cli", *words],
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
    )
    memory_mb = 0.0
    while command.poll() is None:
        memory_mb = max(memory_mb, cpu.most_memory_mb(command.pid))
        time.sleep(_LOOK_SECONDS)
    if command.returncode:
        raise RuntimeError(f"the command ended with {command.returncode}")
    return memory_mb


def by_sql(ground: Ground, url: str, file: File) -> float:  # noqa: ARG001 - as by_command
    """Load a file by the barest SQL."""
    with psycopg.connect(url) as tx:
        tx.execute(_GIVEN)
        with tx.cursor().copy(_COPY) as copy, file.path.open("rb") as source:
            while block := source.read(1 << 18):
                copy.write(block)
        tx.execute("ANALYZE given")
        for statement in _ONCE if file.rows <= file.accounts else _SEVERAL:
            journal = {"journal": new_id(f"{_PROVINCE}0000")}
            tx.execute(statement, journal)
    return 0.0


_WAYS: Mapping[str, Callable[[Ground, str, File], float]] = {
    _COMMAND: by_command,
    _BAREST: by_sql,
}


def main() -> int:
    """Measure and write the part of the page."""
    args = _arguments()
    results: dict[int, Rounds] = {}
    memory_few_mb = 0.0
    with tempfile.TemporaryDirectory(prefix="gongji-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL's account passes through when root measures
        with embedded.start(folder) as server:
            ground = Ground(server, folder)
            for accounts in args.accounts:
                file, few = ground.fill(accounts, args.rows)
                memory_few_mb = ground.take(by_command, few).memory_mb
                results[accounts] = _in_turn(ground, file, args.rounds, args.patience)
            with psycopg.connect(server.admin_url) as admin:
                version = admin.execute("SHOW server_version").fetchone()
    replace_part(args.output, _part(args, results, memory_few_mb, str((version or "?")[0])))
    print(f"written: {args.output}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.allocations")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, nargs="+", default=[1_000_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--patience", type=int, default=0, help="so many rounds more, where others disturb"
    )
    parser.add_argument("--output", type=Path, default=_PAGE)
    return parser.parse_args()


def _in_turn(ground: Ground, file: File, rounds: int, patience: int) -> Rounds:
    """Every round takes both, each second round the other way round; of those that were taken, the
    least disturbed.
    """
    taken: list[Mapping[str, Load]] = []
    quiet = 0
    while quiet < rounds and len(taken) < rounds + patience:
        ways = list(_WAYS)[:: -1 if len(taken) % 2 else 1]
        taken.append({name: _told(name, ground.take(_WAYS[name], file)) for name in ways})
        quiet += _disturbed(taken[-1]) < _QUIET_CORES
    taken.sort(key=_disturbed)
    return {name: [one[name] for one in taken[:rounds]] for name in _WAYS}


def _disturbed(taken: Mapping[str, Load]) -> float:
    return max(load.others_cores for load in taken.values())


def _told(name: str, load: Load) -> Load:
    told = f"{load.per_second:8.0f} rows a second, others {load.others_cores:.2f}"
    print(f"{name:24} {told}", flush=True)
    return load


def _part(
    args: argparse.Namespace, results: Mapping[int, Rounds], memory_few_mb: float, version: str
) -> str:
    given = sys.argv[1:]
    memory = max(one.memory_mb for rounds in results.values() for one in rounds[_COMMAND])
    head = ["accounts", _COMMAND, _BAREST, "ratio, aim: at least 0.5", "others"]
    return _PART.format(
        command="make bench-load" + (f' ARGS="{" ".join(given)}"' if given else ""),
        rows=spaced(args.rows),
        few=spaced(args.rows // _FEW),
        cities=_CITIES,
        rounds=args.rounds,
        ratios=table(head, [_row(accounts, rounds) for accounts, rounds in results.items()]),
        memory=f"{memory:.0f}",
        memory_few=f"{memory_few_mb:.0f}",
        machine=machine(version),
    )


def _row(accounts: int, rounds: Rounds) -> list[str]:
    def rate(name: str) -> Spread:
        return spread([one.per_second for one in rounds[name]])

    both = zip(rounds[_COMMAND], rounds[_BAREST], strict=True)
    ratio = spread([one.per_second / other.per_second for one, other in both])
    others = spread([one.others_cores for loads in rounds.values() for one in loads])
    rates = [shown(rate(name), ".0f") for name in (_COMMAND, _BAREST)]
    return [spaced(accounts), *rates, f"**{shown(ratio, '.2f')}**", shown(others, ".2f")]


if __name__ == "__main__":
    sys.exit(main())
