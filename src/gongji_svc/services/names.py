"""Between the contract's enums and the domain's: the same names, with and without the prefix."""

from functools import cache
from typing import Any


@cache
def _prefix(enum: Any) -> str:
    """SETTLEMENT_STATE_ for the enum SettlementState, as its zeroth value tells."""
    return str(enum.Name(0)).removesuffix("UNSPECIFIED")


@cache
def enum_name(enum: Any, number: int) -> str:
    """The domain's name of a contract value."""
    return str(enum.Name(number)).removeprefix(_prefix(enum))


@cache
def enum_number(enum: Any, name: str) -> Any:
    """The contract's value of a domain name."""
    return enum.Value(_prefix(enum) + name)
