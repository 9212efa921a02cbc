"""GetHold and ListHolds, and who a hold exists for.

Rule: a till acts for the holds of its own institution and for those that name none, a platform for
those of its region's institutions, an agency for those on accounts in its books; an owner sees
them. To everybody else a hold does not exist. One whose time has passed is shown as expired.
"""

from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.hold import Hold, HoldState, seen_at
from gongji_svc.services import paging
from gongji_svc.services.account_readers import account_seen
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.services.office import Office
from gongji_svc.storage.holds import list_holds, read_clock, read_hold
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.institutions import Institution, find_institutions


def hold_message(hold: Hold) -> pb.Hold:
    """A hold as its readers see it."""
    message = pb.Hold(
        hold_id=str(hold.hold_id),
        account_id=str(hold.account_id),
        beneficiary_id=str(hold.beneficiary_id),
        binding_id="" if hold.binding_id is None else str(hold.binding_id),
        institution_code=hold.institution_code,
        amount_fen=hold.amount_fen,
        captured_fen=hold.captured_fen,
        state=enum_number(pb.HoldState, hold.state),
        reason=hold.reason,
    )
    message.created_at.FromDatetime(hold.created_at)
    message.expires_at.FromDatetime(hold.expires_at)
    if hold.resolved_at is not None:
        message.resolved_at.FromDatetime(hold.resolved_at)
    return message


def check_reach(
    caller: Caller, hold: Hold, pool_region: str, institution: Institution | None
) -> None:
    """AccessDenied unless the caller may look at a hold and resolve it.

    `pool_region`: whose books its account stands in; `institution`: the one it is for, if any.
    """
    match caller.role:
        case Role.POS:
            mine = hold.institution_code in ("", caller.subject)
        case Role.PLATFORM:
            mine = institution is not None and caller.subject in (
                institution.region,
                institution.region[:2] + "0000",
            )
        case _:
            mine = caller.subject == pool_region
    if not mine:
        raise errors.AccessDenied


def get_hold(office: Office, caller: Caller, request: pb.GetHoldRequest) -> pb.GetHoldResponse:
    """A hold as it stands now; AccessDenied for one that is missing or not the caller's to see."""
    hold_id = parse_id(request.hold_id)
    with office.database.reader() as tx:
        found = None if hold_id is None else read_hold(tx, hold_id)
        if found is None:
            raise errors.AccessDenied
        hold, pool_region = found
        code = hold.institution_code
        check_reach(caller, hold, pool_region, find_institutions(tx, {code}).get(code))
        now = read_clock(tx) + office.clock_offset
    return pb.GetHoldResponse(hold=hold_message(seen_at(hold, now)))


def list_of_holds(
    office: Office, caller: Caller, request: pb.ListHoldsRequest
) -> pb.ListHoldsResponse:
    """A page of the holds on an account, newest first; AccessDenied as for the account."""
    position = paging.position_in(request, office.sealer)
    before = None if position is None else UUID(bytes=position)
    states = {HoldState(enum_name(pb.HoldState, number)) for number in request.states}
    size = paging.size_of(request)
    account = account_seen(office, caller, request.account_id)
    with office.database.reader() as tx:
        now = read_clock(tx) + office.clock_offset
        found = list_holds(tx, account.id, states, now, before, size + 1)
    page = found[:size]
    response = pb.ListHoldsResponse(holds=[hold_message(seen_at(hold, now)) for hold in page])
    if len(found) > size:
        last = page[-1].hold_id.bytes
        response.next_page_token = paging.token_after(request, last, office.sealer)
    return response
