"""A running service with gateway, identity provider and tax bureau, and a browser before it.

Rule: a module has a browser of its own, which ends with it: Playwright keeps an event loop running
that tests of other modules would trip over. Tests share the service, and make people of their own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser

from gateway.app import Settings, make_app
from gongji_svc.commands.gateway import listening
from gongji_svc.config import Address
from gongji_svc.demo.bureau import Bureau
from gongji_svc.demo.clock import offset_to
from gongji_svc.demo.identity import PATH, IdentityProvider, Known
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from gongji_svc.upkeep import working
from tests.conftest import TEMPLATE, TestServer
from tests.end_to_end.purchases import at_work
from tests.end_to_end.service import TOKEN_KEY, metadata_of, running
from tests.end_to_end.tax import Land
from tests.families import Families, Made
from tests.services.applications import HOHHOT
from tests.services.premiums import DAY, bind, driver_on
from tests.upkeep.outbox import KEY
from tests.web.browser import Visits, browser

CLIENT_ID = "gongji-web"


@dataclass(frozen=True, slots=True)
class Site:
    """The service as people reach it, with somebody who can sign in."""

    url: str
    land: Land
    donor: Made
    mother: Made

    @property
    def families(self) -> Families:
        """Builders of people and places."""
        return self.land.families

    def bind(self, donor: Made, beneficiary: Made, **more: Any) -> UUID:
        """A binding in force, for bills and premiums; its id."""
        return bind(self.families, donor, beneficiary, **more)


def citizen(person: object) -> Caller:
    """Somebody for themselves."""
    return Caller(Role.CITIZEN, str(person))


def staff(role: Role, region: str, actor: str = "clerk-1") -> Caller:
    """A member of staff of a region."""
    return Caller(role, region, actor)


@contextmanager
def _land(database: Database) -> Iterator[Land]:
    """As `land`, but the clock is whole days off: the browser's time of day is the service's."""
    driver = driver_on(database)
    driver.office.clock_offset = offset_to(DAY)
    offset_seconds = driver.office.clock_offset.total_seconds()
    with running(database, clock_offset_seconds=offset_seconds) as service:
        target = f"127.0.0.1:{service.workers.ports[0]}"
        with Bureau(KEY, target, tax_token) as bureau:
            driver.office.tax = bureau.endpoint
            yield Land(service, driver, bureau, Families(database))


def tax_token(region: str) -> str:
    """The bureau's token for a region."""
    return metadata_of("tax", region)[0][1].removeprefix("Bearer ")


@contextmanager
def site_on(database: Database) -> Iterator[Site]:
    """The whole service on a database, with one family more."""
    with _land(database) as here, working(here.office):
        donor = here.families.person(HOHHOT, balance_fen=100_000, name="王小明")
        mother = here.families.person(HOHHOT, insurance=Insurance.RESIDENT, name="王妈妈")
        known = Known("donor", donor.name, "参保人", citizen(donor))
        provider = IdentityProvider(TOKEN_KEY.encode(), CLIENT_ID, [known])
        core = f"127.0.0.1:{here.service.workers.ports[0]}"
        settings = Settings(
            core=core, issuer=PATH, client_id=CLIENT_ID, calls_per_second=1e6, burst=10**6
        )
        with listening(make_app(settings, [provider.mount()]), Address("127.0.0.1", 0)) as web:
            yield Site(web.url, here, donor, mother)


@pytest.fixture(scope="session")
def site(test_server: TestServer) -> Iterator[Site]:
    """The whole service on an empty database, but for one family."""
    database = test_server.new_database(TEMPLATE)
    at_work(database)
    with site_on(database) as started:
        yield started
    test_server.drop(database)


@pytest.fixture(scope="module")
def started_browser() -> Iterator[Browser]:
    """A browser of the module's own."""
    with browser() as started:
        yield started


@pytest.fixture
def visits(started_browser: Browser, site: Site) -> Iterator[Visits]:
    """Pages of the test's own, none of which may log an error."""
    made = Visits(started_browser, site.url)
    yield made
    made.close()
    assert made.errors == []
