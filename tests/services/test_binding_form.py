"""CreateBinding: what an application must say and show."""

from datetime import date, timedelta

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.application_form import check_signed, form_of
from gongji_svc.services.asked import Asked
from gongji_svc.services.contract import method_of
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.applications import (
    DAY,
    HOHHOT,
    TIELING,
    ULANQAB,
    application,
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


@pytest.mark.parametrize(
    ("region", "channel", "offered"),
    [
        *(
            pytest.param(HOHHOT, name, True, marks=pytest.mark.requirement("HOH-07"))
            for name in ("APP", "MINI_PROGRAM")
        ),
        pytest.param(HOHHOT, "WECHAT", False, marks=pytest.mark.requirement("HOH-07")),
        *(
            pytest.param(ULANQAB, name, True, marks=pytest.mark.requirement("ULQ-17"))
            for name in ("APP", "WECHAT", "WEB")
        ),
        pytest.param(TIELING, "ALIPAY", True, marks=pytest.mark.requirement("TIL-07")),
        pytest.param(TIELING, "APP", True, marks=pytest.mark.requirement("TIL-08")),
        pytest.param(TIELING, "MINI_PROGRAM", True, marks=pytest.mark.requirement("TIL-09")),
        pytest.param(TIELING, "WECHAT", True, marks=pytest.mark.requirement("TIL-10")),
        pytest.param(TIELING, "WEB", False, marks=pytest.mark.requirement("TIL-06")),
    ],
)
def test_only_the_regions_own_channels_are_offered(
    driver: Driver, families: Families, region: str, channel: str, offered: bool
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    number = pb.Channel.Value(f"CHANNEL_{channel}")
    request = application(driver, donor, child, region=region, channel=number)
    if offered:
        assert create(driver, donor, request).binding.channel == number
        return
    with pytest.raises(errors.ChannelNotOffered) as refused:
        create(driver, donor, request)
    names = [rule.name for rule in driver.office.policy(region, DAY).channels]
    assert f"可用渠道：{'、'.join(names)}。" in refused.value.message_zh


@pytest.mark.requirement("HOH-10", "HOH-16")
@pytest.mark.parametrize(
    ("field", "beneficiary"),
    [
        ("beneficiary", None),
        ("beneficiary.name", pb.Beneficiary(certificate={"type": 1, "number": "1"})),  # type: ignore[arg-type]  # protobuf takes a dict
        ("beneficiary.certificate", pb.Beneficiary(name="王小明")),
        (
            "beneficiary.certificate.number",
            pb.Beneficiary(name="王小明", certificate={"type": 1, "number": "1 1"}),  # type: ignore[arg-type]  # protobuf takes a dict
        ),
    ],
)
def test_missing_or_malformed_input_is_reported_by_field(
    driver: Driver, families: Families, field: str, beneficiary: pb.Beneficiary | None
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    request = application(driver, donor, child, region=HOHHOT, document_ids=[])
    with pytest.raises(errors.InvalidField) as refused:
        create(driver, donor, changed(request, beneficiary=beneficiary))
    assert [violation.field for violation in refused.value.violations] == [field]


@pytest.mark.requirement("HOH-11")
def test_the_start_date_must_be_given_in_hohhot(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    request = application(driver, donor, child, region=HOHHOT, effective_from=None)
    with pytest.raises(errors.InvalidField) as refused:
        create(driver, donor, request)
    assert [violation.field for violation in refused.value.violations] == ["effective_from"]


def test_a_binding_without_a_start_date_begins_today(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    request = application(driver, donor, child, region=ULANQAB, effective_from=None)
    assert create(driver, donor, request).binding.effective_from == date_of(DAY)


@pytest.mark.requirement("HOH-11")
@pytest.mark.parametrize(
    ("first", "last", "refusal"),
    [
        (DAY - timedelta(days=1), None, errors.StartDateInPast),
        (DAY, DAY, errors.EndDateBeforeStart),
        (DAY + timedelta(days=9), DAY + timedelta(days=8), errors.EndDateBeforeStart),
    ],
)
def test_dates_that_cannot_be_are_refused(
    driver: Driver,
    families: Families,
    first: date,
    last: date | None,
    refusal: type[errors.Refusal],
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    fields = {"effective_from": date_of(first), "effective_to": date_of(last)}
    request = application(driver, donor, child, region=HOHHOT, **fields)
    with pytest.raises(refusal):
        create(driver, donor, request)


def test_a_day_that_no_calendar_has_is_a_field_error(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    request = application(driver, donor, child, region=ULANQAB)
    request.effective_to.month, request.effective_to.day = 13, 1
    with pytest.raises(errors.InvalidField) as refused:
        create(driver, donor, request)
    assert [violation.field for violation in refused.value.violations] == ["effective_to"]


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(HOHHOT, marks=pytest.mark.requirement("HOH-12")),
        pytest.param(TIELING, marks=pytest.mark.requirement("TIL-14")),
    ],
)
def test_the_commitment_is_kept_with_version_time_and_signer(
    driver: Driver, families: Families, shared_database: Database, region: str
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    request = application(driver, donor, child, region=region)
    assert create(driver, donor, request).binding.commitment == request.commitment
    with shared_database.connect() as tx:
        query = "SELECT commitment FROM bindings WHERE donor_id = %s"
        row = tx.execute(query, [donor.person_id]).fetchone()
    assert row == (
        {
            "text_version": driver.office.policy(region, DAY).commitment_version,
            "accepted_at": request.commitment.accepted_at.ToDatetime().isoformat() + "+00:00",
            "signer": str(donor),
        },
    )


@pytest.mark.requirement("HOH-12", "TIL-14")
@pytest.mark.parametrize("region", [HOHHOT, TIELING])
@pytest.mark.parametrize(
    ("version", "refusal"),
    [("", errors.CommitmentNotAccepted), ("of-last-year", errors.CommitmentOutdated)],
)
def test_the_current_commitment_must_be_accepted(
    driver: Driver, families: Families, region: str, version: str, refusal: type[errors.Refusal]
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    request = application(driver, donor, child, region=region)
    if version:
        request.commitment.text_version = version
    else:
        request.ClearField("commitment")
    with pytest.raises(refusal):
        create(driver, donor, request)


def test_a_commitment_cannot_be_accepted_in_the_future(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    request = application(driver, donor, child, region=HOHHOT)
    request.commitment.accepted_at.FromDatetime(driver.office.now() + timedelta(hours=1))
    with pytest.raises(errors.InvalidField) as refused:
        create(driver, donor, request)
    assert refused.value.violations[0].field == "commitment.accepted_at"


@pytest.mark.parametrize(
    ("passed", "remedy"),
    [
        (timedelta(hours=-1), "签署时间晚于当前时间"),
        (timedelta(minutes=-1), ""),
        (timedelta(days=30), ""),
        (timedelta(days=30, minutes=1), "请重新阅读并签署"),
    ],
)
def test_a_commitment_must_have_been_accepted_of_late(
    driver: Driver, families: Families, passed: timedelta, remedy: str
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    request = application(driver, donor, child, region=HOHHOT)
    now = driver.office.now()
    request.commitment.accepted_at.FromDatetime(now - passed)
    method = method_of("BindingService", "CreateBinding")
    form = form_of(Asked(method, Caller(Role.CITIZEN, str(donor)), request, 0.0))
    if not remedy:
        check_signed(form, now)
        return
    with pytest.raises(errors.InvalidField) as refused:
        check_signed(form, now)
    [violation] = refused.value.violations
    assert violation.field == "commitment.accepted_at"
    assert remedy in violation.message_zh


@pytest.mark.parametrize("phone", ["1", "+86-123", "-------", "123456"])
def test_a_telephone_number_of_too_few_digits_is_reported_by_field(
    driver: Driver, families: Families, phone: str
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    request = application(driver, donor, child, region=HOHHOT)
    request.beneficiary.phone = phone
    with pytest.raises(errors.InvalidField) as refused:
        create(driver, donor, request)
    assert [violation.field for violation in refused.value.violations] == ["beneficiary.phone"]


def test_a_telephone_number_may_be_short_or_left_out(driver: Driver, families: Families) -> None:
    for phone in ("1234567", "0471-1234567", ""):
        donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
        request = application(driver, donor, child, region=HOHHOT)
        request.beneficiary.phone = phone
        assert create(driver, donor, request).binding.beneficiary_phone[-4:] == phone[-4:]


@pytest.mark.parametrize(
    ("region", "left_out"),
    [
        *(
            pytest.param(HOHHOT, number, marks=pytest.mark.requirement("HOH-13"))
            for number in range(2)
        ),
        *(
            pytest.param(TIELING, number, marks=pytest.mark.requirement("TIL-13"))
            for number in range(2)
        ),
        pytest.param(TIELING, 2, marks=pytest.mark.requirement("TIL-16")),
    ],
)
def test_each_document_the_region_asks_for_is_mandatory(
    driver: Driver, families: Families, region: str, left_out: int
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    request = application(driver, donor, child, region=region)
    del request.document_ids[left_out]
    with pytest.raises(errors.DocumentMissing):
        create(driver, donor, request)


@pytest.mark.parametrize(
    ("region", "detail"),
    [
        pytest.param(ULANQAB, "card_no", marks=pytest.mark.requirement("ULQ-19")),
        pytest.param(TIELING, "phone", marks=pytest.mark.requirement("TIL-15")),
    ],
)
def test_a_detail_the_region_asks_for_is_reported_by_field(
    driver: Driver, families: Families, region: str, detail: str
) -> None:
    donor, child = donor_in(families, region), relative_in(families, region)
    request = application(driver, donor, child, region=region)
    with pytest.raises(errors.BeneficiaryDetailMissing) as refused:
        create(driver, donor, changed(request, beneficiary=named(child, **{detail: ""})))
    assert [violation.field for violation in refused.value.violations] == [f"beneficiary.{detail}"]


@pytest.mark.requirement("TIL-15")
def test_the_telephone_number_is_kept_sealed_and_shown_masked(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    donor, child = donor_in(families, TIELING), relative_in(families, TIELING)
    request = application(driver, donor, child, region=TIELING)
    assert create(driver, donor, request).binding.beneficiary_phone == "*******0001"
    with shared_database.connect() as tx:
        query = """SELECT position('0001'::bytea IN beneficiary_phone) FROM bindings
                   WHERE donor_id = %s"""
        assert tx.execute(query, [donor.person_id]).fetchone() == (0,)
