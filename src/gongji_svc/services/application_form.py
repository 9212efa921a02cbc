"""An application for a binding as it was sent: what needs nothing stored to be read.

Rule: a form that cannot be right names its field before anybody is looked for; when its commitment
was accepted is compared with the clock of the decision.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.access import Role
from gongji_svc.domain.errors import Violation
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Channel, Confirmation, Relation, Use
from gongji_svc.services import messages
from gongji_svc.services.asked import Asked
from gongji_svc.services.days import CLOCKS_DIFFER, day_in, instant
from gongji_svc.services.names import enum_name
from gongji_svc.storage.ids import parse_id

_FEWEST_DIGITS = 7  # of a telephone number
_SIGNED_WITHIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of an application; limits in fen."""

    donor_id: UUID
    certificate_type: str
    certificate_number: str
    name: str
    phone: str
    card_no: str
    relation: Relation
    wanted_rank: int | None
    effective_from: date | None
    effective_to: date | None
    uses: frozenset[Use]
    limits: Caps
    commitment_version: str
    accepted_at: datetime | None
    document_ids: tuple[UUID, ...]
    channel: Channel
    certificates_seen: bool
    confirmations: frozenset[Confirmation]
    validate_only: bool


def form_of(asked: Asked) -> Form:
    """The form in a checked request; InvalidField for what no form can say."""
    _check_channel(asked)
    message = asked.message
    donor_id = parse_id(message.donor_id)
    if donor_id is None:
        raise errors.AccessDenied
    beneficiary, commitment = message.beneficiary, message.commitment
    _check_phone(beneficiary.phone)
    kind = enum_name(types_pb2.CertificateType, beneficiary.certificate.type)
    return Form(
        donor_id=donor_id,
        certificate_type=kind,
        certificate_number=beneficiary.certificate.number,
        name=beneficiary.name,
        phone=beneficiary.phone,
        card_no=beneficiary.card_no,
        relation=Relation(enum_name(types_pb2.Relation, message.relation)),
        wanted_rank=message.rank if message.HasField("rank") else None,
        effective_from=day_in(message, "effective_from"),
        effective_to=day_in(message, "effective_to"),
        uses=frozenset(Use(enum_name(types_pb2.Use, use)) for use in message.uses),
        limits=limits_in(message.limits),
        commitment_version=commitment.text_version,
        accepted_at=_accepted_at(message),
        document_ids=tuple(_document_id(text) for text in message.document_ids),
        channel=Channel(enum_name(pb.Channel, message.channel)),
        certificates_seen=message.certificates_seen,
        confirmations=frozenset(
            Confirmation(enum_name(pb.Confirmation, one)) for one in message.confirmations
        ),
        validate_only=message.validate_only,
    )


def _check_channel(asked: Asked) -> None:
    """The counter is the clerks' channel, and theirs alone."""
    at_counter = asked.message.channel == pb.CHANNEL_COUNTER
    if at_counter != (asked.caller.role is Role.COUNTER):
        remedy = "经办窗口渠道只由窗口工作人员使用，且窗口只能使用该渠道"
        raise messages.invalid(Violation("channel", remedy))


def _check_phone(phone: str) -> None:
    if phone and sum(letter.isdigit() for letter in phone) < _FEWEST_DIGITS:
        remedy = f"电话号码至少有{_FEWEST_DIGITS}位数字，请核对"
        raise messages.invalid(Violation("beneficiary.phone", remedy))


def check_signed(form: Form, now: datetime) -> None:
    """InvalidField for a commitment that was accepted in the future, or more than 30 days ago."""
    if form.accepted_at is None:
        return
    remedy = ""
    if form.accepted_at > now + CLOCKS_DIFFER:
        remedy = "签署时间晚于当前时间，请更正"
    elif form.accepted_at < now - _SIGNED_WITHIN:
        remedy = "签署已超过30天，请重新阅读并签署承诺书"
    if remedy:
        raise messages.invalid(Violation("commitment.accepted_at", remedy))


def limits_in(limits: pb.BindingLimits) -> Caps:
    """The limits a donor sets, in fen; an absent one is none."""
    names = ("per_settlement_fen", "per_day_fen", "per_month_fen", "per_year_fen")
    return Caps(*(getattr(limits, name) if limits.HasField(name) else None for name in names))  # type: ignore[arg-type]  # names are of fields


def _accepted_at(message: Any) -> datetime | None:
    if not message.HasField("commitment"):
        return None
    return instant("commitment.accepted_at", message.commitment.accepted_at)


def _document_id(text: str) -> UUID:
    document_id = parse_id(text)
    if document_id is None:
        raise errors.DocumentNotFound
    return document_id
