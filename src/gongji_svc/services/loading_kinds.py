"""The four kinds of file that can be loaded: what their columns mean (docs/loading.md).

Rule: a row becomes the contract's message and passes the contract's checks; from there on it is the
same command as a call of the region's agency. Columns are named as the contract's fields are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from google.protobuf.message import Message

from gongji.v1 import account_pb2, types_pb2
from gongji.v1 import registry_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import InvalidField, Refusal
from gongji_svc.engine import Command
from gongji_svc.services import messages
from gongji_svc.services.asked import Asked
from gongji_svc.services.contract import method_of
from gongji_svc.services.crediting import Credit
from gongji_svc.services.loading import Item, Kind
from gongji_svc.services.office import Office
from gongji_svc.services.opening import OpenAccount
from gongji_svc.services.person_rows import PERSON_COLUMNS, person_in
from gongji_svc.services.persons import PutPersons, put_or_raise
from gongji_svc.services.places import PutCatalogItems, PutInstitution, catalog_item
from gongji_svc.services.rows import Columns, Fault, Record, Unsound
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted

_NEVER = float("inf")
_ACTOR = "load"
_SUBSCRIPT = re.compile(r"\[\d+\]")
_ELSEWHERE_ZH = "该机构编码已在其他统筹区登记"
# Which column a refusal that names no field is about.
_COLUMNS: Mapping[type[Refusal], str] = {
    errors.CertificateInUse: "certificate_number",
    errors.CardInUse: "card_no",
    errors.HomeRegionFixed: "home_region",
    errors.PersonNotMatched: "name",
    errors.PersonDeceased: "certificate_number",
    errors.AccountExists: "kind",
    errors.AccountKindNotAllowed: "kind",
    errors.BalanceTooLarge: "balance_fen",
}
_OTHERWISE = "region"


def asked(service: str, rpc: str, region: str, request: Message) -> Asked:
    """The request as the region's agency would make it."""
    return Asked(method_of(service, rpc), Caller(Role.AGENCY, region, _ACTOR), request, _NEVER)


def check(message: Message, record: Record, columns: Mapping[str, str]) -> None:
    """Unsound when a cell can't be read or the message breaks a rule of the contract."""
    if record.faults:
        raise Unsound(record.faults)
    try:
        messages.check(message)
    except InvalidField as invalid:
        raise Unsound(
            [
                Fault(record.line, columns.get(_plain(one.field), _plain(one.field)), one.message_zh)
                for one in invalid.violations
            ]
        ) from invalid


def _plain(path: str) -> str:
    return _SUBSCRIPT.sub("", path)
