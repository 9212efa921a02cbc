"""What a batch looks up before its locks, in the form for one server and in that for a cluster."""

import pytest

from gongji_svc.storage import ledger, packed
from gongji_svc.storage.database import Database
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
        lookups = [Lookups(accounts=(one,)) for one in (*accounts, new_id("150100"))]
        ledger.look_up(tx, state, lookups, by_region=by_region)
    assert state.owners == dict(zip(accounts, (near.person_id, far.person_id), strict=True))
