"""Bindings as the rules see them, and the rows they are kept in."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gongji_svc.domain.binding import Binding, BindingState
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Relation, Use
from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.sealing import Sealer, place
from gongji_svc.storage.state import State
from gongji_svc.storage.statements import Row

_COLUMNS = tables.bindings.c.keys()
_PHONE = tables.bindings.c.beneficiary_phone.name
_LIMITS = ("per_settlement_fen", "per_day_fen", "per_month_fen", "per_year_fen")


@dataclass(frozen=True, slots=True)
class Kept:
    """A binding with what is recorded of how it came about."""

    binding: Binding
    channel: str
    commitment: dict[str, Any]
    document_ids: tuple[UUID, ...]
    donor_region: str
    policy: str
    key_id: int
    beneficiary_phone: bytes | None
    created_by: dict[str, str]
    updated_at: datetime
    confirmations: tuple[str, ...] = ()
    review: dict[str, Any] = field(default_factory=dict)  # {decision, reason, decided_at, by}
    suspended_for: tuple[str, ...] = ()
    ending: dict[str, Any] = field(default_factory=dict)  # {cause, reason, notice_version, at, by}

    def row(self) -> Row:
        """The row of `bindings`."""
        binding, limits = self.binding, self.binding.limits
        return (
            region_of(binding.binding_id),
            binding.binding_id,
            binding.beneficiary_id,
            binding.donor_id,
            binding.relation.value,
            binding.state.value,
            binding.rank,
            binding.effective_from,
            binding.effective_to,
            binding.approved,
            self.review,
            list(self.suspended_for),
            binding.ended_on,
            self.ending,
            sorted(use.value for use in binding.uses),
            limits.per_settlement_fen,
            limits.per_day_fen,
            limits.per_month_fen,
            limits.per_year_fen,
            self.channel,
            self.commitment,
            [str(document_id) for document_id in self.document_ids],
            list(self.confirmations),
            self.donor_region,
            self.policy,
            self.key_id,
            self.beneficiary_phone,
            self.created_by,
            binding.bound_at,
            self.updated_at,
        )

    def donor_row(self) -> Row:
        """The row of the donor's index, `donor_bindings`."""
        binding = self.binding
        return (region_of(binding.donor_id), binding.donor_id, binding.binding_id)


def binding_from(row: Row) -> Binding:
    """A binding as the rules see it, from its row."""
    of = dict(zip(_COLUMNS, row, strict=True))
    return Binding(
        binding_id=of["id"],
        donor_id=of["donor_id"],
        beneficiary_id=of["beneficiary_id"],
        relation=Relation(of["relation"]),
        state=BindingState(of["state"]),
        bound_at=of["created_at"],
        effective_from=of["effective_from"],
        effective_to=of["effective_to"],
        rank=of["rank"],
        uses=frozenset(map(Use, of["uses"])),
        limits=Caps(*[of[name] for name in _LIMITS]),
        ended_on=of["ended_on"],
        approved=of["approved"],
    )


def kept_from(row: Row) -> Kept:
    """A binding with what is recorded of it, from its row."""
    of = dict(zip(_COLUMNS, row, strict=True))
    return Kept(
        binding=binding_from(row),
        channel=of["channel"],
        commitment=of["commitment"],
        document_ids=tuple(UUID(document_id) for document_id in of["document_ids"]),
        donor_region=of["donor_region"],
        policy=of["policy"],
        key_id=of["key_id"],
        beneficiary_phone=of["beneficiary_phone"],
        created_by=of["created_by"],
        updated_at=of["updated_at"],
        confirmations=tuple(of["confirmations"]),
        review=of["review"],
        suspended_for=tuple(of["suspended_for"]),
        ending=of["ending"],
    )


def seal_phone(binding_id: UUID, phone: str, sealer: Sealer) -> bytes | None:
    """The beneficiary's telephone number as it is kept with a binding; None when not given."""
    return sealer.seal(phone, place(binding_id, _PHONE)) if phone else None


def phone_of(kept: Kept, sealer: Sealer) -> str | None:
    """The beneficiary's telephone number in clear, None when not given."""
    if kept.beneficiary_phone is None:
        return None
    where = place(kept.binding.binding_id, _PHONE)
    return sealer.open(kept.beneficiary_phone, kept.key_id, where)


def bindings_of(state: State, beneficiary_id: UUID) -> tuple[Binding, ...]:
    """The gathered bindings under which others pay for this person."""
    return tuple(map(binding_from, state.bindings_of[beneficiary_id].values()))


def donations_of(state: State, donor_id: UUID) -> tuple[Binding, ...]:
    """The gathered bindings under which this person pays for others."""
    return tuple(map(binding_from, state.donations_of[donor_id].values()))
