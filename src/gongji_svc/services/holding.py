"""CreateHold: money set aside for a later purchase (预留).

Rule: a hold on a donor's account passes the checks that a purchase of that moment would, the risk
rules among them, and counts against the donor's limits from then on. The beneficiary is locked, so
no binding changes meanwhile, and the accounts of both sides. To a till two people without a binding
are one answer, whether or not the account exists.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Role
from gongji_svc.domain.binding import LIVING, Binding
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.explanation import obstacle_worded
from gongji_svc.domain.hold import Hold, HoldState
from gongji_svc.domain.person import Account, Enrolment, Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_values import NO_CAPS
from gongji_svc.domain.terms import AccountState, Use, VisitType
from gongji_svc.domain.usability import (
    Obstacle,
    Visit,
    Why,
    obstacles,
    shareable,
    visit_obstacles,
)
from gongji_svc.domain.waterfall import Donor, smallest_limit
from gongji_svc.domain.wording import LIMIT_ZH
from gongji_svc.services import till
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited, Facts, doer_of
from gongji_svc.services.bills import donors_of as donors_at_till
from gongji_svc.services.hold_reads import hold_message
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_as
from gongji_svc.services.risk_checks import RiskCheck, risks_of_hold
from gongji_svc.storage import people, tables
from gongji_svc.storage.accounts import account_from
from gongji_svc.storage.bindings import bindings_of
from gongji_svc.storage.holds import Counts, count, counter_rows, hold_row
from gongji_svc.storage.ids import new_id, parse_id
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.state import (
    AccountRow,
    Claim,
    Decision,
    Keys,
    Lookups,
    State,
    TableRow,
    Wanted,
)

_A_DAY = timedelta(days=1)


@dataclass(slots=True)
class CreateHold(AskedCommand):
    """An amount to be set aside."""

    account_id: UUID
    beneficiary_id: UUID
    institution_code: str
    institution: Institution | None = None
    owner_id: UUID | None = None
    risks: RiskCheck | None = None

    def lookups(self) -> Lookups:
        """The institution, and whose account it is."""
        codes = (self.institution_code,) if self.institution_code else ()
        return Lookups(codes, owned=((tables.accounts, self.account_id),))

    def keys(self, state: State) -> Keys:
        """The request key of whom the caller acts for, and the beneficiary."""
        caller = self.asked.caller
        if self.institution_code:
            self.institution = till.institution_of(state, caller, self.institution_code)
        self.owner_id = state.owners.get(self.account_id)
        if self.owner_id is None:
            if caller.role is Role.AGENCY:
                raise errors.AccessDenied
            raise not_usable([Obstacle(Why.NO_BINDING)])
        return Keys(self._claim(), persons=(self.beneficiary_id,))

    def _claim(self) -> Claim:
        caller, sealer = self.asked.caller, self.office.sealer
        if caller.role is Role.AGENCY or self.institution is None:
            return self.asked.claim(caller.subject, caller.subject, sealer)
        return self.asked.claim(self.institution.region, self.institution_code, sealer)

    def discover(self, state: State) -> Wanted:
        """The accounts of both, what the limits of their bindings count, and what the risk rules
        look back on.
        """
        assert self.owner_id is not None  # noqa: S101 - keys() came first
        self.risks = risks_of_hold(
            self.office, self.institution_code, self._region(), self.beneficiary_id, self._payers()
        )
        # The turn of a year may lie between this clock and the database's.
        yesterday = self.office.today() - _A_DAY
        counted = (self.owner_id, *(one.binding_id for one in self._between(state)))
        return Wanted(
            accounts_of=(self.owner_id, self.beneficiary_id),
            persons=(self.owner_id,),
            counters=tuple((subject, date(yesterday.year, 1, 1)) for subject in counted),
            look_back=None if self.risks is None else self.risks.look_back,
        )

    def _region(self) -> str:
        """Whose rules apply: of the place, else of the agency that makes a hold for any."""
        return self.asked.caller.subject if self.institution is None else self.institution.region

    def _payers(self) -> Sequence[UUID]:
        """The donor, whose money it is unless it is the beneficiary's own."""
        assert self.owner_id is not None  # noqa: S101 - keys() came first
        return () if self.owner_id == self.beneficiary_id else (self.owner_id,)

    def _between(self, state: State) -> list[Binding]:
        taken = bindings_of(state, self.beneficiary_id)
        return [binding for binding in taken if binding.donor_id == self.owner_id]

    def decide(self, state: State) -> Decision:
        """The hold; the account holds more, and the donor's limits count it."""
        account = state.accounts[self.account_id]
        self._check_place(account)
        today = day_of(state.now)
        donor = None
        if self.owner_id == self.beneficiary_id:
            self._check_own(state, account)
        else:
            donor = self._donor(state, today)
        self._check_amount(account, donor, today)
        if self.risks is not None:
            self.risks.check(state, self._payers())
        # From here on the money is set aside.
        hold = self._hold(state, account, donor)
        counts: Counts = defaultdict(int)
        count(counts, hold, hold.amount_fen)
        return Decision(
            answer=pb.CreateHoldResponse(hold=hold_message(hold)).SerializeToString(),
            result_id=hold.hold_id,
            held=((account.id, hold.amount_fen),),
            new=((tables.holds, hold_row(hold)), *audited(self.asked, None, hold, account)),
            replaced=tuple(counter_rows(state, counts)),
        )

    def _check_place(self, account: AccountRow) -> None:
        caller = self.asked.caller
        if caller.role is Role.AGENCY and caller.subject != account.pool_region:
            raise errors.AccessDenied
        if self.institution is not None:
            till.check_serving(self.institution)

    def _check_own(self, state: State, account: AccountRow) -> None:
        if self._beneficiary(state).died_on is not None:
            raise errors.PersonDeceased
        check_province(self.institution, account.pool_region)

    def _beneficiary(self, state: State) -> Person:
        person = people.person(state, self.office.sealer, self.beneficiary_id)
        assert person is not None  # noqa: S101 - whoever has an account or a binding is registered
        return person

    def _donor(self, state: State, today: date) -> Donor:
        """The donor as a till gathers one, under the binding that is nearest to being usable."""
        between = self._between(state)
        if not between:
            raise not_usable([Obstacle(Why.NO_BINDING)])
        binding = max(between, key=lambda b: (b.state in LIVING, b.runs_on(today), b.bound_at))
        donor = next(donors_at_till(self.office, state, (binding,), today, today), None)
        if donor is None:  # insured where no rules hold
            raise not_usable([Obstacle(Why.DONOR_NOT_INSURED)])
        beneficiary = self._beneficiary(state)
        enrolments = self._enrolments(beneficiary, today)
        found = min((self._stops(donor, beneficiary, one, today) for one in enrolments), key=len)
        if found:
            raise not_usable(found)
        return donor

    def _enrolments(self, beneficiary: Person, today: date) -> Sequence[Enrolment | None]:
        """Those a settlement at the institution can use, else those that tell best why none is."""
        usable = till.usable_enrolments(beneficiary, self.office.rulebook, today)
        near = [one for one in usable if _in_province(self.institution, one.region)]
        if usable and not near:
            raise errors.InstitutionOutOfProvince
        return near or beneficiary.enrolments or (None,)

    def _stops(
        self, donor: Donor, beneficiary: Person, enrolment: Enrolment | None, today: date
    ) -> Sequence[Obstacle]:
        """Everything that stops the donor's money for who uses this enrolment."""
        return [
            *obstacles(
                donor.binding,
                donor.person,
                donor.enrolment,
                beneficiary,
                enrolment,
                donor.policy,
                Use.MEDICAL,
                today,
            ),
            *place_obstacles(self.institution, donor.region, donor.policy),
        ]

    def _check_amount(self, account: AccountRow, donor: Donor | None, today: date) -> None:
        check_pays(account)
        amount_fen, kept = self.asked.message.amount_fen, account_from(account)
        if donor is None:
            free_fen = _spendable_fen(kept, self.office.find_policy(kept.region, today))
        else:
            limit_fen, limit = smallest_limit(donor)
            if limit_fen is not None and amount_fen > limit_fen:
                raise errors.LimitExceeded(limit=limit, limit_zh=LIMIT_ZH[limit])
            free_fen = _shareable_fen(kept, donor)
        if amount_fen > free_fen:
            raise errors.InsufficientFunds

    def _hold(self, state: State, account: AccountRow, donor: Donor | None) -> Hold:
        message = self.asked.message
        return Hold(
            hold_id=new_id(account.region),
            account_id=account.id,
            owner_id=account.person_id,
            beneficiary_id=self.beneficiary_id,
            binding_id=None if donor is None else donor.binding.binding_id,
            institution_code=self.institution_code,
            amount_fen=message.amount_fen,
            captured_fen=0,
            state=HoldState.OPEN,
            counted_on=day_of(state.now),
            household=donor is not None and donor.policy.household_caps != NO_CAPS,
            created_at=state.now,
            expires_at=state.now + message.ttl.ToTimedelta(),
        )


def _spendable_fen(account: Account, policy: Policy | None) -> int:
    """What the owner can set aside of an account."""
    if policy is None or account.kind not in policy.own_account_kinds:
        return 0
    return account.spendable_fen


def _shareable_fen(account: Account, donor: Donor) -> int:
    """What can be set aside for a relative of this one of the donor's accounts."""
    if account.kind not in donor.policy.donor_account_kinds:
        return 0
    return min(account.spendable_fen, shareable(donor.accounts, donor.policy).amount_fen)


def check_pays(account: AccountRow) -> None:
    """AccountClosed or AccountFrozen for an account that pays nothing."""
    if account.state == AccountState.CLOSED:
        raise errors.AccountClosed
    if account.state == AccountState.FROZEN:
        raise errors.AccountFrozen


def check_province(institution: Institution | None, region: str) -> None:
    """InstitutionOutOfProvince for an institution of another province than the region's."""
    if not _in_province(institution, region):
        raise errors.InstitutionOutOfProvince


def _in_province(institution: Institution | None, region: str) -> bool:
    return institution is None or institution.region[:2] == region[:2]


def place_obstacles(
    institution: Institution | None, donor_region: str, policy: Policy
) -> Iterator[Obstacle]:
    """What stops a donor's money at an institution, whatever the visit will be."""
    if institution is None:
        return
    kind, _ = till.place_of(institution)
    visit = Visit(VisitType.OUTPATIENT, kind, institution.region)
    for obstacle in visit_obstacles(visit, donor_region, policy):
        if obstacle.why is not Why.VISIT_TYPE_NOT_ADMITTED:
            yield obstacle


def not_usable(found: Sequence[Obstacle]) -> errors.MutualAidNotUsable:
    """The refusal that tells each reason once."""
    reasons = {obstacle.why: obstacle_worded(obstacle) for obstacle in found}
    return errors.MutualAidNotUsable(
        reasons=", ".join(reasons), reasons_zh="；".join(reasons.values())
    )


def audited(
    asked: Asked, before: Hold | None, after: Hold, account: AccountRow
) -> Iterator[TableRow]:
    """The record of what staff did with a hold; a till's own calls are its settlements."""
    if asked.caller.role is Role.AGENCY:
        facts = {} if before is None else _facts(before)
        record = Audited(
            "hold", after.hold_id, account.pool_region, facts, _facts(after), after.reason
        )
        at = after.created_at if before is None else after.resolved_at
        assert at is not None  # noqa: S101 - what was open before is resolved now
        yield record.row(doer_of(asked, acting_as(asked.caller)), at)


def _facts(hold: Hold) -> Facts:
    """What the audit trail keeps of a hold."""
    return {
        "account_id": str(hold.account_id),
        "beneficiary_id": str(hold.beneficiary_id),
        "binding_id": "" if hold.binding_id is None else str(hold.binding_id),
        "institution_code": hold.institution_code,
        "amount_fen": hold.amount_fen,
        "captured_fen": hold.captured_fen,
        "state": hold.state.value,
        "expires_at": hold.expires_at.isoformat(),
    }


def read_create_hold(office: Office, asked: Asked) -> CreateHold:
    """The command in a CreateHoldRequest."""
    message, caller = asked.message, asked.caller
    account_id, beneficiary_id = parse_id(message.account_id), parse_id(message.beneficiary_id)
    if account_id is None or beneficiary_id is None:
        raise errors.AccessDenied
    code = caller.subject if caller.role is Role.POS else message.institution_code
    return CreateHold(office, asked, account_id, beneficiary_id, code)
