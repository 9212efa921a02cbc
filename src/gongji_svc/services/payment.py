"""PaymentService: a relative's premium, paid from the account, answered by the tax authority."""

from typing import Any

COMMANDS: dict[str, Any] = {}
READS: dict[str, Any] = {}
