// Having a premium back: its donor asks with consent, and sees what was decided and where the money is.

import { moment } from "../app/dates.js";
import { h } from "../app/dom.js";
import { choice, field, form, tick } from "../app/forms.js";
import { money } from "../app/money.js";
import { policyOf } from "../app/people.js";
import { send } from "../app/sending.js";
import { who } from "../app/session.js";
import { t, term } from "../app/words.js";

const ASKERS = ["citizen", "counter"];

/** The way to ask for a confirmed payment back, folded away; `then(payment)` hears what became of it. */
export async function refundAsking(payment, then) {
  const { role } = who();
  const isDonors = payment.legs.length > 0; // the debit is shown to the donor's side and to staff alone
  if (payment.state !== "PREMIUM_PAYMENT_STATE_CONFIRMED" || !isDonors || !ASKERS.includes(role)) return null;
  const policy = await policyOf(payment.region);
  const causes = policy.values["premium.refund_causes"] ?? [];
  if (!causes.length) return h("p", { class: "box note" }, t("no-refunds", { region: policy.region_name }));
  const atCounter = role === "counter";
  const cause = choice({
    name: "cause", label: t("refund-cause"),
    options: causes.map((one) => [`PREMIUM_REFUND_CAUSE_${one}`, term("PREMIUM_REFUND_CAUSE", one)]),
  });
  const reason = field({ name: "reason", label: t("refund-more"), type: "textarea", maxlength: 500 });
  const consent = tick({ name: "consent", label: t(atCounter ? "consent-at-counter" : "consent", { donor: payment.donor_name }) });
  const ask = async () => {
    if (!cause.read()) {
      cause.fail(t("choose"));
      return cause.focus();
    }
    if (!consent.read()) {
      consent.fail(t("consent-first"));
      return consent.focus();
    }
    const body = { cause: cause.read(), reason: reason.read() };
    const answer = await send(`refund:${payment.payment_id}`, "POST", `/v1/premium-payments/${payment.payment_id}:refund`, body);
    return then(answer.payment);
  };
  return h("details", { class: "refund" }, h("summary", {}, t("ask-refund")),
    h("ul", {}, [
      t("refund-means", { name: payment.beneficiary_name, year: payment.year }),
      t(`refund-to-${policy.values["premium.refund_to"] ?? "PAYER_ACCOUNT"}`, { amount: money(payment.payable_fen) }),
      t(policy.values["premium.refund_approval"] === false ? "refund-at-once" : "refund-awaits", { region: policy.region_name }),
    ].map((text) => h("li", {}, text))),
    form({ fields: [cause, reason, consent], button: t("ask-refund"), send: ask, kind: "danger" }).node);
}

/** What is known of a refund, as facts: who asked, with whose consent, and what was decided. */
export function refundFacts({ refund }) {
  if (!refund) return [];
  const { role, actor } = refund.requested_by ?? {};
  const asker = role === "ROLE_CITIZEN" ? t("asked-by-donor") : t("asked-at-counter", { actor: actor ?? "" });
  return [
    ["refund-cause", term("PREMIUM_REFUND_CAUSE", refund.cause)],
    ["refund-more", refund.reason],
    ["owner-consent", `${asker} · ${moment(refund.requested_at)}`],
    ["refund-to", term("PREMIUM_REFUND_TO", refund.refund_to)],
    ["refund-decision", refund.decision === "PREMIUM_REFUND_DECISION_UNSPECIFIED" ? "" : term("PREMIUM_REFUND_DECISION", refund.decision)],
    ["decision-reason", refund.decision_reason],
    ["decided-at", moment(refund.decided_at)],
  ];
}

/** What it means that money waits in suspense, and what to do; `amount` as text, empty: not told. */
export function suspenseBox(amount, more = "") {
  return h("div", { class: "box note suspense" }, h("strong", {}, t("in-suspense", { amount })), h("p", {}, t("in-suspense-means")),
    h("p", {}, t("in-suspense-todo")), more && h("p", { class: "small" }, more));
}
