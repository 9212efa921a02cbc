"""Separation of duties: what one role decides no other does, and nobody decides what they began,
whichever role they come in.
"""

from collections.abc import Iterator

import pytest

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import SecondActorRequired
from gongji_svc.services import routes
from gongji_svc.services.access import grants_of
from gongji_svc.services.contract import METHODS
from gongji_svc.services.identity import DevelopmentTokens, issue_token
from gongji_svc.storage.database import Database
from tests.access.asked import request_of
from tests.access.side import Side
from tests.families import Families
from tests.services import account_work, premium_answers
from tests.services.applications import CLERK, TIELING, application, at_counter, create, relative_in
from tests.services.driver import Driver
from tests.services.premiums import driver_on

_KEY = b"a key that only these tests know, long enough for any algorithm that hashes"


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Iterator[Driver]:
    Families(shared_database).item("210000", "XA01")
    office = driver_on(shared_database)
    yield office
    office.close()


@pytest.fixture
def side(driver: Driver) -> Side:
    """A family in Tieling, where applications are reviewed."""
    return Side(driver, TIELING)


def changes(role: Role) -> set[str]:
    """The RPCs by which the role changes something."""
    return {
        method.name
        for method in METHODS
        if any(grants_of(Caller(role, ""), method))
        and method.path in {*routes.COMMANDS, *routes.BATCHES, *routes.UPLOADS}
    }


def test_an_auditor_reads_the_trail_and_nothing_else() -> None:
    granted = [one.name for one in METHODS if any(grants_of(Caller(Role.AUDIT, ""), one))]
    assert granted == ["ListAuditRecords"]


def test_nobody_but_an_auditor_reads_the_trail() -> None:
    [method] = [one for one in METHODS if one.name == "ListAuditRecords"]
    granted = [role for role in Role if any(grants_of(Caller(role, ""), method))]
    assert granted == [Role.AUDIT]


def test_agency_and_reviewer_share_one_change_the_end_of_a_binding() -> None:
    assert changes(Role.AGENCY) & changes(Role.REVIEWER) == {"EndBinding"}


def test_no_decision_is_that_of_the_role_that_asks() -> None:
    for asks, decides in (
        ("CreateBinding", "ReviewBinding"),
        ("RefundPremium", "DecidePremiumRefund"),
        ("PayPremium", "ConfirmPremium"),
    ):
        for role in Role:
            assert not {asks, decides} <= changes(role), (role, asks)


def test_a_token_names_one_role() -> None:
    for role in Role:
        token = issue_token(_KEY, Caller(role, TIELING, "s-1"), 60)
        _, caller = DevelopmentTokens(_KEY).read(token)
        assert caller.role is role


def test_who_proposes_an_adjustment_does_not_decide_it(side: Side) -> None:
    request = request_of("DecideAdjustment", side, "agency")
    with pytest.raises(SecondActorRequired):
        side.driver.call(
            "agency",
            TIELING,
            "AccountService",
            "DecideAdjustment",
            request,
            actor=account_work.CLERK,
        )


def test_a_clerk_who_is_a_reviewer_too_does_not_decide_what_they_took(side: Side) -> None:
    relative = relative_in(side.families, TIELING)
    asked = application(side.driver, side.donor, relative, region=TIELING)
    taken = create(side.driver, TIELING, at_counter(side.driver, asked, TIELING), role="counter")
    request = request_of("ReviewBinding", side, "reviewer")
    request.binding_id = taken.binding.binding_id
    with pytest.raises(SecondActorRequired):
        side.driver.call(
            "reviewer", TIELING, "BindingService", "ReviewBinding", request, actor=CLERK
        )


def test_a_clerk_who_is_an_official_too_does_not_grant_a_refund_they_asked_for(
    side: Side,
) -> None:
    premium_answers.refund(side.driver, TIELING, side.paid_id, role="counter")
    with pytest.raises(SecondActorRequired):
        premium_answers.decide(side.driver, side.paid_id, agency=TIELING, actor=CLERK)
