"""A till's request and what was gathered under lock, as the bill that the rules decide."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.benefit import BenefitState
from gongji_svc.domain.bill import CatalogItem, Item
from gongji_svc.domain.binding import Binding
from gongji_svc.domain.breakdown import GivenBreakdown
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.eligibility import leading_enrolment
from gongji_svc.domain.hold import Hold, used_without
from gongji_svc.domain.masking import masked_name
from gongji_svc.domain.money import parse_price, parse_quantity
from gongji_svc.domain.person import Account, Enrolment, Person
from gongji_svc.domain.policy import NATION
from gongji_svc.domain.settlement import Bill, Care, Patient
from gongji_svc.domain.terms import AccountUse, CatalogClass, InstitutionLevel, VisitType
from gongji_svc.domain.waterfall import Donor
from gongji_svc.services import messages, till
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.storage import people
from gongji_svc.storage.accounts import accounts_of
from gongji_svc.storage.ids import parse_id, region_of
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.settlements import Counted, used
from gongji_svc.storage.state import State
from gongji_svc.storage.statements import Row


def bill_of(
    office: Office,
    state: State,
    message: Any,
    institution: Institution,
    person: Person,
    bindings: tuple[Binding, ...],
    occurred_at: datetime,
) -> Bill:
    """The bill in a request; a Refusal for an enrolment that can't be used, or no policy."""
    occurred_on, decided_on = day_of(occurred_at), day_of(state.now)
    usable = till.usable_enrolments(person, office.rulebook, decided_on)
    enrolment = till.enrolment_for(usable, message.insurance, message.insured_region)
    if not till.in_province(enrolment, institution):
        raise errors.InstitutionOutOfProvince
    return Bill(
        patient=_patient(office, state, person, enrolment, occurred_on, decided_on),
        care=_care(state, message, institution),
        total_fen=message.total_fen,
        account_use=account_use_of(message),
        occurred_on=occurred_on,
        decided_on=decided_on,
        items=_items(message),
        catalogue=_catalogue(state, message, institution.region, occurred_on),
        donors=list(donors_of(office, state, bindings, occurred_on, decided_on)),
        chosen_binding_id=_chosen_binding(message),
        given=_given(message),
    )


def with_holds(bill: Bill, holds: Sequence[Hold]) -> Bill:
    """The bill with what was set aside for it: free for it, and counted against no limit yet."""
    patient = replace(bill.patient, accounts=_promised(bill.patient.accounts, holds))
    donors = [_donor_with_holds(donor, holds, bill.occurred_on) for donor in bill.donors]
    return replace(bill, patient=patient, donors=donors)


def _promised(accounts: Sequence[Account], holds: Sequence[Hold]) -> list[Account]:
    named_fen: Counter[UUID] = Counter()
    for hold in holds:
        named_fen[hold.account_id] += hold.amount_fen
    return [replace(one, named_hold_fen=named_fen[one.account_id]) for one in accounts]


def _donor_with_holds(donor: Donor, holds: Sequence[Hold], day: date) -> Donor:
    binding_id, donor_id = donor.binding.binding_id, donor.person.person_id
    of_binding = [hold for hold in holds if hold.binding_id == binding_id]
    of_household = [hold for hold in holds if hold.household and hold.owner_id == donor_id]
    return replace(
        donor,
        accounts=_promised(donor.accounts, holds),
        used=used_without(donor.used, of_binding, day),
        household_used=used_without(donor.household_used, of_household, day),
    )


def account_use_of(message: Any) -> AccountUse:
    """个人账户使用标志 of a request."""
    return AccountUse(enum_name(pb.AccountUse, message.account_use))


def price_regions(region: str) -> tuple[str, ...]:
    """Whose catalogue holds in a region, nearest first: its own, its province's, the nation's."""
    return tuple(dict.fromkeys((region, region[:2] + "0000", NATION)))


def trace_codes_of(message: Any) -> dict[str, list[str]]:
    """The trace codes of a request by number of line; that of a split package may rightly come
    again and is left out.
    """
    return {
        str(item.line_no): codes
        for item in message.items
        if (codes := [one.code for one in item.trace_codes if not one.split_pack])
    }


def _patient(
    office: Office,
    state: State,
    person: Person,
    enrolment: Enrolment,
    occurred_on: date,
    decided_on: date,
) -> Patient:
    year = date(occurred_on.year, 1, 1)
    insurance = enrolment.insurance.value

    def counted(what: Counted) -> int:
        return state.counters[person.person_id, what.of(insurance)].get(year, 0)

    return Patient(
        person=person,
        enrolment=enrolment,
        policy=office.policy(enrolment.region, occurred_on),
        accounts=accounts_of(state, person.person_id),
        benefit=BenefitState(counted(Counted.DEDUCTIBLE), counted(Counted.FUND)),
        benefit_from=person.benefit_from(enrolment, decided_on),
    )


def _care(state: State, message: Any, institution: Institution) -> Care:
    kind, level = till.place_of(institution)
    prescriber = state.institutions.get(message.prescription.institution_code)
    return Care(
        visit_type=VisitType(enum_name(pb.VisitType, message.visit_type)),
        place=kind,
        level=level,
        region=institution.region,
        prescriber_level=(
            None if prescriber is None else InstitutionLevel(Institution(*prescriber).level)
        ),
    )


def _items(message: Any) -> list[Item]:
    items: dict[int, Item] = {}
    for number, line in enumerate(message.items):
        if line.line_no in items:
            repeated = errors.Violation(f"items[{number}].line_no", f"行号{line.line_no}重复")
            raise messages.invalid(repeated)
        items[line.line_no] = _item(number, line)
    return list(items.values())


def _item(number: int, item: pb.SettlementItem) -> Item:
    try:
        quantity_e4 = parse_quantity(item.quantity)
        price_micro = parse_price(item.unit_price_yuan)
    except ValueError as wrong:
        field = f"items[{number}]"
        raise messages.invalid(errors.Violation(field, "数量或单价格式不正确")) from wrong
    if quantity_e4 == 0:
        raise messages.invalid(errors.Violation(f"items[{number}].quantity", "数量须大于0"))
    return Item(item.line_no, item.catalog_code, quantity_e4, price_micro, item.amount_fen)


def _catalogue(state: State, message: Any, region: str, day: date) -> dict[str, CatalogItem]:
    found: dict[str, CatalogItem] = {}
    levels = price_regions(region)
    for code in {item.catalog_code for item in message.items}:
        for level in levels:
            rows = [row for row in state.catalogue.get((level, code), ()) if row[2] <= day]
            if rows:
                found[code] = _catalog_item(max(rows, key=lambda row: row[2]))
                break
    return found


def _catalog_item(row: Row) -> CatalogItem:
    region, code, effective_from, name, kind, self_pay_bp, ceiling_micro, payable = row
    return CatalogItem(
        catalog_code=code,
        name=name,
        catalog_class=CatalogClass(kind),
        self_pay_bp=self_pay_bp,
        price_ceiling_micro=ceiling_micro,
        account_payable=payable,
        effective_from=effective_from,
        region=region,
    )


def donors_of(
    office: Office,
    state: State,
    bindings: tuple[Binding, ...],
    occurred_on: date,
    decided_on: date,
) -> Iterator[Donor]:
    """The donors of bindings as a till finds them; who is insured where no rules hold is none."""
    for binding in bindings:
        person = people.person(state, office.sealer, binding.donor_id)
        if person is None:
            continue
        enrolment = leading_enrolment(person, decided_on)
        region = region_of(binding.donor_id) if enrolment is None else enrolment.region
        policy = office.find_policy(region, occurred_on)
        if policy is None:
            continue  # where no rules hold, no money is shared
        yield Donor(
            binding=binding,
            person=person,
            enrolment=enrolment,
            policy=policy,
            accounts=accounts_of(state, binding.donor_id),
            used=used(state, binding.binding_id, Counted.MUTUAL_AID, occurred_on),
            household_used=used(state, binding.donor_id, Counted.HOUSEHOLD, occurred_on),
        )


def donor_names(donors: Sequence[Donor]) -> dict[str, str]:
    """The donors' names by binding id, masked."""
    return {str(donor.binding.binding_id): masked_name(donor.person.name) for donor in donors}


def _given(message: Any) -> GivenBreakdown | None:
    if not message.HasField("given_breakdown"):
        return None
    given: pb.GivenBreakdown = message.given_breakdown
    return GivenBreakdown(
        **{field.name: getattr(given, field.name) for field in given.DESCRIPTOR.fields}
    )


def _chosen_binding(message: Any) -> UUID | None:
    """The binding the patient chose; an id that is none of ours is not usable."""
    if not message.chosen_binding_id:
        return None
    chosen = parse_id(message.chosen_binding_id)
    if chosen is None:
        raise errors.ChosenBindingNotUsable
    return chosen
