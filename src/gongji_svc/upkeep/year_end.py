"""Moves what is left of 当年 to 历年 after the turn of a year, where a region's rules say so.

Rule: region by region in the order of people, some at a time; each claim says where the next one
begins, so any number may do this at once, nobody is moved twice, and a region that is done costs
one look. Who finds others at work on a region goes on to the next.
"""

from contextlib import closing
from datetime import date

from gongji_svc.domain.calendar import start_of
from gongji_svc.domain.errors import ConcurrentChange, Refusal
from gongji_svc.engine import Answered, Engine, Fault
from gongji_svc.services.office import Office
from gongji_svc.services.year_ending import MoveYearEnd, OpenPastYears, year_end_caller
from gongji_svc.storage.year_end import home_regions, left_of_years_before, next_after

_PEOPLE_A_CHUNK = 32  # a till waits for as long as one batch holds its patient
_CHUNKS_A_TURN = 50


def move_year_end(office: Office) -> int:
    """Move what some people of one region have left of the years before this one; how many people
    were looked at.
    """
    turn = date(office.today().year, 1, 1)
    policies = (office.find_policy(region, turn) for region in office.rulebook.regions)
    if not any(policy is not None and policy.year_end_move for policy in policies):
        return 0
    with closing(Engine(office.database, office.clock_offset)) as engine:
        for region in home_regions(office.database):
            if looked := _move_region(office, engine, region, turn):
                return looked
    return 0


def _move_region(office: Office, engine: Engine, region: str, turn: date) -> int:
    looked = 0
    for _ in range(_CHUNKS_A_TURN):
        moved = _move_chunk(office, engine, region, turn)
        if moved is None:
            break
        looked += moved
    return looked


def _move_chunk(office: Office, engine: Engine, region: str, turn: date) -> int | None:
    """Move the next people; how many, 0 when somebody else or another change was faster, None when
    the region is done.
    """
    with office.database.reader() as tx:
        after = next_after(tx, region, year_end_caller(turn))
        if after is None:
            return None
        left = left_of_years_before(tx, region, after, start_of(turn), _PEOPLE_A_CHUNK)
    is_last = len(left) < _PEOPLE_A_CHUNK
    opening = OpenPastYears(office, region, turn, left)
    moving = MoveYearEnd(office, region, turn, left, after=after, is_last=is_last)
    outcomes = engine.run([opening, moving])
    for outcome in outcomes:
        if isinstance(outcome, Fault):
            raise outcome.cause
        if isinstance(outcome, Refusal) and not isinstance(outcome, ConcurrentChange):
            raise outcome
    done = outcomes[-1]
    return len(left) if isinstance(done, Answered) and not done.replayed else 0
