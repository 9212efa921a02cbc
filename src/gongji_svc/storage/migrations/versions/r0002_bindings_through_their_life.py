"""bindings through their life"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gongji_svc.storage.migrations.rights import grant_to_runtime, keep_append_only

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_table('audit_records',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('role', sa.Text(), nullable=False, comment='empty: a worker of this program'),
    sa.Column('subject', sa.Text(), nullable=False, comment='whom the role acts for'),
    sa.Column('actor', sa.Text(), nullable=False, comment='the person behind the caller, or the worker'),
    sa.Column('origin', sa.Text(), nullable=False, comment='network address'),
    sa.Column('action', sa.Text(), nullable=False, comment="service and RPC, or a worker's job"),
    sa.Column('subject_kind', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.Text(), nullable=False),
    sa.Column('changes', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="[{field, before, after}], nobody's name"),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('region', 'id', name=op.f('audit_records_pkey')),
    comment='Append-only: who changed what, when, from where; in the region whose trail it is.'
    )
    op.create_index(op.f('audit_records_region_actor_recorded_at_idx'), 'audit_records', ['region', 'actor', 'recorded_at'], unique=False)
    op.create_index(op.f('audit_records_region_recorded_at_id_idx'), 'audit_records', ['region', 'recorded_at', 'id'], unique=False)
    op.create_index(op.f('audit_records_region_subject_id_recorded_at_idx'), 'audit_records', ['region', 'subject_id', 'recorded_at'], unique=False)
    op.create_table('binding_checks',
    sa.Column('region', sa.Text(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False, comment='whose bindings, as donor or beneficiary'),
    sa.Column('due_on', sa.Date(), nullable=False, comment='the first day on which to look'),
    sa.PrimaryKeyConstraint('region', 'id', name=op.f('binding_checks_pkey')),
    comment='When bindings must be looked at again; a look takes the row away.'
    )
    op.create_index(op.f('binding_checks_due_on_idx'), 'binding_checks', ['due_on'], unique=False)
    op.create_index(op.f('binding_checks_region_person_id_idx'), 'binding_checks', ['region', 'person_id'], unique=False)
    op.add_column('bindings', sa.Column('approved', sa.Boolean(), server_default=sa.text('true'), nullable=False, comment='ever'))
    op.add_column('bindings', sa.Column('review', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False, comment='how it was decided'))
    op.add_column('bindings', sa.Column('suspended_for', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False, comment='while it is'))
    op.add_column('bindings', sa.Column('ending', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False, comment='why, when, by whom'))
    op.add_column('bindings', sa.Column('confirmations', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False))
    op.alter_column('bindings', 'ended_on',
               existing_type=sa.DATE(),
               comment='last day of use; while it is not over, an end to come',
               existing_nullable=True)
    op.execute(
        "UPDATE bindings SET approved = false WHERE state IN ('PENDING_REVIEW', 'REJECTED')"
    )
    op.execute(
        "INSERT INTO binding_checks (region, id, person_id, due_on) "
        "SELECT region, id, beneficiary_id, CURRENT_DATE FROM bindings "
        "WHERE state IN ('PENDING_REVIEW', 'ACTIVE', 'SUSPENDED')"
    )
    op.create_index(
        "documents_unattached",
        "documents",
        ["region", "created_at"],
        unique=False,
        postgresql_where=sa.text("binding_id IS NULL"),
    )
    keep_append_only("audit_records")
    grant_to_runtime("audit_records", "SELECT", "INSERT")
    grant_to_runtime("binding_checks", "SELECT", "INSERT", "UPDATE", "DELETE")
