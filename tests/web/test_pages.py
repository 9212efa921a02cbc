"""The pages as files: small, from this host alone, and every text in both languages."""

import re
from collections.abc import Iterator
from pathlib import Path

import gateway

_PAGES = Path(gateway.__file__).parent / "pages"
_MOST_LINES = 400
_TEXT = re.compile(r'^  "?([\w-]+)"?: \["(.+?)", "(.+?)"\],$', re.MULTILINE)


def ours() -> Iterator[Path]:
    """The files people write here; the code of others is beside them."""
    for path in sorted(_PAGES.rglob("*")):
        if path.is_file() and "vendor" not in path.parts and not path.name.startswith("api."):
            yield path


def texts() -> dict[str, tuple[str, str]]:
    """The dictionary."""
    files = sorted(_PAGES.glob("app/dictionary*.js"))
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return {key: (chinese, english) for key, chinese, english in _TEXT.findall(source)}


def test_a_page_file_is_no_longer_than_one_subject() -> None:
    long = [path.name for path in ours() if len(path.read_text("utf-8").splitlines()) > _MOST_LINES]
    assert long == []


def test_pages_name_no_other_host() -> None:
    for path in ours():
        links = re.findall(r"https?://[^\s\"'`)]+", path.read_text(encoding="utf-8"))
        assert [one for one in links if "www.w3.org/2000/svg" not in one] == [], path


def test_pages_have_no_inline_script_or_style() -> None:
    for path in ours():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<style|style=|<script(?! type=\"module\" src)|innerHTML", text), path


def test_money_is_never_a_floating_point_number() -> None:
    for path in ours():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"parseFloat|Number\([^)]*_fen", text), path


def test_every_text_that_is_used_is_there_in_both_languages() -> None:
    known = texts()
    source = "\n".join(path.read_text("utf-8") for path in ours() if path.suffix == ".js")
    used = set(re.findall(r'\bt\(\s*"([\w-]+)"', source))
    assert sorted(used - known.keys()) == []
    assert [key for key, (chinese, english) in known.items() if not chinese or not english] == []


def test_no_text_is_kept_that_nothing_uses() -> None:
    source = "\n".join(
        path.read_text("utf-8")
        for path in ours()
        if path.suffix == ".js" and not path.stem.startswith("dictionary")
    )
    composed = ("step-", "tab-", "move-", "refund-to-", "way-", "positions-")
    unused = [
        key
        for key in texts()
        if not key.startswith(composed)
        and not re.search(rf'["`]{key}["`]|\b{key}:|{{[^}}]*\b{key}\b', source)
    ]
    assert unused == []
