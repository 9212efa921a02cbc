"""CancelSettlement: a settlement whose answer was lost is undone, or can never be made.

The national 2601 (冲正) names the original by omsgid as original_request_id does here; who has got
the setl_id after all may as well refund the whole (2103, 2208).

Rule: the original's key tells. Known, what is left of it goes back to those who paid it; unknown,
the key is blocked, so that an original that comes late is refused. Whichever of the two comes
first, the other finds it, in any process.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.refund import reverse
from gongji_svc.domain.settlement_state import STATES, SettlementEvent
from gongji_svc.services import messages, till
from gongji_svc.services.asked import Asked
from gongji_svc.services.contract import method_of
from gongji_svc.services.office import Office
from gongji_svc.services.refunding import GiveBack, case_of
from gongji_svc.storage.state import ClaimKey, Decision, Keys, Lookups, State

_SETTLE = method_of("SettlementService", "Settle").path


@dataclass(slots=True)
class CancelSettlement(GiveBack):
    """A settlement to be undone, named by the request that was to make it."""

    institution_code: str
    original: ClaimKey | None = None

    def lookups(self) -> Lookups:
        """The institution of the original."""
        return Lookups(institution_codes=(self.institution_code,))

    def keys(self, state: State) -> Keys:
        """The request's key and the original's; once that was found, the patient."""
        code = self.institution_code
        institution = till.institution_of(state, self.asked.caller, code)
        self.original = (institution.region, code, self.asked.message.original_request_id)
        keys = Keys(
            self.asked.claim(institution.region, code, self.office.sealer), original=self.original
        )
        self.settlement_id = self._found(state)
        if self.settlement_id is None:
            return keys
        patient_id, _ = state.settled[self.settlement_id]
        return replace(keys, persons=(patient_id,), settlements=(self.settlement_id,))

    def decide(self, state: State) -> Decision:
        """What was found, and the settlement as it stands after it."""
        found = self._found(state)
        if found is None:
            answer = pb.CancelSettlementResponse(outcome=pb.CANCEL_OUTCOME_BLOCKED)
            return Decision(answer.SerializeToString())
        case = case_of(state, found)
        answer = pb.CancelSettlementResponse(outcome=pb.CANCEL_OUTCOME_REVERSED)
        if (case.state, SettlementEvent.CANCEL) not in STATES:
            answer.settlement.CopyFrom(case.present())
            return Decision(answer.SerializeToString())
        refund, decision = self.give_back(state, case, reverse(case.left), SettlementEvent.CANCEL)
        answer.settlement.CopyFrom(case.present(refund))
        answer.refund.CopyFrom(answer.settlement.refunds[-1])
        return replace(decision, answer=answer.SerializeToString())

    def _found(self, state: State) -> UUID | None:
        """The settlement that the original made, None when it made none.

        SettlementNotFound where the key is that of another kind of request.
        """
        assert self.original is not None  # noqa: S101 - keys() came first
        known = state.requests.get(self.original)
        if known is None or known.answer is None:
            return None
        if known.method != _SETTLE:
            other = errors.Violation(
                "original_request_id", "该编号属于另一类业务的请求，请填写原结算的请求编号"
            )
            raise errors.SettlementNotFound(violations=[other])
        return known.result_id


def read_cancel(office: Office, asked: Asked) -> CancelSettlement:
    """The command in a CancelSettlementRequest."""
    message = asked.message
    if message.original_request_id == message.request_id:
        same = errors.Violation("original_request_id", "须为原结算的请求编号，不能与本次请求相同")
        raise messages.invalid(same)
    return CancelSettlement(office, asked, None, message.institution_code or asked.caller.subject)
