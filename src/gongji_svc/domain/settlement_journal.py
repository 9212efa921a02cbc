"""The journal of a settlement: accounts and fund give, the institution is owed.

Rule: cash is reported, never a line. The fund pays from the patient's insured region, an account
from the region in whose books it stands; the institution is owed by the region it lies in.
"""

from datetime import datetime
from uuid import UUID

from gongji_svc.domain.journal import EntryKind, Journal, Line, Posting, Side
from gongji_svc.domain.settlement import Bill, Plan
from gongji_svc.domain.terms import AccountOwner

_KINDS = {
    AccountOwner.SELF: EntryKind.SETTLEMENT_OWN,
    AccountOwner.DONOR: EntryKind.SETTLEMENT_MUTUAL_AID,
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
