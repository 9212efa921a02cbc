"""Chinese, and some English, words for the values of `terms.py` that people read in messages.

Rule: words only; sentences stand in the refusals and in `explanation.py`.
"""

from collections.abc import Iterable

from gongji_svc.domain.terms import (
    AccountKind,
    Area,
    BeneficiaryField,
    Confirmation,
    DocumentKind,
    DocumentOf,
    InstitutionLevel,
    Insurance,
    Order,
    Relation,
)

RELATION_ZH: dict[str, str] = {
    Relation.SPOUSE: "配偶",
    Relation.CHILD: "子女",
    Relation.GRANDCHILD: "孙子女、外孙子女",
    Relation.PARENT: "父母",
    Relation.GRANDPARENT: "祖父母、外祖父母",
    Relation.SIBLING: "兄弟姐妹",
}
INSURANCE_ZH: dict[str, str] = {
    Insurance.EMPLOYEE: "职工医保",
    Insurance.RESIDENT: "城乡居民医保",
    Insurance.LONG_TERM_CARE: "长期护理保险",
}
PREMIUM_GROUP_ZH: dict[str, str] = {
    "DESTITUTE": "特困人员",
    "DISABLED": "残疾居民",
    "NEWBORN": "新生儿",
    "SUBSISTENCE_ALLOWANCE": "低保对象",
}
"""The special groups that regions name; another is called by its own word."""
LEVEL_ZH: dict[str, str] = {
    InstitutionLevel.PRIMARY: "一级",
    InstitutionLevel.SECONDARY: "二级",
    InstitutionLevel.TERTIARY: "三级",
    InstitutionLevel.NONE: "未定级",
}
LEVEL_EN: dict[str, str] = {
    InstitutionLevel.PRIMARY: "primary level",
    InstitutionLevel.SECONDARY: "secondary level",
    InstitutionLevel.TERTIARY: "tertiary level",
    InstitutionLevel.NONE: "no level",
}
ACCOUNT_KIND_EN: dict[str, str] = {
    AccountKind.GENERAL: "personal account",
    AccountKind.CURRENT_YEAR: "account of this year",
    AccountKind.PAST_YEARS: "account of past years",
}
ACCOUNT_KIND_ZH: dict[str, str] = {
    AccountKind.GENERAL: "个人账户",
    AccountKind.CURRENT_YEAR: "当年账户",
    AccountKind.PAST_YEARS: "历年账户",
}
DOCUMENT_ZH: dict[str, str] = {
    DocumentKind.ID_FRONT: "身份证人像面",
    DocumentKind.ID_BACK: "身份证国徽面",
    DocumentKind.COMMITMENT: "个人承诺书",
    DocumentKind.MARRIAGE: "结婚证",
    DocumentKind.HOUSEHOLD: "居民户口簿",
    DocumentKind.OTHER: "其他证明材料",
}
OF_ZH: dict[str, str] = {
    DocumentOf.DONOR: "授权人",
    DocumentOf.BENEFICIARY: "使用人",
    DocumentOf.BOTH: "双方",
}
DETAIL_ZH: dict[str, str] = {
    BeneficiaryField.NAME: "使用人姓名",
    BeneficiaryField.CERTIFICATE: "使用人证件号码",
    BeneficiaryField.PHONE: "使用人联系电话",
    BeneficiaryField.CARD_NO: "使用人医保卡号",
}
CONFIRMATION_ZH: dict[str, str] = {
    Confirmation.FACE_CHECK: "人脸核验",
    Confirmation.BENEFICIARY_CONSENT: "使用人同意",
}
LIMIT_ZH: dict[str, str] = {
    f"{whose}.{span}": f"{whose_zh}{span_zh}"
    for whose, whose_zh in (
        ("limits", "授权人设置的"),
        ("member_caps", "政策规定的每名使用人"),
        ("household_caps", "政策规定的家庭"),
    )
    for span, span_zh in (
        ("per_settlement_fen", "单笔限额"),
        ("per_day_fen", "每日限额"),
        ("per_month_fen", "每月限额"),
        ("per_year_fen", "每年限额"),
    )
}
"""The limits and caps of a donor's money, as `smallest_limit` names them."""
ORDER_ZH: dict[str, str] = {
    Order.USER_PRIORITY: "按使用人设定的顺序",
    Order.BINDING_TIME_ASC: "先绑定的先扣",
    Order.BINDING_TIME_DESC: "后绑定的先扣",
    Order.BALANCE_DESC_THEN_NAME: "可共济余额多的先扣",
    Order.EXPLICIT_DONOR: "由使用人当次选定",
}
BINDING_STATE_ZH: dict[str, str] = {
    "PENDING_REVIEW": "待审核",
    "ACTIVE": "已生效",
    "REJECTED": "审核未通过",
    "SUSPENDED": "已暂停",
    "ENDED": "已解除",
    "EXPIRED": "已到期",
}
AREA_ZH: dict[str, str] = {
    Area.SAME_REGION: "同一统筹区",
    Area.SAME_PROVINCE: "同一省份",
    Area.NATION: "全国",
}
_ALL: dict[str, str] = {
    **RELATION_ZH,
    **INSURANCE_ZH,
    **ORDER_ZH,
    **AREA_ZH,
    "MEDICAL": "医疗费用",
    "PREMIUM": "代缴保费",
    "APP": "手机APP",
    "MINI_PROGRAM": "小程序",
    "ALIPAY": "支付宝",
    "WECHAT": "微信公众号",
    "WEB": "网站",
    "COUNTER": "经办窗口",
    "E_CREDENTIAL": "医保电子凭证",
    "ID_CARD": "居民身份证",
    "SOCIAL_CARD": "社会保障卡",
}


def listed(words: Iterable[str]) -> str:
    """The words in Chinese where there is one, in a fixed order, parted by "、"."""
    return "、".join(_ALL.get(str(word), str(word)) for word in sorted(words))


def fixed_order_zh(order: Order) -> str:
    """The order of a region that lets nobody set it, in Chinese."""
    return "按绑定时确定的顺序" if order is Order.USER_PRIORITY else ORDER_ZH[order]
