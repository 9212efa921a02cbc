"""The citizen's three steps on a phone, from signing in to the receipt: bind, pay, confirm."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.terms import Insurance, Relation
from tests.end_to_end.purchases import purchase
from tests.services.applications import HOHHOT
from tests.web.browser import Visits
from tests.web.conftest import Site, citizen
from tests.web.steps import accept, fill_in, upload_both_sides


@pytest.mark.requirement("HOH-15", "HOH-30")
def test_a_donor_signs_in_binds_her_mother_pays_and_reads_the_receipt(
    visits: Visits, site: Site
) -> None:
    page = visits.page()
    page.goto(site.url)
    page.get_by_role("button", name="登录", exact=True).click()
    page.get_by_role("button", name=site.donor.name).click()
    expect(page.get_by_role("heading", name="王小明，您好")).to_be_visible()
    # 1 bind
    page.get_by_role("link", name="绑定家人").click()
    fill_in(page, site.mother)
    upload_both_sides(page)
    accept(page)
    expect(page.get_by_text("预先核对通过")).to_be_visible()
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("heading", name="绑定成功")).to_be_visible()
    # 2 pay
    page.get_by_role("link", name="去付款").click()
    page.get_by_role("link", name="缴纳保费").click()
    expect(page.get_by_text("为 王**（父母")).to_be_visible()
    page.get_by_role("button", name="确认代缴 ¥400.00").click()
    expect(page.get_by_role("dialog")).to_contain_text("王小明（本人）")
    page.get_by_role("button", name="确认扣款 ¥400.00").click()
    # 3 confirm
    expect(page.get_by_role("heading", name="凭据")).to_be_visible()
    expect(page.get_by_role("heading", name="缴费成功")).to_be_visible()
    row = page.get_by_role("row", name="个人账户")
    expect(row).to_contain_text("王** · 个人账户")
    expect(row).to_contain_text("¥400.00")
    expect(page.get_by_text("全国 2024-01-01 起")).to_be_visible()
    assert site.land.balances()[site.donor.person_id] == 60_000


def test_a_code_on_the_phone_is_what_a_till_takes_and_its_receipt_says_who_paid(
    visits: Visits, site: Site
) -> None:
    donor = site.families.person(HOHHOT, balance_fen=50_000)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    site.bind(donor, child, relation=Relation.CHILD)
    pharmacy = site.families.institution(HOHHOT)
    page = visits.of(citizen(child), "code")
    shown = page.get_by_role("img", name="付款二维码")
    code = shown.get_attribute("data-value") or ""
    expect(page.get_by_text("秒后自动更新")).to_be_visible()
    request = purchase(pharmacy, child, 8_000, occurred_at=site.land.office.now())
    request.credential.CopyFrom(pb.Credential(type=pb.CREDENTIAL_TYPE_E_CREDENTIAL, value=code))
    site.land.service.till(pharmacy).settle(request)
    page.get_by_role("link", name="记录").click()
    page.get_by_role("link", name=f"机构{pharmacy}").click()
    expect(page.get_by_role("row", name="共济：王*")).to_contain_text("¥80.00")
    expect(page.get_by_role("row", name="现金")).to_contain_text("¥0.00")
    expect(page.get_by_role("heading", name="为什么")).to_be_visible()
    expect(page.get_by_role("table", name="费用明细")).to_contain_text("感冒灵颗粒")


def test_what_the_rules_refuse_is_said_before_anything_is_sent(visits: Visits, site: Site) -> None:
    donor = site.families.person(HOHHOT, balance_fen=50_000)
    employed = site.families.person(HOHHOT)  # Hohhot binds residents only
    page = visits.of(citizen(donor), "bind")
    fill_in(page, employed)
    upload_both_sides(page)
    accept(page)
    refusal = page.get_by_role("alert")
    expect(refusal).to_contain_text("BENEFICIARY_INSURANCE_NOT_ADMITTED")
    expect(refusal).to_contain_text("险种")
    assert site.land.count(f"bindings WHERE donor_id = '{donor}'") == 0


@pytest.mark.requirement("HOH-16")
def test_a_field_that_is_wrong_says_so_at_its_place(visits: Visits, site: Site) -> None:
    donor = site.families.person(HOHHOT, balance_fen=50_000)
    page = visits.of(citizen(donor), "bind")
    page.get_by_role("button", name="下一步").click()
    name = page.get_by_label("家人姓名")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_be_focused()


def test_a_number_with_a_wrong_check_digit_is_told_before_any_picture(
    visits: Visits, site: Site
) -> None:
    donor = site.families.person(HOHHOT, balance_fen=50_000)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    right = child.certificate_number
    wrong = right[:-1] + ("1" if right[-1] != "1" else "2")
    page = visits.of(citizen(donor), "bind")
    fill_in(page, replace(child, name="王<b>", certificate_number=wrong))
    expect(page.get_by_text("姓名里不能有 < >")).to_be_visible()
    number = page.get_by_label("证件号码")
    expect(page.get_by_text("身份证号码有误")).to_be_visible()
    expect(number).to_have_attribute("aria-invalid", "true")
    page.get_by_label("家人姓名").fill(child.name)
    number.fill(right)
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_label("身份证人像面")).to_be_attached()


@pytest.mark.requirement("HOH-09")
def test_the_menu_path_of_the_region_is_shown(visits: Visits, site: Site) -> None:
    donor = site.families.person(HOHHOT, balance_fen=50_000)
    page = visits.of(citizen(donor), "bind")
    page.get_by_text("其他办理路径").click()
    expect(page.get_by_text("首页→更多→业务经办→家庭账户共济").first).to_be_visible()
