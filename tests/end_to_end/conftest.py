"""A running service for a whole module, and one of a test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from gongji_svc.storage.database import Database
from tests.conftest import TEMPLATE, TestServer
from tests.end_to_end.counter import Counter
from tests.end_to_end.purchases import ULANQAB, at_work
from tests.end_to_end.service import Service, running
from tests.families import Families


@pytest.fixture(scope="module")
def service(test_server: TestServer) -> Iterator[Service]:
    """One front and its writer, on a database that the tests of a module share."""
    database = test_server.new_database(TEMPLATE)
    with running(database) as started:
        yield started
    test_server.drop(database)


@pytest.fixture(scope="module")
def families(service: Service) -> Families:
    """Builders of people and places for the module's service."""
    return at_work(service.database)


@pytest.fixture(scope="module")
def counter(service: Service, families: Families) -> Counter:
    """A pharmacy and a patient of the module's own."""
    patient = families.person(ULANQAB, balance_fen=100_000)
    return Counter(service, families, families.institution(ULANQAB), patient)


@pytest.fixture
def start(database: Database) -> Iterator[Callable[..., Service]]:
    """Starts a service on the test's own database; takes what `running` takes."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(database, **settings))
