"""The steps of binding on a page, as a donor in Hohhot takes them.

Rule: each ends with the next step in sight.
"""

from playwright.sync_api import Page, expect

from tests.families import Made
from tests.web.pictures import upload


def fill_in(page: Page, relative: Made) -> None:
    """Who the relative is; the rest of the form is as it stands."""
    page.get_by_label("父母", exact=True).check()
    page.get_by_label("家人姓名").fill(relative.name)
    page.get_by_label("证件号码").fill(relative.certificate_number)
    page.get_by_role("button", name="下一步").click()


def upload_both_sides(page: Page) -> None:
    """Both sides of the identity card, until they are there."""
    page.get_by_label("身份证人像面").set_input_files(upload("front.png"))
    page.get_by_label("身份证国徽面").set_input_files(upload("back.png"))
    expect(page.locator(".place").get_by_text("✓ 已上传")).to_have_count(2)
    page.get_by_role("button", name="下一步").click()


def accept(page: Page) -> None:
    """The commitment, read and accepted."""
    expect(page.get_by_text("本人自愿将职工医保个人账户余额授权")).to_be_visible()
    page.get_by_label("我已阅读并同意以上承诺书").check()
    page.get_by_role("button", name="下一步").click()
