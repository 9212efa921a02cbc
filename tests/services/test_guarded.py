"""Who may look at gRPC's own figures."""

from types import SimpleNamespace

import pytest

from gongji_svc.services.interceptors import is_on_this_machine


@pytest.mark.parametrize("peer", ["ipv4:127.0.0.1:5000", "ipv6:%5B::1%5D:5000"])
def test_who_is_on_this_machine_is(peer: str) -> None:
    assert is_on_this_machine(SimpleNamespace(peer=lambda: peer))  # type: ignore[arg-type]  # all that is asked of it


@pytest.mark.parametrize(
    "peer", ["ipv4:10.0.0.7:5000", "ipv6:%5Bfd00::7%5D:5000", "unix:/run/gongji", "", "ipv4:x:1"]
)
def test_who_comes_from_elsewhere_is_not(peer: str) -> None:
    assert not is_on_this_machine(SimpleNamespace(peer=lambda: peer))  # type: ignore[arg-type]  # all that is asked of it
