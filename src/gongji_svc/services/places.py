"""Institutions and the catalogue: what a Put writes, and what is listed.

Rule: an agency states the institutions of its own region and the catalogue of its own level: a
pooling region, a province or the nation. A Put says the whole row; the same again changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from gongji.v1 import registry_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.bill import CatalogItem
from gongji_svc.domain.errors import Violation
from gongji_svc.domain.money import BP, format_price, parse_price
from gongji_svc.domain.terms import CatalogClass
from gongji_svc.services import messages, paging
from gongji_svc.services.account_changes import audit_row
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited, facts_of
from gongji_svc.services.days import date_of, day_in
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.services.office import Office
from gongji_svc.storage import tables
from gongji_svc.storage.catalogue import CatalogueQuery, catalog_item_from, catalog_row
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.institutions import Institution, find_institutions
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted

# How much of a price a person pays beforehand is a matter of class B alone; a catalogue that prints
# "all of it" for class C says nothing else.
_SELF_PAY_BP = {CatalogClass.A: (0,), CatalogClass.C: (0, BP)}


@dataclass(slots=True)
class _Put(AskedCommand):
    """What the commands here have in common: they claim their request id and lock nobody."""

    def lookups(self) -> Lookups:
        """Nothing."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """The request key, where there is one."""
        if not self.asked.message.request_id:
            return Keys()
        agency = self.asked.caller.subject
        return Keys(self.asked.claim(agency, agency, self.office.sealer))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """Nothing."""
        return Wanted()


class PutInstitution(_Put):
    """An institution as its region's agency states it."""

    __slots__ = ()

    def lookups(self) -> Lookups:
        """Whether the code is known, and where."""
        return Lookups(institution_codes=(self.asked.message.institution.institution_code,))

    def decide(self, state: State) -> Decision:
        """AccessDenied when the code belongs to another region, RegionNotServed in one without
        rules.
        """
        message = self.asked.message.institution
        self.office.rulebook.check_served(message.region)
        row = state.institutions.get(message.institution_code)
        kept = None if row is None else Institution(*row)
        if kept is not None and kept.region != message.region:
            raise errors.AccessDenied
        answer = pb.PutInstitutionResponse(institution=message, created=kept is None)
        after = institution(message, state.now)
        if kept is not None and replace(after, updated_at=kept.updated_at) == kept:
            return Decision(answer.SerializeToString())
        before = {} if kept is None else facts_of(_institution_message(kept))
        stated = facts_of(_institution_message(after))
        audited = Audited("institution", after.institution_code, after.region, before, stated)
        return Decision(
            answer.SerializeToString(),
            new=(audit_row(self.asked, audited, state),),
            replaced=((tables.institutions, after.row()),),
        )


@dataclass(slots=True)
class PutCatalogItems(_Put):
    """Rows of the catalogue as the agency of their level states them."""

    items: tuple[CatalogItem, ...]

    def keys(self, state: State) -> Keys:
        """The request key, and the codes, whose rows are read."""
        codes = ((one.region, one.catalog_code) for one in self.items)
        return replace(_Put.keys(self, state), catalogue=tuple(codes))

    def decide(self, state: State) -> Decision:
        """All rows; RegionNotServed for a region without rules."""
        self.office.rulebook.check_served(self.asked.caller.subject)
        answer = pb.PutCatalogItemsResponse(items=[_item_message(one) for one in self.items])
        rows = ((tables.catalog_items, catalog_row(one)) for one in self.items)
        return Decision(
            answer.SerializeToString(),
            new=tuple(audit_row(self.asked, one, state) for one in self._audited(state)),
            replaced=tuple(rows),
        )

    def _audited(self, state: State) -> Iterator[Audited]:
        """A record of each row that is new or other than it was."""
        for item in self.items:
            kept = map(catalog_item_from, state.catalogue[item.region, item.catalog_code])
            same_day = [one for one in kept if one.effective_from == item.effective_from]
            before = facts_of(_item_message(same_day[-1])) if same_day else {}
            after = facts_of(_item_message(item))
            if before != after:
                yield Audited("catalog_item", item.catalog_code, item.region, before, after)


def read_put_catalog_items(office: Office, asked: Asked) -> PutCatalogItems:
    """PutCatalogItems as a command; AccessDenied for a region that is not the caller's."""
    region = asked.caller.subject
    if asked.message.region not in ("", region):
        raise errors.AccessDenied
    items = [
        catalog_item(one, region, f"items[{at}]") for at, one in enumerate(asked.message.items)
    ]
    _check_once(items)
    return PutCatalogItems(office, asked, tuple(items))


def _check_once(items: Sequence[CatalogItem]) -> None:
    seen: set[object] = set()
    for at, item in enumerate(items):
        key = (item.catalog_code, item.effective_from)
        if key in seen:
            field = f"items[{at}].catalog_code"
            raise messages.invalid(Violation(field, "同一编码和生效日期只能填写一项"))
        seen.add(key)


def institution(message: pb.Institution, now: datetime) -> Institution:
    """What a message states."""
    return Institution(
        message.region,
        message.institution_code,
        message.name,
        enum_name(types_pb2.InstitutionKind, message.kind),
        enum_name(types_pb2.InstitutionLevel, message.level),
        enum_name(pb.InstitutionStatus, message.status),
        now,
    )


def catalog_item(message: pb.CatalogItem, region: str, path: str) -> CatalogItem:
    """What a message states for a region; InvalidField names what is wrong, below `path`."""
    kind = CatalogClass(enum_name(types_pb2.CatalogClass, message.catalog_class))
    if kind in _SELF_PAY_BP and message.self_pay_bp not in _SELF_PAY_BP[kind]:
        raise messages.invalid(Violation(f"{path}.self_pay_bp", "只有乙类项目有先行自付比例"))
    effective_from = day_in(message, "effective_from", path)
    assert effective_from is not None  # noqa: S101 - the contract's rules ask for it
    ceiling = message.price_ceiling_yuan if message.HasField("price_ceiling_yuan") else None
    return CatalogItem(
        message.catalog_code,
        message.name,
        kind,
        message.self_pay_bp,
        None if ceiling is None else parse_price(ceiling),
        message.account_payable,
        effective_from,
        region,
    )


def _item_message(item: CatalogItem) -> pb.CatalogItem:
    ceiling = item.price_ceiling_micro
    return pb.CatalogItem(
        catalog_code=item.catalog_code,
        name=item.name,
        catalog_class=enum_number(types_pb2.CatalogClass, item.catalog_class.value),
        self_pay_bp=item.self_pay_bp,
        price_ceiling_yuan=None if ceiling is None else format_price(ceiling),
        account_payable=item.account_payable,
        effective_from=date_of(item.effective_from),
        region=item.region,
    )


def _institution_message(found: Institution) -> pb.Institution:
    return pb.Institution(
        institution_code=found.institution_code,
        name=found.name,
        kind=enum_number(types_pb2.InstitutionKind, found.kind),
        level=enum_number(types_pb2.InstitutionLevel, found.level),
        region=found.region,
        status=enum_number(pb.InstitutionStatus, found.status),
    )


def get_institution(
    office: Office, caller: Caller, request: pb.GetInstitutionRequest
) -> pb.GetInstitutionResponse:
    """One institution of the agency's region; AccessDenied for others, and where there is none."""
    found = _institution(office, request.institution_code)
    if found is None or found.region != caller.subject:
        raise errors.AccessDenied
    return pb.GetInstitutionResponse(institution=_institution_message(found))


def list_catalog_items(
    office: Office, caller: Caller, request: pb.ListCatalogItemsRequest
) -> pb.ListCatalogItemsResponse:
    """A page of the rows that hold in a region on a day, by code."""
    position = paging.position_in(request, office.sealer) or b""
    size = paging.size_of(request)
    query = CatalogueQuery(
        request.region or _region_of(office, caller),
        day_in(request, "on_date") or office.today(),
        request.catalog_codes,
    )
    with office.database.reader() as tx:
        found = query.read(tx, position.decode(), size + 1)
    page, more = found[:size], len(found) > size
    last = page[-1].catalog_code.encode() if more else b""
    return pb.ListCatalogItemsResponse(
        items=[_item_message(one) for one in page],
        next_page_token=paging.token_after(request, last, office.sealer) if more else "",
    )


def _region_of(office: Office, caller: Caller) -> str:
    """Where the caller is at home."""
    if caller.role is Role.CITIZEN:
        return region_of(UUID(caller.subject))
    if caller.role is not Role.POS:
        return caller.subject
    found = _institution(office, caller.subject)
    if found is None:
        raise errors.InstitutionNotFound
    return found.region


def _institution(office: Office, code: str) -> Institution | None:
    with office.database.reader() as tx:
        return find_institutions(tx, {code}).get(code)
