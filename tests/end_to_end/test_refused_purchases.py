"""Purchases that are well written and yet refused: each by its own reason, with nothing written."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from grpc import StatusCode

from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain.calendar import start_of
from tests.end_to_end.counter import Counter
from tests.end_to_end.purchases import CODE, HOHHOT, TIELING, ULANQAB, at_work, line, purchase
from tests.end_to_end.refusals import refusal_of
from tests.end_to_end.service import Service
from tests.end_to_end.spoiling import ABSENT, complete, spoil

_SOME_ID = "5f0a3c7e-0000-8000-8000-000000000001"
_INVALID, _MISSING = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND
_UNMET, _OUT_OF_RANGE = StatusCode.FAILED_PRECONDITION, StatusCode.OUT_OF_RANGE

# path, value, code, reason, the fields that are named
REFUSED: tuple[tuple[str, object, StatusCode, str, list[str]], ...] = (
    ("items[0].amount_fen", 9_998, _INVALID, "AMOUNT_MISMATCH", ["items[0].amount_fen"]),
    ("items[0].quantity", "2", _INVALID, "AMOUNT_MISMATCH", ["items[0].amount_fen"]),
    ("items[0].unit_price_yuan", "0", _INVALID, "AMOUNT_MISMATCH", ["items[0].amount_fen"]),
    ("items[0].quantity", "9" * 12, _INVALID, "AMOUNT_MISMATCH", ["items[0].amount_fen"]),
    ("total_fen", 10_001, _INVALID, "TOTAL_MISMATCH", ["total_fen"]),
    ("items", [line(1), line(2)], _INVALID, "TOTAL_MISMATCH", ["total_fen"]),
    ("credential.value", "K-nobody", _MISSING, "PERSON_NOT_MATCHED", []),
    ("credential.name", "王无人", _MISSING, "PERSON_NOT_MATCHED", []),
    ("credential.type", pb.CREDENTIAL_TYPE_ID_CARD, _MISSING, "PERSON_NOT_MATCHED", []),
    ("credential.type", pb.CREDENTIAL_TYPE_E_CREDENTIAL, _UNMET, "CREDENTIAL_INVALID", []),
    ("insurance", types_pb2.INSURANCE_LONG_TERM_CARE, _UNMET, "ENROLMENT_NOT_USABLE", []),
    ("insured_region", HOHHOT, _UNMET, "ENROLMENT_NOT_USABLE", []),
    ("insured_region", "999999", _UNMET, "ENROLMENT_NOT_USABLE", []),
    ("visit_type", pb.VISIT_TYPE_CHRONIC, _UNMET, "CHRONIC_DISEASE_NOT_REGISTERED", []),
    ("given_breakdown", pb.GivenBreakdown(), _UNMET, "VISIT_TYPE_NOT_SERVED", []),
    ("expected_cash_pay_fen", 1, _UNMET, "PREVIEW_OUTDATED", []),
    ("hold_ids", [_SOME_ID], _MISSING, "HOLD_NOT_FOUND", []),
    ("chosen_binding_id", _SOME_ID, _UNMET, "ORDER_FIXED_BY_POLICY", []),
    ("agent.principal_certificate_seen", False, _UNMET, "PRINCIPAL_CERTIFICATE_NOT_SEEN", []),
)


@pytest.mark.parametrize(
    ("path", "value", "code", "reason", "fields"),
    REFUSED,
    ids=[f"{path}: {reason}" for path, _, _, reason, _ in REFUSED],
)
def test_what_the_rules_refuse_has_its_own_reason(
    counter: Counter, path: str, value: object, code: StatusCode, reason: str, fields: list[str]
) -> None:
    request = complete(counter.code, counter.patient)
    spoil(request, path, value)
    refusal = counter.refused(request.SerializeToString())
    assert (refusal.code, refusal.reason, refusal.fields) == (code, reason, fields)


def test_another_persons_card_is_refused_and_leaves_one_record_for_the_agency(
    counter: Counter,
) -> None:
    request = complete(counter.code, counter.patient)
    spoil(request, "person_id", _SOME_ID)
    before = counter.rows()
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as caught:
            counter.till.settle(request)
        refusal = refusal_of(caught.value)
        assert (refusal.code, refusal.reason) == (_UNMET, "CREDENTIAL_MISUSED")
    assert counter.rows() == {**before, "risk_signals": before["risk_signals"] + 1}
    counter.sell()


def test_a_pharmacy_settles_no_stay_in_hospital(counter: Counter) -> None:
    request = complete(counter.code, counter.patient)
    request.visit_type = pb.VISIT_TYPE_INPATIENT
    refusal = counter.refused(request.SerializeToString())
    assert (refusal.code, refusal.reason) == (_UNMET, "VISIT_TYPE_NOT_SERVED")


@pytest.mark.parametrize(
    ("away", "reason"),
    [
        (timedelta(minutes=6), "OCCURRED_IN_FUTURE"),
        (timedelta(days=40_000), "OCCURRED_IN_FUTURE"),
        (timedelta(days=-30, minutes=-1), "OUT_OF_TIME"),
        (timedelta(days=-20_000), "OUT_OF_TIME"),
    ],
)
def test_a_purchase_of_another_time_is_refused(
    counter: Counter, away: timedelta, reason: str
) -> None:
    request = complete(counter.code, counter.patient)
    request.occurred_at.FromDatetime(datetime.now(UTC) + away)
    refusal = counter.refused(request.SerializeToString())
    assert (refusal.code, refusal.reason) == (_OUT_OF_RANGE, reason)


def test_a_purchase_before_the_first_policy_is_refused(start: Callable[..., Service]) -> None:
    """The region's rules begin on 2025-01-01; the service's clock stands three days later."""
    began = start_of(datetime(2025, 1, 1).date())  # noqa: DTZ001  # a day, not an instant
    offset = began + timedelta(days=3) - datetime.now(UTC)
    service = start(clock_offset_seconds=offset.total_seconds())
    families = at_work(service.database)
    patient = families.person(ULANQAB, balance_fen=10_000)
    code = families.institution(ULANQAB)
    till = service.till(code)
    request = purchase(code, patient)
    request.occurred_at.FromDatetime(began - timedelta(seconds=1))
    with pytest.raises(grpc.RpcError) as caught:
        till.settle(request)
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason) == (_OUT_OF_RANGE, "POLICY_NOT_IN_FORCE")
    request.occurred_at.FromDatetime(began)
    assert till.settle(request).settlement.policy.blocks[-1] == "150900@2025-01-01"


def test_an_institution_settles_under_no_other_code(counter: Counter) -> None:
    other = counter.families.institution(ULANQAB)
    for code in (other, "NOBODY"):
        request = complete(code, counter.patient)
        refusal = counter.refused(request.SerializeToString())
        assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")


def test_an_institution_that_is_not_registered_settles_nothing(counter: Counter) -> None:
    request = complete("NOBODY", counter.patient)
    till = counter.service.till("NOBODY")
    refusal = counter.refused(request.SerializeToString(), till)
    assert (refusal.code, refusal.reason) == (_MISSING, "INSTITUTION_NOT_FOUND")


@pytest.mark.parametrize("status", ["SUSPENDED", "ENDED"])
def test_an_institution_out_of_service_settles_nothing(counter: Counter, status: str) -> None:
    code = counter.families.institution(ULANQAB, status=status)
    request = complete(code, counter.patient)
    refusal = counter.refused(request.SerializeToString(), counter.service.till(code))
    assert (refusal.code, refusal.reason) == (_UNMET, "INSTITUTION_SUSPENDED")


def test_an_institution_of_another_province_settles_nothing(counter: Counter) -> None:
    code = counter.families.institution(TIELING)
    request = complete(code, counter.patient)
    refusal = counter.refused(request.SerializeToString(), counter.service.till(code))
    assert (refusal.code, refusal.reason) == (_UNMET, "INSTITUTION_OUT_OF_PROVINCE")


def test_several_usable_enrolments_must_be_chosen_from(counter: Counter) -> None:
    patient = counter.families.person(ULANQAB)
    period = {"from": "2015-01-01", "status": "NORMAL"}
    also = (ULANQAB, patient.person_id, "RESIDENT", HOHHOT, "RESIDENT", [period], None)
    counter.families.write(("enrolments", also))
    refusal = counter.refused(purchase(counter.code, patient).SerializeToString())
    assert (refusal.code, refusal.reason) == (_INVALID, "ENROLMENT_AMBIGUOUS")
    assert refusal.fields == ["insurance", "insured_region"]


def test_a_code_that_no_catalogue_knows_is_paid_by_the_patient(counter: Counter) -> None:
    request = complete(counter.code, counter.patient)
    spoil(request, "items[0].catalog_code", "NO-SUCH-CODE")
    settlement = counter.till.settle(request).settlement
    assert settlement.breakdown.full_self_pay_fen == 10_000
    assert settlement.breakdown.account_pay_fen == 0
    assert not settlement.lines[0].account_payable


def test_what_may_be_left_out_may_be_left_out(counter: Counter) -> None:
    request = complete(counter.code, counter.patient)
    for path in (
        "credential.name",
        "insurance",
        "insured_region",
        "person_id",
        "disease_code",
        "invoice_no",
        "agent",
        "prescription",
        "terminal",
        "items[0].own_code",
        "items[0].trace_codes",
    ):
        spoil(request, path, ABSENT)
    settlement = counter.till.settle(request).settlement
    assert settlement.lines[0].catalog_code == CODE
    assert settlement.breakdown.account_pay_fen == 10_000
