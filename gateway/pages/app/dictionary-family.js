// More texts of the family's rooms: Chinese, then English; the others are in dictionary.js.

export const FAMILY = {
  // a premium
  "premium-for": ["为 {name} 缴费", "The premium of {name}"],
  "premium-residents": ["这里缴的是城乡居民医保等按年缴的保费；参加职工医保的家人，职工医保费不在这里缴。", "These are premiums by the year, such as of resident insurance. Employee insurance is not paid here."],
  "sure-title": ["再核对一次", "Once more"],
  "sure-year": ["年度和险种", "Year and insurance"],
  "from-account": ["扣款账户", "From the account of"],
  "sure-text": ["确认后立即从个人账户扣款。", "The account is debited at once."],
  "debit-now": ["确认扣款 {amount}", "Debit {amount}"],
  "not-now": ["暂不缴费", "Not now"],
  "chinese-reasons": ["以下原因只有中文：", "The reason is given in Chinese:"],

  // where a rule comes from
  "rule-of": ["{region}现行规定", "the rules in force in {region}"],
  "rule-local": ["当地规定", "local rules"],
  "rule-read": ["经办口径", "how the rules are applied"],
  "rule-published": ["公开发布的政策", "a published policy"],
  "rules-since": ["{region} {day} 起", "{region} from {day}"],
  "exact-sources": ["详细依据", "Exact sources"],

  // relatives
  "bound-since": ["{day} 起绑定", "bound since {day}"],
  "wrong-id-card": ["身份证号码有误：应为18位，且校验码正确。请核对证件", "Not an identity-card number: 18 characters with a right check digit. Please compare it with the card"],
  "wrong-number": ["号码里不能有空格和 < >，请核对证件", "A number has no blanks and no < or >; please compare it with the certificate"],
  "wrong-name": ["姓名里不能有 < >，请按证件填写", "A name has no < or >; please write it as on the certificate"],
  "no-zero-limit": ["限额不能为0：不限请留空；不想再付款，请用“解绑”", "A limit can't be 0: leave it empty for none; to pay no more, unbind"],
};
