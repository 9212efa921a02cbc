"""Region files are checked when they are loaded; every value's source can be looked up."""

import re
from datetime import date
from pathlib import Path

import pytest

from gongji_svc.domain.errors import RegionNotServed
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_document import PolicyError
from gongji_svc.regions import load
from tests.regions.packs import RULEBOOK, SEEDS, on
from tests.requirements import LIST, ROOT
from tests.requirements import load as load_requirements

ANCHORS = frozenset(
    re.findall(
        r'<a id="([^"]+)"></a>', (ROOT / "docs/decisions/readings.md").read_text(encoding="utf-8")
    )
)

GOOD = """\
region = "150100"
name = "呼和浩特市"

[[block]]
effective_from = 2024-09-01

[block.members]
at_once = { value = 6, source = "docs/seeds/hohhot.txt L30 (HOH-05)" }

[[block]]
effective_from = 2025-01-01

[block.premium]
standards_fen = { value = { RESIDENT = { 2025 = 40000 } }, source = "x" }
"""


def write(folder: Path, text: str, name: str = "150100.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


# sources


def policies() -> list[Policy]:
    return [policy for region in RULEBOOK.regions for _, policy in RULEBOOK.history(region)]


def parts() -> set[str]:
    """Every single source of every value of every region."""
    sources = {source for policy in policies() for source in policy.sources.values()}
    return {part.strip() for source in sources for part in source.split(";")}


def test_every_reading_that_is_a_source_is_a_row_of_the_readings() -> None:
    cited = {part.partition("#")[2] for part in parts() if "readings.md" in part}
    assert cited
    assert cited <= ANCHORS


def test_every_document_that_is_a_source_has_the_lines_it_is_cited_for() -> None:
    cited = [part for part in parts() if part.startswith("docs/seeds/")]
    assert cited
    for part in cited:
        found = re.fullmatch(r"(docs/seeds/\w+\.txt) ((?:L\d+, )*L\d+) \(([^)]+)\)", part)
        assert found, part
        lines = (ROOT / found[1]).read_text(encoding="utf-8").splitlines()
        for number in re.findall(r"\d+", found[2]):
            assert lines[int(number) - 1].strip(), part


def test_every_requirement_that_a_source_names_is_listed() -> None:
    _, requirements = load_requirements(ROOT / LIST)
    named = re.findall(r"\b(?:HOH|ULQ|TIL|NAT|PRE|RF)-\w+", " ".join(parts()))
    assert named
    assert set(named) <= requirements.keys()


@pytest.mark.parametrize("region", ["000000", "150000", "210000", *SEEDS])
def test_every_value_that_a_block_states_has_a_source(region: str) -> None:
    policy = on(region)
    assert policy.blocks
    assert all(policy.sources.values())


def test_notices_are_numbered_requirements() -> None:
    _, requirements = load_requirements(ROOT / LIST)
    told = {notice.id for policy in policies() for notice in policy.information}
    assert told <= requirements.keys()


# inheritance


def test_a_region_inherits_from_its_province_and_the_nation() -> None:
    hohhot = on("150100")
    assert hohhot.blocks == ("000000@2024-01-01", "150000@2024-09-01", "150100@2024-09-01")
    assert hohhot.premium_groups == on("150000").premium_groups
    assert hohhot.premium_wait_months == on("000000").premium_wait_months


def test_a_regions_own_value_wins_and_names_its_own_source() -> None:
    assert on("150100").relations < on("000000").relations
    assert on("150100").sources["relations"].startswith("docs/seeds/hohhot.txt L5 (HOH-04)")


def test_a_city_without_a_file_has_its_provinces_rules() -> None:
    assert on("150200").digest == on("150000").digest


def test_a_region_of_a_province_without_a_file_is_not_served() -> None:
    with pytest.raises(RegionNotServed):
        on("440300")


def test_a_later_block_changes_only_what_it_states(tmp_path: Path) -> None:
    rulebook = load(write(tmp_path, GOOD))
    before = rulebook.on("150100", date(2024, 12, 31))
    after = rulebook.on("150100", date(2025, 1, 1))
    assert (before.members_at_once, after.members_at_once) == (6, 6)
    assert (len(before.premium_standards_fen), len(after.premium_standards_fen)) == (0, 1)
    assert after.blocks == ("150100@2024-09-01", "150100@2025-01-01")
    assert before.digest != after.digest


# bad files


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "why"),
    [
        ("at_once = { value = 6,", "at_once = { value = 6", 8, "(TOML)", ""),
        ('name = "呼和浩特市"', 'title = "呼和浩特市"', 2, "title", "unknown key"),
        ('region = "150100"', 'region = "1501"', 1, "region", "six digits"),
        ('name = "呼和浩特市"', 'name = ""', 2, "name", "not empty"),
        ("[block.members]", "[block.member]", 7, "member", "unknown group"),
        ("at_once", "at_most", 8, "members.at_most", "unknown key"),
        ("value = 6", "value = -6", 8, "members.at_once", "integer from 0"),
        ("value = 6", 'value = "six"', 8, "members.at_once", "integer from 0"),
        (
            ', source = "docs/seeds/hohhot.txt L30 (HOH-05)"',
            "",
            8,
            "members.at_once",
            "expected a source",
        ),
        ("value = 6, ", "", 8, "members.at_once", "expected { value"),
        ("2024-09-01", "2025-09-01", 11, "effective_from", "later date"),
        ("2024-09-01", '"2024-09"', 5, "effective_from", "expected a date"),
        ("2025 = 40000", "2025 = 1.5", 14, "premium.standards_fen", "RESIDENT: 2025: expected"),
        ("RESIDENT", "EVERYBODY", 14, "premium.standards_fen", "expected one of"),
        ("[[block]]", 'parent = "150000"\n\n[[block]]', 1, "parent", "unknown region 150000"),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_field(
    old: str, new: str, line: int, field: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(PolicyError) as raised:
        load(write(tmp_path, GOOD.replace(old, new, 1)))
    error = raised.value
    assert (error.file, error.line, error.field) == ("150100.toml", line, field)
    assert why in error.why
    assert str(error).startswith(f"150100.toml:{line}: {field}: ")


def test_a_file_without_a_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"150100\.toml:0: block: expected at least one"):
        load(write(tmp_path, 'region = "150100"\nname = "x"\n'))


def test_a_file_under_another_regions_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        PolicyError, match=r"150900\.toml:1: region: expected the file 150100\.toml"
    ):
        load(write(tmp_path, GOOD, "150900.toml"))


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "150100.toml").write_bytes(GOOD.encode("gb18030"))
    with pytest.raises(PolicyError, match=r"150100\.toml:2: \(text\): expected UTF-8"):
        load(tmp_path)


def test_a_circle_of_parents_is_refused(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("[[block]]", 'parent = "150000"\n[[block]]', 1))
    province = GOOD.replace("150100", "150000").replace(
        "[[block]]", 'parent = "150100"\n[[block]]', 1
    )
    write(tmp_path, province, "150000.toml")
    with pytest.raises(PolicyError, match="inherits from itself"):
        load(tmp_path)
