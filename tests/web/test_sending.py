"""What is paid is paid once: a double click, a lost answer, an offline moment, a reload."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from gongji_svc.domain.terms import Insurance
from tests.families import Made
from tests.services.applications import HOHHOT
from tests.web.browser import Visits
from tests.web.conftest import Site, citizen
from tests.web.steps import accept, fill_in, upload_both_sides

_PAY = "确认代缴 ¥400.00"
_SURE = "确认扣款 ¥400.00"
_PAYMENTS = "**/v1/premium-payments"


def family(site: Site) -> tuple[Made, Made]:
    """A donor with 1,000 yuan, and a bound child whose premium is 400."""
    donor = site.families.person(HOHHOT, balance_fen=100_000)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    site.bind(donor, child)
    return donor, child


def about_to_pay(visits: Visits, donor: Made, child: Made) -> tuple[Page, list[Any]]:
    """The page with the last button, and the payments it sends from now on."""
    page = visits.of(citizen(donor), f"premium/{child}")
    page.get_by_role("button", name=_PAY).click()
    expect(page.get_by_role("button", name=_SURE)).to_be_visible()
    sent: list[Any] = []
    page.on(
        "request", lambda one: sent.append(one.post_data_json) if one.method == "POST" else None
    )
    return page, sent


def expect_paid_once(page: Page, site: Site, donor: Made) -> None:
    """The receipt is shown, and the account was debited once."""
    expect(page.get_by_role("heading", name="凭据")).to_be_visible()
    expect(page.get_by_role("heading", name="缴费成功")).to_be_visible()
    assert site.land.balances()[donor.person_id] == 60_000
    assert site.land.count(f"premium_payments WHERE donor_id = '{donor}'") == 1


def lose(route: Route) -> None:
    """Let the service do it, and the page never hear of it."""
    route.fetch()
    route.abort()


def test_a_double_click_pays_only_once(visits: Visits, site: Site) -> None:
    donor, child = family(site)
    page, sent = about_to_pay(visits, donor, child)
    page.get_by_role("button", name=_SURE).dblclick()
    expect_paid_once(page, site, donor)
    assert len(sent) == 1


@pytest.mark.requirement("HOH-16")
def test_an_answer_that_is_lost_is_asked_for_again_by_the_same_request(
    visits: Visits, site: Site
) -> None:
    donor, child = family(site)
    page, sent = about_to_pay(visits, donor, child)
    page.route(_PAYMENTS, lose, times=1)
    page.get_by_role("button", name=_SURE).click()
    expect_paid_once(page, site, donor)
    assert len(sent) == 2
    assert sent[0] == sent[1]


def test_an_offline_moment_is_waited_out_and_told(visits: Visits, site: Site) -> None:
    donor, child = family(site)
    page, sent = about_to_pay(visits, donor, child)
    page.context.set_offline(True)
    page.get_by_role("button", name=_SURE).click()
    expect(page.get_by_text("尚未收到答复")).to_be_visible()
    page.context.set_offline(False)
    expect_paid_once(page, site, donor)
    expect(page.get_by_text("尚未收到答复")).to_be_hidden()
    assert all(one == sent[0] for one in sent)


@pytest.mark.requirement("HOH-16")
def test_a_binding_whose_answer_is_lost_is_made_once(visits: Visits, site: Site) -> None:
    donor = site.families.person(HOHHOT, balance_fen=100_000)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    page = visits.of(citizen(donor), "bind")
    fill_in(page, child)
    upload_both_sides(page)
    accept(page)
    expect(page.get_by_text("预先核对通过")).to_be_visible()
    page.route("**/v1/bindings", lose, times=1)
    page.get_by_role("button", name="提交申请").dblclick()
    expect(page.get_by_role("heading", name="绑定成功")).to_be_visible()
    assert site.land.count(f"bindings WHERE donor_id = '{donor}'") == 1


def test_a_page_that_is_reloaded_sends_what_had_no_answer(visits: Visits, site: Site) -> None:
    donor, child = family(site)
    page, sent = about_to_pay(visits, donor, child)
    page.route(_PAYMENTS, lambda route: route.abort())
    page.get_by_role("button", name=_SURE).click()
    expect(page.get_by_text("尚未收到答复")).to_be_visible()
    page.unroute(_PAYMENTS)
    page.reload()
    expect(page.get_by_text("上次未得到答复的操作现已办成")).to_be_visible()
    assert all(one == sent[0] for one in sent)
    assert site.land.balances()[donor.person_id] == 60_000


def test_what_is_refused_is_said_and_not_sent_again(visits: Visits, site: Site) -> None:
    donor, child = family(site)
    page, sent = about_to_pay(visits, donor, child)
    with site.land.database.connect() as tx:
        tx.execute("UPDATE accounts SET balance_fen = 1 WHERE person_id = %s", [donor.person_id])
    page.get_by_role("button", name=_SURE).click()
    expect(page.get_by_role("alert")).to_contain_text("余额")
    assert len(sent) == 1
    assert page.evaluate("Object.keys(sessionStorage)") == ["gongji.tokens"]


def test_a_room_that_is_opened_offline_appears_when_the_line_is_back(
    visits: Visits, site: Site
) -> None:
    donor, _ = family(site)
    page = visits.of(citizen(donor))
    page.context.set_offline(True)
    page.get_by_role("link", name="亲属").click()
    expect(page.get_by_text("网络不通，没有收到答复")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("heading", name="我为谁付款")).to_be_visible()


def test_a_page_that_the_phone_ends_at_the_camera_has_kept_what_was_filled_in(
    visits: Visits, site: Site
) -> None:
    donor = site.families.person(HOHHOT, balance_fen=100_000)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    page = visits.of(citizen(donor), "bind")
    fill_in(page, child)
    upload_both_sides(page)
    page.reload()
    accept(page)
    page.get_by_role("button", name="上一步").click()
    page.get_by_role("button", name="上一步").click()
    expect(page.get_by_text("图片已保存在医保系统")).to_have_count(2)
    page.get_by_role("button", name="下一步").click()
    page.get_by_role("button", name="下一步").click()
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("heading", name="绑定成功")).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage)") == ["gongji.tokens"]


def test_a_payment_is_not_made_without_a_second_yes(visits: Visits, site: Site) -> None:
    donor, child = family(site)
    page, sent = about_to_pay(visits, donor, child)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2026 · 城乡居民医保")
    expect(dialog).to_contain_text("¥400.00")
    expect(dialog).to_contain_text("（本人）")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name=_PAY)).to_be_focused()
    assert sent == []
