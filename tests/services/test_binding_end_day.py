"""EndBinding: from which day it acts, what it leaves untouched, and what is over already."""

from datetime import date, timedelta

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import settlement_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.wording import BINDING_STATE_ZH
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.applications import (
    DAY,
    HOHHOT,
    SEEDS,
    TIELING,
    application,
    create,
    donor_in,
    relative_in,
)
from tests.services.changes import bind, bound, end, in_force, purchase, refused, update
from tests.services.driver import Driver
from tests.services.rules import driver_with
from tests.services.test_binding_reads import get
from tests.services.till import paid

TODAY = date_of(DAY)
NEXT_DAY = {"binding.unbinding_effect": "NEXT_DAY"}
LOCKED = {"binding.unbinding_lock": {"months": 3}}
UNLOCKED_ON = date(2025, 8, 6)
FORGED = "虚构亲属关系，予以撤销"


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


@pytest.fixture(scope="module")
def pharmacy(families: Families) -> str:
    families.item(HOHHOT, "XA01")
    return families.institution(HOHHOT)


def test_a_till_takes_no_money_from_then_on(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == [("DONOR", 10_000)]
    end(driver, "citizen", pair.donor, pair.id)
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == []


def test_what_was_settled_before_is_the_same_after(
    driver: Driver, families: Families, shared_database: Database, pharmacy: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    settled = purchase(driver, pharmacy, pair.beneficiary).settlement_id
    seen, moved = settlement_of(driver, pharmacy, settled), entries_of(shared_database, pair.donor)
    end(driver, "agency", HOHHOT, pair.id, reason=FORGED)
    assert settlement_of(driver, pharmacy, settled) == seen
    assert entries_of(shared_database, pair.donor) == moved
    assert [leg.binding_id for leg in seen[0].legs] == [pair.id]


def settlement_of(
    driver: Driver, pharmacy: str, settlement_id: str
) -> list[settlement_pb2.Settlement]:
    """The settlement as the till and the agency see it."""
    request = settlement_pb2.GetSettlementRequest(settlement_id=settlement_id)
    callers = (("pos", pharmacy), ("agency", HOHHOT))
    return [
        driver.call(role, subject, "SettlementService", "GetSettlement", request).settlement
        for role, subject in callers
    ]


def entries_of(database: Database, owner: Made) -> list[object]:
    """The owner's balance and every entry."""
    query = """SELECT balance_fen, entries.* FROM accounts JOIN entries ON account_id = accounts.id
               WHERE person_id = %s ORDER BY entries.seq"""
    with database.connect() as tx:
        return list(tx.execute(query, [owner.person_id]))


def test_a_locked_binding_cannot_be_ended_before_the_day_it_says(
    families: Families, shared_database: Database
) -> None:
    locked = driver_with(shared_database, HOHHOT, LOCKED, on=DAY)
    pair = bound(locked, families, HOHHOT)
    assert pair.binding.earliest_end_on == date_of(UNLOCKED_ON)
    eve = driver_with(shared_database, HOHHOT, LOCKED, on=UNLOCKED_ON - timedelta(days=1))
    day = UNLOCKED_ON.isoformat()
    callers = (("citizen", pair.donor), ("citizen", pair.beneficiary), ("counter", HOHHOT))
    for role, subject in callers:
        with refused(shared_database, errors.UnbindingLocked, f"最早可于{day}解除") as caught:
            end(eve, role, subject, pair.id)
        assert caught.value.details == {"earliest_date": day}
    then = driver_with(shared_database, HOHHOT, LOCKED, on=UNLOCKED_ON)
    assert end(then, "citizen", pair.donor, pair.id).binding.state == pb.BINDING_STATE_ENDED
    for office in (locked, eve, then):
        office.close()


def test_a_lock_holds_up_no_revocation_and_no_withdrawal(
    families: Families, shared_database: Database
) -> None:
    locked = driver_with(shared_database, TIELING, LOCKED, on=DAY)
    reviewed, waiting = in_force(locked, families, TIELING), bound(locked, families, TIELING)
    with refused(shared_database, errors.UnbindingLocked, "最早可于"):
        end(locked, "citizen", reviewed.donor, reviewed.id)
    revoked = end(locked, "agency", TIELING, reviewed.id, reason=FORGED).binding
    withdrawn = end(locked, "citizen", waiting.donor, waiting.id).binding
    assert {revoked.state, withdrawn.state} == {pb.BINDING_STATE_ENDED}
    locked.close()


def test_where_an_end_acts_the_next_day_the_money_is_usable_until_then(
    families: Families, shared_database: Database, pharmacy: str
) -> None:
    today = driver_with(shared_database, HOHHOT, NEXT_DAY, on=DAY)
    tomorrow = driver_with(shared_database, HOHHOT, NEXT_DAY, on=DAY + timedelta(days=1))
    pair = bound(today, families, HOHHOT)
    binding = end(today, "citizen", pair.donor, pair.id).binding
    assert binding.state == pb.BINDING_STATE_ACTIVE
    assert (binding.ended_on, binding.end_cause) == (TODAY, pb.END_CAUSE_DONOR)
    assert paid(purchase(today, pharmacy, pair.beneficiary)) == [("DONOR", 10_000)]
    assert paid(purchase(tomorrow, pharmacy, pair.beneficiary)) == []
    for office in (today, tomorrow):
        office.close()


def test_an_end_to_come_is_not_ordered_twice_nor_changed_but_can_be_revoked(
    families: Families, shared_database: Database, pharmacy: str
) -> None:
    today = driver_with(shared_database, HOHHOT, NEXT_DAY, on=DAY)
    pair = bound(today, families, HOHHOT)
    end(today, "citizen", pair.donor, pair.id)
    with refused(shared_database, errors.BindingNotActive, "已解除", "请重新办理绑定"):
        end(today, "citizen", pair.beneficiary, pair.id)
    with refused(shared_database, errors.BindingNotActive, "已解除", "请重新办理绑定"):
        update(today, "citizen", pair.donor, pair.id, "effective_to")
    revoked = end(today, "agency", HOHHOT, pair.id, reason=FORGED).binding
    assert (revoked.state, revoked.end_cause) == (pb.BINDING_STATE_ENDED, pb.END_CAUSE_REVOKED)
    assert paid(purchase(today, pharmacy, pair.beneficiary)) == []
    today.close()


def test_what_has_not_begun_ends_at_once_also_where_ends_act_the_next_day(
    families: Families, shared_database: Database
) -> None:
    today = driver_with(shared_database, HOHHOT, NEXT_DAY, on=DAY)
    tomorrow = date_of(DAY + timedelta(days=1))
    pair = bound(today, families, HOHHOT, effective_from=tomorrow)
    assert end(today, "citizen", pair.donor, pair.id).binding.state == pb.BINDING_STATE_ENDED
    today.close()


# --- what is over


@pytest.mark.parametrize("state", [BindingState.REJECTED, BindingState.ENDED, BindingState.EXPIRED])
def test_what_is_over_cannot_be_ended_or_revoked(
    driver: Driver, families: Families, shared_database: Database, state: BindingState
) -> None:
    donor, relative = donor_in(families, TIELING), relative_in(families, TIELING)
    binding_id = str(families.bind(donor, relative, state=state))
    for role, subject in (("citizen", donor), ("counter", TIELING), ("agency", TIELING)):
        with refused(
            shared_database, errors.BindingNotActive, BINDING_STATE_ZH[state], "请重新办理绑定"
        ):
            end(driver, role, subject, binding_id, reason=FORGED)


@pytest.mark.parametrize("effect", ["IMMEDIATE", "NEXT_DAY"])
def test_after_its_last_day_nothing_is_left_to_end(
    families: Families, shared_database: Database, effect: str
) -> None:
    rules = {"binding.unbinding_effect": effect}
    today = driver_with(shared_database, HOHHOT, rules, on=DAY)
    later = driver_with(shared_database, HOHHOT, rules, on=DAY + timedelta(days=3))
    last_day = date_of(DAY + timedelta(days=2))
    pair = bound(today, families, HOHHOT, effective_to=last_day)
    for role, subject in (("citizen", pair.donor), ("agency", HOHHOT)):
        with refused(shared_database, errors.BindingNotActive, "已到期", "请重新办理绑定"):
            end(later, role, subject, pair.id, reason=FORGED)
    for office in (today, later):
        office.close()


def test_an_end_that_has_come_keeps_its_day_and_cause(
    families: Families, shared_database: Database
) -> None:
    today = driver_with(shared_database, HOHHOT, NEXT_DAY, on=DAY)
    tomorrow = driver_with(shared_database, HOHHOT, NEXT_DAY, on=DAY + timedelta(days=1))
    pair = bound(today, families, HOHHOT)
    end(today, "citizen", pair.donor, pair.id)
    with refused(shared_database, errors.BindingNotActive, "已解除", "请重新办理绑定"):
        end(tomorrow, "agency", HOHHOT, pair.id, reason=FORGED)
    for office in (today, tomorrow):
        office.close()


@pytest.mark.requirement("HOH-05")
def test_a_place_is_free_again_once_a_binding_has_ended(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    donor = donor_in(families, HOHHOT)
    pairs = [bind(driver, donor, relative_in(families, HOHHOT), HOHHOT) for _ in range(6)]
    seventh = application(driver, donor, relative_in(families, HOHHOT), region=HOHHOT)
    with refused(shared_database, errors.DonorMembersExceeded, "最多可绑定6名", "请先解除"):
        create(driver, donor, seventh)
    end(driver, "citizen", donor, pairs[2].id)
    answer = create(driver, donor, seventh)
    assert (answer.counts.members, answer.counts.members_limit) == (6, 6)


@pytest.mark.parametrize("region", SEEDS)
def test_the_same_two_can_bind_again_and_the_old_binding_stays_as_it_was(
    driver: Driver, families: Families, region: str
) -> None:
    pair = in_force(driver, families, region)
    ended = end(driver, "citizen", pair.donor, pair.id).binding
    again = bind(driver, pair.donor, pair.beneficiary, region)
    assert again.id != pair.id
    assert get(driver, "citizen", pair.donor, pair.id) == ended
