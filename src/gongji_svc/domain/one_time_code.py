"""One-time codes (医保电子凭证二维码): what a citizen shows at a till instead of a card.

Rule: a code says by itself whose it is and until when, and is signed; nothing is kept of it until a
till has seen it. It is good for 60 seconds. A till that previewed with it has it to itself for 10
minutes. It pays once.
"""

import base64
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import UUID

from gongji_svc.domain import errors

LIFETIME = timedelta(seconds=60)
BOUND_FOR = timedelta(minutes=10)
NONCE_BYTES = 6

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_MILLISECOND = timedelta(milliseconds=1)
_ID_BYTES, _INSTANT_BYTES = 16, 6
_CONTENT_BYTES = _ID_BYTES + _INSTANT_BYTES + NONCE_BYTES
_ALPHABET_END = b"-_"


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """Whose code it is, when it stops being accepted, and what tells it from any other."""

    person_id: UUID
    expires_at: datetime
    nonce: bytes

    @classmethod
    def issue(cls, person_id: UUID, now: datetime, nonce: bytes) -> Self:
        """A code of a person from now on; a code knows whole milliseconds."""
        return cls(person_id, _instant(_milliseconds(now)) + LIFETIME, nonce)

    @classmethod
    def unpack(cls, content: bytes) -> Self:
        """The code that `pack` packed."""
        person_id, rest = content[:_ID_BYTES], content[_ID_BYTES:]
        expires_at = _instant(int.from_bytes(rest[:_INSTANT_BYTES], "big"))
        return cls(UUID(bytes=person_id), expires_at, rest[_INSTANT_BYTES:])

    def pack(self) -> bytes:
        """The content that is signed."""
        expires_at = _milliseconds(self.expires_at).to_bytes(_INSTANT_BYTES, "big")
        return self.person_id.bytes + expires_at + self.nonce


def _milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _A_MILLISECOND


def _instant(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _A_MILLISECOND


def written(content: bytes, signature: bytes) -> str:
    """A code as it is shown: printable ASCII, 64 characters with a signature of 20 bytes."""
    return base64.b64encode(content + signature, _ALPHABET_END).decode()


def parted(text: str) -> tuple[bytes, bytes] | None:
    """The content and the signature in what is shown; None where it has not the form of a code."""
    try:
        both = base64.b64decode(text, _ALPHABET_END, validate=True)
    except ValueError:
        return None
    content, signature = both[:_CONTENT_BYTES], both[_CONTENT_BYTES:]
    return (content, signature) if signature else None


@dataclass(frozen=True, slots=True)
class CodeUse:
    """What is kept of a code that a till has seen: where it is good, and what it paid for."""

    person_id: UUID
    institution_code: str
    good_until: datetime
    settlement_id: UUID | None = None

    def used_up(self, settlement_id: UUID) -> Self:
        """The use once the code has paid."""
        return replace(self, settlement_id=settlement_id)


def use_at(
    code: OneTimeCode, known: CodeUse | None, institution_code: str, now: datetime
) -> CodeUse:
    """The use of a code at an institution, `known` from before or new.

    CredentialUsed, CredentialBoundElsewhere or CredentialExpired where it is not good there now. A
    further preview does not make it good for longer.
    """
    if known is None:
        if now >= code.expires_at:
            raise errors.CredentialExpired
        return CodeUse(code.person_id, institution_code, now + BOUND_FOR)
    if known.settlement_id is not None:
        raise errors.CredentialUsed
    if known.institution_code != institution_code:
        raise errors.CredentialBoundElsewhere
    if now >= known.good_until:
        raise errors.CredentialExpired
    return known
