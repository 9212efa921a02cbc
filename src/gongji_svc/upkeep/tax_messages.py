"""Looks after what the tax authority was told: what it never answered, what it answered long ago.

Rule: a premium whose answer is overdue is told again once a day, under the key it was told by, so
who has it still does nothing and who lost it collects. Any number of processes may do this at once.
"""

from datetime import timedelta

from gongji_svc.domain.calendar import day_of
from gongji_svc.services.office import Office
from gongji_svc.storage.tax_outbox import make_overdue_due, remove_answered
from gongji_svc.upkeep.removal import remove_old

_AGAIN_AFTER = timedelta(days=1)
_KEPT = timedelta(days=180)
_MESSAGES_A_STEP = 1000


def tell_overdue_again(office: Office) -> int:
    """Have premiums told again that were told a day ago and not answered in time; how many."""
    if office.tax is None:
        return 0
    now = office.now()
    with office.database.transaction() as tx:
        return make_overdue_due(tx, day_of(now), now - _AGAIN_AFTER, now, _MESSAGES_A_STEP)


def remove_old_tax_messages(office: Office) -> int:
    """Remove, in small transactions, what was told half a year ago of payments that are answered;
    how many messages.
    """
    return remove_old(office, remove_answered, _KEPT, _MESSAGES_A_STEP)
