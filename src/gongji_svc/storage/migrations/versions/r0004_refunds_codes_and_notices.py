"""refunds codes and notices"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gongji_svc.storage.migrations.rights import grant_to_runtime, keep_append_only

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_table('credential_uses',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('hash', sa.LargeBinary(), nullable=False, comment='keyed hash of the one-time code'),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('institution_code', sa.Text(), nullable=False, comment='where it is good, and nowhere else'),
    sa.Column('good_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('settlement_id', sa.Uuid(), nullable=True, comment='what used it up; absent: previewed only'),
    sa.PrimaryKeyConstraint('region', 'hash', name=op.f('credential_uses_pkey')),
    comment="One-time codes that a till has seen; in the patient's home region."
    )
    op.create_index(op.f('credential_uses_good_until_idx'), 'credential_uses', ['good_until'], unique=False)
    op.create_table('notices',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False, comment='who is told'),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('source_id', sa.Uuid(), nullable=False, comment='the settlement or refund it tells of'),
    sa.Column('binding_id', sa.Uuid(), nullable=True),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('region', 'id', name=op.f('notices_pkey')),
    comment="The outbox of messages to people, one a debit; in the person's home region."
    )
    op.create_index('notices_waiting_idx', 'notices', ['region', 'id'], unique=False, postgresql_where=sa.text('taken_at IS NULL'))
    op.create_table('refunds',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('settlement_id', sa.Uuid(), nullable=False),
    sa.Column('step', sa.SmallInteger(), nullable=False, comment='1, 2, 3 ... without gaps'),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('cancellation', sa.Boolean(), nullable=False, comment='of what was left (撤销)'),
    sa.Column('total_fen', sa.BigInteger(), nullable=False),
    sa.Column('fund_fen', sa.BigInteger(), nullable=False),
    sa.Column('account_fen', sa.BigInteger(), nullable=False),
    sa.Column('cash_fen', sa.BigInteger(), nullable=False),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='lines, legs, and the plan of what is left'),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('total_fen = fund_fen + account_fen + cash_fen', name=op.f('refunds_total_check')),
    sa.PrimaryKeyConstraint('region', 'settlement_id', 'step', name=op.f('refunds_pkey')),
    comment='Append-only: each step in which a settlement was given back; beside the settlement.',
    postgresql_with={'toast_tuple_target': 8160}
    )
    op.create_index(op.f('settlements_patient_id_id_idx'), 'settlements', ['patient_id', 'id'], unique=False)
    op.create_index(op.f('settlements_region_institution_code_id_idx'), 'settlements', ['region', 'institution_code', 'id'], unique=False)
    keep_append_only("refunds")
    grant_to_runtime("refunds", "SELECT", "INSERT")
    for table in ("credential_uses", "notices"):
        grant_to_runtime(table, "SELECT", "INSERT", "UPDATE", "DELETE")
