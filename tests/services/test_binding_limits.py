"""The limits a donor sets for one beneficiary: a settlement honours them and counts under lock."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import settlement_pb2, types_pb2
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.calendar import start_of
from gongji_svc.engine import Answered, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.applications import DAY, ULANQAB, donor_in, relative_in
from tests.services.changes import bind, bound, purchase, update
from tests.services.driver import Driver
from tests.services.till import paid, request_of

YESTERDAY, LAST_MONTH = DAY - timedelta(days=1), date(2025, 4, 28)
NEW_YEAR, LAST_YEAR = date(2026, 1, 5), date(2025, 12, 30)
LIMIT_FEN = 10_000


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


@pytest.fixture(scope="module")
def pharmacy(families: Families) -> str:
    families.item(ULANQAB, "XA01")
    return families.institution(ULANQAB)


def noon(day: date) -> datetime:
    return start_of(day) + timedelta(hours=12)


def limits(**fields: int) -> pb.BindingLimits:
    return pb.BindingLimits(**fields)


@pytest.mark.parametrize(
    ("limit", "took"),
    [
        (limits(per_settlement_fen=LIMIT_FEN), [7_000, 7_000, 7_000]),
        (limits(per_day_fen=LIMIT_FEN), [7_000, 3_000, 0]),
        (limits(per_month_fen=LIMIT_FEN), [7_000, 3_000, 0]),
        (limits(per_year_fen=LIMIT_FEN), [7_000, 3_000, 0]),
        (limits(per_settlement_fen=2_000, per_day_fen=5_000), [2_000, 2_000, 1_000]),
        (limits(per_day_fen=9_000, per_month_fen=8_000), [7_000, 1_000, 0]),
        (limits(per_settlement_fen=0), [0, 0, 0]),
        (limits(per_year_fen=0), [0, 0, 0]),
    ],
)
def test_the_smallest_rest_of_the_limits_binds_each_settlement(
    driver: Driver, families: Families, pharmacy: str, limit: pb.BindingLimits, took: list[int]
) -> None:
    pair = bound(driver, families, ULANQAB, limits=limit)
    settled = [purchase(driver, pharmacy, pair.beneficiary, 7_000) for _ in took]
    assert [one.breakdown.mutual_aid_pay_fen for one in settled] == took
    assert [one.breakdown.cash_pay_fen for one in settled] == [7_000 - fen for fen in took]


@pytest.mark.parametrize(
    ("limit", "before", "now", "left"),
    [
        (limits(per_day_fen=LIMIT_FEN), YESTERDAY, DAY, LIMIT_FEN),
        (limits(per_month_fen=LIMIT_FEN), YESTERDAY, DAY, 4_000),
        (limits(per_month_fen=LIMIT_FEN), LAST_MONTH, DAY, LIMIT_FEN),
        (limits(per_year_fen=LIMIT_FEN), LAST_MONTH, DAY, 4_000),
        (limits(per_year_fen=LIMIT_FEN), LAST_YEAR, NEW_YEAR, LIMIT_FEN),
        (limits(per_month_fen=LIMIT_FEN), LAST_YEAR, NEW_YEAR, LIMIT_FEN),
    ],
)
def test_a_limit_counts_in_the_day_month_and_year_in_which_a_purchase_occurred(
    families: Families,
    shared_database: Database,
    pharmacy: str,
    limit: pb.BindingLimits,
    before: date,
    now: date,
    left: int,
) -> None:
    office = Driver(shared_database, on=now)
    pair = bound(office, families, ULANQAB, limits=limit)
    purchase(office, pharmacy, pair.beneficiary, 6_000, at=noon(before))
    settled = purchase(office, pharmacy, pair.beneficiary, 2 * LIMIT_FEN)
    assert settled.breakdown.mutual_aid_pay_fen == left
    office.close()


def test_a_limit_is_for_one_beneficiary_and_binds_no_other(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    donor = donor_in(families, ULANQAB)
    limited, free = (relative_in(families, ULANQAB) for _ in range(2))
    bind(driver, donor, limited, ULANQAB, limits=limits(per_day_fen=1_000))
    bind(driver, donor, free, ULANQAB)
    assert paid(purchase(driver, pharmacy, limited)) == [("DONOR", 1_000)]
    assert paid(purchase(driver, pharmacy, free)) == [("DONOR", 10_000)]


def test_what_one_donor_may_not_pay_the_next_one_pays(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    pair = bound(driver, families, ULANQAB, limits=limits(per_settlement_fen=4_000))
    bind(driver, donor_in(families, ULANQAB), pair.beneficiary, ULANQAB)
    settled = purchase(driver, pharmacy, pair.beneficiary)
    assert paid(settled) == [("DONOR", 4_000), ("DONOR", 6_000)]


def test_a_limit_lowered_below_what_was_used_takes_nothing_back(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    pair = bound(driver, families, ULANQAB, limits=limits(per_day_fen=LIMIT_FEN))
    purchase(driver, pharmacy, pair.beneficiary, 8_000)
    lower = limits(per_day_fen=5_000)
    update(driver, "citizen", pair.donor, pair.id, "limits", limits=lower)
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == []


@pytest.mark.parametrize(
    ("uses", "legs"),
    [
        ([types_pb2.USE_MEDICAL], [("DONOR", 10_000)]),
        ([types_pb2.USE_PREMIUM], []),
        ([types_pb2.USE_MEDICAL, types_pb2.USE_PREMIUM], [("DONOR", 10_000)]),
    ],
)
def test_what_is_given_for_premiums_only_pays_nothing_at_a_till(
    driver: Driver, families: Families, pharmacy: str, uses: list[int], legs: list[object]
) -> None:
    pair = bound(driver, families, ULANQAB, uses=uses)
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == legs


# --- at once


def test_sixty_settlements_at_once_of_two_processes_never_exceed_a_day_limit(
    driver: Driver, families: Families, shared_database: Database, pharmacy: str
) -> None:
    pair = bound(driver, families, ULANQAB, limits=limits(per_day_fen=LIMIT_FEN))
    offices = [Driver(shared_database, on=DAY) for _ in range(2)]

    def took(number: int) -> int:
        settled = purchase(offices[number % 2], pharmacy, pair.beneficiary, 700)
        return settled.breakdown.mutual_aid_pay_fen

    with ThreadPoolExecutor(12) as pool:
        amounts = list(pool.map(took, range(60)))
    assert sorted(amounts) == [0] * 45 + [200] + [700] * 14
    for office in offices:
        office.close()


def test_sixty_settlements_in_one_batch_never_exceed_a_day_limit(
    driver: Driver, families: Families, shared_database: Database, pharmacy: str
) -> None:
    pair = bound(driver, families, ULANQAB, limits=limits(per_day_fen=LIMIT_FEN))
    method, caller = method_of("SettlementService", "Settle"), Caller(Role.POS, pharmacy)
    commands = []
    for number in range(60):
        request = request_of(pharmacy, pair.beneficiary, 700, request_id=f"{pair.id}-{number}")
        request.occurred_at.FromDatetime(driver.office.now())
        body, deadline = request.SerializeToString(), time.time() + 30
        commands.append(routes.read_command(driver.office, method, caller, body, deadline))
    engine = Engine(shared_database, driver.office.clock_offset)
    outcomes = engine.run(commands)
    engine.close()
    amounts = []
    for outcome in outcomes:
        assert isinstance(outcome, Answered)
        settlement = settlement_pb2.SettleResponse.FromString(outcome.answer).settlement
        amounts.append(settlement.breakdown.mutual_aid_pay_fen)
    assert amounts == [700] * 14 + [200] + [0] * 45
