"""A settlement in its present state: the first answer, and what was given back since.

Rule: one function makes it, from the first answer and the steps alone, for who gives back and for
who reads. Breakdown, legs and explanation stay those of the moment it was settled; what came back
is told beside them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.breakdown import Breakdown
from gongji_svc.domain.money import format_quantity
from gongji_svc.domain.settlement_record import Record, from_record
from gongji_svc.domain.step import Caution
from gongji_svc.services import receipt
from gongji_svc.services.days import timestamp
from gongji_svc.services.names import enum_number
from gongji_svc.storage.refunds import RefundRow

_RATIO = "fund_ratio_bp"


def present(first_answer: bytes, plan: Record, refunds: Sequence[RefundRow]) -> pb.Settlement:
    """The settlement as it stands after these steps; `plan` is the stored original."""
    settlement = pb.SettleResponse.FromString(first_answer).settlement
    if not refunds:
        return settlement
    legs = {_account(leg): shown for leg, shown in zip(plan["legs"], settlement.legs, strict=True)}
    original = before = from_record(plan)
    for one in refunds:
        left = from_record(one.detail["rest"])
        settlement.refunds.append(_refund(one, _difference(before.breakdown, left.breakdown), legs))
        before = left
    for one in refunds:
        for leg in one.detail["legs"]:
            legs[_account(leg)].refunded_fen += leg["amount_fen"]
    settlement.state = enum_number(pb.SettlementState, refunds[-1].detail["state"])
    settlement.remaining.CopyFrom(receipt.breakdown(before.breakdown))
    left_e4 = {line.line_no: line.quantity_e4 for line in before.lines}
    quantity_e4 = {line.line_no: line.quantity_e4 for line in original.lines}
    for line in settlement.lines:
        returned_e4 = quantity_e4[line.line_no] - left_e4[line.line_no]
        line.returned_quantity = format_quantity(returned_e4)
    return settlement


def for_donor(
    settlement: pb.Settlement, bindings: set[str], names: Mapping[str, str]
) -> pb.Settlement:
    """What a donor sees of it: the legs under these bindings, where and when, by the donor's own
    masked name; not what was bought, not why it came back, and not that others paid.
    """
    for leg in (*settlement.legs, *(leg for step in settlement.refunds for leg in step.legs)):
        leg.donor_name = names.get(leg.binding_id, "")
    seen = pb.Settlement(
        settlement_id=settlement.settlement_id,
        state=settlement.state,
        institution_code=settlement.institution_code,
        institution_name=settlement.institution_name,
        care_region=settlement.care_region,
        patient_name=settlement.patient_name,
        legs=[leg for leg in settlement.legs if leg.binding_id in bindings],
        occurred_at=settlement.occurred_at,
        recorded_at=settlement.recorded_at,
    )
    for step in settlement.refunds:
        if legs := [leg for leg in step.legs if leg.binding_id in bindings]:
            seen.refunds.add(
                refund_id=step.refund_id,
                cancellation=step.cancellation,
                legs=legs,
                recorded_at=step.recorded_at,
            )
    return seen


def _refund(row: RefundRow, given_back: pb.Breakdown, legs: Mapping[Any, pb.Leg]) -> pb.Refund:
    """One step; an account in it is shown as in the settlement."""
    step = pb.Refund(
        refund_id=str(row.id),
        request_id=row.request_id,
        cancellation=row.cancellation,
        lines=[pb.RefundLine(**line) for line in row.detail["lines"]],
        breakdown=given_back,
        reason=row.reason,
        recorded_at=timestamp(row.recorded_at),
    )
    for leg in row.detail["legs"]:
        paid = legs[_account(leg)]
        step.legs.add(
            account_owner=paid.account_owner,
            account_kind=paid.account_kind,
            region=paid.region,
            donor_name=paid.donor_name,
            binding_id=paid.binding_id,
            amount_fen=leg["amount_fen"],
            to_suspense=leg["to_suspense"],
        )
    if row.cash_fen < 0:
        step.warnings.append(receipt.warning(Caution.CASH_TO_PAY_IN, {}, -row.cash_fen))
    return step


def _account(leg: Record) -> tuple[str, str]:
    """What tells legs of one settlement apart."""
    return str(leg["account_id"]), str(leg["binding_id"])


def _difference(before: Breakdown, after: Breakdown) -> pb.Breakdown:
    given_back = receipt.breakdown(before)
    for name in Breakdown.__slots__:
        if name != _RATIO:
            setattr(given_back, name, getattr(before, name) - getattr(after, name))
    return given_back
