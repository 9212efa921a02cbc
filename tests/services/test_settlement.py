"""Settle, its preview and what becomes of it, called as a till calls them."""

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance, PersonType
from gongji_svc.storage.database import Database
from tests.families import LAPSED, Families
from tests.services.driver import Driver
from tests.services.test_region_served import identify, moved
from tests.services.till import HOHHOT, TIELING, ULANQAB, asked, counts, paid, request_of, settle


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


@pytest.mark.requirement("ULQ-11", "ULQ-12", "ULQ-07", "HOH-06")
def test_own_money_pays_first_then_relatives_in_order_then_cash(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB, balance_fen=5_000, insurance=Insurance.EMPLOYEE)
    second = families.person(ULANQAB, balance_fen=2_000)
    first = families.person(ULANQAB, balance_fen=1_000)
    families.bind(second, patient, rank=2)
    families.bind(first, patient, rank=1)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    assert paid(settlement) == [("SELF", 5_000), ("DONOR", 1_000), ("DONOR", 2_000)]
    assert settlement.breakdown.account_pay_fen == 8_000
    assert settlement.breakdown.mutual_aid_pay_fen == 3_000
    assert settlement.breakdown.cash_pay_fen == 2_000
    assert settlement.own_balance_after_fen == 0


def test_a_preview_is_what_settling_answers_and_moves_nothing(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB, balance_fen=2_500)
    families.bind(families.person(ULANQAB, balance_fen=3_000), patient)
    request = request_of(code, patient)
    preview = driver.call("pos", code, "SettlementService", "PreviewSettlement", asked(request))
    assert counts(database) == {"settlements": 0, "entries": 0, "requests": 0}
    settlement = settle(driver, code, request).settlement
    assert preview.breakdown == settlement.breakdown
    assert preview.own_balance_after_fen == settlement.own_balance_after_fen
    assert [line.splits for line in preview.lines] == [line.splits for line in settlement.lines]


def test_a_preview_shows_donors_as_one_sum(driver: Driver, families: Families) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB)
    families.bind(families.person(ULANQAB, balance_fen=1_000, name="赵一"), patient, rank=1)
    families.bind(families.person(ULANQAB, balance_fen=2_000, name="钱二"), patient, rank=2)
    families.bind(families.person(ULANQAB, balance_fen=0, name="孙三"), patient, rank=3)
    request = asked(request_of(code, patient))
    preview = driver.call("pos", code, "SettlementService", "PreviewSettlement", request)
    donor_steps = [step for step in preview.explanation if step.rule.startswith("DONOR")]
    assert [step.amount_fen for step in donor_steps] == [3_000]
    assert not any(name in str(preview) for name in ("赵", "钱", "孙"))


def test_a_preview_that_no_longer_holds_is_refused_and_nothing_moves(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB, balance_fen=2_500)
    with pytest.raises(errors.PreviewOutdated) as refused:
        settle(driver, code, request_of(code, patient, expected_cash_pay_fen=7_000))
    assert refused.value.details["cash_pay_fen"] == "7500"
    assert counts(database) == {"settlements": 0, "entries": 0, "requests": 0}


@pytest.mark.requirement("ULQ-09", "TIL-22")
@pytest.mark.parametrize("region", [ULANQAB, TIELING])
def test_an_identity_card_is_not_what_these_regions_accept_at_the_till(
    driver: Driver, families: Families, region: str
) -> None:
    code = families.institution(region)
    patient = families.person(region, balance_fen=2_500)
    request = request_of(code, patient)
    request.credential.type = pb.CREDENTIAL_TYPE_ID_CARD
    request.credential.value = patient.certificate_number
    with pytest.raises(errors.CredentialNotAccepted):
        settle(driver, code, request)


@pytest.mark.requirement("TIL-29", "TIL-30", "TIL-32", "TIL-33", "TIL-34")
@pytest.mark.parametrize(
    ("level", "kind", "total_fen", "fund_fen", "personal_fen"),
    [
        ("TERTIARY", "ACTIVE", 100_000, 35_000, 65_000),
        ("SECONDARY", "RETIRED", 100_000, 52_000, 48_000),
        ("PRIMARY", "ACTIVE", 20_000, 0, 20_000),
        ("TERTIARY", "ACTIVE", 1_000_000, 300_000, 700_000),
    ],
)
def test_the_fund_pays_its_part_of_an_outpatient_visit(
    driver: Driver,
    families: Families,
    level: str,
    kind: str,
    total_fen: int,
    fund_fen: int,
    personal_fen: int,
) -> None:
    code = families.institution(TIELING, kind="HOSPITAL", level=level)
    families.item("210000", "XA01")
    patient = families.person(TIELING, balance_fen=0, person_type=PersonType(kind))
    request = request_of(code, patient, total_fen, visit_type=pb.VISIT_TYPE_OUTPATIENT)
    breakdown = settle(driver, code, request).settlement.breakdown
    assert (breakdown.fund_pay_fen, breakdown.personal_fen) == (fund_fen, personal_fen)


@pytest.mark.requirement("TIL-31")
def test_deductible_and_cap_are_counted_over_the_year(driver: Driver, families: Families) -> None:
    code = families.institution(TIELING, kind="HOSPITAL", level="TERTIARY")
    families.item("210000", "XA01")
    patient = families.person(TIELING, balance_fen=0)
    paid_by_fund = []
    for number in range(3):
        request = request_of(
            code, patient, 400_000, f"v-{number}", visit_type=pb.VISIT_TYPE_OUTPATIENT
        )
        paid_by_fund.append(settle(driver, code, request).settlement.breakdown.fund_pay_fen)
    assert paid_by_fund == [185_000, 115_000, 0]


@pytest.mark.requirement("TIL-19")
def test_accounts_pay_only_what_is_in_policy_in_tieling(driver: Driver, families: Families) -> None:
    code = families.institution(TIELING)
    families.item("210000", "XA01", catalog_class="C")
    patient = families.person(TIELING, balance_fen=50_000)
    breakdown = settle(driver, code, request_of(code, patient)).settlement.breakdown
    assert (breakdown.full_self_pay_fen, breakdown.cash_pay_fen) == (10_000, 10_000)


@pytest.mark.requirement("ULQ-26", "ULQ-27")
def test_who_lapsed_still_spends_the_own_account_but_no_relatives(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB, balance_fen=4_000, periods=LAPSED)
    families.bind(families.person(ULANQAB, balance_fen=9_000), patient)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    assert paid(settlement) == [("SELF", 4_000)]


def test_account_use_decides_whose_money_may_be_touched(driver: Driver, families: Families) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB, balance_fen=1_000)
    families.bind(families.person(ULANQAB, balance_fen=9_000), patient)
    legs = {}
    for use in (pb.ACCOUNT_USE_NONE, pb.ACCOUNT_USE_OWN):
        request = request_of(code, patient, 500, f"u-{use}", account_use=use)
        legs[use] = paid(settle(driver, code, request).settlement)
    assert legs == {pb.ACCOUNT_USE_NONE: [], pb.ACCOUNT_USE_OWN: [("SELF", 500)]}


def test_a_donors_limits_are_counted_by_settlement_and_by_day(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB)
    donor = families.person(ULANQAB, balance_fen=90_000)
    families.bind(donor, patient, limits=Caps(per_settlement_fen=4_000, per_day_fen=7_000))
    donated = [
        settle(
            driver, code, request_of(code, patient, 5_000, f"l-{number}")
        ).settlement.breakdown.mutual_aid_pay_fen
        for number in range(3)
    ]
    assert donated == [4_000, 3_000, 0]


@pytest.mark.requirement("TIL-03", "ULQ-05")
def test_donors_of_another_city_pay_and_the_clearing_lines_name_who_owes(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(HOHHOT)
    families.item("150000", "XA01")
    patient = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    families.bind(families.person(ULANQAB, balance_fen=90_000), patient)
    settle(driver, code, request_of(code, patient))
    with database.connect() as tx:
        lines = tx.execute(
            "SELECT region, side, counterparty, amount_fen FROM ledger_lines ORDER BY 1, 2"
        ).fetchall()
    assert lines == [
        (HOHHOT, "CLEARING", ULANQAB, -10_000),
        (HOHHOT, "INSTITUTION_PAYABLE", code, 10_000),
        (ULANQAB, "CLEARING", HOHHOT, 10_000),
    ]


def test_a_place_in_another_province_is_refused(driver: Driver, families: Families) -> None:
    code = families.institution(TIELING)
    patient = families.person(ULANQAB, balance_fen=100)
    with pytest.raises(errors.InstitutionOutOfProvince):
        settle(driver, code, request_of(code, patient))


def test_a_till_in_another_province_learns_no_more_than_that_it_is_one(
    driver: Driver, families: Families
) -> None:
    patient = families.person(TIELING, balance_fen=12_345)
    with pytest.raises(errors.InstitutionOutOfProvince):
        identify(driver, families.institution(HOHHOT), patient.card_no)


def test_of_two_insurances_the_one_in_another_province_is_not_usable_there(
    driver: Driver, families: Families
) -> None:
    moved(driver, HOHHOT, TIELING)
    shown = identify(driver, families.institution(HOHHOT), "K1").enrolments
    assert {one.region: one.usable for one in shown} == {HOHHOT: True, TIELING: False}


def test_several_insurances_are_listed_in_words_and_for_programs(
    driver: Driver, families: Families
) -> None:
    moved(driver, HOHHOT, ULANQAB)
    code = families.institution(HOHHOT)
    request = request_of(code, families.person(HOHHOT))
    request.credential.CopyFrom(pb.Credential(type=pb.CREDENTIAL_TYPE_SOCIAL_CARD, value="K1"))
    with pytest.raises(errors.EnrolmentAmbiguous) as refused:
        settle(driver, code, request)
    assert "职工医保150100、城乡居民医保150900" in refused.value.message_zh
    assert refused.value.details["enrolments"] == "EMPLOYEE@150100、RESIDENT@150900"


def test_a_platform_acts_for_the_institutions_of_its_own_region_only(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=10_000)
    request = request_of(code, patient)
    for own in (ULANQAB, "150000"):
        driver.call("platform", own, "SettlementService", "Settle", request)
    with pytest.raises(errors.AccessDenied):
        driver.call("platform", HOHHOT, "SettlementService", "Settle", request)


def test_a_till_asks_who_stands_before_it(driver: Driver, families: Families) -> None:
    code = families.institution(ULANQAB)
    person = families.person(ULANQAB, balance_fen=12_345, name="王小明")
    request = pb.IdentifyPatientRequest(
        institution_code=code,
        credential=pb.Credential(type=pb.CREDENTIAL_TYPE_SOCIAL_CARD, value=person.card_no),
    )
    patient = driver.call("pos", code, "SettlementService", "IdentifyPatient", request).patient
    assert (patient.person_id, patient.name) == (str(person), "王**")
    assert patient.own_spendable_fen == 12_345
    assert [(one.region, one.usable, one.benefits_run) for one in patient.enrolments] == [
        (ULANQAB, True, True)
    ]


def test_a_repeat_of_the_same_person_by_another_credential_is_the_same_request(
    driver: Driver, families: Families
) -> None:
    code = families.institution(HOHHOT)
    patient = families.person(HOHHOT, balance_fen=10_000)
    request = request_of(code, patient)
    first = settle(driver, code, request)
    request.credential.type = pb.CREDENTIAL_TYPE_ID_CARD
    request.credential.value = patient.certificate_number
    again = settle(driver, code, request)
    assert again.replayed and again.settlement == first.settlement


@pytest.mark.requirement("ULQ-13", "ULQ-14")
def test_an_agent_is_recorded_sealed_and_shown_masked(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=10_000)
    request = request_of(code, patient)
    request.agent.name = "李代办"
    request.agent.certificate.type = types_pb2.CERTIFICATE_TYPE_ID_CARD
    request.agent.certificate.number = "150902199001011234"
    with pytest.raises(errors.PrincipalCertificateNotSeen):
        settle(driver, code, request)
    request.agent.principal_certificate_seen = True
    agent = settle(driver, code, request).settlement.agent
    assert (agent.name, agent.certificate.number[-4:]) == ("李**", "1234")
    with database.connect() as tx:
        kept = tx.execute("SELECT detail::text, answer FROM settlements, requests").fetchone()
    assert "150902199001011234" not in str(kept)


@pytest.mark.parametrize("visit", [pb.VISIT_TYPE_OUTPATIENT, pb.VISIT_TYPE_CHRONIC])
def test_a_pharmacy_gets_no_pooled_benefit_whatever_it_calls_the_visit(
    driver: Driver, families: Families, visit: pb.VisitType.ValueType
) -> None:
    code = families.institution(TIELING)
    families.item("210000", "XA01")
    patient = families.person(TIELING, balance_fen=0, chronic_diseases=["DIABETES"])
    request = request_of(code, patient, 100_000, visit_type=visit)
    assert settle(driver, code, request).settlement.breakdown.fund_pay_fen == 0


def test_only_a_hospital_settles_an_inpatient_stay(driver: Driver, families: Families) -> None:
    patient = families.person(ULANQAB, balance_fen=10_000)
    given = pb.GivenBreakdown(
        total_fen=10_000, in_scope_fen=10_000, fund_pay_fen=9_000, personal_fen=1_000
    )
    requests = {}
    for kind in ("PHARMACY", "HOSPITAL"):
        code = families.institution(ULANQAB, kind=kind, level="TERTIARY")
        requests[kind] = request_of(code, patient, visit_type=pb.VISIT_TYPE_INPATIENT)
        requests[kind].given_breakdown.CopyFrom(given)
    with pytest.raises(errors.VisitTypeNotServed):
        settle(driver, requests["PHARMACY"].institution_code, requests["PHARMACY"])
    stay = settle(driver, requests["HOSPITAL"].institution_code, requests["HOSPITAL"]).settlement
    assert (stay.breakdown.fund_pay_fen, paid(stay)) == (9_000, [("SELF", 1_000)])


def test_a_stay_needs_a_breakdown_that_holds(driver: Driver, families: Families) -> None:
    code = families.institution(ULANQAB, kind="HOSPITAL", level="TERTIARY")
    patient = families.person(ULANQAB, balance_fen=10_000)
    request = request_of(code, patient, visit_type=pb.VISIT_TYPE_INPATIENT)
    with pytest.raises(errors.BreakdownRequired):
        settle(driver, code, request)
    request.given_breakdown.CopyFrom(
        pb.GivenBreakdown(
            total_fen=10_000, full_self_pay_fen=9_999, fund_pay_fen=9_000, personal_fen=1_000
        )
    )
    with pytest.raises(errors.BreakdownMismatch):
        settle(driver, code, request)


def test_what_medical_aid_paid_of_a_stay_is_no_mismatch(driver: Driver, families: Families) -> None:
    code = families.institution(ULANQAB, kind="HOSPITAL", level="TERTIARY")
    patient = families.person(ULANQAB, balance_fen=10_000)
    request = request_of(code, patient, visit_type=pb.VISIT_TYPE_INPATIENT)
    request.given_breakdown.CopyFrom(
        pb.GivenBreakdown(
            total_fen=10_000,
            full_self_pay_fen=1_000,
            in_scope_fen=9_000,
            deductible_fen=3_000,
            fund_pay_fen=9_500,
            personal_fen=500,
        )
    )
    stay = settle(driver, code, request).settlement
    assert (stay.breakdown.fund_pay_fen, paid(stay)) == (9_500, [("SELF", 500)])


def test_nothing_remains_to_be_told_while_nothing_was_refunded(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=10_000)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    assert not settlement.HasField("remaining")


def test_a_till_identifies_nobody_by_what_the_region_does_not_accept(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    person = families.person(ULANQAB, balance_fen=12_345)
    credential = pb.Credential(type=pb.CREDENTIAL_TYPE_ID_CARD, value=person.certificate_number)
    request = pb.IdentifyPatientRequest(institution_code=code, credential=credential)
    with pytest.raises(errors.CredentialNotAccepted):
        driver.call("pos", code, "SettlementService", "IdentifyPatient", request)
