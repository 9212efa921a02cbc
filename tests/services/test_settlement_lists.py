"""ListSettlements: who lists what, by pages, as it stands."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.refunds import SERVICE, basket, cancel, read, refund, state_of
from tests.services.till import HOHHOT, TIELING, ULANQAB, paid, settle

STRANGER = "01900000-0000-8000-8000-000000000000"
PIECE = ("XA01", 1, 10)


@pytest.fixture
def families(database: Database) -> Families:
    fresh = Families(database)
    fresh.item("150000", "XA01")
    return fresh


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def ask(driver: Driver, role: str, subject: object, **fields: Any) -> pb.ListSettlementsResponse:
    """A page; ids and codes are named as they are made."""
    named: dict[str, Any] = {
        name: str(value) if isinstance(value, Made) else value for name, value in fields.items()
    }
    request = pb.ListSettlementsRequest(**named)
    answer = driver.call(role, subject, SERVICE, "ListSettlements", request)
    assert isinstance(answer, pb.ListSettlementsResponse)
    return answer


def listed(driver: Driver, role: str, subject: object, **fields: Any) -> list[str]:
    """The ids of a page."""
    return ids_of(ask(driver, role, subject, **fields).settlements)


def ids_of(settlements: Sequence[pb.Settlement]) -> list[str]:
    return [one.settlement_id for one in settlements]


def refused(driver: Driver, role: str, subject: object, **fields: Any) -> None:
    with pytest.raises(errors.AccessDenied):
        ask(driver, role, subject, **fields)


def bought(driver: Driver, code: str, patient: Made, **fields: Any) -> pb.Settlement:
    """A purchase for 10 yuan."""
    return settle(driver, code, basket(code, patient, [PIECE], **fields)).settlement


def patient_in(families: Families, region: str, **fields: Any) -> Made:
    return families.person(region, **{"balance_fen": 100_000, **fields})


def test_a_till_lists_its_own_institutions_newest_first(driver: Driver, families: Families) -> None:
    code, other = families.institution(ULANQAB), families.institution(ULANQAB)
    patient = patient_in(families, ULANQAB)
    made = [bought(driver, code, patient) for _ in range(3)]
    bought(driver, other, patient)
    expected = ids_of(made[::-1])
    assert listed(driver, "pos", code) == listed(driver, "pos", code, institution_code=code)
    assert listed(driver, "pos", code) == expected
    assert listed(driver, "pos", code, person_id=patient) == expected
    refused(driver, "pos", code, institution_code=other)


def test_a_listed_settlement_is_the_one_that_is_read_but_for_lines_and_explanation(
    driver: Driver, families: Families
) -> None:
    code, patient = families.institution(ULANQAB), patient_in(families, ULANQAB, balance_fen=500)
    families.bind(patient_in(families, ULANQAB), patient)
    settled = settle(driver, code, basket(code, patient, [PIECE, PIECE])).settlement
    refund(driver, settled, (1, "1"))
    whole = read(driver, settled)
    assert whole.lines and whole.explanation and whole.refunds[0].lines
    del whole.lines[:], whole.explanation[:], whole.refunds[0].lines[:]
    [one] = ask(driver, "pos", code).settlements
    assert one == whole


def test_each_is_listed_in_its_present_state(driver: Driver, families: Families) -> None:
    code, patient = families.institution(ULANQAB), patient_in(families, ULANQAB)
    lines = [PIECE, PIECE, PIECE]
    whole, part, back, gone = (
        settle(driver, code, basket(code, patient, lines)).settlement for _ in range(4)
    )
    refund(driver, part, (1, "1"))
    refund(driver, part, (2, "1"))
    refund(driver, back)
    cancel(driver, code, gone.request_id)
    found = ask(driver, "pos", code).settlements
    assert [state_of(one) for one in found] == [
        "CANCELLED",
        "REFUNDED",
        "PARTLY_REFUNDED",
        "SETTLED",
    ]
    assert [len(one.refunds) for one in found] == [1, 1, 2, 0]
    assert [one.remaining.total_fen for one in found[:3]] == [0, 0, 1_000]
    states = [pb.SETTLEMENT_STATE_SETTLED, pb.SETTLEMENT_STATE_CANCELLED]
    assert listed(driver, "pos", code, states=states) == ids_of([gone, whole])


def test_pages_hold_each_settlement_once_while_more_is_settled(
    driver: Driver, families: Families
) -> None:
    code, patient = families.institution(ULANQAB), patient_in(families, ULANQAB)
    made = [bought(driver, code, patient) for _ in range(5)]
    seen: list[str] = []
    token = ""
    while not seen or token:
        page = ask(driver, "pos", code, page_size=2, page_token=token)
        seen += ids_of(page.settlements)
        token = page.next_page_token
        bought(driver, code, patient)
    assert seen == ids_of(made[::-1])


def test_a_page_token_is_good_for_its_own_list_only(driver: Driver, families: Families) -> None:
    code, patient = families.institution(ULANQAB), patient_in(families, ULANQAB)
    for _ in range(2):
        bought(driver, code, patient)
    token = ask(driver, "pos", code, page_size=1).next_page_token
    with pytest.raises(errors.PageTokenInvalid):
        ask(driver, "pos", code, person_id=patient, page_token=token)


def test_a_list_is_narrowed_by_kind_of_visit_and_by_time(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB, kind="HOSPITAL", level="PRIMARY")
    patient = patient_in(families, ULANQAB)
    older = basket(code, patient, [PIECE], visit_type=pb.VISIT_TYPE_OUTPATIENT)
    newer = basket(code, patient, [PIECE], visit_type=pb.VISIT_TYPE_OUTPATIENT)
    older.occurred_at.FromDatetime(newer.occurred_at.ToDatetime() - timedelta(days=2))
    first, second = (settle(driver, code, one).settlement for one in (older, newer))
    at = newer.occurred_at
    assert listed(driver, "pos", code, occurred_from=at) == [second.settlement_id]
    assert listed(driver, "pos", code, occurred_to=at) == [first.settlement_id]
    kinds = {kind: listed(driver, "pos", code, visit_types=[kind]) for kind in (1, 2)}
    assert kinds == {1: ids_of([second, first]), 2: []}


def test_a_platform_lists_for_the_institutions_of_its_region(
    driver: Driver, families: Families
) -> None:
    code, patient = families.institution(ULANQAB), patient_in(families, ULANQAB)
    made = ids_of([bought(driver, code, patient)])
    assert listed(driver, "platform", ULANQAB, institution_code=code) == made
    assert listed(driver, "platform", "150000", institution_code=code) == made
    for region, named in ((HOHHOT, code), (ULANQAB, "P00000"), (ULANQAB, "")):
        refused(driver, "platform", region, institution_code=named)


def test_a_till_does_not_ask_who_a_donor_is(driver: Driver, families: Families) -> None:
    code, patient = families.institution(ULANQAB), patient_in(families, ULANQAB, balance_fen=0)
    donor = patient_in(families, ULANQAB)
    families.bind(donor, patient)
    bought(driver, code, patient)
    refused(driver, "pos", code, donor_id=donor)
    refused(driver, "platform", ULANQAB, institution_code=code, donor_id=donor)


def test_a_patient_lists_their_own_wherever_they_were_and_a_guardian_the_wards(
    driver: Driver, families: Families
) -> None:
    guardian = patient_in(families, HOHHOT)
    ward = patient_in(
        families, ULANQAB, guardians=[Guardian(guardian.person_id, GuardianKind.REGISTERED)]
    )
    places = [families.institution(region) for region in (HOHHOT, ULANQAB)]
    made = [bought(driver, code, ward) for code in places]
    bought(driver, places[0], guardian)
    for who in (ward, guardian):
        assert listed(driver, "citizen", who, person_id=ward) == ids_of(made[::-1])
    narrowed = listed(driver, "citizen", ward, person_id=ward, institution_code=places[0])
    assert narrowed == ids_of(made[:1])


def test_a_donor_lists_the_legs_that_were_theirs_and_not_what_was_bought(
    driver: Driver, families: Families
) -> None:
    code = families.institution(HOHHOT)
    first, second = (patient_in(families, ULANQAB, balance_fen=fen) for fen in (1_500, 9_000))
    patient, other = (patient_in(families, ULANQAB, balance_fen=0) for _ in range(2))
    for rank, donor in enumerate((first, second), 1):
        families.bind(donor, patient, rank=rank)
    families.bind(second, other)
    bills = [bought(driver, code, patient) for _ in range(2)] + [bought(driver, code, other)]
    bought(driver, code, second)
    assert [len(paid(one)) for one in bills] == [1, 2, 1]
    seen = ask(driver, "citizen", first, donor_id=first).settlements
    assert ids_of(seen) == ids_of([bills[1], bills[0]])
    assert [paid(one) for one in seen] == [[("DONOR", 500)], [("DONOR", 1_000)]]
    assert seen[0] == read(driver, bills[1], "citizen", first)
    assert not any(one.HasField("breakdown") or one.person_id for one in seen)
    assert listed(driver, "citizen", second, donor_id=second) == ids_of(bills[:0:-1])
    assert listed(driver, "citizen", second, donor_id=second, person_id=other) == ids_of(bills[2:])


def test_a_donor_sees_what_came_back_of_the_leg(driver: Driver, families: Families) -> None:
    code, patient = families.institution(ULANQAB), patient_in(families, ULANQAB, balance_fen=0)
    donor = patient_in(families, ULANQAB)
    families.bind(donor, patient)
    settled = bought(driver, code, patient)
    refund(driver, settled)
    [one] = ask(driver, "citizen", donor, donor_id=donor).settlements
    assert state_of(one) == "REFUNDED"
    assert [(leg.amount_fen, leg.refunded_fen) for leg in one.legs] == [(1_000, 1_000)]


def test_a_donor_does_not_choose_by_what_a_donor_does_not_see(
    driver: Driver, families: Families
) -> None:
    donor = patient_in(families, ULANQAB)
    with pytest.raises(errors.InvalidField) as wrong:
        ask(driver, "citizen", donor, donor_id=donor, visit_types=[1], region=ULANQAB)
    assert [one.field for one in wrong.value.violations] == ["region", "visit_types"]


def test_a_patient_chooses_by_donor_and_sees_the_settlement_as_a_patient(
    driver: Driver, families: Families
) -> None:
    code, patient = families.institution(ULANQAB), patient_in(families, ULANQAB, balance_fen=1_000)
    donor = patient_in(families, ULANQAB)
    families.bind(donor, patient)
    bought(driver, code, patient)
    shared = bought(driver, code, patient)
    [one] = ask(driver, "citizen", patient, person_id=patient, donor_id=donor).settlements
    assert (one.settlement_id, one.breakdown) == (shared.settlement_id, shared.breakdown)


def test_a_stranger_lists_nobodys_whether_or_not_there_is_anybody(
    driver: Driver, families: Families
) -> None:
    code, patient = families.institution(ULANQAB), patient_in(families, ULANQAB)
    bought(driver, code, patient)
    stranger = patient_in(families, ULANQAB)
    for person in (patient, new_id(ULANQAB), STRANGER):
        for field in ("person_id", "donor_id"):
            refused(driver, "citizen", stranger, **{field: str(person)})
        refused(driver, "agency", TIELING, person_id=str(person))
    refused(driver, "citizen", stranger)


def test_an_agency_lists_care_and_insurance_of_its_region_each_once(
    driver: Driver, families: Families
) -> None:
    here, there = (families.institution(region) for region in (ULANQAB, HOHHOT))
    mine, guest = (patient_in(families, region) for region in (ULANQAB, HOHHOT))
    made = [bought(driver, code, patient) for patient in (mine, guest) for code in (here, there)]
    at_home, away, visited, foreign = ids_of(made)
    assert listed(driver, "agency", ULANQAB, region=ULANQAB) == [visited, away, at_home]
    assert listed(driver, "agency", HOHHOT, region=HOHHOT) == [foreign, visited, away]
    page = ask(driver, "agency", ULANQAB, region=ULANQAB, page_size=2)
    assert ids_of(page.settlements) == [visited, away]
    rest = ask(
        driver, "agency", ULANQAB, region=ULANQAB, page_size=2, page_token=page.next_page_token
    )
    assert (ids_of(rest.settlements), rest.next_page_token) == ([at_home], "")
    assert listed(driver, "agency", ULANQAB, region=ULANQAB, institution_code=there) == [away]


def test_an_agency_lists_of_a_person_what_is_of_its_region(
    driver: Driver, families: Families
) -> None:
    here, there = (families.institution(region) for region in (ULANQAB, HOHHOT))
    patient = patient_in(families, ULANQAB)
    at_home, away = (bought(driver, code, patient).settlement_id for code in (here, there))
    assert listed(driver, "agency", ULANQAB, person_id=patient) == [away, at_home]
    assert listed(driver, "agency", HOHHOT, person_id=patient) == [away]
    refused(driver, "agency", HOHHOT, person_id=patient, region=ULANQAB)
    refused(driver, "agency", HOHHOT, region=ULANQAB)


def test_a_person_of_the_region_who_bought_nothing_has_an_empty_list(
    driver: Driver, families: Families
) -> None:
    patient = patient_in(families, ULANQAB)
    assert listed(driver, "agency", ULANQAB, person_id=patient) == []
    assert listed(driver, "citizen", patient, person_id=patient) == []
    assert listed(driver, "citizen", patient, donor_id=patient) == []
