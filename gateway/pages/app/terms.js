// The contract's own values in both languages, by their names without the prefix of their kind.

const TERMS = {
  RELATION: {
    SPOUSE: ["配偶", "Spouse"],
    CHILD: ["子女", "Child"],
    GRANDCHILD: ["孙子女、外孙子女", "Grandchild"],
    PARENT: ["父母", "Parent"],
    GRANDPARENT: ["祖父母、外祖父母", "Grandparent"],
    SIBLING: ["兄弟姐妹", "Brother or sister"],
  },
  USE: {
    MEDICAL: ["就医购药", "Medical bills"],
    PREMIUM: ["代缴保费", "Premiums"],
  },
  CERTIFICATE_TYPE: {
    ID_CARD: ["居民身份证、户口簿", "Resident identity card"],
    PASSPORT: ["护照", "Passport"],
    HK_MACAO_PERMIT: ["港澳证件", "Hong Kong or Macao permit"],
    TAIWAN_PERMIT: ["台湾居民来往大陆通行证", "Taiwan permit"],
    FOREIGN_RESIDENCE: ["外国人永久居留证", "Foreigner's residence card"],
    BIRTH: ["医学出生证明", "Birth certificate"],
    OTHER: ["其他证件", "Other certificate"],
  },
  DOCUMENT_KIND: {
    ID_FRONT: ["身份证人像面", "Identity card, side with the photo"],
    ID_BACK: ["身份证国徽面", "Identity card, side with the emblem"],
    COMMITMENT: ["个人承诺书、授权书", "Signed commitment"],
    MARRIAGE: ["结婚证", "Marriage certificate"],
    HOUSEHOLD: ["户口簿", "Household register"],
    OTHER: ["其他材料", "Other proof"],
  },
  DOCUMENT_OF: {
    DONOR: ["授权人", "account owner"],
    BENEFICIARY: ["使用人", "relative"],
    BOTH: ["双方", "both"],
  },
  BINDING_STATE: {
    PENDING_REVIEW: ["待审核", "Waits for review"],
    ACTIVE: ["有效", "In force"],
    REJECTED: ["审核不通过", "Rejected"],
    SUSPENDED: ["暂停", "Suspended"],
    ENDED: ["已解除", "Ended"],
    EXPIRED: ["已到期", "Expired"],
  },
  CHANNEL: {
    APP: ["医保APP", "App"],
    MINI_PROGRAM: ["小程序", "Mini-program"],
    ALIPAY: ["支付宝", "Alipay"],
    WECHAT: ["微信公众号", "WeChat"],
    WEB: ["网上大厅", "Website"],
    COUNTER: ["经办窗口", "Service counter"],
  },
  CONFIRMATION: {
    FACE_CHECK: ["授权人已通过人脸识别", "The account owner's face was checked"],
    BENEFICIARY_CONSENT: ["使用人已同意", "The relative has agreed"],
  },
  INSURANCE: {
    EMPLOYEE: ["职工医保", "Employee insurance"],
    RESIDENT: ["城乡居民医保", "Resident insurance"],
    LONG_TERM_CARE: ["长期护理保险", "Long-term care insurance"],
  },
  ACCOUNT_KIND: {
    GENERAL: ["个人账户", "Personal account"],
    CURRENT_YEAR: ["当年账户", "Current-year account"],
    PAST_YEARS: ["历年账户", "Past-years account"],
  },
  ACCOUNT_STATE: {
    OPEN: ["正常", "In use"],
    FROZEN: ["冻结", "Frozen"],
    CLOSED: ["已销户", "Closed"],
  },
  ENTRY_KIND: {
    ALLOCATION: ["划入", "Allocation"],
    INTEREST: ["计息", "Interest"],
    OTHER: ["其他收入", "Other income"],
    SETTLEMENT_OWN: ["本人支付", "Own purchase"],
    SETTLEMENT_MUTUAL_AID: ["共济支付", "A relative's purchase"],
    REFUND_OWN: ["本人退费", "Own refund"],
    REFUND_MUTUAL_AID: ["共济退费", "A relative's refund"],
    PREMIUM: ["代缴保费", "Premium paid"],
    PREMIUM_REFUND: ["保费退回", "Premium given back"],
    ADJUSTMENT: ["更正", "Correction"],
    TRANSFER: ["结转", "Moved between accounts"],
    SUSPENSE: ["暂存款转入", "Paid out of suspense"],
  },
  VISIT_TYPE: {
    OUTPATIENT: ["普通门诊", "Outpatient visit"],
    CHRONIC: ["门诊慢特病", "Chronic-disease visit"],
    PHARMACY: ["药店购药", "Pharmacy purchase"],
    INPATIENT: ["住院", "Hospital stay"],
  },
  CATALOG_CLASS: { A: ["甲类", "A"], B: ["乙类", "B"], C: ["丙类", "C"] },
  SETTLEMENT_STATE: {
    SETTLED: ["已结算", "Settled"],
    PARTLY_REFUNDED: ["部分退费", "Partly refunded"],
    REFUNDED: ["已退费", "Refunded"],
    CANCELLED: ["已撤销", "Cancelled"],
  },
  PREMIUM_PAYMENT_STATE: {
    SUBMITTED: ["已扣款，待税务确认", "Paid, waits for the tax bureau"],
    CONFIRMED: ["缴费成功", "Confirmed"],
    REJECTED: ["缴费失败，已退回", "Refused, given back"],
    REFUND_REQUESTED: ["退费待审批", "A refund waits for approval"],
    REFUNDED: ["已退费", "Refunded"],
  },
  PREMIUM_REFUND_CAUSE: {
    PAID_TWICE: ["重复缴费", "Paid twice"],
    JOINED_EMPLOYEE: ["已参加职工医保", "Joined employee insurance"],
    DIED: ["被缴费人死亡", "The insured person died"],
    MOVED_AWAY: ["已在异地参保", "Insured elsewhere"],
    IMPRISONED: ["服刑", "Imprisoned"],
    FULLY_SUBSIDISED: ["享受全额资助", "Fully subsidised"],
  },
  PREMIUM_REFUND_TO: {
    PAYER_ACCOUNT: ["付款的个人账户", "The account that paid"],
    BANK: ["银行账户（由经办机构支付）", "A bank account, paid by the agency"],
  },
  PREMIUM_REFUND_DECISION: {
    APPROVE: ["同意退费", "Approved"],
    REJECT: ["不同意退费", "Rejected"],
  },
  RISK_ACTION: {
    ADVISE: ["提示", "Tells"],
    HOLD: ["待审", "Holds"],
    DENY: ["拒绝", "Refuses"],
  },
  RISK_RULE: {
    MANY_INSTITUTIONS: ["短时间多家机构使用", "Many institutions"],
    REPEATED_TRACE_CODE: ["追溯码重复", "Repeated trace code"],
    FAR_CITIES: ["短时间异地使用", "Cities far apart"],
    DRAINED_DONOR: ["授权人账户被集中使用", "Drained account"],
    BIND_SPEND_UNBIND: ["绑定使用后即解绑", "Bind, spend, unbind"],
    CREDENTIAL_MISUSE: ["冒用凭证", "Misused credential"],
  },
  ROLE: {
    CITIZEN: ["参保人", "Citizen"],
    COUNTER: ["窗口经办员", "Counter clerk"],
    REVIEWER: ["审核员", "Reviewer"],
    AGENCY: ["经办机构", "Agency"],
    TAX: ["税务部门", "Tax bureau"],
    POS: ["定点机构", "Till"],
    PLATFORM: ["医保平台", "Platform"],
  },
  DIFFERENCE_KIND: {
    MISSING_HERE: ["中心缺", "Missing here"],
    MISSING_THERE: ["机构缺", "Missing there"],
    AMOUNT_DIFFERS: ["金额不符", "Amounts differ"],
  },
  DIFFERENCE_RESOLUTION: {
    CORRECTED_HERE: ["已在本系统更正", "Corrected here"],
    CORRECTED_THERE: ["机构已更正", "Corrected by the institution"],
    EXPLAINED: ["核实无误", "Explained"],
  },
  WINDOW_STATE: {
    OPEN: ["归集中", "Open"],
    CLOSED: ["已关账", "Closed"],
    CONFIRMED: ["已确认", "Confirmed"],
    SETTLED: ["已拨付", "Paid"],
  },
};

/** Both texts of a value such as ("RELATION", "RELATION_PARENT"); an unknown one names itself. */
export function both(kind, value) {
  const name = String(value ?? "").replace(`${kind}_`, "");
  return TERMS[kind]?.[name] ?? (name === "UNSPECIFIED" ? ["", ""] : [name, name]);
}
