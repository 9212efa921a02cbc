"""The outbox of notices: what is to be told to whom.

Rule: a notice lies in the home region of the person it is for; `taken_at` is whose sends it.
"""

from datetime import datetime
from uuid import UUID

from gongji_svc.domain.notice import NoticeKind
from gongji_svc.domain.waterfall import Leg
from gongji_svc.storage import tables
from gongji_svc.storage.ids import new_id, region_of
from gongji_svc.storage.state import TableRow


def notice_row(kind: NoticeKind, leg: Leg, source_id: UUID, at: datetime) -> TableRow:
    """The notice that a leg of `source_id` moved money, for the owner of its account."""
    return notice(kind, leg.person_id, leg.binding_id, leg.amount_fen, source_id, at)


def notice(
    kind: NoticeKind,
    person_id: UUID,
    binding_id: UUID | None,
    amount_fen: int,
    source_id: UUID,
    at: datetime,
) -> TableRow:
    """The notice to a person that `source_id` moved the person's money."""
    region = region_of(person_id)
    return tables.notices, (
        region,
        new_id(region),
        person_id,
        kind.value,
        source_id,
        binding_id,
        amount_fen,
        at,
        None,
    )
