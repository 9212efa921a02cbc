"""clearing windows"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gongji_svc.storage.migrations.rights import grant_to_runtime, keep_append_only

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    for table in ("ledger_lines", "refunds"):
        op.create_index(
            op.f(f"{table}_recorded_at_idx"),
            table,
            ["recorded_at"],
            unique=False,
            postgresql_using="brin",
            postgresql_with={"autosummarize": True},
        )
    op.create_table(
        "clearing_progress",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column(
            "step", sa.Text(), nullable=False, comment="ENDED: takes no journal more; SUMMED"
        ),
        sa.Column(
            "before", sa.Date(), nullable=False, comment="so it is for every day before this one"
        ),
        sa.PrimaryKeyConstraint("region", "step", name=op.f("clearing_progress_pkey")),
        comment="Up to which day all days are ended, and summed; for all regions.",
    )
    _create_sums()
    _create_windows()
    grant_to_runtime("clearing_progress", "SELECT", "INSERT", "UPDATE")
    grant_to_runtime("windows", "SELECT", "INSERT", "UPDATE")
    for table in ("clearing_days", "clearing_totals", "window_positions"):
        grant_to_runtime(table, "SELECT", "INSERT")
        keep_append_only(table)


def _create_sums() -> None:
    op.create_table(
        "clearing_days",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *_of_positions(),
        sa.PrimaryKeyConstraint("region", "day", "kind", "code", name=op.f("clearing_days_pkey")),
        comment="Append-only: what a region owes to whom, and has to get, by the journals of a day.",
    )
    sums = ("total", "fund_pay", "account_pay", "mutual_aid_pay", "cash_pay")
    op.create_table(
        "clearing_totals",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("settlements", sa.BigInteger(), nullable=False),
        sa.Column("refunds", sa.BigInteger(), nullable=False),
        *(sa.Column(f"{name}_fen", sa.BigInteger(), nullable=False) for name in sums),
        sa.PrimaryKeyConstraint("region", "day", name=op.f("clearing_totals_pkey")),
        comment="Append-only: what a region's institutions settled on a day, less what came back.",
    )


def _create_windows() -> None:
    op.create_table(
        "windows",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _by("totals", "sums of the region's institutions"),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("net_fen", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        _by("closed_by", "{role, subject, actor}"),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        _by("confirmed_by", "{} until then"),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        _by("settled_by", "{} until then"),
        sa.Column(
            "payment_reference", sa.Text(), nullable=False, comment="number of the payment order"
        ),
        sa.CheckConstraint("first_day <= last_day", name=op.f("windows_days_check")),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("windows_pkey")),
        comment="Clearing windows that were closed; the open one follows from the last of them.",
    )
    op.create_index(
        op.f("windows_region_first_day_idx"), "windows", ["region", "first_day"], unique=True
    )
    op.create_table(
        "window_positions",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("window_id", sa.Uuid(), nullable=False),
        *_of_positions(),
        sa.CheckConstraint(
            "payable_fen >= 0 AND receivable_fen >= 0", name=op.f("window_positions_parts_check")
        ),
        sa.PrimaryKeyConstraint(
            "region", "window_id", "kind", "code", name=op.f("window_positions_pkey")
        ),
        comment="Append-only: the positions of closed windows.",
    )


def _of_positions() -> list[sa.Column[object]]:
    return [
        sa.Column("kind", sa.Text(), nullable=False, comment="INSTITUTION or REGION"),
        sa.Column(
            "code", sa.Text(), nullable=False, comment="of the institution or the other region"
        ),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("receivable_fen", sa.BigInteger(), nullable=False),
        sa.Column(
            "fund_fen", sa.BigInteger(), nullable=False, comment="of receivable less payable"
        ),
        sa.Column("journals", sa.BigInteger(), nullable=False),
    ]


def _by(name: str, comment: str) -> sa.Column[object]:
    json = postgresql.JSONB(astext_type=sa.Text())
    return sa.Column(name, json, nullable=False, comment=comment)
