"""identities of bills, refunds and notices"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it.

    It writes no row that these refuse; each table is read once while nobody writes.
    """
    op.create_check_constraint(
        op.f('settlements_scope_check'),
        'settlements',
        "full_self_pay_fen >= 0 AND over_limit_fen >= 0 AND pre_self_pay_fen >= 0"
        " AND deductible_fen >= 0 AND deductible_fen + fund_pay_fen <= in_scope_fen"
        " AND fund_ratio_bp BETWEEN 0 AND 10000",
    )
    op.create_check_constraint(
        op.f('settlements_account_use_check'),
        'settlements',
        "account_pay_fen = 0 OR account_use = 'MUTUAL_AID'"
        " OR (account_use = 'OWN' AND mutual_aid_pay_fen = 0)",
    )
    op.create_check_constraint(
        op.f('refunds_parts_check'),
        'refunds',
        'step > 0 AND total_fen >= 0 AND account_fen >= 0',
    )
    op.create_check_constraint(op.f('notices_amount_check'), 'notices', 'amount_fen > 0')
    op.alter_column('notices', 'source_id',
               existing_type=sa.Uuid(),
               comment='the settlement it tells of',
               existing_comment='the settlement or refund it tells of',
               existing_nullable=False)
    op.create_table_comment(
        'notices',
        "The outbox of messages to people, one a leg; in the person's home region.",
        existing_comment="The outbox of messages to people, one a debit; in the person's home region.",
        schema=None
    )
