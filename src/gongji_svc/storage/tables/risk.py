"""Tables of risk: what looked like misuse."""

from sqlalchemy import BigInteger, Column, Index, Table, Text, Uuid
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
    comment="Suspicious patterns and what the agency made of them; in the region of care.",
)
