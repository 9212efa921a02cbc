"""Tables of clearing: the sums of days that are over, and the windows that were closed."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from gongji_svc.storage.tables.columns import fen, instant, metadata, region

clearing_progress = Table(
    "clearing_progress",
    metadata,
    region(),
    Column("step", Text, primary_key=True, comment="ENDED: takes no journal more; SUMMED"),
    Column("before", Date, nullable=False, comment="so it is for every day before this one"),
    comment="Up to which day all days are ended, and summed; for all regions.",
)

clearing_days = Table(
    "clearing_days",
    metadata,
    region(),
    Column("day", Date, primary_key=True),
    Column("kind", Text, primary_key=True, comment="INSTITUTION or REGION"),
    Column("code", Text, primary_key=True, comment="of the institution or the other region"),
    fen("payable_fen"),
    fen("receivable_fen"),
    Column("fund_fen", BigInteger, nullable=False, comment="of receivable less payable"),
    Column("journals", BigInteger, nullable=False),
    comment="Append-only: what a region owes to whom, and has to get, by the journals of a day.",
)

clearing_totals = Table(
    "clearing_totals",
    metadata,
    region(),
    Column("day", Date, primary_key=True),
    Column("settlements", BigInteger, nullable=False),
    Column("refunds", BigInteger, nullable=False),
    fen("total_fen"),
    fen("fund_pay_fen"),
    fen("account_pay_fen"),
    fen("mutual_aid_pay_fen"),
    fen("cash_pay_fen"),
    comment="Append-only: what a region's institutions settled on a day, less what came back.",
)

windows = Table(
    "windows",
    metadata,
    region(),
    Column("id", Uuid, primary_key=True),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("state", Text, nullable=False),
    Column("totals", JSONB, nullable=False, comment="sums of the region's institutions"),
    fen("payable_fen"),
    fen("net_fen"),
    instant("closed_at"),
    Column("closed_by", JSONB, nullable=False, comment="{role, subject, actor}"),
    instant("confirmed_at", nullable=True),
    Column("confirmed_by", JSONB, nullable=False, comment="{} until then"),
    instant("settled_at", nullable=True),
    Column("settled_by", JSONB, nullable=False, comment="{} until then"),
    Column("payment_reference", Text, nullable=False, comment="number of the payment order"),
    Index(None, "region", "first_day", unique=True),
    CheckConstraint("first_day <= last_day", name="days"),
    comment="Clearing windows that were closed; the open one follows from the last of them.",
)

window_positions = Table(
    "window_positions",
    metadata,
    region(),
    Column("window_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True, comment="INSTITUTION or REGION"),
    Column("code", Text, primary_key=True, comment="of the institution or the other region"),
    fen("payable_fen"),
    fen("receivable_fen"),
    Column("fund_fen", BigInteger, nullable=False, comment="of receivable less payable"),
    Column("journals", BigInteger, nullable=False),
    CheckConstraint("payable_fen >= 0 AND receivable_fen >= 0", name="parts"),
    comment="Append-only: the positions of closed windows.",
)
