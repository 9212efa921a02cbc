"""Differences and clearing on the agency's board: what a till's books say differently, and a month
that is closed, confirmed and paid.

Rule: the database begins with a September in which somebody bought: there is a month to close.
"""

import re
from collections.abc import Iterator
from datetime import date
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain.access import Role
from gongji_svc.domain.terms import Insurance, Relation
from gongji_svc.storage.ids import parse_id
from tests import conftest
from tests.end_to_end.purchases import ULANQAB, at_work
from tests.families import Families
from tests.services.applications import HOHHOT
from tests.services.changes import purchase
from tests.services.driver import Driver
from tests.services.premiums import DAY, bind
from tests.services.reconciling import details, own_row
from tests.web.axe import faults, overflows
from tests.web.browser import DESK, PHONE, Visits
from tests.web.conftest import Site, site_on, staff

_SEPTEMBER = date(2025, 9, 20)
_PERIOD = "2025-09-01 – 09-30"


def _bought_in_september(driver: Driver, families: Families) -> None:
    """A purchase from the patient's own account, and one that a donor elsewhere pays."""
    pharmacy = families.institution(HOHHOT)
    own = families.person(HOHHOT, balance_fen=100_000)
    donor = families.person(ULANQAB, balance_fen=100_000)
    child = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    bind(families, donor, child, relation=Relation.CHILD)
    purchase(driver, pharmacy, own, 3_000)
    purchase(driver, pharmacy, child, 2_000)


@pytest.fixture(scope="module")
def cleared(test_server: conftest.TestServer) -> Iterator[Site]:
    """The whole service in October, after a September of purchases."""
    database = test_server.new_database(conftest.TEMPLATE)
    driver = Driver(database, _SEPTEMBER)
    _bought_in_september(driver, at_work(database))
    driver.close()
    with site_on(database) as started:
        yield started
    test_server.drop(database)


@pytest.fixture
def pages(started_browser: Browser, cleared: Site) -> Iterator[Visits]:
    """Pages of the test's own, none of which may log an error."""
    made = Visits(started_browser, cleared.url)
    yield made
    made.close()
    assert made.errors == []


def board(pages: Visits, actor: str = "official-1", size: dict[str, int] = DESK) -> Page:
    """The board of a member of Hohhot's agency, all of it there."""
    page = pages.of(staff(Role.AGENCY, HOHHOT, actor), "agency", size=size)
    expect(page.locator(".wait")).to_have_count(0)
    return page


def differ(site: Site, day: date = DAY) -> tuple[str, UUID]:
    """A pharmacy whose books have one purchase with another amount, and one that nobody here has:
    its code, and the id of the purchase.
    """
    pharmacy = site.families.institution(HOHHOT)
    patient = site.families.person(HOHHOT, balance_fen=100_000)
    settled = purchase(site.land.driver, pharmacy, patient, 1_500)
    rows = [
        own_row(settled, total_fen=1_600),
        pb.ReconcileRow(request_id="till-0815", total_fen=700, account_pay_fen=700),
    ]
    details(site.land.driver, pharmacy, rows, day)
    settlement_id = parse_id(settled.settlement_id)
    assert settlement_id is not None
    return pharmacy, settlement_id


def found_late(site: Site) -> None:
    """A difference in September, of a pharmacy that has a purchase which nobody here has."""
    row = pb.ReconcileRow(request_id="till-0930", total_fen=700, account_pay_fen=700)
    details(site.land.driver, site.families.institution(HOHHOT), [row], _SEPTEMBER)


def first_and_last(dialog: Locator) -> tuple[str, str]:
    """The days of the window that is to be closed."""
    day = dialog.get_by_label("最后一日")
    return str(day.get_attribute("min")), day.input_value()


def test_a_difference_is_seen_with_both_books_and_dealt_with(pages: Visits, cleared: Site) -> None:
    pharmacy, _ = differ(cleared)
    page = board(pages)
    rows = page.locator("#differences table").first.locator("tbody tr", has_text=pharmacy)
    expect(rows).to_have_count(2)
    missing = rows.filter(has_text="till-0815")
    expect(missing).to_contain_text("中心缺")
    expect(rows.filter(has_text="金额不符")).to_contain_text("¥16.00")
    missing.get_by_role("button", name="处理差异 till-0815").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name="机构账")).to_contain_text("¥7.00")
    dialog.get_by_label("说明").fill("机构测试数据，已删除")
    dialog.get_by_role("button", name="处理").click()
    expect(dialog.get_by_text("请选择", exact=True)).to_be_visible()
    expect(dialog.get_by_label("编号")).to_be_hidden()
    dialog.get_by_label("机构已更正").check()
    dialog.get_by_role("button", name="处理").click()
    expect(dialog).to_have_count(0)
    expect(rows).to_have_count(1)
    page.get_by_text("已处理（1）").click()
    expect(page.get_by_role("table", name="已处理的差异")).to_contain_text("机构测试数据，已删除")
    assert cleared.land.count("differences WHERE state = 'RESOLVED'") == 1


def test_a_month_is_closed_confirmed_by_another_and_paid(pages: Visits, cleared: Site) -> None:
    page = board(pages)
    windows = page.get_by_role("table", name="清算期")
    expect(page.get_by_role("img", name="各清算期应拨付")).to_be_visible()
    expect(page.get_by_role("img", name="应拨付各机构")).to_be_visible()
    expect(page.get_by_role("table", name="各机构应拨付")).to_contain_text("¥50.00")
    expect(page.get_by_role("img", name="与各地清算净额")).to_be_visible()
    expect(page.get_by_role("table", name="各地应收应付")).to_contain_text("乌兰察布")
    page.get_by_role("button", name=f"关账 {_PERIOD}").click()
    page.get_by_role("dialog").get_by_role("button", name=f"关账 {_PERIOD}").dblclick()
    row = windows.get_by_role("row", name=_PERIOD)
    expect(row).to_contain_text("已关账")
    expect(windows.get_by_role("row", name="2025-10-01")).to_contain_text("归集中")
    page.get_by_role("button", name=f"确认 {_PERIOD}").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=f"确认 {_PERIOD}").click()
    expect(dialog.get_by_role("alert")).to_contain_text("SECOND_ACTOR_REQUIRED")
    page = board(pages, "official-2")
    late = board(pages, "official-3")
    found_late(cleared)
    row = page.get_by_role("table", name="清算期").get_by_role("row", name=_PERIOD)
    page.get_by_role("button", name=f"确认 {_PERIOD}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("又发现1条差异")
    dialog.get_by_role("button", name=f"确认 {_PERIOD}").click()
    expect(dialog.get_by_text("请填写此项")).to_be_visible()
    dialog.get_by_label("我知道还有1条差异未处理").check()
    dialog.get_by_role("button", name=f"确认 {_PERIOD}").click()
    expect(row).to_contain_text("已确认")
    late.get_by_role("button", name=f"确认 {_PERIOD}").click()
    late.get_by_label("我知道还有1条差异未处理").check()
    late.get_by_role("dialog").get_by_role("button", name=f"确认 {_PERIOD}").click()
    expect(late.locator("#windows [role=alert]")).to_contain_text("WINDOW_STEP_NOT_ALLOWED")
    expect(late.get_by_role("button", name=f"确认 {_PERIOD}")).to_have_count(0)
    page.get_by_role("button", name=f"登记拨付 {_PERIOD}").click()
    page.get_by_label("我知道还有1条差异未处理").check()
    page.get_by_label("拨付单号").fill("BF-2025-09")
    page.get_by_role("dialog").get_by_role("button", name=f"登记拨付 {_PERIOD}").click()
    expect(row).to_contain_text("已拨付")
    expect(row).to_contain_text("BF-2025-09")
    row.get_by_role("button", name="清算明细").click()
    expect(page.get_by_role("heading", name=f"清算明细 {_PERIOD}")).to_be_focused()
    expect(page.get_by_role("table", name="各机构应拨付")).to_contain_text("¥50.00")
    states = "windows WHERE state = 'SETTLED' AND payment_reference = 'BF-2025-09'"
    assert cleared.land.count(states) == 1


def test_days_that_are_not_over_are_not_closed_and_it_is_said_why(
    pages: Visits, cleared: Site
) -> None:
    differ(cleared)
    page = board(pages)
    page.locator("#windows").get_by_role("button", name="关账").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("最后一日")).to_have_value(re.compile("^2025-(09-30|10-31)$"))
    dialog.get_by_label("最后一日").fill("2025-10-15")
    expect(dialog.get_by_role("status")).to_contain_text("2025-10-15尚未结束")
    dialog.get_by_role("button", name="提前关账").click()
    expect(dialog.locator("[type=submit]")).to_contain_text("10-14")
    dialog.get_by_label("最后一日").fill("2025-10-15")
    dialog.locator("[type=submit]").click()
    expect(dialog.get_by_role("alert")).to_contain_text("尚未结束")
    dialog.get_by_role("button", name="关闭", exact=True).click()
    expect(dialog).to_have_count(0)


def test_heading_and_button_name_the_days_that_would_be_closed(
    pages: Visits, cleared: Site
) -> None:
    page = board(pages)
    page.locator("#windows").get_by_role("button", name="关账").first.click()
    dialog = page.get_by_role("dialog")
    first, whole = first_and_last(dialog)
    dialog.get_by_label("最后一日").fill(f"{first[:8]}07")
    part = f"关账 {first} – {first[5:8]}07"
    expect(dialog.get_by_role("heading", name=part)).to_be_visible()
    expect(dialog.locator("[type=submit]")).to_have_text(part)
    expect(dialog.get_by_role("status")).to_contain_text("不是整期")
    dialog.get_by_role("button", name="改回整期").click()
    expect(dialog.locator("[type=submit]")).to_have_text(f"关账 {first} – {whole[5:]}")
    assert cleared.land.count("windows WHERE extract(day FROM last_day) = 7") == 0


def test_a_correction_here_is_put_into_the_note_with_its_number(
    pages: Visits, cleared: Site
) -> None:
    pharmacy, settlement_id = differ(cleared)
    page = board(pages)
    rows = page.locator("#differences table").first.locator("tbody tr", has_text=pharmacy)
    rows.filter(has_text="金额不符").get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("已在本系统更正").check()
    dialog.get_by_label("说明").fill("多收一元")
    dialog.locator("[type=submit]").click()
    expect(dialog.get_by_label("更正的编号")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("更正的编号").fill("TF-0815")
    dialog.locator("[type=submit]").click()
    expect(dialog).to_have_count(0)
    kept = "differences WHERE note = '更正编号：TF-0815。多收一元'"
    assert cleared.land.count(f"{kept} AND settlement_id = '{settlement_id}'") == 1


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("manner", [{}, {"english": "yes"}, {"large": "yes"}])
def test_the_board_with_all_of_it_has_no_serious_fault(
    pages: Visits, cleared: Site, size: dict[str, int], manner: dict[str, str]
) -> None:
    differ(cleared)
    page = pages.of(staff(Role.AGENCY, HOHHOT), "agency", size=size, **manner)
    expect(page.locator(".wait")).to_have_count(0)
    expect(page.locator("#windows svg").last).to_be_visible()
    assert faults(page) == []
    assert not overflows(page)
