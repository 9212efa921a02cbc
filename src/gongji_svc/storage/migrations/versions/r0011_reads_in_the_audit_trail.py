"""reads in the audit trail"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.add_column('audit_records', sa.Column('people', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False, comment='of a read: whose data, ids'))
    op.create_index('audit_records_people_idx', 'audit_records', ['people'], unique=False, postgresql_using='gin', postgresql_ops={'people': 'jsonb_path_ops'}, postgresql_where=sa.text("people <> '[]'::jsonb"))
    op.create_table_comment(
        'audit_records',
        'Append-only: who changed or read what, and when; in the region whose trail it is.',
        existing_comment='Append-only: who changed what, when, from where; in the region whose trail it is.',
        schema=None
    )
