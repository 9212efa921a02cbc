"""What a resident identity card's number says (GB 11643): region, day of birth, check digit."""

from collections.abc import Iterator
from datetime import date

from gongji_svc.domain.errors import Violation

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


def identity_card_faults(number: str, birth_date: date | None) -> Iterator[Violation]:
    """What is wrong with an identity card's number, or with a day of birth stated beside it; the
    sex, which the last but one digit tells, is stated nowhere.
    """
    born = birth_date_in(number)
    if born is None or check_digit(number[:-1]) != number[-1].upper():
        yield Violation("certificate.number", "身份证号码有误，应为18位且校验码正确，请核对证件")
    elif birth_date not in (None, born):
        yield Violation("birth_date", "与身份证号码中的出生日期不一致，请核对证件")
