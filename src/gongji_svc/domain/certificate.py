"""What a resident identity card's number says (GB 11643): region, day of birth, check digit."""

from datetime import date

_LENGTH = 18
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


def birth_date_in(number: str) -> date | None:
    """The day of birth in an 18-digit number, None where there is none."""
    if len(number) != _LENGTH or not number[:-1].isdigit() or not number.isascii():
        return None
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None


def check_digit(first_seventeen: str) -> str:
    """The last character of the number that begins with these 17 digits."""
    digits = zip(first_seventeen, _WEIGHTS, strict=True)
    return _CHECKS[sum(int(digit) * weight for digit, weight in digits) % len(_CHECKS)]
