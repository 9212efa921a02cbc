"""The words for the facts of an explanation, in Chinese and English, made when somebody reads.

Rule: a sentence is chosen by the fact, never the other way round. Amounts are shown in yuan; a
donor is called by the (masked) name that the caller may see.
"""

from collections.abc import Callable, Mapping
from string import Formatter

from gongji_svc.domain.binding import EndCause
from gongji_svc.domain.explanation_parts import parts_worded
from gongji_svc.domain.money import percent, yuan
from gongji_svc.domain.step import Caution, Rule, Step
from gongji_svc.domain.usability import Obstacle, Why
from gongji_svc.domain.wording import ACCOUNT_KIND_EN, ACCOUNT_KIND_ZH, LEVEL_EN, LEVEL_ZH

CHINESE = "zh-CN"
ENGLISH = "en"

_STEPS: Mapping[Rule, tuple[str, str]] = {
    Rule.FULL_SELF_PAY: ("全自费（丙类）{amount}元", "full self-pay (class C) {amount} yuan"),
    Rule.OVER_LIMIT: ("超限价自费{amount}元", "above the price ceiling {amount} yuan"),
    Rule.PRE_SELF_PAY: (
        "乙类先行自付{amount}元{parts}",
        "paid first for class B {amount} yuan{parts}",
    ),
    Rule.IN_SCOPE: ("符合政策范围{amount}元", "in scope {amount} yuan"),
    Rule.GIVEN_BREAKDOWN: (
        "费用构成由医疗机构给出，个人负担{amount}元",
        "priced by the institution; personal share {amount} yuan",
    ),
    Rule.FUND_GIVEN: (
        "基金支付{amount}元（由医疗机构给出）",
        "the fund pays {amount} yuan, as the institution says",
    ),
    Rule.DEDUCTIBLE: (
        "本次计入起付线{amount}元（本次之前尚余{left}元）",
        "deductible borne {amount} yuan ({left} yuan were left)",
    ),
    Rule.FUND_RATIO: (
        "统筹基金按{ratio}（{level}{parts}）应支付{amount}元",
        "the pooled fund's part at {ratio} ({level}{parts}): {amount} yuan",
    ),
    Rule.FUND_CAP: (
        "本年度封顶线内尚余{left}元，本次支付{amount}元",
        "{left} yuan were left below the annual cap; the fund pays {amount} yuan",
    ),
    Rule.FUND_NONE: ("统筹基金不支付：{why}", "the pooled fund pays nothing: {why}"),
    Rule.BENEFIT_CARRIED_FORWARD: (
        "待遇标准沿用{year}年度的规定",
        "benefit values carried forward from {year}",
    ),
    Rule.ACCOUNT_BASE: (
        "个人账户可支付的部分为{amount}元{parts}",
        "accounts may pay up to {amount} yuan of the personal share{parts}",
    ),
    Rule.ACCOUNTS_NOT_USED: ("本次未使用个人账户", "no account was to be used"),
    Rule.OWN_ACCOUNT: ("本人{kind}支付{amount}元", "own {kind} pays {amount} yuan"),
    Rule.OWN_FROZEN: (
        "本人{kind}已冻结，{amount}元不能使用，可向医保经办机构申请解冻",
        "own {kind} is frozen: {amount} yuan cannot be used",
    ),
    Rule.HOLD_FROZEN: (
        "预留{amount}元的个人账户已冻结，本次未使用，该笔预留仍然保留；账户解冻后可以使用",
        "the account of a hold of {amount} yuan is frozen: the hold was not used and stays open",
    ),
    Rule.DONOR_PAID: ("{donor}共济支付{amount}元", "{donor} pays {amount} yuan"),
    Rule.DONOR_LIMITED: (
        "{donor}共济支付{amount}元：{why}",
        "{donor} pays {amount} yuan: {why}",
    ),
    Rule.DONOR_SKIPPED: ("{donor}未支付：{why}", "{donor} pays nothing: {why}"),
    Rule.CASH: ("现金支付{amount}元", "cash {amount} yuan"),
    Rule.REFUND_REST: ("退费后保留的费用{amount}元", "{amount} yuan are left after the refund"),
}

_RELATIVES_PAID = ("亲属共济支付{amount}元", "relatives pay {amount} yuan")

_WHY: Mapping[str, tuple[str, str]] = {
    Why.NO_BINDING: (
        "尚未建立家庭共济关系（亲情账户不等于家庭共济）",
        "no binding (a family card view is none)",
    ),
    Why.PENDING_REVIEW: ("绑定申请正在审核", "the binding waits for review"),
    Why.REJECTED: ("绑定申请未通过审核", "the binding was rejected"),
    Why.SUSPENDED: ("共济关系已暂停", "the binding is suspended"),
    Why.ENDED: ("共济关系已解除", "the binding has ended"),
    Why.EXPIRED: ("共济关系已到期", "the binding has expired"),
    Why.NOT_STARTED: ("共济关系尚未到开始日期", "the binding has not begun"),
    Why.USE_NOT_GRANTED: ("未开通此项用途", "this use is not granted"),
    Why.DONOR_DECEASED: ("授权人已登记死亡", "the donor has died"),
    Why.DONOR_NOT_INSURED: (
        "授权人未在该统筹区参加职工医保",
        "the donor is not insured as an employee there",
    ),
    Why.DONOR_LAPSED: ("授权人的医保已断缴", "the donor's insurance has lapsed"),
    Why.DONOR_PUBLICLY_FUNDED: ("授权人为公费医疗人员", "the donor is publicly funded"),
    Why.BENEFICIARY_DECEASED: ("使用人已登记死亡", "the beneficiary has died"),
    Why.BENEFICIARY_NOT_INSURED: (
        "使用人不是正常参保状态",
        "the beneficiary is not insured",
    ),
    Why.BENEFICIARY_INSURANCE_NOT_ADMITTED: (
        "使用人的险种不在共济范围内",
        "the beneficiary's insurance is not admitted",
    ),
    Why.BENEFICIARY_OUT_OF_AREA: (
        "双方参保地不在授权人参保地政策允许的范围内",
        "the two are insured too far apart for the area",
    ),
    Why.BENEFICIARY_PUBLICLY_FUNDED: (
        "使用人为公费医疗人员",
        "the beneficiary is publicly funded",
    ),
    Why.VISIT_TYPE_NOT_ADMITTED: ("此就诊类型不能使用共济", "not for this type of visit"),
    Why.PLACE_NOT_ADMITTED: ("此类机构不能使用共济", "not at this kind of institution"),
    Why.CARE_OUT_OF_AREA: ("就医地不在共济范围内", "care is outside the area"),
    Why.NO_ACCOUNT: ("授权人没有可共济的个人账户", "no account that may pay"),
    Why.ACCOUNT_FROZEN: ("授权人的个人账户已冻结", "the account is frozen"),
    Why.BALANCE_ZERO: ("授权人的个人账户余额为零", "the balance is zero"),
    Why.BELOW_THRESHOLD: ("授权人的账户余额未达到起用线", "the balance is below the threshold"),
    Why.BELOW_RESERVE: ("授权人的账户余额不超过留存金额", "only the reserve is left"),
    Why.ALL_HELD: ("授权人的账户余额已全部预留或冻结", "the balance is held or frozen"),
    Why.LIMIT_REACHED: ("已达限额", "a limit is reached"),
    Why.OWN_NOT_ZERO: ("本人账户余额不为零", "the own balance is not zero"),
    Why.NOT_CHOSEN: ("本次未选定该授权人", "this donor was not chosen"),
    Why.NOT_THE_SINGLE_DONOR: (
        "一次结算只能使用一名授权人",
        "one donor only in a settlement",
    ),
    Why.NOT_NEEDED: ("费用已全部支付", "nothing was left to pay"),
    "NOT_COMPUTED": ("本次不计算统筹待遇", "no benefit is computed here"),
    "NOT_INSURED": ("未参保", "not insured"),
    "LAPSED": ("断缴期间不享受统筹待遇", "the insurance has lapsed"),
    "WAITING": ("处于待遇等待期", "in the waiting period"),
    "ARREARS_UNPAID": ("断缴时间较长，须先补缴", "arrears must be paid first"),
    "ARREARS_NOT_EFFECTIVE": ("补缴尚未生效", "the arrears paid are not effective yet"),
    "VISIT_TYPE_WITHOUT_BENEFIT": ("此就诊类型无统筹待遇", "no benefit for this type of visit"),
    "PERSON_WITHOUT_BENEFIT": ("此类人员无此项待遇", "no benefit for this type of person"),
}

_UNTIL: Mapping[str, tuple[str, str]] = {
    "WAITING": ("，自{until}起享受待遇", ": benefits begin on {until}"),
}
"""How the day is told on which a reason changes, where there is more to say than that."""

_NEXT: Mapping[Why, str] = {
    Why.NO_BINDING: "请授权人通过当地开通的渠道或到医保经办窗口办理家庭共济绑定",
    Why.PENDING_REVIEW: "请等待医保经办机构审核，审核通过后即可使用",
    Why.REJECTED: "请授权人按审核意见补正后重新申请绑定",
    Why.SUSPENDED: "请先消除暂停的原因（如恢复正常参保），恢复后即可使用",
    Why.ENDED: "如需继续使用，请授权人重新申请绑定",
    Why.EXPIRED: "如需继续使用，请授权人重新申请绑定",
    Why.NOT_STARTED: "到开始日期后即可使用，无需另行办理",
    Why.USE_NOT_GRANTED: "请授权人为该绑定增加此项用途；当地未开放的用途请以其他方式支付",
    Why.DONOR_DECEASED: "请使用其他授权人的账户或以其他方式支付",
    Why.DONOR_NOT_INSURED: "请授权人向参保地医保经办机构核对参保信息，正常参保后即可使用",
    Why.DONOR_LAPSED: "请授权人续缴职工医保费，恢复正常参保后即可使用",
    Why.DONOR_PUBLICLY_FUNDED: "当地规定其账户不用于共济；信息有误的，请向医保经办机构申请更正",
    Why.BENEFICIARY_DECEASED: "该使用人不能再使用共济资金；登记有误的，请向医保经办机构申请更正",
    Why.BENEFICIARY_NOT_INSURED: "请使用人办理参保缴费，正常参保后即可使用",
    Why.BENEFICIARY_INSURANCE_NOT_ADMITTED: (
        "请向授权人参保地医保经办机构咨询可以共济的险种；参保信息有误的，请申请更正"
    ),
    Why.BENEFICIARY_OUT_OF_AREA: (
        "双方参保地符合该政策后即可使用；参保地有误的，请向医保经办机构申请更正"
    ),
    Why.BENEFICIARY_PUBLICLY_FUNDED: (
        "当地规定其不能使用共济资金；信息有误的，请向医保经办机构申请更正"
    ),
    Why.VISIT_TYPE_NOT_ADMITTED: "请以本人账户或其他方式支付",
    Why.PLACE_NOT_ADMITTED: "请到授权人参保地政策允许的定点医药机构使用",
    Why.CARE_OUT_OF_AREA: "请到授权人参保地政策允许的地区就医购药",
    Why.NO_ACCOUNT: "请授权人向参保地医保经办机构核实个人账户是否已建立",
    Why.ACCOUNT_FROZEN: "请授权人向参保地医保经办机构申请解冻",
    Why.BALANCE_ZERO: "账户有资金划入后即可使用；目前请以其他方式支付",
    Why.BELOW_THRESHOLD: "余额达到起用线后即可使用；目前请以其他方式支付",
    Why.BELOW_RESERVE: "余额超过留存金额后即可使用；目前请以其他方式支付",
    Why.ALL_HELD: "预留或冻结的金额释放后即可使用；目前请以其他方式支付",
    Why.LIMIT_REACHED: "请授权人调整限额，或待限额重新计算后使用",
    Why.OWN_NOT_ZERO: "请先用完本人账户余额",
    Why.NOT_CHOSEN: "请在结算时选定该授权人",
    Why.NOT_THE_SINGLE_DONOR: "如需由该授权人支付，请先调整扣款顺序",
    Why.NOT_NEEDED: "无需办理",
}
"""What to do next about a reason, in Chinese."""

_ENDED: Mapping[EndCause, tuple[str, str]] = {
    EndCause.DONOR: ("授权人已{undone}", _NEXT[Why.ENDED]),
    EndCause.BENEFICIARY: ("使用人已{undone}", _NEXT[Why.ENDED]),
    EndCause.REVOKED: (
        "医保经办机构已撤销{what}",
        "如有疑问，请向授权人参保地医保经办机构咨询",
    ),
    EndCause.INSURANCE_CHANGED: (
        "双方参保地不在授权人参保地政策允许的范围内，{what}已终止",
        "参保地符合该政策后，授权人可重新申请绑定；参保地有误的，请向医保经办机构申请更正",
    ),
    EndCause.DIED: ("授权人或使用人已登记死亡，{what}已终止", ""),
}
"""Why a binding ended, and what to do next, in Chinese."""

_DIED_NEXT = "一方已登记死亡，不能再绑定；登记有误的，请向医保经办机构申请更正"

_CAUTIONS: Mapping[Caution, tuple[str, str]] = {
    Caution.RATIO_OF_OTHER_REGION: (
        "异地就医：报销比例可能与参保地不同",
        "care in another region: the ratio may differ",
    ),
    Caution.CATALOGUE_OF_OTHER_REGION: (
        "异地就医：执行就医地医保目录",
        "care in another region: its catalogue applies",
    ),
    Caution.FILING_MISSING: (
        "异地就医：没有有效的备案，请办理备案",
        "care in another region: no valid filing",
    ),
    Caution.CODE_NOT_IN_CATALOGUE: (
        "部分项目不在医保目录内，按全自费处理",
        "some codes are not in the catalogue: full self-pay",
    ),
    Caution.DONOR_NOT_CHOSEN: (
        "本地须选定授权人后才能使用共济",
        "here a donor must be chosen",
    ),
    Caution.CASH_TO_PAY_IN: (
        "患者补缴现金{amount}元：退货后个人账户可支付的部分减少，已退回账户，差额以现金补足",
        "the patient pays {amount} yuan in cash: after this return accounts may pay for less, what "
        "they had paid above it went back to them",
    ),
}


def worded(step: Step, names: Mapping[str, str], language: str = CHINESE) -> str:
    """One step as a sentence; `names` gives donors' names by binding id, as the caller may see."""
    at = _column(language)
    template = _RELATIVES_PAID if "relatives" in step.params else _STEPS[step.rule]
    text = template[at]
    return text.format_map({name: _VALUES[name](step, names, at) for name in _ASKED_FOR[text]})


_LANGUAGES = (CHINESE, ENGLISH)
_LEVELS = (LEVEL_ZH, LEVEL_EN)
_ACCOUNT_KINDS = (ACCOUNT_KIND_ZH, ACCOUNT_KIND_EN)
_A_DONOR = ("授权人", "a donor")

_VALUES: Mapping[str, Callable[[Step, Mapping[str, str], int], str]] = {
    "amount": lambda step, _names, _at: yuan(step.amount_fen),
    "left": lambda step, _names, _at: yuan(int(step.params.get("left_fen", 0))),
    "ratio": lambda step, _names, _at: percent(int(step.params.get("ratio_bp", 0))),
    "level": lambda step, _names, at: _word(_LEVELS[at], step.params.get("level", "")),
    "kind": lambda step, _names, at: _word(_ACCOUNT_KINDS[at], step.params.get("kind", "")),
    "year": lambda step, _names, _at: str(step.params.get("year", "")),
    "donor": lambda step, names, at: names.get(
        str(step.params.get("binding_id", "")), _A_DONOR[at]
    ),
    "why": lambda step, _names, at: why_worded(
        str(step.params.get("why", "")), str(step.params.get("until", "")), _LANGUAGES[at]
    ),
    "parts": lambda step, _names, at: parts_worded(step, at),
}
"""What a sentence may ask for, by the name it has there."""

_ASKED_FOR = {
    text: [name for _, name, _, _ in Formatter().parse(text) if name]
    for texts in (*_STEPS.values(), _RELATIVES_PAID)
    for text in texts
}


def why_worded(why: str, until: str = "", language: str = CHINESE) -> str:
    """A reason as words, with the earliest date on which it changes, if there is one."""
    at = _column(language)
    text = _WHY.get(why, (why, why))[at]
    told = _UNTIL.get(why, ("（最早{until}）", " (until {until})"))[at]
    return text + told.format(until=until) if until else text


def obstacle_worded(obstacle: Obstacle, language: str = CHINESE) -> str:
    """An obstacle to mutual aid as words (NAT-07)."""
    until = obstacle.until.isoformat() if obstacle.until is not None else ""
    return why_worded(obstacle.why, until, language)


def obstacle_advised(obstacle: Obstacle) -> str:
    """An obstacle in Chinese, what it means and what to do next (NAT-07)."""
    return f"{obstacle_worded(obstacle)}。{_NEXT[obstacle.why]}。"


def over_advised(
    why: Why, cause: EndCause | None, reason: str, *, approved: bool, died: bool
) -> str:
    """A binding that is over (REJECTED, ENDED, EXPIRED) in Chinese, and what to do next (NAT-07).

    `reason` is what the reviewer or the agency gave. To apply again is advised only where that can
    help: not after one of the two `died`.
    """
    meaning, advice = (why_worded(why), _NEXT[why]) if cause is None else _ENDED[cause]
    what, undone = ("共济关系", "解除共济关系") if approved else ("绑定申请", "撤回绑定申请")
    meaning = meaning.format(what=what, undone=undone)
    given = f"（原因：{reason}）" if reason else ""
    return f"{meaning}{given}。{_DIED_NEXT if died else advice}。"


def caution_worded(caution: Caution, language: str = CHINESE, amount_fen: int = 0) -> str:
    """A caution as words (TIL-37), with the amount it is about, if there is one."""
    return _CAUTIONS[caution][_column(language)].format(amount=yuan(amount_fen))


def _column(language: str) -> int:
    return 1 if language == ENGLISH else 0


def _word(words: Mapping[str, str], value: int | str) -> str:
    return words.get(str(value), str(value))
