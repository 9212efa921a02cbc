"""A gateway on a port of its own before a running service, and who calls it.

Rule: a test speaks HTTP over a real connection, and looks up in the database what became of it.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx

from gateway.app import Settings, make_app
from gongji_svc.commands.gateway import listening
from gongji_svc.config import Address
from tests.end_to_end.service import Service, metadata_of

_ANY_PORT = Address("127.0.0.1", 0)
_SECONDS = 60.0


@contextlib.contextmanager
def before(core: str, **settings: Any) -> Iterator[httpx.Client]:
    """A gateway before the core at HOST:PORT, and a client of it; `settings` as the gateway's."""
    usual = {"calls_per_second": 1e6, "burst": 10**6}
    app = make_app(Settings(core=core, **{**usual, **settings}))
    with (
        listening(app, _ANY_PORT) as web,
        httpx.Client(base_url=web.url, timeout=_SECONDS, trust_env=False) as client,
    ):
        yield client


def address_of(service: Service) -> str:
    """Where the service's first front is."""
    return f"127.0.0.1:{service.workers.ports[0]}"


def by(role: str, subject: object) -> dict[str, str]:
    """The headers of somebody's call."""
    return dict(metadata_of(role, subject))
