"""What the money of a family may pay, and where: at the till, and in the quote before it."""

from datetime import timedelta

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.calendar import start_of
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.premiums import change
from tests.services.refunds import SERVICE, basket
from tests.services.till import HOHHOT, TIELING, ULANQAB, asked, paid, request_of, settle

SHENYANG = "210100"
FULL_SELF_PAY, PRE_SELF_PAY, IN_SCOPE = ("C", 1, 60), ("B", 1, 40), ("A", 1, 500)


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    for province in ("150000", "210000"):
        families.item(province, "A")
        families.item(province, "B", catalog_class="B", self_pay_bp=1_000)
        families.item(province, "C", catalog_class="C")
    return families


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def with_donor(families: Families, region: str, balance_fen: int) -> Made:
    """A patient without money, and a relative with some."""
    patient = families.person(region, balance_fen=0)
    families.bind(families.person(region, balance_fen=balance_fen), patient)
    return patient


def preview_of(driver: Driver, request: pb.SettleRequest) -> pb.Breakdown:
    """The sums that a till is quoted."""
    code = request.institution_code
    answer = driver.call("pos", code, SERVICE, "PreviewSettlement", asked(request))
    assert isinstance(answer, pb.PreviewSettlementResponse)
    return answer.breakdown


@pytest.mark.parametrize(
    ("days", "refusal"), [(1, errors.OccurredInFuture), (-31, errors.OutOfTime)]
)
def test_a_wrong_moment_names_its_field(
    driver: Driver, families: Families, days: int, refusal: type[errors.Refusal]
) -> None:
    code = families.institution(ULANQAB)
    request = request_of(code, families.person(ULANQAB))
    request.occurred_at.seconds += days * 86_400
    with pytest.raises(refusal) as refused:
        settle(driver, code, request)
    assert [one.field for one in refused.value.violations] == ["occurred_at"]


@pytest.mark.parametrize(("days_after_death", "settles"), [(-1, True), (0, True), (1, False)])
def test_what_was_bought_in_life_is_settled_after_death(
    driver: Driver, families: Families, days_after_death: int, settles: bool
) -> None:
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=10_000)
    died_on = driver.office.today() - timedelta(days=3)
    change(families, "persons", patient.person_id, died_on=died_on)
    request = basket(code, patient, [("A", 1, 40)])
    request.occurred_at.FromDatetime(start_of(died_on + timedelta(days=days_after_death)))
    if settles:
        assert paid(settle(driver, code, request).settlement) == [("SELF", 4_000)]
        return
    with pytest.raises(errors.PersonDeceased):
        settle(driver, code, request)


# --- the personal share, at institutions and at pharmacies


@pytest.mark.requirement("ULQ-06")
@pytest.mark.parametrize(("kind", "level"), [("HOSPITAL", "TERTIARY"), ("CLINIC", "PRIMARY")])
def test_in_ulanqab_a_donor_pays_the_whole_personal_share_of_a_visit(
    driver: Driver, families: Families, kind: str, level: str
) -> None:
    code = families.institution(ULANQAB, kind=kind, level=level)
    patient = with_donor(families, ULANQAB, 100_000)
    lines = [FULL_SELF_PAY, PRE_SELF_PAY, IN_SCOPE]
    visit = basket(code, patient, lines, visit_type=pb.VISIT_TYPE_OUTPATIENT)
    settlement = settle(driver, code, visit).settlement
    assert settlement.breakdown.personal_fen == 60_000
    assert (paid(settlement), settlement.breakdown.cash_pay_fen) == ([("DONOR", 60_000)], 0)


@pytest.mark.requirement("ULQ-06")
def test_of_a_stay_a_donor_pays_the_personal_share_and_never_the_funds(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB, kind="HOSPITAL", level="TERTIARY")
    patient = with_donor(families, ULANQAB, 100_000)
    stay = request_of(code, patient, 100_000, visit_type=pb.VISIT_TYPE_INPATIENT)
    given = {"total_fen": 100_000, "full_self_pay_fen": 10_000, "in_scope_fen": 90_000}
    stay.given_breakdown.CopyFrom(
        pb.GivenBreakdown(**given, fund_pay_fen=70_000, personal_fen=30_000)
    )
    assert paid(settle(driver, code, stay).settlement) == [("DONOR", 30_000)]


@pytest.mark.requirement("TIL-20")
@pytest.mark.parametrize(
    ("kind", "level", "fund_fen"),
    [
        ("HOSPITAL", "TERTIARY", 11_800),
        ("HOSPITAL", "SECONDARY", 20_160),
        ("CLINIC", "PRIMARY", 23_520),
    ],
)
def test_in_tieling_a_donor_pays_what_the_fund_leaves_of_the_costs_in_policy(
    driver: Driver, families: Families, kind: str, level: str, fund_fen: int
) -> None:
    # Of 600 yuan 60 are class C and 4 paid first for class B: 536 are in scope.
    code = families.institution(TIELING, kind=kind, level=level)
    patient = with_donor(families, TIELING, 100_000)
    lines = [FULL_SELF_PAY, PRE_SELF_PAY, IN_SCOPE]
    visit = basket(code, patient, lines, visit_type=pb.VISIT_TYPE_OUTPATIENT)
    settlement = settle(driver, code, visit).settlement
    assert settlement.breakdown.fund_pay_fen == fund_fen
    assert paid(settlement) == [("DONOR", 54_000 - fund_fen)]
    assert settlement.breakdown.cash_pay_fen == 6_000


@pytest.mark.requirement("TIL-21")
def test_in_tieling_a_donor_pays_purchases_at_a_pharmacy(
    driver: Driver, families: Families
) -> None:
    code = families.institution(TIELING, kind="PHARMACY")
    patient = with_donor(families, TIELING, 100_000)
    bought = basket(code, patient, [FULL_SELF_PAY, PRE_SELF_PAY, IN_SCOPE])
    settlement = settle(driver, code, bought).settlement
    assert settlement.breakdown.fund_pay_fen == 0
    assert (paid(settlement), settlement.breakdown.cash_pay_fen) == ([("DONOR", 54_000)], 6_000)


@pytest.mark.requirement("ULQ-06", "TIL-20", "TIL-21")
@pytest.mark.parametrize("region", [ULANQAB, TIELING])
@pytest.mark.parametrize("kind", ["PHARMACY", "CLINIC", "HOSPITAL"])
def test_where_a_designation_is_suspended_or_was_never_given_nothing_is_paid(
    driver: Driver, families: Families, region: str, kind: str
) -> None:
    patient = with_donor(families, region, 100_000)
    suspended = families.institution(region, kind=kind, level="PRIMARY", status="SUSPENDED")
    with pytest.raises(errors.InstitutionSuspended):
        settle(driver, suspended, basket(suspended, patient, [IN_SCOPE]))
    nowhere = f"{kind[0]}{region}99999"
    with pytest.raises(errors.InstitutionNotFound):
        settle(driver, nowhere, basket(nowhere, patient, [IN_SCOPE]))


# --- anywhere in the province


@pytest.mark.requirement("TIL-04")
@pytest.mark.parametrize("place", [TIELING, SHENYANG])
@pytest.mark.parametrize("use", [pb.ACCOUNT_USE_OWN, pb.ACCOUNT_USE_MUTUAL_AID])
def test_a_donor_pays_with_the_own_account_anywhere_in_the_province(
    driver: Driver, families: Families, place: str, use: int
) -> None:
    donor = families.person(TIELING, balance_fen=80_000)
    families.bind(donor, families.person(TIELING))
    for kind, visit in (
        ("PHARMACY", pb.VISIT_TYPE_PHARMACY),
        ("HOSPITAL", pb.VISIT_TYPE_OUTPATIENT),
    ):
        code = families.institution(place, kind=kind, level="SECONDARY")
        bought = basket(code, donor, [("A", 1, 200)], visit_type=visit, account_use=use)
        settlement = settle(driver, code, bought).settlement
        assert paid(settlement) == [("SELF", 20_000)]
        assert settlement.care_region == place


@pytest.mark.requirement("TIL-04")
def test_outside_the_province_the_own_account_does_not_pay(
    driver: Driver, families: Families
) -> None:
    donor = families.person(TIELING, balance_fen=80_000)
    code = families.institution(HOHHOT)
    with pytest.raises(errors.InstitutionOutOfProvince):
        settle(driver, code, basket(code, donor, [IN_SCOPE], account_use=pb.ACCOUNT_USE_OWN))


# --- the quote


@pytest.mark.requirement("TIL-25")
@pytest.mark.parametrize(
    ("own_fen", "donor_fen", "short_fen"),
    [
        (50_000, 0, 0),
        (49_999, 0, 1),
        (20_000, 30_000, 0),
        (20_000, 29_999, 1),
        (0, 0, 50_000),
        (0, 900_000, 0),
    ],
)
def test_a_quote_shows_whether_the_balances_suffice(
    driver: Driver, families: Families, own_fen: int, donor_fen: int, short_fen: int
) -> None:
    code = families.institution(TIELING)
    patient = families.person(TIELING, balance_fen=own_fen)
    families.bind(families.person(TIELING, balance_fen=donor_fen), patient)
    request = basket(code, patient, [IN_SCOPE])
    quoted = preview_of(driver, request)
    assert (quoted.cash_pay_fen, quoted.account_pay_fen) == (short_fen, 50_000 - short_fen)
    assert quoted.mutual_aid_pay_fen == quoted.account_pay_fen - min(own_fen, 50_000)
    request.expected_cash_pay_fen = quoted.cash_pay_fen
    assert settle(driver, code, request).settlement.breakdown == quoted


@pytest.mark.requirement("TIL-25")
def test_a_quote_counts_no_money_that_may_not_be_used(driver: Driver, families: Families) -> None:
    code = families.institution(TIELING)
    patient = families.person(TIELING, insurance=Insurance.RESIDENT)
    families.person(TIELING, balance_fen=90_000)  # rich, and not bound
    assert preview_of(driver, basket(code, patient, [IN_SCOPE])).cash_pay_fen == 50_000
