"""What a refusal is.

Rule: the class's docstring has two paragraphs: the English for developers, and the Chinese for
people, which says what to do next. Both are formatted with the refusal's details.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Violation:
    """A request field that is wrong, and what is wrong with it (zh-CN)."""

    field: str
    message_zh: str


class _Details(dict[str, str]):
    """A detail that was not given is left open in the text rather than hiding the refusal."""

    def __missing__(self, name: str) -> str:
        return "—"


class Refusal(Exception):
    """A call that the rules refuse; nothing was done.

    业务未办理。
    """

    usual_violations: ClassVar[tuple[Violation, ...]] = ()
    """The fields that are wrong where whoever refuses names none."""

    def __init__(
        self,
        *,
        violations: Sequence[Violation] = (),
        retry_after_seconds: float | None = None,
        records: Sequence[Any] = (),
        **details: str,
    ) -> None:
        """`records` are rows, with their tables, that are kept although nothing was done."""
        self.details = details
        self.violations = tuple(violations) or self.usual_violations
        self.retry_after_seconds = retry_after_seconds
        self.records = tuple(records)
        super().__init__(self.message)

    @property
    def reason(self) -> str:
        """UPPER_SNAKE of the class's name: PolicyNotInForce -> POLICY_NOT_IN_FORCE."""
        return _reason(type(self).__name__)

    @property
    def message(self) -> str:
        """The English text, for developers and logs."""
        return _paragraphs(type(self).__doc__)[0].format_map(_Details(self.details))

    @property
    def message_zh(self) -> str:
        """The Chinese text, for people."""
        return _paragraphs(type(self).__doc__)[1].format_map(_Details(self.details))


@cache
def _reason(name: str) -> str:
    return _WORD_START.sub("_", name).upper()


@cache
def _paragraphs(docstring: str | None) -> tuple[str, str]:
    english, _, chinese = (docstring or "").partition("\n\n")
    return " ".join(english.split()), "".join(line.strip() for line in chinese.splitlines())


def refusals() -> dict[str, type[Refusal]]:
    """Every refusal by its reason."""
    return {_reason(kind.__name__): kind for kind in Refusal.__subclasses__()}
