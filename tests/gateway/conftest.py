"""A running service with a gateway before it, which all tests of a process share.

Rule: a test that needs other settings, or kills something, starts its own.
"""

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import TEMPLATE, TestServer
from tests.end_to_end.purchases import at_work
from tests.end_to_end.service import Service, running
from tests.families import Families
from tests.gateway.browser import address_of, before


@pytest.fixture(scope="session")
def service(test_server: TestServer) -> Iterator[Service]:
    """One front and its writers."""
    database = test_server.new_database(TEMPLATE)
    with running(database) as started:
        yield started
    test_server.drop(database)


@pytest.fixture(scope="session")
def families(service: Service) -> Families:
    """Builders of people and places."""
    return at_work(service.database)


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    """A client of the gateway."""
    with before(address_of(service)) as started:
        yield started
