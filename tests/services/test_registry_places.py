"""Institutions and the catalogue: who states them, and which row holds where and when."""

from datetime import date
from typing import Any

import pytest
from google.type.date_pb2 import Date

from gongji.v1 import registry_pb2 as pb
from gongji.v1 import types_pb2 as types
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.services.driver import Driver

NATION, PROVINCE, HOHHOT, ULANQAB = "000000", "150000", "150100", "150900"


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def institution(region: str = HOHHOT, **fields: Any) -> pb.Institution:
    fields.setdefault("institution_code", "P15010000001")
    fields.setdefault("status", pb.INSTITUTION_STATUS_ACTIVE)
    return pb.Institution(
        name="示例大药房",
        kind=types.INSTITUTION_KIND_PHARMACY,
        level=types.INSTITUTION_LEVEL_NONE,
        region=region,
        **fields,
    )


def put(driver: Driver, stated: pb.Institution, region: str = "", request_id: str = "") -> Any:
    request = pb.PutInstitutionRequest(institution=stated, request_id=request_id)
    return driver.call(
        "agency", region or stated.region, "RegistryService", "PutInstitution", request
    )


def get(driver: Driver, region: str, code: str = "P15010000001") -> pb.Institution:
    request = pb.GetInstitutionRequest(institution_code=code)
    answer = driver.call("agency", region, "RegistryService", "GetInstitution", request)
    found: pb.Institution = answer.institution
    return found


def item(code: str, since: str = "2024-01-01", kind: str = "A", **fields: Any) -> pb.CatalogItem:
    first = date.fromisoformat(since)
    fields.setdefault("name", f"药品{code}")
    return pb.CatalogItem(
        catalog_code=code,
        catalog_class=types.CatalogClass.Value(f"CATALOG_CLASS_{kind}"),
        account_payable=True,
        effective_from=Date(year=first.year, month=first.month, day=first.day),
        **fields,
    )


def put_items(driver: Driver, agency: str, *items: pb.CatalogItem, **fields: Any) -> Any:
    request = pb.PutCatalogItemsRequest(items=items, **fields)
    return driver.call("agency", agency, "RegistryService", "PutCatalogItems", request)


def listed(driver: Driver, role: str = "agency", subject: str = HOHHOT, **fields: Any) -> Any:
    request = pb.ListCatalogItemsRequest(**fields)
    return driver.call(role, subject, "RegistryService", "ListCatalogItems", request)


def test_an_institution_is_stated_and_stated_anew_by_its_agency(driver: Driver) -> None:
    stated = institution()
    assert put(driver, stated).created
    stated.status = pb.INSTITUTION_STATUS_SUSPENDED
    assert not put(driver, stated).created
    assert get(driver, HOHHOT) == stated


def test_an_institution_stated_again_under_its_request_id_is_not_stated_back(
    driver: Driver,
) -> None:
    stated = institution()
    put(driver, stated, request_id="i-1")
    later = institution(status=pb.INSTITUTION_STATUS_ENDED)
    put(driver, later, request_id="i-2")
    assert put(driver, stated, request_id="i-1").replayed
    assert get(driver, HOHHOT) == later


def test_an_institution_of_another_region_is_out_of_reach(driver: Driver) -> None:
    put(driver, institution())
    for attempt in (
        lambda: put(driver, institution(ULANQAB)),  # the code is taken
        lambda: put(driver, institution(HOHHOT), region=ULANQAB),
        lambda: get(driver, ULANQAB),
        lambda: get(driver, HOHHOT, code="unknown"),
    ):
        with pytest.raises(errors.AccessDenied):
            attempt()


def test_a_catalogue_row_comes_back_as_it_was_stated(driver: Driver) -> None:
    stated = item("XB01", kind="B", self_pay_bp=1000, price_ceiling_yuan="12.3456")
    answer = put_items(driver, HOHHOT, stated)
    stated.region = HOHHOT
    assert list(answer.items) == [stated]
    assert list(listed(driver).items) == [stated]


def test_the_regions_own_row_holds_before_its_provinces_before_the_nations(
    driver: Driver,
) -> None:
    put_items(driver, NATION, item("X1"), item("X2"), item("X3"))
    put_items(driver, PROVINCE, item("X2"), item("X3"), item("X3", since="2024-06-01"))
    put_items(driver, HOHHOT, item("X3", since="2024-03-01"), item("X3", since="2999-01-01"))
    rows = [(one.catalog_code, one.region) for one in listed(driver).items]
    assert rows == [("X1", NATION), ("X2", PROVINCE), ("X3", HOHHOT)]
    february = Date(year=2024, month=2, day=1)
    earlier = listed(driver, on_date=february).items
    assert [one.region for one in earlier] == [NATION, PROVINCE, PROVINCE]
    other = listed(driver, subject=ULANQAB, catalog_codes=["X3"]).items
    assert [(one.region, one.effective_from.month) for one in other] == [(PROVINCE, 6)]


def test_the_catalogue_is_listed_page_by_page(driver: Driver) -> None:
    put_items(driver, NATION, *(item(f"X{at}") for at in range(5)))
    first = listed(driver, page_size=3)
    assert [one.catalog_code for one in first.items] == ["X0", "X1", "X2"]
    rest = listed(driver, page_size=3, page_token=first.next_page_token)
    assert [one.catalog_code for one in rest.items] == ["X3", "X4"]
    assert rest.next_page_token == ""
    with pytest.raises(errors.PageTokenInvalid):
        listed(driver, region=ULANQAB, page_token=first.next_page_token)


def test_without_a_region_the_catalogue_is_that_of_the_callers(driver: Driver) -> None:
    put(driver, institution())
    put_items(driver, HOHHOT, item("X1"))
    assert listed(driver, role="pos", subject="P15010000001").items
    assert listed(driver, role="citizen", subject=str(new_id(HOHHOT))).items
    assert not listed(driver, role="citizen", subject=str(new_id(ULANQAB))).items


def test_an_agency_states_the_catalogue_of_its_own_level_only(driver: Driver) -> None:
    with pytest.raises(errors.AccessDenied):
        put_items(driver, HOHHOT, item("X1"), region=PROVINCE)
    assert put_items(driver, PROVINCE, item("X1"), region=PROVINCE).items[0].region == PROVINCE


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([item("X1"), item("X1")], "items[1].catalog_code"),
        ([item("X1", kind="A", self_pay_bp=1000)], "items[0].self_pay_bp"),
        ([item("X1", kind="C", self_pay_bp=1000)], "items[0].self_pay_bp"),
        ([item("X1", price_ceiling_yuan="1.1234567")], "items[0].price_ceiling_yuan"),
        ([item("X 1")], "items[0].catalog_code"),
    ],
)
def test_a_catalogue_row_that_is_wrong_is_named(
    driver: Driver, items: list[pb.CatalogItem], field: str
) -> None:
    with pytest.raises(errors.InvalidField) as refused:
        put_items(driver, HOHHOT, *items)
    assert [violation.field for violation in refused.value.violations] == [field]
    assert not listed(driver).items
