"""What is measured and what it is held against: series, rounds of them in turn, comparisons.

Rule: every round measures each series once, one after the other, so that what the machine does to
one it does to all; a comparison is made within each round, and its median over the rounds tells.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.load import Measured, Round

HEALTH, NEAR, FAR = "health", "near", "far"
NEAR_REGIONS, FAR_REGIONS = 3, 337
SERVER = ("front", "writer", "postgres")


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of call with so many in flight."""

    name: str
    label: str
    kind: str
    in_flight: int

    def round(self, seconds: float) -> Round:
        """A round of it; the first part warms up."""
        return Round(self.kind, self.in_flight, seconds / 4, seconds)


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


SERIES = (
    Series("health-64", "Health/Check", HEALTH, 64),
    Series("near-64", f"Settle, {NEAR_REGIONS} regions", NEAR, 64),
    Series("far-64", f"Settle, {FAR_REGIONS} regions", FAR, 64),
    Series("health-16", "Health/Check", HEALTH, 16),
    Series("near-16", f"Settle, {NEAR_REGIONS} regions", NEAR, 16),
)

COMPARISONS = (
    Comparison(
        "calls a second: Settle, 64 in flight",
        "Health/Check, 64 in flight",
        "near-64",
        "health-64",
        _rate,
        "at least 0.7",
    ),
    Comparison(
        "calls a second: Settle, 16 in flight",
        "Health/Check, 16 in flight",
        "near-16",
        "health-16",
        _rate,
        "",
    ),
    Comparison(
        f"calls a second: Settle, batches over {FAR_REGIONS} regions",
        f"batches over {NEAR_REGIONS} regions",
        "far-64",
        "near-64",
        _rate,
        "at least 0.7",
    ),
    Comparison(
        "server's CPU a Settle (front, writer, PostgreSQL), 64 in flight",
        "that of a Health/Check",
        "near-64",
        "health-64",
        _server_cpu,
        "at most 2.5",
    ),
    Comparison(
        "p99 of Settle, closed loop, 64 in flight",
        "p99 of Health/Check",
        "near-64",
        "health-64",
        _p99,
        "",
    ),
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
