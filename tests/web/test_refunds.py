"""A premium had back: asked for with the owner's consent, decided by the agency; and where money is
that could not go back.
"""

import pytest
from playwright.sync_api import Page, expect

from gongji_svc.domain.access import Role
from gongji_svc.domain.terms import Insurance
from tests.end_to_end.purchases import purchase
from tests.end_to_end.service import until
from tests.families import Made
from tests.services.account_work import close
from tests.services.applications import HOHHOT
from tests.services.premiums import Family
from tests.services.refunds import refund
from tests.web.browser import DESK, Visits
from tests.web.conftest import Site, citizen, staff


def paid(site: Site, balance_fen: int = 100_000) -> tuple[Made, Made, str]:
    """A donor, a child, and the id of the child's premium, confirmed by the tax bureau."""
    donor = site.families.person(HOHHOT, balance_fen=balance_fen)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    binding_id = site.bind(donor, child)
    payment = site.land.pay(Family(donor, child, binding_id))
    until(lambda: site.land.state(donor, payment) == "CONFIRMED", 30)
    return donor, child, payment.payment_id


def ask(page: Page, consent: str = "我是付款账户所有人") -> None:
    """Ask for what the page shows back, with the owner's consent."""
    page.get_by_text("申请退费", exact=True).first.click()
    page.get_by_role("button", name="申请退费").click()
    expect(page.get_by_text("请选择", exact=True)).to_be_visible()
    page.get_by_label("已在异地参保").check()
    page.get_by_role("button", name="申请退费").click()
    expect(page.get_by_text("须经账户所有人同意才能申请")).to_be_visible()
    page.get_by_label(consent).check()
    page.get_by_role("button", name="申请退费").click()
    expect(page.get_by_role("heading", name="退费待审批")).to_be_visible()


@pytest.mark.requirement("PRE-06")
def test_a_donor_asks_for_a_premium_back_and_reads_what_the_agency_decided(
    visits: Visits, site: Site
) -> None:
    donor, _, payment_id = paid(site)
    page = visits.of(citizen(donor), f"premium-receipt/{payment_id}")
    ask(page)
    expect(page.get_by_text("本人（或监护人）申请并同意")).to_be_visible()
    desk = visits.of(staff(Role.AGENCY, HOHHOT, "official-1"), "agency", size=DESK)
    waiting = desk.locator("#refunds-asked .work", has_text=payment_id)
    expect(waiting).to_contain_text("本人（或监护人）申请并同意")
    expect(waiting).to_contain_text("已在异地参保")
    waiting.get_by_role("button", name="不通过").click()
    expect(waiting.get_by_text("请填写此项")).to_be_visible()
    waiting.get_by_label("原因").fill("未查到异地参保记录")
    waiting.get_by_role("button", name="不通过").click()
    expect(waiting).to_have_count(0)
    # The page hears of it by itself, and the donor asks again.
    expect(page.get_by_text("退费申请未获同意：未查到异地参保记录")).to_be_visible()
    ask(page)
    desk.reload()
    waiting.get_by_role("button", name="同意退费").click()
    expect(waiting).to_have_count(0)
    expect(page.get_by_role("heading", name="已退费")).to_be_visible()
    assert site.land.balances()[donor.person_id] == 100_000


def test_a_clerk_asks_for_a_donor_and_does_not_decide_it(visits: Visits, site: Site) -> None:
    donor, _, payment_id = paid(site)
    page = visits.of(staff(Role.COUNTER, HOHHOT, "clerk-7"), "counter", size=DESK)
    page.get_by_label("姓名").fill(donor.name)
    page.get_by_label("证件号码").fill(donor.certificate_number)
    page.get_by_role("button", name="查找").click()
    page.get_by_role("button", name="代缴保费").click()
    page.get_by_role("button", name="缴费成功").click()
    ask(page, "已到场或书面同意退费")
    desk = visits.of(staff(Role.AGENCY, HOHHOT, "clerk-7"), "agency", size=DESK)
    waiting = desk.locator("#refunds-asked .work", has_text=payment_id)
    expect(waiting).to_contain_text("窗口代为申请 clerk-7")
    waiting.get_by_role("button", name="同意退费").click()
    expect(waiting.get_by_role("alert")).to_contain_text("SECOND_ACTOR_REQUIRED")


def test_nobody_but_the_donor_is_offered_a_refund(visits: Visits, site: Site) -> None:
    _, child, payment_id = paid(site)
    page = visits.of(citizen(child), f"premium-receipt/{payment_id}")
    expect(page.get_by_role("heading", name="缴费成功")).to_be_visible()
    expect(page.get_by_text("申请退费")).to_have_count(0)


def test_a_refund_for_a_closed_account_tells_its_owner_where_the_money_is(
    visits: Visits, site: Site
) -> None:
    donor, _, payment_id = paid(site, balance_fen=40_000)  # only an empty account can be closed
    page = visits.of(citizen(donor), f"premium-receipt/{payment_id}")
    ask(page)
    close(site.land.driver, donor.account_id)
    desk = visits.of(staff(Role.AGENCY, HOHHOT, "official-1"), "agency", size=DESK)
    waiting = desk.locator("#refunds-asked .work", has_text=payment_id)
    waiting.get_by_role("button", name="同意退费").click()
    expect(waiting).to_have_count(0)
    expect(page.locator(".suspense")).to_contain_text("退回的¥400.00由医保经办机构暂存")
    visits.go(page, "account")
    expect(page.get_by_text("账户已销户：不再入账")).to_be_visible()
    expect(page.locator(".suspense")).to_contain_text("到账户所在地医保经办窗口领取")


def test_a_purchase_given_back_to_a_closed_account_is_told_of_too(
    visits: Visits, site: Site
) -> None:
    patient = site.families.person(HOHHOT, balance_fen=3_000)
    pharmacy = site.families.institution(HOHHOT)
    till = site.land.service.till(pharmacy)
    bought = till.settle(purchase(pharmacy, patient, 3_000, occurred_at=site.land.office.now()))
    close(site.land.driver, patient.account_id)
    refund(site.land.driver, bought.settlement)
    page = visits.of(citizen(patient), "account")
    expect(page.locator(".suspense")).to_contain_text("退回的¥30.00")
    visits.go(page, f"receipt/{bought.settlement.settlement_id}")
    expect(page.locator(".suspense")).to_contain_text("退回的¥30.00")
