"""What made-up calls are about: two families of two provinces, and a sound request of every RPC.

Rule: sound requests are those of the access matrix (tests/access), so an RPC that has none there
has none here; what they name is what made-up requests name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from google.protobuf.message import Message

from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.access import grants_of
from gongji_svc.services.contract import METHODS, Method
from gongji_svc.storage.database import Database
from tests.access.asked import BUILDERS, request_of
from tests.access.side import Side
from tests.families import Families
from tests.fuzz.choice import Choice, one_in, pick
from tests.fuzz.made_up import Known, Maker, texts_in
from tests.services.accounts import crediting
from tests.services.applications import HOHHOT, TIELING
from tests.services.driver import Driver
from tests.services.premiums import driver_on

ROLES = tuple(Role)
_STRANGERS = {Role.POS: "P1", Role.CITIZEN: "019a0000-0000-8000-8092-94c000000001"}
_OTHER_REGIONS = ("150000", "210000", "110000", "999999", "000000")
_MOST_RAW, _MOST_PIECES = 1000, 3
_HOW_MANY_WAYS = 8


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call that somebody makes; an upload has several bodies, any other call one."""

    method: Method
    role: Role
    subject: str
    bodies: Sequence[bytes]

    def __repr__(self) -> str:
        return f"{self.method.name} by {self.role} {self.subject}: {self.bodies}"


@dataclass(frozen=True, slots=True)
class World:
    """The people and places, and requests about them by RPC and role."""

    driver: Driver
    sides: Sequence[Side]
    sound: Mapping[tuple[int, Role], Sequence[Message]]
    known: Known

    def attempt(self, choice: Choice) -> Attempt:
        """A call, made up."""
        method = pick(choice, METHODS)
        role = pick(choice, ROLES if one_in(choice, 8) else roles_of(method))
        subject = pick(choice, self.sides).subject(role, as_child=one_in(choice, 4))
        if one_in(choice, 16):
            subject = _STRANGERS.get(role) or pick(choice, _OTHER_REGIONS)
        return Attempt(method, role, subject, self._bodies(choice, method, role))

    def _bodies(self, choice: Choice, method: Method, role: Role) -> Sequence[bytes]:
        maker, how = Maker(choice, self.known), choice.whole(0, _HOW_MANY_WAYS - 1)
        most = _MOST_PIECES if method.client_streaming else 1
        if how == _HOW_MANY_WAYS - 1:
            return [choice.raw(_MOST_RAW) for _ in range(choice.whole(1, most))]
        sound = self.sound.get((method.number, role), ())
        if sound and how < _HOW_MANY_WAYS - 2:
            messages = _copies(sound if method.client_streaming else [pick(choice, sound)])
            for message in messages:
                maker.spoil(message)
        else:
            messages = [method.request() for _ in range(choice.whole(1, most))]
            for message in messages:
                maker.fill(message)
        return [maker.bytes_of(message) for message in messages]


def roles_of(method: Method) -> Sequence[Role]:
    """Who may call it at all."""
    return [role for role in ROLES if any(grants_of(Caller(role, ""), method))]


class _Credited(Families):
    """Builders whose money was paid in, so that the books are whole."""

    driver: Driver

    def account(self, region: str, balance_fen: int = 0, *, person_id: UUID | None = None) -> UUID:
        account_id = super().account(region, person_id=person_id)
        if balance_fen:
            request = crediting(account_id, amount_fen=balance_fen, request_id=str(account_id))
            self.driver.call("agency", region, "AccountService", "Credit", request, actor="c-2")
        return account_id


def side_in(driver: Driver, region: str) -> Side:
    """A family and places of a region, with nothing made yet."""
    side, families = Side(driver, region), _Credited(driver.office.database)
    families.driver = driver
    side.families = families
    return side


def made(database: Database) -> World:
    """A world in this database."""
    families = Families(database)
    for province in ("150000", "210000"):
        families.item(province, "XA01")
    driver = driver_on(database)
    sides = [side_in(driver, HOHHOT), side_in(driver, TIELING)]
    sound = {
        (method.number, role): _requests(method, role, sides)
        for method in METHODS
        if method.name in BUILDERS
        for role in roles_of(method)
    }
    known = texts_in(one for messages in sound.values() for one in messages)
    fields = {field.name for method in METHODS for field in method.request.DESCRIPTOR.fields}
    return World(driver, sides, sound, {**known, "paths": tuple(sorted(fields))})


def _requests(method: Method, role: Role, sides: Sequence[Side]) -> Sequence[Message]:
    """One of each side; an upload's messages are those of the first."""
    if method.client_streaming:
        return list(request_of(method.name, sides[0], role.value))
    return [request_of(method.name, side, role.value) for side in sides]


def _copies(messages: Sequence[Message]) -> list[Message]:
    copies = [type(message)() for message in messages]
    for copy, message in zip(copies, messages, strict=True):
        copy.CopyFrom(message)
    return copies
