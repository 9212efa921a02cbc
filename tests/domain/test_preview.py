"""Cases are read strictly: an error names the case and the key, and never hides another case."""

from typing import Any

import pytest

from gongji_svc.domain.preview import CaseError, decide, preview


def till(rules: Any = None, given: Any = None, **case: Any) -> dict[str, Any]:
    """A case at the till in which an own account of 100 yuan meets a bill of 50."""
    usual = {"own_balance_fen": 10000, "visits": [{"psn_part_fen": 5000}]}
    return {
        "id": "T-1",
        "kind": "mutual_aid",
        "rules": rules or {},
        "given": usual | (given or {}),
        **case,
    }


def pooled(given: Any = None, **rules: Any) -> dict[str, Any]:
    """A case of a bill of 1000 yuan with these rules of the fund."""
    usual = {"acct_used_flag": 0, "visits": [{"total_fen": 100000}]}
    return {"id": "T-2", "kind": "pooled_outpatient", "rules": rules, "given": given or usual}


def premium(given: Any = None, **rules: Any) -> dict[str, Any]:
    """A case of a premium of 400 yuan."""
    rules = {"standard_fen": 40000, **rules}
    return {"id": "T-3", "kind": "premium", "rules": rules, "given": given or {"insutype": "390"}}


def error_of(case: Any) -> CaseError:
    with pytest.raises(CaseError) as raised:
        decide(case, "T")
    return raised.value


@pytest.mark.parametrize(
    ("case", "key", "why"),
    [
        (till(extra=1), "extra", "unknown key"),
        (till(kind="inpatient"), "kind", "expected one of"),
        (till({"orders": "x"}), "rules.orders", "unknown key"),
        (till({"order": "RANDOM"}), "rules.order", "expected one of USER_PRIORITY"),
        (till({"single_donor": "yes"}), "rules.single_donor", "true or false"),
        (till({"reserve_fen": -1}), "rules.reserve_fen", "integer from 0"),
        (till({"own_first": False}), "rules.own_first", "expected true"),
        (till({"fund_pool": "all"}), "rules.fund_pool", "expected one of"),
        (till({"member_caps": {"per_week_fen": 1}}), "rules.member_caps", "unknown key"),
        (till(given={"own_balance": 1}), "given.own_balance", "unknown key"),
        (till(given={"acct_used_flag": 3}), "given.acct_used_flag", "expected one of 0, 1, 2"),
        (till(given={"donors": [{"balance_fen": 1}]}), "given.donors[0].id", "expected a text"),
        (till(given={"donors": [{"id": "A"}, {"id": "A"}]}), "given.donors", "twice"),
        (
            till(given={"donors": [{"id": "A", "balance_fen": 1.5}]}),
            "given.donors[0].balance_fen",
            "integer from 0",
        ),
        (
            till(given={"donors": [{"id": "A", "bound_at": "soon"}]}),
            "given.donors[0].bound_at",
            "expected a date",
        ),
        (
            till(given={"donors": [{"id": "A", "bound_at": "2025-01-01", "bound_on": 1}]}),
            "given.donors[0].bound_on",
            "says again what bound_at says",
        ),
        (
            till(given={"own_balance_fen": 100, "own_past_years_fen": 200}),
            "given.own_balance_fen",
            "sum of its parts",
        ),
        (till(given={"chosen_donor": "A"}), "given.chosen_donor", "none of the donors"),
        (till(given={"visits": [{}]}), "given.visits[0].total_fen", "expected total_fen"),
        (till(given={"visits": {}}), "given.visits", "expected a list"),
        (
            till(given={"visits": [{"total_fen": 1, "fulamt_ownpay_fen": 2}]}),
            "given.visits[0].total_fen",
            "less than its parts",
        ),
        (
            till(given={"visits": [{"total_fen": 1, "psn_part_fen": 2}]}),
            "given.visits[0].total_fen",
            "less than its parts",
        ),
        (
            till(given={"visits": [{"total_fen": 9, "class_b_fen": 5}]}),
            "given.visits[0].class_b_fen",
            "rules.class_b_precopay_bp",
        ),
        (
            till(given={"visits": [{"lines": [{"catalog_class": "A"}]}]}),
            "given.visits[0].lines[0].unit_price_yuan",
            "expected a decimal",
        ),
        (
            till(given={"visits": [{"lines": [{"catalog_class": "D", "unit_price_yuan": "1"}]}]}),
            "given.visits[0].lines[0].catalog_class",
            "expected one of A, B, C",
        ),
        (till(given={"visits": [], "reversals": 1}), "given.reversals", "expected a visit"),
        (pooled(), "given.visits[0]", "rules.ratio_bp is not stated"),
        (pooled(ratio_bp={1: {"11": 7000}}), "given.visits[0]", "psn_type is not stated"),
        (pooled(ratio_bp=10001), "rules.ratio_bp", "basis points"),
        (pooled(ratio_bp={4: 1}), "rules.ratio_bp", "expected one of PRIMARY"),
        (pooled(ratio_chain_bp=5000), "rules.ratio_chain_bp", "expected a list"),
        (pooled(ratio_chain_bp=[20000]), "rules.ratio_chain_bp", "basis points"),
        (premium(several_grants="sum"), "rules.several_grants", "MOST_FAVOURABLE"),
        (premium(grants_fen=[1]), "rules.grants_fen", "expected a table"),
        (premium({"insutype": "310"}), "given.insutype", "expected one of 390, 410"),
        (premium({"insurance_year": 26}), "given.insurance_year", "a year such as 2025"),
    ],
)
def test_a_case_that_cannot_be_read_names_the_case_and_the_key(
    case: Any, key: str, why: str
) -> None:
    error = error_of(case)
    assert (error.case, error.key) == ("T", key)
    assert why in error.why


def test_a_line_whose_amount_is_not_price_times_quantity_is_refused_as_at_the_till() -> None:
    line = {"catalog_class": "A", "unit_price_yuan": "1", "amount_fen": 102}
    error = error_of(till(given={"visits": [{"lines": [line]}]}))
    assert error.why.startswith("AMOUNT_MISMATCH")


def test_the_donor_with_most_pays_first_by_the_short_name_of_the_order_too() -> None:
    donors = [{"id": "A", "balance_fen": 4000}, {"id": "B", "balance_fen": 5000}]
    given = {"own_balance_fen": 0, "donors": [{**one, "bound": True} for one in donors]}
    first, second = (
        decide(till({"order": order}, given), "T")
        for order in ("BALANCE_DESC", "BALANCE_DESC_THEN_NAME")
    )
    assert first == second
    assert first["visits"][0]["donors"] == {"B": 5000}


def test_a_chosen_donor_who_cannot_pay_is_refused_as_at_the_till() -> None:
    given = {"donors": [{"id": "A", "bound": False}], "chosen_donor": "A"}
    error = error_of(till({"order": "EXPLICIT_DONOR"}, given))
    assert error.why.startswith("CHOSEN_BINDING_NOT_USABLE")


def test_a_case_that_cannot_be_read_hides_no_other() -> None:
    decided = preview([till(extra=1), pooled(ratio_bp=5000)])
    assert [each.case for each in decided] == ["T-1", "T-2"]
    assert str(decided[0].error).startswith("T-1: extra: unknown key")
    assert decided[1].expect["visits"][0]["fund_fen"] == 50000


def test_a_case_without_an_id_is_named_by_its_number() -> None:
    decided = preview([{"kind": "premium"}])
    assert str(decided[0].error) == "case 1: id: expected a text"


@pytest.mark.parametrize("cases", [{"id": "x"}, "x", None])
def test_a_file_that_is_no_list_of_cases_is_refused(cases: Any) -> None:
    with pytest.raises(CaseError, match="expected a list of cases"):
        preview(cases)


def test_an_id_that_stands_twice_is_refused() -> None:
    with pytest.raises(CaseError, match="T-1: id: stands twice"):
        preview([till(), till()])


@pytest.mark.parametrize(
    ("given", "own_fen", "mutual_aid_fen"),
    [
        ({"donors": [{"id": "A", "balance_fen": 9000}], "own_balance_fen": 1000}, 1000, 4000),
        ({"own_balance_fen": 1000}, 1000, 0),
        ({"own_balance_fen": None}, 0, 0),
    ],
)
def test_a_flag_that_is_not_stated_means_all_accounts_the_case_speaks_of(
    given: Any, own_fen: int, mutual_aid_fen: int
) -> None:
    visit = decide(till(given=given), "T")["visits"][0]
    assert (visit["own_account_fen"], visit["acct_mulaid_pay_fen"]) == (own_fen, mutual_aid_fen)


def test_a_ratio_that_does_not_matter_need_not_be_stated() -> None:
    visit = decide(pooled(deductible_fen=100000), "T")["visits"][0]
    assert (visit["deductible_fen"], visit["fund_fen"]) == (100000, 0)


def test_null_means_not_stated() -> None:
    rules = {"order": None, "single_donor": None, "reserve_fen": None}
    given = {"donors": None, "person": None, "year_to_date": None}
    assert decide(till(rules, given), "T") == decide(till(), "T")
