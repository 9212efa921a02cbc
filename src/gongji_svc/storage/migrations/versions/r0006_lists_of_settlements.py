"""lists of settlements"""

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_index('settlements_from_elsewhere_idx', 'settlements', ['insured_region', 'id'], unique=False, postgresql_where=sa.text('insured_region <> region'))
    op.create_index(op.f('settlements_recorded_at_idx'), 'settlements', ['recorded_at'], unique=False, postgresql_using='brin', postgresql_with={'autosummarize': True})
