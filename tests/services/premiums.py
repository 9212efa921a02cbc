"""Premiums in tests: a family whose donor may pay, on a day of the window, and what is sent.

Rule: the clock stands on DAY, in the window of YEAR's premium in Hohhot, Ulanqab and Tieling. A
request has an id of its own unless a test names one.
"""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from gongji.v1 import payment_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc import regions
from gongji_svc.domain.person import PremiumYear
from gongji_svc.domain.rulebook import Rulebook
from gongji_svc.domain.terms import Insurance, Use
from gongji_svc.services.names import enum_name
from gongji_svc.storage.database import Database
from tests.families import LONG_AGO, Families, Made
from tests.services.applications import CLERK, HOHHOT
from tests.services.driver import Driver

SERVICE = "PaymentService"
DAY, YEAR = date(2025, 10, 15), 2026
STANDARD_FEN, BALANCE_FEN = 40_000, 100_000
RESIDENT = types_pb2.INSURANCE_RESIDENT


@dataclass(frozen=True, slots=True)
class Family:
    """A donor with money, a relative insured as a resident, and the binding between them."""

    donor: Made
    child: Made
    binding_id: UUID


def driver_on(database: Database, day: date = DAY) -> Driver:
    """The service, at noon of a day."""
    return Driver(database, day)


def driver_with(database: Database, folder: Path, day: date = DAY, **premium: str) -> Driver:
    """The service with other values of the premium group in Hohhot, as TOML."""
    driver = driver_on(database, day)
    driver.office.rulebook = rules_with(folder, **premium)
    return driver


def family(
    families: Families,
    region: str = HOHHOT,
    *,
    balance_fen: int = BALANCE_FEN,
    uses: Iterable[Use] = tuple(Use),
    **child: Any,
) -> Family:
    """Two people of a region and a binding that may pay premiums; `child` as `Families.person`."""
    donor = families.person(region, balance_fen=balance_fen)
    relative = families.person(region, **{"insurance": Insurance.RESIDENT, **child})
    binding_id = bind(families, donor, relative, uses=uses)
    return Family(donor, relative, binding_id)


def bind(
    families: Families, donor: Made, child: Made, *, uses: Iterable[Use] = tuple(Use), **fields: Any
) -> UUID:
    """A binding in force since long ago; its id."""
    binding_id = families.bind(donor, child, **fields)
    change(families, "bindings", binding_id, effective_from=LONG_AGO, uses=Jsonb(sorted(uses)))
    return binding_id


def change(families: Families, table: str, row_id: UUID | None, **columns: Any) -> None:
    """Other values in the row with the id."""
    values = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in columns)
    query = sql.SQL("UPDATE {} SET {} WHERE id = %s").format(sql.Identifier(table), values)
    with families.database.connect() as tx:
        tx.execute(query, [*columns.values(), row_id])


def also_insured(families: Families, person: Made, insurance: Insurance) -> None:
    """Somebody's enrolment in another insurance, otherwise like the first."""
    query = (
        "INSERT INTO enrolments SELECT (jsonb_populate_record(known, %s)).*"
        " FROM enrolments known WHERE person_id = %s"
    )
    with families.database.connect() as tx:
        tx.execute(query, [Jsonb({"insurance": insurance.value}), person.person_id])


def in_groups(families: Families, person: Made, *groups: str) -> None:
    """Somebody's special groups (特殊群体)."""
    change(families, "persons", person.person_id, identities=Jsonb(sorted(groups)))


def paid_years(families: Families, person: Made, *years: int | PremiumYear) -> None:
    """The insured years that the registry knows as paid; a number: paid in its autumn before."""
    stated = [
        one if isinstance(one, PremiumYear) else PremiumYear(one, date(one - 1, 10, 1))
        for one in years
    ]
    kept = [
        {"year": one.year, "paid_on": one.paid_on.isoformat(), "kind": one.kind.value}
        for one in stated
    ]
    change(families, "persons", person.person_id, premium_years=Jsonb(kept))


def paying(donor: object, child: object, **fields: Any) -> pb.PayPremiumRequest:
    """An order to pay the year's resident premium."""
    usual = {
        "request_id": str(uuid4()),
        "donor_id": str(donor),
        "beneficiary_id": str(child),
        "year": YEAR,
        "insurance": RESIDENT,
    }
    return pb.PayPremiumRequest(**{**usual, **fields})


def pay(driver: Driver, donor: object, child: object, **fields: Any) -> pb.PayPremiumResponse:
    """What the donor is answered to an order."""
    answer = send(driver, "citizen", donor, "PayPremium", paying(donor, child, **fields))
    assert isinstance(answer, pb.PayPremiumResponse)
    return answer


def quote(
    driver: Driver, role: str, subject: object, child: object, **fields: Any
) -> pb.QuotePremiumResponse:
    """What a caller is told of a premium."""
    usual = {"beneficiary_id": str(child), "year": YEAR, "insurance": RESIDENT}
    request = pb.QuotePremiumRequest(**{**usual, **fields})
    answer = send(driver, role, subject, "QuotePremium", request)
    assert isinstance(answer, pb.QuotePremiumResponse)
    return answer


def get(driver: Driver, role: str, subject: object, payment_id: str) -> pb.PremiumPayment:
    """A payment as a caller sees it."""
    request = pb.GetPremiumPaymentRequest(payment_id=payment_id)
    found = send(driver, role, subject, "GetPremiumPayment", request).payment
    assert isinstance(found, pb.PremiumPayment)
    return found


def send(driver: Driver, role: str, subject: object, rpc: str, request: Any) -> Any:
    """What any caller is answered; staff have an actor."""
    actor = CLERK if role in ("counter", "agency") else ""
    return driver.call(role, subject, SERVICE, rpc, request, actor=actor)


def state_of(payment: pb.PremiumPayment) -> str:
    """The name of its state."""
    return enum_name(pb.PremiumPaymentState, payment.state)


def rows_of(database: Database, table: str) -> list[Mapping[str, Any]]:
    """All rows of a table by column, oldest first."""
    query = sql.SQL("SELECT * FROM {} ORDER BY id").format(sql.Identifier(table))
    with database.connect() as tx:
        cursor = tx.execute(query)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def rules_with(folder: Path, **premium: str) -> Rulebook:
    """The rules with these values, as TOML, of Hohhot's premium group."""
    shutil.copytree(regions.DIRECTORY, folder, dirs_exist_ok=True)
    file = folder / "150100.toml"
    text = file.read_text(encoding="utf-8")
    head, _, rest = text.partition("[block.premium]\n")
    group, _, tail = rest.partition("\n[")
    kept = [line for line in group.splitlines() if line.partition(" ")[0] not in premium]
    stated = [f'{name} = {{ value = {value}, source = "test" }}' for name, value in premium.items()]
    lines = "\n".join((*kept, *stated, ""))
    file.write_text(f"{head}[block.premium]\n{lines}\n[{tail}", encoding="utf-8")
    return regions.load(folder)
