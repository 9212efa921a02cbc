"""Positions: what a region owes and has to get."""

from gongji_svc.domain.position import Position, PositionKind, net_fen, payable_fen


def position(
    payable: int, receivable: int, fund: int = 0, kind: PositionKind = PositionKind.REGION
) -> Position:
    return Position(kind, "x", payable, receivable, fund, 1)


def test_a_net_is_what_is_to_get_less_what_is_to_pay() -> None:
    assert position(300, 500).net_fen == 200


def test_a_net_is_fund_money_and_money_of_accounts() -> None:
    one = position(300, 500, fund=-50)
    assert one.fund_fen + one.account_fen == one.net_fen


def test_what_came_back_beyond_what_was_paid_stands_on_the_other_side() -> None:
    turned = position(-300, 500).from_zero()
    assert (turned.payable_fen, turned.receivable_fen, turned.net_fen) == (0, 800, 800)


def test_the_two_sides_of_a_pair_stay_mirrored() -> None:
    for payable, receivable in ((5, 7), (-5, 7), (5, -7), (-5, -7)):
        one = position(payable, receivable).from_zero()
        other = position(receivable, payable).from_zero()
        assert (one.payable_fen, one.receivable_fen) == (other.receivable_fen, other.payable_fen)


def test_a_window_pays_its_institutions_and_nets_the_regions() -> None:
    institution = PositionKind.INSTITUTION
    positions = [position(300, 0, kind=institution), position(0, 50, kind=institution)]
    positions.append(position(10, 70))
    assert payable_fen(positions) == 250
    assert net_fen(positions) == 60
