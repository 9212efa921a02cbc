"""funds of bills priced elsewhere"""

from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it.

    It writes no row that this refuses; the table is read once while nobody writes.
    """
    name = op.f('settlements_scope_check')
    op.drop_constraint(name, 'settlements')
    op.create_check_constraint(
        name,
        'settlements',
        "full_self_pay_fen >= 0 AND over_limit_fen >= 0 AND pre_self_pay_fen >= 0"
        " AND deductible_fen BETWEEN 0 AND in_scope_fen"
        " AND (deductible_fen + fund_pay_fen <= in_scope_fen OR visit_type = 'INPATIENT')"
        " AND fund_ratio_bp BETWEEN 0 AND 10000",
    )
