"""CountSettlements: a region's settlements by stretches of time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.services.days import timestamp
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.driver import Driver
from tests.services.refunds import SERVICE, basket, cancel, family_of_three, refund
from tests.services.till import HOHHOT, ULANQAB, settle

NOON = datetime(2025, 5, 6, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def counted(driver: Driver, region: str = ULANQAB, **fields: Any) -> Any:
    """The counts that an agency is answered of its own region."""
    request = pb.CountSettlementsRequest(
        **{"region": region, "recorded_from": timestamp(NOON), **fields}
    )
    return driver.call("agency", region, SERVICE, "CountSettlements", request).counts


def lasting(span: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(span)
    return duration


def refused_for(driver: Driver, **fields: Any) -> list[str]:
    with pytest.raises(errors.InvalidField) as wrong:
        counted(driver, **fields)
    return [one.field for one in wrong.value.violations]


def moved(database: Database, settlement: pb.Settlement, at: datetime) -> None:
    """Have it recorded at another time."""
    query = "UPDATE settlements SET recorded_at = %s WHERE id = %s"
    with database.connect() as tx:
        tx.execute(query, [at, settlement.settlement_id])


def test_what_was_settled_and_given_back_is_summed(driver: Driver, families: Families) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    began = timestamp(driver.office.now() - HOUR)
    settled = settle(driver, code, basket(code, patient, [("XA01", 20, 10)])).settlement
    refund(driver, settled, (1, "6"))
    cancel(driver, code, settled.request_id)
    settle(driver, code, basket(code, patient, [("XA01", 1, 10)]))
    [count] = counted(driver, recorded_from=began, stretch=lasting(2 * HOUR))
    assert count == pb.SettlementCount(
        start=began,
        settlements=2,
        refunds=2,
        total_fen=21_000,
        account_pay_fen=14_000,
        mutual_aid_pay_fen=8_000,
        cash_pay_fen=7_000,
        refunded_fen=20_000,
    )


def test_each_stretch_has_a_row_and_begins_where_the_one_before_ends(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    edges = (0, 90, 179, 180, 300)
    for minutes in edges:
        bill = basket(code, patient, [("XA01", 1, 10)])
        moved(database, settle(driver, code, bill).settlement, NOON + timedelta(minutes=minutes))
    until = timestamp(NOON + 5 * HOUR)
    counts = counted(driver, recorded_to=until, stretch=lasting(1.5 * HOUR))
    assert [one.start.ToDatetime(tzinfo=UTC) for one in counts] == [
        NOON + place * 1.5 * HOUR for place in range(4)
    ]
    assert [one.settlements for one in counts] == [1, 2, 1, 0]
    assert [one.total_fen for one in counts] == [1_000, 2_000, 1_000, 0]


def test_a_stretch_is_a_minute_and_the_end_is_now_unless_told(driver: Driver) -> None:
    began = driver.office.now() - timedelta(minutes=10)
    counts = counted(driver, recorded_from=timestamp(began))
    starts = [one.start.ToDatetime(tzinfo=UTC) for one in counts]
    assert starts == [began + place * timedelta(minutes=1) for place in range(len(starts))]
    assert starts[-1] <= driver.office.now()


def test_only_care_in_the_region_counts(driver: Driver, families: Families) -> None:
    patient, _, _ = family_of_three(families, ULANQAB)
    code = families.institution(HOHHOT)
    settle(driver, code, basket(code, patient, [("XA01", 1, 10)]))
    since = timestamp(driver.office.now() - HOUR)
    sums = {
        region: sum(one.settlements for one in counted(driver, region, recorded_from=since))
        for region in (HOHHOT, ULANQAB)
    }
    assert sums == {HOHHOT: 1, ULANQAB: 0}


def test_an_agency_counts_its_own_region_only(driver: Driver) -> None:
    request = pb.CountSettlementsRequest(region=ULANQAB, recorded_from=timestamp(NOON))
    with pytest.raises(errors.AccessDenied):
        driver.call("agency", HOHHOT, SERVICE, "CountSettlements", request)


def test_a_dashboard_has_at_most_1500_stretches(driver: Driver) -> None:
    whole = timestamp(NOON + timedelta(minutes=1_500))
    more = timestamp(NOON + timedelta(minutes=1_500, microseconds=1))
    assert len(counted(driver, recorded_to=whole)) == 1_500
    assert refused_for(driver, recorded_to=more) == ["stretch"]


def test_the_end_comes_after_the_begin(driver: Driver) -> None:
    assert refused_for(driver, recorded_to=timestamp(NOON)) == ["recorded_from"]
    future = timestamp(driver.office.now() + HOUR)
    assert refused_for(driver, recorded_from=future) == ["recorded_from"]


@pytest.mark.parametrize("seconds", [59, 86_401])
def test_a_stretch_is_a_minute_to_a_day(driver: Driver, seconds: int) -> None:
    stretch = lasting(timedelta(seconds=seconds))
    assert refused_for(driver, recorded_to=timestamp(NOON + HOUR), stretch=stretch) == ["stretch"]
