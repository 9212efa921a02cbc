"""A stored plan reads back equal."""

import json
from dataclasses import asdict

from gongji_svc.domain.refund import reverse
from gongji_svc.domain.settlement import Plan, plan
from gongji_svc.domain.settlement_record import from_record, to_json, to_record
from tests.domain.builders import bill, donor, item, policy


def made() -> Plan:
    rules = policy({"use.out_of_region_warnings": True})
    limited = donor(3, 500, bound={"effective_from": bill().decided_on.replace(year=2026)})
    donors = [donor(2, 400), limited]
    items = item(1, "B", 10), item(2, "?", 1)
    return plan(bill(*items, rules=rules, own=100, donors=donors, region="150200"))


def test_a_plan_reads_back_equal_from_json() -> None:
    original = made()
    assert from_record(json.loads(to_json(original))) == original


def test_a_plan_reads_back_equal_before_it_was_json() -> None:
    original = made()
    assert from_record(to_record(original)) == original


def test_a_refund_reckoned_from_the_stored_plan_is_the_same() -> None:
    original = made()
    assert reverse(from_record(json.loads(to_json(original)))) == reverse(original)


def test_an_older_record_with_names_throughout_reads_back_equal() -> None:
    original = made()
    older = json.loads(json.dumps(asdict(original), default=str))
    assert from_record(older) == original
