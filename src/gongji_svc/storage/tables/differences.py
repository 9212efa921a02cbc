"""The table of reconciliation: what institutions' books and these do not agree on."""

from sqlalchemy import Boolean, Column, Date, Index, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from gongji_svc.storage.tables.columns import instant, metadata, region

differences = Table(
    "differences",
    metadata,
    region(),
    Column("id", Uuid, primary_key=True),
    Column("institution_code", Text, nullable=False),
    Column("day", Date, nullable=False, comment="the day compared, in Asia/Shanghai"),
    Column("content", LargeBinary, nullable=False, comment="a hash: the same difference again"),
    Column("kind", Text, nullable=False),
    Column("settlement_id", Uuid, comment="absent: not known here"),
    Column("request_id", Text, nullable=False, comment="empty: not known"),
    Column("refund", Boolean, nullable=False),
    Column("there", JSONB, nullable=False, comment="the institution's row; {}: it has none"),
    Column("here", JSONB, nullable=False, comment="this service's row; {}: it has none"),
    Column("state", Text, nullable=False),
    Column("resolution", Text, nullable=False, comment="empty while open"),
    Column("note", Text, nullable=False),
    instant("found_at"),
    instant("resolved_at", nullable=True),
    Column("resolved_by", JSONB, nullable=False, comment="{role, subject, actor}; {} while open"),
    Index("differences_content_idx", "region", "institution_code", "day", "content", unique=True),
    # Each state and kind is searched in its own order, so no filter reads what it leaves out.
    Index("differences_of_region_idx", "region", "state", "kind", "day", "id"),
    Index(
        "differences_of_institution_idx",
        "region",
        "institution_code",
        "state",
        "kind",
        "day",
        "id",
    ),
    comment="Differences between an institution's day and ours; in the institution's region.",
)
