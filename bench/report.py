"""docs/benchmarks.md: the machine, the command, ratios first, then rates, then processor time.

Rule: the page has a part a command, each under a heading of its own; a command writes its own.
"""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.load import Measured
from bench.rounds import (
    COMPARISONS,
    FAR_REGIONS,
    NEAR_REGIONS,
    PLAIN,
    SERIES,
    Results,
    Series,
    Spread,
    compared,
    spread,
)

_HEADING = re.compile(r"^(?=# )", re.MULTILINE)

_PAGE = """\
# Benchmarks

Written by this command, from an empty folder; do not edit:

    {command}

One worker (a front and its two writer processes), the embedded PostgreSQL with fsync and
synchronous_commit on, and the load client share one machine. Each of {rounds} rounds measures every
series in turn for {seconds:g} s. A ratio is taken within its round; the tables give the median of
the rounds and, in brackets, the least and the most. Why aims are missed is told in
[performance.md](performance.md).

A Settle is one whole purchase at a pharmacy: three items priced by the catalogue, paid by the own
account and two donors, with identity, access, idempotency, ledger, counters, receipt and one log
line. Every answered settlement was found in the database afterwards, with its three entries;
PostgreSQL saw no deadlock. {persons} persons in families of three live in {near} regions, as many
more in {far}. Log level info, metrics on, traces off; the limits of callers
([settings.md](settings.md)) are off, for one client calls for all tills. Between measurements the
patients' accounts are filled again.

`pgbench` does the same as plain SQL ([bench/settlement.sql](../bench/settlement.sql)): a
transaction a settlement, {connections} connections, prepared statements, the same reads, locks and
rows, on the same database; it checks nothing and makes no texts. One family: its patient's own
account is empty, so three donors pay. Zipf 2: the k-th pharmacy has 1/k² of the first one's
purchases. With 2 workers each has half of the connections.

Other programs disturb: where the column "others" of the last table shows more than a few hundredths
of a core, the rates are too low, and the ratios are rough.

## Ratios

{ratios}

## Rates and latency

Closed loop: the next call starts when one is answered, so latency grows with what is in flight.
Open loop: calls are due at random moments (Poisson), at half the top rate of Settle, and are timed
from when they were due, however late they could be sent: coordinated omission is corrected. Dropped
are the calls that were refused or never answered; they count as slower than all others. Of a
BatchSettle the rate is that of bills, the latency that of a call.

{rates}

## Processor time a call, in microseconds

The client writes prepared HTTP/2 frames from a process of its own. "Idle" and "others" are in
cores: what nobody used, and what other programs took on this machine meanwhile. Of a BatchSettle it
is the time a bill; beside pgbench the client is pgbench.

{cpu}

## The machine

{machine}
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """How the figures were taken."""

    command: str
    rounds: int
    seconds: float
    persons: int
    postgres_version: str


def replace_part(path: Path, part: str) -> None:
    """Put a part into the page, in the place of the one with the same heading; the others stay."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    parts = {one.partition("\n")[0]: one.strip() for one in _HEADING.split(text) if one.strip()}
    parts[part.partition("\n")[0]] = part.strip()
    path.write_text("\n\n".join(parts.values()) + "\n", encoding="utf-8")


def page(setting: Setting, results: Results) -> str:
    """The part about purchases."""
    return _PAGE.format(
        command=setting.command,
        rounds=setting.rounds,
        seconds=setting.seconds,
        persons=spaced(setting.persons),
        near=NEAR_REGIONS,
        far=FAR_REGIONS,
        connections=next(series.in_flight for series in SERIES if series.kind == PLAIN),
        ratios=ratios(results),
        rates=_rates(results),
        cpu=_cpu(results),
        machine=machine(setting.postgres_version),
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of the page."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ratios(results: Results) -> str:
    """The table of ratios, with the aims beside."""
    rows = (
        [one.label, one.beside, f"**{shown(compared(one, results), '.2f')}**", one.aim]
        for one in COMPARISONS
    )
    return table(["what", "beside", "ratio", "aim"], rows)


def _rates(results: Results) -> str:
    def row(series: Series) -> list[str]:
        rounds = results[series.name]
        rate = spread([one.per_second for one in rounds])
        return [
            series.label,
            _in_flight(series),
            shown(rate, ".0f"),
            *(_latency(rounds, p) for p in ("p50", "p99")),
            str(sum(one.refused for one in rounds)),
        ]

    head = ["call", "in flight", "calls a second", "p50, ms", "p99, ms", "dropped"]
    return table(head, [row(series) for series in SERIES])


def _in_flight(series: Series) -> str:
    return str(series.in_flight or "open")


def _latency(rounds: Sequence[Measured], name: str) -> str:
    if not all(one.latencies_ms for one in rounds):
        return ""
    return shown(spread([one.latencies_ms[name] for one in rounds]), ".1f")


def _cpu(results: Results) -> str:
    names = ("front", "writer", "postgres", "client")

    def row(series: Series) -> list[str]:
        rounds = results[series.name]
        calls = [f"{spread([one.cpu_micros(name) for one in rounds]).middle:.0f}" for name in names]
        idle = spread([_idle_cores(one) for one in rounds])
        others = spread([one.cpu_seconds["others"] / one.seconds for one in rounds])
        rest = [shown(idle, ".2f"), shown(others, ".2f")]
        return [series.label, _in_flight(series), *calls, *rest]

    head = ["call", "in flight", "front", "writer", "PostgreSQL", "client", "idle", "others"]
    return table(head, [row(series) for series in SERIES])


def _idle_cores(measured: Measured) -> float:
    return max(0.0, (os.cpu_count() or 1) - measured.cpu_seconds["all"] / measured.seconds)


def shown(of: Spread, form: str) -> str:
    """A median with the least and the most."""
    return f"{of.middle:{form}} ({of.least:{form}}–{of.most:{form}})"


def spaced(number: int) -> str:
    """A number with a space between thousands."""
    return f"{number:,}".replace(",", " ")


def machine(postgres_version: str) -> str:
    """What the figures were taken on."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return "\n".join(
        [
            f"- {os.cpu_count()} cores ({_processor()}), {memory_gib:.0f} GiB of memory,"
            f" {platform.system()} {platform.machine()}",
            f"- Python {platform.python_version()}, PostgreSQL {postgres_version},"
            f" grpcio {version('grpcio')}, protobuf {version('protobuf')},"
            f" psycopg {version('psycopg')}",
        ]
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unnamed"
