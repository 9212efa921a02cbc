"""The machine's own Chromium, driven by Playwright, and pages in it that are a phone or a desk.

Rule: without a browser nothing here can be shown, and the tests say so by being skipped. What a
page logs as an error fails the test.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from gongji_svc.domain.access import Caller
from gongji_svc.services.identity import issue_token
from tests.end_to_end.service import TOKEN_KEY

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
_WAIT_MS = 20_000
_TOKEN_SECONDS = 3600
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
_EXPECTED = "Failed to load resource"  # a refusal of the service's; the page shows it


def executable() -> str | None:
    """Where a Chromium is; None: there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser until the end of the block; skips the test where there is none."""
    path = executable()
    if path is None:
        pytest.skip("no Chromium is installed: apt-get install chromium fonts-noto-cjk")
    expect.set_options(timeout=_WAIT_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield started
        started.close()


@dataclass
class Visits:
    """Pages of one site, each of somebody's own; what they log as errors is kept."""

    browser: Browser
    url: str
    errors: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def page(self, size: dict[str, int] = PHONE, **storage: str) -> Page:
        """A page of somebody who is not signed in; `storage` is what the browser remembers."""
        context = self.browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            locale="zh-CN",
            timezone_id="America/New_York",  # a phone abroad; the pages tell Chinese time
        )
        self._contexts.append(context)
        context.set_default_timeout(_WAIT_MS)
        context.add_init_script(
            _put("localStorage", {f"gongji.{k}": v for k, v in storage.items()})
        )
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._heard)
        return page

    def of(self, caller: Caller, address: str = "", **more: Any) -> Page:
        """A page of somebody who is signed in, at an address such as "account"."""
        page = self.page(**more)
        tokens = {"access_token": issue_token(TOKEN_KEY.encode(), caller, _TOKEN_SECONDS)}
        page.context.add_init_script(_put("sessionStorage", {"gongji.tokens": json.dumps(tokens)}))
        self.go(page, address)
        return page

    def go(self, page: Page, address: str) -> None:
        """Open an address, and wait until it is shown."""
        page.goto(f"{self.url}/#/{address}")
        page.wait_for_selector("main:not([aria-busy]) h1")

    def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            context.close()

    def _heard(self, message: Any) -> None:
        if message.type == "error" and _EXPECTED not in message.text:
            self.errors.append(message.text)


def _put(storage: str, values: dict[str, str]) -> str:
    """A script that fills a storage which has nothing of it yet."""
    said = ((json.dumps(key), json.dumps(value)) for key, value in values.items())
    return "\n".join(f"{storage}.getItem({k}) ?? {storage}.setItem({k}, {v});" for k, v in said)
