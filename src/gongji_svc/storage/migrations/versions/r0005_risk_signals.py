"""risk signals"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gongji_svc.storage.migrations.rights import grant_to_runtime

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_table('risk_signals',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False, comment='the rule that raised it'),
    sa.Column('action', sa.Text(), nullable=False, comment='ADVISE, HOLD or DENY'),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('institution_code', sa.Text(), nullable=False, comment='empty: about none'),
    sa.Column('person_id', sa.Uuid(), nullable=True, comment='the patient, as the till said'),
    sa.Column('other_id', sa.Uuid(), nullable=True, comment='the donor, or whose credential was shown'),
    sa.Column('settlement_id', sa.Uuid(), nullable=True),
    sa.Column('threshold', sa.BigInteger(), nullable=False),
    sa.Column('measured', sa.BigInteger(), nullable=False, comment='in the unit of the threshold'),
    sa.Column('evidence', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='[{text, institution_code, ...}]'),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('resolved_by', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='{role, subject, actor}; {} while open'),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('released_until', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('region', 'id', name=op.f('risk_signals_pkey')),
    comment='Suspicious patterns and what the agency made of them; in the region of care.'
    )
    op.create_index(op.f('risk_signals_region_recorded_at_id_idx'), 'risk_signals', ['region', 'recorded_at', 'id'], unique=False)
    grant_to_runtime("risk_signals", "SELECT", "INSERT", "UPDATE")
