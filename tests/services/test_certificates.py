"""Client certificates: what each names, and every one that is refused."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import Unauthenticated
from gongji_svc.services import certificates
from gongji_svc.services.certificates import Certificates
from gongji_svc.services.watched import Unusable
from tests.authority import Authority, Pair, put
from tests.strange import as_sm2, as_version_8

POS = "gongji:pos:P15090000001"


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca(tmp_path: Path, authority: Authority) -> Path:
    return put(tmp_path / "ca.pem", authority.pem)


@pytest.fixture
def crl(tmp_path: Path, authority: Authority) -> Path:
    return put(tmp_path / "list.pem", authority.list())


def is_refused(certificates: Certificates, pair: Pair) -> bool:
    try:
        certificates.caller(pair.pem)
    except Unauthenticated:
        return True
    return False


@pytest.mark.parametrize(
    ("names", "caller"),
    [
        ([POS], Caller(Role.POS, "P15090000001")),
        (["gongji:pos:a-b_C"], Caller(Role.POS, "a-b_C")),
        (["gongji:platform:150900"], Caller(Role.PLATFORM, "150900")),
        (["spiffe://region/till", POS], Caller(Role.POS, "P15090000001")),
        (["gongji:gateway"], None),
    ],
)
def test_a_certificate_names_its_caller(
    authority: Authority, ca: Path, names: Sequence[str], caller: Caller | None
) -> None:
    assert Certificates(ca, None).caller(authority.issue(*names).pem) == caller


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["spiffe://region/till"],
        [POS, "gongji:pos:P15090000002"],
        [POS, "gongji:gateway"],
        ["gongji:pos:"],
        ["gongji:pos:" + "9" * 31],
        ["gongji:pos:P1\n"],
        ["gongji:pos:P1:agency"],
        ["gongji:platform:1509"],
        ["gongji:agency:150900"],
        ["gongji:citizen:0199e3a5-7c00-8000-8024-a50000000003"],
        ["gongji:audit:150900"],
        ["GONGJI:pos:P1"],
        ["gongji:gateway:1"],
    ],
)
def test_a_certificate_that_names_no_caller_is_refused(
    authority: Authority, ca: Path, names: Sequence[str]
) -> None:
    assert is_refused(Certificates(ca, None), authority.issue(*names))


def test_a_certificate_of_another_authority_is_refused_also_under_the_same_name(ca: Path) -> None:
    assert is_refused(Certificates(ca, None), Authority().issue(POS))


def test_a_certificate_is_good_only_in_its_time(authority: Authority, ca: Path) -> None:
    now, hour = datetime.now(UTC), timedelta(hours=1)
    certificates = Certificates(ca, None)
    assert is_refused(certificates, authority.issue(POS, since=now - 2 * hour, lifetime=hour))
    assert is_refused(certificates, authority.issue(POS, since=now + hour, lifetime=hour))


def test_a_certificate_ends_also_while_its_answer_is_kept(
    authority: Authority, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, pair = Certificates(ca, None), authority.issue(POS)
    assert not is_refused(kept, pair)
    end = pair.certificate.not_valid_after_utc.timestamp()
    monkeypatch.setattr(certificates, "time", SimpleNamespace(time=lambda: end - 1))
    assert not is_refused(kept, pair)
    monkeypatch.setattr(certificates, "time", SimpleNamespace(time=lambda: end))
    assert is_refused(kept, pair)


def test_a_name_is_missed_only_where_one_is_asked_for_and_told_once(
    authority: Authority, ca: Path
) -> None:
    certificates, probe = Certificates(ca, None), authority.issue()
    with capture_logs() as logged:
        certificates.check(probe.pem)
    assert logged == []
    with capture_logs() as logged:
        assert is_refused(certificates, probe)
        assert is_refused(certificates, probe)
    (line,) = logged
    assert line["serial"] == f"{probe.certificate.serial_number:x}"
    assert "names that begin with gongji:" in line["why"]


def test_one_that_is_not_believed_is_told_once_whatever_it_asks(ca: Path) -> None:
    certificates, stranger = Certificates(ca, None), Authority().issue()
    with capture_logs() as logged:
        with pytest.raises(Unauthenticated):
            certificates.check(stranger.pem)
        assert is_refused(certificates, stranger)
    assert [line["why"] for line in logged] == ["none of the authorities issued it"]


def test_what_is_no_certificate_is_refused(ca: Path) -> None:
    with pytest.raises(Unauthenticated):
        Certificates(ca, None).caller(b"-----BEGIN CERTIFICATE-----\nAA==\n")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_revoked_certificate_is_refused_as_soon_as_the_list_is_read(
    authority: Authority, ca: Path, crl: Path, encoding: Encoding
) -> None:
    kept, lost = authority.issue(POS), authority.issue(POS)
    certificates = Certificates(ca, crl)
    assert not is_refused(certificates, lost)
    authority.revoke(lost)
    put(crl, authority.list(encoding))
    certificates.files.look()
    assert is_refused(certificates, lost)
    assert not is_refused(certificates, kept)


def test_an_authority_without_a_list_is_believed_nothing(
    authority: Authority, ca: Path, crl: Path
) -> None:
    other = Authority("Other")
    put(ca, [authority.pem, other.pem])
    certificates = Certificates(ca, crl)
    assert is_refused(certificates, other.issue(POS))
    put(crl, [authority.list(), other.list()])
    certificates.files.look()
    assert not is_refused(certificates, other.issue(POS))
    assert not is_refused(certificates, authority.issue(POS))


def test_two_authorities_of_one_name_each_have_their_list(tmp_path: Path) -> None:
    old, new = Authority(), Authority()
    before, after = old.issue(POS), new.issue(POS)
    old.revoke(before, after)
    ca = put(tmp_path / "ca.pem", [old.pem, new.pem])
    crl = put(tmp_path / "list.pem", [old.list(), new.list()])
    certificates = Certificates(ca, crl)
    assert is_refused(certificates, before)
    assert not is_refused(certificates, after)


def test_a_certificate_of_an_authority_that_was_taken_out_is_refused(
    authority: Authority, ca: Path
) -> None:
    pair = authority.issue(POS)
    certificates = Certificates(ca, None)
    assert not is_refused(certificates, pair)
    put(ca, Authority("Other").pem)
    certificates.files.look()
    assert is_refused(certificates, pair)


def test_a_list_that_is_out_of_date_goes_on(authority: Authority, ca: Path, crl: Path) -> None:
    kept, lost = authority.issue(POS), authority.issue(POS)
    authority.revoke(lost)
    put(crl, authority.list(due=datetime.now(UTC) - timedelta(days=1)))
    certificates = Certificates(ca, crl)
    assert not is_refused(certificates, kept)
    assert is_refused(certificates, lost)


def test_a_list_that_cannot_be_used_leaves_the_last_one_in_force(
    authority: Authority, ca: Path, crl: Path
) -> None:
    kept, lost = authority.issue(POS), authority.issue(POS)
    authority.revoke(lost)
    put(crl, authority.list())
    certificates = Certificates(ca, crl)
    for wrong in (b"", authority.list()[:-40], Authority().list()):
        put(crl, wrong)
        certificates.files.look()
        assert is_refused(certificates, lost)
        assert not is_refused(certificates, kept)
    crl.unlink()
    certificates.files.look()
    assert is_refused(certificates, lost)


@pytest.mark.parametrize("strange", [as_sm2, as_version_8])
def test_an_authority_of_a_kind_that_is_not_known_leaves_the_last_ones_and_their_lists_in_force(
    authority: Authority, ca: Path, crl: Path, strange: Callable[[bytes], bytes]
) -> None:
    kept, lost = authority.issue(POS), authority.issue(POS)
    certificates = Certificates(ca, crl)
    for wrong in (strange(authority.pem), authority.pem + strange(Authority().pem)):
        put(ca, wrong)
        certificates.files.look()
        assert not is_refused(certificates, kept)
        with pytest.raises(Unusable, match="one of a kind we don't know"):
            Certificates(ca, crl)
    put(ca, authority.pem)
    authority.revoke(lost)
    put(crl, authority.list())
    certificates.files.look()
    assert is_refused(certificates, lost)
    assert not is_refused(certificates, kept)


def test_files_that_cannot_be_used_stop_the_start(
    authority: Authority, ca: Path, crl: Path, tmp_path: Path
) -> None:
    with pytest.raises(Unusable, match="can't be read"):
        Certificates(tmp_path / "nothing", None)
    with pytest.raises(Unusable, match="holds no certificates"):
        Certificates(crl, None)
    with pytest.raises(Unusable, match="holds no revocation list"):
        Certificates(ca, ca)
    with pytest.raises(Unusable, match="none of the authorities"):
        Certificates(ca, put(crl, Authority().list()))
    with pytest.raises(Unusable, match="a whole one is needed"):
        Certificates(ca, put(crl, authority.list(changes_only=True)))
