"""GetPremiumPayment and ListPremiumPayments: the donor sees the debit, the beneficiary the record.

Rule: a citizen sees what they, or their wards, paid or had paid for them; a clerk what concerns the
people of the region; an agency also what is insured there. To everybody else a payment does not
exist. A list shows nobody more than a single read would.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from gongji.v1 import payment_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.person import Person
from gongji_svc.services import paging
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.premium_view import PremiumView
from gongji_svc.services.reach import person_named, reaches
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.person_reads import read_people
from gongji_svc.storage.premium_reads import Choice, list_premiums, read_premium
from gongji_svc.storage.premiums import PremiumRow


def get_premium_payment(
    office: Office, caller: Caller, request: pb.GetPremiumPaymentRequest
) -> pb.GetPremiumPaymentResponse:
    """A payment; AccessDenied for whoever has no part in it, whether or not it exists."""
    payment_id = parse_id(request.payment_id)
    with office.database.reader() as tx:
        payment = None if payment_id is None else read_premium(tx, payment_id)
        if payment is None:
            raise errors.AccessDenied
        people = read_people(tx, _people_of([payment]), office.sealer)
    reached = _reached(office, caller, people)
    administered = caller.role is Role.AGENCY and caller.subject == payment.insured_region
    if not (administered or reached):
        raise errors.AccessDenied
    return pb.GetPremiumPaymentResponse(payment=_message(payment, people, reached, caller))


def list_premium_payments(
    office: Office, caller: Caller, request: pb.ListPremiumPaymentsRequest
) -> pb.ListPremiumPaymentsResponse:
    """A page; AccessDenied for whoever reaches none of the people named."""
    position = paging.position_in(request, office.sealer)
    before = None if position is None else UUID(bytes=position)
    size = paging.size_of(request)
    donor_id, beneficiary_id = person_named(request.donor_id), person_named(request.beneficiary_id)
    named = [one for one in (donor_id, beneficiary_id) if one is not None]
    with office.database.reader() as tx:
        may = bool(_reached(office, caller, read_people(tx, named, office.sealer)))
        if not may and caller.role is not Role.AGENCY:
            raise errors.AccessDenied
        region = "" if may else caller.subject
        choice = _choice(office, request, donor_id, beneficiary_id, region)
        found = list_premiums(tx, choice, before, size + 1)
        people = read_people(tx, _people_of(found), office.sealer)
    if named and not (may or found or before):
        raise errors.AccessDenied  # the same for a person who has none here as for nobody
    page, reached = found[:size], _reached(office, caller, people)
    response = pb.ListPremiumPaymentsResponse(
        payments=[_message(one, people, reached, caller) for one in page]
    )
    if len(found) > size:
        last = page[-1].id.bytes
        response.next_page_token = paging.token_after(request, last, office.sealer)
    return response


def _people_of(payments: Iterable[PremiumRow]) -> set[UUID]:
    both = ((one.beneficiary_id, one.donor_id) for one in payments)
    return {person_id for pair in both for person_id in pair if person_id is not None}


def _reached(office: Office, caller: Caller, people: Mapping[UUID, Person]) -> set[UUID]:
    """The people the caller acts for."""
    today = office.today()
    return {one for one, person in people.items() if reaches(caller, person, today)}


def _message(
    payment: PremiumRow, people: Mapping[UUID, Person], reached: set[UUID], caller: Caller
) -> pb.PremiumPayment:
    donor = None if payment.donor_id is None else people[payment.donor_id]
    return PremiumView(
        payment,
        donor_name="" if donor is None else donor.name,
        beneficiary_name=people[payment.beneficiary_id].name,
        donor_side=caller.role is Role.CITIZEN and payment.donor_id in reached,
    ).message(caller)


def _choice(
    office: Office,
    request: Any,
    donor_id: UUID | None,
    beneficiary_id: UUID | None,
    region: str,
) -> Choice:
    insurance, states = request.insurance, request.states
    return Choice(
        donor_id=donor_id,
        beneficiary_id=beneficiary_id,
        insured_region=region,
        year=request.year,
        insurance=enum_name(types_pb2.Insurance, insurance) if insurance else "",
        states=frozenset(enum_name(pb.PremiumPaymentState, state) for state in states),
        paid_twice=request.paid_twice,
        overdue_on=office.today() if request.overdue else None,
    )
