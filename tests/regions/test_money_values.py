"""What the money may be used for, benefits, lapse and premiums in the six region files."""

from datetime import date

import pytest

from gongji_svc.domain.errors import PolicyNotInForce
from gongji_svc.domain.policy_values import Caps, PremiumGroup, Window
from gongji_svc.domain.terms import (
    AccountBase,
    AccountKind,
    CredentialType,
    DeductibleScope,
    InstitutionKind,
    InstitutionLevel,
    Insurance,
    Order,
    OwnZeroRule,
    PersonType,
    Use,
    VisitType,
)
from tests.regions.packs import HOHHOT, SEEDS, TIELING, ULANQAB, on

DESIGNATED = frozenset(InstitutionKind)


def notices(region: str) -> set[str]:
    return {notice.id for notice in on(region).information}


# use


@pytest.mark.parametrize(
    "region",
    [
        HOHHOT,
        ULANQAB,
        pytest.param(TIELING, marks=pytest.mark.requirement("TIL-D3")),
    ],
)
def test_the_money_pays_at_designated_institutions_and_pharmacies(region: str) -> None:
    assert on(region).use_places == DESIGNATED


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(HOHHOT, marks=pytest.mark.requirement("HOH-D1")),
        ULANQAB,
        "000000",
    ],
)
def test_the_money_pays_for_care_and_for_premiums(region: str) -> None:
    assert on(region).uses == {Use.MEDICAL, Use.PREMIUM}


@pytest.mark.parametrize("region", [ULANQAB, TIELING])
def test_the_patient_shows_an_e_credential_or_a_social_security_card(region: str) -> None:
    accepted = {CredentialType.E_CREDENTIAL, CredentialType.SOCIAL_CARD}
    assert on(region).credentials == accepted


def test_proxy_buying_shows_the_identity_of_both() -> None:
    assert on(ULANQAB).agent_proofs_required


def test_tieling_warns_about_care_elsewhere() -> None:
    assert on(TIELING).out_of_region_warnings


@pytest.mark.requirement("HOH-D4", "ULQ-D1")
@pytest.mark.parametrize("region", SEEDS)
def test_own_money_is_used_up_first_in_the_same_settlement(region: str) -> None:
    assert on(region).own_zero_rule is OwnZeroRule.SEQUENTIAL


@pytest.mark.parametrize("region", SEEDS)
def test_donors_pay_one_after_the_other_as_the_beneficiary_orders(region: str) -> None:
    policy = on(region)
    assert policy.order is Order.USER_PRIORITY
    assert policy.order_editable
    assert not policy.single_donor
    assert not policy.same_pool_first


@pytest.mark.requirement("TIL-D4")
def test_only_tieling_keeps_accounts_to_costs_within_policy_scope() -> None:
    bases = [on(region).account_base for region in SEEDS]
    personal = AccountBase.PERSONAL_SHARE
    assert bases == [personal, personal, AccountBase.IN_POLICY]


@pytest.mark.parametrize("region", SEEDS)
def test_no_seed_names_a_reserve_a_threshold_a_cap_or_a_second_account(region: str) -> None:
    policy = on(region)
    assert (policy.reserve_fen, policy.threshold_fen) == (0, 0)
    assert policy.member_caps == policy.household_caps == Caps()
    assert policy.donor_account_kinds == policy.own_account_kinds == (AccountKind.GENERAL,)


# pooled outpatient benefit


def test_tieling_pays_a_pooled_benefit_for_visits_and_not_at_pharmacies() -> None:
    assert on(TIELING).benefit_visit_types == {VisitType.OUTPATIENT, VisitType.CHRONIC}


@pytest.mark.parametrize("region", [HOHHOT, ULANQAB])
def test_the_other_seeds_state_no_pooled_benefit(region: str) -> None:
    assert on(region).benefit_visit_types == frozenset()


@pytest.mark.requirement("TIL-29", "TIL-D6")
@pytest.mark.parametrize("person_type", [PersonType.ACTIVE, PersonType.RETIRED])
def test_tieling_deductibles_are_300_and_200_yuan_a_year(person_type: PersonType) -> None:
    policy = on(TIELING)
    assert policy.deductible_scope is DeductibleScope.YEAR
    assert {level: fen[person_type] for level, fen in policy.deductibles_fen.items()} == {
        InstitutionLevel.TERTIARY: 30000,
        InstitutionLevel.SECONDARY: 20000,
        InstitutionLevel.PRIMARY: 20000,
    }


@pytest.mark.parametrize(
    ("level", "active_bp", "retired_bp"),
    [
        pytest.param(InstitutionLevel.PRIMARY, 7000, 7500, marks=pytest.mark.requirement("TIL-32")),
        pytest.param(
            InstitutionLevel.SECONDARY, 6000, 6500, marks=pytest.mark.requirement("TIL-33")
        ),
        pytest.param(
            InstitutionLevel.TERTIARY, 5000, 5500, marks=pytest.mark.requirement("TIL-34")
        ),
    ],
)
def test_tieling_ratios_depend_on_level_and_retirement(
    level: InstitutionLevel, active_bp: int, retired_bp: int
) -> None:
    ratios = on(TIELING).ratios_bp[level]
    assert dict(ratios) == {PersonType.ACTIVE: active_bp, PersonType.RETIRED: retired_bp}


@pytest.mark.requirement("TIL-31")
def test_tieling_pays_at_most_3000_yuan_a_year() -> None:
    assert set(on(TIELING).annual_caps_fen.values()) == {300000}


def test_tieling_chronic_visits_have_no_deductible_and_their_own_ratios() -> None:
    policy = on(TIELING)
    assert policy.chronic_diseases == {"HYPERTENSION", "DIABETES"}
    assert not policy.chronic_deductible
    assert policy.chronic_in_cap
    assert dict(policy.chronic_ratios_bp) == {
        PersonType.ACTIVE: 9500,
        PersonType.RETIRED: 9500,
        PersonType.RESIDENT: 9000,
    }


@pytest.mark.requirement("TIL-D5")
@pytest.mark.parametrize("year", [2024, 2025, 2027])
def test_tieling_benefit_values_of_2024_hold_until_replaced(year: int) -> None:
    policy = on(TIELING, date(year, 6, 1))
    assert policy.benefit_year == 2024
    assert policy.annual_caps_fen[PersonType.ACTIVE] == 300000


# lapse


@pytest.mark.requirement("ULQ-D2")
def test_ulanqab_states_what_a_lapse_costs() -> None:
    policy = on(ULANQAB)
    assert policy.lapse_own_usable
    assert (policy.lapse_wait_after_months, policy.lapse_wait_months) == (3, 6)
    assert policy.lapse_individual_waits
    assert (policy.lapse_limited_months, policy.lapse_limited_ratio_bp) == (24, 5000)
    assert (policy.lapse_arrears_after_months, policy.lapse_arrears_effect_months) == (6, 1)


# premium


@pytest.mark.requirement("HOH-24")
@pytest.mark.parametrize("region", [HOHHOT, ULANQAB])
def test_inner_mongolia_collects_the_2025_premium_from_september_to_february(
    region: str,
) -> None:
    assert on(region).premium_windows[2025] == Window(date(2024, 9, 1), date(2025, 2, 28))
    assert on(region).premium_windows[2026] == Window(date(2025, 9, 1), date(2026, 2, 28))


def test_liaoning_collects_the_nations_four_months() -> None:
    assert on(TIELING).premium_windows[2025] == Window(date(2024, 9, 1), date(2024, 12, 31))


@pytest.mark.requirement("HOH-25")
@pytest.mark.parametrize("region", [HOHHOT, ULANQAB])
def test_inner_mongolias_special_groups_pay_200_yuan(region: str) -> None:
    assert dict(on(region).premium_groups) == {
        "SUBSISTENCE_ALLOWANCE": PremiumGroup(payable_fen=20000),
        "DESTITUTE": PremiumGroup(payable_fen=20000),
        "DISABLED": PremiumGroup(payable_fen=20000),
    }


@pytest.mark.parametrize("region", SEEDS)
def test_the_standard_is_380_and_then_400_yuan(region: str) -> None:
    standards = on(region).premium_standards_fen[Insurance.RESIDENT]
    assert dict(standards) == {2024: 38000, 2025: 40000, 2026: 40000}


@pytest.mark.requirement("HOH-D4")
def test_only_hohhot_asks_for_an_empty_own_account_before_a_premium() -> None:
    rules = [on(region).premium_own_zero_rule for region in SEEDS]
    assert rules == [OwnZeroRule.STRICT, OwnZeroRule.SEQUENTIAL, OwnZeroRule.SEQUENTIAL]


@pytest.mark.parametrize("region", SEEDS)
def test_a_premium_needs_a_binding(region: str) -> None:
    assert on(region).premium_binding_required


def test_inner_mongolia_names_the_other_ways_to_pay() -> None:
    assert on(HOHHOT).premium_other_channels == (
        "微信“内蒙古税务社保缴费”小程序",
        "“蒙速办”APP",
        "支付宝",
    )


# told, without effect


@pytest.mark.requirement("ULQ-33", "ULQ-34", "ULQ-35", "TIL-38")
def test_information_is_told_as_notices() -> None:
    assert {"ULQ-33", "ULQ-34", "ULQ-35"} <= notices(ULANQAB)
    assert "TIL-38" in notices(TIELING)


def test_the_wallets_limits_are_told() -> None:
    policy = on("000000")
    assert (policy.wallet_transfers_per_day, policy.wallet_transfer_max_fen) == (3, 200000)
    assert (policy.wallet_closed_from_hour, policy.wallet_closed_until_hour) == (22, 6)


# when


@pytest.mark.parametrize(
    ("region", "first"),
    [
        ("000000", date(2024, 1, 1)),
        ("150000", date(2024, 9, 1)),
        (HOHHOT, date(2024, 9, 1)),
        (ULANQAB, date(2025, 1, 1)),
        ("210000", date(2024, 1, 1)),
        (TIELING, date(2024, 1, 1)),
    ],
)
def test_a_regions_rules_begin_on_their_day_and_not_before(region: str, first: date) -> None:
    assert on(region, first).blocks[-1] == f"{region}@{first}"
    with pytest.raises(PolicyNotInForce):
        on(region, date.fromordinal(first.toordinal() - 1))
