"""The review's queue, and two reviewers who open the same application."""

from playwright.sync_api import expect

from gongji_svc.domain.access import Role
from tests.end_to_end.purchases import TIELING
from tests.web.browser import DESK, Visits
from tests.web.conftest import Site, staff
from tests.web.test_staff import apply_in_tieling


def test_who_comes_second_is_told_so_and_has_no_buttons_any_more(
    visits: Visits, site: Site
) -> None:
    donor, wife = apply_in_tieling(visits, site)
    first, second = (
        visits.of(staff(Role.REVIEWER, TIELING, actor), "review", size=DESK)
        for actor in ("reviewer-1", "reviewer-2")
    )
    ours = second.locator("li", has=second.get_by_role("link", name="打开")).last
    for told in ("配偶", "手机尾号", "申请编号尾号"):
        expect(ours).to_contain_text(told)
    for page in (first, second):
        page.get_by_role("link", name="打开").last.click()
        expect(page.get_by_text(donor.name, exact=True)).to_be_visible()
        expect(page.get_by_text(wife.name, exact=True)).to_be_visible()
    first.get_by_role("button", name="通过", exact=True).click()
    expect(first.get_by_role("heading", name="绑定审核")).to_be_visible()
    second.get_by_role("button", name="通过", exact=True).click()
    expect(second.get_by_role("alert")).to_contain_text("BINDING_NOT_PENDING")
    expect(second.get_by_role("button", name="通过", exact=True)).to_have_count(0)
