"""Refusals: the docstring is the message, the name is the reason."""

import string

import pytest

from gongji_svc.domain import errors
from gongji_svc.domain.errors import Refusal, refusals


def test_the_reason_is_the_name_of_the_class() -> None:
    assert (
        errors.PolicyNotInForce(region="150100", day="2020-01-01").reason == "POLICY_NOT_IN_FORCE"
    )


def test_both_texts_are_filled_with_the_details() -> None:
    refusal = errors.PolicyNotInForce(region="150100", day="2020-01-01")
    assert refusal.message == "No rules of region 150100 were in force on 2020-01-01."
    assert "150100在2020-01-01尚无生效的政策" in refusal.message_zh
    assert str(refusal) == refusal.message


def test_a_detail_that_is_missing_does_not_hide_the_refusal() -> None:
    assert "—" in errors.RebindingLocked().message_zh


@pytest.mark.parametrize("kind", refusals().values(), ids=lambda kind: kind.__name__)
def test_every_refusal_has_an_english_and_a_chinese_text(kind: type[Refusal]) -> None:
    refusal = kind()
    assert refusal.message.isascii() or "—" in refusal.message
    assert refusal.message.endswith((".", "—.", ")"))
    assert refusal.message_zh.endswith("。")
    assert any("一" <= letter <= "鿿" for letter in refusal.message_zh)


@pytest.mark.parametrize("kind", refusals().values(), ids=lambda kind: kind.__name__)
def test_every_refusal_names_its_details_by_plain_words(kind: type[Refusal]) -> None:
    fields = [name for _, name, _, _ in string.Formatter().parse(kind.__doc__ or "") if name]
    assert all(name.isidentifier() for name in fields)


def test_violations_and_the_time_to_retry_go_with_the_refusal() -> None:
    violation = errors.Violation("total_fen", "应为100分")
    refusal = errors.InvalidField(violations=[violation], fields="total_fen")
    assert refusal.violations == (violation,)
    assert errors.QueueFull(retry_after_seconds=0.5).retry_after_seconds == 0.5
