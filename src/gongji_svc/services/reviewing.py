"""ReviewBinding: a reviewer of the donor's region decides an application, once.

Rule: an approval asks again, on that day, whether both people are insured as the region demands;
a rejection has a reason, and the donor can correct the application and apply anew (TIL-17). Who
took the application at the counter does not decide it.
"""

from dataclasses import replace

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Role, same_actor
from gongji_svc.domain.binding import Binding, BindingEvent, after
from gongji_svc.domain.eligibility import check_people
from gongji_svc.domain.errors import Violation
from gongji_svc.services import messages
from gongji_svc.services.asked import Asked
from gongji_svc.services.binding_access import oversees
from gongji_svc.services.binding_changes import Case, ChangeBinding, binding_id_in
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_as
from gongji_svc.storage.accounts import accounts_of
from gongji_svc.storage.bindings import Kept
from gongji_svc.storage.state import State, Wanted


class ReviewBinding(ChangeBinding):
    """A decision on an application."""

    __slots__ = ()

    def discover(self, state: State) -> Wanted:
        """Also the donor's accounts: an approval asks for one."""
        wanted = ChangeBinding.discover(self, state)
        donor_id, _ = self.parties
        return replace(wanted, accounts_of=(donor_id,))

    def check_allowed(self, case: Case) -> None:
        """Only a reviewer of the donor's region; SecondActorRequired for who applied as clerk."""
        caller, applied = self.asked.caller, case.kept.created_by
        if not oversees(caller, case.kept):
            raise errors.AccessDenied
        if applied["role"] == Role.COUNTER and same_actor(applied["actor"], caller.actor):
            raise errors.SecondActorRequired

    def changed(self, case: Case) -> Kept:
        """Approved or rejected; BindingNotPending for the second of two reviewers."""
        event = BindingEvent(enum_name(pb.ReviewDecision, self.asked.message.decision))
        binding = _decided(case.kept, event)
        if event is BindingEvent.APPROVE:
            self._check_still_sound(case)
        elif not self.reason().strip():
            raise messages.invalid(Violation("reason", "审核不通过须填写原因"))
        return replace(
            case.kept,
            binding=binding,
            review={
                "decision": event.value,
                "reason": self.reason(),
                "decided_at": case.now.isoformat(),
                "decided_by": acting_as(self.asked.caller),
            },
        )

    def _check_still_sound(self, case: Case) -> None:
        last_day = case.kept.binding.effective_to
        if last_day is not None and last_day < case.today:
            raise errors.ApplicationExpired(effective_to=last_day.isoformat())
        accounts = accounts_of(case.state, case.donor.person_id)
        policy = self.office.policy(case.kept.donor_region, case.today)
        check_people(case.donor, accounts, case.beneficiary, policy, case.today)


def _decided(kept: Kept, event: BindingEvent) -> Binding:
    """The binding after the decision; BindingNotPending says who decided it before, if anybody."""
    review = kept.review
    try:
        return after(kept.binding, event)
    except errors.BindingNotPending as over:
        if review:
            over.details |= {name: review[name] for name in ("decision", "decided_at")}
            over.details["decided_by"] = review["decided_by"]["actor"]
        raise


def read_review_binding(office: Office, asked: Asked) -> ReviewBinding:
    """The command in a checked request."""
    return ReviewBinding(office, asked, binding_id_in(asked.message))
