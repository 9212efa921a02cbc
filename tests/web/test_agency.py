"""The agency's board: signals, suspense and corrections are dealt with there."""

import re

from playwright.sync_api import Page, expect

from gongji_svc.domain.access import Role
from tests.end_to_end.purchases import purchase
from tests.end_to_end.service import until
from tests.services.account_work import close
from tests.services.applications import HOHHOT
from tests.services.refunds import refund
from tests.web.browser import DESK, Visits
from tests.web.conftest import Site, staff


def board(visits: Visits, actor: str = "official-1") -> Page:
    """The page of a member of Hohhot's agency."""
    return visits.of(staff(Role.AGENCY, HOHHOT, actor), "agency", size=DESK)


def test_the_agency_sees_settlements_by_the_minute(visits: Visits, site: Site) -> None:
    donor = site.families.person(HOHHOT, balance_fen=50_000)
    pharmacy = site.families.institution(HOHHOT)
    site.land.service.till(pharmacy).settle(
        purchase(pharmacy, donor, 1_000, occurred_at=site.land.office.now())
    )
    page = board(visits)
    expect(page.locator("#minutes .figures strong").first).not_to_have_text("0")
    expect(page.get_by_role("img", name="近60分钟结算")).to_be_visible()
    expect(page.get_by_role("table", name="有结算的各分钟")).to_be_visible()


def test_a_signal_is_read_with_its_evidence_and_released(visits: Visits, site: Site) -> None:
    pharmacy = site.families.institution(HOHHOT)
    till = site.land.service.till(pharmacy)
    for _ in range(2):
        patient = site.families.person(HOHHOT, balance_fen=50_000)
        request = purchase(pharmacy, patient, 1_000, occurred_at=site.land.office.now())
        request.items[0].trace_codes.add(code="81234567890123456789")
        till.settle(request)
    found = f"risk_signals WHERE institution_code = '{pharmacy}'"
    until(lambda: site.land.count(found) == 1, 60)
    page = board(visits)
    signal = page.locator("#risks .work", has_text=pharmacy)
    expect(signal).to_contain_text("追溯码重复")
    expect(signal.locator("li")).not_to_have_count(0)
    signal.get_by_role("button", name="放行").click()
    expect(signal.get_by_text("请填写此项")).to_be_visible()
    signal.get_by_label("原因").fill("已电话核实，录入有误")
    signal.get_by_role("button", name="放行").dblclick()
    expect(signal).to_have_count(0)
    assert site.land.count(f"{found} AND state = 'RELEASED'") == 1


def test_what_came_back_for_a_closed_account_is_paid_into_another_or_out(
    visits: Visits, site: Site
) -> None:
    patient = site.families.person(HOHHOT, balance_fen=3_300)
    pharmacy = site.families.institution(HOHHOT)
    till = site.land.service.till(pharmacy)
    bought = [
        till.settle(purchase(pharmacy, patient, fen, occurred_at=site.land.office.now()))
        for fen in (1_100, 2_200)
    ]
    close(site.land.driver, patient.account_id)
    other = site.families.account(HOHHOT, person_id=patient.person_id)
    for one in bought:
        refund(site.land.driver, one.settlement)
    page = board(visits)
    items = page.locator("#suspense .work", has_text=str(patient.account_id))
    expect(items).to_have_count(2)
    first = items.filter(has_text="¥11.00")
    first.get_by_label("账户编号或付款凭证号").fill("P-1")
    first.get_by_label("原因").fill("转入本人另一账户")
    first.get_by_role("button", name="处理").click()
    expect(first.get_by_label("账户编号或付款凭证号")).to_have_attribute("aria-invalid", "true")
    first.get_by_label("账户编号或付款凭证号").fill(str(other))
    first.get_by_role("button", name="处理").click()
    expect(items).to_have_count(1)
    items.get_by_label("处理方式").select_option(label="已线下支付")
    items.get_by_label("账户编号或付款凭证号").fill("P-2025-001")
    items.get_by_label("原因").fill("已付至本人银行卡")
    items.get_by_role("button", name="处理").click()
    expect(items).to_have_count(0)
    assert site.land.count(f"accounts WHERE id = '{other}' AND balance_fen = 1100") == 1


def test_a_correction_is_proposed_by_one_official_and_decided_by_another(
    visits: Visits, site: Site
) -> None:
    owner = site.families.person(HOHHOT, balance_fen=50_000)
    page = board(visits)
    page.get_by_text("提出更正", exact=True).first.click()
    page.get_by_label("账户编号", exact=True).fill(str(owner.account_id))
    page.get_by_label("方向").select_option(label="减少余额")
    page.get_by_label("金额").fill("12.5")
    expect(page.locator("#adjustments details")).to_contain_text("最多可减少¥500.00")
    page.locator("#adjustments details").get_by_label("原因").fill("重复划入")
    page.get_by_role("button", name="提出更正").click()
    waiting = page.locator("#adjustments .work", has_text=str(owner.account_id))
    expect(waiting).to_contain_text("−¥12.50")
    expect(waiting).to_contain_text(re.compile(r"所有人.\*+ · 账户余额¥500.00"))
    waiting.get_by_label("原因").fill("已核对")
    waiting.get_by_role("button", name="通过", exact=True).click()
    expect(waiting.get_by_role("alert")).to_contain_text("SECOND_ACTOR_REQUIRED")
    assert site.land.balances()[owner.person_id] == 50_000
    second = board(visits, "official-2")
    waiting = second.locator("#adjustments .work", has_text=str(owner.account_id))
    waiting.get_by_label("原因").fill("已核对")
    waiting.get_by_role("button", name="通过", exact=True).click()
    expect(waiting).to_have_count(0)
    assert site.land.balances()[owner.person_id] == 48_750
