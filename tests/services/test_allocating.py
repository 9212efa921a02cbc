"""Rows of allocations: what is taken without a second look is what the contract allows."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gongji_svc.services.allocating import PLAIN, copied, looked_at
from gongji_svc.services.rows import Record
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.sealing import Sealer
from tests.families import KEYS

HOHHOT = "150100"


@settings(deadline=None, max_examples=200)
@given(
    st.fixed_dictionaries(
        {name: st.from_regex(pattern, fullmatch=True) for name, pattern in PLAIN.items()}
    ),
    st.booleans(),
)
def test_what_needs_no_second_look_would_pass_it_unchanged(
    cells: dict[str, str], by_id: bool
) -> None:
    usual = {"account_id": str(new_id(HOHHOT)), "certificate_number": "150199198001010013"}
    named, other = ("account_id", "certificate_number")[:: 1 if by_id else -1]
    cells = {**cells, named: cells[named] or usual[named], other: "", "memo": cells["memo"].strip()}
    sealer = Sealer(KEYS)
    looked = looked_at(Record(2, cells))
    assert copied(looked, sealer) == copied(cells, sealer)
