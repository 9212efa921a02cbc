"""months of allocation files"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gongji_svc.storage.migrations.rights import grant_to_runtime

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_table('allocation_refusals',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(), nullable=False, comment="of the file's bytes"),
    sa.Column('line', sa.BigInteger(), nullable=False),
    sa.Column('named_by', sa.Text(), nullable=False, comment='the column that names the account'),
    sa.Column('found', sa.Integer(), nullable=False, comment='so many accounts by that name'),
    sa.Column('closed', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('region', 'sha256', 'line', name=op.f('allocation_refusals_pkey')),
    comment='Rows that were left out when the others of their file were booked; beside the file.'
    )
    op.add_column('allocation_files', sa.Column('books', postgresql.JSONB(astext_type=sa.Text()), server_default='[]', nullable=False, comment='[{region, month, kind, rows}]: whose books, and what for'))
    grant_to_runtime("allocation_refusals", "SELECT", "INSERT")
