"""What every service works with: the database, the rules, the keys and the clock."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.errors import PolicyNotInForce, Refusal, RegionNotServed
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.rulebook import Rulebook
from gongji_svc.engine import Answered, Command, Engine, Outcome
from gongji_svc.services.buckets import Buckets
from gongji_svc.services.tax_endpoint import TaxEndpoint
from gongji_svc.storage.database import Database
from gongji_svc.storage.sealing import Sealer


@dataclass(slots=True)
class Office:
    """Shared by all calls of one process. Only tests and the demo move the clock."""

    database: Database
    rulebook: Rulebook
    sealer: Sealer
    clock_offset: timedelta = timedelta()
    seal_file: Path | None = None  # where sealed blocks are told; None: nowhere
    tax: TaxEndpoint | None = None  # where premiums are told; None: they wait
    previews: Buckets = field(default_factory=lambda: Buckets(0, 0))  # of a patient; no limit
    _engines: queue.SimpleQueue[Engine] = field(default_factory=queue.SimpleQueue)

    def now(self) -> datetime:
        """This process's clock, for what no lock protects."""
        return datetime.now(UTC) + self.clock_offset

    def today(self) -> date:
        """Today in Asia/Shanghai."""
        return day_of(self.now())

    def policy(self, region: str, day: date) -> Policy:
        """The rules of a region on a day; RegionNotServed where it has none, PolicyNotInForce
        before its first block.
        """
        return self.rulebook.on(region, day)

    def premium_policy(self, region: str, day: date) -> Policy:
        """The rules of a region's premiums on a day: the province's window may open before the
        region has rules of its own (HOH-24).
        """
        return self.rulebook.on_or_above(region, day)

    def find_policy(self, region: str, day: date) -> Policy | None:
        """The rules of a region on a day, None where none hold."""
        try:
            return self.rulebook.on(region, day)
        except (PolicyNotInForce, RegionNotServed):
            return None

    def preview(self, command: Command) -> Outcome:
        """What the engine would answer now; writes nothing."""
        with self._engine() as engine:
            return engine.preview(command)

    def run(self, command: Command) -> Answered:
        """Decide and record one command in this process; raises its refusal, or what broke it."""
        with self._engine() as engine:
            outcome = engine.run([command])[0]
        if isinstance(outcome, Answered):
            return outcome
        raise outcome if isinstance(outcome, Refusal) else outcome.cause

    def close(self) -> None:
        """Close every connection that looked."""
        while not self._engines.empty():
            self._engines.get().close()

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        try:
            engine = self._engines.get_nowait()
        except queue.Empty:
            engine = Engine(self.database, self.clock_offset)
        try:
            yield engine
        finally:
            self._engines.put(engine)
