"""What an agency sends about accounts, and what becomes of them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from secrets import token_bytes
from typing import Any
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain.policy_document import check_document
from gongji_svc.domain.rulebook import Rulebook
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import id_about, new_id, region_of
from gongji_svc.storage.state import AccountRow
from tests.families import Families, Made
from tests.services.driver import Driver

SERVICE = "AccountService"
HOHHOT, ULANQAB, TIELING = "150100", "150900", "211200"


def account_of(owner: Made, families: Families, region: str, **columns: Any) -> UUID:
    """An account in the books of `region`, open and GENERAL unless told otherwise; its id."""
    home = region_of(owner.person_id)
    usual = AccountRow(
        home, new_id(home), owner.person_id, region, "GENERAL", "OPEN", 0, 0, 0, 0,
        datetime.now(UTC),
    )  # fmt: skip
    row = replace(usual, **columns)
    families.write(("accounts", row.row()))
    return row.id


def opened_in(year: int, region: str = HOHHOT) -> UUID:
    """The id of an account that was opened on the first of March of a year."""
    return id_about(region, datetime(year, 3, 1, tzinfo=UTC), token_bytes(7))


def opening(owner: object, region: str = HOHHOT, **fields: Any) -> pb.OpenAccountRequest:
    """A GENERAL account unless told otherwise."""
    usual = {"request_id": "o-1", "kind": types_pb2.ACCOUNT_KIND_GENERAL}
    return pb.OpenAccountRequest(person_id=str(owner), region=region, **{**usual, **fields})


def open_account(driver: Driver, request: pb.OpenAccountRequest) -> pb.OpenAccountResponse:
    """What the agency of the request's region is answered."""
    answer = driver.call("agency", request.region, SERVICE, "OpenAccount", request)
    assert isinstance(answer, pb.OpenAccountResponse)
    return answer


def crediting(account_id: object, amount_fen: int = 500, **fields: Any) -> pb.CreditRequest:
    """An allocation unless told otherwise."""
    usual = {"request_id": "c-1", "kind": pb.CREDIT_KIND_ALLOCATION}
    return pb.CreditRequest(
        account_id=str(account_id), amount_fen=amount_fen, **{**usual, **fields}
    )


def credit(driver: Driver, request: pb.CreditRequest, agency: str = HOHHOT) -> pb.CreditResponse:
    """What the agency is answered."""
    answer = driver.call("agency", agency, SERVICE, "Credit", request)
    assert isinstance(answer, pb.CreditResponse)
    return answer


def get_account(driver: Driver, role: str, subject: object, **named: object) -> pb.Account:
    """An account as the caller sees it, named by `account_id` or `person_id`."""
    request = pb.GetAccountRequest(**{name: str(value) for name, value in named.items()})
    account = driver.call(role, subject, SERVICE, "GetAccount", request).account
    assert isinstance(account, pb.Account)
    return account


def list_accounts(
    driver: Driver, role: str, subject: object, person: object, **paging: Any
) -> pb.ListAccountsResponse:
    """A page of a person's accounts as the caller sees them."""
    request = pb.ListAccountsRequest(person_id=str(person), **paging)
    answer = driver.call(role, subject, SERVICE, "ListAccounts", request)
    assert isinstance(answer, pb.ListAccountsResponse)
    return answer


def rules(region: str, accounts: Mapping[str, object]) -> Rulebook:
    """The rules of one region that states these values of [accounts], each with its source."""
    stated = {key: {"value": value, "source": f"test {key}"} for key, value in accounts.items()}
    block = {"effective_from": date(2020, 1, 1), "accounts": stated}
    data = {"region": region, "name": "测试", "block": [block]}
    return Rulebook([check_document("test.toml", data)])


PARTED = {
    "own_kinds": ["CURRENT_YEAR", "PAST_YEARS"],
    "donor_kinds": ["PAST_YEARS"],
}
"""A region that parts 当年 and 历年, and lets relatives use the latter."""


def written(database: Database, account_id: object) -> list[tuple[Any, ...]]:
    """The entries of an account: (seq, kind, amount_fen, balance_after_fen, memo)."""
    query = """SELECT seq, kind, amount_fen, balance_after_fen, memo FROM entries
               WHERE account_id = %s ORDER BY seq"""
    with database.connect() as tx:
        return tx.execute(query, [str(account_id)]).fetchall()
