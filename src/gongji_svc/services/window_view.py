"""Clearing windows and positions as the contract shows them, and the open window as it stands.

Rule: a closed window is shown as it was closed; an open one is summed when it is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from gongji.v1 import access_pb2, types_pb2
from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain.position import Position, PositionKind, net_fen, payable_fen
from gongji_svc.domain.reconciliation import Totals
from gongji_svc.domain.window import WindowState
from gongji_svc.services.days import date_of, timestamp
from gongji_svc.services.names import enum_number
from gongji_svc.storage.windows import By, Days, WindowRow


def window_of(days: Days, totals: Totals, positions: Sequence[Position]) -> WindowRow:
    """The open window of these days with what its sums come to."""
    return WindowRow(
        region=days.region,
        id=days.window_id,
        first_day=days.first_day,
        last_day=days.last_day,
        state=WindowState.OPEN,
        totals=totals,
        payable_fen=payable_fen(positions),
        net_fen=net_fen(positions),
    )


def window_message(window: WindowRow, open_differences: int) -> pb.Window:
    """A window, with how many differences of its days are not put right."""
    return pb.Window(
        window_id=str(window.id),
        region=window.region,
        first_day=date_of(window.first_day),
        last_day=date_of(window.last_day),
        state=enum_number(pb.WindowState, window.state),
        totals=pb.Totals(**asdict(window.totals)),
        payable_fen=window.payable_fen,
        net_fen=window.net_fen,
        open_differences=open_differences,
        closed_at=_moment(window.closed_at),
        closed_by=_actor(window.closed_by),
        confirmed_at=_moment(window.confirmed_at),
        confirmed_by=_actor(window.confirmed_by),
        settled_at=_moment(window.settled_at),
        settled_by=_actor(window.settled_by),
        payment_reference=window.payment_reference,
    )


def position_message(position: Position, names: Mapping[str, str]) -> pb.Position:
    """A position; `names` are those of institutions and regions by their codes."""
    institution = position.kind is PositionKind.INSTITUTION
    return pb.Position(
        kind=enum_number(pb.PositionKind, position.kind),
        institution_code=position.code if institution else "",
        counter_region="" if institution else position.code,
        name=names.get(position.code, ""),
        payable_fen=position.payable_fen,
        receivable_fen=position.receivable_fen,
        net_fen=position.net_fen,
        journals=position.journals,
        fund_fen=position.fund_fen,
        account_fen=position.account_fen,
    )


def _moment(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else timestamp(moment)


def _actor(kept: By) -> types_pb2.Actor | None:
    """Who did it; a worker of this program has no role."""
    if not kept:
        return None
    role = enum_number(access_pb2.Role, kept["role"].upper() or "UNSPECIFIED")
    return types_pb2.Actor(role=role, subject=kept["subject"], actor=kept["actor"])
