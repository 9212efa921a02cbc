"""OpenAccount: a person's personal account in the books of an agency's region.

Rule: an account belongs to somebody insured there as an employee, is of a kind that the region
keeps, and is the only one of its kind; GENERAL stands alone. It is stored in the owner's home
region.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.person import Account
from gongji_svc.domain.terms import AccountKind, AccountState, Insurance
from gongji_svc.services.account_changes import audit_row
from gongji_svc.services.account_view import account_message
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.reach import reaches
from gongji_svc.storage import people, tables
from gongji_svc.storage.accounts import accounts_of
from gongji_svc.storage.ids import new_id, parse_id, region_of
from gongji_svc.storage.state import AccountRow, Decision, Keys, Lookups, State, Wanted


@dataclass(slots=True)
class OpenAccount(AskedCommand):
    """An account to be opened."""

    owner_id: UUID

    def lookups(self) -> Lookups:
        """Nothing: the owner is named."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """The request key in the agency's region, and the owner."""
        region = self.asked.message.region
        claim = self.asked.claim(region, self.asked.caller.subject, self.office.sealer)
        return Keys(claim, persons=(self.owner_id,))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The accounts that the owner has."""
        return Wanted(accounts_of=(self.owner_id,))

    def decide(self, state: State) -> Decision:
        """The account, empty; RegionNotServed in the books of a region without rules."""
        self.office.rulebook.check_served(self.asked.message.region)
        today = day_of(state.now)
        kind = AccountKind(enum_name(types_pb2.AccountKind, self.asked.message.kind))
        self._check_owner(state, today)
        self._check_kind(kind, accounts_of(state, self.owner_id), today)
        # From here on the account will be opened.
        home = region_of(self.owner_id)
        opened = AccountRow(
            region=home,
            id=new_id(home),
            person_id=self.owner_id,
            pool_region=self.asked.message.region,
            kind=kind.value,
            state=AccountState.OPEN.value,
            balance_fen=0,
            held_fen=0,
            frozen_quota_fen=0,
            seq=0,
            recorded_at=state.now,
        )
        owned = [*state.accounts_of[self.owner_id], opened]
        account = account_message(self.office, opened, owned, today)
        facts = {"person_id": str(self.owner_id), "kind": opened.kind, "state": opened.state}
        audited = Audited("account", opened.id, opened.pool_region, {}, facts)
        return Decision(
            answer=pb.OpenAccountResponse(account=account).SerializeToString(),
            result_id=opened.id,
            new=((tables.accounts, opened.row()), audit_row(self.asked, audited, state)),
        )

    def _check_owner(self, state: State, today: date) -> None:
        owner = people.person(state, self.office.sealer, self.owner_id)
        if owner is None or not reaches(self.asked.caller, owner, today):
            raise errors.AccessDenied
        if owner.died_on is not None:
            raise errors.PersonDeceased
        if owner.enrolment_in(Insurance.EMPLOYEE, self.asked.message.region) is None:
            raise errors.EnrolmentNotUsable

    def _check_kind(self, kind: AccountKind, owned: Sequence[Account], today: date) -> None:
        policy = self.office.policy(self.asked.message.region, today)
        if kind not in (*policy.own_account_kinds, *policy.donor_account_kinds):
            raise errors.AccountKindNotAllowed
        if not _fits_beside(kind, (account.kind for account in owned)):
            raise errors.AccountExists


def _fits_beside(kind: AccountKind, others: Iterable[AccountKind]) -> bool:
    """Whether a person may have this kind beside the others; GENERAL stands alone."""
    return all(kind is not one and AccountKind.GENERAL not in (kind, one) for one in others)


def read_open_account(office: Office, asked: Asked) -> OpenAccount:
    """The command in an OpenAccountRequest."""
    owner_id = parse_id(asked.message.person_id)
    if owner_id is None:
        raise errors.AccessDenied
    return OpenAccount(office, asked, owner_id)
