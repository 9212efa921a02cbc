"""differences"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gongji_svc.storage.migrations.rights import grant_to_runtime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_index(
        op.f("settlements_region_institution_code_recorded_at_idx"),
        "settlements",
        ["region", "institution_code", "recorded_at"],
        unique=False,
    )
    op.create_index(
        op.f("refunds_region_recorded_at_idx"), "refunds", ["region", "recorded_at"], unique=False
    )
    op.create_table(
        "differences",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("institution_code", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="the day compared, in Asia/Shanghai"),
        sa.Column(
            "content",
            sa.LargeBinary(),
            nullable=False,
            comment="a hash: the same difference again",
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("settlement_id", sa.Uuid(), nullable=True, comment="absent: not known here"),
        sa.Column("request_id", sa.Text(), nullable=False, comment="empty: not known"),
        sa.Column("refund", sa.Boolean(), nullable=False),
        sa.Column(
            "there",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the institution's row; {}: it has none",
        ),
        sa.Column(
            "here",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="this service's row; {}: it has none",
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=False, comment="empty while open"),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "resolved_by",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="{role, subject, actor}; {} while open",
        ),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("differences_pkey")),
        comment="Differences between an institution's day and ours; in the institution's region.",
    )
    op.create_index(
        "differences_content_idx",
        "differences",
        ["region", "institution_code", "day", "content"],
        unique=True,
    )
    op.create_index(
        "differences_of_region_idx",
        "differences",
        ["region", "state", "kind", "day", "id"],
        unique=False,
    )
    op.create_index(
        "differences_of_institution_idx",
        "differences",
        ["region", "institution_code", "state", "kind", "day", "id"],
        unique=False,
    )
    grant_to_runtime("differences", "SELECT", "INSERT", "UPDATE", "DELETE")
