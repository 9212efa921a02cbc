"""GetBinding and ListBindings: who sees what, and in what order."""

from typing import Any

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.applications import (
    DAY,
    HOHHOT,
    SERVICE,
    TIELING,
    ULANQAB,
    application,
    changed,
    create,
    donor_in,
    relative_in,
)
from tests.services.driver import Driver

NOBODY = "0196a000-0000-8000-8000-000000000000"


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


def get(driver: Driver, role: str, subject: object, binding_id: object) -> pb.Binding:
    request = pb.GetBindingRequest(binding_id=str(binding_id))
    response = driver.call(role, subject, SERVICE, "GetBinding", request)
    assert isinstance(response, pb.GetBindingResponse)
    return response.binding


def listed(driver: Driver, role: str, subject: object, **fields: Any) -> pb.ListBindingsResponse:
    request = changed(pb.ListBindingsRequest(), **{name: _plain(fields[name]) for name in fields})
    response = driver.call(role, subject, SERVICE, "ListBindings", request)
    assert isinstance(response, pb.ListBindingsResponse)
    return response


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Made) else value


def ids(response: pb.ListBindingsResponse) -> list[str]:
    return [binding.binding_id for binding in response.bindings]


def test_the_donor_sees_the_binding_as_it_was_made_and_the_beneficiary_without_documents(
    driver: Driver, families: Families
) -> None:
    donor, child = donor_in(families, TIELING), relative_in(families, TIELING)
    made = create(driver, donor, application(driver, donor, child, region=TIELING)).binding
    assert get(driver, "citizen", donor, made.binding_id) == made
    assert made.documents
    assert get(driver, "citizen", child, made.binding_id) == changed(made, documents=[])


@pytest.mark.requirement("ULQ-24")
def test_names_and_numbers_are_masked(driver: Driver, families: Families) -> None:
    donor = donor_in(families, ULANQAB, name="王小明")
    child = relative_in(families, ULANQAB, name="李小红")
    request = application(driver, donor, child, region=ULANQAB)
    made = create(driver, donor, request).binding
    seen = get(driver, "citizen", child, made.binding_id)
    assert (seen.donor_name, seen.beneficiary_name) == ("王**", "李**")
    assert seen.beneficiary_phone == "*******0001"
    assert child.card_no not in str(seen)
    assert child.certificate_number not in str(seen)


def test_a_guardian_sees_the_binding_of_a_ward(driver: Driver, families: Families) -> None:
    guardian, donor = donor_in(families, ULANQAB), donor_in(families, ULANQAB)
    kinds = [Guardian(guardian.person_id, GuardianKind.REGISTERED)]
    ward = relative_in(families, ULANQAB, guardians=kinds)
    binding_id = families.bind(donor, ward)
    assert get(driver, "citizen", guardian, binding_id).binding_id == str(binding_id)
    assert ids(listed(driver, "citizen", guardian, beneficiary_id=ward)) == [str(binding_id)]


@pytest.mark.parametrize("role", ["counter", "reviewer", "agency"])
def test_the_staff_of_the_donors_region_see_it_and_no_others(
    driver: Driver, families: Families, role: str
) -> None:
    binding_id = families.bind(donor_in(families, ULANQAB), relative_in(families, HOHHOT))
    assert get(driver, role, ULANQAB, binding_id).binding_id == str(binding_id)
    with pytest.raises(errors.AccessDenied):
        get(driver, role, TIELING, binding_id)


@pytest.mark.parametrize("role", ["citizen", "counter", "reviewer", "agency"])
def test_a_foreign_binding_and_a_missing_one_are_one_answer(
    driver: Driver, families: Families, role: str
) -> None:
    binding_id = families.bind(donor_in(families, ULANQAB), relative_in(families, ULANQAB))
    subject = donor_in(families, HOHHOT) if role == "citizen" else HOHHOT
    answers = []
    for each in (binding_id, NOBODY, "12345678-1234-1234-1234-123456789012"):
        with pytest.raises(errors.AccessDenied) as refused:
            get(driver, role, subject, each)
        answers.append((refused.value.message, refused.value.details))
    assert len({str(answer) for answer in answers}) == 1


def test_a_list_is_in_the_order_of_application(driver: Driver, families: Families) -> None:
    donor = donor_in(families, ULANQAB)
    made = [
        create(driver, donor, application(driver, donor, child, region=ULANQAB)).binding.binding_id
        for child in (relative_in(families, ULANQAB) for _ in range(3))
    ]
    assert ids(listed(driver, "citizen", donor, donor_id=donor)) == made


def test_a_list_is_of_one_donor_or_one_beneficiary_or_both(
    driver: Driver, families: Families
) -> None:
    donors = [donor_in(families, ULANQAB) for _ in range(2)]
    child, other = (relative_in(families, HOHHOT) for _ in range(2))
    first, second = (families.bind(donor, child) for donor in donors)
    third = families.bind(donors[0], other)
    of_donor = listed(driver, "citizen", donors[0], donor_id=donors[0])
    of_child = listed(driver, "citizen", child, beneficiary_id=child)
    of_both = listed(driver, "citizen", child, beneficiary_id=child, donor_id=donors[1])
    assert set(ids(of_donor)) == {str(first), str(third)}
    assert set(ids(of_child)) == {str(first), str(second)}
    assert ids(of_both) == [str(second)]


def test_a_list_can_be_of_some_states_only(driver: Driver, families: Families) -> None:
    donor = donor_in(families, ULANQAB)
    by_state = {
        state: families.bind(donor, relative_in(families, ULANQAB), state=state)
        for state in BindingState
    }
    wanted = [pb.BINDING_STATE_ACTIVE, pb.BINDING_STATE_ENDED]
    found = listed(driver, "citizen", donor, donor_id=donor, states=wanted)
    assert set(ids(found)) == {
        str(by_state[BindingState.ACTIVE]),
        str(by_state[BindingState.ENDED]),
    }


@pytest.mark.parametrize("named", ["donor_id", "beneficiary_id"])
def test_nobody_lists_the_bindings_of_strangers(
    driver: Driver, families: Families, named: str
) -> None:
    donor, stranger = donor_in(families, ULANQAB), donor_in(families, ULANQAB)
    families.bind(donor, relative_in(families, ULANQAB))
    for role, subject in (("citizen", stranger), ("counter", HOHHOT)):
        for person in (donor, NOBODY):
            with pytest.raises(errors.AccessDenied):
                listed(driver, role, subject, **{named: person})


@pytest.mark.requirement("TIL-17")
def test_reviewers_list_what_waits_in_their_own_region_oldest_first(
    driver: Driver, families: Families
) -> None:
    made = []
    for region in (TIELING, ULANQAB, TIELING):
        donor, child = donor_in(families, region), relative_in(families, region)
        binding = create(driver, donor, application(driver, donor, child, region=region)).binding
        made.append(binding.binding_id)
    waiting = [pb.BINDING_STATE_PENDING_REVIEW]
    queue = ids(listed(driver, "reviewer", TIELING, states=waiting, page_size=1000))
    assert queue[-2:] == [made[0], made[2]]
    elsewhere = ids(listed(driver, "reviewer", ULANQAB, states=waiting, page_size=1000))
    assert not {*made} & {*elsewhere}


def test_an_agency_that_names_a_foreign_donor_sees_nothing(
    driver: Driver, families: Families
) -> None:
    donor = donor_in(families, ULANQAB)
    families.bind(donor, relative_in(families, ULANQAB))
    assert ids(listed(driver, "agency", HOHHOT, donor_id=donor)) == []


def test_pages_are_stable_while_bindings_are_added(driver: Driver, families: Families) -> None:
    donor = donor_in(families, ULANQAB)
    made = [families.bind(donor, relative_in(families, ULANQAB)) for _ in range(5)]
    seen: list[str] = []
    token = ""
    for _ in range(3):
        page = listed(driver, "citizen", donor, donor_id=donor, page_size=2, page_token=token)
        seen += ids(page)
        token = page.next_page_token
        made.append(families.bind(donor, relative_in(families, ULANQAB)))
    assert seen == [str(binding_id) for binding_id in made[:6]]


def test_the_last_page_has_no_token(driver: Driver, families: Families) -> None:
    donor = donor_in(families, ULANQAB)
    families.bind(donor, relative_in(families, ULANQAB))
    assert listed(driver, "citizen", donor, donor_id=donor, page_size=1).next_page_token == ""


@pytest.mark.parametrize("spoil", ["x", "AAAA", "%%%"])
def test_a_token_that_was_not_given_out_is_refused(
    driver: Driver, families: Families, spoil: str
) -> None:
    donor = donor_in(families, ULANQAB)
    for _ in range(2):
        families.bind(donor, relative_in(families, ULANQAB))
    token = listed(driver, "citizen", donor, donor_id=donor, page_size=1).next_page_token
    with pytest.raises(errors.PageTokenInvalid):
        listed(driver, "citizen", donor, donor_id=donor, page_token=spoil + token[len(spoil) :])


def test_a_token_of_another_list_is_refused(driver: Driver, families: Families) -> None:
    donor = donor_in(families, ULANQAB)
    for _ in range(2):
        families.bind(donor, relative_in(families, ULANQAB))
    token = listed(driver, "citizen", donor, donor_id=donor, page_size=1).next_page_token
    states = [pb.BINDING_STATE_ACTIVE]
    with pytest.raises(errors.PageTokenInvalid):
        listed(driver, "citizen", donor, donor_id=donor, states=states, page_token=token)
