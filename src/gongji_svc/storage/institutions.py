"""Designated institutions for those who look, without a lock."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy
from sqlalchemy import select

from gongji_svc.storage import tables
from gongji_svc.storage.statements import Row


@dataclass(frozen=True, slots=True)
class Institution:
    """A row of `institutions`, by name."""

    region: str
    institution_code: str
    name: str
    kind: str
    level: str
    status: str
    updated_at: datetime

    def row(self) -> Row:
        """The row."""
        return (
            self.region,
            self.institution_code,
            self.name,
            self.kind,
            self.level,
            self.status,
            self.updated_at,
        )


def find_institutions(tx: sqlalchemy.Connection, codes: set[str]) -> dict[str, Institution]:
    """The institutions with these codes, in whatever region, as far as there are any."""
    columns = tables.institutions.c
    query = select(*columns).where(columns.institution_code.in_(codes))
    found = (Institution(*row) for row in tx.execute(query))
    return {one.institution_code: one for one in found}
