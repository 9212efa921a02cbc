"""Who has a part in a binding: clerks of either side, overseers of the donor's region, and what the
beneficiary's side and a reviewer are shown.
"""

from dataclasses import replace
from itertools import product

import pytest

from gongji.v1 import access_pb2
from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.services.audit import worker
from gongji_svc.services.binding_changes import Rows
from gongji_svc.storage import tables
from gongji_svc.storage.audit_reads import AuditRow
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.applications import (
    DAY,
    HOHHOT,
    SERVICE,
    SHENYANG,
    TIELING,
    ULANQAB,
    application,
    at_counter,
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
    guarded_by,
    kept,
    refused,
    review,
    update,
)
from tests.services.driver import Driver
from tests.services.test_binding_reads import get, ids, listed

LIMITS = pb.BindingLimits(per_day_fen=7)


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


def across(driver: Driver, families: Families) -> Pair:
    """A donor insured in one region and registered in another, a beneficiary in a third."""
    donor = donor_in(families, TIELING, home=ULANQAB)
    return bind(driver, donor, relative_in(families, SHENYANG), TIELING)


def applied_at_counter(driver: Driver, families: Families, actor: str) -> Pair:
    """An application that a clerk took."""
    donor, relative = donor_in(families, TIELING), relative_in(families, TIELING)
    request = at_counter(driver, application(driver, donor, relative, region=TIELING), TIELING)
    answer = driver.call("counter", TIELING, SERVICE, "CreateBinding", request, actor=actor)
    return Pair(donor, relative, answer.binding)


# --- clerks


@pytest.mark.parametrize("region", [TIELING, ULANQAB, SHENYANG])
def test_clerks_of_the_donors_region_and_of_either_person_see_it(
    driver: Driver, families: Families, region: str
) -> None:
    pair = across(driver, families)
    assert get(driver, "counter", region, pair.id) == pair.binding
    named = "beneficiary_id" if region == SHENYANG else "donor_id"
    person = getattr(pair, named.removesuffix("_id"))
    assert ids(listed(driver, "counter", region, **{named: person})) == [pair.id]


def test_a_clerk_of_no_part_in_it_sees_and_changes_nothing(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = across(driver, families)
    with pytest.raises(errors.AccessDenied):
        get(driver, "counter", HOHHOT, pair.id)
    with pytest.raises(errors.AccessDenied):
        listed(driver, "counter", HOHHOT, donor_id=pair.donor)
    with refused(shared_database, errors.AccessDenied):
        end(driver, "counter", HOHHOT, pair.id)


def test_a_clerk_lists_of_a_foreign_beneficiary_what_is_of_the_clerks_own_donors(
    driver: Driver, families: Families
) -> None:
    pair = across(driver, families)
    families.bind(donor_in(families, SHENYANG), pair.beneficiary)
    assert ids(listed(driver, "counter", TIELING, beneficiary_id=pair.beneficiary)) == [pair.id]


@pytest.mark.parametrize(
    ("region", "cause"),
    [
        (TIELING, pb.END_CAUSE_DONOR),
        (ULANQAB, pb.END_CAUSE_DONOR),
        (SHENYANG, pb.END_CAUSE_BENEFICIARY),
    ],
)
def test_a_clerk_who_names_nobody_ends_it_for_the_side_served(
    driver: Driver, families: Families, region: str, cause: int
) -> None:
    pair = across(driver, families)
    assert end(driver, "counter", region, pair.id).binding.end_cause == cause


@pytest.mark.parametrize(("region", "side"), [(ULANQAB, "beneficiary"), (SHENYANG, "donor")])
def test_a_clerk_outside_the_donors_region_cannot_end_it_for_the_other_side(
    driver: Driver, families: Families, shared_database: Database, region: str, side: str
) -> None:
    pair = across(driver, families)
    with refused(shared_database, errors.AccessDenied):
        end(driver, "counter", region, pair.id, for_person_id=str(getattr(pair, side)))


def test_a_clerk_changes_it_for_the_donor_only(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = across(driver, families)
    with refused(shared_database, errors.AccessDenied):
        update(driver, "counter", SHENYANG, pair.id, "limits", limits=LIMITS)
    review(driver, TIELING, pair.id)
    for region in (TIELING, ULANQAB):
        update(driver, "counter", region, pair.id, "limits", limits=LIMITS)


# --- reviewers and agencies


@pytest.mark.parametrize("role", ["reviewer", "agency"])
def test_overseers_see_and_end_what_is_of_their_own_regions_donors_and_nothing_else(
    driver: Driver, families: Families, shared_database: Database, role: str
) -> None:
    pair = across(driver, families)
    assert get(driver, role, TIELING, pair.id).binding_id == pair.id
    assert ids(listed(driver, role, TIELING, donor_id=pair.donor)) == [pair.id]
    for region in (ULANQAB, SHENYANG):
        with pytest.raises(errors.AccessDenied):
            get(driver, role, region, pair.id)
        assert ids(listed(driver, role, region, donor_id=pair.donor)) == []
        assert ids(listed(driver, role, region, beneficiary_id=pair.beneficiary)) == []
        with refused(shared_database, errors.AccessDenied):
            end(driver, role, region, pair.id, reason="撤销")


def test_a_reviewer_is_shown_both_identities_while_the_application_waits(
    driver: Driver, families: Families
) -> None:
    pair = bound(driver, families, TIELING)
    [listed_one] = listed(driver, "reviewer", TIELING, donor_id=pair.donor).bindings
    for seen in (get(driver, "reviewer", TIELING, pair.id), listed_one):
        for identity, person in (
            (seen.donor_identity, pair.donor),
            (seen.beneficiary_identity, pair.beneficiary),
        ):
            assert identity.name == person.name
            assert identity.certificate.number == person.certificate_number
    review(driver, TIELING, pair.id)
    seen = get(driver, "reviewer", TIELING, pair.id)
    assert not (seen.HasField("donor_identity") or seen.HasField("beneficiary_identity"))


@pytest.mark.parametrize("role", ["citizen", "counter", "agency"])
def test_nobody_but_a_reviewer_is_shown_an_identity(
    driver: Driver, families: Families, role: str
) -> None:
    pair = bound(driver, families, TIELING)
    subject: object = pair.donor if role == "citizen" else TIELING
    [listed_one] = listed(driver, role, subject, donor_id=pair.donor).bindings
    for seen in (get(driver, role, subject, pair.id), listed_one):
        assert pair.donor.certificate_number not in str(seen)
        assert pair.beneficiary.certificate_number not in str(seen)


def test_who_took_an_application_at_the_counter_does_not_decide_it(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    for spelled, decision in product((STAFF, STAFF.upper()), ("APPROVE", "REJECT")):
        own = applied_at_counter(driver, families, spelled)
        with refused(shared_database, errors.SecondActorRequired, "另一名工作人员"):
            review(driver, TIELING, own.id, decision, reason="证件不清晰")
    other = applied_at_counter(driver, families, "c-18")
    assert review(driver, TIELING, other.id).binding.state == pb.BINDING_STATE_ACTIVE


# --- the beneficiary's side


def test_the_beneficiary_is_not_told_which_clerk_applied(
    driver: Driver, families: Families
) -> None:
    pair = applied_at_counter(driver, families, "c-18")
    mine = {"beneficiary_id": pair.beneficiary}
    [in_list] = listed(driver, "citizen", pair.beneficiary, **mine).bindings
    ended = end(driver, "citizen", pair.beneficiary, pair.id).binding
    for seen in (in_list, get(driver, "citizen", pair.beneficiary, pair.id), ended):
        assert list(seen.documents) == []
        by = seen.created_by
        assert (by.role, by.subject, by.actor) == (access_pb2.ROLE_COUNTER, TIELING, "")
    whole = get(driver, "citizen", pair.donor, pair.id)
    assert (whole.created_by.actor, len(whole.documents)) == ("c-18", 3)


def test_the_beneficiary_is_not_told_which_guardian_of_the_donor_applied(
    driver: Driver, families: Families
) -> None:
    guardian = donor_in(families, TIELING)
    donor = donor_in(families, TIELING, **guarded_by(guardian))
    relative = relative_in(families, TIELING)
    uploaded = application(driver, guardian, relative, region=TIELING).document_ids
    request = application(driver, donor, relative, region=TIELING, document_ids=uploaded)
    made = create(driver, guardian, request).binding
    assert made.created_by.actor == str(guardian)
    assert get(driver, "citizen", guardian, made.binding_id) == made
    seen = get(driver, "citizen", relative, made.binding_id)
    assert (seen.created_by.subject, seen.created_by.actor) == (str(donor), "")
    assert list(seen.documents) == []


# --- the trail


def test_a_change_of_region_is_in_the_trails_of_both_regions(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    before = kept(shared_database, bound(driver, families, HOHHOT).id)
    rows = Rows(worker("check-bindings"), driver.office.now())
    rows.change(before, replace(before, donor_region=ULANQAB))
    records = [AuditRow(*row) for table, row in rows.new if table is tables.audit_records]
    assert {record.region for record in records} == {HOHHOT, ULANQAB}
    assert [changes_in(record) for record in records] == [{"region": (HOHHOT, ULANQAB)}] * 2
