"""A binding as its readers may see it.

Rule: names and telephone numbers are masked for everybody; only a reviewer whose decision an
application awaits is shown both identities in clear. Of documents only the description is shown,
and to the beneficiary's side nothing, nor who acted for the donor. The rules that decided are
named, so that the decision can be explained years later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from gongji.v1 import access_pb2, types_pb2
from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain.access import Role
from gongji_svc.domain.binding import Binding, first_unbinding_day
from gongji_svc.domain.calendar import Span
from gongji_svc.domain.masking import masked_name, masked_number
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_values import Caps
from gongji_svc.services.days import date_of, timestamp
from gongji_svc.services.names import enum_number
from gongji_svc.storage.bindings import Kept, phone_of
from gongji_svc.storage.documents import DocumentRow
from gongji_svc.storage.people import Identity
from gongji_svc.storage.sealing import Sealer


@dataclass(frozen=True, slots=True)
class View:
    """A binding with what stands elsewhere: names in clear, documents, the donor's rules today,
    where any hold. `whole` is for a citizen of the donor's side (staff see it whole anyway);
    `identities`, donor and beneficiary, are for the reviewer alone."""

    kept: Kept
    donor_name: str
    beneficiary_name: str
    documents: Sequence[DocumentRow]
    policy: Policy | None
    whole: bool = False
    identities: tuple[Identity, Identity] | None = None

    def message(self, sealer: Sealer, reader: Role) -> pb.Binding:
        """The binding in the contract's words; who reviewed it is told to staff only."""
        kept, binding = self.kept, self.kept.binding
        whole = self.whole or reader is not Role.CITIZEN
        created_by = kept.created_by if whole else {**kept.created_by, "actor": ""}
        donor, beneficiary = self.identities or (None, None)
        return pb.Binding(
            binding_id=str(binding.binding_id),
            donor_id=str(binding.donor_id),
            donor_name=masked_name(self.donor_name),
            beneficiary_id=str(binding.beneficiary_id),
            beneficiary_name=masked_name(self.beneficiary_name),
            relation=enum_number(types_pb2.Relation, binding.relation),
            state=enum_number(pb.BindingState, binding.state),
            rank=binding.rank,
            effective_from=date_of(binding.effective_from),
            effective_to=date_of(binding.effective_to),
            uses=sorted(enum_number(types_pb2.Use, use) for use in binding.uses),
            limits=_limits(binding.limits),
            policy=policy_ref(kept.policy),
            channel=enum_number(pb.Channel, kept.channel),
            commitment=_commitment(kept),
            documents=[document_message(one) for one in self.documents if whole],
            created_at=timestamp(binding.bound_at),
            created_by=actor(created_by),
            review=_review(kept, reader),
            suspended_for=[enum_number(pb.UsabilityReason, why) for why in kept.suspended_for],
            ended_on=date_of(binding.ended_on),
            end_cause=enum_number(pb.EndCause, kept.ending.get("cause", "UNSPECIFIED")),
            end_reason=kept.ending.get("reason", ""),
            earliest_end_on=date_of(_earliest_end(binding, self.policy)),
            beneficiary_phone=masked_number(phone_of(kept, sealer) or ""),
            region=kept.donor_region,
            donor_identity=_review_identity(donor),
            beneficiary_identity=_review_identity(beneficiary),
        )


def policy_text(policy: Policy) -> str:
    """How a binding keeps which rules decided it: their digest, then their blocks."""
    return " ".join((policy.digest, *policy.blocks))


def policy_ref(kept: str) -> types_pb2.PolicyRef:
    """What `policy_text` kept; the region whose file it was is that of the last block."""
    digest, *blocks = kept.split(" ")
    region = blocks[-1].partition("@")[0]
    return types_pb2.PolicyRef(region=region, blocks=blocks, digest=digest)


def actor(kept: dict[str, str]) -> types_pb2.Actor:
    """Who did something, as it is kept: {role, subject, actor}."""
    role = access_pb2.Role.Value(f"ROLE_{kept['role'].upper()}")
    return types_pb2.Actor(role=role, subject=kept["subject"], actor=kept["actor"])


def _limits(caps: Caps) -> pb.BindingLimits | None:
    limits = pb.BindingLimits(
        per_settlement_fen=caps.per_settlement_fen,
        per_day_fen=caps.per_day_fen,
        per_month_fen=caps.per_month_fen,
        per_year_fen=caps.per_year_fen,
    )
    return limits if limits.ListFields() else None


def _commitment(kept: Kept) -> pb.Commitment | None:
    if not kept.commitment:
        return None
    return pb.Commitment(
        text_version=kept.commitment["text_version"],
        accepted_at=timestamp(datetime.fromisoformat(kept.commitment["accepted_at"])),
    )


def _review(kept: Kept, reader: Role) -> pb.Review | None:
    review = kept.review
    if not review:
        return None
    return pb.Review(
        decision=enum_number(pb.ReviewDecision, review["decision"]),
        reason=review["reason"],
        decided_at=timestamp(datetime.fromisoformat(review["decided_at"])),
        decided_by=None if reader is Role.CITIZEN else actor(review["decided_by"]),
    )


def _review_identity(identity: Identity | None) -> pb.ReviewIdentity | None:
    if identity is None:
        return None
    kind = enum_number(types_pb2.CertificateType, identity.certificate_type)
    number = identity.certificate_number
    return pb.ReviewIdentity(
        name=identity.name, certificate=types_pb2.Certificate(type=kind, number=number)
    )


def document_message(document: DocumentRow) -> pb.Document:
    """A document without its content."""
    return pb.Document(
        document_id=str(document.id),
        kind=enum_number(pb.DocumentKind, document.kind),
        of=enum_number(pb.DocumentOf, document.of),
        media_type=document.media_type,
        size_bytes=document.size_bytes,
        sha256=document.sha256.hex(),
        uploaded_at=timestamp(document.created_at),
    )


def _earliest_end(binding: Binding, policy: Policy | None) -> date | None:
    if policy is None or policy.unbinding_lock == Span():
        return None
    return first_unbinding_day(binding, policy)
