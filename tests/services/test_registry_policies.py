"""GetPolicy and ListPolicies: the rules in force, each value with its source."""

import json
from datetime import date
from typing import Any

import pytest
from google.type.date_pb2 import Date

from gongji.v1 import binding_pb2
from gongji.v1 import registry_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from tests.services.driver import Driver

HOHHOT, ULANQAB, TIELING = "150100", "150900", "211200"


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database, on=date(2025, 3, 1))


def policy(driver: Driver, region: str, on_date: Date | None = None) -> pb.Policy:
    request = pb.GetPolicyRequest(region=region, on_date=on_date)
    answer = driver.call("pos", "P1", "RegistryService", "GetPolicy", request)
    found: pb.Policy = answer.policy
    return found


def summaries(driver: Driver, **fields: Any) -> Any:
    request = pb.ListPoliciesRequest(**fields)
    return driver.call("citizen", "c-1", "RegistryService", "ListPolicies", request)


@pytest.mark.requirement("ULQ-25")
@pytest.mark.parametrize("region", [HOHHOT, ULANQAB, TIELING])
def test_every_value_in_force_is_shown_with_its_source(driver: Driver, region: str) -> None:
    found = policy(driver, region)
    assert len(found.values) > 40
    assert all(one.source for one in found.values)
    assert [one.key for one in found.values] == sorted(one.key for one in found.values)
    assert found.on_date == Date(year=2025, month=3, day=1)
    assert found.policy.blocks[-1].startswith(region)


@pytest.mark.parametrize(
    ("region", "key", "value"),
    [
        (HOHHOT, "members.at_once", 6),
        (HOHHOT, "beneficiary.insurances", ["RESIDENT"]),
        (
            HOHHOT,
            "premium.windows",
            {
                "2025": {"from": "2024-09-01", "to": "2025-02-28"},
                "2026": {"from": "2025-09-01", "to": "2026-02-28"},
            },
        ),
        (
            TIELING,
            "benefit.annual_caps_fen",
            dict.fromkeys(("ACTIVE", "RETIRED", "RESIDENT"), 300_000),
        ),
        (ULANQAB, "order.kind", "USER_PRIORITY"),
    ],
)
def test_a_value_is_json_that_says_what_decides(
    driver: Driver, region: str, key: str, value: object
) -> None:
    (found,) = [one for one in policy(driver, region).values if one.key == key]
    assert json.loads(found.value) == value


@pytest.mark.requirement("HOH-07", "ULQ-17", "TIL-08")
@pytest.mark.parametrize(
    ("region", "channel", "steps"),
    [
        (HOHHOT, "APP", ["首页", "更多", "业务经办", "家庭账户共济"]),
        (ULANQAB, "WEB", ["职工医保个人账户家庭共济", "添加近亲属"]),
        (TIELING, "APP", ["登录", "医保模块", "家庭账户共济"]),
    ],
)
def test_channels_are_shown_with_their_menu_paths(
    driver: Driver, region: str, channel: str, steps: list[str]
) -> None:
    number = binding_pb2.Channel.Value(f"CHANNEL_{channel}")
    (found,) = [one for one in policy(driver, region).channels if one.channel == number]
    assert list(found.steps) == steps


@pytest.mark.requirement("HOH-12", "TIL-27")
def test_texts_to_accept_are_shown_with_their_version(driver: Driver) -> None:
    assert policy(driver, HOHHOT).commitment.version == "150100-2024-09"
    assert policy(driver, TIELING).notice.text
    assert not policy(driver, ULANQAB).HasField("notice")


def test_a_day_before_the_first_block_has_no_rules(driver: Driver) -> None:
    with pytest.raises(errors.PolicyNotInForce):
        policy(driver, HOHHOT, Date(year=2024, month=8, day=31))
    with pytest.raises(errors.InvalidField):
        policy(driver, HOHHOT, Date(year=2024, month=2, day=30))


def test_regions_are_listed_with_their_own_and_inherited_blocks(driver: Driver) -> None:
    found = {one.region: one for one in summaries(driver).policies}
    assert sorted(found) == ["000000", "150000", HOHHOT, ULANQAB, "210000", TIELING]
    assert found["000000"].parent_region == ""
    assert found[HOHHOT].parent_region == "150000"
    assert [one.block for one in found[HOHHOT].blocks] == [
        "000000@2024-01-01",
        "150000@2024-09-01",
        "150100@2024-09-01",
    ]


def test_regions_are_listed_page_by_page_and_as_of_a_day(driver: Driver) -> None:
    first = summaries(driver, page_size=4)
    rest = summaries(driver, page_size=4, page_token=first.next_page_token)
    assert [one.region for one in rest.policies] == ["210000", TIELING]
    then = summaries(driver, on_date=Date(year=2024, month=2, day=1))
    assert [one.region for one in then.policies] == ["000000", "210000", TIELING]
    assert [one.region for one in summaries(driver, region=HOHHOT).policies] == [HOHHOT]
