"""ListAuditRecords: the trail of a region, for its auditors."""

from collections.abc import Iterator
from typing import Any

import pytest

from gongji.v1 import access_pb2, binding_pb2
from gongji.v1 import registry_pb2 as pb
from gongji_svc.domain.errors import AccessDenied, PageTokenInvalid
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.applications import (
    HOHHOT,
    SERVICE,
    ULANQAB,
    application,
    changed,
    donor_in,
    relative_in,
)
from tests.services.driver import Driver


@pytest.fixture
def driver(database: Database) -> Iterator[Driver]:
    office = Driver(database)
    yield office
    office.close()


def records(driver: Driver, region: str = ULANQAB, **fields: Any) -> Any:
    request = pb.ListAuditRecordsRequest(**fields)
    return driver.call("audit", region, "RegistryService", "ListAuditRecords", request, actor="a-1")


def bound(driver: Driver, region: str = ULANQAB) -> Any:
    families = Families(driver.office.database)
    donor, relative = donor_in(families, region), relative_in(families, region)
    request = application(driver, donor, relative, region=region)
    return driver.call("citizen", donor, SERVICE, "CreateBinding", request).binding


def ended(driver: Driver, binding: Any, subject: str, request_id: str = "end-1") -> Any:
    request = binding_pb2.EndBindingRequest(
        request_id=request_id, binding_id=binding.binding_id, reason="不再需要"
    )
    return driver.call("citizen", subject, SERVICE, "EndBinding", request)


def test_each_change_is_told_newest_first_with_who_what_and_when(driver: Driver) -> None:
    binding = bound(driver)
    ended(driver, binding, binding.beneficiary_id)
    newest, first = records(driver).audit_records
    assert first.action == "gongji.v1.BindingService/CreateBinding"
    assert newest.action == "gongji.v1.BindingService/EndBinding"
    assert newest.actor.role == access_pb2.ROLE_CITIZEN
    assert newest.actor.subject == newest.actor.actor == binding.beneficiary_id
    assert (newest.subject_kind, newest.subject_id) == ("binding", binding.binding_id)
    assert (newest.request_id, newest.reason, newest.region) == ("end-1", "不再需要", ULANQAB)
    assert first.recorded_at.ToDatetime() < newest.recorded_at.ToDatetime()


def test_a_change_tells_the_values_before_and_after(driver: Driver) -> None:
    binding = bound(driver)
    ended(driver, binding, binding.donor_id)
    newest, first = records(driver).audit_records
    states = {c.field: (c.before, c.after) for c in newest.changes}
    assert states["state"] == ('"ACTIVE"', '"ENDED"')
    assert "rank" not in states
    created = {c.field: (c.before, c.after) for c in first.changes}
    assert created["state"] == ("", '"ACTIVE"')
    assert created["donor_id"] == ("", f'"{binding.donor_id}"')


def test_a_repeat_or_a_refusal_leaves_no_second_record(driver: Driver) -> None:
    binding = bound(driver)
    ended(driver, binding, binding.donor_id)
    ended(driver, binding, binding.donor_id)
    with pytest.raises(Exception, match="state"):
        ended(driver, binding, binding.donor_id, "end-2")
    assert len(records(driver).audit_records) == 2


def test_the_trail_is_that_of_the_donors_region_only(driver: Driver) -> None:
    bound(driver)
    assert len(records(driver, ULANQAB).audit_records) == 1
    assert len(records(driver, HOHHOT).audit_records) == 0


@pytest.mark.parametrize("role", ["citizen", "counter", "reviewer", "agency", "pos", "tax"])
def test_nobody_but_an_auditor_reads_it(driver: Driver, role: str) -> None:
    request = pb.ListAuditRecordsRequest()
    with pytest.raises(AccessDenied):
        driver.call(role, ULANQAB, "RegistryService", "ListAuditRecords", request, actor="a-1")


def test_records_are_chosen_by_subject_actor_role_action_and_time(driver: Driver) -> None:
    binding, other = bound(driver), bound(driver)
    end = ended(driver, binding, binding.donor_id).binding
    mine = records(driver, subject_id=binding.binding_id, subject_kind="binding").audit_records
    assert [one.subject_id for one in mine] == [binding.binding_id] * 2
    action = "gongji.v1.BindingService/EndBinding"
    assert len(records(driver, action=action).audit_records) == 1
    assert len(records(driver, role=access_pb2.ROLE_CITIZEN).audit_records) == 3
    assert len(records(driver, role=access_pb2.ROLE_COUNTER).audit_records) == 0
    assert len(records(driver, actor="c-17").audit_records) == 0
    assert len(records(driver, actor=binding.donor_id).audit_records) == 2
    between = {"from_time": other.created_at, "to_time": mine[0].recorded_at}
    assert [one.subject_id for one in records(driver, **between).audit_records] == [
        other.binding_id
    ]
    assert end.ended_on.year > 2000


def test_pages_are_stable_while_records_are_added(driver: Driver) -> None:
    expected = [bound(driver).binding_id for _ in range(3)]
    first = records(driver, page_size=2)
    bound(driver)
    second = records(driver, page_size=2, page_token=first.next_page_token)
    read = [one.subject_id for one in (*first.audit_records, *second.audit_records)]
    assert read == list(reversed(expected))
    assert second.next_page_token == ""


def test_a_token_of_another_list_is_refused(driver: Driver) -> None:
    for _ in range(2):
        bound(driver)
    first = records(driver, page_size=1)
    with pytest.raises(PageTokenInvalid):
        records(driver, page_size=1, page_token=first.next_page_token, actor="c-17")


def test_the_trail_names_no_person(driver: Driver) -> None:
    families = Families(driver.office.database)
    donor, relative = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    request = changed(application(driver, donor, relative, region=ULANQAB))
    driver.call("citizen", donor, SERVICE, "CreateBinding", request)
    text = str(records(driver))
    for secret in (relative.name, relative.certificate_number, relative.card_no, "13800000001"):
        assert secret not in text
