"""Looks at the bindings of people whose day has come, and notes when to look again.

Rule: whoever holds the rows of a person (`storage/binding_checks.py`) looks at all that the person
gives and takes, and leaves one row for the next look; what asks for a look meanwhile keeps its own
row. Another look changes nothing, so dying before the rows are gone loses and repeats nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta
from uuid import UUID

from gongji_svc.domain.errors import Refusal
from gongji_svc.engine import Answered, Engine
from gongji_svc.services.binding_changes import check_row
from gongji_svc.services.binding_checking import CheckBinding, next_look
from gongji_svc.services.office import Office
from gongji_svc.storage.binding_checks import due_regions, living_bindings, put_back, take_due
from gongji_svc.storage.statements import Row

_ROWS_READ = 1000
_ROWS_TAKEN = 50
_BATCH = 32  # a till waits for as long as one batch holds its patient
_A_DAY = timedelta(days=1)


def check_bindings(office: Office) -> int:
    """Look at the bindings of some people of one region, those that are due and nobody else is
    looking at; how many people.
    """
    today = office.today()
    with office.database.reader() as tx:
        regions = due_regions(tx, today, _ROWS_READ)
    for region in regions:
        if looked := _check_region(office, region, today):
            return looked
    return 0


def _check_region(office: Office, region: str, today: date) -> int:
    with office.database.transaction() as tx:
        taken = take_due(tx, region, today, _ROWS_TAKEN)
        if taken.people:
            living = living_bindings(tx, taken)
            next_days = _look_at(office, {b for theirs in living.values() for b in theirs}, today)
            put_back(tx, taken, list(_next_rows(living, next_days)))
    return len(taken.people)


def _look_at(office: Office, binding_ids: Iterable[UUID], today: date) -> dict[UUID, date]:
    """Judge each binding; the day of the next look at it, for those that live on."""
    looks = [CheckBinding(office, binding_id) for binding_id in sorted(binding_ids)]
    found: dict[UUID, date] = {}
    with closing(Engine(office.database, office.clock_offset)) as engine:
        for start in range(0, len(looks), _BATCH):
            found |= _next_days(engine, looks[start : start + _BATCH], today)
    return found


def _next_days(engine: Engine, looks: Sequence[CheckBinding], today: date) -> dict[UUID, date]:
    found: dict[UUID, date] = {}
    for look, outcome in zip(looks, engine.run(looks), strict=True):
        if isinstance(outcome, Refusal):
            raise outcome  # the database is away: every row stays
        # What broke is in the log and is tried tomorrow, so that it holds nobody up.
        day = next_look(outcome.answer) if isinstance(outcome, Answered) else today + _A_DAY
        if day is not None:
            found[look.binding_id] = day
    return found


def _next_rows(
    living: Mapping[UUID, Sequence[UUID]], next_days: Mapping[UUID, date]
) -> Iterator[Row]:
    """A row a person, for the first of the days; none for whom nothing is left to look at."""
    for person_id, binding_ids in living.items():
        days = [next_days[found] for found in binding_ids if found in next_days]
        if days:
            _, row = check_row(person_id, min(days))
            yield row
