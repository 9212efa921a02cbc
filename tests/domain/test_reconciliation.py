"""Comparing two books of a day: what is told, and that it explains how far they are apart."""

import random
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from gongji_svc.domain.errors import DifferenceResolved
from gongji_svc.domain.reconciliation import (
    Difference,
    DifferenceKind,
    DifferenceResolution,
    DifferenceState,
    Mismatch,
    Row,
    Totals,
    compare,
)
from tests.services.applications import HOHHOT

ONE, OTHER = uuid4(), uuid4()


def sale(settlement_id: UUID | None = ONE, request_id: str = "r-1", fen: int = 1_000) -> Row:
    return Row(settlement_id, request_id, False, fen, 0, fen)


def refund(settlement_id: UUID | None = ONE, request_id: str = "b-1", fen: int = 1_000) -> Row:
    return Row(settlement_id, request_id, True, -fen, 0, -fen)


@pytest.mark.parametrize(
    "named",
    [sale(), sale(request_id=""), sale(settlement_id=None)],
    ids=["both", "settlement", "request"],
)
def test_a_row_is_found_by_either_name_or_both(named: Row) -> None:
    assert list(compare([named], [sale()])) == []
    other = named._replace(total_fen=2_000)
    assert list(compare([other], [sale()])) == [Mismatch(other, sale())]


def test_a_row_whose_names_contradict_each_other_is_nowhere() -> None:
    contradictory = sale(request_id="r-2")
    found = list(compare([contradictory], [sale()]))
    assert found == [Mismatch(None, sale()), Mismatch(contradictory, None)]


def test_each_amount_is_compared() -> None:
    for other in (
        sale()._replace(total_fen=7),
        sale()._replace(fund_pay_fen=7),
        sale()._replace(account_pay_fen=7),
    ):
        [found] = compare([other], [sale()])
        assert found.kind is DifferenceKind.AMOUNT_DIFFERS


def test_what_only_one_side_has_is_missing_on_the_other() -> None:
    mine, theirs = sale(), sale(OTHER, "r-2")
    found = list(compare([theirs], [mine]))
    assert [one.kind for one in found] == [
        DifferenceKind.MISSING_THERE,
        DifferenceKind.MISSING_HERE,
    ]


def test_a_refund_is_never_taken_for_its_settlement() -> None:
    found = list(compare([sale(request_id="")], [sale(), refund()]))
    assert found == [Mismatch(None, refund())]


def test_what_is_booked_twice_there_is_missing_here_once() -> None:
    assert list(compare([sale(), sale()], [sale()])) == [Mismatch(sale(), None)]
    thrice = list(compare([sale()] * 3, [sale()]))
    assert thrice == [Mismatch(sale(), None, 1), Mismatch(sale(), None, 2)]


def test_of_two_rows_of_a_request_the_one_with_its_amounts_is_it() -> None:
    wrong = sale(fen=7)
    assert list(compare([wrong, sale()], [sale()])) == [Mismatch(wrong, None)]


def test_refunds_that_only_name_their_settlement_are_matched_by_their_amounts() -> None:
    here = [refund(request_id="b-1", fen=100), refund(request_id="b-2", fen=200)]
    unnamed = [refund(request_id="", fen=200), refund(request_id="", fen=100)]
    assert list(compare(unnamed, here)) == []
    [found] = compare([unnamed[0]], here)
    assert found == Mismatch(None, here[0])


def test_refunds_booked_as_one_differ_by_what_the_one_does_not_tell() -> None:
    here = [refund(request_id="b-1", fen=100), refund(request_id="b-2", fen=200)]
    at_once = refund(request_id="", fen=300)
    assert list(compare([at_once], here)) == [Mismatch(at_once, here[0]), Mismatch(None, here[1])]


def test_a_refund_that_is_named_leaves_the_unnamed_row_to_the_other() -> None:
    here = [refund(request_id="b-1", fen=100), refund(request_id="b-2", fen=100)]
    there = [refund(request_id="", fen=100), refund(None, "b-1", fen=100)]
    assert list(compare(there, here)) == []


@pytest.mark.parametrize("seed", range(20))
def test_differences_explain_to_the_fen_how_far_the_books_are_apart(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seeded test, no secret
    here = random_day(chance)
    there = spoilt(chance, here)
    found = list(compare(there, here))
    for place in range(3):
        apart_fen = sum(row.amounts_fen[place] for row in there) - sum(
            row.amounts_fen[place] for row in here
        )
        explained_fen = sum(
            (one.there.amounts_fen[place] if one.there else 0)
            - (one.here.amounts_fen[place] if one.here else 0)
            for one in found
        )
        assert explained_fen == apart_fen


@pytest.mark.parametrize("seed", range(20))
def test_what_agrees_and_what_differs_together_is_all_there_is(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seeded test, no secret
    here = random_day(chance)
    there = spoilt(chance, here)
    found = list(compare(there, here))
    mine = Counter(one.here for one in found if one.here)
    theirs = Counter(one.there for one in found if one.there)
    assert not mine - Counter(here)
    assert not theirs - Counter(there)
    agreeing = len(here) - mine.total()
    assert agreeing == len(there) - theirs.total()
    assert len(set(found)) == len(found)


def random_day(chance: random.Random) -> list[Row]:
    """Settlements, and for some of them refunds of the same day."""
    rows = []
    for number in range(chance.randint(0, 30)):
        settlement_id = UUID(int=chance.getrandbits(128))
        fen = chance.choice([100, 200, 300])
        rows.append(sale(settlement_id, f"s-{number}", fen))
        for step in range(chance.choice([0, 0, 1, 3])):
            rows.append(refund(settlement_id, f"s-{number}-{step}", chance.choice([10, 20])))
    return rows


def spoilt(chance: random.Random, rows: list[Row]) -> list[Row]:
    """A copy with names left out, rows lost, doubled, changed, and in another order."""
    copy = []
    for row in rows:
        times = chance.choice([0, 1, 1, 1, 1, 2])
        wrong = row._replace(total_fen=row.total_fen + chance.choice([0, 0, 0, 10]))
        ways = [wrong, wrong._replace(settlement_id=None), wrong._replace(request_id="")]
        copy += [chance.choice(ways)] * times
    chance.shuffle(copy)
    return copy


def test_sums_that_an_institution_does_not_say_are_not_compared() -> None:
    here = Totals(1, 0, 1_000, 0, 1_000, 400, 0)
    assert here.differing(here) == []
    silent = Totals(1, 0, 1_000, 0, 1_000, None, None)
    assert here.differing(silent) == []
    wrong = Totals(1, 1, 1_000, 0, 999, 400, None)
    assert here.differing(wrong) == ["refunds", "account_pay_fen"]


def test_a_difference_is_put_right_once(difference: Difference) -> None:
    by = {"role": "agency", "subject": HOHHOT, "actor": "a-1"}
    note = "核实"
    after = difference.resolved(DifferenceResolution.EXPLAINED, note, by, difference.found_at)
    assert after.state is DifferenceState.RESOLVED
    assert (after.note, after.resolved_by) == (note, by)
    with pytest.raises(DifferenceResolved):
        after.resolved(DifferenceResolution.EXPLAINED, note, by, difference.found_at)


@pytest.fixture
def difference() -> Difference:
    """A settlement that an institution has not booked."""
    now = datetime(2025, 5, 6, tzinfo=UTC)
    return Difference(
        region=HOHHOT,
        difference_id=uuid4(),
        institution_code="P1",
        day=now.date(),
        content=b"c",
        kind=DifferenceKind.MISSING_THERE,
        settlement_id=ONE,
        request_id="r-1",
        refund=False,
        there=None,
        here=sale(),
        state=DifferenceState.OPEN,
        found_at=now,
    )
