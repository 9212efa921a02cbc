"""What a writer tells of its batches: to its log, to the traces, and to its front, which counts.

Rule: a batch is told once, when it is durable, ahead of its answers: who has an answer finds its
batch counted. The line names the traces of the calls in the batch, so that a call is followed into
its batch by one id. A batch that was split is told in its parts. An attempt that failed is counted
as a failure and no batch; but how long it waited counts as any other wait.
"""

import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import structlog

from gongji_svc.signals import trace
from gongji_svc.signals.catalogue import Figure
from gongji_svc.signals.tally import SIZES, Histogram

if TYPE_CHECKING:
    from gongji_svc.signals.spans import Spans

_FIGURES = struct.Struct("!I4d")
_NANO = 1e-9
_LOCKING = ("claim", "people", "accounts")
_WRITING = ("record", "commit")
_STAGES = ("look-up", *_LOCKING, "decide", *_WRITING)


@dataclass(slots=True)
class Stages:
    """The stages of one attempt at a batch: each with when it ended, in Unix nanoseconds."""

    commands: int
    began_ns: int = field(default_factory=time.time_ns)
    ended_ns: list[tuple[str, int]] = field(default_factory=list)
    failed: bool = False

    def end(self, stage: str) -> None:
        """A stage has come to its end."""
        self.ended_ns.append((stage, time.time_ns()))

    def fail(self) -> None:
        """The attempt has failed, in the stage that was under way."""
        self.end(_STAGES[len(self.ended_ns)])
        self.failed = True

    def spans(self) -> Iterator[tuple[str, int, int]]:
        """The stages with when they began and ended."""
        began_ns = self.began_ns
        for stage, ended_ns in self.ended_ns:
            yield stage, began_ns, ended_ns
            began_ns = ended_ns

    @property
    def last_ns(self) -> int:
        """When the last one ended."""
        return self.ended_ns[-1][1] if self.ended_ns else self.began_ns

    def seconds(self, *stages: str) -> float:
        """How long some of them took in all; a clock that is set back makes none shorter than 0."""
        spans = self.spans()
        return sum(max(0, end - begin) for name, begin, end in spans if name in stages) * _NANO


@dataclass(frozen=True, slots=True)
class Figures:
    """A batch in figures, as they go to the front; no commands: an attempt that failed, of which
    only the waits are told, and no wait that it did not come to.
    """

    commands: int
    waited_seconds: float = 0.0
    locking_seconds: float = 0.0
    writing_seconds: float = 0.0
    lasted_seconds: float = 0.0

    def dump(self) -> bytes:
        """The figures as bytes."""
        return _FIGURES.pack(
            self.commands,
            self.waited_seconds,
            self.locking_seconds,
            self.writing_seconds,
            self.lasted_seconds,
        )

    @classmethod
    def load(cls, body: bytes) -> Self:
        """The figures from their bytes."""
        return cls(*_FIGURES.unpack(body))


class Batches:
    """The writer's side; `spans` where traces are on."""

    def __init__(self, spans: "Spans | None" = None) -> None:
        self._spans = spans
        self._log = structlog.get_logger().bind()
        self._done: list[Stages] = []
        self._number = 0

    def note(self, attempt: Stages) -> None:
        """The engine has committed an attempt, or it failed."""
        self._done.append(attempt)

    def tell(self, calls: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Tell of what was noted since the last time; the figures that go to the front.

        `calls`: of each call in the batch its trace's context, and when it came (Unix nanoseconds),
        in their order.
        """
        done, self._done = self._done, []
        self._number += 1
        told = []
        for attempt in done:
            lasted_ns = max(0, attempt.last_ns - attempt.began_ns)
            figures = Figures(
                0 if attempt.failed else attempt.commands,
                max(0, attempt.began_ns - calls[0][1]) * _NANO,
                attempt.seconds(*_LOCKING),
                attempt.seconds(*_WRITING),
                lasted_ns * _NANO,
            )
            told.append(figures.dump())
            if attempt.failed:
                continue
            self._line(figures, calls)
            if self._spans is not None:
                self._spans.of_batch(self._number, attempt, calls)
        return told

    def _line(self, figures: Figures, calls: Sequence[tuple[bytes, int]]) -> None:
        self._log.info(
            "batch",
            batch=self._number,
            size=figures.commands,
            seconds=round(figures.lasted_seconds, 6),
            waited=round(figures.waited_seconds, 6),
            traces=[trace.trace_id(context) for context, _ in calls],
        )


class HeardBatches:
    """The front's side: counts what its writers tell."""

    def __init__(self) -> None:
        self._failures = 0
        self._size = Histogram(SIZES)
        self._lasted, self._waited = Histogram(), Histogram()
        self._locking, self._writing = Histogram(), Histogram()

    def hear(self, body: bytes) -> None:
        """The writer tells of one batch."""
        figures = Figures.load(body)
        self._waited.observe(figures.waited_seconds)
        if not figures.commands:
            self._failures += 1
            if figures.locking_seconds:
                self._locking.observe(figures.locking_seconds)
            if figures.writing_seconds:
                self._writing.observe(figures.writing_seconds)
            return
        self._size.observe(figures.commands)
        self._lasted.observe(figures.lasted_seconds)
        self._locking.observe(figures.locking_seconds)
        self._writing.observe(figures.writing_seconds)

    def __iter__(self) -> Iterator[Figure]:
        """The figures as they are just now."""
        yield "gongji_batch_size", {(): self._size}
        yield "gongji_batch_duration_seconds", {(): self._lasted}
        yield "gongji_batch_failures_total", {(): self._failures}
        yield "gongji_queue_wait_seconds", {(): self._waited}
        yield "gongji_lock_wait_seconds", {(): self._locking}
        yield "gongji_commit_seconds", {(): self._writing}
