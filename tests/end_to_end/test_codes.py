"""One-time codes over the wire: what one process signs, another one takes."""

import pytest
from grpc import RpcError, StatusCode

from gongji.v1 import settlement_pb2 as pb
from gongji.v1.settlement_pb2_grpc import SettlementServiceStub
from tests.end_to_end.purchases import ULANQAB, purchase
from tests.end_to_end.refusals import refusal_of
from tests.end_to_end.service import Service, metadata_of
from tests.families import Families, Made
from tests.services.till import asked


@pytest.fixture(scope="module")
def families(two: Service) -> Families:
    return Families(two.database)


def code_of(service: Service, person: Made) -> pb.Credential:
    """A fresh code, asked of the first front by the person."""
    answer: pb.IssueCredentialResponse = SettlementServiceStub(service.channel).IssueCredential(
        pb.IssueCredentialRequest(person_id=str(person)), metadata=metadata_of("citizen", person)
    )
    return answer.credential


def test_a_code_of_one_front_is_previewed_at_the_other_and_pays_once_at_either(
    two: Service, families: Families
) -> None:
    here, there = families.institution(ULANQAB), families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=100_000)
    request = purchase(here, patient)
    request.credential.CopyFrom(code_of(two, patient))
    second_front = SettlementServiceStub(two.channels[1])
    previewed = second_front.PreviewSettlement(asked(request), metadata=metadata_of("pos", here))
    elsewhere = purchase(there, patient)
    elsewhere.credential.CopyFrom(request.credential)
    assert _reason(two, there, elsewhere, front=1) == "CREDENTIAL_BOUND_ELSEWHERE"
    settled = two.till(here, front=0).settle(request)
    assert settled.settlement.breakdown == previewed.breakdown
    assert two.till(here, front=1).settle(request).replayed
    again = purchase(here, patient)
    again.credential.CopyFrom(request.credential)
    assert _reason(two, here, again, front=1) == "CREDENTIAL_USED"


def _reason(service: Service, code: str, request: pb.SettleRequest, front: int) -> str:
    with pytest.raises(RpcError) as caught:
        service.till(code, front).settle(request)
    refusal = refusal_of(caught.value)
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    return refusal.reason
