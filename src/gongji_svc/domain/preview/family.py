"""The accounts of a case: the patient's own and the donors', as they change from visit to visit.

Rule: balances change by legs and by nothing else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from uuid import UUID

from gongji_svc.domain.binding import Binding, BindingState
from gongji_svc.domain.calendar import start_of
from gongji_svc.domain.person import Account, Enrolment, Person
from gongji_svc.domain.policy import NATION, Policy
from gongji_svc.domain.policy_values import NO_CAPS, caps
from gongji_svc.domain.preview.rules import IN_FORCE
from gongji_svc.domain.preview.table import Table
from gongji_svc.domain.terms import (
    AccountKind,
    AccountState,
    Insurance,
    PersonType,
    Relation,
)
from gongji_svc.domain.usability import Obstacle, Why, shareable
from gongji_svc.domain.waterfall import Donor, Leg, Used

BALANCE_KEYS = (
    "balance_fen",
    "deposit_fen",
    "account_kind",
    "current_year_fen",
    "past_years_fen",
    "held_fen",
    "frozen_quota_fen",
    "frozen",
)
OWN_KEYS = tuple(f"own_{key}" for key in BALANCE_KEYS)
DONOR_KEYS = ("id", "name", "bound", "bound_at", "region", "same_pool", *BALANCE_KEYS,
              "limits", "used", "household_used")  # fmt: skip
_USED_KEYS = ("day_fen", "month_fen", "year_fen")
_ELSEWHERE = "999999"  # the region of a donor who is not insured in the patient's


@dataclass(slots=True)
class Relative:
    """A donor of the case; `paid` is what the visits so far took, by day."""

    name: str
    donor: Donor
    bound: bool
    paid: list[tuple[date, int]] = field(default_factory=list)

    def on(self, day: date, first_day: date) -> Donor:
        """The donor with what is used of the limits by then; what the case states used counts
        from the first visit's day."""
        return replace(
            self.donor,
            used=self._used(self.donor.used, day, first_day),
            household_used=self._used(self.donor.household_used, day, first_day),
        )

    def _used(self, before: Used, day: date, first_day: date) -> Used:
        in_month, in_year = (day.year, day.month), day.year
        taken = self.paid
        same_month = (first_day.year, first_day.month) == in_month
        return Used(
            (before.day_fen if first_day == day else 0) + sum(f for d, f in taken if d == day),
            (before.month_fen if same_month else 0)
            + sum(f for d, f in taken if (d.year, d.month) == in_month),
            (before.year_fen if first_day.year == in_year else 0)
            + sum(f for d, f in taken if d.year == in_year),
        )


@dataclass(slots=True)
class Family:
    """Own accounts (None: there is none) and donors in the case's order, which is their rank."""

    region: str
    policy: Policy
    own: list[Account] | None
    relatives: list[Relative]

    def donors_on(self, day: date, first_day: date) -> list[Donor]:
        return [relative.on(day, first_day) for relative in self.relatives]

    def obstacles(self) -> dict[UUID, Obstacle]:
        """A relative who is not bound never pays, whatever else connects the two."""
        return {
            relative.donor.binding.binding_id: Obstacle(Why.NO_BINDING)
            for relative in self.relatives
            if not relative.bound
        }

    def move(self, legs: Iterable[Leg], day: date, sign: int) -> None:
        """Take legs from the accounts (-1), or give them back (+1)."""
        for leg in legs:
            amount = sign * leg.amount_fen
            if leg.binding_id is None:
                self.own = _moved(self.own or [], leg, amount)
                continue
            relative = self._relative(leg.binding_id)
            accounts = _moved(relative.donor.accounts, leg, amount)
            relative.donor = replace(relative.donor, accounts=accounts)
            relative.paid.append((day, -amount))

    def by_name(self, legs: Iterable[Leg]) -> dict[str, int]:
        """Fen by donor of the legs that are donors'."""
        sums: dict[str, int] = {}
        for leg in legs:
            if leg.binding_id is not None:
                name = self._relative(leg.binding_id).name
                sums[name] = sums.get(name, 0) + leg.amount_fen
        return sums

    def _relative(self, binding_id: UUID) -> Relative:
        return next(r for r in self.relatives if r.donor.binding.binding_id == binding_id)

    def spendable_fen(self) -> dict[str, int]:
        """What each donor may share now."""
        return {
            relative.name: self._share_fen(relative) if relative.bound else 0
            for relative in self.relatives
        }

    def _share_fen(self, relative: Relative) -> int:
        return shareable(relative.donor.accounts, self.policy).amount_fen

    def balances(self) -> dict[str, object]:
        """The balances as the schema prints them."""
        donors = {r.name: sum(a.balance_fen for a in r.donor.accounts) for r in self.relatives}
        own = None if self.own is None else sum(account.balance_fen for account in self.own)
        return {"own_fen": own, "donors": donors}


def _moved(accounts: Iterable[Account], leg: Leg, amount_fen: int) -> list[Account]:
    return [
        replace(account, balance_fen=account.balance_fen + amount_fen)
        if account.account_id == leg.account_id
        else account
        for account in accounts
    ]


def read_family(given: Table, policy: Policy, region: str) -> Family:
    """The accounts of a case; `region` is where the patient is insured."""
    own = _accounts(given, "own_", policy, 0)
    relatives = [
        _relative(table, policy, region, rank)
        for rank, table in enumerate(given.tables("donors", DONOR_KEYS), 1)
    ]
    names = [relative.name for relative in relatives]
    if len(set(names)) < len(names):
        raise given.error("donors", "an id stands twice")
    return Family(region, policy, own, relatives)


def _relative(table: Table, policy: Policy, region: str, rank: int) -> Relative:
    name = table.text("id")
    person = Person(UUID(int=rank), str(table.stated("name") or name))
    insured = str(table.stated("region") or (region if _same_pool(table) else _ELSEWHERE))
    binding = Binding(
        binding_id=UUID(int=rank),
        donor_id=person.person_id,
        beneficiary_id=UUID(int=0),
        relation=Relation.PARENT,
        state=BindingState.ACTIVE,
        bound_at=table.instant("bound_at") or start_of(IN_FORCE + timedelta(days=rank)),
        effective_from=IN_FORCE,
        rank=rank,
        limits=table.read("limits", caps) or NO_CAPS,
    )
    donor = Donor(
        binding=binding,
        person=person,
        enrolment=Enrolment(Insurance.EMPLOYEE, insured, PersonType.ACTIVE, ()),
        policy=policy,
        accounts=_accounts(table, "", policy, rank) or [],
        used=_used(table, "used"),
        household_used=_used(table, "household_used"),
    )
    return Relative(name, donor, table.flag("bound") is not False)


def _same_pool(table: Table) -> bool:
    return table.flag("same_pool") is not False


def _used(table: Table, key: str) -> Used:
    stated = table.table(key, _USED_KEYS)
    return Used(*(stated.fen(name) or 0 for name in _USED_KEYS))


def _accounts(table: Table, prefix: str, policy: Policy, owner: int) -> list[Account] | None:
    """The accounts that a case states of one person; None: the person has none."""
    parts = _parts(table, prefix, policy)
    if parts is None:
        return None
    frozen = table.flag(f"{prefix}frozen") is True
    accounts = [
        Account(
            account_id=UUID(int=(owner << 8) + number),
            person_id=UUID(int=owner),
            region=NATION,
            kind=kind,
            balance_fen=balance_fen,
            state=AccountState.FROZEN if frozen else AccountState.OPEN,
        )
        for number, (kind, balance_fen) in enumerate(parts.items(), 1)
    ]
    deposited, paying = 0, _first_paying(accounts, policy)
    accounts[deposited] = replace(
        accounts[deposited],
        balance_fen=accounts[deposited].balance_fen + (table.fen(f"{prefix}deposit_fen") or 0),
    )
    accounts[paying] = replace(
        accounts[paying],
        held_fen=table.fen(f"{prefix}held_fen") or 0,
        frozen_quota_fen=table.fen(f"{prefix}frozen_quota_fen") or 0,
    )
    return accounts


def _first_paying(accounts: list[Account], policy: Policy) -> int:
    """Which account a hold or a frozen quota weighs on."""
    paying = [at for at, each in enumerate(accounts) if each.kind in policy.own_account_kinds]
    return paying[0] if paying else 0


def _parts(table: Table, prefix: str, policy: Policy) -> dict[AccountKind, int] | None:
    """Balances by kind: one of a kind, or 当年 and 历年; the whole less one part is the other."""
    stated = table.stated(f"{prefix}balance_fen")
    if isinstance(stated, Mapping):
        kinds = [kind.lower() for kind in AccountKind]
        balances = table.table(f"{prefix}balance_fen", kinds)
        return {kind: balances.fen(kind.lower()) or 0 for kind in AccountKind}
    whole_fen = table.fen(f"{prefix}balance_fen")
    current_fen = table.fen(f"{prefix}current_year_fen")
    past_fen = table.fen(f"{prefix}past_years_fen")
    if current_fen is None and past_fen is None:
        return None if whole_fen is None else {_kind(table, prefix, policy): whole_fen}
    if current_fen is None:
        current_fen = 0 if whole_fen is None else whole_fen - (past_fen or 0)
    elif past_fen is None:
        past_fen = 0 if whole_fen is None else whole_fen - current_fen
    parts = {AccountKind.CURRENT_YEAR: current_fen, AccountKind.PAST_YEARS: past_fen or 0}
    if min(parts.values()) < 0 or whole_fen not in (None, sum(parts.values())):
        raise table.error(f"{prefix}balance_fen", "is not the sum of its parts")
    return parts


def _kind(table: Table, prefix: str, policy: Policy) -> AccountKind:
    """A balance without a kind is of the kind that the rules speak of."""
    key = f"{prefix}account_kind"
    if table.stated(key) is None:
        return policy.own_account_kinds[0]
    return AccountKind[table.word(key, [kind.lower() for kind in AccountKind]).upper()]
