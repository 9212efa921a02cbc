"""Signing in: where the web client is told to go, and the identity provider of the demo."""

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest

from gateway.app import Settings, make_app
from gongji_svc.commands.gateway import listening
from gongji_svc.config import Address
from gongji_svc.demo import data, identity
from gongji_svc.demo.identity import PATH, IdentityProvider
from gongji_svc.demo.people import known
from gongji_svc.domain.access import Role
from gongji_svc.storage.ids import new_id
from tests.end_to_end.purchases import HOHHOT
from tests.end_to_end.service import TOKEN_KEY, Service
from tests.gateway.browser import address_of, before

_CLIENT = "gongji-web"
_PEOPLE = {one.key: new_id(one.region) for one in data.PEOPLE}


@contextmanager
def demo(service: Service) -> Iterator[httpx.Client]:
    """A gateway that serves the demo's identity provider, and a client of it."""
    people = IdentityProvider(TOKEN_KEY.encode(), _CLIENT, list(known(_PEOPLE)))
    settings = Settings(core=address_of(service), issuer=PATH, client_id=_CLIENT)
    app = make_app(settings, [people.mount()])
    with (
        listening(app, Address("127.0.0.1", 0)) as web,
        httpx.Client(base_url=web.url, trust_env=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def provider(service: Service) -> Iterator[httpx.Client]:
    """What the tests share that leave it as it was."""
    with demo(service) as client:
        yield client


@dataclass(slots=True)
class SignIn:
    """A web client that signs somebody in, by what discovery tells."""

    client: httpx.Client
    who: str = "hohhot-father"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def told(self) -> dict[str, Any]:
        """What discovery tells."""
        issuer = self.client.get("/session-config").json()["issuer"]
        answer: dict[str, Any] = self.client.get(
            f"{issuer}/.well-known/openid-configuration"
        ).json()
        assert answer["issuer"] == issuer
        return answer

    @property
    def asked(self) -> dict[str, str]:
        """The parameters of the authorization."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "response_type": "code",
            "client_id": _CLIENT,
            "redirect_uri": f"{self.client.base_url}/",
            "scope": "openid",
            "state": "some state",
            "nonce": "once",
            "code_challenge": urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }

    def code(self) -> str:
        """The code with which the browser comes back."""
        authorize = self.told["authorization_endpoint"]
        page = self.client.get(authorize, params=self.asked)
        assert page.status_code == 200, page.text
        assert f'value="{self.who}"' in page.text
        answer = self.client.post(authorize, data={**self.asked, "who": self.who})
        assert answer.status_code == 303, answer.text
        back = httpx.URL(answer.headers["location"])
        assert (back.params["state"], back.params["iss"]) == ("some state", self.told["issuer"])
        return back.params["code"]

    def redeem(self, code: str, /, **other: str) -> httpx.Response:
        """What the token endpoint says to a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": _CLIENT,
            "redirect_uri": self.asked["redirect_uri"],
            "code_verifier": self.verifier,
            **other,
        }
        return self.client.post(self.told["token_endpoint"], data=form)


def may_call(client: httpx.Client, tokens: dict[str, str]) -> bool:
    """Whether the core takes the access token."""
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    return client.get(f"/v1/policies/{HOHHOT}", headers=headers).status_code == 200


def test_the_web_client_is_told_who_signs_people_in(service: Service) -> None:
    issuer = "https://login.example/realms/gongji"
    with before(address_of(service), issuer=issuer, client_id="web-1") as client:
        answer = client.get("/session-config")
        assert answer.json() == {
            "issuer": issuer,
            "client_id": "web-1",
            "scope": "openid offline_access",
        }
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert "connect-src 'self' https://login.example" in policy.split("; ")


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "192.0.2.1:80", ""]
)
def test_a_host_that_is_not_ours_is_not_told_as_the_issuer(
    provider: httpx.Client, host: str
) -> None:
    issuer = f"{str(provider.base_url).rstrip('/')}{PATH}"
    headers = {"host": host}
    assert provider.get("/session-config", headers=headers).json()["issuer"] == issuer
    told = provider.get(f"{PATH}/.well-known/openid-configuration", headers=headers).json()
    assert (told["issuer"], told["token_endpoint"]) == (issuer, f"{issuer}/token")
    asked = {**SignIn(provider).asked, "redirect_uri": f"http://{host}/"}
    answer = provider.get(f"{PATH}/authorize", params=asked, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:9090", "[::1]:8080", "localhost"])
def test_this_machine_is_found_under_each_of_its_own_names(
    provider: httpx.Client, host: str
) -> None:
    answer = provider.get("/session-config", headers={"host": host})
    assert answer.json()["issuer"] == f"http://{host}{PATH}"


def test_a_gateway_without_a_provider_says_so(client: httpx.Client) -> None:
    assert client.get("/session-config").json()["issuer"] == ""
    assert client.get(f"{PATH}/authorize").status_code == 404


@pytest.mark.parametrize(
    ("who", "role"),
    [
        ("hohhot-father", Role.CITIZEN),
        (f"counter-{HOHHOT}", Role.COUNTER),
        (f"reviewer-{HOHHOT}", Role.REVIEWER),
        (f"official-1-{HOHHOT}", Role.AGENCY),
    ],
)
def test_somebody_signs_in_and_calls(provider: httpx.Client, who: str, role: Role) -> None:
    sign_in = SignIn(provider, who)
    tokens = sign_in.redeem(sign_in.code()).json()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (claims["gongji_role"], claims["gongji_subject"]) == (
        role,
        str(_PEOPLE.get(who, HOHHOT)),
    )
    assert may_call(provider, tokens)


def test_the_id_token_is_signed_and_says_who_it_is(provider: httpx.Client) -> None:
    sign_in = SignIn(provider)
    tokens = sign_in.redeem(sign_in.code()).json()
    (key,) = jwt.PyJWKSet.from_dict(provider.get(sign_in.told["jwks_uri"]).json()).keys
    claims = jwt.decode(
        tokens["id_token"], key, ["ES256"], audience=_CLIENT, issuer=sign_in.told["issuer"]
    )
    assert (claims["nonce"], claims["gongji_role"], claims["name"]) == ("once", "citizen", "赵示例")
    assert claims["gongji_subject"] == claims["sub"] == str(_PEOPLE["hohhot-father"])


def test_a_code_is_good_once(provider: httpx.Client) -> None:
    sign_in = SignIn(provider)
    code = sign_in.code()
    assert sign_in.redeem(code).status_code == 200
    again = sign_in.redeem(code)
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    "other",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "http://elsewhere.example/"},
        {"client_id": "another"},
        {"code": "guessed"},
        {"grant_type": "password"},
    ],
)
def test_a_code_is_good_only_for_who_asked_for_it(
    provider: httpx.Client, other: dict[str, str]
) -> None:
    sign_in = SignIn(provider)
    assert sign_in.redeem(sign_in.code(), **other).status_code == 400


def test_a_code_is_not_good_for_long(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_CODE_SECONDS", 0.0)
    with demo(service) as client:
        sign_in = SignIn(client)
        assert sign_in.redeem(sign_in.code()).json() == {"error": "invalid_grant"}


def test_a_session_gives_new_tokens_also_when_an_answer_was_lost(provider: httpx.Client) -> None:
    sign_in = SignIn(provider)
    session = sign_in.redeem(sign_in.code()).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": _CLIENT, "refresh_token": session}
    for _ in range(2):
        answer = provider.post(f"{PATH}/token", data=form)
        assert may_call(provider, answer.json())
    answer = provider.post(f"{PATH}/token", data={**form, "refresh_token": "guessed"})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("response_type", "token"),
        ("client_id", "another"),
        ("redirect_uri", "http://elsewhere.example/"),
        ("redirect_uri", ""),
        ("code_challenge", "short"),
        ("code_challenge_method", "plain"),
    ],
)
def test_what_no_page_of_ours_asks_goes_nowhere(
    provider: httpx.Client, name: str, value: str
) -> None:
    asked = {**SignIn(provider).asked, name: value}
    for answer in (
        provider.get(f"{PATH}/authorize", params=asked),
        provider.post(f"{PATH}/authorize", data={**asked, "who": "hohhot-father"}),
    ):
        assert answer.status_code == 400
        assert "location" not in answer.headers


def test_somebody_who_is_not_listed_does_not_sign_in(provider: httpx.Client) -> None:
    asked = {**SignIn(provider).asked, "who": "nobody"}
    assert provider.post(f"{PATH}/authorize", data=asked).status_code == 400


def test_what_stands_on_the_page_is_text(provider: httpx.Client) -> None:
    asked = {**SignIn(provider).asked, "state": '"><script>alert(1)</script>'}
    page = provider.get(f"{PATH}/authorize", params=asked).text
    assert "<script" not in page
    assert re.search(r'name="state" value="&quot;&gt;&lt;script', page)


def test_everybody_is_listed_but_those_who_have_guardians(provider: httpx.Client) -> None:
    page = provider.get(f"{PATH}/authorize", params=SignIn(provider).asked).text
    for one in data.PEOPLE:
        assert (f'value="{one.key}"' in page) == (not one.guardians), one.key
