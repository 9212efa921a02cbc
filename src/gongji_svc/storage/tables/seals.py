"""Tables of sealed blocks: what proves that entries stand as they were booked."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Uuid

from gongji_svc.storage.tables.columns import instant, metadata, region

blocks = Table(
    "blocks",
    metadata,
    region(),
    Column("block_no", BigInteger, primary_key=True, comment="1, 2, 3 ... a chain a region"),
    Column("previous_hash", LargeBinary, nullable=False, comment="of the block before"),
    Column("hash", LargeBinary, nullable=False, comment="SM3 of the listing and previous_hash"),
    Column("entry_count", BigInteger, nullable=False),
    instant("sealed_at"),
    comment="Append-only: sealed blocks of entries.",
)

block_accounts = Table(
    "block_accounts",
    metadata,
    region(),
    Column("block_no", BigInteger, primary_key=True),
    Column("account_id", Uuid, primary_key=True),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False, comment="8 bytes of SM3 an entry, in order"),
    Index(None, "region", "account_id", "last_seq"),
    comment="Append-only: which entries a block seals.",
)
