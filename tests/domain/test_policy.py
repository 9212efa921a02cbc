"""Dated policies: inheritance, sources, and the checks of a file."""

from datetime import date

import pytest

from gongji_svc.domain.errors import PolicyNotInForce, RegionNotServed
from gongji_svc.domain.policy import PLACES, Policy
from gongji_svc.domain.policy_document import PolicyError, rulebook_documents
from gongji_svc.domain.rulebook import Rulebook
from gongji_svc.domain.terms import InstitutionLevel, PersonType

NATION = """
region = "000000"
name = "全国"

[[block]]
effective_from = 2024-01-01
[block.members]
at_once = { value = 10, source = "n1" }
lifetime = { value = 20, source = "n1" }
[block.order]
editable = { value = true, source = "n1" }
[block.benefit]
ratios_bp = { value = { PRIMARY = 7000, TERTIARY = { ACTIVE = 5000 } }, source = "n1" }

[[block]]
effective_from = 2026-01-01
[block.order]
editable = { value = false, source = "n2" }
"""
PROVINCE = """
region = "150000"
name = "内蒙古"
parent = "000000"

[[block]]
effective_from = 2024-06-01
[block.members]
at_once = { value = 8, source = "p1" }

[[block]]
effective_from = 2025-06-01
[block.members]
at_once = { value = 9, source = "p2" }
lifetime = { value = "NONE", source = "p2" }
"""
CITY = """
region = "150100"
name = "呼和浩特"
parent = "150000"

[[block]]
effective_from = 2024-09-01
[block.members]
at_once = { value = 6, source = "c1" }
"""


def rulebook(*texts: str) -> Rulebook:
    files = {f"{number}.toml": text for number, text in enumerate(texts)}
    return Rulebook(rulebook_documents(files))


def city_on(day: date) -> Policy:
    return rulebook(NATION, PROVINCE, CITY).on("150100", day)


@pytest.mark.requirement("ULQ-25")
def test_each_value_carries_its_source_and_the_blocks_that_decided() -> None:
    policy = city_on(date(2025, 1, 1))
    assert policy.sources["members_at_once"] == "c1"
    assert policy.sources["members_lifetime"] == "n1"
    assert policy.blocks == ("000000@2024-01-01", "150000@2024-06-01", "150100@2024-09-01")


def test_the_regions_own_value_wins_over_a_later_one_of_the_province() -> None:
    assert city_on(date(2025, 7, 1)).members_at_once == 6


@pytest.mark.requirement("ULQ-25")
def test_a_later_block_states_only_what_changed() -> None:
    before, after = city_on(date(2025, 5, 31)), city_on(date(2025, 6, 1))
    assert (before.members_lifetime, after.members_lifetime) == (20, None)
    assert after.order_editable is True
    assert city_on(date(2026, 1, 1)).order_editable is False


def test_no_policy_is_in_force_before_the_regions_first_block() -> None:
    with pytest.raises(PolicyNotInForce):
        city_on(date(2024, 8, 31))


@pytest.mark.parametrize(
    ("day", "region"), [(date(2024, 9, 1), "150100"), (date(2024, 8, 31), "150000")]
)
def test_before_its_first_block_a_region_can_be_asked_for_its_provinces(
    day: date, region: str
) -> None:
    known = rulebook(NATION, PROVINCE, CITY)
    assert known.on_or_above("150100", day).region == region
    assert known.on_or_above("150100", date(2024, 5, 31)).region == "000000"
    with pytest.raises(PolicyNotInForce):
        known.on_or_above("150100", date(2023, 12, 31))


def test_a_region_without_a_file_has_its_provinces_policy() -> None:
    book = rulebook(NATION, PROVINCE, CITY)
    assert book.on("150200", date(2025, 1, 1)).members_at_once == 8
    assert book.on("000000", date(2025, 1, 1)).members_at_once == 10


@pytest.mark.parametrize("region", ["999999", "440100", "440000", "000001", ""])
def test_a_region_whose_province_has_no_file_is_not_served_by_the_nations_rules(
    region: str,
) -> None:
    book = rulebook(NATION, PROVINCE, CITY)
    with pytest.raises(RegionNotServed) as refused:
        book.on(region, date(2025, 1, 1))
    assert refused.value.details == {"region": region}
    assert not book.serves(region)


def test_a_region_is_served_by_its_own_file_where_its_province_has_none() -> None:
    book = rulebook(NATION, CITY.replace('"150000"', '"000000"'))
    assert book.serves("150100")
    assert not book.serves("150200")


def test_history_lists_the_days_on_which_something_changed() -> None:
    days = [day for day, _ in rulebook(NATION, PROVINCE, CITY).history("150100")]
    assert days == [date(2024, 9, 1), date(2025, 6, 1), date(2026, 1, 1)]


def test_the_digest_changes_with_the_values_and_with_nothing_else() -> None:
    digest = city_on(date(2025, 1, 1)).digest
    assert city_on(date(2025, 2, 1)).digest == digest
    other_source = rulebook(NATION, PROVINCE, CITY.replace('"c1"', '"c9"'))
    assert other_source.on("150100", date(2025, 1, 1)).digest == digest
    assert city_on(date(2025, 6, 1)).digest != digest


def test_one_value_for_all_person_types_may_be_written_once() -> None:
    ratios = city_on(date(2025, 1, 1)).ratios_bp
    assert ratios[InstitutionLevel.PRIMARY][PersonType.RETIRED] == 7000
    assert PersonType.RETIRED not in ratios[InstitutionLevel.TERTIARY]


def test_every_value_has_a_place_of_its_own_in_the_file() -> None:
    assert len({field for field, _ in PLACES.values()}) == len(PLACES)


CASES = [
    ("an unknown group", "[block.order]", "[block.odrer]", "odrer", "unknown group"),
    ("an unknown key", "editable", "editible", "order.editible", "unknown key"),
    ("a wrong type", "value = true", "value = 1", "order.editable", "true or false"),
    ("a value without its source", ', source = "n2"', "", "order.editable", "source"),
    ("an empty source", 'source = "n2"', 'source = " "', "order.editable", "source"),
    ("a bare value", '{ value = 20, source = "n1" }', "20", "members.lifetime", "value"),
    (
        "a further word",
        'source = "n2"',
        'source = "n2", why = 1',
        "order.editable",
        "unknown key why",
    ),
    ("dates out of order", "2026-01-01", "2023-01-01", "effective_from", "later date"),
    ("a date that is none", "2026-01-01", '"2026"', "effective_from", "expected a date"),
    ("a negative number", "value = 20", "value = -1", "members.lifetime", "from 0"),
    ("a ratio above the whole", "PRIMARY = 7000", "PRIMARY = 10001", "benefit.ratios_bp", "basis"),
    ("an unknown level", "PRIMARY =", "THIRD =", "benefit.ratios_bp", "PRIMARY"),
    ("no name", 'name = "全国"', "", "name", "not empty"),
    ("a region that is none", '"000000"', '"0"', "region", "six digits"),
    (
        "a rule that nobody serves",
        "[block.order]\neditable = {",
        "[block.lapse]\nown_usable = {",
        "lapse.own_usable",
        "expected true",
    ),
    ("an unknown heading", 'name = "全国"', 'name = "全国"\nnome = 1', "nome", "unknown key"),
]


@pytest.mark.parametrize(("old", "new", "field", "why"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_a_bad_file_is_an_error_with_file_line_and_field(
    old: str, new: str, field: str, why: str
) -> None:
    head, mark, tail = NATION.rpartition(old)
    with pytest.raises(PolicyError) as caught:
        rulebook(head + new + tail)
    error = caught.value
    assert mark and (error.file, error.field) == ("0.toml", field)
    assert why in error.why
    if new.strip():
        assert new.split("\n")[-1] in (head + new + tail).splitlines()[error.line - 1]


def test_text_that_is_no_toml_is_an_error_with_its_line() -> None:
    with pytest.raises(PolicyError) as caught:
        rulebook(NATION.replace("[block.members]", "[block.members"))
    assert caught.value.line == 7


def test_an_unknown_parent_is_an_error() -> None:
    with pytest.raises(PolicyError, match="unknown region 150000"):
        rulebook(NATION, CITY)


def test_a_circle_of_parents_is_an_error() -> None:
    circle = PROVINCE.replace('"000000"', '"150100"')
    with pytest.raises(PolicyError, match="inherits from itself"):
        rulebook(NATION, circle, CITY)


def test_a_region_in_two_files_is_an_error() -> None:
    with pytest.raises(PolicyError, match=r"stands in 0\.toml too"):
        rulebook(NATION, NATION)
