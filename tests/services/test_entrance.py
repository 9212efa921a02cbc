"""What a front tells of what lets callers in."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gongji_svc.services.entrance import Entrance, TlsFiles
from gongji_svc.services.provider import Provider
from gongji_svc.services.watched import Unusable
from gongji_svc.signals.tally import Histogram
from tests.authority import AUDIENCE, ISSUER, Authority, Signer, key_set, put
from tests.strange import as_sm2, as_version_8

_NOW = datetime.now(UTC).replace(microsecond=0)
_DAY = timedelta(days=1)


def told(entrance: Entrance) -> Mapping[str, float | Histogram]:
    """Its figures by their names without what all have; what has none is left out."""
    return {
        name.removeprefix("gongji_").removesuffix("_timestamp_seconds"): values[()]
        for name, values in entrance
        if values
    }


async def look(entrance: Entrance) -> None:
    """Look once, as it does every second."""
    await entrance.start()
    await entrance.stop()


def by_keys(jwks: object) -> Entrance:
    return Entrance(None, Provider(str(jwks), ISSUER, AUDIENCE), b"")


@pytest.fixture
def tls(tmp_path: Path) -> TlsFiles:
    """A server's certificate, and no clients yet."""
    own = Authority("Servers").issue()
    names, contents = ("server.pem", "server.key"), (own.pem, own.key)
    return TlsFiles(
        *(str(put(tmp_path / one, it)) for one, it in zip(names, contents, strict=True))
    )


def test_what_is_not_set_is_not_told(tls: TlsFiles, tmp_path: Path) -> None:
    assert told(Entrance(None, None, b"")) == {}
    clients = str(put(tmp_path / "clients.pem", Authority().pem))
    both = Entrance(TlsFiles(tls.certificate, tls.key, clients), None, b"")
    assert told(both).keys() == {"certificate_not_after"}


def test_the_list_that_ends_first_is_told_by_each_authoritys_newest(
    tls: TlsFiles, tmp_path: Path
) -> None:
    old, new = Authority("Old"), Authority("New")
    lists = [
        old.list(due=_NOW - _DAY),
        old.list(due=_NOW + 3 * _DAY),
        new.list(due=_NOW + 9 * _DAY),
    ]
    clients = str(put(tmp_path / "clients.pem", [old.pem, new.pem]))
    crl = put(tmp_path / "revoked.pem", lists)
    entrance = Entrance(TlsFiles(tls.certificate, tls.key, clients, str(crl)), None, b"")
    assert told(entrance)["crl_next_update"] == (_NOW + 3 * _DAY).timestamp()
    put(crl, b"no list")  # the one before goes on, and is what is told
    asyncio.run(look(entrance))
    assert told(entrance)["crl_next_update"] == (_NOW + 3 * _DAY).timestamp()


def test_a_pair_of_a_kind_that_is_not_known_is_not_taken_and_a_good_one_after_it_is(
    tls: TlsFiles,
) -> None:
    entrance = Entrance(tls, None, b"")
    before_it, pair = told(entrance), Authority("Servers").issue(lifetime=9 * _DAY)
    for certificate, key in (
        (as_sm2(pair.pem), as_sm2(pair.key)),
        (as_sm2(pair.pem), pair.key),
        (as_version_8(pair.pem), pair.key),
        (pair.pem, as_sm2(pair.key)),
    ):
        put(Path(tls.certificate), certificate)
        put(Path(tls.key), key)
        asyncio.run(look(entrance))
        assert told(entrance) == before_it
        with pytest.raises(Unusable, match="of a kind we don't know"):
            Entrance(tls, None, b"")
    put(Path(tls.key), pair.key)
    asyncio.run(look(entrance))
    until = pair.certificate.not_valid_after_utc.timestamp()
    assert told(entrance) == {"certificate_not_after": until} != before_it


def test_keys_in_a_file_are_read_while_the_file_is_as_it_was_read(tmp_path: Path) -> None:
    good = key_set(Signer("1").public)
    jwks = put(tmp_path / "jwks.json", good)
    entrance, seen = by_keys(jwks), []
    for kept in (None, b"no keys", None, good):
        if kept is not None:
            put(jwks, kept)
        asyncio.run(look(entrance))
        seen.append(told(entrance)["jwks_read"])
    as_it_was, wrong, still_wrong, mended = seen
    assert as_it_was == wrong == still_wrong != mended


def test_keys_that_were_never_read_are_told_as_read_at_no_time() -> None:
    entrance = by_keys("http://127.0.0.1:1/keys")
    asyncio.run(look(entrance))
    assert told(entrance) == {"jwks_read": 0.0}
