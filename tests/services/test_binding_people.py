"""CreateBinding: who may bind whom, and how many."""

from collections.abc import Callable
from datetime import date

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.families import LAPSED, Families, Made
from tests.services.applications import (
    BAOTOU,
    BEIJING,
    DAY,
    ENDED_INSURANCE,
    HOHHOT,
    SHENYANG,
    TIELING,
    ULANQAB,
    application,
    create,
    donor_in,
    relative_in,
)
from tests.services.driver import Driver


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


def _paused(families: Families, region: str) -> tuple[Made, Made]:
    return donor_in(families, region, periods=LAPSED), relative_in(families, region)


def _resident_donor(families: Families, region: str) -> tuple[Made, Made]:
    return donor_in(families, region, insurance=Insurance.RESIDENT), relative_in(families, region)


def _no_account(families: Families, region: str) -> tuple[Made, Made]:
    return families.person(region), relative_in(families, region)


def _uninsured(families: Families, region: str) -> tuple[Made, Made]:
    return donor_in(families, region), relative_in(families, region, periods=ENDED_INSURANCE)


def _far_away(families: Families, region: str) -> tuple[Made, Made]:
    return donor_in(families, region), relative_in(families, BEIJING)


def _employee(families: Families, region: str) -> tuple[Made, Made]:
    return donor_in(families, region), families.person(region)


def _oneself(families: Families, region: str) -> tuple[Made, Made]:
    donor = donor_in(families, region)
    return donor, donor


Family = Callable[[Families, str], tuple[Made, Made]]


@pytest.mark.parametrize(
    ("region", "family", "refusal"),
    [
        pytest.param(
            HOHHOT,
            _resident_donor,
            errors.DonorNotEmployeeInsured,
            marks=pytest.mark.requirement("HOH-01"),
        ),
        pytest.param(
            HOHHOT,
            _paused,
            errors.DonorNotInGoodStanding,
            marks=pytest.mark.requirement("HOH-01"),
        ),
        pytest.param(
            HOHHOT,
            _employee,
            errors.BeneficiaryInsuranceNotAdmitted,
            marks=pytest.mark.requirement("HOH-02"),
        ),
        pytest.param(
            HOHHOT,
            _uninsured,
            errors.BeneficiaryNotInsured,
            marks=pytest.mark.requirement("HOH-02"),
        ),
        pytest.param(
            HOHHOT,
            _far_away,
            errors.BeneficiaryOutOfArea,
            marks=pytest.mark.requirement("HOH-03"),
        ),
        pytest.param(
            ULANQAB,
            _no_account,
            errors.DonorWithoutAccount,
            marks=pytest.mark.requirement("ULQ-01"),
        ),
        pytest.param(
            ULANQAB,
            _uninsured,
            errors.BeneficiaryNotInsured,
            marks=pytest.mark.requirement("ULQ-04"),
        ),
        pytest.param(
            ULANQAB,
            _far_away,
            errors.BeneficiaryOutOfArea,
            marks=pytest.mark.requirement("ULQ-05"),
        ),
        pytest.param(ULANQAB, _oneself, errors.SelfBinding),
        pytest.param(
            TIELING,
            _resident_donor,
            errors.DonorNotEmployeeInsured,
            marks=pytest.mark.requirement("TIL-01"),
        ),
        pytest.param(
            TIELING,
            _no_account,
            errors.DonorWithoutAccount,
            marks=pytest.mark.requirement("TIL-01"),
        ),
        pytest.param(
            TIELING,
            _far_away,
            errors.BeneficiaryOutOfArea,
            marks=pytest.mark.requirement("TIL-03"),
        ),
        pytest.param(
            TIELING,
            _uninsured,
            errors.BeneficiaryNotInsured,
            marks=pytest.mark.requirement("TIL-05"),
        ),
    ],
)
def test_people_that_the_region_does_not_admit_are_refused(
    driver: Driver,
    families: Families,
    region: str,
    family: Family,
    refusal: type[errors.Refusal],
) -> None:
    donor, beneficiary = family(families, region)
    with pytest.raises(refusal):
        create(driver, donor, application(driver, donor, beneficiary, region=region))


@pytest.mark.parametrize(
    ("donor_region", "region", "insurance"),
    [
        pytest.param(HOHHOT, BAOTOU, Insurance.RESIDENT, marks=pytest.mark.requirement("HOH-03")),
        pytest.param(ULANQAB, ULANQAB, Insurance.EMPLOYEE, marks=pytest.mark.requirement("ULQ-04")),
        pytest.param(ULANQAB, HOHHOT, Insurance.RESIDENT, marks=pytest.mark.requirement("ULQ-05")),
        pytest.param(
            TIELING, SHENYANG, Insurance.RESIDENT, marks=pytest.mark.requirement("TIL-03")
        ),
    ],
)
def test_a_relative_elsewhere_in_the_province_is_admitted(
    driver: Driver, families: Families, donor_region: str, region: str, insurance: Insurance
) -> None:
    donor = donor_in(families, donor_region)
    relative = relative_in(families, region, insurance=insurance)
    request = application(driver, donor, relative, region=donor_region)
    assert create(driver, donor, request).binding.binding_id


@pytest.mark.parametrize(
    ("region", "relation", "admitted"),
    [
        *(
            pytest.param(HOHHOT, name, True, marks=pytest.mark.requirement("HOH-04"))
            for name in ("SPOUSE", "PARENT", "CHILD")
        ),
        *(
            pytest.param(HOHHOT, name, False, marks=pytest.mark.requirement("HOH-04"))
            for name in ("SIBLING", "GRANDPARENT", "GRANDCHILD")
        ),
        *(
            pytest.param(ULANQAB, name, True, marks=pytest.mark.requirement("ULQ-03"))
            for name in ("SPOUSE", "PARENT", "CHILD", "SIBLING", "GRANDPARENT", "GRANDCHILD")
        ),
        pytest.param(TIELING, "SIBLING", True, marks=pytest.mark.requirement("TIL-02")),
    ],
)
def test_the_region_says_which_relatives_may_be_bound(
    driver: Driver, families: Families, region: str, relation: str, admitted: bool
) -> None:
    donor, relative = donor_in(families, region), relative_in(families, region)
    number = types_pb2.Relation.Value(f"RELATION_{relation}")
    request = application(driver, donor, relative, region=region, relation=number)
    if admitted:
        assert create(driver, donor, request).binding.relation == number
        return
    with pytest.raises(errors.RelationNotAllowed):
        create(driver, donor, request)


@pytest.mark.parametrize(
    ("region", "most", "state"),
    [
        pytest.param(HOHHOT, 6, BindingState.ACTIVE, marks=pytest.mark.requirement("HOH-05")),
        pytest.param(
            TIELING, 10, BindingState.PENDING_REVIEW, marks=pytest.mark.requirement("TIL-02")
        ),
    ],
)
def test_a_donor_has_at_most_so_many_members(
    driver: Driver, families: Families, region: str, most: int, state: BindingState
) -> None:
    donor = donor_in(families, region)
    for _ in range(most - 1):
        families.bind(donor, relative_in(families, region), state=state)
    last, one_more = (relative_in(families, region) for _ in range(2))
    answer = create(driver, donor, application(driver, donor, last, region=region))
    assert (answer.counts.members, answer.counts.members_limit) == (most, most)
    with pytest.raises(errors.DonorMembersExceeded):
        create(driver, donor, application(driver, donor, one_more, region=region))


@pytest.mark.requirement("HOH-05")
def test_a_released_place_can_be_taken_again(driver: Driver, families: Families) -> None:
    donor = donor_in(families, HOHHOT)
    for state in (*[BindingState.ACTIVE] * 5, BindingState.ENDED):
        families.bind(donor, relative_in(families, HOHHOT), state=state)
    request = application(driver, donor, relative_in(families, HOHHOT), region=HOHHOT)
    assert create(driver, donor, request).binding.state == pb.BINDING_STATE_ACTIVE


def test_two_people_are_bound_once_at_a_time(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    create(driver, donor, application(driver, donor, child, region=ULANQAB))
    with pytest.raises(errors.BindingOverlaps):
        create(driver, donor, application(driver, donor, child, region=ULANQAB))


def test_a_donor_of_a_region_without_rules_then_is_told_so(
    shared_database: Database, families: Families
) -> None:
    early = Driver(shared_database, on=date(2024, 6, 1))
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    later = Driver(shared_database, on=DAY)
    request = application(later, donor, child, region=HOHHOT)
    with pytest.raises(errors.PolicyNotInForce):
        create(early, donor, request)
