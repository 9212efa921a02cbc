"""An account as its owner and staff see it.

Rule: an amount is never shown without how it comes about from the balance, and by which rule.
"""

from collections.abc import Iterable
from datetime import date

from gongji.v1 import account_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain.availability import Reckoned, available, without_rules, worded
from gongji_svc.domain.policy import Policy
from gongji_svc.services.days import timestamp
from gongji_svc.services.names import enum_number
from gongji_svc.services.office import Office
from gongji_svc.storage.accounts import account_from
from gongji_svc.storage.ids import made_at
from gongji_svc.storage.state import AccountRow


def account_message(
    office: Office, kept: AccountRow, owned: Iterable[AccountRow], today: date
) -> pb.Account:
    """An account with what can be used of it today; `owned` are all accounts of its owner.

    Where no rules hold nothing of it can be used, and no policy is named.
    """
    policy = office.find_policy(kept.pool_region, today)
    if policy is None:
        usable = without_rules(account_from(kept))
    else:
        usable = available(account_from(kept), [account_from(one) for one in owned], policy)
    return pb.Account(
        account_id=str(kept.id),
        person_id=str(kept.person_id),
        region=kept.pool_region,
        kind=enum_number(types_pb2.AccountKind, kept.kind),
        balance_fen=kept.balance_fen,
        held_fen=kept.held_fen,
        frozen_quota_fen=kept.frozen_quota_fen,
        spendable_fen=usable.spendable_fen,
        shareable_fen=usable.shareable_fen,
        why=[_step(one) for one in usable.why],
        state=enum_number(pb.AccountState, kept.state),
        seq=kept.seq,
        state_reason=kept.state_reason,
        opened_at=timestamp(made_at(kept.id)),
        closed_at=None if kept.closed_at is None else timestamp(kept.closed_at),
        policy=None if policy is None else _policy_ref(policy),
    )


def region_name(office: Office, region: str, day: date) -> str:
    """What a region is called; its code where no rules name it on that day."""
    policy = office.find_policy(region, day)
    return region if policy is None else policy.region_name


def _policy_ref(policy: Policy) -> types_pb2.PolicyRef:
    return types_pb2.PolicyRef(region=policy.region, blocks=policy.blocks, digest=policy.digest)


def _step(reckoned: Reckoned) -> types_pb2.ExplanationStep:
    chinese, english = worded(reckoned)
    return types_pb2.ExplanationStep(
        rule=reckoned.part.value,
        text=chinese,
        text_en=english,
        amount_fen=reckoned.amount_fen,
        source=reckoned.source,
    )
