"""Removes documents that were uploaded and never attached to a binding.

Rule: an application has a day to take up what was uploaded for it. Any number of processes may do
this at once; what another one, or an application, holds just now is left to the next time.
"""

from datetime import timedelta

from gongji_svc.services.office import Office
from gongji_svc.storage.documents import remove_unattached

_KEPT = timedelta(days=1)
_DOCUMENTS_A_STEP = 50


def remove_old_documents(office: Office) -> int:
    """Remove, in small transactions, what nobody attached within a day; how many documents."""
    before = office.now() - _KEPT
    removed, step = 0, _DOCUMENTS_A_STEP
    while step == _DOCUMENTS_A_STEP:
        with office.database.transaction() as tx:
            step = remove_unattached(tx, before, _DOCUMENTS_A_STEP)
        removed += step
    return removed
