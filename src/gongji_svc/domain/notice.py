"""What a person is told when others move the person's money.

Rule (docs/decisions/notices.md): a notice is written in the transaction that moves the money, one a
leg, so that none is lost and none tells of what did not happen.
"""

from enum import StrEnum


class NoticeKind(StrEnum):
    """What a notice tells."""

    DEBIT = "DEBIT"  # the account paid for a relative
    REFUND = "REFUND"  # what it had paid came back to it
    REFUND_IN_SUSPENSE = "REFUND_IN_SUSPENSE"  # what came back waits at the agency
