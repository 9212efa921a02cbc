"""risk rules"""

import sqlalchemy as sa
from alembic import op

from gongji_svc.storage.migrations.rights import grant_to_runtime

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_table_comment('risk_signals', 'Suspicious patterns and what the agency made of them; in the region of the rule.', existing_comment='Suspicious patterns and what the agency made of them; in the region of care.')
    op.create_index(op.f('risk_signals_person_id_recorded_at_idx'), 'risk_signals', ['person_id', 'recorded_at'], unique=False)
    op.create_table('risk_progress',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('settlement_id', sa.Uuid(), nullable=False, comment='of those of the instant, the last'),
    sa.PrimaryKeyConstraint('region', name=op.f('risk_progress_pkey')),
    comment='Up to which settlement the worker has looked for patterns; one row, for all regions.'
    )
    op.create_table('trace_codes',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False, comment='追溯码 of a whole package'),
    sa.Column('settlement_id', sa.Uuid(), nullable=False),
    sa.Column('line_no', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('region', 'code', 'settlement_id', 'line_no', name=op.f('trace_codes_pkey')),
    comment='Packages sold, as far as the worker has looked; in the region of care.'
    )
    grant_to_runtime("risk_progress", "SELECT", "INSERT", "UPDATE")
    grant_to_runtime("trace_codes", "SELECT", "INSERT")
