"""The heartbeat of each job of `gongji work`: when it last had a turn, and what came of it.

Rule: a job that fails is alive, for it is tried again and its failures are counted; a job that has
no turn any more is not, whatever the reason.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gongji_svc.signals.catalogue import Figure, Labels

# A turn waits for the other jobs of its loop, and for the longest pause after failures.
_GRACE_SECONDS = 600.0
_ROUNDS = 3


@dataclass(slots=True)
class _Beat:
    """One job's; seconds of the Unix clock, and of the monotonic one."""

    rest_seconds: float
    turn_at: float = field(default_factory=time.monotonic)
    succeeded_at: float = 0.0
    done: int = 0
    failures: int = 0


class Heartbeats:
    """Those of all jobs of a process."""

    def __init__(self) -> None:
        self._beats: dict[str, _Beat] = {}

    def expect(self, job: str, rest_seconds: float) -> None:
        """From now on the job has its turns, with such a rest between them."""
        self._beats[job] = _Beat(rest_seconds)

    def succeeded(self, job: str, done: int) -> None:
        """A turn went well."""
        beat = self._beats[job]
        beat.turn_at, beat.succeeded_at = time.monotonic(), time.time()
        beat.done += done

    def failed(self, job: str) -> None:
        """A turn failed."""
        beat = self._beats[job]
        beat.turn_at = time.monotonic()
        beat.failures += 1

    def late(self, now: float | None = None) -> list[str]:
        """The jobs that have had no turn for too long; `now` in seconds of the monotonic clock."""
        now = time.monotonic() if now is None else now
        return [
            job
            for job, beat in list(self._beats.items())
            if now - beat.turn_at > _ROUNDS * beat.rest_seconds + _GRACE_SECONDS
        ]

    def __iter__(self) -> Iterator[Figure]:
        """The figures as they are just now."""
        beats = list(self._beats.items())
        went_well: Mapping[Labels, float] = {
            (job,): beat.succeeded_at for job, beat in beats if beat.succeeded_at
        }
        yield "gongji_job_last_success_timestamp_seconds", went_well
        yield "gongji_job_rows_total", {(job,): beat.done for job, beat in beats}
        yield "gongji_job_failures_total", {(job,): beat.failures for job, beat in beats}
