"""`make bench-large`: a Settle among ten million people beside one among ten thousand.

Rule: both databases lie in one PostgreSQL, each with a worker of its own, and are measured in turn;
they differ in nothing but how many people and entries they hold. What counts is a service that has
run for a while: every family has been at a till before. What the first time takes is told beside.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from bench.bulk import Bulk
from bench.calls import settle_once, settlements
from bench.ground import PAGE, Ground, Measure, Serving, command, ground
from bench.load import Measured, Round
from bench.population import Maker, check_kept, refill, settled
from bench.report import machine, replace_part, shown, spaced, table
from bench.rounds import NEAR_REGIONS, SERVER, Spread, spread
from gongji_svc.storage import embedded
from gongji_svc.storage.database import Database, server_version

_MANY, _FEW = "many", "few"
_IN_FLIGHT = 64
_BYTES_A_PERSON, _BYTES_AN_ENTRY, _BYTES_BESIDE = 2_000, 260, 6_000_000_000
_PART = """\
# Among ten million people

Written by this command, from an empty folder; do not edit:

    {command}

{persons} persons with {entries} entries lie in one database, {few_persons} with {few_entries} in
another, both in one PostgreSQL, each with a worker of its own; made in {made} minutes, {size} GB.
PostgreSQL has a quarter of the machine's memory for itself (`shared_buffers`). Each of {rounds}
rounds measures both in turn for {seconds:g} s, {in_flight} Settle in flight, as in the first part.
The tables give the median of the rounds and, in brackets, the least and the most. Before the rounds
each family has bought once; {first_seconds:g} s of that are told apart: what these families need
has to be read first.

People are made in the database, in families of three over {regions} regions. {at_tills} families,
evenly spread among them, come to the tills, and are sealed and found as real ones are; of the
others names and hashes are bytes of the same length. Every account has {each} entries, which make
up its balance; the other side of these entries is left out. What was answered was found in the
databases.

| what | beside | ratio | aim |
| --- | --- | --- | --- |
| rate: Settle among {persons} | among {few_persons} | **{ratio}** | at least 0.9 |
| server's CPU: Settle among {persons} | among {few_persons} | **{cpu}** | |
| rate: Settle among {persons}, the first of each family | among {few_persons} | **{first}** | |

{rates}

{machine}
"""


@dataclass(slots=True)
class _Side:
    """One of the databases, and what serves it."""

    bulk: Bulk
    database: Database
    serving: Serving
    measure: Measure
    already: int
    answered: int = 0

    def take(self, seconds: float) -> Measured:
        refill(self.database)
        measured = self.measure(Round("settle", _IN_FLIGHT, seconds / 4, seconds))
        self.answered += measured.answered
        return measured


def main() -> int:
    """Measure and write the part."""
    args = _arguments()
    many = Bulk(args.persons, args.entries // args.persons, NEAR_REGIONS, args.at_tills)
    few = replace(many, persons=args.few)
    began = time.perf_counter()
    embedded.SETTINGS["shared_buffers"] = f"{_memory_bytes() // 4 >> 20}MB"
    with ground() as place, ExitStack() as running:
        _check_room(place.folder, many)
        sides = {
            _FEW: running.enter_context(_side(place, few, _FEW)),
            _MANY: running.enter_context(_side(place, many, _MANY)),
        }
        made_minutes = (time.perf_counter() - began) / 60
        size_gb = _size_gb(place)
        print(f"{size_gb:.2f} GB in {made_minutes:.1f} minutes", flush=True)
        first = _first_visits(sides, args.first_seconds)
        results = _rounds(args, sides)
        for side in sides.values():
            check_kept(side.database, side.already, side.answered, entries_before=side.bulk.entries)
        with place.database.reader() as tx:
            version = server_version(tx)
    part = _part(args, many, few, results, first)
    replace_part(
        args.output,
        part.format(made=f"{made_minutes:.0f}", size=f"{size_gb:.1f}", machine=machine(version)),
    )
    print(f"written: {args.output}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.large")
    parser.add_argument("--persons", type=int, default=10_000_000)
    parser.add_argument("--entries", type=int, default=50_000_000)
    parser.add_argument("--few", type=int, default=10_000, help="persons beside")
    parser.add_argument("--at-tills", type=int, default=30_000, help="families")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--first-seconds", type=float, default=20.0, help="of first purchases")
    parser.add_argument("--output", type=Path, default=PAGE)
    args = parser.parse_args()
    if not 0 < args.entries // args.persons <= 1000:
        parser.error("a person has 1 to 1000 entries")
    return args


def _check_room(folder: Path, many: Bulk) -> None:
    needed = many.persons * _BYTES_A_PERSON + many.entries * _BYTES_AN_ENTRY + _BYTES_BESIDE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RuntimeError(
            f"{needed / 1e9:.0f} GB are needed below {folder}, {free / 1e9:.0f} are free: "
            "set TMPDIR to a folder with more room, or give less --persons and --entries"
        )


@contextmanager
def _side(place: Ground, bulk: Bulk, name: str) -> Iterator[_Side]:
    with psycopg.connect(place.server.admin_url, autocommit=True) as admin:
        owner = Identifier(embedded.OWNER)
        admin.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(name), owner))
    urls = (place.server.runtime_url, place.server.owner_url)
    runtime_url, owner_url = (urlsplit(url)._replace(path=f"/{name}").geturl() for url in urls)
    with Database(runtime_url, owner_url=owner_url) as database:
        database.migrate()
        began = time.perf_counter()
        Maker(database, place.sealer).prices()
        patients = bulk.fill(owner_url, place.sealer)
        print(f"{bulk.persons} persons in {time.perf_counter() - began:.0f} s", flush=True)
        with psycopg.connect(place.server.admin_url, autocommit=True) as admin:
            admin.execute("CHECKPOINT")
        with place.workers(1, database) as serving:
            settle_once(serving.ports[0], patients.pop(), place.token_key)
            already = settled(database)[0]
            prepared = {"settle": settlements(patients, place.token_key)}
            with place.client(serving, prepared) as measure:
                yield _Side(bulk, database, serving, measure, already)


def _size_gb(place: Ground) -> float:
    with psycopg.connect(place.server.admin_url) as admin:
        row = admin.execute("SELECT sum(pg_database_size(oid)) FROM pg_database").fetchone()
    assert row is not None  # noqa: S101 - a sum has one row
    return float(row[0]) / 1e9


def _first_visits(sides: dict[str, _Side], seconds: float) -> Measured:
    """Every family buys once; the first measurement among many."""
    firsts: dict[str, Measured] = {}
    for name, lasts in ((_FEW, 1.0), (_MANY, seconds)):
        side = sides[name]
        while side.answered < len(side.bulk.sealed):
            taken = side.take(lasts)
            firsts.setdefault(name, taken)
    print(f"first  {firsts[_MANY].per_second:8.0f} a second", flush=True)
    return firsts[_MANY]


def _rounds(args: argparse.Namespace, sides: dict[str, _Side]) -> dict[str, list[Measured]]:
    results: dict[str, list[Measured]] = {name: [] for name in sides}
    for number in range(args.rounds):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            measured = sides[name].take(args.seconds)
            results[name].append(measured)
            print(f"{name:5} {measured.per_second:8.0f} a second", flush=True)
    return results


def _part(
    args: argparse.Namespace,
    many: Bulk,
    few: Bulk,
    results: dict[str, list[Measured]],
    first: Measured,
) -> str:
    """The part, in which what is known of the place is still to be filled in."""

    def ratio(of: Sequence[float], other: Sequence[float]) -> str:
        return shown(spread([a / b for a, b in zip(of, other, strict=True)]), ".2f")

    def row(label: str, taken: Sequence[Measured]) -> list[str]:
        rates = spread([one.per_second for one in taken])
        p99 = spread([one.latencies_ms["p99"] for one in taken])
        others = spread([one.cpu_seconds["others"] / one.seconds for one in taken])
        micros = (f"{_cpu(taken, part).middle:.0f}" for part in SERVER)
        return [
            label,
            shown(rates, ".0f"),
            shown(p99, ".1f"),
            *micros,
            shown(others, ".2f"),
        ]

    head = ["", "a second", "p99, ms", "front, µs", "writer, µs", "PostgreSQL, µs", "others, cores"]
    taken = results[_MANY], results[_FEW]
    firsts = [first] * len(results[_FEW]), results[_FEW]
    among = f"Settle among {spaced(many.persons)}"
    rows = [
        row(f"Settle among {spaced(few.persons)}", results[_FEW]),
        row(among, results[_MANY]),
        row(f"{among}, the first of each family", [first]),
    ]
    return _PART.format(
        command=command("bench-large"),
        persons=spaced(many.persons),
        entries=spaced(many.entries),
        few_persons=spaced(few.persons),
        few_entries=spaced(few.entries),
        rounds=args.rounds,
        seconds=args.seconds,
        first_seconds=args.first_seconds,
        in_flight=_IN_FLIGHT,
        regions=many.regions,
        at_tills=spaced(len(many.sealed)),
        each=many.entries_each,
        ratio=ratio(*[[one.per_second for one in some] for some in taken]),
        first=ratio(*[[one.per_second for one in some] for some in firsts]),
        cpu=ratio(*[[one.cpu_micros(*SERVER) for one in some] for some in taken]),
        rates=table(head, rows),
        made="{made}",
        size="{size}",
        machine="{machine}",
    )


def _cpu(some: Sequence[Measured], part: str) -> Spread:
    return spread([one.cpu_micros(part) for one in some])


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


if __name__ == "__main__":
    sys.exit(main())
