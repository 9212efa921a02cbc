"""CreateHold: who may set money aside, under which checks, and what it means from then on."""

from collections.abc import Callable, Mapping
from datetime import UTC, timedelta
from typing import Any

import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import LAPSED, Families
from tests.services.accounts import account_of, get_account
from tests.services.applications import ENDED_INSURANCE, donor_in, relative_in
from tests.services.changes import changes_in
from tests.services.driver import Driver
from tests.services.holds import (
    HOHHOT,
    HOUR,
    TIELING,
    ULANQAB,
    counted,
    family,
    hold,
    holding,
    money_of,
    state_of,
    trail,
)
from tests.services.rules import driver_with
from tests.services.till import paid, request_of, settle


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database)


@pytest.fixture(scope="module")
def pharmacy(families: Families) -> str:
    return families.institution(HOHHOT)


def test_what_is_held_is_neither_the_owners_nor_the_relatives_to_spend(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 500))
    account = get_account(driver, "citizen", owner, account_id=owner.account_id)
    assert (account.balance_fen, account.held_fen) == (900, 500)
    assert (account.spendable_fen, account.shareable_fen) == (400, 400)
    assert [(step.rule, step.amount_fen) for step in account.why] == [
        ("BALANCE", 900),
        ("HELD", 500),
        ("SPENDABLE", 400),
        ("SHAREABLE", 400),
    ]
    assert account.seq == 0


def test_a_hold_on_the_own_account_is_answered_as_it_is_kept(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 500, 2 * HOUR))
    assert (made.account_id, made.beneficiary_id) == (str(owner.account_id), str(owner))
    assert (made.binding_id, made.institution_code) == ("", pharmacy)
    assert (made.amount_fen, made.captured_fen, state_of(made)) == (500, 0, "OPEN")
    created_at, expires_at = (at.ToDatetime(UTC) for at in (made.created_at, made.expires_at))
    assert expires_at - created_at == 2 * HOUR
    assert abs(created_at - driver.office.now()) < timedelta(minutes=1)
    assert not made.HasField("resolved_at")


def test_a_hold_for_a_relative_rests_on_the_binding_and_counts_against_its_limits(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, binding_id = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    assert made.binding_id == str(binding_id)
    assert money_of(shared_database, donor.account_id) == (100_000, 700, 0)
    today = driver.office.today().isoformat()
    assert counted(shared_database, binding_id) == {today: 700}
    assert counted(shared_database, donor) == {}


def test_the_waterfall_sees_what_is_not_held(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    families.item("150000", "XA01")
    donor, relative, _ = family(families)
    hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 98_000))
    settlement = settle(driver, pharmacy, request_of(pharmacy, relative, 10_000)).settlement
    assert paid(settlement) == [("DONOR", 2_000)]


def test_a_till_holds_for_itself_named_or_not(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    for code in ("", pharmacy):
        request = holding(owner.account_id, owner, 100, institution_code=code)
        assert hold(driver, "pos", pharmacy, request).institution_code == pharmacy
    other = holding(owner.account_id, owner, institution_code=families.institution(HOHHOT))
    with pytest.raises(errors.AccessDenied):
        hold(driver, "pos", pharmacy, other)


def test_a_platform_holds_for_the_institutions_of_its_region(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    for region in (HOHHOT, "150000"):
        request = holding(owner.account_id, owner, 100, institution_code=pharmacy)
        assert hold(driver, "platform", region, request).institution_code == pharmacy
    for region, code in ((ULANQAB, pharmacy), (HOHHOT, ""), (HOHHOT, "P00000000000")):
        request = holding(owner.account_id, owner, 100, institution_code=code)
        with pytest.raises(errors.AccessDenied):
            hold(driver, "platform", region, request)


def test_an_agency_holds_on_the_accounts_in_its_books_for_one_institution_or_any(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    owner = families.person(HOHHOT, home=ULANQAB)
    account_id = account_of(owner, families, HOHHOT, balance_fen=900)
    for code in ("", pharmacy):
        request = holding(account_id, owner, 100, institution_code=code)
        assert hold(driver, "agency", HOHHOT, request).institution_code == code
    with pytest.raises(errors.InstitutionNotFound):
        hold(driver, "agency", HOHHOT, holding(account_id, owner, institution_code="P000"))
    for missing in (account_id, new_id(ULANQAB), "018f2a00-0000-7000-8000-000000000001"):
        with pytest.raises(errors.AccessDenied):
            hold(driver, "agency", ULANQAB, holding(missing, owner))


def test_an_institution_that_does_not_serve_holds_nothing(
    driver: Driver, families: Families
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    suspended = families.institution(HOHHOT, status="SUSPENDED")
    with pytest.raises(errors.InstitutionSuspended):
        hold(driver, "pos", suspended, holding(owner.account_id, owner))
    with pytest.raises(errors.InstitutionNotFound):
        hold(driver, "pos", "P00000000000", holding(owner.account_id, owner))


def test_without_a_binding_a_till_does_not_learn_whether_the_account_exists(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    donor, stranger = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    pairs = [
        (donor.account_id, stranger),
        (donor.account_id, new_id(HOHHOT)),
        (new_id(HOHHOT), stranger),
        (new_id(HOHHOT), new_id(HOHHOT)),
    ]
    told = set()
    for account_id, beneficiary in pairs:
        with pytest.raises(errors.MutualAidNotUsable) as refused:
            hold(driver, "pos", pharmacy, holding(account_id, beneficiary))
        told.add((refused.value.details["reasons"], refused.value.message_zh))
    [(reasons, text)] = told
    assert reasons == "NO_BINDING"
    assert "尚未建立家庭共济关系" in text


def test_a_binding_acts_one_way_only(driver: Driver, families: Families, pharmacy: str) -> None:
    donor = donor_in(families, HOHHOT)
    relative = families.person(HOHHOT, balance_fen=900, insurance=Insurance.RESIDENT)
    families.bind(donor, relative)
    with pytest.raises(errors.MutualAidNotUsable):
        hold(driver, "pos", pharmacy, holding(relative.account_id, donor))


@pytest.mark.parametrize(
    ("reason", "giver", "relative", "binding"),
    [
        ("SUSPENDED", {}, {}, {"state": BindingState.SUSPENDED}),
        ("ENDED", {}, {}, {"state": BindingState.ENDED}),
        ("PENDING_REVIEW", {}, {}, {"state": BindingState.PENDING_REVIEW}),
        ("DONOR_LAPSED", {"periods": LAPSED}, {}, {}),
        ("DONOR_NOT_INSURED", {"periods": ENDED_INSURANCE}, {}, {}),
        ("DONOR_NOT_INSURED", {"region": "440100", "home": HOHHOT}, {}, {}),
        ("BENEFICIARY_NOT_INSURED", {}, {"periods": ENDED_INSURANCE}, {}),
        ("BENEFICIARY_INSURANCE_NOT_ADMITTED", {}, {"insurance": Insurance.EMPLOYEE}, {}),
    ],
)
def test_a_hold_passes_the_donors_checks(
    driver: Driver,
    families: Families,
    pharmacy: str,
    shared_database: Database,
    reason: str,
    giver: Mapping[str, Any],
    relative: Mapping[str, Any],
    binding: Mapping[str, Any],
) -> None:
    donor = families.person(**{"region": HOHHOT, "balance_fen": 900, **giver})
    child = relative_in(families, HOHHOT, **relative)
    binding_id = families.bind(donor, child, **binding)
    with pytest.raises(errors.MutualAidNotUsable) as refused:
        hold(driver, "pos", pharmacy, holding(donor.account_id, child))
    assert refused.value.details["reasons"] == reason
    assert "—" not in refused.value.message_zh
    assert money_of(shared_database, donor.account_id) == (900, 0, 0)
    assert counted(shared_database, binding_id) == {}


def test_every_reason_is_told(driver: Driver, families: Families, pharmacy: str) -> None:
    donor, child = donor_in(families, HOHHOT, periods=LAPSED), relative_in(families, HOHHOT)
    families.bind(donor, child, state=BindingState.SUSPENDED)
    with pytest.raises(errors.MutualAidNotUsable) as refused:
        hold(driver, "pos", pharmacy, holding(donor.account_id, child))
    assert refused.value.details["reasons"] == "SUSPENDED, DONOR_LAPSED"
    assert refused.value.details["reasons_zh"] == "共济关系已暂停；授权人的医保已断缴"


@pytest.mark.parametrize(
    ("values", "region", "reason"),
    [
        ({"use.places": ["HOSPITAL"]}, HOHHOT, "PLACE_NOT_ADMITTED"),
        ({"use.area": "SAME_REGION"}, ULANQAB, "CARE_OUT_OF_AREA"),
    ],
)
def test_the_donors_region_decides_where_the_money_may_be_held(
    shared_database: Database,
    families: Families,
    values: Mapping[str, object],
    region: str,
    reason: str,
) -> None:
    driver = driver_with(shared_database, HOHHOT, values)
    donor, relative, _ = family(families)
    elsewhere = families.institution(region)
    with pytest.raises(errors.MutualAidNotUsable) as refused:
        hold(driver, "pos", elsewhere, holding(donor.account_id, relative))
    assert refused.value.details["reasons"] == reason


def test_no_institution_of_another_province_holds_anything(
    driver: Driver, families: Families
) -> None:
    far = families.institution(TIELING)
    donor, relative, _ = family(families)
    for owner, beneficiary in ((donor, donor), (donor, relative)):
        with pytest.raises(errors.InstitutionOutOfProvince):
            hold(driver, "pos", far, holding(owner.account_id, beneficiary))


@pytest.mark.parametrize(
    ("state", "refusal"), [("FROZEN", errors.AccountFrozen), ("CLOSED", errors.AccountClosed)]
)
def test_an_account_that_pays_nothing_holds_nothing(
    driver: Driver,
    families: Families,
    pharmacy: str,
    state: str,
    refusal: type[errors.Refusal],
) -> None:
    donor, relative = families.person(HOHHOT), relative_in(families, HOHHOT)
    families.bind(donor, relative)
    balance_fen = 900 if state == "FROZEN" else 0
    account_id = account_of(donor, families, HOHHOT, state=state, balance_fen=balance_fen)
    for beneficiary in (donor, relative):
        with pytest.raises(refusal):
            hold(driver, "pos", pharmacy, holding(account_id, beneficiary, 1))


def test_nothing_is_held_for_the_dead(driver: Driver, families: Families, pharmacy: str) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    with families.database.connect() as tx:
        tx.execute("UPDATE persons SET died_on = '2025-01-01' WHERE id = %s", [owner.person_id])
    with pytest.raises(errors.PersonDeceased):
        hold(driver, "pos", pharmacy, holding(owner.account_id, owner))


def test_a_repeat_gets_the_first_hold_and_holds_nothing_more(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    request = holding(owner.account_id, owner, 500)
    first = driver.call("pos", pharmacy, "AccountService", "CreateHold", request)
    again = driver.call("pos", pharmacy, "AccountService", "CreateHold", request)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.hold == first.hold
    assert money_of(shared_database, owner.account_id) == (900, 500, 0)
    request.amount_fen = 400
    with pytest.raises(errors.RequestIdReused):
        hold(driver, "pos", pharmacy, request)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (lambda request: request.ClearField("ttl"), "ttl"),
        (lambda request: request.ttl.FromTimedelta(timedelta(0)), "ttl"),
        (lambda request: request.ttl.FromTimedelta(timedelta(days=7, seconds=1)), "ttl"),
        (lambda request: request.ClearField("amount_fen"), "amount_fen"),
    ],
)
def test_a_hold_has_an_amount_and_lasts_from_a_second_to_seven_days(
    driver: Driver,
    families: Families,
    pharmacy: str,
    wrong: Callable[[Any], object],
    field: str,
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    request = holding(owner.account_id, owner)
    wrong(request)
    with pytest.raises(errors.InvalidField) as refused:
        hold(driver, "pos", pharmacy, request)
    assert [violation.field for violation in refused.value.violations] == [field]


def test_what_an_agency_holds_is_in_the_trail_of_its_region(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, binding_id = family(families)
    request = holding(donor.account_id, relative, 700, request_id="h-7")
    made = hold(driver, "agency", HOHHOT, request)
    [record] = trail(shared_database, made.hold_id)
    assert (record.region, record.role, record.actor) == (HOHHOT, "agency", "c-17")
    assert (record.action, record.request_id) == ("gongji.v1.AccountService/CreateHold", "h-7")
    changes = changes_in(record)
    assert changes["amount_fen"] == (None, 700)
    assert changes["state"] == (None, "OPEN")
    assert changes["binding_id"] == (None, str(binding_id))
    assert changes["expires_at"][1] is not None


def test_what_a_till_holds_is_not_in_the_trail(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(owner.account_id, owner))
    assert trail(shared_database, made.hold_id) == []
