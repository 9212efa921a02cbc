"""Money in suspense: dealt with once, and told account by account."""

import pytest

from gongji_svc.domain.errors import SuspenseResolved
from gongji_svc.domain.journal import Line, Side
from gongji_svc.domain.suspense import SuspenseState, resolved, suspense_line
from gongji_svc.storage.ids import new_id


def test_an_item_is_dealt_with_once() -> None:
    assert resolved(SuspenseState.OPEN) is SuspenseState.RESOLVED
    with pytest.raises(SuspenseResolved):
        resolved(SuspenseState.RESOLVED)


def test_a_line_in_suspense_names_the_closed_account() -> None:
    account_id = new_id("150100")
    expected = Line("150100", Side.SUSPENSE, str(account_id), 5)
    assert suspense_line("150100", account_id, 5) == expected
