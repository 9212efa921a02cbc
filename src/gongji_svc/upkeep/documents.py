"""Removes documents that were uploaded and never attached to a binding.

Rule: an application has a day to take up what was uploaded for it. Any number of processes may do
this at once; what another one, or an application, holds just now is left to the next time.
"""

from datetime import timedelta

from gongji_svc.services.office import Office
from gongji_svc.storage.documents import remove_unattached
from gongji_svc.upkeep.removal import remove_old

_KEPT = timedelta(days=1)
_DOCUMENTS_A_STEP = 50


def remove_old_documents(office: Office) -> int:
    """Remove, in small transactions, what nobody attached within a day; how many documents."""
    return remove_old(office, remove_unattached, _KEPT, _DOCUMENTS_A_STEP)
