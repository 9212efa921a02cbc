"""ListDifferences, ResolveDifference: what a reconciliation found, and how it was put right.

Rule: a difference is put right once, by the institution whose day it is or by the agency of its
region, and shown to nobody else. Resolving moves no money: its note names what did.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.calendar import day_of, start_of
from gongji_svc.domain.reconciliation import (
    Difference,
    DifferenceKind,
    DifferenceResolution,
    DifferenceState,
    Row,
)
from gongji_svc.services import paging, till
from gongji_svc.services.account_changes import audit_row, id_in
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited, Facts
from gongji_svc.services.binding_view import actor
from gongji_svc.services.days import date_of, day_in, timestamp
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_as
from gongji_svc.storage import tables
from gongji_svc.storage.differences import (
    Choice,
    Place,
    difference_in,
    difference_row,
    list_differences,
)
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.institutions import find_institutions
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted


@dataclass(slots=True)
class ResolveDifference(AskedCommand):
    """A difference to be put right."""

    difference_id: UUID

    def lookups(self) -> Lookups:
        """The till's institution, which tells its region."""
        caller = self.asked.caller
        return Lookups(institution_codes=(caller.subject,) if caller.role is Role.POS else ())

    def keys(self, state: State) -> Keys:
        """The request key of the institution or agency; AccessDenied for another region's."""
        caller = self.asked.caller
        region = caller.subject
        if caller.role is Role.POS:
            region = till.institution_of(state, caller, caller.subject).region
        if region_of(self.difference_id) != region:
            raise errors.AccessDenied
        return Keys(self.asked.claim(region, caller.subject, self.office.sealer))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The difference."""
        return Wanted(things=((tables.differences, self.difference_id),))

    def decide(self, state: State) -> Decision:
        """The difference put right."""
        before = self._difference(state)
        message = self.asked.message
        after = before.resolved(
            DifferenceResolution(enum_name(pb.DifferenceResolution, message.resolution)),
            message.note,
            acting_as(self.asked.caller),
            state.now,
        )
        audited = Audited(
            "difference",
            after.difference_id,
            after.region,
            _facts(before),
            _facts(after),
            after.note,
        )
        answer = pb.ResolveDifferenceResponse(difference=difference_message(after))
        return Decision(
            answer.SerializeToString(),
            result_id=after.difference_id,
            new=(audit_row(self.asked, audited, state),),
            replaced=((tables.differences, difference_row(after)),),
        )

    def _difference(self, state: State) -> Difference:
        """The difference; to a till a missing one is as another's."""
        found, caller = difference_in(state, self.difference_id), self.asked.caller
        if caller.role is Role.POS and (found is None or found.institution_code != caller.subject):
            raise errors.AccessDenied
        if found is None:
            raise errors.DifferenceNotFound
        return found


def list_of_differences(
    office: Office, caller: Caller, request: pb.ListDifferencesRequest
) -> pb.ListDifferencesResponse:
    """A page of the differences of the till's institution, or of the agency's region."""
    after = paging.position_in(request, office.sealer)
    size = paging.size_of(request)
    with office.database.reader() as tx:
        region, code = caller.subject, request.institution_code
        if caller.role is Role.POS:
            code = caller.subject
            institution = find_institutions(tx, {code}).get(code)
            if institution is None:
                raise errors.InstitutionNotFound
            region = institution.region
        place = None if after is None else _place_at(after)
        choice = _choice(region, code, request)
        found = []
        if request.region in ("", region):
            found = list(list_differences(tx, choice, place, size + 1))
    page = found[:size]
    response = pb.ListDifferencesResponse(differences=[difference_message(one) for one in page])
    if len(found) > size:
        position = paging.position_of(start_of(page[-1].day), page[-1].difference_id)
        response.next_page_token = paging.token_after(request, position, office.sealer)
    return response


def _place_at(position: bytes) -> Place:
    moment, difference_id = paging.place_at(position)
    return day_of(moment), difference_id


def difference_message(difference: Difference) -> pb.Difference:
    """A difference as both sides see it."""
    kept = difference
    resolution = kept.resolution or "UNSPECIFIED"
    return pb.Difference(
        difference_id=str(kept.difference_id),
        institution_code=kept.institution_code,
        region=kept.region,
        date=date_of(kept.day),
        kind=enum_number(pb.DifferenceKind, kept.kind),
        settlement_id=_text(kept.settlement_id),
        request_id=kept.request_id,
        refund=kept.refund,
        there=_row(kept.there),
        here=_row(kept.here),
        state=enum_number(pb.DifferenceState, kept.state),
        resolution=enum_number(pb.DifferenceResolution, resolution),
        note=kept.note,
        found_at=timestamp(kept.found_at),
        resolved_at=None if kept.resolved_at is None else timestamp(kept.resolved_at),
        resolved_by=actor(dict(kept.resolved_by)) if kept.resolved_by else None,
    )


def _row(row: Row | None) -> pb.ReconcileRow | None:
    if row is None:
        return None
    return pb.ReconcileRow(**{**row._asdict(), "settlement_id": _text(row.settlement_id)})


def _text(found: UUID | None) -> str:
    return "" if found is None else str(found)


def _choice(region: str, code: str, request: Any) -> Choice:
    return Choice(
        region=region,
        institution_code=code,
        first_day=day_in(request, "from_date"),
        last_day=day_in(request, "to_date"),
        states=frozenset(
            DifferenceState(enum_name(pb.DifferenceState, number)) for number in request.states
        ),
        kinds=frozenset(
            DifferenceKind(enum_name(pb.DifferenceKind, number)) for number in request.kinds
        ),
    )


def _facts(difference: Difference) -> Facts:
    return {
        "institution_code": difference.institution_code,
        "date": difference.day.isoformat(),
        "state": difference.state.value,
        "resolution": difference.resolution and difference.resolution.value,
    }


def read_resolve_difference(office: Office, asked: Asked) -> ResolveDifference:
    """The command in a ResolveDifferenceRequest."""
    return ResolveDifference(office, asked, id_in(asked.message.difference_id))
