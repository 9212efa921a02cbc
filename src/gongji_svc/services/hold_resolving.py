"""CaptureHold and ReleaseHold: what was set aside is taken, at most its amount, or freed.

Rule: a hold is resolved once. What is captured goes to the institution it is for; of a hold for any
institution, to the till that captures it, where the donor's money may be used at all. The rest is
free again, and counts against no limit.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from gongji_svc.domain import errors
from gongji_svc.domain.access import Role
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.hold import Hold, captured, released
from gongji_svc.domain.journal import EntryKind, Journal, Line, Posting, Side
from gongji_svc.domain.notice import NoticeKind
from gongji_svc.services import till
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.hold_reads import check_reach, hold_message
from gongji_svc.services.holding import (
    audited,
    check_pays,
    check_province,
    not_usable,
    place_obstacles,
)
from gongji_svc.services.office import Office
from gongji_svc.services.reach import request_owner
from gongji_svc.storage import tables
from gongji_svc.storage.holds import hold_in, resolution
from gongji_svc.storage.ids import new_id, parse_id
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.notices import notice
from gongji_svc.storage.state import AccountRow, Decision, Keys, Lookups, State, TableRow, Wanted


@dataclass(frozen=True, slots=True)
class Case:
    """A hold under lock with its account, the institution it is for (None: any), and the clock."""

    hold: Hold
    account: AccountRow
    institution: Institution | None
    now: datetime


@dataclass(slots=True)
class ResolveHold(AskedCommand, ABC):
    """An end of one hold, named by its id; subclasses say which."""

    hold_id: UUID
    place: Institution | None = None  # of the till that calls, if one does
    owner_id: UUID | None = None

    def lookups(self) -> Lookups:
        """The till that calls, and whose hold it is."""
        caller = self.asked.caller
        codes = (caller.subject,) if caller.role is Role.POS else ()
        return Lookups(codes, owned=((tables.holds, self.hold_id),))

    def keys(self, state: State) -> Keys:
        """The request key of the caller."""
        caller = self.asked.caller
        region = caller.subject
        if caller.role is Role.POS:
            self.place = till.institution_of(state, caller, caller.subject)
            region = self.place.region
        self.owner_id = state.owners.get(self.hold_id)
        if self.owner_id is None:
            raise errors.AccessDenied
        return Keys(self.asked.claim(region, request_owner(caller), self.office.sealer))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The owner's accounts, and the hold, which only their lock keeps still."""
        assert self.owner_id is not None  # noqa: S101 - keys() came first
        return Wanted(accounts_of=(self.owner_id,), things=((tables.holds, self.hold_id),))

    def decide(self, state: State) -> Decision:
        """The hold as resolved, and all that is written with it."""
        case = self._case(state)
        caller, account = self.asked.caller, case.account
        check_reach(caller, case.hold, account.pool_region, case.institution)
        after = self.resolved(case)
        journals = self.journals(case, after)
        # From here on the hold is resolved.
        decided = resolution(state, [after])
        answer = self.asked.method.response(hold=hold_message(after))
        return replace(
            decided,
            answer=answer.SerializeToString(),
            result_id=self.hold_id,
            journals=tuple(journals),
            new=(*audited(self.asked, case.hold, after, account), *self.told(case, after)),
        )

    def _case(self, state: State) -> Case:
        hold = hold_in(state, self.hold_id)
        assert hold is not None  # noqa: S101 - it has an owner, and no hold is ever removed
        row = state.institutions.get(hold.institution_code)
        institution = None if row is None else Institution(*row)
        return Case(hold, state.accounts[hold.account_id], institution, state.now)

    @abstractmethod
    def resolved(self, case: Case) -> Hold:
        """The hold after it, or the first refusal that applies."""

    def journals(self, case: Case, after: Hold) -> Sequence[Journal]:  # noqa: ARG002 - see CaptureHold
        """The money that moves, if any."""
        return ()

    def told(self, case: Case, after: Hold) -> Iterable[TableRow]:  # noqa: ARG002 - see CaptureHold
        """Who is told of it."""
        return ()


class CaptureHold(ResolveHold):
    """A debit of a hold."""

    __slots__ = ()

    def resolved(self, case: Case) -> Hold:
        """The hold as captured; HoldNotApplicable where no institution is there to be paid."""
        message = self.asked.message
        amount_fen = message.amount_fen if message.HasField("amount_fen") else None
        after = captured(case.hold, amount_fen, case.now)
        check_pays(case.account)
        self._check_place(case)
        return after

    def journals(self, case: Case, after: Hold) -> Sequence[Journal]:
        """From the account to the institution."""
        hold, account, payee = case.hold, case.account, self._payee(case)
        own = hold.binding_id is None
        posting = Posting(
            account.id,
            account.pool_region,
            EntryKind.SETTLEMENT_OWN if own else EntryKind.SETTLEMENT_MUTUAL_AID,
            -after.captured_fen,
            hold.beneficiary_id,
            hold.binding_id,
        )
        owed = Line(
            payee.region, Side.INSTITUTION_PAYABLE, payee.institution_code, after.captured_fen
        )
        journal = Journal(
            journal_id=new_id(payee.region),
            home=payee.region,
            occurred_at=case.now,
            postings=(posting,),
            lines=(owed,),
            source_id=hold.hold_id,
            counterparty=payee.institution_code,
            memo=self.asked.message.memo or None,
        )
        return (journal,)

    def told(self, case: Case, after: Hold) -> Iterable[TableRow]:
        """The donor, as of every debit for a relative."""
        hold, donor_id = after, case.account.person_id
        if hold.binding_id is not None:
            debited_fen = hold.captured_fen
            yield notice(
                NoticeKind.DEBIT, donor_id, hold.binding_id, debited_fen, hold.hold_id, case.now
            )

    def _payee(self, case: Case) -> Institution:
        payee = case.institution or self.place
        if payee is None:
            raise errors.HoldNotApplicable
        return payee

    def _check_place(self, case: Case) -> None:
        """A hold that names its institution was checked for it when it was made."""
        payee, region = self._payee(case), case.account.pool_region
        till.check_serving(payee)
        if case.institution is not None:
            return
        policy = self.office.find_policy(region, day_of(case.now))
        if case.hold.binding_id is None or policy is None:
            check_province(payee, region)
        elif found := list(place_obstacles(payee, region, policy)):
            raise not_usable(found)


class ReleaseHold(ResolveHold):
    """A hold to be freed."""

    __slots__ = ()

    def resolved(self, case: Case) -> Hold:
        """The hold as released."""
        return released(case.hold, self.asked.message.reason, case.now)


def read_capture_hold(office: Office, asked: Asked) -> CaptureHold:
    """The command in a CaptureHoldRequest."""
    return CaptureHold(office, asked, _hold_id(asked))


def read_release_hold(office: Office, asked: Asked) -> ReleaseHold:
    """The command in a ReleaseHoldRequest."""
    return ReleaseHold(office, asked, _hold_id(asked))


def _hold_id(asked: Asked) -> UUID:
    hold_id = parse_id(asked.message.hold_id)
    if hold_id is None:
        raise errors.AccessDenied
    return hold_id
