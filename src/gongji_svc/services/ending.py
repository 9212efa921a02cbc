"""EndBinding: either side ends a binding, a clerk for one, or the region revokes it.

Rule: the donor's region decides about the lock after binding, the notice and the day of effect; a
revocation knows no lock and no notice but has a reason. Money held or settled is not touched: a
refund follows its leg, not the binding (RF-06).
"""

from dataclasses import replace
from uuid import UUID

from gongji_svc.domain import errors
from gongji_svc.domain.access import Role
from gongji_svc.domain.binding import BindingState, EndCause, ended_by_side, revoked
from gongji_svc.domain.errors import Violation
from gongji_svc.domain.policy import Policy
from gongji_svc.services import messages
from gongji_svc.services.asked import Asked
from gongji_svc.services.binding_access import oversees
from gongji_svc.services.binding_changes import Case, ChangeBinding, binding_id_in
from gongji_svc.services.office import Office
from gongji_svc.services.risk_endings import ended_early
from gongji_svc.storage import tables
from gongji_svc.storage.bindings import Kept, kept_from
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.state import Decision, State, Wanted


class EndBinding(ChangeBinding):
    """The end of a binding, or of an application that waits for review."""

    __slots__ = ()

    def check_allowed(self, case: Case) -> None:
        """One of the two people or their guardian; a clerk for one; the donor's region."""
        self._cause(case)

    def discover(self, state: State) -> Wanted:
        """What was spent through the binding too."""
        wanted = ChangeBinding.discover(self, state)
        binding = self.case(state, self.office.today()).kept.binding
        return replace(wanted, counters=((binding.binding_id, binding.effective_from),))

    def decide(self, state: State) -> Decision:
        """The binding as ended, and a signal where it was bound to spend."""
        decision = ChangeBinding.decide(self, state)
        rows = [row for table, row in decision.replaced if table is tables.bindings]
        signals = [one for row in rows for one in ended_early(self.office, state, kept_from(row))]
        return replace(decision, new=(*decision.new, *signals))

    def changed(self, case: Case) -> Kept:
        """The binding as ended, today or with this day."""
        cause = self._cause(case)
        kept, binding = case.kept, case.kept.binding
        notice_version = ""
        if cause is EndCause.REVOKED:
            if not self.reason().strip():
                raise messages.invalid(Violation("reason", "撤销须填写原因"))
            ended = revoked(binding, case.today)
        else:
            policy = self.office.policy(kept.donor_region, case.today)
            ended = ended_by_side(binding, policy, case.today)
            if binding.state is not BindingState.PENDING_REVIEW:
                notice_version = self._accepted_notice(policy)
        return replace(
            kept,
            binding=ended,
            suspended_for=kept.suspended_for if ended.state is BindingState.SUSPENDED else (),
            ending={
                "cause": cause.value,
                "reason": self.reason(),
                "notice_version": notice_version,
                "at": case.now.isoformat(),
                "by": self.acts_for(case),
            },
        )

    def _cause(self, case: Case) -> EndCause:
        """For whom the caller ends it; AccessDenied for whoever has no part in it."""
        caller = self.asked.caller
        if oversees(caller, case.kept):
            return EndCause.REVOKED
        mine = self.sides(case)
        if not mine:
            raise errors.AccessDenied
        side = mine[0]
        if caller.role is Role.COUNTER and self.asked.message.for_person_id:
            side = self._side_named()
        if side not in mine:
            raise errors.AccessDenied
        return EndCause.DONOR if side == case.donor.person_id else EndCause.BENEFICIARY

    def _side_named(self) -> UUID:
        named = parse_id(self.asked.message.for_person_id)
        if named is None or named not in self.parties:
            remedy = "须为该共济关系的授权人或使用人"
            raise messages.invalid(Violation("for_person_id", remedy))
        return named

    def _accepted_notice(self, policy: Policy) -> str:
        """The version of the notice that was accepted (TIL-27), empty where there is none."""
        message = self.asked.message
        if not policy.notice_version:
            return ""
        if not message.notice_accepted:
            raise errors.NoticeNotAccepted
        if message.notice_version not in ("", policy.notice_version):
            raise errors.NoticeOutdated(version=policy.notice_version)
        return policy.notice_version


def read_end_binding(office: Office, asked: Asked) -> EndBinding:
    """The command in a checked request."""
    return EndBinding(office, asked, binding_id_in(asked.message))
