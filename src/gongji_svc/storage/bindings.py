"""Bindings as the rules see them, and the rows they are kept in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gongji_svc.domain.binding import Binding, BindingState
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Relation, Use
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.state import State
from gongji_svc.storage.statements import Row

_NEVER_APPROVED = (BindingState.PENDING_REVIEW, BindingState.REJECTED)


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
            binding.ended_on,
            sorted(use.value for use in binding.uses),
            limits.per_settlement_fen,
            limits.per_day_fen,
            limits.per_month_fen,
            limits.per_year_fen,
            self.channel,
            self.commitment,
            [str(document_id) for document_id in self.document_ids],
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


def kept_from(row: Row) -> Kept:
    """A binding from its row."""
    (
        _,
        binding_id,
        beneficiary_id,
        donor_id,
        relation,
        state,
        rank,
        effective_from,
        effective_to,
        ended_on,
        uses,
        *limits,
        channel,
        commitment,
        document_ids,
        donor_region,
        policy,
        key_id,
        beneficiary_phone,
        created_by,
        created_at,
        updated_at,
    ) = row
    binding = Binding(
        binding_id=binding_id,
        donor_id=donor_id,
        beneficiary_id=beneficiary_id,
        relation=Relation(relation),
        state=BindingState(state),
        bound_at=created_at,
        effective_from=effective_from,
        effective_to=effective_to,
        rank=rank,
        uses=frozenset(Use(use) for use in uses),
        limits=Caps(*limits),
        ended_on=ended_on,
        approved=state not in _NEVER_APPROVED,
    )
    return Kept(
        binding,
        channel,
        commitment,
        tuple(UUID(document_id) for document_id in document_ids),
        donor_region,
        policy,
        key_id,
        beneficiary_phone,
        created_by,
        updated_at,
    )


def seal_phone(binding_id: UUID, phone: str, sealer: Sealer) -> bytes | None:
    """The beneficiary's telephone number as it is kept with a binding; None when not given."""
    return sealer.seal(phone, _phone_place(binding_id)) if phone else None


def phone_of(kept: Kept, sealer: Sealer) -> str | None:
    """The beneficiary's telephone number in clear, None when not given."""
    if kept.beneficiary_phone is None:
        return None
    place = _phone_place(kept.binding.binding_id)
    return sealer.open(kept.beneficiary_phone, kept.key_id, place)


def _phone_place(binding_id: UUID) -> bytes:
    return binding_id.bytes + b"beneficiary_phone"


def bindings_of(state: State, beneficiary_id: UUID) -> tuple[Binding, ...]:
    """The gathered bindings under which others pay for this person."""
    return tuple(kept_from(row).binding for row in state.bindings_of[beneficiary_id].values())


def donations_of(state: State, donor_id: UUID) -> tuple[Binding, ...]:
    """The gathered bindings under which this person pays for others."""
    return tuple(kept_from(row).binding for row in state.donations_of[donor_id].values())
