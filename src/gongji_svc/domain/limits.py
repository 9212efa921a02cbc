"""How often each caller may ask, and how much at once: the values.

Rule: a value is for one caller at one front; 0 is no limit. A second's or a minute's worth may come
at once.
"""

from dataclasses import dataclass, fields
from typing import Self

_OFF = "off"


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls a second and calls at once of an institution, of who acts for a region (platform,
    agency, tax), of a person, and of an address whose calls are nobody's; the rest is a minute, and
    ten times as much for a region.
    """

    institution_calls: int = 1000
    institution_at_once: int = 256
    region_calls: int = 5000
    region_at_once: int = 1024
    person_calls: int = 20
    person_at_once: int = 32
    address_calls: int = 50
    previews: int = 30  # of one patient, whoever asks
    identifications: int = 600
    guesses: int = 60  # people named who are not there, or by another's name
    checks: int = 20  # of bindings that are not to be made (validate_only)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The values in `previews=60,person_calls=50`, the others as they are; `off`: no limit.

        ValueError tells what is wrong and what to write.
        """
        names = [field.name for field in fields(cls)]
        if text == _OFF:
            return cls(**dict.fromkeys(names, 0))
        given: dict[str, int] = {}
        for part in text.split(","):
            name, _, number = (one.strip() for one in part.partition("="))
            if name not in names:
                known = ", ".join(names)
                raise ValueError(f"{name!r} is no limit: write off, or NAME=NUMBER with {known}")
            if not (number.isascii() and number.isdigit()):
                raise ValueError(f"{name}: {number!r} is no number: write one, 0 for no limit")
            if name in given:
                raise ValueError(f"{name} is given twice: write it once")
            given[name] = int(number)
        return cls(**given)
