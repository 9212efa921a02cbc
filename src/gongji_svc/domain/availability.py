"""What of an account its owner can spend and relatives can use, reckoned step by step.

Rule: each reduction takes an amount (fen) away and says by what; the steps between balance and
result add up. Relatives take from the accounts of a person in the policy's order of kinds, as at a
till, so what they can use of each account adds up to what they can use of all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gongji_svc.domain.money import yuan
from gongji_svc.domain.person import Account
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import AccountState
from gongji_svc.domain.usability import Why, shareable


class Reduction(StrEnum):
    """What takes an amount away."""

    HELD = "HELD"
    FROZEN_QUOTA = "FROZEN_QUOTA"
    FROZEN = "FROZEN"
    KIND_NOT_OWN = "KIND_NOT_OWN"
    KIND_NOT_SHARED = "KIND_NOT_SHARED"
    BELOW_THRESHOLD = "BELOW_THRESHOLD"
    RESERVE = "RESERVE"
    NO_RULES = "NO_RULES"


@dataclass(frozen=True, slots=True)
class Reduced:
    """One reduction: how much it takes, and where its rule stands."""

    reduction: Reduction
    amount_fen: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Available:
    """What the owner and what relatives can use of an account, in fen, and why no more."""

    spendable_fen: int
    shareable_fen: int
    why: tuple[Reduced, ...] = ()


def available(account: Account, accounts: Sequence[Account], policy: Policy) -> Available:
    """What of `account` can be used; `accounts` are all of its owner's."""
    free_fen = account.spendable_fen
    spendable_fen = free_fen if account.kind in policy.own_account_kinds else 0
    shareable_fen = _shareable_fen(account, accounts, policy)
    why = [*_set_aside(account)]
    if spendable_fen < free_fen:
        why.append(_by(policy, Reduction.KIND_NOT_OWN, free_fen, "own_account_kinds"))
    if shareable_fen < free_fen:
        kept_fen = free_fen - shareable_fen
        why.append(_kept_from_relatives(account, accounts, policy, kept_fen))
    return Available(spendable_fen, shareable_fen, tuple(why))


def without_rules(account: Account) -> Available:
    """What can be used of an account where no rules hold: nothing."""
    why = [*_set_aside(account)]
    if account.spendable_fen:
        why.append(Reduced(Reduction.NO_RULES, account.spendable_fen))
    return Available(0, 0, tuple(why))


def _shareable_fen(account: Account, accounts: Sequence[Account], policy: Policy) -> int:
    left_fen = shareable(accounts, policy).amount_fen
    for kind in policy.donor_account_kinds:
        for one in accounts:
            if one.kind is not kind:
                continue
            taken_fen = min(left_fen, one.spendable_fen)
            if one == account:
                return taken_fen
            left_fen -= taken_fen
    return 0


def _set_aside(account: Account) -> Iterator[Reduced]:
    """What neither the owner nor relatives can use."""
    unheld_fen = account.balance_fen - account.held_fen
    quota_fen = min(account.frozen_quota_fen, unheld_fen)
    if account.held_fen:
        yield Reduced(Reduction.HELD, account.held_fen)
    if quota_fen:
        yield Reduced(Reduction.FROZEN_QUOTA, quota_fen)
    if account.state is AccountState.FROZEN:
        yield Reduced(Reduction.FROZEN, unheld_fen - quota_fen)


def _kept_from_relatives(
    account: Account, accounts: Sequence[Account], policy: Policy, kept_fen: int
) -> Reduced:
    if account.kind not in policy.donor_account_kinds:
        return _by(policy, Reduction.KIND_NOT_SHARED, kept_fen, "donor_account_kinds")
    if shareable(accounts, policy).why is Why.BELOW_THRESHOLD:
        return _by(policy, Reduction.BELOW_THRESHOLD, kept_fen, "threshold_fen")
    return _by(policy, Reduction.RESERVE, kept_fen, "reserve_fen")


def _by(policy: Policy, reduction: Reduction, amount_fen: int, rule: str) -> Reduced:
    return Reduced(reduction, amount_fen, policy.source_of(rule))


_WORDS: Mapping[Reduction, tuple[str, str]] = {
    Reduction.HELD: ("已预留{amount}元，预留解除前不能使用", "{amount} yuan are held"),
    Reduction.FROZEN_QUOTA: (
        "已划为共济额度{amount}元",
        "{amount} yuan are frozen as quota for relatives",
    ),
    Reduction.FROZEN: (
        "账户已冻结，{amount}元不能使用",
        "the account is frozen: {amount} yuan",
    ),
    Reduction.KIND_NOT_OWN: (
        "此类账户不能用于本人支付：{amount}元",
        "the owner cannot pay with this kind of account: {amount} yuan",
    ),
    Reduction.KIND_NOT_SHARED: (
        "此类账户不能用于亲属共济：{amount}元",
        "relatives cannot use this kind of account: {amount} yuan",
    ),
    Reduction.BELOW_THRESHOLD: (
        "账户余额未达到起用线，亲属不能使用其中{amount}元",
        "the balance is below the threshold: relatives cannot use {amount} yuan",
    ),
    Reduction.RESERVE: (
        "按规定留存{amount}元，亲属不能使用",
        "{amount} yuan stay as reserve and are not for relatives",
    ),
    Reduction.NO_RULES: (
        "统筹区没有生效的政策，{amount}元暂不能使用",
        "no rules of the region are in force: {amount} yuan cannot be used",
    ),
}


def reduction_worded(reduced: Reduced) -> tuple[str, str]:
    """One reduction in Chinese and in English."""
    chinese, english = _WORDS[reduced.reduction]
    amount = yuan(reduced.amount_fen)
    return chinese.format(amount=amount), english.format(amount=amount)
