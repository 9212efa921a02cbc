"""ExplainUsability: a binding that is over says why, and what can still be done."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.policy_values import Caps
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import LONG_AGO, Families
from tests.services.applications import DAY, HOHHOT, TIELING, donor_in, relative_in
from tests.services.changes import Pair, bound, end, review
from tests.services.driver import Driver
from tests.services.looks import look, restate
from tests.services.test_registry_persons import enrolment
from tests.services.test_usability import change, reasons, told, untils

APPLY_AGAIN = "授权人重新申请绑定"
BLURRED, FORGED = "证件照片不清晰", "虚构亲属关系"


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


def text_of(driver: Driver, pair: Pair, reason: str = "ENDED") -> str:
    """What the beneficiary is told of a binding that is over: one reason, no day to come."""
    entry = told(driver, pair.donor, pair.beneficiary)
    assert (reasons(entry), untils(entry)) == ([reason], [None, None])
    return entry.obstacles[0].text


@pytest.mark.requirement("NAT-07")
@pytest.mark.parametrize("state", [BindingState.REJECTED, BindingState.ENDED, BindingState.EXPIRED])
def test_of_a_binding_that_is_over_nothing_else_is_told(
    driver: Driver, families: Families, state: BindingState
) -> None:
    donor = donor_in(families, HOHHOT)
    relative = relative_in(families, TIELING)
    families.bind(donor, relative, state=state, limits=Caps(per_day_fen=0))
    entry = told(driver, donor, relative)
    assert (reasons(entry), untils(entry)) == ([state.value], [None, None])


@pytest.mark.requirement("NAT-07")
def test_after_its_last_day_a_binding_is_only_expired(driver: Driver, families: Families) -> None:
    pair = bound(driver, families, HOHHOT)
    change(families, "persons", pair.beneficiary.person_id, died_on=LONG_AGO)
    last_day = {"effective_from": LONG_AGO, "effective_to": DAY - timedelta(days=1)}
    change(families, "bindings", UUID(pair.id), **last_day)
    assert APPLY_AGAIN not in text_of(driver, pair, "EXPIRED")


@pytest.mark.requirement("NAT-07")
def test_a_rejection_repeats_what_the_reviewer_said(driver: Driver, families: Families) -> None:
    pair = bound(driver, families, TIELING)
    review(driver, TIELING, pair.id, "REJECT", reason=BLURRED)
    text = text_of(driver, pair, "REJECTED")
    assert f"（原因：{BLURRED}）" in text
    assert "重新申请绑定" in text


@pytest.mark.requirement("NAT-07")
def test_an_end_says_which_side_made_it(driver: Driver, families: Families) -> None:
    for side, told_of in (("donor", "授权人已解除"), ("beneficiary", "使用人已解除")):
        pair = bound(driver, families, HOHHOT)
        end(driver, "citizen", getattr(pair, side), pair.id, reason=BLURRED)
        text = text_of(driver, pair)
        assert text.startswith(f"{told_of}共济关系。")
        assert APPLY_AGAIN in text


@pytest.mark.requirement("NAT-07")
def test_a_withdrawn_application_is_told_as_one(driver: Driver, families: Families) -> None:
    pair = bound(driver, families, TIELING)
    end(driver, "citizen", pair.donor, pair.id)
    assert text_of(driver, pair).startswith("授权人已撤回绑定申请。")


@pytest.mark.requirement("NAT-07")
def test_a_revocation_repeats_its_reason_and_invites_nobody(
    driver: Driver, families: Families
) -> None:
    pair = bound(driver, families, HOHHOT)
    end(driver, "agency", HOHHOT, pair.id, reason=FORGED)
    text = text_of(driver, pair)
    assert text.startswith(f"医保经办机构已撤销共济关系（原因：{FORGED}）。")
    assert APPLY_AGAIN not in text


@pytest.mark.requirement("NAT-07")
def test_a_donors_move_is_told_without_blaming_the_beneficiary(
    driver: Driver, families: Families
) -> None:
    pair = bound(driver, families, HOHHOT)
    restate(driver, pair.donor, enrolment(TIELING))
    entry = told(driver, pair.donor, pair.beneficiary)
    assert reasons(entry) == ["BENEFICIARY_OUT_OF_AREA"]
    assert entry.obstacles[0].text.startswith("双方参保地不在授权人参保地政策允许的范围内。")
    look(driver)
    text = text_of(driver, pair)
    assert text.startswith("双方参保地不在授权人参保地政策允许的范围内，共济关系已终止。")


@pytest.mark.requirement("NAT-07")
def test_a_death_is_told_as_one_before_and_after_it_ends_the_binding(
    driver: Driver, families: Families
) -> None:
    pair = bound(driver, families, HOHHOT)
    died_on = date_of(date(2025, 5, 1))
    known = enrolment(HOHHOT, insurance="RESIDENT")
    restate(driver, pair.beneficiary, known, died_on=died_on)
    entry = told(driver, pair.donor, pair.beneficiary)
    assert reasons(entry) == ["BENEFICIARY_DECEASED"]
    assert "参保缴费" not in entry.obstacles[0].text
    look(driver)
    text = text_of(driver, pair)
    assert text.startswith("授权人或使用人已登记死亡，共济关系已终止。")
    assert APPLY_AGAIN not in text
