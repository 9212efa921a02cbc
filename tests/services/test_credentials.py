"""One-time codes, from the citizen who asks for one to the till that is paid with it."""

import time
from datetime import timedelta

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.domain.one_time_code import OneTimeCode, written
from gongji_svc.engine import Answered, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database, row_counts
from gongji_svc.storage.sealing import KeyRing, Sealer
from gongji_svc.upkeep.credentials import remove_old_codes
from tests.families import Families, Made
from tests.services.credentials import (
    SERVICE,
    buy,
    buying,
    code_of,
    identify,
    issued,
    preview,
    refused,
    uses,
)
from tests.services.driver import Driver
from tests.services.holds import move
from tests.services.till import HOHHOT, TIELING, ULANQAB, paid, request_of, settle

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
_SETTLE = method_of(SERVICE, "Settle")


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


@pytest.fixture
def patient(families: Families) -> Made:
    return families.person(HOHHOT, balance_fen=90_000)


@pytest.fixture
def pharmacy(families: Families) -> str:
    return families.institution(HOHHOT)


# --- who is issued a code


def test_a_citizen_is_issued_a_code_and_nothing_is_written(
    driver: Driver, patient: Made, database: Database
) -> None:
    with database.reader() as tx:
        before = row_counts(tx)
    answer = issued(driver, patient, patient)
    assert answer.credential.type == pb.CREDENTIAL_TYPE_E_CREDENTIAL
    assert len(answer.credential.value) <= 64
    assert all("!" <= letter <= "~" for letter in answer.credential.value)
    left = answer.expires_at.ToDatetime(tzinfo=driver.office.now().tzinfo) - driver.office.now()
    assert MINUTE - 10 * SECOND < left <= MINUTE
    with database.reader() as tx:
        assert row_counts(tx) == before


def test_each_call_gives_another_code(driver: Driver, patient: Made) -> None:
    assert len({code_of(driver, patient) for _ in range(50)}) == 50


def test_a_guardian_is_issued_the_wards_code(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    mother = families.person(HOHHOT)
    guardian = Guardian(mother.person_id, GuardianKind.REGISTERED)
    ward = families.person(HOHHOT, balance_fen=10_000, guardians=[guardian])
    code = issued(driver, mother, ward).credential.value
    settlement = buy(driver, pharmacy, buying(pharmacy, ward, code)).settlement
    assert (settlement.person_id, paid(settlement)) == (str(ward), [("SELF", 10_000)])


def test_nobody_is_issued_the_code_of_a_relative_or_of_nobody(
    driver: Driver, families: Families, patient: Made
) -> None:
    child = families.person(HOHHOT)
    families.bind(patient, child)
    nobody = "5f0a3c7e-0000-8000-8000-000000000001"
    for person in (child, nobody, "018f2a00-0000-7000-8000-000000000001"):
        assert refused(issued, driver, patient, person) is errors.AccessDenied


@pytest.mark.parametrize("role", ["pos", "platform", "agency", "counter", "reviewer"])
def test_nobody_but_citizens_is_issued_codes(driver: Driver, patient: Made, role: str) -> None:
    request = pb.IssueCredentialRequest(person_id=str(patient))
    with pytest.raises(errors.AccessDenied):
        driver.call(role, HOHHOT, SERVICE, "IssueCredential", request, actor="c-17")


def test_no_code_is_issued_of_who_has_died(
    driver: Driver, families: Families, database: Database
) -> None:
    mother = families.person(HOHHOT)
    guardian = Guardian(mother.person_id, GuardianKind.REGISTERED)
    ward = families.person(HOHHOT, guardians=[guardian])
    with database.connect() as tx:
        tx.execute("UPDATE persons SET died_on = '2025-01-01' WHERE id = %s", [ward.person_id])
    assert refused(issued, driver, mother, ward) is errors.PersonDeceased


# --- what a code pays


@pytest.mark.requirement("ULQ-09", "TIL-22")
@pytest.mark.parametrize(("region", "prices"), [(ULANQAB, "150000"), (TIELING, "210000")])
def test_these_regions_take_the_e_credential_and_the_card(
    driver: Driver, families: Families, region: str, prices: str
) -> None:
    families.item(prices, "XB01")
    code, patient = families.institution(region), families.person(region, balance_fen=30_000)
    by_code = buying(code, patient, code_of(driver, patient), "by-code")
    by_card = request_of(code, patient, 10_000, "by-card")
    for request in (by_code, by_card):
        request.items[0].catalog_code = "XB01"
        assert paid(settle(driver, code, request).settlement) == [("SELF", 10_000)]


def test_a_code_pays_once(driver: Driver, families: Families, patient: Made, pharmacy: str) -> None:
    code = code_of(driver, patient)
    buy(driver, pharmacy, buying(pharmacy, patient, code))
    other = families.institution(HOHHOT)
    for place in (pharmacy, other):
        request = buying(place, patient, code, "r-2")
        assert refused(buy, driver, place, request) is errors.CredentialUsed
        assert refused(preview, driver, place, request) is errors.CredentialUsed
        assert refused(identify, driver, place, request.credential) is errors.CredentialUsed


def test_a_code_that_was_not_used_in_a_minute_is_good_no_more(
    driver: Driver, patient: Made, pharmacy: str, database: Database
) -> None:
    request = buying(pharmacy, patient, code_of(driver, patient))
    move(driver, MINUTE)
    assert refused(buy, driver, pharmacy, request) is errors.CredentialExpired
    assert refused(preview, driver, pharmacy, request) is errors.CredentialExpired
    assert refused(identify, driver, pharmacy, request.credential) is errors.CredentialExpired
    assert uses(database) == []


def test_a_preview_keeps_a_code_good_for_its_institution_alone(
    driver: Driver, families: Families, patient: Made, pharmacy: str, database: Database
) -> None:
    request = buying(pharmacy, patient, code_of(driver, patient))
    assert preview(driver, pharmacy, request).person_id == str(patient)
    assert uses(database) == [(pharmacy, False)]
    other = families.institution(HOHHOT)
    elsewhere = buying(other, patient, request.credential.value)
    assert refused(preview, driver, other, elsewhere) is errors.CredentialBoundElsewhere
    assert refused(buy, driver, other, elsewhere) is errors.CredentialBoundElsewhere
    assert refused(identify, driver, other, request.credential) is errors.CredentialBoundElsewhere
    move(driver, 5 * MINUTE)
    preview(driver, pharmacy, request)
    move(driver, 4 * MINUTE)
    assert paid(buy(driver, pharmacy, request).settlement) == [("SELF", 10_000)]
    assert uses(database) == [(pharmacy, True)]


def test_previews_do_not_keep_a_code_good_for_more_than_ten_minutes(
    driver: Driver, patient: Made, pharmacy: str
) -> None:
    request = buying(pharmacy, patient, code_of(driver, patient))
    preview(driver, pharmacy, request)
    move(driver, 9 * MINUTE)
    preview(driver, pharmacy, request)
    move(driver, MINUTE)
    assert refused(preview, driver, pharmacy, request) is errors.CredentialExpired
    assert refused(buy, driver, pharmacy, request) is errors.CredentialExpired


def test_to_identify_neither_binds_nor_uses_a_code(
    driver: Driver, families: Families, patient: Made, pharmacy: str, database: Database
) -> None:
    request = buying(pharmacy, patient, code_of(driver, patient))
    for place in (families.institution(HOHHOT), pharmacy):
        assert identify(driver, place, request.credential).person_id == str(patient)
    assert uses(database) == []
    buy(driver, pharmacy, request)


def test_a_call_that_is_refused_neither_binds_nor_uses_a_code(
    driver: Driver, patient: Made, pharmacy: str, database: Database
) -> None:
    request = buying(pharmacy, patient, code_of(driver, patient), expected_cash_pay_fen=1)
    assert refused(buy, driver, pharmacy, request) is errors.PreviewOutdated
    request.total_fen += 1
    assert refused(preview, driver, pharmacy, request) is errors.TotalMismatch
    assert uses(database) == []


def test_a_card_leaves_nothing_that_is_kept_of_codes(
    driver: Driver, patient: Made, pharmacy: str, database: Database
) -> None:
    request = request_of(pharmacy, patient)
    preview(driver, pharmacy, request)
    settle(driver, pharmacy, request)
    assert uses(database) == []


# --- what is no code


def test_a_code_that_is_altered_anywhere_is_invalid(
    driver: Driver, patient: Made, pharmacy: str
) -> None:
    code = code_of(driver, patient)
    for place, letter in enumerate(code):
        altered = code[:place] + ("A" if letter != "A" else "B") + code[place + 1 :]
        credential = pb.Credential(type=pb.CREDENTIAL_TYPE_E_CREDENTIAL, value=altered)
        assert refused(identify, driver, pharmacy, credential) is errors.CredentialInvalid
    for altered in (code[:-1], code[:-4], "K000000001", "A" * 64):
        request = buying(pharmacy, patient, altered)
        assert refused(buy, driver, pharmacy, request) is errors.CredentialInvalid


def test_a_code_has_one_use_however_it_is_written(
    driver: Driver, patient: Made, pharmacy: str, database: Database
) -> None:
    code = code_of(driver, patient)
    while "-" not in code:
        code = code_of(driver, patient)
    buy(driver, pharmacy, buying(pharmacy, patient, code))
    other_spelling = buying(pharmacy, patient, code.replace("-", "+"), "r-2")
    assert refused(buy, driver, pharmacy, other_spelling) is errors.CredentialUsed
    assert uses(database) == [(pharmacy, True)]


def test_a_code_of_another_installation_is_invalid(
    driver: Driver, patient: Made, pharmacy: str
) -> None:
    content = OneTimeCode.issue(patient.person_id, driver.office.now(), b"nonce.").pack()
    theirs = written(content, Sealer(KeyRing.make()).sign(content))
    assert refused(buy, driver, pharmacy, buying(pharmacy, patient, theirs)) is (
        errors.CredentialInvalid
    )
    ours = written(content, driver.office.sealer.sign(content))
    buy(driver, pharmacy, buying(pharmacy, patient, ours))


def test_a_name_beside_a_code_must_be_its_owners(
    driver: Driver, patient: Made, pharmacy: str
) -> None:
    request = buying(pharmacy, patient, code_of(driver, patient))
    request.credential.name = "王无人"
    assert refused(buy, driver, pharmacy, request) is errors.PersonNotMatched
    request.credential.name = patient.name
    buy(driver, pharmacy, request)


# --- repeats


def test_a_repeat_is_answered_before_its_code_is_looked_at(
    driver: Driver, patient: Made, pharmacy: str
) -> None:
    request = buying(pharmacy, patient, code_of(driver, patient))
    first = buy(driver, pharmacy, request)
    move(driver, HOUR)
    again = settle(driver, pharmacy, request)
    assert again.replayed and again.settlement == first.settlement


def test_a_repeat_by_another_code_of_the_person_is_the_same_request_and_uses_nothing(
    driver: Driver, patient: Made, pharmacy: str, database: Database
) -> None:
    request = buying(pharmacy, patient, code_of(driver, patient))
    first = buy(driver, pharmacy, request)
    request.credential.value = fresh = code_of(driver, patient)
    again = settle(driver, pharmacy, request)
    assert again.replayed and again.settlement == first.settlement
    assert uses(database) == [(pharmacy, True)]
    buy(driver, pharmacy, buying(pharmacy, patient, fresh, "r-2"))


def test_a_repeat_by_another_persons_code_is_another_request(
    driver: Driver, families: Families, patient: Made, pharmacy: str
) -> None:
    request = buying(pharmacy, patient, code_of(driver, patient))
    buy(driver, pharmacy, request)
    other = families.person(HOHHOT, balance_fen=90_000)
    request.credential.value = code_of(driver, other)
    with pytest.raises(errors.RequestIdReused) as reused:
        settle(driver, pharmacy, request)
    assert [violation.field for violation in reused.value.violations] == ["credential"]


# --- in one batch, and long after


@pytest.mark.parametrize("by_region", [False, True])
def test_of_two_purchases_of_one_batch_a_code_pays_the_first(
    driver: Driver, families: Families, database: Database, by_region: bool
) -> None:
    places = [families.institution(region) for region in (HOHHOT, ULANQAB)]
    people = [families.person(region, balance_fen=90_000) for region in (HOHHOT, ULANQAB)]
    codes = [code_of(driver, person) for person in people]
    commands = [
        routes.read_command(
            driver.office,
            _SETTLE,
            Caller(Role.POS, place),
            buying(place, person, code, f"{place} {number}".replace(" ", "-")).SerializeToString(),
            time.time() + 30,
        )
        for place in places
        for number, (person, code) in enumerate(zip(people, codes, strict=True))
    ]
    engine = Engine(database, by_region=by_region)
    outcomes = engine.run(commands)
    engine.close()
    assert [isinstance(outcome, Answered) for outcome in outcomes] == [True, True, False, False]
    assert [type(outcome) for outcome in outcomes[2:]] == [errors.CredentialUsed] * 2
    assert uses(database) == [(places[0], True), (places[0], True)]


def test_what_is_kept_of_a_code_goes_a_day_after_it_was_good(
    driver: Driver, families: Families, patient: Made, pharmacy: str, database: Database
) -> None:
    other = families.person(ULANQAB, balance_fen=90_000)
    preview(driver, pharmacy, buying(pharmacy, patient, code_of(driver, patient)))
    buy(driver, pharmacy, buying(pharmacy, other, code_of(driver, other)))
    move(driver, 5 * HOUR)
    late = families.institution(ULANQAB)
    buy(driver, late, buying(late, patient, code_of(driver, patient), "late"))
    move(driver, 19 * HOUR)
    assert remove_old_codes(driver.office) == 0
    move(driver, 11 * MINUTE)
    assert remove_old_codes(driver.office) == 2
    assert uses(database) == [(late, True)]
