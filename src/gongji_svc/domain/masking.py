"""What of a person others may see.

Rule: a name shows its first character, a number its last four.
"""

_SHOWN_DIGITS = 4


def masked_name(name: str) -> str:
    """王小明 becomes 王**."""
    return name[:1] + "*" * (len(name) - 1)


def masked_number(number: str) -> str:
    """A certificate, card or telephone number with its last four characters."""
    hidden = max(0, len(number) - _SHOWN_DIGITS)
    return "*" * hidden + number[hidden:]
