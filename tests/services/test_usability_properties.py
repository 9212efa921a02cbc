"""The explanation and the till never differ, whatever the family."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from gongji.v1 import types_pb2
from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.errors import Refusal
from gongji_svc.domain.person import Enrolment, Period
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.names import enum_number
from gongji_svc.storage.database import Database
from gongji_svc.storage.person_reads import read_people
from tests.families import LAPSED, LONG_AGO, Families, Made
from tests.services.applications import BAOTOU, ENDED_INSURANCE, HOHHOT, TIELING, ULANQAB
from tests.services.driver import Driver
from tests.services.test_usability import (
    GUANGZHOU,
    INSURED_LATER,
    buy,
    change,
    enrol,
    reasons,
    strict_rules,
    told,
)
from tests.services.till import asked, request_of

FAMILIES = 100
SERVED = [HOHHOT, ULANQAB, TIELING, BAOTOU]
STANDINGS = [(Period(LONG_AGO),)] * 27 + [LAPSED, ENDED_INSURANCE, INSURED_LATER]
LIMITS = [Caps()] * 9 + [
    Caps(per_settlement_fen=0),
    Caps(per_day_fen=3_000),
    Caps(per_month_fen=3_000, per_year_fen=50_000),
]
EMPLOYEE, RESIDENT, LONG_TERM = Insurance


def made(families: Families, pick: Random) -> tuple[Made, Made]:
    """A donor and a relative: insured here or there, alive or not."""
    home = pick.choice(SERVED[:1] * 3 + SERVED)
    donor = families.person(
        pick.choice([home] * 29 + [GUANGZHOU]),
        home=home,
        balance_fen=pick.choice([None, 0, 3_000, 4_500, *[20_000] * 26]),
        insurance=pick.choice([EMPLOYEE] * 29 + [RESIDENT]),
        periods=pick.choice(STANDINGS),
    )
    insurance = pick.choice([RESIDENT] * 18 + [EMPLOYEE, LONG_TERM])
    child = families.person(
        pick.choice([home] * 20 + [*SERVED, GUANGZHOU]),
        home=home,
        balance_fen=pick.choice([None, 0, 500]),
        insurance=insurance,
        periods=pick.choice(STANDINGS),
    )
    if pick.random() < 0.3:
        other = RESIDENT if insurance is EMPLOYEE else EMPLOYEE
        enrol(families, child, other, pick.choice(SERVED))
    for one in (donor, child):
        if pick.random() < 0.03:
            change(families, "persons", one.person_id, died_on=LONG_AGO)
    return donor, child


def bind(driver: Driver, families: Families, pick: Random, donor: Made, child: Made) -> None:
    """A binding in any state, of any dates, uses and limits; at times one that came before it."""
    today, day = driver.office.today(), timedelta(days=1)
    state = pick.choice([BindingState.ACTIVE] * 35 + list(BindingState))
    binding_id = families.bind(donor, child, state=state, limits=pick.choice(LIMITS))
    others: list[dict[str, Any]] = [
        {"effective_from": today + day},
        {"effective_from": today, "effective_to": today},
        {"effective_to": today - day},
        {"uses": Jsonb(["PREMIUM"])},
    ]
    if pick.random() < 0.2:
        change(families, "bindings", binding_id, **pick.choice(others))
    if pick.random() < 0.2:
        over = pick.choice([BindingState.ACTIVE, BindingState.ENDED, BindingState.REJECTED])
        former = families.bind(donor, child, state=over)
        dates = {"effective_from": LONG_AGO, "effective_to": LONG_AGO + day}
        change(families, "bindings", former, **dates)


def till_takes(driver: Driver, families: Families, places: dict[str, str], child: Made) -> bool:
    """Whether a pharmacy where the relative is insured would now be paid with the donor's money."""
    with families.database.reader() as tx:
        person = read_people(tx, [child.person_id], families.sealer)[child.person_id]
    return any(taken_fen(driver, places[one.region], child, one) for one in person.enrolments)


def taken_fen(driver: Driver, code: str, child: Made, enrolment: Enrolment) -> int:
    """The donors' part of a purchase that no account of theirs could pay alone."""
    insurance = enum_number(types_pb2.Insurance, enrolment.insurance)
    fields = {"insurance": insurance, "insured_region": enrolment.region}
    request = asked(request_of(code, child, 90_000, **fields))
    try:
        preview = driver.call("pos", code, "SettlementService", "PreviewSettlement", request)
    except Refusal:
        return 0
    return int(preview.breakdown.mutual_aid_pay_fen)


@pytest.mark.requirement("NAT-07")
@pytest.mark.parametrize("strict", [False, True])
def test_what_is_explained_as_usable_is_what_a_till_takes(
    database: Database, tmp_path: Path, strict: bool
) -> None:
    families, driver = Families(database), Driver(database)
    if strict:
        driver.office.rulebook = strict_rules(tmp_path)
    families.item("000000", "XA01")
    places = {region: families.institution(region) for region in (*SERVED, GUANGZHOU)}
    seen: Counter[str] = Counter()
    for number in range(FAMILIES):
        pick = Random(number)  # noqa: S311 - the same families in every run
        donor, child = made(families, pick)
        bind(driver, families, pick, donor, child)
        if pick.random() < 0.3:
            with suppress(Refusal):
                buy(driver, families, child, 4_500)
        if donor.account_id is not None and pick.random() < 0.06:
            state = pick.choice(["FROZEN", "CLOSED"])
            change(families, "accounts", donor.account_id, state=state)
        entry = told(driver, donor, child)
        takes = till_takes(driver, families, places, child)
        assert entry.usable == takes, (number, reasons(entry))
        seen.update(reasons(entry) or ["USABLE"])
    assert seen["USABLE"] > FAMILIES // 5
    assert len(seen) > 12, seen
