"""Where made-up input comes from: bytes that a fuzzer found, or what Hypothesis draws.

Rule: all that is made up is made of three choices, so one builder serves both, and the same bytes
give the same input everywhere.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choice(Protocol):
    """Chooses."""

    def whole(self, least: int, most: int) -> int:
        """A whole number, both bounds included."""

    def text(self, most: int) -> str:
        """Text that can be sent as UTF-8, of at most so many bytes or characters."""

    def raw(self, most: int) -> bytes:
        """At most so many bytes."""


class FromBytes:
    """Reads choices off bytes, from front to back; where they end, the least of everything."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def whole(self, least: int, most: int) -> int:
        size_bytes = ((most - least).bit_length() + 7) // 8
        return least + int.from_bytes(self._take(size_bytes), "big") % (most - least + 1)

    def text(self, most: int) -> str:
        return self.raw(most).decode(errors="ignore")

    def raw(self, most: int) -> bytes:
        return self._take(self.whole(0, most))

    def _take(self, size_bytes: int) -> bytes:
        taken = self._data[self._at : self._at + size_bytes]
        self._at += size_bytes
        return taken


class Drawn:
    """What Hypothesis draws, so that it can make a finding smaller."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def whole(self, least: int, most: int) -> int:
        drawn: int = self._draw(st.integers(least, most))
        return drawn

    def text(self, most: int) -> str:
        drawn: str = self._draw(st.text(max_size=most))
        return drawn

    def raw(self, most: int) -> bytes:
        drawn: bytes = self._draw(st.binary(max_size=most))
        return drawn


def pick(choice: Choice, options: Sequence[T]) -> T:
    """One of several."""
    return options[choice.whole(0, len(options) - 1)]


def one_in(choice: Choice, number: int) -> bool:
    """Now and then; never where the choices have ended."""
    return choice.whole(0, number - 1) == number - 1
