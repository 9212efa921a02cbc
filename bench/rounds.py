"""What is measured and what it is held against: series, rounds of them in turn, comparisons.

Rule: every round measures each series once, one after the other, so that what the machine does to
one it does to all; a comparison is made within each round, and its median over the rounds tells.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.load import Measured, Round

HEALTH, NEAR, FAR = "health", "near", "far"
ONE, ZIPF, BATCH, PLAIN = "one", "zipf", "batch", "plain"
NEAR_REGIONS, FAR_REGIONS = 3, 337
BATCH_SIZE = 100
SERVER = ("front", "writer", "postgres")


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of call with so many in flight; none: an open loop at half the top rate."""

    name: str
    label: str
    kind: str
    in_flight: int
    workers: int = 1

    def round(self, seconds: float, rate: float = 0.0) -> Round:
        """A round of it; the first part warms up. `rate` is that of an open loop."""
        warm = seconds / 4
        return Round(self.kind, self.in_flight, warm, seconds, rate=0 if self.in_flight else rate)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A quantity of one series over that of another, round by round."""

    label: str
    beside: str
    series: str
    other: str
    quantity: Callable[[Measured], float]
    aim: str


def _rate(measured: Measured) -> float:
    return measured.per_second


def _server_cpu(measured: Measured) -> float:
    return measured.cpu_micros(*SERVER)


def _p99(measured: Measured) -> float:
    return measured.latencies_ms["p99"]


TOP = Series("near-64", f"Settle, {NEAR_REGIONS} regions", NEAR, 64)
"""Whose rate is the top rate of a Settle."""

SERIES = (
    Series("health-64", "Health/Check", HEALTH, 64),
    TOP,
    Series("plain", "pgbench, the same as plain SQL", PLAIN, 16),
    Series("batch-4", f"BatchSettle of {BATCH_SIZE}, a bill", BATCH, 4),
    Series("one-64", "Settle, one family", ONE, 64),
    Series("zipf-64", "Settle, Zipf 2 over pharmacies", ZIPF, 64),
    Series("far-64", f"Settle, {FAR_REGIONS} regions", FAR, 64),
    Series("workers-64", f"Settle, {NEAR_REGIONS} regions, 2 workers", NEAR, 64, workers=2),
    Series("health-open", "Health/Check, open loop", HEALTH, 0),
    Series("near-open", f"Settle, {NEAR_REGIONS} regions, open loop", NEAR, 0),
    Series("health-16", "Health/Check", HEALTH, 16),
    Series("near-16", f"Settle, {NEAR_REGIONS} regions", NEAR, 16),
)

_HEALTH_64, _PLAIN = "Health/Check, 64 in flight", "`pgbench`, the same work as plain SQL"
_SETTLE_64, _UNIFORM = "Settle, 64 in flight", "uniform"

COMPARISONS = (
    Comparison(f"rate: {_SETTLE_64}", _HEALTH_64, "near-64", "health-64", _rate, "at least 0.7"),
    Comparison(f"rate: {_SETTLE_64}", _PLAIN, "near-64", "plain", _rate, "at least 1.0"),
    Comparison(
        f"rate: BatchSettle of {BATCH_SIZE}, 4 in flight, bills",
        _PLAIN,
        "batch-4",
        "plain",
        _rate,
        "at least 2.0",
    ),
    Comparison("rate: all on one family", _UNIFORM, "one-64", "near-64", _rate, "at least 0.9"),
    Comparison(
        "rate: Zipf 2 over pharmacies", _UNIFORM, "zipf-64", "near-64", _rate, "at least 0.9"
    ),
    Comparison(
        "p99: Settle at half its top rate, open loop",
        "Health/Check at the same rate",
        "near-open",
        "health-open",
        _p99,
        "at most 3",
    ),
    Comparison(
        f"server's CPU: {_SETTLE_64}",
        _HEALTH_64,
        "near-64",
        "health-64",
        _server_cpu,
        "at most 2.5",
    ),
    Comparison(
        f"rate: the same over {FAR_REGIONS} regions",
        f"{NEAR_REGIONS} regions",
        "far-64",
        "near-64",
        _rate,
        "at least 0.7",
    ),
    Comparison("rate: Settle, 2 workers", "1 worker", "workers-64", "near-64", _rate, "reported"),
    Comparison(f"server's CPU: {_SETTLE_64}", _PLAIN, "near-64", "plain", _server_cpu, ""),
    Comparison(
        "rate: Settle, 16 in flight",
        "Health/Check, 16 in flight",
        "near-16",
        "health-16",
        _rate,
        "",
    ),
    Comparison(f"p99: {_SETTLE_64}, closed loop", _HEALTH_64, "near-64", "health-64", _p99, ""),
)

Results = Mapping[str, Sequence[Measured]]
"""By series, a measurement a round."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over the rounds, the least and the most."""

    middle: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Of some values."""
    return Spread(median(values), min(values), max(values))


def compared(comparison: Comparison, results: Results) -> Spread:
    """The ratios of a comparison over the rounds."""
    pairs = zip(results[comparison.series], results[comparison.other], strict=True)
    return spread([comparison.quantity(one) / comparison.quantity(other) for one, other in pairs])


def in_turn(rounds: int, measure: Callable[[Series], Measured]) -> Results:
    """Measure every series once a round; each round begins with another one."""
    results: dict[str, list[Measured]] = {series.name: [] for series in SERIES}
    for number in range(rounds):
        start = number % len(SERIES)
        for series in (*SERIES[start:], *SERIES[:start]):
            results[series.name].append(measure(series))
    return results
