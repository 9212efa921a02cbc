"""What axe-core, and a ruler, find wrong with a page.

Rule: serious and critical faults count; what axe-core can't judge is looked at in the pictures.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_SERIOUS = {"serious", "critical"}


@cache
def axe() -> str:
    """The script of axe-core."""
    found = find_spec("axe_playwright_python")
    assert found is not None and found.origin is not None
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def faults(page: Page) -> list[str]:
    """The serious faults that axe-core finds, each with its first place."""
    page.evaluate(axe())
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(({ violations }) => violations)")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0].get('failureSummary', '')}"
        for one in found
        if one["impact"] in _SERIOUS
    ]


def overflows(page: Page) -> bool:
    """Whether somebody would have to scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))
