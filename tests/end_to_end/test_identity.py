"""Who may settle: only a till or a platform with a token of this installation."""

import base64
import json

import grpc
import jwt
import pytest
from grpc import StatusCode

from gongji_svc.domain.access import Role
from gongji_svc.services.identity import STAFF
from tests.end_to_end.counter import Counter
from tests.end_to_end.purchases import HOHHOT, INNER_MONGOLIA, ULANQAB, purchase
from tests.end_to_end.service import TOKEN_KEY, Metadata, Till, metadata_of

_CLAIMS = {
    "iss": "gongji-development",
    "aud": "gongji",
    "role": "pos",
    "exp": 4_000_000_000,
}


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def signed(key: str = TOKEN_KEY, algorithm: str = "HS256", **claims: object) -> Metadata:
    """A token with these claims; None leaves one out."""
    kept = {name: claim for name, claim in (_CLAIMS | claims).items() if claim is not None}
    return bearer(jwt.encode(kept, key.encode(), algorithm))


def unsigned(**claims: object) -> Metadata:
    """A token that says of itself that it needs no signature."""
    parts = ({"alg": "none", "typ": "JWT"}, _CLAIMS | claims)
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    )
    return bearer(f"{head}.{body}.")


def refused(counter: Counter, metadata: Metadata) -> tuple[StatusCode, str]:
    """What a good purchase with this beside it is answered."""
    body = purchase(counter.code, counter.patient).SerializeToString()
    refusal = counter.refused(body, Till(counter.service.channel, metadata))
    return refusal.code, refusal.reason


def test_a_call_without_a_good_token_is_not_let_in(counter: Counter) -> None:
    code = counter.code
    good = metadata_of("pos", code)[0][1]
    for metadata in (
        (),
        (("authorization", ""),),
        (("authorization", "Bearer"),),
        (("authorization", good.removeprefix("Bearer ")),),
        (("authorization", good[:-2]),),
        (("authorization", "Basic cG9zOnBvcw=="),),
        bearer("x" * 4000),
        metadata_of("pos", code, lifetime_seconds=-1),
        signed(key="another key, which is long enough as well", sub=code),
        signed(algorithm="HS512", sub=code),
        unsigned(sub=code),
        metadata_of("pos", code) * 2,
        (*metadata_of("pos", code), ("authorization", "")),
        signed(sub=code, exp=None),
        signed(sub=code, exp=-1),
        signed(sub=code, exp=1e300),
        signed(sub=code, exp=float("nan")),
        signed(sub=code, exp=float("inf")),
        signed(sub=code, exp="4000000000"),
        signed(sub=code, iss="somebody else"),
        signed(sub=code, aud="something else"),
        signed(sub=code, role="king"),
        signed(sub=code, role=None),
        signed(sub=None),
        signed(sub=ULANQAB, role="agency", actor=""),
        signed(sub=ULANQAB, role="agency", actor="c-17 "),
        signed(sub="P1", role="agency", actor="c-17"),
        signed(sub=f"{code}\0{ULANQAB}"),  # the pipe to the writer would part it there
        signed(sub=ULANQAB, role="agency", actor="c-17\ud800"),
        signed(sub=code, exp=10**400),
    ):
        assert refused(counter, metadata) == (StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.POS, Role.PLATFORM}))
def test_no_other_role_settles(counter: Counter, role: Role) -> None:
    regions = (ULANQAB, HOHHOT)
    for subject in regions if role in STAFF else (counter.code, *regions, str(counter.patient)):
        denied = refused(counter, metadata_of(role, subject))
        assert denied == (StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")


def test_a_token_is_looked_at_before_the_request(counter: Counter) -> None:
    refusal = counter.refused(b"\xff", Till(counter.service.channel, ()))
    assert refusal.code is StatusCode.UNAUTHENTICATED
    refusal = counter.refused(b"\xff", Till(counter.service.channel, metadata_of("audit", ULANQAB)))
    assert refusal.code is StatusCode.PERMISSION_DENIED


def test_a_platform_settles_for_the_institutions_of_its_region_only(counter: Counter) -> None:
    for region in (ULANQAB, INNER_MONGOLIA):
        platform = Till(counter.service.channel, metadata_of("platform", region))
        answer = platform.settle(purchase(counter.code, counter.patient, total_fen=100))
        assert answer.settlement.institution_code == counter.code
    denied = refused(counter, metadata_of("platform", HOHHOT))
    assert denied == (StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")


def test_a_platform_learns_nothing_of_institutions_that_are_not_there(counter: Counter) -> None:
    platform = Till(counter.service.channel, metadata_of("platform", ULANQAB))
    refusal = counter.refused(purchase("NOBODY", counter.patient).SerializeToString(), platform)
    assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")


def test_a_call_whose_time_is_up_settles_nothing(counter: Counter) -> None:
    before = counter.rows()
    with pytest.raises(grpc.RpcError) as caught:
        counter.till.settle(purchase(counter.code, counter.patient), timeout_seconds=1e-6)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert counter.rows() == before
    counter.sell()
