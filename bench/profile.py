"""`python -m bench.profile`: where the time of a settlement goes, without front and network.

Rule: the engine runs in this process on batches of one size, as a writer's does, so that a profiler
(`py-spy record -p PID`, or --functions) sees nothing else. The least disturbed batches tell: of the
thread time of all, the one that a tenth stay below. PostgreSQL's part is told by
pg_stat_statements. Nothing is written but what is printed.
"""

import argparse
import cProfile
import gc
import os
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from statistics import quantiles

import psycopg

from bench.calls import purchase
from bench.ground import Ground, ground, settle_down
from bench.population import Maker, Patient
from bench.rounds import NEAR_REGIONS
from gongji_svc import regions
from gongji_svc.domain.access import Caller, Role
from gongji_svc.engine import Answered, Command, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.services.office import Office
from gongji_svc.signals.batches import Stages
from gongji_svc.storage import embedded

_SETTLE = method_of("SettlementService", "Settle")
_WARM_BATCHES = 12
_DEADLINE_SECONDS = 600
_ROWS = 20
_MICRO = 1e6
_STATEMENTS = """
    SELECT calls, total_exec_time, wal_bytes, left(regexp_replace(query, '\\s+', ' ', 'g'), 100)
    FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = %s)
    ORDER BY total_exec_time DESC LIMIT %s"""


class _Profile:
    """Batches through an engine, and what they took."""

    def __init__(self, place: Ground, patients: Sequence[Patient]) -> None:
        self._office = Office(place.database, regions.load(), place.sealer)
        self._engine = Engine(place.database, note=self._note)
        self._patients = iter(patients)
        self.stages: defaultdict[str, float] = defaultdict(float)
        self.read: list[float] = []
        self.run: list[float] = []
        self.settled = 0

    def batches(self, count: int, size: int) -> None:
        """So many batches, from bytes to bytes."""
        for _ in range(count):
            began = time.thread_time()
            commands = [self._command(next(self._patients)) for _ in range(size)]
            read = time.thread_time()
            outcomes = self._engine.run(commands)
            self.read.append((read - began) / size)
            self.run.append((time.thread_time() - read) / size)
            if not all(isinstance(outcome, Answered) for outcome in outcomes):
                raise RuntimeError(f"a purchase was refused: {outcomes}")
            self.settled += size

    def forget(self) -> None:
        """Begin to measure."""
        self.settled = 0
        for taken in (self.stages, self.read, self.run):
            taken.clear()

    def _command(self, patient: Patient) -> Command:
        request = purchase(patient)
        request.request_id = f"profile-{patient.card_no}"
        caller = Caller(Role.POS, patient.institution_code, "")
        body = request.SerializeToString()
        deadline = time.time() + _DEADLINE_SECONDS
        return routes.read_command(self._office, _SETTLE, caller, body, deadline)

    def _note(self, stages: Stages | None) -> None:
        for name, began_ns, ended_ns in stages.spans() if stages else ():
            self.stages[name] += (ended_ns - began_ns) * 1e-9


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--batches", type=int, default=150)
    parser.add_argument("--functions", action="store_true", help="count function calls instead")
    args = parser.parse_args()
    embedded.SETTINGS["shared_preload_libraries"] = "pg_stat_statements"
    with ground() as place:
        maker = Maker(place.database, place.sealer)
        maker.prices()
        persons = (args.batches + _WARM_BATCHES + 1) * args.batch * 3
        patients = maker.population(NEAR_REGIONS, persons)
        settle_down(place.server)
        admin_url = place.server.admin_url.rpartition("/")[0] + f"/{embedded.DATABASE}"
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute("CREATE EXTENSION pg_stat_statements")
            profile = _Profile(place, patients)
            profile.batches(_WARM_BATCHES, args.batch)
            profile.forget()
            admin.execute("SELECT pg_stat_statements_reset()")
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 20, 50)  # as the writer does
            print(f"process {os.getpid()}, batches of {args.batch}", flush=True)
            if args.functions:
                _functions(profile, args)
                return 0
            profile.batches(args.batches, args.batch)
            _told(profile)
            _statements(admin, profile.settled)
    return 0


def _functions(profile: _Profile, args: argparse.Namespace) -> None:
    counting = cProfile.Profile()
    counting.runcall(profile.batches, args.batches, args.batch)
    print(f"of {profile.settled} settlements:")
    pstats.Stats(counting).sort_stats("tottime").print_stats(_ROWS)


def _told(profile: _Profile) -> None:
    def least(taken: Sequence[float]) -> str:
        low = quantiles(taken, n=10)[0]
        return f"{low * _MICRO:5.0f} (mean {sum(taken) / len(taken) * _MICRO:.0f})"

    print("processor time of this thread, µs a settlement, the lowest tenth:")
    print(f"  read the command  {least(profile.read)}")
    print(f"  run the batch     {least(profile.run)}")
    print("time of the stages, µs a settlement, waiting for PostgreSQL included:")
    for name, seconds in profile.stages.items():
        print(f"  {name:10} {seconds / profile.settled * _MICRO:7.0f}")


def _statements(admin: "psycopg.Connection[tuple[object, ...]]", settled: int) -> None:
    print("PostgreSQL, execution µs a settlement, calls, bytes of log a settlement, statement:")
    rows = admin.execute(_STATEMENTS, [embedded.DATABASE, _ROWS]).fetchall()
    for calls, total_ms, wal_bytes, query in rows:
        micros, wal = float(str(total_ms)) * 1e3 / settled, float(str(wal_bytes)) / settled
        print(f"  {micros:6.1f} {calls!s:>6} {wal:6.0f}  {query}")


if __name__ == "__main__":
    sys.exit(main())
