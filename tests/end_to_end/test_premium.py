"""A relative's premium in the seed's three steps: log in, authorise, pay; no more is to be done."""

from collections.abc import Iterator

import pytest

from gongji.v1 import binding_pb2, payment_pb2, types_pb2
from gongji.v1.binding_pb2_grpc import BindingServiceStub
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.days import date_of
from gongji_svc.services.names import enum_name
from gongji_svc.storage.database import Database
from gongji_svc.upkeep import working
from tests.end_to_end.books import Books
from tests.end_to_end.service import metadata_of, until
from tests.end_to_end.tax import Land, land
from tests.families import Made
from tests.services.applications import HOHHOT, JPEG, header, named
from tests.services.premiums import DAY, RESIDENT, YEAR, paying

_CALL_SECONDS = 20.0
_SECONDS = 60.0


def papers(
    described: binding_pb2.DocumentHeader,
) -> Iterator[binding_pb2.UploadDocumentRequest]:
    """The messages of an upload."""
    yield binding_pb2.UploadDocumentRequest(header=described)
    yield binding_pb2.UploadDocumentRequest(chunk=JPEG)


def authorise(here: Land, donor: Made, mother: Made) -> binding_pb2.Binding:
    """The donor's application over gRPC with all that the region asks for."""
    stub = BindingServiceStub(here.service.channel)
    metadata = metadata_of("citizen", donor)
    policy = here.office.policy(HOHHOT, DAY)
    documents = [
        stub.UploadDocument(
            papers(header(min(rule.any_of), rule.of)),
            timeout=_CALL_SECONDS,
            metadata=metadata,
        ).document_id
        for rule in policy.documents
    ]
    request = binding_pb2.CreateBindingRequest(
        request_id="the-only-application",
        donor_id=str(donor),
        beneficiary=named(mother),
        relation=types_pb2.RELATION_PARENT,
        effective_from=date_of(DAY),
        uses=[types_pb2.USE_PREMIUM],
        channel=binding_pb2.CHANNEL_APP,
        document_ids=documents,
    )
    if policy.commitment_version:
        request.commitment.text_version = policy.commitment_version
        request.commitment.accepted_at.FromDatetime(here.office.now())
    return stub.CreateBinding(request, timeout=_CALL_SECONDS, metadata=metadata).binding


@pytest.mark.requirement("HOH-15", "HOH-19", "HOH-30")
def test_a_donor_logs_in_authorises_and_pays_and_success_comes_back(database: Database) -> None:
    with land(database) as here, working(here.office):
        donor = here.families.person(HOHHOT, balance_fen=100_000)
        mother = here.families.person(HOHHOT, insurance=Insurance.RESIDENT)
        binding = authorise(here, donor, mother)
        assert binding.state == binding_pb2.BINDING_STATE_ACTIVE
        order = paying(donor, mother)
        payment = here.call("PayPremium", "citizen", donor, order).payment
        assert payment.state == payment_pb2.PREMIUM_PAYMENT_STATE_SUBMITTED
        assert payment.payable_fen == 40_000
        # Nobody does anything more.
        until(lambda: here.state(donor, payment) == "CONFIRMED", _SECONDS)
        request = payment_pb2.ListPremiumPaymentsRequest(beneficiary_id=str(mother))
        (record,) = here.call("ListPremiumPayments", "citizen", mother, request).payments
        assert (record.year, record.insurance) == (YEAR, RESIDENT)
        assert enum_name(payment_pb2.PremiumPaymentState, record.state) == "CONFIRMED"
        assert record.tax_voucher_no
        assert here.balances() == {donor.person_id: 60_000}
        assert here.bureau.kept.total_fen("COLLECT") == 40_000
        Books.read(database).check()
