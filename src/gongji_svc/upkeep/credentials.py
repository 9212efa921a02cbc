"""Removes what is kept of one-time codes that have long stopped being good.

Rule: a code is good for minutes; a day later nobody asks for it any more. Any number of processes
may do this at once.
"""

from datetime import timedelta

from gongji_svc.services.office import Office
from gongji_svc.storage.credentials import remove_uses

_KEPT = timedelta(days=1)
_USES_A_STEP = 1000


def remove_old_codes(office: Office) -> int:
    """Remove, in small transactions, what was good until a day ago; how many codes."""
    before = office.now() - _KEPT
    removed, step = 0, _USES_A_STEP
    while step == _USES_A_STEP:
        with office.database.transaction() as tx:
            step = remove_uses(tx, before, _USES_A_STEP)
        removed += step
    return removed
