"""The bill of a case's visit: lines of a catalogue, amounts parted already, or a personal share.

Rule: what the case gives is taken as it is; nothing but class B's pre-self-pay is reckoned from it.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from gongji_svc.domain.bill import CatalogItem, Item, LineSplit, split_lines
from gongji_svc.domain.money import (
    BP,
    QUANTITY_SCALE,
    half_up,
    line_fen,
    parse_price,
    parse_quantity,
)
from gongji_svc.domain.preview.rules import LEVELS
from gongji_svc.domain.preview.table import Table
from gongji_svc.domain.terms import CatalogClass, InstitutionLevel

VISIT_KEYS = (
    "date",
    "hosp_level",
    "total_fen",
    "fulamt_ownpay_fen",
    "overlmt_fen",
    "preselfpay_fen",
    "class_b_fen",
    "lines",
    "fund_fen",
    "psn_part_fen",
    "account_base_fen",
    "not_payable_fen",
)
_LINE_KEYS = (
    "catalog_class",
    "unit_price_yuan",
    "quantity",
    "amount_fen",
    "self_pay_bp",
    "price_ceiling_yuan",
    "account_payable",
)


@dataclass(frozen=True, slots=True)
class VisitBill:
    """A visit's bill, fen; `given_fund_fen` None: the fund's part is to be decided."""

    lines: tuple[LineSplit, ...]
    total_fen: int
    given_fund_fen: int | None
    account_base_fen: int | None
    not_payable_fen: int
    day: date | None
    level: InstitutionLevel | None
    only_personal: bool  # just the personal share is known: nothing to tell of the rest

    def base_fen(self, personal_fen: int, by_rule_fen: int) -> int:
        """What accounts may pay: as the case says, else as the rule says."""
        stated = by_rule_fen if self.account_base_fen is None else self.account_base_fen
        return max(0, min(stated, personal_fen - self.not_payable_fen))


def read_bill(visit: Table, class_b_precopay_bp: int | None) -> VisitBill:
    """The bill of one visit."""
    total_fen, personal_fen = visit.fen("total_fen"), visit.fen("psn_part_fen")
    lines = _lines(visit)
    if lines:
        total_fen = sum(line.amount_fen for line in lines)
    if total_fen is None and personal_fen is None:
        raise visit.error("total_fen", "expected total_fen, psn_part_fen or lines")
    only_personal = total_fen is None
    whole_fen = (personal_fen or 0) if total_fen is None else total_fen
    fund_fen = visit.fen("fund_fen")
    if personal_fen is not None:
        fund_fen = whole_fen - personal_fen
    if fund_fen is not None and not 0 <= fund_fen <= whole_fen:
        raise visit.error("total_fen", "is less than its parts")
    level = visit.stated("hosp_level")
    return VisitBill(
        lines=lines or (_parted(visit, whole_fen, class_b_precopay_bp),),
        total_fen=whole_fen,
        given_fund_fen=fund_fen,
        account_base_fen=visit.fen("account_base_fen"),
        not_payable_fen=visit.fen("not_payable_fen") or 0,
        day=visit.day("date"),
        level=None if level is None else LEVELS[visit.word("hosp_level", LEVELS)],
        only_personal=only_personal,
    )


def _parted(visit: Table, total_fen: int, class_b_precopay_bp: int | None) -> LineSplit:
    """The visit's amounts as one line; what is in none of the parts is in scope."""
    full_fen = visit.fen("fulamt_ownpay_fen") or 0
    over_fen = visit.fen("overlmt_fen") or 0
    pre_fen = visit.fen("preselfpay_fen")
    class_b_fen = visit.fen("class_b_fen")
    if class_b_fen is not None:
        pre_fen = _class_b(visit, class_b_fen, class_b_precopay_bp, pre_fen)
    in_scope_fen = total_fen - full_fen - over_fen - (pre_fen or 0)
    if in_scope_fen < 0:
        raise visit.error("total_fen", "is less than its parts")
    return LineSplit(
        line_no=1,
        catalog_code="",
        catalog_class=CatalogClass.A,
        account_payable=True,
        self_pay_bp=0,
        excess_micro=0,
        quantity_e4=QUANTITY_SCALE,
        amount_fen=total_fen,
        full_self_pay_fen=full_fen,
        over_limit_fen=over_fen,
        pre_self_pay_fen=pre_fen or 0,
        in_scope_fen=in_scope_fen,
    )


def _class_b(visit: Table, class_b_fen: int, precopay_bp: int | None, stated: int | None) -> int:
    if precopay_bp is None:
        raise visit.error("class_b_fen", "expected rules.class_b_precopay_bp with it")
    pre_fen = half_up(class_b_fen * precopay_bp, BP)
    if stated not in (None, pre_fen):
        raise visit.error("preselfpay_fen", f"class_b_fen makes it {pre_fen}")
    return pre_fen


def _lines(visit: Table) -> tuple[LineSplit, ...]:
    items: list[Item] = []
    catalogue: dict[str, CatalogItem] = {}
    for number, line in enumerate(visit.tables("lines", _LINE_KEYS), 1):
        code = str(number)
        price = _decimal(line, "unit_price_yuan")
        quantity = QUANTITY_SCALE if line.stated("quantity") is None else _decimal(line, "quantity")
        amount_fen = line.fen("amount_fen")
        if amount_fen is None:
            amount_fen = line_fen(price, quantity)
        items.append(Item(number, code, quantity, price, amount_fen))
        ceiling = line.stated("price_ceiling_yuan")
        catalogue[code] = CatalogItem(
            catalog_code=code,
            name="",
            catalog_class=CatalogClass[line.word("catalog_class", list(CatalogClass))],
            self_pay_bp=line.fen("self_pay_bp") or 0,
            price_ceiling_micro=None if ceiling is None else _decimal(line, "price_ceiling_yuan"),
            account_payable=line.flag("account_payable") is not False,
        )
    return split_lines(items, catalogue, sum(item.amount_fen for item in items))


def _decimal(line: Table, key: str) -> int:
    """A decimal text: quantities have 4 places, prices in yuan 6."""
    reader: Any = parse_quantity if key == "quantity" else parse_price
    value = line.read(key, lambda stated: reader(str(stated)))
    if value is None:
        raise line.error(key, "expected a decimal")
    return int(value)
