"""ReconcileDetails: a till's day row by row, and what is kept of what does not agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from gongji.v1 import clearing_pb2 as pb
from gongji.v1 import settlement_pb2
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.reconciling import (
    AMOUNT_DIFFERS,
    MISSING_HERE,
    MISSING_THERE,
    details,
    header,
    listed,
    own_row,
    piece,
    pieces,
    refund_row,
    resolve,
    resolving,
    send,
)
from tests.services.refunds import basket, cancel, family_of_three, refund
from tests.services.till import HOHHOT, ULANQAB, settle

OPEN, RESOLVED = pb.DIFFERENCE_STATE_OPEN, pb.DIFFERENCE_STATE_RESOLVED


@dataclass(frozen=True, slots=True)
class Shop:
    """A pharmacy with a customer, and what both have settled today."""

    driver: Driver
    families: Families
    patient: Made
    code: str

    def sell(self, pieces: int = 1) -> settlement_pb2.Settlement:
        """A purchase of so many pieces at 10 yuan."""
        bill = basket(self.code, self.patient, [("XA01", pieces, 10)])
        return settle(self.driver, self.code, bill).settlement

    def compare(self, *rows: pb.ReconcileRow) -> pb.ReconcileDetailsResponse:
        """What today's rows are answered."""
        return details(self.driver, self.code, rows)

    def kept(self, **fields: Any) -> Sequence[pb.Difference]:
        """What is kept of all comparisons."""
        return listed(self.driver, "agency", ULANQAB, region=ULANQAB, **fields)


@pytest.fixture
def shop(database: Database) -> Shop:
    families = Families(database)
    patient, _, code = family_of_three(families, ULANQAB)
    return Shop(Driver(database), families, patient, code)


def ids(found: Sequence[pb.Difference]) -> list[str]:
    return [one.difference_id for one in found]


def refused_for(driver: Driver, code: str, *messages: pb.ReconcileDetailsRequest) -> list[str]:
    with pytest.raises(errors.InvalidField) as wrong:
        send(driver, code, messages)
    return [one.field for one in wrong.value.violations]


def test_rows_that_all_agree_balance_and_leave_nothing(shop: Shop) -> None:
    sale, returned = shop.sell(), shop.sell(3)
    step = refund(shop.driver, returned, (1, "1")).refund
    cancelled = cancel(shop.driver, shop.code, returned.request_id).refund
    rows = [own_row(sale), own_row(returned)]
    rows += [refund_row(returned, one) for one in (step, cancelled)]
    answer = shop.compare(*rows)
    assert (answer.balanced, answer.difference_count) == (True, 0)
    assert (answer.totals.settlements, answer.totals.refunds) == (2, 2)
    assert (answer.totals.total_fen, answer.totals.account_pay_fen) == (1_000, 1_000)
    assert not shop.kept()


def test_each_kind_of_difference_is_told_and_kept(shop: Shop) -> None:
    agrees, wrong, unsaid = shop.sell(), shop.sell(), shop.sell()
    nowhere = own_row(agrees, settlement_id=str(new_id(ULANQAB)), request_id="x-1")
    answer = shop.compare(own_row(agrees), own_row(wrong, account_pay_fen=999), nowhere)
    assert (answer.balanced, answer.difference_count) == (False, 3)
    by_kind = {one.kind: one for one in answer.differences}
    differs = by_kind[AMOUNT_DIFFERS]
    assert (differs.settlement_id, differs.request_id) == (wrong.settlement_id, wrong.request_id)
    assert (differs.there.account_pay_fen, differs.here.account_pay_fen) == (999, 1_000)
    missing = by_kind[MISSING_THERE]
    assert missing.here == own_row(unsaid)
    assert not missing.HasField("there")
    extra = by_kind[MISSING_HERE]
    assert (extra.settlement_id, extra.request_id, extra.there) == ("", "x-1", nowhere)
    assert not extra.HasField("here")
    assert all(one.state == OPEN and one.region == ULANQAB for one in answer.differences)
    assert sorted(ids(shop.kept())) == sorted(ids(answer.differences))


def test_a_row_may_name_the_settlement_or_the_request_alone(shop: Shop) -> None:
    one, other = shop.sell(), shop.sell()
    steps = [refund(shop.driver, sale).refund for sale in (one, other)]
    rows = [own_row(one, request_id=""), own_row(other, settlement_id="")]
    rows += [
        refund_row(one, steps[0], settlement_id=""),
        refund_row(other, steps[1], request_id=""),
    ]
    assert shop.compare(*rows).balanced


def test_what_was_settled_on_another_day_is_missing_but_known(database: Database) -> None:
    families, yesterday = Families(database), Driver(database)
    patient, _, code = family_of_three(families, ULANQAB)
    yesterday.office.clock_offset -= timedelta(days=1)
    bill = basket(code, patient, [("XA01", 1, 10)])
    bill.occurred_at.FromDatetime(yesterday.office.now())
    settled = settle(yesterday, code, bill).settlement
    [found] = details(Driver(database), code, [own_row(settled)]).differences
    assert (found.kind, found.settlement_id) == (MISSING_HERE, settled.settlement_id)
    stranger = families.institution(ULANQAB)
    [found] = details(Driver(database), stranger, [own_row(settled)]).differences
    assert found.settlement_id == ""


def test_what_an_institution_has_booked_twice_is_a_difference(shop: Shop) -> None:
    sale = shop.sell()
    answer = shop.compare(*[own_row(sale)] * 3)
    assert [one.kind for one in answer.differences] == [MISSING_HERE] * 2
    assert {one.settlement_id for one in answer.differences} == {sale.settlement_id}


def test_a_day_without_rows_lacks_all_there_is(shop: Shop) -> None:
    assert shop.compare().balanced
    sale = shop.sell()
    [found] = shop.compare().differences
    assert (found.kind, found.settlement_id) == (MISSING_THERE, sale.settlement_id)


def test_the_next_comparison_of_the_day_replaces_what_is_open(shop: Shop) -> None:
    mended, still = shop.sell(), shop.sell()
    first = shop.compare()
    second = shop.compare(own_row(mended))
    assert [one.settlement_id for one in second.differences] == [still.settlement_id]
    assert list(shop.kept()) == list(second.differences)
    assert set(ids(second.differences)) < set(ids(first.differences))
    assert shop.compare(own_row(mended), own_row(still)).balanced
    assert not shop.kept()


def test_a_difference_found_again_keeps_its_id_and_when_it_was_found(shop: Shop) -> None:
    shop.sell()
    first, second = shop.compare(), shop.compare()
    assert list(first.differences) == list(second.differences)
    assert not second.replayed


def test_what_was_put_right_stays_and_does_not_come_up_as_new(shop: Shop) -> None:
    shop.sell()
    [found] = shop.compare().differences
    resolve(shop.driver, "pos", shop.code, resolving(found.difference_id))
    again = shop.compare()
    assert (again.balanced, again.difference_count) == (False, 1)
    assert [(one.difference_id, one.state) for one in again.differences] == [
        (found.difference_id, RESOLVED)
    ]
    assert not shop.kept(states=[OPEN])


def test_what_was_put_right_stays_when_it_is_not_found_any_more(shop: Shop) -> None:
    sale = shop.sell()
    [found] = shop.compare().differences
    resolve(shop.driver, "pos", shop.code, resolving(found.difference_id))
    assert shop.compare(own_row(sale)).balanced
    assert ids(shop.kept()) == [found.difference_id]


def test_a_row_that_changed_is_a_new_difference(shop: Shop) -> None:
    sale = shop.sell()
    [found] = shop.compare(own_row(sale, total_fen=7)).differences
    resolve(shop.driver, "pos", shop.code, resolving(found.difference_id))
    [new] = shop.compare(own_row(sale, total_fen=8)).differences
    assert (new.state, new.difference_id != found.difference_id) == (OPEN, True)
    assert len(shop.kept()) == 2


def test_other_days_and_institutions_are_left_alone(shop: Shop) -> None:
    shop.sell()
    shop.compare()
    neighbour = shop.families.institution(ULANQAB)
    details(shop.driver, neighbour, [])
    details(shop.driver, shop.code, [], shop.driver.office.today() - timedelta(days=1))
    assert len(shop.kept()) == 1


def test_the_same_request_gives_the_first_answer(shop: Shop) -> None:
    sale = shop.sell()
    first = header(shop.code, shop.driver.office.today())
    rows = [own_row(sale, total_fen=7), own_row(sale)]
    answer = send(shop.driver, shop.code, pieces(first, rows))
    shop.sell()
    again = send(shop.driver, shop.code, pieces(first, rows, at_once=1))
    assert again.replayed
    again.replayed = False
    assert again == answer


@pytest.mark.parametrize("change", ["rows", "order", "header"])
def test_the_same_request_id_with_other_content_is_refused(shop: Shop, change: str) -> None:
    sale, today = shop.sell(), shop.driver.office.today()
    rows = [own_row(sale), own_row(sale, total_fen=7)]
    first = header(shop.code, today, request_id="d-1")
    send(shop.driver, shop.code, pieces(first, rows))
    if change == "header":
        first = header(shop.code, today - timedelta(days=1), request_id="d-1")
    other = {"rows": rows[:1], "order": rows[::-1], "header": rows}[change]
    with pytest.raises(errors.RequestIdReused) as reused:
        send(shop.driver, shop.code, pieces(first, other))
    assert [one.field for one in reused.value.violations] == [
        "header" if change == "header" else "rows"
    ]


def test_a_request_id_of_a_settlement_is_not_taken_again(shop: Shop) -> None:
    sale = shop.sell()
    first = header(shop.code, shop.driver.office.today(), request_id=sale.request_id)
    with pytest.raises(errors.RequestIdReused):
        send(shop.driver, shop.code, [first])


def test_the_header_comes_first_and_once(shop: Shop) -> None:
    first, rows = header(shop.code, date(2025, 5, 6)), piece(own_row(shop.sell()))
    assert refused_for(shop.driver, shop.code) == ["header"]
    assert refused_for(shop.driver, shop.code, rows, first) == ["header"]
    assert refused_for(shop.driver, shop.code, first, rows, first) == ["header"]


def test_a_row_without_a_name_is_told_by_its_place(shop: Shop) -> None:
    first, sale = header(shop.code, date(2025, 5, 6)), shop.sell()
    nameless = own_row(sale, settlement_id="", request_id="")
    messages = (first, piece(own_row(sale), own_row(sale)), piece(own_row(sale), nameless))
    assert refused_for(shop.driver, shop.code, *messages) == ["rows[3].settlement_id"]


def test_a_day_to_come_is_refused(shop: Shop) -> None:
    tomorrow = header(shop.code, shop.driver.office.today() + timedelta(days=1))
    assert refused_for(shop.driver, shop.code, tomorrow) == ["header.date"]


def test_a_till_compares_its_own_institution_only(shop: Shop) -> None:
    for code in (shop.families.institution(ULANQAB), "NO-SUCH"):
        with pytest.raises(errors.AccessDenied):
            send(shop.driver, shop.code, [header(code, date(2025, 5, 6))])


def test_more_than_200_000_rows_are_refused_and_leave_nothing(shop: Shop) -> None:
    first = header(shop.code, shop.driver.office.today())
    many = piece(*[own_row(shop.sell())] * 1_000)
    assert refused_for(shop.driver, shop.code, first, *[many] * 201) == ["rows"]
    assert not shop.kept()


def test_at_most_1000_are_told_and_all_are_counted_and_kept(shop: Shop) -> None:
    rows = [pb.ReconcileRow(request_id=f"x-{number}") for number in range(1_001)]
    answer = shop.compare(*rows)
    assert (len(answer.differences), answer.difference_count) == (1_000, 1_001)
    assert len(shop.kept(page_size=1_000)) == 1_001


def test_a_comparison_is_in_the_trail(shop: Shop, database: Database) -> None:
    shop.sell()
    answer = send(shop.driver, shop.code, [header(shop.code, shop.driver.office.today())])
    assert answer.difference_count == 1
    query = """SELECT role, subject, action, subject_id, changes FROM audit_records
               WHERE region = %s AND subject_kind = 'reconciliation'"""
    with database.connect() as tx:
        [record] = tx.execute(query, [ULANQAB]).fetchall()
    day = shop.driver.office.today()
    assert record == (
        "pos",
        shop.code,
        "gongji.v1.ClearingService/ReconcileDetails",
        f"{shop.code} {day}",
        [{"field": "open_differences", "before": "0", "after": "1"}],
    )


def test_an_institution_of_another_region_has_differences_of_its_own_region(shop: Shop) -> None:
    code = shop.families.institution(HOHHOT)
    bill = basket(code, shop.patient, [("XA01", 1, 10)])
    settle(shop.driver, code, bill)
    [found] = details(shop.driver, code, []).differences
    assert found.region == HOHHOT
    assert not shop.kept()
