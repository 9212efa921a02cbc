"""The lines of a bill, split by the catalogue.

Rule (docs/decisions/readings.md#line-arithmetic): amount = price x quantity rounded half up, the
till's amount counts when it differs by at most 1 fen; class C is all full self-pay; over-limit is
what the price exceeds the ceiling by, never more than the line; class B pays a part first; the
rest is in scope. A code that the catalogue does not know is class C and not account-payable.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from gongji_svc.domain.errors import AmountMismatch, TotalMismatch, Violation
from gongji_svc.domain.money import BP, LINE_SCALE, half_up
from gongji_svc.domain.terms import CatalogClass

AMOUNT_TOLERANCE_FEN = 1


@dataclass(frozen=True, slots=True)
class Item:
    """A line as the till sends it: quantity in 10^-4, price in 10^-6 yuan, amount in fen."""

    line_no: int
    catalog_code: str
    quantity_e4: int
    unit_price_micro: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class CatalogItem:
    """A row of the catalogue of the region of care; the ceiling in 10^-6 yuan, None: none."""

    catalog_code: str
    name: str
    catalog_class: CatalogClass
    self_pay_bp: int = 0
    price_ceiling_micro: int | None = None
    account_payable: bool = True
    effective_from: date = date.min
    region: str = ""


UNKNOWN_ITEM = CatalogItem("", "", CatalogClass.C, account_payable=False)


@dataclass(frozen=True, slots=True)
class LineSplit:
    """A line parted by the catalogue, with what is needed to part its rest anew; fen.

    `excess_micro` is what the unit price exceeds the ceiling by, in 10^-6 yuan.
    """

    line_no: int
    catalog_code: str
    catalog_class: CatalogClass
    account_payable: bool
    self_pay_bp: int
    excess_micro: int
    quantity_e4: int
    amount_fen: int
    full_self_pay_fen: int
    over_limit_fen: int
    pre_self_pay_fen: int
    in_scope_fen: int


def split_lines(
    items: Sequence[Item], catalogue: Mapping[str, CatalogItem], total_fen: int
) -> tuple[LineSplit, ...]:
    """Part every line; AmountMismatch or TotalMismatch when the till's sums do not hold."""
    lines = tuple(
        [
            _split_item(number, item, catalogue.get(item.catalog_code, UNKNOWN_ITEM))
            for number, item in enumerate(items)
        ]
    )
    expected = sum([line.amount_fen for line in lines])
    if expected != total_fen:
        raise TotalMismatch(
            violations=[Violation("total_fen", f"各行金额之和为{expected}分")],
            expected_fen=str(expected),
        )
    return lines


def _split_item(number: int, item: Item, row: CatalogItem) -> LineSplit:
    expected = half_up(item.unit_price_micro * item.quantity_e4, LINE_SCALE)
    if abs(item.amount_fen - expected) > AMOUNT_TOLERANCE_FEN:
        raise AmountMismatch(
            violations=[
                Violation(f"items[{number}].amount_fen", f"第{item.line_no}行应为{expected}分")
            ],
            line_no=str(item.line_no),
            expected_fen=str(expected),
        )
    ceiling = row.price_ceiling_micro
    excess = 0 if ceiling is None else max(0, item.unit_price_micro - ceiling)
    return _split(
        item.line_no,
        item.catalog_code,
        row.catalog_class,
        row.account_payable,
        row.self_pay_bp,
        excess,
        item.quantity_e4,
        item.amount_fen,
    )


def _split(
    line_no: int,
    code: str,
    kind: CatalogClass,
    payable: bool,
    self_pay_bp: int,
    excess_micro: int,
    quantity_e4: int,
    amount_fen: int,
) -> LineSplit:
    full = over = pre = 0
    if kind is CatalogClass.C:
        full = amount_fen
    else:
        if excess_micro:
            over = min(amount_fen, half_up(excess_micro * quantity_e4, LINE_SCALE))
        if kind is CatalogClass.B:
            pre = half_up((amount_fen - over) * self_pay_bp, BP)
    in_scope = amount_fen - full - over - pre
    return LineSplit(
        line_no,
        code,
        kind,
        payable,
        self_pay_bp,
        excess_micro,
        quantity_e4,
        amount_fen,
        full,
        over,
        pre,
        in_scope,
    )


def rest_of(line: LineSplit, remaining_e4: int) -> LineSplit:
    """The line with only so much of its quantity left, always reckoned from the original."""
    if remaining_e4 == line.quantity_e4:
        return line
    return _split(
        line.line_no,
        line.catalog_code,
        line.catalog_class,
        line.account_payable,
        line.self_pay_bp,
        line.excess_micro,
        remaining_e4,
        half_up(line.amount_fen * remaining_e4, line.quantity_e4),
    )


@dataclass(frozen=True, slots=True)
class Sums:
    """The parts of all lines together; `payable_*` of those that accounts may pay; fen."""

    full_self_pay_fen: int = 0
    over_limit_fen: int = 0
    pre_self_pay_fen: int = 0
    in_scope_fen: int = 0
    payable_full_self_pay_fen: int = 0
    payable_over_limit_fen: int = 0
    payable_pre_self_pay_fen: int = 0
    payable_in_scope_fen: int = 0


def sums_of(lines: Iterable[LineSplit]) -> Sums:
    """Add the parts of the lines up."""
    full = over = pre = scope = 0
    p_full = p_over = p_pre = p_scope = 0
    for line in lines:
        full += line.full_self_pay_fen
        over += line.over_limit_fen
        pre += line.pre_self_pay_fen
        scope += line.in_scope_fen
        if line.account_payable:
            p_full += line.full_self_pay_fen
            p_over += line.over_limit_fen
            p_pre += line.pre_self_pay_fen
            p_scope += line.in_scope_fen
    return Sums(full, over, pre, scope, p_full, p_over, p_pre, p_scope)
