"""Whose accounts a caller may look at.

Rule: an account is seen by its owner and the owner's guardians, by the staff of the owner's regions
and by those of the region in whose books it stands; to everybody else it does not exist.
"""

from collections.abc import Sequence
from uuid import UUID

from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.office import Office
from gongji_svc.services.reach import reaches
from gongji_svc.storage.account_reads import find_owner, read_accounts_of
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.person_reads import read_people
from gongji_svc.storage.state import AccountRow


def accounts_seen(
    office: Office, caller: Caller, owner_id: UUID | None, account_id: UUID | None = None
) -> tuple[Sequence[AccountRow], Sequence[AccountRow]]:
    """The accounts of a person, or of the owner of one, and those of them that the caller may see.

    AccessDenied unless the caller reaches the person, or administers one of the accounts.
    """
    with office.database.reader() as tx:
        if account_id is not None:
            owner_id = find_owner(tx, account_id)
        if owner_id is None:
            raise errors.AccessDenied
        owned = read_accounts_of(tx, owner_id, office.clock_offset)
        owner = read_people(tx, [owner_id], office.sealer).get(owner_id)
    if owner is not None and reaches(caller, owner, office.today()):
        return owned, owned
    seen = [one for one in owned if one.pool_region == caller.subject]
    if caller.role is Role.CITIZEN or not seen:
        raise errors.AccessDenied
    return owned, seen


def account_seen(office: Office, caller: Caller, named: str) -> AccountRow:
    """The account with this id; AccessDenied for one that is missing or not the caller's to see."""
    account_id = parse_id(named)
    _, seen = accounts_seen(office, caller, None, account_id)
    for account in seen:
        if account.id == account_id:
            return account
    raise errors.AccessDenied
