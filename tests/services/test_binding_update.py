"""UpdateBinding: the donor changes limits, uses or the last day, and nothing else changes."""

from datetime import date, timedelta
from typing import Any

import pytest
from google.type.date_pb2 import Date

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.wording import BINDING_STATE_ZH
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.applications import (
    BAOTOU,
    DAY,
    HOHHOT,
    TIELING,
    ULANQAB,
    changed,
    donor_in,
    relative_in,
)
from tests.services.changes import (
    STAFF,
    bind,
    bound,
    changes_in,
    guarded_by,
    purchase,
    refused,
    trail,
    update,
)
from tests.services.driver import Driver
from tests.services.rules import driver_with
from tests.services.test_binding_reads import NOBODY, get
from tests.services.till import paid

MEDICAL, PREMIUM = types_pb2.USE_MEDICAL, types_pb2.USE_PREMIUM
ALL_FOUR = pb.BindingLimits(
    per_settlement_fen=1_000, per_day_fen=2_000, per_month_fen=3_000, per_year_fen=4_000
)
IN_JUNE = date(2025, 6, 10)


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


# --- what changes


@pytest.mark.parametrize(
    ("paths", "fields", "after"),
    [
        (["limits"], {"limits": pb.BindingLimits(per_day_fen=7)}, {"per_day_fen": 7}),
        (["limits"], {}, {}),
        (
            ["limits.per_day_fen"],
            {"limits": pb.BindingLimits(per_day_fen=7, per_year_fen=8)},
            {"per_settlement_fen": 1_000, "per_day_fen": 7, "per_month_fen": 3_000}
            | {"per_year_fen": 4_000},
        ),
        (
            ["limits.per_settlement_fen", "limits.per_month_fen"],
            {"limits": pb.BindingLimits(per_month_fen=0)},
            {"per_day_fen": 2_000, "per_month_fen": 0, "per_year_fen": 4_000},
        ),
    ],
)
def test_limits_are_set_whole_or_one_by_one_and_cleared_where_absent(
    driver: Driver,
    families: Families,
    paths: list[str],
    fields: dict[str, Any],
    after: dict[str, int],
) -> None:
    pair = bound(driver, families, HOHHOT, limits=ALL_FOUR)
    answer = update(driver, "citizen", pair.donor, pair.id, *paths, **fields).binding
    assert {field.name: value for field, value in answer.limits.ListFields()} == after
    assert get(driver, "citizen", pair.donor, pair.id) == answer
    assert get(driver, "citizen", pair.beneficiary, pair.id).limits == answer.limits


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("uses", {"uses": [PREMIUM]}),
        ("effective_to", {"effective_to": date_of(IN_JUNE)}),
        ("limits", {"limits": ALL_FOUR}),
    ],
)
def test_only_what_the_mask_names_changes(
    driver: Driver, families: Families, path: str, fields: dict[str, Any]
) -> None:
    pair = bound(driver, families, HOHHOT)
    sent: dict[str, Any] = {"uses": [PREMIUM], "effective_to": Date(), "limits": ALL_FOUR}
    if path != "effective_to":
        sent["effective_to"] = date_of(IN_JUNE)
    answer = update(driver, "citizen", pair.donor, pair.id, path, **{**sent, **fields}).binding
    assert answer == changed(pair.binding, **fields)


def test_a_last_day_is_set_and_taken_away_again(driver: Driver, families: Families) -> None:
    pair = bound(driver, families, HOHHOT)
    mine = ("citizen", pair.donor, pair.id, "effective_to")
    dated = update(driver, *mine, effective_to=date_of(IN_JUNE)).binding
    assert dated.effective_to == date_of(IN_JUNE)
    assert not update(driver, *mine).binding.HasField("effective_to")


def test_several_things_change_together(driver: Driver, families: Families) -> None:
    pair = bound(driver, families, HOHHOT)
    fields: dict[str, Any] = {"uses": [MEDICAL, PREMIUM], "limits": ALL_FOUR}
    answer = update(driver, "citizen", pair.donor, pair.id, "uses", "limits", **fields).binding
    assert answer == changed(pair.binding, **fields)


def test_the_next_settlement_keeps_to_the_new_limit(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == [("DONOR", 10_000)]
    limits = pb.BindingLimits(per_day_fen=12_000)
    update(driver, "citizen", pair.donor, pair.id, "limits", limits=limits)
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == [("DONOR", 2_000)]
    update(driver, "citizen", pair.donor, pair.id, "limits")
    assert paid(purchase(driver, pharmacy, pair.beneficiary)) == [("DONOR", 10_000)]


def test_after_a_new_last_day_the_money_is_not_usable(
    driver: Driver, families: Families, shared_database: Database, pharmacy: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    fields = {"effective_to": date_of(IN_JUNE)}
    update(driver, "citizen", pair.donor, pair.id, "effective_to", **fields)
    offices = [Driver(shared_database, on=IN_JUNE + timedelta(days=late)) for late in (0, 1)]
    took = [paid(purchase(office, pharmacy, pair.beneficiary)) for office in offices]
    assert took == [[("DONOR", 10_000)], []]
    for office in offices:
        office.close()


# --- what is refused


@pytest.mark.parametrize(
    ("paths", "fields", "field"),
    [
        ([], {}, "update_mask"),
        (["state"], {}, "update_mask"),
        (["limits", "rank"], {}, "update_mask"),
        (["limits.per_week_fen"], {}, "update_mask"),
        (["uses"], {}, "uses"),
        (["limits"], {"limits": pb.BindingLimits(per_day_fen=-1)}, "limits.per_day_fen"),
        (["effective_to"], {"effective_to": Date(year=2025, month=2, day=30)}, "effective_to"),
        (["effective_to"], {"effective_to": Date(year=2025, month=5, day=5)}, "effective_to"),
    ],
)
def test_a_request_that_cannot_be_meant_names_the_field(
    driver: Driver,
    families: Families,
    shared_database: Database,
    paths: list[str],
    fields: dict[str, Any],
    field: str,
) -> None:
    pair = bound(driver, families, HOHHOT)
    with refused(shared_database, errors.InvalidField) as caught:
        update(driver, "citizen", pair.donor, pair.id, *paths, **fields)
    [violation] = caught.value.violations
    assert violation.field == field
    assert violation.message_zh


def test_a_last_day_must_come_after_the_first(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    with refused(shared_database, errors.EndDateBeforeStart, "请重新选择结束日期"):
        fields = {"effective_to": date_of(DAY)}
        update(driver, "citizen", pair.donor, pair.id, "effective_to", **fields)


def test_a_last_day_cannot_run_into_another_binding_of_the_two(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    first = bound(driver, families, HOHHOT, effective_to=date_of(IN_JUNE))
    then = date_of(IN_JUNE + timedelta(days=1))
    bind(driver, first.donor, first.beneficiary, HOHHOT, effective_from=then)
    with refused(shared_database, errors.BindingOverlaps, "2025-06-11", "请选择其他时间段"):
        update(driver, "citizen", first.donor, first.id, "effective_to")


def test_a_use_that_the_region_does_not_offer_is_refused(
    families: Families, shared_database: Database
) -> None:
    office = driver_with(shared_database, HOHHOT, {"use.uses": ["MEDICAL"]}, on=DAY)
    pair = bound(office, families, HOHHOT)
    with refused(shared_database, errors.UseNotAllowed, "允许：医疗费用", "请重新选择用途"):
        update(office, "citizen", pair.donor, pair.id, "uses", uses=[MEDICAL, PREMIUM])
    office.close()


def test_a_last_day_stays_where_the_region_demands_one(
    families: Families, shared_database: Database
) -> None:
    office = driver_with(shared_database, HOHHOT, {"binding.end_date_required": True}, on=DAY)
    pair = bound(office, families, HOHHOT, effective_to=date_of(IN_JUNE))
    with refused(shared_database, errors.InvalidField) as caught:
        update(office, "citizen", pair.donor, pair.id, "effective_to")
    assert [one.field for one in caught.value.violations] == ["effective_to"]
    office.close()


def test_a_last_day_is_no_way_round_the_lock_after_binding(
    families: Families, shared_database: Database
) -> None:
    lock = {"binding.unbinding_lock": {"months": 3}}
    office = driver_with(shared_database, HOHHOT, lock, on=DAY)
    pair = bound(office, families, HOHHOT)
    mine = ("citizen", pair.donor, pair.id, "effective_to")
    with refused(shared_database, errors.UnbindingLocked, "最早可于2025-08-06解除"):
        update(office, *mine, effective_to=date_of(date(2025, 8, 5)))
    last_day = date_of(date(2025, 8, 6))
    assert update(office, *mine, effective_to=last_day).binding.effective_to == last_day
    office.close()


@pytest.mark.parametrize("state", [BindingState.REJECTED, BindingState.ENDED, BindingState.EXPIRED])
def test_what_is_over_cannot_be_changed(
    driver: Driver, families: Families, shared_database: Database, state: BindingState
) -> None:
    donor = donor_in(families, HOHHOT)
    binding_id = str(families.bind(donor, relative_in(families, HOHHOT), state=state))
    with refused(
        shared_database, errors.BindingNotActive, BINDING_STATE_ZH[state], "请重新办理绑定"
    ):
        update(driver, "citizen", donor, binding_id, "limits", limits=ALL_FOUR)


@pytest.mark.requirement("HOH-05")
def test_after_its_last_day_a_binding_cannot_be_prolonged_past_the_most_members(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    donor = donor_in(families, HOHHOT)
    relatives = [relative_in(families, HOHHOT) for _ in range(7)]
    last_day = date_of(DAY + timedelta(days=3))
    first = bind(driver, donor, relatives[0], HOHHOT, effective_to=last_day)
    later = Driver(shared_database, on=DAY + timedelta(days=4))
    for relative in relatives[1:]:
        bind(later, donor, relative, HOHHOT)
    with refused(shared_database, errors.BindingNotActive, "已到期", "请重新办理绑定"):
        update(later, "citizen", donor, first.id, "effective_to")
    later.close()


# --- who may


def test_only_the_donors_side_changes_it(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    guardian = donor_in(families, HOHHOT)
    pair = bind(
        driver,
        donor_in(families, HOHHOT),
        relative_in(families, HOHHOT, **guarded_by(guardian)),
        HOHHOT,
    )
    strangers = (pair.beneficiary, guardian, relative_in(families, HOHHOT))
    callers = [("citizen", one) for one in strangers]
    callers += [("counter", region) for region in (ULANQAB, BAOTOU, TIELING)]  # type: ignore[misc]  # of two kinds
    for role, subject in callers:
        with refused(shared_database, errors.AccessDenied):
            update(driver, role, subject, pair.id, "limits", limits=ALL_FOUR)


@pytest.mark.parametrize("role", ["agency", "reviewer", "audit", "pos"])
def test_no_other_role_changes_it(
    driver: Driver, families: Families, shared_database: Database, role: str
) -> None:
    pair = bound(driver, families, HOHHOT)
    with refused(shared_database, errors.AccessDenied):
        update(driver, role, HOHHOT, pair.id, "limits")


def test_a_foreign_binding_and_a_missing_one_are_one_answer(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    answers = set()
    for binding_id in (pair.id, NOBODY):
        with refused(shared_database, errors.AccessDenied) as caught:
            update(driver, "citizen", pair.beneficiary, binding_id, "limits")
        answers.add((caught.value.message_zh, str(caught.value.details)))
    assert len(answers) == 1


def test_a_clerk_changes_it_for_the_donor(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    answer = update(driver, "counter", HOHHOT, pair.id, "limits", limits=ALL_FOUR)
    assert answer.binding.limits == ALL_FOUR
    record = trail(shared_database, pair.id)[-1]
    assert (record.role, record.subject, record.actor) == ("counter", HOHHOT, STAFF)


def test_a_guardian_changes_it_for_a_ward_and_is_recorded_as_actor(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    guardian = donor_in(families, HOHHOT)
    ward = donor_in(families, HOHHOT, **guarded_by(guardian))
    pair = bind(driver, ward, relative_in(families, HOHHOT), HOHHOT)
    update(driver, "citizen", guardian, pair.id, "limits", limits=ALL_FOUR)
    record = trail(shared_database, pair.id)[-1]
    assert (record.role, record.subject, record.actor) == ("citizen", str(ward), str(guardian))


# --- again and in the trail


def test_a_repeated_change_answers_the_same(driver: Driver, families: Families) -> None:
    pair = bound(driver, families, HOHHOT)
    sent: dict[str, Any] = {"limits": ALL_FOUR, "request_id": "once"}
    first, again = (
        update(driver, "citizen", pair.donor, pair.id, "limits", **sent) for _ in range(2)
    )
    assert (first.replayed, again.replayed) == (False, True)
    assert again.binding == first.binding


def test_a_request_id_used_for_another_change_names_what_differs(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, HOHHOT)
    mine = ("citizen", pair.donor, pair.id)
    update(driver, *mine, "limits", limits=ALL_FOUR, request_id="twice")
    with refused(shared_database, errors.RequestIdReused, "请求编号") as caught:
        update(driver, *mine, "uses", uses=[PREMIUM], request_id="twice")
    fields = [violation.field for violation in caught.value.violations]
    assert fields == ["limits", "uses", "update_mask"]


def test_the_trail_says_what_was_and_what_is(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    pair = bound(driver, families, HOHHOT, limits=pb.BindingLimits(per_day_fen=5))
    sent: dict[str, Any] = {"limits": pb.BindingLimits(per_year_fen=9), "request_id": "u-1"}
    sent["effective_to"] = date_of(IN_JUNE)
    update(driver, "citizen", pair.donor, pair.id, "limits", "effective_to", **sent)
    _, record = trail(shared_database, pair.id)
    oneself = str(pair.donor)
    assert (record.role, record.subject, record.actor) == ("citizen", oneself, oneself)
    assert record.action == "gongji.v1.BindingService/UpdateBinding"
    assert (record.region, record.request_id, record.reason) == (HOHHOT, "u-1", "")
    assert changes_in(record) == {
        "limits": ({"per_day_fen": 5}, {"per_year_fen": 9}),
        "effective_to": (None, "2025-06-10"),
    }
