"""ExplainUsability: who may ask, and what everybody else is told."""

from dataclasses import replace
from uuid import UUID

import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.applications import HOHHOT, TIELING, ULANQAB, donor_in, relative_in
from tests.services.driver import Driver
from tests.services.test_usability import explained, reasons

NEVER = "12345678-1234-1234-1234-123456789012"  # an id that nobody can have
Form = dict[str, object]


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database)


def forms(binding_id: UUID, donor: Made, child: Made) -> list[Form]:
    """Every way to ask about a binding."""
    by_donor: Form = {"donor_id": donor}
    by_child: Form = {"beneficiary_id": child}
    return [{"binding_id": binding_id}, by_donor, by_child, by_donor | by_child]


def test_both_people_a_guardian_and_a_clerk_of_the_donors_region_may_ask(
    driver: Driver, families: Families
) -> None:
    guardian, donor = donor_in(families, HOHHOT), donor_in(families, HOHHOT)
    kinds = [Guardian(guardian.person_id, GuardianKind.REGISTERED)]
    ward = relative_in(families, ULANQAB, guardians=kinds)
    binding_id = families.bind(donor, ward)
    by_binding, by_donor, by_ward, by_both = forms(binding_id, donor, ward)
    answer = explained(driver, "citizen", ward, **by_binding)
    for role, subject, asked_by in (
        ("citizen", donor, (by_binding, by_donor, by_both)),
        ("citizen", ward, (by_binding, by_ward, by_both)),
        ("citizen", guardian, (by_binding, by_ward, by_both)),
        ("counter", HOHHOT, (by_binding, by_donor, by_both)),
    ):
        assert [explained(driver, role, subject, **form) for form in asked_by] == [answer] * 3


def test_strangers_are_answered_as_if_nobody_existed(driver: Driver, families: Families) -> None:
    donor, child, stranger = (donor_in(families, HOHHOT) for _ in range(3))
    binding_id = families.bind(donor, child)
    nobody = replace(stranger, person_id=new_id(HOHHOT))
    asked = [*forms(binding_id, donor, child), *forms(new_id(HOHHOT), nobody, nobody)]
    asked += [{"binding_id": NEVER}, {"donor_id": NEVER}, {}]
    for role, subject in (("citizen", stranger), ("counter", TIELING)):
        for form in asked:
            with pytest.raises(errors.AccessDenied):
                explained(driver, role, subject, **form)


def test_people_named_beside_a_binding_must_be_its_own(driver: Driver, families: Families) -> None:
    donor, child, other = (donor_in(families, HOHHOT) for _ in range(3))
    binding_id = families.bind(donor, child)
    families.bind(donor, other)
    both: Form = {"donor_id": donor, "beneficiary_id": child}
    [entry] = explained(driver, "citizen", donor, binding_id=binding_id, **both)
    assert entry.binding_id == str(binding_id)
    for named in ({"donor_id": child}, {"beneficiary_id": other}, {"beneficiary_id": NEVER}):
        with pytest.raises(errors.AccessDenied):
            explained(driver, "citizen", donor, binding_id=binding_id, **named)


def test_two_people_without_a_binding_are_one_answer_whoever_the_other_is(
    driver: Driver, families: Families
) -> None:
    child, stranger = relative_in(families, HOHHOT), donor_in(families, HOHHOT)
    for other in (str(stranger), str(new_id(HOHHOT)), NEVER):
        [entry] = explained(driver, "citizen", child, donor_id=other, beneficiary_id=child)
        assert (entry.donor_id, entry.beneficiary_id) == (other, str(child))
        assert (entry.binding_id, entry.donor_name) == ("", "")
        assert reasons(entry) == ["NO_BINDING"]
