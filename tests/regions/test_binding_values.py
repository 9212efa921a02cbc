"""Who may bind whom, and how, in the six region files."""

import pytest

from gongji_svc.domain.terms import (
    Area,
    BeneficiaryField,
    Channel,
    DocumentKind,
    DocumentOf,
    DonorLapse,
    Insurance,
    Relation,
)
from tests.regions.packs import HOHHOT, SEEDS, TIELING, ULANQAB, on

NEAR_RELATIVES = frozenset(Relation)


def by_channel(region: str) -> dict[Channel, tuple[str, tuple[str, ...]]]:
    return {rule.channel: (rule.name, rule.steps) for rule in on(region).channels}


def documents(region: str) -> set[tuple[frozenset[DocumentKind], DocumentOf]]:
    return {(rule.any_of, rule.of) for rule in on(region).documents}


# who


@pytest.mark.parametrize("region", SEEDS)
def test_a_donor_is_employee_insured_with_an_account(region: str) -> None:
    assert on(region).donor_insurances == {Insurance.EMPLOYEE}
    assert on(region).donor_account_required


def test_a_hohhot_beneficiary_is_resident_insured() -> None:
    assert on(HOHHOT).beneficiary_insurances == {Insurance.RESIDENT}


@pytest.mark.parametrize("region", [ULANQAB, TIELING, "000000"])
def test_a_beneficiary_is_in_either_basic_insurance(region: str) -> None:
    assert on(region).beneficiary_insurances == {Insurance.EMPLOYEE, Insurance.RESIDENT}


@pytest.mark.parametrize("region", SEEDS)
def test_beneficiaries_and_use_reach_over_the_province_and_no_further(region: str) -> None:
    assert on(region).beneficiary_area is Area.SAME_PROVINCE
    assert on(region).use_area is Area.SAME_PROVINCE


@pytest.mark.requirement("HOH-D5", "NAT-11")
def test_hohhot_admits_spouse_parent_and_child() -> None:
    assert on(HOHHOT).relations == {Relation.SPOUSE, Relation.PARENT, Relation.CHILD}


@pytest.mark.parametrize(
    "region",
    [
        ULANQAB,
        pytest.param(TIELING, marks=pytest.mark.requirement("TIL-D2")),
        pytest.param("000000", marks=pytest.mark.requirement("NAT-11")),
    ],
)
def test_the_near_relatives_are_the_statutory_ones(region: str) -> None:
    assert on(region).relations == NEAR_RELATIVES


@pytest.mark.parametrize(
    ("region", "members"),
    [
        (HOHHOT, 6),
        (ULANQAB, None),
        (TIELING, 10),
        ("000000", None),
    ],
)
def test_a_donor_has_at_most_so_many_members(region: str, members: int | None) -> None:
    assert on(region).members_at_once == members


@pytest.mark.parametrize("region", SEEDS)
def test_a_beneficiary_may_have_any_number_of_donors(region: str) -> None:
    assert on(region).donors_at_once is None


@pytest.mark.requirement("ULQ-D3")
@pytest.mark.parametrize(
    ("region", "lapse"),
    [
        (HOHHOT, DonorLapse.SUSPEND),
        (ULANQAB, DonorLapse.KEEP),
        (TIELING, DonorLapse.KEEP),
        ("000000", DonorLapse.SUSPEND),
    ],
)
def test_a_lapsed_donor_is_treated_as_the_readings_say(region: str, lapse: DonorLapse) -> None:
    assert on(region).donor_lapse is lapse


# binding

HOHHOT_PATH = ("首页", "更多", "业务经办", "家庭账户共济")


@pytest.mark.requirement("HOH-07", "HOH-09")
def test_hohhot_offers_its_app_and_mini_program_under_one_menu_path() -> None:
    channels = by_channel(HOHHOT)
    assert channels[Channel.APP] == ("“内蒙古医保”APP", HOHHOT_PATH)
    assert channels[Channel.MINI_PROGRAM] == ("“内蒙古医保”小程序（微信）", HOHHOT_PATH)


@pytest.mark.requirement("ULQ-17", "ULQ-18")
def test_ulanqab_offers_three_online_channels_under_the_functions_name() -> None:
    channels = by_channel(ULANQAB)
    online = {Channel.APP, Channel.WECHAT, Channel.WEB}
    assert channels.keys() == online | {Channel.COUNTER}
    assert {channels[channel][1][0] for channel in online} == {"职工医保个人账户家庭共济"}


def test_ulanqab_offers_halls_and_windows() -> None:
    assert by_channel(ULANQAB)[Channel.COUNTER][0] == "医保大厅或指定服务窗口"


@pytest.mark.parametrize(
    ("channel", "steps"),
    [
        pytest.param(
            Channel.ALIPAY,
            ("搜索“医保家庭账户共济”", "立即使用", "立即办理", "新增共济使用人", "为家人开通"),
            marks=pytest.mark.requirement("TIL-07"),
        ),
        pytest.param(
            Channel.APP,
            ("登录", "医保模块", "家庭账户共济"),
            marks=pytest.mark.requirement("TIL-08"),
        ),
        pytest.param(
            Channel.MINI_PROGRAM, ("医保家庭账户共济",), marks=pytest.mark.requirement("TIL-09")
        ),
        pytest.param(
            Channel.WECHAT,
            (
                "政务服务",
                "网上大厅",
                "登录医保公共服务平台",
                "选择本人职工医保参保地",
                "“医保电子凭证”认证",
                "个人账户共济绑定",
                "添加家庭成员",
            ),
            marks=pytest.mark.requirement("TIL-10", "TIL-12"),
        ),
    ],
)
def test_tieling_shows_the_menu_path_of_each_channel(
    channel: Channel, steps: tuple[str, ...]
) -> None:
    assert by_channel(TIELING)[channel][1] == steps


@pytest.mark.requirement("TIL-11")
def test_tieling_offers_the_windows_of_all_agencies() -> None:
    assert by_channel(TIELING)[Channel.COUNTER][0] == "各级医保经办机构服务窗口"


def test_tieling_knows_no_other_channel() -> None:
    assert Channel.WEB not in by_channel(TIELING)


@pytest.mark.parametrize(
    ("region", "reviewed"),
    [
        (HOHHOT, False),
        (ULANQAB, False),
        pytest.param(TIELING, True, marks=pytest.mark.requirement("TIL-D1")),
    ],
)
def test_every_channel_of_a_region_is_reviewed_or_none(region: str, reviewed: bool) -> None:
    assert {rule.review_required for rule in on(region).channels} == {reviewed}


@pytest.mark.parametrize(
    ("region", "more"),
    [
        (HOHHOT, set()),
        (ULANQAB, {BeneficiaryField.CARD_NO}),
        (TIELING, {BeneficiaryField.PHONE}),
    ],
)
def test_an_application_says_who_the_beneficiary_is(
    region: str, more: set[BeneficiaryField]
) -> None:
    always = {BeneficiaryField.NAME, BeneficiaryField.CERTIFICATE}
    assert on(region).beneficiary_fields == always | more


def test_hohhot_asks_for_both_sides_of_the_beneficiarys_identity_card() -> None:
    assert documents(HOHHOT) == {
        (frozenset({DocumentKind.ID_FRONT}), DocumentOf.BENEFICIARY),
        (frozenset({DocumentKind.ID_BACK}), DocumentOf.BENEFICIARY),
    }


def test_tieling_asks_for_identity_of_both_sides_and_proof_of_the_relation() -> None:
    identity = frozenset({DocumentKind.ID_FRONT, DocumentKind.HOUSEHOLD})
    proof = frozenset({DocumentKind.MARRIAGE, DocumentKind.HOUSEHOLD, DocumentKind.OTHER})
    assert documents(TIELING) == {
        (identity, DocumentOf.DONOR),
        (identity, DocumentOf.BENEFICIARY),
        (proof, DocumentOf.BOTH),
    }


def test_hohhot_asks_for_a_start_date_and_the_others_do_not() -> None:
    assert [on(region).start_date_required for region in SEEDS] == [True, False, False]


@pytest.mark.parametrize("region", [HOHHOT, TIELING])
def test_an_undertaking_is_there_to_be_read_and_signed(region: str) -> None:
    policy = on(region)
    assert policy.commitment_version.startswith(region)
    assert "承诺书" in policy.commitment_title
    assert "承诺" in policy.commitment_text


def test_ulanqab_asks_for_no_undertaking_and_no_documents() -> None:
    assert on(ULANQAB).commitment_version == ""
    assert on(ULANQAB).documents == ()


def test_tieling_shows_the_named_notice_before_unbinding() -> None:
    assert on(TIELING).notice_title == "职工医保门诊共济家庭账户绑定告知书"
    assert "解绑" in on(TIELING).notice_text
