"""Who may bind whom: the checks, their order, and what each tells."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.eligibility import (
    Application,
    check_application,
    check_credential,
    leading_enrolment,
    review_required,
)
from gongji_svc.domain.person import PUBLICLY_FUNDED, Period
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import (
    AccountState,
    Channel,
    Confirmation,
    CredentialType,
    DocumentKind,
    DocumentOf,
    Insurance,
    InsuredStatus,
    Relation,
    Use,
)
from tests.domain.builders import (
    BAOTOU,
    HOHHOT,
    START,
    TIELING,
    account,
    binding,
    enrolment,
    person,
    policy,
)

TODAY = date(2025, 5, 6)
DONOR, CHILD = 2, 1
RESIDENT = enrolment(Insurance.RESIDENT)
LAPSED = enrolment(
    Insurance.EMPLOYEE,
    HOHHOT,
    Period(START, date(2025, 1, 31)),
    Period(date(2025, 2, 1), None, InsuredStatus.PAUSED),
)


def application(**fields: Any) -> Application:
    made: dict[str, Any] = {
        "donor": person(DONOR),
        "donor_accounts": (account(DONOR, 100),),
        "donor_bindings": (),
        "beneficiary": person(CHILD, RESIDENT),
        "beneficiary_bindings": (),
        "relation": Relation.CHILD,
        "uses": frozenset({Use.MEDICAL}),
        "channel": Channel.APP,
    }
    return Application(**{**made, **fields})


def refusal(
    asked: Application, values: Mapping[str, object] | None = None, start: Policy | None = None
) -> errors.Refusal | None:
    rules = policy(values)
    try:
        check_application(asked, rules, start or rules, TODAY)
    except errors.Refusal as refused:
        return refused
    return None


def expect(kind: type[errors.Refusal], asked: Application, **values: object) -> errors.Refusal:
    places = {name.replace("__", "."): value for name, value in values.items()}
    refused = refusal(asked, places)
    assert type(refused) is kind
    return refused


def test_a_plain_application_passes() -> None:
    assert refusal(application()) is None


@pytest.mark.requirement("TIL-06")
def test_a_channel_that_the_region_does_not_offer_is_refused() -> None:
    refused = expect(errors.ChannelNotOffered, application(channel=Channel.WEB))
    assert "可用渠道：内蒙古医保、窗口。" in refused.message_zh


@pytest.mark.requirement("ULQ-22")
def test_a_clerk_must_have_seen_the_certificates() -> None:
    expect(errors.CertificatesNotSeen, application(channel=Channel.COUNTER))
    assert refusal(application(channel=Channel.COUNTER, certificates_seen=True)) is None


@pytest.mark.requirement("TIL-D1")
def test_each_channel_says_whether_it_is_reviewed() -> None:
    assert not review_required(policy(), Channel.APP)
    assert review_required(policy(), Channel.COUNTER)


@pytest.mark.requirement("HOH-01", "ULQ-01", "TIL-01")
def test_the_donor_must_be_an_employee_in_good_standing_with_an_account() -> None:
    expect(errors.DonorNotEmployeeInsured, application(donor=person(DONOR, RESIDENT)))
    expect(errors.DonorNotInGoodStanding, application(donor=person(DONOR, LAPSED)))
    expect(errors.DonorWithoutAccount, application(donor_accounts=()))
    closed = account(DONOR, 0, state=AccountState.CLOSED)
    expect(errors.DonorWithoutAccount, application(donor_accounts=(closed,)))


def test_a_publicly_funded_person_is_refused_where_the_policy_says_so() -> None:
    funded = frozenset({PUBLICLY_FUNDED})
    donor = application(donor=person(DONOR, identities=funded))
    beneficiary = application(beneficiary=person(CHILD, RESIDENT, identities=funded))
    assert refusal(donor) is None
    expect(errors.DonorPubliclyFunded, donor, donor__publicly_funded=False)
    expect(errors.BeneficiaryPubliclyFunded, beneficiary, beneficiary__publicly_funded=False)


@pytest.mark.requirement("HOH-02", "ULQ-04", "TIL-05", "NAT-06")
def test_the_beneficiary_must_be_insured_as_the_region_demands() -> None:
    expect(errors.BeneficiaryNotInsured, application(beneficiary=person(CHILD, LAPSED)))
    employee = application(beneficiary=person(CHILD))
    assert refusal(employee) is None
    expect(errors.BeneficiaryInsuranceNotAdmitted, employee, beneficiary__insurances=["RESIDENT"])


@pytest.mark.requirement("HOH-03", "ULQ-05", "TIL-03")
def test_the_beneficiary_must_be_insured_inside_the_area() -> None:
    near = application(beneficiary=person(CHILD, enrolment(region=BAOTOU)))
    far = application(beneficiary=person(CHILD, enrolment(region=TIELING)))
    assert refusal(near) is None
    expect(errors.BeneficiaryOutOfArea, far)
    expect(errors.BeneficiaryOutOfArea, near, beneficiary__area="SAME_REGION")
    assert refusal(far, {"beneficiary.area": "NATION"}) is None


@pytest.mark.requirement("HOH-04", "ULQ-03")
def test_the_relation_must_be_allowed() -> None:
    refused = expect(errors.RelationNotAllowed, application(relation=Relation.SIBLING))
    assert "配偶" in refused.message_zh


@pytest.mark.requirement("NAT-11")
def test_the_relation_must_be_allowed_on_the_first_day() -> None:
    later = policy({"relations.allowed": ["SIBLING"]})
    assert refusal(application(relation=Relation.SIBLING), start=later) is None
    assert isinstance(refusal(application(), start=later), errors.RelationNotAllowed)


def test_nobody_is_bound_to_oneself() -> None:
    expect(errors.SelfBinding, application(beneficiary=person(DONOR)))


def test_two_people_are_bound_once_in_a_period() -> None:
    dated = binding(DONOR, CHILD, effective_to=date(2025, 6, 30))
    refused = expect(errors.BindingOverlaps, application(donor_bindings=(dated,)))
    assert "（2024-01-01至2025-06-30）。请选择其他时间段" in refused.message_zh
    after = application(donor_bindings=(dated,), effective_from=date(2025, 7, 1))
    assert refusal(after) is None


def test_an_application_in_review_between_the_two_is_to_be_waited_for_or_withdrawn() -> None:
    waiting = binding(DONOR, CHILD, state=BindingState.PENDING_REVIEW)
    refused = expect(errors.BindingOverlaps, application(donor_bindings=(waiting,)))
    assert refused.message.endswith("to open).")
    assert "正在审核的绑定申请" in refused.message_zh
    assert "至长期）。请等待审核结果，或先撤回该申请。" in refused.message_zh


def family(count: int, **fields: Any) -> tuple[Any, ...]:
    """Bindings of the donor with so many other people."""
    return tuple(
        binding(DONOR, 10 + number, binding_id=person(500 + number).person_id, **fields)
        for number in range(count)
    )


@pytest.mark.requirement("HOH-05", "TIL-02")
def test_the_member_above_the_limit_is_refused_until_one_is_released() -> None:
    refused = expect(
        errors.DonorMembersExceeded, application(donor_bindings=family(6)), members__at_once=6
    )
    assert refused.details["count"] == "6"
    released = (*family(5), binding(DONOR, 99, state=BindingState.ENDED))
    assert refusal(application(donor_bindings=released), {"members.at_once": 6}) is None


def test_a_limit_may_count_each_relation_apart() -> None:
    limits = {"CHILD": 3, "SPOUSE": 1}
    children = application(donor_bindings=family(3))
    expect(errors.RelationMembersExceeded, children, members__by_relation=limits)
    spouse = application(donor_bindings=family(3), relation=Relation.SPOUSE)
    assert refusal(spouse, {"members.by_relation": limits}) is None


def test_a_lifetime_limit_counts_people_once_and_never_forgets_them() -> None:
    ended = family(20, state=BindingState.ENDED, ended_on=date(2024, 12, 31))
    expect(errors.LifetimeMembersExceeded, application(donor_bindings=ended), members__lifetime=20)
    again = person(10, RESIDENT)
    known = application(donor_bindings=ended, beneficiary=again)
    assert refusal(known, {"members.lifetime": 20}) is None


def test_an_application_that_waits_for_review_counts_for_a_lifetime() -> None:
    waiting = family(20, state=BindingState.PENDING_REVIEW, approved=False)
    asked = application(donor_bindings=waiting)
    expect(errors.LifetimeMembersExceeded, asked, members__lifetime=20)


def test_an_application_that_was_rejected_is_no_member_of_a_lifetime() -> None:
    rejected = family(20, state=BindingState.REJECTED, approved=False)
    assert refusal(application(donor_bindings=rejected), {"members.lifetime": 20}) is None


@pytest.mark.requirement("NAT-01")
def test_a_beneficiary_has_as_many_donors_as_the_region_allows() -> None:
    bound = application(beneficiary_bindings=(binding(7, CHILD),))
    assert refusal(bound) is None
    expect(errors.BeneficiaryDonorsExceeded, bound, members__donors_at_once=1)


def test_where_roles_exclude_each_other_a_beneficiary_is_no_donor() -> None:
    both = application(donor_bindings=(binding(7, DONOR),))
    assert refusal(both) is None
    expect(errors.RoleConflict, both, members__one_role_only=True)
    donor_too = application(beneficiary_bindings=(binding(CHILD, 8),))
    expect(errors.RoleConflict, donor_too, members__one_role_only=True)


def test_the_lock_on_binding_again_says_the_earliest_day() -> None:
    ended = binding(DONOR, CHILD, state=BindingState.ENDED, ended_on=date(2025, 4, 20))
    refused = expect(
        errors.RebindingLocked,
        application(donor_bindings=(ended,)),
        binding__rebinding_lock={"days": 30},
    )
    assert refused.details == {"earliest_date": "2025-05-20"}
    assert refusal(application(donor_bindings=(ended,))) is None


@pytest.mark.requirement("HOH-11")
def test_the_dates_must_be_given_and_in_order() -> None:
    refused = expect(errors.InvalidField, application(), binding__start_date_required=True)
    assert refused.violations[0].field == "effective_from"
    expect(errors.StartDateInPast, application(effective_from=date(2025, 5, 5)))
    expect(errors.EndDateBeforeStart, application(effective_to=TODAY))


def test_a_use_that_the_region_does_not_offer_is_refused() -> None:
    premium = application(uses=frozenset({Use.PREMIUM}))
    expect(errors.UseNotAllowed, premium, use__uses=["MEDICAL"])


@pytest.mark.requirement("ULQ-19", "TIL-15", "HOH-10")
def test_a_detail_that_the_region_asks_for_is_a_field_error() -> None:
    refused = expect(
        errors.BeneficiaryDetailMissing, application(), beneficiary__required_fields=["PHONE"]
    )
    assert refused.violations[0].field == "beneficiary.phone"


BOTH_SIDES = [
    {"any_of": ["ID_FRONT"], "of": "BENEFICIARY"},
    {"any_of": ["ID_BACK"], "of": "BENEFICIARY"},
]


@pytest.mark.requirement("HOH-13", "TIL-13", "TIL-16")
def test_each_document_that_the_region_requires_must_be_there() -> None:
    front = (DocumentKind.ID_FRONT, DocumentOf.BENEFICIARY)
    back = (DocumentKind.ID_BACK, DocumentOf.BENEFICIARY)
    half = application(documents=frozenset({front}))
    refused = expect(errors.DocumentMissing, half, binding__documents=BOTH_SIDES)
    assert "使用人的身份证国徽面" in refused.message_zh
    whole = application(documents=frozenset({front, back}))
    assert refusal(whole, {"binding.documents": BOTH_SIDES}) is None


def test_a_document_of_both_people_serves_either() -> None:
    kinds = [{"any_of": ["MARRIAGE", "HOUSEHOLD"], "of": "DONOR"}]
    asked = application(documents=frozenset({(DocumentKind.HOUSEHOLD, DocumentOf.BOTH)}))
    assert refusal(asked, {"binding.documents": kinds}) is None


def test_a_confirmation_that_the_region_asks_for_must_be_there() -> None:
    expect(errors.ConfirmationMissing, application(), binding__confirmations=["FACE_CHECK"])
    checked = application(confirmations=frozenset({Confirmation.FACE_CHECK}))
    assert refusal(checked, {"binding.confirmations": ["FACE_CHECK"]}) is None


@pytest.mark.requirement("HOH-12", "TIL-14")
def test_the_commitment_must_be_accepted_in_its_current_version() -> None:
    expect(errors.CommitmentNotAccepted, application(), commitment__version="2")
    old = application(commitment_version="1")
    expect(errors.CommitmentOutdated, old, commitment__version="2")
    assert refusal(application(commitment_version="2"), {"commitment.version": "2"}) is None


def test_the_first_check_that_fails_is_the_answer() -> None:
    wrong = application(
        donor=person(DONOR, RESIDENT), relation=Relation.SIBLING, effective_to=TODAY
    )
    expect(errors.DonorNotEmployeeInsured, wrong)


def test_an_insured_employment_leads_other_insurances() -> None:
    resident = enrolment(Insurance.RESIDENT)
    assert leading_enrolment(person(DONOR, resident, LAPSED, enrolment()), TODAY) == enrolment()
    assert leading_enrolment(person(DONOR, resident, LAPSED), TODAY) == LAPSED


@pytest.mark.requirement("ULQ-09", "TIL-22")
def test_the_till_takes_the_credentials_of_the_patients_region() -> None:
    rules = policy({"use.credentials": ["E_CREDENTIAL", "SOCIAL_CARD"]})
    check_credential(rules, CredentialType.SOCIAL_CARD)
    with pytest.raises(errors.CredentialNotAccepted):
        check_credential(rules, CredentialType.ID_CARD)
