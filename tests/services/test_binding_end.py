"""EndBinding: by either side or a clerk for one, or as a revocation by the region."""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.calendar import shift_years
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.applications import (
    BAOTOU,
    DAY,
    HOHHOT,
    SERVICE,
    TIELING,
    ULANQAB,
    donor_in,
    relative_in,
)
from tests.services.changes import (
    STAFF,
    bind,
    bound,
    changes_in,
    end,
    guarded_by,
    in_force,
    kept,
    refused,
    trail,
)
from tests.services.driver import Driver
from tests.services.test_binding_reads import NOBODY, get
from tests.services.test_registry_persons import enrolment, person, put

TODAY = date_of(DAY)
FORGED = "虚构亲属关系，予以撤销"


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


# --- who ends it


@pytest.mark.parametrize(
    "region", [HOHHOT, ULANQAB, pytest.param(TIELING, marks=pytest.mark.requirement("TIL-26"))]
)
@pytest.mark.parametrize(
    ("side", "cause"),
    [("donor", pb.END_CAUSE_DONOR), ("beneficiary", pb.END_CAUSE_BENEFICIARY)],
)
def test_either_side_ends_it_alone_and_at_once(
    driver: Driver, families: Families, region: str, side: str, cause: int
) -> None:
    pair = in_force(driver, families, region)
    answer = end(driver, "citizen", getattr(pair, side), pair.id, reason="不再需要")
    assert answer.binding.state == pb.BINDING_STATE_ENDED
    assert (answer.binding.ended_on, answer.binding.end_cause) == (TODAY, cause)
    assert answer.binding.end_reason == "不再需要"
    for one in (pair.donor, pair.beneficiary):
        assert get(driver, "citizen", one, pair.id).state == pb.BINDING_STATE_ENDED


@pytest.mark.parametrize(
    ("side", "cause"),
    [("donor", pb.END_CAUSE_DONOR), ("beneficiary", pb.END_CAUSE_BENEFICIARY)],
)
def test_a_guardian_ends_it_for_a_ward_and_is_recorded_as_actor(
    driver: Driver, families: Families, shared_database: Database, side: str, cause: int
) -> None:
    guardian = donor_in(families, ULANQAB)
    guarded: dict[str, Any] = {side: guarded_by(guardian)}
    donor = donor_in(families, ULANQAB, **guarded.get("donor", {}))
    relative = relative_in(families, ULANQAB, **guarded.get("beneficiary", {}))
    pair = bind(driver, donor, relative, ULANQAB)
    assert end(driver, "citizen", guardian, pair.id).binding.end_cause == cause
    by = {"role": "citizen", "subject": str(getattr(pair, side)), "actor": str(guardian)}
    assert kept(shared_database, pair.id).ending["by"] == by
    record = trail(shared_database, pair.id)[-1]
    assert {"role": record.role, "subject": record.subject, "actor": record.actor} == by


def test_a_parent_ends_it_for_a_child_until_the_child_is_of_age(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    mother, birthday = donor_in(families, ULANQAB), DAY + timedelta(days=1)
    stated = person(
        enrolment(ULANQAB), card_no="K17", birth_date=date_of(shift_years(birthday, -18))
    )
    stated.guardians.add(person_id=str(mother))
    child_id = put(driver, ULANQAB, stated).person.person_id
    child = Made(UUID(child_id), stated.name, stated.certificate.number, stated.card_no, None)
    pairs = [bind(driver, donor_in(families, ULANQAB), child, ULANQAB) for _ in range(2)]
    assert end(driver, "citizen", mother, pairs[0].id).binding.ended_on == TODAY
    record = trail(shared_database, pairs[0].id)[-1]
    assert (record.subject, record.actor) == (child_id, str(mother))
    grown_up = Driver(shared_database, on=birthday)
    with refused(shared_database, errors.AccessDenied):
        end(grown_up, "citizen", mother, pairs[1].id)
    grown_up.close()


def test_a_donor_who_guards_the_beneficiary_ends_it_as_donor(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    donor = donor_in(families, ULANQAB)
    pair = bind(driver, donor, relative_in(families, ULANQAB, **guarded_by(donor)), ULANQAB)
    assert end(driver, "citizen", donor, pair.id).binding.end_cause == pb.END_CAUSE_DONOR
    assert trail(shared_database, pair.id)[-1].actor == str(donor)


@pytest.mark.parametrize(
    ("side", "cause"),
    [
        ("", pb.END_CAUSE_DONOR),
        ("donor", pb.END_CAUSE_DONOR),
        ("beneficiary", pb.END_CAUSE_BENEFICIARY),
    ],
)
def test_a_clerk_ends_it_for_the_side_named_or_else_for_the_donor(
    driver: Driver, families: Families, shared_database: Database, side: str, cause: int
) -> None:
    pair = in_force(driver, families, TIELING)
    named = str(getattr(pair, side)) if side else ""
    answer = end(driver, "counter", TIELING, pair.id, for_person_id=named)
    assert answer.binding.end_cause == cause
    by = {"role": "counter", "subject": TIELING, "actor": STAFF}
    assert kept(shared_database, pair.id).ending["by"] == by


def test_a_clerk_cannot_end_it_for_a_third_person(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair, stranger = bound(driver, families, HOHHOT), donor_in(families, HOHHOT)
    with refused(shared_database, errors.InvalidField) as caught:
        end(driver, "counter", HOHHOT, pair.id, for_person_id=str(stranger))
    [violation] = caught.value.violations
    assert (violation.field, "授权人或使用人" in violation.message_zh) == ("for_person_id", True)


@pytest.mark.parametrize("role", ["agency", "reviewer"])
def test_the_region_revokes_it_with_a_reason_and_no_notice(
    driver: Driver, families: Families, shared_database: Database, role: str
) -> None:
    pair = in_force(driver, families, TIELING)
    answer = end(driver, role, TIELING, pair.id, notice_accepted=False, reason=FORGED)
    assert answer.binding.state == pb.BINDING_STATE_ENDED
    assert answer.binding.end_cause == pb.END_CAUSE_REVOKED
    assert get(driver, "citizen", pair.donor, pair.id).end_reason == FORGED
    ending = kept(shared_database, pair.id).ending
    assert ending["by"] == {"role": role, "subject": TIELING, "actor": STAFF}
    assert ending["notice_version"] == ""


@pytest.mark.parametrize("role", ["agency", "reviewer"])
@pytest.mark.parametrize("reason", ["", "  "])
def test_a_revocation_without_a_reason_is_refused(
    driver: Driver, families: Families, shared_database: Database, role: str, reason: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    with refused(shared_database, errors.InvalidField) as caught:
        end(driver, role, HOHHOT, pair.id, reason=reason)
    [violation] = caught.value.violations
    assert (violation.field, violation.message_zh) == ("reason", "撤销须填写原因")


@pytest.mark.parametrize("role", ["counter", "agency", "reviewer"])
def test_the_staff_of_another_region_may_not_end_it(
    driver: Driver, families: Families, shared_database: Database, role: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    for region in (ULANQAB, BAOTOU, "150000"):
        with refused(shared_database, errors.AccessDenied):
            end(driver, role, region, pair.id, reason=FORGED, for_person_id=str(pair.donor))


def test_a_strangers_binding_and_a_missing_one_are_one_answer(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair, stranger = bound(driver, families, HOHHOT), donor_in(families, HOHHOT)
    answers = set()
    for binding_id in (pair.id, NOBODY, "12345678-1234-1234-1234-123456789012"):
        with refused(shared_database, errors.AccessDenied) as caught:
            end(driver, "citizen", stranger, binding_id)
        answers.add((caught.value.message_zh, str(caught.value.details)))
    assert len(answers) == 1


# --- the notice


@pytest.mark.requirement("TIL-27")
@pytest.mark.parametrize("side", ["donor", "beneficiary"])
def test_the_notice_must_be_accepted_first(
    driver: Driver, families: Families, shared_database: Database, side: str
) -> None:
    pair = in_force(driver, families, TIELING)
    with refused(shared_database, errors.NoticeNotAccepted, "勾选同意告知书"):
        end(driver, "citizen", getattr(pair, side), pair.id, notice_accepted=False)


@pytest.mark.requirement("TIL-27")
@pytest.mark.parametrize("stated", [True, False])
def test_the_version_of_the_notice_that_was_accepted_is_kept(
    driver: Driver, families: Families, shared_database: Database, stated: bool
) -> None:
    version = driver.office.policy(TIELING, DAY).notice_version
    pair = in_force(driver, families, TIELING)
    end(driver, "citizen", pair.donor, pair.id, notice_version=version if stated else "")
    assert kept(shared_database, pair.id).ending["notice_version"] == version
    _, ending = changes_in(trail(shared_database, pair.id)[-1])["ending"]
    assert ending["notice_version"] == version


@pytest.mark.requirement("TIL-27")
def test_an_older_version_of_the_notice_is_refused_naming_the_one_in_force(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    version = driver.office.policy(TIELING, DAY).notice_version
    pair = in_force(driver, families, TIELING)
    with refused(shared_database, errors.NoticeOutdated, version, "勾选同意新版本"):
        end(driver, "citizen", pair.donor, pair.id, notice_version="211200-2020-01")


@pytest.mark.parametrize("region", [HOHHOT, ULANQAB])
def test_where_a_region_has_no_notice_none_is_asked_for(
    driver: Driver, families: Families, region: str
) -> None:
    pair = bound(driver, families, region)
    answer = end(driver, "citizen", pair.donor, pair.id, notice_accepted=False)
    assert answer.binding.state == pb.BINDING_STATE_ENDED


@pytest.mark.parametrize("side", ["donor", "beneficiary"])
def test_an_application_in_review_is_withdrawn_without_a_notice(
    driver: Driver, families: Families, side: str
) -> None:
    pair = bound(driver, families, TIELING)
    answer = end(driver, "citizen", getattr(pair, side), pair.id, notice_accepted=False)
    assert answer.binding.state == pb.BINDING_STATE_ENDED
    assert answer.binding.ended_on == TODAY


# --- again and in the trail


def test_a_repeated_end_answers_the_same(driver: Driver, families: Families) -> None:
    pair = bound(driver, families, HOHHOT)
    first, again = (
        end(driver, "citizen", pair.donor, pair.id, request_id="once") for _ in range(2)
    )
    assert (first.replayed, again.replayed) == (False, True)
    assert again.binding == first.binding


def test_a_request_id_used_for_another_end_names_what_differs(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    end(driver, "citizen", pair.donor, pair.id, request_id="twice")
    other = bind(driver, pair.donor, relative_in(families, HOHHOT), HOHHOT)
    with refused(shared_database, errors.RequestIdReused, "请求编号") as caught:
        end(driver, "citizen", pair.donor, other.id, request_id="twice", reason="不再需要")
    fields = [violation.field for violation in caught.value.violations]
    assert fields == ["binding_id", "reason"]


def test_the_trail_says_from_where_the_call_came(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    caller = Caller(Role.CITIZEN, str(pair.donor), origin="10.0.0.7")
    body = pb.EndBindingRequest(request_id="e-2", binding_id=pair.id).SerializeToString()
    method, deadline = method_of(SERVICE, "EndBinding"), time.time() + 30
    driver.office.run(routes.read_command(driver.office, method, caller, body, deadline))
    assert trail(shared_database, pair.id)[-1].origin == "10.0.0.7"


def test_the_trail_says_who_ended_what_and_why_and_names_nobody(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    end(driver, "citizen", pair.beneficiary, pair.id, reason="不再需要", request_id="e-1")
    _, record = trail(shared_database, pair.id)
    oneself = str(pair.beneficiary)
    assert (record.role, record.subject, record.actor) == ("citizen", oneself, oneself)
    assert record.action == "gongji.v1.BindingService/EndBinding"
    assert (record.region, record.request_id, record.reason) == (HOHHOT, "e-1", "不再需要")
    changes = changes_in(record)
    assert changes.keys() == {"state", "ended_on", "ending"}
    assert changes["state"] == ("ACTIVE", "ENDED")
    assert changes["ended_on"] == (None, DAY.isoformat())
    assert changes["ending"] == (None, kept(shared_database, pair.id).ending)
    for one in (pair.donor, pair.beneficiary):
        assert one.name not in str(record)
        assert one.certificate_number not in str(record)
