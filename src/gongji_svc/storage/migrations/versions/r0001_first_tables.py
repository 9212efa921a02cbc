"""first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gongji_svc.storage.migrations.rights import grant_to_runtime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_APPEND_ONLY = ("entries", "ledger_lines")
_CHANGING = (
    "accounts",
    "bindings",
    "catalog_items",
    "counters",
    "document_chunks",
    "documents",
    "donor_bindings",
    "enrolments",
    "institutions",
    "key_checks",
    "person_directory",
    "persons",
    "requests",
    "settlements",
)


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    op.create_table(
        "accounts",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "pool_region",
            sa.Text(),
            nullable=False,
            comment="whose books it stands in; never changes",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="GENERAL, CURRENT_YEAR or PAST_YEARS"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("balance_fen", sa.BigInteger(), nullable=False),
        sa.Column("held_fen", sa.BigInteger(), nullable=False),
        sa.Column("frozen_quota_fen", sa.BigInteger(), nullable=False),
        sa.Column(
            "seq", sa.BigInteger(), nullable=False, comment="of the last entry, 0 before the first"
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("balance_fen >= 0", name=op.f("accounts_balance_check")),
        sa.CheckConstraint("frozen_quota_fen >= 0", name=op.f("accounts_frozen_quota_check")),
        sa.CheckConstraint(
            "held_fen >= 0 AND held_fen <= balance_fen", name=op.f("accounts_held_check")
        ),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("accounts_pkey")),
        comment="Personal accounts with their balance; in the owner's home region.",
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "accounts_one_open_of_a_kind",
        "accounts",
        ["region", "person_id", "kind"],
        unique=True,
        postgresql_where=sa.text("state <> 'CLOSED'"),
    )
    op.create_index(
        op.f("accounts_region_person_id_idx"), "accounts", ["region", "person_id"], unique=False
    )
    op.create_table(
        "bindings",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("beneficiary_id", sa.Uuid(), nullable=False),
        sa.Column("donor_id", sa.Uuid(), nullable=False),
        sa.Column(
            "relation", sa.Text(), nullable=False, comment="what the beneficiary is to the donor"
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_to", sa.Date(), nullable=True, comment="last day"),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("uses", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("per_settlement_fen", sa.BigInteger(), nullable=True),
        sa.Column("per_day_fen", sa.BigInteger(), nullable=True),
        sa.Column("per_month_fen", sa.BigInteger(), nullable=True),
        sa.Column("per_year_fen", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column(
            "commitment",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="{text_version, accepted_at, signer}",
        ),
        sa.Column(
            "document_ids",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the documents attached",
        ),
        sa.Column(
            "donor_region",
            sa.Text(),
            nullable=False,
            comment="the pooling region whose rules decide",
        ),
        sa.Column(
            "policy",
            sa.Text(),
            nullable=False,
            comment="digest and blocks of the rules that decided",
        ),
        sa.Column(
            "key_id",
            sa.SmallInteger(),
            nullable=False,
            comment="data key of the sealed columns",
        ),
        sa.Column(
            "beneficiary_phone",
            sa.LargeBinary(),
            nullable=True,
            comment="sealed; as the application gave it",
        ),
        sa.Column(
            "created_by",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="{role, subject, actor}",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("bindings_pkey")),
        comment="共济绑定: who may spend whose money; in the beneficiary's home region.",
    )
    op.create_index(
        op.f("bindings_donor_region_state_created_at_idx"),
        "bindings",
        ["donor_region", "state", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("bindings_region_beneficiary_id_idx"),
        "bindings",
        ["region", "beneficiary_id"],
        unique=False,
    )
    op.create_table(
        "catalog_items",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("catalog_code", sa.Text(), nullable=False, comment="med_list_codg"),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("catalog_class", sa.Text(), nullable=False, comment="A 甲, B 乙, C 丙"),
        sa.Column("self_pay_bp", sa.BigInteger(), nullable=False),
        sa.Column(
            "price_ceiling_micro_yuan",
            sa.BigInteger(),
            nullable=True,
            comment="pric_uplmt_amt, in 10^-6 yuan",
        ),
        sa.Column(
            "account_payable", sa.Boolean(), nullable=False, comment="personal accounts may pay it"
        ),
        sa.PrimaryKeyConstraint(
            "region", "catalog_code", "effective_from", name=op.f("catalog_items_pkey")
        ),
        comment="The catalogue of a region; its province's or the nation's where it has no row.",
    )
    op.create_table(
        "counters",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False, comment="a person or a binding"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "day", sa.Date(), nullable=False, comment="the day, or 1 January for sums of a year"
        ),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen >= 0", name=op.f("counters_amount_check")),
        sa.PrimaryKeyConstraint("region", "subject_id", "kind", "day", name=op.f("counters_pkey")),
        comment="Sums that limits and benefits count, by Shanghai day.",
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "document_chunks",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("chunk_no", sa.SmallInteger(), nullable=False),
        sa.Column("key_id", sa.SmallInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.PrimaryKeyConstraint(
            "region", "document_id", "chunk_no", name=op.f("document_chunks_pkey")
        ),
        comment="The sealed bytes of documents.",
    )
    op.create_table(
        "documents",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("of", sa.Text(), nullable=False, comment="DONOR, BENEFICIARY or BOTH"),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "uploaded_by",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="{role, subject, actor}",
        ),
        sa.Column(
            "binding_id", sa.Uuid(), nullable=True, comment="the one binding it is attached to"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("documents_pkey")),
        comment="Uploaded proofs; in the uploader's region.",
    )
    op.create_table(
        "donor_bindings",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("donor_id", sa.Uuid(), nullable=False),
        sa.Column(
            "binding_id", sa.Uuid(), nullable=False, comment="carries the beneficiary's home region"
        ),
        sa.PrimaryKeyConstraint(
            "region", "donor_id", "binding_id", name=op.f("donor_bindings_pkey")
        ),
        comment="The donor's index of bindings; in the donor's home region.",
    )
    op.create_table(
        "enrolments",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("insurance", sa.Text(), nullable=False),
        sa.Column("insured_region", sa.Text(), nullable=False, comment="insuplc_admdvs"),
        sa.Column("person_type", sa.Text(), nullable=False),
        sa.Column(
            "periods",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="[{from, to, status, as_individual}], by from",
        ),
        sa.Column("arrears_paid_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint(
            "region", "person_id", "insurance", "insured_region", name=op.f("enrolments_pkey")
        ),
        comment="Where, how and when a person is insured; in the person's home region.",
    )
    op.create_table(
        "entries",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="1, 2, 3 ... without gaps"),
        sa.Column("journal_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "amount_fen",
            sa.BigInteger(),
            nullable=False,
            comment="negative: money left the account",
        ),
        sa.Column("balance_after_fen", sa.BigInteger(), nullable=False),
        sa.Column(
            "source_id",
            sa.Uuid(),
            nullable=True,
            comment="the settlement, payment or hold that moved it",
        ),
        sa.Column(
            "counterparty",
            sa.Text(),
            nullable=True,
            comment="institution code, or who gave or took the money",
        ),
        sa.Column(
            "beneficiary_id", sa.Uuid(), nullable=True, comment="whose purchase or premium it was"
        ),
        sa.Column(
            "binding_id",
            sa.Uuid(),
            nullable=True,
            comment="the binding a donor's money moved under",
        ),
        sa.Column("memo", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("entries_amount_check")),
        sa.CheckConstraint("balance_after_fen >= 0", name=op.f("entries_balance_after_check")),
        sa.CheckConstraint("seq > 0", name=op.f("entries_seq_check")),
        sa.PrimaryKeyConstraint("region", "account_id", "seq", name=op.f("entries_pkey")),
        comment="Append-only: every movement of a personal account.",
    )
    op.create_table(
        "institutions",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("institution_code", sa.Text(), nullable=False, comment="fixmedins_code"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("region", "institution_code", name=op.f("institutions_pkey")),
        comment="Designated pharmacies, clinics and hospitals.",
    )
    op.create_index(
        op.f("institutions_institution_code_idx"),
        "institutions",
        ["institution_code"],
        unique=False,
    )
    op.create_table(
        "ledger_lines",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("journal_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.SmallInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("counterparty", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ledger_lines_amount_check")),
        sa.PrimaryKeyConstraint("region", "journal_id", "line_no", name=op.f("ledger_lines_pkey")),
        comment="Append-only: the other side of journals; no stored balance.",
    )
    op.create_table(
        "key_checks",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column(
            "key_id",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="0: the index key; else a data key",
        ),
        sa.Column(
            "proof",
            sa.LargeBinary(),
            nullable=False,
            comment="what only that key makes of a text",
        ),
        sa.PrimaryKeyConstraint("region", "key_id", name=op.f("key_checks_pkey")),
        comment="Tells whether a key file is the one this database was sealed with; region 000000.",
    )
    op.create_table(
        "person_directory",
        sa.Column(
            "hash", sa.LargeBinary(), nullable=False, comment="HMAC-SM3 of a certificate or card"
        ),
        sa.Column("person_id", sa.Uuid(), nullable=False, comment="carries its home region"),
        sa.PrimaryKeyConstraint("hash", name=op.f("person_directory_pkey")),
        comment="Finds people: the one table whose key is not led by a region.",
    )
    op.create_table(
        "persons",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "key_id", sa.SmallInteger(), nullable=False, comment="data key of the sealed columns"
        ),
        sa.Column("name", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.Column("certificate_type", sa.Text(), nullable=False),
        sa.Column("certificate_number", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.Column("card_no", sa.LargeBinary(), nullable=True, comment="sealed"),
        sa.Column("phone", sa.LargeBinary(), nullable=True, comment="sealed"),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("died_on", sa.Date(), nullable=True),
        sa.Column(
            "guardians",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="[{person_id, kind, from, to}]",
        ),
        sa.Column(
            "premium_years",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="[{year, paid_on, kind}]",
        ),
        sa.Column(
            "identities",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="psn_idet_type as enum names",
        ),
        sa.Column("chronic_diseases", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("referral_filings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("persons_pkey")),
        comment="Insured people; in the region that first registered them, their home for ever.",
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "requests",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column(
            "caller", sa.Text(), nullable=False, comment="institution acted for, or token's subject"
        ),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="a keyed hash a field"),
        sa.Column("result_id", sa.Uuid(), nullable=True, comment="what the request made"),
        sa.Column(
            "answer",
            sa.LargeBinary(),
            nullable=True,
            comment="the first answer as it was; set before commit",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("region", "caller", "request_id", name=op.f("requests_pkey")),
        comment="Idempotency keys; they never expire.",
        postgresql_with={"toast_tuple_target": 8160},
    )
    op.create_table(
        "settlements",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("institution_code", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("insured_region", sa.Text(), nullable=False),
        sa.Column("insurance", sa.Text(), nullable=False),
        sa.Column("visit_type", sa.Text(), nullable=False),
        sa.Column("account_use", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("full_self_pay_fen", sa.BigInteger(), nullable=False),
        sa.Column("over_limit_fen", sa.BigInteger(), nullable=False),
        sa.Column("pre_self_pay_fen", sa.BigInteger(), nullable=False),
        sa.Column("in_scope_fen", sa.BigInteger(), nullable=False),
        sa.Column("deductible_fen", sa.BigInteger(), nullable=False),
        sa.Column("fund_ratio_bp", sa.BigInteger(), nullable=False),
        sa.Column("fund_pay_fen", sa.BigInteger(), nullable=False),
        sa.Column("personal_fen", sa.BigInteger(), nullable=False),
        sa.Column("account_pay_fen", sa.BigInteger(), nullable=False),
        sa.Column("mutual_aid_pay_fen", sa.BigInteger(), nullable=False),
        sa.Column("cash_pay_fen", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False, comment="the policy blocks that decided it"),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="lines, legs and facts of the explanation",
        ),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "mutual_aid_pay_fen BETWEEN 0 AND account_pay_fen AND cash_pay_fen >= 0 AND fund_pay_fen >= 0",
            name=op.f("settlements_parts_check"),
        ),
        sa.CheckConstraint(
            "personal_fen = account_pay_fen + cash_pay_fen", name=op.f("settlements_personal_check")
        ),
        sa.CheckConstraint(
            "total_fen = full_self_pay_fen + over_limit_fen + pre_self_pay_fen + in_scope_fen",
            name=op.f("settlements_total_by_scope_check"),
        ),
        sa.CheckConstraint(
            "total_fen = fund_pay_fen + personal_fen", name=op.f("settlements_total_by_payer_check")
        ),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("settlements_pkey")),
        comment="What a till settled, as first decided; in the institution's region.",
        postgresql_with={"toast_tuple_target": 8160},
    )
    _guard_append_only()
    _grant()


def _guard_append_only() -> None:
    """What is written stays written, also for the owner; Citus has privileges only."""
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END$$
        """
    )
    if op.get_bind().scalar(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'citus'")):
        return
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _grant() -> None:
    for table in _APPEND_ONLY:
        grant_to_runtime(table, "SELECT", "INSERT")
    for table in _CHANGING:
        grant_to_runtime(table, "SELECT", "INSERT", "UPDATE", "DELETE")
