"""Tables of bindings, their checks and their documents."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from gongji_svc.storage.tables.columns import NONE, NOTHING, instant, metadata, region

bindings = Table(
    "bindings",
    metadata,
    region(),
    Column("id", Uuid, primary_key=True),
    Column("beneficiary_id", Uuid, nullable=False),
    Column("donor_id", Uuid, nullable=False),
    Column("relation", Text, nullable=False, comment="what the beneficiary is to the donor"),
    Column("state", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("effective_to", Date, comment="last day"),
    Column("approved", Boolean, nullable=False, server_default=text("true"), comment="ever"),
    Column("review", JSONB, nullable=False, server_default=NOTHING, comment="how it was decided"),
    Column("suspended_for", JSONB, nullable=False, server_default=NONE, comment="while it is"),
    Column("ended_on", Date, comment="last day of use; while it is not over, an end to come"),
    Column("ending", JSONB, nullable=False, server_default=NOTHING, comment="why, when, by whom"),
    Column("uses", JSONB, nullable=False),
    Column("per_settlement_fen", BigInteger),
    Column("per_day_fen", BigInteger),
    Column("per_month_fen", BigInteger),
    Column("per_year_fen", BigInteger),
    Column("channel", Text, nullable=False),
    Column("commitment", JSONB, nullable=False, comment="{text_version, accepted_at, signer}"),
    Column("document_ids", JSONB, nullable=False, comment="the documents attached"),
    Column("confirmations", JSONB, nullable=False, server_default=NONE),
    Column("donor_region", Text, nullable=False, comment="the pooling region whose rules decide"),
    Column("policy", Text, nullable=False, comment="digest and blocks of the rules that decided"),
    Column("key_id", SmallInteger, nullable=False, comment="data key of the sealed columns"),
    Column("beneficiary_phone", LargeBinary, comment="sealed; as the application gave it"),
    Column("created_by", JSONB, nullable=False, comment="{role, subject, actor}"),
    instant("created_at"),
    instant("updated_at"),
    Index(None, "region", "beneficiary_id"),
    Index(None, "donor_region", "state", "created_at"),
    comment="共济绑定: who may spend whose money; in the beneficiary's home region.",
)

donor_bindings = Table(
    "donor_bindings",
    metadata,
    region(),
    Column("donor_id", Uuid, primary_key=True),
    Column("binding_id", Uuid, primary_key=True, comment="carries the beneficiary's home region"),
    comment="The donor's index of bindings; in the donor's home region.",
)

binding_checks = Table(
    "binding_checks",
    metadata,
    region(),
    Column("id", Uuid, primary_key=True),
    Column("person_id", Uuid, nullable=False, comment="whose bindings, as donor or beneficiary"),
    Column("due_on", Date, nullable=False, comment="the first day on which to look"),
    Index(None, "due_on"),
    Index(None, "region", "person_id"),
    comment="When bindings must be looked at again; a look takes the row away.",
)

documents = Table(
    "documents",
    metadata,
    region(),
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("of", Text, nullable=False, comment="DONOR, BENEFICIARY or BOTH"),
    Column("media_type", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("uploaded_by", JSONB, nullable=False, comment="{role, subject, actor}"),
    Column("binding_id", Uuid, comment="the one binding it is attached to"),
    instant("created_at"),
    Index(
        "documents_unattached",
        "region",
        "created_at",
        postgresql_where=text("binding_id IS NULL"),
    ),
    comment="Uploaded proofs; in the uploader's region.",
)

document_chunks = Table(
    "document_chunks",
    metadata,
    region(),
    Column("document_id", Uuid, primary_key=True),
    Column("chunk_no", SmallInteger, primary_key=True),
    Column("key_id", SmallInteger, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="sealed"),
    comment="The sealed bytes of documents.",
)
