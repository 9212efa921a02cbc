"""Holds end by themselves: before any command decides, by the worker, and to whoever looks."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.policy_values import Caps
from gongji_svc.engine import Answered, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database
from gongji_svc.upkeep.holds import expire_holds
from tests.families import Families, Made
from tests.services.accounts import credit, crediting
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.holds import (
    HOHHOT,
    HOUR,
    SERVICE,
    ULANQAB,
    capture,
    counted,
    family,
    get_hold,
    hold,
    holding,
    list_holds,
    money_of,
    move,
    release,
    state_of,
    trail,
)
from tests.services.rules import driver_with
from tests.services.till import asked, paid, request_of

NEW_YEARS_EVE = date(2026, 12, 31)


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


@pytest.fixture
def pharmacy(families: Families) -> str:
    return families.institution(HOHHOT)


def owner_with_hold(driver: Driver, families: Families, pharmacy: str) -> tuple[Made, str]:
    """Somebody with 900 fen, of which 500 are held for an hour; the hold's id."""
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 500, HOUR))
    return owner, made.hold_id


def test_a_hold_is_captured_until_its_instant_and_never_from_then_on(
    driver: Driver, families: Families, pharmacy: str, database: Database
) -> None:
    first, early = owner_with_hold(driver, families, pharmacy)
    second, late = owner_with_hold(driver, families, pharmacy)
    move(driver, HOUR - timedelta(minutes=1))
    capture(driver, "pos", pharmacy, early)
    move(driver, timedelta(minutes=1))
    for end in (capture, release):
        with pytest.raises(errors.HoldExpired):
            end(driver, "pos", pharmacy, late)
    assert money_of(database, first.account_id) == (400, 0, 1)
    assert money_of(database, second.account_id) == (900, 0, 0)


def test_an_end_is_kept_although_the_command_that_met_it_was_refused(
    driver: Driver, families: Families, pharmacy: str, database: Database
) -> None:
    _, hold_id = owner_with_hold(driver, families, pharmacy)
    move(driver, HOUR)
    with pytest.raises(errors.HoldExpired):
        capture(driver, "pos", pharmacy, hold_id)
    query = "SELECT state, expires_at = resolved_at, captured_fen FROM holds WHERE id = %s"
    with database.connect() as tx:
        assert tx.execute(query, [hold_id]).fetchone() == ("EXPIRED", True, 0)


def test_any_command_on_the_account_ends_what_is_due(
    driver: Driver, families: Families, pharmacy: str, database: Database
) -> None:
    owner, _ = owner_with_hold(driver, families, pharmacy)
    lasting = hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 300, 3 * HOUR))
    move(driver, HOUR)
    credit(driver, crediting(owner.account_id, 100))
    assert money_of(database, owner.account_id) == (1_000, 300, 1)
    assert state_of(get_hold(driver, "pos", pharmacy, lasting.hold_id)) == "OPEN"


def test_a_purchase_spends_what_was_held_too_long(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    owner, _ = owner_with_hold(driver, families, pharmacy)
    move(driver, HOUR)
    assert paid(purchase(driver, pharmacy, owner, 900)) == [("SELF", 900)]


def test_a_limit_no_longer_counts_what_was_held_too_long(
    driver: Driver, families: Families, pharmacy: str, database: Database
) -> None:
    donor, relative, binding_id = family(families, limits=Caps(per_year_fen=1_000))
    hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 800, HOUR))
    assert paid(purchase(driver, pharmacy, relative, 900)) == [("DONOR", 200)]
    move(driver, HOUR)
    assert paid(purchase(driver, pharmacy, relative, 900)) == [("DONOR", 800)]
    assert sum(counted(database, binding_id).values()) == 1_000


def test_a_household_cap_no_longer_counts_it_either(
    database: Database, families: Families, pharmacy: str
) -> None:
    driver = driver_with(database, HOHHOT, {"caps.household": {"per_year_fen": 1_000}})
    donor, relative, _ = family(families)
    hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 1_000, HOUR))
    move(driver, HOUR)
    hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 600, HOUR))
    assert sum(counted(database, donor).values()) == 600


def test_a_hold_of_last_year_stops_counting_on_the_day_it_was_made(
    database: Database, families: Families, pharmacy: str
) -> None:
    driver = Driver(database, on=NEW_YEARS_EVE)
    donor, relative, binding_id = family(families)
    kept = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 100, HOUR))
    capture(driver, "pos", pharmacy, kept.hold_id)
    hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700, HOUR))
    assert counted(database, binding_id) == {"2026-12-31": 800}
    move(driver, timedelta(days=1))
    purchase(driver, pharmacy, relative, 50)
    assert counted(database, binding_id) == {"2026-12-31": 100, "2027-01-01": 50}
    assert money_of(database, donor.account_id) == (99_850, 0, 2)


def test_a_preview_sees_it_free_and_writes_nothing(
    driver: Driver, families: Families, pharmacy: str, database: Database
) -> None:
    owner, _ = owner_with_hold(driver, families, pharmacy)
    move(driver, HOUR)
    request = request_of(pharmacy, owner, 900)
    request.occurred_at.FromDatetime(driver.office.now())
    preview = driver.call("pos", pharmacy, "SettlementService", "PreviewSettlement", asked(request))
    assert preview.breakdown.account_pay_fen == 900
    assert money_of(database, owner.account_id) == (900, 500, 0)


def test_who_looks_sees_the_end_before_anybody_noted_it(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    owner, hold_id = owner_with_hold(driver, families, pharmacy)
    move(driver, HOUR)
    seen = get_hold(driver, "pos", pharmacy, hold_id)
    assert (state_of(seen), seen.resolved_at) == ("EXPIRED", seen.expires_at)
    [listed] = list_holds(driver, "citizen", owner, owner.account_id).holds
    expire_holds(driver.office)
    assert listed == seen == get_hold(driver, "pos", pharmacy, hold_id)


def test_the_worker_ends_what_nobody_touches(
    driver: Driver, families: Families, pharmacy: str, database: Database
) -> None:
    owners = [owner_with_hold(driver, families, pharmacy) for _ in range(40)]
    lasting = [
        hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 100, 3 * HOUR))
        for owner, _ in owners[:3]
    ]
    assert expire_holds(driver.office) == 0
    move(driver, HOUR)
    assert expire_holds(driver.office) == 40
    assert expire_holds(driver.office) == 0
    held = [money_of(database, owner.account_id)[1] for owner, _ in owners]
    assert held == [100] * 3 + [0] * 37
    assert {state_of(get_hold(driver, "pos", pharmacy, one.hold_id)) for one in lasting} == {"OPEN"}
    assert trail(database, owners[0][1]) == []


def test_two_workers_end_each_hold_once(
    driver: Driver, families: Families, pharmacy: str, database: Database
) -> None:
    donor, relative, binding_id = family(families)
    for _ in range(30):
        hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 10, HOUR))
    move(driver, HOUR)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: expire_holds(driver.office), range(4)))
    assert money_of(database, donor.account_id) == (100_000, 0, 0)
    assert counted(database, binding_id) == {}


@pytest.mark.parametrize("by_region", [False, True])
def test_holds_end_in_every_region_that_a_batch_touches(
    driver: Driver, families: Families, database: Database, by_region: bool
) -> None:
    agencies = (HOHHOT, ULANQAB)
    families_of = {region: family(families, region) for region in agencies}
    for region, (donor, relative, _) in families_of.items():
        code = families.institution(region)
        hold(driver, "pos", code, holding(donor.account_id, relative, 500, HOUR))
    method = method_of(SERVICE, "Credit")
    commands = [
        routes.read_command(
            driver.office,
            method,
            Caller(Role.AGENCY, region),
            crediting(families_of[region][0].account_id, 7).SerializeToString(),
            time.time() + 60,
        )
        for region in agencies
    ]
    engine = Engine(database, HOUR, by_region=by_region)
    outcomes = engine.run(commands)
    engine.close()
    assert {type(outcome) for outcome in outcomes} == {Answered}
    for donor, _, binding_id in families_of.values():
        assert money_of(database, donor.account_id) == (100_007, 0, 1)
        assert counted(database, binding_id) == {}
