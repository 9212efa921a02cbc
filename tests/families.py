"""Builders: people with accounts, places and prices, written straight into a database.

Rule: a builder makes what a test names and fills in the rest; it goes through the same rows and
seals as production.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

from gongji_svc.domain.binding import Binding, BindingState
from gongji_svc.domain.certificate import check_digit
from gongji_svc.domain.guardian import Guardian
from gongji_svc.domain.person import Enrolment, Period, Person, ReferralFiling
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance, InsuredStatus, PersonType, Relation, Use
from gongji_svc.storage import packed, tables
from gongji_svc.storage.bindings import Kept
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id, region_of
from gongji_svc.storage.people import Identity, Registered
from gongji_svc.storage.sealing import KeyRing, Sealer
from gongji_svc.storage.state import AccountRow
from gongji_svc.storage.statements import Row, Write

KEYS = KeyRing(bytes(range(32)), {1: bytes(range(16))})
LONG_AGO = date(2015, 1, 1)
BORN = date(1980, 1, 1)
_numbers = count(1)
_WRITES = {table.name: Write(table) for table in tables.metadata.sorted_tables}


@dataclass(frozen=True, slots=True)
class Made:
    """A person that was made."""

    person_id: UUID
    name: str
    certificate_number: str
    card_no: str
    account_id: UUID | None

    def __str__(self) -> str:
        return str(self.person_id)


@dataclass(slots=True)
class Families:
    """Writes people, accounts and bindings into one database."""

    database: Database
    sealer: Sealer = field(default_factory=lambda: Sealer(KEYS))

    def write(self, *rows: tuple[str, Row]) -> None:
        """Insert (table name, row) pairs."""
        with self.database.connect() as tx:
            packed.register(tx)
            for table, row in rows:
                _WRITES[table].run(tx, [row], by_region=False)

    def account(self, region: str, balance_fen: int = 0, *, person_id: UUID | None = None) -> UUID:
        """An open GENERAL account; its id."""
        now = datetime.now(UTC)
        account_id = new_id(region)
        owner = person_id or new_id(region)
        row = AccountRow(
            region, account_id, owner, region, "GENERAL", "OPEN", balance_fen, 0, 0, 0, now
        ).row()
        self.write(("accounts", row))
        return account_id

    def person(
        self,
        region: str,
        *,
        balance_fen: int | None = None,
        insurance: Insurance = Insurance.EMPLOYEE,
        person_type: PersonType | None = None,
        name: str = "",
        periods: Iterable[Period] = (Period(LONG_AGO),),
        chronic_diseases: Iterable[str] = (),
        guardians: Iterable[Guardian] = (),
        referral_filings: Iterable[ReferralFiling] = (),
        home: str = "",
    ) -> Made:
        """A person insured in `region`, with an account when a balance is given; registered in
        `home` where that is another region.
        """
        number = next(_numbers)
        resident = insurance is Insurance.RESIDENT
        kind = person_type or (PersonType.RESIDENT if resident else PersonType.ACTIVE)
        person = Person(
            person_id=new_id(home or region),
            name=name or f"王{number}",
            birth_date=BORN,
            enrolments=(Enrolment(insurance, region, kind, tuple(periods)),),
            chronic_diseases=frozenset(chronic_diseases),
            guardians=tuple(guardians),
            referral_filings=tuple(referral_filings),
        )
        certificate_number = identity_card(region, BORN, number)
        identity = Identity("ID_CARD", certificate_number, person.name, f"K{number:09d}")
        row, enrolments = Registered(person, identity).rows(self.sealer, datetime.now(UTC))
        self.write(
            ("persons", row),
            *(("enrolments", enrolment) for enrolment in enrolments),
            *(
                ("person_directory", (found, person.person_id))
                for found in identity.hashes(self.sealer)
            ),
        )
        account_id = None
        if balance_fen is not None:
            account_id = self.account(home or region, balance_fen, person_id=person.person_id)
        card_no = identity.card_no or ""
        return Made(person.person_id, person.name, certificate_number, card_no, account_id)

    def bind(
        self,
        donor: Made,
        beneficiary: Made,
        *,
        rank: int = 1,
        relation: Relation = Relation.CHILD,
        state: BindingState = BindingState.ACTIVE,
        limits: Caps = Caps(),  # noqa: B008 - a frozen value
    ) -> UUID:
        """A binding in force since yesterday; its id."""
        now = datetime.now(UTC)
        binding = Binding(
            binding_id=new_id(region_of_person(beneficiary)),
            donor_id=donor.person_id,
            beneficiary_id=beneficiary.person_id,
            relation=relation,
            state=state,
            bound_at=now,
            effective_from=now.date() - timedelta(days=1),
            rank=rank,
            uses=frozenset(Use),
            limits=limits,
        )
        kept = Kept(
            binding=binding,
            channel="APP",
            commitment={},
            document_ids=(),
            donor_region=region_of(donor.person_id),
            policy=f"digest {region_of(donor.person_id)}@2024-01-01",
            key_id=self.sealer.key_id,
            beneficiary_phone=None,
            created_by={"role": "citizen", "subject": str(donor), "actor": ""},
            updated_at=now,
        )
        self.write(("bindings", kept.row()), ("donor_bindings", kept.donor_row()))
        return binding.binding_id

    def institution(
        self, region: str, *, kind: str = "PHARMACY", level: str = "NONE", status: str = "ACTIVE"
    ) -> str:
        """A designated institution; its code."""
        code = f"{kind[0]}{region}{next(_numbers):05d}"
        row = (region, code, f"机构{code}", kind, level, status, datetime.now(UTC))
        self.write(("institutions", row))
        return code

    def item(
        self,
        region: str,
        code: str,
        *,
        catalog_class: str = "A",
        self_pay_bp: int = 0,
        ceiling_micro_yuan: int | None = None,
        account_payable: bool = True,
    ) -> str:
        """A row of the catalogue; its code."""
        price = (catalog_class, self_pay_bp, ceiling_micro_yuan, account_payable)
        self.write(("catalog_items", (region, code, date(2020, 1, 1), f"药品{code}", *price)))
        return code


def identity_card(region: str, born: date, serial: int) -> str:
    """The number of a resident identity card, with its right check digit; each serial's another."""
    first = f"{region[:4]}{serial // 1000:02d}{born:%Y%m%d}{serial % 1000:03d}"
    return first + check_digit(first)


def region_of_person(made: Made) -> str:
    """The person's home region."""
    return region_of(made.person_id)


LAPSED = (
    Period(LONG_AGO, date(2024, 1, 31)),
    Period(date(2024, 2, 1), status=InsuredStatus.PAUSED),
)
