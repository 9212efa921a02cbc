"""The demo's page: whoever reads it can call for everybody and every place of the demo."""

from pathlib import Path

import pytest

from gongji_svc.demo import data
from gongji_svc.demo.data import DemoInstitution, DemoPerson
from gongji_svc.domain.money import yuan

_PAGE = (Path(__file__).parents[2] / "docs" / "demo.md").read_text(encoding="utf-8")
_NAMES = {one.key: one.name for one in data.PEOPLE}


def row_of(code: str) -> list[str]:
    """The cells of the table row that `code` names."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in _PAGE.splitlines()
        if line.startswith("|") and f"`{code}`" in line
    ]
    assert len(rows) == 1, f"{code}: {len(rows)} rows in docs/demo.md"
    return rows[0]


def payers(person: DemoPerson) -> list[str]:
    """Who pays for `person`, in order, as the page says it."""
    own = ["own account"] if person.balance_fen is not None else []
    donors = [_NAMES[one.donor] for one in data.BINDINGS if one.beneficiary == person.key]
    return own + donors or ["cash only"]


@pytest.mark.parametrize("person", data.PEOPLE, ids=lambda person: person.key)
def test_the_page_tells_all_about_each_person(person: DemoPerson) -> None:
    kind = f"EMPLOYEE {person.person_type}" if person.insurance == "EMPLOYEE" else "RESIDENT"
    assert row_of(person.card_no) == [
        person.name,
        person.region,
        kind,
        f"`{person.card_no}`",
        f"`{person.certificate_number}`",
        "no account" if person.balance_fen is None else yuan(person.balance_fen),
        ", ".join(payers(person)),
    ]


@pytest.mark.parametrize("place", data.INSTITUTIONS, ids=lambda place: place.code)
def test_the_page_tells_all_about_each_institution(place: DemoInstitution) -> None:
    told = [f"`{place.code}`", place.name, place.region, place.kind, place.level, place.status]
    assert row_of(place.code) == told
