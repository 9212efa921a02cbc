"""Builders of the pure domain: policies by the places of their values, people, bills.

Rule: a builder fills in what a test does not name with what hinders nothing; a policy goes through
the same checks as a region's file.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import settings

from gongji_svc.domain.bill import CatalogItem, Item
from gongji_svc.domain.binding import Binding, BindingState
from gongji_svc.domain.money import line_fen
from gongji_svc.domain.person import Account, Enrolment, Period, Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_document import check_document
from gongji_svc.domain.rulebook import Rulebook
from gongji_svc.domain.settlement import Bill, Care, Patient
from gongji_svc.domain.terms import (
    AccountKind,
    AccountUse,
    CatalogClass,
    InstitutionKind,
    InstitutionLevel,
    Insurance,
    PersonType,
    Relation,
    VisitType,
)
from gongji_svc.domain.waterfall import Donor

PROPERTY = settings(max_examples=150, derandomize=True, deadline=None)
"""The same cases in every run: a failure is found again."""

HOHHOT, ULANQAB, BAOTOU, TIELING = "150100", "150900", "150200", "211200"
DAY = date(2025, 5, 6)
START = date(2020, 1, 1)
YEAR_START = datetime(2024, 1, 1, tzinfo=UTC)

PATIENT_ID = UUID(int=1)

_LENIENT: Mapping[str, object] = {
    "donor.insurances": ["EMPLOYEE"],
    "beneficiary.insurances": ["EMPLOYEE", "RESIDENT"],
    "beneficiary.area": "SAME_PROVINCE",
    "relations.allowed": ["SPOUSE", "CHILD", "PARENT"],
    "binding.channels": [
        {"channel": "APP", "name": "内蒙古医保", "steps": ["首页"], "review_required": False},
        {"channel": "COUNTER", "name": "窗口", "steps": [], "review_required": True},
    ],
    "use.uses": ["MEDICAL", "PREMIUM"],
    "use.places": ["PHARMACY", "CLINIC", "HOSPITAL"],
    "use.visit_types": ["OUTPATIENT", "CHRONIC", "PHARMACY", "INPATIENT"],
    "use.area": "SAME_PROVINCE",
    "accounts.own_kinds": ["GENERAL", "CURRENT_YEAR", "PAST_YEARS"],
    "accounts.donor_kinds": ["GENERAL", "CURRENT_YEAR", "PAST_YEARS"],
}


def policy(values: Mapping[str, object] | None = None, region: str = HOHHOT) -> Policy:
    """A lenient policy with some values, by place ("order.kind"); the source is "test PLACE"."""
    block: dict[str, Any] = {"effective_from": START}
    for place, value in {**_LENIENT, **(values or {})}.items():
        group, _, key = place.partition(".")
        block.setdefault(group, {})[key] = {"value": value, "source": f"test {place}"}
    data = {"region": region, "name": "测试", "block": [block]}
    return Rulebook([check_document("test.toml", data)]).on(region, DAY)


def enrolment(
    insurance: Insurance = Insurance.EMPLOYEE,
    region: str = HOHHOT,
    *periods: Period,
    person_type: PersonType | None = None,
    arrears_paid_on: date | None = None,
) -> Enrolment:
    """An enrolment that runs since 2020, unless periods are given."""
    usual = PersonType.RESIDENT if insurance is Insurance.RESIDENT else PersonType.ACTIVE
    return Enrolment(
        insurance, region, person_type or usual, periods or (Period(START),), arrears_paid_on
    )


def person(number: int, *enrolments: Enrolment, **fields: Any) -> Person:
    """A person with a number; an employee of Hohhot unless enrolments are given."""
    return Person(UUID(int=number), enrolments=enrolments or (enrolment(),), **fields)


def account(
    owner: int, balance_fen: int, kind: AccountKind = AccountKind.GENERAL, **fields: Any
) -> Account:
    """An open account of the person with a number."""
    number = 1000 * owner + list(AccountKind).index(kind)
    region = fields.pop("region", HOHHOT)
    return Account(UUID(int=number), UUID(int=owner), region, kind, balance_fen, **fields)


def binding(donor: int, beneficiary: int = 1, **fields: Any) -> Binding:
    """An active binding since 2024; its id is the donor's number times 100, its rank the number."""
    made: dict[str, Any] = {
        "binding_id": UUID(int=100 * donor),
        "donor_id": UUID(int=donor),
        "beneficiary_id": UUID(int=beneficiary),
        "relation": Relation.CHILD,
        "state": BindingState.ACTIVE,
        "bound_at": YEAR_START + timedelta(days=donor),
        "effective_from": date(2024, 1, 1),
        "rank": donor,
    }
    return Binding(**{**made, **fields})


def donor(
    number: int,
    balance_fen: int,
    rules: Policy | None = None,
    *,
    accounts: Sequence[Account] | None = None,
    region: str = HOHHOT,
    bound: Mapping[str, Any] | None = None,
    name: str = "",
    **fields: Any,
) -> Donor:
    """A donor with a number and a balance; `bound` are fields of the binding."""
    return Donor(
        binding=binding(number, **(bound or {})),
        person=person(number, name=name),
        enrolment=enrolment(region=region),
        policy=rules or policy(),
        accounts=(account(number, balance_fen),) if accounts is None else accounts,
        **fields,
    )


def catalog(code: str, kind: str = "A", self_pay_bp: int = 0, **fields: Any) -> CatalogItem:
    """A row of the catalogue."""
    return CatalogItem(code, code, CatalogClass(kind), self_pay_bp, **fields)


CATALOGUE = {
    "A": catalog("A"),
    "B": catalog("B", "B", 1_000),
    "C": catalog("C", "C"),
    "N": catalog("N", "A", account_payable=False),
    "L": catalog("L", "A", price_ceiling_micro=8_000_000),
}


def item(line_no: int, code: str, yuan: int, quantity: int = 1) -> Item:
    """A line of a whole price in yuan and a whole quantity."""
    price, quantity_e4 = yuan * 1_000_000, quantity * 10_000
    return Item(line_no, code, quantity_e4, price, line_fen(price, quantity_e4))


def bill(
    *items: Item,
    rules: Policy | None = None,
    own: int | Sequence[Account] = 0,
    donors: Sequence[Donor] = (),
    visit_type: VisitType = VisitType.PHARMACY,
    level: InstitutionLevel = InstitutionLevel.NONE,
    place: InstitutionKind = InstitutionKind.PHARMACY,
    region: str = HOHHOT,
    patient: Patient | None = None,
    **fields: Any,
) -> Bill:
    """A purchase at a pharmacy of Hohhot by an employee, with mutual aid."""
    own_accounts = (account(1, own),) if isinstance(own, int) else own
    someone = Patient(person(1), enrolment(), rules or policy(), own_accounts)
    made: dict[str, Any] = {
        "patient": patient or someone,
        "care": Care(visit_type, place, level, region),
        "total_fen": sum(line.amount_fen for line in items),
        "account_use": AccountUse.MUTUAL_AID,
        "occurred_on": DAY,
        "decided_on": DAY,
        "items": items,
        "catalogue": CATALOGUE,
        "donors": donors,
    }
    return Bill(**{**made, **fields})
