"""The software bill of materials (CycloneDX): `python -m tests.sbom build/sbom.json`, `make sbom`.

Rule: it lists what runs: gongji's own dependencies and theirs, as requirements.lock pins them, with
their hashes; not the developers' tools. The same lock gives the same bytes: no time, no number.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_LOCK = _ROOT / "requirements.lock"
_ITEM = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)
_NAME = re.compile(r"([A-Za-z0-9._-]+)==")
_VIA = re.compile(r"^    #\s+(?:via )?(\S+(?: \(.*\))?)$", re.MULTILINE)
_GONGJI = "gongji (pyproject.toml)"


def running() -> str:
    """The part of the lock that runs: what gongji needs, and what that needs."""
    items = dict(_items(_LOCK.read_text(encoding="utf-8")))
    return "".join(items[name] for name in sorted(_reached(items)))


def _items(lock: str) -> Iterator[tuple[str, str]]:
    for item in _ITEM.split(lock):
        if found := _NAME.match(item):
            yield found[1], item


def _reached(items: Mapping[str, str]) -> set[str]:
    """The names of items that gongji asks for, or that one of them does: the lock says by whom."""
    asked_by = {name: set(_VIA.findall(item)) for name, item in items.items()}
    reached = {_GONGJI}
    while more := {name for name, by in asked_by.items() if by & reached} - reached:
        reached |= more
    return reached - {_GONGJI}


def write(path: Path) -> None:
    """Write the bill, checked against CycloneDX's schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The lock says only in comments who asks for what: the bill has no graph, which is warned of.
    subprocess.run(
        [
            *(sys.executable, "-W", "ignore::UserWarning", "-m", "cyclonedx_py", "requirements"),
            *("--pyproject", _ROOT / "pyproject.toml", "--output-reproducible", "--validate"),
            *("--output-file", path, "-"),
        ],
        input=running().encode(),
        check=True,
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]))
