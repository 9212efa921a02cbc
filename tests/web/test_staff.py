"""The desks of staff: the review and the counter."""

from playwright.sync_api import expect

from gongji_svc.domain.access import Role
from gongji_svc.domain.terms import Insurance
from tests.end_to_end.purchases import TIELING
from tests.families import Made
from tests.services.applications import HOHHOT
from tests.web.browser import DESK, Visits
from tests.web.conftest import Site, citizen, staff
from tests.web.pictures import upload


def apply_in_tieling(visits: Visits, site: Site) -> tuple[Made, Made]:
    """A donor applies, for a wife, with documents where a reviewer decides."""
    donor = site.families.person(TIELING, balance_fen=50_000)
    wife = site.families.person(TIELING, insurance=Insurance.RESIDENT)
    page = visits.of(citizen(donor), "bind")
    page.get_by_label("配偶", exact=True).check()
    page.get_by_label("家人姓名").fill(wife.name)
    page.get_by_label("证件号码").fill(wife.certificate_number)
    page.get_by_label("家人手机号码").fill("13800000000")
    page.get_by_role("button", name="下一步").click()
    for place in page.locator("input[type=file]").all():
        place.set_input_files(upload())
    expect(page.locator(".place").get_by_text("✓ 已上传")).to_have_count(3)
    page.get_by_role("button", name="下一步").click()
    page.get_by_label("我已阅读并同意以上承诺书").check()
    page.get_by_role("button", name="下一步").click()
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("heading", name="已提交，等待审核")).to_be_visible()
    return donor, wife


def test_a_reviewer_sees_the_documents_side_by_side_and_approves(
    visits: Visits, site: Site
) -> None:
    donor, wife = apply_in_tieling(visits, site)
    page = visits.of(staff(Role.REVIEWER, TIELING, "reviewer-1"), "review", size=DESK)
    page.get_by_role("link", name="打开").last.click()
    expect(page.get_by_text(donor.name, exact=True)).to_be_visible()
    expect(page.get_by_text(wife.name, exact=True)).to_be_visible()
    pictures = page.locator(".papers img")
    expect(pictures).to_have_count(3)
    assert all(
        one.evaluate("one => one.decode().then(() => one.naturalWidth)") for one in pictures.all()
    )
    tops = {
        round((one.bounding_box() or {"y": 0})["y"]) for one in page.locator(".papers figure").all()
    }
    assert len(tops) == 1, "side by side"
    page.get_by_role("button", name="不通过").click()
    expect(page.get_by_text("请填写此项")).to_be_visible()
    page.get_by_role("button", name="通过", exact=True).click()
    expect(page.get_by_role("heading", name="绑定审核")).to_be_visible()
    approved = f"bindings WHERE donor_id = '{donor.person_id}' AND state = 'ACTIVE'"
    assert site.land.count(approved) == 1


def test_a_clerk_binds_for_somebody_who_came_to_the_counter(visits: Visits, site: Site) -> None:
    donor = site.families.person(HOHHOT, balance_fen=50_000)
    child = site.families.person(HOHHOT, insurance=Insurance.RESIDENT)
    page = visits.of(staff(Role.COUNTER, HOHHOT), "counter", size=DESK)
    page.get_by_label("姓名").fill("不是此人")
    page.get_by_label("证件号码").fill(donor.certificate_number)
    page.get_by_role("button", name="查找").click()
    expect(page.get_by_role("alert")).to_contain_text("PERSON_NOT_MATCHED")
    page.get_by_label("姓名").fill(donor.name)
    page.get_by_role("button", name="查找").click()
    page.get_by_role("button", name="新绑定").click()
    page.get_by_label("子女", exact=True).check()
    page.get_by_label("家人姓名").fill(child.name)
    page.locator("[name=certificate_number]").fill(child.certificate_number)
    page.get_by_role("button", name="下一步").click()
    for place in page.locator("input[type=file]").all():
        place.set_input_files(upload())
    expect(page.locator(".place").get_by_text("✓ 已上传")).to_have_count(2)
    page.get_by_role("button", name="下一步").click()
    page.get_by_label("授权人已阅读并签署以上承诺书").check()
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("alert")).to_contain_text("CERTIFICATES_NOT_SEEN")
    page.get_by_label("我已核验双方证件原件").check()
    expect(page.get_by_text("预先核对通过")).to_be_visible()
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("heading", name="绑定成功")).to_be_visible()
    page.get_by_role("button", name="代缴保费").click()
    page.get_by_role("button", name="（子女").click()
    page.get_by_role("button", name="确认代缴 ¥400.00").click()
    page.get_by_role("button", name="确认扣款 ¥400.00").click()
    expect(page.get_by_role("heading", name="缴费成功")).to_be_visible()
    assert site.land.balances()[donor.person_id] == 10_000
