"""`make bench`: everything in one go, from an empty folder to docs/benchmarks.md.

Rule: what is answered is kept: all settlements and entries are counted at the end, and without them
there is no page. `--short` prints the ratios and writes nothing.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from bench import report
from bench.calls import batches, health_checks, settle_once, settlements
from bench.ground import (
    PAGE,
    Ground,
    Measure,
    Serving,
    command,
    ground,
    settle_down,
)
from bench.load import Measured, Prepared
from bench.plain import Plain
from bench.population import Maker, Patient, by_zipf, check_kept, deadlocks, refill, settled
from bench.rounds import (
    BATCH,
    BATCH_SIZE,
    FAR,
    FAR_REGIONS,
    HEALTH,
    NEAR,
    NEAR_REGIONS,
    ONE,
    PLAIN,
    SERIES,
    TOP,
    ZIPF,
    Results,
    Series,
    in_turn,
)
from gongji_svc.storage.database import server_version

_SHORT = {"persons": 12_000, "rounds": 1, "seconds": 1.0}


def main() -> int:
    """Measure and write the page."""
    args = _arguments()
    with ground() as place:
        results, version = _run(args, place)
    if args.short:
        print(report.ratios(results))
        return 0
    setting = report.Setting(
        command=command("bench"),
        rounds=args.rounds,
        seconds=args.seconds,
        persons=args.persons,
        postgres_version=version,
    )
    report.replace_part(args.output, report.page(setting, results))
    print(f"written: {args.output}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="measure one worker")
    parser.add_argument("--persons", type=int, default=100_000, help="in each population")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument("--short", action="store_true", help="ratios of one short round, no page")
    args = parser.parse_args()
    if args.short:
        vars(args).update(_SHORT)
    return args


def _run(args: argparse.Namespace, place: Ground) -> tuple[Results, str]:
    """Fill the database, serve it, measure; the results and PostgreSQL's version."""
    patients = _fill(place, args.persons)
    settle_down(place.server)
    with ExitStack() as running:
        serving = {count: running.enter_context(place.workers(count)) for count in (1, 2)}
        port = serving[1].ports[0]
        for kind in (NEAR, FAR):
            settle_once(port, patients[kind].pop(), place.token_key)
        prepared = _prepared(patients, place.token_key)
        plain = Plain.prepare(place, patients[NEAR])
        measure = running.enter_context(place.client(serving[1], prepared))
        taking = _Taking(place, args.seconds, serving, plain, measure)
        results = taking.rounds(args.rounds)
    with place.database.reader() as tx:
        return results, server_version(tx)


def _fill(place: Ground, persons: int) -> dict[str, list[Patient]]:
    """Two populations: over few regions, and over many; and one family among the first."""
    began = time.perf_counter()
    maker = Maker(place.database, place.sealer)
    maker.prices()
    near = maker.population(NEAR_REGIONS, persons)
    patients = {
        NEAR: near,
        FAR: maker.population(FAR_REGIONS, persons),
        ONE: maker.one_family(near),
        ZIPF: by_zipf(near),
    }
    print(f"{2 * persons} persons in {time.perf_counter() - began:.0f} s", flush=True)
    return patients


def _prepared(patients: Mapping[str, list[Patient]], token_key: bytes) -> dict[str, Prepared]:
    return {
        HEALTH: health_checks(),
        BATCH: batches(patients[NEAR], BATCH_SIZE, token_key),
        **{kind: settlements(some, token_key) for kind, some in patients.items()},
    }


@dataclass(slots=True)
class _Taking:
    """The measurements on their way."""

    place: Ground
    seconds: float
    serving: Mapping[int, Serving]
    plain: Plain
    measure: Measure
    top_rates: list[float] = field(default_factory=list)
    answered: int = 0
    dropped: int = 0
    taken: int = 0
    half_rate: float = 0.0

    def rounds(self, count: int) -> Results:
        """All rounds, and the count of what they have left."""
        database = self.place.database
        already = settled(database)[0]
        self.take(TOP)  # warms up, and tells the first round's top rate
        self.taken = 0
        results = in_turn(count, self.take)
        check_kept(database, already, self.answered, self.dropped)
        if deadlocks(database):
            raise RuntimeError(f"{deadlocks(database)} deadlocks")
        return results

    def take(self, series: Series) -> Measured:
        """One measurement, of patients who can pay; the open loops of a round have one rate."""
        if self.taken % len(SERIES) == 0 and self.top_rates:
            self.half_rate = median(self.top_rates) / 2
        self.taken += 1
        if series.kind != HEALTH:
            refill(self.place.database)
        serving = self.serving[series.workers]
        if series.kind == PLAIN:
            measured = self.plain.measure(self.seconds, serving.watched)
        else:
            asked = series.round(self.seconds, self.half_rate)
            measured = self.measure(replace(asked, ports=serving.ports, watched=serving.watched))
        if series.kind != HEALTH:
            self.answered += measured.answered
            self.dropped += measured.refused
        if series == TOP:
            self.top_rates.append(measured.per_second)
        print(f"{series.name:12} {measured.per_second:8.0f} a second", flush=True)
        return measured


if __name__ == "__main__":
    sys.exit(main())
