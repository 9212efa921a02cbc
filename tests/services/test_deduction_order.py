"""SetDeductionOrder: the beneficiary sets the whole order in which donors pay."""

from collections.abc import Sequence

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.applications import (
    BAOTOU,
    DAY,
    HOHHOT,
    TIELING,
    ULANQAB,
    donor_in,
    relative_in,
)
from tests.services.changes import (
    STAFF,
    Pair,
    bind,
    changes_in,
    end,
    guarded_by,
    purchase,
    refused,
    reorder,
    trail,
)
from tests.services.driver import Driver
from tests.services.rules import driver_with
from tests.services.test_binding_reads import NOBODY, listed

FIXED = {"order.kind": "BINDING_TIME_ASC", "order.editable": False}
HALF_FEN = 5_000
FOREIGN = "a binding of somebody else"


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


def donors_of(
    driver: Driver, families: Families, count: int, mother: Made | None = None
) -> tuple[Made, list[Pair]]:
    """A beneficiary and the bindings of so many donors with half a purchase each, in order."""
    mother = mother or relative_in(families, ULANQAB)
    donors = [families.person(ULANQAB, balance_fen=HALF_FEN) for _ in range(count)]
    return mother, [bind(driver, donor, mother, ULANQAB) for donor in donors]


def order_of(driver: Driver, mother: Made) -> list[str]:
    """The ids of the beneficiary's bindings in force by rank, which run from 1 without gaps."""
    found = listed(
        driver, "citizen", mother, beneficiary_id=mother, states=[pb.BINDING_STATE_ACTIVE]
    )
    by_rank = {binding.rank: binding.binding_id for binding in found.bindings}
    assert sorted(by_rank) == list(range(1, len(found.bindings) + 1))
    return [by_rank[rank] for rank in sorted(by_rank)]


def of(pairs: Sequence[Pair], *numbers: int) -> list[str]:
    """The ids of some of the bindings."""
    return [pairs[number].id for number in numbers]


# --- what it does


@pytest.mark.requirement("ULQ-11")
def test_the_order_that_the_beneficiary_sets_is_the_order_that_holds(
    driver: Driver, families: Families
) -> None:
    mother, pairs = donors_of(driver, families, 3)
    answer = reorder(driver, "citizen", mother, mother, of(pairs, 2, 0, 1))
    assert [binding.binding_id for binding in answer.bindings] == of(pairs, 2, 0, 1)
    assert [binding.rank for binding in answer.bindings] == [1, 2, 3]
    assert order_of(driver, mother) == of(pairs, 2, 0, 1)


@pytest.mark.requirement("ULQ-11", "ULQ-12")
def test_a_till_asks_the_donors_in_the_order_that_was_set(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    mother, pairs = donors_of(driver, families, 3)
    reorder(driver, "citizen", mother, mother, of(pairs, 2, 0, 1))
    settled = purchase(driver, pharmacy, mother, 2 * HALF_FEN)
    assert [leg.binding_id for leg in settled.legs] == of(pairs, 2, 0)


@pytest.mark.requirement("ULQ-11")
def test_a_donor_who_comes_later_pays_last(driver: Driver, families: Families) -> None:
    mother, pairs = donors_of(driver, families, 2)
    reorder(driver, "citizen", mother, mother, of(pairs, 1, 0))
    _, later = donors_of(driver, families, 1, mother)
    assert order_of(driver, mother) == [*of(pairs, 1, 0), later[0].id]


def test_applications_in_review_have_their_place_and_ended_ones_have_none(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    mother = relative_in(families, TIELING)
    pairs = [bind(driver, donor_in(families, TIELING), mother, TIELING) for _ in range(3)]
    end(driver, "citizen", mother, pairs[1].id)
    with refused(shared_database, errors.OrderIncomplete):
        reorder(driver, "citizen", mother, mother, of(pairs, 2, 1, 0))
    answer = reorder(driver, "citizen", mother, mother, of(pairs, 2, 0))
    assert [binding.rank for binding in answer.bindings] == [1, 2]
    assert {binding.state for binding in answer.bindings} == {pb.BINDING_STATE_PENDING_REVIEW}
    assert [len(binding.documents) for binding in answer.bindings] == [0, 0]


# --- what is refused


@pytest.mark.parametrize(
    ("mine", "more"),
    [
        pytest.param(2, [], id="one is missing"),
        pytest.param(3, [FOREIGN], id="one too many"),
        pytest.param(2, [FOREIGN], id="another instead"),
        pytest.param(2, [NOBODY], id="none such"),
        pytest.param(2, ["12345678-1234-1234-1234-123456789012"], id="no id of ours"),
    ],
)
def test_an_order_names_each_current_binding_and_no_other(
    driver: Driver, families: Families, shared_database: Database, mine: int, more: list[str]
) -> None:
    mother, pairs = donors_of(driver, families, 3)
    _, [foreign] = donors_of(driver, families, 1)
    added = [foreign.id if one == FOREIGN else one for one in more]
    with refused(shared_database, errors.OrderIncomplete, "各出现一次", "请刷新后重新设置"):
        reorder(driver, "citizen", mother, mother, [*of(pairs, 0, 1, 2)[:mine], *added])


@pytest.mark.parametrize("numbers", [[], [0, 0]])
def test_an_empty_order_and_one_with_repeats_are_field_errors(
    driver: Driver, families: Families, shared_database: Database, numbers: list[int]
) -> None:
    mother, pairs = donors_of(driver, families, 2)
    with refused(shared_database, errors.InvalidField) as caught:
        reorder(driver, "citizen", mother, mother, of(pairs, *numbers))
    assert [one.field for one in caught.value.violations] == ["binding_ids"]


@pytest.mark.parametrize(
    ("values", "rule", "rule_zh"),
    [
        (FIXED, "BINDING_TIME_ASC", "先绑定的先扣"),
        ({"order.kind": "BALANCE_DESC_THEN_NAME"}, "BALANCE_DESC_THEN_NAME", "余额多的先扣"),
        ({"order.editable": False}, "USER_PRIORITY", "绑定时确定的顺序"),
    ],
)
def test_where_the_region_fixes_the_order_it_is_refused_with_the_rule(
    families: Families,
    shared_database: Database,
    values: dict[str, object],
    rule: str,
    rule_zh: str,
) -> None:
    office = driver_with(shared_database, ULANQAB, values, on=DAY)
    mother, pairs = donors_of(office, families, 2)
    with refused(shared_database, errors.OrderFixedByPolicy, rule_zh) as caught:
        reorder(office, "citizen", mother, mother, of(pairs, 1, 0))
    assert caught.value.details["order"] == rule
    with refused(shared_database, errors.OrderFixedByPolicy, "不能自行调整"):
        bind(office, donor_in(families, ULANQAB), mother, ULANQAB, rank=1)
    office.close()


def test_it_is_the_beneficiarys_region_that_fixes_the_order_not_the_donors(
    families: Families, shared_database: Database
) -> None:
    office = driver_with(shared_database, ULANQAB, FIXED, on=DAY)
    mother = relative_in(families, HOHHOT)
    pairs = [bind(office, donor_in(families, ULANQAB), mother, ULANQAB) for _ in range(2)]
    answer = reorder(office, "citizen", mother, mother, of(pairs, 1, 0))
    assert [binding.binding_id for binding in answer.bindings] == of(pairs, 1, 0)
    office.close()


# --- who may


def test_donors_strangers_and_clerks_elsewhere_may_not_set_it(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    mother, pairs = donors_of(driver, families, 2)
    people = (pairs[0].donor, relative_in(families, ULANQAB))
    callers: list[tuple[str, object]] = [("citizen", one) for one in people]
    callers += [("counter", region) for region in (HOHHOT, BAOTOU, "150000")]
    for role, subject in callers:
        with refused(shared_database, errors.AccessDenied):
            reorder(driver, role, subject, mother, of(pairs, 1, 0))


@pytest.mark.parametrize("role", ["agency", "reviewer", "audit", "pos"])
def test_no_other_role_sets_it(
    driver: Driver, families: Families, shared_database: Database, role: str
) -> None:
    mother, pairs = donors_of(driver, families, 2)
    with refused(shared_database, errors.AccessDenied):
        reorder(driver, role, ULANQAB, mother, of(pairs, 1, 0))


def test_a_strangers_order_and_that_of_nobody_are_one_answer(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    mother, pairs = donors_of(driver, families, 2)
    answers = set()
    for beneficiary in (mother, NOBODY):
        with refused(shared_database, errors.AccessDenied) as caught:
            reorder(driver, "citizen", pairs[0].donor, beneficiary, of(pairs, 1, 0))
        answers.add((caught.value.message_zh, str(caught.value.details)))
    assert len(answers) == 1


def test_a_clerk_of_the_beneficiarys_region_sets_it(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    mother, pairs = donors_of(driver, families, 2)
    reorder(driver, "counter", ULANQAB, mother, of(pairs, 1, 0))
    assert order_of(driver, mother) == of(pairs, 1, 0)
    record = trail(shared_database, pairs[0].id)[-1]
    assert (record.role, record.subject, record.actor) == ("counter", ULANQAB, STAFF)


def test_a_guardian_sets_it_for_a_ward_and_is_recorded_as_actor(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    guardian = donor_in(families, ULANQAB)
    ward = relative_in(families, ULANQAB, **guarded_by(guardian))
    ward, pairs = donors_of(driver, families, 2, ward)
    reorder(driver, "citizen", guardian, ward, of(pairs, 1, 0))
    record = trail(shared_database, pairs[0].id)[-1]
    assert (record.role, record.subject, record.actor) == ("citizen", str(ward), str(guardian))


def test_a_parent_sets_no_order_for_a_grown_up(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    parent = donor_in(families, ULANQAB)
    grown_up = relative_in(families, ULANQAB, guardians=[Guardian(parent.person_id)])
    grown_up, pairs = donors_of(driver, families, 2, grown_up)
    with refused(shared_database, errors.AccessDenied):
        reorder(driver, "citizen", parent, grown_up, of(pairs, 1, 0))


# --- again and in the trail


def test_a_repeated_order_answers_the_same_and_changes_nothing_anew(
    driver: Driver, families: Families
) -> None:
    mother, pairs = donors_of(driver, families, 3)
    mine = ("citizen", mother, mother)
    first = reorder(driver, *mine, of(pairs, 2, 1, 0), request_id="once")
    reorder(driver, *mine, of(pairs, 0, 1, 2))
    again = reorder(driver, *mine, of(pairs, 2, 1, 0), request_id="once")
    assert (first.replayed, again.replayed) == (False, True)
    assert list(again.bindings) == list(first.bindings)
    assert order_of(driver, mother) == of(pairs, 0, 1, 2)


def test_a_request_id_used_for_another_order_names_what_differs(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    mother, pairs = donors_of(driver, families, 2)
    mine = ("citizen", mother, mother)
    reorder(driver, *mine, of(pairs, 1, 0), request_id="twice")
    with refused(shared_database, errors.RequestIdReused, "请求编号") as caught:
        reorder(driver, *mine, of(pairs, 0, 1), request_id="twice")
    assert [one.field for one in caught.value.violations] == ["binding_ids"]


def test_the_trail_holds_each_binding_that_moved_and_no_other(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    mother, pairs = donors_of(driver, families, 3)
    reorder(driver, "citizen", mother, mother, of(pairs, 1, 0, 2), request_id="o-1")
    records = trail(shared_database, *of(pairs, 0, 1, 2))
    moved = {one.subject_id: one for one in records if one.request_id == "o-1"}
    assert moved.keys() == set(of(pairs, 0, 1))
    assert changes_in(moved[pairs[0].id]) == {"rank": (1, 2)}
    assert changes_in(moved[pairs[1].id]) == {"rank": (2, 1)}
    for record in moved.values():
        assert (record.role, record.subject, record.actor) == ("citizen", str(mother), str(mother))
        assert record.action == "gongji.v1.BindingService/SetDeductionOrder"
        assert record.region == ULANQAB


def test_the_trail_holds_the_bindings_that_a_new_one_moves_down(
    driver: Driver, families: Families, shared_database: Database
) -> None:
    mother, pairs = donors_of(driver, families, 2)
    new = bind(driver, donor_in(families, ULANQAB), mother, ULANQAB, rank=2, request_id="c-1")
    records = trail(shared_database, *of(pairs, 0, 1), new.id)
    made = {one.subject_id: one for one in records if one.request_id == "c-1"}
    assert made.keys() == {pairs[1].id, new.id}
    assert changes_in(made[pairs[1].id]) == {"rank": (2, 3)}
    assert changes_in(made[new.id])["rank"] == (None, 2)
    assert {one.subject for one in made.values()} == {str(new.donor)}
