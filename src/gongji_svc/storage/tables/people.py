"""Tables of people, places and prices, and of this installation."""

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
)
from sqlalchemy.dialects.postgresql import JSONB

from gongji_svc.storage.tables.columns import ROOM_FOR_UPDATES, instant, metadata, region

# --- this installation

key_checks = Table(
    "key_checks",
    metadata,
    region(),
    Column("key_id", SmallInteger, primary_key=True, comment="0: the index key; else a data key"),
    Column("proof", LargeBinary, nullable=False, comment="what only that key makes of a text"),
    instant("closed_at", nullable=True, comment="from then on nothing is sealed with it"),
    instant("retired_at", nullable=True, comment="no value was sealed with it any more"),
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
    region(),
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
    instant("created_at"),
    instant("updated_at"),
    comment="Insured people; in the region that first registered them, their home for ever.",
    postgresql_with=ROOM_FOR_UPDATES,
)

enrolments = Table(
    "enrolments",
    metadata,
    region(),
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
    region(),
    Column("institution_code", Text, primary_key=True, comment="fixmedins_code"),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("status", Text, nullable=False),
    instant("updated_at"),
    Index(None, "institution_code"),
    comment="Designated pharmacies, clinics and hospitals.",
)

catalog_items = Table(
    "catalog_items",
    metadata,
    region(),
    Column("catalog_code", Text, primary_key=True, comment="med_list_codg"),
    Column("effective_from", Date, primary_key=True),
    Column("name", Text, nullable=False),
    Column("catalog_class", Text, nullable=False, comment="A 甲, B 乙, C 丙"),
    Column("self_pay_bp", BigInteger, nullable=False),
    Column("price_ceiling_micro_yuan", BigInteger, comment="pric_uplmt_amt, in 10^-6 yuan"),
    Column("account_payable", Boolean, nullable=False, comment="personal accounts may pay it"),
    comment="The catalogue of a region; its province's or the nation's where it has no row.",
)
