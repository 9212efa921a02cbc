"""People by the million: made in the database, by INSERT ... SELECT, in the order of their ids.

Rule: rows are as wide as real ones and keys as they are in production; ids, balances and numbers of
entries fit each other. Only families who will come to a till are sealed and found by their cards,
one in so many, evenly spread: of all others names and hashes are bytes that nobody can open.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from bench.population import (
    CODES,
    FILLED,
    FIRST_DONOR_MOST_FEN,
    ITEMS,
    OWN_FEN,
    PHARMACIES,
    Patient,
    code_of,
    region_codes,
)
from gongji_svc.storage.people import CARD
from gongji_svc.storage.sealing import Sealer, place

_FAMILY = 3
_PERSON, _ACCOUNT, _BINDING, _JOURNAL = range(4)
_KINDS = 8
_SINCE_MS = 1_735_689_600_000
_COUNTER, _RANDOM, _REGION_SHIFT = 1 << 12, 1 << 42, 42
_SPREADS = 2_654_435_761  # odd, so no two numbers come to the same
_TABLES = (*FILLED, "entries")
_THREADS = 2

_PREPARE = f"""
    CREATE FUNCTION bench_id(kind int, number bigint, region text) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (
        lpad(to_hex({_SINCE_MS} + number / {_COUNTER}), 12, '0') || '8'
        || lpad(to_hex(number % {_COUNTER}), 3, '0')
        || to_hex(-9223372036854775808 | (region::bigint << {_REGION_SHIFT})
            | ((number * {_KINDS} + kind) * {_SPREADS} % {_RANDOM})))::uuid;
    CREATE FUNCTION bench_region(family bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN ({{regions}}::text[])[family % {{count}} + 1];
    CREATE TABLE bench_sealed (number bigint PRIMARY KEY, name bytea, certificate bytea,
        card bytea, by_certificate bytea, by_card bytea);
    ALTER TABLE person_directory DROP CONSTRAINT person_directory_pkey;
"""
_DIRECTORY_KEY = """
    ALTER TABLE person_directory ADD CONSTRAINT person_directory_pkey PRIMARY KEY (hash)"""
_SEALED = "COPY bench_sealed FROM STDIN (FORMAT binary)"
_FROM_PEOPLE = """
    FROM generate_series({first}::bigint, {last}::bigint) AS n
    CROSS JOIN LATERAL (SELECT bench_region(n / 3) AS region) AS at"""
# One family after the other: the patient, then two donors, of whom the first has a limit.
_FILL = {
    "institutions": """
        INSERT INTO institutions (region, institution_code, name, kind, level, status, updated_at)
        SELECT bench_region(n), concat('P', bench_region(n), lpad(n::text, 9, '0')), '药店',
            'PHARMACY', 'NONE', 'ACTIVE', now()
        FROM generate_series(0, {pharmacies}::bigint - 1) AS n WHERE {first} = 0""",
    "persons": f"""
        INSERT INTO persons (region, id, key_id, name, certificate_type, certificate_number,
            card_no, birth_date, guardians, premium_years, identities, chronic_diseases,
            referral_filings, created_at, updated_at)
        SELECT at.region, bench_id({_PERSON}, n, at.region), {{key_id}},
            coalesce(s.name, other || '\\x0000000000'), 'ID_CARD',
            coalesce(s.certificate, other || '\\x0000000000000000000000000000'),
            coalesce(s.card, other || '\\x000000000000'), '1980-01-01', '[]', '[]', '[]', '[]',
            '[]', now(), now()
        {_FROM_PEOPLE}
        CROSS JOIN LATERAL (SELECT sha256(int8send(n)) AS other) AS made
        LEFT JOIN bench_sealed AS s ON s.number = n""",
    "enrolments": f"""
        INSERT INTO enrolments (region, person_id, insurance, insured_region, person_type, periods)
        SELECT at.region, bench_id({_PERSON}, n, at.region), 'EMPLOYEE', at.region, 'ACTIVE',
            '[{{{{"from": "2015-01-01", "status": "NORMAL"}}}}]'
        {_FROM_PEOPLE}""",
    "person_directory": f"""
        INSERT INTO person_directory (hash, person_id)
        SELECT hash, bench_id({_PERSON}, n, at.region)
        {_FROM_PEOPLE}
        LEFT JOIN bench_sealed AS s ON s.number = n
        CROSS JOIN LATERAL (VALUES
            (coalesce(s.by_certificate, sha256(int8send(-1 - 2 * n)))),
            (coalesce(s.by_card, sha256(int8send(-2 - 2 * n))))) AS made (hash)""",
    "accounts": f"""
        INSERT INTO accounts (region, id, person_id, pool_region, kind, state, balance_fen,
            held_fen, frozen_quota_fen, seq, recorded_at)
        SELECT at.region, bench_id({_ACCOUNT}, n, at.region), bench_id({_PERSON}, n, at.region),
            at.region, 'GENERAL', 'OPEN',
            {{each}}::bigint * CASE n % 3 WHEN 0 THEN {{own}} ELSE {{given}} END,
            0, 0, {{each}}, now()
        {_FROM_PEOPLE}""",
    "bindings": f"""
        INSERT INTO bindings (region, id, beneficiary_id, donor_id, relation, state, rank,
            effective_from, uses, per_settlement_fen, channel, commitment, document_ids,
            donor_region, policy, key_id, created_by, created_at, updated_at)
        SELECT at.region, bench_id({_BINDING}, n, at.region),
            bench_id({_PERSON}, n / 3 * 3, at.region), bench_id({_PERSON}, n, at.region), 'CHILD',
            'ACTIVE', n % 3, current_date - 30, '["MEDICAL", "PREMIUM"]',
            CASE n % 3 WHEN 1 THEN {{first_most}} END, 'APP', '{{{{}}}}', '[]', at.region,
            concat('digest ', at.region, '@2024-01-01'), {{key_id}}, jsonb_build_object('role',
                'citizen', 'actor', '', 'subject', bench_id({_PERSON}, n, at.region)), now(), now()
        {_FROM_PEOPLE} WHERE n % 3 > 0""",
    "donor_bindings": f"""
        INSERT INTO donor_bindings (region, donor_id, binding_id)
        SELECT at.region, bench_id({_PERSON}, n, at.region), bench_id({_BINDING}, n, at.region)
        {_FROM_PEOPLE} WHERE n % 3 > 0""",
    "entries": f"""
        INSERT INTO entries (region, account_id, seq, journal_id, kind, amount_fen,
            balance_after_fen, counterparty, memo, occurred_at, recorded_at)
        SELECT at.region, bench_id({_ACCOUNT}, n, at.region), seq,
            bench_id({_JOURNAL}, seq, at.region), 'ALLOCATION', fen, seq * fen, at.region, '划入',
            now(), now()
        {_FROM_PEOPLE}
        CROSS JOIN LATERAL (
            SELECT CASE n % 3 WHEN 0 THEN {{own}} ELSE {{given}} END::bigint) AS of (fen)
        CROSS JOIN generate_series(1, {{each}}) AS seq""",
}
_DONOR_FEN = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Bulk:
    """So many people, in families of three over some regions, each account with so many entries;
    about `at_tills` families, if there are that many, come to tills.
    """

    persons: int
    entries_each: int
    regions: int
    at_tills: int

    @property
    def families(self) -> int:
        """How many there are."""
        return self.persons // _FAMILY

    @property
    def entries(self) -> int:
        """How many there are to begin with."""
        return self.families * _FAMILY * self.entries_each

    @property
    def sealed(self) -> range:
        """The families who come to tills."""
        return range(0, self.families, max(1, self.families // self.at_tills))

    def fill(self, url: str, sealer: Sealer) -> list[Patient]:
        """Fill an empty database, by its owner; the patients who come to tills, in no order."""
        codes = region_codes(self.regions)
        numbers = self.sealed
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(SQL(_PREPARE).format(regions=Literal(codes), count=Literal(len(codes))))
            with owner.cursor().copy(_SEALED) as copy:
                copy.set_types(["int8", *["bytea"] * 5])
                for row in _sealed(numbers, codes, sealer):
                    copy.write_row(row)
            owner.execute("VACUUM ANALYZE bench_sealed")
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda table: self._fill(url, table, sealer), reversed(_FILL)))
            list(pool.map(lambda table: _settle_down(url, table), reversed(_TABLES)))
        return [_patient(number, codes) for number in numbers]

    def _fill(self, url: str, table: str, sealer: Sealer) -> None:
        with psycopg.connect(url) as owner:
            values = {
                "first": 0,
                "last": self.families * _FAMILY - 1,
                "pharmacies": PHARMACIES,
                "key_id": sealer.key_id,
                "each": self.entries_each,
                "own": OWN_FEN // self.entries_each,
                "given": _DONOR_FEN,
                "first_most": FIRST_DONOR_MOST_FEN,
            }
            literals = {name: Literal(value) for name, value in values.items()}
            owner.execute(
                SQL("ALTER TABLE {} SET (autovacuum_enabled = off)").format(Identifier(table))
            )
            owner.execute("SET enable_nestloop = off")
            owner.execute(SQL(_FILL[table]).format(**literals))


def _settle_down(url: str, table: str) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        if table == "person_directory":
            owner.execute("SET maintenance_work_mem = '512MB'")
            owner.execute(_DIRECTORY_KEY)
        owner.execute(SQL("VACUUM ANALYZE {}").format(Identifier(table)))
        owner.execute(SQL("ALTER TABLE {} RESET (autovacuum_enabled)").format(Identifier(table)))


def _id(kind: int, number: int, region: str) -> UUID:
    """As bench_id in the database."""
    low = 1 << 63 | int(region) << _REGION_SHIFT
    low |= (number * _KINDS + kind) * _SPREADS % _RANDOM
    high = (_SINCE_MS + number // _COUNTER) << 16 | 0x8 << 12 | number % _COUNTER
    return UUID(int=high << 64 | low)


def _sealed(families: range, codes: Sequence[str], sealer: Sealer) -> Iterator[tuple[object, ...]]:
    for family in families:
        region = codes[family % len(codes)]
        for number in range(family * _FAMILY, (family + 1) * _FAMILY):
            person_id = _id(_PERSON, number, region)
            certificate = f"{region}1980{number:08d}"
            yield (
                number,
                sealer.seal(f"王{number}", place(person_id, "name")),
                sealer.seal(certificate, place(person_id, "certificate_number")),
                sealer.seal(f"K{number:09d}", place(person_id, "card_no")),
                sealer.index("ID_CARD", certificate),
                sealer.index(CARD, f"K{number:09d}"),
            )


def _patient(family: int, codes: Sequence[str]) -> Patient:
    region, number = codes[family % len(codes)], family * _FAMILY
    place_in = range(family % len(codes), PHARMACIES, len(codes))
    pharmacy = place_in[family * 31 % len(place_in)]
    items = tuple(code_of((family * 7 + place * 13) % CODES) for place in range(ITEMS))
    return Patient(f"王{number}", f"K{number:09d}", f"P{region}{pharmacy:09d}", items)
