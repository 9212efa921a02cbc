"""CreateBinding in the three seed regions: what it makes, for whom, and who may call it."""

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.applications import (
    BEIJING,
    CLERK,
    DAY,
    ENDED_INSURANCE,
    HOHHOT,
    SEEDS,
    TIELING,
    ULANQAB,
    application,
    at_counter,
    changed,
    create,
    donor_in,
    named,
    relative_in,
)
from tests.services.driver import Driver


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


def rows_of(database: Database, donor: Made) -> list[object]:
    """How many bindings of the donor there are, and how many the donor's index names."""
    query = """SELECT (SELECT count(*) FROM bindings WHERE donor_id = %(donor)s),
                      (SELECT count(*) FROM donor_bindings WHERE donor_id = %(donor)s)"""
    with database.connect() as tx:
        row = tx.execute(query, {"donor": donor.person_id}).fetchone()
    return list(row or ())


@pytest.mark.requirement("HOH-14", "ULQ-20", "TIL-17")
@pytest.mark.parametrize(
    ("region", "state"),
    [
        (HOHHOT, pb.BINDING_STATE_ACTIVE),
        (ULANQAB, pb.BINDING_STATE_ACTIVE),
        (TIELING, pb.BINDING_STATE_PENDING_REVIEW),
    ],
)
def test_a_binding_is_in_force_at_once_where_the_region_does_not_review(
    driver: Driver, families: Families, region: str, state: int
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    answer = create(driver, donor, application(driver, donor, child, region=region))
    assert answer.binding.state == state
    assert answer.binding.binding_id
    assert (answer.binding.donor_id, answer.binding.beneficiary_id) == (str(donor), str(child))


@pytest.mark.parametrize("region", SEEDS)
def test_a_validation_answers_the_same_and_writes_nothing(
    driver: Driver, families: Families, shared_database: Database, region: str
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    request = application(driver, donor, child, region=region)
    checked = create(driver, donor, changed(request, validate_only=True))
    assert checked.binding.binding_id == ""
    assert rows_of(shared_database, donor) == [0, 0]
    made = create(driver, donor, request)
    assert not made.replayed
    for name in ("binding_id", "beneficiary_id", "created_at"):
        made.binding.ClearField(name)
    assert made == checked


def test_a_validation_refuses_what_the_application_would_be_refused_for(
    driver: Driver, families: Families
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, BEIJING)
    request = application(driver, donor, child, region=HOHHOT, validate_only=True)
    with pytest.raises(errors.BeneficiaryOutOfArea):
        create(driver, donor, request)


@pytest.mark.requirement("ULQ-25")
@pytest.mark.parametrize("region", SEEDS)
def test_a_binding_names_the_rules_that_decided_it(
    driver: Driver, families: Families, region: str
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    binding = create(driver, donor, application(driver, donor, child, region=region)).binding
    policy = driver.office.policy(region, DAY)
    assert binding.region == region
    assert binding.policy == types_pb2.PolicyRef(
        region=region, blocks=policy.blocks, digest=policy.digest
    )


@pytest.mark.requirement("HOH-16")
@pytest.mark.parametrize("region", SEEDS)
def test_a_repeat_makes_no_second_binding(
    driver: Driver, families: Families, shared_database: Database, region: str
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    request = application(driver, donor, child, region=region)
    first, again = create(driver, donor, request), create(driver, donor, request)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.binding == first.binding
    assert rows_of(shared_database, donor) == [1, 1]


def test_the_same_id_with_another_beneficiary_names_the_field(
    driver: Driver, families: Families
) -> None:
    donor = donor_in(families, ULANQAB)
    children = [relative_in(families, ULANQAB) for _ in range(2)]
    request = application(driver, donor, children[0], region=ULANQAB)
    create(driver, donor, request)
    with pytest.raises(errors.RequestIdReused) as refused:
        create(driver, donor, changed(request, beneficiary=named(children[1])))
    assert [violation.field for violation in refused.value.violations] == ["beneficiary"]


# --- who may call


def test_somebody_elses_money_cannot_be_given_away(driver: Driver, families: Families) -> None:
    donor, child, stranger = (donor_in(families, ULANQAB) for _ in range(3))
    request = application(driver, donor, child, region=ULANQAB)
    with pytest.raises(errors.AccessDenied):
        create(driver, stranger, request)


@pytest.mark.requirement("HOH-08")
def test_only_somebody_registered_can_bind(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    nobody = "0196a000-0000-8000-8000-000000000000"
    request = application(driver, donor, child, region=HOHHOT)
    with pytest.raises(errors.AccessDenied):
        create(driver, nobody, changed(request, donor_id=nobody))


@pytest.mark.requirement("ULQ-21", "ULQ-22")
def test_a_clerk_binds_for_a_donor_and_is_recorded(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    request = at_counter(driver, application(driver, donor, child, region=ULANQAB), ULANQAB)
    binding = create(driver, ULANQAB, request, role="counter").binding
    assert binding.channel == pb.CHANNEL_COUNTER
    assert binding.created_by.subject == ULANQAB
    assert binding.created_by.actor == CLERK


@pytest.mark.requirement("ULQ-22", "TIL-11")
@pytest.mark.parametrize("region", SEEDS)
def test_a_clerk_must_have_seen_both_certificates(
    driver: Driver, families: Families, region: str
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    request = at_counter(driver, application(driver, donor, child, region=region), region)
    with pytest.raises(errors.CertificatesNotSeen):
        create(driver, region, changed(request, certificates_seen=False), role="counter")
    assert create(driver, region, request, role="counter").binding.binding_id


def test_a_clerk_of_another_region_may_not_bind(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    request = at_counter(driver, application(driver, donor, child, region=ULANQAB), HOHHOT)
    with pytest.raises(errors.AccessDenied):
        create(driver, HOHHOT, request, role="counter")


def test_a_clerk_serves_whoever_is_insured_in_the_region(
    driver: Driver, families: Families
) -> None:
    donor = donor_in(families, ULANQAB, home=HOHHOT)
    child = relative_in(families, ULANQAB)
    request = at_counter(driver, application(driver, donor, child, region=ULANQAB), ULANQAB)
    assert create(driver, ULANQAB, request, role="counter").binding.region == ULANQAB


@pytest.mark.parametrize(
    ("role", "channel"), [("citizen", pb.CHANNEL_COUNTER), ("counter", pb.CHANNEL_APP)]
)
def test_the_counter_is_the_clerks_channel_and_no_one_elses(
    driver: Driver, families: Families, role: str, channel: pb.Channel
) -> None:
    donor, child = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    fields = {"channel": channel, "certificates_seen": True}
    request = application(driver, donor, child, region=ULANQAB, **fields)
    with pytest.raises(errors.InvalidField) as refused:
        create(driver, donor if role == "citizen" else ULANQAB, request, role=role)
    assert refused.value.violations[0].field == "channel"


def test_a_guardian_applies_for_a_ward_and_is_the_actor(driver: Driver, families: Families) -> None:
    guardian, mother = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    kinds = [Guardian(guardian.person_id, GuardianKind.REGISTERED)]
    ward = donor_in(families, ULANQAB, guardians=kinds)
    binding = create(driver, guardian, application(driver, ward, mother, region=ULANQAB)).binding
    assert binding.created_by.subject == str(ward)
    assert binding.created_by.actor == str(guardian)


def test_a_parent_does_not_act_for_a_grown_up(driver: Driver, families: Families) -> None:
    parent, child = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    grown_up = donor_in(families, ULANQAB, guardians=[Guardian(parent.person_id)])
    with pytest.raises(errors.AccessDenied):
        create(driver, parent, application(driver, grown_up, child, region=ULANQAB))


# --- who they are


@pytest.mark.parametrize("region", SEEDS)
def test_a_wrong_name_and_an_unknown_certificate_are_one_answer(
    driver: Driver, families: Families, region: str
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    request = application(driver, donor, child, region=region)
    unknown = changed(request)
    unknown.beneficiary.certificate.number = "110101199001011234"
    wrong = changed(request, beneficiary=named(child, name="李四"))
    answers = []
    for each in (unknown, wrong):
        with pytest.raises(errors.PersonNotMatched) as refused:
            create(driver, donor, each)
        answers.append((refused.value.message_zh, refused.value.details))
    assert answers[0] == answers[1]


def test_nothing_of_an_insurance_is_told_before_the_name_matches(
    driver: Driver, families: Families
) -> None:
    donor, child = (
        donor_in(families, HOHHOT),
        relative_in(families, HOHHOT, periods=ENDED_INSURANCE),
    )
    request = application(driver, donor, child, region=HOHHOT)
    with pytest.raises(errors.PersonNotMatched):
        create(driver, donor, changed(request, beneficiary=named(child, name="李四")))
    with pytest.raises(errors.BeneficiaryNotInsured):
        create(driver, donor, request)


@pytest.mark.parametrize("spelt", ["王 小 明", "王小明 ", "　王小明"])
def test_blanks_in_a_name_make_no_difference(
    driver: Driver, families: Families, spelt: str
) -> None:
    donor, child = donor_in(families, ULANQAB), relative_in(families, ULANQAB, name="王小明")
    request = application(driver, donor, child, region=ULANQAB)
    answer = create(driver, donor, changed(request, beneficiary=named(child, name=spelt)))
    assert answer.binding.binding_id


@pytest.mark.requirement("ULQ-19")
def test_a_card_of_somebody_else_does_not_match(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    request = application(driver, donor, child, region=ULANQAB)
    with pytest.raises(errors.PersonNotMatched):
        other = named(child, card_no=donor.card_no)
        create(driver, donor, changed(request, beneficiary=other))
