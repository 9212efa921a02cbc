"""The engine: group commit. Gather under lock, decide purely, record.

Rules: a command that moves money, or changes who may move it, waits for a batch; a batch takes its
locks once, decides its commands in the order they came, writes once and commits once, and only then
answers. A refusal is a value: one bad command never aborts its neighbours. A batch that fails is
tried again, and when it fails again it is split until the command that breaks it stands alone. The
engine does not know on which side of a pipe it runs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Protocol

import psycopg
import structlog

from gongji_svc.domain.errors import (
    DeadlinePassed,
    Refusal,
    RequestIdCancelled,
    RequestIdReused,
    ServiceUnavailable,
    Violation,
)
from gongji_svc.signals.batches import Stages
from gongji_svc.storage import claims, ledger
from gongji_svc.storage.database import Database, DatabaseUnavailable
from gongji_svc.storage.holds import expiry
from gongji_svc.storage.state import (
    Claim,
    ClaimKey,
    Decision,
    Keys,
    Lookups,
    State,
    Taken,
    Wanted,
)
from gongji_svc.storage.statements import Tx

_log = structlog.get_logger()

_SET_LOOK_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_RETRY_AFTER_SECONDS = 1.0


class Command(Protocol):
    """Something that moves money or changes who may move it.

    `lookups`, `keys` and `discover` say what to gather, each from what was gathered before;
    `decide` is pure. All but `lookups` may raise a Refusal; what one of `decide` records is written
    although the call is refused.
    """

    @property
    def deadline(self) -> float:
        """Unix seconds; a command whose batch begins later is refused, a repeat is answered."""

    def lookups(self) -> Lookups:
        """What the request names from outside: institutions, certificates, cards, accounts."""

    def keys(self, state: State) -> Keys:
        """The idempotency key, and the people to lock; asked again, once it is known what has
        become of the request that this one is about.
        """

    def discover(self, state: State) -> Wanted:
        """The accounts to lock, and what else to read."""

    def decide(self, state: State) -> Decision:
        """What happens, given everything gathered; `state.now` is the database's clock."""

    def field_name(self, number: int) -> str:
        """The contract's name of a field of the request."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer's bytes; `replayed` when the same request was answered before."""

    answer: bytes
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """The command broke: nothing of it was written; the cause is logged and shown to nobody."""

    cause: BaseException


Outcome = Answered | Refusal | Fault


@dataclass(slots=True)
class _Job:
    """A command on its way through one batch."""

    command: Command
    keys: Keys = field(default_factory=Keys)
    wanted: Wanted = field(default_factory=Wanted)
    outcome: Outcome | None = None

    def ask_keys(self, state: State) -> None:
        self.keys = self.command.keys(state)

    def ask_wanted(self, state: State) -> None:
        self.wanted = self.command.discover(state)

    def step(self, take: Callable[[], None]) -> None:
        """One step of the command; a refusal or a fault of its own ends it, and nobody else."""
        try:
            take()
        except Refusal as refusal:
            self.outcome = refusal
        except Exception as cause:  # noqa: BLE001 - whatever it is, it must not break the batch
            _log.error("a command failed", command=type(self.command).__name__, exc_info=cause)
            self.outcome = Fault(cause)


class _Batch:
    """Commands that share locks, a clock reading and a commit."""

    def __init__(
        self, tx: Tx, commands: Sequence[Command], stages: Stages, *, by_region: bool
    ) -> None:
        self._tx = tx
        self._by_region = by_region
        self._state = State()
        self._answered: dict[ClaimKey, Taken] = {}
        self._decided: list[Decision] = []
        self._began = time.time()
        self.jobs = [_Job(command) for command in commands]
        self.stages = stages

    def gather(self, clock_offset: timedelta, *, lock: bool) -> None:
        """Read and lock, stage by stage: request keys, people, accounts; then the clock.

        What is held of these accounts and due by then is free before any command decides.
        """
        tx, state, by_region = self._tx, self._state, self._by_region
        lookups = [job.command.lookups() for job in self._alive()]
        ledger.look_up(tx, state, lookups, by_region=by_region)
        self.stages.end("look-up")
        for job in self._alive():
            job.step(partial(job.ask_keys, state))
        claims.claim(tx, state, self._claimed(), by_region=by_region)
        self._refuse_the_late()
        self._follow_originals()
        self.stages.end("claim")
        keys = [job.keys for job in self._deciding()]
        ledger.lock_persons(tx, state, keys, by_region=by_region, lock=lock)
        self.stages.end("people")
        for job in self._deciding():
            job.step(partial(job.ask_wanted, state))
        wanted = [job.wanted for job in self._deciding()]
        ledger.lock_accounts(tx, state, wanted, by_region=by_region, lock=lock)
        state.now += clock_offset
        ledger.read_holds(tx, state, by_region=by_region)
        self.stages.end("accounts")
        expired = expiry(state)
        if expired is not None:
            self._take(expired)

    def decide(self) -> None:
        """Decide in the order of arrival; a later command sees an earlier one's effect."""
        for job in self._alive():
            claim = job.keys.claim
            known = None if claim is None else self._state.requests.get(claim.key)
            if claim is not None and known is not None:
                job.outcome = repeated(job.command.field_name, claim, known)
            else:
                job.step(partial(self._conclude, job))

    def record(self) -> None:
        """Write what was decided, and free the request keys of refusals."""
        ledger.record(
            self._tx,
            self._state,
            self._decided,
            self._answered,
            self._claimed() - self._state.requests.keys(),
            by_region=self._by_region,
        )

    def _claimed(self) -> set[ClaimKey]:
        """The keys of all requests, and of those that requests are about."""
        own = {job.keys.claim.key for job in self.jobs if job.keys.claim}
        return own.union(job.keys.original for job in self.jobs if job.keys.original)

    def _refuse_the_late(self) -> None:
        """Who comes too late is refused, but not what was answered before: the first attempt at
        this batch may have been recorded although its commit was never heard of.
        """
        for job in self._deciding():
            if job.command.deadline < self._began:
                job.outcome = DeadlinePassed()

    def _follow_originals(self) -> None:
        """Who is about a request that was made before says anew whom to lock, knowing what came of
        it.
        """
        state = self._state
        asking = [job for job in self._deciding() if job.keys.original in state.requests]
        originals = [state.requests[key] for job in asking if (key := job.keys.original)]
        made = [original.result_id for original in originals if original.result_id]
        ledger.find_settled(self._tx, state, made, by_region=self._by_region)
        for job in asking:
            job.step(partial(job.ask_keys, state))

    def _alive(self) -> list[_Job]:
        return [job for job in self.jobs if job.outcome is None]

    def _deciding(self) -> list[_Job]:
        """The jobs still to be decided: those whose request was not answered before."""
        return [
            job
            for job in self._alive()
            if job.keys.claim is None or job.keys.claim.key not in self._state.requests
        ]

    def _conclude(self, job: _Job) -> None:
        try:
            decision = job.command.decide(self._state)
        except Refusal as refusal:
            if refusal.records:
                self._take(Decision(b"", replaced=refusal.records))
            raise
        self._take(decision)
        self._answer(job.keys, decision)
        job.outcome = Answered(decision.answer)

    def _answer(self, keys: Keys, decision: Decision) -> None:
        """Note the answer, and that an original which nobody has made by now never will be."""
        claim = keys.claim
        if claim is None:
            return
        kept = decision.kept or decision.answer
        taken = Taken(claim.method, claim.content, kept, decision.result_id)
        self._answered[claim.key] = self._state.requests[claim.key] = taken
        if keys.original is not None and keys.original not in self._state.requests:
            blocked = Taken(claim.method, {}, answer=None)
            self._answered[keys.original] = self._state.requests[keys.original] = blocked

    def _take(self, decision: Decision) -> None:
        self._state.apply(decision)
        self._decided.append(decision)


def repeated(field_name: Callable[[int], str], claim: Claim, taken: Taken) -> Answered | Refusal:
    """The first answer to the same request again; a refusal when it is another, or blocked."""
    if taken.answer is None:
        return RequestIdCancelled()
    if claim.method != taken.method:
        return RequestIdReused(fields="method")
    numbers = claim.content.keys() | taken.content.keys()
    differing = [
        field_name(number)
        for number in sorted(numbers)
        if claim.content.get(number) != taken.content.get(number)
    ]
    if differing:
        return RequestIdReused(
            fields=", ".join(differing),
            violations=[Violation(name, "与该请求编号首次提交的内容不同") for name in differing],
        )
    return Answered(taken.answer, replayed=True)


class Engine:
    """Runs batches of commands on a connection of its own; used by one thread."""

    def __init__(
        self,
        database: Database,
        clock_offset: timedelta = timedelta(),
        *,
        by_region: bool | None = None,
        note: Callable[[Stages], None] = lambda _: None,
    ) -> None:
        """`clock_offset` is added to the database's clock; only tests and the demo set it.

        `by_region`: whether a statement goes out once a region; None: as the database needs it.
        `note` hears of each attempt at a batch, also of one that failed: its stages.
        """
        self._database = database
        self._clock_offset = clock_offset
        self._wanted_by_region = by_region
        self._note = note
        self._connection: Tx | None = None
        self._by_region = False

    def run(self, commands: Sequence[Command]) -> list[Outcome]:
        """Decide `commands` in order and record them durably; an outcome each, in that order."""
        try:
            return self._attempt(commands)
        except psycopg.errors.LockNotAvailable as held:
            _log.warning("waited too long for a lock", size=len(commands), error=repr(held))
        except Exception as first:  # noqa: BLE001 - whatever it is, the second attempt tells
            _log.warning("a batch failed and is tried again", size=len(commands), error=repr(first))
        try:
            return self._attempt(commands)
        except psycopg.errors.LockNotAvailable as held:
            _log.error("waited too long for a lock", size=len(commands), error=repr(held))
            return [_unavailable() for _ in commands]
        except (psycopg.OperationalError, DatabaseUnavailable) as away:
            _log.error("the database is away", error=repr(away))
            return [_unavailable() for _ in commands]
        except Exception as broken:  # noqa: BLE001 - it must not end the writer
            if len(commands) == 1:
                _log.error("a command breaks its batch", exc_info=broken)
                return [Fault(broken)]
        half = len(commands) // 2
        return [*self.run(commands[:half]), *self.run(commands[half:])]

    def preview(self, command: Command) -> Outcome:
        """What `run` would answer now; locks nothing and writes nothing."""
        try:
            tx = self._open()
            with tx.transaction():
                tx.execute(_SET_LOOK_ONLY)
                batch = _Batch(tx, [command], Stages(1), by_region=self._by_region)
                batch.gather(self._clock_offset, lock=False)
        except (psycopg.OperationalError, DatabaseUnavailable):
            return _unavailable()
        batch.decide()
        return _settled(batch.jobs[0])

    def close(self) -> None:
        """Close the connection; the next batch opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Tx:
        if self._connection is None or self._connection.closed:
            self._connection, self._by_region = ledger.open_prepared(
                self._database, self._wanted_by_region
            )
        return self._connection

    def _attempt(self, commands: Sequence[Command]) -> list[Outcome]:
        stages = Stages(len(commands))
        try:
            tx = self._open()
            # On leaving, the transaction commits and the pipeline waits for the server's word.
            with tx.pipeline(), tx.transaction():
                batch = _Batch(tx, commands, stages, by_region=self._by_region)
                batch.gather(self._clock_offset, lock=True)
                batch.decide()
                stages.end("decide")
                batch.record()
                stages.end("record")
            stages.end("commit")
        except Exception:
            stages.fail()
            raise
        finally:
            self._note(stages)
        return [_settled(job) for job in batch.jobs]


def _settled(job: _Job) -> Outcome:
    return job.outcome or Fault(RuntimeError("a command left its batch undecided"))


def _unavailable() -> Refusal:
    return ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS)
