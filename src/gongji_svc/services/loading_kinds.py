"""The four kinds of file that can be loaded (docs/loading.md).

Rule: a row becomes the contract's message and passes the contract's checks; from there on it is the
same command as a call of the region's agency. Columns are named as the contract's fields are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from gongji.v1 import account_pb2, types_pb2
from gongji.v1 import registry_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import Refusal, Violation
from gongji_svc.engine import Command
from gongji_svc.services import messages
from gongji_svc.services.asked import Asked
from gongji_svc.services.contract import method_of
from gongji_svc.services.crediting import Credit
from gongji_svc.services.loading import Kind
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.opening import OpenAccount
from gongji_svc.services.person_messages import NOBODY, Sight, stated
from gongji_svc.services.person_rows import PERSON_COLUMNS, person_in
from gongji_svc.services.persons import PutPersons, Result
from gongji_svc.services.places import PutCatalogItems, PutInstitution, catalog_item
from gongji_svc.services.rows import Columns, Fault, Record, Sheet, Unsound
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted

_NEVER = float("inf")
_ACTOR = "load"
_MEMO = "期初余额"
_ELSEWHERE_ZH = "已在其他统筹区登记，由该统筹区办理"
_REGION_ZH = "请填写，或用--region指定"
_GREATEST_BALANCE_FEN = 10**12
_GREATEST_BP = (1 << 31) - 1  # that the message holds; the contract's check says what it may be
# Which column a refusal that names no field is about; any other is about where the row belongs.
_COLUMNS: Mapping[type[Refusal], str] = {
    errors.CertificateInUse: "certificate_number",
    errors.CardInUse: "card_no",
    errors.HomeRegionFixed: "home_region",
    errors.InsuredElsewhere: "region",
    errors.PersonNotMatched: "name",
    errors.PersonDeceased: "certificate_number",
    errors.AccountExists: "kind",
    errors.AccountKindNotAllowed: "kind",
    errors.BalanceTooLarge: "balance_fen",
}


def _asked(service: str, rpc: str, region: str, request: Message) -> Asked:
    """The request as the region's agency would make it."""
    return Asked(method_of(service, rpc), Caller(Role.AGENCY, region, _ACTOR), request, _NEVER)


def _faults(sheet: Sheet, refusal: Refusal, belongs: str = "region") -> Iterator[Fault]:
    """`belongs`: the column that says whose the row is."""
    if refusal.violations:
        yield from (sheet.fault(one) for one in refusal.violations)
    elif isinstance(refusal, errors.AccessDenied):
        yield Fault(sheet.line, "region", _ELSEWHERE_ZH)
    else:
        column = _COLUMNS.get(type(refusal), belongs)
        yield Fault(sheet.line, column, refusal.message_zh)


@dataclass(frozen=True, slots=True)
class _One:
    """Rows that one command stands for."""

    name: bytes
    sheet: Sheet
    command: Command
    guardians: tuple[bytes, ...] = ()
    belongs: str = "region"

    @property
    def line(self) -> int:
        return self.sheet.line

    def guardian_hashes(self) -> Sequence[bytes]:
        return self.guardians

    def lookups(self) -> Lookups:
        return self.command.lookups()

    def keys(self, state: State) -> Keys:
        return self.command.keys(state)

    def discover(self, state: State) -> Wanted:
        return self.command.discover(state)

    def decide(self, state: State) -> Iterator[Decision]:
        yield self.command.decide(state)

    def faults(self, refusal: Refusal) -> Iterator[Fault]:
        return _faults(self.sheet, refusal, self.belongs)


def _person(office: Office, region: str, records: Sequence[Record]) -> _One:
    home = records[0].text("home_region") or region
    if not home:
        records[0].fault("home_region", _REGION_ZH)
    message, sheet = person_in(records, home)
    sheet.check(message)
    try:
        read = stated(message, "person", office.sealer)
    except Refusal as refusal:
        raise Unsound(list(_faults(sheet, refusal))) from refusal
    asked = _asked("RegistryService", "PutPerson", home, pb.PutPersonRequest())
    return _One(
        name=read.hashes[0],
        sheet=sheet,
        command=PutPersons(office, asked, (read,), _nothing_said),
        guardians=tuple(one for one in read.guardian_hashes if one is not None),
        belongs="home_region",
    )


def _nothing_said(results: Sequence[Result], _: Sight) -> Message:
    """Nobody reads the answer of a load; a refusal is still one."""
    (result,) = results
    if isinstance(result, Refusal):
        raise result
    return pb.PutPersonResponse()


def _institution(office: Office, region: str, records: Sequence[Record]) -> _One:
    (record,) = records
    message = pb.Institution(
        institution_code=record.text("institution_code"),
        name=record.text("name"),
        kind=record.word("kind", types_pb2.InstitutionKind, "INSTITUTION_KIND_"),
        level=record.word("level", types_pb2.InstitutionLevel, "INSTITUTION_LEVEL_", "NONE"),
        region=record.text("region") or region,
        status=record.word("status", pb.InstitutionStatus, "INSTITUTION_STATUS_", "ACTIVE"),
    )
    sheet = Sheet(records)
    sheet.check(message)
    request = pb.PutInstitutionRequest(institution=message)
    asked = _asked("RegistryService", "PutInstitution", message.region, request)
    return _One(message.institution_code.encode(), sheet, PutInstitution(office, asked))


def _catalog_item(office: Office, region: str, records: Sequence[Record]) -> _One:
    (record,) = records
    message = pb.CatalogItem(
        catalog_code=record.text("catalog_code"),
        name=record.text("name"),
        catalog_class=record.word("catalog_class", types_pb2.CatalogClass, "CATALOG_CLASS_"),
        self_pay_bp=min(record.whole("self_pay_bp"), _GREATEST_BP),
        price_ceiling_yuan=record.text("price_ceiling_yuan") or None,
        account_payable=record.flag("account_payable"),
        effective_from=record.day("effective_from"),
        region=record.text("region") or region,
    )
    if not message.region:
        record.fault("region", _REGION_ZH)
    sheet = Sheet(records)
    sheet.check(message)
    try:
        item = catalog_item(message, message.region, "item")
    except Refusal as refusal:
        raise Unsound(list(_faults(sheet, refusal))) from refusal
    asked = _asked("RegistryService", "PutCatalogItems", item.region, pb.PutCatalogItemsRequest())
    name = f"{item.region} {item.catalog_code} {item.effective_from}".encode()
    return _One(name, sheet, PutCatalogItems(office, asked, (item,)))


@dataclass(slots=True)
class _Accounts:
    """The accounts of one person, each opened and then credited with what it begins with."""

    office: Office
    name: bytes  # the hash of the owner's certificate
    rows: Sequence[tuple[Sheet, account_pb2.OpenAccountRequest, int]]
    deciding: Sheet

    @property
    def line(self) -> int:
        return self.rows[0][0].line

    def guardian_hashes(self) -> Sequence[bytes]:
        return ()

    def lookups(self) -> Lookups:
        return Lookups(identities=(self.name,))

    def keys(self, state: State) -> Keys:
        owner_id = state.directory.get(self.name)
        return Keys(persons=() if owner_id is None else (owner_id,))

    def discover(self, state: State) -> Wanted:
        return Wanted(accounts_of=self.keys(state).persons)

    def decide(self, state: State) -> Iterator[Decision]:
        owner_id = state.directory.get(self.name)
        if owner_id is None:
            unknown = Violation("certificate_number", "没有此证件号码的参保人，请先导入人员")
            raise messages.invalid(unknown)
        for sheet, opening, balance_fen in self.rows:
            self.deciding = sheet
            asked = _asked("AccountService", "OpenAccount", opening.region, opening)
            opened = OpenAccount(self.office, asked, owner_id).decide(state)
            yield opened
            if balance_fen and opened.result_id is not None:
                credit = account_pb2.CreditRequest(
                    amount_fen=balance_fen, kind=account_pb2.CREDIT_KIND_OTHER, memo=_MEMO
                )
                asked = _asked("AccountService", "Credit", opening.region, credit)
                yield Credit(self.office, asked, opened.result_id, None).decide(state)

    def faults(self, refusal: Refusal) -> Iterator[Fault]:
        return _faults(self.deciding, refusal)


def _accounts(office: Office, region: str, records: Sequence[Record]) -> _Accounts:
    """Every bad row of the owner is told, not the first alone."""
    kind = records[0].word(
        "certificate_type", types_pb2.CertificateType, "CERTIFICATE_TYPE_", "ID_CARD"
    )
    rows: list[tuple[Sheet, account_pb2.OpenAccountRequest, int]] = []
    faults: list[Fault] = []
    for record in records:
        try:
            rows.append(_account(record, region))
        except Unsound as unsound:
            faults += unsound.faults
    if faults:
        raise Unsound(faults)
    name = enum_name(types_pb2.CertificateType, kind)
    owner = office.sealer.index(name, records[0].text("certificate_number"))
    return _Accounts(office, owner, rows, rows[0][0])


def _account(record: Record, region: str) -> tuple[Sheet, account_pb2.OpenAccountRequest, int]:
    message = account_pb2.OpenAccountRequest(
        request_id=_ACTOR,
        person_id=str(NOBODY),
        region=record.text("region") or region,
        kind=record.word("kind", types_pb2.AccountKind, "ACCOUNT_KIND_", "GENERAL"),
    )
    balance_fen = record.whole("balance_fen")
    if balance_fen > _GREATEST_BALANCE_FEN:
        record.fault("balance_fen", "金额过大")
    sheet = Sheet([record])
    sheet.check(message)
    return sheet, message, balance_fen


KINDS: Mapping[str, Kind] = {
    "persons": Kind(
        PERSON_COLUMNS, "certificate_number", ("certificate_type", "certificate_number"), _person
    ),
    "institutions": Kind(
        Columns(("institution_code", "name", "kind"), ("level", "region", "status")),
        "institution_code",
        (),
        _institution,
    ),
    "accounts": Kind(
        Columns(("certificate_number",), ("certificate_type", "region", "kind", "balance_fen")),
        "certificate_number",
        ("certificate_type", "certificate_number"),
        _accounts,
    ),
    "catalog": Kind(
        Columns(
            ("catalog_code", "name", "catalog_class", "effective_from", "account_payable"),
            ("self_pay_bp", "price_ceiling_yuan", "region"),
        ),
        "catalog_code",
        (),
        _catalog_item,
    ),
}
"""By the name that `gongji load` takes."""
