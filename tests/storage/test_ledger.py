"""What a batch looks up before its locks, in the form for one server and in that for a cluster."""

from datetime import UTC, datetime

import pytest

from gongji_svc.domain.hold import Hold, HoldState
from gongji_svc.storage import ledger, packed, tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.holds import hold_row
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.state import Lookups, State
from tests.families import Families


@pytest.mark.parametrize("by_region", [False, True])
def test_owners_of_accounts_are_found_whatever_region_keeps_them(
    database: Database, by_region: bool
) -> None:
    families = Families(database)
    near, far = (families.person(region, balance_fen=0) for region in ("150100", "150900"))
    accounts = [made.account_id for made in (near, far) if made.account_id is not None]
    state = State()
    with database.connect() as tx:
        packed.register(tx)
        named = (*accounts, new_id("150100"))
        lookups = [Lookups(owned=((tables.accounts, one),)) for one in named]
        ledger.look_up(tx, state, lookups, by_region=by_region)
    assert state.owners == dict(zip(accounts, (near.person_id, far.person_id), strict=True))


@pytest.mark.parametrize("by_region", [False, True])
def test_the_institutions_of_holds_are_found_with_their_owners(
    database: Database, by_region: bool
) -> None:
    families = Families(database)
    codes = [families.institution("150100"), families.institution("150900"), ""]
    holds = [held(families, code) for code in codes]
    state = State()
    with database.connect() as tx:
        packed.register(tx)
        lookups = [Lookups(owned=((tables.holds, hold.hold_id),)) for hold in holds]
        ledger.look_up(tx, state, lookups, by_region=by_region)
    assert state.owners == {hold.hold_id: hold.owner_id for hold in holds}
    assert state.institutions.keys() == set(codes) - {""}


def held(families: Families, code: str) -> Hold:
    """A hold of somebody's own money that is kept."""
    owner = families.person("150100", balance_fen=0)
    now = datetime.now(UTC)
    assert owner.account_id is not None
    hold = Hold(
        hold_id=new_id("150100"),
        account_id=owner.account_id,
        owner_id=owner.person_id,
        beneficiary_id=owner.person_id,
        binding_id=None,
        institution_code=code,
        amount_fen=1,
        captured_fen=0,
        state=HoldState.OPEN,
        counted_on=now.date(),
        household=False,
        created_at=now,
        expires_at=now,
    )
    families.write(("holds", hold_row(hold)))
    return hold
