"""The schema: the one description of every table, from which migrations and statements are made.

Rules: every key begins with a region, so that the tables can be distributed by it; the exception is
`person_directory`, the small shared table that finds people. A column is not renamed or dropped
in the release that stops using it (docs/decisions/migrations.md). What identifies a person is
sealed bytes with the key's id beside them (`sealing.py`). Entries and ledger lines are append-only.
Money is bigint fen.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

# Hot rows: room on the page lets an update stay there and touch no index.
_ROOM_FOR_UPDATES = {"fillfactor": 70}

# Rows of a few kilobytes stay whole: cutting them up to store them elsewhere costs more.
_KEPT_WHOLE = {"toast_tuple_target": 8160}

# Written once, then only read: the run-time role may not UPDATE or DELETE them.
APPEND_ONLY = ("entries", "ledger_lines")


def _region() -> Column[str]:
    return Column("region", Text, primary_key=True)


def _instant(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _fen(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


# --- this installation

key_checks = Table(
    "key_checks",
    metadata,
    _region(),
    Column("key_id", SmallInteger, primary_key=True, comment="0: the index key; else a data key"),
    Column("proof", LargeBinary, nullable=False, comment="what only that key makes of a text"),
    comment="Tells whether a key file is the one this database was sealed with; region 000000.",
)

# --- people

person_directory = Table(
    "person_directory",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="HMAC-SM3 of a certificate or card"),
    Column("person_id", Uuid, nullable=False, comment="carries its home region"),
    comment="Finds people: the one table whose key is not led by a region.",
)

persons = Table(
    "persons",
    metadata,
    _region(),
    Column("id", Uuid, primary_key=True),
    Column("key_id", SmallInteger, nullable=False, comment="data key of the sealed columns"),
    Column("name", LargeBinary, nullable=False, comment="sealed"),
    Column("certificate_type", Text, nullable=False),
    Column("certificate_number", LargeBinary, nullable=False, comment="sealed"),
    Column("card_no", LargeBinary, comment="sealed"),
    Column("phone", LargeBinary, comment="sealed"),
    Column("birth_date", Date, nullable=False),
    Column("died_on", Date),
    Column("guardians", JSONB, nullable=False, comment="[{person_id, kind, from, to}]"),
    Column("premium_years", JSONB, nullable=False, comment="[{year, paid_on, kind}]"),
    Column("identities", JSONB, nullable=False, comment="psn_idet_type as enum names"),
    Column("chronic_diseases", JSONB, nullable=False),
    Column("referral_filings", JSONB, nullable=False),
    _instant("created_at"),
    _instant("updated_at"),
    comment="Insured people; in the region that first registered them, their home for ever.",
    postgresql_with=_ROOM_FOR_UPDATES,
)

enrolments = Table(
    "enrolments",
    metadata,
    _region(),
    Column("person_id", Uuid, primary_key=True),
    Column("insurance", Text, primary_key=True),
    Column("insured_region", Text, primary_key=True, comment="insuplc_admdvs"),
    Column("person_type", Text, nullable=False),
    Column(
        "periods", JSONB, nullable=False, comment="[{from, to, status, as_individual}], by from"
    ),
    Column("arrears_paid_on", Date),
    comment="Where, how and when a person is insured; in the person's home region.",
)

# --- places and prices

institutions = Table(
    "institutions",
    metadata,
    _region(),
    Column("institution_code", Text, primary_key=True, comment="fixmedins_code"),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("status", Text, nullable=False),
    _instant("updated_at"),
    Index(None, "institution_code"),
    comment="Designated pharmacies, clinics and hospitals.",
)

catalog_items = Table(
    "catalog_items",
    metadata,
    _region(),
    Column("catalog_code", Text, primary_key=True, comment="med_list_codg"),
    Column("effective_from", Date, primary_key=True),
    Column("name", Text, nullable=False),
    Column("catalog_class", Text, nullable=False, comment="A 甲, B 乙, C 丙"),
    Column("self_pay_bp", BigInteger, nullable=False),
    Column("price_ceiling_micro_yuan", BigInteger, comment="pric_uplmt_amt, in 10^-6 yuan"),
    Column("account_payable", Boolean, nullable=False, comment="personal accounts may pay it"),
    comment="The catalogue of a region; its province's or the nation's where it has no row.",
)

# --- bindings

bindings = Table(
    "bindings",
    metadata,
    _region(),
    Column("id", Uuid, primary_key=True),
    Column("beneficiary_id", Uuid, nullable=False),
    Column("donor_id", Uuid, nullable=False),
    Column("relation", Text, nullable=False, comment="what the beneficiary is to the donor"),
    Column("state", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("effective_to", Date, comment="last day"),
    Column("ended_on", Date),
    Column("uses", JSONB, nullable=False),
    Column("per_settlement_fen", BigInteger),
    Column("per_day_fen", BigInteger),
    Column("per_month_fen", BigInteger),
    Column("per_year_fen", BigInteger),
    Column("channel", Text, nullable=False),
    Column("commitment", JSONB, nullable=False, comment="{text_version, accepted_at, signer}"),
    Column("document_ids", JSONB, nullable=False, comment="the documents attached"),
    Column("donor_region", Text, nullable=False, comment="the pooling region whose rules decide"),
    Column("policy", Text, nullable=False, comment="digest and blocks of the rules that decided"),
    Column("key_id", SmallInteger, nullable=False, comment="data key of the sealed columns"),
    Column("beneficiary_phone", LargeBinary, comment="sealed; as the application gave it"),
    Column("created_by", JSONB, nullable=False, comment="{role, subject, actor}"),
    _instant("created_at"),
    _instant("updated_at"),
    Index(None, "region", "beneficiary_id"),
    Index(None, "donor_region", "state", "created_at"),
    comment="共济绑定: who may spend whose money; in the beneficiary's home region.",
)

donor_bindings = Table(
    "donor_bindings",
    metadata,
    _region(),
    Column("donor_id", Uuid, primary_key=True),
    Column("binding_id", Uuid, primary_key=True, comment="carries the beneficiary's home region"),
    comment="The donor's index of bindings; in the donor's home region.",
)

documents = Table(
    "documents",
    metadata,
    _region(),
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("of", Text, nullable=False, comment="DONOR, BENEFICIARY or BOTH"),
    Column("media_type", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("uploaded_by", JSONB, nullable=False, comment="{role, subject, actor}"),
    Column("binding_id", Uuid, comment="the one binding it is attached to"),
    _instant("created_at"),
    comment="Uploaded proofs; in the uploader's region.",
)

document_chunks = Table(
    "document_chunks",
    metadata,
    _region(),
    Column("document_id", Uuid, primary_key=True),
    Column("chunk_no", SmallInteger, primary_key=True),
    Column("key_id", SmallInteger, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="sealed"),
    comment="The sealed bytes of documents.",
)

# --- the ledger

accounts = Table(
    "accounts",
    metadata,
    _region(),
    Column("id", Uuid, primary_key=True),
    Column("person_id", Uuid, nullable=False),
    Column("pool_region", Text, nullable=False, comment="whose books it stands in; never changes"),
    Column("kind", Text, nullable=False, comment="GENERAL, CURRENT_YEAR or PAST_YEARS"),
    Column("state", Text, nullable=False),
    _fen("balance_fen"),
    _fen("held_fen"),
    _fen("frozen_quota_fen"),
    Column("seq", BigInteger, nullable=False, comment="of the last entry, 0 before the first"),
    _instant("recorded_at"),
    Index(None, "region", "person_id"),
    Index(
        "accounts_one_open_of_a_kind",
        "region",
        "person_id",
        "kind",
        unique=True,
        postgresql_where=text("state <> 'CLOSED'"),
    ),
    CheckConstraint("balance_fen >= 0", name="balance"),
    CheckConstraint("held_fen >= 0 AND held_fen <= balance_fen", name="held"),
    CheckConstraint("frozen_quota_fen >= 0", name="frozen_quota"),
    comment="Personal accounts with their balance; in the owner's home region.",
    postgresql_with=_ROOM_FOR_UPDATES,
)

entries = Table(
    "entries",
    metadata,
    _region(),
    Column("account_id", Uuid, primary_key=True),
    Column("seq", BigInteger, primary_key=True, comment="1, 2, 3 ... without gaps"),
    Column("journal_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount_fen", BigInteger, nullable=False, comment="negative: money left the account"),
    _fen("balance_after_fen"),
    Column("source_id", Uuid, comment="the settlement, payment or hold that moved it"),
    Column("counterparty", Text, comment="institution code, or who gave or took the money"),
    Column("beneficiary_id", Uuid, comment="whose purchase or premium it was"),
    Column("binding_id", Uuid, comment="the binding a donor's money moved under"),
    Column("memo", Text),
    _instant("occurred_at"),
    _instant("recorded_at"),
    CheckConstraint("amount_fen <> 0", name="amount"),
    CheckConstraint("balance_after_fen >= 0", name="balance_after"),
    CheckConstraint("seq > 0", name="seq"),
    comment="Append-only: every movement of a personal account.",
)

ledger_lines = Table(
    "ledger_lines",
    metadata,
    _region(),
    Column("journal_id", Uuid, primary_key=True),
    Column("line_no", SmallInteger, primary_key=True),
    Column("side", Text, nullable=False),
    Column("counterparty", Text, nullable=False),
    _fen("amount_fen"),
    _instant("recorded_at"),
    CheckConstraint("amount_fen <> 0", name="amount"),
    comment="Append-only: the other side of journals; no stored balance.",
)

counters = Table(
    "counters",
    metadata,
    _region(),
    Column("subject_id", Uuid, primary_key=True, comment="a person or a binding"),
    Column("kind", Text, primary_key=True),
    Column("day", Date, primary_key=True, comment="the day, or 1 January for sums of a year"),
    _fen("amount_fen"),
    CheckConstraint("amount_fen >= 0", name="amount"),
    comment="Sums that limits and benefits count, by Shanghai day.",
    postgresql_with=_ROOM_FOR_UPDATES,
)

# --- requests and settlements

requests = Table(
    "requests",
    metadata,
    _region(),
    Column("caller", Text, primary_key=True, comment="institution acted for, or token's subject"),
    Column("request_id", Text, primary_key=True),
    Column("method", Text, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="a keyed hash a field"),
    Column("result_id", Uuid, comment="what the request made"),
    Column("answer", LargeBinary, comment="the first answer as it was; set before commit"),
    _instant("created_at"),
    comment="Idempotency keys; they never expire.",
    postgresql_with=_KEPT_WHOLE,
)

settlements = Table(
    "settlements",
    metadata,
    _region(),
    Column("id", Uuid, primary_key=True),
    Column("institution_code", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    Column("insured_region", Text, nullable=False),
    Column("insurance", Text, nullable=False),
    Column("visit_type", Text, nullable=False),
    Column("account_use", Text, nullable=False),
    Column("state", Text, nullable=False),
    _fen("total_fen"),
    _fen("full_self_pay_fen"),
    _fen("over_limit_fen"),
    _fen("pre_self_pay_fen"),
    _fen("in_scope_fen"),
    _fen("deductible_fen"),
    _fen("fund_ratio_bp"),
    _fen("fund_pay_fen"),
    _fen("personal_fen"),
    _fen("account_pay_fen"),
    _fen("mutual_aid_pay_fen"),
    _fen("cash_pay_fen"),
    Column("policy", Text, nullable=False, comment="the policy blocks that decided it"),
    Column("detail", JSONB, nullable=False, comment="lines, legs and facts of the explanation"),
    _instant("occurred_at"),
    _instant("recorded_at"),
    CheckConstraint("total_fen = fund_pay_fen + personal_fen", name="total_by_payer"),
    CheckConstraint("personal_fen = account_pay_fen + cash_pay_fen", name="personal"),
    CheckConstraint(
        "total_fen = full_self_pay_fen + over_limit_fen + pre_self_pay_fen + in_scope_fen",
        name="total_by_scope",
    ),
    CheckConstraint(
        "mutual_aid_pay_fen BETWEEN 0 AND account_pay_fen"
        " AND cash_pay_fen >= 0 AND fund_pay_fen >= 0",
        name="parts",
    ),
    comment="What a till settled, as first decided; in the institution's region.",
    postgresql_with=_KEPT_WHOLE,
)
