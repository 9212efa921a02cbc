"""One-time codes: how they are written, and where and until when they are good."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain import errors
from gongji_svc.domain.errors import Refusal
from gongji_svc.domain.one_time_code import (
    NONCE_BYTES,
    CodeUse,
    OneTimeCode,
    parted,
    use_at,
    written,
)
from tests.domain.builders import PROPERTY

NOON = datetime(2025, 5, 6, 4, tzinfo=UTC)
A_MILLISECOND = timedelta(milliseconds=1)
A_MINUTE = timedelta(minutes=1)
PERSON, SETTLEMENT = UUID(int=1), UUID(int=2)
HERE, ELSEWHERE = "P15010000001", "P15090000002"
CODE = OneTimeCode.issue(PERSON, NOON, bytes(NONCE_BYTES))
SIGNATURE = bytes(range(20))


@PROPERTY
@given(
    st.uuids(),
    st.timedeltas(timedelta(days=-1_000), timedelta(days=60_000)),
    st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES),
    st.binary(min_size=20, max_size=20),
)
def test_a_code_is_64_printable_characters_and_reads_as_it_was_written(
    person: UUID, since: timedelta, nonce: bytes, signature: bytes
) -> None:
    code = OneTimeCode.issue(person, NOON + since, nonce)
    text = written(code.pack(), signature)
    assert len(text) == 64
    assert all("!" <= letter <= "~" for letter in text)
    assert parted(text) == (code.pack(), signature)
    assert OneTimeCode.unpack(code.pack()) == code


@PROPERTY
@given(st.text(max_size=70))
def test_what_has_not_the_form_of_a_code_is_none(text: str) -> None:
    parts = parted(text)
    assert parts is None or len(parts[0]) == len(CODE.pack())


@pytest.mark.parametrize("text", ["", "K000000001", "医保码", written(CODE.pack(), b"")])
def test_a_card_number_and_a_code_without_a_signature_are_no_codes(text: str) -> None:
    assert parted(text) is None


def test_a_code_is_good_for_less_than_a_minute() -> None:
    until = CODE.expires_at
    assert until == NOON + A_MINUTE
    assert use_at(CODE, None, HERE, until - A_MILLISECOND).institution_code == HERE
    with pytest.raises(errors.CredentialExpired):
        use_at(CODE, None, HERE, until)


def test_a_till_that_saw_a_code_has_it_for_ten_minutes_however_often_it_looks() -> None:
    seen = use_at(CODE, None, HERE, NOON)
    assert seen == CodeUse(PERSON, HERE, NOON + 10 * A_MINUTE)
    assert use_at(CODE, seen, HERE, NOON + 9 * A_MINUTE) == seen
    with pytest.raises(errors.CredentialExpired):
        use_at(CODE, seen, HERE, NOON + 10 * A_MINUTE)


@pytest.mark.parametrize(
    ("known", "institution_code", "refusal"),
    [
        (CodeUse(PERSON, HERE, NOON), ELSEWHERE, errors.CredentialBoundElsewhere),
        (CodeUse(PERSON, HERE, NOON + A_MINUTE), ELSEWHERE, errors.CredentialBoundElsewhere),
        (CodeUse(PERSON, HERE, NOON + A_MINUTE, SETTLEMENT), HERE, errors.CredentialUsed),
        (CodeUse(PERSON, HERE, NOON, SETTLEMENT), ELSEWHERE, errors.CredentialUsed),
    ],
)
def test_a_code_that_was_seen_elsewhere_or_has_paid_is_good_no_more(
    known: CodeUse, institution_code: str, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        use_at(CODE, known, institution_code, NOON)
