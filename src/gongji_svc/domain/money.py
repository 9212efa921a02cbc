"""Money as integers: fen, basis points, and prices in millionths of a yuan.

Rule: no float, and every division goes through a function here whose name says how it rounds.
Ratios that act together are multiplied exactly and rounded once.
"""

from collections.abc import Iterable

FEN_PER_YUAN = 100
BP = 10_000  # basis points of the whole
PRICE_SCALE = 1_000_000  # a unit price is kept in 10^-6 yuan
QUANTITY_SCALE = 10_000  # a quantity is kept in 10^-4 units
LINE_SCALE = PRICE_SCALE * QUANTITY_SCALE // FEN_PER_YUAN  # price x quantity / LINE_SCALE = fen


def half_up(numerator: int, denominator: int) -> int:
    """Divide two integers that are not negative, rounding a half upwards."""
    return (2 * numerator + denominator) // (2 * denominator)


def share_of(amount_fen: int, part: int, whole: int) -> int:
    """amount x part / whole, rounded half up; 0 of nothing is 0."""
    if whole == 0:
        return 0
    return (2 * amount_fen * part + whole) // (2 * whole)


def ratio_of(amount_fen: int, ratios_bp: Iterable[int]) -> int:
    """amount x all ratios (basis points), multiplied exactly and rounded half up once, in fen."""
    numerator, denominator = amount_fen, 1
    for ratio_bp in ratios_bp:
        numerator *= ratio_bp
        denominator *= BP
    return half_up(numerator, denominator)


def line_fen(unit_price_micro: int, quantity_e4: int) -> int:
    """Unit price (10^-6 yuan) x quantity (10^-4), rounded half up to the fen."""
    return half_up(unit_price_micro * quantity_e4, LINE_SCALE)


def parse_quantity(text: str) -> int:
    """A decimal string of at most 4 places to 10^-4 units; ValueError when it is not one."""
    return _parse(text, 4)


def parse_price(text: str) -> int:
    """A decimal string in yuan of at most 6 places to 10^-6 yuan; ValueError when it is not one."""
    return _parse(text, 6)


def _parse(text: str, places: int) -> int:
    whole, point, decimals = text.partition(".")
    if not (whole.isascii() and whole.isdigit()) or len(decimals) > places:
        raise ValueError(f"not a decimal of at most {places} places: {text!r}")
    if point and not (decimals.isascii() and decimals.isdigit()):
        raise ValueError(f"not a decimal of at most {places} places: {text!r}")
    return int(whole + decimals.ljust(places, "0"))


def format_quantity(quantity_e4: int) -> str:
    """10^-4 units as a decimal string without needless zeros."""
    return _format(quantity_e4, 4)


def format_price(price_micro: int) -> str:
    """10^-6 yuan as a decimal string in yuan without needless zeros."""
    return _format(price_micro, 6)


def _format(value: int, places: int) -> str:
    whole, decimals = divmod(value, 10**places)
    return f"{whole}.{decimals:0{places}d}".rstrip("0").rstrip(".")


def yuan(amount_fen: int) -> str:
    """Fen as yuan with two places: -1234567 -> "-12,345.67"."""
    sign = "-" if amount_fen < 0 else ""
    whole, decimals = divmod(abs(amount_fen), FEN_PER_YUAN)
    return f"{sign}{whole:,}.{decimals:02d}"


def percent(ratio_bp: int) -> str:
    """Basis points as a percentage: 6500 -> "65%", 6550 -> "65.5%"."""
    return _format(ratio_bp, 2) + "%"
