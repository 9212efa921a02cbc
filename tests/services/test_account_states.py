"""FreezeAccount, UnfreezeAccount, and what no change of an account's state is allowed to do."""

from collections.abc import Callable
from typing import Any

import pytest

from gongji.v1 import account_pb2 as pb
from gongji.v1 import settlement_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.errors import Refusal
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.account_work import (
    CLERK,
    REASON,
    changes_of,
    close,
    freeze,
    kept,
    trail,
    unfreeze,
)
from tests.services.accounts import (
    HOHHOT,
    ULANQAB,
    account_of,
    credit,
    crediting,
    get_account,
    list_accounts,
)
from tests.services.driver import Driver
from tests.services.till import paid, request_of, settle

NO_ID = "018f2a00-0000-7000-8000-000000000001"
STATES: dict[str, Callable[..., Any]] = {
    "FreezeAccount": freeze,
    "UnfreezeAccount": unfreeze,
    "CloseAccount": close,
}


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def bought(
    driver: Driver, families: Families, patient: Made, region: str = ULANQAB
) -> settlement_pb2.Settlement:
    """A purchase of 100 yuan, as the patient reads it."""
    code = families.institution(region)
    families.item(region, "XA01")
    settlement = settle(driver, code, request_of(code, patient)).settlement
    request = settlement_pb2.GetSettlementRequest(settlement_id=settlement.settlement_id)
    answer = driver.call("citizen", patient, "SettlementService", "GetSettlement", request)
    assert isinstance(answer.settlement, settlement_pb2.Settlement)
    return answer.settlement


def told(settlement: settlement_pb2.Settlement, rule: str) -> list[str]:
    return [step.text for step in settlement.explanation if step.rule == rule]


# --- freeze and unfreeze


def test_a_frozen_account_says_so_and_why(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    account = freeze(driver, owner.account_id, reason="涉嫌冒用").account
    assert (account.state, account.state_reason) == (pb.ACCOUNT_STATE_FROZEN, "涉嫌冒用")
    assert (account.balance_fen, account.spendable_fen, account.shareable_fen) == (900, 0, 0)
    assert [step.rule for step in account.why] == ["BALANCE", "FROZEN", "SPENDABLE", "SHAREABLE"]
    assert not account.HasField("closed_at")
    assert get_account(driver, "citizen", owner, person_id=owner) == account


def test_an_account_that_is_used_again_says_why(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    freeze(driver, owner.account_id)
    account = unfreeze(driver, owner.account_id, reason="查无问题").account
    assert (account.state, account.state_reason) == (pb.ACCOUNT_STATE_OPEN, "查无问题")
    assert account.spendable_fen == 900
    assert list_accounts(driver, "citizen", owner, owner).accounts == [account]


def test_a_frozen_account_is_credited_and_keeps_the_money(
    driver: Driver, families: Families
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    freeze(driver, owner.account_id)
    credit(driver, crediting(owner.account_id, 100))
    assert unfreeze(driver, owner.account_id).account.spendable_fen == 1_000


def test_a_till_passes_over_a_frozen_donor_and_the_patient_reads_why(
    driver: Driver, families: Families
) -> None:
    patient = families.person(ULANQAB)
    frozen = families.person(ULANQAB, balance_fen=90_000, name="赵一")
    next_one = families.person(ULANQAB, balance_fen=6_000, name="钱二")
    families.bind(frozen, patient, rank=1)
    families.bind(next_one, patient, rank=2)
    freeze(driver, frozen.account_id, ULANQAB)
    settlement = bought(driver, families, patient)
    assert paid(settlement) == [("DONOR", 6_000)]
    assert settlement.breakdown.cash_pay_fen == 4_000
    assert told(settlement, "DONOR_SKIPPED") == ["赵*未支付：授权人的个人账户已冻结"]
    assert kept(driver.office.database, frozen.account_id).seq == 0


def test_a_patients_own_frozen_account_pays_nothing_and_the_receipt_says_so(
    driver: Driver, families: Families
) -> None:
    patient = families.person(ULANQAB, balance_fen=8_000)
    freeze(driver, patient.account_id, ULANQAB)
    settlement = bought(driver, families, patient)
    assert paid(settlement) == []
    [text] = told(settlement, "OWN_FROZEN")
    assert text == "本人个人账户已冻结，80.00元不能使用，可向医保经办机构申请解冻"


def test_an_account_that_is_used_again_pays_at_the_till(driver: Driver, families: Families) -> None:
    patient = families.person(ULANQAB, balance_fen=8_000)
    freeze(driver, patient.account_id, ULANQAB)
    unfreeze(driver, patient.account_id, ULANQAB)
    settlement = bought(driver, families, patient)
    assert paid(settlement) == [("SELF", 8_000)]
    assert told(settlement, "OWN_FROZEN") == []


@pytest.mark.parametrize(
    ("state", "rpc", "refusal"),
    [
        ("FROZEN", "FreezeAccount", errors.AccountFrozen),
        ("OPEN", "UnfreezeAccount", errors.AccountNotFrozen),
        ("FROZEN", "CloseAccount", errors.AccountFrozen),
        ("CLOSED", "FreezeAccount", errors.AccountClosed),
        ("CLOSED", "UnfreezeAccount", errors.AccountClosed),
        ("CLOSED", "CloseAccount", errors.AccountClosed),
    ],
)
def test_what_a_state_does_not_allow_changes_nothing(
    driver: Driver,
    families: Families,
    database: Database,
    state: str,
    rpc: str,
    refusal: type[Refusal],
) -> None:
    account_id = account_of(families.person(HOHHOT), families, HOHHOT, state=state)
    before = kept(database, account_id)
    with pytest.raises(refusal):
        STATES[rpc](driver, account_id)
    assert kept(database, account_id) == before
    assert trail(database, "account", account_id) == []


@pytest.mark.parametrize("rpc", STATES)
def test_an_account_of_other_books_and_none_are_answered_alike(
    driver: Driver, families: Families, rpc: str
) -> None:
    owner = families.person(ULANQAB, home=HOHHOT)
    for account_id in (account_of(owner, families, ULANQAB), new_id(HOHHOT), NO_ID):
        with pytest.raises(errors.AccessDenied):
            STATES[rpc](driver, account_id)


@pytest.mark.parametrize("rpc", STATES)
def test_a_repeat_gets_the_first_answer_and_changes_nothing(
    driver: Driver, families: Families, database: Database, rpc: str
) -> None:
    state = "FROZEN" if rpc == "UnfreezeAccount" else "OPEN"
    account_id = account_of(families.person(HOHHOT), families, HOHHOT, state=state)
    first = STATES[rpc](driver, account_id, request_id="s-1")
    again = STATES[rpc](driver, account_id, request_id="s-1")
    assert (first.replayed, again.replayed) == (False, True)
    assert again.account == first.account
    assert len(trail(database, "account", account_id)) == 1


def test_the_trail_tells_who_froze_an_account_and_why(
    driver: Driver, families: Families, database: Database
) -> None:
    account_id = account_of(families.person(ULANQAB, home=HOHHOT), families, ULANQAB)
    freeze(driver, account_id, ULANQAB)
    [record] = trail(database, "account", account_id)
    assert (record.region, record.role, record.subject) == (ULANQAB, "agency", ULANQAB)
    assert (record.actor, record.reason) == (CLERK, REASON)
    assert record.action == "gongji.v1.AccountService/FreezeAccount"
    assert changes_of(record) == {"state": ('"OPEN"', '"FROZEN"')}
