"""A running service that tests share, and one of a test's own.

Rule: starting takes seconds of both processors, so a test that leaves the service as it was shares
it; one that kills or stops it, or moves its clock, starts its own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from gongji_svc.storage.database import Database
from tests.conftest import TEMPLATE, TestServer
from tests.end_to_end.counter import Counter
from tests.end_to_end.purchases import ULANQAB, at_work
from tests.end_to_end.service import Service, running
from tests.families import Families


@contextmanager
def _running(test_server: TestServer, fronts: int) -> Iterator[Service]:
    database = test_server.new_database(TEMPLATE)
    with running(database, fronts=fronts) as started:
        yield started
    test_server.drop(database)


@pytest.fixture(scope="session")
def service(test_server: TestServer) -> Iterator[Service]:
    """One front and its writers."""
    with _running(test_server, 1) as started:
        yield started


@pytest.fixture(scope="session")
def two(test_server: TestServer) -> Iterator[Service]:
    """Two fronts, each with writers of its own, on one database."""
    with _running(test_server, 2) as started:
        at_work(started.database)
        yield started


@pytest.fixture(scope="session")
def families(service: Service) -> Families:
    """Builders of people and places for the shared service."""
    return at_work(service.database)


@pytest.fixture(scope="session")
def counter(service: Service, families: Families) -> Counter:
    """A pharmacy and a patient that the tests of refusals share."""
    patient = families.person(ULANQAB, balance_fen=1_000_000)
    return Counter(service, families, families.institution(ULANQAB), patient)


@pytest.fixture
def start(database: Database) -> Iterator[Callable[..., Service]]:
    """Starts a service on the test's own database; takes what `running` takes."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(database, **settings))
