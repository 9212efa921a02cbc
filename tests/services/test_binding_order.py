"""CreateBinding: the place in the beneficiary's order, and applications at the same time."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.engine import Answered, Engine, Outcome
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.applications import (
    DAY,
    HOHHOT,
    SERVICE,
    ULANQAB,
    application,
    create,
    donor_in,
    relative_in,
)
from tests.services.driver import Driver


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


def order_of(driver: Driver, beneficiary: Made) -> list[str]:
    """The donors in the beneficiary's order; the ranks are 1, 2, 3 ... without gaps."""
    request = pb.ListBindingsRequest(beneficiary_id=str(beneficiary))
    found = driver.call("citizen", beneficiary, SERVICE, "ListBindings", request).bindings
    ranks = {binding.rank: binding.donor_id for binding in found}
    assert sorted(ranks) == list(range(1, len(found) + 1))
    return [ranks[rank] for rank in sorted(ranks)]


@pytest.mark.requirement("ULQ-11")
@pytest.mark.parametrize(
    ("ranks", "order"),
    [
        ([None, None, None], [0, 1, 2]),
        ([None, 1, 1], [2, 1, 0]),
        ([None, None, 2], [0, 2, 1]),
        ([None, 1000, None], [0, 1, 2]),
    ],
)
def test_a_new_donor_stands_where_asked_and_later_ones_move_down(
    driver: Driver, families: Families, ranks: Sequence[int | None], order: Sequence[int]
) -> None:
    mother = relative_in(families, ULANQAB)
    donors = [donor_in(families, ULANQAB) for _ in ranks]
    for donor, rank in zip(donors, ranks, strict=True):
        create(driver, donor, application(driver, donor, mother, region=ULANQAB, rank=rank))
    assert order_of(driver, mother) == [str(donors[number]) for number in order]


def test_a_rank_below_one_is_a_field_error(driver: Driver, families: Families) -> None:
    donor, mother = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    with pytest.raises(errors.InvalidField) as refused:
        create(driver, donor, application(driver, donor, mother, region=ULANQAB, rank=0))
    assert refused.value.violations[0].field == "rank"


@pytest.mark.requirement("HOH-05")
def test_of_two_applications_at_once_for_the_last_place_one_wins(
    driver: Driver, families: Families
) -> None:
    donor = donor_in(families, HOHHOT)
    for _ in range(5):
        families.bind(donor, relative_in(families, HOHHOT))
    children = [relative_in(families, HOHHOT) for _ in range(4)]
    requests = [application(driver, donor, child, region=HOHHOT) for child in children]
    refused = at_once(
        [lambda request=request: create(driver, donor, request) for request in requests]  # type: ignore[misc]  # mypy can't infer a lambda's default
    )
    assert refused == [errors.DonorMembersExceeded] * 3


@pytest.mark.requirement("HOH-05")
def test_of_two_applications_in_one_batch_for_the_last_place_the_first_wins(
    driver: Driver, shared_database: Database, families: Families
) -> None:
    donor = donor_in(families, HOHHOT)
    for _ in range(5):
        families.bind(donor, relative_in(families, HOHHOT))
    children = [relative_in(families, HOHHOT) for _ in range(2)]
    outcomes = in_one_batch(
        driver,
        shared_database,
        donor,
        [application(driver, donor, child, region=HOHHOT) for child in children],
    )
    assert isinstance(outcomes[0], Answered)
    assert isinstance(outcomes[1], errors.DonorMembersExceeded)


@pytest.mark.requirement("HOH-16")
def test_repeats_at_once_make_one_binding(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    request = application(driver, donor, child, region=HOHHOT)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: create(driver, donor, request), range(6)))
    assert len({answer.binding.binding_id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


def test_donors_that_bind_one_person_at_once_get_ranks_of_their_own(
    driver: Driver, families: Families
) -> None:
    mother = relative_in(families, ULANQAB)
    donors = [donor_in(families, ULANQAB) for _ in range(6)]
    requests = [application(driver, donor, mother, region=ULANQAB, rank=1) for donor in donors]
    pairs = zip(donors, requests, strict=True)
    refused = at_once(
        [lambda pair=pair: create(driver, *pair) for pair in pairs]  # type: ignore[misc]  # mypy can't infer a lambda's default
    )
    assert refused == []
    assert set(order_of(driver, mother)) == {str(donor) for donor in donors}


def test_two_people_who_bind_each_other_at_once_do_not_block_each_other(
    driver: Driver, families: Families
) -> None:
    couples = [[donor_in(families, ULANQAB) for _ in range(2)] for _ in range(4)]
    pairs = [pair for left, right in couples for pair in ((left, right), (right, left))]
    requests = [application(driver, donor, other, region=ULANQAB) for donor, other in pairs]
    calls = zip([donor for donor, _ in pairs], requests, strict=True)
    refused = at_once(
        [lambda call=call: create(driver, *call) for call in calls]  # type: ignore[misc]  # mypy can't infer a lambda's default
    )
    assert refused == []


def at_once(calls: Sequence[Callable[[], object]]) -> list[type[errors.Refusal]]:
    """Make all calls at the same time; the refusals among their answers."""

    def outcome(call: Callable[[], object]) -> type[errors.Refusal] | None:
        try:
            call()
        except errors.Refusal as refusal:
            return type(refusal)
        return None

    with ThreadPoolExecutor(len(calls)) as pool:
        return [refused for refused in pool.map(outcome, calls) if refused is not None]


def in_one_batch(
    driver: Driver, database: Database, donor: Made, requests: Sequence[pb.CreateBindingRequest]
) -> list[Outcome]:
    """What the engine makes of the donor's applications when they come together."""
    method = method_of(SERVICE, "CreateBinding")
    caller = Caller(Role.CITIZEN, str(donor))
    commands = [
        routes.read_command(
            driver.office, method, caller, request.SerializeToString(), time.time() + 30
        )
        for request in requests
    ]
    engine = Engine(database, driver.office.clock_offset)
    try:
        return engine.run(commands)
    finally:
        engine.close()
