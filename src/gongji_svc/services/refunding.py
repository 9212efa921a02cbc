"""RefundSettlement: some lines of a settlement come back, or all that is left of them.

Without lines it is what the national 2103 (pharmacy) and 2208 (clinic) do to a setl_id (撤销).

Rule: the stored original decides, never today's policy, and what a source gave goes back to it,
wherever it stands now: a binding may have ended, a frozen account takes it, a closed one's part
goes to suspense. A settlement changes under its patient's lock only.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Role
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.money import format_quantity, parse_quantity
from gongji_svc.domain.notice import NoticeKind
from gongji_svc.domain.refund import Refund, refund_step, remaining_after
from gongji_svc.domain.settlement import Plan
from gongji_svc.domain.settlement_journal import Settling, refund_journal_of
from gongji_svc.domain.settlement_record import from_record, to_record
from gongji_svc.domain.settlement_state import SettlementEvent, SettlementState, next_state
from gongji_svc.domain.terms import AccountState
from gongji_svc.services import messages, till
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.office import Office
from gongji_svc.services.present import present
from gongji_svc.storage import tables
from gongji_svc.storage.holds import Counts, counter_rows
from gongji_svc.storage.ids import new_id, parse_id
from gongji_svc.storage.notices import notice_row
from gongji_svc.storage.refunds import RefundRow, refunds_in
from gongji_svc.storage.settlements import Counted, SettlementRow, settlement_in
from gongji_svc.storage.state import Decision, Keys, Lookups, State, TableRow, Wanted
from gongji_svc.storage.suspense import suspense_row


@dataclass(frozen=True, slots=True)
class Case:
    """A settlement under lock: as it was settled, the steps since, and what they left of it."""

    row: SettlementRow
    steps: Sequence[RefundRow]
    original: Plan
    left: Plan
    first_answer: bytes

    @property
    def state(self) -> SettlementState:
        """Where it stands."""
        return SettlementState(self.row.state)

    def present(self, *more: RefundRow) -> pb.Settlement:
        """The settlement as it stands after `more` steps."""
        return present(self.first_answer, self.row.detail["plan"], (*self.steps, *more))


def case_of(state: State, settlement_id: UUID) -> Case:
    """The gathered settlement, as earlier commands of the batch have left it."""
    row = settlement_in(state, settlement_id)
    assert row is not None  # noqa: S101 - no settlement is ever removed
    first_answer = state.requests[row.made_by].answer
    assert first_answer is not None  # noqa: S101 - what is settled was answered
    steps = refunds_in(state, settlement_id)
    original = from_record(row.detail["plan"])
    left = from_record(steps[-1].detail["rest"]) if steps else original
    return Case(row, steps, original, left, first_answer)


@dataclass(slots=True)
class GiveBack(AskedCommand):
    """What gives money of a settlement back; subclasses say of which, and how much."""

    settlement_id: UUID | None

    def discover(self, state: State) -> Wanted:
        """The accounts of all who paid, and the sums that count what they paid."""
        row = None if self.settlement_id is None else settlement_in(state, self.settlement_id)
        if row is None:
            return Wanted()
        legs = row.detail["plan"]["legs"]
        payers = [UUID(leg["person_id"]) for leg in legs]
        bindings = [UUID(leg["binding_id"]) for leg in legs if leg["binding_id"] is not None]
        year = date(day_of(row.occurred_at).year, 1, 1)
        subjects = (row.patient_id, *payers, *bindings)
        return Wanted(
            accounts_of=tuple(payers), counters=tuple((subject, year) for subject in subjects)
        )

    def give_back(
        self, state: State, case: Case, step: Refund, event: SettlementEvent
    ) -> tuple[RefundRow, Decision]:
        """The step, and all that is written with it; the answer is still to be made."""
        row, message = case.row, self.asked.message
        after = next_state(case.state, event)
        # From here on the money moves.
        accounts = [state.accounts[leg.account_id] for leg in step.legs]
        closed = {one.id for one in accounts if one.state == AccountState.CLOSED}
        account_fen = sum(leg.amount_fen for leg in step.legs)
        refund = RefundRow(
            region=row.region,
            settlement_id=row.id,
            step=len(case.steps) + 1,
            id=new_id(row.region),
            request_id=message.request_id,
            cancellation=event is SettlementEvent.CANCEL,
            total_fen=step.total_fen,
            fund_fen=step.fund_fen,
            account_fen=account_fen,
            cash_fen=step.cash_fen,
            detail={"state": after.value, **_detail(case, step, closed, message)},
            reason=message.reason,
            recorded_at=state.recorded_at,
        )
        journal = refund_journal_of(step, _settling(row), closed, new_id(row.region), state.now)
        in_suspense = [
            suspense_row(account, leg.amount_fen, refund.id, state.now)
            for account, leg in zip(accounts, step.legs, strict=True)
            if account.id in closed
        ]
        return refund, Decision(
            answer=b"",
            result_id=refund.id,
            journals=() if journal is None else (journal,),
            new=((tables.refunds, refund.row()), *in_suspense, *_notices(step, refund, closed)),
            replaced=(
                (tables.settlements, replace(row, state=after.value).row()),
                *counter_rows(state, _counted(case, step)),
            ),
        )


def _notices(step: Refund, refund: RefundRow, closed: Collection[UUID]) -> Iterator[TableRow]:
    for leg in step.legs:
        if leg.binding_id is not None:
            waits = leg.account_id in closed
            kind = NoticeKind.REFUND_IN_SUSPENSE if waits else NoticeKind.REFUND
            yield notice_row(kind, leg, refund.settlement_id, refund.recorded_at)


def _detail(
    case: Case, step: Refund, closed: Collection[UUID], message: Any
) -> Mapping[str, object]:
    """What is needed to show the step, and to go on from it."""
    left_e4 = {line.line_no: line.quantity_e4 for line in step.rest.lines}
    detail: dict[str, object] = {
        "lines": [
            {"line_no": line.line_no, "quantity": format_quantity(returned_e4)}
            for line in case.left.lines
            if (returned_e4 := line.quantity_e4 - left_e4[line.line_no])
        ],
        "legs": [
            {
                "account_id": leg.account_id,
                "binding_id": leg.binding_id,
                "amount_fen": leg.amount_fen,
                "to_suspense": leg.account_id in closed,
            }
            for leg in step.legs
        ],
        "rest": to_record(step.rest),
    }
    if message.HasField("terminal"):
        terminal: pb.Terminal = message.terminal
        detail["terminal"] = {"device_no": terminal.device_no, "operator": terminal.operator}
    return detail


def _settling(row: SettlementRow) -> Settling:
    return Settling(
        settlement_id=row.id,
        care_region=row.region,
        institution_code=row.institution_code,
        patient_id=row.patient_id,
        insured_region=row.insured_region,
        insurance=row.insurance,
    )


def _counted(case: Case, step: Refund) -> Counts:
    """What is counted less, where the original was counted: on its day and in its year (RF-04)."""
    row = case.row
    day = day_of(row.occurred_at)
    household = {str(binding_id) for binding_id in row.detail.get("household", ())}
    counts: Counts = defaultdict(int)
    for kind, less_fen in (
        (Counted.DEDUCTIBLE, step.deductible_fen),
        (Counted.FUND, step.fund_in_cap_fen),
    ):
        if less_fen and not case.original.given:
            counts[row.patient_id, kind.of(row.insurance), date(day.year, 1, 1)] -= less_fen
    for leg in step.legs:
        if leg.binding_id is None:
            continue
        counts[leg.binding_id, Counted.MUTUAL_AID.value, day] -= leg.amount_fen
        if str(leg.binding_id) in household:
            counts[leg.person_id, Counted.HOUSEHOLD.value, day] -= leg.amount_fen
    return counts


@dataclass(slots=True)
class RefundSettlement(GiveBack):
    """Lines to be returned, by number in 10^-4 units; none: all that is left."""

    settlement_id: UUID
    returned_e4: Mapping[int, int]

    def lookups(self) -> Lookups:
        """Whose settlement it is, and where it was made."""
        return Lookups(settlements=(self.settlement_id,))

    def keys(self, state: State) -> Keys:
        """The request key at the settlement's institution, and the patient.

        AccessDenied for whoever does not act for that institution, whether or not there is one.
        """
        caller = self.asked.caller
        if self.settlement_id not in state.settled:
            raise errors.AccessDenied
        patient_id, made_by = state.settled[self.settlement_id]
        _, code, _ = made_by
        if caller.role is Role.POS and caller.subject != code:
            raise errors.AccessDenied
        institution = till.institution_of(state, caller, code)
        return Keys(
            self.asked.claim(institution.region, code, self.office.sealer),
            persons=(patient_id,),
            original=made_by,
            settlements=(self.settlement_id,),
        )

    def decide(self, state: State) -> Decision:
        """The step, and the settlement as it stands after it."""
        case = case_of(state, self.settlement_id)
        next_state(case.state, SettlementEvent.REFUND_PART)  # at an end no line has a rest to name
        before_e4 = {line.line_no: line.quantity_e4 for line in case.left.lines}
        left_e4 = remaining_after(case.original, before_e4, self.returned_e4 or before_e4)
        event = (
            SettlementEvent.REFUND_PART if any(left_e4.values()) else SettlementEvent.REFUND_REST
        )
        step = refund_step(case.original, case.left, left_e4)
        refund, decision = self.give_back(state, case, step, event)
        settlement = case.present(refund)
        answer = pb.RefundSettlementResponse(settlement=settlement, refund=settlement.refunds[-1])
        return replace(decision, answer=answer.SerializeToString())


def read_refund(office: Office, asked: Asked) -> RefundSettlement:
    """The command in a RefundSettlementRequest."""
    message = asked.message
    settlement_id = parse_id(message.settlement_id)
    if settlement_id is None:
        raise errors.AccessDenied
    return RefundSettlement(office, asked, settlement_id, _returned(message.lines))


def _returned(lines: Sequence[pb.RefundLine]) -> Mapping[int, int]:
    """The quantities by line; InvalidField for a line named twice, or nothing of it."""
    returned_e4: dict[int, int] = {}
    for number, line in enumerate(lines):
        if line.line_no in returned_e4:
            repeated = errors.Violation(f"lines[{number}].line_no", f"行号{line.line_no}重复")
            raise messages.invalid(repeated)
        returned_e4[line.line_no] = parse_quantity(line.quantity)
        if not returned_e4[line.line_no]:
            raise messages.invalid(errors.Violation(f"lines[{number}].quantity", "数量须大于0"))
    return returned_e4
