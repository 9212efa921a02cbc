"""What the tables' columns have in common.

Rule: every key begins with a region; money is bigint fen; instants carry their zone.
"""

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Text, text

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

# Hot rows: room on the page lets an update stay there and touch no index.
ROOM_FOR_UPDATES = {"fillfactor": 70}

# Rows of a few kilobytes stay whole: cutting them up to store them elsewhere costs more.
KEPT_WHOLE = {"toast_tuple_target": 8160}

# What a new column of a table in use holds until somebody writes it.
NOTHING, NONE = text("'{}'::jsonb"), text("'[]'::jsonb")


def region() -> Column[str]:
    """The region that stores the row; it leads every key."""
    return Column("region", Text, primary_key=True)


def instant(name: str, *, nullable: bool = False, comment: str | None = None) -> Column[object]:
    """A moment."""
    return Column(name, DateTime(timezone=True), nullable=nullable, comment=comment)


def fen(name: str) -> Column[int]:
    """An amount."""
    return Column(name, BigInteger, nullable=False)
