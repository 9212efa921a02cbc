"""ReviewBinding: a reviewer of the donor's region decides an application, once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from gongji.v1 import access_pb2
from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.person import Period
from gongji_svc.domain.wording import BINDING_STATE_ZH
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import LONG_AGO, Families, Made
from tests.services.applications import (
    DAY,
    HOHHOT,
    SERVICE,
    SHENYANG,
    TIELING,
    application,
    at_counter,
    changed,
    create,
    donor_in,
    relative_in,
)
from tests.services.changes import (
    STAFF,
    Pair,
    bind,
    bound,
    changes_in,
    end,
    kept,
    purchase,
    refused,
    review,
    trail,
)
from tests.services.driver import Driver
from tests.services.test_binding_reads import NOBODY, get
from tests.services.till import paid

UNTIL_MAY = (Period(LONG_AGO, date(2025, 5, 31)),)
IN_JUNE = date(2025, 6, 10)
BLURRED = "证件照片不清晰，请重新上传"


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


@pytest.fixture(scope="module")
def pharmacy(families: Families) -> str:
    families.item(TIELING, "XA01")
    return families.institution(TIELING)


@pytest.mark.requirement("TIL-17")
def test_an_approved_application_is_in_force_and_says_so(
    driver: Driver, families: Families
) -> None:
    pair = bound(driver, families, TIELING)
    answer = review(driver, TIELING, pair.id)
    assert answer.binding.state == pb.BINDING_STATE_ACTIVE
    assert answer.binding.review.decision == pb.REVIEW_DECISION_APPROVE
    assert answer.binding.review.HasField("decided_at")
    assert get(driver, "reviewer", TIELING, pair.id) == answer.binding
    unchanged = changed(answer.binding, state=pair.binding.state, review=None)
    assert unchanged == pair.binding


@pytest.mark.requirement("TIL-18")
def test_a_till_takes_a_donors_money_only_after_the_approval(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    pair = bound(driver, families, TIELING)
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == []
    review(driver, TIELING, pair.id)
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == [("DONOR", 10_000)]


@pytest.mark.requirement("TIL-17", "TIL-18")
def test_a_till_takes_no_money_of_a_donor_whose_application_was_rejected(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    pair = bound(driver, families, TIELING)
    review(driver, TIELING, pair.id, "REJECT", reason=BLURRED)
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == []


@pytest.mark.requirement("TIL-17")
def test_both_people_learn_why_it_was_rejected_but_only_staff_who_decided(
    driver: Driver, families: Families
) -> None:
    pair = bound(driver, families, TIELING)
    answer = review(driver, TIELING, pair.id, "REJECT", reason=BLURRED).binding
    assert answer.state == pb.BINDING_STATE_REJECTED
    for person in (pair.donor, pair.beneficiary):
        seen = get(driver, "citizen", person, pair.id)
        assert (seen.state, seen.review.reason) == (pb.BINDING_STATE_REJECTED, BLURRED)
        assert seen.review.decided_at == answer.review.decided_at
        assert not seen.review.HasField("decided_by")
    for role in ("counter", "reviewer", "agency"):
        by = get(driver, role, TIELING, pair.id).review.decided_by
        assert (by.role, by.subject, by.actor) == (access_pb2.ROLE_REVIEWER, TIELING, STAFF)


@pytest.mark.parametrize("reason", ["", "   ", "　"])
def test_a_rejection_without_a_reason_is_refused(
    driver: Driver, families: Families, shared_database: Database, reason: str
) -> None:
    pair = bound(driver, families, TIELING)
    with refused(shared_database, errors.InvalidField) as caught:
        review(driver, TIELING, pair.id, "REJECT", reason=reason)
    [violation] = caught.value.violations
    assert (violation.field, violation.message_zh) == ("reason", "审核不通过须填写原因")


# --- once


@pytest.mark.parametrize("first", ["APPROVE", "REJECT"])
@pytest.mark.parametrize("second", ["APPROVE", "REJECT"])
def test_a_decided_application_cannot_be_decided_again(
    driver: Driver, families: Families, shared_database: Database, first: str, second: str
) -> None:
    pair = bound(driver, families, TIELING)
    state = review(driver, TIELING, pair.id, first, reason=BLURRED).binding.state
    name = pb.BindingState.Name(state).removeprefix("BINDING_STATE_")
    told, made = BINDING_STATE_ZH[name], kept(shared_database, pair.id).review
    with refused(shared_database, errors.BindingNotPending, told, "无需再审核") as caught:
        review(driver, TIELING, pair.id, second, reason=BLURRED)
    details = {"state": name, "state_zh": told, "decision": first, "decided_at": made["decided_at"]}
    assert caught.value.details == {**details, "decided_by": STAFF}


def test_a_withdrawn_application_cannot_be_decided(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, TIELING)
    end(driver, "citizen", pair.donor, pair.id)
    with refused(shared_database, errors.BindingNotPending, "已解除", "已撤回") as caught:
        review(driver, TIELING, pair.id)
    assert caught.value.details == {"state": "ENDED", "state_zh": "已解除"}


@pytest.mark.requirement("TIL-17")
def test_of_reviewers_who_decide_at_once_one_wins_and_the_others_are_told(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, TIELING)
    offices = [Driver(shared_database, on=DAY) for _ in range(2)]

    def outcome(number: int) -> object:
        decision = ("APPROVE", "REJECT")[number % 2]
        try:
            return review(offices[number % 2], TIELING, pair.id, decision, reason=BLURRED).binding
        except errors.Refusal as refusal:
            return type(refusal)

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(outcome, range(6)))
    [won] = [one for one in outcomes if isinstance(one, pb.Binding)]
    assert outcomes.count(errors.BindingNotPending) == 5
    assert get(driver, "reviewer", TIELING, pair.id) == won
    assert len(trail(shared_database, pair.id)) == 2  # the application and one decision
    for office in offices:
        office.close()


def test_a_repeated_decision_answers_the_same(driver: Driver, families: Families) -> None:
    pair = bound(driver, families, TIELING)
    first, again = (review(driver, TIELING, pair.id, request_id="once") for _ in range(2))
    assert (first.replayed, again.replayed) == (False, True)
    assert again.binding == first.binding


def test_a_request_id_used_for_another_decision_names_what_differs(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair, other = bound(driver, families, TIELING), bound(driver, families, TIELING)
    review(driver, TIELING, pair.id, request_id="twice")
    with refused(shared_database, errors.RequestIdReused, "请求编号") as caught:
        review(driver, TIELING, other.id, "REJECT", reason=BLURRED, request_id="twice")
    fields = [violation.field for violation in caught.value.violations]
    assert fields == ["binding_id", "decision", "reason"]


# --- who may


@pytest.mark.parametrize("region", [SHENYANG, HOHHOT, "210000"])
def test_a_reviewer_of_another_region_may_not_decide(
    driver: Driver, families: Families, shared_database: Database, region: str
) -> None:
    pair = bound(driver, families, TIELING)
    with refused(shared_database, errors.AccessDenied):
        review(driver, region, pair.id)


def test_a_foreign_application_and_a_missing_one_are_one_answer(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, TIELING)
    answers = set()
    for binding_id in (pair.id, NOBODY):
        with refused(shared_database, errors.AccessDenied) as caught:
            review(driver, SHENYANG, binding_id, "REJECT")
        answers.add((caught.value.message_zh, str(caught.value.details)))
    assert len(answers) == 1


@pytest.mark.parametrize("role", ["citizen", "counter", "agency", "audit", "pos"])
def test_nobody_but_a_reviewer_decides(
    driver: Driver, families: Families, shared_database: Database, role: str
) -> None:
    pair = bound(driver, families, TIELING)
    subject: object = pair.donor if role == "citizen" else TIELING
    request = pb.ReviewBindingRequest(
        request_id="r-1", binding_id=pair.id, decision=pb.REVIEW_DECISION_APPROVE
    )
    with refused(shared_database, errors.AccessDenied):
        driver.call(role, subject, "BindingService", "ReviewBinding", request, actor=STAFF)


# --- what an approval asks again


@pytest.mark.parametrize(
    ("lapsed", "refusal"),
    [("donor", errors.DonorNotInGoodStanding), ("beneficiary", errors.BeneficiaryNotInsured)],
)
def test_who_is_no_longer_insured_is_not_approved_but_can_be_rejected(
    driver: Driver,
    families: Families,
    shared_database: Database,
    lapsed: str,
    refusal: type[errors.Refusal],
) -> None:
    periods: dict[str, Any] = {lapsed: {"periods": UNTIL_MAY}}
    donor = donor_in(families, TIELING, **periods.get("donor", {}))
    relative = relative_in(families, TIELING, **periods.get("beneficiary", {}))
    pair = bind(driver, donor, relative, TIELING)
    later = Driver(shared_database, on=IN_JUNE)
    with refused(shared_database, refusal, "恢复"):
        review(later, TIELING, pair.id)
    rejected = review(later, TIELING, pair.id, "REJECT", reason="已停保").binding
    assert rejected.state == pb.BINDING_STATE_REJECTED
    later.close()


def test_an_application_whose_last_day_has_passed_can_only_be_rejected(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    last_day = DAY + timedelta(days=5)
    pair = bound(driver, families, TIELING, effective_to=date_of(last_day))
    later = Driver(shared_database, on=last_day + timedelta(days=1))
    with refused(shared_database, errors.ApplicationExpired, last_day.isoformat(), "重新申请"):
        review(later, TIELING, pair.id)
    rejected = review(later, TIELING, pair.id, "REJECT", reason="已过期").binding
    assert rejected.state == pb.BINDING_STATE_REJECTED
    later.close()


def test_an_application_can_be_approved_on_its_last_day(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    last_day = DAY + timedelta(days=5)
    pair = bound(driver, families, TIELING, effective_to=date_of(last_day))
    later = Driver(shared_database, on=last_day)
    assert review(later, TIELING, pair.id).binding.state == pb.BINDING_STATE_ACTIVE
    later.close()


# --- applying anew


def applied_again(driver: Driver, donor: Made, beneficiary: Made, documents: list[str]) -> Pair:
    return bind(driver, donor, beneficiary, TIELING, document_ids=documents)


def documents_of(binding: pb.Binding) -> list[str]:
    return [document.document_id for document in binding.documents]


@pytest.mark.requirement("TIL-17")
def test_a_rejected_application_can_be_corrected_with_the_same_documents(
    driver: Driver, families: Families
) -> None:
    rejected = bound(driver, families, TIELING)
    review(driver, TIELING, rejected.id, "REJECT", reason=BLURRED)
    documents = documents_of(rejected.binding)
    anew = applied_again(driver, rejected.donor, rejected.beneficiary, documents)
    assert anew.id != rejected.id
    assert anew.binding.state == pb.BINDING_STATE_PENDING_REVIEW
    assert documents_of(anew.binding) == documents
    assert review(driver, TIELING, anew.id).binding.state == pb.BINDING_STATE_ACTIVE
    old = get(driver, "citizen", rejected.donor, rejected.id)
    assert (old.state, documents_of(old)) == (pb.BINDING_STATE_REJECTED, documents)


def test_a_donor_corrects_online_what_a_clerk_had_uploaded(
    driver: Driver, families: Families
) -> None:
    donor, relative = donor_in(families, TIELING), relative_in(families, TIELING)
    online = application(driver, donor, relative, region=TIELING)
    request = at_counter(driver, online, TIELING)
    rejected = driver.call("counter", TIELING, SERVICE, "CreateBinding", request, actor="c-18")
    review(driver, TIELING, rejected.binding.binding_id, "REJECT", reason=BLURRED)
    documents = documents_of(rejected.binding)
    anew = create(driver, donor, changed(online, document_ids=documents))
    assert documents_of(anew.binding) == documents


def test_documents_of_a_rejected_application_serve_one_new_application(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    rejected = bound(driver, families, TIELING)
    review(driver, TIELING, rejected.id, "REJECT", reason=BLURRED)
    documents = documents_of(rejected.binding)
    anew = applied_again(driver, rejected.donor, rejected.beneficiary, documents)
    review(driver, TIELING, anew.id)
    end(driver, "citizen", anew.donor, anew.id)
    with refused(shared_database, errors.DocumentAlreadyAttached, "请重新上传"):
        applied_again(driver, rejected.donor, rejected.beneficiary, documents)


def test_somebody_elses_rejected_documents_are_not_found(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    rejected = bound(driver, families, TIELING)
    review(driver, TIELING, rejected.id, "REJECT", reason=BLURRED)
    stranger, child = donor_in(families, TIELING), relative_in(families, TIELING)
    request = application(driver, stranger, child, region=TIELING)
    request = changed(request, document_ids=documents_of(rejected.binding))
    with refused(shared_database, errors.DocumentNotFound, "请重新上传"):
        create(driver, stranger, request)


def test_while_an_application_waits_the_same_two_cannot_apply_again(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, TIELING)
    request = application(driver, pair.donor, pair.beneficiary, region=TIELING)
    with refused(shared_database, errors.BindingOverlaps, "正在审核", "或先撤回该申请"):
        create(driver, pair.donor, request)


# --- the trail


@pytest.mark.parametrize(
    ("decision", "state"),
    [("APPROVE", BindingState.ACTIVE), ("REJECT", BindingState.REJECTED)],
)
def test_the_trail_says_who_decided_what_and_why(
    driver: Driver, families: Families, shared_database: Database, decision: str, state: str
) -> None:
    pair = bound(driver, families, TIELING)
    review(driver, TIELING, pair.id, decision, reason=BLURRED, request_id=f"r-{pair.id}")
    _, record = trail(shared_database, pair.id)
    assert (record.role, record.subject, record.actor) == ("reviewer", TIELING, STAFF)
    assert record.action == "gongji.v1.BindingService/ReviewBinding"
    assert (record.region, record.request_id, record.reason) == (TIELING, f"r-{pair.id}", BLURRED)
    changes = changes_in(record)
    assert changes.keys() == {"state", "review"}
    assert changes["state"] == ("PENDING_REVIEW", state)
    assert changes["review"] == (None, kept(shared_database, pair.id).review)


def test_the_trail_names_ids_and_no_names_or_numbers(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, TIELING)
    review(driver, TIELING, pair.id, "REJECT", reason=BLURRED)
    people = (pair.donor, pair.beneficiary)
    private = {
        text for one in people for text in (one.name, one.certificate_number, one.card_no)
    } | {"13800000001"}
    records = str(trail(shared_database, pair.id))
    assert str(pair.donor) in records
    assert [text for text in private if text in records] == []
