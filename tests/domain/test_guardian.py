"""Who may act for somebody else, and until when."""

from datetime import date
from uuid import UUID

import pytest

from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.domain.person import Person

GUARDIAN, WARD = UUID(int=1), UUID(int=2)
BORN = date(2008, 2, 29)
PARENT, REGISTERED = GuardianKind.PARENT, GuardianKind.REGISTERED


@pytest.mark.parametrize(
    ("guardian", "day", "acts"),
    [
        (Guardian(GUARDIAN, PARENT), date(2026, 2, 27), True),
        (Guardian(GUARDIAN, PARENT), date(2026, 2, 28), False),  # of age
        (Guardian(GUARDIAN, REGISTERED), date(2036, 1, 1), True),
        (Guardian(GUARDIAN, REGISTERED, date(2030, 1, 1)), date(2029, 12, 31), False),
        (Guardian(GUARDIAN, REGISTERED, to=date(2030, 1, 1)), date(2030, 1, 1), True),
        (Guardian(GUARDIAN, REGISTERED, to=date(2030, 1, 1)), date(2030, 1, 2), False),
    ],
)
def test_a_guardian_acts_while_the_guardianship_runs(
    guardian: Guardian, day: date, acts: bool
) -> None:
    ward = Person(WARD, birth_date=BORN, guardians=(guardian,))
    assert ward.has_guardian(GUARDIAN, day) is acts


def test_nobody_else_is_a_guardian() -> None:
    ward = Person(WARD, birth_date=BORN, guardians=(Guardian(GUARDIAN),))
    assert not ward.has_guardian(WARD, date(2020, 1, 1))
