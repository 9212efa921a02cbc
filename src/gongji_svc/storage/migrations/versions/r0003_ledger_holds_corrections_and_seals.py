"""ledger holds corrections and seals"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gongji_svc.storage.migrations.rights import grant_to_runtime, keep_append_only

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_table('adjustments',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=False, comment='whose account it is'),
    sa.Column('pool_region', sa.Text(), nullable=False, comment='whose agency proposes and decides'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('source_id', sa.Uuid(), nullable=True),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('proposed_by', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='{role, subject, actor}'),
    sa.Column('proposed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decided_by', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='{} while it waits'),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decision_reason', sa.Text(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=True, comment='of the entry that booked it'),
    sa.CheckConstraint('amount_fen <> 0', name=op.f('adjustments_amount_check')),
    sa.PrimaryKeyConstraint('region', 'id', name=op.f('adjustments_pkey')),
    comment="Corrections of accounts; two people each; in the account's region."
    )
    op.create_index(op.f('adjustments_pool_region_proposed_at_id_idx'), 'adjustments', ['pool_region', 'proposed_at', 'id'], unique=False)
    op.create_table('allocation_files',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(), nullable=False, comment="of the file's bytes"),
    sa.Column('name', sa.Text(), nullable=False, comment='as the operator called it'),
    sa.Column('rows_booked', sa.BigInteger(), nullable=False, comment='of its good rows, in their order'),
    sa.Column('rows_refused', sa.BigInteger(), nullable=False),
    sa.Column('booked_fen', sa.BigInteger(), nullable=False),
    sa.Column('done', sa.Boolean(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('region', 'sha256', name=op.f('allocation_files_pkey')),
    comment="How far each file of allocations has been booked; in the agency's region."
    )
    op.create_table('block_accounts',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('block_no', sa.BigInteger(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('first_seq', sa.BigInteger(), nullable=False),
    sa.Column('last_seq', sa.BigInteger(), nullable=False),
    sa.Column('hashes', sa.LargeBinary(), nullable=False, comment='8 bytes of SM3 an entry, in order'),
    sa.PrimaryKeyConstraint('region', 'block_no', 'account_id', name=op.f('block_accounts_pkey')),
    comment='Append-only: which entries a block seals.'
    )
    op.create_index(op.f('block_accounts_region_account_id_last_seq_idx'), 'block_accounts', ['region', 'account_id', 'last_seq'], unique=False)
    op.create_table('blocks',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('block_no', sa.BigInteger(), nullable=False, comment='1, 2, 3 ... a chain a region'),
    sa.Column('previous_hash', sa.LargeBinary(), nullable=False, comment='of the block before'),
    sa.Column('hash', sa.LargeBinary(), nullable=False, comment='SM3 of the listing and previous_hash'),
    sa.Column('entry_count', sa.BigInteger(), nullable=False),
    sa.Column('sealed_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('region', 'block_no', name=op.f('blocks_pkey')),
    comment='Append-only: sealed blocks of entries.'
    )
    op.create_table('holds',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=False, comment='whose account it is'),
    sa.Column('beneficiary_id', sa.Uuid(), nullable=False),
    sa.Column('binding_id', sa.Uuid(), nullable=True, comment="absent: the owner's own"),
    sa.Column('institution_code', sa.Text(), nullable=False, comment='empty: any'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('captured_fen', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('counted_on', sa.Date(), nullable=False, comment='the day whose limits it counts against'),
    sa.Column('household', sa.Boolean(), nullable=False, comment="counts against the household's caps too"),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.CheckConstraint('amount_fen > 0', name=op.f('holds_amount_check')),
    sa.CheckConstraint('captured_fen BETWEEN 0 AND amount_fen', name=op.f('holds_captured_check')),
    sa.PrimaryKeyConstraint('region', 'id', name=op.f('holds_pkey')),
    comment="Money set aside; resolved at most once; in the account's region."
    )
    op.create_index('holds_open_account_id_idx', 'holds', ['region', 'account_id'], unique=False, postgresql_where=sa.text("state = 'OPEN'"))
    op.create_index('holds_open_expires_at_idx', 'holds', ['expires_at'], unique=False, postgresql_where=sa.text("state = 'OPEN'"))
    op.create_index(op.f('holds_region_account_id_id_idx'), 'holds', ['region', 'account_id', 'id'], unique=False)
    op.create_table('suspense',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False, comment='the closed account'),
    sa.Column('owner_id', sa.Uuid(), nullable=False, comment='whose account it was'),
    sa.Column('pool_region', sa.Text(), nullable=False, comment='whose books hold the money'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('source_id', sa.Uuid(), nullable=True, comment='the refund or payment it came from'),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('transfer_to_account_id', sa.Uuid(), nullable=True),
    sa.Column('payout_reference', sa.Text(), nullable=False),
    sa.Column('resolved_by', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='{} while open'),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.CheckConstraint('amount_fen > 0', name=op.f('suspense_amount_check')),
    sa.PrimaryKeyConstraint('region', 'id', name=op.f('suspense_pkey')),
    comment="Money that came back for closed accounts; in the account's region."
    )
    op.create_index(op.f('suspense_pool_region_recorded_at_id_idx'), 'suspense', ['pool_region', 'recorded_at', 'id'], unique=False)
    op.add_column('accounts', sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('accounts', sa.Column('state_reason', sa.Text(), server_default='', nullable=False, comment='of the last change'))
    op.create_index(op.f('entries_recorded_at_idx'), 'entries', ['recorded_at'], unique=False, postgresql_using='brin', postgresql_with={'autosummarize': True})
    for table in ("block_accounts", "blocks"):
        keep_append_only(table)
        grant_to_runtime(table, "SELECT", "INSERT")
    for table in ("adjustments", "allocation_files", "holds", "suspense"):
        grant_to_runtime(table, "SELECT", "INSERT", "UPDATE", "DELETE")
