"""premiums paid for relatives"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gongji_svc.storage.migrations.rights import grant_to_runtime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_table(
        "premium_payments",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("beneficiary_id", sa.Uuid(), nullable=False),
        sa.Column("donor_id", sa.Uuid(), nullable=True, comment="absent: paid by another channel"),
        sa.Column(
            "binding_id",
            sa.Uuid(),
            nullable=True,
            comment="what allowed it; absent: none was needed",
        ),
        sa.Column("year", sa.SmallInteger(), nullable=False, comment="insurance year"),
        sa.Column("insurance", sa.Text(), nullable=False),
        sa.Column("insured_region", sa.Text(), nullable=False, comment="whose rules decide"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("standard_fen", sa.BigInteger(), nullable=False),
        sa.Column("subsidy_fen", sa.BigInteger(), nullable=False),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column(
            "special_group",
            sa.Text(),
            nullable=False,
            comment="what brings the subsidy; empty: none",
        ),
        sa.Column(
            "legs",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="[{account_id, kind, amount_fen, journal_id}]",
        ),
        sa.Column("policy", sa.Text(), nullable=False, comment="the policy blocks that decided it"),
        sa.Column("wait_months", sa.SmallInteger(), nullable=False),
        sa.Column(
            "benefit_from",
            sa.Date(),
            nullable=True,
            comment="absent: the year does not count as paid",
        ),
        sa.Column("paid_on", sa.Date(), nullable=False, comment="decides whether it was in time"),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "submitted_by",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="{role, subject, actor}",
        ),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "answer_due_on",
            sa.Date(),
            nullable=True,
            comment="last day for the answer; absent: none is set",
        ),
        sa.Column("tax_voucher_no", sa.Text(), nullable=False),
        sa.Column("reject_reason", sa.Text(), nullable=False),
        sa.Column(
            "refund",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="asked for or made; {}: none",
        ),
        sa.Column("refund_journal_id", sa.Uuid(), nullable=True),
        sa.Column("external_channel", sa.Text(), nullable=False, comment="empty: paid here"),
        sa.Column("paid_twice", sa.Boolean(), nullable=False),
        sa.Column("request_caller", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(donor_id IS NULL) = (external_channel <> '')",
            name=op.f("premium_payments_payer_check"),
        ),
        sa.CheckConstraint(
            "payable_fen = standard_fen - subsidy_fen", name=op.f("premium_payments_payable_check")
        ),
        sa.CheckConstraint(
            "subsidy_fen BETWEEN 0 AND standard_fen", name=op.f("premium_payments_subsidy_check")
        ),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("premium_payments_pkey")),
        comment="Premiums, one a beneficiary, year and insurance; in the beneficiary's home region.",
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        op.f("premium_payments_beneficiary_id_id_idx"),
        "premium_payments",
        ["beneficiary_id", "id"],
        unique=False,
    )
    op.create_index(
        op.f("premium_payments_donor_id_id_idx"),
        "premium_payments",
        ["donor_id", "id"],
        unique=False,
        postgresql_where=sa.text("donor_id IS NOT NULL"),
    )
    op.create_index(
        op.f("premium_payments_insured_region_id_idx"),
        "premium_payments",
        ["insured_region", "id"],
        unique=False,
    )
    op.create_index(
        "premium_payments_once",
        "premium_payments",
        ["region", "beneficiary_id", "year", "insurance"],
        unique=True,
        postgresql_where=sa.text(
            "state IN ('SUBMITTED', 'CONFIRMED', 'REFUND_REQUESTED') AND external_channel = ''"
        ),
    )
    op.create_index(
        op.f("premium_payments_region_beneficiary_id_idx"),
        "premium_payments",
        ["region", "beneficiary_id"],
        unique=False,
    )
    op.create_index(
        "premium_payments_unanswered",
        "premium_payments",
        ["insured_region", "answer_due_on"],
        unique=False,
        postgresql_where=sa.text("state = 'SUBMITTED'"),
    )
    op.create_table(
        "tax_messages",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="COLLECT, or REFUND of what was collected"
        ),
        sa.Column(
            "insured_region", sa.Text(), nullable=False, comment="whose tax authority is told"
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column(
            "last_error",
            sa.Text(),
            nullable=False,
            comment="of the last attempt; empty: none failed",
        ),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("tax_messages_pkey")),
        comment="The outbox to the tax authority, sent at least once; beside the payment.",
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        op.f("tax_messages_region_payment_id_idx"),
        "tax_messages",
        ["region", "payment_id"],
        unique=False,
    )
    op.create_index(
        "tax_messages_waiting",
        "tax_messages",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("taken_at IS NULL"),
    )
    grant_to_runtime("premium_payments", "SELECT", "INSERT", "UPDATE")
    grant_to_runtime("tax_messages", "SELECT", "INSERT", "UPDATE", "DELETE")
