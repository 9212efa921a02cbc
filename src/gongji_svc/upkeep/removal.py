"""Removes what nobody asks for any more, in small transactions, so that nobody waits for it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from gongji_svc.services.office import Office

Remove = Callable[[Any, datetime, int], int]
"""In a transaction, removes at most so many of what is older than a moment; how many."""


def remove_old(office: Office, remove: Remove, kept: timedelta, a_step: int) -> int:
    """Remove all that is older than `kept`, `a_step` a transaction; how many."""
    before = office.now() - kept
    removed, step = 0, a_step
    while step == a_step:
        with office.database.transaction() as tx:
            step = remove(tx, before, a_step)
        removed += step
    return removed
