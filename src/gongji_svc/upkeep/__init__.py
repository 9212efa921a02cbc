"""The work that comes due by itself, and the loop that does it.

Rule: a job does some of what is due and says how much, 0 when nothing is; any number of processes
may run it at once. A job that fails is tried again later, at growing pauses, and stops no other.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from gongji_svc.services.binding_checking import JOB
from gongji_svc.services.office import Office
from gongji_svc.signals.catalogue import Figure
from gongji_svc.signals.jobs import Heartbeats
from gongji_svc.storage.audit_result import result_beside
from gongji_svc.upkeep.bindings import check_bindings
from gongji_svc.upkeep.clearing_days import sum_days
from gongji_svc.upkeep.credentials import remove_old_codes
from gongji_svc.upkeep.documents import remove_old_documents
from gongji_svc.upkeep.holds import expire_holds
from gongji_svc.upkeep.measuring import Measuring
from gongji_svc.upkeep.risks import find_risks
from gongji_svc.upkeep.seals import seal_entries, tell_seals
from gongji_svc.upkeep.tax import send_premiums
from gongji_svc.upkeep.tax_messages import remove_old_tax_messages, tell_overdue_again
from gongji_svc.upkeep.windows import JOB as CLOSE_WINDOWS
from gongji_svc.upkeep.windows import close_windows
from gongji_svc.upkeep.year_end import move_year_end

_log = structlog.get_logger()

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done again and again; it rests when nothing is due."""

    name: str
    do_some: Callable[[Office], int]
    rest_seconds: float
    waits_for_others: bool = False  # so that it must hold up no other job


JOBS = (
    Job(JOB, check_bindings, rest_seconds=1.0),
    Job("expire-holds", expire_holds, rest_seconds=1.0),
    Job("seal-entries", seal_entries, rest_seconds=1.0),
    Job("find-risks", find_risks, rest_seconds=5.0),
    Job("remove-old-documents", remove_old_documents, rest_seconds=300.0),
    Job("remove-old-codes", remove_old_codes, rest_seconds=300.0),
    Job("move-year-end", move_year_end, rest_seconds=300.0),
    Job("remove-old-tax-messages", remove_old_tax_messages, rest_seconds=3600.0),
    Job("tell-overdue-premiums-again", tell_overdue_again, rest_seconds=60.0),
    Job("sum-days", sum_days, rest_seconds=60.0),
    Job(CLOSE_WINDOWS, close_windows, rest_seconds=300.0),
    Job("tell-seals", tell_seals, rest_seconds=10.0),
    Job("send-premiums", send_premiums, rest_seconds=1.0, waits_for_others=True),
)


@dataclass(frozen=True, slots=True)
class Signals:
    """What the loops tell of themselves and of the database."""

    beats: Heartbeats
    measuring: Measuring

    def __iter__(self) -> Iterator[Figure]:
        """The figures as they are just now."""
        yield from self.beats
        yield from self.measuring

    def ails(self) -> str:
        """What is wrong; empty while every job has its turns."""
        late = self.beats.late()
        return f"no turn for long: {', '.join(late)}" if late else ""


@dataclass(slots=True)
class _Turn:
    """A job with the time of its next turn, in seconds of the monotonic clock."""

    job: Job
    beats: Heartbeats
    at_seconds: float = 0.0
    pause_seconds: float = _FIRST_PAUSE_SECONDS  # after the next failure

    def take(self, office: Office) -> None:
        """Do some of the job, and say when to go on."""
        try:
            done = self.job.do_some(office)
        except Exception as cause:  # noqa: BLE001 - whatever it is, the other jobs go on
            _log.error("a job failed", job=self.job.name, exc_info=cause)
            self.beats.failed(self.job.name)
            rest_seconds = self.pause_seconds
            self.pause_seconds = min(2 * rest_seconds, _LONGEST_PAUSE_SECONDS)
        else:
            self.beats.succeeded(self.job.name, done)
            if done:
                _log.info("a job was done", job=self.job.name, done=done)
            rest_seconds = 0.0 if done else self.job.rest_seconds
            self.pause_seconds = _FIRST_PAUSE_SECONDS
        self.at_seconds = time.monotonic() + rest_seconds


def work(
    office: Office,
    stopping: threading.Event,
    jobs: Sequence[Job] = JOBS,
    beats: Heartbeats | None = None,
) -> None:
    """Do what comes due, job after job, until told to stop; `beats` hears of every turn."""
    beats = beats or Heartbeats()
    for job in jobs:
        beats.expect(job.name, job.rest_seconds)
    turns = [_Turn(job, beats) for job in jobs]
    while not stopping.is_set():
        for turn in turns:
            if turn.at_seconds <= time.monotonic() and not stopping.is_set():
                turn.take(office)
        stopping.wait(max(0.0, min(turn.at_seconds for turn in turns) - time.monotonic()))


def work_once(office: Office, jobs: Sequence[Job] = JOBS) -> dict[str, int]:
    """Do all that is due now; how much it was, by job. What fails is raised."""
    done = {job.name: 0 for job in jobs}
    for job in jobs:
        while some := job.do_some(office):
            done[job.name] += some
    return done


@contextmanager
def working(office: Office) -> Iterator[Signals]:
    """The loop in a thread until the end of the block, one in another thread for the jobs that wait
    for others, and one for what measures: no job keeps the figures from being true.
    """
    stopping = threading.Event()
    file = office.seal_file
    signals = Signals(Heartbeats(), Measuring(None if file is None else result_beside(file)))
    shares = [[job for job in JOBS if job.waits_for_others is waits] for waits in (False, True)]
    shares.append([Job("measure", signals.measuring.measure, rest_seconds=60.0)])
    threads = [
        threading.Thread(target=work, args=(office, stopping, jobs, signals.beats), name="upkeep")
        for jobs in shares
    ]
    for thread in threads:
        thread.start()
    try:
        yield signals
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
