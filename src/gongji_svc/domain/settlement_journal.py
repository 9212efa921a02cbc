"""The journal of a settlement, accounts and fund give, the institution is owed; and its mirror.

Rule: cash is reported, never a line. The fund pays from the patient's insured region, an account
from the region in whose books it stands; the institution is owed by the region it lies in. What is
given back moves between the same books the other way, today: cleared or not, it falls into the
clearing of today (RF-03).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gongji_svc.domain.journal import EntryKind, Journal, Line, Posting, Side
from gongji_svc.domain.refund import Refund
from gongji_svc.domain.settlement import Bill, Plan
from gongji_svc.domain.suspense import suspense_line
from gongji_svc.domain.terms import AccountOwner

_KINDS = {
    AccountOwner.SELF: EntryKind.SETTLEMENT_OWN,
    AccountOwner.DONOR: EntryKind.SETTLEMENT_MUTUAL_AID,
}
_REFUNDS = {
    AccountOwner.SELF: EntryKind.REFUND_OWN,
    AccountOwner.DONOR: EntryKind.REFUND_MUTUAL_AID,
}


def journal_of(
    bill: Bill,
    decided: Plan,
    journal_id: UUID,
    settlement_id: UUID,
    institution_code: str,
    occurred_at: datetime,
) -> Journal | None:
    """What moves when the plan takes effect; None when all is cash."""
    owed_fen = decided.breakdown.account_pay_fen + decided.breakdown.fund_pay_fen
    if owed_fen == 0:
        return None
    patient, care = bill.patient, bill.care
    postings = [
        Posting(
            leg.account_id,
            leg.region,
            _KINDS[leg.owner],
            -leg.amount_fen,
            patient.person.person_id,
            leg.binding_id,
        )
        for leg in decided.legs
    ]
    lines = [Line(care.region, Side.INSTITUTION_PAYABLE, institution_code, owed_fen)]
    fund_fen = decided.breakdown.fund_pay_fen
    if fund_fen:
        enrolment = patient.enrolment
        lines.append(Line(enrolment.region, Side.FUND, enrolment.insurance.value, -fund_fen))
    return Journal(
        journal_id=journal_id,
        home=care.region,
        occurred_at=occurred_at,
        postings=postings,
        lines=lines,
        source_id=settlement_id,
        counterparty=institution_code,
    )


@dataclass(frozen=True, slots=True)
class Settling:
    """Between whom a settlement moved money: what its journal says of both sides."""

    settlement_id: UUID
    care_region: str
    institution_code: str
    patient_id: UUID
    insured_region: str
    insurance: str


def refund_journal_of(
    step: Refund,
    settling: Settling,
    closed: Collection[UUID],
    journal_id: UUID,
    occurred_at: datetime,
) -> Journal | None:
    """What moves when a step gives back: each leg to its account, what a closed one had paid to
    suspense; None when all is cash.
    """
    postings = [
        Posting(
            leg.account_id,
            leg.region,
            _REFUNDS[leg.owner],
            leg.amount_fen,
            settling.patient_id,
            leg.binding_id,
        )
        for leg in step.legs
        if leg.account_id not in closed
    ]
    lines = [
        suspense_line(leg.region, leg.account_id, leg.amount_fen)
        for leg in step.legs
        if leg.account_id in closed
    ]
    owed_fen = step.fund_fen + sum(leg.amount_fen for leg in step.legs)
    if step.fund_fen:
        fund = Line(settling.insured_region, Side.FUND, settling.insurance, step.fund_fen)
        lines.append(fund)
    if owed_fen:
        care, code = settling.care_region, settling.institution_code
        lines.append(Line(care, Side.INSTITUTION_PAYABLE, code, -owed_fen))
    if not lines:
        return None
    return Journal(
        journal_id=journal_id,
        home=settling.care_region,
        occurred_at=occurred_at,
        postings=postings,
        lines=lines,
        source_id=settling.settlement_id,
        counterparty=settling.institution_code,
    )
