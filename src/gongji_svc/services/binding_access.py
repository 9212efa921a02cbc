"""Who has a part in a binding: for which of its two people a caller acts, and who oversees it.

Rule: a citizen acts for whom they reach; a clerk of the donor's region for both people, any other
for the one they reach. Reviewers and agencies act for nobody: they oversee the bindings of their
own region's donors, and no others.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.person import Person
from gongji_svc.services.reach import reaches
from gongji_svc.storage.bindings import Kept

OVERSEERS = (Role.REVIEWER, Role.AGENCY)


def oversees(caller: Caller, kept: Kept) -> bool:
    """Whether the caller is a reviewer or an agency of the donor's region."""
    return caller.role in OVERSEERS and caller.subject == kept.donor_region


def sides(
    caller: Caller, kept: Kept, donor: Person, beneficiary: Person, today: date
) -> Sequence[UUID]:
    """For whom of the two the caller may act, the donor first."""
    if caller.role in OVERSEERS:
        return ()
    at_home = caller.role is Role.COUNTER and caller.subject == kept.donor_region
    return [
        person.person_id
        for person in (donor, beneficiary)
        if at_home or reaches(caller, person, today)
    ]


def sees(caller: Caller, kept: Kept, donor: Person, beneficiary: Person, today: date) -> bool:
    """Whether the binding exists for the caller."""
    return oversees(caller, kept) or bool(sides(caller, kept, donor, beneficiary, today))


def sees_whole(caller: Caller, donor: Person, today: date) -> bool:
    """Whether the caller is shown what the donor's side handed in, and who acted for it."""
    return caller.role is not Role.CITIZEN or reaches(caller, donor, today)


def compares(caller: Caller, kept: Kept) -> bool:
    """Whether the caller compares the two people with the documents of a waiting application."""
    waits = kept.binding.state is BindingState.PENDING_REVIEW
    return waits and caller.role is Role.REVIEWER and oversees(caller, kept)
