"""Fixtures of the services' tests.

Rule: tests that make their own people and look at nobody else's share one database a module, which
is five times as fast; a test that counts what a table holds asks for `database`.
"""

from collections.abc import Iterator

import pytest

from gongji_svc.storage.database import Database
from tests.conftest import TEMPLATE, TestServer


@pytest.fixture(scope="module")
def shared_database(test_server: TestServer) -> Iterator[Database]:
    """A database of the module's own with the whole schema."""
    fresh = test_server.new_database(TEMPLATE)
    yield fresh
    test_server.drop(fresh)
