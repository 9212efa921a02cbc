"""Tables of risk: what looked like misuse, and how far the worker that looks for it has come."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from gongji_svc.storage.tables.columns import instant, metadata, region

risk_signals = Table(
    "risk_signals",
    metadata,
    region(),
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False, comment="the rule that raised it"),
    Column("action", Text, nullable=False, comment="ADVISE, HOLD or DENY"),
    Column("state", Text, nullable=False),
    Column("institution_code", Text, nullable=False, comment="empty: about none"),
    Column("person_id", Uuid, comment="the patient, as the till said"),
    Column("other_id", Uuid, comment="the donor, or whose credential was shown"),
    Column("settlement_id", Uuid),
    Column("threshold", BigInteger, nullable=False),
    Column("measured", BigInteger, nullable=False, comment="in the unit of the threshold"),
    Column("evidence", JSONB, nullable=False, comment="[{text, institution_code, ...}]"),
    instant("recorded_at"),
    Column("resolved_by", JSONB, nullable=False, comment="{role, subject, actor}; {} while open"),
    instant("resolved_at", nullable=True),
    Column("reason", Text, nullable=False),
    instant("released_until", nullable=True),
    Index(None, "region", "recorded_at", "id"),
    Index(None, "person_id", "recorded_at"),
    comment="Suspicious patterns and what the agency made of them; in the region of the rule.",
)

trace_codes = Table(
    "trace_codes",
    metadata,
    region(),
    Column("code", Text, primary_key=True, comment="追溯码 of a whole package"),
    Column("settlement_id", Uuid, primary_key=True),
    Column("line_no", Integer, primary_key=True),
    comment="Packages sold, as far as the worker has looked; in the region of care.",
)

risk_progress = Table(
    "risk_progress",
    metadata,
    region(),
    instant("recorded_at"),
    Column("settlement_id", Uuid, nullable=False, comment="of those of the instant, the last"),
    comment="Up to which settlement the worker has looked for patterns; one row, for all regions.",
)
