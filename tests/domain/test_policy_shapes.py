"""Rules of other places are data too: their shapes load and are read back as typed values."""

from collections.abc import Mapping
from datetime import date

import pytest

from gongji_svc.domain.calendar import Span
from gongji_svc.domain.policy_values import Caps, MonthDay, Window
from gongji_svc.domain.terms import (
    AccountKind,
    Area,
    Confirmation,
    Order,
    PremiumRefundTo,
    Relation,
)
from tests.domain.builders import policy

EIGHT = ["SPOUSE", "PARENT", "CHILD", "SIBLING", "GRANDPARENT", "GRANDCHILD"]

SHAPES: list[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
    (
        "Shanxi keeps a reserve, takes one donor, and admits nobody publicly funded",
        {
            "accounts.reserve_fen": 100_000,
            "order.single_donor": True,
            "donor.publicly_funded": False,
            "binding.start_date_required": True,
            "binding.end_date_required": True,
        },
        {"reserve_fen": 100_000, "single_donor": True, "donor_publicly_funded": False},
    ),
    (
        "Hubei lets the last bound donor pay first and locks for three months",
        {"order.kind": "BINDING_TIME_DESC", "binding.unbinding_lock": {"months": 3}},
        {"order": Order.BINDING_TIME_DESC, "unbinding_lock": Span(months=3)},
    ),
    (
        "Hunan counts ten at once, twenty in a lifetime, and refunds premiums until June",
        {
            "relations.allowed": EIGHT,
            "members.at_once": 10,
            "members.lifetime": 20,
            "premium.refund_until": {"month": 6, "day": 30},
            "premium.refund_approval": True,
        },
        {
            "relations": frozenset(Relation),
            "members_lifetime": 20,
            "premium_refund_until": MonthDay(6, 30),
        },
    ),
    (
        "Beijing lets people change the order of filing",
        {"order.editable": True, "members.at_once": "NONE"},
        {"order": Order.USER_PRIORITY, "order_editable": True, "members_at_once": None},
    ),
    (
        "Shanghai shares past years only",
        {"accounts.donor_kinds": ["PAST_YEARS"], "accounts.own_kinds": ["PAST_YEARS"]},
        {"donor_account_kinds": (AccountKind.PAST_YEARS,)},
    ),
    (
        "Zhejiang parts the years and moves what is left at their turn",
        {
            "accounts.own_kinds": ["CURRENT_YEAR", "PAST_YEARS"],
            "accounts.donor_kinds": ["PAST_YEARS"],
            "accounts.year_end_move": True,
        },
        {"donor_account_kinds": (AccountKind.PAST_YEARS,), "year_end_move": True},
    ),
    (
        "Wenzhou takes donors of the same region first and one donor a person",
        {"order.same_pool_first": True, "members.donors_at_once": 1, "members.one_role_only": True},
        {"same_pool_first": True, "donors_at_once": 1, "one_role_only": True},
    ),
    (
        "Heilongjiang waits thirty days before binding again",
        {"binding.rebinding_lock": {"days": 30}},
        {"rebinding_lock": Span(days=30)},
    ),
    (
        "Tai'an caps the whole household, counts by relation and checks faces",
        {
            "caps.household": {"per_year_fen": 500_000},
            "members.by_relation": {"PARENT": 2, "SPOUSE": 1},
            "binding.confirmations": ["FACE_CHECK"],
            "binding.relatives_visible": True,
        },
        {
            "household_caps": Caps(per_year_fen=500_000),
            "members_by_relation": {Relation.PARENT: 2, Relation.SPOUSE: 1},
            "confirmations": frozenset({Confirmation.FACE_CHECK}),
        },
    ),
    (
        "a threshold, caps a day and a month, and an end that acts the next day",
        {
            "accounts.threshold_fen": 50_000,
            "caps.member": {"per_day_fen": 500_000, "per_month_fen": 900_000},
            "binding.unbinding_effect": "NEXT_DAY",
        },
        {
            "threshold_fen": 50_000,
            "member_caps": Caps(per_day_fen=500_000, per_month_fen=900_000),
        },
    ),
    (
        "premiums: a late full payment, maintenance, and refunds to a bank",
        {
            "premium.late_payable_fen": {"2025": 107_000},
            "premium.maintenance": {"from": date(2025, 1, 1), "to": date(2025, 1, 3)},
            "premium.refund_to": "BANK",
        },
        {
            "premium_late_payable_fen": {2025: 107_000},
            "premium_maintenance": Window(date(2025, 1, 1), date(2025, 1, 3)),
            "premium_refund_to": PremiumRefundTo.BANK,
        },
    ),
    (
        "wallets between provinces",
        {
            "beneficiary.area": "NATION",
            "wallet.transfers_per_day": 3,
            "wallet.transfer_max_fen": 200_000,
            "wallet.closed_from_hour": 22,
            "wallet.closed_until_hour": 6,
        },
        {
            "beneficiary_area": Area.NATION,
            "wallet_transfers_per_day": 3,
            "wallet_transfer_max_fen": 200_000,
        },
    ),
]


@pytest.mark.parametrize(
    ("stated", "read"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES]
)
def test_the_shape_of_another_places_rules_is_data(
    stated: Mapping[str, object], read: Mapping[str, object]
) -> None:
    made = policy(stated, region="990100")
    assert {name: getattr(made, name) for name in read} == read
    assert set(read) - set(made.sources) <= {"order"}
