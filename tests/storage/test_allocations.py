"""Allocations in SQL: what is also written in Python means the same."""

from gongji_svc.storage import allocations
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id, region_of


def test_a_region_is_read_from_an_id_as_elsewhere(database: Database) -> None:
    regions = ("110000", "150100", "211200", "659001", "820000")
    ids = [new_id(region) for region in regions for _ in range(50)]
    formula = allocations.region_in("id")
    with database.connect() as tx:
        query = f"SELECT {formula} FROM unnest(%s::uuid[]) AS given (id)"  # noqa: S608  (ours)
        assert [found for (found,) in tx.execute(query.encode(), [ids])] == list(
            map(region_of, ids)
        )
