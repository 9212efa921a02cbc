// Step 2, pay: show one's own code at the till, or pay a relative's premium.

import { isoOf } from "../app/dates.js";
import { h } from "../app/dom.js";
import { bindingsOf, isCurrent, nameOf } from "../app/people.js";
import { who } from "../app/session.js";
import { t, term } from "../app/words.js";

export async function show({ signal }) {
  const { subject } = who();
  const bindings = (await bindingsOf({ donor_id: subject }, signal)).filter(isCurrent);
  return h("div", {},
    h("h1", {}, t("step-pay")),
    h("a", { class: "card step", href: "#/code" },
      h("span", { class: "number", "aria-hidden": "true" }, "▦"),
      h("span", {}, h("strong", {}, t("code-title")), h("small", {}, t("code-text")))),
    h("h2", {}, t("premiums")),
    h("p", { class: "soft" }, t("premium-residents")),
    bindings.length ? h("ul", { class: "plain" }, bindings.map(relative)) : nobody());
}

function relative(binding) {
  const mayPay = binding.uses.includes("USE_PREMIUM") && binding.state === "BINDING_STATE_ACTIVE";
  const facts = h("span", {}, h("strong", {}, nameOf(binding)),
    h("small", {}, `${term("BINDING_STATE", binding.state)} · ${t("since", { day: isoOf(binding.effective_from) })}`));
  if (!mayPay) return h("li", { class: "card" }, facts, h("small", { class: "soft" }, t("no-premium-use")));
  return h("li", {}, h("a", { class: "card step", href: `#/premium/${binding.beneficiary_id}` }, facts, h("span", { class: "go" }, t("pay-premium"))));
}

function nobody() {
  return h("div", { class: "box note" }, h("p", {}, t("nobody-bound")), h("a", { class: "button main", href: "#/bind" }, t("step-bind")));
}
