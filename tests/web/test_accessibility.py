"""Everybody can use the pages: axe-core finds no serious fault in both languages and large type."""

import pytest
from playwright.sync_api import expect

from gongji_svc.domain.access import Role
from gongji_svc.domain.terms import Insurance
from tests.end_to_end.purchases import purchase
from tests.services.applications import HOHHOT
from tests.web.axe import faults, overflows
from tests.web.browser import DESK, PHONE, Visits
from tests.web.conftest import Site, citizen, staff

_MANNERS = {"chinese": {}, "english": {"english": "yes"}, "large": {"large": "yes"}}
_ROOMS = ("", "bind", "pay", "code", "account", "relatives", "records")


@pytest.mark.parametrize("manner", _MANNERS)
def test_the_rooms_of_a_citizen_have_no_serious_fault(
    visits: Visits, site: Site, manner: str
) -> None:
    donor = site.families.person(HOHHOT, balance_fen=50_000)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    site.bind(donor, child)
    pharmacy = site.families.institution(HOHHOT)
    till = site.land.service.till(pharmacy)
    for person in (donor, child):
        settled = till.settle(purchase(pharmacy, person, 1_000, occurred_at=site.land.office.now()))
    page = visits.of(citizen(donor), **_MANNERS[manner])
    for room in (*_ROOMS, f"premium/{child}", f"receipt/{settled.settlement.settlement_id}"):
        visits.go(page, room)
        assert faults(page) == [], room
        assert not overflows(page), room


@pytest.mark.parametrize("manner", _MANNERS)
def test_the_rooms_of_staff_have_no_serious_fault(visits: Visits, site: Site, manner: str) -> None:
    for role, room in (
        (Role.COUNTER, "counter"),
        (Role.REVIEWER, "review"),
        (Role.AGENCY, "agency"),
    ):
        page = visits.of(staff(role, HOHHOT), room, size=DESK, **_MANNERS[manner])
        expect(page.locator(".wait")).to_have_count(0)
        assert faults(page) == [], room
        assert not overflows(page), room


def test_signing_in_and_the_page_before_it_have_no_serious_fault(
    visits: Visits, site: Site
) -> None:
    page = visits.page(size=PHONE)
    page.goto(site.url)
    expect(page.get_by_role("button", name="登录", exact=True)).to_be_visible()
    assert faults(page) == []


def test_the_language_and_the_size_are_switched_and_remembered(visits: Visits, site: Site) -> None:
    page = visits.of(citizen(site.donor))
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Hello, 王小明")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_role("button", name="Large type").click()
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "22px"
    page.reload()
    expect(page.get_by_role("button", name="Large type")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="中文")).to_be_visible()


def test_the_keyboard_alone_reaches_the_first_step(visits: Visits, site: Site) -> None:
    page = visits.of(citizen(site.donor))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
    for _ in range(12):
        if page.evaluate("document.activeElement.getAttribute('href')") == "#/bind":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="绑定家人", level=1)).to_be_focused()
