"""Lines parted by the catalogue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain.bill import (
    UNKNOWN_ITEM,
    CatalogItem,
    Item,
    LineSplit,
    rest_of,
    split_lines,
    sums_of,
)
from gongji_svc.domain.errors import AmountMismatch, TotalMismatch
from gongji_svc.domain.money import line_fen
from gongji_svc.domain.terms import CatalogClass
from tests.domain.builders import CATALOGUE, PROPERTY, catalog, item


def split(line: Item, row: CatalogItem | None = None) -> LineSplit:
    catalogue = {} if row is None else {line.catalog_code: row}
    return split_lines([line], catalogue, line.amount_fen)[0]


def parts(line: LineSplit) -> tuple[int, int, int, int]:
    return (
        line.full_self_pay_fen,
        line.over_limit_fen,
        line.pre_self_pay_fen,
        line.in_scope_fen,
    )


def test_class_a_is_in_scope_and_class_c_full_self_pay() -> None:
    assert parts(split(item(1, "A", 10), catalog("A"))) == (0, 0, 0, 1_000)
    assert parts(split(item(1, "C", 10), catalog("C", "C"))) == (1_000, 0, 0, 0)


def test_class_b_pays_its_part_first() -> None:
    assert parts(split(item(1, "B", 10), catalog("B", "B", 1_500))) == (0, 0, 150, 850)


def test_what_exceeds_the_ceiling_is_parted_before_the_first_payment() -> None:
    row = catalog("B", "B", 1_000, price_ceiling_micro=8_000_000)
    assert parts(split(item(1, "B", 10, quantity=3), row)) == (0, 600, 240, 2_160)


def test_over_limit_is_never_more_than_the_line() -> None:
    row = catalog("A", price_ceiling_micro=0)
    line = Item(1, "A", 10_000, 10_000_000, 999)
    assert parts(split(line, row)) == (0, 999, 0, 0)


def test_an_unknown_code_is_fully_self_paid_and_not_for_accounts() -> None:
    line = split(item(1, "?", 10))
    assert parts(line) == (1_000, 0, 0, 0)
    assert (line.catalog_class, line.account_payable) == (CatalogClass.C, False)


@pytest.mark.parametrize("amount", [1_234, 1_235, 1_236])
def test_the_tills_amount_counts_when_it_differs_by_a_fen(amount: int) -> None:
    line = Item(1, "A", 10_000, 12_345_000, amount)  # 12.345 yuan: 1 235 fen
    assert split(line, catalog("A")).amount_fen == amount


@pytest.mark.parametrize("amount", [1_233, 1_237])
def test_an_amount_that_is_not_price_times_quantity_is_refused(amount: int) -> None:
    with pytest.raises(AmountMismatch) as caught:
        split(Item(7, "A", 10_000, 12_345_000, amount), catalog("A"))
    assert caught.value.details == {"line_no": "7", "expected_fen": "1235"}


def test_a_total_that_is_not_the_sum_of_the_lines_is_refused() -> None:
    with pytest.raises(TotalMismatch):
        split_lines([item(1, "A", 10), item(2, "A", 5)], CATALOGUE, 1_501)


LINES = st.builds(
    lambda price, quantity, excess, self_pay, kind: split(
        Item(1, "X", quantity, price, line_fen(price, quantity)),
        catalog("X", kind, self_pay, price_ceiling_micro=max(0, price - excess)),
    ),
    price=st.integers(0, 10**10),
    quantity=st.integers(1, 10**8),
    excess=st.integers(0, 10**10),
    self_pay=st.integers(0, 10_000),
    kind=st.sampled_from(["A", "B", "C"]),
)


@PROPERTY
@given(LINES)
def test_the_parts_of_a_line_add_up_to_it(line: LineSplit) -> None:
    assert sum(parts(line)) == line.amount_fen
    assert min(parts(line)) >= 0


@PROPERTY
@given(LINES, st.integers(0, 10_000))
def test_the_rest_of_a_line_adds_up_and_is_no_more_than_the_line(
    line: LineSplit, share: int
) -> None:
    remaining = line.quantity_e4 * share // 10_000
    rest = rest_of(line, remaining)
    assert sum(parts(rest)) == rest.amount_fen <= line.amount_fen
    assert min(parts(rest)) >= 0
    assert rest_of(line, 0).amount_fen == 0
    assert rest_of(line, line.quantity_e4) == line


def test_sums_count_apart_what_accounts_may_pay() -> None:
    lines = split_lines([item(1, "A", 10), item(2, "N", 5), item(3, "C", 2)], CATALOGUE, 1_700)
    sums = sums_of(lines)
    assert (sums.in_scope_fen, sums.payable_in_scope_fen) == (1_500, 1_000)
    assert (sums.full_self_pay_fen, sums.payable_full_self_pay_fen) == (200, 200)
    assert not UNKNOWN_ITEM.account_payable
