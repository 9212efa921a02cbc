"""Tokens of an identity provider: whom each names, every one that is refused, and new keys."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import Unauthenticated
from gongji_svc.services import provider as provider_module
from gongji_svc.services.certificates import Certificates
from gongji_svc.services.identity import DevelopmentTokens, Verifier, issue_token
from gongji_svc.services.provider import Provider, ProviderTokens
from gongji_svc.services.watched import Unusable
from tests.authority import AUDIENCE, ISSUER, Authority, Private, Signer, key_set, put

_PERSON = "0199e3a5-7c00-8000-8024-a50000000003"


@pytest.fixture
def signer() -> Signer:
    return Signer("key-1")


@pytest.fixture
def jwks(tmp_path: Path, signer: Signer) -> Path:
    return put(tmp_path / "jwks.json", key_set(signer.public))


def tokens_of(jwks: object) -> ProviderTokens:
    return ProviderTokens(Provider(str(jwks), ISSUER, AUDIENCE))


def called(verifier: Verifier, token: str) -> Caller | None:
    """Who calls with this token; None: nobody is let in."""

    async def call() -> Caller | None:
        try:
            return await verifier.caller(f"Bearer {token}")
        except Unauthenticated:
            return None

    return asyncio.run(call())


@pytest.mark.parametrize("role", ["agency", "counter", "reviewer", "tax", "audit"])
def test_a_token_names_staff_of_a_region(signer: Signer, jwks: Path, role: str) -> None:
    verifier = Verifier(tokens_of(jwks))
    caller = called(verifier, signer.token(gongji_role=role))
    assert caller == Caller(Role(role), "150900", "clerk-1")


def test_a_token_names_a_person(signer: Signer, jwks: Path) -> None:
    token = signer.token(gongji_role="citizen", gongji_subject=_PERSON, sub="user-7")
    assert called(Verifier(tokens_of(jwks)), token) == Caller(Role.CITIZEN, _PERSON)


@pytest.mark.parametrize(
    "claims",
    [
        {"gongji_role": "pos", "gongji_subject": "P15090000001"},
        {"gongji_role": "platform"},
        {"gongji_role": "king"},
        {"gongji_role": None},
        {"gongji_role": ["agency"]},
        {"gongji_role": None, "role": "agency"},
        {"gongji_subject": None},
        {"gongji_subject": "1509"},
        {"gongji_subject": "150900\n"},
        {"gongji_role": "citizen", "gongji_subject": "150900"},
        {"gongji_role": "citizen", "gongji_subject": None, "sub": _PERSON},
        {"sub": None},
        {"sub": ""},
        {"sub": "clerk-1 "},
        {"sub": "clerk\x00"},
        {"sub": "c" * 201},
        {"iss": "https://login.example/another"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"exp": None},
        {"exp": int(time.time()) - 90},
        {"exp": "soon"},
        {"nbf": int(time.time()) + 86_400},
        {"iat": int(time.time()) + 86_400},
    ],
)
def test_a_token_that_does_not_say_all_of_it_rightly_is_refused(
    signer: Signer, jwks: Path, claims: dict[str, object]
) -> None:
    assert called(Verifier(tokens_of(jwks)), signer.token(**claims)) is None


def test_a_minute_between_two_clocks_is_allowed(signer: Signer, jwks: Path) -> None:
    verifier, now = Verifier(tokens_of(jwks)), int(time.time())
    assert called(verifier, signer.token(exp=now - 30)) is not None
    assert called(verifier, signer.token(nbf=now + 30, iat=now + 30)) is not None


@pytest.mark.parametrize(
    "private",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
)
def test_three_algorithms_are_taken(tmp_path: Path, private: Private) -> None:
    signer = Signer("key-1", private)
    jwks = put(tmp_path / "jwks.json", key_set(signer.public))
    assert called(Verifier(tokens_of(jwks)), signer.token()) is not None


def test_a_token_by_any_other_key_or_algorithm_is_refused(tmp_path: Path) -> None:
    signer = Signer("key-1", rsa.generate_private_key(65537, 2048))
    jwks = put(tmp_path / "jwks.json", key_set(signer.public))
    verifier = Verifier(tokens_of(jwks))
    claims = jwt.decode(signer.token(), options={"verify_signature": False})
    public = signer.private.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    kid = {"kid": "key-1"}
    for token in (
        Signer("key-1", rsa.generate_private_key(65537, 2048)).token(),
        Signer("key-1").token(),  # ES256 under the name of an RSA key
        Signer("key-2", signer.private).token(),
        jwt.encode(claims, signer.private, "RS512", kid),
        jwt.encode(claims, signer.private, "PS256", kid),
        jwt.encode(claims, signer.private, "RS256"),  # no kid
        by_hand("HS256", claims, hmac.new(public, digestmod="sha256")),
        by_hand("none", claims),
        by_hand("RS256", claims),
        signer.token()[:-2],
        signer.token() + ".x",
        "x",
        "",
        issue_token(b"k" * 64, Caller(Role.AGENCY, "150900", "clerk-1"), 60),
    ):
        assert called(verifier, token) is None
    assert called(verifier, signer.token()) is not None


def by_hand(algorithm: str, claims: dict[str, Any], signing: hmac.HMAC | None = None) -> str:
    """A token as no library would make it; without `signing` nobody signs it."""
    head = {"alg": algorithm, "typ": "JWT", "kid": "key-1"}
    parts = [_coded(json.dumps(part).encode()) for part in (head, claims)]
    if signing is not None:
        signing.update(".".join(parts).encode())
    return ".".join((*parts, _coded(signing.digest() if signing else b"")))


def _coded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def test_keys_that_are_not_for_this_are_passed_over(tmp_path: Path, signer: Signer) -> None:
    shared = {"kty": "oct", "kid": "shared", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}
    enciphers = Signer("enc").public | {"use": "enc"}
    unheard_of = Signer("new").public | {"alg": "ES257"}
    private = Signer("private").public | {"d": "AA"}
    other_curve = Signer("p384", ec.generate_private_key(ec.SECP384R1())).public
    weak = Signer("weak", rsa.generate_private_key(65537, 1024)).public  # noqa: S505 - meant
    unnamed = {name: value for name, value in Signer("").public.items() if name != "kid"}
    others = (shared, enciphers, unheard_of, private, other_curve, weak, unnamed)
    jwks = put(tmp_path / "jwks.json", key_set(*others, signer.public))
    assert set(tokens_of(jwks).keys.current) == {"key-1"}
    with pytest.raises(Unusable, match="no public key"):
        tokens_of(put(jwks, key_set(*others)))


@pytest.mark.parametrize(
    "wrong", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": [1]}', b"\xff", b"[" * 100_000]
)
def test_a_file_that_holds_no_keys_stops_the_start(tmp_path: Path, wrong: bytes) -> None:
    with pytest.raises(Unusable):
        tokens_of(put(tmp_path / "jwks.json", wrong))


def test_a_new_key_in_the_file_is_known_at_once_and_an_old_one_no_more(
    signer: Signer, jwks: Path
) -> None:
    verifier, new = Verifier(tokens_of(jwks)), Signer("key-2")
    old_token, new_token = signer.token(), new.token()
    assert called(verifier, old_token) is not None
    put(jwks, key_set(signer.public, new.public))
    assert called(verifier, new_token) is not None
    assert called(verifier, old_token) is not None
    put(jwks, key_set(new.public))
    assert called(verifier, Signer("key-3").token()) is None  # which has the file read again
    assert called(verifier, old_token) is None
    assert called(verifier, new_token) is not None


def test_a_file_that_went_wrong_leaves_the_last_keys_in_force(signer: Signer, jwks: Path) -> None:
    tokens = tokens_of(jwks)
    put(jwks, b"{")
    asyncio.run(tokens.keys.look())
    assert called(Verifier(tokens), signer.token()) is not None


class Site:
    """Where a provider shows its keys, and how often it was asked."""

    def __init__(self) -> None:
        self.document = b""
        self.status = 200
        self.asked = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked += 1
                self.send_response(site.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(site.document)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"


@pytest.fixture
def site(signer: Signer) -> Iterator[Site]:
    site = Site()
    site.document = key_set(signer.public)
    Thread(target=site.server.serve_forever, daemon=True).start()
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_module, "_PAUSE_SECONDS", 0.0)


def test_a_new_key_at_the_address_is_asked_for_by_the_first_call(
    site: Site, signer: Signer, at_once: None
) -> None:
    tokens = tokens_of(site.url)
    verifier, new = Verifier(tokens), Signer("key-2")
    assert called(verifier, signer.token()) is not None  # not even the first was known
    site.document = key_set(new.public)
    assert called(verifier, new.token()) is not None
    assert called(verifier, signer.token()) is None


def test_many_tokens_of_unknown_keys_ask_the_provider_once(site: Site, signer: Signer) -> None:
    verifier = Verifier(tokens_of(site.url))

    async def flood() -> list[object]:
        calls: list[Awaitable[object]] = [
            verifier.caller(f"Bearer {Signer(f'key-{number}').token()}") for number in range(2, 40)
        ]
        calls.append(verifier.caller(f"Bearer {signer.token()}"))
        return await asyncio.gather(*calls, return_exceptions=True)

    *refused, good = asyncio.run(flood())
    assert all(isinstance(one, Unauthenticated) for one in refused)
    assert good == Caller(Role.AGENCY, "150900", "clerk-1")
    assert site.asked == 1


@pytest.mark.parametrize("spoil", [
    lambda site: setattr(site, "status", 500),
    lambda site: setattr(site, "status", 302),
    lambda site: setattr(site, "document", b"not keys"),
    lambda site: setattr(site, "document", b" " * (1 << 20) + site.document),
    lambda site: site.server.server_close(),
])  # fmt: skip
def test_a_provider_that_is_away_or_wrong_leaves_the_last_keys_in_force(
    site: Site, signer: Signer, at_once: None, spoil: Callable[[Site], None]
) -> None:
    tokens = tokens_of(site.url)
    asyncio.run(tokens.keys.look())
    spoil(site)
    asyncio.run(tokens.renew())
    assert called(Verifier(tokens), signer.token()) is not None


def test_a_provider_that_is_away_at_the_start_is_asked_again(
    site: Site, signer: Signer, at_once: None
) -> None:
    site.status = 503
    tokens = tokens_of(site.url)
    verifier = Verifier(tokens)
    asyncio.run(tokens.keys.look())
    assert called(verifier, signer.token()) is None
    site.status = 200
    asyncio.run(tokens.keys.look())
    assert called(verifier, signer.token()) is not None


def test_a_gateway_brings_tokens_and_a_till_none(tmp_path: Path) -> None:
    authority, key = Authority(), b"k" * 64
    certificates = Certificates(put(tmp_path / "ca.pem", authority.pem), None)
    verifier = Verifier(DevelopmentTokens(key), certificates)
    agency = Caller(Role.AGENCY, "150900", "clerk-1")
    bearer = f"Bearer {issue_token(key, agency, 60)}"
    till, gateway = authority.issue("gongji:pos:P1").pem, authority.issue("gongji:gateway").pem
    assert asyncio.run(verifier.caller("", till)) == Caller(Role.POS, "P1")
    assert asyncio.run(verifier.caller(bearer, gateway)) == agency
    for authorization, certificate in ((bearer, till), ("", gateway), (bearer, b""), ("", b"")):
        with pytest.raises(Unauthenticated):
            asyncio.run(verifier.caller(authorization, certificate))
