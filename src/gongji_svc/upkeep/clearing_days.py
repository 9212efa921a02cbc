"""Ends the days that are over and sums them, so that clearing reads few rows however long a window.

Rule: each day is ended and summed once, by whoever comes first; who finds another at it rests. What
is not summed yet is read from the books themselves: this only makes it quick.
"""

from gongji_svc.services.office import Office
from gongji_svc.storage.clearing_days import days_ended, end_days, sum_next_day


def sum_days(office: Office) -> int:
    """Sum one day, when one is over that has no sums; how many."""
    with office.database.reader() as tx:
        _, ended = days_ended(tx, office.clock_offset)
    if not ended:
        end_days(office.database, office.clock_offset)
    with office.database.transaction() as tx:
        return 0 if sum_next_day(tx) is None else 1
