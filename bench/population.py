"""People, places and prices for the benchmark: families of a patient and two donors.

Rule: rows and seals are those of production; only the way in is shorter. Each purchase of a family
empties the patient's account, takes the first donor's share up to a limit and the rest from the
second: three accounts each time. `refill` fills the patients' accounts again, between the rounds
and without an entry, for nobody reads these books.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from gongji_svc.domain.binding import Binding, BindingState
from gongji_svc.domain.person import Enrolment, Period, Person
from gongji_svc.domain.policy_values import NO_CAPS, Caps
from gongji_svc.domain.terms import Insurance, PersonType, Relation, Use
from gongji_svc.storage import packed, tables
from gongji_svc.storage.bindings import Kept
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id, region_of
from gongji_svc.storage.people import Identity, Registered
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.statements import Row, Tx, Write

FILLED = (
    "person_directory",
    "persons",
    "enrolments",
    "institutions",
    "catalog_items",
    "bindings",
    "donor_bindings",
    "accounts",
)
"""The tables that a population fills."""

ITEMS = 3
LEGS = 3
PRICES_FEN = (3680, 2890, 3430)
OWN_FEN = 3_000
FIRST_DONOR_MOST_FEN = 4_000
_ONCE = (FIRST_DONOR_MOST_FEN, None)
_MANY_TIMES = (FIRST_DONOR_MOST_FEN, OWN_FEN, None)
_DONOR_FEN = 10_000_000_000
PHARMACIES = 337
CODES = 1_000
_CHUNK = 4_000
_LONG_AGO = date(2015, 1, 1)
_WRITES = {table.name: Write(table) for table in tables.metadata.sorted_tables}

# Ulanqab and Tieling have rules of their own, Hohhot admits other patients than these; the rest
# are ruled by their provinces.
_OWN_RULES = ("150900", "211200")
_EXCEPTED = ("150000", "150100", "210000", *_OWN_RULES)


def region_codes(count: int) -> list[str]:
    """So many regions of two provinces."""
    others = (f"{province}{number:04d}" for number in range(9999) for province in (15, 21))
    fitting = (code for code in others if code not in _EXCEPTED)
    return [*_OWN_RULES, *(code for code, _ in zip(fitting, range(count), strict=False))][:count]


@dataclass(frozen=True, slots=True)
class Patient:
    """Who buys, and where."""

    name: str
    card_no: str
    institution_code: str
    catalog_codes: tuple[str, ...]

    @property
    def region(self) -> str:
        """Where they live and buy."""
        return self.institution_code[1:7]


class _Chunks:
    """Rows on their way to the database, table by table."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)

    def add(self, table: str, row: Row) -> None:
        rows = self._rows[table]
        rows.append(row)
        if len(rows) >= _CHUNK:
            self._send(table)

    def finish(self) -> None:
        for table in self._rows:
            self._send(table)

    def _send(self, table: str) -> None:
        _WRITES[table].run(self._tx, self._rows[table], by_region=False)
        self._rows[table] = []


class Maker:
    """Fills a fresh database; several populations may share it."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._numbers = iter(range(10**9))
        self._random = random.Random(1)  # noqa: S311 - the same purchases in every run
        self._now = datetime.now(UTC)

    def prices(self) -> None:
        """The catalogues of both provinces."""
        with self._database.connect() as tx:
            packed.register(tx)
            chunks = _Chunks(tx)
            for province in ("150000", "210000"):
                for number in range(CODES):
                    code = code_of(number)
                    price = ("A", 0, None, True)
                    row = (province, code, date(2020, 1, 1), f"药品{number}", *price)
                    chunks.add("catalog_items", row)
            chunks.finish()

    def population(self, regions: int, persons: int) -> list[Patient]:
        """Families of three over so many regions, in the order in which they come to the tills."""
        with self._database.connect() as tx:
            packed.register(tx)
            chunks = _Chunks(tx)
            patients = list(self._families(chunks, region_codes(regions), persons // 3))
            chunks.finish()
        self._random.shuffle(patients)
        return patients

    def _families(self, chunks: _Chunks, regions: list[str], count: int) -> Iterator[Patient]:
        pharmacies: defaultdict[str, list[str]] = defaultdict(list)
        for number in range(PHARMACIES):
            region = regions[number % len(regions)]
            pharmacies[region].append(self._pharmacy(chunks, region))
        for number in range(count):
            region = regions[number % len(regions)]
            pharmacy = self._random.choice(pharmacies[region])
            yield self._family(chunks, region, pharmacy)

    def one_family(self, patients: Sequence[Patient]) -> list[Patient]:
        """One patient at every pharmacy of a region. The own account is empty after the first
        purchase, so there is a third donor: three accounts pay all the same.
        """
        region = patients[0].region
        codes = sorted({one.institution_code for one in patients if one.region == region})
        with self._database.connect() as tx:
            packed.register(tx)
            chunks = _Chunks(tx)
            patient = self._family(chunks, region, codes[0], _MANY_TIMES)
            chunks.finish()
        return [replace(patient, institution_code=code) for code in codes]

    def _family(
        self, chunks: _Chunks, region: str, pharmacy: str, most_fen: Sequence[int | None] = _ONCE
    ) -> Patient:
        """A patient, and a donor for each of the most that one pays for a purchase."""
        patient, card_no = self._person(chunks, region, OWN_FEN)
        for rank, most in enumerate(most_fen, 1):
            caps = NO_CAPS if most is None else Caps(per_settlement_fen=most)
            donor, _ = self._person(chunks, region, _DONOR_FEN)
            kept = self._binding(donor, patient, rank, caps)
            chunks.add("bindings", kept.row())
            chunks.add("donor_bindings", kept.donor_row())
        codes = tuple(code_of(number) for number in self._random.sample(range(CODES), ITEMS))
        return Patient(patient.name, card_no, pharmacy, codes)

    def _person(self, chunks: _Chunks, region: str, balance_fen: int) -> tuple[Person, str]:
        number = next(self._numbers)
        enrolment = Enrolment(Insurance.EMPLOYEE, region, PersonType.ACTIVE, (Period(_LONG_AGO),))
        person = Person(
            person_id=new_id(region),
            name=f"王{number}",
            birth_date=date(1980, 1, 1),
            enrolments=(enrolment,),
        )
        card_no = f"K{number:09d}"
        identity = Identity("ID_CARD", f"{region}1980{number:08d}", person.name, card_no)
        row, enrolments = Registered(person, identity).rows(self._sealer, self._now)
        chunks.add("persons", row)
        for one in enrolments:
            chunks.add("enrolments", one)
        for found in identity.hashes(self._sealer):
            chunks.add("person_directory", (found, person.person_id))
        account = (region, new_id(region), person.person_id, region, "GENERAL", "OPEN")
        chunks.add("accounts", (*account, balance_fen, 0, 0, 0, self._now, None, ""))
        return person, card_no

    def _binding(self, donor: Person, patient: Person, rank: int, limits: Caps) -> Kept:
        region = region_of(patient.person_id)
        return Kept(
            binding=Binding(
                binding_id=new_id(region),
                donor_id=donor.person_id,
                beneficiary_id=patient.person_id,
                relation=Relation.CHILD,
                state=BindingState.ACTIVE,
                bound_at=self._now,
                effective_from=self._now.date() - timedelta(days=30),
                rank=rank,
                uses=frozenset(Use),
                limits=limits,
            ),
            channel="APP",
            commitment={},
            document_ids=(),
            donor_region=region,
            policy=f"digest {region}@2024-01-01",
            key_id=self._sealer.key_id,
            beneficiary_phone=None,
            created_by={"role": "citizen", "subject": str(donor.person_id), "actor": ""},
            updated_at=self._now,
        )

    def _pharmacy(self, chunks: _Chunks, region: str) -> str:
        code = f"P{region}{next(self._numbers):09d}"
        row = (region, code, f"药店{code}", "PHARMACY", "NONE", "ACTIVE", self._now)
        chunks.add("institutions", row)
        return code


def code_of(number: int) -> str:
    """An item of the catalogues."""
    return f"XA{number:05d}"


def by_zipf(patients: Sequence[Patient]) -> list[Patient]:
    """The same patients at pharmacies of their regions, of which the k-th is chosen 1/k² as often
    as the first; as many purchases as there are until a region has no patient left.
    """
    chance = random.Random(1)  # noqa: S311 - the same purchases in every run
    codes = sorted({patient.institution_code for patient in patients}, key=lambda code: code[7:])
    weights = [1 / place**2 for place in range(1, len(codes) + 1)]
    waiting: defaultdict[str, list[Patient]] = defaultdict(list)
    for patient in patients:
        waiting[patient.region].append(patient)
    found: list[Patient] = []
    for code in chance.choices(codes, weights, k=len(patients)):
        some = waiting[code[1:7]]
        if not some:
            break
        found.append(replace(some.pop(), institution_code=code))
    return found


def refill(database: Database) -> None:
    """Fill the patients' accounts that a round has emptied."""
    with database.connect() as tx:
        tx.execute("UPDATE accounts SET balance_fen = %s WHERE balance_fen = 0", [OWN_FEN])


def deadlocks(database: Database) -> int:
    """How many PostgreSQL has seen in this database."""
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    with database.connect() as tx:
        row = tx.execute(query).fetchone()
    assert row is not None  # noqa: S101 - there is the one we are in
    return int(str(row[0]))


def settled(database: Database) -> tuple[int, ...]:
    """How many settlements, entries, journals and answered requests the database holds."""
    query = """SELECT (SELECT count(*) FROM settlements), (SELECT count(*) FROM entries),
        (SELECT count(*) FROM ledger_lines),
        (SELECT count(*) FROM requests WHERE answer IS NOT NULL)"""
    with database.connect() as tx:
        row = tx.execute(query).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return tuple(int(str(count)) for count in row)


def check_kept(
    database: Database, already: int, answered: int, dropped: int = 0, entries_before: int = 0
) -> None:
    """RuntimeError unless what was answered is kept, each with three entries and all that belongs
    to it; of what was dropped nobody knows.
    """
    kept, entries, journals, requests = settled(database)
    found = kept - already
    is_whole = (entries - entries_before, journals, requests) == (LEGS * kept, kept, kept)
    if not (answered <= found <= answered + dropped and is_whole):
        raise RuntimeError(
            f"{answered} purchases were answered, {found} are kept; in all {kept} with {entries} "
            f"entries, {journals} journals and {requests} requests: too few persons for rounds so "
            "long, or worse"
        )
