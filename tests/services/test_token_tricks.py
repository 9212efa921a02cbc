"""Tokens that try to choose their own key or rules, and key sets and tokens of great size."""

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.identity import Verifier
from tests.authority import AUDIENCE, Signer, key_set, put
from tests.services.test_identity import by_hand, called, tokens_of

CLERK = Caller(Role.AGENCY, "150900", "clerk-1")


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer("key-1")


@pytest.fixture(scope="module")
def other() -> Signer:
    """Another key of the same provider."""
    return Signer("key-2")


@pytest.fixture
def verifier(tmp_path: Path, signer: Signer, other: Signer) -> Verifier:
    return Verifier(tokens_of(put(tmp_path / "jwks.json", key_set(signer.public, other.public))))


def claims_of(signer: Signer) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(signer.token(), options={"verify_signature": False})
    return claims


def signed(signer: Signer, header: dict[str, Any], **claims: Any) -> str:
    """A token of this key with anything in its header."""
    headers = {"kid": signer.kid, **header}
    return jwt.encode({**claims_of(signer), **claims}, signer.private, "ES256", headers)


def test_a_token_that_brings_its_own_key_is_refused(verifier: Verifier) -> None:
    thief = Signer("key-1")
    chain = base64.b64encode(
        thief.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()
    for header in (
        {"jwk": thief.public},
        {"jku": "https://thief.example/jwks.json"},
        {"x5u": "https://thief.example/key.pem"},
        {"x5c": [chain]},
        {"jwk": thief.public, "kid": "thief"},
    ):
        assert called(verifier, signed(thief, header)) is None


def test_a_token_is_verified_by_the_key_it_names_and_no_other(
    verifier: Verifier, signer: Signer, other: Signer
) -> None:
    assert called(verifier, signed(signer, {})) == CLERK
    assert called(verifier, signed(signer, {"kid": other.kid})) is None


@pytest.mark.parametrize(
    "kid",
    ["", "KEY-1", "key-1 ", "key-1\x00", "../jwks.json", "' OR 1=1 --", "k" * 100_000],
)
def test_a_name_of_no_key_is_refused(verifier: Verifier, signer: Signer, kid: Any) -> None:
    assert called(verifier, signed(signer, {"kid": kid})) is None


@pytest.mark.parametrize("kid", [1, ["key-1"], {"kid": "key-1"}, True])
def test_a_name_that_is_no_text_is_refused(verifier: Verifier, signer: Signer, kid: Any) -> None:
    head, body, signature = signer.token().split(".")
    header = {**json.loads(base64.urlsafe_b64decode(head + "==")), "kid": kid}
    forged = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    assert called(verifier, f"{forged}.{body}.{signature}") is None


def test_what_a_token_calls_critical_and_we_do_not_know_is_refused(
    verifier: Verifier, signer: Signer
) -> None:
    assert called(verifier, signed(signer, {"crit": ["sealed"], "sealed": True})) is None


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "es256", "HS256"])
def test_no_spelling_of_an_algorithm_opens(
    verifier: Verifier, signer: Signer, algorithm: str
) -> None:
    for token in (by_hand(algorithm, claims_of(signer)), signer.token()):
        head, body, signature = token.split(".")
        header = {**json.loads(base64.urlsafe_b64decode(head + "==")), "alg": algorithm}
        forged = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        for ending in (signature, ""):
            assert called(verifier, f"{forged}.{body}.{ending}") is None


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": []},
        {"aud": ["another", "a third"]},
        {"aud": [AUDIENCE + " "]},
        {"aud": {AUDIENCE: True}},
        {"iss": ["https://login.example/gongji"]},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"exp": True},
        {"exp": 1e300},
        {"exp": -1},
        {"exp": "4000000000"},
        {"exp": [4_000_000_000]},
        {"exp": {}},
        {"nbf": []},
        {"iat": {}},
        {"nbf": float("inf")},
        {"nbf": "later"},
        {"gongji_subject": ["150900"]},
        {"gongji_subject": 150900.0},
        {"gongji_subject": "１５０９００"},
        {"gongji_role": "AGENCY"},
        {"gongji_role": "agency\x00"},
        {"sub": "\u200bclerk-1"},
        {"sub": "clerk-1\u202e"},
    ],
)
def test_claims_of_strange_shape_are_refused(
    verifier: Verifier, signer: Signer, claims: dict[str, Any]
) -> None:
    told = {**claims_of(signer), **claims}
    body = json.dumps(told).encode()
    token = jwt.PyJWS().encode(body, signer.private, "ES256", {"kid": signer.kid})
    assert called(verifier, token) is None


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(
    verifier: Verifier, signer: Signer, body: bytes
) -> None:
    token = jwt.PyJWS().encode(body, signer.private, "ES256", {"kid": signer.kid})
    assert called(verifier, token) is None


@pytest.mark.parametrize(
    "head",
    [b'{"alg": "ES256", "kid": "key-1", "x": ' + b"[" * 5_000, b"[" * 5_000, b"[]", b"\xff", b""],
)
def test_a_header_that_is_none_is_refused(verifier: Verifier, signer: Signer, head: bytes) -> None:
    _, body, signature = signer.token().split(".")
    coded = base64.urlsafe_b64encode(head).rstrip(b"=").decode()
    assert called(verifier, f"{coded}.{body}.{signature}") is None


def test_one_of_several_audiences_may_be_ours(verifier: Verifier, signer: Signer) -> None:
    assert called(verifier, signer.token(aud=["another", AUDIENCE])) == CLERK


def test_a_token_of_great_size_is_refused_and_not_remembered(
    verifier: Verifier, signer: Signer
) -> None:
    for token in ("x" * (1 << 20), "." * (1 << 20), signer.token() + "A" * (1 << 20)):
        assert called(verifier, token) is None
    assert verifier._known == {}


def test_a_provider_may_have_a_thousand_keys(tmp_path: Path) -> None:
    signers = [Signer(f"key-{number}") for number in range(1_000)]
    jwks = put(tmp_path / "jwks.json", key_set(*(one.public for one in signers)))
    verifier = Verifier(tokens_of(jwks))
    assert called(verifier, signers[0].token()) == CLERK
    assert called(verifier, signers[-1].token()) == CLERK
    assert called(verifier, Signer("key-1000").token()) is None
    assert called(verifier, Signer("key-500").token()) is None


def test_of_two_keys_by_one_name_only_one_is_believed(tmp_path: Path) -> None:
    first = Signer("key-1")
    second = Signer("key-1", rsa.generate_private_key(65537, 2048))
    jwks = put(tmp_path / "jwks.json", key_set(first.public, second.public))
    believed = [called(Verifier(tokens_of(jwks)), one.token()) for one in (first, second)]
    assert believed.count(None) == 1
