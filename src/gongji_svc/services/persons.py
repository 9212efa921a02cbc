"""PutPerson and BatchPutPersons as commands, and GetPerson.

Rule: whoever is put is locked with all accounts. Two processes that register one certificate at
once make one person: the directory refuses the second, whose batch is then decided anew. A change
that bindings rest on asks for a look at them (upkeep/bindings.py). Each put is in the audit trail.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from google.protobuf.message import Message

from gongji.v1 import registry_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.errors import Refusal, Violation
from gongji_svc.domain.person import same_name
from gongji_svc.services import messages, reach
from gongji_svc.services.account_changes import audit_row
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited, facts_of
from gongji_svc.services.binding_changes import check_row
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.person_messages import Sight, Stated, person_message, stated
from gongji_svc.services.registering import Agency, Desk, Known, Put, affects_bindings
from gongji_svc.services.status import status_of
from gongji_svc.storage import people, tables
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.people import PersonRow, Registered, enrolments_gone
from gongji_svc.storage.person_reads import find_people, read_registered
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.state import Decision, Keys, Lookups, State, TableRow, Wanted

_HIDDEN = frozenset({"name", "certificate", "card_no", "birth_date", "chronic_diseases"})

Result = Put | Refusal
Rows = tuple[TableRow, ...]


@dataclass(slots=True)
class PutPersons(AskedCommand):
    """People whom an agency states; each is put or refused by itself."""

    stated: tuple[Stated | Refusal, ...]
    answer: Callable[[Sequence[Result], Sight], Message]

    def lookups(self) -> Lookups:
        """The certificates and cards of the people and their guardians."""
        return Lookups(identities=tuple(h for one in self._sound() for h in one.looked_up()))

    def keys(self, state: State) -> Keys:
        """The request key, where there is one, and the people already known."""
        agency = self.asked.caller.subject
        claim = None
        if self.asked.message.request_id:
            claim = self.asked.claim(agency, agency, self.office.sealer)
        return Keys(claim, tuple(sorted(self._known_to(state))))

    def discover(self, state: State) -> Wanted:
        """The accounts of those who are known, and the guardians."""
        guardians = {
            found
            for one in self._sound()
            for hashed, guardian in zip(
                one.guardian_hashes, one.registered.person.guardians, strict=True
            )
            if (found := state.directory.get(hashed) if hashed else guardian.guardian_id)
        }
        known = self._known_to(state)
        return Wanted(accounts_of=tuple(sorted(known)), persons=tuple(sorted(guardians - known)))

    def decide(self, state: State) -> Decision:
        """Put everybody in order."""
        agency, sealer = self.asked.caller.subject, self.office.sealer
        served = self.office.rulebook.serves(agency)
        desk = Desk(Agency(agency, day_of(state.now), served), _known(state, sealer), sealer)
        results = [_try(desk, one) for one in self.stated]
        puts = [one for one in results if isinstance(one, Put)]
        new, replaced, removed = _rows(desk, state, sealer)
        return Decision(
            answer=self.answer(results, Sight.AGENCY).SerializeToString(),
            kept=self.answer(results, Sight.COUNTER).SerializeToString(),
            result_id=puts[0].after.person.person_id if puts else None,
            new=(*new, *(audit_row(self.asked, _audited(one, agency), state) for one in puts)),
            replaced=replaced,
            removed=removed,
        )

    def _sound(self) -> Iterator[Stated]:
        return (one for one in self.stated if isinstance(one, Stated))

    def _known_to(self, state: State) -> set[UUID]:
        return {
            found
            for one in self._sound()
            if (found := one.person_id or state.directory.get(one.hashes[0]))
        }


def _known(state: State, sealer: Sealer) -> Known:
    def record_of(person_id: UUID) -> Registered | None:
        row = state.persons.get(person_id)
        if row is None:
            return None
        enrolments = list(state.enrolments[person_id].values())
        return people.registered_from(PersonRow(*row), enrolments, sealer)

    return Known(state.directory.get, record_of)


def _try(desk: Desk, one: Stated | Refusal) -> Result:
    if isinstance(one, Refusal):
        return one
    try:
        return desk.put(one)
    except Refusal as refusal:
        return refusal


def _audited(made: Put, agency: str) -> Audited:
    """A put of a person, also of one whom it leaves as before: the answer shows all of them."""
    before, after = (
        {} if one is None else facts_of(person_message(one, Sight.AGENCY))
        for one in (made.before, made.after)
    )
    return Audited("person", made.after.person.person_id, agency, before, after, hidden=_HIDDEN)


def _rows(desk: Desk, state: State, sealer: Sealer) -> tuple[Rows, Rows, Rows]:
    """The rows that are new, replaced and removed."""
    new: list[TableRow] = []
    replaced: list[TableRow] = []
    removed: list[TableRow] = []
    for hashed, owner in desk.owners.items():
        kept = state.directory.get(hashed)
        if owner is None or kept not in (None, owner):
            removed.append((tables.person_directory, (hashed,)))
        if owner not in (None, kept):
            new.append((tables.person_directory, (hashed, owner)))
    for before, after in desk.changes.values():
        if before == after:
            continue
        row, enrolments = after.rows(sealer, state.now)
        written = new if before is None else replaced
        written.append((tables.persons, row))
        written.extend((tables.enrolments, enrolment) for enrolment in enrolments)
        removed.extend((tables.enrolments, key) for key in enrolments_gone(before, after))
        if affects_bindings(before, after):
            new.append(check_row(after.person.person_id, day_of(state.now)))
    return tuple(new), tuple(replaced), tuple(removed)


def read_put_person(office: Office, asked: Asked) -> PutPersons:
    """PutPerson as a command."""
    one = stated(asked.message.person, "person", office.sealer)
    return PutPersons(office, asked, (one,), _single_answer)


def _single_answer(results: Sequence[Result], sight: Sight) -> pb.PutPersonResponse:
    (result,) = results
    if isinstance(result, Refusal):
        raise result
    person = person_message(result.after, sight)
    return pb.PutPersonResponse(person=person, created=result.before is None)


def read_batch_put_persons(office: Office, asked: Asked) -> PutPersons:
    """BatchPutPersons as a command."""
    people = tuple(
        _stated_or_refused(office, one, f"persons[{at}]")
        for at, one in enumerate(asked.message.persons)
    )
    return PutPersons(office, asked, people, _batch_answer)


def _stated_or_refused(office: Office, message: pb.Person, path: str) -> Stated | Refusal:
    try:
        return stated(message, path, office.sealer)
    except Refusal as refusal:
        return refusal


def _batch_answer(results: Sequence[Result], sight: Sight) -> pb.BatchPutPersonsResponse:
    told = (_result(at, one, sight) for at, one in enumerate(results))
    return pb.BatchPutPersonsResponse(results=told)


def _result(index: int, result: Result, sight: Sight) -> pb.BatchPutPersonsResult:
    if isinstance(result, Refusal):
        return pb.BatchPutPersonsResult(index=index, error=status_of(result))
    person = person_message(result.after, sight)
    return pb.BatchPutPersonsResult(index=index, person=person, created=result.before is None)


def get_person(
    office: Office, caller: Caller, request: pb.GetPersonRequest
) -> pb.GetPersonResponse:
    """One person, masked according to who looks; who is out of reach is as who does not exist."""
    by_id = request.WhichOneof("lookup") == "person_id"
    if not by_id and not request.name:
        raise messages.invalid(Violation("name", "按证件查询时请填写姓名"))
    found = _find(office, request)
    out_of_reach = found is None or not reach.reaches(caller, found.person, office.today())
    if by_id and out_of_reach:
        raise errors.AccessDenied
    if found is None or out_of_reach or not (by_id or same_name(found.person.name, request.name)):
        raise errors.PersonNotMatched
    return pb.GetPersonResponse(person=person_message(found, _SIGHTS[caller.role]))


_SIGHTS = {
    Role.AGENCY: Sight.AGENCY,
    Role.CITIZEN: Sight.CITIZEN,
    Role.COUNTER: Sight.COUNTER,
}


def _find(office: Office, request: pb.GetPersonRequest) -> Registered | None:
    with office.database.reader() as tx:
        if request.WhichOneof("lookup") == "person_id":
            person_id = parse_id(request.person_id)
        else:
            kind = enum_name(types_pb2.CertificateType, request.certificate.type)
            hashed = office.sealer.index(kind, request.certificate.number)
            person_id = find_people(tx, [hashed]).get(hashed)
        if person_id is None:
            return None
        return read_registered(tx, [person_id], office.sealer).get(person_id)
