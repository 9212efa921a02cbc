"""The six region files, as the tests ask them."""

from datetime import date

from gongji_svc.domain.policy import Policy
from gongji_svc.regions import load

RULEBOOK = load()
HOHHOT, ULANQAB, TIELING = "150100", "150900", "211200"
SEEDS = [HOHHOT, ULANQAB, TIELING]


def on(region: str, day: date = date(2025, 3, 24)) -> Policy:
    """The policy of a region on the day of the latest commissioning document."""
    return RULEBOOK.on(region, day)
