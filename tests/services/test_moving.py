"""A move to another city (转移接续): an account closed, another opened, two corrections between."""

import pytest

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from tests.services.account_work import check_histories, close, decide, kept, propose
from tests.services.accounts import HOHHOT, ULANQAB, credit, crediting, open_account, opening
from tests.services.driver import Driver
from tests.services.test_credit import sums
from tests.services.test_registry_persons import enrolment, period, person, put

NUMBER = "150199198001010013"


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def test_a_balance_moves_to_another_city_by_two_corrections(
    driver: Driver, database: Database
) -> None:
    here = enrolment(HOHHOT, period("2015-01-01"))
    owner = put(driver, HOHHOT, person(here, number=NUMBER)).person.person_id
    old = open_account(driver, opening(owner)).account.account_id
    credit(driver, crediting(old, 300))
    here = enrolment(HOHHOT, period("2015-01-01", "2025-01-31"))
    put(driver, HOHHOT, person(here, number=NUMBER))
    put(driver, ULANQAB, person(enrolment(ULANQAB, period("2025-02-01")), number=NUMBER))
    with pytest.raises(errors.AccountExists) as exists:
        open_account(driver, opening(owner, ULANQAB))
    with pytest.raises(errors.AccountNotEmpty) as not_empty:
        close(driver, old)
    for refusal in (exists.value, not_empty.value):
        assert "更正" in refusal.message_zh and "ProposeAdjustment" in refusal.message

    decide(driver, propose(driver, old, -300, reason="转往乌兰察布").adjustment_id)
    assert close(driver, old).account.state == pb.ACCOUNT_STATE_CLOSED
    new = open_account(driver, opening(owner, ULANQAB, request_id="o-2")).account.account_id
    proposed = propose(driver, new, 300, reason="由呼和浩特转来", agency=ULANQAB)
    decide(driver, proposed.adjustment_id, agency=ULANQAB)

    assert [kept(database, one).balance_fen for one in (old, new)] == [0, 300]
    assert sums(database) == []
    check_histories(database)
