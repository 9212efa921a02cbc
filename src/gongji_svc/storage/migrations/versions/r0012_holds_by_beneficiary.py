"""holds by beneficiary"""

from alembic import op


revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_index(op.f('holds_beneficiary_id_idx'), 'holds', ['beneficiary_id'], unique=False)
