"""The catalogue for those who look, without a lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from gongji_svc.domain.bill import CatalogItem
from gongji_svc.domain.policy import NATION
from gongji_svc.domain.terms import CatalogClass
from gongji_svc.storage import tables
from gongji_svc.storage.statements import Row


def catalog_row(item: CatalogItem) -> Row:
    """The row of `catalog_items` of one item."""
    return (
        item.region,
        item.catalog_code,
        item.effective_from,
        item.name,
        item.catalog_class.value,
        item.self_pay_bp,
        item.price_ceiling_micro,
        item.account_payable,
    )


@dataclass(frozen=True, slots=True)
class CatalogueQuery:
    """Which rows: those in force in a region on a day, of some codes or (none named) of all."""

    region: str
    day: date
    codes: Sequence[str] = ()

    def read(self, tx: sqlalchemy.Connection, after: str, limit: int) -> list[CatalogItem]:
        """The first `limit` rows by code whose code comes after `after`.

        Of each code the region's own row before its province's and the nation's, then the latest.
        """
        items = tables.catalog_items.c
        # A region's code sorts after its province's, and that after the nation's.
        levels = {self.region, self.region[:2] + "0000", NATION}
        query = (
            select(*items)
            .ext(distinct_on(items.catalog_code))
            .where(items.region.in_(levels), items.effective_from <= self.day)
            .where(items.catalog_code > after)
            .order_by(items.catalog_code, items.region.desc(), items.effective_from.desc())
            .limit(limit)
        )
        if self.codes:
            query = query.where(items.catalog_code.in_(set(self.codes)))
        return [catalog_item_from(tuple(row)) for row in tx.execute(query)]


def catalog_item_from(row: Row) -> CatalogItem:
    """The item of one row of `catalog_items`."""
    region, code, effective_from, name, kind, self_pay_bp, ceiling_micro, account_payable = row
    return CatalogItem(
        code,
        name,
        CatalogClass(kind),
        self_pay_bp,
        ceiling_micro,
        account_payable,
        effective_from,
        region,
    )
