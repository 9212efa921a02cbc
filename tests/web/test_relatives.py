"""My relatives and my account: the notice before an end, limits, the order, live entries."""

from datetime import UTC, datetime

from playwright.sync_api import expect

from gongji_svc.domain.terms import Insurance
from tests.end_to_end.purchases import TIELING, purchase
from tests.services.applications import HOHHOT
from tests.services.premiums import change
from tests.web.browser import Visits
from tests.web.conftest import Site, citizen


def test_a_binding_is_ended_after_its_notice_was_accepted(visits: Visits, site: Site) -> None:
    donor = site.families.person(TIELING, balance_fen=50_000)
    wife = site.families.person(TIELING, insurance=Insurance.RESIDENT)
    binding_id = site.bind(donor, wife)
    change(site.families, "bindings", binding_id, created_at=datetime(2024, 1, 1, tzinfo=UTC))
    page = visits.of(citizen(donor), "relatives")
    page.get_by_role("button", name="解绑").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("职工医保门诊共济家庭账户绑定告知书")
    dialog.get_by_role("button", name="解绑").click()
    expect(dialog.get_by_text("请先阅读并勾选同意")).to_be_visible()
    assert site.land.count(f"bindings WHERE id = '{binding_id}' AND state = 'ENDED'") == 0
    dialog.get_by_label("我已阅读并同意以上告知书").check()
    dialog.get_by_role("button", name="解绑").click()
    expect(dialog.get_by_text("已解绑，最后使用日")).to_be_visible()
    dialog.get_by_role("button", name="关闭").click()
    expect(page.get_by_text("已结束的绑定（1）")).to_be_visible()
    assert site.land.count(f"bindings WHERE id = '{binding_id}' AND state = 'ENDED'") == 1


def test_a_donor_sets_a_limit_in_yuan(visits: Visits, site: Site) -> None:
    donor = site.families.person(HOHHOT, balance_fen=50_000)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    site.bind(donor, child)
    page = visits.of(citizen(donor), "relatives")
    page.get_by_role("button", name="共济限额").click()
    page.get_by_label("每日最多").fill("一百")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("alert")).to_contain_text("最多两位小数")
    page.get_by_label("每日最多").fill("100.5")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("每日最多 ¥100.50")).to_be_visible()


def test_the_order_of_donors_is_moved_by_buttons_and_saved(visits: Visits, site: Site) -> None:
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    donors = [
        site.families.person(HOHHOT, balance_fen=10_000, name=name) for name in ("甲示例", "乙示例")
    ]
    for rank, donor in enumerate(donors, 1):
        site.bind(donor, child, rank=rank)
    page = visits.of(citizen(child), "relatives")
    page.get_by_role("button", name="上移乙**").click()
    page.get_by_role("button", name="保存顺序").click()
    expect(page.get_by_role("button", name="保存顺序")).to_be_hidden()
    page.reload()
    expect(page.locator(".order h3").first).to_contain_text("乙**")


def test_donors_whose_names_look_alike_are_numbered(visits: Visits, site: Site) -> None:
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    for rank, name in enumerate(("己示例", "己范例"), 1):
        site.bind(site.families.person(HOHHOT, balance_fen=10_000, name=name), child, rank=rank)
    page = visits.of(citizen(child), "relatives")
    expect(page.locator(".order h3")).to_contain_text(["己**（1）", "己**（2）"])
    expect(page.get_by_text("起绑定")).to_have_count(2)
    page.get_by_role("button", name="上移己**（2）").click()
    expect(page.locator(".order h3")).to_contain_text(["己**（2）", "己**（1）"])


def test_the_keyboard_is_back_at_the_button_when_a_question_is_closed(
    visits: Visits, site: Site
) -> None:
    donor = site.families.person(HOHHOT, balance_fen=10_000)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    site.bind(donor, child)
    page = visits.of(citizen(donor), "relatives")
    end = page.get_by_role("button", name="解绑", exact=True).first
    end.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(end).to_be_focused()


def test_the_order_of_donors_is_moved_by_dragging_and_saved(visits: Visits, site: Site) -> None:
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    names = ("丙示例", "丁示例", "戊示例")
    for rank, name in enumerate(names, 1):
        donor = site.families.person(HOHHOT, balance_fen=10_000, name=name)
        site.bind(donor, child, rank=rank)
    page = visits.of(citizen(child), "relatives")
    rows = page.locator(".order > li")
    rows.filter(has_text="戊**").drag_to(rows.filter(has_text="丙**"))
    expect(page.locator(".order h3")).to_contain_text(["戊**", "丙**", "丁**"])
    page.get_by_role("button", name="保存顺序").click()
    expect(page.get_by_role("button", name="保存顺序")).to_be_hidden()
    page.reload()
    expect(page.locator(".order h3")).to_contain_text(["戊**", "丙**", "丁**"])


def test_a_purchase_appears_in_the_account_as_it_happens(visits: Visits, site: Site) -> None:
    donor = site.families.person(HOHHOT, balance_fen=50_000)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    site.bind(donor, child)
    pharmacy = site.families.institution(HOHHOT)
    page = visits.of(citizen(donor), "account")
    expect(page.locator("[data-balance='50000']")).to_be_visible()
    till = site.land.service.till(pharmacy)
    till.settle(purchase(pharmacy, child, 8_000, occurred_at=site.land.office.now()))
    expect(page.locator(".entry")).to_contain_text("共济支付")
    expect(page.locator("[data-balance='42000']")).to_be_visible()
    expect(page.get_by_role("table", name="与图相同的数据")).to_contain_text("¥80.00")
    # The line breaks, and comes back: nothing is missed, and nothing is shown twice.
    page.context.set_offline(True)
    till.settle(purchase(pharmacy, child, 1_000, occurred_at=site.land.office.now()))
    page.context.set_offline(False)
    till.settle(purchase(pharmacy, child, 500, occurred_at=site.land.office.now()))
    expect(page.locator(".entry")).to_have_count(3)
    expect(page.locator("[data-balance='40500']")).to_be_visible()
