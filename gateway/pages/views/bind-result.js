// What became of an application: decided at once, or waiting for the region's reviewer.

import { isoOf } from "../app/dates.js";
import { h } from "../app/dom.js";
import { t } from "../app/words.js";

/** The panel after an answer to CreateBinding. */
export function resultPanel({ binding }, { policy, atCounter }) {
  const isActive = binding.state === "BINDING_STATE_ACTIVE";
  return h("div", { tabindex: -1, role: "status" },
    h("div", { class: `outcome ${isActive ? "fine" : "note"}` },
      h("span", { class: "sign", "aria-hidden": "true" }, isActive ? "✓" : "…"),
      h("h2", {}, t(isActive ? "bound" : "awaited")),
      h("p", {}, t(isActive ? "bound-text" : "awaited-text", { name: binding.beneficiary_name, from: isoOf(binding.effective_from) }))),
    h("p", { class: "soft small" }, `${t("number")} ${binding.binding_id}`),
    noticeList(policy),
    !atCounter && h("div", { class: "buttons" },
      isActive && h("a", { class: "button main", href: "#/pay" }, t("to-pay")),
      h("a", { class: "button", href: "#/relatives" }, t("to-relatives"))));
}

/** What the region tells everybody, folded away. */
export function noticeList(policy) {
  const notices = policy.values["information.notices"] ?? [];
  return notices.length > 0 && h("details", {}, h("summary", {}, t("notices")),
    h("ul", { lang: "zh-CN" }, notices.map((one) => h("li", {}, one.text))));
}
