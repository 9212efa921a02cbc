"""Pictures of the main pages for docs/web: `python -m tests.web.screenshots`.

Rule: they are of the demo and of nobody; the demo runs on a day of a premium's window, on free
ports and in a folder of its own, and ends with the script.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import grpc
from playwright.sync_api import Browser, Page, expect

from gongji.v1 import clearing_pb2 as pb
from gongji.v1.clearing_pb2_grpc import ClearingServiceStub
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.identity import development_key, issue_token
from tests.end_to_end.service import free_address
from tests.services.reconciling import header, piece
from tests.web.browser import DESK, PHONE, browser
from tests.web.pictures import upload

_FOLDER = Path(__file__).parents[2] / "docs" / "web"
_DAY = date(2025, 10, 15)
_PHARMACY = "DMP1509000001"  # where the sample purchase is
_START_SECONDS = 90
_MOTHER = ("周示例", "150199199109090427")
_GREAT_GRANDMOTHER = ("褚示祖", "211299192909160041")


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the demo serves, and where it keeps what it keeps."""

    url: str
    core: str
    data: Path

    def differ(self) -> None:
        """Let the pharmacy's books say something else than ours."""
        till = Caller(Role.POS, _PHARMACY)
        token = issue_token(development_key(self.data), till, 300)
        rows = [pb.ReconcileRow(request_id="till-0815", total_fen=2_850, account_pay_fen=2_850)]
        with grpc.insecure_channel(self.core) as channel:
            ClearingServiceStub(channel).ReconcileDetails(
                iter([header(_PHARMACY, _DAY), piece(*rows)]),
                metadata=(("authorization", f"Bearer {token}"),),
                timeout=30,
            )


@contextlib.contextmanager
def demo() -> Iterator[Demo]:
    """The demo with its sample purchase, until the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="gongji-pictures-"))
    folder.chmod(0o711)
    web, core = free_address(), free_address()
    settings = {
        "GONGJI_DATA_DIR": str(folder / "data"),
        "GONGJI_GRPC_LISTEN": core,
        "GONGJI_HTTP_LISTEN": web,
    }
    command = [
        str(Path(sys.executable).with_name("gongji")),
        "up",
        "--demo",
        "--purchase",
        "--date",
        _DAY.isoformat(),
    ]
    with subprocess.Popen(
        command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(f"http://{web}/healthz")
            time.sleep(3)  # the sample purchase
            yield Demo(f"http://{web}", core, folder / "data")
        finally:
            process.terminate()
    shutil.rmtree(folder)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urlopen(address, timeout=2):  # noqa: S310 - an address of our own
                return
        except (URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def signed_in(started: Browser, url: str, who: str, size: dict[str, int]) -> Page:
    """A page of one of the demo's people."""
    page = started.new_page(
        viewport={"width": size["width"], "height": size["height"]},
        device_scale_factor=1.5,
        locale="zh-CN",
    )
    page.goto(url)
    page.get_by_role("button", name="登录", exact=True).click()
    page.locator(f'button[value="{who}"]').click()
    page.wait_for_selector("main:not([aria-busy]) h1")
    return page


def take(page: Page, name: str, address: str | None = None) -> None:
    """One picture, of an address or of what is shown."""
    if address is not None:
        page.goto(f"{page.url.partition('#')[0]}#/{address}")
        page.wait_for_selector("main:not([aria-busy]) h1")
    expect(page.locator(".wait")).to_have_count(0)
    page.wait_for_timeout(400)
    page.screenshot(path=_FOLDER / f"{name}.png")


def citizens(started: Browser, url: str) -> None:
    """What families see on a phone."""
    page = started.new_page(
        viewport={"width": PHONE["width"], "height": PHONE["height"]}, device_scale_factor=1.5
    )
    page.goto(url)
    page.wait_for_selector("h1")
    take(page, "sign-in")
    page = signed_in(started, url, "hohhot-father", PHONE)
    take(page, "home")
    take(page, "bind", "bind")
    _person(page, "父母", *_MOTHER)
    _papers(page, 2)
    take(page, "bind-documents")
    _commitment(page, lambda: take(page, "bind-commitment"))
    expect(page.get_by_text("预先核对通过")).to_be_visible()
    take(page, "bind-check")
    take(page, "code", "code")
    take(page, "pay", "pay")
    page.get_by_role("link", name="缴纳保费").first.click()
    page.wait_for_selector(".quote .amount")
    take(page, "premium")
    page.get_by_role("button", name="确认代缴").first.click()
    page.get_by_role("button", name="确认扣款").click()
    expect(page.get_by_role("heading", name="缴费成功")).to_be_visible()
    take(page, "premium-receipt")
    _refund(page)
    take(page, "relatives", "relatives")
    take(page, "account", "account")
    page = signed_in(started, url, "ulanqab-father", PHONE)
    take(page, "records", "records")
    page.locator("a.entry").first.click()
    take(page, "receipt")
    page = signed_in(started, url, "hohhot-mother", PHONE)
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Large type").click()
    take(page, "home-large-english")


def _refund(page: Page) -> None:
    """Ask for the premium back that the page shows."""
    page.get_by_text("申请退费", exact=True).first.click()
    page.get_by_label("已在异地参保").check()
    page.get_by_label("我是付款账户所有人").check()
    page.get_by_role("button", name="申请退费").scroll_into_view_if_needed()
    take(page, "premium-refund")
    page.get_by_role("button", name="申请退费").click()
    expect(page.get_by_role("heading", name="退费待审批")).to_be_visible()


def _person(page: Page, relation: str, name: str, number: str) -> None:
    page.get_by_label(relation, exact=True).check()
    page.get_by_label("家人姓名").fill(name)
    page.get_by_label("证件号码").fill(number)
    page.get_by_label("家人手机号码").fill("19900000000")
    page.get_by_role("button", name="下一步").click()


def _papers(page: Page, count: int) -> None:
    for place in page.locator("input[type=file]").all():
        place.set_input_files(upload())
    expect(page.locator(".place").get_by_text("✓ 已上传")).to_have_count(count)


def _commitment(page: Page, then: Callable[[], None] = lambda: None) -> None:
    page.get_by_role("button", name="下一步").click()
    page.get_by_label("我已阅读并同意以上承诺书").check()
    then()
    page.get_by_role("button", name="下一步").click()


def waiting(started: Browser, url: str) -> None:
    """An application that a reviewer finds."""
    page = signed_in(started, url, "tieling-brother", PHONE)
    page.get_by_role("link", name="绑定家人").click()
    _person(page, "祖父母、外祖父母", *_GREAT_GRANDMOTHER)
    _papers(page, 3)
    _commitment(page)
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("heading", name="已提交，等待审核")).to_be_visible()


def desks(started: Browser, url: str) -> None:
    """What staff see at a desk."""
    page = signed_in(started, url, "counter-150100", DESK)
    page.get_by_label("姓名").fill("赵示例")
    page.get_by_label("证件号码").fill("150199198403120012")
    page.get_by_role("button", name="查找").click()
    page.wait_for_selector(".desk .binding")
    take(page, "counter")
    page = signed_in(started, url, "reviewer-211200", DESK)
    take(page, "review", "review")
    page.get_by_role("link", name="打开").last.click()
    page.wait_for_selector(".papers img")
    take(page, "review-application")
    page = signed_in(started, url, "official-1-150900", DESK)
    take(page, "agency", "agency")
    expect(page.locator("#windows svg").last).to_be_visible()
    _at(page, "#windows")
    take(page, "agency-clearing")
    page.get_by_role("button", name="处理差异 till-0815").click()
    page.get_by_label("机构已更正").check()
    take(page, "agency-difference")
    page = signed_in(started, url, "official-1-150100", DESK)
    _at(page, "#refunds-asked")
    take(page, "agency-refund")


def _at(page: Page, selector: str) -> None:
    """Scroll until something is at the top."""
    expect(page.locator(".wait")).to_have_count(0)
    page.locator(selector).evaluate("one => one.scrollIntoView()")


def main() -> None:
    """All pictures."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    parts: tuple[Callable[[Browser, str], None], ...] = (citizens, waiting, desks)
    with demo() as here, browser() as started:
        here.differ()
        for part in parts:
            part(started, here.url)


if __name__ == "__main__":
    main()
