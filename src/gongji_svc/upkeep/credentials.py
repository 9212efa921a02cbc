"""Removes what is kept of one-time codes that have long stopped being good.

Rule: a code is good for minutes; a day later nobody asks for it any more. Any number of processes
may do this at once.
"""

from datetime import timedelta

from gongji_svc.services.office import Office
from gongji_svc.storage.credentials import remove_uses
from gongji_svc.upkeep.removal import remove_old

_KEPT = timedelta(days=1)
_USES_A_STEP = 1000


def remove_old_codes(office: Office) -> int:
    """Remove, in small transactions, what was good until a day ago; how many codes."""
    return remove_old(office, remove_uses, _KEPT, _USES_A_STEP)
