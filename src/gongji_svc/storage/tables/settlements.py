"""Tables of requests, of what tills settled, and of who changed or read what."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from gongji_svc.storage.tables.columns import KEPT_WHOLE, NONE, fen, instant, metadata, region

# --- requests and settlements

requests = Table(
    "requests",
    metadata,
    region(),
    Column("caller", Text, primary_key=True, comment="institution acted for, or token's subject"),
    Column("request_id", Text, primary_key=True),
    Column("method", Text, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="a keyed hash a field"),
    Column("result_id", Uuid, comment="what the request made"),
    Column("answer", LargeBinary, comment="the first answer as it was; set before commit"),
    instant("created_at"),
    comment="Idempotency keys; they never expire.",
    postgresql_with=KEPT_WHOLE,
)

settlements = Table(
    "settlements",
    metadata,
    region(),
    Column("id", Uuid, primary_key=True),
    Column("institution_code", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    Column("insured_region", Text, nullable=False),
    Column("insurance", Text, nullable=False),
    Column("visit_type", Text, nullable=False),
    Column("account_use", Text, nullable=False),
    Column("state", Text, nullable=False),
    fen("total_fen"),
    fen("full_self_pay_fen"),
    fen("over_limit_fen"),
    fen("pre_self_pay_fen"),
    fen("in_scope_fen"),
    fen("deductible_fen"),
    fen("fund_ratio_bp"),
    fen("fund_pay_fen"),
    fen("personal_fen"),
    fen("account_pay_fen"),
    fen("mutual_aid_pay_fen"),
    fen("cash_pay_fen"),
    Column("policy", Text, nullable=False, comment="the policy blocks that decided it"),
    Column("detail", JSONB, nullable=False, comment="lines, legs and facts of the explanation"),
    instant("occurred_at"),
    instant("recorded_at"),
    # Ids are ordered by time: a list needs no other order.
    Index(None, "region", "institution_code", "id"),
    # An institution's day counts by the database's clock, which ids know nothing of.
    Index(None, "region", "institution_code", "recorded_at"),
    Index(None, "patient_id", "id"),
    # Of people insured elsewhere: what is settled at home is found by its region.
    Index(
        "settlements_from_elsewhere_idx",
        "insured_region",
        "id",
        postgresql_where=text("insured_region <> region"),
    ),
    Index(
        None,
        "recorded_at",
        postgresql_using="brin",
        postgresql_with={"autosummarize": True},
    ),
    CheckConstraint("total_fen = fund_pay_fen + personal_fen", name="total_by_payer"),
    CheckConstraint("personal_fen = account_pay_fen + cash_pay_fen", name="personal"),
    CheckConstraint(
        "total_fen = full_self_pay_fen + over_limit_fen + pre_self_pay_fen + in_scope_fen",
        name="total_by_scope",
    ),
    CheckConstraint(
        "mutual_aid_pay_fen BETWEEN 0 AND account_pay_fen"
        " AND cash_pay_fen >= 0 AND fund_pay_fen >= 0",
        name="parts",
    ),
    CheckConstraint(
        "full_self_pay_fen >= 0 AND over_limit_fen >= 0 AND pre_self_pay_fen >= 0"
        " AND deductible_fen BETWEEN 0 AND in_scope_fen"
        " AND (deductible_fen + fund_pay_fen <= in_scope_fen OR visit_type = 'INPATIENT')"
        " AND fund_ratio_bp BETWEEN 0 AND 10000",
        name="scope",
    ),
    CheckConstraint(
        "account_pay_fen = 0 OR account_use = 'MUTUAL_AID'"
        " OR (account_use = 'OWN' AND mutual_aid_pay_fen = 0)",
        name="account_use",
    ),
    comment="What a till settled, as first decided; in the institution's region.",
    postgresql_with=KEPT_WHOLE,
)

refunds = Table(
    "refunds",
    metadata,
    region(),
    Column("settlement_id", Uuid, primary_key=True),
    Column("step", SmallInteger, primary_key=True, comment="1, 2, 3 ... without gaps"),
    Column("id", Uuid, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("cancellation", Boolean, nullable=False, comment="of what was left (撤销)"),
    fen("total_fen"),
    fen("fund_fen"),
    fen("account_fen"),
    fen("cash_fen"),
    Column("detail", JSONB, nullable=False, comment="lines, legs, and the plan of what is left"),
    Column("reason", Text, nullable=False),
    instant("recorded_at"),
    Index(None, "region", "recorded_at"),
    Index(
        None,
        "recorded_at",
        postgresql_using="brin",
        postgresql_with={"autosummarize": True},
    ),
    CheckConstraint("total_fen = fund_fen + account_fen + cash_fen", name="total"),
    # In a refund money never leaves an account (docs/decisions/readings.md#refund-in-steps).
    CheckConstraint("step > 0 AND total_fen >= 0 AND account_fen >= 0", name="parts"),
    comment="Append-only: each step in which a settlement was given back; beside the settlement.",
    postgresql_with=KEPT_WHOLE,
)

credential_uses = Table(
    "credential_uses",
    metadata,
    region(),
    Column("hash", LargeBinary, primary_key=True, comment="keyed hash of the one-time code"),
    Column("person_id", Uuid, nullable=False),
    Column("institution_code", Text, nullable=False, comment="where it is good, and nowhere else"),
    instant("good_until"),
    Column("settlement_id", Uuid, comment="what used it up; absent: previewed only"),
    Index(None, "good_until"),
    comment="One-time codes that a till has seen; in the patient's home region.",
)

notices = Table(
    "notices",
    metadata,
    region(),
    Column("id", Uuid, primary_key=True),
    Column("person_id", Uuid, nullable=False, comment="who is told"),
    Column("kind", Text, nullable=False),
    Column("source_id", Uuid, nullable=False, comment="the settlement it tells of"),
    Column("binding_id", Uuid),
    fen("amount_fen"),
    instant("recorded_at"),
    instant("taken_at", nullable=True),
    CheckConstraint("amount_fen > 0", name="amount"),
    Index("notices_waiting_idx", "region", "id", postgresql_where=text("taken_at IS NULL")),
    comment="The outbox of messages to people, one a leg; in the person's home region.",
)

# --- the audit trail

audit_records = Table(
    "audit_records",
    metadata,
    region(),
    Column("id", Uuid, primary_key=True),
    instant("recorded_at"),
    Column("role", Text, nullable=False, comment="empty: a worker of this program"),
    Column("subject", Text, nullable=False, comment="whom the role acts for"),
    Column("actor", Text, nullable=False, comment="the person behind the caller, or the worker"),
    Column("origin", Text, nullable=False, comment="network address"),
    Column("action", Text, nullable=False, comment="service and RPC, or a worker's job"),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("changes", JSONB, nullable=False, comment="[{field, before, after}], nobody's name"),
    Column("request_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column(
        "people", JSONB, nullable=False, server_default=NONE, comment="of a read: whose data, ids"
    ),
    Index(None, "region", "recorded_at", "id"),
    Index(None, "region", "subject_id", "recorded_at"),
    Index(None, "region", "actor", "recorded_at"),
    Index(
        "audit_records_people_idx",
        "people",
        postgresql_using="gin",
        postgresql_ops={"people": "jsonb_path_ops"},
        postgresql_where=text("people <> '[]'::jsonb"),
    ),
    comment="Append-only: who changed or read what, and when; in the region whose trail it is.",
)
