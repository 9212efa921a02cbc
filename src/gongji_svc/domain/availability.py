"""What of an account its owner can spend and relatives can use, reckoned step by step.

Rule: each reduction takes an amount (fen) away and says by what; the steps from the balance to the
owner's part and to the relatives' add up, and are told also where nothing is taken away. Relatives
take from the accounts of a person in the policy's order of kinds, as at a till, so what they can
use of each account adds up to what they can use of all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gongji_svc.domain.money import yuan
from gongji_svc.domain.person import Account
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import AccountState
from gongji_svc.domain.usability import Why, shareable


class Part(StrEnum):
    """A part of the reckoning: one of its three sums, or what takes an amount away."""

    BALANCE = "BALANCE"
    HELD = "HELD"
    FROZEN_QUOTA = "FROZEN_QUOTA"
    FROZEN = "FROZEN"
    CLOSED = "CLOSED"
    NO_RULES = "NO_RULES"
    KIND_NOT_OWN = "KIND_NOT_OWN"
    SPENDABLE = "SPENDABLE"
    KIND_NOT_SHARED = "KIND_NOT_SHARED"
    BELOW_THRESHOLD = "BELOW_THRESHOLD"
    RESERVE = "RESERVE"
    SHAREABLE = "SHAREABLE"


@dataclass(frozen=True, slots=True)
class Reckoned:
    """One step: the sum or how much is taken away (fen), and where its rule stands."""

    part: Part
    amount_fen: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Available:
    """What the owner and what relatives can use of an account, in fen, and why no more."""

    spendable_fen: int
    shareable_fen: int
    why: tuple[Reckoned, ...]


def available(account: Account, accounts: Sequence[Account], policy: Policy) -> Available:
    """What of `account` can be used; `accounts` are all of its owner's."""
    free_fen = account.spendable_fen
    spendable_fen = free_fen if account.kind in policy.own_account_kinds else 0
    shareable_fen = _shareable_fen(account, accounts, policy)
    why = [*_set_aside(account)]
    if spendable_fen < free_fen:
        why.append(_by(policy, Part.KIND_NOT_OWN, free_fen, "own_account_kinds"))
    why.append(_by(policy, Part.SPENDABLE, spendable_fen, "own_account_kinds"))
    if shareable_fen < free_fen:
        kept_fen = free_fen - shareable_fen
        why.append(_kept_from_relatives(account, accounts, policy, kept_fen))
    why.append(_by(policy, Part.SHAREABLE, shareable_fen, "donor_account_kinds"))
    return Available(spendable_fen, shareable_fen, tuple(why))


def without_rules(account: Account) -> Available:
    """What can be used of an account where no rules hold: nothing."""
    without = Reckoned(Part.NO_RULES, account.spendable_fen)
    nothing = Reckoned(Part.SPENDABLE, 0), Reckoned(Part.SHAREABLE, 0)
    return Available(0, 0, (*_set_aside(account), without, *nothing))


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


def _set_aside(account: Account) -> Iterator[Reckoned]:
    """The balance, and what of it neither the owner nor relatives can use."""
    unheld_fen = account.balance_fen - account.held_fen
    quota_fen = min(account.frozen_quota_fen, unheld_fen)
    yield Reckoned(Part.BALANCE, account.balance_fen)
    if account.held_fen:
        yield Reckoned(Part.HELD, account.held_fen)
    if quota_fen:
        yield Reckoned(Part.FROZEN_QUOTA, quota_fen)
    if account.state is not AccountState.OPEN:
        yield Reckoned(Part(account.state.value), unheld_fen - quota_fen)


def _kept_from_relatives(
    account: Account, accounts: Sequence[Account], policy: Policy, kept_fen: int
) -> Reckoned:
    if account.kind not in policy.donor_account_kinds:
        return _by(policy, Part.KIND_NOT_SHARED, kept_fen, "donor_account_kinds")
    if shareable(accounts, policy).why is Why.BELOW_THRESHOLD:
        return _by(policy, Part.BELOW_THRESHOLD, kept_fen, "threshold_fen")
    return _by(policy, Part.RESERVE, kept_fen, "reserve_fen")


def _by(policy: Policy, part: Part, amount_fen: int, rule: str) -> Reckoned:
    return Reckoned(part, amount_fen, policy.source_of(rule))


_WORDS: Mapping[Part, tuple[str, str]] = {
    Part.BALANCE: ("账户余额{amount}元", "the balance is {amount} yuan"),
    Part.HELD: ("已预留{amount}元，预留解除前不能使用", "{amount} yuan are held"),
    Part.FROZEN_QUOTA: (
        "已划为共济额度{amount}元",
        "{amount} yuan are frozen as quota for relatives",
    ),
    Part.FROZEN: (
        "账户已冻结，{amount}元不能使用，可向医保经办机构申请解冻",
        "the account is frozen: {amount} yuan cannot be used",
    ),
    Part.CLOSED: ("账户已注销，不能再使用", "the account is closed and cannot be used"),
    Part.KIND_NOT_OWN: (
        "此类账户不能用于本人支付：{amount}元",
        "the owner cannot pay with this kind of account: {amount} yuan",
    ),
    Part.SPENDABLE: ("本人可用{amount}元", "the owner can spend {amount} yuan"),
    Part.KIND_NOT_SHARED: (
        "此类账户不能用于亲属共济：{amount}元",
        "relatives cannot use this kind of account: {amount} yuan",
    ),
    Part.BELOW_THRESHOLD: (
        "账户余额未达到起用线，亲属不能使用其中{amount}元",
        "the balance is below the threshold: relatives cannot use {amount} yuan",
    ),
    Part.RESERVE: (
        "按规定留存{amount}元，亲属不能使用",
        "{amount} yuan stay as reserve and are not for relatives",
    ),
    Part.SHAREABLE: ("亲属可共济{amount}元", "relatives can use {amount} yuan"),
    Part.NO_RULES: (
        "统筹区没有生效的政策，{amount}元暂不能使用",
        "no rules of the region are in force: {amount} yuan cannot be used",
    ),
}


def worded(step: Reckoned) -> tuple[str, str]:
    """One step in Chinese and in English."""
    chinese, english = _WORDS[step.part]
    amount = yuan(step.amount_fen)
    return chinese.format(amount=amount), english.format(amount=amount)
