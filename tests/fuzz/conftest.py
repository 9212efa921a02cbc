"""The fixtures of the services' tests: a database a module."""

from tests.services.conftest import shared_database

__all__ = ["shared_database"]
